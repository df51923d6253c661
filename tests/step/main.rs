//! The real binary as a process, as the runner would start it, against the sandbox. Every test asserts
//! on what a user would see and on what the world looks like afterwards.

mod agreement;
mod bad_days;
mod bitbucket;
mod calls;
mod certificates;
mod dry_run;
mod finding;
mod fleet;
mod github;
mod gitlab;
mod harness;
mod harvest;
mod hostile;
mod inputs;
mod network;
mod odd_answers;
mod outcomes;
mod place;
mod protocol;
mod proxies;
mod reach;
mod servers;
mod signals;
mod stopping;
mod targets;
mod waiting;
