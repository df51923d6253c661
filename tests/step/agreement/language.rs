//! Looks for words and phrases that plain English doesn't use: in the documents, and in the comments and strings of the
//! code. They slip in when a sentence is translated word by word, and readers stumble over them.

use std::fs;
use std::path::{Path, PathBuf};

use super::documents::{names, root};

/// What to look for, in lower case, and what to write instead.
const BANNED: [(&str, &str); 51] = [
    ("told", "reported, shown, explained"),
    ("mend", "fix"),
    ("mended", "fixed"),
    ("for ever", "forever, or: they deadlock"),
    ("by which", "so that, with which"),
    ("shall", "must, should"),
    ("without a word", "with no error message"),
    ("for sure", "certainly"),
    ("ours", "this step's, this action's"),
    ("theirs", "the name of the other action"),
    ("texts", "strings"),
    ("a text", "a string"),
    ("will do", "is enough, works"),
    ("is waited for", "the step waits for it"),
    ("are waited for", "the step waits for them"),
    ("be waited for", "the step waits for it"),
    ("so long as", "while, if"),
    ("a look", "a status request, a poll"),
    ("each look", "each poll"),
    ("one look", "one poll"),
    ("good look", "successful poll"),
    ("failed look", "failed poll"),
    ("last look", "last poll"),
    ("looks at", "polls, reads"),
    ("looked at", "read, checked"),
    ("look whether", "check whether"),
    ("looks whether", "checks whether"),
    ("looked whether", "checked whether"),
    ("looked into", "investigated, explained"),
    ("alone", "only"),
    ("blanks", "spaces"),
    ("a blank", "a space"),
    ("it is none", "isn't a, isn't valid"),
    ("nobody knows", "it's unclear"),
    ("in silence", "silently"),
    ("properties at the top", "top-level properties"),
    ("authority of your own", "a private CA"),
    ("token to the network", "send the token unencrypted"),
    ("nothing of the kind", "no prefix, none"),
    ("ends as it", "passes or fails with it"),
    ("ends as the", "passes or fails with the"),
    ("is no end", "doesn't end the wait"),
    ("became of", "happened to"),
    ("if nothing is said", "by default"),
    ("hands out no", "has no API for"),
    ("the workflow's own token", "GITHUB_TOKEN"),
    ("stands there", "is used"),
    ("it means nothing", "it only works with"),
    ("reads nothing", "can't read anything"),
    ("tried again", "retried"),
    ("nobody's", "no one's, or another sentence"),
];

/// A line in which one of the phrases is right.
struct Allowed {
    path: &'static str,
    /// The whole line, without the spaces around it.
    line: &'static str,
    phrase: &'static str,
    #[expect(dead_code, reason = "for whoever reads or extends the list")]
    reason: &'static str,
}

const ALLOWED: [Allowed; 0] = [];

/// Where to look: files, and folders with everything in them.
const PLACES: [&str; 12] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "action.yml",
    "native",
    "docs",
    ".github",
    ".ci",
    "src",
    "tests/sandbox",
    "xtask",
];

/// The files at these places that contain prose.
fn files(places: &[&str]) -> Vec<PathBuf> {
    fn walk(path: &Path, found: &mut Vec<PathBuf>) {
        let whole = root().join(path);
        if whole.is_dir() {
            for name in names(&whole) {
                walk(&path.join(name), found);
            }
            return;
        }
        let has_prose = match path.extension() {
            Some(ending) => ["md", "yml", "yaml", "rs"]
                .iter()
                .any(|known| ending == *known),
            // Shell scripts. Their variables count too, as do those in workflows.
            None => fs::read(&whole).is_ok_and(|bytes| bytes.starts_with(b"#")),
        };
        if has_prose {
            found.push(path.to_owned());
        }
    }
    let mut found = Vec::new();
    for place in places {
        walk(Path::new(place), &mut found);
    }
    found
}

/// Prose with the line that each character is on. Line breaks within a sentence are spaces.
#[derive(Default)]
struct Prose {
    characters: Vec<(char, usize)>,
}

impl Prose {
    fn push(&mut self, text: &str, line: usize) {
        for of in text.chars().flat_map(char::to_lowercase) {
            let of = if of.is_whitespace() { ' ' } else { of };
            let last = self.characters.last().map(|(last, _)| *last);
            if of != ' ' || last.is_some_and(|last| last != ' ') {
                self.characters.push((of, line));
            }
        }
    }

    /// The lines on which the phrase begins, as whole words.
    fn lines_with(&self, phrase: &str) -> Vec<usize> {
        let phrase: Vec<_> = phrase.chars().collect();
        let is_word = |at: Option<&(char, usize)>| {
            at.is_some_and(|(of, _)| of.is_alphanumeric() || *of == '_')
        };
        self.characters
            .windows(phrase.len())
            .enumerate()
            .filter(|(at, window)| {
                window.iter().map(|(of, _)| of).eq(&phrase)
                    && !is_word(at.checked_sub(1).and_then(|at| self.characters.get(at)))
                    && !is_word(self.characters.get(at + phrase.len()))
            })
            .map(|(_, window)| window[0].1)
            .collect()
    }
}

/// The prose of a document, a workflow or a script: all of its lines, without the marks of comments and quotations.
fn document_prose(text: &str) -> Prose {
    let mut prose = Prose::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start().trim_start_matches(['#', '>', '-', '*']);
        prose.push(line, index + 1);
        prose.push("\n", index + 1);
    }
    prose
}

