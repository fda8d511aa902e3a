//! The one door to checks.
fn main() {}
