//! Servers that can't be reached.

use sandbox::{Sandbox, demo};

use crate::harness::{Step, sandbox};
use crate::https_steps::untrusted_trigger;

#[test]
fn an_unreachable_server_is_reported_after_five_attempts() {
    let port = Sandbox::reserve_port().unwrap();
    let sandbox = sandbox();
    let done = Step::gitlab(&sandbox)
        .input("server-url", &format!("http://127.0.0.1:{}", port.number()))
        .input("ref", "main")
        .run()
        .fails(&[&format!(
            "127.0.0.1:{} can't be reached: Connection refused",
            port.number()
        )]);
    done.outcome("rejected").says("hint: check `server-url`");
    assert_eq!(done.log.matches("retrying in").count(), 4, "{done}");
}

#[test]
fn a_server_without_tls_is_reported() {
    let sandbox = sandbox();
    let done = untrusted_trigger(&sandbox)
        .input(
            "server-url",
            &format!("https://127.0.0.1:{}", sandbox.http_port()),
        )
        .run()
        .fails(&[
            "hint: check that the server speaks https at this address, and check `server-url`",
        ]);
    done.outcome("rejected");
}

#[test]
fn a_name_without_an_address_is_reported() {
    let sandbox = sandbox();
    let done = Step::gitlab(&sandbox)
        .input("server-url", "https://nowhere.invalid")
        .input("token", demo::GITLAB_DEVELOPER)
        .input("ref", "main")
        .run()
        .fails(&["nowhere.invalid can't be reached: DNS has no address for this name\n"]);
    done.outcome("rejected").says("retrying in 1 s");
}
