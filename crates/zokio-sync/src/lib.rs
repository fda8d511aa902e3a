//! zokio-sync.
