//! What goes wrong with requests: which of them, and how.

use std::time::Duration;

use sandbox::{Fault, HangUp, MalformedResponse, Moment, Provider, Response, Route};

use super::{Dice, Target, Weather};

/// More reads than these meet no trouble.
const MOST_READS: usize = 60;

/// Some requests of one provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Where {
    pub(crate) provider: Provider,
    pub(crate) purpose: Purpose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Trigger,
    Read,
    Cancel,
}

/// Whether there may be troubles that only the client's patience ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasting {
    Seconds,
    Minutes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Reset(Moment),
    Close(Moment),
    Status(Moment, u16),
    /// 429, or GitHub's secondary limit with 403, for so many seconds, or without saying.
    TooMany(u16, Option<u64>),
    Truncated,
    /// No HTTP.
    Garbage(Moment),
    EndlessHeaders(Moment),
    /// 10 GB.
    Huge(Moment),
    /// JSON, nested too deep.
    Deep(Moment),
    /// A byte every so often.
    SlowBody(Duration),
    /// The same of a header, without end.
    SlowHeader(Moment),
    Late(Moment, Duration),
    /// Round and round on the same server.
    Circles,
    /// A good answer, and then the end of a connection that was to be kept.
    HangUp(HangUp),
}

/// Longer than the client waits for an answer.
const TOO_LATE: Duration = Duration::from_secs(65);
/// Between polls.
const LONGEST_INTERVAL: Duration = Duration::from_secs(15);
const SHORT: Duration = Duration::from_secs(2);

pub(super) fn draw(
    dice: &mut Dice,
    weather: Weather,
    targets: &[Target],
    lasting: Lasting,
) -> Vec<(Where, usize, Trouble)> {
    let mut troubles = Vec::new();
    let chances = match weather {
        Weather::Calm => return troubles,
        Weather::Fair => [20, 4, 15],
        Weather::Foul => [55, 20, 45],
    };
    for provider in [Provider::GitHub, Provider::GitLab, Provider::Bitbucket] {
        let theirs = targets
            .iter()
            .filter(|target| target.provider() == provider);
        let triggers = match theirs.count() {
            0 => continue,
            count => count + 3,
        };
        let purposes = [
            (Purpose::Trigger, triggers),
            (Purpose::Read, MOST_READS),
            (Purpose::Cancel, 2 * triggers),
        ];
        for ((purpose, most), chance) in purposes.into_iter().zip(chances) {
            for nth in 1..=most {
                if dice.chance(chance) {
                    let place = Where { provider, purpose };
                    let trouble = match purpose {
                        Purpose::Read if dice.chance(20) => Trouble::HangUp(any_hang_up(dice)),
                        Purpose::Trigger | Purpose::Read | Purpose::Cancel => {
                            Trouble::draw(dice, lasting)
                        }
                    };
                    troubles.push((place, nth, trouble));
                }
            }
        }
    }
    troubles
}

pub(super) fn any_hang_up(dice: &mut Dice) -> HangUp {
    dice.pick(&[HangUp::Close, HangUp::Reset, HangUp::ResetAtNextRequest])
}

impl Trouble {
    fn draw(dice: &mut Dice, lasting: Lasting) -> Self {
        let moment = dice.pick(&[Moment::BeforeActing, Moment::AfterActing]);
        match dice.percent() {
            0..16 => Self::Reset(moment),
            16..24 => Self::Close(moment),
            24..48 => Self::Status(moment, dice.pick(&[500, 502, 503, 504, 408])),
            48..58 => {
                let seconds = dice.pick(&[Some(0), Some(1), Some(2), Some(30)]);
                Self::TooMany(dice.pick(&[429, 403]), seconds)
            }
            58..66 => Self::Truncated,
            66..70 => Self::Garbage(moment),
            70..73 => Self::EndlessHeaders(moment),
            73..75 => Self::Huge(moment),
            75..78 => Self::Deep(moment),
            78..84 => Self::SlowBody(Duration::from_millis(1)),
            84..92 => Self::Late(moment, dice.milliseconds(50, 3_000)),
            92..94 => Self::Circles,
            _ if lasting == Lasting::Seconds => Self::Reset(moment),
            94..96 => Self::SlowHeader(moment),
            96..98 => Self::SlowBody(Duration::from_secs(1)),
            98 => Self::TooMany(429, None),
            _ => Self::Late(moment, TOO_LATE),
        }
    }

