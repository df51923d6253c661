//! Writes events to the log. A single target's events are logged at once. With several targets, only urgent events are;
//! all lines of a target are logged as a group when it is finished, except for what has just been said.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tokio::time::Instant;

use super::commit_statuses::CommitStatuses;
use super::live_view::LiveView;
use super::saved_state::SavedState;
use crate::engine::batch::Observer;
use crate::host::Console;
use crate::model::{Event, News, Run, State};
use crate::providers::target::{Request, Target};
use crate::providers::target_report::TargetReport;
use crate::report::{self, Help, Note, Word};

/// Interval of the heartbeat line for several targets, while nothing else is logged.
const HEARTBEAT_INTERVAL: Duration = Duration::from_mins(1);

/// Lines that belong together in a target's group.
struct LoggedLines {
    lines: Vec<String>,
    /// The value of `logged` after they were logged at once.
    logged: Option<usize>,
    /// The id of the run that they report the end of.
    ended_run: Option<String>,
}

pub(super) struct ProgressLog<'a> {
    request: &'a Request,
    help: &'a Help,
    console: &'a Console,
    saved_state: SavedState<'a>,
    statuses: Option<&'a CommitStatuses<'a>>,
    live: Option<LiveView<'a>>,
    /// What is logged of each target when it is finished; unused for a single target.
    buffers: Vec<RefCell<Vec<LoggedLines>>>,
    start: Instant,
    last_line: Cell<Instant>,
    /// How much has been logged so far.
    logged: Cell<usize>,
    /// What the summary shows besides the results.
    notes: RefCell<Vec<Note>>,
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
            live: LiveView::new(request.targets.len(), console),
            buffers: request.targets.iter().map(|_| RefCell::default()).collect(),
            start: Instant::now(),
            last_line: Cell::new(Instant::now()),
            logged: Cell::default(),
            notes: RefCell::default(),
            finished: RefCell::default(),
            published_rank: Cell::new(None),
        }
    }

    /// Takes out what the summary shows besides the results.
    pub(super) fn take_notes(&self) -> Vec<Note> {
        self.notes.take()
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
        self.count();
        self.console.log(text);
    }

    /// Records that something is logged.
    fn count(&self) {
        self.last_line.set(Instant::now());
        self.logged.set(self.logged.get() + 1);
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
        let mut lines = Vec::new();
        if let Event::Beginning = event {
            lines.push(report::announcement(target, self.request.mode));
        }
        let line = report::line(target, event);
        let url = page(target, event).map(str::to_owned);
        let mut logged = None;
        if let Some(line) = line.as_ref().filter(|_| is_urgent(event, target)) {
            let url = url.as_ref().map(|url| format!(" {url}"));
            self.log(&format!("{line}{}", url.unwrap_or_default()));
            logged = Some(self.logged.get());
        }
        lines.extend(line.into_iter().chain(url));
        self.buffers[index].borrow_mut().push(LoggedLines {
            lines,
            logged,
            ended_run: ended_run(event).map(str::to_owned),
        });
    }

    /// Takes out the lines of a target's group, without those that stand right above it, in its title, or below them as
    /// an error.
    fn take_lines(&self, index: usize, report: &TargetReport<'_>) -> Vec<String> {
        let mut entries = self.buffers[index].take();
        let mut above = self.logged.get();
        for entry in entries.iter_mut().rev() {
            if entry.logged == Some(above) {
                entry.lines.clear();
                above -= 1;
            }
        }
        let monitored = &report.monitored;
        let ends_elsewhere = |id: &str| {
            let mut failed = monitored.counted().filter(|run| !report.run_passes(run));
            monitored.runs.len() == 1 || failed.any(|run| run.run.id == id)
        };
        entries.retain(|entry| !entry.ended_run.as_deref().is_some_and(ends_elsewhere));
        entries.into_iter().flat_map(|entry| entry.lines).collect()
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
            | Event::Caution(_)
            | Event::WouldSend { .. } => {}
        }
        let note = Note::of(self.target(index), event);
        self.notes.borrow_mut().extend(note);
        if let Some(live) = &self.live {
            live.on_event(index, &self.target(index).name, event);
        }
        if self.live.is_some() && is_heartbeat(event) {
            // The lines that change show it.
        } else if self.is_single() {
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
            self.count();
            self.console.quote(&title, &lines);
        }
        if let Some((title, text)) = report::warning(self.target(index), event, self.help) {
            if self.console.warnings() < self.console.host().limits().annotations / 2 {
                self.count();
                self.console.warning(&title, &text);
            } else {
                // The rest of what the host shows is kept for what is known at the end.
                self.log(&format!("warning: {text}"));
            }
        }
    }

    fn on_finished(&self, index: usize, report: &TargetReport<'_>) {
        self.saved_state.on_finished(index, report);
        if let Some(live) = &self.live {
            live.on_finished(index);
        }
        if let Some(statuses) = self.statuses {
            statuses.on_finished(index, report, &self.saved_state);
        }
        self.finished.borrow_mut().push(report::word(report));
        if self.is_single() {
            return;
        }
        let lines = self.take_lines(index, report);
        if report.was_left_out() {
            // One annotation says that of all such targets.
            return;
        }
        let title = report::target_verdict(report);
        let errors = report::errors_below(&title, report, self.help);
        self.count();
        self.console.group(&title, || {
            for line in lines.iter().chain(&errors) {
                self.console.log(line);
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

/// Returns the id of the run whose end an event reports.
fn ended_run<'e>(event: &'e Event<'_>) -> Option<&'e str> {
    if let Event::Run {
        run,
        news: News::Ended { .. },
    } = event
    {
        Some(&run.id)
    } else {
        None
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
