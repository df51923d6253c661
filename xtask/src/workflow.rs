//! Only tests: what must stay true of `release.yml`, whoever edits it.

use saphyr::{LoadableYamlNode as _, Yaml};

const WORKFLOW: &str = include_str!("../../.github/workflows/release.yml");

/// A job's name, the jobs before it, its permissions (such as `contents: read`), its scripts, and its environment.
struct Job {
    name: String,
    needs: Vec<String>,
    permissions: Vec<String>,
    scripts: Vec<String>,
    environment: Option<String>,
}

impl Job {
    fn may_write(&self) -> bool {
        self.permissions
            .iter()
            .any(|each| each.ends_with(": write"))
    }
}

fn get<'a>(yaml: &'a Yaml<'a>, path: &[&str]) -> Option<&'a Yaml<'a>> {
    path.iter()
        .try_fold(yaml, |yaml, key| yaml.as_mapping_get(key))
}

fn text(yaml: &Yaml<'_>) -> String {
    yaml.as_str().unwrap().to_owned()
}

fn jobs(workflow: &Yaml<'_>) -> Vec<Job> {
    let jobs = get(workflow, &["jobs"]).unwrap().as_mapping().unwrap();
    let job = |(name, job): (&Yaml<'_>, &Yaml<'_>)| {
        let permissions = get(job, &["permissions"]).unwrap().as_mapping().unwrap();
        let steps = get(job, &["steps"]).unwrap().as_sequence().unwrap();
        let needs = get(job, &["needs"]);
        let several = needs.and_then(Yaml::as_sequence).into_iter().flatten();
        Job {
            name: text(name),
            needs: several.map(text).collect(),
            permissions: permissions
                .iter()
                .map(|(scope, access)| format!("{}: {}", text(scope), text(access)))
                .collect(),
            scripts: steps
                .iter()
                .filter_map(|step| get(step, &["run"]))
                .map(text)
                .collect(),
            environment: get(job, &["environment"]).map(text),
        }
    };
    jobs.iter().map(job).collect()
}

fn with_jobs(test: impl Fn(&Yaml<'_>, &[Job])) {
    let documents = Yaml::load_from_str(WORKFLOW).unwrap();
    test(&documents[0], &jobs(&documents[0]));
}

/// Without `pipefail`, which GitHub sets only for a named shell, a failed check that is piped into `tee` passes.
#[test]
fn a_pipe_fails_if_any_part_of_it_fails() {
    with_jobs(|workflow, _| {
        let shell = get(workflow, &["defaults", "run", "shell"]);
        assert_eq!(shell.map(text).as_deref(), Some("bash"));
    });
}

/// A crate's build script could use its job's token, or change what is about to be pushed.
#[test]
fn a_job_that_may_write_compiles_no_crates() {
    with_jobs(|_, jobs| {
        let writers: Vec<_> = jobs.iter().filter(|job| job.may_write()).collect();
        assert!(writers.len() > 2 && writers.len() < jobs.len());
        for job in writers {
            for script in &job.scripts {
                // The name of the binary contains `pip`.
                let harmless = [".ci/image --built", "trigger-pipeline"];
                let script = harmless
                    .iter()
                    .fold(script.clone(), |script, part| script.replace(part, ""));
                for tool in ["cargo", "rustc", ".ci/", "npm", "pip"] {
                    assert!(!script.contains(tool), "{}: {script}", job.name);
                }
            }
        }
    });
}

/// The files come from a job that compiles crates.
#[test]
fn the_commit_checks_every_file_that_it_pushes() {
    with_jobs(|_, jobs| {
        let commit = jobs.iter().find(|job| job.name == "commit").unwrap();
        let script = commit.scripts.concat();
        for check in [
            "git diff --numstat -- action.yml",
            "git diff --name-only",
            "diff - native/release.json",
        ] {
            assert!(script.contains(check), "{check}: {script}");
        }
    });
}

#[test]
fn nothing_becomes_visible_without_approval() {
    with_jobs(|_, jobs| {
        let visible = |job: &&Job| {
            job.scripts
                .iter()
                .any(|script| script.contains("refs/tags/"))
        };
        let visible: Vec<_> = jobs.iter().filter(visible).collect();
        assert_eq!(visible.len(), 1);
        assert_eq!(visible[0].environment.as_deref(), Some("release"));
    });
}

/// Other branches than that of the release's commit are visible, such as the book's.
#[test]
fn no_other_branch_changes_before_the_approved_job() {
    with_jobs(|_, jobs| {
        let pushes = |job: &&Job| job.scripts.iter().any(|script| script.contains("git push"));
        let pushing: Vec<_> = jobs.iter().filter(pushes).collect();
        let names: Vec<_> = pushing.iter().map(|job| job.name.as_str()).collect();
        assert_eq!(names, ["commit", "publish", "pages"]);
        assert!(pushing[0].scripts.concat().contains("refs/heads/$BRANCH"));
        assert!(pushing[2].needs.contains(&"publish".to_owned()));
    });
}

/// The pages of an older major version, or of a pre-release, must not replace those of the newest version.
#[test]
fn only_the_newest_versions_book_is_published() {
    with_jobs(|workflow, _| {
        let condition = get(workflow, &["jobs", "pages", "if"]).map(text).unwrap();
        for part in ["github.ref == 'refs/heads/main'", "prerelease == 'false'"] {
            assert!(condition.contains(part), "{condition}");
        }
    });
}

#[test]
fn the_first_job_refuses_other_branches() {
    with_jobs(|_, jobs| {
        let check = &jobs[0].scripts.concat();
        assert!(check.contains("cargo xtask check"), "{check}");
        assert!(check.contains("--git-ref \"$GITHUB_REF\""), "{check}");
        assert!(!jobs[0].may_write());
    });
}
