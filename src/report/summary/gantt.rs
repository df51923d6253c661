//! Draws jobs and runs over time as a Mermaid diagram: <https://mermaid.js.org/syntax/gantt.html>.

use chrono::{DateTime, Utc};

use super::Hide;
use crate::model::{Conclusion, State, Times};

/// Maximum length of a diagram, in characters. Mermaid rejects more than 50,000.
const MAX_LENGTH: usize = 45_000;
/// Maximum length of a name, in characters.
const MAX_NAME: usize = 50;
/// Width of a character in a section's name, and the space around the name, in pixels. By default, Mermaid draws bars
/// from 75 pixels on, and longer names overlap them.
const CHARACTER_WIDTH: usize = 6;
const MARGIN: usize = 20;
const MIN_PADDING: usize = 75;
/// Minimum duration of a bar, in milliseconds. Shorter ones would be invisible.
const MIN_LENGTH: i64 = 1_000;

/// A job or a run with its times.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) state: State,
    pub(super) started: DateTime<Utc>,
    /// If `None`, the bar ends at the last known time of the diagram.
    pub(super) completed: Option<DateTime<Utc>>,
}

impl Bar {
    /// Returns `None` if it hasn't started.
    pub(super) fn new(name: String, state: State, times: &Times) -> Option<Self> {
        Some(Self {
            name,
            state,
            started: times.started?,
            completed: times.completed,
        })
    }
}

/// Draws sections with their bars on one time axis. Returns `None` without bars.
pub(super) fn gantt(sections: &[(String, Vec<Bar>)], hide: Hide<'_>) -> Option<String> {
    let drawn = sections.iter().filter(|(_, bars)| !bars.is_empty());
    let named: Vec<_> = drawn
        .map(|(section, bars)| (name(&hide(section)), bars))
        .collect();
    let longest = named.iter().map(|(name, _)| name.chars().count()).max()?;
    let padding = (longest * CHARACTER_WIDTH + MARGIN).max(MIN_PADDING);
    let mut diagram = format!(
        "%%{{init: {{\"gantt\": {{\"leftPadding\": {padding}}}}}}}%%\n\
         gantt\n    dateFormat x\n    axisFormat %H:%M:%S\n    todayMarker off\n"
    );
    let bars = sections.iter().flat_map(|(_, bars)| bars);
    let now = bars
        .flat_map(|bar| [Some(bar.started), bar.completed])
        .flatten()
        .max()?;
    let mut length = diagram.chars().count();
    let mut shown = 0;
    for (section, bars) in named {
        let heading = format!("    section {section}\n");
        for (index, bar) in bars.iter().enumerate() {
            let start = bar.started.timestamp_millis();
            let end = bar.completed.unwrap_or(now).timestamp_millis();
            let end = end.max(start + MIN_LENGTH);
            let heading = if index == 0 { heading.as_str() } else { "" };
            // The number prevents a name at the start of the line from being read as a keyword.
            let line = format!(
                "{heading}    {} {} :{}{start}, {end}\n",
                shown + 1,
                name(&hide(&bar.name)),
                tag(bar.state)
            );
            length += line.chars().count();
            if length > MAX_LENGTH {
                return Some(diagram).filter(|_| shown > 0);
            }
            diagram.push_str(&line);
            shown += 1;
        }
    }
    Some(diagram)
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

/// Removes characters that Mermaid or Markdown interpret: `:` ends a name, `#` and `;` start a comment, and backticks
/// could close the code block.
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
    words.join(" ").chars().take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::log::time_taken;
    use crate::testing::arbitrary;
    use proptest::prelude::*;

    fn bar(name: &str, state: State, start: i64, end: Option<i64>) -> Bar {
        let time = |seconds| DateTime::from_timestamp(seconds, 0);
        Bar {
            name: name.to_owned(),
            state,
            started: time(start).unwrap(),
            completed: end.and_then(time),
        }
    }

    const DONE: State = State::Completed(Conclusion::Success);
    const FAILED: State = State::Completed(Conclusion::Failure);

    #[test]
    fn bars_have_start_and_end() {
        let jobs = vec![
            bar("build", DONE, 100, Some(110)),
            bar("test (1, 2)", FAILED, 110, Some(110)),
        ];
        let others = vec![bar("deploy", State::Running, 105, None)];
        let sections = [
            ("Jobs".to_owned(), jobs),
            ("none".to_owned(), Vec::new()),
            ("github: octo-org/app".to_owned(), others),
        ];
        assert_eq!(
            gantt(&sections, &str::to_owned).unwrap(),
            "%%{init: {\"gantt\": {\"leftPadding\": 134}}}%%\ngantt\n    dateFormat x\n    \
             axisFormat %H:%M:%S\n    todayMarker off\n    section Jobs\n    \
             1 build :done, 100000, 110000\n    2 test (1, 2) :crit, 110000, 111000\n    \
             section github octo-org/app\n    3 deploy :active, 105000, 110000\n"
        );
        assert_eq!(gantt(&[], &str::to_owned), None);
    }

    #[test]
    fn a_diagram_never_exceeds_the_limit_of_mermaid() {
        let long = "ä".repeat(99);
        let jobs = (0..3_000).map(|_| bar(&long, State::Running, 1, None));
        let diagram = gantt(&[("Jobs".to_owned(), jobs.collect())], &str::to_owned).unwrap();
        assert!(diagram.chars().count() <= MAX_LENGTH);
        assert!(diagram.lines().count() > 100);
    }

    proptest! {
        #[test]
        fn no_name_is_interpreted(text in any::<String>()) {
            let name = name(&text);
            let has_meaning = name.contains([':', ';', '#', '%', '`', '\n', '<', '{', '"']);
            prop_assert!(!has_meaning, "{}", name);
            prop_assert!(name.chars().count() <= MAX_NAME);
        }

        #[test]
        fn a_diagram_never_panics(
            bars in prop::collection::vec((arbitrary::text(), arbitrary::state(), arbitrary::times()), 0..6),
        ) {
            let bars = bars.into_iter().filter_map(|(name, state, times)| {
                time_taken(&times);
                Bar::new(name, state, &times)
            });
            gantt(&[("Jobs".to_owned(), bars.collect())], &str::to_owned);
        }

    }
}
