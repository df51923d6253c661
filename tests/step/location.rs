//! `provider`, `repository` and `server-url`: where a target may be, and where it may not.

use sandbox::{Sandbox, demo};

use crate::harness::{Step, sandbox};

/// The address to which a dry run would send its request.
fn address(step: &Step) -> String {
    let done = step.run().passes();
    let line = done
        .log
        .lines()
        .find(|line| line.contains("would send POST "))
        .expect("a dry run shows it");
    line.split("POST ")
        .nth(1)
        .expect("an address follows")
        .to_owned()
}

/// A dry run without a sandbox. The proxy isn't there, so that nothing is sent to the real servers.
fn dry(inputs: &[(&str, &str)]) -> Step {
    let step = Step::on("https://github.com")
        .environment("GITHUB_API_URL", "https://api.github.com")
        .environment("HTTPS_PROXY", "http://127.0.0.1:1")
        .input("dry-run", "true");
    inputs
        .iter()
        .fold(step, |step, (name, value)| step.input(name, value))
}

#[test]
fn each_server_has_its_api() {
    let github = [
        ("event-type", "e"),
        ("token", "ghp_x"),
        ("repository", "octo-org/app"),
    ];
    let gitlab = [
        ("provider", "gitlab"),
        ("ref", "main"),
        ("token", "glpat-x"),
        ("repository", "a/b/c"),
    ];
    let bitbucket = [
        ("provider", "bitbucket"),
        ("ref", "main"),
        ("token", "x"),
        ("repository", "a/b"),
    ];
    for (inputs, server, expected) in [
        (
            &github,
            "",
            "https://api.github.com/repos/octo-org/app/dispatches",
        ),
        (
            &github,
            "https://github.com/",
            "https://api.github.com/repos/octo-org/app/dispatches",
        ),
        (
            &github,
            "https://octo.ghe.com",
            "https://api.octo.ghe.com/repos/octo-org/app/dispatches",
        ),
        (
            &github,
            "https://github.example:8443",
            "https://github.example:8443/api/v3/repos/octo-org/app/dispatches",
        ),
        (
            &github,
            "https://x.example/github/",
            "https://x.example/github/api/v3/repos/octo-org/app/dispatches",
        ),
    ] {
        assert_eq!(address(&dry(inputs).input("server-url", server)), expected);
    }
    for (server, expected) in [
        ("", "https://gitlab.com/api/v4/projects/a%2Fb%2Fc/pipeline"),
        (
            "https://gitlab.example/",
            "https://gitlab.example/api/v4/projects/a%2Fb%2Fc/pipeline",
        ),
        (
            "https://x.example/gitlab",
            "https://x.example/gitlab/api/v4/projects/a%2Fb%2Fc/pipeline",
        ),
    ] {
        assert_eq!(address(&dry(&gitlab).input("server-url", server)), expected);
    }
    for (server, expected) in [
        (
            "",
            "https://api.bitbucket.org/2.0/repositories/a/b/pipelines",
        ),
        (
            "https://bitbucket.example",
            "https://bitbucket.example/2.0/repositories/a/b/pipelines",
        ),
    ] {
        assert_eq!(
            address(&dry(&bitbucket).input("server-url", server)),
            expected
        );
    }
}

#[test]
fn the_hosts_own_server_uses_the_api_url_of_the_runner() {
    let own = [
        ("event-type", "e"),
        ("token", "ghp_x"),
        ("repository", "octo-org/app"),
    ];
    let step = dry(&own)
        .environment("GITHUB_SERVER_URL", "https://github.example")
        .environment("GITHUB_API_URL", "https://api-of.github.example/v3");
    assert_eq!(
        address(&step),
        "https://api-of.github.example/v3/repos/octo-org/app/dispatches"
    );
    let elsewhere = dry(&own)
        .environment("GITHUB_SERVER_URL", "https://github.example")
        .environment("GITHUB_API_URL", "https://api-of.github.example/v3")
        .input("server-url", "https://github.com");
    assert_eq!(
        address(&elsewhere),
        "https://api.github.com/repos/octo-org/app/dispatches"
    );
}

