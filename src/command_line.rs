//! The command line: each input is a flag of the same name. Arguments in, the inputs that they set out; nothing is
//! printed here.

mod values;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, StyledStr};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};
use clap_complete::Shell;

use crate::text::nearest::nearest;
use crate::values::{Checked, Declared, Errors, INPUTS, InputError, Secrecy};
use values::ValueReader;

const NAME: &str = env!("CARGO_PKG_NAME");

const ABOUT: &str = "Triggers a pipeline on GitHub, GitLab or Bitbucket, at most once. With --wait, it waits for the run, and passes or fails with it.";

const AFTER_HELP: &str = "\
Credentials are never flags, because other users of the machine could read them. They are taken from GH_TOKEN, \
GITHUB_TOKEN, GITLAB_TOKEN or BITBUCKET_TOKEN, from INPUT_TOKEN and the like, or from files.
Every flag can also be set as a variable: INPUT_EVENT_TYPE for --event-type. Flags win.

Exit codes:
  0  triggered, and with --wait passed
  1  the run failed or was cancelled
  2  wrong input; nothing was sent
  3  the trigger was rejected or not sent
  4  it's unknown whether the trigger was accepted; a run may have started
  5  the wait timed out, or the run was lost
  130, 143  stopped by a signal";

/// Inputs without flags: `GITHUB_TOKEN`, which only the action is given, and what needs it.
const ONLY_IN_THE_ACTION: [&str; 3] = ["github-token", "status", "status-commit"];

/// Inputs that are `true` if their flag has no value. Some take another value.
const SWITCHES: [(&str, &[&str]); 3] = [
    ("wait", &["true", "false", "start"]),
    ("fail-fast", &["true", "false"]),
    ("dry-run", &["true", "false"]),
];

/// Inputs whose values may be long. `@FILE` and `-` read them from a file and from standard input.
const LONG: [&str; 6] = [
    "client-payload",
    "inputs",
    "variables",
    "ca-certificates",
    "follow",
    "targets",
];

const INPUT: &str = "input";
const VARIABLE: &str = "variable";
const SECRET_VARIABLE: &str = "secret-variable";
const JSON: &str = "json";
/// The flag that keeps the log off standard output.
pub(crate) const JSON_FLAG: &str = "--json";
const RESULTS_FILE: &str = "results-file";
const COMPLETIONS: &str = "completions";

/// What the arguments ask for.
pub(crate) enum Parsed {
    /// Print this, and do nothing else.
    Print(String),
    Run {
        options: Options,
        /// The inputs that are set, by name.
        inputs: Checked<BTreeMap<String, String>>,
    },
}

/// How to report, apart from what the host does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Print only the output `results` to standard output, and the log to standard error.
    pub(crate) json: bool,
    /// Also write the output `results` to this file.
    pub(crate) results_file: Option<PathBuf>,
}

/// Parses the arguments without the program's name. Reads the files that they name, standard input for `-`, and
/// `environment` for `--secret-variable`.
pub(crate) fn parse(arguments: &[String], environment: &BTreeMap<String, String>) -> Parsed {
    let all = [NAME]
        .into_iter()
        .chain(arguments.iter().map(String::as_str));
    match command().try_get_matches_from(all) {
        Ok(matches) => match matches.get_one::<Shell>(COMPLETIONS) {
            Some(shell) => Parsed::Print(completions(*shell)),
            None => Parsed::Run {
                options: Options {
                    json: matches.get_flag(JSON),
                    results_file: matches.get_one(RESULTS_FILE).cloned(),
                },
                inputs: inputs(&matches, environment),
            },
        },
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            ) =>
        {
            Parsed::Print(error.to_string())
        }
        Err(error) => Parsed::Run {
            options: Options {
                json: arguments.iter().any(|argument| argument == JSON_FLAG),
                results_file: None,
            },
            inputs: Err(vec![explained(&error)]),
        },
    }
}

