//! A TCP stream that can end with a reset, or with malformed bytes instead of a response. `fault` decides when.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::fault::HangUp;
use crate::malformed_response::MalformedResponse;
use crate::server::lock;

/// Faults of a connection, shared by its stream and its request handler.
#[derive(Clone, Default)]
pub(crate) struct ConnectionFaults(Arc<FaultState>);

#[derive(Default)]
struct FaultState {
    resets: AtomicBool,
    malformed: Mutex<Option<MalformedResponse>>,
    hang_up: Mutex<Option<HangUp>>,
}

impl ConnectionFaults {
    pub(crate) fn reset(&self) {
        self.0.resets.store(true, Ordering::Relaxed);
    }

    pub(crate) fn malformed(&self, malformed: MalformedResponse) {
        *lock(&self.0.malformed) = Some(malformed);
    }

    /// Ends the connection after the response that is about to be written.
    pub(crate) fn hang_up(&self, how: HangUp) {
        *lock(&self.0.hang_up) = Some(how);
    }

    pub(crate) fn hangs_up(&self) -> Option<HangUp> {
        *lock(&self.0.hang_up)
    }

    /// Takes the bytes to send when hyper has given up the connection.
    pub(crate) fn malformed_response(&self) -> Option<MalformedResponse> {
        lock(&self.0.malformed).take()
    }
}

pub(crate) struct FaultyStream {
    stream: TcpStream,
    faults: ConnectionFaults,
}

impl FaultyStream {
    pub(crate) fn new(stream: TcpStream, faults: ConnectionFaults) -> Self {
        Self { stream, faults }
    }
}

impl Drop for FaultyStream {
    fn drop(&mut self) {
        if self.faults.0.resets.load(Ordering::Relaxed) {
            // With a linger time of zero, the kernel sends a reset on close.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for FaultyStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for FaultyStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
