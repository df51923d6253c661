//! The runner's protocol: workflow commands, masks, output files. The only room that prints.
//!
//! What may be printed, and when, is decided elsewhere; here it is made safe: everything is
//! neutralised, and every known secret is taken out of it.

mod command;
mod file;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::redactor::Redactor;
use crate::model::Secret;
use crate::text::untrusted::cut;

/// Annotations are cut by GitHub above this many characters; so that it is we who cut, a little less.
const MAX_ANNOTATION: usize = 4_000;

/// Redactor shorter than this would garble the log and drop outputs.
const MIN_MASK: usize = 4;

/// How the names of saved texts begin.
const STATE: &str = "target_";

/// Who reads what we print.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// The runner: workflow commands are understood.
    Actions,
    /// A person at a terminal, to whom a mask line would show the secret.
    Person,
}

/// Where everything goes that a user sees.
pub(crate) struct Runner<W: Write> {
    reader: Reader,
    debugging: bool,
    output: Option<PathBuf>,
    summary: Option<PathBuf>,
    state: Option<PathBuf>,
    event: Option<PathBuf>,
    /// What the first process of this step has saved, by number.
    saved: BTreeMap<usize, String>,
    print: RefCell<W>,
    /// Lines that are printed together: each by itself would be a call of the kernel.
    buffered: RefCell<Option<String>>,
    redactor: RefCell<Redactor>,
    /// What the runner masks as well.
    masked: RefCell<HashSet<String>>,
    lost_output: Cell<bool>,
    lost_summary: Cell<bool>,
    lost_state: Cell<bool>,
}

impl<W: Write> Runner<W> {
    /// Reads `GITHUB_ACTIONS`, `RUNNER_DEBUG`, `GITHUB_OUTPUT`, `GITHUB_STEP_SUMMARY`, `GITHUB_STATE` and `STATE_…`.
    pub(crate) fn new(environment: &BTreeMap<String, String>, print: W) -> Self {
        let is = |name: &str, value: &str| environment.get(name).is_some_and(|is| is == value);
        let file = |name: &str| {
            environment
                .get(name)
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
        };
        Self {
            reader: if is("GITHUB_ACTIONS", "true") {
                Reader::Actions
            } else {
                Reader::Person
            },
            debugging: is("RUNNER_DEBUG", "1"),
            output: file("GITHUB_OUTPUT"),
            summary: file("GITHUB_STEP_SUMMARY"),
            state: file("GITHUB_STATE"),
            event: file("GITHUB_EVENT_PATH"),
            saved: saved_states(environment),
            print: RefCell::new(print),
            buffered: RefCell::default(),
            redactor: RefCell::default(),
            masked: RefCell::default(),
            lost_output: Cell::new(false),
            lost_summary: Cell::new(false),
            lost_state: Cell::new(false),
        }
    }

    /// Takes a secret out of everything that is printed or written from now on, and tells the runner
    /// to do the same. Says `false` where no line of it is long enough for that.
    pub(crate) fn mask(&self, secret: &Secret) -> bool {
        let whole = secret.expose();
        let is_long = |text: &&str| text.chars().count() >= MIN_MASK;
        let mut redactor = self.redactor.borrow_mut();
        if is_long(&whole.trim()) {
            redactor.add(whole);
        }
        let mut masked = self.masked.borrow_mut();
        let lines = whole.split(['\r', '\n']).map(str::trim).filter(is_long);
        let mut has_line = false;
        for line in lines {
            has_line = true;
            redactor.add(line);
            // Only lines: of a text of several the runner would mask each one, however short.
            if self.reader == Reader::Actions && masked.insert(line.to_owned()) {
                self.raw(&command::command("add-mask", &[], line));
            }
        }
        has_line
    }

    /// Plain text for the log.
    pub(crate) fn say(&self, text: &str) {
        for line in command::neutral_lines(&self.hide(text)) {
            self.raw(&line);
        }
    }

    /// What is said inside belongs together, folded away under a title; in a terminal below it. Groups do not nest.
    pub(crate) fn fold(&self, title: &str, inside: impl FnOnce()) {
        let title = command::neutral(&self.hide(title));
        self.buffered.replace(Some(String::new()));
        match self.reader {
            Reader::Actions => self.raw(&command::command("group", &[], &title)),
            Reader::Person => self.say(&title),
        }
        inside();
        if self.reader == Reader::Actions {
            self.raw(&command::command("endgroup", &[], ""));
        }
        if let Some(buffered) = self.buffered.take() {
            self.print(&buffered);
        }
    }

    /// Lines of other people's that belong together.
    pub(crate) fn group(&self, title: &str, text: &str) {
        self.fold(title, || {
            for line in self.hide(text).split(['\n', '\r']) {
                // The prefix keeps it from being a command, and its own space at the beginning.
                self.raw(&format!("| {}", command::neutral(line)));
            }
        });
    }

