//! Saves, for the step's second chance, what each target may have left running. State is saved as soon as it changes,
//! because this process may be killed at any time.

use std::cell::RefCell;

use crate::engine::unfinished::Unfinished;
use crate::host::Console;
use crate::model::{Event, News};
use crate::providers::target::Request;
use crate::providers::target_report::TargetReport;

pub(super) struct SavedState<'a> {
    request: &'a Request,
    console: &'a Console,
    /// By target index.
    entries: Vec<RefCell<Option<Unfinished>>>,
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
        match (event, entry.as_mut()) {
            (Event::Beginning, None) => *entry = Unfinished::following(target),
            (Event::Sending, None) => *entry = Unfinished::new(target),
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
                let unfinished = entry.take();
                *entry = unfinished.or_else(|| Unfinished::new(&self.request.targets[index]));
                let Some(unfinished) = entry.as_mut() else {
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
        if entry.is_some() {
            self.save(index, entry.as_ref());
        }
    }

    pub(super) fn on_finished(&self, index: usize, report: &TargetReport<'_>) {
        let mut entry = self.entries[index].borrow_mut();
        if let Some(unfinished) = entry.take() {
            *entry = unfinished.remaining_after(report);
            self.save(index, entry.as_ref());
        }
    }

    fn save(&self, index: usize, unfinished: Option<&Unfinished>) {
        let text = unfinished.map(|unfinished| {
            serde_json::to_string(unfinished)
                .unwrap_or_else(|error| unreachable!("plain data is JSON: {error}"))
        });
        self.console.save_state(index, &text.unwrap_or_default());
    }
}

/// Reads the entries that the step's first process saved, with their target indexes.
pub(super) fn load(console: &Console) -> Vec<(usize, Unfinished)> {
    let saved = console.host().saved_state().into_iter();
    // Written by the same binary, so no entry is expected to fail to parse.
    let read = saved.filter_map(|(index, text)| Some((index, serde_json::from_str(&text).ok()?)));
    read.collect()
}
