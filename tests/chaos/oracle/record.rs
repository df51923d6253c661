//! What the record of requests shows about a run: when it was read or cancelled, and with which response.

use std::time::{Duration, SystemTime};

use sandbox::{RecordedRequest, RecordedResponse, Run};

use super::view::{View, id};
use crate::case::{Outage, Scope};

impl<'a> View<'a> {
    /// Converts the world's time to that of the record.
    pub(super) fn at(&self, time: SystemTime) -> SystemTime {
        self.case.setting.skew.undo(time)
    }

    /// Reads of the run's state, in order.
    pub(super) fn reads_of(&self, run: &Run) -> impl Iterator<Item = &'a RecordedRequest> {
        let provider = run.provider;
        let ends = [
            format!("/{}", id(run).replace('{', "%7B").replace('}', "%7D")),
            format!("/{}/attempts/1", id(run)),
        ];
        let requests = self.observed.requests.iter();
        requests.filter(move |request| {
            let path = request.path.trim_end_matches('/');
            let is_of_run = ends.iter().any(|end| path.ends_with(end));
            request.provider == Some(provider) && request.method == "GET" && is_of_run
        })
    }

    /// Times and responses of the requests to cancel it, in order of arrival.
    pub(super) fn cancels_of(&self, run: &Run) -> Vec<(SystemTime, RecordedResponse)> {
        let of_run = |other: Option<&Run>| {
            other.is_some_and(|other| (other.provider, id(other)) == (run.provider, id(run)))
        };
        self.cancels()
            .filter(|(_, other)| of_run(*other))
            .map(|(request, _)| (request.arrived_at, request.response))
            .collect()
    }

    /// When the step received its signals.
    pub(super) fn signals(&self) -> impl Iterator<Item = SystemTime> {
        let ended_at = self.observed.ended_at;
        let after = self.observed.after_signals.iter();
        after.map(move |after| ended_at - *after)
    }

    /// Whether every read of the run from then on gets a good response.
    pub(super) fn can_be_read_from(&self, run: &Run, from: SystemTime) -> bool {
        self.at(run.readable_from()) <= from && self.is_fault_free_from(run, from)
    }

    /// Whether reads at the run's provider meet no faults from then on.
    pub(super) fn is_fault_free_from(&self, run: &Run, from: SystemTime) -> bool {
        let lasts = |(begin, outage): &(SystemTime, Outage)| {
            outage.provider == run.provider
                && outage.scope != Scope::Triggers
                && *begin + outage.affects_requests_for() > from
        };
        !self.closes()
            && !self.observed.outages.iter().any(lasts)
            && !self.has_request_faults_from(run, from)
    }

    /// Whether single reads at the run's provider may fail from then on.
    fn has_request_faults_from(&self, run: &Run, from: SystemTime) -> bool {
        let requests = self.observed.requests.iter();
        let reads: Vec<_> = requests
            .filter(|request| request.provider == Some(run.provider) && request.method == "GET")
            .map(|request| request.arrived_at)
            .collect();
        let request_faults = self.case.request_faults.iter();
        let mut request_faults = request_faults.filter(|(kind, ..)| kind.is_read(run.provider));
        request_faults.any(|(_, nth, fault)| {
            let struck = reads.get(nth - 1);
            struck.is_some_and(|at| *at + fault.lasts() > from)
        })
    }

    /// Whether single cancels at the run's provider may fail.
    pub(super) fn has_cancel_faults(&self, run: &Run) -> bool {
        let mut request_faults = self.case.request_faults.iter();
        request_faults.any(|(kind, ..)| kind.is_cancel(run.provider))
    }
}

/// Whether the response refuses to show the run.
pub(super) fn is_refusal(response: RecordedResponse) -> bool {
    matches!(response, RecordedResponse::Status(401 | 403 | 404 | 410))
}

pub(super) fn is_good(response: RecordedResponse) -> bool {
    matches!(response, RecordedResponse::Status(200..300 | 304))
}

/// How much later it is; zero if it is earlier.
pub(super) fn since(earlier: SystemTime, later: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or_default()
}
