//! Strategies for tests that code never panics: odd strings, numbers and times, almost correct responses, and targets.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::string::string_regex;
use serde_json::{Map, Number, Value};

use crate::input::{self, RawRequest};
use crate::model::{
    BlockedOn, Caller, Conclusion, FIRST_ATTEMPT, Job, JobKind, MatchedBy, ProviderStatus, Run,
    Snapshot, State, Step, Times,
};
use crate::providers::http::{Http, Response, ResponseBody};
use crate::providers::target::Target;
use crate::providers::{AnyProvider, Connection, Error, connections};

/// Headers that the code reads.
const HEADERS: [&str; 15] = [
    "date",
    "retry-after",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "ratelimit-reset",
    "content-type",
    "content-length",
    "content-range",
    "location",
    "x-next-page",
    "x-oauth-scopes",
    "x-accepted-oauth-scopes",
    "x-accepted-github-permissions",
    "x-github-sso",
    "etag",
];

/// Values that occur in providers' responses, and similar ones.
const WORDS: [&str; 29] = [
    "queued",
    "waiting",
    "pending",
    "in_progress",
    "completed",
    "success",
    "failure",
    "timed_out",
    "manual",
    "waiting_for_resource",
    "scheduled",
    "failed",
    "PENDING",
    "IN_PROGRESS",
    "PAUSED",
    "COMPLETED",
    "SUCCESSFUL",
    "custom",
    "API rate limit exceeded",
    "contents=write,actions=read; administration=write",
    "return_run_details",
    "sha256:e3b0",
    "https://git.example/a/b?c#d",
    "https://[::1]:99/",
    "javascript:alert(1)",
    "../..",
    "application/json; charset=utf-8",
    UUID,
    "bytes 0-1/2",
];

/// An id in Bitbucket's format.
const UUID: &str = "{3b9fd2b1-4a10-4c1c-8b3a-000000000000}";

const NUMBERS: [&str; 17] = [
    "0",
    "1",
    "-1",
    "-0",
    "1.5",
    "1e18",
    "1e400",
    "-1e-400",
    "4294967295",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "253402300799",
    "8210266876799",
    "99999999999999999999999999999999999999999",
];

/// Includes the limits of the libraries for times.
const YEARS: [i64; 18] = [
    i64::MIN,
    -262_145,
    -262_144,
    -262_143,
    -262_142,
    -1,
    0,
    1,
    1_600,
    1_969,
    9_999,
    10_000,
    65_536,
    262_141,
    262_142,
    262_143,
    262_144,
    i64::MAX,
];

const OFFSETS: [&str; 11] = [
    "Z", "z", "+00:00", "-23:59", "+23:59", "+14:00", "-99:99", "+24:00", "", " UTC", "+0530",
];

/// Strings that match a regular expression.
pub(crate) fn matching(pattern: &str) -> BoxedStrategy<String> {
    string_regex(pattern).unwrap().boxed()
}

/// Any string, usually a short one.
pub(crate) fn text() -> BoxedStrategy<String> {
    prop_oneof![
        4 => select(&WORDS[..]).prop_map(str::to_owned),
        2 => matching("[a-zA-Z0-9/._:=,;%~ -]{0,12}"),
        2 => vec(any::<char>(), 0..12).prop_map(String::from_iter),
        1 => number(),
        1 => time(),
        1 => (any::<char>(), 0..1_500_usize).prop_map(|(of, long)| of.to_string().repeat(long)),
    ]
    .boxed()
}

/// A number, including some that only JSON can represent.
pub(crate) fn number() -> BoxedStrategy<String> {
    prop_oneof![
        select(&NUMBERS[..]).prop_map(str::to_owned),
        any::<u64>().prop_map(|number| number.to_string()),
        any::<i32>().prop_map(|number| number.to_string()),
        (0..200_u8).prop_map(|number| number.to_string()),
    ]
    .boxed()
}

