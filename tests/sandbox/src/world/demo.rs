//! The world of the program, the demo and most tests, with constants for its tokens and ids. All values look fake and
//! grant no access anywhere.

use std::time::Duration;

use serde_json::json;

use super::{
    Access, Artifact, BitbucketRepository, BitbucketToken, Configuration, GitHubApp,
    GitHubRepository, GitHubToken, GitLabProject, GitLabToken, InputKind, Installation,
    JobScenario, Log, Permissions, Provider, Role, Scenario, Workflow, World, examples,
};

/// Classic, scopes `repo` and `workflow`: full access to `octo-org/app` and `octo-org/private`.
pub const GITHUB_CLASSIC: &str = "ghp_sandboxClassicRepo00000000000000000000";
/// Classic, scope `read:org`: can read `octo-org/app`, because it is public, but can't start anything.
pub const GITHUB_CLASSIC_WITHOUT_REPO: &str = "ghp_sandboxClassicReadOrg00000000000000000";
/// Fine-grained for `octo-org/app`: contents and actions, write.
pub const GITHUB_FINE_GRAINED: &str =
    "github_pat_sandboxFineGrainedWrite00000000000000000000000000";
/// Fine-grained for `octo-org/app`: contents and actions, read only.
pub const GITHUB_FINE_GRAINED_READ_ONLY: &str =
    "github_pat_sandboxFineGrainedRead000000000000000000000000000";
/// `GITHUB_TOKEN` of a workflow in `octo-org/app`.
pub const GITHUB_WORKFLOW: &str = "ghs_sandboxWorkflowOfApp000000000000000000";
/// `GITHUB_TOKEN` of a workflow in `octo-org/caller`; can't start anything in `octo-org/app`.
pub const GITHUB_WORKFLOW_OF_CALLER: &str = "ghs_sandboxWorkflowOfCaller00000000000000";
/// A commit of `octo-org/caller` that no branch or tag points to, such as the head of a pull request.
pub const GITHUB_CALLER_COMMIT: &str = "89abcdef0123456789abcdef0123456789abcdef";
pub const GITHUB_APP_ID: u64 = 20_001;
pub const GITHUB_APP_CLIENT_ID: &str = "Iv23liSandboxClient01";
/// The App's installation on `octo-org/app` and `octo-org/private`.
pub const GITHUB_INSTALLATION_ID: u64 = 30_001;
/// `BEGIN RSA PRIVATE KEY` (PKCS#1), created only for these tests.
pub const GITHUB_APP_PRIVATE_KEY: &str = include_str!("../../keys/test-only-app.pkcs1.pem");
/// The same key as `BEGIN PRIVATE KEY` (PKCS#8).
pub const GITHUB_APP_PRIVATE_KEY_PKCS8: &str = include_str!("../../keys/test-only-app.pkcs8.pem");
const GITHUB_APP_PUBLIC_KEY: &str = include_str!("../../keys/test-only-app.public.pem");

/// Trigger token of `octo-group/tools/deployer`, with the role developer.
pub const GITLAB_TRIGGER: &str = "glptt-sandboxTriggerDeployer0000000000000000";
/// Trigger token of `octo-group/tools/locked`, which forbids pipeline variables.
pub const GITLAB_TRIGGER_LOCKED: &str = "glptt-sandboxTriggerLocked000000000000000000";
/// Scope `api`, developer in all projects except `octo-group/tools/private`.
pub const GITLAB_DEVELOPER: &str = "glpat-sandboxDeveloper00";
/// Scope `api`, maintainer in all projects.
pub const GITLAB_MAINTAINER: &str = "glpat-sandboxMaintainer0";
/// Scope `api`, reporter in `octo-group/tools/deployer`: can read, but not start anything.
pub const GITLAB_REPORTER: &str = "glpat-sandboxReporter000";
/// Scope `read_api`, developer in `octo-group/tools/deployer`.
pub const GITLAB_READ_API: &str = "glpat-sandboxReadApi0000";
/// The id of `octo-group/tools/deployer`.
pub const GITLAB_PROJECT_ID: u64 = 4242;