#[test]
fn a_web_url_determines_server_and_provider() {
    for (url, more, expected) in [
        (
            "https://github.com/octo-org/app.git",
            vec![("event-type", "e"), ("token", "ghp_x")],
            "https://api.github.com/repos/octo-org/app/dispatches",
        ),
        (
            "https://octo.ghe.com/octo-org/app/",
            vec![("event-type", "e"), ("token", "ghp_x")],
            "https://api.octo.ghe.com/repos/octo-org/app/dispatches",
        ),
        (
            "https://gitlab.com/a/b/c",
            vec![("ref", "main"), ("token", "glpat-x")],
            "https://gitlab.com/api/v4/projects/a%2Fb%2Fc/pipeline",
        ),
        (
            "https://bitbucket.org/a/b",
            vec![("ref", "main"), ("token", "x")],
            "https://api.bitbucket.org/2.0/repositories/a/b/pipelines",
        ),
        (
            "https://git.example/a/b",
            vec![
                ("provider", "gitlab"),
                ("server-url", "https://git.example/"),
                ("ref", "main"),
                ("token", "x"),
            ],
            "https://git.example/api/v4/projects/a%2Fb/pipeline",
        ),
        (
            "https://git.example/gl/a/b",
            vec![
                ("provider", "gitlab"),
                ("server-url", "https://git.example/gl"),
                ("ref", "main"),
                ("token", "x"),
            ],
            "https://git.example/gl/api/v4/projects/a%2Fb/pipeline",
        ),
    ] {
        assert_eq!(
            address(&dry(&more).input("repository", url)),
            expected,
            "{url}"
        );
    }
}

/// Inputs of targets that only lack a location.
const GITHUB: [(&str, &str); 3] = [
    ("provider", "github"),
    ("event-type", "e"),
    ("token", "ghp_x"),
];
const GITLAB: [(&str, &str); 3] = [("provider", "gitlab"), ("ref", "main"), ("token", "x")];
const BITBUCKET: [(&str, &str); 3] = [("provider", "bitbucket"), ("ref", "main"), ("token", "x")];

#[test]
fn invalid_repositories_are_reported() {
    for (inputs, repository, error) in [
        (
            GITHUB,
            "a/b/c",
            "input `repository`: has more than two parts",
        ),
        (GITHUB, "a", "input `repository`: contains no `/`"),
        (
            GITHUB,
            "a/..",
            "input `repository`: has `.` or `..` between its slashes",
        ),
        (
            GITHUB,
            "./b",
            "input `repository`: has `.` or `..` between its slashes",
        ),
        (
            GITHUB,
            "a/b c",
            "input `repository`: contains a character that isn't allowed in a repository's name",
        ),
        (
            GITHUB,
            "a/b?x",
            "input `repository`: contains a character that isn't allowed in a repository's name",
        ),
        (
            GITHUB,
            "a//b",
            "input `repository`: has more than two parts",
        ),
        (GITHUB, "/b", "input `repository`: has an empty part"),
        (
            GITHUB,
            "git@github.com:a/b.git",
            "input `repository`: is an SSH address\nhint: use `a/b`, or the web URL",
        ),
        (GITLAB, "project", "input `repository`: contains no `/`"),
        (
            GITLAB,
            "a/../b",
            "input `repository`: has `.` or `..` between its slashes",
        ),
        (
            BITBUCKET,
            "a/b/c",
            "input `repository`: has more than two parts",
        ),
        (
            GITLAB,
            "",
            "input `repository`: is missing\nhint: set `repository` to `group/project`",
        ),
        (
            GITHUB,
            "https://me:secret-word@github.com/a/b",
            "input `repository`: contains a user name or password",
        ),
    ] {
        let step = dry(&inputs).input("repository", repository);
        step.secret("secret-word").run().fails(&[error]);
    }
    dry(&[("event-type", "e"), ("token", "ghp_x")])
        .input("repository", "https://git.example/a/b")
        .input("server-url", "https://git.example")
        .run()
        .fails(&["input `provider`: is missing, and the server of `repository` doesn't tell which provider it is\nhint: set `provider` to `github`, `gitlab` or `bitbucket`"]);
    dry(&GITLAB)
        .input("repository", "https://git.example/a/b")
        .input("server-url", "https://other.example")
        .run()
        .fails(&["input `repository`: isn't on the server in `server-url`"]);
}

#[test]
fn an_odd_variable_of_the_runner_is_named() {
    for (name, value, error) in [
        (
            "GITHUB_SERVER_URL",
            "github.example",
            "must begin with `https://`\nhint: use `https://github.example`",
        ),
        (
            "GITHUB_API_URL",
            "http://github.example/api/v3",
            "would send the token unencrypted, over plain http\nhint: use https",
        ),
    ] {
        let step = dry(&GITHUB).input("repository", "octo-org/app");
        step.environment(name, value)
            .run()
            .fails(&[&format!("environment variable `{name}`: {error}")]);
    }
}