/// A time in the format of RFC 3339, or almost.
pub(crate) fn time() -> BoxedStrategy<String> {
    let year = prop_oneof![1_970..2_100_i64, select(&YEARS[..])];
    let day = prop_oneof![6 => (1..=12_u8, 1..=28_u8), 1 => (0..=13_u8, 0..=32_u8)];
    let clock = prop_oneof![
        6 => (0..=23_u8, 0..=59_u8, 0..=59_u8),
        1 => (0..=25_u8, 0..=60_u8, 0..=61_u8)
    ];
    let fraction = prop_oneof![Just(String::new()), matching("[.][0-9]{0,12}")];
    let offset = prop_oneof![Just("Z"), select(&OFFSETS[..])];
    (year, day, clock, fraction, offset)
        .prop_map(
            |(year, (month, day), (hour, minute, second), fraction, offset)| {
                let year = match year {
                    0..=9_999 => format!("{year:04}"),
                    _ => format!("{year:+}"),
                };
                format!(
                    "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{offset}"
                )
            },
        )
        .boxed()
}

/// A time in the format of HTTP, or almost.
pub(crate) fn http_date() -> BoxedStrategy<String> {
    // Up to the end of the year 9999, the last one that the format can represent.
    let seconds = prop_oneof![
        0..253_402_300_800_u64,
        Just(0),
        Just(253_402_300_799),
        1_700_000_000..1_900_000_000_u64
    ];
    let valid = seconds.prop_map(|seconds| {
        httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
    });
    let valid = valid.boxed();
    prop_oneof![
        4 => valid.clone(),
        1 => changed(valid),
        1 => matching("(Mon|Sun|Sunday), ?[0-9]{2}[ -](Jan|Feb|Dec)[ -][0-9]{2,5} [0-9]{2}:[0-9]{2}:[0-9]{2}( GMT)?"),
        1 => matching("(Mon|Sun) (Jan|Feb|Dec) [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} [0-9]{4}"),
    ]
    .boxed()
}

/// Removes characters from these strings, or inserts odd ones.
pub(crate) fn changed(texts: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    let odd = prop_oneof![
        select(
            "[]{}:,\"'&*!|>?~ \\\n\t-#%@`=/.0\u{0}\u{feff}\u{85}"
                .chars()
                .collect::<Vec<_>>()
        ),
        any::<char>(),
    ];
    let changes = vec((any::<Index>(), 0..4_usize, odd, 0..3_usize), 0..4);
    (texts, changes)
        .prop_map(|(text, changes)| {
            let mut characters: Vec<char> = text.chars().collect();
            for (index, removed, odd, times) in changes {
                let at = index.index(characters.len() + 1);
                let end = (at + removed).min(characters.len());
                characters.splice(at..end, std::iter::repeat_n(odd, times));
            }
            characters.into_iter().collect()
        })
        .boxed()
}

/// Any JSON value, usually a small one.
pub(crate) fn json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number().prop_map(|number| number.parse::<Number>().map_or(Value::Null, Value::Number)),
        text().prop_map(Value::String),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::Array),
            vec((text(), inner), 0..3)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
    .boxed()
}

/// A change to one part of a response.
#[derive(Clone, Debug)]
enum Change {
    Remove,
    Replace(Value),
    /// Nests it in this many lists.
    Nest(usize),
    /// Repeats it this many times in a list.
    Repeat(usize),
}

