//! Explains why an App can't get a token, and what to do about it.

use ::http::StatusCode;

use super::client::AppClient;
use crate::providers::error::Error;
use crate::providers::github::explain::settings_name;
use crate::providers::github::permissions::without_cancel;
use crate::providers::http::request::below;

impl AppClient<'_> {
    pub(super) fn installation_failure(&self, error: Error) -> Error {
        let Some(response) = error.response() else {
            return error;
        };
        let unknown_app = response
            .error_message()
            .is_some_and(|message| message.contains("Integration not found"));
        match response.status {
            StatusCode::UNAUTHORIZED => error.with_reason(
                "GitHub does not take the App's key",
                "check that `client-id` and `private-key` are of the same App, and that the runner's clock is right",
            ),
            StatusCode::NOT_FOUND if unknown_app => error.with_reason(
                format!("there is no App {}", self.app.client_id),
                "check `client-id`: it stands in the App's settings; an App of another server is unknown here",
            ),
            StatusCode::NOT_FOUND => {
                self.not_installed(error, &[&self.location.repository])
            }
            _ => error,
        }
    }

    pub(super) fn lacks_permission(&self, error: Error) -> Error {
        let permissions = self.scope.permissions.iter();
        let needed: Vec<_> = permissions
            .map(|(name, level)| format!("\"{}: {level}\"", settings_name(name)))
            .collect();
        let hint = format!(
            "give the App the repository permissions it needs here ({}), and accept them in its installation{}",
            needed.join(", "),
            without_cancel(self.scope.permissions)
        );
        error.with_reason("the App lacks a permission there", hint)
    }

    pub(super) fn not_installed(&self, error: Error, repositories: &[&str]) -> Error {
        let web = &self.location.server.web;
        let owner = self
            .location
            .repository
            .split('/')
            .next()
            .unwrap_or_default();
        let page = below(web, ["organizations", owner, "settings", "installations"]);
        let own_page = below(web, ["settings", "installations"]);
        error.with_reason(
            format!(
                "the App {} is not installed on {}, or there is no such repository",
                self.app.client_id,
                repositories.join(", ")
            ),
            format!(
                "check the repository's name, and install the App on it: {page}, or for a user's repositories {own_page}"
            ),
        )
    }
}
