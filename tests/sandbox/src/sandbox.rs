//! The handle of a running sandbox: reads its record and world, sets faults, opens and closes its ports. `builder`
//! starts it, and `server` serves its connections.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::background::Background;
use crate::builder::{Addresses, Builder};
use crate::fault::{Fault, Occasion, Route};
use crate::port::ReservedPort;
use crate::record::RecordedRequest;
use crate::server::{Shared, lock};
use crate::world::{CommitStatus, Provider, Run, State, World};

/// A running sandbox. Dropping it closes its ports and connections.
pub struct Sandbox {
    pub(crate) shared: Arc<Shared>,
    pub(crate) addresses: Addresses,
    pub(crate) ca_pem: String,
    pub(crate) _background: Background,
}

impl Sandbox {
    /// Starts a sandbox on free ports, with a valid certificate.
    pub fn start(world: World) -> io::Result<Self> {
        Self::builder(world).start()
    }

    pub fn builder(world: World) -> Builder {
        Builder::new(world)
    }

    /// Reserves a port that refuses connections until it is passed to a builder. Dropping it releases the port.
    pub fn reserve_port() -> io::Result<ReservedPort> {
        ReservedPort::new(0)
    }

    /// `http://127.0.0.1:PORT`
    pub fn http_url(&self) -> String {
        format!("http://{}", self.addresses.http)
    }

    /// `https://127.0.0.1:PORT`
    pub fn https_url(&self) -> String {
        format!("https://{}", self.addresses.https)
    }

    /// `http://127.0.0.1:PORT/api/v3`, the value for `GITHUB_API_URL`.
    pub fn github_api_url(&self) -> String {
        format!("{}/api/v3", self.http_url())
    }

    /// `http://[::1]:PORT`, if the builder enabled IPv6.
    pub fn ipv6_http_url(&self) -> Option<String> {
        self.addresses
            .ipv6
            .map(|(http, _)| format!("http://{http}"))
    }

    /// `https://[::1]:PORT`, if the builder enabled IPv6.
    pub fn ipv6_https_url(&self) -> Option<String> {
        self.addresses
            .ipv6
            .map(|(_, https)| format!("https://{https}"))
    }

    pub fn http_port(&self) -> u16 {
        self.addresses.http.port()
    }

    pub fn https_port(&self) -> u16 {
        self.addresses.https.port()
    }

    /// Returns the CA certificate to trust, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Returns all requests so far, in order.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.shared.record).clone()
    }

    /// Returns the number of requests so far.
    pub fn request_count(&self) -> usize {
        lock(&self.shared.record).len()
    }

    /// Returns the requests after the first `count`, in order. Cheaper than `requests` after thousands of requests.
    pub fn requests_after(&self, count: usize) -> Vec<RecordedRequest> {
        let record = lock(&self.shared.record);
        record.get(count..).unwrap_or_default().to_vec()
    }

    /// Returns the requests that start something, in order.
    pub fn trigger_requests(&self) -> Vec<RecordedRequest> {
        let mut requests = self.requests();
        requests.retain(RecordedRequest::is_trigger);
        requests
    }

    /// Returns all runs so far, in order, in their current state.
    pub fn runs(&self) -> Vec<Run> {
        self.with_world(|world| world.runs.clone())
    }

    /// Returns the runs that haven't completed, including those of strangers.
    pub fn unfinished_runs(&self) -> Vec<Run> {
        let mut runs = self.runs();
        runs.retain(|run| run.state != State::Completed);
        runs
    }

    pub fn runs_of(&self, provider: Provider) -> Vec<Run> {
        let mut runs = self.runs();
        runs.retain(|run| run.provider == provider);
        runs
    }

    /// Returns all commit statuses on GitHub, in the order in which they were set.
    pub fn statuses(&self) -> Vec<CommitStatus> {
        self.with_world(|world| world.github.statuses.clone())
    }

    /// Returns the statuses that pull requests show: the newest of each commit and context, sorted by context.
    pub fn shown_statuses(&self) -> Vec<CommitStatus> {
        let mut shown: Vec<CommitStatus> = Vec::new();
        for status in self.statuses() {
            shown.retain(|earlier| !status.replaces(earlier));
            shown.push(status);
        }
        shown.sort_by(|one, other| one.context.cmp(&other.context));
        shown
    }

    /// Returns the number of accepted TCP connections, including those that never sent a request.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Adds a fault. If several match one request, the one that was set first wins, and delays add up.
    pub fn fault(&self, route: Route, occasion: Occasion, fault: Fault) {
        lock(&self.shared.faults).set(route, occasion, fault);
    }

    pub fn clear_faults(&self) {
        lock(&self.shared.faults).clear();
    }

    /// Refuses new connections to 127.0.0.1 and cuts the open ones. Requests that have arrived are still carried out.
    pub fn close(&self) {
        self.shared.is_open.send_replace(false);
    }

    /// Accepts connections again after [`close`](Self::close).
    pub fn open(&self) {
        self.shared.is_open.send_replace(true);
    }

    /// Reads or changes the world. No request is served meanwhile, so the closure must not send any.
    pub fn with_world<T>(&self, visit: impl FnOnce(&mut World) -> T) -> T {
        let mut world = lock(&self.shared.world);
        world.refresh();
        visit(&mut world)
    }
}
