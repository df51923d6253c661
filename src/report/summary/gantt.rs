//! A run's jobs over time, as a Mermaid diagram.
//! Facts: <https://mermaid.js.org/syntax/gantt.html>.

use std::fmt::Write as _;

use super::Hide;
use crate::run::{Conclusion, Job, State};

/// Mermaid refuses diagrams of more than 50,000 characters.
const LONGEST: usize = 45_000;
/// Most characters of a name that are shown.
const LONGEST_NAME: usize = 50;
/// A job that took no time would not be seen, in milliseconds.
const SHORTEST: i64 = 1_000;

/// `None` where no job has begun.
pub(super) fn gantt(jobs: &[Job], hide: Hide<'_>) -> Option<String> {
    let mut diagram =
        "gantt\n    dateFormat x\n    axisFormat %H:%M:%S\n    todayMarker off\n    section Jobs\n"
            .to_owned();
    let begun = jobs
        .iter()
        .filter_map(|job| Some((job, job.times.started?)));
    // What still runs goes on to the last moment that is known.
    let now = jobs
        .iter()
        .flat_map(|job| [job.times.started, job.times.completed])
        .flatten()
        .max()?;
    let mut shown = 0;
    for (index, (job, start)) in begun.enumerate() {
        let start = start.timestamp_millis();
        let end = job.times.completed.unwrap_or(now).timestamp_millis();
        let end = end.max(start + SHORTEST);
        // A number before it, since some words at the beginning of a line mean something.
        let name = name(&hide(&job.name));
        let mut line = String::new();
        let _ = writeln!(
            line,
            "    {} {name} :{}{start}, {end}",
            index + 1,
            tag(job.state)
        );
        if diagram.chars().count() + line.chars().count() > LONGEST {
            break;
        }
        diagram.push_str(&line);
        shown += 1;
    }
    (shown > 0).then_some(diagram)
}

fn tag(state: State) -> &'static str {
    match state {
        State::Completed(Conclusion::Success | Conclusion::Neutral) => "done, ",
        State::Completed(Conclusion::Failure | Conclusion::TimedOut) => "crit, ",
        State::Running => "active, ",
        State::Completed(Conclusion::Skipped | Conclusion::Cancelled | Conclusion::Lost)
        | State::Queued
        | State::Blocked => "",
    }
}

/// A name without what means something to Mermaid or to Markdown: `:` ends a name there, `#` and `;`
/// begin a comment, a fence could be closed.
fn name(text: &str) -> String {
    let safe = |character: char| {
        if character.is_alphanumeric() || "-_.,/()+=*'".contains(character) {
            character
        } else {
            ' '
        }
    };
    let safe: String = text.chars().map(safe).collect();
    let words: Vec<_> = safe.split_whitespace().collect();
    words.join(" ").chars().take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Nature, Times};
    use chrono::DateTime;
    use proptest::prelude::*;

    fn job(name: &str, state: State, start: i64, end: Option<i64>) -> Job {
        let time = |seconds| DateTime::from_timestamp(seconds, 0);
        Job {
            id: "1".to_owned(),
            name: name.to_owned(),
            nature: Nature::Job,
            state,
            times: Times {
                created: None,
                started: time(start),
                completed: end.and_then(time),
            },
            url: None,
            failed_step: None,
            log_size: None,
        }
    }

    #[test]
    fn jobs_are_drawn_from_their_start_to_their_end() {
        let jobs = [
            job(
                "build",
                State::Completed(Conclusion::Success),
                100,
                Some(110),
            ),
            job(
                "test (1, 2)",
                State::Completed(Conclusion::Failure),
                110,
                Some(110),
            ),
            job("deploy", State::Running, 105, None),
        ];
        assert_eq!(
            gantt(&jobs, &str::to_owned).unwrap(),
            "gantt\n    dateFormat x\n    axisFormat %H:%M:%S\n    todayMarker off\n    section Jobs\n    \
             1 build :done, 100000, 110000\n    2 test (1, 2) :crit, 110000, 111000\n    3 deploy :active, 105000, 110000\n"
        );
        assert_eq!(gantt(&[], &str::to_owned), None);
    }

    #[test]
    fn a_diagram_is_never_larger_than_mermaid_takes() {
        let jobs = vec![job(&"ä".repeat(99), State::Running, 1, None); 3_000];
        let diagram = gantt(&jobs, &str::to_owned).unwrap();
        assert!(diagram.chars().count() <= LONGEST);
    }

    proptest! {
        #[test]
        fn no_name_means_anything(text in any::<String>()) {
            let name = name(&text);
            let has_meaning = name.contains([':', ';', '#', '%', '`', '\n', '<', '{', '"']);
            prop_assert!(!has_meaning, "{}", name);
            prop_assert!(name.chars().count() <= LONGEST_NAME);
        }
    }
}
