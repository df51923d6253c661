//! GitLab's error responses. A list as `message` is documented too, but none of these calls returns one; tests that
//! need it set the response themselves.

use serde_json::{Value, json};

use crate::response::Response;

pub(super) struct Failure {
    status: u16,
    body: Value,
    location: Option<String>,
}

impl Failure {
    fn new(status: u16, body: Value) -> Self {
        Self {
            status,
            body,
            location: None,
        }
    }

    pub(super) fn moved(location: String) -> Self {
        Self {
            location: Some(location),
            ..Self::message(301, "301 Moved Permanently")
        }
    }

    /// `{"message": "…"}`
    pub(super) fn message(status: u16, message: &str) -> Self {
        Self::new(status, json!({"message": message}))
    }

    /// `{"message": {"base": ["…"]}}`: the pipeline couldn't be created.
    pub(super) fn base(status: u16, message: &str) -> Self {
        Self::new(status, json!({"message": {"base": [message]}}))
    }

    /// `{"error": "…"}`: invalid parameters, or an unknown path.
    pub(super) fn error(status: u16, error: &str) -> Self {
        Self::new(status, json!({"error": error}))
    }

    pub(super) fn insufficient_scope(needed: &str) -> Self {
        let body = json!({
            "error": "insufficient_scope",
            "error_description": "The request requires higher privileges than provided by the access token.",
            "scope": needed,
        });
        Self::new(403, body)
    }

    pub(super) fn response(self) -> Response {
        let response = Response::json(self.status, self.body);
        match self.location {
            Some(location) => response.header("Location", location),
            None => response,
        }
    }
}
