//! Runs the program anywhere but in an action of GitHub: with flags, or as a job of another CI system.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The program with its arguments and all of its environment, in a folder of its own.
pub(crate) struct Program {
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    directory: TempDir,
    stdin: String,
}

/// What a program that has ended leaves behind.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn new(arguments: &[&str]) -> Self {
        Self {
            arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
            environment: BTreeMap::new(),
            directory: TempDir::new().expect("a temporary directory"),
            stdin: String::new(),
        }
    }

    pub(crate) fn environment(mut self, variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter();
        let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.environment.extend(variables);
        self
    }

    pub(crate) fn stdin(self, text: &str) -> Self {
        Self {
            stdin: text.to_owned(),
            ..self
        }
    }

    /// Writes a file into the folder, and returns its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).expect("a temporary file");
        path.display().to_string()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The folder, as a job's project folder.
    pub(crate) fn folder(&self) -> String {
        self.directory.path().display().to_string()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn start(&self) -> Child {
        let stdin = self.file("stdin", &self.stdin);
        let file = |name| File::create(self.path(name)).expect("a file");
        Command::new(env!("CARGO_BIN_EXE_trigger-pipeline"))
            .env_clear()
            .envs(&self.environment)
            .args(&self.arguments)
            .current_dir(&self.directory)
            .stdin(Stdio::from(File::open(stdin).expect("it was just written")))
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .expect("the binary starts")
    }

    pub(crate) fn until_said(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.read("stdout").contains(text) {
            assert!(
                Instant::now() < deadline,
                "{text:?} was not said:\n{}",
                self.read("stdout")
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn run(&self) -> Ended {
        self.finish(self.start())
    }

    pub(crate) fn finish(&self, mut child: Child) -> Ended {
        let code = child.wait().expect("the binary ends").code();
        let ended = Ended {
            code,
            stdout: self.read("stdout"),
            stderr: self.read("stderr"),
        };
        for line in ended.stdout.lines() {
            assert!(!line.starts_with("::"), "a command of GitHub's: {line}");
        }
        ended
    }
}

impl Ended {
    pub(crate) fn code(self, expected: i32) -> Self {
        assert_eq!(self.code, Some(expected), "{self}");
        self
    }

    /// Checks that the log contains this.
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "{text:?} is missing\n{self}");
        self
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            stdout,
            stderr,
        } = self;
        write!(
            formatter,
            "exit code {code:?}\n--- stdout\n{stdout}--- stderr\n{stderr}"
        )
    }
}