    /// An error annotation; in a terminal a plain line.
    pub(crate) fn error(&self, title: &str, message: &str) {
        self.annotate("error", title, message);
    }

    /// A warning annotation; in a terminal a plain line.
    pub(crate) fn warning(&self, title: &str, message: &str) {
        self.annotate("warning", title, message);
    }

    /// Printed only where the workflow is debugged (`RUNNER_DEBUG=1`).
    pub(crate) fn debug(&self, text: fmt::Arguments<'_>) {
        if !self.debugging {
            return;
        }
        let text = command::neutral(&self.hide(&text.to_string()));
        match self.reader {
            Reader::Actions => self.raw(&command::command("debug", &[], &text)),
            Reader::Person => self.say(&format!("debug: {text}")),
        }
    }

    /// Makes sure that the runner's files can be written, with what the outputs are if nothing follows. What cannot be
    /// written is said: see [`Runner::lost_output`].
    pub(crate) fn open<'a>(&self, outputs: impl IntoIterator<Item = (&'a str, String)>) {
        self.early_outputs(outputs);
        self.summary("");
    }

    /// Sets outputs of the step that are final. Where that cannot be done they are printed. Values are
    /// taken as they are: see [`Runner::hide`].
    pub(crate) fn outputs<'a>(&self, outputs: impl IntoIterator<Item = (&'a str, String)>) {
        let outputs: Vec<_> = outputs.into_iter().collect();
        if !self.write_outputs(&outputs) {
            for (name, value) in outputs {
                self.say(&format!("{name}={value}"));
            }
        }
    }

    /// Sets outputs that will be set again at the end, so that they survive whatever follows.
    pub(crate) fn early_outputs<'a>(&self, outputs: impl IntoIterator<Item = (&'a str, String)>) {
        self.write_outputs(&outputs.into_iter().collect::<Vec<_>>());
    }

    /// Says whether they are written. Once they could not be, they are not written any more: the last entry may have
    /// got no end.
    fn write_outputs(&self, outputs: &[(&str, String)]) -> bool {
        let Some(path) = self.output.as_ref().filter(|_| !self.lost_output.get()) else {
            return false;
        };
        let entries = outputs.iter();
        let entries = entries.map(|(name, value)| file::entry(name, value));
        match append(path, &entries.collect::<String>()) {
            Ok(()) => true,
            Err(error) => {
                self.lost_output.set(true);
                let (title, text) = file::unwritable("GITHUB_OUTPUT", path, &error);
                self.error(&title, &text);
                false
            }
        }
    }

    /// Appends to the job summary, within the runner's limit. The text is taken as it is: see
    /// [`Runner::hide`].
    pub(crate) fn summary(&self, markdown: &str) {
        let Some(path) = self.summary.as_ref().filter(|_| !self.lost_summary.get()) else {
            return;
        };
        let taken =
            fs::metadata(path).map_or(0, |file| usize::try_from(file.len()).unwrap_or(usize::MAX));
        if let Err(error) = append(path, &file::fit(markdown, taken)) {
            self.lost_summary.set(true);
            let (title, text) = file::unwritable("GITHUB_STEP_SUMMARY", path, &error);
            self.warning(&title, &text);
        }
    }

    /// Saves a text under a number for the step's second chance; an empty one takes back what was saved before. There
    /// must be no secret in it.
    pub(crate) fn save_state(&self, number: usize, text: &str) {
        let Some(path) = self.state.as_ref().filter(|_| !self.lost_state.get()) else {
            return;
        };
        if let Err(error) = append(path, &file::entry(&format!("{STATE}{number}"), text)) {
            self.lost_state.set(true);
            let (title, text) = file::unwritable("GITHUB_STATE", path, &error);
            self.warning(&title, &text);
        }
    }

    /// What the first process of this step has saved, by its numbers.
    pub(crate) fn saved_states(&self) -> &BTreeMap<usize, String> {
        &self.saved
    }

    /// Whether everybody can read this workflow's repository, by the event that started it (`GITHUB_EVENT_PATH`). Where
    /// that doesn't say it, it isn't so.
    pub(crate) fn is_public(&self) -> bool {
        #[derive(Deserialize)]
        struct EventPayload {
            repository: EventRepository,
        }
        #[derive(Deserialize)]
        struct EventRepository {
            private: bool,
        }
        let file = self.event.as_ref().and_then(|path| File::open(path).ok());
        let event = file.and_then(|file| serde_json::from_reader(BufReader::new(file)).ok());
        event.is_some_and(|EventPayload { repository }| !repository.private)
    }

    /// Whether an output was lost: a step that cannot tell its results has not succeeded.
    pub(crate) fn lost_output(&self) -> bool {
        self.lost_output.get()
    }

    fn annotate(&self, name: &str, title: &str, message: &str) {
        let message = command::neutral(&self.hide(message));
        let title = command::neutral(&self.hide(title));
        match self.reader {
            Reader::Actions => {
                let message = cut(&message, MAX_ANNOTATION);
                self.raw(&command::command(name, &[("title", &title)], &message));
            }
            Reader::Person => self.say(&format!("{name}: {title}: {message}")),
        }
    }

    /// The text without the secrets in it. What goes into a format with escapes of its own, as JSON or
    /// Markdown, must come by here before it is escaped. It may have been cut and tidied by `untrusted.rs` before.
    pub(crate) fn hide(&self, text: &str) -> String {
        self.redactor.borrow_mut().hide(text)
    }

    fn raw(&self, line: &str) {
        if let Some(buffered) = self.buffered.borrow_mut().as_mut() {
            buffered.push_str(line);
            buffered.push('\n');
            return;
        }
        self.print(&format!("{line}\n"));
    }

    /// Nobody is left to tell where standard output is closed; the pipeline matters more.
    fn print(&self, text: &str) {
        let mut print = self.print.borrow_mut();
        let _ = print
            .write_all(text.as_bytes())
            .and_then(|()| print.flush());
    }
}

