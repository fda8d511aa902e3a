//! Which request gets which answer.

use crate::files::{self, Denied, FileBody, Root};
use crate::metrics::{InFlight, Metrics};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The error that ends a body in its middle: the request's own, or the file's.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// Any body.
type AnyBody = UnsyncBoxBody<Bytes, BodyError>;

const TEXT: &str = "text/plain; charset=utf-8";
/// The version of Prometheus' text format belongs to its type.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The routes and what they need.
pub(crate) struct Routes {
    root: Root,
    metrics: Arc<Metrics>,
}

impl Routes {
    pub(crate) fn new(root: Root, metrics: Arc<Metrics>) -> Self {
        Self { root, metrics }
    }

    /// Answers a request; counts it until the last byte of its response is on its way.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Tracked<AnyBody>>, Infallible> {
        let in_flight = self.metrics.request();
        let response = self.route(request).await;
        self.metrics.response(response.status());
        Ok(response.map(|body| Tracked { body, in_flight }))
    }

    async fn route(&self, request: Request<Incoming>) -> Response<AnyBody> {
        let path = request.uri().path();
        if let Some(file) = path.strip_prefix("/files/") {
            return match *request.method() {
                Method::GET => self.file(file, true).await,
                Method::HEAD => self.file(file, false).await,
                _ => not_allowed("GET, HEAD"),
            };
        }
        match (path, request.method()) {
            ("/", &Method::GET | &Method::HEAD) => text(StatusCode::OK, TEXT, "Hello from Zokio\n"),
            ("/metrics", &Method::GET | &Method::HEAD) => {
                text(StatusCode::OK, PROMETHEUS, self.metrics.render())
            }
            ("/echo", &Method::POST | &Method::PUT) => echo(request),
            ("/" | "/metrics", _) => not_allowed("GET, HEAD"),
            ("/echo", _) => not_allowed("POST, PUT"),
            _ => text(StatusCode::NOT_FOUND, TEXT, "no such page\n"),
        }
    }

    async fn file(&self, path: &str, with_body: bool) -> Response<AnyBody> {
        let found = match self.root.find(path).await {
            Ok(found) => found,
            Err(denied) => return refuse(denied),
        };
        let builder = Response::builder()
            .header(header::CONTENT_TYPE, found.content_type())
            .header(header::CONTENT_LENGTH, found.length());
        if !with_body {
            return finish(builder.body(empty()));
        }
        match found.open().await {
            Ok(file) => finish(builder.body(FileBody::new(file).boxed_unsync())),
            Err(error) => refuse(files::denied(&error)),
        }
    }
}

/// Sends the body back as it comes. What is not read yet waits at the sender.
fn echo(request: Request<Incoming>) -> Response<AnyBody> {
    let kind = request.headers().get(header::CONTENT_TYPE).cloned();
    let kind = kind.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let body = request.into_body().map_err(BodyError::from).boxed_unsync();
    finish(
        Response::builder()
            .header(header::CONTENT_TYPE, kind)
            .body(body),
    )
}

fn refuse(denied: Denied) -> Response<AnyBody> {
    let (status, why) = match denied {
        Denied::Malformed => (StatusCode::BAD_REQUEST, "this path is malformed\n"),
        Denied::Forbidden => (StatusCode::FORBIDDEN, "this path is not for you\n"),
        Denied::Missing => (StatusCode::NOT_FOUND, "no such file\n"),
        Denied::Busy => (StatusCode::SERVICE_UNAVAILABLE, "try again later\n"),
    };
    text(status, TEXT, why)
}

fn not_allowed(methods: &'static str) -> Response<AnyBody> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, TEXT, "not this method\n");
    let allowed = HeaderValue::from_static(methods);
    response.headers_mut().insert(header::ALLOW, allowed);
    response
}

fn text(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Response<AnyBody> {
    finish(
        Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, kind)
            .body(full(text)),
    )
}

fn full(bytes: impl Into<Bytes>) -> AnyBody {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn empty() -> AnyBody {
    full(Bytes::new())
}

/// Headers come from constants and from what hyper has parsed, so this does not fail.
fn finish(response: hyper::http::Result<Response<AnyBody>>) -> Response<AnyBody> {
    response.unwrap_or_else(|_| {
        let mut response = Response::new(empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

pin_project! {
    /// A body that keeps its request in flight.
    pub(crate) struct Tracked<B> {
        #[pin]
        body: B,
        in_flight: InFlight,
    }
}

impl<B: Body> Body for Tracked<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
