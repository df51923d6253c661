//! A port that can be opened and closed, and refuses connections while it is closed. Accepted connections are served
//! in `server`.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;

use crate::server::{self, Shared};

/// A port of 127.0.0.1 that refuses connections until a sandbox is started on it.
pub struct ReservedPort {
    /// Bound but not listening, so that the kernel reserves the port and refuses connections.
    reserved: TcpSocket,
    port: u16,
}

impl ReservedPort {
    /// Reserves `port`; 0 lets the system choose.
    pub(crate) fn new(port: u16) -> io::Result<Self> {
        let reserved = bind(port)?;
        let port = reserved.local_addr()?.port();
        Ok(Self { reserved, port })
    }

    pub fn number(&self) -> u16 {
        self.port
    }

    /// Accepts connections until the listener is dropped.
    pub(crate) fn open(&self) -> io::Result<TcpListener> {
        bind(self.reserved.local_addr()?.port())?.listen(1024)
    }
}

/// Listens on `[::1]`, and reserves the same port of 127.0.0.1 so that `localhost` can't reach another server there.
pub(crate) fn on_ipv6() -> io::Result<(std::net::TcpListener, ReservedPort)> {
    loop {
        let listener = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0))?;
        // Another process may be using that port of 127.0.0.1; try the next one.
        if let Ok(reserved) = ReservedPort::new(listener.local_addr()?.port()) {
            return Ok((listener, reserved));
        }
    }
}

/// Allows several sockets on one port (`SO_REUSEADDR`), as long as only one listens.
fn bind(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok(socket)
}

/// Serves while the sandbox is open, until the runtime ends. Closing the sandbox drops open connections.
pub(crate) async fn serve(
    port: ReservedPort,
    mut listener: TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
) {
    let mut is_open = shared.is_open.subscribe();
    loop {
        tokio::select! {
            () = server::accept(listener, tls.clone(), Arc::clone(&shared)) => {}
            _ = is_open.wait_for(|is_open| !is_open) => {}
        }
        if is_open.wait_for(|is_open| *is_open).await.is_err() {
            return;
        }
        // The port is reserved, so an error here wouldn't go away.
        let Ok(again) = port.open() else { return };
        listener = again;
    }
}