/// The one line of a panic. It says nothing of the panic's own message, which may quote a secret.
pub(crate) fn panicked(print: &mut impl Write, place: &str) {
    let text = format!(
        "this is a bug of the action, at {place}; a pipeline may have been started. Please report it with the log"
    );
    let title = [("title", "trigger-pipeline panicked")];
    let _ = writeln!(print, "{}", command::command("error", &title, &text));
}

/// The runner puts what was saved into variables that begin with `STATE_`.
fn saved_states(environment: &BTreeMap<String, String>) -> BTreeMap<usize, String> {
    let saved = environment.iter().filter_map(|(name, text)| {
        let number = name.strip_prefix("STATE_")?.strip_prefix(STATE)?;
        Some((number.parse().ok()?, text.clone()))
    });
    saved.filter(|(_, text)| !text.is_empty()).collect()
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?
        .write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::arbitrary;
    use proptest::prelude::*;

    #[test]
    fn a_panic_is_one_line() {
        let mut printed = Vec::new();
        panicked(&mut printed, "src/run.rs:7:1");
        let printed = String::from_utf8(printed).unwrap();
        assert!(printed.starts_with("::error title=trigger-pipeline panicked::this is a bug of the action, at src/run.rs:7:1"));
        assert_eq!(printed.lines().count(), 1);
    }

    fn runner(print: &mut Vec<u8>) -> Runner<&mut Vec<u8>> {
        let environment = BTreeMap::from([("GITHUB_ACTIONS".to_owned(), "true".to_owned())]);
        Runner::new(&environment, print)
    }

    #[test]
    fn a_secret_is_taken_out_whole_even_where_another_is_part_of_it() {
        let mut printed = Vec::new();
        let runner = runner(&mut printed);
        for secret in ["word", "password\"1\"", "a\nlong-line\nb"] {
            assert!(runner.mask(&Secret::new(secret)));
        }
        for short in ["abc", "", "abc\n{\r\n  }  ", "ä\u{3b1}b"] {
            assert!(!runner.mask(&Secret::new(short)), "{short}");
        }
        runner.say("password\"1\" password\\\"1\\\" word long-line");
        drop(runner);
        let printed = String::from_utf8(printed).unwrap();
        let said = printed.lines().last().unwrap();
        assert_eq!(said, "*** *** *** ***");
        let masks = printed
            .lines()
            .filter_map(|line| line.strip_prefix("::add-mask::"));
        assert_eq!(
            masks.collect::<Vec<_>>(),
            ["word", "password\"1\"", "long-line"]
        );
    }

    #[test]
    fn an_annotation_is_cut_before_github_cuts_it() {
        let mut printed = Vec::new();
        runner(&mut printed).error("long", &"é".repeat(5_000));
        assert!(String::from_utf8(printed).unwrap().chars().count() < 4_096);
    }

    proptest! {
        #[test]
        fn printing_never_panics(
            secrets in prop::collection::vec(arbitrary::text(), 0..4),
            texts in prop::collection::vec(arbitrary::text(), 1..3),
            reader in prop_oneof![Just("true"), Just("")],
        ) {
            let environment = [("GITHUB_ACTIONS", reader), ("RUNNER_DEBUG", "1")];
            let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let mut printed = Vec::new();
            let runner = Runner::new(&environment.into(), &mut printed);
            for secret in &secrets {
                runner.mask(&Secret::new(secret.as_str()));
            }
            let all = [secrets.concat(), texts.concat(), secrets.join("\n")];
            for text in texts.iter().chain(&all) {
                runner.say(text);
                runner.debug(format_args!("{text}"));
                runner.group(text, text);
                runner.error(text, text);
                file::entry("result", &runner.hide(text));
            }
        }

        #[test]
        fn a_summary_never_panics(text in arbitrary::text(), taken in prop_oneof![any::<usize>(), 0..file::MAX_SUMMARY + 9]) {
            file::fit(&text, taken);
        }
    }
}