/// Access token of `octo-workspace/service`, scopes `pipeline:write` and `repository`.
pub const BITBUCKET_ACCESS: &str = "ATCTT3xSandboxAccess0000000000000000000000000000";
/// The same with only the scope `pipeline` (read-only).
pub const BITBUCKET_ACCESS_READ_ONLY: &str = "ATCTT3xSandboxAccessReadOnly00000000000000000000";
/// API token of `BITBUCKET_EMAIL` with all required scopes.
pub const BITBUCKET_API: &str = "ATATT3xSandboxApi0000000000000000000000000000000";
/// API token of `BITBUCKET_EMAIL` with only `write:pipeline:bitbucket`, which doesn't imply reading.
pub const BITBUCKET_API_WRITE_ONLY: &str = "ATATT3xSandboxApiWriteOnly0000000000000000000000";
pub const BITBUCKET_EMAIL: &str = "octavia@example.com";
/// A commit of `octo-workspace/service` that no branch or tag points to.
pub const BITBUCKET_COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

const WRITE: [(&str, Access); 3] = [
    ("actions", Access::Write),
    ("contents", Access::Write),
    ("metadata", Access::Read),
];

impl World {
    /// The world described by the constants of [`demo`](self).
    pub fn demo() -> Self {
        bitbucket(gitlab(github_tokens(github(Self::new()))))
    }

    /// The same world with scenarios and the targets of the examples (see `examples`). Runs end after a few seconds;
    /// Bitbucket's `nightly` fails. These run for an hour or more unless approved or cancelled: GitHub's
    /// `1-release.yml`, `strict.yml` (concurrency group, then reviewers) and `marked.yml` (timer), GitLab's
    /// `octo-group/tools/private` (downstream pipeline, then manual job), and Bitbucket's `rollout` (manual step).
    pub fn demo_with_scenarios() -> Self {
        let second = Duration::from_secs(1);
        let jobs = || {
            Scenario::new()
                .queued(second)
                .job(JobScenario::new("build", 2 * second))
                .job(JobScenario::new("test", 3 * second))
        };
        let log = "Deploying to production\nconnection to db-1.example.com refused\n";
        let fails = jobs().job(
            JobScenario::new("deploy", second)
                .fails_in("Roll out")
                .log(Log::text(log)),
        );
        let result = "{\"version\": \"1.2.3\"}";
        let zipped = Artifact::new("result").file("result.json", result);
        let unzipped = Artifact::raw("result.json", result);
        let build = || Scenario::new().job(JobScenario::new("build", second));
        let deploy = || JobScenario::new("deploy", second);
        let reviewed = deploy().needs_approval("production", &["octocat", "team/ops"]);
        let downstream = JobScenario::new("downstream", second).starts("octo-group/tools/deployer");
        let deployed = JobScenario::new("deploy", second).file("result.json", "{\"replicas\": 3}");
        let world = Self::demo()
            .scenario(Provider::GitHub, jobs().artifact(zipped).artifact(unzipped))
            .scenario_of(
                Provider::GitHub,
                "octo-org/app",
                "1-release.yml",
                Scenario::endless(),
            )
            .scenario_of(
                Provider::GitHub,
                "octo-org/app",
                "strict.yml",
                build().after_others(1, 2 * second).job(reviewed),
            )
            .scenario_of(
                Provider::GitHub,
                "octo-org/app",
                "marked.yml",
                Scenario::new().job(deploy().after_timer(3_600 * second)),
            )
            .scenario(Provider::GitLab, jobs().job(deployed))
            .scenario_of(
                Provider::GitLab,
                "octo-group/tools/private",
                ".gitlab-ci.yml",
                build().job(downstream).job(deploy().manual()),
            )
            .scenario(Provider::Bitbucket, jobs())
            .scenario_of(
                Provider::Bitbucket,
                "octo-workspace/service",
                "rollout",
                build().job(deploy().manual()),
            )
            .scenario_of(
                Provider::Bitbucket,
                "octo-workspace/service",
                "nightly",
                fails,
            );
        examples::add(world)
    }
}

