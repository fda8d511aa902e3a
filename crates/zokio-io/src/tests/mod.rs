//! Tests of the adapters, over scripted readers and writers.

mod adapters;
mod autos;
mod budget;
mod copying;
mod ext;
mod model;
mod pipes;
mod regressions;
mod script;
mod traits;

pub(crate) use zokio_task::block_on::block_on;