/// People copy addresses from a browser or from `git clone`.
#[test]
fn a_pasted_address_is_recognised() {
    for (inputs, repository, error) in [
        (
            GITHUB,
            "https://github.com/a/b/tree/main",
            "input `repository`: is the address of a page, not of the repository (`https://github.com/a/b/tree/main`)\nhint: use `a/b`",
        ),
        (
            GITHUB,
            "https://github.com/a/b?tab=readme",
            "input `repository`: contains a `?` or `#`\nhint: use `https://github.com/a/b`",
        ),
        (
            GITHUB,
            "https://github.com/a/b/actions/workflows/x.yml",
            "input `repository`: is the address of a page, not of the repository (`https://github.com/a/b/actions/workflows/x.yml`)\nhint: use `a/b`",
        ),
        (
            GITLAB,
            "https://gitlab.com/a/b/c/-/pipelines",
            "input `repository`: is the address of a page, not of the repository (`https://gitlab.com/a/b/c/-/pipelines`)\nhint: use `a/b/c`",
        ),
        (
            BITBUCKET,
            "https://bitbucket.org/a/b/pipelines",
            "input `repository`: is the address of a page, not of the repository (`https://bitbucket.org/a/b/pipelines`)\nhint: use `a/b`",
        ),
        (
            GITHUB,
            "https://api.github.com/repos/octo-org/app",
            "input `repository`: is an address of GitHub's API\nhint: use the web URL, on `https://github.com`",
        ),
        (
            GITHUB,
            "github.com/octo-org/app",
            "input `repository`: is a web URL without its scheme\nhint: use `https://github.com/octo-org/app`",
        ),
        (
            GITLAB,
            "gitlab.com/a/b",
            "input `repository`: is a web URL without its scheme\nhint: use `https://gitlab.com/a/b`",
        ),
        (
            GITHUB,
            "ssh://git@github.com:22/a/b.git",
            "input `repository`: is an SSH address\nhint: use `a/b`, or the web URL",
        ),
        (
            GITHUB,
            "https://",
            "input `repository`: has no host name\nhint: use an address like `https://git.example.com`",
        ),
    ] {
        let step = dry(&inputs).input("repository", repository);
        step.run().fails(&[error]);
    }
}

/// Without `provider`, the provider is GitHub. What was given shows which one was meant.
#[test]
fn a_forgotten_provider_is_named() {
    let github = [("event-type", "e"), ("repository", "octo-org/app")];
    let token = [("token", "ghp_x")];
    for (inputs, errors) in [
        (
            vec![("repository", "a/b/c")],
            vec![
                "input `repository`: must be `owner/name`, or its web URL, not `a/b/c`\nhint: this looks like a GitLab repository: set `provider: gitlab`",
            ],
        ),
        (
            [&github[..], &[("token", "glpat-x")]].concat(),
            vec![
                "input `token`: looks like a GitLab token, which is never sent to GitHub\nhint: if the pipeline is on GitLab, set `provider: gitlab`; else pass a GitHub token",
            ],
        ),
        (
            [&github[..], &[("token", "glptt-x")]].concat(),
            vec![
                "input `token`: looks like a GitLab token, which is never sent to GitHub\nhint: if the pipeline is on GitLab, set `provider: gitlab`",
            ],
        ),
        (
            [&github[..], &[("token", "ATCTT3xabc")]].concat(),
            vec![
                "input `token`: looks like a Bitbucket token, which is never sent to GitHub\nhint: if the pipeline is on Bitbucket, set `provider: bitbucket`",
            ],
        ),
        (
            [&github[..], &token, &[("trigger-token", "x")]].concat(),
            vec![
                "input `trigger-token`: only works with GitLab, but the provider here is GitHub\nhint: remove `trigger-token`, or set `provider: gitlab`",
            ],
        ),
        (
            vec![
                ("repository", "octo-org/app"),
                token[0],
                ("custom-pipeline", "deploy"),
            ],
            vec![
                "input `custom-pipeline`: only works with Bitbucket, but the provider here is GitHub\nhint: remove `custom-pipeline`, or set `provider: bitbucket`",
            ],
        ),
    ] {
        dry(&inputs).run().fails(&errors);
    }
}

