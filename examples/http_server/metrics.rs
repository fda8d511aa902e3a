//! Counters, and their text for Prometheus.
//!
//! The counters are independent of each other: each is exact, but a reader may see one request
//! counted and its bytes not yet.

use pin_project_lite::pin_project;
use std::fmt::{Display, Write as _};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use zokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use zokio::runtime::Handle;

/// The counters. Every ordering is relaxed: nothing is published through a counter.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: AtomicU64,
    in_flight: AtomicU64,
    /// By the first digit of the status, from 1xx to 5xx.
    responses: [AtomicU64; 5],
    connections: AtomicU64,
    connections_open: AtomicU64,
    connections_failed: AtomicU64,
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
}

impl Metrics {
    pub(crate) fn connection_opened(self: &Arc<Self>) -> OpenConnection {
        self.connections.fetch_add(1, Relaxed);
        self.connections_open.fetch_add(1, Relaxed);
        OpenConnection(self.clone())
    }

    pub(crate) fn connection_failed(&self) {
        self.connections_failed.fetch_add(1, Relaxed);
    }

    pub(crate) fn open_connections(&self) -> u64 {
        self.connections_open.load(Relaxed)
    }

    /// A request came; it is in flight until the guard is dropped, with the last of its response.
    pub(crate) fn request(self: &Arc<Self>) -> InFlight {
        self.requests.fetch_add(1, Relaxed);
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(self.clone())
    }

    pub(crate) fn response(&self, status: hyper::StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.responses[class].fetch_add(1, Relaxed);
    }

    /// Everything, in Prometheus' text format.
    pub(crate) fn render(&self) -> String {
        let mut text = Text::default();
        text.family("http_requests_total", "counter", "Requests received.");
        text.value("", &self.requests.load(Relaxed));
        text.family(
            "http_requests_in_flight",
            "gauge",
            "Requests being answered.",
        );
        text.value("", &self.in_flight.load(Relaxed));
        text.family(
            "http_responses_total",
            "counter",
            "Responses by class of status.",
        );
        for (class, count) in (1..).zip(&self.responses) {
            text.value(&format!("{{status=\"{class}xx\"}}"), &count.load(Relaxed));
        }
        text.family("http_connections_total", "counter", "Connections accepted.");
        text.value("", &self.connections.load(Relaxed));
        text.family("http_connections_open", "gauge", "Connections open.");
        text.value("", &self.open_connections());
        text.family(
            "http_connections_failed_total",
            "counter",
            "Connections that ended with an error.",
        );
        text.value("", &self.connections_failed.load(Relaxed));
        text.family(
            "http_received_bytes_total",
            "counter",
            "Bytes read from connections.",
        );
        text.value("", &self.received_bytes.load(Relaxed));
        text.family(
            "http_sent_bytes_total",
            "counter",
            "Bytes written to connections.",
        );
        text.value("", &self.sent_bytes.load(Relaxed));
        render_runtime(&mut text);
        text.out
    }
}

/// Renders the runtime's own figures.
fn render_runtime(text: &mut Text) {
    let metrics = Handle::current().metrics();
    let workers = metrics.num_workers();
    text.family("zokio_workers", "gauge", "Worker threads.");
    text.value("", &workers);
    text.family("zokio_alive_tasks", "gauge", "Tasks that have not ended.");
    text.value("", &metrics.num_alive_tasks());
    text.family(
        "zokio_global_queue_depth",
        "gauge",
        "Tasks in the shared queue.",
    );
    text.value("", &metrics.global_queue_depth());
    text.family(
        "zokio_worker_parks_total",
        "counter",
        "How often a worker went to sleep.",
    );
    for worker in 0..workers {
        text.value(
            &format!("{{worker=\"{worker}\"}}"),
            &metrics.worker_park_count(worker),
        );
    }
    text.family(
        "zokio_worker_busy_seconds_total",
        "counter",
        "How long a worker was at work.",
    );
    for worker in 0..workers {
        text.value(
            &format!("{{worker=\"{worker}\"}}"),
            &metrics.worker_total_busy_duration(worker).as_secs_f64(),
        );
    }
}

/// The text format: a head for each family, then its values.
#[derive(Default)]
struct Text {
    out: String,
    name: &'static str,
}

impl Text {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        // Writing to a string does not fail.
        let _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One value of the family that was begun last.
    fn value(&mut self, labels: &str, value: &dyn Display) {
        let _ = writeln!(self.out, "{}{labels} {value}", self.name);
    }
}

/// One open connection.
pub(crate) struct OpenConnection(Arc<Metrics>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections_open.fetch_sub(1, Relaxed);
    }
}

/// One request in flight.
pub(crate) struct InFlight(Arc<Metrics>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

pin_project! {
    /// Counts the bytes of a stream.
    pub(crate) struct Counted<T> {
        #[pin]
        inner: T,
        metrics: Arc<Metrics>,
    }
}

impl<T> Counted<T> {
    pub(crate) fn new(inner: T, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics }
    }
}

impl<T: AsyncRead> AsyncRead for Counted<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let me = self.project();
        let before = buf.filled().len();
        ready!(me.inner.poll_read(cx, buf))?;
        let count = buf.filled().len() - before;
        me.metrics.received_bytes.fetch_add(count as u64, Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite> AsyncWrite for Counted<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let me = self.project();
        let count = ready!(me.inner.poll_write(cx, buf))?;
        me.metrics.sent_bytes.fetch_add(count as u64, Relaxed);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let me = self.project();
        let count = ready!(me.inner.poll_write_vectored(cx, bufs))?;
        me.metrics.sent_bytes.fetch_add(count as u64, Relaxed);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
