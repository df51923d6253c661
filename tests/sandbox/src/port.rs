//! A port that is opened and closed again, and refuses connections while it is closed. Not here: what is done on
//! those it lets in (see `server`).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;

use crate::server::{self, Shared};

/// A port of 127.0.0.1 that is reserved and refuses connections until a sandbox is started on it.
pub struct ReservedPort {
    /// Bound but not listening: the kernel keeps others away and refuses connections.
    reserved: TcpSocket,
    port: u16,
}

impl ReservedPort {
    /// 0 is any.
    pub(crate) fn new(port: u16) -> io::Result<Self> {
        let reserved = bind(port)?;
        let port = reserved.local_addr()?.port();
        Ok(Self { reserved, port })
    }

    pub fn number(&self) -> u16 {
        self.port
    }

    /// Until the listener is dropped.
    pub(crate) fn open(&self) -> io::Result<TcpListener> {
        bind(self.reserved.local_addr()?.port())?.listen(1024)
    }
}

/// A listener on `[::1]`, and the same port of 127.0.0.1, so that `localhost` with that port leads to nobody else.
pub(crate) fn on_ipv6() -> io::Result<(std::net::TcpListener, ReservedPort)> {
    loop {
        let listener = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0))?;
        // Somebody else may have it already.
        if let Ok(reserved) = ReservedPort::new(listener.local_addr()?.port()) {
            return Ok((listener, reserved));
        }
    }
}

/// Several may be bound to one port, of which one listens.
fn bind(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok(socket)
}

/// Serves until the runtime ends, whenever the sandbox is open. Closing it cuts off open connections.
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
        // Nobody else gets the port, so this fails for nothing that would pass.
        let Ok(again) = port.open() else { return };
        listener = again;
    }
}
