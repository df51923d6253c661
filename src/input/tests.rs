//! Tests that no inputs cause a panic, and that errors never quote the text of `targets`.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

use serde_json::Value;

use super::*;
use crate::engine::siblings::siblings;
use crate::model::EnvironmentVariable;
use crate::report;
use crate::testing::arbitrary;
use crate::values::INPUTS;

const KEY: &str = include_str!("../../tests/sandbox/keys/test-only-app.pkcs8.pem");
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

/// Occurs in the text of `targets`, and must not appear in errors.
const PLANTED: &str = "hunter2";

type Pairs = &'static [(&'static str, &'static str)];

/// Steps without errors.
const STEPS: [Pairs; 7] = [
    &[
        ("repository", "octo-org/app"),
        ("token", "ghp_x"),
        ("workflow", "build.yml"),
        ("ref", "main"),
        ("inputs", "a: 1"),
    ],
    &[
        ("repository", "octo-org/app"),
        ("token", "ghp_x"),
        ("event-type", "deploy"),
        ("wait", "true"),
    ],
    &[
        ("repository", "octo-org/app"),
        ("client-id", "Iv1"),
        ("private-key", KEY),
        ("event-type", "deploy"),
    ],
    &[
        ("provider", "gitlab"),
        ("repository", "a/b/c"),
        ("token", "glpat-x"),
        ("variables", "A: b"),
        ("inputs", "{\"a\": [1]}"),
    ],
    &[
        ("repository", "https://gitlab.com/a/b.git"),
        ("trigger-token", "glptt-x"),
        ("ref", "main"),
        ("wait", "true"),
    ],
    &[
        ("provider", "bitbucket"),
        ("repository", "{w}/b"),
        ("token", "ATATT3x"),
        ("email", "o@example.com"),
        ("commit", "abcdef1"),
    ],
    &[],
];

const MAPPINGS: &[&str] = &[
    "a: 1.10\nb: 'c'\n",
    "{\"a\": 1.10, \"b\": [1, {\"c\": null}]}",
    "a: |\n  two\n  lines\nb: &x [y, *x]",
    "a: !!str 1\n? b\n: {c: d}",
];

/// Valid values of an input, and a few invalid ones.
fn values(name: &str) -> &'static [&'static str] {
    match name {
        "provider" => &["github", "gitlab", "bitbucket"],
        "repository" => &[
            "octo-org/app",
            "42",
            "a/b/c",
            "https://x.ghe.com/a/b",
            "https://git.example:8443/x/a/b.git",
        ],
        "server-url" => &[
            "https://git.example/gitlab/",
            "http://localhost:8080",
            "https://x.ghe.com",
            "http://[::1]",
        ],
        "client-payload" | "inputs" | "variables" | "secret-variables" => MAPPINGS,
        "ref" => &["main", "refs/heads/a/b", "refs/tags/v1.0.0"],
        "token" | "trigger-token" | "github-token" => {
            &["ghp_x", "glpat-x", "glptt-x", "ATCTT3x", "ATATT3x", "x"]
        }
        "private-key" => &[
            KEY,
            "-----BEGIN RSA PRIVATE KEY-----\\nMAA=\\n-----END RSA PRIVATE KEY-----",
            "LS0tLS1CRUdJTg==",
        ],
        "ca-certificates" => &[CERTIFICATE],
        "timeout" => &[
            "90s",
            "1h30m",
            "45",
            "1.5h",
            "99999999999999999999y",
            "18446744073709551615",
        ],
        "success-conclusions" => &["success, neutral", "skipped\ntimed-out"],
        "on-blocked" => &["wait", "fail"],
        "on-abandoned" => &["cancel", "leave"],
        "logs" => &["failed", "none"],
        "result-artifact" => &["result", "test:unit:out/result.json", ":"],
        "status" => &["true", "false", "deploy", "a\nb"],
        "status-commit" => &["0123456789abcdef0123456789ABCDEF01234567", "main"],
        "targets" => &[
            "- repository: octo-org/a\n- workflow: b.yml\n  token: x",
            "[{\"provider\": \"gitlab\", \"repository\": \"a/b\"}]",
        ],
        "max-parallel" => &["1", "1000"],
        "wait" | "fail-fast" | "dry-run" => &["true", "FALSE"],
        _ => &["build.yml", "deploy", "abcdef1", "o@example.com", "Iv1"],
    }
}

