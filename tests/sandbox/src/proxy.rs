//! A forward proxy on loopback for tests: forwards or refuses `CONNECT` and plain http, and records the requests. For
//! an https proxy, put a `TlsFront` in front of it.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::port::{self, ReservedPort};
use crate::request::Headers;
use crate::server::lock;

/// How the proxy answers its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyBehaviour {
    Forwards,
    /// Answers 407 to requests without these Basic credentials.
    RequiresCredentials {
        user: String,
        password: String,
    },
    /// Answers every request with this status (such as 403, 407 or 502).
    Refuses(u16),
    /// Reads the request, then closes the connection.
    HangsUp,
    /// Confirms the tunnel, then closes it before any data is forwarded.
    DropsTunnel,
}

/// One request to the proxy.
#[derive(Clone, Debug)]
pub struct ProxyRequest {
    /// `CONNECT`, or the method of a plain http request.
    pub method: String,
    /// `host:port` of a `CONNECT`, else the whole URL.
    pub target: String,
    pub headers: Headers,
    /// False if the proxy refused the request or hung up.
    pub passed: bool,
}

/// A running proxy. Dropping it closes its port; open tunnels last until their clients close them.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// For a proxy on `[::1]`, the same port of 127.0.0.1.
    _reserved: Option<ReservedPort>,
}

struct Shared {
    behaviour: Mutex<ProxyBehaviour>,
    /// Addresses of names that the system can't resolve.
    hosts: HashMap<String, SocketAddr>,
    seen: Mutex<Vec<ProxyRequest>>,
    /// Both ends of every tunnel since the last `cut`.
    tunnels: Mutex<Vec<TcpStream>>,
    stopped: AtomicBool,
}

impl Proxy {
    pub fn start(behaviour: ProxyBehaviour) -> io::Result<Self> {
        Self::start_knowing(behaviour, &[])
    }

    /// Starts a proxy with addresses for names that the system can't resolve, such as `("sandbox.test:443", address)`.
    pub fn start_knowing(
        behaviour: ProxyBehaviour,
        hosts: &[(&str, SocketAddr)],
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        Self::start_at(listener, None, behaviour, hosts)
    }

    /// Starts a proxy on `[::1]`.
    pub fn start_on_ipv6(behaviour: ProxyBehaviour) -> io::Result<Self> {
        let (listener, reserved) = port::on_ipv6()?;
        Self::start_at(listener, Some(reserved), behaviour, &[])
    }

