//! Simulates waits for runs of known durations: the real loop in virtual time at the real intervals. Counts the polls
//! and those that cost budget, and measures how late the end is seen. For comparison, simulates the fixed intervals of
//! other tools. `cargo bench` shows the table.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use chrono::DateTime;
use tokio::time::{Instant, sleep};

use super::tests::{job, snapshot};
use super::{Watch, wait};
use crate::engine::shutdown::Shutdown;
use crate::model::{Conclusion, End, Job, OnBlocked, Snapshot, State};
use crate::providers::any::ProviderKind;
use crate::providers::{Depth, PollIntervals, Quota};

/// Jobs per run, which run one after another.
const JOBS: u32 = 5;
/// Steps per job. Each changes GitHub's response for the job, but not the one for the run.
const STEPS: u32 = 8;
/// The run is queued for its duration divided by this.
const QUEUED_FRACTION: u32 = 20;
/// Duration of a request.
const LATENCY: Duration = Duration::from_millis(200);

/// What counts against the rate limit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Charge {
    /// Only responses that have changed, as on GitHub.
    Changes,
    Requests,
}

/// A simulated run, and the cost of polling it.
struct Simulation {
    start: Instant,
    length: Duration,
    charge: Charge,
    figures: Cell<Figures>,
    /// When the last request was answered, and whether its poll has cost budget so far.
    answered: Cell<Option<(Instant, bool)>>,
    /// The change counts of the run and of its steps at the last request for each.
    seen: RefCell<(Option<u32>, Option<u32>)>,
}

/// The measurements of a wait.
#[derive(Clone, Copy, Default)]
struct Figures {
    /// Polls of the run. A request for the jobs right after one for the run is part of the same poll.
    polls: u32,
    /// Polls that cost budget.
    costly: u32,
    /// Requests that cost budget.
    charged: u32,
    /// Time from the run's end until it was seen.
    delay: Duration,
}

impl Simulation {
    fn new(length: Duration, charge: Charge) -> Self {
        Self {
            start: Instant::now(),
            length,
            charge,
            figures: Cell::default(),
            answered: Cell::new(None),
            seen: RefCell::default(),
        }
    }

    /// Returns how often the run and the steps of its jobs have changed so far.
    fn changes(&self) -> (u32, u32) {
        let age = self.start.elapsed();
        let queued = self.length / QUEUED_FRACTION;
        if age < queued {
            return (0, 0);
        }
        if age >= self.length {
            return (1 + JOBS, JOBS * STEPS);
        }
        let running_for = age.saturating_sub(queued);
        let elapsed_share =
            running_for.as_secs_f64() / self.length.saturating_sub(queued).as_secs_f64();
        let steps = (0..JOBS * STEPS)
            .filter(|step| f64::from(*step) / f64::from(JOBS * STEPS) <= elapsed_share)
            .count();
        let steps = u32::try_from(steps).unwrap_or(0);
        (1 + (steps - 1) / STEPS, steps)
    }

    async fn poll(&self, depth: Depth) -> Snapshot {
        // A request for the jobs right after one for the run is part of the same poll.
        let same_poll = self.answered.get().filter(|(at, _)| *at == Instant::now());
        sleep(LATENCY).await;
        let (run, steps) = self.changes();
        let mut seen = self.seen.borrow_mut();
        let mut changes = u32::from(seen.0.replace(run) != Some(run));
        let mut requests = 1;
        if depth == Depth::Jobs {
            changes += u32::from(seen.1.replace(steps) != Some(steps));
            requests += 1;
        }
        let charged = match self.charge {
            Charge::Changes => changes,
            Charge::Requests => requests,
        };
        let already_costly = same_poll.is_some_and(|(_, cost)| cost);
        self.figures.update(|figures| Figures {
            polls: figures.polls + u32::from(same_poll.is_none()),
            costly: figures.costly + u32::from(charged > 0 && !already_costly),
            charged: figures.charged + charged,
            ..figures
        });
        self.answered
            .set(Some((Instant::now(), already_costly || charged > 0)));
        let state = match run {
            0 => State::Queued,
            run if run > JOBS => State::Completed(Conclusion::Success),
            _ => State::Running,
        };
        Snapshot {
            // The other providers' runs don't show when their jobs change.
            changed: (self.charge == Charge::Changes)
                .then(|| DateTime::from_timestamp(i64::from(run), 0))
                .flatten(),
            jobs: (depth == Depth::Jobs)
                .then(|| (0..run.min(JOBS)).map(|job| running(job, run)).collect()),
            ..snapshot(state)
        }
    }

    fn figures(&self) -> Figures {
        Figures {
            delay: self.start.elapsed().saturating_sub(self.length),
            ..self.figures.get()
        }
    }
}

