//! The sandbox as a program: serves the demo world on loopback until it is killed, and prints `curl` commands to try.

use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{self, ExitCode};
use std::thread;

use sandbox::world::GitHubTokenKind;
use sandbox::{RecordedRequest, Sandbox, World, demo};

const USAGE: &str = "\
Serves in-memory versions of GitHub, GitLab and Bitbucket on this machine until you stop it.

Usage: sandbox [--port PORT] [--https-port PORT]

Options:
  --port PORT        Port for http; a free one by default
  --https-port PORT  Port for https; a free one by default
  -h, --help         Print this text";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1).peekable();
    if matches!(arguments.peek().map(String::as_str), Some("--help" | "-h")) {
        print(USAGE);
        return ExitCode::SUCCESS;
    }
    let result = ports(arguments).and_then(|(port, https_port)| {
        serve(port, https_port).map_err(|error| format!("the sandbox couldn't start: {error}"))
    });
    if let Err(error) = result {
        print_error(&error);
    }
    ExitCode::FAILURE
}

/// Runs until the process is killed.
fn serve(port: u16, https_port: u16) -> io::Result<()> {
    let world = World::demo_with_scenarios();
    let description = describe(&world);
    let sandbox = Sandbox::builder(world)
        .http_port(port)
        .https_port(https_port)
        .on_response(log_request)
        .start()?;
    let folder = env::temp_dir().join(format!("sandbox-{}", process::id()));
    fs::create_dir(&folder)?;
    let ca = folder.join("ca.pem");
    fs::write(&ca, sandbox.ca_pem())?;
    print(&format!(
        "{}\n{description}\n{}",
        addresses(&sandbox, &ca),
        try_by_hand(&sandbox, &ca)
    ));
    loop {
        thread::park();
    }
}

/// HTTP and HTTPS port; 0 lets the system choose.
fn ports(mut arguments: impl Iterator<Item = String>) -> Result<(u16, u16), String> {
    let (mut http, mut https) = (0, 0);
    while let Some(name) = arguments.next() {
        let port = match name.as_str() {
            "--port" => &mut http,
            "--https-port" => &mut https,
            _ => return Err(format!("unknown argument `{name}`\n\n{USAGE}")),
        };
        let value = arguments.next().unwrap_or_default();
        *port = value
            .parse()
            .map_err(|_| format!("`{name}` must be a port, not `{value}`\n\n{USAGE}"))?;
    }
    Ok((http, https))
}

#[expect(clippy::print_stdout, reason = "the output of this program")]
fn print(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "errors go to standard error")]
fn print_error(error: &str) {
    eprintln!("error: {error}");
}

fn log_request(request: &RecordedRequest) {
    let provider = request
        .provider
        .map_or_else(|| "-".to_owned(), |provider| provider.to_string());
    let mut line = format!(
        "{provider} {} {} {:?}",
        request.method, request.path, request.response
    );
    for objection in &request.objections {
        line = format!("{line} [{objection}]");
    }
    print(&line);
}

fn addresses(sandbox: &Sandbox, ca: &Path) -> String {
    let (http, https) = (sandbox.http_url(), sandbox.https_url());
    format!(
        "GitHub     {http}/api/v3  {https}/api/v3\n\
         GitLab     {http}/api/v4  {https}/api/v4  {http}/gitlab/api/v4\n\
         Bitbucket  {http}/2.0     {https}/2.0\n\
         CA         {}\n",
        ca.display()
    )
}

fn describe(world: &World) -> String {
    let mut lines = vec!["GitHub repositories and workflows".to_owned()];
    for repository in &world.github.repositories {
        lines.push(format!("  {}", repository.name));
        for workflow in &repository.workflows {
            lines.push(format!("    {} {}", workflow.id, workflow.file));
        }
    }
    for token in &world.github.tokens {
        let permissions = match &token.kind {
            GitHubTokenKind::Classic { scopes } => scopes.join(", "),
            GitHubTokenKind::FineGrained { permissions }
            | GitHubTokenKind::Installation { permissions } => {
                let pairs = permissions.0.iter();
                let pairs: Vec<String> = pairs
                    .map(|(name, access)| format!("{name}={access}"))
                    .collect();
                pairs.join(", ")
            }
        };
        let repositories = token.repositories.join(", ");
        lines.push(format!(
            "  token {} ({permissions}; {repositories})",
            token.value
        ));
    }
    lines.push("GitLab projects".to_owned());
    for project in &world.gitlab.projects {
        lines.push(format!("  {} (id {})", project.path, project.id));
        for trigger in &project.trigger_tokens {
            lines.push(format!("    trigger token {}", trigger.value));
        }
    }
    for token in &world.gitlab.tokens {
        let scopes = token.scopes.join(", ");
        lines.push(format!(
            "  token {} ({}; {scopes})",
            token.value, token.owner
        ));
    }
    lines.push("Bitbucket repositories".to_owned());
    for repository in &world.bitbucket.repositories {
        let pipelines = repository.custom_pipelines.join(", ");
        lines.push(format!(
            "  {} (custom pipelines: {pipelines})",
            repository.name
        ));
    }
    for token in &world.bitbucket.tokens {
        lines.push(format!(
            "  token {} ({})",
            token.value,
            token.scopes.join(", ")
        ));
    }
    lines.join("\n") + "\n"
}

fn try_by_hand(sandbox: &Sandbox, ca: &Path) -> String {
    let (http, https) = (sandbox.http_url(), sandbox.https_url());
    format!(
        "Commands to try. Each request is printed below; Ctrl+C stops the sandbox.\n\n\
         curl -i {http}/api/v3/repos/octo-org/app/dispatches \\\n  \
           -H 'Authorization: Bearer {}' \\\n  -d '{{\"event_type\": \"deploy\"}}'\n\n\
         curl -i {http}/api/v4/projects/{}/trigger/pipeline \\\n  -d token={} -d ref=main\n\n\
         curl -i --cacert {} {https}/2.0/repositories/octo-workspace/service/pipelines \\\n  \
           -H 'Authorization: Bearer {}' -H 'Content-Type: application/json' \\\n  \
           -d '{{\"target\": {{\"type\": \"pipeline_ref_target\", \"ref_type\": \"branch\", \
           \"ref_name\": \"main\"}}}}'\n",
        demo::GITHUB_CLASSIC,
        demo::GITLAB_PROJECT_ID,
        demo::GITLAB_TRIGGER,
        ca.display(),
        demo::BITBUCKET_ACCESS,
    )
}
