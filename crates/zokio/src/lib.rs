//! zokio.
