//! `provider`, `repository` and `server-url`: where the target is.

use url::{Host, Url};

use super::Home;
use super::complaint::{Part, both, complain};
use super::raw::Inputs;
use crate::nearest::nearest;
use crate::target::{Provider, Server};

const REPOSITORY: &str = "repository";
const SERVER: &str = "server-url";

/// Where a target is.
pub(super) struct Place {
    pub(super) provider: Provider,
    pub(super) server: Server,
    pub(super) repository: String,
}

pub(super) fn read(inputs: &Inputs, home: &Home) -> Part<Place> {
    let (provider, server) = both(provider(inputs), server(inputs))?;
    let Some(text) = inputs.get("repository") else {
        return own_repository(provider, server, home);
    };
    if text.contains("://") {
        return by_web_url(text, provider, server, home);
    }
    let provider = provider.unwrap_or(Provider::GitHub);
    let server = server.unwrap_or_else(|| match provider {
        Provider::GitHub => home.server.web.clone(),
        Provider::GitLab => fixed("https://gitlab.com"),
        Provider::Bitbucket => fixed("https://bitbucket.org"),
    });
    place(provider, server, text, home)
}

/// The workflow's own, which is on GitHub and on its own server.
fn own_repository(provider: Option<Provider>, server: Option<Url>, home: &Home) -> Part<Place> {
    let provider = provider.unwrap_or(Provider::GitHub);
    let at_home = server.is_none_or(|server| home.is_at(&server));
    match &home.repository {
        Some(own) if provider == Provider::GitHub && at_home => {
            place(provider, home.server.web.clone(), own, home)
        }
        _ => complain(REPOSITORY, format!("it is needed here: {}", form(provider))),
    }
}

fn by_web_url(
    text: &str,
    provider: Option<Provider>,
    server: Option<Url>,
    home: &Home,
) -> Part<Place> {
    let address = server_address(text).or_else(|message| complain(REPOSITORY, message))?;
    let mut origin = address.clone();
    origin.set_path("");
    let server = server.unwrap_or(origin);
    let below = server.path().trim_end_matches('/');
    let path = (server.origin() == address.origin())
        .then(|| address.path().strip_prefix(below)?.strip_prefix('/'))
        .flatten();
    let Some(path) = path else {
        let message = format!("its web URL is not on the server of `server-url`, {server}");
        return complain(REPOSITORY, message);
    };
    let Some(provider) = provider.or_else(|| known_host(&address, home)) else {
        let host = address.authority();
        let message = format!("{host} may be any of them: set it to one of {}", words());
        return complain("provider", message);
    };
    let path = path.trim_end_matches('/');
    place(
        provider,
        server,
        path.strip_suffix(".git").unwrap_or(path),
        home,
    )
}

fn place(provider: Provider, web: Url, repository: &str, home: &Home) -> Part<Place> {
    if let Err(why) = check_name(provider, repository) {
        let message = format!("`{repository}` {why}; it must be {}", form(provider));
        return complain(REPOSITORY, message);
    }
    if provider == Provider::GitHub && web.path() != "/" {
        return complain(
            SERVER,
            "a GitHub server has no path: give only scheme and host",
        );
    }
    let api = if provider == Provider::GitHub && home.is_at(&web) {
        home.server.api.clone()
    } else {
        api_address(provider, &web)
    };
    Ok(Place {
        provider,
        server: Server { web, api },
        repository: repository.to_owned(),
    })
}

fn provider(inputs: &Inputs) -> Part<Option<Provider>> {
    const NAME: &str = "provider";
    let Some(text) = inputs.get(NAME) else {
        return Ok(None);
    };
    let found = Provider::ALL
        .into_iter()
        .find(|provider| provider.word() == text);
    if found.is_some() {
        return Ok(found);
    }
    let near = nearest(text, Provider::ALL.iter().map(|provider| provider.word()));
    let near = near
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default();
    complain(
        NAME,
        format!("`{text}` is none: it must be one of {}{near}", words()),
    )
}

fn server(inputs: &Inputs) -> Part<Option<Url>> {
    let address = inputs.get(SERVER).map(server_address).transpose();
    address.or_else(|message| complain(SERVER, message))
}

fn words() -> String {
    Provider::ALL
        .map(|provider| format!("`{}`", provider.word()))
        .join(", ")
}

fn form(provider: Provider) -> &'static str {
    match provider {
        Provider::GitHub => "`owner/name`, or its web URL",
        Provider::GitLab => {
            "`group/project`, with all groups between, the project's id, or its web URL"
        }
        Provider::Bitbucket => "`workspace/repository`, or its web URL",
    }
}

/// The characters that each provider allows in names, so that no name can become another path.
fn check_name(provider: Provider, name: &str) -> Result<(), &'static str> {
    if provider == Provider::GitLab
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Ok(());
    }
    let parts: Vec<_> = name.split('/').collect();
    match (provider, parts.len()) {
        (_, 1) => return Err("has no `/`"),
        (Provider::GitHub | Provider::Bitbucket, 3..) => return Err("has more than two parts"),
        _ => {}
    }
    for part in parts {
        if part.is_empty() {
            return Err("has an empty part");
        }
        if matches!(part, "." | "..") {
            return Err("has a part that is no name");
        }
        let braced = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'));
        let part = braced
            .filter(|_| provider == Provider::Bitbucket)
            .unwrap_or(part);
        if !part
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        {
            return Err("has a character that no name has");
        }
    }
    Ok(())
}

/// An address that requests may go to: `https`, or loopback. Told apart from an arbitrary URL by what
/// it must not have. A trailing slash is dropped.
pub(super) fn server_address(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text).map_err(|error| format!("it is not a URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it has a user name or password in it: remove that, and change the password, for it may be in a log".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it has a `?` or `#` in it: give only scheme, host and path".to_owned());
    }
    match (url.scheme(), is_loopback(&url)) {
        ("https", _) | ("http", true) => {}
        ("http", false) => {
            return Err("plain http would show the token to the network: use https".to_owned());
        }
        _ => return Err("it must begin with https://".to_owned()),
    }
    if url.path().contains("//") || url.path().contains('%') {
        return Err("its path has `//` or `%` in it, which no server's address has".to_owned());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The provider of a host that everybody knows, or of the workflow's own.
fn known_host(url: &Url, home: &Home) -> Option<Provider> {
    match url.host_str()? {
        "github.com" => Some(Provider::GitHub),
        "gitlab.com" => Some(Provider::GitLab),
        "bitbucket.org" => Some(Provider::Bitbucket),
        host if host.ends_with(".ghe.com") => Some(Provider::GitHub),
        _ => (url.origin() == home.server.web.origin()).then_some(Provider::GitHub),
    }
}

/// Where a server's API is.
pub(super) fn api_address(provider: Provider, web: &Url) -> Url {
    let host = web.host_str().unwrap_or_default();
    match provider {
        Provider::GitHub if host == "github.com" => fixed("https://api.github.com"),
        Provider::GitHub if host.ends_with(".ghe.com") => fixed(&format!("https://api.{host}")),
        Provider::GitHub => below(web, "api/v3"),
        Provider::GitLab => below(web, "api/v4"),
        Provider::Bitbucket if host == "bitbucket.org" => fixed("https://api.bitbucket.org/2.0"),
        Provider::Bitbucket => below(web, "2.0"),
    }
}

fn below(web: &Url, path: &str) -> Url {
    let mut api = web.clone();
    api.set_path(&format!("{}/{path}", web.path().trim_end_matches('/')));
    api
}

fn fixed(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|error| unreachable!("{text}: {error}"))
}
