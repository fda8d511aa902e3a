//! Tests of one task.
