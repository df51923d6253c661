//! Terminates TLS in front of another server: accepts connections with a certificate issued by its own CA, and
//! forwards their bytes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::background::Background;
use crate::certificate::{self, Certificate};

/// A running TLS listener. Dropping it closes the listener and its connections.
pub struct TlsFront {
    address: SocketAddr,
    ca_pem: String,
    _background: Background,
}

impl TlsFront {
    /// Starts a listener in front of `behind`, whose certificate also covers `names`.
    pub fn start(behind: SocketAddr, names: &[&str]) -> io::Result<Self> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let issued = certificate::issue(Certificate::Good, &names)?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(issued.tls);
        let background = Background::spawn("tls-front", async move || {
            tokio::spawn(forward(listener, acceptor, behind));
        })?;
        Ok(Self {
            address,
            ca_pem: issued.ca_pem,
            _background: background,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the CA certificate to trust, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }
}

async fn forward(listener: std::net::TcpListener, acceptor: TlsAcceptor, behind: SocketAddr) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        let acceptor = acceptor.clone();
        // Clients that don't trust the certificate or leave early are up to the test.
        tokio::spawn(async move {
            let (mut client, mut server) = (
                acceptor.accept(client).await?,
                TcpStream::connect(behind).await?,
            );
            copy_bidirectional(&mut client, &mut server).await
        });
    }
}
