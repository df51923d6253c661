//! TLS in front of a server that has none: accepts connections with a certificate of its own authority, and
//! forwards their bytes. Not here: the server behind it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::{self, JoinHandle};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::certificate::{self, Certificate};

/// A running TLS listener. Dropping it closes it and its connections.
pub struct TlsFront {
    address: SocketAddr,
    ca_pem: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TlsFront {
    /// In front of that address, with a certificate for 127.0.0.1 and these names.
    pub fn start(behind: SocketAddr, names: &[&str]) -> io::Result<Self> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let issued = certificate::issue(Certificate::Good, &names)?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(issued.tls);
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("tls-front".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = keep(listener, acceptor, behind) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self {
            address,
            ca_pem: issued.ca_pem,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate authority to trust, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn keep(listener: std::net::TcpListener, acceptor: TlsAcceptor, behind: SocketAddr) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        let acceptor = acceptor.clone();
        // A client that does not trust us, or leaves early, is its test's business.
        tokio::spawn(async move {
            let (mut client, mut server) = (
                acceptor.accept(client).await?,
                TcpStream::connect(behind).await?,
            );
            copy_bidirectional(&mut client, &mut server).await
        });
    }
}
