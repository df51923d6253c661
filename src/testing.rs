//! Helpers for unit tests.

pub(crate) mod arbitrary;

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

/// A writer that keeps what is printed. Clones share the content.
#[derive(Clone, Default)]
pub(crate) struct Printed(Rc<RefCell<Vec<u8>>>);

impl Printed {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).expect("only text is printed")
    }
}

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
