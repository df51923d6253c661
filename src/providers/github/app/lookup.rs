//! The App's installation, and which repositories it reaches.

use std::rc::Rc;

use ::http::StatusCode;
use futures_util::stream::{self, StreamExt as _};
use url::Url;

use super::client::AppClient;
use super::{Installation, Repositories};
use crate::providers::error::Error;
use crate::providers::github::api::Api;
use crate::providers::http::Response;
use crate::providers::http::request::below;
use crate::providers::reading::parse_json;

/// Parallel requests when GitHub refuses a token for all repositories and each is looked up.
const MAX_PARALLEL_LOOKUPS: usize = 8;

impl AppClient<'_> {
    /// Requests the App's installation for a repository. Also returns the final URL, which has the id of a renamed one.
    async fn get_installation(&self, repository: &str) -> Result<(Response, Url), Error> {
        let parts = ["repos"].into_iter().chain(repository.split('/'));
        let url = below(&self.location.server.api, parts.chain(["installation"]));
        let get = async |api: Rc<Api>| api.get_with_final_url(self.http, &url).await;
        self.request(get, |(response, _)| response).await
    }

    pub(super) async fn find_installation(&self) -> Result<Installation, Error> {
        const WHAT: &str = "reading the App's installation";
        let (response, _) = self.get_installation(&self.location.repository).await?;
        match response.check_status(WHAT) {
            Ok(response) => parse_json(response, WHAT),
            Err(error) => Err(self.installation_failure(error)),
        }
    }

    /// Splits the repositories into those that the installation reaches (renamed ones by id) and those that it doesn't.
    /// If a lookup fails for another reason, its repository counts as reachable.
    pub(super) async fn look_up_repositories(
        &self,
        installation: &Installation,
    ) -> (Repositories<'_>, Vec<&str>) {
        let (mut names, mut ids, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        let lookups = self.scope.repositories.iter();
        let lookups = lookups.map(async |name| (name, self.get_installation(name).await));
        let mut lookups = stream::iter(lookups).buffered(MAX_PARALLEL_LOOKUPS);
        while let Some((repository, found)) = lookups.next().await {
            let name = repository.split('/').next_back().unwrap_or_default();
            match found {
                Ok((response, at)) if response.status.is_success() => {
                    let read = response.json::<Installation>();
                    if read.is_ok_and(|read| read.id != installation.id) {
                        missing.push(repository.as_str());
                    } else if let Some(id) = repository_id(&at) {
                        ids.push(id);
                    } else {
                        names.push(name);
                    }
                }
                Ok((response, _)) if response.status == StatusCode::NOT_FOUND => {
                    missing.push(repository.as_str());
                }
                Ok(_) | Err(_) => names.push(name),
            }
        }
        (self.repositories(names, ids), missing)
    }
}

/// Returns the repository's id from the URL that GitHub redirects an old name to.
fn repository_id(address: &Url) -> Option<u64> {
    let mut segments = address.path_segments()?.rev();
    let is_installation = segments.next() == Some("installation");
    let id = segments.next()?.parse().ok();
    id.filter(|_| is_installation && segments.next() == Some("repositories"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_repository_is_identified_by_its_id() {
        for (path, id) in [
            ("/repositories/1001/installation", Some(1001)),
            ("/api/v3/repositories/1001/installation", Some(1001)),
            ("/repos/octo-org/app/installation", None),
            ("/repos/repositories/1001/installation/x", None),
            ("/repositories/app/installation", None),
            ("/installation", None),
            ("/", None),
        ] {
            let url = Url::parse("https://git.example").unwrap();
            assert_eq!(repository_id(&url.join(path).unwrap()), id, "{path}");
        }
    }
}
