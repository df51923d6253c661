//! The only code that prints, on every host. It removes secrets from everything the step prints or writes, neutralises
//! workflow commands, shortens annotations, and applies the host's formatting.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use super::live::LiveLines;
use super::redactor::Redactor;
use super::{Host, Severity, Unwritable, files, neutral};
use crate::model::Secret;
use crate::text::untrusted::cut;

/// Minimum length of a masked secret, in characters: masking shorter ones would garble the log and drop outputs.
const MIN_SECRET_LENGTH: usize = 4;

/// Prints and writes everything that a user sees.
pub(crate) struct Console {
    host: Box<dyn Host>,
    writer: RefCell<Box<dyn Write>>,
    results: Results,
    live: Option<LiveLines>,
    /// Lines of an open group, written together to save a system call per line.
    buffer: RefCell<Option<String>>,
    redactor: RefCell<Redactor>,
    /// Lines that the host has been asked to mask.
    masked: RefCell<HashSet<String>>,
    /// Number of errors and warnings so far.
    errors: Cell<usize>,
    warnings: Cell<usize>,
    lost_output: Cell<bool>,
    lost_summary: Cell<bool>,
    lost_state: Cell<bool>,
}

impl Console {
    pub(crate) fn new(host: Box<dyn Host>, writer: impl Write + 'static) -> Self {
        Self {
            results: Results {
                file: host.results_file(),
                writer: None,
            },
            live: None,
            host,
            writer: RefCell::new(Box::new(writer)),
            buffer: RefCell::default(),
            redactor: RefCell::default(),
            masked: RefCell::default(),
            errors: Cell::default(),
            warnings: Cell::default(),
            lost_output: Cell::default(),
            lost_summary: Cell::default(),
            lost_state: Cell::default(),
        }
    }

    /// Also writes the output `results` to this file, and at the end prints it to this writer.
    pub(crate) fn with_results(
        mut self,
        file: Option<PathBuf>,
        writer: Option<Box<dyn Write>>,
    ) -> Self {
        self.results.file = file.or(self.results.file);
        self.results.writer = writer.map(RefCell::new);
        self
    }

    /// Draws lines that change, if the host can show them.
    pub(crate) fn with_live_lines(mut self, on_standard_error: bool) -> Self {
        self.live = self
            .host
            .is_live()
            .then(|| LiveLines::new(on_standard_error));
        self
    }

    /// Whether lines that change are drawn.
    pub(crate) fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Shows a line that changes, or changes it: see [`LiveLines::show`].
    pub(crate) fn show_live(&self, key: &str, text: &str, elapsed: Duration) {
        if let Some(live) = &self.live {
            live.show(key, self.safe(text), elapsed);
        }
    }

    /// Removes the lines whose keys begin with this.
    pub(crate) fn remove_live(&self, key: &str) {
        if let Some(live) = &self.live {
            live.remove(key);
        }
    }

    pub(crate) fn host(&self) -> &dyn Host {
        &*self.host
    }

    /// Hides a secret in everything printed or written from now on, and has the host mask it too. Returns `false` if
    /// none of its lines is long enough.
    pub(crate) fn mask(&self, secret: &Secret) -> bool {
        let whole = secret.expose();
        let is_long_enough = |text: &&str| text.chars().count() >= MIN_SECRET_LENGTH;
        let mut redactor = self.redactor.borrow_mut();
        let mut masked = self.masked.borrow_mut();
        // A thousand targets may have the same secret.
        if is_long_enough(&whole.trim()) && !masked.contains(whole) {
            redactor.add(whole);
        }
        let lines = whole
            .split(['\r', '\n'])
            .map(str::trim)
            .filter(is_long_enough);
        let mut is_masked = false;
        for line in lines {
            is_masked = true;
            if !masked.insert(line.to_owned()) {
                continue;
            }
            redactor.add(line);
            // Line by line: given several lines at once, a host may mask each of them, however short.
            if let Some(mask) = self.host.mask(line) {
                self.print(&mask);
            }
        }
        is_masked
    }

    /// Returns the text with secrets replaced. Text for a format with escapes, such as JSON or Markdown, must be passed
    /// through this before it's escaped. `untrusted.rs` may have cut and tidied it before.
    pub(crate) fn hide(&self, text: &str) -> String {
        self.redactor.borrow_mut().hide(text)
    }

