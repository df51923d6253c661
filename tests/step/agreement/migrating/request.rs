//! A request that triggers: as a page shows it, as the sandbox recorded it, and sent without the action.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbox::{RecordedRequest, Sandbox};
use serde_json::Value;

use crate::agreement::examples::evaluated;

/// The public servers in the pages, and the sandbox's paths for them.
const PUBLIC_SERVERS: [(&str, &str); 3] = [
    ("https://api.github.com", "/api/v3"),
    ("https://gitlab.com", ""),
    ("https://api.bitbucket.org", ""),
];

/// The parts of a request that are compared.
#[derive(Debug, PartialEq)]
pub(super) struct TriggerRequest {
    pub(super) method: String,
    pub(super) url: String,
    /// The header with the credential, its name in lower case; `None` if the credential is in the body.
    pub(super) credential: Option<(String, String)>,
    pub(super) body: Body,
}

#[derive(Debug, PartialEq)]
pub(super) enum Body {
    Json(Value),
    Form(Vec<(String, String)>),
}

/// Replaces the public servers with the sandbox.
pub(super) fn on(sandbox: &Sandbox, text: &str) -> String {
    PUBLIC_SERVERS
        .iter()
        .fold(text.to_owned(), |text, (server, path)| {
            text.replace(server, &format!("{}{path}", sandbox.http_url()))
        })
}

impl TriggerRequest {
    /// Parses `METHOD ADDRESS`, the header with the credential and an empty line, followed by JSON or one form field
    /// a line.
    pub(super) fn written(block: &str, sandbox: &Sandbox) -> Self {
        let text = on(sandbox, &evaluated(block, sandbox));
        let (head, body) = text.split_once("\n\n").expect("a head and a body");
        let (line, header) = head.split_once('\n').unwrap_or((head, ""));
        let (method, url) = line.split_once(' ').expect("a method and an address");
        let credential = (!header.is_empty()).then(|| {
            let (name, value) = header.split_once(": ").expect("one header");
            credential(name, &with_base64(value))
        });
        let body = if body.starts_with('{') {
            Body::Json(serde_json::from_str(body).expect("the body is JSON"))
        } else {
            let field = |line: &str| {
                let (name, value) = line.split_once('=').expect("a field has a value");
                (name.to_owned(), value.to_owned())
            };
            Body::Form(body.lines().map(field).collect())
        };
        Self {
            method: method.to_owned(),
            url: url.to_owned(),
            credential,
            body,
        }
    }

    pub(super) fn recorded(request: &RecordedRequest, sandbox: &Sandbox) -> Self {
        let header = |name: &str| {
            let value = request.headers.get(name)?;
            Some(credential(name, value))
        };
        let query = match request.query.as_str() {
            "" => String::new(),
            query => format!("?{query}"),
        };
        Self {
            method: request.method.clone(),
            url: format!("{}{}{query}", sandbox.http_url(), request.path),
            credential: header("authorization").or_else(|| header("private-token")),
            body: match request.json() {
                Some(json) => Body::Json(json),
                None => Body::Form(request.form().expect("JSON or a form")),
            },
        }
    }

    /// Sends the request and returns the status of the response.
    pub(super) fn send(&self, sandbox: &Sandbox) -> u16 {
        let server = sandbox.http_url();
        let path = self.url.strip_prefix(&server).expect("it is the sandbox's");
        let host = server.trim_start_matches("http://");
        let (content_type, body) = match &self.body {
            Body::Json(json) => ("application/json", json.to_string()),
            Body::Form(fields) => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                let body = form.extend_pairs(fields).finish();
                ("application/x-www-form-urlencoded", body)
            }
        };
        let credential = match &self.credential {
            Some((name, value)) => format!("{name}: {value}\r\n"),
            None => String::new(),
        };
        let request = format!(
            "{} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: by-hand\r\nConnection: close\r\n{credential}\
             Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            self.method,
            body.len()
        );
        let mut stream = TcpStream::connect(host).expect("the sandbox is there");
        stream.write_all(request.as_bytes()).expect("it takes it");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("it answers");
        let status = response.split(' ').nth(1).expect("a status");
        status.parse().expect("a number")
    }
}

/// GitHub accepts `token` and `Bearer` alike.
pub(super) fn credential(name: &str, value: &str) -> (String, String) {
    let value = match value.strip_prefix("token ") {
        Some(token) => format!("Bearer {token}"),
        None => value.to_owned(),
    };
    (name.to_lowercase(), value)
}

/// Evaluates `base64(…)`.
fn with_base64(value: &str) -> String {
    let inside = value
        .split_once("base64(")
        .and_then(|(before, rest)| Some((before, rest.strip_suffix(')')?)));
    match inside {
        Some((before, inside)) => format!("{before}{}", STANDARD.encode(inside)),
        None => value.to_owned(),
    }
}
