//! Adapters: readers and writers made of other ones, or of nothing.

mod buf_reader;
mod buf_stream;
mod buf_writer;
mod chain;
mod empty;
mod join;
mod lines;
mod repeat;
mod sink;
mod split;
mod take;

pub use buf_reader::BufReader;
pub use buf_stream::BufStream;
pub use buf_writer::BufWriter;
pub use chain::Chain;
pub use empty::{Empty, empty};
pub use join::{Join, join};
pub use lines::Lines;
pub use repeat::{Repeat, repeat};
pub use sink::{Sink, sink};
pub use split::Split;
pub use take::Take;
