//! The job summary of a step whose inputs are invalid.

use std::fmt::Write as _;

use super::{more_about, sentences};
use crate::report::{Hide, problem_count};

/// Maximum number of problems in the summary. The log has more.
const MAX_PROBLEMS: usize = 50;

/// Lists the problems, with links to what explains them, in at most about `max_size` bytes.
pub(crate) fn summary_of_invalid(
    problems: impl Iterator<Item = (String, Option<String>)>,
    hide: Hide<'_>,
    max_size: usize,
) -> String {
    let problems: Vec<_> = problems.collect();
    let count = problems.len();
    let heading = problem_count(count);
    let mut markdown = format!("### ✗ Nothing was triggered: {heading}\n\n");
    for (index, (problem, link)) in problems.iter().enumerate() {
        let link = link.as_ref();
        let more = link.map_or(String::new(), |link| more_about(link, hide));
        let item = format!("- {}{more}\n", sentences(&hide(problem), &[]));
        if index == MAX_PROBLEMS || markdown.len() + item.len() > max_size {
            let more = count - index;
            let _ = writeln!(markdown, "- {more} more; see the log of this step");
            break;
        }
        markdown.push_str(&item);
    }
    markdown.push('\n');
    markdown
}
