//! The record of every request, for tests to read. The runs that requests started are in `world`.

use std::time::SystemTime;

use serde_json::Value;

use crate::form;
use crate::request::{Headers, Request};
use crate::world::Provider;

/// A request that arrived, whether or not it succeeded.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// Counts from 0, in order of arrival, across all providers.
    pub order: usize,
    pub arrived_at: SystemTime,
    /// `None` if the path belongs to no provider.
    pub provider: Option<Provider>,
    pub tls: bool,
    pub method: String,
    /// Raw, still percent-encoded, without the query.
    pub path: String,
    /// Raw, without the question mark; empty if the URL has no query.
    pub query: String,
    pub headers: Headers,
    pub body: Vec<u8>,
    pub response: RecordedResponse,
    /// When the response was known; it is sent immediately afterwards.
    pub responded_at: Option<SystemTime>,
    /// What a client must never do, even if a real server might accept it: send a token in the URL, or a credential
    /// to another provider. Empty for a correct request.
    pub objections: Vec<String>,
}

impl RecordedRequest {
    /// Returns the body as JSON, with the exact text of numbers and the order of keys, or `None` if it isn't JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Returns the form fields of the body in their order, or `None` if it isn't a form.
    pub fn form(&self) -> Option<Vec<(String, String)>> {
        form::fields(&self.headers, &self.body)
    }

    /// Whether the request would start something, even if it failed.
    pub fn is_trigger(&self) -> bool {
        is_trigger(&self.method, &self.path)
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
            response: RecordedResponse::Pending,
            responded_at: None,
            objections,
        }
    }
}

/// The end of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordedResponse {
    Pending,
    Status(u16),
    /// The connection was reset by a fault.
    Reset,
    /// The connection was closed by a fault, without a response.
    Closed,
    /// Answered with a [`MalformedResponse`](crate::MalformedResponse).
    Malformed,
}

/// GitHub's dispatches, GitLab's and Bitbucket's pipelines.
pub(crate) fn is_trigger(method: &str, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let ends = ["/dispatches", "/pipeline", "/pipelines"];
    method == "POST" && ends.iter().any(|end| path.ends_with(end))
}