fn github(world: World) -> World {
    let app = GitHubRepository::new(1001, "octo-org/app")
        .formerly("octo-org/renamed-app")
        .branch("release")
        .tag("v1.0.0")
        .workflow(
            Workflow::new(101, "build.yml", "Build")
                .on_repository_dispatch(&["deploy"])
                .input("environment", false, Some("staging"))
                .input("version", false, None)
                .input("trigger_id", false, None)
                .input("caller", false, None),
        )
        .workflow(Workflow::new(102, "1-release.yml", "Release").on_workflow_dispatch())
        .workflow(
            Workflow::new(103, "old.yml", "Old")
                .on_repository_dispatch(&["deploy"])
                .on_workflow_dispatch()
                .disabled(),
        )
        .workflow(Workflow::new(104, "lint.yml", "Lint"))
        .workflow(Workflow::new(105, "notify.yml", "Notify").on_repository_dispatch(&["deploy"]))
        .workflow(
            Workflow::new(106, "marked.yml", "Marked")
                .on_repository_dispatch(&["deploy-marked"])
                .run_name("Marked ${{ github.event.client_payload.trigger_id }}"),
        )
        .workflow(Workflow::new(107, "strict.yml", "Strict").input("environment", true, None))
        .workflow(
            Workflow::new(108, "ship.yml", "Ship")
                .on_repository_dispatch(&["release"])
                .run_name("Ship ${{ github.event.client_payload.trigger_id }}"),
        )
        .workflow(
            Workflow::new(109, "titled.yml", "Titled")
                .input("trigger_id", false, None)
                .run_name("Titled ${{ inputs.trigger_id }}"),
        );
    let private = GitHubRepository::new(1002, "octo-org/private")
        .private()
        .workflow(
            Workflow::new(201, "deploy.yml", "Deploy")
                .on_every_repository_dispatch()
                .on_workflow_dispatch(),
        );
    world
        .github_repository(app)
        .github_repository(private)
        .github_repository(
            GitHubRepository::new(1003, "octo-org/caller").commit(GITHUB_CALLER_COMMIT),
        )
}

fn github_tokens(world: World) -> World {
    let read = [("actions", Access::Read), ("contents", Access::Read)];
    world
        .github_token(
            GitHubToken::classic(GITHUB_CLASSIC, "octocat", &["repo", "workflow"])
                .for_repository("octo-org/app")
                .for_repository("octo-org/private"),
        )
        .github_token(
            GitHubToken::classic(GITHUB_CLASSIC_WITHOUT_REPO, "octocat", &["read:org"])
                .for_repository("octo-org/app"),
        )
        .github_token(
            GitHubToken::fine_grained(GITHUB_FINE_GRAINED, "octocat", &WRITE)
                .for_repository("octo-org/app"),
        )
        .github_token(
            GitHubToken::fine_grained(GITHUB_FINE_GRAINED_READ_ONLY, "octocat", &read)
                .for_repository("octo-org/app"),
        )
        .github_token(GitHubToken::workflow(GITHUB_WORKFLOW, "octo-org/app"))
        .github_token(GitHubToken::workflow(
            GITHUB_WORKFLOW_OF_CALLER,
            "octo-org/caller",
        ))
        .github_app(GitHubApp {
            id: GITHUB_APP_ID,
            client_id: GITHUB_APP_CLIENT_ID.to_owned(),
            slug: "octo-deployer".to_owned(),
            public_key_pem: GITHUB_APP_PUBLIC_KEY.to_owned(),
            installations: vec![Installation {
                id: GITHUB_INSTALLATION_ID,
                repositories: vec!["octo-org/app".to_owned(), "octo-org/private".to_owned()],
                permissions: Permissions::new(&WRITE),
            }],
        })
}

