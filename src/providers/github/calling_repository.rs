//! The repository whose workflow runs this step: commit statuses, and the run that the step is part of.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::api::{Api, OctocrabClients};
use super::explain::explains_itself;
use super::repository_url;
use super::spec::GitHubSpec;
use crate::model::{CommitStatus, Sink, StatusState};
use crate::providers::calling_repository::{CallerAccess, CallingRepository, ListedStatuses};
use crate::providers::error::Error;
use crate::providers::http::proxies::Proxies;
use crate::providers::http::request::json;
use crate::providers::http::{Client, Http};
use crate::providers::location::Location;
use crate::providers::pages::{self, List, PAGE_SIZES};
use crate::providers::provider::ProviderSpec as _;
use crate::providers::quota::{Idempotency, Quota};
use crate::providers::reading::{
    INVALID_TOKEN_HINT, OWN_WORDS_HINT, not_visible, parse_json, unreadable_response,
};
use crate::providers::wire;

/// Polls don't use this quota, so nothing has to be spaced out.
const INTERVAL: Duration = Duration::ZERO;

/// Maximum number of pages that are read of a commit's statuses. Each target of each attempt may have set about a hundred.
const MAX_STATUS_PAGES: usize = 30;

const OTHER_COMMIT_HINT: &str =
    "set `status-commit` to the full hash of a commit that was pushed to this repository";
const OTHER_NAME_HINT: &str = "set `status` to another name, or push a new commit";

pub(in crate::providers) struct GitHubCallingRepository<'a> {
    location: &'a Location,
    http: Http<'a>,
    api: Api,
}

#[derive(Serialize)]
struct NewStatus<'a> {
    state: StatusState,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_url: Option<&'a str>,
    description: &'a str,
    context: &'a str,
}

#[derive(Deserialize)]
struct ListedStatus {
    state: StatusState,
    #[serde(deserialize_with = "wire::word")]
    context: String,
    #[serde(default, deserialize_with = "wire::name")]
    description: Option<String>,
    #[serde(default, deserialize_with = "wire::url")]
    target_url: Option<String>,
}

#[derive(Deserialize)]
struct CreatedRun {
    created_at: DateTime<Utc>,
}

impl CallingRepository for GitHubCallingRepository<'_> {
    /// Only an answer that names the status counts: any other may be a proxy's, and then nothing was set.
    async fn set_status(&self, commit: &str, status: &CommitStatus) -> Result<(), Error> {
        const WHAT: &str = "setting the commit status";
        let url = repository_url(self.location, ["statuses", commit]);
        let body = json(&NewStatus {
            state: status.state,
            target_url: status.target_url.as_deref(),
            description: &status.description,
            context: &status.context,
        });
        let posting = self
            .api
            .post(&self.http, Idempotency::Repeatable, &url, Some(&body));
        let response = posting.await?.check_status(WHAT);
        let explained = response
            .map_err(|error| error.if_rejected(|error| self.explain(error, commit, "write")));
        let set: ListedStatus = parse_json(explained?, WHAT)?;
        if set.state != status.state {
            return Err(unreadable_response(WHAT, "the response has another state"));
        }
        Ok(())
    }

    async fn statuses(&self, commit: &str) -> Result<ListedStatuses, Error> {
        let read = pages::try_sizes(&PAGE_SIZES, async |size| self.all_pages(commit, size).await);
        read.await
            .map_err(|error| error.if_rejected(|error| self.explain(error, commit, "read")))
    }

    async fn run_created_at(&self, run: u64) -> Option<DateTime<Utc>> {
        const WHAT: &str = "reading the calling run";
        let url = repository_url(self.location, ["actions", "runs", &run.to_string()]);
        let response = self.api.get(&self.http, &url).await.ok()?;
        let run: CreatedRun = parse_json(response.check_status(WHAT).ok()?, WHAT).ok()?;
        Some(run.created_at)
    }

    fn quota(&self) -> &Quota {
        self.http.quota()
    }
}

impl<'a> GitHubCallingRepository<'a> {
    pub(in crate::providers) fn new(
        access: &'a CallerAccess,
        proxies: &Arc<Proxies>,
        emit: Sink<'a>,
    ) -> Result<Self, Error> {
        let location = &access.location;
        let api = &location.server.api;
        let client = Client::new(location.certificates.as_deref(), proxies)?;
        let client = Rc::new(client);
        let server = (GitHubSpec::NAME, GitHubSpec::LIMIT_MESSAGES);
        let octocrab = Rc::new(OctocrabClients::new(api, Rc::clone(&client)));
        Ok(Self {
            location,
            http: Http::new(client, Rc::new(Quota::new(INTERVAL)), server, api, emit),
            api: Api::new(&octocrab, &access.token)?,
        })
    }

