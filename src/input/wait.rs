//! Reads `wait` and the inputs that go with it.

use std::time::Duration;

use super::follow::FOLLOW;
use super::one_of;
use crate::model::{
    Conclusion, DEFAULT_SUCCESS, Logs, OnAbandoned, OnBlocked, WaitOptions, WaitUntil,
};
use crate::providers::any::ProviderKind;
use crate::values::{Checked, Errors, InputError, Inputs, Node};

const WAIT: &str = "wait";

/// Inputs that work with any `wait`.
const WITH_ANY_WAIT: [&str; 2] = ["timeout", "on-abandoned"];
/// Inputs that only work if the step waits for the end of the run.
const ONLY_WITH_END: [&str; 5] = [
    "success-conclusions",
    "on-blocked",
    "logs",
    "result-artifact",
    "retries",
];
const DEFAULT_TIMEOUT: Duration = Duration::from_hours(6);
/// GitHub ends a job on a self-hosted runner after this time.
const MAX_TIMEOUT: Duration = Duration::from_hours(5 * 24);
/// A job that needs more isn't flaky, but broken. GitHub allows 50 re-runs of a run.
const MAX_RETRIES: u32 = 10;

/// Reads `wait` itself. `None` if the step doesn't wait. With `follow` it always waits for the end.
pub(super) fn until(inputs: &Inputs) -> Checked<Option<WaitUntil>> {
    let text = inputs.get(WAIT).unwrap_or_default();
    let follows = inputs.raw(FOLLOW).is_some();
    if text == "start" && !follows {
        return Ok(Some(WaitUntil::Start));
    }
    match inputs.boolean(WAIT) {
        // What else is wrong with `wait` beside `follow` is reported there.
        _ if follows && ["", "start"].contains(&text) => Ok(Some(WaitUntil::End)),
        Ok(waits) => Ok((waits || follows).then_some(WaitUntil::End)),
        Err(_) => InputError::new(WAIT, "must be `true`, `false` or `start`")
            .not(text)
            .fail(),
    }
}

/// Whether an input has a meaning if the step waits like this.
pub(super) fn applies(name: &str, until: Option<WaitUntil>) -> bool {
    match until {
        None => !WITH_ANY_WAIT.contains(&name) && !ONLY_WITH_END.contains(&name),
        Some(WaitUntil::Start) => !ONLY_WITH_END.contains(&name),
        Some(WaitUntil::End) => true,
    }
}

/// Returns `None` if the step doesn't wait. Unless `timeout` is set, the wait ends after `max_timeout`.
pub(super) fn read(
    inputs: &Inputs,
    provider: ProviderKind,
    max_timeout: Option<Duration>,
) -> Checked<Option<WaitOptions>> {
    let mut errors = Errors::default();
    let until = errors.take(until(inputs));
    if let Some(until) = until {
        errors.add(not_applicable(inputs, provider, until));
    }
    if until == Some(None) {
        return errors.finish(|| Some(None));
    }
    // The other inputs are checked even if `wait` itself is wrong.
    let until = until.flatten();
    let timeout = errors.take(timeout(inputs, max_timeout));
    let success = errors.take(success(inputs));
    let on_blocked = errors.take(one_of(
        inputs,
        "on-blocked",
        &[("wait", OnBlocked::Wait), ("fail", OnBlocked::Fail)],
    ));
    let on_abandoned = errors.take(one_of(
        inputs,
        "on-abandoned",
        &[
            ("cancel", OnAbandoned::Cancel),
            ("leave", OnAbandoned::Leave),
        ],
    ));
    let logs = errors.take(match inputs.get("logs") {
        None => Ok(Logs::FailedUnlessPrivate),
        Some(_) => one_of(
            inputs,
            "logs",
            &[("failed", Logs::Failed), ("none", Logs::None)],
        ),
    });
    let result = errors.take(provider.result_artifact(inputs));
    let retries = errors.take(retries(inputs));
    errors.finish(|| {
        Some(Some(WaitOptions {
            until: until?,
            timeout: timeout?,
            success: success?,
            on_blocked: on_blocked?,
            on_abandoned: on_abandoned?,
            logs: logs?,
            result: result?,
            retries: retries?,
        }))
    })
}

/// Rejects inputs that are set but need another `wait`.
fn not_applicable(
    inputs: &Inputs,
    provider: ProviderKind,
    until: Option<WaitUntil>,
) -> Vec<InputError> {
    if inputs.is_unusable(WAIT) {
        return Vec::new();
    }
    inputs
        .set()
        .filter(|input| !applies(input.name, until))
        .filter(|input| provider.knows(input.name))
        .map(|input| {
            let what = if WITH_ANY_WAIT.contains(&input.name) {
                "only works with `wait: true` or `wait: start`"
            } else {
                "only works with `wait: true`"
            };
            let hint = format!("set `wait: true`, or remove `{}`", input.name);
            InputError::new(input.name, what).hint(hint)
        })
        .collect()
}

