//! Reads a target's destination: `provider`, `repository` and `server-url`.

use url::{Host, Url};

use super::HostRepository;
use crate::providers::any::ProviderKind;
use crate::providers::location::{Server, fixed};
use crate::text::nearest::nearest;
use crate::values::{Checked, Errors, InputError, Inputs, invalid};

const PROVIDER: &str = "provider";
const REPOSITORY: &str = "repository";
const SERVER: &str = "server-url";

/// Provider, server and repository of a target.
pub(super) struct Destination {
    pub(super) provider: ProviderKind,
    pub(super) server: Server,
    pub(super) repository: String,
}

/// Provider and server of a target, before its repository is checked.
pub(super) struct ResolvedServer {
    pub(super) provider: ProviderKind,
    /// Web address of the server.
    pub(super) server: Url,
    /// As written, or taken from its web URL. `None` if `repository` isn't set.
    repository: Option<String>,
}

pub(super) fn read(inputs: &Inputs, host_repository: &HostRepository) -> Checked<Destination> {
    let ResolvedServer {
        provider,
        server,
        repository,
    } = resolve_server(inputs, host_repository).map_err(|found| with_name_errors(found, inputs))?;
    let is_own = host_repository.is_own_server(provider, &server);
    if let Some(forge) = host_repository.forge
        && is_own
    {
        let message = format!(
            "this workflow runs on {forge}, whose API isn't {name}'s: set `server-url` to the {name} server that has the repository, like `{}`",
            provider.default_server(),
            name = provider.name()
        );
        return invalid(SERVER, message);
    }
    let default = host_repository.repository.clone().filter(|_| is_own);
    match repository.or(default) {
        Some(repository) => checked_location(provider, server, repository, host_repository),
        None => invalid(
            REPOSITORY,
            format!("it is needed here: {}", provider.repository_form()),
        ),
    }
}

/// Adds problems with the repository's name to those with provider or server.
fn with_name_errors(mut found: Vec<InputError>, inputs: &Inputs) -> Vec<InputError> {
    if let Ok(provider) = provider(inputs)
        && let Some(repository) = inputs.get(REPOSITORY).filter(|text| !is_web_url(text))
    {
        found.extend(invalid_name(
            provider.unwrap_or(ProviderKind::DEFAULT),
            repository,
        ));
    }
    found
}

/// Guesses the provider if the destination is invalid.
pub(super) fn guess_provider(
    inputs: &Inputs,
    host_repository: &HostRepository,
) -> Option<ProviderKind> {
    if let Some(text) = inputs.get(PROVIDER) {
        return provider_by_name(nearest_provider(text)?);
    }
    if inputs.is_unusable(PROVIDER) {
        return None;
    }
    match inputs.get(REPOSITORY).filter(|text| is_web_url(text)) {
        Some(url) => known_host(&server_address(url).ok()?, host_repository),
        None => Some(ProviderKind::DEFAULT),
    }
}

/// Resolves provider and server, even if the repository is missing or invalid.
pub(super) fn resolve_server(
    inputs: &Inputs,
    host_repository: &HostRepository,
) -> Checked<ResolvedServer> {
    let mut errors = Errors::default();
    let provider = errors.take(provider(inputs));
    let server = errors.take(server(inputs));
    let (provider, server) = errors.finish(|| provider.zip(server))?;
    let repository = inputs.get(REPOSITORY);
    if let Some(url) = repository.filter(|text| is_web_url(text)) {
        return resolve_web_url(url, provider, server, host_repository);
    }
    let provider = provider.unwrap_or(ProviderKind::DEFAULT);
    let server = server.unwrap_or_else(|| {
        if provider == host_repository.provider {
            host_repository.server.web.clone()
        } else {
            fixed(provider.default_server())
        }
    });
    Ok(ResolvedServer {
        provider,
        server,
        repository: repository.map(str::to_owned),
    })
}

/// Whether a repository is given by its web URL, which includes the server.
pub(super) fn is_web_url(repository: &str) -> bool {
    repository.contains("://")
}

/// Whether a repository is given by a web URL on that server.
pub(super) fn is_on(repository: &str, server: &Url) -> bool {
    is_web_url(repository)
        && server_address(repository).is_ok_and(|address| path_on(server, &address).is_some())
}

