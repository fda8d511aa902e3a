//! The runtime: what runs tasks, waits for events and keeps time.
//!
//! Most programs let [`#[zokio::main]`](macro@crate::main) build one. By hand:
//!
//! ```
//! let runtime = zokio::runtime::Builder::new_multi_thread()
//!     .worker_threads(2)
//!     .enable_all()
//!     .build()?;
//! let sum = runtime.block_on(async { 1 + 1 });
//! assert_eq!(sum, 2);
//! # Ok::<(), std::io::Error>(())
//! ```

pub use zokio_runtime::{
    Builder, DriverMetrics, EnterGuard, Handle, HistogramConfiguration, HistogramScale, Id, Idle,
    InvalidHistogramConfiguration, IoMode, LocalOptions, LocalRuntime, LogHistogram,
    LogHistogramBuilder, OpMetrics, RingStatus, RngSeed, Runtime, RuntimeFlavor, RuntimeMetrics,
    StallReport, TaskMeta, TryCurrentError, UnhandledPanic, UnknownIoMode, is_rt_shutdown_err,
    worker_index,
};
