//! The documents as data: their code blocks, tables and anchors, and what `action.yml` declares.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use saphyr::{Yaml, YamlLoader};
use saphyr_parser::Parser;
use serde_json::Value;

use crate::troubleshooting::anchor;

/// A document with its path relative to the repository's root.
pub(super) struct Document {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Names of the entries of a folder, sorted.
pub(super) fn names(folder: &Path) -> BTreeSet<OsString> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    entries
        .map(|entry| entry.expect("the folder can be read").file_name())
        .collect()
}

pub(super) fn document(path: impl Into<PathBuf>) -> Document {
    let path = path.into();
    let text = fs::read_to_string(root().join(&path)).expect("the document is there");
    Document { path, text }
}

/// All Markdown files in the root and below `docs`.
pub(super) fn documents() -> Vec<Document> {
    fn walk(folder: &Path, found: &mut Vec<Document>) {
        for name in names(&root().join(folder)) {
            let path = folder.join(name);
            if path.extension().is_some_and(|extension| extension == "md") {
                found.push(document(path));
            } else if path.starts_with("docs") && root().join(&path).is_dir() {
                walk(&path, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(Path::new(""), &mut found);
    let known = [
        "README.md",
        "CHANGELOG.md",
        "docs/architecture.md",
        "docs/migrating/curl.md",
    ];
    for known in known {
        let times = found
            .iter()
            .filter(|document| document.path == Path::new(known));
        assert_eq!(times.count(), 1, "{known} is found");
    }
    found
}

/// The workflows in `docs/examples`.
pub(super) fn workflows() -> Vec<Document> {
    let folder = Path::new("docs/examples");
    let paths = names(&root().join(folder)).into_iter();
    let is_workflow = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "yml");
    let found: Vec<_> = paths
        .map(|name| folder.join(name))
        .filter(is_workflow)
        .map(document)
        .collect();
    assert!(found.len() >= 6, "they are found");
    found
}

/// A fenced code block.
pub(super) struct Block {
    /// `README.md:12`
    pub(super) place: String,
    pub(super) language: String,
    pub(super) code: String,
    /// The prose after it, up to the next block or heading.
    pub(super) after: String,
}

/// A workflow is a single block.
impl From<Document> for Block {
    fn from(workflow: Document) -> Self {
        Self {
            place: workflow.path.display().to_string(),
            language: "yaml".to_owned(),
            code: workflow.text,
            after: String::new(),
        }
    }
}

impl Document {
    pub(super) fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let (mut inside, mut prose) = (false, false);
        for (index, line) in self.text.lines().enumerate() {
            if let Some(language) = line.trim_start().strip_prefix("```") {
                inside = !inside;
                prose = !inside;
                if inside {
                    blocks.push(Block {
                        place: format!("{}:{}", self.path.display(), index + 1),
                        language: language.to_owned(),
                        code: String::new(),
                        after: String::new(),
                    });
                }
                continue;
            }
            prose &= !line.starts_with('#');
            if let Some(block) = blocks.last_mut() {
                if inside {
                    block.code.push_str(line);
                    block.code.push('\n');
                } else if prose {
                    block.after.push_str(line);
                    block.after.push('\n');
                }
            }
        }
        assert!(!inside, "{}: a block has no end", self.path.display());
        blocks
    }

    /// The text without its code blocks.
    pub(super) fn prose(&self) -> String {
        let mut inside = false;
        let outside = self.text.lines().filter(|line| {
            let fence = line.trim_start().starts_with("```");
            inside ^= fence;
            !inside && !fence
        });
        outside.flat_map(|line| [line, "\n"]).collect()
    }

    /// The section below a heading, including its subsections.
    pub(super) fn section(&self, heading: &str) -> &str {
        let (_, after) = self
            .text
            .split_once(&format!("\n{heading}\n"))
            .expect("the heading is there");
        let level = heading.split(' ').next().unwrap_or_default().len();
        let ends = (1..=level).filter_map(|level| after.find(&format!("\n{} ", "#".repeat(level))));
        &after[..ends.min().unwrap_or(after.len())]
    }
}

/// Rows of all tables in a string, without the header rows. Cells are unparsed.
pub(super) fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<_> = text.lines().collect();
    let is_row = |line: &str| line.starts_with('|');
    let is_rule = |line: &str| is_row(line) && line.chars().all(|of| "|- :".contains(of));
    let body = lines.iter().enumerate().filter(|(index, line)| {
        is_row(line) && !is_rule(line) && !lines.get(index + 1).is_some_and(|next| is_rule(next))
    });
    body.map(|(_, line)| {
        let cells = line.trim_matches('|').split('|').map(str::trim);
        cells.collect()
    })
    .collect()
}

/// Parses YAML with every scalar as a string.
pub(super) fn yaml(text: &str) -> Result<Value, String> {
    pub(super) fn strings(node: &Yaml<'_>) -> Result<Value, String> {
        Ok(match node {
            Yaml::Representation(text, ..) => Value::from(text.as_ref()),
            Yaml::Sequence(nodes) => nodes.iter().map(strings).collect::<Result<_, _>>()?,
            Yaml::Mapping(pairs) => {
                let pairs = pairs.iter().map(|(key, node)| {
                    let Value::String(key) = strings(key)? else {
                        return Err("a key that is no string".to_owned());
                    };
                    Ok((key, strings(node)?))
                });
                Value::Object(pairs.collect::<Result<_, _>>()?)
            }
            Yaml::Value(_) | Yaml::Tagged(..) | Yaml::Alias(_) | Yaml::BadValue => {
                return Err("something that no example needs".to_owned());
            }
        })
    }
    let mut loader = YamlLoader::<Yaml<'_>>::default();
    loader.early_parse(false);
    Parser::new_from_str(text)
        .load(&mut loader, true)
        .map_err(|error| error.to_string())?;
    match loader.into_documents().as_slice() {
        [document] => strings(document),
        documents => Err(format!("{} documents", documents.len())),
    }
}

/// Inputs or outputs of `action.yml`: name, default (may be empty) and description.
pub(super) fn declared(what: &str) -> Vec<(String, String, String)> {
    let action = yaml(include_str!("../../../action.yml")).expect("action.yml is YAML");
    let entries = action[what].as_object().expect("a mapping").iter();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    entries
        .map(|(name, entry)| {
            (
                name.clone(),
                text(entry, "default"),
                text(entry, "description"),
            )
        })
        .collect()
}

/// GitHub's anchors of the headings.
pub(super) fn anchors(document: &Document) -> BTreeSet<String> {
    let prose = document.prose();
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|heading| anchor(heading.trim_start_matches('#').trim()))
        .collect()
}
