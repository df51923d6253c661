//! Serves the world of the pictures in `docs/` under the providers' own names, until it is killed. `.ci/picture/make`
//! runs the binary against it, through a proxy that knows these names.
//!
//! Writes the certificate of its authority to the file in its only argument, and then prints the proxy's URL. Its runs
//! take minutes, as real ones do.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};
use std::{env, fs, io, thread};

use chrono::{DateTime, Utc};
use sandbox::world::{Access, GitHubRepository, GitHubToken, JobScenario, Log, Scenario, Workflow};
use sandbox::{Fault, Moment, Occasion, Provider, Proxy, ProxyBehaviour, Response, Route};
use sandbox::{Sandbox, World};
use serde_json::json;

/// The providers, and the host of the logs.
const NAMES: [&str; 4] = [
    "api.github.com",
    "gitlab.com",
    "api.bitbucket.org",
    "storage.test",
];

/// For the repository whose workflow `.ci/picture/make` misspells.
const WEBSITE_TOKEN: &str = "ghp_sandboxClassicWebsite00000000000000000";

/// For the repositories that its pull request tests.
const DEPENDENTS_TOKEN: &str = "ghp_sandboxClassicDependents0000000000000";

/// `GITHUB_TOKEN` of a workflow in `octo-org/library`.
const LIBRARY_TOKEN: &str = "ghs_sandboxWorkflowOfLibrary000000000000000";

/// The last commit of its pull request.
const LIBRARY_COMMIT: &str = "fedcba9876543210fedcba9876543210fedcba98";

/// The repositories that the pull request tests, and how many seconds their tests take.
const DEPENDENTS: [(&str, u64); 18] = [
    ("octo-org/accounts", 31),
    ("octo-org/api-gateway", 58),
    ("octo-org/audit", 26),
    ("octo-org/billing", 43),
    ("octo-org/catalogue", 900),
    ("octo-org/checkout", 52),
    ("octo-org/documentation", 17),
    ("octo-org/inventory", 38),
    ("octo-org/invoices", 29),
    ("octo-org/mobile", 700),
    ("octo-org/notifications", 22),
    ("octo-org/orders", 61),
    ("octo-org/payments", 36),
    ("octo-org/pricing", 27),
    ("octo-org/reports", 45),
    ("octo-org/search", 33),
    ("octo-org/shipping", 48),
    ("octo-org/storefront", 54),
];
/// The one whose tests fail.
const FAILING: &str = "octo-org/payments";
/// The one that waits for a reviewer.
const REVIEWED: &str = "octo-org/search";

/// The end of the log of the job that fails.
const LOG: &str = "\
Applying migration 0042_add_invoices
error: connection to db-1.example.com:5432 refused
Rolling back to revision 137
";

fn main() -> io::Result<()> {
    let ca = env::args().nth(1).unwrap_or_default();
    let builder = NAMES
        .into_iter()
        .fold(Sandbox::builder(world()), |builder, name| {
            builder.certificate_name(name)
        });
    let sandbox = builder.start()?;
    sandbox.fault(
        Route::any().path("/personal_access_tokens/self"),
        Occasion::Every,
        soon_expiring_token(),
    );
    let address = SocketAddr::from(([127, 0, 0, 1], sandbox.https_port()));
    let hosts = NAMES.map(|name| format!("{name}:443"));
    let hosts: Vec<_> = hosts.iter().map(|host| (host.as_str(), address)).collect();
    let proxy = Proxy::start_knowing(ProxyBehaviour::Forwards, &hosts)?;
    fs::write(ca, sandbox.ca_pem())?;
    print(&proxy.url());
    loop {
        thread::park();
    }
}

fn world() -> World {
    let job = |name: &str, seconds| JobScenario::new(name, Duration::from_secs(seconds));
    let queued = |seconds| Scenario::new().queued(Duration::from_secs(seconds));
    let fails = job("deploy", 33)
        .fails_in("Migrate the database")
        .log(Log::text(LOG));
    let website = GitHubRepository::new(3001, "octo-org/website")
        .workflow(Workflow::new(301, "deploy.yml", "Deploy").on_workflow_dispatch())
        .workflow(Workflow::new(302, "lint.yml", "Lint"));
    let world = World::demo()
        .github_repository(website)
        .github_token(
            GitHubToken::classic(WEBSITE_TOKEN, "octocat", &["repo"])
                .for_repository("octo-org/website"),
        )
        .scenario(
            Provider::GitHub,
            queued(4)
                .job(job("build", 41))
                .job(job("test", 68))
                .job(job("publish", 22)),
        )
        .scenario(
            Provider::GitLab,
            queued(7).job(job("plan", 26)).job(job("deploy", 97)),
        )
        .scenario(
            Provider::Bitbucket,
            queued(9).job(job("build", 54)).job(fails),
        );
    pull_request(world)
}

/// Adds a repository with a pull request, and the repositories that it tests.
fn pull_request(world: World) -> World {
    let library = GitHubRepository::new(3002, "octo-org/library").commit(LIBRARY_COMMIT);
    let mut world = world
        .github_repository(library)
        .github_token(GitHubToken::workflow(LIBRARY_TOKEN, "octo-org/library"))
        .grant(LIBRARY_TOKEN, "statuses", Access::Write);
    let mut token = GitHubToken::classic(DEPENDENTS_TOKEN, "octocat", &["repo"]);
    for (id, (name, seconds)) in (4001..).zip(DEPENDENTS) {
        let workflow = Workflow::new(id, "test.yml", "Test").on_workflow_dispatch();
        let repository = GitHubRepository::new(id, name).workflow(workflow);
        token = token.for_repository(name);
        world = world.github_repository(repository).scenario_of(
            Provider::GitHub,
            name,
            "test.yml",
            tests(name, seconds),
        );
    }
    world.github_token(token)
}

fn tests(repository: &str, seconds: u64) -> Scenario {
    let job = |name: &str, seconds| JobScenario::new(name, Duration::from_secs(seconds));
    let test = match repository {
        FAILING => job("test", seconds).fails(),
        REVIEWED => job("test", seconds).needs_approval("staging", &["octocat"]),
        _ => job("test", seconds),
    };
    Scenario::new()
        .queued(Duration::from_secs(3))
        .job(job("build", 12))
        .job(test)
        .job(job("package", 6))
}

/// GitLab says that the token expires in nine days.
fn soon_expiring_token() -> Fault {
    let end = DateTime::<Utc>::from(SystemTime::now() + Duration::from_hours(9 * 24));
    let day = end.date_naive();
    let response = Response::json(200, json!({ "expires_at": day.to_string() }));
    Fault::Response(Moment::BeforeActing, response)
}

#[expect(clippy::print_stdout, reason = "the output of this program")]
fn print(text: &str) {
    println!("{text}");
}
