//! A response: its JSON, its error message, and the rate limit that it reports.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::text::untrusted::{cut, one_line};

/// Longest part of a response that a message quotes: bytes of a header, or characters of an error message.
const MAX_MESSAGE: usize = 1_000;

/// An error message that means a rate limit although neither the status nor a header says so.
#[derive(Debug)]
pub(crate) struct LimitMessage {
    pub(crate) status: StatusCode,
    /// A substring of the message, in lower case.
    pub(crate) text: &'static str,
    /// How long to wait, unless a header says so.
    pub(crate) wait: Option<Duration>,
}

pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: ResponseBody,
    /// What messages call the server that answered, usually the provider's name.
    pub(crate) server: &'static str,
    /// The provider's error messages that mean a rate limit.
    pub(crate) limit_messages: &'static [LimitMessage],
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RateLimit {
    /// How long to wait, if the provider says.
    pub(crate) wait: Option<Duration>,
}

pub(crate) enum ResponseBody {
    Complete(Vec<u8>),
    /// It is larger than this limit, in bytes.
    TooLarge(usize),
    /// Reading it failed, for this reason.
    Unreadable(String),
}

impl Response {
    /// Returns the beginning of a header's value, if it is visible ASCII.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        // ASCII, so any index is a character boundary.
        let text = self.headers.get(name)?.to_str().ok()?;
        Some(&text[..text.len().min(MAX_MESSAGE)])
    }

    /// Parses the body. The error is a sentence fragment that quotes nothing from the body.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        match &self.body {
            ResponseBody::TooLarge(most) => {
                Err(format!("the response is larger than {most} bytes"))
            }
            ResponseBody::Unreadable(why) => Err(format!("the response can't be read: {why}")),
            ResponseBody::Complete(bytes) => serde_json::from_slice(bytes).map_err(|error| {
                if serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok() {
                    format!(
                        "the response has an unexpected structure at line {} column {}",
                        error.line(),
                        error.column()
                    )
                } else {
                    format!("the response isn't JSON but {}", self.describe_body())
                }
            }),
        }
    }

    /// Returns the provider's error message. `None` if the body isn't JSON, as that of a login page.
    pub(crate) fn error_message(&self) -> Option<String> {
        let value: Value = self.json().ok()?;
        let message = one_line(&cut(&find_message(&value)?, MAX_MESSAGE));
        (!message.is_empty()).then_some(message)
    }

    /// Names the server and its status: `GitHub answered 403`.
    pub(crate) fn answered(&self) -> String {
        format!("{} answered {}", self.server, self.status.as_u16())
    }

    /// Describes the response: `GitHub answered 403: the provider's message`, or its status, media type and size.
    pub(crate) fn summary(&self) -> String {
        let answered = self.answered();
        match (self.error_message(), &self.body) {
            (Some(message), _) => {
                // GitLab begins some of its messages with the status.
                let status = format!("{} ", self.status.as_u16());
                let message = message.strip_prefix(&status).unwrap_or(&message);
                format!("{answered}: {}", message.trim_end_matches('.'))
            }
            (None, ResponseBody::Complete(bytes)) if bytes.is_empty() => {
                format!("{answered} with no error message")
            }
            (None, ResponseBody::Complete(_)) => {
                format!("{answered} with {}", self.describe_body())
            }
            (None, ResponseBody::TooLarge(most)) => {
                format!("{answered} with more than {most} bytes")
            }
            (None, ResponseBody::Unreadable(why)) => {
                format!("{answered}, and the rest of the response can't be read: {why}")
            }
        }
    }

    /// Whether a proxy, a firewall or a login page refused the request: the providers' APIs explain a 403 in JSON.
    pub(crate) fn is_from_intermediary(&self) -> bool {
        self.status == StatusCode::FORBIDDEN && self.media_type() == Some("text/html")
    }

    /// Returns the rate limit that the response reports, if any.
    pub(crate) fn rate_limit(&self) -> Option<RateLimit> {
        if self.status.is_success() {
            return None;
        }
        let exhausted = self.header("x-ratelimit-remaining") == Some("0");
        let message = self.error_message().unwrap_or_default().to_lowercase();
        let mut limit_messages = self.limit_messages.iter();
        let limit_message = limit_messages
            .find(|limit| limit.status == self.status && message.contains(limit.text));
        let limited = match self.status {
            StatusCode::TOO_MANY_REQUESTS => true,
            StatusCode::FORBIDDEN => {
                self.headers.contains_key(header::RETRY_AFTER)
                    || exhausted
                    || limit_message.is_some()
                    || message.contains("rate limit")
            }
            _ => limit_message.is_some(),
        };
        if !limited {
            return None;
        }
        let until = |name: &str| {
            let reset: u64 = self.header(name)?.trim().parse().ok()?;
            let left = reset.saturating_sub(self.unix_time()?);
            Some(Duration::from_secs(left.saturating_add(1)))
        };
        let wait = self
            .retry_after()
            .or_else(|| exhausted.then(|| until("x-ratelimit-reset")).flatten())
            .or_else(|| until("ratelimit-reset"))
            .or_else(|| limit_message?.wait);
        Some(RateLimit { wait })
    }

    fn retry_after(&self) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let at = unix_seconds(text)?;
        Some(Duration::from_secs(at.saturating_sub(self.unix_time()?)))
    }

    /// The server's time in seconds since 1970, so that the local clock needn't be right. Without a `Date` header it is
    /// the local time.
    fn unix_time(&self) -> Option<u64> {
        let now = date_header(&self.headers).unwrap_or_else(SystemTime::now);
        now.duration_since(UNIX_EPOCH)
            .ok()
            .map(|since| since.as_secs())
    }

    /// The time in the `Date` header.
    pub(crate) fn server_time(&self) -> Option<SystemTime> {
        date_header(&self.headers)
    }

    fn media_type(&self) -> Option<&str> {
        self.header("content-type")?.split(';').next()
    }

    /// Describes a body that can't be shown by its media type and size.
    pub(crate) fn describe_body(&self) -> String {
        let kind = self.media_type().unwrap_or("no content type");
        match &self.body {
            ResponseBody::Complete(bytes) => format!("{kind}, {} bytes", bytes.len()),
            ResponseBody::TooLarge(_) | ResponseBody::Unreadable(_) => kind.to_owned(),
        }
    }
}