fn gitlab(world: World) -> World {
    let deployer = GitLabProject::new(GITLAB_PROJECT_ID, "octo-group/tools/deployer")
        .branch("release")
        .protected_branch("production")
        .tag("v3.0.0")
        .trigger_token(GITLAB_TRIGGER, "octavia", Role::Developer)
        .input("environment", InputKind::String, Some(json!("staging")))
        .input("replicas", InputKind::Number, Some(json!(1)))
        .input("debug", InputKind::Boolean, Some(json!(false)))
        .input("regions", InputKind::Array, Some(json!([])))
        .input("trigger_id", InputKind::String, Some(json!("")));
    let locked = GitLabProject::new(4243, "octo-group/tools/locked")
        .forbids_variables()
        .trigger_token(GITLAB_TRIGGER_LOCKED, "octavia", Role::Developer)
        .input("environment", InputKind::String, Some(json!("staging")));
    let idle =
        GitLabProject::new(4244, "octo-group/tools/idle").configuration(Configuration::NoJobs);
    let private = GitLabProject::new(4245, "octo-group/tools/private").private();
    let roles = |token: GitLabToken, role| {
        token
            .member("octo-group/tools/deployer", role)
            .member("octo-group/tools/locked", role)
            .member("octo-group/tools/idle", role)
    };
    world
        .gitlab_project(deployer)
        .gitlab_project(locked)
        .gitlab_project(idle)
        .gitlab_project(private)
        .gitlab_token(roles(
            GitLabToken::new(GITLAB_DEVELOPER, "octavia", &["api"]),
            Role::Developer,
        ))
        .gitlab_token(
            roles(
                GitLabToken::new(GITLAB_MAINTAINER, "oscar", &["api"]),
                Role::Maintainer,
            )
            .member("octo-group/tools/private", Role::Maintainer),
        )
        .gitlab_token(
            GitLabToken::new(GITLAB_REPORTER, "olga", &["api"])
                .member("octo-group/tools/deployer", Role::Reporter),
        )
        .gitlab_token(
            GitLabToken::new(GITLAB_READ_API, "octavia", &["read_api"])
                .member("octo-group/tools/deployer", Role::Developer),
        )
}

fn bitbucket(world: World) -> World {
    let service = BitbucketRepository::new("octo-workspace/service")
        .branch("develop")
        .branch("experiment")
        .tag("v2.0.0")
        .commit(BITBUCKET_COMMIT)
        .pipelines_only_for(&["main", "develop", "v2.0.0"])
        .custom_pipeline("deploy")
        .custom_pipeline("nightly")
        .custom_pipeline("rollout");
    let all = [
        "read:pipeline:bitbucket",
        "write:pipeline:bitbucket",
        "read:repository:bitbucket",
    ];
    let tokens = [
        BitbucketToken::access(
            BITBUCKET_ACCESS,
            "service-access-token",
            &["pipeline:write", "repository"],
        ),
        BitbucketToken::access(
            BITBUCKET_ACCESS_READ_ONLY,
            "service-read-only-token",
            &["pipeline"],
        ),
        BitbucketToken::api(BITBUCKET_API, "octavia", BITBUCKET_EMAIL, &all),
        BitbucketToken::api(
            BITBUCKET_API_WRITE_ONLY,
            "octavia",
            BITBUCKET_EMAIL,
            &["write:pipeline:bitbucket"],
        ),
    ];
    tokens.into_iter().fold(
        world
            .bitbucket_repository(service)
            .bitbucket_repository(BitbucketRepository::new("octo-workspace/hidden")),
        |world, token| world.bitbucket_token(token.for_repository("octo-workspace/service")),
    )
}