/// The comments and strings of Rust code.
fn rust_prose(source: &str) -> Prose {
    /// A token that ends here ends the sentence.
    const END: &str = " \u{0} ";
    let mut prose = Prose::default();
    let mut rest = source;
    let mut line = 1;
    let mut take = |rest: &mut &str, length: usize| {
        let (taken, after) = rest.split_at(length);
        let at = line;
        line += taken.matches('\n').count();
        *rest = after;
        (taken.to_owned(), at)
    };
    let mut last_comment = 0;
    while let Some(first) = rest.chars().next() {
        let is_raw = ["r\"", "r#", "br\"", "br#"]
            .iter()
            .any(|start| rest.starts_with(start));
        if rest.starts_with("//") {
            let length = rest.find('\n').unwrap_or(rest.len());
            let (text, at) = take(&mut rest, length);
            if at != last_comment + 1 {
                prose.push(END, at);
            }
            last_comment = at;
            prose.push(text.trim_start_matches(['/', '!']), at);
            prose.push(" ", at);
        } else if is_raw {
            let hashes = rest.chars().filter(|of| *of != 'b').skip(1);
            let hashes = hashes.take_while(|of| *of == '#').count();
            let open = rest.find('"').expect("a raw string begins") + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            let length = rest[open..].find(&close).expect("a raw string ends");
            take(&mut rest, open);
            let (text, at) = take(&mut rest, length);
            take(&mut rest, close.len());
            push_lines(&mut prose, &text, at);
            prose.push(END, at);
        } else if first == '"' {
            take(&mut rest, 1);
            let mut escaped = false;
            let end = rest.find(|of| {
                let ends = of == '"' && !escaped;
                escaped = of == '\\' && !escaped;
                ends
            });
            let (text, at) = take(&mut rest, end.expect("a string ends"));
            take(&mut rest, 1);
            push_lines(&mut prose, &text, at);
            prose.push(END, at);
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\") {
            // A character that would look like the beginning of a string, or an escaped one.
            let length = rest[2..].find('\'').expect("a character ends") + 3;
            take(&mut rest, length);
        } else if first.is_alphanumeric() || first == '_' {
            // A name that ends in `r` or `b` doesn't begin a raw string.
            let end = rest.find(|of: char| !of.is_alphanumeric() && of != '_');
            let length = end.unwrap_or(rest.len());
            take(&mut rest, length);
        } else {
            take(&mut rest, first.len_utf8());
        }
    }
    prose
}

/// Pushes the lines of a string literal. A line break, written or escaped, is a space.
fn push_lines(prose: &mut Prose, text: &str, first: usize) {
    for (index, line) in text.replace("\\n", "  ").lines().enumerate() {
        prose.push(line.trim_end_matches('\\'), first + index);
        prose.push(" ", first + index);
    }
}

/// All places where a phrase is used that isn't allowed there, as `file:line: phrase …`.
fn hits(places: &[&str]) -> Vec<String> {
    let mut hits = Vec::new();
    let mut used = vec![false; ALLOWED.len()];
    for path in files(places) {
        let text = fs::read_to_string(root().join(&path)).expect("the file is there");
        let lines: Vec<_> = text.lines().collect();
        let prose = if path.extension().is_some_and(|ending| ending == "rs") {
            rust_prose(&text)
        } else {
            document_prose(&text)
        };
        for (phrase, instead) in BANNED {
            for line in prose.lines_with(phrase) {
                let content = lines[line - 1].trim();
                let allowed = ALLOWED.iter().position(|allowed| {
                    path == Path::new(allowed.path)
                        && content == allowed.line
                        && phrase == allowed.phrase
                });
                match allowed {
                    Some(index) => used[index] = true,
                    None => hits.push(format!(
                        "{}:{line}: `{phrase}` (better: {instead}): {content}",
                        path.display()
                    )),
                }
            }
        }
    }
    let is_searched = |path: &str| {
        places
            .iter()
            .any(|place| Path::new(path).starts_with(place))
    };
    for (allowed, used) in ALLOWED.iter().zip(used) {
        if !used && is_searched(allowed.path) {
            hits.push(format!(
                "{}: no longer has this line with `{}`, so remove it from the list: {}",
                allowed.path, allowed.phrase, allowed.line
            ));
        }
    }
    hits
}

#[test]
fn everything_is_in_plain_english() {
    let hits = hits(&PLACES);
    assert!(hits.is_empty(), "{} hits:\n{}", hits.len(), hits.join("\n"));
}

#[test]
fn phrases_are_found_across_line_breaks_and_as_whole_words_only() {
    let lines = |text: &str, phrase: &str| document_prose(text).lines_with(phrase);
    assert_eq!(lines("One.\n# Waits for\n#  ever.", "for ever"), [2]);
    assert_eq!(lines("Shall we?\nIt shall.", "shall"), [1, 2]);
    assert_eq!(lines("Marshall, shallow, shall_we", "shall"), [0; 0]);
}

#[test]
fn only_comments_and_strings_of_rust_code_count() {
    let source = r##"
//! Waits for
//! ever.
fn shall(text: &'static str) -> char {
    // A 'quote' and a "string" shall be found,
    let raw = r#"so "shall" this"#;
    let shall = "and this \"shall\" too, \
        for ever";
    if text == shall { '"' } else { '\'' } // shall
}
"##;
    let prose = rust_prose(source);
    assert_eq!(prose.lines_with("shall"), [5, 6, 7, 9]);
    assert_eq!(prose.lines_with("for ever"), [2, 8]);
    // Two strings aren't one sentence.
    assert_eq!(
        rust_prose(r#"["for", "ever"]"#).lines_with("for ever"),
        [0; 0]
    );
}
