//! zokio-sched.