/// The error for arguments where inputs are the only way to set anything. Ignoring one such as `--dry-run` would start
/// an unwanted run.
pub(crate) fn refused(first: &str, how_to_set_inputs: &str) -> InputError {
    let flag = first.split('=').next().unwrap_or_default();
    // Anything except the name of a flag may be a secret.
    let name = if is_flag(flag) {
        format!("`{flag}`")
    } else {
        "1".to_owned()
    };
    InputError::for_argument(&name, "isn't supported. The action takes no arguments")
        .hint(how_to_set_inputs)
}

fn is_flag(text: &str) -> bool {
    let name = text.strip_prefix("--").unwrap_or_default();
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), NAME, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

fn command() -> Command {
    let flags = with_flags().flat_map(flags);
    Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(AFTER_HELP)
        .args(flags)
        .arg(
            Arg::new(INPUT)
                .long(INPUT)
                .value_name("NAME=VALUE")
                .action(ArgAction::Append)
                .conflicts_with("inputs")
                .help("One of the inputs of a GitHub workflow or GitLab pipeline. Repeatable"),
        )
        .arg(
            Arg::new(VARIABLE)
                .long(VARIABLE)
                .value_name("NAME=VALUE")
                .action(ArgAction::Append)
                .conflicts_with("variables")
                .help("A pipeline variable of GitLab or Bitbucket. Repeatable"),
        )
        .arg(
            Arg::new(SECRET_VARIABLE)
                .long(SECRET_VARIABLE)
                .value_name("NAME")
                .action(ArgAction::Append)
                .conflicts_with("secret-variables-file")
                .help("A secret pipeline variable, with the value that the environment variable NAME has here. Repeatable"),
        )
        .arg(
            Arg::new(JSON)
                .long(JSON)
                .action(ArgAction::SetTrue)
                .help("Print only the results to standard output, as JSON, and the log to standard error"),
        )
        .arg(
            path_flag(RESULTS_FILE)
                .help("Also write the results to this file, as JSON"),
        )
        .arg(
            Arg::new(COMPLETIONS)
                .long(COMPLETIONS)
                .value_name("SHELL")
                .value_parser(clap::value_parser!(Shell))
                .exclusive(true)
                .help("Print the completion script of a shell"),
        )
}

/// Returns the inputs that have flags.
fn with_flags() -> impl Iterator<Item = &'static Declared> {
    INPUTS
        .iter()
        .filter(|input| !ONLY_IN_THE_ACTION.contains(&input.name))
}

/// Returns the flags for an input. The flag that a secret doesn't have is known, too, so that it can be explained.
fn flags(input: &Declared) -> Vec<Arg> {
    let flag = Arg::new(input.name)
        .long(input.name)
        .help(input.description);
    if input.secrecy != Secrecy::Nothing {
        let file = file_flag(input.name);
        let help = format!(
            "Read `{}` from this file. {}",
            input.name, input.description
        );
        return vec![
            path_flag(file).help(StyledStr::from(help)),
            flag.num_args(0..=1).hide(true),
        ];
    }
    if let Some((_, values)) = SWITCHES.iter().find(|(name, _)| *name == input.name) {
        let values = PossibleValuesParser::new(*values);
        return vec![
            flag.num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .value_parser(values),
        ];
    }
    if LONG.contains(&input.name) {
        return vec![
            // A YAML list begins with a dash.
            flag.value_name("VALUE|@FILE|-")
                .value_hint(ValueHint::FilePath)
                .allow_hyphen_values(true),
        ];
    }
    vec![flag.value_name("VALUE")]
}

fn path_flag(name: impl Into<String>) -> Arg {
    let name = name.into();
    Arg::new(name.clone())
        .long(name)
        .value_name("FILE")
        .value_hint(ValueHint::FilePath)
        .value_parser(clap::value_parser!(PathBuf))
}

/// Returns the flag that reads a secret from a file.
fn file_flag(input: &str) -> String {
    format!("{input}-file")
}

