//! Reads a target's destination: `provider`, `repository` and `server-url`.

use url::{Host, ParseError, Url};

use super::HostRepository;
use crate::providers::any::ProviderKind;
use crate::providers::location::{Server, fixed, path_on};
use crate::providers::provider::RunAddress;
use crate::text::nearest::nearest;
use crate::values::{Checked, Errors, InputError, Inputs};

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
    } = resolve_server(inputs, host_repository)
        .map_err(|found| with_name_errors(found, inputs, host_repository))?;
    reject_imitation(provider, &server, host_repository)?;
    let is_own = host_repository.is_own_server(provider, &server);
    let default = host_repository.repository.clone().filter(|_| is_own);
    match repository.or(default) {
        Some(repository) => checked_location(provider, server, repository, inputs, host_repository),
        None => InputError::new(REPOSITORY, "is missing")
            .hint(format!(
                "set `repository` to {}",
                provider.repository_form()
            ))
            .fail(),
    }
}

/// Reads the destination of a run whose page is given instead of the repository, by the same rules.
pub(super) fn read_run_address(
    inputs: &Inputs,
    host_repository: &HostRepository,
) -> Checked<(Destination, RunAddress)> {
    let given = inputs.get(REPOSITORY).unwrap_or_default();
    if !is_web_url(given) {
        let what = "must be the address of a run, or the output `results` of an earlier step";
        return InputError::new(REPOSITORY, what).not(given).fail();
    }
    let ResolvedServer {
        provider,
        server,
        repository: path,
    } = resolve_server(inputs, host_repository)?;
    reject_imitation(provider, &server, host_repository)?;
    let path = path.unwrap_or_default();
    let page = provider.run_address(&path);
    let page = page.filter(|page| provider.check_name(&page.repository).is_ok());
    let Some(page) = page else {
        return InputError::new(REPOSITORY, "isn't the address of a run's page")
            .given(given)
            .hint(format!(
                "use an address like {}",
                provider.run_address_form()
            ))
            .fail();
    };
    let repository = page.repository.clone();
    let destination = checked_location(provider, server, repository, inputs, host_repository)?;
    Ok((destination, page))
}

/// Reads the destination of a repository whose name is known. The inputs only say which server it's on, perhaps by the
/// address of a page.
pub(super) fn read_named(
    repository: &str,
    inputs: &Inputs,
    host_repository: &HostRepository,
) -> Checked<Destination> {
    let resolved = resolve_server(inputs, host_repository)?;
    let (provider, server) = (resolved.provider, resolved.server);
    reject_imitation(provider, &server, host_repository)?;
    if let Err(why) = provider.check_name(repository) {
        let what = format!("has an entry whose repository {why}");
        return InputError::new(REPOSITORY, what).fail();
    }
    checked_location(
        provider,
        server,
        repository.to_owned(),
        inputs,
        host_repository,
    )
}

/// Rejects the step's own server if it only imitates the provider.
fn reject_imitation(
    provider: ProviderKind,
    server: &Url,
    host_repository: &HostRepository,
) -> Checked<()> {
    let is_own = host_repository.is_own_server(provider, server);
    let Some(forge) = host_repository.forge.filter(|_| is_own) else {
        return Ok(());
    };
    let name = provider.name();
    let what =
        format!("must be a {name} server: this workflow runs on {forge}, whose API isn't {name}'s");
    InputError::new(SERVER, what)
        .hint(format!(
            "set `server-url` to the {name} server that has the repository, like `{}`",
            provider.default_server()
        ))
        .fail()
}

/// Adds problems with the repository's name to those with provider or server.
fn with_name_errors(
    mut found: Vec<InputError>,
    inputs: &Inputs,
    host_repository: &HostRepository,
) -> Vec<InputError> {
    if let Ok(provider) = provider(inputs)
        && let Some(repository) = inputs.get(REPOSITORY).filter(|text| !is_web_url(text))
    {
        let provider = provider.unwrap_or(host_repository.provider);
        found.extend(invalid_name(provider, repository, inputs));
    }
    found
}

