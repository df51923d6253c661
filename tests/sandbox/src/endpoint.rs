//! Finds the API for a request's host and path, and the base URLs of the links in its response. The APIs are in
//! `provider`.

use crate::request::Request;
use crate::world::{Provider, World};

/// The API that a request is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) provider: Provider,
    /// The decoded path segments after the API's prefix.
    pub(crate) call: Vec<String>,
    /// The base URL of web pages.
    pub(crate) pages: String,
    /// The base URL of the API.
    pub(crate) api: String,
}

/// Returns `None` if there is no API. The providers' own hosts serve only their own API; any other host serves all
/// three, GitHub and GitLab also under a path prefix.
pub(crate) fn of(request: &Request, origin: &str) -> Option<Endpoint> {
    let host = request.host_name();
    let host = host.as_str();
    let segments = request.segments();
    let mut path = segments.iter().map(String::as_str);
    let mut skip = |prefix: &str| {
        let same = prefix.split('/').filter(|segment| !segment.is_empty());
        same.into_iter().all(|segment| path.next() == Some(segment))
    };
    let enterprise = host
        .strip_prefix("api.")
        .filter(|host| *host == "github.com" || host.ends_with(".ghe.com"));
    let (provider, pages, prefix) = match host {
        _ if enterprise.is_some() => (Provider::GitHub, "", ""),
        "github.com" | "bitbucket.org" => return None,
        host if host.ends_with(".ghe.com") => return None,
        "gitlab.com" => (Provider::GitLab, "", "/api/v4"),
        "api.bitbucket.org" => (Provider::Bitbucket, "", "/2.0"),
        _ => {
            let path: Vec<&str> = segments.iter().map(String::as_str).collect();
            match path.as_slice() {
                ["api", "v3", ..] => (Provider::GitHub, "", "/api/v3"),
                ["github", "api", "v3", ..] => (Provider::GitHub, "/github", "/github/api/v3"),
                ["api", "v4", ..] => (Provider::GitLab, "", "/api/v4"),
                ["gitlab", "api", "v4", ..] => (Provider::GitLab, "/gitlab", "/gitlab/api/v4"),
                ["2.0", ..] => (Provider::Bitbucket, "", "/2.0"),
                _ => return None,
            }
        }
    };
    skip(prefix).then(|| Endpoint {
        provider,
        call: path.map(str::to_owned).collect(),
        pages: format!("{}{pages}", origin.replacen("://api.", "://", 1)),
        api: format!("{origin}{prefix}"),
    })
}

/// Returns the origin of links: the world's `external_url`, or the origin of the request.
pub(crate) fn origin(world: &World, request: &Request) -> String {
    let external_url = world.external_url.clone();
    external_url.unwrap_or_else(|| request.origin())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Headers;
    use hyper::body::Bytes;

    fn endpoint(host: &str, path: &str) -> Option<(Provider, String, String, String)> {
        let request = Request {
            method: "GET".to_owned(),
            raw_path: path.to_owned(),
            raw_query: String::new(),
            headers: Headers(vec![("host".to_owned(), host.to_owned())]),
            body: Bytes::new(),
            tls: true,
        };
        let endpoint = of(&request, &request.origin())?;
        Some((
            endpoint.provider,
            endpoint.call.join(" "),
            endpoint.pages,
            endpoint.api,
        ))
    }

    #[test]
    fn each_api_is_found_at_its_providers_paths() {
        for (host, path, provider, call, pages, api) in [
            (
                "api.github.com",
                "/user",
                Provider::GitHub,
                "user",
                "https://github.com",
                "https://api.github.com",
            ),
            (
                "api.octo.ghe.com",
                "/user",
                Provider::GitHub,
                "user",
                "https://octo.ghe.com",
                "https://api.octo.ghe.com",
            ),
            (
                "gitlab.com",
                "/api/v4/user",
                Provider::GitLab,
                "user",
                "https://gitlab.com",
                "https://gitlab.com/api/v4",
            ),
            (
                "api.bitbucket.org",
                "/2.0/user",
                Provider::Bitbucket,
                "user",
                "https://bitbucket.org",
                "https://api.bitbucket.org/2.0",
            ),
            (
                "git.test:8443",
                "/github/api/v3/repos/a%2Fb",
                Provider::GitHub,
                "repos a/b",
                "https://git.test:8443/github",
                "https://git.test:8443/github/api/v3",
            ),
            (
                "[::1]:8443",
                "/gitlab/api/v4/user",
                Provider::GitLab,
                "user",
                "https://[::1]:8443/gitlab",
                "https://[::1]:8443/gitlab/api/v4",
            ),
        ] {
            let found = endpoint(host, path);
            let expected = [call, pages, api].map(str::to_owned);
            let [call, pages, api] = expected;
            assert_eq!(found, Some((provider, call, pages, api)), "{host}{path}");
        }
        for (host, path) in [
            ("github.com", "/api/v3/user"),
            ("octo.ghe.com", "/api/v3/user"),
            ("gitlab.com", "/gitlab/api/v4/user"),
            ("bitbucket.org", "/2.0/user"),
            ("api.bitbucket.org", "/user"),
            ("git.test", "/user"),
        ] {
            assert_eq!(endpoint(host, path), None, "{host}{path}");
        }
    }
}
