//! Totals over all cases, which show that they cover what they should.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::case::{CallingJob, Case};
use crate::runner::{Observed, ObservedJob};

#[derive(Default)]
pub(crate) struct Statistics(BTreeMap<String, usize>);

impl Statistics {
    pub(crate) fn add(&mut self, case: &Case, observed: &Observed) {
        self.count("cases", 1);
        self.count("targets", case.targets.len());
        self.count("requests", observed.requests.len());
        self.count("signals", observed.after_signals.len());
        self.count("outages", observed.outages.len());
        self.count("freezes", usize::from(case.freezes()));
        self.count_runs(&observed.runs);
        self.count_results(&observed.results);
    }

    pub(crate) fn add_attempts(&mut self, job: &CallingJob, observed: &ObservedJob) {
        self.count("jobs", 1);
        self.count("jobs that end calmly", usize::from(job.ends_calmly));
        let targets = job.case.targets.iter();
        let remembered = targets.filter(|target| job.is_remembered_by_status(target));
        self.count("targets remembered by status", remembered.count());
        self.count("targets", job.case.targets.len());
        self.count("requests", observed.requests.len());
        self.count_runs(&observed.runs);
        for attempt in &observed.attempts {
            let end = match attempt.done.code {
                Some(0) => "attempts that pass",
                Some(_) => "attempts that fail",
                None => "attempts that are killed",
            };
            self.count(end, 1);
            self.count("signals", attempt.after_signals.len());
            self.count_results(&attempt.results);
        }
    }

    fn count_runs(&mut self, runs: &[sandbox::Run]) {
        for run in runs {
            self.count("runs that were run again", usize::from(run.attempt() > 1));
            self.count("runs of strangers", usize::from(run.by_stranger));
            self.count("runs", usize::from(!run.by_stranger));
            self.count("runs cancelled", usize::from(run.cancelled));
        }
    }

    fn count_results(&mut self, results: &[Value]) {
        let word = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        for entry in results {
            self.count(&word(&entry["outcome"]), 1);
            for run in entry["runs"].as_array().into_iter().flatten() {
                self.count(&format!("by {}", word(&run["matched_by"])), 1);
                self.count(&format!("ended {}", word(&run["conclusion"])), 1);
                self.count("left running", usize::from(run["left_running"].is_string()));
                self.count("taken up", usize::from(run["started_by_attempt"].is_u64()));
            }
        }
    }

    fn count(&mut self, what: &str, times: usize) {
        *self.0.entry(what.to_owned()).or_default() += times;
    }

    pub(crate) fn summary(&self) -> String {
        let counts = self.0.iter().map(|(what, times)| format!("{what} {times}"));
        counts.collect::<Vec<_>>().join(", ")
    }
}
