//! Faults of single requests: which requests fail, and how.

use std::time::Duration;

use sandbox::{Fault, HangUp, MalformedResponse, Moment, Provider, Response, Route};

use serde_json::json;

use super::{FaultRate, Rng, Target};

/// Later reads meet no faults.
const MAX_READS: usize = 60;

/// A kind of request to one provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestKind {
    pub(crate) provider: Provider,
    pub(crate) purpose: Purpose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Trigger,
    Read,
    Cancel,
    /// Sets a commit status.
    Status,
}

/// Whether faults may last until the client's timeout ends them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultDuration {
    Seconds,
    Minutes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestFault {
    Reset(Moment),
    Close(Moment),
    /// An error page instead of the API's error.
    Status(Moment, u16),
    /// The API's own error, before it acts.
    Refused(u16),
    /// 403 with a web filter's page.
    BlockPage,
    /// 429, or 403 for GitHub's secondary limit, with this many seconds in `Retry-After`, or without it.
    TooMany(u16, Option<u64>),
    Truncated,
    /// Not HTTP.
    Garbage(Moment),
    EndlessHeaders(Moment),
    /// A body of 10 GB.
    Huge(Moment),
    /// JSON that is nested too deeply.
    Deep(Moment),
    /// One byte at a time, with this pause.
    SlowBody(Duration),
    /// A header without end, one byte at a time.
    SlowHeader(Moment),
    Late(Moment, Duration),
    /// A redirect loop on the same server.
    Circles,
    /// A good response, after which the connection breaks although it was to be kept alive.
    HangUp(HangUp),
}

/// Longer than the client's timeout for a response.
pub(super) const BEYOND_TIMEOUT: Duration = Duration::from_secs(65);
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(15);
const SHORT: Duration = Duration::from_secs(2);

pub(super) fn draw(
    rng: &mut Rng,
    fault_rate: FaultRate,
    targets: &[Target],
    duration: FaultDuration,
) -> Vec<(RequestKind, usize, RequestFault)> {
    let mut request_faults = Vec::new();
    let chances = match fault_rate {
        FaultRate::None => return request_faults,
        FaultRate::Low => [20, 4, 15],
        FaultRate::High => [55, 20, 45],
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
            (Purpose::Read, MAX_READS),
            (Purpose::Cancel, 2 * triggers),
        ];
        for ((purpose, most), chance) in purposes.into_iter().zip(chances) {
            for nth in 1..=most {
                if rng.chance(chance) {
                    let kind = RequestKind { provider, purpose };
                    let fault = match purpose {
                        Purpose::Read if rng.chance(20) => RequestFault::HangUp(draw_hang_up(rng)),
                        Purpose::Trigger | Purpose::Read | Purpose::Cancel | Purpose::Status => {
                            RequestFault::draw(rng, duration)
                        }
                    };
                    request_faults.push((kind, nth, fault));
                }
            }
        }
    }
    request_faults
}

/// Faults of the requests that set commit statuses.
pub(super) fn draw_for_statuses(
    rng: &mut Rng,
    fault_rate: FaultRate,
    targets: usize,
    duration: FaultDuration,
) -> Vec<(RequestKind, usize, RequestFault)> {
    let chance = match fault_rate {
        FaultRate::None => return Vec::new(),
        FaultRate::Low => 10,
        FaultRate::High => 35,
    };
    let kind = RequestKind {
        provider: Provider::GitHub,
        purpose: Purpose::Status,
    };
    let mut faults = Vec::new();
    for nth in 1..=8 * targets {
        if rng.chance(chance) {
            faults.push((kind, nth, RequestFault::draw(rng, duration)));
        }
    }
    faults
}

pub(super) fn draw_hang_up(rng: &mut Rng) -> HangUp {
    rng.pick(&[HangUp::Close, HangUp::Reset, HangUp::ResetAtNextRequest])
}

impl RequestFault {
    fn draw(rng: &mut Rng, duration: FaultDuration) -> Self {
        let moment = rng.pick(&[Moment::BeforeActing, Moment::AfterActing]);
        match rng.percent() {
            0..16 => Self::Reset(moment),
            16..24 => Self::Close(moment),
            24..48 => Self::Status(moment, rng.pick(&[500, 502, 503, 504, 408])),
            48..58 => {
                let seconds = rng.pick(&[Some(0), Some(1), Some(2), Some(30)]);
                Self::TooMany(rng.pick(&[429, 403]), seconds)
            }
            58..66 => Self::Truncated,
            66..70 => Self::Garbage(moment),
            70..73 => Self::EndlessHeaders(moment),
            73..75 => Self::Huge(moment),
            75..78 => Self::Deep(moment),
            78..84 => Self::SlowBody(Duration::from_millis(1)),
            84..92 => Self::Late(moment, rng.milliseconds(50, 3_000)),
            92..94 => Self::Circles,
            _ if duration == FaultDuration::Seconds => Self::Reset(moment),
            94..96 => Self::SlowHeader(moment),
            96..98 => Self::SlowBody(Duration::from_secs(1)),
            98 => Self::TooMany(429, None),
            _ => Self::Late(moment, BEYOND_TIMEOUT),
        }
    }

    pub(crate) fn fault(self, provider: Provider) -> Fault {
        // The status of an accepted trigger or an answered poll.
        let status = match provider {
            Provider::GitHub => 200,
            Provider::GitLab | Provider::Bitbucket => 201,
        };
        match self {
            Self::Reset(moment) => Fault::Reset(moment),
            Self::Close(moment) => Fault::Close(moment),
            Self::Status(moment, status) => Fault::status(moment, status),
            Self::Refused(status) => {
                let body = json!({"message": "Something went wrong."});
                Fault::Response(Moment::BeforeActing, Response::json(status, body))
            }
            Self::BlockPage => {
                let page = "<html><title>Access to this site is blocked</title></html>";
                let response = Response::body(403, "text/html", page);
                Fault::Response(Moment::BeforeActing, response)
            }
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
            Self::HangUp(how) => Fault::HangUp(how),
            // The path stays the same, so that the redirected request looks like a retry.
            Self::Circles => Fault::redirect(307, "?round=and-round"),
        }
    }
}

impl RequestFault {
    /// How long after the read that it hits other reads may fail or be delayed.
    pub(crate) fn lasts(self) -> Duration {
        match self {
            Self::TooMany(_, seconds) => Duration::from_secs(5 + 4 * seconds.unwrap_or(60)),
            Self::Late(_, by) => by + SHORT,
            Self::SlowHeader(_) => BEYOND_TIMEOUT,
            Self::SlowBody(pause) if pause.as_secs() > 0 => BEYOND_TIMEOUT,
            // The next request on that connection fails.
            Self::HangUp(_) => MAX_POLL_INTERVAL + SHORT,
            Self::SlowBody(_) | Self::Huge(_) | Self::EndlessHeaders(_) => 10 * SHORT,
            Self::Reset(_)
            | Self::Close(_)
            | Self::Status(..)
            | Self::Refused(_)
            | Self::BlockPage
            | Self::Truncated
            | Self::Garbage(_)
            | Self::Deep(_)
            | Self::Circles => SHORT,
        }
    }
}

impl RequestKind {
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
            Purpose::Status => all.method("POST").path("/statuses/"),
            Purpose::Cancel => all.method("POST").path(match self.provider {
                Provider::GitHub | Provider::GitLab => "/cancel",
                Provider::Bitbucket => "/stopPipeline",
            }),
        }
    }
}