/// Inputs with values that are valid, almost valid, or arbitrary.
fn inputs() -> BoxedStrategy<Vec<(String, String)>> {
    let each = INPUTS.each_ref().map(|input| {
        let right = select(values(input.name)).prop_map(str::to_owned).boxed();
        let value =
            prop_oneof![4 => right.clone(), 3 => arbitrary::changed(right), 2 => arbitrary::text()];
        value
            .prop_map(|value| (input.name.to_owned(), value))
            .boxed()
    });
    let some = vec(
        prop_oneof![30 => Union::new(each), 1 => (arbitrary::text(), arbitrary::text())],
        0..6,
    );
    (select(&STEPS[..]), some)
        .prop_map(|(step, some)| {
            let step = step
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            step.chain(some).collect()
        })
        .boxed()
}

/// Does everything with the inputs that happens before the first request is sent.
fn read_and_prepare(
    given: impl IntoIterator<Item = (String, String)>,
    caller: &Caller,
    environment: &BTreeMap<String, String>,
) -> Vec<InputError> {
    let given: BTreeMap<_, _> = given.into_iter().collect();
    let raw_request = RawRequest::new(given.into());
    raw_request.secrets();
    proxy_secrets(environment);
    let read = read(&raw_request, caller, environment);
    let Ok((request, _)) = read else {
        let errors = read.err().unwrap_or_default();
        assert!(!errors.is_empty(), "an error without a complaint");
        return errors;
    };
    for target in &request.targets {
        report::announcement(target, request.mode);
        target.spec.marker();
    }
    for siblings in siblings(&request.targets) {
        siblings.mark_sent();
        siblings.may_be_confused();
    }
    Vec::new()
}

/// A list of mappings, in JSON, with many valid entries.
fn targets() -> BoxedStrategy<Value> {
    let text = prop_oneof![
        6 => select(vec![
            "a/hunter2", "a/hunter2/b", "https://hunter2.example/a/b", "hunter2: hunter2", "5 hunter2", "hunter2\n",
            "-----BEGIN hunter2", "refs/hunter2 x", "github", "gitlab", "bitbucket", "true", "",
        ])
        .prop_map(str::to_owned),
        1 => arbitrary::text(),
    ];
    let leaf = prop_oneof![text.prop_map(Value::from), arbitrary::json(),];
    let value = leaf.prop_recursive(2, 6, 3, |inner| {
        let key = select(vec!["a", "b", PLANTED]).prop_map(str::to_owned);
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec((key, inner), 0..3).prop_map(Value::from_iter),
        ]
    });
    let right = INPUTS.each_ref().map(|input| {
        let value = select(values(input.name)).prop_map(Value::from);
        value
            .prop_map(|value| (input.name.to_owned(), value))
            .boxed()
    });
    let name = select(
        INPUTS
            .each_ref()
            .map(|input| input.name.to_owned())
            .to_vec(),
    );
    let pair = prop_oneof![
        12 => Union::new(right),
        4 => (name, value.clone()),
        1 => (prop_oneof![Just(PLANTED.to_owned()), arbitrary::text()], value.clone()),
    ];
    let step = select(&STEPS[..]);
    let entry = prop_oneof![
        // A valid target, with additional or replaced keys.
        16 => (step, vec(pair, 0..3)).prop_map(|(step, pairs)| {
            let step = step.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
            step.chain(pairs).collect()
        }),
        1 => value,
    ];
    vec(entry, 0..4).prop_map(Value::from).boxed()
}

