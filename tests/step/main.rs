//! The real binary as a process, as the runner would start it, against the sandbox. Every test asserts
//! on what a user would see and on what the world looks like afterwards.

mod agreement;
mod bitbucket;
mod dry_run;
mod github;
mod gitlab;
mod harness;
mod inputs;
mod network;
mod outcomes;
mod place;
mod protocol;
mod signals;
