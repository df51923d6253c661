//! Tests of the sandbox over real sockets: as strict as the real APIs. Each provider has its own files; the others test
//! shared parts.

#![expect(clippy::unwrap_used, reason = "test helpers may panic, as tests do")]
#![expect(
    clippy::needless_pass_by_value,
    reason = "bodies are nearly always json! literals"
)]

/// A table of JSON bodies and expected results, optionally with a target each. A macro keeps each case on one line.
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
mod github_statuses;
mod gitlab;
mod gitlab_access_token;
mod gitlab_names;
mod gitlab_retries;
mod late_runs;
mod programs;
mod proxy;
mod responses;
mod scenarios;
mod sockets;
