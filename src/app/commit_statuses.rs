//! Shows each target as a commit status: puts the statuses on the board that sends them, saves the last ones, and warns
//! about those that can't be set.

mod progress;

use std::cell::RefCell;
use std::sync::Arc;

use super::saved_state::SavedState;
use crate::engine::shutdown::Shutdown;
use crate::engine::status_board::{Delivery, StatusBoard, Urgency};
use crate::host::Console;
use crate::model::{Caller, CommitStatus, Event, Failure, StatusState};
use crate::providers::calling_repository;
use crate::providers::http::proxies::Proxies;
use crate::providers::target::{Request, StatusOptions};
use crate::providers::target_report::TargetReport;
use crate::report;
use crate::text::untrusted::cut;
use progress::Progress;

/// Longest description that GitHub accepts is 140 characters; the mark of a cut takes three.
const MAX_DESCRIPTION: usize = 137;

/// The commit statuses of a step.
pub(super) struct CommitStatuses<'a> {
    options: &'a StatusOptions,
    proxies: &'a Arc<Proxies>,
    console: &'a Console,
    board: StatusBoard,
    /// By target index, as is all that follows.
    names: Vec<&'a str>,
    contexts: Vec<String>,
    progress: Vec<RefCell<Progress>>,
}

impl<'a> CommitStatuses<'a> {
    /// Returns `None` if the step sets no statuses.
    pub(super) fn new(request: &'a Request, caller: &Caller, console: &'a Console) -> Option<Self> {
        let options = request.statuses.as_ref()?;
        let hide = |text: &str| console.hide(text);
        let page = caller.run.as_ref().map(|run| run.url.clone());
        let progress = || RefCell::new(Progress::new(page.clone()));
        let targets = request.targets.iter();
        Some(Self {
            options,
            proxies: &request.proxies,
            console,
            board: StatusBoard::new(request.targets.len()),
            names: targets.clone().map(|target| target.name.as_str()).collect(),
            contexts: report::contexts(request, options, &hide),
            progress: targets.map(|_| progress()).collect(),
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
        if change.is_of_page {
            // What to set if this process doesn't get any further.
            let page = page.clone();
            let status = self.status(index, StatusState::Error, report::INTERRUPTED, page);
            saved_state.set_status(index, Some(status));
        }
        let description = progress.description();
        let status = self.status(index, StatusState::Pending, &description, page);
        self.board.show(index, status, change.urgency);
    }

    pub(super) fn on_finished(
        &self,
        index: usize,
        report: &TargetReport<'_>,
        saved_state: &SavedState<'_>,
    ) {
        let (state, description, page) = report::last_status(report);
        let page = page.or_else(|| self.progress[index].borrow().page());
        let status = self.status(index, state, &description, page);
        saved_state.set_status(index, Some(status.clone()));
        self.board.show(index, status, Urgency::Now);
    }

    fn status(
        &self,
        index: usize,
        state: StatusState,
        description: &str,
        target_url: Option<String>,
    ) -> CommitStatus {
        CommitStatus {
            context: self.contexts[index].clone(),
            state,
            description: cut(&self.console.hide(description), MAX_DESCRIPTION),
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
                self.status(index, state, &description, page)
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
