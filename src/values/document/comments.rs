//! Finds YAML comments after plain scalars, as in `message: fix #12`. They may be meant as part of the value, and half
//! a value must not be sent without an error.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, ScalarStyle, Span};

use super::TrailingComment;

/// The trailing comments of a document, by the positions of their scalars.
pub(super) struct Comments<'text> {
    lines: Vec<&'text str>,
    by_position: HashMap<(usize, usize), TrailingComment>,
    by_anchor: HashMap<usize, TrailingComment>,
    /// For each open list and mapping, whether it's in flow style.
    open: Vec<bool>,
}

impl<'text> Comments<'text> {
    pub(super) fn of(text: &'text str) -> Self {
        Self {
            lines: lines(text).collect(),
            by_position: HashMap::new(),
            by_anchor: HashMap::new(),
            open: Vec::new(),
        }
    }

    pub(super) fn on_event(&mut self, event: &Event<'_>, span: Span) {
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                let is_flow = self.split_line(span.start).1.starts_with(['{', '[']);
                self.open.push(is_flow || self.is_flow());
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.open.pop();
            }
            Event::Scalar(text, ScalarStyle::Plain, anchor, _) if !text.is_empty() => {
                if let Some(comment) = self.after(text, span.end) {
                    // 0 means no anchor.
                    if *anchor > 0 {
                        self.by_anchor.insert(*anchor, comment.clone());
                    }
                    self.by_position.insert(position(span.start), comment);
                }
            }
            Event::Alias(anchor) => {
                if let Some(comment) = self.by_anchor.get(anchor) {
                    self.by_position
                        .insert(position(span.start), comment.clone());
                }
            }
            Event::Scalar(..)
            | Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
    }

    /// Returns the comment after the scalar, or alias of a scalar, that begins there.
    pub(super) fn at(&self, start: Marker) -> Option<TrailingComment> {
        self.by_position.get(&position(start)).cloned()
    }

    /// Returns the comment after a key whose value YAML considers empty, as in `color: #ff0000`.
    pub(super) fn after_key(&self, end: Marker) -> Option<TrailingComment> {
        let rest = self.split_line(end).1.trim_start();
        let comment = comment(rest.strip_prefix(':')?)?;
        Some(TrailingComment {
            whole: comment.to_owned(),
            is_one_line: false,
        })
    }

    fn after(&self, text: &str, end: Marker) -> Option<TrailingComment> {
        let (before, rest) = self.split_line(end);
        let comment = comment(rest)?;
        let is_one_line = before.ends_with(text);
        // As written, or as parsed if the scalar spans several lines.
        let space = &rest[..rest.find('#').unwrap_or_default()];
        Some(TrailingComment {
            whole: format!("{text}{space}{comment}"),
            is_one_line: is_one_line && !self.is_flow(),
        })
    }

    fn is_flow(&self) -> bool {
        self.open.last().copied().unwrap_or(false)
    }

    /// Splits a line at a position.
    fn split_line(&self, position: Marker) -> (&'text str, &'text str) {
        let line = self.lines.get(position.line().wrapping_sub(1));
        let line = line.copied().unwrap_or_default();
        let start = line.char_indices().nth(position.col());
        line.split_at(start.map_or(line.len(), |(start, _)| start))
    }
}

fn position(marker: Marker) -> (usize, usize) {
    (marker.line(), marker.col())
}

/// Returns the comment if nothing else follows on the line.
fn comment(rest: &str) -> Option<&str> {
    let comment = rest.trim();
    (comment.starts_with('#') && rest.starts_with([' ', '\t'])).then_some(comment)
}

/// Splits a string into lines as YAML does: a lone carriage return also ends a line.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.split('\n');
    lines.flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}
