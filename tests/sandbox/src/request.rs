//! A request as the providers' code reads it: decoded path segments, query, headers, body. Not here: sockets,
//! hyper, and what is kept for tests (see `record`).

use hyper::body::Bytes;
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Names and values in the order they came. Names compare without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of that name.
    pub fn all<'headers>(&'headers self, name: &str) -> impl Iterator<Item = &'headers str> {
        self.0
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

pub(crate) struct Request {
    pub(crate) method: String,
    /// As it came, without the query.
    pub(crate) raw_path: String,
    pub(crate) raw_query: String,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
    pub(crate) tls: bool,
}

impl Request {
    /// Scheme, host and port the request came by, to build links with.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let host = self.headers.get("host").unwrap_or("127.0.0.1");
        format!("{scheme}://{host}")
    }

    /// The host that was asked for, in lower case, without its port.
    pub(crate) fn host_name(&self) -> String {
        let host = self.headers.get("host").unwrap_or_default();
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        name.to_ascii_lowercase()
    }

    /// Split first, decoded after, so that `group%2Fproject` stays one segment. A trailing slash adds none.
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

    /// A number of the query, or the default where it is missing or no number.
    pub(crate) fn query_number(&self, name: &str, default: usize) -> usize {
        self.query(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    }

    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The media type of the body, without parameters.
    pub(crate) fn content_type(&self) -> String {
        media_type(self.headers.get("content-type").unwrap_or_default())
    }

    /// What follows `Authorization: {scheme} `; schemes compare without regard to case.
    pub(crate) fn authorization(&self, scheme: &str) -> Option<&str> {
        let (known, credential) = self.headers.get("authorization")?.split_once(' ')?;
        known
            .eq_ignore_ascii_case(scheme)
            .then_some(credential.trim())
    }
}

/// A content type without its parameters.
pub(crate) fn media_type(content_type: &str) -> String {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().to_ascii_lowercase()
}
