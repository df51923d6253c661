//! From sockets to responses: accepts connections, reads and records requests, and applies faults to the responses of
//! `provider`.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::clock::http_date;
use crate::fault::{Fault, Faults, HangUp, Plan};
use crate::malformed_response::MalformedResponse;
use crate::provider;
use crate::record::{RecordedRequest, RecordedResponse};
use crate::request::{Headers, Request};
use crate::response::{Aborted, Payload, Response};
use crate::stream::{ConnectionFaults, FaultyStream};
use crate::world::World;

/// Called for each request, once its response is known.
pub(crate) type OnResponse = Box<dyn Fn(&RecordedRequest) + Send + Sync>;

/// State shared by the connections and the tests.
pub(crate) struct Shared {
    pub(crate) world: Mutex<World>,
    pub(crate) record: Mutex<Vec<RecordedRequest>>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) connections: AtomicUsize,
    pub(crate) on_response: Option<OnResponse>,
    pub(crate) is_open: watch::Sender<bool>,
}

/// Ignores poisoning: if a test panics while holding the lock, the sandbox stays readable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Accepts and serves connections. Dropping the future drops its connections, too.
pub(crate) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // `accept` fails if a client disconnects early; keep accepting.
            Ok((stream, _)) = listener.accept() => {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                connections.spawn(handle_connection(stream, tls.clone(), Arc::clone(&shared)));
            }
            Some(_) = connections.join_next() => {}
            else => {}
        }
    }
}

async fn handle_connection(stream: TcpStream, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let faults = ConnectionFaults::default();
    let stream = FaultyStream::new(stream, faults.clone());
    match tls {
        None => serve_connection(stream, false, faults, shared).await,
        Some(acceptor) => {
            // A handshake fails if the client doesn't trust the certificate; the test checks that.
            if let Ok(stream) = acceptor.accept(stream).await {
                serve_connection(stream, true, faults, shared).await;
            }
        }
    }
}

async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    tls: bool,
    faults: ConnectionFaults,
    shared: Arc<Shared>,
) {
    let service =
        service_fn(|request| Box::pin(serve(request, tls, faults.clone(), Arc::clone(&shared))));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let result =
        poll_fn(
            |context| match (connection.poll_without_shutdown(context), faults.hangs_up()) {
                // Pending means that the response has been written.
                (Poll::Pending, Some(HangUp::Close)) => Poll::Ready(Ok(())),
                (Poll::Pending, Some(HangUp::Reset)) => {
                    faults.reset();
                    Poll::Ready(Ok(()))
                }
                (result, _) => result,
            },
        )
        .await;
    let mut stream = connection.into_parts().io.into_inner();
    if let Some(malformed) = faults.malformed_response() {
        malformed.send(stream).await;
    } else if result.is_ok() && faults.hangs_up() != Some(HangUp::Reset) {
        let _ = stream.shutdown().await;
    }
    // An error here is a fault or a client that disconnected; the record shows which.
}

async fn serve(
    request: hyper::Request<Incoming>,
    tls: bool,
    faults: ConnectionFaults,
    shared: Arc<Shared>,
) -> Result<hyper::Response<Payload>, Aborted> {
    if faults.hangs_up().is_some() {
        faults.reset();
        return Err(Aborted);
    }
    let request = read(request, tls).await.map_err(|_| Aborted)?;
    // A separate task: a slow server acts even if its client has given up.
    let reply = tokio::spawn(handle(request, shared)).await;
    match reply.map_err(|_| Aborted)? {
        Reply::Response(response) => respond(response, |body, padding| match padding {
            0 => Payload::Whole(Some(body)),
            left => Payload::Padded {
                left,
                rest: Some(body),
            },
        }),
        Reply::HangUp(response, how) => {
            faults.hang_up(how);
            respond(response, |body, _| Payload::Whole(Some(body)))
        }
        Reply::Truncated(response) => {
            let announced = response.body.len().to_string();
            let response = response.header("Content-Length", announced);
            respond(response, |mut body, _| {
                body.truncate(body.len() / 2);
                Payload::Truncated {
                    rest: Some(body),
                    flushed: false,
                }
            })
        }
        Reply::Slow(response, pause) => respond(response, |body, _| Payload::slow(body, pause)),
        Reply::Reset => {
            faults.reset();
            Err(Aborted)
        }
        Reply::Malformed(malformed) => {
            faults.malformed(malformed);
            Err(Aborted)
        }
        Reply::Close => Err(Aborted),
    }
}

