//! What happens while the step runs, whatever it does just then: signals, a server that is down for a while, and
//! other people's runs.

use std::time::Duration;

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
        let stranger = Incident::Stranger(name, target);
        let at = if dice.chance(25) {
            Duration::ZERO
        } else {
            dice.milliseconds(50, 4_000)
        };
        incidents.push((at, stranger));
    }
    let stops = match temper {
        Temper::Hasty => 70,
        Temper::Patient => 15,
    };
    if dice.chance(stops) {
        let first = dice.milliseconds(0, 4_000);
        incidents.push((first, Incident::Signal(dice.pick(&["INT", "TERM"]))));
        if dice.chance(25) {
            let second = first + dice.milliseconds(10, 2_500);
            incidents.push((second, Incident::Signal(dice.pick(&["INT", "TERM"]))));
        }
    }
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
