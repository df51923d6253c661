//! Explains why an App can't get a token, and what to do about it.

use ::http::StatusCode;

use super::client::AppClient;
use crate::providers::error::Error;
use crate::providers::github::explain::settings_name;
use crate::providers::github::permissions::without_cancel;
use crate::providers::http::request::below;

impl AppClient<'_> {
    pub(super) fn installation_failure(&self, error: Error) -> Error {
        let Some(response) = error.provider_response() else {
            return error;
        };
        let unknown_app = response
            .error_message()
            .is_some_and(|message| message.contains("Integration not found"));
        match response.status {
            StatusCode::UNAUTHORIZED => error.with_reason(
                "GitHub doesn't accept the App's key",
                "check that `client-id` and `private-key` belong to the same App, and that the runner's clock is correct",
            ),
            StatusCode::NOT_FOUND if unknown_app => error.with_reason(
                format!("no App has the client ID {}", self.app.client_id),
                "copy `client-id` from the App's settings page. The App must be on the same server as the target",
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
            "give the App these repository permissions: {}. Then accept them in its installation{}",
            needed.join(", "),
            without_cancel(self.scope.permissions)
        );
        error.with_reason("the App lacks a permission on the repository", hint)
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
                "the App {} isn't installed on {}, or the repository doesn't exist",
                self.app.client_id,
                repositories.join(", ")
            ),
            format!(
                "check the spelling of `repository`, and install the App on the repository at {page}, or for a user's repository at {own_page}"
            ),
        )
    }
}
