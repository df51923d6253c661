//! What all the cases came to together, so that it can be seen that they try what they are meant to try.

use std::collections::BTreeMap;

use crate::case::Case;
use crate::play::Seen;

#[derive(Default)]
pub(crate) struct Tally(BTreeMap<String, usize>);

impl Tally {
    pub(crate) fn add(&mut self, case: &Case, seen: &Seen) {
        let mut count = |what: &str, times: usize| {
            *self.0.entry(what.to_owned()).or_default() += times;
        };
        count("targets", case.targets.len());
        count("requests", seen.requests.len());
        count("signals", seen.after_signals.len());
        count("outages", seen.outages.len());
        count("freezes", usize::from(case.freezes()));
        for run in &seen.runs {
            count("runs that were run again", usize::from(run.attempt() > 1));
            count(
                if run.is_strange {
                    "runs of strangers"
                } else {
                    "runs"
                },
                1,
            );
            count("runs cancelled", usize::from(run.cancelled));
        }
        for entry in &seen.results {
            let word = |value: &serde_json::Value| value.as_str().unwrap_or("none").to_owned();
            count(&word(&entry["outcome"]), 1);
            for run in entry["runs"].as_array().into_iter().flatten() {
                count(&format!("by {}", word(&run["matched_by"])), 1);
                count(&format!("ended {}", word(&run["conclusion"])), 1);
                count("left running", usize::from(run["left_running"].is_string()));
            }
        }
    }

    pub(crate) fn tell(&self) -> String {
        let counts = self.0.iter().map(|(what, times)| format!("{what} {times}"));
        counts.collect::<Vec<_>>().join(", ")
    }
}
