//! Writes events to the log. A single target's events are logged at once. With several targets, only urgent events are;
//! all lines of a target are logged as a group when it is finished.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tokio::time::Instant;

use super::commit_statuses::CommitStatuses;
use super::saved_state::SavedState;
use crate::engine::batch::Observer;
use crate::host::Console;
use crate::model::{Event, News, Run, State};
use crate::providers::target::{Request, Target};
use crate::providers::target_report::TargetReport;
use crate::report::{self, Help, Word};

/// Interval of the heartbeat line for several targets, while nothing else is logged.
const HEARTBEAT_INTERVAL: Duration = Duration::from_mins(1);

pub(super) struct ProgressLog<'a> {
    request: &'a Request,
    help: &'a Help,
    console: &'a Console,
    saved_state: SavedState<'a>,
    statuses: Option<&'a CommitStatuses<'a>>,
    /// Lines of each target that are logged when it is finished; unused for a single target.
    buffers: Vec<RefCell<Vec<String>>>,
    start: Instant,
    last_line: Cell<Instant>,
    /// What somebody should act on soon, with the index of the target that it is about, for the summary.
    cautions: RefCell<Vec<(usize, String)>>,
    /// The results of the finished targets.
    finished: RefCell<Vec<Word>>,
    /// Rank of the published target: whether its run is missing, then its index. The smallest wins.
    published_rank: Cell<Option<(bool, usize)>>,
}

impl<'a> ProgressLog<'a> {
    pub(super) fn new(
        request: &'a Request,
        help: &'a Help,
        console: &'a Console,
        statuses: Option<&'a CommitStatuses<'a>>,
    ) -> Self {
        Self {
            request,
            help,
            console,
            saved_state: SavedState::new(request, console),
            statuses,
            buffers: request.targets.iter().map(|_| RefCell::default()).collect(),
            start: Instant::now(),
            last_line: Cell::new(Instant::now()),
            cautions: RefCell::default(),
            finished: RefCell::default(),
            published_rank: Cell::new(None),
        }
    }

    /// Takes out what somebody should act on soon, with the index of the target that it is about.
    pub(super) fn take_cautions(&self) -> Vec<(usize, String)> {
        self.cautions.take()
    }

    pub(super) fn saved_state(&self) -> &SavedState<'a> {
        &self.saved_state
    }

    fn target(&self, index: usize) -> &'a Target {
        &self.request.targets[index]
    }

    fn is_single(&self) -> bool {
        self.buffers.len() == 1
    }

    fn log(&self, text: &str) {
        self.last_line.set(Instant::now());
        self.console.log(text);
    }

    /// Sets outputs at once, so that they survive whatever follows: the first run of the first target that has one.
    fn publish(&self, index: usize, run: Option<&Run>) {
        let rank = (run.is_none(), index);
        if self.published_rank.get().is_some_and(|first| first <= rank) {
            return;
        }
        self.published_rank.set(Some(rank));
        let hide = |text: &str| self.console.hide(text);
        self.console
            .early_outputs(report::early_outputs(self.target(index), run, &hide));
    }

    fn log_now(&self, index: usize, event: &Event<'_>) {
        let target = self.target(index);
        if let Event::Beginning = event {
            self.log(&report::announcement(target, self.request.mode));
        }
        if let Event::Run {
            news: News::Log(log),
            ..
        } = event
        {
            let (title, lines) = report::job_log(target, log);
            self.console.quote(&title, &lines);
        }
        if let Some(line) = report::line(target, event) {
            self.log(&line);
        }
        if let Some(url) = page(target, event) {
            // GitHub's log view turns a URL on a line of its own into a link.
            self.log(url);
        }
    }

    fn buffer(&self, index: usize, event: &Event<'_>) {
        let target = self.target(index);
        let mut buffer = self.buffers[index].borrow_mut();
        if let Event::Beginning = event {
            buffer.push(report::announcement(target, self.request.mode));
        }
        if let Some(line) = report::line(target, event) {
            if is_urgent(event, target) {
                let url = page(target, event).map(|url| format!(" {url}"));
                self.log(&format!("{line}{}", url.unwrap_or_default()));
            }
            buffer.push(line);
        }
        buffer.extend(page(target, event).map(str::to_owned));
    }

    fn log_heartbeat(&self) {
        let finished = self.finished.borrow();
        let done = finished.len();
        let counts = if done == 0 {
            String::new()
        } else {
            format!(" ({})", report::counts(finished.iter().copied()))
        };
        let all = self.buffers.len();
        let elapsed = report::duration(self.start.elapsed());
        self.log(&format!(
            "{done} of {all} targets done{counts} after {elapsed}"
        ));
    }
}