async fn read(request: hyper::Request<Incoming>, tls: bool) -> Result<Request, hyper::Error> {
    let (head, body) = request.into_parts();
    let headers = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    Ok(Request {
        method: head.method.as_str().to_owned(),
        raw_path: head.uri.path().to_owned(),
        raw_query: head.uri.query().unwrap_or_default().to_owned(),
        headers: Headers(headers.collect()),
        body: body.collect().await?.to_bytes(),
        tls,
    })
}

/// The response, and how the connection ends.
enum Reply {
    Response(Response),
    Truncated(Response),
    Slow(Response, Duration),
    HangUp(Response, HangUp),
    Reset,
    Close,
    Malformed(MalformedResponse),
}

impl Reply {
    /// Adds a `Date` header, unless a test set one.
    fn dated(self, now: SystemTime) -> Self {
        let with_date = |response: Response| {
            let is_date = |(name, _): &(String, String)| name.eq_ignore_ascii_case("date");
            if response.headers.iter().any(is_date) {
                return response;
            }
            response.header("Date", http_date(now))
        };
        match self {
            Self::Response(response) => Self::Response(with_date(response)),
            Self::Truncated(response) => Self::Truncated(with_date(response)),
            Self::Slow(response, pause) => Self::Slow(with_date(response), pause),
            Self::HangUp(response, how) => Self::HangUp(with_date(response), how),
            Self::Reset | Self::Close | Self::Malformed(_) => self,
        }
    }

    fn recorded(&self) -> RecordedResponse {
        match self {
            Self::Response(response)
            | Self::Truncated(response)
            | Self::Slow(response, _)
            | Self::HangUp(response, _) => RecordedResponse::Status(response.status),
            Self::Reset => RecordedResponse::Reset,
            Self::Close => RecordedResponse::Closed,
            Self::Malformed(_) => RecordedResponse::Malformed,
        }
    }
}

async fn handle(request: Request, shared: Arc<Shared>) -> Reply {
    let provider = provider::of(&request);
    let objections = provider::objections(&request, provider);
    let objection = objections.first().cloned();
    let order = {
        let mut record = lock(&shared.record);
        let order = record.len();
        record.push(RecordedRequest::new(order, &request, provider, objections));
        order
    };
    let plan = lock(&shared.faults).plan_for(&request, provider);
    pause(plan.delay_before).await;
    let response = plan.acts().then(|| {
        if let Some(objection) = objection {
            return provider::refuse(&objection);
        }
        let mut world = lock(&shared.world);
        world.refresh();
        provider::respond(&mut world, &request)
    });
    pause(plan.delay_after).await;
    let now = lock(&shared.world).now();
    let reply = apply(plan, response).dated(now);
    let recorded = {
        let mut record = lock(&shared.record);
        record[order].response = reply.recorded();
        record[order].responded_at = Some(SystemTime::now());
        shared
            .on_response
            .as_ref()
            .map(|callback| (callback, record[order].clone()))
    };
    if let Some((callback, recorded)) = recorded {
        callback(&recorded);
    }
    reply
}

/// Skips zero durations, for which `sleep` would still wait for the next millisecond of the timer.
async fn pause(duration: Duration) {
    if !duration.is_zero() {
        sleep(duration).await;
    }
}

fn apply(plan: Plan, response: Option<Response>) -> Reply {
    let response = response.unwrap_or_else(|| Response::status(500));
    match plan.fault {
        None | Some(Fault::Delay(..)) => Reply::Response(response),
        Some(Fault::Reset(_)) => Reply::Reset,
        Some(Fault::Close(_)) => Reply::Close,
        Some(Fault::Response(_, response)) => Reply::Response(response),
        Some(Fault::Truncate) => Reply::Truncated(response),
        Some(Fault::Edit(edit)) => Reply::Response(response.edited(edit)),
        Some(Fault::Slow(pause)) => Reply::Slow(response, pause),
        Some(Fault::HangUp(how)) => Reply::HangUp(response, how),
        Some(Fault::Malformed(_, malformed)) => Reply::Malformed(malformed),
        Some(Fault::Huge { status, length, .. }) => Reply::Response(Response {
            padding: length,
            ..Response::body(status, "application/json", "")
        }),
    }
}

/// Breaks the connection if a test set a header that hyper can't send.
fn respond(
    response: Response,
    payload: impl FnOnce(Bytes, u64) -> Payload,
) -> Result<hyper::Response<Payload>, Aborted> {
    let mut builder = hyper::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        builder = builder.header(name, value);
    }
    builder
        .body(payload(Bytes::from(response.body), response.padding))
        .map_err(|_| Aborted)
}