    fn start_at(
        listener: TcpListener,
        reserved: Option<ReservedPort>,
        behaviour: ProxyBehaviour,
        hosts: &[(&str, SocketAddr)],
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let hosts = hosts
            .iter()
            .map(|(name, address)| ((*name).to_owned(), *address));
        let shared = Arc::new(Shared {
            behaviour: Mutex::new(behaviour),
            hosts: hosts.collect(),
            seen: Mutex::default(),
            tunnels: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let thread_shared = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("proxy".to_owned())
            .spawn(move || accept(&listener, &thread_shared))?;
        Ok(Self {
            address,
            shared,
            thread: Some(thread),
            _reserved: reserved,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `http://USER:PASSWORD@127.0.0.1:PORT`
    pub fn url_for(&self, user: &str, password: &str) -> String {
        format!("http://{user}:{password}@{}", self.address)
    }

    /// Changes the behaviour for new requests.
    pub fn set_behaviour(&self, behaviour: ProxyBehaviour) {
        *lock(&self.shared.behaviour) = behaviour;
    }

    /// Cuts all open tunnels.
    pub fn cut(&self) {
        for end in lock(&self.shared.tunnels).drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Returns all requests so far, in order.
    pub fn seen(&self) -> Vec<ProxyRequest> {
        lock(&self.shared.seen).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes up the listener, so that it sees `stopped`.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.stopped.load(Ordering::Relaxed) {
            return;
        }
        let Ok(client) = client else { continue };
        let shared = Arc::clone(shared);
        // Clients that leave early or send invalid requests are up to the test.
        thread::spawn(move || {
            let _ = handle(client, &shared);
        });
    }
}

fn handle(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (method, target, headers) = read_head(&mut reader)?;
    let behaviour = lock(&shared.behaviour).clone();
    let refusal = refusal(&behaviour, &headers);
    lock(&shared.seen).push(ProxyRequest {
        method: method.clone(),
        target: target.clone(),
        headers: headers.clone(),
        passed: refusal.is_none() && behaviour != ProxyBehaviour::HangsUp,
    });
    if let Some(status) = refusal {
        return refuse(&mut client, status);
    }
    if behaviour == ProxyBehaviour::HangsUp {
        return Ok(());
    }
    let authority = target
        .trim_start_matches("http://")
        .split('/')
        .next()
        .unwrap_or_default();
    let server = match shared.hosts.get(authority) {
        Some(address) => TcpStream::connect(address),
        None => TcpStream::connect(authority),
    };
    let Ok(mut server) = server else {
        return refuse(&mut client, 502);
    };
    if method == "CONNECT" {
        // Registers the tunnel first: the test may cut it as soon as it has the response.
        if behaviour != ProxyBehaviour::DropsTunnel {
            lock(&shared.tunnels).extend([client.try_clone()?, server.try_clone()?]);
        }
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        if behaviour == ProxyBehaviour::DropsTunnel {
            // Dropped with unread data, the connection would be reset.
            client.shutdown(Shutdown::Write)?;
            io::copy(&mut client, &mut io::sink())?;
            return Ok(());
        }
    } else {
        // One request per connection: the next one may be for another host, and wouldn't be recorded.
        let path = target
            .trim_start_matches("http://")
            .trim_start_matches(authority);
        write!(server, "{method} {path} HTTP/1.1\r\nConnection: close\r\n")?;
        for (name, value) in &headers.0 {
            if !["proxy-authorization", "connection"].contains(&name.to_ascii_lowercase().as_str())
            {
                write!(server, "{name}: {value}\r\n")?;
            }
        }
        server.write_all(b"\r\n")?;
    }
    tunnel(reader, client, server)
}

fn read_head(reader: &mut BufReader<TcpStream>) -> io::Result<(String, String, Headers)> {
    let mut head = reader.take(64 * 1024);
    let mut line = String::new();
    head.read_line(&mut line)?;
    let mut parts = line.split_whitespace().map(str::to_owned);
    let method = parts.next().unwrap_or_default();
    let target = parts.next().unwrap_or_default();
    let mut headers = Headers::default();
    loop {
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok((method, target, headers));
        }
        if let Some((name, value)) = line.split_once(':') {
            headers
                .0
                .push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
}

fn refusal(behaviour: &ProxyBehaviour, headers: &Headers) -> Option<u16> {
    match behaviour {
        ProxyBehaviour::Forwards | ProxyBehaviour::HangsUp | ProxyBehaviour::DropsTunnel => None,
        ProxyBehaviour::Refuses(status) => Some(*status),
        ProxyBehaviour::RequiresCredentials { user, password } => {
            let wanted = BASE64_STANDARD.encode(format!("{user}:{password}"));
            let given = headers.get("proxy-authorization");
            (given != Some(format!("Basic {wanted}").as_str())).then_some(407)
        }
    }
}

fn refuse(client: &mut TcpStream, status: u16) -> io::Result<()> {
    let challenge = if status == 407 {
        "Proxy-Authenticate: Basic realm=\"proxy\"\r\n"
    } else {
        ""
    };
    write!(
        client,
        "HTTP/1.1 {status} Refused\r\n{challenge}Content-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

fn tunnel(
    mut from_client: BufReader<TcpStream>,
    mut to_client: TcpStream,
    server: TcpStream,
) -> io::Result<()> {
    let mut from_server = server.try_clone()?;
    let mut to_server = server;
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    io::copy(&mut from_server, &mut to_client)?;
    to_client.shutdown(Shutdown::Write)
}
