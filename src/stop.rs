//! Signals, as a value that is passed on.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

/// How urgently the step is asked to end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Urgency {
    /// Nobody has asked.
    None,
    /// One signal: end in order, within seconds.
    Soon,
    /// A second one: end at once.
    Now,
}

/// Tells whether the step has been asked to stop. Clones see the same.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<Asked>);

/// Who may ask for a stop.
pub(crate) struct Asker(watch::Sender<Asked>);

#[derive(Clone, Copy)]
struct Asked {
    urgency: Urgency,
    /// When it was asked for first.
    at: Option<Instant>,
}

impl Asker {
    pub(crate) fn ask(&self, urgency: Urgency) {
        self.0.send_modify(|asked| {
            asked.urgency = urgency;
            asked.at.get_or_insert_with(Instant::now);
        });
    }
}

impl Stop {
    /// Listens to SIGINT and SIGTERM: the program is process 1 of its container, where the kernel
    /// ignores both unless somebody listens. Errors if the handlers cannot be installed.
    pub(crate) fn on_signals() -> std::io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (asker, stop) = Self::by_hand();
        tokio::spawn(async move {
            for urgency in [Urgency::Soon, Urgency::Now] {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                asker.ask(urgency);
            }
            // The asker must live as long as somebody may ask.
            std::future::pending::<()>().await;
        });
        Ok(stop)
    }

    /// A stop that somebody asks for.
    pub(crate) fn by_hand() -> (Asker, Self) {
        let nobody = Asked {
            urgency: Urgency::None,
            at: None,
        };
        let (sender, receiver) = watch::channel(nobody);
        (Asker(sender), Self(receiver))
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.0.borrow().urgency >= Urgency::Soon
    }

    /// When the step was first asked to stop.
    pub(crate) fn asked_at(&self) -> Option<Instant> {
        self.0.borrow().at
    }

    /// Returns when the step has been asked at least this urgently to stop, else never.
    pub(crate) async fn asked(&self, least: Urgency) {
        let mut receiver = self.0.clone();
        if receiver
            .wait_for(|asked| asked.urgency >= least)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }
}