/// Guesses the provider if the destination is invalid.
pub(super) fn guess_provider(
    inputs: &Inputs,
    host_repository: &HostRepository,
) -> Option<ProviderKind> {
    if let Some(text) = inputs.get(PROVIDER) {
        return ProviderKind::by_id(nearest_provider(text)?);
    }
    if inputs.is_unusable(PROVIDER) {
        return None;
    }
    match inputs.get(REPOSITORY).filter(|text| is_web_url(text)) {
        Some(url) => known_host(&server_address(url).ok()?, host_repository),
        None => Some(host_repository.provider),
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
    let provider = provider.unwrap_or(host_repository.provider);
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
    if is_ssh(text) {
        return Err(vec![ssh_address(text)]);
    }
    let address = server_address(text).or_else(|error| error.of_input(REPOSITORY).fail())?;
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
        None => {
            let of_api = api_address(&address).filter(|_| known.is_none());
            return Err(vec![
                of_api.unwrap_or_else(|| unknown_server(provider, known)),
            ]);
        }
    };
    let Some(path) = path_on(&server, &address) else {
        return InputError::new(REPOSITORY, "isn't on the server in `server-url`")
            .hint("correct one of the two")
            .fail();
    };
    let Some(provider) = provider.or(known) else {
        let what = "is missing, and the server of `repository` doesn't tell which provider it is";
        return InputError::new(PROVIDER, what)
            .hint(format!("set `provider` to {}", provider_list()))
            .fail();
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

/// Explains why a web URL doesn't determine the server. The URL may come from somebody else, so it decides where a
/// token is sent only for known hosts.
fn unknown_server(provider: Option<ProviderKind>, known: Option<ProviderKind>) -> InputError {
    if let (Some(provider), Some(known)) = (provider, known) {
        let (name, id) = (known.name(), provider.as_str());
        return InputError::new(
            REPOSITORY,
            format!("is on {name}, but `provider` is `{id}`"),
        )
        .hint("correct one of the two");
    }
    let also = match provider {
        Some(_) => "`server-url`",
        None => "`server-url` and `provider`",
    };
    let what = "is on a server that isn't known, and a web URL by itself doesn't decide where a token is sent";
    InputError::new(REPOSITORY, what).hint(format!("set {also} too"))
}

/// Returns the name of a repository given by name or web URL, if it's valid. Without a provider, a web URL may be any
/// provider's.
pub(super) fn valid_name(text: &str, provider: Option<ProviderKind>) -> Option<String> {
    let address;
    let name = if is_web_url(text) {
        address = server_address(text).ok()?;
        let path = address.path().trim_start_matches('/');
        path.strip_suffix(".git").unwrap_or(path)
    } else {
        text
    };
    let is_valid = |provider: &ProviderKind| provider.check_name(name).is_ok();
    let is_valid = match provider {
        Some(provider) => is_valid(&provider),
        None if is_web_url(text) => ProviderKind::ALL.iter().any(is_valid),
        None => is_valid(&ProviderKind::DEFAULT),
    };
    is_valid.then(|| name.to_owned())
}

/// Checks a repository's name, which may be from the web URL in `repository`.
fn invalid_name(provider: ProviderKind, name: &str, inputs: &Inputs) -> Option<InputError> {
    if lacks_scheme(name) {
        let what = "is a web URL without its scheme";
        return Some(InputError::new(REPOSITORY, what).hint_with_value(
            format!("use `https://{name}`"),
            "write `https://` before it",
        ));
    }
    let why = provider.check_name(name).err()?;
    let given = inputs.get(REPOSITORY).unwrap_or(name);
    if is_ssh(given) {
        return Some(ssh_address(given));
    }
    if given.contains('@') {
        // What is before it may be a password.
        return Some(
            InputError::new(REPOSITORY, why).hint(format!("use {}", provider.repository_form())),
        );
    }
    if is_web_url(given)
        && let Some(repository) = repository_of_page(provider, name)
    {
        let what = "is the address of a page, not of the repository";
        return Some(
            InputError::new(REPOSITORY, what)
                .given(given)
                .hint_with_value(
                    format!("use `{repository}`"),
                    "use only the repository's part of the address",
                ),
        );
    }
    if let Some(other) = another_provider(name, provider)
        .filter(|_| inputs.get(PROVIDER).is_none() && !is_web_url(given))
    {
        let what = format!("must be {}", provider.repository_form());
        let (name, id) = (other.name(), other.as_str());
        let hint = format!("this looks like a {name} repository: set `provider: {id}`");
        return Some(InputError::new(REPOSITORY, what).not(given).hint(hint));
    }
    Some(
        InputError::new(REPOSITORY, why)
            .given(given)
            .hint(format!("use {}", provider.repository_form())),
    )
}

/// Returns the provider whose repositories have names like this one, if those of `assumed` don't.
fn another_provider(name: &str, assumed: ProviderKind) -> Option<ProviderKind> {
    let is_valid = |provider: &ProviderKind| provider.check_name(name).is_ok();
    let mut others = ProviderKind::ALL.iter().copied();
    let other = others.find(is_valid);
    other.filter(|_| !is_valid(&assumed))
}

/// Whether the repository's name shows that another provider was meant than the one that is assumed.
pub(super) fn looks_like_another_provider(inputs: &Inputs, assumed: ProviderKind) -> bool {
    let name = inputs.get(REPOSITORY).filter(|text| !is_web_url(text));
    let name = name.filter(|name| !lacks_scheme(name));
    inputs.get(PROVIDER).is_none()
        && name.is_some_and(|name| another_provider(name, assumed).is_some())
}

/// Whether it's a web URL without `https://`.
fn lacks_scheme(name: &str) -> bool {
    let (host, path) = name.split_once('/').unwrap_or((name, ""));
    let mut all = ProviderKind::ALL.iter();
    path.contains('/') && all.any(|provider| provider.is_public_host(host))
}

/// Whether a repository is given by its address for `git` over SSH.
fn is_ssh(repository: &str) -> bool {
    let is_short = || {
        repository
            .split_once('@')
            .is_some_and(|(user, rest)| !user.contains(['/', ':']) && rest.contains(':'))
    };
    repository.starts_with("ssh://") || (!is_web_url(repository) && is_short())
}

fn ssh_address(repository: &str) -> InputError {
    let address = repository.strip_prefix("ssh://").unwrap_or(repository);
    let address = address.split_once('@').map_or(address, |(_, rest)| rest);
    let path = address.split_once([':', '/']).map_or("", |(_, path)| path);
    // `ssh://host:22/path`
    let path = path.trim_start_matches(|of: char| of.is_ascii_digit());
    let path = path.trim_start_matches('/');
    let name = path.strip_suffix(".git").unwrap_or(path);
    InputError::new(REPOSITORY, "is an SSH address").hint_with_value(
        format!("use `{name}`, or the web URL"),
        "use its name or its web URL",
    )
}

/// Returns the repository of a page's path, such as `octo-org/app/actions` or `group/project/-/pipelines`.
fn repository_of_page(provider: ProviderKind, path: &str) -> Option<String> {
    let before = path.split("/-/").next().unwrap_or_default();
    let two: Vec<_> = path.split('/').take(2).collect();
    let two = two.join("/");
    let mut candidates = [before, two.as_str()].into_iter();
    let found = candidates.find(|name| *name != path && provider.check_name(name).is_ok());
    found.map(str::to_owned)
}

/// The error for a repository given by its address in the API of a public server.
fn api_address(address: &Url) -> Option<InputError> {
    let mut all = ProviderKind::ALL.iter().copied();
    let public = all.find(|provider| {
        let api = provider.api_address(&fixed(provider.default_server()));
        api.origin() == address.origin()
    })?;
    let what = format!("is an address of {}'s API", public.name());
    let hint = format!("use the web URL, on `{}`", public.default_server());
    Some(InputError::new(REPOSITORY, what).hint(hint))
}

/// Returns the web address if the address of a provider's API was given instead.
fn web_address_of_api(given: &Url, provider: ProviderKind) -> Option<Url> {
    let host = given.host_str()?;
    if given.path() == "/" && !host.starts_with("api.") {
        return None;
    }
    let api = given.as_str().trim_end_matches('/');
    let segments: Vec<_> = given.path().trim_matches('/').split('/').collect();
    let hosts = [host.strip_prefix("api."), Some(host)];
    for host in hosts.into_iter().flatten() {
        for kept in 0..=segments.len() {
            let mut web = given.clone();
            web.set_host(Some(host)).ok()?;
            web.set_path(&segments[..kept].join("/"));
            let is_api = provider.api_address(&web).as_str().trim_end_matches('/') == api;
            if is_api && web != *given {
                return Some(web);
            }
        }
    }
    None
}

/// Checks a server's web address.
fn invalid_server(provider: ProviderKind, web: &Url) -> Option<InputError> {
    let all = ProviderKind::ALL.iter().copied();
    let mut candidates = [provider].into_iter().chain(all);
    let api = candidates.find_map(|of| Some((of, web_address_of_api(web, of)?)));
    if let Some((of, address)) = api {
        let what = format!("is the address of {}'s API", of.name());
        let address = address.as_str().trim_end_matches('/');
        let hint = format!("use the web address, `{address}`");
        let error = InputError::new(SERVER, what);
        return Some(error.hint_with_value(hint, "use the server's web address"));
    }
    let why = provider.check_server(web).err()?;
    Some(InputError::new(SERVER, why).hint(format!(
        "use only the scheme and host, like `{}`",
        provider.default_server()
    )))
}

fn checked_location(
    provider: ProviderKind,
    web: Url,
    repository: String,
    inputs: &Inputs,
    host_repository: &HostRepository,
) -> Checked<Destination> {
    let mut errors = Errors::default();
    errors.add(invalid_name(provider, &repository, inputs));
    errors.add(invalid_server(provider, &web));
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
    let found = ProviderKind::by_id(text);
    if found.is_some() {
        return Ok(found);
    }
    let error = InputError::new(PROVIDER, format!("must be {}", provider_list())).not(text);
    match nearest_provider(text) {
        Some(near) => error.hint(format!("did you mean `{near}`?")).fail(),
        None => error.fail(),
    }
}

fn nearest_provider(text: &str) -> Option<&'static str> {
    let all = ProviderKind::ALL.iter();
    nearest(text, all.map(|provider| provider.as_str()))
}

fn server(inputs: &Inputs) -> Checked<Option<Url>> {
    let address = inputs.get(SERVER).map(server_address).transpose();
    address.or_else(|error| error.of_input(SERVER).fail())
}

fn provider_list() -> String {
    let names = ProviderKind::ALL.iter();
    let names: Vec<_> = names
        .map(|provider| format!("`{}`", provider.as_str()))
        .collect();
    match names.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        names => names.concat(),
    }
}

