//! Shows each target as a commit status: puts the statuses on the board that sends them, saves the last ones, and warns
//! about those that can't be set.

mod progress;

use std::cell::RefCell;
use std::sync::Arc;

use super::saved_state::SavedState;
use crate::engine::shutdown::Shutdown;
use crate::engine::status_board::{Delivery, StatusBoard, Urgency};
use crate::host::Console;
use crate::model::{Caller, CommitStatus, Event, Failure, Started, StatusState};
use crate::providers::calling_repository;
use crate::providers::http::proxies::Proxies;
use crate::providers::status_note::{StatusNote, shortened};
use crate::providers::target::{Request, StatusKey, StatusOptions, Target};
use crate::providers::target_report::TargetReport;
use crate::report;
use progress::StatusProgress;

/// The commit statuses of a step.
pub(super) struct CommitStatuses<'a> {
    options: &'a StatusOptions,
    proxies: &'a Arc<Proxies>,
    console: &'a Console,
    board: StatusBoard,
    /// By target index, as is all that follows.
    names: Vec<&'a str>,
    contexts: Vec<String>,
    progress: Vec<RefCell<StatusProgress>>,
    /// `None` for targets whose status isn't their memory.
    keys: Vec<Option<&'a StatusKey>>,
}

impl<'a> CommitStatuses<'a> {
    /// Returns `None` if the step sets no statuses.
    pub(super) fn new(request: &'a Request, caller: &Caller, console: &'a Console) -> Option<Self> {
        let options = request.statuses.as_ref()?;
        let hide = |text: &str| console.hide(text);
        let page = caller.run.as_ref().map(|run| run.url.clone());
        let targets = request.targets.iter();
        let keys: Vec<_> = targets.clone().map(Target::status_key).collect();
        let progress =
            |key: &Option<_>| RefCell::new(StatusProgress::new(page.clone(), key.is_some()));
        let needs_earlier = keys.iter().any(Option::is_some);
        Some(Self {
            options,
            proxies: &request.proxies,
            console,
            board: StatusBoard::new(request.targets.len(), needs_earlier),
            names: targets.map(|target| target.name.as_str()).collect(),
            contexts: report::contexts(request, options, &hide),
            progress: keys.iter().map(progress).collect(),
            keys,
        })
    }

    pub(super) fn board(&self) -> &StatusBoard {
        &self.board
    }

    /// Says in the log which statuses a dry run doesn't set.
    pub(super) fn describe(&self) {
        for (name, context) in self.names.iter().zip(&self.contexts) {
            let line = report::would_set_status(name, context, &self.options.commit);
            self.console.log(&line);
        }
    }

    pub(super) fn on_event(&self, index: usize, event: &Event<'_>, saved_state: &SavedState<'_>) {
        let mut progress = self.progress[index].borrow_mut();
        let Some(change) = progress.record(event) else {
            return;
        };
        let page = progress.page();
        let started = progress.started();
        let started = started.as_ref();
        if change.is_substantial {
            // What to set if this process doesn't get any further.
            let text = (
                StatusState::Error,
                report::INTERRUPTED.to_owned(),
                page.clone(),
            );
            let status = self.status(index, text, started);
            saved_state.set_status(index, Some(status));
        }
        let text = (StatusState::Pending, progress.description(), page);
        self.board
            .show(index, self.status(index, text, started), change.urgency);
    }

    pub(super) fn on_finished(
        &self,
        index: usize,
        report: &TargetReport<'_>,
        saved_state: &SavedState<'_>,
    ) {
        let (state, description, page) = report::last_status(report);
        let progress = self.progress[index].borrow();
        let page = page.or_else(|| progress.page());
        // What isn't open stays as another step, or another attempt, has left it.
        let started = progress.started().map(|_| report.started());
        let status = self.status(index, (state, description, page), started.as_ref());
        saved_state.set_status(index, Some(status.clone()));
        self.board.show(index, status, Urgency::Now);
    }