    /// Prints plain text to the log.
    pub(crate) fn log(&self, text: &str) {
        let text = neutral::text(&self.hide(text));
        self.print(&self.host.line(text));
    }

    /// Runs `inside` and prints everything it logs as one group. Groups don't nest.
    pub(crate) fn group(&self, title: &str, inside: impl FnOnce()) {
        let (opening, closing) = self.host.group(&self.safe(title));
        self.buffer.replace(Some(String::new()));
        self.print(&opening);
        inside();
        if let Some(closing) = closing {
            self.print(&closing);
        }
        if let Some(buffer) = self.buffer.take() {
            self.write(&buffer);
        }
    }

    /// Prints text from elsewhere, such as a job's log, as a group.
    pub(crate) fn quote(&self, title: &str, text: &str) {
        self.group(title, || {
            for line in self.hide(text).split(['\n', '\r']) {
                // The prefix stops the line from being a command, and preserves its leading spaces.
                self.print(&format!("| {}", neutral::neutral(line)));
            }
        });
    }

    pub(crate) fn error(&self, title: &str, message: &str) {
        self.annotate(Severity::Error, title, message);
    }

    pub(crate) fn warning(&self, title: &str, message: &str) {
        self.annotate(Severity::Warning, title, message);
    }

    /// Number of errors so far.
    pub(crate) fn errors(&self) -> usize {
        self.errors.get()
    }

    /// Number of warnings so far.
    pub(crate) fn warnings(&self) -> usize {
        self.warnings.get()
    }

    /// Prints a debug message, if the user asked for them.
    pub(crate) fn debug(&self, message: fmt::Arguments<'_>) {
        if self.host.is_debug() {
            let message = self.safe(&message.to_string());
            self.print(&self.host.debug(&message));
        }
    }

    /// Reports a panic. The panic's own message isn't shown because it may quote a secret.
    pub(crate) fn panicked(&self, location: &str) {
        let message = format!(
            "trigger-pipeline panicked at {location}. This is a bug; a pipeline may have been started. Please report it with the log"
        );
        self.error("trigger-pipeline panicked", &message);
    }