fn running(number: u32, run: u32) -> Job {
    let state = if number + 1 < run {
        State::Completed(Conclusion::Success)
    } else {
        State::Running
    };
    job(&number.to_string(), state)
}

/// Waits with the real loop.
async fn simulate(intervals: PollIntervals, charge: Charge, length: Duration) -> Figures {
    let simulation = Simulation::new(length, charge);
    let quota = Quota::new(intervals.per_quota);
    let watch = Watch {
        accepted_at: simulation.start,
        deadline: simulation.start + Duration::from_hours(6),
        server_deadline: DateTime::UNIX_EPOCH + Duration::from_hours(6),
        on_blocked: OnBlocked::Wait,
        intervals,
        quota: &quota,
    };
    let (_handle, shutdown) = Shutdown::manual();
    let poll = async |depth| Ok(simulation.poll(depth).await);
    let waited = wait(poll, &watch, &shutdown, &|_| {}).await;
    assert!(matches!(waited.end, End::Completed(Conclusion::Success)));
    simulation.figures()
}

/// Waits like other tools: polls at a fixed interval, without conditional requests.
async fn simulate_fixed_interval(interval: Duration, length: Duration) -> Figures {
    let simulation = Simulation::new(length, Charge::Requests);
    loop {
        let snapshot = simulation.poll(Depth::Run).await;
        if snapshot.state.conclusion().is_some() {
            return simulation.figures();
        }
        sleep(interval).await;
    }
}

const PROVIDERS: [(&str, PollIntervals, Charge); 3] = [
    (
        "GitHub",
        ProviderKind::GitHub.poll_intervals(),
        Charge::Changes,
    ),
    (
        "GitLab",
        ProviderKind::GitLab.poll_intervals(),
        Charge::Requests,
    ),
    (
        "Bitbucket",
        ProviderKind::Bitbucket.poll_intervals(),
        Charge::Requests,
    ),
];

/// Repetitions per row: the number of polls is random, and none may exceed the budget.
const REPETITIONS: u32 = 25;

/// Prints the table of means that `cargo bench` shows.
#[tokio::test(start_paused = true)]
async fn a_wait_of_ten_minutes_stays_within_its_budget() {
    let lengths = [
        ("20 s", 20),
        ("2 min", 120),
        ("10 min", 600),
        ("1 h", 3_600),
    ];
    let row = |who: &str, length: &str, [polls, costly, charged, delay]: [String; 4]| {
        show(&format!(
            "{who:11} | {length:>6} | {polls:>5} | {costly:>6} | {charged:>7} | {delay:>6} |"
        ));
    };
    let heads = ["polls", "costly", "charged", "delay"].map(str::to_owned);
    row("", "run", heads);
    show("----------- | ------ | ----- | ------ | ------- | ------ |");
    for (length, seconds) in lengths {
        for (name, intervals, charge) in PROVIDERS {
            let mut all = Vec::new();
            for _ in 0..REPETITIONS {
                let figures = simulate(intervals, charge, Duration::from_secs(seconds)).await;
                if seconds == 600 {
                    assert_within_budget(name, charge, figures);
                }
                all.push(figures);
            }
            row(name, length, means(&all));
        }
        for interval in [5, 10, 15] {
            // The delay depends on when the run ends between two polls.
            let mut all = Vec::new();
            for repetition in 0..REPETITIONS {
                let length = Duration::from_secs(seconds)
                    + Duration::from_secs(interval) * repetition / REPETITIONS;
                all.push(simulate_fixed_interval(Duration::from_secs(interval), length).await);
            }
            row(&format!("every {interval} s"), length, means(&all));
        }
    }
}

fn assert_within_budget(name: &str, charge: Charge, figures: Figures) {
    let (max_costly_polls, max_delay) = match charge {
        Charge::Changes => (15, 5),
        Charge::Requests => (70, 15),
    };
    let polls = figures.costly;
    assert!(polls <= max_costly_polls, "{name}: {polls} costly polls");
    // The requests themselves take time too.
    let max_delay = Duration::from_secs(max_delay) + 2 * LATENCY;
    assert!(figures.delay <= max_delay, "{name}: {:?}", figures.delay);
}

fn means(all: &[Figures]) -> [String; 4] {
    let count = f64::from(u32::try_from(all.len()).unwrap_or(1));
    let mean = |figure: fn(&Figures) -> f64| all.iter().map(figure).sum::<f64>() / count;
    [
        format!("{:.0}", mean(|figures| figures.polls.into())),
        format!("{:.0}", mean(|figures| figures.costly.into())),
        format!("{:.0}", mean(|figures| figures.charged.into())),
        format!("{:.1} s", mean(|figures| figures.delay.as_secs_f64())),
    ]
}

fn show(line: &str) {
    println!("| {line}");
}