    async fn all_pages(&self, commit: &str, size: usize) -> Result<ListedStatuses, Error> {
        const WHAT: &str = "listing the commit statuses";
        let mut listed = ListedStatuses {
            list: Vec::new(),
            is_complete: false,
        };
        for page in 1..=MAX_STATUS_PAGES {
            let mut url = repository_url(self.location, ["commits", commit, "statuses"]);
            url.set_query(Some(&format!("per_page={size}&page={page}")));
            let response = self.api.get(&self.http, &url).await?;
            let list: List<ListedStatus> = parse_json(response.check_status(WHAT)?, WHAT)?;
            let is_last = list.is_last(size, list.length, None);
            let statuses = list.entries.into_iter().map(CommitStatus::from);
            listed.list.extend(statuses);
            if is_last {
                listed.is_complete = true;
                break;
            }
        }
        Ok(listed)
    }

    /// Explains a rejection. `access` is what the request needs: `read` or `write`.
    fn explain(&self, rejection: Error, commit: &str, access: &str) -> Error {
        let Some(response) = rejection.provider_response() else {
            return rejection;
        };
        let repository = &self.location.repository;
        let message = response.error_message().unwrap_or_default();
        match response.status {
            StatusCode::UNAUTHORIZED => {
                rejection.with_reason("GitHub doesn't accept the token", INVALID_TOKEN_HINT)
            }
            StatusCode::FORBIDDEN if explains_itself(response) => {
                rejection.with_reason("GitHub denies access", OWN_WORDS_HINT)
            }
            StatusCode::FORBIDDEN => rejection.with_message(
                format!("`GITHUB_TOKEN` lacks `statuses: {access}`"),
                permission_hint(access),
            ),
            StatusCode::NOT_FOUND => {
                rejection.with_reason(not_visible(repository), permission_hint(access))
            }
            StatusCode::UNPROCESSABLE_ENTITY if message.contains("No commit found") => rejection
                .with_message(
                    format!("{repository} has no commit {commit}"),
                    OTHER_COMMIT_HINT,
                ),
            StatusCode::UNPROCESSABLE_ENTITY if message.contains("maximum number of statuses") => {
                rejection.with_message(
                    "the commit has as many statuses of this name as GitHub allows",
                    OTHER_NAME_HINT,
                )
            }
            _ => rejection,
        }
    }
}

fn permission_hint(access: &str) -> String {
    format!(
        "add `statuses: {access}` to the job's `permissions:`. If a pull request from a fork started the workflow, its `GITHUB_TOKEN` can only read"
    )
}

