//! Parses the fields of a form, URL-encoded or multipart.

use crate::request::{Headers, media_type};

pub(crate) const URL_ENCODED: &str = "application/x-www-form-urlencoded";
pub(crate) const MULTIPART: &str = "multipart/form-data";

/// Returns names and values in their order, or `None` if the body isn't a form or is incomplete.
pub(crate) fn fields(headers: &Headers, body: &[u8]) -> Option<Vec<(String, String)>> {
    let content_type = headers.get("content-type").unwrap_or_default();
    match media_type(content_type).as_str() {
        URL_ENCODED => Some(form_urlencoded::parse(body).into_owned().collect()),
        MULTIPART => {
            let boundary = content_type.split_once("boundary=")?.1.trim_matches('"');
            parts(&String::from_utf8_lossy(body), boundary)
        }
        _ => None,
    }
}

/// Parses multipart fields. Each part names its field in its own headers.
fn parts(body: &str, boundary: &str) -> Option<Vec<(String, String)>> {
    let delimiter = format!("\r\n--{boundary}");
    let whole = format!("\r\n{body}");
    let mut parts = whole.split(&delimiter).skip(1);
    let mut fields = Vec::new();
    loop {
        let part = parts.next()?;
        if part.starts_with("--") {
            return Some(fields);
        }
        let (headers, value) = part.split_once("\r\n\r\n")?;
        let (_, rest) = headers.split_once("name=\"")?;
        let (name, _) = rest.split_once('"')?;
        fields.push((name.to_owned(), value.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content_type: &str, body: &str) -> Option<Vec<(String, String)>> {
        let headers = Headers(vec![("Content-Type".to_owned(), content_type.to_owned())]);
        fields(&headers, body.as_bytes())
    }

    #[test]
    fn both_encodings_give_the_same_fields() {
        let expected = [("ref", "main"), ("variables[A]", "1 &\r\n2")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            read(URL_ENCODED, "ref=main&variables%5BA%5D=1+%26%0D%0A2").unwrap(),
            expected
        );
        let part = |name: &str, value: &str| {
            format!("--x-1\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let parts = part("ref", "main") + &part("variables[A]", "1 &\r\n2");
        let body = format!("{parts}--x-1--\r\n");
        assert_eq!(
            read("multipart/form-data; boundary=x-1", &body).unwrap(),
            expected
        );
        assert_eq!(
            read("multipart/form-data; boundary=\"x-1\"", &body).unwrap(),
            expected
        );
        assert_eq!(
            read("multipart/form-data; boundary=x-1", &parts),
            None,
            "no closing delimiter"
        );
        assert_eq!(read("multipart/form-data; boundary=x-2", &body), None);
        assert_eq!(read("application/json", "{}"), None);
    }
}