    /// `started` is what the status says if it's the target's memory, and that is open.
    fn status(
        &self,
        index: usize,
        (state, description, page): (StatusState, String, Option<String>),
        started: Option<&Started>,
    ) -> CommitStatus {
        let description = self.console.hide(&description);
        let (description, target_url) = match (self.keys[index], started) {
            (Some(key), Some(started)) => (
                key.note(started).added_to(&description),
                match started {
                    Started::Nothing => Some(key.calling_run.url.clone()),
                    Started::Unclear => page,
                    Started::Run { url, .. } => Some(url.clone()),
                },
            ),
            _ => (shortened(&description, 0), page),
        };
        CommitStatus {
            context: self.contexts[index].clone(),
            state,
            description,
            target_url,
        }
    }

    /// Shows the last status of a target, as an earlier process saved it or as it has turned out since.
    pub(super) fn show_last(
        &self,
        index: usize,
        saved: &CommitStatus,
        report: Option<&TargetReport<'_>>,
    ) {
        let status = match report.map(report::last_status) {
            Some((state, description, page)) => {
                let page = page.or_else(|| saved.target_url.clone());
                let is_open = StatusNote::read(&saved.description).is_some();
                let started = report.filter(|_| is_open).map(TargetReport::started);
                self.status(index, (state, description, page), started.as_ref())
            }
            None => saved.clone(),
        };
        self.board.show(index, status, Urgency::Now);
    }

    /// Sets the statuses that are shown while `running` goes on, and for a while afterwards. Warns about those that
    /// couldn't be set.
    pub(super) async fn send_during<T>(
        &self,
        shutdown: &Shutdown,
        running: impl Future<Output = T>,
    ) -> T {
        let running = async {
            let result = running.await;
            self.board.close();
            result
        };
        let (result, ()) = tokio::join!(running, self.send(shutdown));
        self.warn_about_unset();
        result
    }

    async fn send(&self, shutdown: &Shutdown) {
        let trace = |event: Event<'_>| {
            if let Event::Trace(text) = event {
                self.console.debug(text);
            }
        };
        let warn = |failure: Failure| self.warn(report::statuses_refused(&failure));
        match calling_repository::open(&self.options.repository, self.proxies, &trace) {
            Ok(repository) => {
                let commit = &self.options.commit;
                self.board.send(&repository, commit, shutdown, &warn).await;
            }
            Err(error) => {
                self.board.refuse(&error.failure());
                warn(error.failure());
            }
        }
    }

    /// Warns about last statuses that couldn't be set, once for each reason. A reason that concerns all of them was
    /// reported already.
    fn warn_about_unset(&self) {
        let mut reasons: Vec<(Option<Failure>, Vec<&str>)> = Vec::new();
        for (name, delivery) in self.names.iter().zip(self.board.deliveries()) {
            let failure = match delivery {
                Delivery::Done
                | Delivery::Rejected {
                    is_reported: true, ..
                } => continue,
                Delivery::Rejected { failure, .. } => Some(failure),
                Delivery::Unset(failure) => failure,
            };
            let what = failure.as_ref().map(|failure| &failure.what);
            let known = reasons
                .iter_mut()
                .find(|(known, _)| known.as_ref().map(|known| &known.what) == what);
            match known {
                Some((_, names)) => names.push(name),
                None => reasons.push((failure, vec![name])),
            }
        }
        for (failure, names) in reasons {
            self.warn(report::statuses_unset(&names, failure.as_ref()));
        }
    }

    fn warn(&self, (title, text): (String, String)) {
        let text = super::help(self.console).added_to(text);
        self.console.warning(&title, &text);
    }

    /// Forgets the saved statuses that are set, or can't be.
    pub(super) fn forget_settled(&self, saved_state: &SavedState<'_>) {
        for (index, delivery) in self.board.deliveries().enumerate() {
            match delivery {
                Delivery::Done | Delivery::Rejected { .. } => saved_state.set_status(index, None),
                Delivery::Unset(_) => {}
            }
        }
    }
}
