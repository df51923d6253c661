//! Saves, for the step's second chance, what each target may have left running, and a commit status that may not be
//! set. State is saved as soon as it changes, because this process may be killed at any time.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};

use crate::engine::unfinished::Unfinished;
use crate::host::Console;
use crate::model::{CommitStatus, Event, News};
use crate::providers::target::Request;
use crate::providers::target_report::TargetReport;

pub(super) struct SavedState<'a> {
    request: &'a Request,
    console: &'a Console,
    /// By target index.
    entries: Vec<RefCell<TargetState>>,
}

#[derive(Default)]
struct TargetState {
    unfinished: Option<Unfinished>,
    status: Option<CommitStatus>,
}

/// What is saved of a target. Contains no secrets.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedTarget {
    /// The target's display name. The second process compares it with the request.
    pub(super) target: String,
    pub(super) unfinished: Option<Unfinished>,
    /// The status to set unless more is known by then.
    pub(super) status: Option<CommitStatus>,
}

impl<'a> SavedState<'a> {
    pub(super) fn new(request: &'a Request, console: &'a Console) -> Self {
        Self {
            request,
            console,
            entries: request.targets.iter().map(|_| RefCell::default()).collect(),
        }
    }

    pub(super) fn on_event(&self, index: usize, event: &Event<'_>) {
        let mut entry = self.entries[index].borrow_mut();
        let target = &self.request.targets[index];
        match (event, entry.unfinished.as_mut()) {
            (Event::Beginning, None) => entry.unfinished = Unfinished::following(target),
            (Event::Sending, None) => entry.unfinished = Unfinished::new(target),
            (Event::Accepted(run), Some(unfinished)) => {
                unfinished.add(run);
                unfinished.is_complete = true;
            }
            (
                Event::Recalled {
                    run,
                    is_repeated: false,
                    ..
                },
                _,
            ) => {
                let known = entry.unfinished.take();
                entry.unfinished = known.or_else(|| Unfinished::new(target));
                let Some(unfinished) = entry.unfinished.as_mut() else {
                    return;
                };
                unfinished.add(run);
                unfinished.is_complete = true;
            }
            (
                Event::Found(run)
                | Event::Run {
                    news: News::NextAttempt(run),
                    ..
                }
                // No such attempt has begun.
                | Event::Run {
                    run,
                    news: News::NotRetried(_),
                },
                Some(unfinished),
            ) => unfinished.add(run),
            _ => return,
        }
        if entry.unfinished.is_some() {
            self.save(index, &entry);
        }
    }

    pub(super) fn on_finished(&self, index: usize, report: &TargetReport<'_>) {
        let mut entry = self.entries[index].borrow_mut();
        if let Some(unfinished) = entry.unfinished.take() {
            entry.unfinished = unfinished.remaining_after(report);
            self.save(index, &entry);
        }
    }

    /// Saves the status that a target has if this process doesn't set another one.
    pub(super) fn set_status(&self, index: usize, status: Option<CommitStatus>) {
        let mut entry = self.entries[index].borrow_mut();
        if entry.status != status {
            entry.status = status;
            self.save(index, &entry);
        }
    }

    fn save(&self, index: usize, entry: &TargetState) {
        let is_empty = entry.unfinished.is_none() && entry.status.is_none();
        let saved = SavedTarget {
            target: self.request.targets[index].to_string(),
            unfinished: entry.unfinished.clone(),
            status: entry.status.clone(),
        };
        let text = if is_empty {
            String::new()
        } else {
            serde_json::to_string(&saved)
                .unwrap_or_else(|error| unreachable!("plain data is JSON: {error}"))
        };
        self.console.save_state(index, &text);
    }
}

/// Reads what the step's first process saved, with the indexes of the targets.
pub(super) fn load(console: &Console) -> Vec<(usize, SavedTarget)> {
    let saved = console.host().saved_state().into_iter();
    // Written by the same binary, so no entry is expected to fail to parse.
    let read = saved.filter_map(|(index, text)| Some((index, serde_json::from_str(&text).ok()?)));
    read.collect()
}
