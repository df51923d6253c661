//! GitHub's error responses.

use serde_json::json;

use crate::response::Response;

pub(super) struct Failure {
    status: u16,
    message: String,
    headers: Vec<(&'static str, String)>,
    /// Target of a redirect.
    url: Option<String>,
}

impl Failure {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            headers: Vec::new(),
            url: None,
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

    pub(super) fn redirect(status: u16, location: String) -> Self {
        let message = if status == 301 {
            "Moved Permanently"
        } else {
            "Temporary Redirect"
        };
        Self {
            url: Some(location.clone()),
            ..Self::new(status, message).header("Location", location)
        }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn response(self, documentation: &str) -> Response {
        let body = match self.url {
            Some(url) => {
                json!({"message": self.message, "url": url, "documentation_url": documentation})
            }
            None => json!({
                "message": self.message,
                "documentation_url": documentation,
                "status": self.status.to_string(),
            }),
        };
        let response = Response::json(self.status, body);
        self.headers
            .into_iter()
            .fold(response, |response, (name, value)| {
                response.header(name, value)
            })
    }
}
