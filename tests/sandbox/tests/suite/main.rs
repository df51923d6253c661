//! Proves over real sockets that the sandbox is as strict as it says. One file for each provider, and one for what
//! they share.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may fail a test as tests do"
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "bodies are nearly always json! literals"
)]

/// A table of JSON bodies and what they lead to, for one place or for several: a line each, as rustfmt would not have it.
macro_rules! cases {
    ($($body:tt => $expected:expr;)*) => { [$((serde_json::json!($body), $expected)),*] };
    ($($place:tt, $body:tt => $expected:expr;)*) => {
        [$(($place, serde_json::json!($body), $expected)),*]
    };
}

mod attempts;
mod bitbucket;
mod client;
mod faults;
mod github;
mod github_app;
mod github_reading;
mod gitlab;
mod gitlab_access_token;
mod late_runs;
mod proxy;
mod responses;
mod scenarios;
mod sockets;
