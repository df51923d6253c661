//! Triggers pipelines and monitors what they start. Knows no provider and no host.

pub(crate) mod batch;
mod cancel;
mod concurrency;
mod context;
mod find;
mod member;
pub(crate) mod monitor;
mod poll_failures;
mod poll_interval;
mod recall;
mod request_limits;
mod retry;
pub(crate) mod second_chance;
pub(crate) mod shutdown;
pub(crate) mod siblings;
pub(crate) mod status_board;
pub(crate) mod status_memory;
#[cfg(test)]
mod tests;
pub(crate) mod trigger;
pub(crate) mod unfinished;
pub(crate) mod wait;