fn timeout(inputs: &Inputs, max: Option<Duration>) -> Checked<Duration> {
    const NAME: &str = "timeout";
    const FORM: &str = "must be a duration, like `90s`, `30m` or `1h30m`, or a number of seconds";
    let Some(text) = inputs.get(NAME) else {
        return Ok(max.map_or(DEFAULT_TIMEOUT, |max| max.min(DEFAULT_TIMEOUT)));
    };
    let timeout = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => humantime::parse_duration(text)
            .or_else(|_| InputError::new(NAME, FORM).not(text).fail())?,
    };
    if timeout.is_zero() {
        return InputError::new(NAME, "must be longer than 0")
            .hint("set `wait: false` if you don't want to wait")
            .fail();
    }
    if timeout > MAX_TIMEOUT {
        return InputError::new(NAME, "must be at most 5 days")
            .not(text)
            .fail();
    }
    Ok(timeout)
}

fn retries(inputs: &Inputs) -> Checked<u32> {
    const NAME: &str = "retries";
    let Some(text) = inputs.get(NAME) else {
        return Ok(0);
    };
    let number = text.parse().ok().filter(|number| *number <= MAX_RETRIES);
    number.map_or_else(
        || {
            let what = format!("must be a whole number from 0 to {MAX_RETRIES}");
            InputError::new(NAME, what).not(text).fail()
        },
        Ok,
    )
}

/// Reads a list separated by commas or line breaks. Inputs of a step are always strings, so only an entry of `targets`
/// can have a YAML or JSON list.
fn success(inputs: &Inputs) -> Checked<Vec<Conclusion>> {
    const NAME: &str = "success-conclusions";
    let Some(raw) = inputs.raw(NAME) else {
        return Ok(DEFAULT_SUCCESS.to_vec());
    };
    let allowed = || {
        Conclusion::ALL
            .into_iter()
            .filter(|conclusion| *conclusion != Conclusion::Lost)
    };
    let words = match raw.as_text() {
        Some(text) => {
            let words = text.split([',', '\n']).map(str::trim);
            words.filter(|word| !word.is_empty()).map(Some).collect()
        }
        None => inputs.document(NAME)?.map_or(vec![None], Node::items),
    };
    let known: Option<Vec<_>> = words
        .into_iter()
        .map(|word| allowed().find(|conclusion| Some(conclusion.as_str()) == word))
        .collect();
    if let Some(known) = known.filter(|known| !known.is_empty()) {
        return Ok(known);
    }
    let words: Vec<_> = allowed().map(Conclusion::as_str).collect();
    let error = InputError::new(NAME, "must be a list, like `success, neutral`");
    let error = match raw.as_text() {
        Some(text) => error.not(text),
        None => error,
    };
    error
        .hint(format!("use these words: {}", words.join(", ")))
        .fail()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResultArtifact;
    use std::collections::BTreeMap;

    fn inputs(pairs: &[(&str, &str)]) -> Inputs {
        let pairs = pairs.iter();
        let given: BTreeMap<_, _> = pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Inputs::new(&given)
    }

    #[test]
    fn durations_have_units_or_are_seconds() {
        for (text, seconds) in [
            ("90s", 90),
            ("30m", 1_800),
            ("1h30m", 5_400),
            ("1h 30m", 5_400),
            ("45", 45),
            ("6h", 21_600),
            ("1.5h", 5_400),
        ] {
            let read = timeout(&inputs(&[("timeout", text)]), None).unwrap();
            assert_eq!(read.as_secs(), seconds, "{text}");
        }
        for text in ["soon", "-5", "5 parsecs", "0", "0s", "121h", "1e3"] {
            assert!(
                timeout(&inputs(&[("timeout", text)]), None).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn retries_are_a_small_number() {
        let read = |text| retries(&inputs(&[("retries", text)]));
        for (text, number) in [("", 0), ("0", 0), ("00", 0), ("2", 2), ("10", 10)] {
            assert_eq!(read(text), Ok(number), "{text}");
        }
        for text in ["11", "-1", "1.5", "twice", "4294967297"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn success_conclusions_are_a_list_of_known_ones() {
        let read = |text| success(&inputs(&[("success-conclusions", text)]));
        assert_eq!(read(""), Ok(vec![Conclusion::Success, Conclusion::Neutral]));
        assert_eq!(
            read("success,skipped\ntimed-out"),
            Ok(vec![
                Conclusion::Success,
                Conclusion::Skipped,
                Conclusion::TimedOut
            ])
        );
        for text in ["lost", "succes", "success; neutral", "timed_out", ","] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_provider_determines_the_form_of_result_artifact() {
        let read = |provider: ProviderKind, text| {
            provider.result_artifact(&inputs(&[("result-artifact", text)]))
        };
        assert_eq!(
            read(ProviderKind::GitHub, "result"),
            Ok(Some(ResultArtifact::Named("result".to_owned())))
        );
        assert_eq!(
            read(ProviderKind::GitLab, "test:unit:out/result.json"),
            Ok(Some(ResultArtifact::OfJob {
                job: "test:unit".to_owned(),
                path: "out/result.json".to_owned()
            }))
        );
        assert!(read(ProviderKind::GitLab, "out/result.json").is_err());
        assert!(read(ProviderKind::GitLab, "build:").is_err());
    }
}
