//! Limits the nesting of YAML, including expanded aliases, and requires keys to be scalars, so that no document
//! exhausts the stack or the memory.
//!
//! The library limits the expansion of aliases, but not in keys, where each alias could double the size of the one
//! before.

use std::collections::HashMap;

use saphyr_parser::Event;

use super::{MAX_DEPTH, ValueError, key_is_not_a_string, too_deep};

/// Higher than [`MAX_DEPTH`], which applies to each value and is checked where values are read.
const MAX_LEVELS: usize = MAX_DEPTH + 10;

/// Nesting of the document so far.
#[derive(Default)]
pub(super) struct NestingLimits {
    /// The open lists and mappings, outermost first.
    open: Vec<Open>,
    /// Number of levels below each anchor; a scalar has none.
    levels: HashMap<usize, usize>,
}

struct Open {
    anchor: usize,
    /// Number of levels of its deepest part.
    levels: usize,
    next: Next,
}

/// What comes next in a list or mapping.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Item,
    Key,
    Value,
}

impl NestingLimits {
    /// Fails if the event exceeds the limits.
    pub(super) fn on_event(&mut self, event: &Event<'_>, line: usize) -> Result<(), ValueError> {
        match event {
            Event::SequenceStart(anchor, _) => self.begin(*anchor, Next::Item, line),
            Event::MappingStart(anchor, _) => self.begin(*anchor, Next::Key, line),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { anchor, levels, .. }) = self.open.pop() {
                    self.add_part(anchor, levels + 1);
                }
                Ok(())
            }
            Event::Scalar(_, _, anchor, _) => {
                self.add_part(*anchor, 0);
                Ok(())
            }
            Event::Alias(anchor) => {
                let levels = self.levels.get(anchor).copied().unwrap_or(0);
                if levels > 0 {
                    self.check(levels, line)?;
                }
                self.add_part(0, levels);
                Ok(())
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn begin(&mut self, anchor: usize, next: Next, line: usize) -> Result<(), ValueError> {
        self.check(1, line)?;
        self.open.push(Open {
            anchor,
            levels: 0,
            next,
        });
        Ok(())
    }

    /// Checks whether a list or mapping with this many levels may begin here.
    fn check(&self, levels: usize, line: usize) -> Result<(), ValueError> {
        if self.open.last().is_some_and(|open| open.next == Next::Key) {
            return Err(key_is_not_a_string(line));
        }
        if self.open.len() + levels > MAX_LEVELS {
            return Err(too_deep());
        }
        Ok(())
    }

    /// Adds a part to the innermost open list or mapping.
    fn add_part(&mut self, anchor: usize, levels: usize) {
        // 0 means no anchor.
        if anchor > 0 {
            self.levels.insert(anchor, levels);
        }
        if let Some(open) = self.open.last_mut() {
            open.levels = open.levels.max(levels);
            open.next = match open.next {
                Next::Item => Next::Item,
                Next::Key => Next::Value,
                Next::Value => Next::Key,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Node, Style, list, parse};
    use super::*;

    /// Maximum length of an environment variable on Linux, approximately.
    const MAX_LENGTH: usize = 131_000;

    #[test]
    fn deep_nesting_does_not_exhaust_the_stack() {
        for part in ["- ", "? ", "- ? ", "[", "{", "{? ", "[[", "a: &a "] {
            let text = part.repeat(MAX_LENGTH / part.len());
            assert!(parse(&text).is_err(), "{part}");
            assert!(list(&text).is_err(), "{part}");
        }
        assert_eq!(parse(&"- ".repeat(MAX_LENGTH / 2)), Err(too_deep()));
        let deep = |levels| format!("{}x{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(parse(&format!("- {}", deep(MAX_DEPTH))), Err(too_deep()));
        assert!(parse(&format!("- {}", deep(MAX_DEPTH - 1))).is_ok());
        assert!(list(&format!("- inputs: {}", deep(MAX_DEPTH))).is_ok());
    }

    #[test]
    fn aliases_are_as_deep_as_their_anchors() {
        let (open, close) = ("[".repeat(60), "]".repeat(60));
        assert_eq!(
            parse(&format!("- &a {open}x{close}\n- {open}*a {close}")),
            Err(too_deep())
        );
        assert!(parse("- &a [x]\n- [*a, '*a']").is_ok());
    }

    #[test]
    fn aliases_in_keys_do_not_exhaust_memory() {
        let doubled = |name: &str| {
            let lines = (1..60).map(|index| {
                let before = format!("*a{}", index - 1);
                format!("- &a{index} {{? {} : x}}\n", name.replace('*', &before))
            });
            format!("- &a0 [x]\n{}", lines.collect::<String>())
        };
        for name in ["[*, *]", "{*: *}", "*"] {
            assert_eq!(parse(&doubled(name)), Err(key_is_not_a_string(2)), "{name}");
        }
        let scalar = |text: &str| Node::scalar(text.to_owned(), Style::Plain);
        let pairs = vec![("a".to_owned(), scalar("b")), ("b".to_owned(), scalar("c"))];
        assert_eq!(parse("a: &b b\n*b : c"), Ok(Node::Mapping(pairs)));
    }
}
