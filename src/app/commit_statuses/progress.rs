//! What a target's pending status shows, by the events so far.

use crate::engine::status_board::Urgency;
use crate::model::{Event, News, Run, Started, State};
use crate::report;

/// What a target's status shows so far.
pub(super) struct StatusProgress {
    /// The page of the calling run, until the target's own is known.
    page: Option<String>,
    is_run_known: bool,
    is_triggered: bool,
    runs: Vec<RunProgress>,
    /// Whether the status is the target's memory. Then none is shown before that says that nothing was started.
    is_memory: bool,
    /// What the memory says. `None` if it isn't open, or if there is none.
    started: Option<Started>,
    /// The last change.
    shown: Option<ShownStatus>,
}

/// What a status shows.
#[derive(PartialEq, Eq)]
struct ShownStatus {
    description: String,
    page: Option<String>,
    started: Option<Started>,
}

struct RunProgress {
    id: String,
    state: Option<State>,
    done: usize,
    all: usize,
}

/// What an event changes.
pub(super) struct Change {
    pub(super) urgency: Urgency,
    /// Whether more than the description changes, or the status is the first one.
    pub(super) is_substantial: bool,
}

impl StatusProgress {
    pub(super) fn new(page: Option<String>, is_memory: bool) -> Self {
        Self {
            page,
            is_memory,
            started: None,
            is_run_known: false,
            is_triggered: false,
            runs: Vec::new(),
            shown: None,
        }
    }

    /// Returns what an event changes, if it does.
    pub(super) fn record(&mut self, event: &Event<'_>) -> Option<Change> {
        let urgency = self.apply(event)?;
        let now = ShownStatus {
            description: self.description(),
            page: self.page(),
            started: self.started(),
        };
        let is_substantial = match &self.shown {
            Some(shown) if *shown == now => return None,
            Some(shown) => (&shown.page, &shown.started) != (&now.page, &now.started),
            None => true,
        };
        self.shown = Some(now);
        Some(Change {
            urgency,
            is_substantial,
        })
    }

    /// Returns how soon to show what an event may change.
    fn apply(&mut self, event: &Event<'_>) -> Option<Urgency> {
        match event {
            Event::Beginning => (!self.is_memory).then_some(Urgency::Now),
            Event::Remember(started) => {
                self.started = Some((*started).clone());
                Some(Urgency::Now)
            }
            Event::Accepted(run)
            | Event::Found(run)
            | Event::Following(run)
            | Event::Recalled {
                run,
                is_repeated: false,
                ..
            } => {
                self.is_triggered = true;
                self.add_to_memory(run);
                if !self.is_run_known {
                    self.is_run_known = true;
                    self.page = Some(run.url.clone());
                }
                self.run(run);
                Some(Urgency::Now)
            }
            Event::AcceptedWithoutRun(page) => {
                self.is_triggered = true;
                self.page = Some((*page).to_owned());
                Some(Urgency::Now)
            }
            Event::Run { run, news } => {
                let run = self.run(run);
                match news {
                    News::State { state, .. } => run.state = Some(*state),
                    News::JobsDone { done, all } => (run.done, run.all) = (*done, *all),
                    News::Job(_)
                    | News::LongTurn
                    | News::Failing(_)
                    | News::Readable
                    | News::Heartbeat { .. }
                    | News::Cancelling
                    | News::Ended { .. }
                    | News::Log(_)
                    | News::LogsWithheld
                    | News::MoreLogs(_)
                    | News::JobsUnreadable
                    | News::SomeJobs(_)
                    | News::Retrying { .. }
                    | News::NextAttempt(_)
                    | News::RetryUnclear(_)
                    | News::NotRetried(_)
                    | News::RetriedLog(_) => return None,
                }
                Some(Urgency::Progress)
            }
            Event::Minted(_)
            | Event::DefaultReference(_)
            | Event::Waiting { .. }
            | Event::Sending
            | Event::Fallback(_)
            | Event::Note(_)
            | Event::Caution(_)
            | Event::WouldSend { .. }
            | Event::LookingInto(_)
            | Event::NothingFoundYet { .. }
            | Event::Recalled { .. }
            | Event::Trace(_) => None,
        }
    }

    fn add_to_memory(&mut self, run: &Run) {
        match &self.started {
            None | Some(Started::Run { .. }) => {}
            Some(Started::Nothing | Started::Unclear) => self.started = Some(Started::run(run)),
        }
    }

