//! The job summary of a step whose inputs are invalid.

use std::fmt::Write as _;

use super::sentences;
use crate::report::{Hide, problem_count};

/// Maximum number of problems in the summary. The log has more.
const MAX_PROBLEMS: usize = 50;

/// Lists the problems, in at most about `max_size` bytes.
pub(crate) fn summary_of_invalid(
    problems: impl Iterator<Item = String>,
    hide: Hide<'_>,
    max_size: usize,
) -> String {
    let problems: Vec<_> = problems.collect();
    let count = problems.len();
    let heading = problem_count(count);
    let mut markdown = format!("### ✗ Nothing was triggered: {heading}\n\n");
    for (index, problem) in problems.iter().enumerate() {
        let item = format!("- {}\n", sentences(&hide(problem), &[]));
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
