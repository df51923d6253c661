//! What happens while the step runs, at any moment: signals, a server that is down for a while, runs of other people.

use std::time::Duration;

use sandbox::Provider;

use super::outage::{self, Outage};
use super::{FaultRate, Rng, Target, WaitTime};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Incident {
    /// Its name without `SIG`.
    Signal(&'static str),
    /// Connections are refused.
    Closes,
    Opens,
    /// A user with that name starts the same pipeline as this target.
    Stranger(&'static str, usize),
    /// At GitLab and Bitbucket: a push or a schedule by that user, on this target's ref.
    Event(&'static str, usize, &'static str),
    /// Somebody re-runs what this target started at GitHub, as soon as it is over.
    Rerun(usize),
    Outage(Outage),
    /// The step's process is stopped for this long, and then continues.
    Freeze(Duration),
}

impl Incident {
    pub(crate) fn is_signal(self) -> bool {
        matches!(self, Self::Signal(_))
    }
}

/// The owners of the step's credentials, and other users.
pub(super) const NAMES: [&str; 5] = [
    "octocat",
    "octavia",
    "service-access-token",
    "hubot",
    "oscar",
];

pub(super) fn draw(
    rng: &mut Rng,
    fault_rate: FaultRate,
    wait_time: WaitTime,
    targets: &[Target],
) -> Vec<(Duration, Incident)> {
    let mut incidents = Vec::new();
    for _ in 0..rng.between(0, 4) {
        let target = rng.between(0, targets.len() - 1);
        // Runs of the same user from another step are the hardest to tell apart.
        let name = if rng.chance(60) {
            targets[target].owner()
        } else {
            rng.pick(&NAMES)
        };
        let can_be_pushed = targets[target].provider() != Provider::GitHub;
        let stranger = match rng.percent() {
            0..40 if can_be_pushed => {
                Incident::Event(name, target, rng.pick(&["push", "push", "schedule"]))
            }
            0..30 if !can_be_pushed => Incident::Rerun(target),
            _ => Incident::Stranger(name, target),
        };
        let at = if rng.chance(25) {
            Duration::ZERO
        } else {
            rng.milliseconds(50, 4_000)
        };
        incidents.push((at, stranger));
    }
    let (stops, latest) = match wait_time {
        WaitTime::Short => (60, 4_000),
        WaitTime::Medium => (25, 12_000),
        WaitTime::Long | WaitTime::VeryLong => (25, 25_000),
    };
    if rng.chance(stops) {
        let first = rng.milliseconds(0, latest);
        incidents.push((first, Incident::Signal(rng.pick(&["INT", "TERM"]))));
        if rng.chance(25) {
            let second = first + rng.milliseconds(10, 2_500);
            incidents.push((second, Incident::Signal(rng.pick(&["INT", "TERM"]))));
        }
    } else if rng.chance(20) {
        // Early enough to span a short deadline.
        let freezes = rng.milliseconds(500, 6_000);
        let freeze = Incident::Freeze(rng.milliseconds(1_000, 9_000));
        incidents.push((freezes, freeze));
    }
    let target = &targets[rng.between(0, targets.len() - 1)];
    let is_stopped = incidents.iter().any(|(_, incident)| incident.is_signal());
    let outage = outage::draw(rng, fault_rate, wait_time, target, is_stopped);
    incidents.extend(outage.map(|(at, outage)| (at, Incident::Outage(outage))));
    if fault_rate != FaultRate::None && rng.chance(30) {
        let closes = if rng.chance(40) {
            Duration::ZERO
        } else {
            rng.milliseconds(1, 3_000)
        };
        incidents.push((closes, Incident::Closes));
        incidents.push((closes + rng.milliseconds(200, 3_000), Incident::Opens));
    }
    incidents.sort_by_key(|(at, _)| *at);
    incidents
}
