//! Recorded requests: what a second program must send to send the same. Not here: sending them.

use sandbox::RecordedRequest;

/// Headers in an order that does not depend on who sent them, with their names in lower case.
fn headers(request: &RecordedRequest) -> Vec<(String, String)> {
    let headers = request.headers.0.iter();
    let mut headers: Vec<_> = headers
        .map(|(name, value)| (name.to_lowercase(), value.clone()))
        .collect();
    headers.sort();
    headers
}

/// The headers that another HTTP client doesn't set by itself, from the address and the body.
pub(crate) fn explicit_headers(request: &RecordedRequest) -> Vec<(String, String)> {
    let mut headers = headers(request);
    headers.retain(|(name, _)| !["host", "content-length"].contains(&name.as_str()));
    headers
}

/// What two requests must have in common to be the same.
pub(crate) type Facts = (bool, String, String, String, Vec<(String, String)>, String);

pub(crate) fn facts(request: &RecordedRequest) -> Facts {
    (
        request.tls,
        request.method.clone(),
        request.path.clone(),
        request.query.clone(),
        headers(request),
        String::from_utf8_lossy(&request.body).into_owned(),
    )
}
