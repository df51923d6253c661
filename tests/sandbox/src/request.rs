//! A request as the provider modules read it: decoded path segments, query, headers, body. The record that tests read
//! is in `record`.

use hyper::body::Bytes;
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Names and values in their order. Names are case-insensitive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// Returns the first value of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Returns every value of this name.
    pub fn all<'headers>(&'headers self, name: &str) -> impl Iterator<Item = &'headers str> {
        self.0
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

pub(crate) struct Request {
    pub(crate) method: String,
    /// Percent-encoded, without the query.
    pub(crate) raw_path: String,
    pub(crate) raw_query: String,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
    pub(crate) tls: bool,
}

impl Request {
    /// Returns the scheme, host and port of the request, for links.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let host = self.headers.get("host").unwrap_or("127.0.0.1");
        format!("{scheme}://{host}")
    }

    /// Returns the `Host` header in lower case, without the port.
    pub(crate) fn host_name(&self) -> String {
        let host = self.headers.get("host").unwrap_or_default();
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        name.to_ascii_lowercase()
    }

    /// Splits the path, then decodes each segment, so that `group%2Fproject` is one segment. Ignores empty segments.
    pub(crate) fn segments(&self) -> Vec<String> {
        self.raw_path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect()
    }

    pub(crate) fn query(&self, name: &str) -> Option<String> {
        self.query_pairs()
            .into_iter()
            .find_map(|(known, value)| (known == name).then_some(value))
    }

    pub(crate) fn query_pairs(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.raw_query.as_bytes())
            .into_owned()
            .collect()
    }

    /// Returns a number from the query, or the default if it is missing or not a number.
    pub(crate) fn query_number(&self, name: &str, default: usize) -> usize {
        self.query(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    }

    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Returns the media type of the body, without parameters.
    pub(crate) fn content_type(&self) -> String {
        media_type(self.headers.get("content-type").unwrap_or_default())
    }

    /// Returns the credential after `Authorization: {scheme} `. Schemes are case-insensitive.
    pub(crate) fn authorization(&self, scheme: &str) -> Option<&str> {
        let (known, credential) = self.headers.get("authorization")?.split_once(' ')?;
        known
            .eq_ignore_ascii_case(scheme)
            .then_some(credential.trim())
    }
}

/// Returns a content type without its parameters, in lower case.
pub(crate) fn media_type(content_type: &str) -> String {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().to_ascii_lowercase()
}
