//! Turns signals into a value that is passed to everything that may have to stop.

#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{ctrl_break, ctrl_c};
use tokio::sync::watch;
use tokio::time::Instant;

/// Whether, and how fast, the step has to end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum ShutdownMode {
    /// No signal so far.
    Running,
    /// After the first signal: clean up and end within seconds.
    Graceful,
    /// After the second signal: end at once.
    Immediate,
}

/// A signal that stops the step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signal {
    Interrupt,
    Terminate,
}

/// Receives shutdown requests. Clones share the same state.
#[derive(Clone)]
pub(crate) struct Shutdown(watch::Receiver<Requested>);

/// Sends shutdown requests to every [`Shutdown`] created with it.
pub(crate) struct ShutdownHandle(watch::Sender<Requested>);

#[derive(Clone, Copy)]
struct Requested {
    mode: ShutdownMode,
    at: Option<Instant>,
    /// The first signal, if it was one.
    signal: Option<Signal>,
}

impl ShutdownHandle {
    pub(crate) fn request(&self, mode: ShutdownMode) {
        self.request_by(mode, None);
    }

    fn request_by(&self, mode: ShutdownMode, signal: Option<Signal>) {
        self.0.send_modify(|requested| {
            requested.mode = mode;
            requested.at.get_or_insert_with(Instant::now);
            requested.signal = requested.signal.or(signal);
        });
    }
}

impl Shutdown {
    /// Listens for SIGINT and SIGTERM. The program is process 1 of its container, for which the kernel ignores both
    /// unless there is a handler. On Windows a runner sends Ctrl+C and Ctrl+Break instead. Fails if the handlers can't be
    /// installed.
    pub(crate) fn on_signals() -> std::io::Result<Self> {
        #[cfg(unix)]
        let (mut interrupt, mut terminate) = (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        );
        #[cfg(windows)]
        let (mut interrupt, mut terminate) = (ctrl_c()?, ctrl_break()?);
        let (handle, shutdown) = Self::manual();
        tokio::spawn(async move {
            for mode in [ShutdownMode::Graceful, ShutdownMode::Immediate] {
                let signal = tokio::select! {
                    _ = interrupt.recv() => Signal::Interrupt,
                    _ = terminate.recv() => Signal::Terminate,
                };
                handle.request_by(mode, Some(signal));
            }
            // Keep the handle, so that the channel stays open.
            std::future::pending::<()>().await;
        });
        Ok(shutdown)
    }

    /// Creates a shutdown that is requested through the handle.
    pub(crate) fn manual() -> (ShutdownHandle, Self) {
        let running = Requested {
            mode: ShutdownMode::Running,
            at: None,
            signal: None,
        };
        let (sender, receiver) = watch::channel(running);
        (ShutdownHandle(sender), Self(receiver))
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.0.borrow().mode >= ShutdownMode::Graceful
    }

    /// Returns when a shutdown was first requested, if it was.
    pub(crate) fn requested_at(&self) -> Option<Instant> {
        self.0.borrow().at
    }

    /// Returns the first signal, if one was received.
    pub(crate) fn signal(&self) -> Option<Signal> {
        self.0.borrow().signal
    }

    /// Returns once a shutdown of at least this mode has been requested; otherwise never.
    pub(crate) async fn requested(&self, min_mode: ShutdownMode) {
        let mut receiver = self.0.clone();
        if receiver
            .wait_for(|requested| requested.mode >= min_mode)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }
}