    fn run(&mut self, run: &Run) -> &mut RunProgress {
        let known = self.runs.iter().position(|known| known.id == run.id);
        let index = known.unwrap_or(self.runs.len());
        if known.is_none() {
            self.runs.push(RunProgress {
                id: run.id.clone(),
                state: None,
                done: 0,
                all: 0,
            });
        }
        &mut self.runs[index]
    }

    pub(super) fn page(&self) -> Option<String> {
        self.page.clone()
    }

    /// What the memory says, if it's open.
    pub(super) fn started(&self) -> Option<Started> {
        self.started.clone()
    }

    pub(super) fn description(&self) -> String {
        if !self.is_triggered {
            return report::STARTING.to_owned();
        }
        let has = |wanted| self.runs.iter().any(|run| run.state == Some(wanted));
        // What needs a person is worth knowing first.
        let states = [State::Blocked, State::Running, State::Queued];
        let state = states.into_iter().find(|state| has(*state));
        let done = self.runs.iter().map(|run| run.done).sum();
        let all = self.runs.iter().map(|run| run.all).sum();
        report::pending_description(state, done, all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FIRST_ATTEMPT, MatchedBy};

    fn run(id: &str) -> Run {
        Run {
            id: id.to_owned(),
            number: None,
            url: format!("https://github.example/runs/{id}"),
            matched_by: MatchedBy::Marker,
            workflow: None,
            attempt: FIRST_ATTEMPT,
            started_by_attempt: None,
        }
    }

    #[test]
    fn each_change_of_a_target_is_shown_once() {
        let mut progress =
            StatusProgress::new(Some("https://github.example/calling".to_owned()), false);
        let (first, second) = (run("1"), run("2"));
        let state = |state| News::State {
            state,
            blocked_on: None,
        };
        let of = |run, news| Event::Run { run, news };
        let steps = [
            (Event::Beginning, Some("starting")),
            (Event::Sending, None),
            (
                Event::AcceptedWithoutRun("https://github.example/runs"),
                Some("triggered"),
            ),
            (Event::Found(&first), Some("triggered")),
            (of(&first, state(State::Queued)), Some("queued")),
            (Event::Found(&second), None),
            (of(&second, state(State::Running)), Some("running")),
            (
                of(&first, News::JobsDone { done: 1, all: 3 }),
                Some("running; 1 of 3 jobs done"),
            ),
            (of(&first, News::JobsDone { done: 1, all: 3 }), None),
            (
                of(&second, News::JobsDone { done: 2, all: 2 }),
                Some("running; 3 of 5 jobs done"),
            ),
            (
                of(&first, state(State::Blocked)),
                Some("waiting for a person; 3 of 5 jobs done"),
            ),
            (of(&first, News::Readable), None),
        ];
        let mut pages = Vec::new();
        for (event, expected) in steps {
            let change = progress.record(&event);
            assert_eq!(change.is_some(), expected.is_some());
            if let (Some(change), Some(expected)) = (change, expected) {
                assert_eq!(progress.description(), expected);
                pages.extend(progress.page().filter(|_| change.is_substantial));
            }
        }
        let expected = ["calling", "runs", "runs/1"];
        assert_eq!(
            pages,
            expected.map(|page| format!("https://github.example/{page}"))
        );
    }

    #[test]
    fn a_memory_says_what_may_have_been_started() {
        let mut progress = StatusProgress::new(None, true);
        assert!(progress.record(&Event::Beginning).is_none());
        assert_eq!(progress.started(), None);
        let certain = run("1");
        let timed = Run {
            matched_by: MatchedBy::Timing,
            ..run("2")
        };
        let known = Started::Run {
            url: certain.url.clone(),
            by_attempt: None,
        };
        for (event, expected) in [
            (Event::Remember(&Started::Nothing), Started::Nothing),
            (Event::Remember(&Started::Unclear), Started::Unclear),
            (
                Event::AcceptedWithoutRun("https://github.example/runs"),
                Started::Unclear,
            ),
            (Event::Found(&timed), Started::Unclear),
            (Event::Found(&certain), known.clone()),
            (Event::Found(&timed), known),
        ] {
            progress.record(&event);
            assert_eq!(progress.started(), Some(expected));
        }
    }
}