/// A web URL may be untrusted input, so it must not decide on its own where a token is sent.
#[test]
fn a_web_url_does_not_send_a_token_to_an_unknown_server() {
    let unknown = "input `repository`: is on a server that isn't known, and a web URL by itself doesn't decide where a token is sent\nhint: set";
    for (inputs, url, error) in [
        (GITLAB, "https://evil.example/group/app", unknown),
        (BITBUCKET, "https://evil.example/group/app", unknown),
        (GITHUB, "https://evil.example/octo-org/app", unknown),
        (
            GITHUB,
            "https://github.com.evil.example/octo-org/app",
            unknown,
        ),
        (GITHUB, "https://ghe.com/octo-org/app", unknown),
        (GITLAB, "https://gitlab.com:8443/a/b", unknown),
        (
            GITLAB,
            "https://github.com/octo-org/app",
            "input `repository`: is on GitHub, but `provider` is `gitlab`",
        ),
        (
            GITHUB,
            "https://gitlab.com/octo-org/app",
            "input `repository`: is on GitLab, but `provider` is `github`",
        ),
    ] {
        dry(&inputs).input("repository", url).run().fails(&[error]);
    }
    let app = [
        ("client-id", "Iv1"),
        ("private-key", demo::GITHUB_APP_PRIVATE_KEY),
        ("provider", "github"),
        ("event-type", "e"),
    ];
    dry(&app)
        .input("repository", "https://evil.example/octo-org/app")
        .run()
        .fails(&[unknown]);
    // The URL agrees with `server-url`, or with the runner's own server.
    for (server, url) in [
        (
            "https://git.example/github",
            "https://git.example/github/octo-org/app",
        ),
        ("", "https://own.example/github/octo-org/app"),
    ] {
        let step = dry(&GITHUB)
            .environment("GITHUB_SERVER_URL", "https://own.example/github")
            .environment("GITHUB_API_URL", "https://own.example/github/api/v3");
        address(&step.input("server-url", server).input("repository", url));
    }
    dry(&GITHUB)
        .environment("GITHUB_SERVER_URL", "https://own.example/github")
        .input("repository", "https://own.example/other/octo-org/app")
        .run()
        .fails(&["is on a server that isn't known"]);
}

#[test]
fn an_entry_at_the_steps_server_may_have_a_web_url() {
    let entry = |url: &str| {
        dry(&GITLAB)
            .input("server-url", "https://git.example/gitlab")
            .input("repository", "a/b")
            .input("targets", &format!("- repository: {url}"))
    };
    assert_eq!(
        address(&entry("https://git.example/gitlab/c/d")),
        "https://git.example/gitlab/api/v4/projects/c%2Fd/pipeline"
    );
    entry("https://evil.example/c/d")
        .run()
        .fails(&["input `targets`, c/d (line 1): `repository` is on a server that isn't known"]);
}

#[test]
fn a_forge_that_imitates_githubs_runner_is_not_treated_as_github() {
    for (variables, name) in [
        (&["GITEA_ACTIONS"][..], "Gitea"),
        (&["FORGEJO_ACTIONS"], "Forgejo"),
        (&["GITEA_ACTIONS", "FORGEJO_ACTIONS"], "Forgejo"),
    ] {
        let on_forge = |inputs: &[(&str, &str)]| {
            let step = dry(inputs)
                .environment("GITHUB_SERVER_URL", "https://forge.example")
                .environment("GITHUB_API_URL", "https://forge.example/api/v1");
            variables
                .iter()
                .fold(step, |step, name| step.environment(name, "true"))
        };
        let error = format!(
            "input `server-url`: must be a GitHub server: this workflow runs on {name}, whose API isn't GitHub's\nhint: set `server-url` to the GitHub server that has the repository"
        );
        let dispatch = [("event-type", "e"), ("repository", "octo-org/app")];
        for more in [
            &[][..],
            &[("token", "ghp_x")],
            &[("repository", "https://forge.example/octo-org/app")],
            &[
                ("server-url", "https://forge.example"),
                ("provider", "github"),
            ],
        ] {
            on_forge(&[&dispatch[..], more].concat())
                .run()
                .fails(&[&error]);
        }
        for more in [
            &[("server-url", "https://github.com")][..],
            &[("repository", "https://github.com/octo-org/app")],
        ] {
            let step = on_forge(&[&dispatch[..], more, &[("token", "ghp_x")]].concat());
            assert_eq!(
                address(&step),
                "https://api.github.com/repos/octo-org/app/dispatches"
            );
        }
        address(&on_forge(&GITLAB).input("repository", "a/b"));
    }
    // `false` doesn't make the runner one of a forge.
    address(
        &dry(&GITHUB)
            .input("repository", "a/b")
            .environment("GITEA_ACTIONS", "false"),
    );
}

