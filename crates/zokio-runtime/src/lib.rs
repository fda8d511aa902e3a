//! zokio-runtime.
