//! Programs that show Zokio at work. The programs are examples of this package:
//!
//! - `http_server`: HTTP/1.1 with hyper; echo, files, metrics.
//!
//! This library is empty: it gives the package a target of its own.