    pub(crate) fn fault(self, provider: Provider) -> Fault {
        // The status by which a trigger is accepted, and a look answered.
        let status = match provider {
            Provider::GitHub => 200,
            Provider::GitLab | Provider::Bitbucket => 201,
        };
        match self {
            Self::Reset(moment) => Fault::Reset(moment),
            Self::Close(moment) => Fault::Close(moment),
            Self::Status(moment, status) => Fault::status(moment, status),
            Self::TooMany(status, seconds) => match (provider, status) {
                (Provider::GitHub, 403) => Fault::github_secondary_limit(seconds),
                (Provider::GitHub | Provider::GitLab, _) => Fault::gitlab_limit(seconds),
                (Provider::Bitbucket, _) => Fault::bitbucket_limit(seconds),
            },
            Self::Truncated => Fault::Truncate,
            Self::Garbage(moment) => Fault::Malformed(moment, MalformedResponse::garbage()),
            Self::EndlessHeaders(moment) => {
                Fault::Malformed(moment, MalformedResponse::endless_headers())
            }
            Self::Huge(moment) => Fault::Huge {
                moment,
                status,
                length: 10_000_000_000,
            },
            Self::Deep(moment) => {
                let nested = ["[".repeat(10_000), "]".repeat(10_000)].concat();
                Fault::Response(moment, Response::body(status, "application/json", nested))
            }
            Self::SlowBody(pause) => Fault::Slow(pause),
            Self::SlowHeader(moment) => Fault::Malformed(
                moment,
                MalformedResponse::slow_headers(Duration::from_secs(1)),
            ),
            Self::Late(moment, by) => Fault::Delay(moment, by),
            // The same path, so that it is the like of a request that is sent again.
            Self::HangUp(how) => Fault::HangUp(how),
            Self::Circles => Fault::redirect(307, "?round=and-round"),
        }
    }
}

impl Trouble {
    /// How long after a read that it hits others may fail or wait.
    pub(crate) fn lasts(self) -> Duration {
        match self {
            Self::TooMany(_, seconds) => Duration::from_secs(5 + 4 * seconds.unwrap_or(60)),
            Self::Late(_, by) => by + SHORT,
            Self::SlowHeader(_) => TOO_LATE,
            Self::SlowBody(pause) if pause.as_secs() > 0 => TOO_LATE,
            // What is sent next on that connection fails.
            Self::HangUp(_) => LONGEST_INTERVAL + SHORT,
            Self::SlowBody(_) | Self::Huge(_) | Self::EndlessHeaders(_) => 10 * SHORT,
            Self::Reset(_)
            | Self::Close(_)
            | Self::Status(..)
            | Self::Truncated
            | Self::Garbage(_)
            | Self::Deep(_)
            | Self::Circles => SHORT,
        }
    }
}

impl Where {
    pub(crate) fn is_read(self, provider: Provider) -> bool {
        self.provider == provider && self.purpose == Purpose::Read
    }

    pub(crate) fn is_trigger(self, provider: Provider) -> bool {
        self.provider == provider && self.purpose == Purpose::Trigger
    }

    pub(crate) fn is_cancel(self, provider: Provider) -> bool {
        self.provider == provider && self.purpose == Purpose::Cancel
    }

    pub(crate) fn route(self) -> Route {
        let all = Route::any().provider(self.provider);
        match self.purpose {
            Purpose::Trigger => Route::triggers().provider(self.provider),
            Purpose::Read => all.method("GET"),
            Purpose::Cancel => all.method("POST").path(match self.provider {
                Provider::GitHub | Provider::GitLab => "/cancel",
                Provider::Bitbucket => "/stopPipeline",
            }),
        }
    }
}
