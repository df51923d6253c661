//! Downloads logs and files. Follows redirects to other hosts without sending the credential there, and keeps no more
//! than the requested number of bytes in memory.

use std::collections::VecDeque;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;
use url::{Host, Url};

use super::{BoxError, Http, MAX_REDIRECTS};
use crate::model::Event;
use crate::providers::error::{Error, ErrorKind, innermost};
use crate::providers::quota::Idempotency;

/// The end of a log.
pub(crate) struct LogTail {
    pub(crate) bytes: Vec<u8>,
    /// Whether the log is longer than this.
    pub(crate) is_cut: bool,
}

type Streamed = http::Response<reqwest::Body>;

impl Http<'_> {
    /// Downloads a whole file of at most `limit` bytes.
    pub(crate) async fn download(
        &self,
        address: &Url,
        headers: &HeaderMap,
        limit: usize,
        what: &str,
    ) -> Result<Vec<u8>, Error> {
        let response = self.fetch(address, headers, None, what).await?;
        let too_large = || {
            Error::new(
                ErrorKind::Rejected,
                format!("{what} is larger than the limit of {limit} bytes"),
            )
        };
        if content_length(&response).is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        for_each_chunk(response, what, |chunk| {
            bytes.extend_from_slice(chunk);
            if bytes.len() > limit {
                return Err(too_large());
            }
            Ok(())
        })
        .await?;
        Ok(bytes)
    }

    /// Downloads the last `max_bytes` of a log. A server without support for ranges sends the whole log, and the rest
    /// is discarded.
    pub(crate) async fn download_tail(
        &self,
        address: &Url,
        headers: &HeaderMap,
        max_bytes: usize,
        what: &str,
    ) -> Result<LogTail, Error> {
        let last = format!("bytes=-{max_bytes}");
        let response = self.fetch(address, headers, Some(&last), what).await?;
        // Some storage servers don't support ranges that count from the end.
        let response = match content_length(&response) {
            Some(length) if response.status() == StatusCode::OK && length > max_bytes as u64 => {
                let rest = format!("bytes={}-", length - max_bytes as u64);
                drop(response);
                self.fetch(address, headers, Some(&rest), what).await?
            }
            _ => response,
        };
        let is_partial = response.status() == StatusCode::PARTIAL_CONTENT
            && response
                .headers()
                .get(header::CONTENT_RANGE)
                .is_none_or(|range| !range.as_bytes().starts_with(b"bytes 0-"));
        let mut kept = VecDeque::new();
        let mut is_cut = is_partial;
        if response.status() != StatusCode::RANGE_NOT_SATISFIABLE {
            for_each_chunk(response, what, |chunk| {
                kept.extend(chunk);
                let excess = kept.len().saturating_sub(max_bytes);
                kept.drain(..excess);
                is_cut |= excess > 0;
                Ok(())
            })
            .await?;
        }
        Ok(LogTail {
            bytes: kept.into(),
            is_cut,
        })
    }

    /// Requests a file, and follows redirects, also to other hosts. `headers`, which include the credential, are sent
    /// only to the first one. Returns before the body is read.
    async fn fetch(
        &self,
        address: &Url,
        headers: &HeaderMap,
        range: Option<&str>,
        what: &str,
    ) -> Result<Streamed, Error> {
        let mut next = address.clone();
        let mut has_left_origin = false;
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.client(Idempotency::Repeatable)?.get(next.clone());
            // Once elsewhere, never send the credential again: a storage server could redirect back to any path.
            has_left_origin |= next.origin() != address.origin();
            if !has_left_origin {
                request = request.headers(headers.clone());
            }
            if let Some(range) = range.and_then(|range| HeaderValue::from_str(range).ok()) {
                request = request.header(header::RANGE, range);
            }
            let response: Streamed = match request.send().await {
                Ok(response) => response.into(),
                Err(error) => return Err(self.transport_error(&next, &error)),
            };
            // A storage URL is as good as a credential, so its query isn't logged.
            self.emit(Event::Trace(format_args!(
                "GET {}{} -> {}",
                next.origin().ascii_serialization(),
                next.path(),
                response.status()
            )));
            let status = response.status();
            if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE {
                return Ok(response);
            }
            if !status.is_redirection() {
                let mut response = self.read(response).await;
                if has_left_origin {
                    response.server = "the file storage";
                } else {
                    self.record(Idempotency::Repeatable, &response);
                }
                let reading = format!("downloading {what}");
                return response.check_status(&reading).and_then(|response| {
                    let message = format!("{reading} failed ({})", response.answered());
                    Err(Error::new(ErrorKind::Unknown, message))
                });
            }
            let location = response
                .headers()
                .get(header::LOCATION)
                .and_then(|location| location.to_str().ok())
                .and_then(|location| next.join(location).ok());
            next = location
                .filter(|location| is_allowed_redirect(location, address))
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::Rejected,
                        format!("{what} redirects to a URL that isn't https"),
                    )
                })?;
        }
        Err(Error::new(
            ErrorKind::Rejected,
            format!("{what} redirects more than {MAX_REDIRECTS} times"),
        ))
    }
}

/// Allows https, and plain http only from this machine to itself: no other server may redirect to the loopback.
fn is_allowed_redirect(url: &Url, first: &Url) -> bool {
    url.scheme() == "https" || (is_plain_loopback(url) && is_plain_loopback(first))
}

fn is_plain_loopback(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "http" && is_loopback
}

fn content_length(response: &Streamed) -> Option<u64> {
    let length = response.headers().get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

async fn for_each_chunk(
    response: Streamed,
    what: &str,
    mut handle: impl FnMut(&Bytes) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let error: BoxError = error.into();
            Error::new(
                ErrorKind::Unknown,
                format!(
                    "the download of {what} broke off: {}",
                    innermost(error.as_ref())
                ),
            )
        })?;
        if let Some(data) = frame.data_ref() {
            handle(data)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        for (next, first, expected) in [
            ("https://storage.example/x", "https://git.example", true),
            ("https://storage.example/x", "http://127.0.0.1:80", true),
            ("http://localhost:81/x", "http://127.0.0.1:80", true),
            ("http://[::1]/x", "http://localhost", true),
            ("http://127.0.0.1/x", "https://git.example", false),
            ("http://127.0.0.1/x", "https://localhost", false),
            ("http://storage.example/x", "http://127.0.0.1:80", false),
            ("ftp://storage.example/x", "https://git.example", false),
        ] {
            let url = |text| Url::parse(text).unwrap();
            assert_eq!(
                is_allowed_redirect(&url(next), &url(first)),
                expected,
                "{first} -> {next}"
            );
        }
    }
}
