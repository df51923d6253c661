//! Bitbucket's errors: its JSON shape, and the HTML pages it sometimes sends instead. Not here: which when.

use serde_json::{Value, json};

use crate::response::Response;

pub(super) struct Failure(Response);

impl Failure {
    /// With a detail and the key of the message, as the pipelines' calls do.
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

    /// The detail is no text here, but says what was granted and what is required.
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

    /// A page for people. The real one names the person who is logged in.
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
