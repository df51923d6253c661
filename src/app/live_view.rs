//! In a terminal: what each target is doing, as lines that change in place of repeated ones.

use std::cell::RefCell;
use std::time::Duration;

use chrono::Utc;

use crate::host::Console;
use crate::model::{Event, Job, News, State};
use crate::report;

/// What is shown of each target.
pub(super) struct LiveView<'a> {
    console: &'a Console,
    /// By target index.
    targets: Vec<RefCell<ShownRun>>,
    has_jobs: bool,
}

#[derive(Default)]
struct ShownRun {
    state: Option<State>,
    /// Numbers of ended and of all jobs.
    jobs: (usize, usize),
}

impl<'a> LiveView<'a> {
    /// Returns `None` where such lines can't be drawn.
    pub(super) fn new(targets: usize, console: &'a Console) -> Option<Self> {
        console.is_live().then(|| Self {
            console,
            targets: (0..targets).map(|_| RefCell::default()).collect(),
            // With several targets there would be too many lines.
            has_jobs: targets == 1,
        })
    }

    pub(super) fn on_event(&self, index: usize, name: &str, event: &Event<'_>) {
        if let Event::Accepted(_) | Event::Found(_) | Event::Following(_) = event {
            self.show(index, name);
        }
        let Event::Run { news, .. } = event else {
            return;
        };
        if let News::State { state, .. } = news {
            self.targets[index].borrow_mut().state = Some(*state);
            self.show(index, name);
        }
        if let News::JobsDone { done, all } = news {
            self.targets[index].borrow_mut().jobs = (*done, *all);
            self.show(index, name);
        }
        if let News::Job(job) = news
            && self.has_jobs
        {
            self.on_job(index, job);
        }
        if let News::Ended { .. } = news {
            self.console.remove_live(&job_keys(index));
        }
    }

    fn show(&self, index: usize, name: &str) {
        let shown = self.targets[index].borrow();
        let (done, all) = shown.jobs;
        let what = report::pending_description(shown.state, done, all);
        let text = format!("{name}: {what}");
        self.console
            .show_live(&target_key(index), &text, Duration::ZERO);
    }

    fn on_job(&self, index: usize, job: &Job) {
        let key = format!("{}{}", job_keys(index), job.id);
        if job.state == State::Running {
            let elapsed = job.times.started.map(|started| Utc::now() - started);
            let elapsed = elapsed.and_then(|elapsed| elapsed.to_std().ok());
            let text = format!("  {}", job.name);
            self.console
                .show_live(&key, &text, elapsed.unwrap_or_default());
        } else {
            self.console.remove_live(&key);
        }
    }

    pub(super) fn on_finished(&self, index: usize) {
        self.console.remove_live(&target_key(index));
    }
}

fn target_key(index: usize) -> String {
    format!("{index:08}")
}

/// The beginning of the keys of a target's jobs, which follow the target's own.
fn job_keys(index: usize) -> String {
    format!("{}/", target_key(index))
}
