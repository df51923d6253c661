//! A minimal HTTP/1.1 client with one request per connection, which hides nothing of the sandbox's behaviour. For TLS
//! see `sockets`.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use sandbox::{Headers, Sandbox, World};
use serde_json::Value;

pub(crate) struct RequestBuilder {
    port: u16,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

/// Starts a sandbox with the demo world.
pub(crate) fn start() -> Sandbox {
    Sandbox::start(World::demo()).unwrap()
}

/// Builds a request with the headers that all three providers expect.
pub(crate) fn request(sandbox: &Sandbox, method: &str, path: &str) -> RequestBuilder {
    RequestBuilder {
        port: sandbox.http_port(),
        method: method.to_owned(),
        path: path.to_owned(),
        headers: Vec::new(),
        body: String::new(),
    }
    .header("User-Agent", "suite")
}

impl RequestBuilder {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn json(self, body: impl ToString) -> Self {
        self.body("application/json", &body.to_string())
    }

    pub(crate) fn body(mut self, content_type: &str, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self.header("Content-Type", content_type)
    }

    pub(crate) fn send(&self) -> Response {
        self.try_send().expect("a response")
    }

    pub(crate) fn try_send(&self) -> io::Result<Response> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        self.exchange(&mut stream)
    }

    pub(crate) fn exchange(&self, stream: &mut (impl Read + Write)) -> io::Result<Response> {
        stream.write_all(self.bytes().as_bytes())?;
        stream.flush()?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response)?;
        parse(&response)
    }

    pub(crate) fn bytes(&self) -> String {
        let (method, path, body) = (&self.method, &self.path, &self.body);
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n",
            self.port
        );
        for (name, value) in &self.headers {
            request = request + name + ": " + value + "\r\n";
        }
        let length = body.len();
        request + &format!("Connection: close\r\nContent-Length: {length}\r\n\r\n{body}")
    }
}

fn parse(response: &[u8]) -> io::Result<Response> {
    let end = response.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&response[..end]).into_owned();
    let body = response[end + 4..].to_vec();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let headers = Headers(headers.collect());
    let announced = headers.get("content-length").map(str::parse);
    if announced.is_some_and(|length| length != Ok(body.len())) {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
    }
    let status = status.and_then(|status| status.parse().ok());
    Ok(Response {
        status: status.ok_or(io::ErrorKind::InvalidData)?,
        headers,
        body,
    })
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the status and the `message` of the body.
    pub(crate) fn status_and_message(&self) -> (u16, String) {
        let message = self.json()["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        (self.status, message)
    }
}
