//! Lines at the bottom of a terminal that change while the log goes on above them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often elapsed times are drawn anew.
const TICK_INTERVAL: Duration = Duration::from_millis(200);

/// The lines, by the keys that they were shown with, and drawn in the order of the keys.
pub(crate) struct LiveLines {
    all: MultiProgress,
    lines: RefCell<BTreeMap<String, ProgressBar>>,
}

impl LiveLines {
    /// Draws where the log is printed: to standard error or to standard output.
    pub(super) fn new(on_standard_error: bool) -> Self {
        let target = if on_standard_error {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::stdout()
        };
        Self {
            all: MultiProgress::with_draw_target(target),
            lines: RefCell::default(),
        }
    }

    /// Shows a line, or changes it. Its time counts on from `elapsed`, which only counts when the line is new.
    pub(super) fn show(&self, key: &str, text: String, elapsed: Duration) {
        let mut lines = self.lines.borrow_mut();
        if let Some(line) = lines.get(key) {
            line.set_message(text);
            return;
        }
        let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed_precise}");
        let line = ProgressBar::new_spinner().with_elapsed(elapsed);
        if let Ok(style) = style {
            line.set_style(style);
        }
        let before = lines.range(..key.to_owned()).next_back();
        let line = match before {
            Some((_, before)) => self.all.insert_after(before, line),
            None => self.all.insert(0, line),
        };
        line.set_message(text);
        line.enable_steady_tick(TICK_INTERVAL);
        lines.insert(key.to_owned(), line);
    }

    /// Removes the line with this key, and those whose keys begin with it.
    pub(super) fn remove(&self, key: &str) {
        self.lines.borrow_mut().retain(|known, line| {
            let is_removed = known.starts_with(key);
            if is_removed {
                line.finish_and_clear();
            }
            !is_removed
        });
    }

    /// Lets `print` write above the lines.
    pub(super) fn suspend(&self, print: impl FnOnce()) {
        self.all.suspend(print);
    }
}
