//! Responses: status, headers, and a body that may be whole, truncated, padded or slow. The providers' error bodies are
//! in `provider`.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use serde_json::Value;
use tokio::time::{Instant, Sleep, sleep};

/// A complete response, from a provider or set by a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Number of bytes of filler lines before the body; they are never in memory as a whole.
    pub padding: u64,
}

impl Response {
    /// Creates a response without a body.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            padding: 0,
        }
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "nearly always a json! literal"
    )]
    pub fn json(status: u16, body: Value) -> Self {
        Self::body(
            status,
            "application/json; charset=utf-8",
            body.to_string().into_bytes(),
        )
    }

    pub fn body(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
            body: body.into(),
            padding: 0,
        }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// Applies `edit` to the body if it is JSON, and drops the `ETag`, which no longer matches.
    pub(crate) fn edited(mut self, edit: fn(&mut Value)) -> Self {
        if let Ok(mut body) = serde_json::from_slice(&self.body) {
            edit(&mut body);
            self.headers
                .retain(|(name, _)| !name.eq_ignore_ascii_case("etag"));
            self.body = body.to_string().into_bytes();
        }
        self
    }
}

/// The body on the wire.
pub(crate) enum Payload {
    Whole(Option<Bytes>),
    /// Sends less than its `Content-Length`, then breaks the connection.
    Truncated {
        rest: Option<Bytes>,
        flushed: bool,
    },
    /// Repeats one chunk until `left` bytes are sent, then sends the rest. Never in memory as a whole.
    Padded {
        left: u64,
        rest: Option<Bytes>,
    },
    /// Byte by byte.
    Slow {
        rest: Bytes,
        pause: Duration,
        next: Pin<Box<Sleep>>,
    },
}

impl Payload {
    pub(crate) fn slow(rest: Bytes, pause: Duration) -> Self {
        let next = Box::pin(sleep(pause));
        Self::Slow { rest, pause, next }
    }
}

/// The error that ends a truncated body: hyper closes the connection when it gets it.
#[derive(Debug)]
pub(crate) struct Aborted;

impl fmt::Display for Aborted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the connection is broken on purpose")
    }
}

impl std::error::Error for Aborted {}

impl From<Infallible> for Aborted {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Filler lines of 64 bytes.
static CHUNK: [u8; 64 * 1024] = {
    let mut chunk = [b'x'; 64 * 1024];
    let mut end = 63;
    while end < chunk.len() {
        chunk[end] = b'\n';
        end += 64;
    }
    chunk
};

impl Body for Payload {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Truncated { rest, flushed } => {
                if let Some(bytes) = rest.take() {
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                if *flushed {
                    return Poll::Ready(Some(Err(Aborted)));
                }
                // hyper flushes its buffer when the body is pending, so the error must come after that.
                *flushed = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Self::Padded { left: 0, rest } => {
                let rest = rest.take().filter(|rest| !rest.is_empty());
                Poll::Ready(rest.map(|rest| Ok(Frame::data(rest))))
            }
            Self::Padded { left, .. } => {
                // The partial chunk comes first, so that the last filler line ends where the rest begins.
                let partial = usize::try_from(*left % CHUNK.len() as u64).unwrap_or(0);
                let start = if partial == 0 {
                    0
                } else {
                    CHUNK.len() - partial
                };
                let chunk = &CHUNK[start..];
                *left -= chunk.len() as u64;
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(chunk)))))
            }
            Self::Slow { rest, .. } if rest.is_empty() => Poll::Ready(None),
            Self::Slow { rest, pause, next } => {
                ready!(next.as_mut().poll(context));
                next.as_mut().reset(Instant::now() + *pause);
                Poll::Ready(Some(Ok(Frame::data(rest.split_to(1)))))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Padded { left, rest } => {
                SizeHint::with_exact(*left + rest.as_ref().map_or(0, Bytes::len) as u64)
            }
            Self::Slow { rest, .. } => SizeHint::with_exact(rest.len() as u64),
            Self::Truncated { .. } => SizeHint::new(),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Padded { left, rest } => *left == 0 && rest.as_ref().is_none_or(Bytes::is_empty),
            Self::Slow { rest, .. } => rest.is_empty(),
            Self::Truncated { .. } => false,
        }
    }
}
