//! GitHub, GitLab and Bitbucket, and what they have in common.

mod any;
mod bitbucket;
mod connections;
mod error;
mod github;
mod gitlab;
pub(crate) mod http;
mod quota;
mod reading;
mod types;
mod wire;

pub(crate) use any::AnyProvider;
pub(crate) use connections::{Connection, connections};
pub(crate) use error::{Error, Kind};
pub(crate) use quota::{Idempotency, Quota};
pub(crate) use types::{
    Candidate, Claim, Depth, MAX_RESULT, PollIntervals, RequestForm, Secrets, TriggerRequest,
};
