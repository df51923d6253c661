//! Bytes in place of a response: invalid HTTP, or valid HTTP that never ends. `fault` decides when they are sent.

use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::time::sleep;

/// Some bytes, then others repeated endlessly.
#[derive(Clone, Debug)]
pub struct MalformedResponse {
    head: Vec<u8>,
    /// If empty, the connection ends after `head`.
    repeated: Vec<u8>,
    /// The pause before each repetition.
    pause: Duration,
}

impl MalformedResponse {
    /// A few lines that aren't HTTP, then the end of the connection.
    pub fn garbage() -> Self {
        Self {
            head: b"220 mail.example.com ESMTP ready\r\n::error::no\r\n\x00\xff\r\n\r\n".to_vec(),
            repeated: Vec::new(),
            pause: Duration::ZERO,
        }
    }

    /// Header lines without end.
    pub fn endless_headers() -> Self {
        let head = b"HTTP/1.1 200 OK\r\n".to_vec();
        let repeated =
            b"X-More: and more and more and more and more and more and more\r\n".repeat(64);
        Self {
            head,
            repeated,
            pause: Duration::ZERO,
        }
    }

    /// One endless header line.
    pub fn endless_header_line() -> Self {
        Self {
            head: b"HTTP/1.1 200 OK\r\nX-Long: ".to_vec(),
            repeated: vec![b'x'; 4096],
            pause: Duration::ZERO,
        }
    }

    /// One endless header line, byte by byte.
    pub fn slow_headers(pause: Duration) -> Self {
        Self {
            head: b"HTTP/1.1 200 OK\r\nX-Slow: ".to_vec(),
            repeated: b"x".to_vec(),
            pause,
        }
    }

    /// Sends the bytes, repeating until the client closes the connection.
    pub(crate) async fn send(self, mut stream: impl AsyncWrite + Unpin) {
        let _ = stream.write_all(&self.head).await;
        let _ = stream.flush().await;
        while !self.repeated.is_empty() {
            if !self.pause.is_zero() {
                sleep(self.pause).await;
            }
            let written = stream.write_all(&self.repeated).await;
            if written.is_err() || stream.flush().await.is_err() {
                return;
            }
        }
        let _ = stream.shutdown().await;
    }
}
