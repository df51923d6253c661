//! A time in which one kind of request fails at a provider, however often it is sent.

use std::time::Duration;

use sandbox::{Fault, Moment, Provider, Response, Route};

use super::{Credential, Dice, Target, Temper, Weather};
use OutageFailure::{Hang, Page, RetryAtOnce, Status};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outage {
    pub(crate) provider: Provider,
    pub(crate) of: Scope,
    pub(crate) failure: OutageFailure,
    pub(crate) lasts: Duration,
}

/// Which requests fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Lists of runs.
    Lists,
    /// Runs that are read by their id.
    Runs,
    /// New tokens of a GitHub App.
    Renewals,
    Triggers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutageFailure {
    Status(u16),
    /// 403 as a proxy's page.
    Page,
    /// A rate limit that says `Retry-After: 0`.
    RetryAtOnce,
    /// The answer takes some seconds.
    Slow,
    /// No answer.
    Hang,
}

/// Longer than the client waits for an answer.
const FOREVER: Duration = Duration::from_secs(65);

const SOME_SECONDS: Duration = Duration::from_secs(4);

/// With the time at which it begins.
pub(super) fn draw(
    dice: &mut Dice,
    weather: Weather,
    temper: Temper,
    target: &Target,
    is_stopped: bool,
) -> Option<(Duration, Outage)> {
    let chance = match weather {
        Weather::Calm => return None,
        Weather::Fair => 35,
        Weather::Foul => 60,
    };
    if !dice.chance(chance) {
        return None;
    }
    let provider = target.provider();
    let renews = target.pipeline.credential() == Credential::App;
    let of = match dice.percent() {
        0..50 if renews => Scope::Renewals,
        0..45 => Scope::Lists,
        45..85 => Scope::Runs,
        _ => Scope::Triggers,
    };
    let failure = dice.pick(match of {
        Scope::Lists => &[Status(502), Status(502), Status(404), Page],
        Scope::Runs => &[Status(404), Status(401), Page, Status(502), Status(307)],
        Scope::Renewals => &[Status(500), Status(403), Status(422), Hang],
        Scope::Triggers => &[RetryAtOnce],
    });
    let (latest, longest) = match (of, temper) {
        (Scope::Triggers, _) => (1, 6_000),
        (_, Temper::Hasty) => (3_000, 5_000),
        (_, Temper::Patient) => (6_000, 8_000),
        (_, Temper::Steady) => (10_000, 20_000),
        (_, Temper::Ageless) => (10_000, 80_000),
    };
    let lasts = dice.milliseconds(1_000, longest);
    let outage = Outage {
        provider,
        of,
        failure,
        lasts,
    };
    // Nobody gets far whose first token does not come, unless a signal ends it.
    let may_begin_at_once = failure != Hang || is_stopped;
    let begins = if may_begin_at_once && dice.chance(30) {
        Duration::ZERO
    } else {
        dice.milliseconds(1, latest)
    };
    Some((begins, outage))
}

impl Outage {
    /// Until the last request that it hits is answered.
    pub(crate) fn affects_requests_for(self) -> Duration {
        let longest = match self.failure {
            Hang => FOREVER,
            OutageFailure::Slow => SOME_SECONDS,
            Status(_) | Page | RetryAtOnce => Duration::ZERO,
        };
        self.lasts + longest
    }

    pub(crate) fn route(self) -> Route {
        let of_provider = Route::any().provider(self.provider);
        let reads = of_provider.clone().method("GET");
        match (self.of, self.provider) {
            (Scope::Triggers, _) => Route::triggers().provider(self.provider),
            (Scope::Renewals, _) => of_provider.path_end("/access_tokens"),
            (Scope::Lists, Provider::GitHub) => reads.path_end("/runs"),
            (Scope::Lists, _) => reads.path_end("/pipelines"),
            (Scope::Runs, Provider::GitHub) => reads.path("/actions/runs/"),
            // Ids begin so, and so does no name of a list.
            (Scope::Runs, Provider::GitLab) => reads.path("/pipelines/7"),
            (Scope::Runs, Provider::Bitbucket) => reads.path("/pipelines/%7B"),
        }
    }

    pub(crate) fn fault(self) -> Fault {
        let page = "<html><title>Access to this site is blocked</title></html>";
        match (self.failure, self.provider) {
            (Status(307), _) => Fault::redirect(307, "?round=and-round"),
            (Status(status), _) => {
                let body = serde_json::json!({"message": "Something went wrong."});
                Fault::Response(Moment::BeforeActing, Response::json(status, body))
            }
            (Page, _) => {
                let response = Response::body(403, "text/html", page);
                Fault::Response(Moment::BeforeActing, response)
            }
            (RetryAtOnce, Provider::GitHub) => Fault::github_secondary_limit(Some(0)),
            (RetryAtOnce, Provider::GitLab) => Fault::gitlab_limit(Some(0)),
            (RetryAtOnce, Provider::Bitbucket) => Fault::bitbucket_limit(Some(0)),
            (OutageFailure::Slow, _) => Fault::Delay(Moment::BeforeActing, SOME_SECONDS),
            (Hang, _) => Fault::Delay(Moment::BeforeActing, FOREVER),
        }
    }
}