impl From<ListedStatus> for CommitStatus {
    fn from(listed: ListedStatus) -> Self {
        Self {
            context: listed.context,
            state: listed.state,
            description: listed.description.unwrap_or_default(),
            target_url: listed.target_url,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;
    use crate::providers::calling_repository;
    use crate::providers::error::ErrorKind;
    use crate::providers::location::{Server, fixed};
    use sandbox::world::{Access, CommitStatus as Recorded, StatusState as RecordedState};
    use sandbox::{Fault, Moment, Occasion, Provider, Route, Run, Sandbox, World, demo};
    use serde_json::Value;

    const COMMIT: &str = demo::GITHUB_CALLER_COMMIT;

    fn start(permission: &str, access: Access) -> Sandbox {
        let world = World::demo();
        let token = demo::GITHUB_WORKFLOW_OF_CALLER;
        Sandbox::start(world.grant(token, permission, access)).unwrap()
    }

    fn access(sandbox: &Sandbox) -> CallerAccess {
        CallerAccess {
            location: Location {
                server: Server {
                    web: fixed(&sandbox.http_url()),
                    api: fixed(&sandbox.github_api_url()),
                },
                repository: "octo-org/caller".to_owned(),
                certificates: None,
            },
            token: Secret::new(demo::GITHUB_WORKFLOW_OF_CALLER),
        }
    }

    /// Calls `test` with the repository of the sandbox's caller.
    async fn with_repository<T>(
        sandbox: &Sandbox,
        test: impl AsyncFnOnce(&dyn Fn(StatusState) -> CommitStatus, &GitHubCallingRepository<'_>) -> T,
    ) -> T {
        let access = access(sandbox);
        let opened = GitHubCallingRepository::new(&access, &Arc::default(), &|_| {});
        let status = |state| CommitStatus {
            context: "deploy / octo-org/app".to_owned(),
            state,
            description: "1 of 2 jobs done".to_owned(),
            target_url: Some("https://github.com/octo-org/app/actions/runs/7".to_owned()),
        };
        test(&status, &opened.ok().unwrap()).await
    }

    #[tokio::test]
    async fn statuses_are_set_and_read_back_newest_first() {
        let sandbox = start("statuses", Access::Write);
        with_repository(&sandbox, async |status, repository| {
            let without_page = CommitStatus {
                target_url: None,
                ..status(StatusState::Success)
            };
            for status in [&status(StatusState::Pending), &without_page] {
                repository.set_status(COMMIT, status).await.ok().unwrap();
            }
            let read = repository.statuses(COMMIT).await.ok().unwrap();
            assert!(read.is_complete);
            assert_eq!(read.list, [without_page, status(StatusState::Pending)]);
        })
        .await;
        let set = sandbox.statuses().into_iter().map(|status| status.state);
        let set: Vec<_> = set.collect();
        assert_eq!(set, [RecordedState::Pending, RecordedState::Success]);
    }

    #[tokio::test]
    async fn all_pages_are_read_and_odd_entries_skipped() {
        let sandbox = start("statuses", Access::Write);
        sandbox.with_world(|world| {
            for number in 0..201 {
                let context = number.to_string();
                let status =
                    Recorded::new("octo-org/caller", COMMIT, &context, RecordedState::Error);
                world.add_status(status);
            }
        });
        let odd = Fault::Edit(|page: &mut Value| {
            page[0]["state"] = "odd".into();
            page[1]["description"] = 7.into();
            page[2]["target_url"] = Value::Null;
        });
        let first = Route::any().path_end("/statuses").query("&page=1");
        sandbox.fault(first, Occasion::Every, odd);
        with_repository(&sandbox, async |_, repository| {
            let read = repository.statuses(COMMIT).await.ok().unwrap();
            assert!(read.is_complete);
            let read = read.list;
            assert_eq!(read.len(), 200);
            assert_eq!(
                (read[0].context.as_str(), &read[0].description),
                ("199", &String::new())
            );
        })
        .await;
    }

    #[tokio::test]
    async fn rejections_say_what_to_do() {
        let refused = async |sandbox: &Sandbox, commit: &str| {
            with_repository(sandbox, async |status, repository| {
                let error = repository
                    .set_status(commit, &status(StatusState::Pending))
                    .await
                    .err()
                    .unwrap();
                assert_eq!(error.kind(), ErrorKind::Rejected);
                let failure = error.failure();
                format!("{}\n{}", failure.what, failure.remedy.unwrap_or_default())
            })
            .await
        };
        let read_only = start("statuses", Access::Read);
        let said = refused(&read_only, COMMIT).await;
        assert!(said.starts_with("`GITHUB_TOKEN` lacks `statuses: write` (GitHub answered 403)\nadd `statuses: write`"), "{said}");

        let sandbox = start("statuses", Access::Write);
        let unknown = "0".repeat(40);
        let said = refused(&sandbox, &unknown).await;
        assert!(
            said.starts_with(&format!("octo-org/caller has no commit {unknown}")),
            "{said}"
        );
        sandbox.with_world(|world| {
            for _ in 0..1_000 {
                let context = "Deploy / octo-org/app";
                world.add_status(Recorded::new(
                    "octo-org/caller",
                    COMMIT,
                    context,
                    RecordedState::Error,
                ));
            }
        });
        let said = refused(&sandbox, COMMIT).await;
        assert!(
            said.starts_with("the commit has as many statuses of this name"),
            "{said}"
        );
        sandbox.fault(
            Route::any(),
            Occasion::Every,
            Fault::status(Moment::BeforeActing, 401),
        );
        let said = refused(&sandbox, COMMIT).await;
        assert!(
            said.starts_with("GitHub doesn't accept the token"),
            "{said}"
        );
    }

    /// GitHub refuses it without "Actions: read".
    #[tokio::test]
    async fn the_creation_of_a_run_is_optional() {
        let sandbox = start("actions", Access::Read);
        with_repository(&sandbox, async |_, repository| {
            assert_eq!(repository.run_created_at(7).await, None);
        })
        .await;
        let id = sandbox.with_world(|world| {
            let run = Run::new(Provider::GitHub, "octo-org/caller", "release.yml", "push");
            world.start_as("octocat", run);
            world.runs[0].id
        });
        let access = access(&sandbox);
        let opened = calling_repository::open(&access, &Arc::default(), &|_| {});
        let created = opened.ok().unwrap().run_created_at(id).await;
        assert!(created.is_some_and(|at| (Utc::now() - at).num_minutes() == 0));
    }
}