/// Writes a value as YAML. Each of `ways` selects the style of one node.
fn yaml(value: &Value, indent: usize, ways: &mut dyn Iterator<Item = u8>) -> String {
    let way = ways.next().unwrap_or(0);
    let before = match way % 23 {
        0 => "&hunter2 ",
        1 => "!!str ",
        2 => "!hunter2 ",
        3 => "!hunter2!a ",
        _ => "",
    };
    let line = format!("\n{}", " ".repeat(indent));
    let is_block = !way.is_multiple_of(4);
    let written = match value {
        Value::Array(items) if is_block && !items.is_empty() => {
            let items = items.iter();
            let lines = items.map(|item| format!("{line}- {}", yaml(item, indent + 2, ways)));
            lines.collect::<Vec<_>>().concat()
        }
        Value::Object(members) if is_block && !members.is_empty() => {
            let members = members.iter();
            let lines = members
                .map(|(name, member)| format!("{line}{name}: {}", yaml(member, indent + 2, ways)));
            lines.collect::<Vec<_>>().concat()
        }
        Value::String(text) => match way % 7 {
            0 => format!("'{}'", text.replace('\'', "''")),
            1 => format!("|{line}{}", text.replace('\n', &line)),
            2 => format!(">-{line}{}", text.replace('\n', &line)),
            3 => value.to_string(),
            4 if way > 240 => "*hunter2".to_owned(),
            _ => text.clone(),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    };
    let comment = if way % 29 == 28 { " # hunter2" } else { "" };
    format!("{before}{written}{comment}")
}

/// Descriptions name the only provider of an input for users, and providers list their inputs for the code.
#[test]
fn an_input_is_for_the_provider_in_its_description() {
    for input in &INPUTS {
        let subject = input.description.split(':').next().unwrap_or_default();
        let subject = subject.trim_end_matches(" App");
        let mut named = ProviderKind::ALL.iter().copied();
        let alone = named.find(|provider| provider.name() == subject);
        let owners = ProviderKind::owners(input.name);
        assert_eq!(
            alone,
            owners.first().copied().filter(|_| owners.len() == 1),
            "{}",
            input.name
        );
    }
}

proptest! {
    #[test]
    fn reading_inputs_never_panics(
        inputs in inputs(),
        odd in vec((0..4_usize, arbitrary::text()), 0..2),
        proxy in option::weighted(0.2, arbitrary::changed(Just("http://octocat:hunter2@proxy.example:8080/".to_owned()))),
    ) {
        let mut caller = Caller::default();
        let proxy = proxy.map(|proxy| ("HTTPS_PROXY".to_owned(), proxy));
        let mut environment: BTreeMap<_, _> = proxy.into_iter().collect();
        for (place, value) in odd {
            match place {
                0 => caller.server_url = Some(EnvironmentVariable { name: "SERVER", value }),
                1 => caller.api_url = Some(EnvironmentVariable { name: "API", value }),
                2 => caller.repository = Some(value),
                _ => drop(environment.insert("https_proxy".to_owned(), value)),
            }
        }
        read_and_prepare(inputs, &caller, &environment);
    }

    #[test]
    fn reading_targets_never_panics(
        step in select(&STEPS[..]),
        text in (targets(), vec(any::<u8>(), 0..40)).prop_map(|(targets, ways)| match ways.first() {
            Some(0..60) | None => targets.to_string(),
            Some(60..80) => format!("{targets:#}"),
            Some(_) => yaml(&targets, 0, &mut ways.into_iter()),
        }),
        odd in vec((any::<prop::sample::Index>(), select("[]{}:,\"'&*!|>?~ \\\n\t-#%@`".chars().collect::<Vec<_>>())), 0..3),
    ) {
        let mut text = text;
        for (place, odd) in odd {
            let at = text.floor_char_boundary(place.index(text.len() + 1));
            text.insert(at, odd);
        }
        let step = step.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let targets = ("targets".to_owned(), text.clone());
        for error in read_and_prepare(step.chain([targets]), &Caller::default(), &BTreeMap::new()) {
            let problem = error.problem();
            prop_assert!(!error.input.contains(PLANTED), "{}", error.input);
            prop_assert!(!problem.contains(PLANTED), "{}", problem);
            // A valid repository is the only text of an entry that names it.
            let mut names = error.entries().iter().filter_map(|entry| entry.repository.as_ref());
            prop_assert!(names.all(|name| destination::valid_name(name, Some(ProviderKind::GitLab)).is_some()
                || destination::valid_name(name, Some(ProviderKind::Bitbucket)).is_some()));
        }
    }

    #[test]
    fn reading_noise_never_panics(
        text in vec(prop_oneof![arbitrary::text(), arbitrary::matching(r#"[\[\]{}:,"'&*!|>?~ \n\t-]{1,4}"#), arbitrary::time()], 0..12),
        name in select(vec!["targets", "variables", "inputs", "client-payload", "private-key", "ca-certificates", "timeout"]),
        step in select(&STEPS[..]),
    ) {
        let step = step.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        read_and_prepare(step.chain([(name.to_owned(), text.concat())]), &Caller::default(), &BTreeMap::new());
    }
}
