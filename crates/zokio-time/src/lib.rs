//! zokio-time.
