//! Signals, as a value that is passed on.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

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
pub(crate) struct Stop(watch::Receiver<Urgency>);

impl Stop {
    /// Listens to SIGINT and SIGTERM: the program is process 1 of its container, where the kernel
    /// ignores both unless somebody listens. Errors if the handlers cannot be installed.
    pub(crate) fn on_signals() -> std::io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (sender, receiver) = watch::channel(Urgency::None);
        tokio::spawn(async move {
            for urgency in [Urgency::Soon, Urgency::Now] {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                sender.send_replace(urgency);
            }
            // The sender must live as long as somebody may ask.
            std::future::pending::<()>().await;
        });
        Ok(Self(receiver))
    }

    /// A stop that somebody else asks for; tests do.
    #[cfg(test)]
    pub(crate) fn by_hand() -> (watch::Sender<Urgency>, Self) {
        let (sender, receiver) = watch::channel(Urgency::None);
        (sender, Self(receiver))
    }

    pub(crate) fn is_asked(&self) -> bool {
        *self.0.borrow() >= Urgency::Soon
    }

    /// Returns when the step has been asked at least this urgently to stop, else never.
    pub(crate) async fn asked(&self, least: Urgency) {
        let mut receiver = self.0.clone();
        if receiver
            .wait_for(|urgency| *urgency >= least)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }
}
