//! GitHub, GitLab and Bitbucket, and the code that they share.

pub(crate) mod added;
pub(crate) mod any;
pub(crate) mod bitbucket;
pub(crate) mod calling_repository;
pub(crate) mod common_inputs;
mod connections;
mod error;
pub(crate) mod github;
pub(crate) mod gitlab;
pub(crate) mod http;
pub(crate) mod location;
#[cfg(test)]
pub(crate) mod memory;
mod pages;
pub(crate) mod provider;
mod quota;
mod reading;
pub(crate) mod reference;
pub(crate) mod status_note;
pub(crate) mod target;
pub(crate) mod target_report;
pub(crate) mod variable;
mod wire;

pub(crate) use any::AnyProvider;
pub(crate) use connections::{Connection, connections};
pub(crate) use error::{Error, ErrorKind};
pub(crate) use provider::{
    Candidate, Claim, Depth, EarlierRuns, MAX_RESULT, PollIntervals, RequestForm, Secrets,
};
pub(crate) use quota::{Idempotency, Quota};