/// Bodies like this one, but with parts that are missing, have another type, are repeated or deeply nested. Some are
/// truncated, have a wrong byte, or are something else entirely.
fn body(model: Value) -> BoxedStrategy<Vec<u8>> {
    let change = prop_oneof![
        2 => Just(Change::Remove),
        6 => json().prop_map(Change::Replace),
        2 => time().prop_map(|time| Change::Replace(time.into())),
        1 => (0..140_usize).prop_map(Change::Nest),
        1 => (0..5_usize).prop_map(Change::Repeat),
    ];
    let valid = vec((any::<Index>(), change), 0..4).prop_map(move |changes| {
        let mut value = model.clone();
        for (index, change) in changes {
            let mut index = index.index(count(&value));
            apply(&mut value, &mut index, &change);
        }
        value.to_string().into_bytes()
    });
    let valid = valid.boxed();
    prop_oneof![
        12 => valid.clone(),
        1 => (valid.clone(), any::<Index>()).prop_map(|(mut bytes, end)| {
            bytes.truncate(end.index(bytes.len() + 1));
            bytes
        }),
        1 => (valid, any::<Index>(), any::<u8>()).prop_map(|(mut bytes, at, byte)| {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes
        }),
        1 => json().prop_map(|value| value.to_string().into_bytes()),
        1 => vec(any::<u8>(), 0..40),
    ]
    .boxed()
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Changes the part with this index in depth-first order. Returns whether there is one.
fn apply(value: &mut Value, index: &mut usize, change: &Change) -> bool {
    if *index == 0 {
        *value = match change {
            Change::Remove => Value::Null,
            Change::Replace(other) => other.clone(),
            Change::Nest(levels) => {
                (0..*levels).fold(value.take(), |inner, _| Value::Array(vec![inner]))
            }
            Change::Repeat(times) => Value::Array(vec![value.take(); *times]),
        };
        return true;
    }
    *index -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| apply(item, index, change)),
        Value::Object(members) => {
            let names: Vec<_> = members.keys().cloned().collect();
            names.into_iter().any(|name| {
                if *index == 0 && matches!(change, Change::Remove) {
                    members.remove(&name);
                    return true;
                }
                members
                    .get_mut(&name)
                    .is_some_and(|member| apply(member, index, change))
            })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Headers that the code reads, with sensible and nonsensical values.
pub(crate) fn headers() -> BoxedStrategy<HeaderMap> {
    let value = prop_oneof![
        3 => number().prop_map(String::into_bytes),
        3 => http_date().prop_map(String::into_bytes),
        2 => text().prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..12),
    ];
    vec((select(&HEADERS[..]), value), 0..4)
        .prop_map(|pairs| {
            let headers = pairs.into_iter().filter_map(|(name, value)| {
                let value = HeaderValue::from_bytes(&value).ok()?;
                Some((HeaderName::from_static(name), value))
            });
            headers.collect()
        })
        .boxed()
}

/// A response with only a status.
pub(crate) fn empty_response(status: u16) -> Response {
    let body = Ok(Vec::new());
    let headers = HeaderMap::new();
    Parts {
        status,
        headers,
        body,
    }
    .response()
}

/// The parts of a [`Response`], which has no `Debug` itself.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    status: u16,
    headers: HeaderMap,
    body: Result<Vec<u8>, String>,
}

impl Parts {
    pub(crate) fn response(self) -> Response {
        Response {
            status: StatusCode::from_u16(self.status).unwrap(),
            headers: self.headers,
            body: self
                .body
                .map_or_else(ResponseBody::Unreadable, ResponseBody::Complete),
            server: "GitHub",
            limit_messages: &[],
        }
    }
}

/// Responses with any status, and a body like this one.
pub(crate) fn response(model: Value) -> BoxedStrategy<Parts> {
    let status = prop_oneof![
        select(vec![200_u16, 201, 204, 400, 401, 403, 404, 422, 429]),
        100..1_000_u16
    ];
    let body = prop_oneof![
        9 => body(model).prop_map(Ok),
        1 => text().prop_map(Err),
    ];
    (status, headers(), body)
        .prop_map(|(status, headers, body)| Parts {
            status,
            headers,
            body,
        })
        .boxed()
}

/// Snapshots with arbitrary content.
pub(crate) fn snapshot() -> BoxedStrategy<Snapshot> {
    let option = || proptest::option::of(text());
    let provider_status = (text(), option(), option());
    let provider_status = provider_status.prop_map(|(state, conclusion, reason)| ProviderStatus {
        state,
        conclusion,
        reason,
    });
    let number = proptest::option::of(any::<u64>());
    let jobs = proptest::option::of(vec(job(), 0..4));
    (
        state(),
        provider_status,
        (number.clone(), number),
        times(),
        blocked_on(),
        jobs,
    )
        .prop_map(
            |(state, provider_status, (number, attempt), times, blocked_on, jobs)| Snapshot {
                state,
                lacks_conclusion: provider_status.conclusion.is_none(),
                provider_status,
                number,
                attempt,
                times,
                changed: times.completed,
                blocked_on,
                jobs,
                jobs_cut_at: None,
            },
        )
        .boxed()
}

pub(crate) fn state() -> BoxedStrategy<State> {
    let done = select(&Conclusion::ALL[..]).prop_map(State::Completed);
    prop_oneof![
        select(vec![State::Queued, State::Running, State::Blocked]),
        done
    ]
    .boxed()
}

/// Optional times, where they parse.
pub(crate) fn times() -> BoxedStrategy<Times> {
    let time = proptest::option::of(time()).prop_map(|time| time?.parse().ok());
    let time = time.boxed();
    (time.clone(), time.clone(), time)
        .prop_map(|(created, started, completed)| Times {
            created,
            started,
            completed,
        })
        .boxed()
}

