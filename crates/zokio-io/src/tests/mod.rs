//! Tests of the adapters, over scripted readers and writers.

mod adapters;
mod autos;
mod budget;
mod copying;
mod ext;
mod forward;
mod model;
mod parts;
mod pipes;
mod readiness;
mod regressions;
mod script;
mod seeking;
mod traits;

pub(crate) use zokio_task::block_on::block_on;
