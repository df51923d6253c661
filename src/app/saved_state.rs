//! What the runner keeps for the step's second chance (`GITHUB_STATE`): of each target what isn't known to be over,
//! written as soon as it is known, since this process may be killed at any time.

use std::cell::RefCell;
use std::io::Write;

use crate::engine::batch::TargetReport;
use crate::engine::unfinished::Unfinished;
use crate::host::github_actions::Runner;
use crate::model::Event;
use crate::providers::target::Request;

pub(super) struct SavedState<'a, W: Write> {
    request: &'a Request,
    runner: &'a Runner<W>,
    /// By the targets' places in the request.
    entries: Vec<RefCell<Option<Unfinished>>>,
}

impl<'a, W: Write> SavedState<'a, W> {
    pub(super) fn new(request: &'a Request, runner: &'a Runner<W>) -> Self {
        Self {
            request,
            runner,
            entries: request.targets.iter().map(|_| RefCell::default()).collect(),
        }
    }

    pub(super) fn on_event(&self, index: usize, event: &Event<'_>) {
        let mut entry = self.entries[index].borrow_mut();
        match (event, entry.as_mut()) {
            (Event::Sending, None) => {
                *entry = Unfinished::new(&self.request.targets[index]);
                if entry.is_none() {
                    return;
                }
            }
            (Event::Accepted(run), Some(unfinished)) => {
                unfinished.add(run);
                unfinished.is_complete = true;
            }
            (Event::Found(run), Some(unfinished)) => unfinished.add(run),
            _ => return,
        }
        self.save(index, entry.as_ref());
    }

    pub(super) fn on_finished(&self, index: usize, report: &TargetReport<'_>) {
        let mut entry = self.entries[index].borrow_mut();
        if let Some(unfinished) = entry.take() {
            *entry = unfinished.left_by(report);
            self.save(index, entry.as_ref());
        }
    }

    fn save(&self, index: usize, unfinished: Option<&Unfinished>) {
        let text = unfinished.map(|unfinished| {
            serde_json::to_string(unfinished)
                .unwrap_or_else(|error| unreachable!("plain data is JSON: {error}"))
        });
        self.runner.save_state(index, &text.unwrap_or_default());
    }
}

/// What the first process of this step has saved, by the targets' places in the request.
pub(super) fn unfinished<W: Write>(runner: &Runner<W>) -> Vec<(usize, Unfinished)> {
    let saved = runner.saved_states().iter();
    // It was written by the same binary.
    let read = saved.filter_map(|(index, text)| Some((*index, serde_json::from_str(text).ok()?)));
    read.collect()
}
