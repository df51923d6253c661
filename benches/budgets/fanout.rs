//! The budgets of many targets: a step that triggers them, beside a load generator that sends the same requests, and
//! a step that waits for them. Not here: the load generator itself (see `load_generator`).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use sandbox::world::load::{self, Target, Tokens};
use sandbox::world::{Provider, Scenario};
use sandbox::{RecordedRequest, World};
use serde_json::{Value, json};

use crate::Effort;
use crate::comparison;
use crate::fixture::Fixture;
use crate::memory::{self, MEBIBYTE};
use crate::request::facts;
use crate::table::{Row, Verdict};
use crate::{load_generator, process};

/// Relative to the load generator.
const TIME_BUDGET: f64 = 1.5;
/// Bytes.
const MEMORY_BUDGET: f64 = 32.0 * MEBIBYTE;

const PARALLELISM: usize = 32;

/// Number of targets, number of measured pairs, and labels of the rows.
struct Size {
    targets: usize,
    pairs: usize,
    time: &'static str,
    peak: &'static str,
}

const SIZES: [Size; 2] = [
    Size {
        targets: 100,
        pairs: 20,
        time: "100 targets, time",
        peak: "100 targets, peak memory",
    },
    Size {
        targets: 1_000,
        pairs: 7,
        time: "1,000 targets, time",
        peak: "1,000 targets, peak memory",
    },
];

const WAITED_TARGETS: usize = 1_000;
/// Duration of each run that the step waits for. It is over before the second poll.
const RUN_TIME: Duration = Duration::from_secs(1);

/// Adds rows as soon as they are measured, so that an error loses none of them.
pub(crate) fn measure(effort: Effort, program: &Path, rows: &mut Vec<Row>) -> Result<()> {
    for size in &SIZES {
        rows.extend(triggered(effort, program, size)?);
    }
    rows.push(waited(effort, program)?);
    Ok(())
}

fn triggered(effort: Effort, program: &Path, size: &Size) -> Result<[Row; 2]> {
    let count = effort.targets(size.targets);
    // Users don't have a thousand tokens to trigger with.
    let tokens = Tokens::Shared;
    let fixture = Fixture::prepare(World::for_load(count, tokens), program)?;
    let ours = ours(&fixture, count, tokens, "false");
    let rival = rival(&fixture, count, ours())?;

    let time = |command: Command| {
        let (seconds, _) = fixture.starting(count, || comparison::time(command))?;
        Ok(seconds)
    };
    let (our_times, rival_times) =
        comparison::compare(effort, size.pairs, || time(ours()), || time(rival()))?;
    let ratio = our_times.median() / rival_times.median();
    let time = Row::Measured {
        what: size.time,
        ours: our_times.to_string(),
        rival: format!("load generator {rival_times}"),
        ratio: Some(ratio),
        budget: format!("{TIME_BUDGET} x load generator"),
        verdict: Verdict::of(ratio, TIME_BUDGET),
    };

    let peak = |command: Command| {
        let (bytes, _) = fixture.starting(count, || memory::peak_of(&command))?;
        anyhow::Ok(bytes)
    };
    let (our_peak, rival_peak) = (peak(ours())?, peak(rival())?);
    let peak = Row::Measured {
        what: size.peak,
        ours: memory::mebibytes(our_peak),
        rival: format!("load generator {}", memory::mebibytes(rival_peak)),
        ratio: Some(our_peak / rival_peak),
        budget: memory::mebibytes(MEMORY_BUDGET),
        verdict: Verdict::of(our_peak, MEMORY_BUDGET),
    };
    Ok([time, peak])
}

fn waited(effort: Effort, program: &Path) -> Result<Row> {
    let count = effort.targets(WAITED_TARGETS);
    // Polls with the same credential are spaced out: with few credentials this would take many minutes.
    let tokens = Tokens::Own;
    let providers = [Provider::GitHub, Provider::GitLab, Provider::Bitbucket];
    let world = providers
        .into_iter()
        .fold(World::for_load(count, tokens), |world, provider| {
            world.scenario(provider, Scenario::passing(RUN_TIME))
        });
    let fixture = Fixture::prepare(world, program)?;
    let ours = ours(&fixture, count, tokens, "true");
    let peak = fixture.finishing(count, || memory::peak_of(&ours()))?;
    Ok(Row::Measured {
        what: "1,000 waited targets, peak memory",
        ours: memory::mebibytes(peak),
        rival: String::new(),
        ratio: None,
        budget: memory::mebibytes(MEMORY_BUDGET),
        verdict: Verdict::of(peak, MEMORY_BUDGET),
    })
}

/// One step for all targets.
fn ours(
    fixture: &Fixture,
    count: usize,
    tokens: Tokens,
    wait: &str,
) -> impl Fn() -> Command + use<> {
    let server = fixture.server();
    let targets: Vec<_> = load::targets(count, tokens)
        .enumerate()
        .map(|(index, target)| entry(index, &target, &server))
        .collect();
    fixture.ours(&[
        ("targets", &json!(targets).to_string()),
        ("max-parallel", &PARALLELISM.to_string()),
        ("wait", wait),
    ])
}

/// Has a ref, so that no default branch has to be read and each trigger is one request. As short as possible, because
/// an environment variable holds at most 128 KiB.
fn entry(index: usize, target: &Target, server: &str) -> Value {
    let Target {
        provider,
        repository,
        token,
    } = target;
    match provider {
        // GitHub's two kinds of dispatch alternate.
        Provider::GitHub if index.is_multiple_of(2) => {
            json!({"repository": repository, "event-type": load::EVENT_TYPE, "token": token})
        }
        Provider::GitHub => {
            json!({"repository": repository, "workflow": load::WORKFLOW, "ref": "main", "token": token})
        }
        Provider::GitLab | Provider::Bitbucket => json!({
            "provider": provider.to_string(),
            "server-url": server,
            "repository": repository,
            "ref": "main",
            "token": token,
        }),
    }
}

/// The load generator, sending exactly the same requests.
fn rival(fixture: &Fixture, count: usize, ours: Command) -> Result<impl Fn() -> Command + use<>> {
    let requests_of = |mut command: Command| {
        let ((), requests) = fixture.starting(count, || process::finish(&mut command))?;
        anyhow::Ok(requests)
    };
    let our_requests = requests_of(ours)?;
    let file = fixture.folder().join("requests.json");
    let rival = load_generator::command(
        &file,
        &fixture.server(),
        &our_requests,
        PARALLELISM,
        fixture.bundle(),
    )?;
    let rival_requests = requests_of(rival())?;
    ensure_same(&our_requests, &rival_requests)?;
    Ok(rival)
}

/// Ignores the order.
fn ensure_same(ours: &[RecordedRequest], theirs: &[RecordedRequest]) -> Result<()> {
    let sorted = |requests: &[RecordedRequest]| {
        let mut facts: Vec<_> = requests.iter().map(facts).collect();
        facts.sort();
        facts
    };
    for (ours, theirs) in sorted(ours).iter().zip(&sorted(theirs)) {
        ensure!(
            ours == theirs,
            "the load generator does not send the same:\n{ours:#?}\n{theirs:#?}"
        );
    }
    Ok(())
}
