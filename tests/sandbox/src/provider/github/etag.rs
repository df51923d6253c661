//! Conditional requests: an `ETag` for each body and token, and 304 if the client sends the current one.

use std::fmt::Write as _;

use ring::digest::{Context, SHA256};

use crate::request::Request;
use crate::response::Response;

/// Returns the response with an `ETag`, or 304 if the client has the same one.
pub(super) fn apply(response: Response, request: &Request) -> Response {
    if request.method != "GET" || response.status != 200 {
        return response;
    }
    let mut digest = Context::new(&SHA256);
    let credential = request.headers.get("authorization").unwrap_or_default();
    digest.update(credential.as_bytes());
    digest.update(&response.body);
    let digest = digest.finish();
    let digits = digest
        .as_ref()
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
    let tag = format!("W/\"{digits}\"");
    if request.headers.get("if-none-match") == Some(&tag) {
        return Response::status(304).header("ETag", tag);
    }
    response.header("ETag", tag)
}