fn blocked_on() -> BoxedStrategy<Option<BlockedOn>> {
    let blocked_on = prop_oneof![
        text().prop_map(BlockedOn::Person),
        text().prop_map(BlockedOn::Passing),
        proptest::option::of(any::<u64>()).prop_map(|position| BlockedOn::Turn { position }),
    ];
    proptest::option::of(blocked_on).boxed()
}

fn job() -> BoxedStrategy<Job> {
    let kind = select(vec![JobKind::Job, JobKind::Optional, JobKind::Downstream]);
    let step = proptest::option::of((text(), proptest::option::of(any::<u64>())));
    let url = proptest::option::of(text());
    (
        (text(), text()),
        kind,
        state(),
        times(),
        (url, step),
        any::<u64>(),
    )
        .prop_map(|((id, name), kind, state, times, (url, step), size)| Job {
            id,
            name,
            kind,
            state,
            times,
            url,
            failed_step: step.map(|(name, number)| Step { name, number }),
            log_size: Some(size),
        })
        .boxed()
}

pub(crate) fn run() -> BoxedStrategy<Run> {
    let matched = select(vec![
        MatchedBy::Id,
        MatchedBy::Marker,
        MatchedBy::Timing,
        MatchedBy::Url,
    ]);
    (text(), proptest::option::of(any::<u64>()), text(), matched)
        .prop_map(|(id, number, url, matched_by)| Run {
            workflow: Some(id.clone()),
            attempt: FIRST_ATTEMPT,
            started_by_attempt: None,
            id,
            number,
            url,
            matched_by,
        })
        .boxed()
}

/// The target of a step with these inputs.
pub(crate) fn target(inputs: &[(&str, &str)]) -> Target {
    let inputs = inputs.iter();
    let given = inputs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let given: BTreeMap<_, _> = given.collect();
    let raw_request = RawRequest::new(given.into());
    let read = input::read(&raw_request, &Caller::default(), &BTreeMap::new());
    let Ok((mut request, _)) = read else {
        panic!("the inputs are right");
    };
    request.targets.remove(0)
}

/// Targets of each provider and kind of trigger.
pub(crate) fn targets() -> Vec<Target> {
    let github = [("repository", "octo-org/app"), ("token", "ghp_x")];
    let with = |more: &[(&'static str, &'static str)]| target(&[&github[..], more].concat());
    let gitlab = [
        ("provider", "gitlab"),
        ("repository", "a/b"),
        ("ref", "main"),
    ];
    vec![
        with(&[("workflow", "build.yml"), ("ref", "main"), ("wait", "true")]),
        with(&[("event-type", "deploy"), ("wait", "true")]),
        with(&[("event-type", "deploy")]),
        target(&[&gitlab[..], &[("token", "glpat-x"), ("wait", "true")]].concat()),
        target(&[&gitlab[..], &[("token", "glptt-x")]].concat()),
        target(&[
            ("provider", "bitbucket"),
            ("repository", "a/b"),
            ("token", "x"),
            ("ref", "main"),
            ("wait", "true"),
        ]),
        target(&[
            ("provider", "bitbucket"),
            ("repository", "a/b"),
            ("token", "x"),
            ("commit", "abcdef1"),
        ]),
        target(&[
            ("follow", "https://github.com/octo-org/app/actions/runs/1"),
            ("token", "ghp_x"),
        ]),
    ]
}

/// Calls `test` with an HTTP client for the target. Sends nothing by itself.
pub(crate) fn with_http(target: &Target, test: impl FnOnce(&Http<'_>)) {
    let connection = connection(target);
    test(&connection.http(&target.location.server.api, &|_| {}));
}

/// Calls `test` with a provider for each of [`targets`]. Sends nothing by itself: every target says its ref.
pub(crate) fn with_providers(test: impl Fn(&AnyProvider<'_>)) {
    for target in targets() {
        let connection = connection(&target);
        let http = connection.http(&target.location.server.api, &|_| {});
        let opened = AnyProvider::open(&target.location, &http, &connection.session);
        let ready = async {
            let mut provider = opened.await?;
            provider.prepare_trigger().await?;
            Ok::<_, Error>(provider)
        };
        match ready.now_or_never() {
            Some(Ok(provider)) => test(&provider),
            Some(Err(error)) => panic!("{target}: {}", error.message()),
            None => panic!("{target}: opening it sends a request"),
        }
    }
}

fn connection(target: &Target) -> Connection<'_> {
    let Some(Ok(connection)) = connections([target], &Arc::default()).pop() else {
        panic!("a client can be built");
    };
    connection
}