/// Returns the inputs that the flags set, or every problem with their values.
fn inputs(
    matches: &ArgMatches,
    environment: &BTreeMap<String, String>,
) -> Checked<BTreeMap<String, String>> {
    let mut errors = Errors::default();
    let mut reader = ValueReader::default();
    let mut inputs = BTreeMap::new();
    for input in with_flags() {
        let value = if input.secrecy == Secrecy::Nothing {
            let value = matches.get_one::<String>(input.name);
            value.map(|value| {
                if LONG.contains(&input.name) {
                    reader.long_value(input.name, value)
                } else {
                    Ok(value.clone())
                }
            })
        } else if matches.contains_id(input.name) {
            errors.add([never_a_flag(input.name)]);
            None
        } else {
            let flag = file_flag(input.name);
            let path = matches.get_one::<PathBuf>(&flag);
            path.map(|path| values::file(&flag, path))
        };
        if let Some(value) = value.and_then(|value| errors.take(value)) {
            inputs.insert(input.name.to_owned(), value);
        }
    }
    let all = |name| {
        matches
            .get_many::<String>(name)
            .into_iter()
            .flatten()
            .map(String::as_str)
    };
    for (name, mapping) in [
        ("inputs", values::typed_mapping(INPUT, all(INPUT))),
        ("variables", values::mapping(VARIABLE, all(VARIABLE))),
        (
            "secret-variables",
            values::from_environment(SECRET_VARIABLE, all(SECRET_VARIABLE), environment),
        ),
    ] {
        if let Some(mapping) = errors.take(mapping).flatten() {
            inputs.insert(name.to_owned(), mapping);
        }
    }
    errors.finish(|| Some(inputs))
}

fn never_a_flag(input: &str) -> InputError {
    let what = "is a secret, and other users of this machine can read the arguments of a program";
    InputError::for_argument(&format!("`--{input}`"), what).hint(format!(
        "use `--{}`, or a variable: see `--help`",
        file_flag(input)
    ))
}

/// Explains arguments that can't be parsed. An argument that isn't a flag isn't quoted: it may be a secret.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "clap has more kinds of errors than this command line can cause"
)]
fn explained(error: &clap::Error) -> InputError {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    // `--flag <VALUE>` is the flag with its placeholder.
    let argument = text(ContextKind::InvalidArg).unwrap_or_default();
    let flag = argument.split([' ', '=', '[']).next().unwrap_or_default();
    let is_flag = is_flag(flag);
    let name = if is_flag {
        format!("`{flag}`")
    } else {
        "(not shown)".to_owned()
    };
    let about = |what: &str| InputError::for_argument(&name, what);
    match error.kind() {
        ErrorKind::UnknownArgument if is_flag => {
            let command = command();
            let known: Vec<_> = command.get_arguments().filter_map(Arg::get_long).collect();
            let near = nearest(flag.trim_start_matches('-'), known.into_iter());
            let hint = near.map_or_else(
                || "see `--help` for all flags".to_owned(),
                |near| format!("did you mean `--{near}`?"),
            );
            about("isn't a flag of this program").hint(hint)
        }
        ErrorKind::UnknownArgument => about("isn't a flag. All values follow a flag")
            .hint("see `--help`, and quote values with spaces"),
        ErrorKind::ArgumentConflict => match text(ContextKind::PriorArg) {
            Some(other) => {
                let other = other
                    .split([' ', '=', '['])
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                if other == flag {
                    about("is set more than once").hint("set it once")
                } else {
                    about(&format!("can't be combined with `{other}`")).hint("use one of the two")
                }
            }
            None => about("can't be combined with other flags").hint("use no other"),
        },
        ErrorKind::InvalidValue
            if text(ContextKind::InvalidValue).is_none_or(|value| value.is_empty()) =>
        {
            about("has no value").hint("write the value after it")
        }
        ErrorKind::NoEquals => about("has no value").hint("write the value after `=`"),
        ErrorKind::InvalidValue => {
            let valid = match error.get(ContextKind::ValidValue) {
                Some(ContextValue::Strings(valid)) => valid.join("`, `"),
                _ => String::new(),
            };
            about(&format!("must be one of `{valid}`"))
        }
        _ => about("can't be parsed").hint("see `--help`"),
    }
}