    /// Checks that outputs and summary can be written, by setting the outputs that stand if nothing follows. Reports it
    /// if they can't: see [`Console::lost_output`].
    pub(crate) fn open<'a>(&self, outputs: impl IntoIterator<Item = (&'a str, String)>) {
        self.early_outputs(outputs);
        self.summary("");
    }

    /// Sets the final outputs of the step, or prints them if the host can't store them. Secrets in the values must be
    /// hidden already: see [`Console::hide`].
    pub(crate) fn outputs<'a>(&self, outputs: impl IntoIterator<Item = (&'a str, String)>) {
        let outputs: Vec<_> = outputs.into_iter().collect();
        let is_set = self.set_outputs(&outputs);
        if let Some(writer) = &self.results.writer {
            let results = results(&outputs).unwrap_or_default();
            // As for the log: if standard output is closed, that can't be reported.
            let _ = writeln!(writer.borrow_mut(), "{results}");
        } else if !is_set {
            for (name, value) in outputs {
                self.log(&format!("{name}={value}"));
            }
        }
    }

    /// Sets outputs that are set again at the end, so that they survive if the step is killed before that.
    pub(crate) fn early_outputs<'a>(&self, outputs: impl IntoIterator<Item = (&'a str, String)>) {
        self.set_outputs(&outputs.into_iter().collect::<Vec<_>>());
    }

    /// Returns whether the outputs are set. After a failure, no more are set: the last entry may be incomplete.
    fn set_outputs(&self, outputs: &[(&str, String)]) -> bool {
        if self.lost_output.get() {
            return false;
        }
        let written = match results(outputs).zip(self.results.file.as_deref()) {
            Some((results, file)) => files::write(file, &format!("{results}\n")),
            None => Ok(()),
        };
        let set = written.and_then(|()| self.host.set_outputs(outputs));
        set.unwrap_or_else(|unwritable| {
            self.lose(&self.lost_output, Severity::Error, &unwritable);
            false
        })
    }

    /// Appends to the summary. Secrets in the text must be hidden already: see [`Console::hide`].
    pub(crate) fn summary(&self, markdown: &str) {
        if !self.lost_summary.get()
            && let Err(unwritable) = self.host.append_summary(markdown)
        {
            self.lose(&self.lost_summary, Severity::Warning, &unwritable);
        }
    }

    /// Saves a string under a number for the step's second chance. An empty one deletes the earlier value. The string
    /// must not contain a secret.
    pub(crate) fn save_state(&self, number: usize, text: &str) {
        if !self.lost_state.get()
            && let Err(unwritable) = self.host.save_state(number, text)
        {
            self.lose(&self.lost_state, Severity::Warning, &unwritable);
        }
    }

    /// Whether an output was lost, in which case the step fails.
    pub(crate) fn lost_output(&self) -> bool {
        self.lost_output.get()
    }

    fn lose(&self, lost: &Cell<bool>, severity: Severity, unwritable: &Unwritable) {
        lost.set(true);
        self.annotate(severity, &unwritable.title, &unwritable.message);
    }

    fn annotate(&self, severity: Severity, title: &str, message: &str) {
        let count = match severity {
            Severity::Error => &self.errors,
            Severity::Warning => &self.warnings,
        };
        count.update(|count| count + 1);
        let (title, message) = (self.safe(title), self.safe(message));
        let message = cut(&message, self.host.limits().annotation);
        self.print(&self.host.annotation(severity, &title, &message));
    }

    /// Returns text that is ready for the host to format.
    fn safe(&self, text: &str) -> String {
        neutral::neutral(&self.hide(text))
    }

    fn print(&self, lines: &str) {
        if let Some(buffer) = self.buffer.borrow_mut().as_mut() {
            buffer.push_str(lines);
            buffer.push('\n');
            return;
        }
        self.write(&format!("{lines}\n"));
    }

    /// Ignores errors: if standard output is closed, they can't be reported, and the pipeline matters more.
    fn write(&self, text: &str) {
        let write = || {
            let mut writer = self.writer.borrow_mut();
            let _ = writer
                .write_all(text.as_bytes())
                .and_then(|()| writer.flush());
        };
        match &self.live {
            Some(live) => live.suspend(write),
            None => write(),
        }
    }
}

/// Where the output `results` goes besides the host's outputs.
struct Results {
    file: Option<PathBuf>,
    writer: Option<RefCell<Box<dyn Write>>>,
}

fn results<'a>(outputs: &'a [(&str, String)]) -> Option<&'a str> {
    let results = outputs.iter().find(|(name, _)| *name == "results");
    results.map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::host;
    use crate::testing::{Printed, arbitrary};
    use proptest::prelude::*;

    #[test]
    fn a_secret_that_contains_another_is_hidden_completely() {
        let printed = Printed::default();
        let console = Console::new(host::detect(&BTreeMap::new(), false), printed.clone());
        for secret in ["word", "password\"1\"", "a\nlong-line\nb"] {
            assert!(console.mask(&Secret::new(secret)));
        }
        for short in ["abc", "", "abc\n{\r\n  }  ", "ä\u{3b1}b"] {
            assert!(!console.mask(&Secret::new(short)), "{short}");
        }
        console.log("password\"1\" password\\\"1\\\" word long-line");
        assert_eq!(printed.text(), "*** *** *** ***\n");
    }

    proptest! {
        #[test]
        fn printing_never_panics(
            secrets in prop::collection::vec(arbitrary::text(), 0..4),
            texts in prop::collection::vec(arbitrary::text(), 1..3),
            actions in prop_oneof![Just("true"), Just("")],
        ) {
            let environment = [("GITHUB_ACTIONS", actions), ("RUNNER_DEBUG", "1")];
            let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let console = Console::new(host::detect(&environment.into(), false), Printed::default());
            for secret in &secrets {
                console.mask(&Secret::new(secret.as_str()));
            }
            let all = [secrets.concat(), texts.concat(), secrets.join("\n")];
            for text in texts.iter().chain(&all) {
                console.log(text);
                console.debug(format_args!("{text}"));
                console.quote(text, text);
                console.error(text, text);
            }
        }
    }
}
