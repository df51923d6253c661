//! What happens while the step runs, whatever it does just then: signals, a server that is down for a while, and
//! other people's runs.

use std::time::Duration;

use sandbox::Provider;

use super::outage::{self, Outage};
use super::{Dice, Target, Temper, Weather};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Incident {
    /// By its name without `SIG`.
    Signal(&'static str),
    /// Connections are refused.
    Closes,
    Opens,
    /// Somebody of that name starts the like of what this target starts.
    Stranger(&'static str, usize),
    /// At GitLab and Bitbucket: a push or a schedule of somebody of that name, on the reference of this target.
    Event(&'static str, usize, &'static str),
    /// Somebody runs again what this target started at GitHub, as soon as it is over.
    Rerun(usize),
    Outage(Outage),
    /// The step's process is stopped for this long, and then goes on.
    Freeze(Duration),
}

impl Incident {
    pub(crate) fn is_signal(self) -> bool {
        matches!(self, Self::Signal(_))
    }
}

/// The owners of our credentials, and others.
pub(super) const NAMES: [&str; 5] = [
    "octocat",
    "octavia",
    "service-access-token",
    "hubot",
    "oscar",
];

pub(super) fn draw(
    dice: &mut Dice,
    weather: Weather,
    temper: Temper,
    targets: &[Target],
) -> Vec<(Duration, Incident)> {
    let mut incidents = Vec::new();
    for _ in 0..dice.between(0, 4) {
        let target = dice.between(0, targets.len() - 1);
        // The hardest to tell from ours are our own, of another step.
        let name = if dice.chance(60) {
            targets[target].owner()
        } else {
            dice.pick(&NAMES)
        };
        let can_be_pushed = targets[target].provider() != Provider::GitHub;
        let stranger = match dice.percent() {
            0..40 if can_be_pushed => {
                Incident::Event(name, target, dice.pick(&["push", "push", "schedule"]))
            }
            0..30 if !can_be_pushed => Incident::Rerun(target),
            _ => Incident::Stranger(name, target),
        };
        let at = if dice.chance(25) {
            Duration::ZERO
        } else {
            dice.milliseconds(50, 4_000)
        };
        incidents.push((at, stranger));
    }
    let (stops, latest) = match temper {
        Temper::Hasty => (60, 4_000),
        Temper::Patient => (25, 12_000),
        Temper::Steady | Temper::Ageless => (25, 25_000),
    };
    if dice.chance(stops) {
        let first = dice.milliseconds(0, latest);
        incidents.push((first, Incident::Signal(dice.pick(&["INT", "TERM"]))));
        if dice.chance(25) {
            let second = first + dice.milliseconds(10, 2_500);
            incidents.push((second, Incident::Signal(dice.pick(&["INT", "TERM"]))));
        }
    } else if dice.chance(20) {
        // In time for a deadline of the hasty ones.
        let freezes = dice.milliseconds(500, 6_000);
        let freeze = Incident::Freeze(dice.milliseconds(1_000, 9_000));
        incidents.push((freezes, freeze));
    }
    let target = &targets[dice.between(0, targets.len() - 1)];
    let is_stopped = incidents.iter().any(|(_, incident)| incident.is_signal());
    let outage = outage::draw(dice, weather, temper, target, is_stopped);
    incidents.extend(outage.map(|(at, outage)| (at, Incident::Outage(outage))));
    if weather != Weather::Calm && dice.chance(30) {
        let closes = if dice.chance(40) {
            Duration::ZERO
        } else {
            dice.milliseconds(1, 3_000)
        };
        incidents.push((closes, Incident::Closes));
        incidents.push((closes + dice.milliseconds(200, 3_000), Incident::Opens));
    }
    incidents.sort_by_key(|(at, _)| *at);
    incidents
}
