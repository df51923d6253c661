//! The format of the runner's files: entries of `GITHUB_OUTPUT` and `GITHUB_STATE`, the size of the job summary, and
//! the errors for files that can't be written.

use std::io::{Error, ErrorKind};
use std::path::Path;

use uuid::Uuid;

use crate::host::Unwritable;

/// Maximum size of a summary, in bytes. The runner drops larger ones entirely.
pub(super) const MAX_SUMMARY: usize = 1_048_576;

const CUT: &str = "\n\n_This summary was cut: it was larger than the runner accepts._\n";

/// Formats an entry of `GITHUB_OUTPUT` or `GITHUB_STATE`. The delimiter is random, so that a value can't end its entry
/// early and inject further outputs.
pub(super) fn entry(name: &str, value: &str) -> String {
    loop {
        let delimiter = format!("end-{}", Uuid::new_v4());
        if !value.contains(&delimiter) {
            return format!("{name}<<{delimiter}\n{value}\n{delimiter}\n");
        }
    }
}

/// Returns as much of the text as fits into a file that already has `taken` bytes.
pub(super) fn fit(text: &str, taken: usize) -> String {
    let room = MAX_SUMMARY.saturating_sub(taken);
    if text.len() <= room {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(room.saturating_sub(CUT.len()));
    let end = text[..end].rfind('\n').unwrap_or(0);
    if end == 0 {
        return String::new();
    }
    format!("{}{CUT}", &text[..end])
}

/// Explains why the file named by a variable can't be written, and what to do.
pub(super) fn unwritable(variable: &str, path: &Path, error: &Error) -> Unwritable {
    let path = path.display();
    let is_one_of = |kinds: &[ErrorKind]| kinds.contains(&error.kind());
    let hint = if is_one_of(&[ErrorKind::PermissionDenied]) {
        "the runner's files belong to root: run the container as root, without `--user`".to_owned()
    } else if is_one_of(&[ErrorKind::NotFound]) {
        format!(
            "mount the folder of that file into the container, or unset `{variable}` to do without it"
        )
    } else if is_one_of(&[ErrorKind::StorageFull, ErrorKind::QuotaExceeded]) {
        "free some space on the runner's disk".to_owned()
    } else {
        format!("make `{variable}` name a file that can be appended to, or unset it")
    };
    Unwritable {
        title: format!("{variable} can't be written"),
        message: format!("`{variable}`: {path} can't be written: {error}\nhint: {hint}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads entries as the runner does: line by line, up to the line with the delimiter.
    fn read(file: &str) -> Vec<(String, String)> {
        let mut entries = Vec::new();
        let mut rest = file;
        while let Some((head, tail)) = rest.split_once('\n') {
            let (name, delimiter) = head.split_once("<<").expect("a heredoc");
            let mut value = Vec::new();
            let mut tail = tail;
            loop {
                let (line, after) = tail.split_once('\n').expect("the delimiter comes");
                tail = after;
                if line == delimiter {
                    break;
                }
                value.push(line);
            }
            entries.push((name.to_owned(), value.join("\n")));
            rest = tail;
        }
        entries
    }

    proptest! {
        #[test]
        fn values_read_back(values in proptest::collection::vec(r"(\PC|\pC|[\r\n]|<<|end-|=){0,30}", 0..4)) {
            let file: String = values.iter().map(|value| entry("run-url", value)).collect();
            let read: Vec<_> = read(&file).into_iter().map(|(_, value)| value).collect();
            prop_assert_eq!(read, values);
        }
    }

    #[test]
    fn a_summary_never_grows_over_the_limit() {
        let line = "é".repeat(99) + "\n";
        let text = line.repeat(20_000);
        for taken in [0, 1000, MAX_SUMMARY - 10, MAX_SUMMARY, MAX_SUMMARY + 10] {
            let fitted = fit(&text, taken);
            assert!(fitted.is_empty() || fitted.len() + taken <= MAX_SUMMARY);
            assert!(fitted.is_empty() || fitted.ends_with(CUT));
        }
        assert_eq!(fit("short\n", 0), "short\n");
    }
}
