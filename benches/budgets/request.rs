//! Recorded requests: what a second program must send to send the same request. Not here: sending it.

use sandbox::RecordedRequest;

/// Headers in an order that doesn't depend on the sender, with names in lower case.
fn headers(request: &RecordedRequest) -> Vec<(String, String)> {
    let headers = request.headers.0.iter();
    let mut headers: Vec<_> = headers
        .map(|(name, value)| (name.to_lowercase(), value.clone()))
        .collect();
    headers.sort();
    headers
}

/// Headers that another HTTP client doesn't derive from the address and the body.
pub(crate) fn explicit_headers(request: &RecordedRequest) -> Vec<(String, String)> {
    let mut headers = headers(request);
    headers.retain(|(name, _)| !["host", "content-length"].contains(&name.as_str()));
    headers
}

/// The parts that two equal requests have in common.
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