/// Parses the `Date` header.
pub(super) fn date_header(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(header::DATE)?.to_str().ok()?).ok()
}

fn unix_seconds(date: &str) -> Option<u64> {
    let time = httpdate::parse_http_date(date).ok()?;
    time.duration_since(UNIX_EPOCH)
        .ok()
        .map(|since| since.as_secs())
}

/// Finds the error message in the shapes that the three providers use:
/// `{"message": "…"}`, `{"message": ["…"]}`, `{"message": {"base": ["…"]}}`,
/// `{"error": "…", "error_description": "…"}`, `{"error": {"message": "…", "detail": "…"}}`.
fn find_message(value: &Value) -> Option<String> {
    let join = |value: &Value| strings(value).join("; ");
    if let Some(message) = value.get("message") {
        let errors = value
            .get("errors")
            .map(join)
            .filter(|errors| !errors.is_empty());
        let message = join(message);
        return Some(
            errors.map_or_else(|| message.clone(), |errors| format!("{message}: {errors}")),
        );
    }
    let error = value.get("error")?;
    if let Value::Object(error) = error {
        let detail = error.get("detail").filter(|detail| detail.is_string());
        return detail.or(error.get("message")).map(join);
    }
    Some(
        value
            .get("error_description")
            .map_or_else(|| join(error), join),
    )
}

