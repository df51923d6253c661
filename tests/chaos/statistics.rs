//! Totals over all cases, which show that they cover what they should.

use std::collections::BTreeMap;

use crate::case::Case;
use crate::runner::Observed;

#[derive(Default)]
pub(crate) struct Statistics(BTreeMap<String, usize>);

impl Statistics {
    pub(crate) fn add(&mut self, case: &Case, observed: &Observed) {
        let mut count = |what: &str, times: usize| {
            *self.0.entry(what.to_owned()).or_default() += times;
        };
        count("cases", 1);
        count("targets", case.targets.len());
        count("requests", observed.requests.len());
        count("signals", observed.after_signals.len());
        count("outages", observed.outages.len());
        count("freezes", usize::from(case.freezes()));
        for run in &observed.runs {
            count("runs that were run again", usize::from(run.attempt() > 1));
            count("runs of strangers", usize::from(run.by_stranger));
            count("runs", usize::from(!run.by_stranger));
            count("runs cancelled", usize::from(run.cancelled));
        }
        for entry in &observed.results {
            let word = |value: &serde_json::Value| value.as_str().unwrap_or("none").to_owned();
            count(&word(&entry["outcome"]), 1);
            for run in entry["runs"].as_array().into_iter().flatten() {
                count(&format!("by {}", word(&run["matched_by"])), 1);
                count(&format!("ended {}", word(&run["conclusion"])), 1);
                count("left running", usize::from(run["left_running"].is_string()));
            }
        }
    }

    pub(crate) fn summary(&self) -> String {
        let counts = self.0.iter().map(|(what, times)| format!("{what} {times}"));
        counts.collect::<Vec<_>>().join(", ")
    }
}
