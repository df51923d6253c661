//! Command-line arguments: none are accepted, and none are ignored.

use crate::harness::{Step, sandbox};

#[test]
fn any_argument_is_refused_and_nothing_is_sent() {
    for (arguments, name) in [
        (&["--dry-run"][..], "`--dry-run`"),
        (&["--help"], "`--help`"),
        (&["--version"], "`--version`"),
        (&["--token=hunter2-hunter2"], "`--token`"),
        (&["hunter2-hunter2"], "1"),
        (&["-phunter2-hunter2"], "1"),
        (&["--", "--dry-run"], "1"),
        (&[""], "1"),
        // Other mistakes are reported only once this one is fixed.
        (&["--dry-run", "--wait", "hunter2-hunter2"], "`--dry-run`"),
    ] {
        let sandbox = sandbox();
        let step = Step::github(&sandbox)
            .input("event-type", "deploy")
            .input("args", &arguments.join(" "))
            .secret("hunter2-hunter2")
            .arguments(arguments);
        let error = format!(
            "command-line argument {name}: isn't supported. The action takes no arguments\nhint: set inputs instead"
        );
        let done = step.run().fails(&[&error]);
        done.outcome("not-sent").says("1 problem; nothing was sent");
        assert_eq!(done.result()["outcome"], "not-sent", "{done}");
        assert_eq!(sandbox.requests().len(), 0, "{done}");
    }
}
