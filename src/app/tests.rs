//! Runs a whole step on a test host, which shows that implementing [`Host`] is all that a host takes.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use sandbox::world::Scenario;
use sandbox::{Provider, Sandbox, World, demo};

use super::*;
use crate::host::{Host, Limits, Severity, Unwritable};
use crate::model::GivenInputs;
use crate::testing::Printed;

type Calls = Rc<RefCell<Vec<String>>>;

/// A host that records its calls.
struct TestHost {
    inputs: BTreeMap<String, String>,
    calls: Calls,
}

impl TestHost {
    fn call(&self, call: String) {
        self.calls.borrow_mut().push(call);
    }
}

impl Host for TestHost {
    fn inputs(&self, _declared: &[&str]) -> GivenInputs {
        self.inputs.clone().into()
    }

    fn how_to_set_inputs(&self) -> &'static str {
        "use the test's own list"
    }

    fn limits(&self) -> Limits {
        Limits {
            annotation: 60,
            annotations: 10,
            results: 2_000,
            summary: 10_000,
        }
    }

    fn annotation(&self, severity: Severity, title: &str, message: &str) -> String {
        format!("<{severity:?} {title}> {message}")
    }

    fn group(&self, title: &str) -> (String, Option<String>) {
        (format!("<{title}>"), Some("</>".to_owned()))
    }

    fn mask(&self, line: &str) -> Option<String> {
        Some(format!("<mask {}>", line.len()))
    }

    fn set_outputs(&self, outputs: &[(&str, String)]) -> Result<bool, Unwritable> {
        for (name, value) in outputs {
            self.call(format!("{name}={value}"));
        }
        Ok(true)
    }

    fn append_summary(&self, markdown: &str) -> Result<(), Unwritable> {
        self.call(format!("summary: {markdown}"));
        Ok(())
    }

    fn save_state(&self, number: usize, text: &str) -> Result<(), Unwritable> {
        self.call(format!("state {number}: {text}"));
        Ok(())
    }
}

/// Runs a step. Returns its verdict, the printed text, and the calls to its host.
async fn run_on_test_host(
    inputs: &[(&str, &str)],
    flags: Checked<BTreeMap<String, String>>,
) -> (Verdict, String, Vec<String>) {
    let inputs = inputs.iter();
    let inputs = inputs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let (calls, printed) = (Calls::default(), Printed::default());
    let host = TestHost {
        inputs: inputs.collect(),
        calls: Rc::clone(&calls),
    };
    let console = Console::new(Box::new(host), printed.clone());
    let (_handle, shutdown) = Shutdown::manual();
    let verdict = run(&BTreeMap::new(), flags, &console, &shutdown).await;
    (verdict, printed.text(), calls.take())
}

fn position(calls: &[String], call: &str) -> usize {
    let found = calls.iter().position(|of| of.starts_with(call));
    found.unwrap_or_else(|| panic!("{call} is not among {calls:#?}"))
}

#[tokio::test]
async fn a_step_runs_on_any_host() {
    let world = World::demo().scenario(Provider::GitLab, Scenario::failing(Duration::from_secs(1)));
    let sandbox = Sandbox::start(world).unwrap();
    let (verdict, printed, calls) = run_on_test_host(
        &[
            ("provider", "gitlab"),
            ("server-url", &sandbox.http_url()),
            ("repository", "octo-group/tools/deployer"),
            ("ref", "main"),
            ("token", demo::GITLAB_DEVELOPER),
            ("wait", "true"),
        ],
        Ok(BTreeMap::new()),
    )
    .await;
    assert_eq!(verdict, Verdict::Failed, "{printed}");
    let id = sandbox.runs()[0].id;

    assert!(printed.starts_with("<mask "), "{printed}");
    assert!(printed.contains("</>\n"), "the failed job's log: {printed}");
    let error = printed.lines().find(|line| line.starts_with("<Error "));
    let error = error.unwrap_or_else(|| panic!("there is no error: {printed}"));
    assert!(error.contains("[…]"), "it is cut: {error}");
    assert!(!printed.contains("::"), "nothing of GitHub's: {printed}");

    // Early outputs, which survive a killed process, come first; the final ones replace them.
    let order = [
        "outcome=unknown",
        "summary: ",
        "state 0: {",
        "outcome=accepted",
        &format!("run-id={id}"),
    ];
    let order: Vec<_> = order.iter().map(|call| position(&calls, call)).collect();
    assert!(order.is_sorted(), "{calls:#?}");
    for last in ["conclusion=failure", "state 0: "] {
        assert!(calls.iter().any(|call| call == last), "{calls:#?}");
    }
    let summary = calls.last().unwrap();
    assert!(
        summary.starts_with("summary: ### ✗ <code>octo-group/tools/deployer</code> failed\n"),
        "{summary}"
    );
    assert!(!calls.concat().contains(demo::GITLAB_DEVELOPER));
}

#[tokio::test]
async fn invalid_flags_are_reported_like_invalid_inputs() {
    let error =
        InputError::for_argument("`--wait`", "isn't supported. The action takes no arguments");
    let (verdict, printed, calls) = run_on_test_host(&[], error.fail()).await;
    assert_eq!(verdict, Verdict::InvalidInput);
    assert_eq!(
        printed,
        "<Error Invalid command-line argument> command-line argument `--wait`: isn't supported. The action […]\n✗ 1 problem; nothing was sent\n"
    );
    assert!(calls.contains(&"outcome=not-sent".to_owned()), "{calls:#?}");
}
