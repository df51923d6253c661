//! Bitbucket's error responses: JSON, and the HTML page it sometimes sends instead.

use serde_json::{Value, json};

use crate::response::Response;

pub(super) struct Failure(Response);

impl Failure {
    /// An error with a detail and a message key, as the pipeline calls return.
    pub(super) fn detailed(status: u16, message: &str, detail: &str, key: &str) -> Self {
        Self::shaped(
            status,
            &json!({
                "message": message,
                "detail": detail,
                "data": {"key": format!("result-service.pipeline.{key}"), "arguments": {}},
            }),
        )
    }

    pub(super) fn bad_request(detail: &str, key: &str) -> Self {
        Self::detailed(400, "Bad request", detail, key)
    }

    pub(super) fn message(status: u16, message: &str) -> Self {
        Self::shaped(status, &json!({"message": message}))
    }

    pub(super) fn unauthorized(message: &str) -> Self {
        let Self(response) = Self::message(401, message);
        Self(response.header("WWW-Authenticate", "Basic realm=\"Bitbucket.org HTTP\""))
    }

    /// An error whose `detail` is an object with the granted and the required scopes, not a string.
    pub(super) fn missing_scope(granted: &[String], required: &[&str]) -> Self {
        let Self(response) = Self::shaped(
            403,
            &json!({
                "message": "Your credentials lack one or more required privilege scopes.",
                "detail": {"granted": granted, "required": required},
            }),
        );
        Self(response.header("X-Accepted-OAuth-Scopes", required.join(", ")))
    }

    /// An HTML page. Like the real one, it contains the email address of the user.
    pub(super) fn page_not_found() -> Self {
        let page = "<!DOCTYPE html>\n<html><head><title>Not found</title>\
            <meta id=\"bb-bootstrap\" data-current-user=\"{&quot;email&quot;: &quot;octavia@example.com&quot;}\">\
            </head><body><h1>Repository not found</h1></body></html>\n";
        Self(Response::body(404, "text/html; charset=utf-8", page))
    }

    fn shaped(status: u16, error: &Value) -> Self {
        Self(Response::json(
            status,
            json!({"type": "error", "error": error}),
        ))
    }

    pub(super) fn response(self) -> Response {
        self.0
    }
}
