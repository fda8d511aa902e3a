//! Files, on each way that leads to them.
