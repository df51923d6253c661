//! GitHub's error responses.

use serde_json::{Value, json};

use crate::response::Response;

pub(super) struct Failure {
    status: u16,
    message: String,
    headers: Vec<(&'static str, String)>,
    /// Further members of the body.
    members: Vec<(&'static str, Value)>,
}

impl Failure {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            headers: Vec::new(),
            members: Vec::new(),
        }
    }

    /// A 404 that doesn't reveal whether the resource is missing or invisible.
    pub(super) fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    /// A body that doesn't match the schema of the call.
    pub(super) fn invalid(message: &str) -> Self {
        Self::new(422, format!("Invalid request.\n\n{message}"))
    }

    /// A body that matches the schema, but not the rules of the resource.
    pub(super) fn validation(errors: Value) -> Self {
        Self::new(422, "Validation Failed").member("errors", errors)
    }

    pub(super) fn redirect(status: u16, location: String) -> Self {
        let message = if status == 301 {
            "Moved Permanently"
        } else {
            "Temporary Redirect"
        };
        let failure = Self::new(status, message).member("url", json!(location));
        failure.header("Location", location)
    }

    fn member(mut self, name: &'static str, value: Value) -> Self {
        self.members.push((name, value));
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn response(self, documentation: &str) -> Response {
        let mut body = json!({"message": self.message});
        for (name, value) in self.members {
            body[name] = value;
        }
        body["documentation_url"] = json!(documentation);
        if self.status >= 400 {
            body["status"] = json!(self.status.to_string());
        }
        let response = Response::json(self.status, body);
        self.headers
            .into_iter()
            .fold(response, |response, (name, value)| {
                response.header(name, value)
            })
    }
}
