//! Waiting: [`sleep`], [`timeout`], [`interval`], and a clock that tests can stop.
//!
//! All of it works inside of a runtime only, one that was built with
//! [`enable_time`](crate::runtime::Builder::enable_time). Timers are exact to what the system allows, and
//! never early.
//!
//! # Examples
//! ```
//! use zokio::time::{Duration, sleep, timeout};
//!
//! # async fn answer() -> u32 { 42 }
//! # async fn demo() {
//! sleep(Duration::from_millis(5)).await;
//! match timeout(Duration::from_secs(1), answer()).await {
//!     Ok(answer) => println!("{answer}"),
//!     Err(_) => println!("no answer within a second"),
//! }
//! # }
//! ```
//!
//! # Tests that do not wait
//! With a paused clock ([`pause`], or `#[zokio::test(start_paused = true)]`) time passes only when the
//! runtime has nothing else to do: it then jumps to the next timer.

pub use zokio_time::error;
pub use zokio_time::{
    Duration, Instant, Interval, MissedTickBehavior, Sleep, Timeout, advance, interval,
    interval_at, pause, resume, sleep, sleep_until, timeout, timeout_at,
};