impl Observer for ProgressLog<'_> {
    fn on_event(&self, index: usize, event: &Event<'_>) {
        self.saved_state.on_event(index, event);
        if let Some(statuses) = self.statuses {
            statuses.on_event(index, event, &self.saved_state);
        }
        match event {
            Event::Minted(secret) => {
                self.console.mask(secret);
            }
            Event::Trace(text) => self.console.debug(*text),
            // Before logging anything, because the process may be killed at any time.
            Event::Accepted(run)
            | Event::Found(run)
            | Event::Following(run)
            | Event::Recalled {
                run,
                is_repeated: false,
                ..
            } => self.publish(index, Some(run)),
            Event::AcceptedWithoutRun(_) => self.publish(index, None),
            Event::Caution(what) => {
                let caution = (index, (*what).to_owned());
                self.cautions.borrow_mut().push(caution);
            }
            Event::Beginning
            | Event::Remember(_)
            | Event::DefaultReference(_)
            | Event::Waiting { .. }
            | Event::Sending
            | Event::Fallback(_)
            | Event::Note(_)
            | Event::LookingInto(_)
            | Event::NothingFoundYet { .. }
            | Event::Recalled { .. }
            | Event::Run { .. }
            | Event::WouldSend { .. } => {}
        }
        if self.is_single() {
            self.log_now(index, event);
        } else if is_heartbeat(event) {
            // One heartbeat line for all targets.
            if self.last_line.get().elapsed() >= HEARTBEAT_INTERVAL {
                self.log_heartbeat();
            }
        } else {
            self.buffer(index, event);
        }
        if let Event::Run {
            news: News::RetriedLog(log),
            ..
        } = event
        {
            // Of several targets, too: it isn't kept until the target is finished.
            let (title, lines) = report::job_log(self.target(index), log);
            self.console.quote(&title, &lines);
        }
        if let Some((title, text)) = report::warning(self.target(index), event, self.help) {
            if self.console.warnings() < self.console.host().limits().annotations / 2 {
                self.console.warning(&title, &text);
            } else {
                // The rest of what the host shows is kept for what is known at the end.
                self.log(&format!("warning: {text}"));
            }
        }
    }

    fn on_finished(&self, index: usize, report: &TargetReport<'_>) {
        self.saved_state.on_finished(index, report);
        if let Some(statuses) = self.statuses {
            statuses.on_finished(index, report, &self.saved_state);
        }
        self.finished.borrow_mut().push(report::word(report));
        if self.is_single() {
            return;
        }
        let title = report::target_verdict(report);
        self.last_line.set(Instant::now());
        self.console.group(&title, || {
            for line in self.buffers[index].take() {
                self.console.log(&line);
            }
            for error in report::errors(report, self.help) {
                self.console.log(&error);
            }
        });
        let logs = report.monitored.runs.iter().flat_map(|run| &run.logs);
        for log in logs {
            let (title, lines) = report::job_log(report.target, log);
            self.console.quote(&title, &lines);
        }
    }
}

/// Returns the page of a new run, or of the runs among which it is.
fn page<'e>(target: &Target, event: &'e Event<'_>) -> Option<&'e str> {
    match event {
        Event::Accepted(run)
        | Event::Found(run)
        | Event::Following(run)
        | Event::Recalled { run, .. } => Some(&run.url),
        Event::AcceptedWithoutRun(page) if target.wait.is_none() => Some(page),
        Event::Beginning
        | Event::Remember(_)
        | Event::Minted(_)
        | Event::DefaultReference(_)
        | Event::Waiting { .. }
        | Event::Sending
        | Event::Fallback(_)
        | Event::AcceptedWithoutRun(_)
        | Event::WouldSend { .. }
        | Event::LookingInto(_)
        | Event::NothingFoundYet { .. }
        | Event::Note(_)
        | Event::Caution(_)
        | Event::Run { .. }
        | Event::Trace(_) => None,
    }
}

fn is_heartbeat(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::Run {
            news: News::Heartbeat { .. },
            ..
        }
    )
}

/// Whether an event is logged at once rather than when the target is finished: started runs, reasons for waiting, and
/// anything a person can act on.
fn is_urgent(event: &Event<'_>, target: &Target) -> bool {
    match event {
        // Without `wait`, the target finishes right after this event.
        Event::Accepted(_) | Event::AcceptedWithoutRun(_) => target.wait.is_some(),
        Event::Found(_)
        | Event::Recalled { .. }
        | Event::Following(_)
        | Event::Waiting { .. }
        | Event::LookingInto(_)
        | Event::NothingFoundYet { .. }
        | Event::Run {
            news:
                News::Failing(_)
                | News::Retrying { .. }
                | News::RetryUnclear(_)
                | News::NotRetried(_)
                | News::State {
                    state: State::Blocked,
                    ..
                },
            ..
        } => true,
        Event::Beginning
        | Event::Remember(_)
        | Event::Minted(_)
        | Event::DefaultReference(_)
        | Event::Sending
        | Event::Fallback(_)
        | Event::Note(_)
        | Event::Caution(_)
        | Event::WouldSend { .. }
        | Event::Run { .. }
        | Event::Trace(_) => false,
    }
}