/// Why an address isn't one of a server.
pub(super) struct AddressError {
    what: &'static str,
    hint: &'static str,
    /// The address that was most likely meant.
    instead: Option<String>,
}

impl AddressError {
    fn new(what: &'static str, hint: &'static str) -> Self {
        let instead = None;
        Self {
            what,
            hint,
            instead,
        }
    }

    fn of_input(self, name: &str) -> InputError {
        self.add_to(InputError::new(name, self.what))
    }

    pub(super) fn of_variable(self, name: &str) -> InputError {
        self.add_to(InputError::for_variable(name, self.what))
    }

    fn add_to(&self, error: InputError) -> InputError {
        match &self.instead {
            Some(instead) => error.hint_with_value(format!("use `{instead}`"), self.hint),
            None => error.hint(self.hint),
        }
    }
}

/// Parses the address of a server: `https`, or `http` on loopback, without credentials, query or fragment. Drops a
/// trailing slash. Errors suggest an address only if it can't have a password in it.
pub(super) fn server_address(text: &str) -> Result<Url, AddressError> {
    const EXAMPLE: &str = "use an address like `https://git.example.com`";
    const ONLY_HTTPS: AddressError = AddressError {
        what: "must begin with `https://`",
        hint: "write `https://` before the host",
        instead: None,
    };
    let mut url = match Url::parse(text) {
        Ok(url) => url,
        Err(ParseError::RelativeUrlWithoutBase) => {
            let with_scheme = Url::parse(&format!("https://{text}"));
            let is_plain = !text.contains(['@', '?', '#', ' ']) && !text.starts_with('/');
            return Err(AddressError {
                instead: (with_scheme.is_ok() && is_plain).then(|| format!("https://{text}")),
                ..ONLY_HTTPS
            });
        }
        Err(ParseError::EmptyHost) => return Err(AddressError::new("has no host name", EXAMPLE)),
        Err(_) => return Err(AddressError::new("isn't a valid URL", EXAMPLE)),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressError::new(
            "contains a user name or password",
            "remove it, and change the password: it may be in a log by now",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        let (mut only, hint) = (url.clone(), "use only the scheme, host and path");
        only.set_query(None);
        only.set_fragment(None);
        return Err(AddressError {
            instead: Some(only.as_str().trim_end_matches('/').to_owned()),
            ..AddressError::new("contains a `?` or `#`", hint)
        });
    }
    match (url.scheme(), is_loopback(&url)) {
        ("https", _) | ("http", true) => {}
        ("http", false) => {
            return Err(AddressError::new(
                "would send the token unencrypted, over plain http",
                "use https",
            ));
        }
        _ => return Err(ONLY_HTTPS),
    }
    if url.path().contains("//") || url.path().contains('%') {
        return Err(AddressError::new(
            "contains `//` or `%` in its path, which no server's address does",
            EXAMPLE,
        ));
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
