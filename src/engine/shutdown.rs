//! Signals, as a value that is passed on.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

/// Whether the step has been asked to end, and how soon.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum ShutdownMode {
    /// It hasn't been asked to.
    Running,
    /// After one signal: end in order, within seconds.
    Graceful,
    /// After a second signal: end at once.
    Immediate,
}

/// Says whether a shutdown has been requested. Clones see the same.
#[derive(Clone)]
pub(crate) struct Shutdown(watch::Receiver<Requested>);

/// Requests a shutdown.
pub(crate) struct ShutdownHandle(watch::Sender<Requested>);

#[derive(Clone, Copy)]
struct Requested {
    mode: ShutdownMode,
    /// When it was requested first.
    at: Option<Instant>,
}

impl ShutdownHandle {
    pub(crate) fn request(&self, mode: ShutdownMode) {
        self.0.send_modify(|requested| {
            requested.mode = mode;
            requested.at.get_or_insert_with(Instant::now);
        });
    }
}

impl Shutdown {
    /// Listens to SIGINT and SIGTERM: the program is process 1 of its container, where the kernel
    /// ignores both unless somebody listens. Errors if the handlers cannot be installed.
    pub(crate) fn on_signals() -> std::io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (handle, shutdown) = Self::manual();
        tokio::spawn(async move {
            for mode in [ShutdownMode::Graceful, ShutdownMode::Immediate] {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                handle.request(mode);
            }
            // Without a handle, whoever waits for a request would wait in vain.
            std::future::pending::<()>().await;
        });
        Ok(shutdown)
    }

    /// A shutdown that is requested through the handle.
    pub(crate) fn manual() -> (ShutdownHandle, Self) {
        let running = Requested {
            mode: ShutdownMode::Running,
            at: None,
        };
        let (sender, receiver) = watch::channel(running);
        (ShutdownHandle(sender), Self(receiver))
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.0.borrow().mode >= ShutdownMode::Graceful
    }

    /// When it was first requested.
    pub(crate) fn requested_at(&self) -> Option<Instant> {
        self.0.borrow().at
    }

    /// Returns when a shutdown of at least this mode has been requested, else never.
    pub(crate) async fn requested(&self, least: ShutdownMode) {
        let mut receiver = self.0.clone();
        if receiver
            .wait_for(|requested| requested.mode >= least)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }
}
