//! User code that panics, each piece of it at each place where the runtime calls it.
//!
//! The rule is written at the head of `zokio_base::foreign`. The families, a file each: what a waker does
//! (`wakers`), destructors of values (`values`), closures that a call was given (`closures`), and the
//! builder's hooks (`hooks`). Each family is a list of *sites*: a site brings the piece of code into the
//! runtime, lets the runtime call it, and uses the same primitive once more. A site does not say which callbacks it reaches; the panics are counted where they are thrown, the table is printed,
//! and a cell that nobody reached fails the test.
//!
//! These rules hold at each site, besides its own check: no panic goes where the rule does not send it,
//! every value is dropped once and every waker's clone let go, a heartbeat on the same runtime goes on,
//! and the runtime ends in time.
#![allow(clippy::disallowed_methods)] // Tests meet runtimes from real threads, in real time.

mod closures;
mod hooks;
mod support;
mod values;
mod wakers;
