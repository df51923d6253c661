//! The arguments of the two programs: the sandbox to try by hand, and the demo.

use std::process::{Command, Output};

const DEMO: &str = env!("CARGO_BIN_EXE_demo");
const SANDBOX: &str = env!("CARGO_BIN_EXE_sandbox");

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[test]
fn help_is_printed_and_nothing_is_started() {
    for (program, usage) in [(DEMO, "Usage: cargo demo\n"), (SANDBOX, "Usage: sandbox [")] {
        for argument in ["--help", "-h"] {
            let output = run(program, &[argument]);
            assert_eq!(output.status.code(), Some(0));
            let printed = text(&output.stdout);
            assert!(printed.contains(usage), "{printed}");
            assert!(!printed.contains("127.0.0.1"), "{printed}");
        }
    }
}

#[test]
fn unknown_arguments_are_errors() {
    let output = run(DEMO, &["--fast"]);
    assert_eq!(output.status.code(), Some(1));
    let printed = text(&output.stdout);
    assert!(
        printed.starts_with("`--fast` isn't an argument"),
        "{printed}"
    );

    for (arguments, error) in [
        (&["--fast"][..], "error: unknown argument `--fast`\n\n"),
        (
            &["--port", "x"],
            "error: `--port` must be a port, not `x`\n\n",
        ),
    ] {
        let output = run(SANDBOX, arguments);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(text(&output.stdout), "");
        let printed = text(&output.stderr);
        assert!(printed.starts_with(error), "{printed}");
        assert!(printed.contains("Usage: sandbox ["), "{printed}");
    }
}
