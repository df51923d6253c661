//! A running sandbox: reading it, setting faults, changing its world, stopping it. Not here: starting it (see
//! `builder`), and what happens on its connections (see `server`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::background::Background;
use crate::builder::{Addresses, Builder};
use crate::fault::{Fault, Occasion, Route};
use crate::port::ReservedPort;
use crate::record::RecordedRequest;
use crate::server::{Shared, lock};
use crate::world::{Provider, Run, State, World};

/// A running sandbox. Dropping it closes its ports and connections.
pub struct Sandbox {
    pub(crate) shared: Arc<Shared>,
    pub(crate) addresses: Addresses,
    pub(crate) ca_pem: String,
    pub(crate) _background: Background,
}

impl Sandbox {
    /// On ports of the system's choice, with a good certificate.
    pub fn start(world: World) -> io::Result<Self> {
        Self::builder(world).start()
    }

    pub fn builder(world: World) -> Builder {
        Builder::new(world)
    }

    /// Nobody else gets this port, and connections to it are refused, until it is given to a builder. Dropping it
    /// gives it up.
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

    /// `http://127.0.0.1:PORT/api/v3`, what a runner would have in `GITHUB_API_URL`.
    pub fn github_api_url(&self) -> String {
        format!("{}/api/v3", self.http_url())
    }

    /// `http://[::1]:PORT`, if it was asked for.
    pub fn ipv6_http_url(&self) -> Option<String> {
        self.addresses
            .ipv6
            .map(|(http, _)| format!("http://{http}"))
    }

    /// `https://[::1]:PORT`, if it was asked for.
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

    /// The certificate authority to trust, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Everything that arrived so far, in order.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.shared.record).clone()
    }

    /// How many arrived so far.
    pub fn request_count(&self) -> usize {
        lock(&self.shared.record).len()
    }

    /// Those after the first `count`, in order: cheaper than all, if there were thousands before.
    pub fn requests_after(&self, count: usize) -> Vec<RecordedRequest> {
        let record = lock(&self.shared.record);
        record.get(count..).unwrap_or_default().to_vec()
    }

    /// The requests that start something, in order.
    pub fn trigger_requests(&self) -> Vec<RecordedRequest> {
        let mut requests = self.requests();
        requests.retain(RecordedRequest::is_trigger);
        requests
    }

    /// Everything that was started so far, in order, as it is by now.
    pub fn runs(&self) -> Vec<Run> {
        self.with_world(|world| world.runs.clone())
    }

    /// What was started, by whomever, and goes on.
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

    /// How many TCP connections were accepted, those that never sent a request among them.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// From now on, and together with those set before; of several that match one request the first set wins.
    pub fn fault(&self, route: Route, occasion: Occasion, fault: Fault) {
        lock(&self.shared.faults).set(route, occasion, fault);
    }

    pub fn clear_faults(&self) {
        lock(&self.shared.faults).clear();
    }

    /// Connections to 127.0.0.1 are refused from now on, and those that are open are cut; what was asked for by then
    /// is done all the same.
    pub fn close(&self) {
        self.shared.is_open.send_replace(false);
    }

    /// After [`close`](Self::close).
    pub fn open(&self) {
        self.shared.is_open.send_replace(true);
    }

    /// Reads or changes the world. No request is served meanwhile, so don't send any from the closure.
    pub fn with_world<T>(&self, visit: impl FnOnce(&mut World) -> T) -> T {
        let mut world = lock(&self.shared.world);
        world.refresh();
        visit(&mut world)
    }
}
