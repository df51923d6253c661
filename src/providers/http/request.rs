//! Parts of requests: credential headers, JSON bodies and URLs.

use http::HeaderValue;
use serde_json::value::{RawValue, to_raw_value};
use url::Url;

use crate::providers::error::{Error, ErrorKind};

/// Returns a credential as a header value, marked as sensitive so that libraries don't print it.
pub(in crate::providers) fn credential_header(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(text).map_err(|error| {
        Error::new(
            ErrorKind::Rejected,
            "the token contains a character that can't be sent in a header",
        )
        .because(&error)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Serialises a value. Panics if it can't be represented as JSON.
pub(in crate::providers) fn json(value: &impl serde::Serialize) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_else(|error| unreachable!("plain data is JSON: {error}"))
}

/// Appends path segments to a URL. They are percent-encoded, so a `/` in one doesn't make it two.
pub(in crate::providers) fn below<'part>(
    base: &Url,
    parts: impl IntoIterator<Item = &'part str>,
) -> Url {
    let mut url = base.clone();
    match url.path_segments_mut() {
        Ok(mut segments) => segments.pop_if_empty().extend(parts),
        Err(()) => unreachable!("server addresses have a host"),
    };
    url
}