#[test]
fn invalid_servers_and_providers_are_reported() {
    for (inputs, name, value, error) in [
        (
            GITLAB,
            "server-url",
            "http://gitlab.example",
            "input `server-url`: would send the token unencrypted, over plain http\nhint: use https",
        ),
        (
            GITLAB,
            "server-url",
            "gitlab.example",
            "input `server-url`: must begin with `https://`\nhint: use `https://gitlab.example`",
        ),
        (
            GITLAB,
            "server-url",
            "ftp://gitlab.example",
            "input `server-url`: must begin with `https://`",
        ),
        (
            GITLAB,
            "server-url",
            "http://127.0.0.1.example",
            "input `server-url`: would send the token unencrypted",
        ),
        (
            GITHUB,
            "server-url",
            "https://github.com/octo-org",
            "input `server-url`: has a path, but github.com and ghe.com have none",
        ),
        (
            GITHUB,
            "server-url",
            "https://github.example/api/v3",
            "input `server-url`: is the address of GitHub's API\nhint: use the web address, `https://github.example`",
        ),
        (
            GITHUB,
            "provider",
            "githab",
            "input `provider`: must be `github`, `gitlab` or `bitbucket`, not `githab`\nhint: did you mean `github`?",
        ),
        (
            GITHUB,
            "server-url",
            "https://api.github.com",
            "input `server-url`: is the address of GitHub's API\nhint: use the web address, `https://github.com`",
        ),
        (
            GITHUB,
            "server-url",
            "https://api.octo.ghe.com/",
            "input `server-url`: is the address of GitHub's API\nhint: use the web address, `https://octo.ghe.com`",
        ),
        (
            GITLAB,
            "server-url",
            "https://git.example/gitlab/api/v4",
            "input `server-url`: is the address of GitLab's API\nhint: use the web address, `https://git.example/gitlab`",
        ),
        (
            BITBUCKET,
            "server-url",
            "https://api.bitbucket.org/2.0/",
            "input `server-url`: is the address of Bitbucket's API\nhint: use the web address, `https://bitbucket.org`",
        ),
        (
            GITLAB,
            "server-url",
            "https://gitlab.com/a/b",
            "input `server-url`: has a path, but gitlab.com has none\nhint: use only the scheme and host, like `https://gitlab.com`",
        ),
        (
            BITBUCKET,
            "server-url",
            "https://bitbucket.org/a",
            "input `server-url`: has a path, but bitbucket.org has none\nhint: use only the scheme and host, like `https://bitbucket.org`",
        ),
        (
            GITLAB,
            "server-url",
            "https://",
            "input `server-url`: has no host name",
        ),
        (
            GITHUB,
            "provider",
            "sourcehut",
            "input `provider`: must be `github`, `gitlab` or `bitbucket`",
        ),
    ] {
        let step = dry(&inputs).input("repository", "octo-org/app");
        step.input(name, value).run().fails(&[error]);
    }
}

#[test]
fn plain_http_is_only_allowed_for_loopback() {
    let sandbox = Sandbox::builder(sandbox::World::demo())
        .ipv6()
        .start()
        .unwrap();
    let localhost = sandbox.http_url().replace("127.0.0.1", "localhost");
    for server in [
        sandbox.http_url(),
        sandbox.ipv6_http_url().unwrap(),
        localhost,
    ] {
        Step::gitlab(&sandbox)
            .input("server-url", &server)
            .input("ref", "main")
            .run()
            .passes();
    }
    assert_eq!(sandbox.runs().len(), 3);
}

/// The repository of the workflow itself, while `server-url` isn't set.
#[test]
fn the_default_repository_is_the_hosts_own() {
    let sandbox = sandbox();
    Step::on(&sandbox.http_url())
        .input("event-type", "deploy")
        .input("token", demo::GITHUB_CLASSIC)
        .environment("GITHUB_REPOSITORY", "octo-org/app")
        .run()
        .passes();
    assert_eq!(sandbox.runs()[0].repository, "octo-org/app");
}
