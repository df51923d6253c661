//! Other CI systems: plain lines, and what some of them read from a log.

use super::variables::{self, OwnVariables};
use super::{Environment, Host, neutral};
use crate::model::{Caller, GivenInputs};

/// What a CI system reads from a log.
#[derive(Clone, Copy)]
struct Words {
    /// The lines before and after a group. The first one ends with the group's title.
    group: Option<(&'static str, Option<&'static str>)>,
    /// Begins a line that masks the rest of it.
    mask: Option<&'static str>,
}

const PLAIN: Words = Words {
    group: None,
    mask: None,
};

struct CiSystem {
    /// It runs the step if this variable is set.
    variable: &'static str,
    /// The variable with the page of the calling run.
    page: &'static str,
    words: Words,
}

const SYSTEMS: [CiSystem; 4] = [
    CiSystem {
        variable: "TF_BUILD",
        page: "",
        words: Words {
            group: Some(("##[group]", Some("##[endgroup]"))),
            mask: Some("##vso[task.setsecret]"),
        },
    },
    CiSystem {
        variable: "CIRCLECI",
        page: "CIRCLE_BUILD_URL",
        words: PLAIN,
    },
    CiSystem {
        variable: "BUILDKITE",
        page: "BUILDKITE_BUILD_URL",
        words: Words {
            group: Some(("--- ", None)),
            mask: None,
        },
    },
    CiSystem {
        variable: "JENKINS_URL",
        page: "BUILD_URL",
        words: PLAIN,
    },
];

pub(super) struct OtherCi {
    environment: Environment,
    system: &'static CiSystem,
}

impl OtherCi {
    pub(super) fn detect(environment: &Environment) -> Option<Self> {
        let mut systems = SYSTEMS.iter();
        let system = systems.find(|system| environment.get(system.variable).is_some())?;
        Some(Self {
            environment: environment.clone(),
            system,
        })
    }

    /// Azure Pipelines has no variable with the address.
    fn page(&self) -> Option<String> {
        let given = self.environment.text(self.system.page);
        given.or_else(|| {
            let server = self.environment.get("SYSTEM_COLLECTIONURI")?;
            let project = self.environment.get("SYSTEM_TEAMPROJECTID")?;
            let build = self.environment.get("BUILD_BUILDID")?;
            let server = server.trim_end_matches('/');
            Some(format!("{server}/{project}/_build/results?buildId={build}"))
        })
    }
}

impl Host for OtherCi {
    fn inputs(&self, declared: &[&str]) -> GivenInputs {
        variables::read(&self.environment, OwnVariables::None, declared)
    }

    fn how_to_set_inputs(&self) -> &'static str {
        "set inputs as flags: see `--help`. Or as environment variables, such as `INPUT_EVENT_TYPE` for `event-type`"
    }

    fn caller(&self) -> Caller {
        Caller {
            page: self.page(),
            credentials: variables::credentials(&self.environment),
            ..Caller::default()
        }
    }

    fn group(&self, title: &str) -> (String, Option<String>) {
        match self.system.words.group {
            Some((opening, closing)) => (
                format!("{opening}{}", neutral::text(title)),
                closing.map(str::to_owned),
            ),
            None => (neutral::text(title), None),
        }
    }

    fn mask(&self, line: &str) -> Option<String> {
        let mask = self.system.words.mask?;
        Some(format!("{mask}{line}"))
    }
}
