//! Starts a sandbox: its ports, its certificate and its thread. The running sandbox is in `sandbox`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, mpsc};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::background::Background;
use crate::certificate::{self, Certificate, Issued};
use crate::fault::Faults;
use crate::port::{self, ReservedPort};
use crate::record::RecordedRequest;
use crate::sandbox::Sandbox;
use crate::server::{self, OnResponse, Shared};
use crate::world::World;

#[derive(Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) ipv6: Option<(SocketAddr, SocketAddr)>,
}

/// Options for a new sandbox.
pub struct Builder {
    world: World,
    http: Port,
    https: Port,
    ipv6: bool,
    certificate: Certificate,
    extra_names: Vec<String>,
    on_response: Option<OnResponse>,
}

enum Port {
    Any,
    Number(u16),
    Reserved(ReservedPort),
}

impl Builder {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world,
            http: Port::Any,
            https: Port::Any,
            ipv6: false,
            certificate: Certificate::Good,
            extra_names: Vec::new(),
            on_response: None,
        }
    }

    #[must_use]
    pub fn http_port(self, port: u16) -> Self {
        let http = Port::Number(port);
        Self { http, ..self }
    }

    #[must_use]
    pub fn https_port(self, port: u16) -> Self {
        let https = Port::Number(port);
        Self { https, ..self }
    }

    #[must_use]
    pub fn http_on(self, port: ReservedPort) -> Self {
        let http = Port::Reserved(port);
        Self { http, ..self }
    }

    #[must_use]
    pub fn https_on(self, port: ReservedPort) -> Self {
        let https = Port::Reserved(port);
        Self { https, ..self }
    }

    /// Also listens on `[::1]`, on separate ports.
    #[must_use]
    pub fn ipv6(self) -> Self {
        Self { ipv6: true, ..self }
    }

    #[must_use]
    pub fn certificate(self, certificate: Certificate) -> Self {
        Self {
            certificate,
            ..self
        }
    }

    /// Adds a name or address to the certificate.
    #[must_use]
    pub fn certificate_name(mut self, name: &str) -> Self {
        self.extra_names.push(name.to_owned());
        self
    }

    /// Calls `callback` on the sandbox's thread for each request, once its response is known.
    #[must_use]
    pub fn on_response(self, callback: impl Fn(&RecordedRequest) + Send + Sync + 'static) -> Self {
        let on_response: Option<OnResponse> = Some(Box::new(callback));
        Self {
            on_response,
            ..self
        }
    }

    /// Starts the sandbox; returns when all ports are open.
    pub fn start(self) -> io::Result<Sandbox> {
        let issued = certificate::issue(self.certificate, &self.extra_names)?;
        let ca_pem = issued.ca_pem.clone();
        let shared = Arc::new(Shared {
            world: Mutex::new(self.world),
            record: Mutex::default(),
            faults: Mutex::new(Faults::default()),
            connections: AtomicUsize::new(0),
            on_response: self.on_response,
            is_open: watch::Sender::new(true),
        });
        let (ready, opened) = mpsc::sync_channel(1);
        let ports = (self.http, self.https, self.ipv6);
        let thread_shared = Arc::clone(&shared);
        let background = Background::spawn("sandbox", async move || {
            let _ = ready.send(open(ports, &issued, &thread_shared));
        })?;
        let addresses = opened.recv().map_err(io::Error::other)??;
        Ok(Sandbox {
            shared,
            addresses,
            ca_pem,
            _background: background,
        })
    }
}

fn open(
    (http, https, ipv6): (Port, Port, bool),
    issued: &Issued,
    shared: &Arc<Shared>,
) -> io::Result<Addresses> {
    let acceptor = TlsAcceptor::from(Arc::clone(&issued.tls));
    let serve_ipv6 = |tls: Option<TlsAcceptor>| {
        let (listener, reserved) = port::on_ipv6()?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = TcpListener::from_std(listener)?;
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let _reserved = reserved;
            server::accept(listener, tls, shared).await;
        });
        io::Result::Ok(address)
    };
    let serve_ipv4 = |port: Port, tls: Option<TlsAcceptor>| {
        let port = port.reserve()?;
        let address = (Ipv4Addr::LOCALHOST, port.number()).into();
        let listener = port.open()?;
        tokio::spawn(port::serve(port, listener, tls, Arc::clone(shared)));
        io::Result::Ok(address)
    };
    Ok(Addresses {
        http: serve_ipv4(http, None)?,
        https: serve_ipv4(https, Some(acceptor.clone()))?,
        ipv6: if ipv6 {
            Some((serve_ipv6(None)?, serve_ipv6(Some(acceptor))?))
        } else {
            None
        },
    })
}

impl Port {
    fn reserve(self) -> io::Result<ReservedPort> {
        match self {
            Self::Any => ReservedPort::new(0),
            Self::Number(port) => ReservedPort::new(port),
            Self::Reserved(reserved) => Ok(reserved),
        }
    }
}
