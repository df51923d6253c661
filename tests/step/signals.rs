//! SIGINT and SIGTERM: the program ends in order and quickly, and reports what may have been started.

use std::process::Child;
use std::time::{Duration, Instant};

use sandbox::{Fault, Moment, Occasion, Route, Sandbox};

use crate::calls::{PROVIDERS, in_parallel, signal, trigger};
use crate::harness::{Step, sandbox};

/// Waits until the sandbox has received this many requests.
fn until_requests(sandbox: &Sandbox, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while sandbox.requests().len() < count {
        assert!(Instant::now() < deadline, "no request came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn hanging(moment: Moment, seconds: u64) -> Sandbox {
    let sandbox = sandbox();
    let delay = Fault::Delay(moment, Duration::from_secs(seconds));
    sandbox.fault(Route::triggers(), Occasion::Every, delay);
    sandbox
}

#[test]
fn a_trigger_in_flight_gets_four_seconds_before_it_is_unknown() {
    for name in ["INT", "TERM"] {
        let sandbox = hanging(Moment::AfterActing, 20);
        let step = Step::gitlab(&sandbox).input("ref", "main");
        let child = step.start();
        until_requests(&sandbox, 1);
        let signalled = Instant::now();
        signal(&child, name);
        let done = step
            .finish(child)
            .fails(&["the step was stopped before the trigger was answered"]);
        assert!(signalled.elapsed() < Duration::from_secs(7));
        assert!(signalled.elapsed() > Duration::from_millis(3_900));
        done.outcome("unknown").says("check whether it is running");
        assert_eq!(sandbox.trigger_requests().len(), 1);
    }
}

#[test]
fn a_response_within_four_seconds_still_counts() {
    let sandbox = hanging(Moment::AfterActing, 3);
    let step = Step::gitlab(&sandbox).input("ref", "main");
    let child = step.start();
    until_requests(&sandbox, 1);
    signal(&child, "TERM");
    let done = step.finish(child).passes();
    done.outcome("accepted");
    assert_eq!(done.outputs["run-id"], sandbox.runs()[0].id.to_string());
}

#[test]
fn a_second_signal_stops_the_step_immediately() {
    let sandbox = hanging(Moment::AfterActing, 20);
    let step = Step::gitlab(&sandbox).input("ref", "main");
    let child = step.start();
    until_requests(&sandbox, 1);
    signal(&child, "INT");
    std::thread::sleep(Duration::from_millis(300));
    let signalled = Instant::now();
    signal(&child, "INT");
    let done = step
        .finish(child)
        .fails(&["the step was stopped before the trigger was answered"]);
    assert!(signalled.elapsed() < Duration::from_millis(1500));
    done.outcome("unknown");
}

#[test]
fn nothing_is_sent_after_a_signal() {
    in_parallel(PROVIDERS.to_vec(), |provider| {
        // While it reads the default branch.
        let sandbox = sandbox();
        let delay = Fault::Delay(Moment::BeforeActing, Duration::from_secs(20));
        sandbox.fault(Route::any().method("GET"), Occasion::Every, delay);
        let step = trigger(provider, &sandbox).input("ref", "");
        let child = step.start();
        until_requests(&sandbox, 1);
        stop_before_the_trigger(&step, child);
        assert_eq!(sandbox.trigger_requests().len(), 0);

        // While it waits for a rate limit to pass.
        sandbox.clear_faults();
        sandbox.fault(
            Route::triggers(),
            Occasion::Every,
            Fault::gitlab_limit(Some(100)),
        );
        let step = trigger(provider, &sandbox);
        let child = step.start();
        step.until_said("retrying in 100 s");
        stop_before_the_trigger(&step, child);
        assert_eq!(sandbox.trigger_requests().len(), 1);
        assert_eq!(sandbox.runs().len(), 0);
    });
}

fn stop_before_the_trigger(step: &Step, child: Child) {
    signal(&child, "TERM");
    step.finish(child)
        .fails(&["not triggered because the step was stopped before that; nothing was started"])
        .outcome("not-sent");
}