fn resolve_web_url(
    text: &str,
    provider: Option<ProviderKind>,
    server: Option<Url>,
    host_repository: &HostRepository,
) -> Checked<ResolvedServer> {
    let address = server_address(text).or_else(|message| invalid(REPOSITORY, message))?;
    let known = known_host(&address, host_repository);
    let server = match server {
        Some(server) => server,
        None if host_repository.contains(&address)
            && provider.is_none_or(|provider| provider == host_repository.provider) =>
        {
            host_repository.server.web.clone()
        }
        None if known.is_some() && provider.is_none_or(|provider| known == Some(provider)) => {
            origin(&address)
        }
        None => return invalid(REPOSITORY, unknown_server_message(provider, known)),
    };
    let Some(path) = path_on(&server, &address) else {
        let message = "its web URL is not on the server of `server-url`";
        return invalid(REPOSITORY, message);
    };
    let Some(provider) = provider.or(known) else {
        let message = format!(
            "the server of `repository` may be any of them: set it to one of {}",
            provider_list()
        );
        return invalid(PROVIDER, message);
    };
    let repository = path.strip_suffix(".git").unwrap_or(path).to_owned();
    Ok(ResolvedServer {
        provider,
        server,
        repository: Some(repository),
    })
}

fn origin(address: &Url) -> Url {
    let mut origin = address.clone();
    origin.set_path("");
    origin
}

/// Returns the path of an address relative to a server, if it's on that server.
pub(super) fn path_on<'a>(server: &Url, address: &'a Url) -> Option<&'a str> {
    let below = server.path().trim_end_matches('/');
    let path = address.path().strip_prefix(below)?.strip_prefix('/')?;
    (server.origin() == address.origin()).then(|| path.trim_end_matches('/'))
}

/// Explains why a web URL doesn't determine the server. The URL may come from somebody else, so it decides where a
/// token is sent only for known hosts.
fn unknown_server_message(provider: Option<ProviderKind>, known: Option<ProviderKind>) -> String {
    if let (Some(provider), Some(known)) = (provider, known) {
        return format!(
            "the server in it is {}, but `provider` is `{}`: one of the two is wrong",
            known.name(),
            provider.as_str()
        );
    }
    let also = match provider {
        Some(_) => "`server-url`",
        None => "`server-url` and `provider`",
    };
    format!(
        "the server in it isn't a known server, and a web URL by itself doesn't decide where a token goes: set {also} too"
    )
}

/// Checks a repository's name.
fn invalid_name(provider: ProviderKind, repository: &str) -> Option<InputError> {
    let why = provider.check_name(repository).err()?;
    let message = format!("it {why}; it must be {}", provider.repository_form());
    Some(InputError::new(REPOSITORY, message))
}

fn checked_location(
    provider: ProviderKind,
    web: Url,
    repository: String,
    host_repository: &HostRepository,
) -> Checked<Destination> {
    let mut errors = Errors::default();
    errors.add(invalid_name(provider, &repository));
    let server = provider.check_server(&web);
    errors.add(server.err().map(|why| InputError::new(SERVER, why)));
    errors.finish(|| Some(()))?;
    let api = if host_repository.is_own_server(provider, &web) {
        host_repository.server.api.clone()
    } else {
        provider.api_address(&web)
    };
    Ok(Destination {
        provider,
        server: Server { web, api },
        repository,
    })
}

/// Reads `provider`. `None` if it isn't set.
pub(super) fn provider(inputs: &Inputs) -> Checked<Option<ProviderKind>> {
    let Some(text) = inputs.get(PROVIDER) else {
        return Ok(None);
    };
    let found = provider_by_name(text);
    if found.is_some() {
        return Ok(found);
    }
    let near = nearest_provider(text)
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default();
    let message = format!("it is none: it must be one of {}{near}", provider_list());
    invalid(PROVIDER, message)
}

fn provider_by_name(word: &str) -> Option<ProviderKind> {
    let mut all = ProviderKind::ALL.iter().copied();
    all.find(|provider| provider.as_str() == word)
}

fn nearest_provider(text: &str) -> Option<&'static str> {
    let all = ProviderKind::ALL.iter();
    nearest(text, all.map(|provider| provider.as_str()))
}

fn server(inputs: &Inputs) -> Checked<Option<Url>> {
    let address = inputs.get(SERVER).map(server_address).transpose();
    address.or_else(|message| invalid(SERVER, message))
}

fn provider_list() -> String {
    let names = ProviderKind::ALL.iter();
    let names: Vec<_> = names
        .map(|provider| format!("`{}`", provider.as_str()))
        .collect();
    names.join(", ")
}

/// Parses the address of a server: `https`, or `http` on loopback, without credentials, query or fragment. Drops a
/// trailing slash.
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

/// Returns the provider of a well-known host, or of the step's own server.
fn known_host(url: &Url, host_repository: &HostRepository) -> Option<ProviderKind> {
    let host = url.host_str()?;
    let mut all = ProviderKind::ALL.iter().copied();
    let public = all.find(|provider| url.port().is_none() && provider.is_public_host(host));
    let own_provider = || {
        host_repository
            .contains(url)
            .then_some(host_repository.provider)
    };
    public.or_else(own_provider)
}
