//! What is remembered of every request, for tests to read. Not here: what the requests changed (see `world`).

use std::time::SystemTime;

use serde_json::Value;

use crate::form;
use crate::request::{Headers, Request};
use crate::world::Provider;

/// One request that arrived, whatever became of it.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// 0 for the first that arrived, counting all providers.
    pub order: usize,
    pub arrived_at: SystemTime,
    /// `None` if the path belongs to no provider.
    pub provider: Option<Provider>,
    pub tls: bool,
    pub method: String,
    /// As it came, still percent-encoded, without the query.
    pub path: String,
    /// As it came, without the question mark; empty if there is none.
    pub query: String,
    pub headers: Headers,
    pub body: Vec<u8>,
    pub response: RecordedResponse,
    /// When the response was decided; it is sent at once.
    pub responded_at: Option<SystemTime>,
    /// What no client may ever do, although a real server might take it: a token in the URL, a credential of
    /// another provider. Empty for a good request.
    pub objections: Vec<String>,
}

impl RecordedRequest {
    /// The body as JSON, numbers with their text and keys in their order; `None` where it is not JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The fields of the body in their order, where it is a form.
    pub fn form(&self) -> Option<Vec<(String, String)>> {
        form::fields(&self.headers, &self.body)
    }

    /// Whether it asks for something to be started, successfully or not.
    pub fn is_trigger(&self) -> bool {
        starts_something(&self.method, &self.path)
    }

    pub(crate) fn new(
        order: usize,
        request: &Request,
        provider: Option<Provider>,
        objections: Vec<String>,
    ) -> Self {
        Self {
            order,
            arrived_at: SystemTime::now(),
            provider,
            tls: request.tls,
            method: request.method.clone(),
            path: request.raw_path.clone(),
            query: request.raw_query.clone(),
            headers: request.headers.clone(),
            body: request.body.to_vec(),
            response: RecordedResponse::NotYet,
            responded_at: None,
            objections,
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordedResponse {
    NotYet,
    Status(u16),
    /// The connection was reset by a fault.
    Reset,
    /// The connection was closed by a fault, without a response.
    Closed,
    /// Bytes that are no HTTP response.
    Malformed,
}

/// GitHub's dispatches, GitLab's and Bitbucket's pipelines.
pub(crate) fn starts_something(method: &str, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let ends = ["/dispatches", "/pipeline", "/pipelines"];
    method == "POST" && ends.iter().any(|end| path.ends_with(end))
}
