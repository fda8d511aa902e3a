//! zokio-util.
