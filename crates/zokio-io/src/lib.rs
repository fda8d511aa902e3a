//! zokio-io.