/// Collects all strings in a value, in order.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(members) => members.values().flat_map(strings).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::arbitrary;
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;
    use serde_json::json;

    const LIMIT_MESSAGES: &[LimitMessage] = &[LimitMessage {
        status: StatusCode::BAD_REQUEST,
        text: "too many pipelines",
        wait: Some(Duration::from_mins(1)),
    }];

    fn response(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Response {
        Response {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers
                .iter()
                .map(|(name, value)| {
                    (
                        HeaderName::from_static(name),
                        HeaderValue::from_static(value),
                    )
                })
                .collect(),
            body: ResponseBody::Complete(body.as_bytes().to_vec()),
            server: "GitHub",
            limit_messages: LIMIT_MESSAGES,
        }
    }

    #[test]
    fn error_messages_are_found_in_every_shape() {
        for (body, expected) in [
            (r#"{"message": "Bad credentials"}"#, Some("Bad credentials")),
            (r#"{"message": ["a", "b"]}"#, Some("a; b")),
            (
                r#"{"message": {"base": ["Reference not found"]}}"#,
                Some("Reference not found"),
            ),
            (
                r#"{"message": "Validation Failed", "errors": ["x is bad"]}"#,
                Some("Validation Failed: x is bad"),
            ),
            (
                r#"{"error": "invalid_token", "error_description": "Token was revoked"}"#,
                Some("Token was revoked"),
            ),
            (r#"{"error": "404 Not Found"}"#, Some("404 Not Found")),
            (
                r#"{"type": "error", "error": {"message": "Bad", "detail": "Worse"}}"#,
                Some("Worse"),
            ),
            (
                r#"{"type": "error", "error": {"message": "Bad", "data": {"key": "x"}}}"#,
                Some("Bad"),
            ),
            (r#"{"message": "two\nlines"}"#, Some("two lines")),
            ("<html>private</html>", None),
            ("", None),
            ("[]", None),
        ] {
            assert_eq!(
                response(400, &[], body).error_message().as_deref(),
                expected,
                "{body}"
            );
        }
    }

    #[test]
    fn a_body_that_is_not_json_is_not_shown() {
        let html = response(
            404,
            &[("content-type", "text/html; charset=utf-8")],
            "<p>private</p>",
        );
        assert_eq!(
            html.summary(),
            "GitHub answered 404 with text/html, 14 bytes"
        );
        assert_eq!(
            html.json::<Value>().unwrap_err(),
            "the response isn't JSON but text/html, 14 bytes"
        );
        assert_eq!(
            response(502, &[], "").summary(),
            "GitHub answered 502 with no error message"
        );
    }

    #[test]
    fn the_first_header_with_a_duration_decides() {
        const DATE: (&str, &str) = ("date", "Sun, 22 Nov 2026 12:00:00 GMT"); // 1795348800
        let seconds = |text: u64| {
            Some(RateLimit {
                wait: Some(Duration::from_secs(text)),
            })
        };
        for (status, headers, body, limit) in [
            (429, vec![("retry-after", "7")], "Retry later", seconds(7)),
            (
                429,
                vec![DATE, ("retry-after", "Sun, 22 Nov 2026 12:00:09 GMT")],
                "",
                seconds(9),
            ),
            (
                403,
                vec![
                    DATE,
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "1795348830"),
                ],
                "",
                seconds(31),
            ),
            (
                429,
                vec![DATE, ("ratelimit-reset", "1795348804")],
                "",
                seconds(5),
            ),
            (
                403,
                vec![("retry-after", "7"), ("x-ratelimit-remaining", "0")],
                "",
                seconds(7),
            ),
            (
                403,
                vec![],
                r#"{"message": "You have exceeded a secondary rate limit."}"#,
                Some(RateLimit { wait: None }),
            ),
            (429, vec![], "", Some(RateLimit { wait: None })),
            (
                403,
                vec![("x-ratelimit-remaining", "12")],
                r#"{"message": "Resource not accessible"}"#,
                None,
            ),
            (404, vec![("retry-after", "7")], "", None),
            (
                400,
                vec![],
                r#"{"message":{"base":["Too many pipelines created in the last minute. Try again later."]}}"#,
                seconds(60),
            ),
            (
                400,
                vec![("retry-after", "7")],
                r#"{"message":{"base":["Too many pipelines created in the last minute. Try again later."]}}"#,
                seconds(7),
            ),
            (
                400,
                vec![],
                r#"{"message":{"base":["Reference not found"]}}"#,
                None,
            ),
            // Already over, according to the provider. The rate-limit gate enforces a minimum pause.
            (429, vec![("retry-after", "0")], "", seconds(0)),
            (
                429,
                vec![DATE, ("retry-after", "Sun, 22 Nov 2026 11:00:00 GMT")],
                "",
                seconds(0),
            ),
            (
                403,
                vec![
                    DATE,
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "1795340000"),
                ],
                "",
                seconds(1),
            ),
        ] {
            assert_eq!(
                response(status, &headers, body).rate_limit(),
                limit,
                "{status} {headers:?} {body}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_response_never_panics(parts in arbitrary::response(json!({
            "message": { "base": ["API rate limit exceeded"] }, "errors": ["x is bad"],
            "error": { "message": "Bad", "detail": "Worse" }, "error_description": "abuse detection",
        }))) {
            let response = parts.response();
            response.summary();
            response.unix_time();
            response.retry_after();
            response.rate_limit();
            let _ = response.json::<Vec<u64>>();
        }

        #[test]
        fn a_rate_limit_never_panics(
            date in arbitrary::http_date(),
            after in prop_oneof![arbitrary::http_date(), arbitrary::number(), arbitrary::text()],
            reset in prop_oneof![arbitrary::number(), arbitrary::text()],
            names in prop::sample::subsequence(vec!["date", "retry-after", "ratelimit-reset", "x-ratelimit-reset"], 1..=4),
            status in prop_oneof![Just(429), Just(403)],
        ) {
            let mut response = response(status, &[("x-ratelimit-remaining", "0")], "");
            for (name, value) in [("date", &date), ("retry-after", &after), ("ratelimit-reset", &reset), ("x-ratelimit-reset", &reset)] {
                if names.contains(&name)
                    && let Ok(value) = HeaderValue::from_str(value)
                {
                    response.headers.insert(name, value);
                }
            }
            prop_assert!(response.rate_limit().is_some());
        }
    }
}
