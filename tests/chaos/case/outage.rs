//! A period in which one kind of request fails at a provider, however often it is sent.

use std::time::Duration;

use sandbox::Moment::BeforeActing;
use sandbox::{Provider, Route};

use super::request_fault::{BEYOND_TIMEOUT, RequestFault};
use super::{Credential, FaultRate, Rng, Target, WaitTime};
use RequestFault::{BlockPage, Circles, Late, Refused, TooMany};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outage {
    pub(crate) provider: Provider,
    pub(crate) scope: Scope,
    pub(crate) fault: RequestFault,
    pub(crate) lasts: Duration,
}

/// Which requests fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Lists of runs.
    Lists,
    /// Runs read by id.
    Runs,
    /// New tokens for a GitHub App.
    Renewals,
    Triggers,
}

const HANG: RequestFault = Late(BeforeActing, BEYOND_TIMEOUT);

/// Also returns the time at which it begins.
pub(super) fn draw(
    rng: &mut Rng,
    fault_rate: FaultRate,
    wait_time: WaitTime,
    target: &Target,
    is_stopped: bool,
) -> Option<(Duration, Outage)> {
    let chance = match fault_rate {
        FaultRate::None => return None,
        FaultRate::Low => 35,
        FaultRate::High => 60,
    };
    if !rng.chance(chance) {
        return None;
    }
    let provider = target.provider();
    let renews = target.pipeline.credential() == Credential::App;
    let scope = match rng.percent() {
        0..50 if renews => Scope::Renewals,
        0..45 => Scope::Lists,
        45..85 => Scope::Runs,
        _ => Scope::Triggers,
    };
    let fault = rng.pick(match scope {
        Scope::Lists => &[Refused(502), Refused(502), Refused(404), BlockPage],
        Scope::Runs => &[Refused(404), Refused(401), BlockPage, Refused(502), Circles],
        Scope::Renewals => &[Refused(500), Refused(403), Refused(422), HANG],
        Scope::Triggers => &[TooMany(403, Some(0))],
    });
    let (latest, longest) = match (scope, wait_time) {
        (Scope::Triggers, _) => (1, 6_000),
        (_, WaitTime::Short) => (3_000, 5_000),
        (_, WaitTime::Medium) => (6_000, 8_000),
        (_, WaitTime::Long) => (10_000, 20_000),
        (_, WaitTime::VeryLong) => (10_000, 80_000),
    };
    let lasts = rng.milliseconds(1_000, longest);
    let outage = Outage {
        provider,
        scope,
        fault,
        lasts,
    };
    // If the first token never arrives, the step does nothing worth checking, unless a signal ends it.
    let may_begin_at_once = fault != HANG || is_stopped;
    let begins = if may_begin_at_once && rng.chance(30) {
        Duration::ZERO
    } else {
        rng.milliseconds(1, latest)
    };
    Some((begins, outage))
}

impl Outage {
    /// How long requests are affected: until the last one that it hits has been answered.
    pub(crate) fn affects_requests_for(self) -> Duration {
        if let Late(_, delay) = self.fault {
            return self.lasts + delay;
        }
        self.lasts
    }

    pub(crate) fn route(self) -> Route {
        let of_provider = Route::any().provider(self.provider);
        let reads = of_provider.clone().method("GET");
        match (self.scope, self.provider) {
            (Scope::Triggers, _) => Route::triggers().provider(self.provider),
            (Scope::Renewals, _) => of_provider.path_end("/access_tokens"),
            (Scope::Lists, Provider::GitHub) => reads.path_end("/runs"),
            (Scope::Lists, _) => reads.path_end("/pipelines"),
            (Scope::Runs, Provider::GitHub) => reads.path("/actions/runs/"),
            // Run ids begin with this, and no path of a list does.
            (Scope::Runs, Provider::GitLab) => reads.path("/pipelines/7"),
            (Scope::Runs, Provider::Bitbucket) => reads.path("/pipelines/%7B"),
        }
    }
}
