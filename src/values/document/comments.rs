//! What YAML takes for a comment behind a plain scalar, as in `message: fix #12`: whoever wrote it may have meant it as
//! part of the value, and half a value must not be sent with no error message.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, ScalarStyle, Span};

use super::TrailingComment;

/// Those of one text, by the places of their scalars.
pub(super) struct Comments<'text> {
    lines: Vec<&'text str>,
    tails: HashMap<(usize, usize), TrailingComment>,
    /// Of scalars that have an anchor.
    anchored: HashMap<usize, TrailingComment>,
    /// For each list and mapping that has not ended yet, whether it is in brackets.
    open: Vec<bool>,
}

impl<'text> Comments<'text> {
    pub(super) fn of(text: &'text str) -> Self {
        Self {
            lines: lines(text).collect(),
            tails: HashMap::new(),
            anchored: HashMap::new(),
            open: Vec::new(),
        }
    }

    pub(super) fn see(&mut self, event: &Event<'_>, span: Span) {
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                let is_flow = self.around(span.start).1.starts_with(['{', '[']);
                self.open.push(is_flow || self.is_flow());
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.open.pop();
            }
            Event::Scalar(text, ScalarStyle::Plain, anchor, _) if !text.is_empty() => {
                if let Some(tail) = self.behind(text, span.end) {
                    // None has the number 0.
                    if *anchor > 0 {
                        self.anchored.insert(*anchor, tail.clone());
                    }
                    self.tails.insert(place(span.start), tail);
                }
            }
            Event::Alias(anchor) => {
                if let Some(tail) = self.anchored.get(anchor) {
                    self.tails.insert(place(span.start), tail.clone());
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

    /// Behind the scalar that begins there, or the alias that stands for one.
    pub(super) fn at(&self, start: Marker) -> Option<TrailingComment> {
        self.tails.get(&place(start)).cloned()
    }

    /// Behind a key whose value is empty to YAML, as in `color: #ff0000`.
    pub(super) fn behind_key(&self, end: Marker) -> Option<TrailingComment> {
        let rest = self.around(end).1.trim_start();
        let comment = comment(rest.strip_prefix(':')?)?;
        Some(TrailingComment {
            whole: comment.to_owned(),
            is_one_line: false,
        })
    }

    fn behind(&self, text: &str, end: Marker) -> Option<TrailingComment> {
        let (before, rest) = self.around(end);
        let comment = comment(rest)?;
        let is_one_line = before.ends_with(text);
        // As it stands there, and where the scalar goes over several lines, as it is read.
        let blank = &rest[..rest.find('#').unwrap_or_default()];
        Some(TrailingComment {
            whole: format!("{text}{blank}{comment}"),
            is_one_line: is_one_line && !self.is_flow(),
        })
    }

    fn is_flow(&self) -> bool {
        self.open.last().copied().unwrap_or(false)
    }

    /// A line up to there and from there on.
    fn around(&self, place: Marker) -> (&'text str, &'text str) {
        let line = self.lines.get(place.line().wrapping_sub(1));
        let line = line.copied().unwrap_or_default();
        let start = line.char_indices().nth(place.col());
        line.split_at(start.map_or(line.len(), |(start, _)| start))
    }
}

fn place(marker: Marker) -> (usize, usize) {
    (marker.line(), marker.col())
}

/// The comment at the end of a line, if that is all that follows.
fn comment(rest: &str) -> Option<&str> {
    let comment = rest.trim();
    (comment.starts_with('#') && rest.starts_with([' ', '\t'])).then_some(comment)
}

/// YAML also takes a lone carriage return for the end of a line.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.split('\n');
    lines.flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}
