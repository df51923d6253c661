//! GitLab's shapes of errors. Not here: which error when. A list as `message` is documented too, but none of
//! these calls gives one; tests that want it prescribe the answer.

use serde_json::{Value, json};

use crate::answer::Answer;

pub(super) struct Failure {
    status: u16,
    body: Value,
}

impl Failure {
    /// `{"message": "…"}`
    pub(super) fn message(status: u16, message: &str) -> Self {
        let body = json!({"message": message});
        Self { status, body }
    }

    /// `{"message": {"base": ["…"]}}`: a pipeline that could not be made.
    pub(super) fn base(status: u16, message: &str) -> Self {
        let body = json!({"message": {"base": [message]}});
        Self { status, body }
    }

    /// `{"error": "…"}`: parameters that do not fit, paths that do not exist.
    pub(super) fn error(status: u16, error: &str) -> Self {
        let body = json!({"error": error});
        Self { status, body }
    }

    pub(super) fn insufficient_scope(needed: &str) -> Self {
        let body = json!({
            "error": "insufficient_scope",
            "error_description": "The request requires higher privileges than provided by the access token.",
            "scope": needed,
        });
        Self { status: 403, body }
    }

    pub(super) fn answer(self) -> Answer {
        Answer::json(self.status, self.body)
    }
}
