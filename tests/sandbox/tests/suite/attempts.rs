//! Re-runs on GitHub: each attempt can be read separately, and a cancel affects only the current one.

use std::time::Duration;

use sandbox::world::{Conclusion, Scenario, State};
use sandbox::{Provider, World, demo};

use crate::client::request;
use crate::scenarios::{GITHUB, SECOND, read, start, trigger};

#[test]
fn a_cancel_ends_the_current_attempt_and_no_earlier_one() {
    let scenario = Scenario::passing(10 * SECOND);
    let world = World::demo()
        .faster(1_000)
        .scenario(Provider::GitHub, scenario);
    let sandbox = start(world);
    let id = trigger(&sandbox, Provider::GitHub);
    std::thread::sleep(Duration::from_millis(20));
    sandbox.with_world(|world| world.run_again(id));

    let path = format!("{GITHUB}/runs/{id}");
    let cancel = request(&sandbox, "POST", &format!("{path}/cancel"));
    assert_eq!(cancel.bearer(demo::GITHUB_CLASSIC).send().status, 202);

    let current = read(&sandbox, &path);
    assert_eq!(current["run_attempt"], 2);
    assert_eq!(current["conclusion"], "cancelled");
    let first = read(&sandbox, &format!("{path}/attempts/1"));
    assert_eq!(first["run_attempt"], 1);
    assert_eq!(first["conclusion"], "success");

    let run = &sandbox.runs()[0];
    assert!(run.cancelled && !run.first_attempt().cancelled);
    assert_eq!(run.state, State::Completed);
    assert_eq!(run.first_attempt().conclusion, Some(Conclusion::Success));
}
