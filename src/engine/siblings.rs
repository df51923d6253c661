//! Targets of one step whose runs could be taken for each other's: a run that is known to be another's is not
//! ours, and as long as another one has started nobody knows what, nothing is told by its time.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use crate::model::Run;
use crate::providers::target::Target;

/// What is known about the targets on one server.
#[derive(Default)]
struct Group {
    /// Runs that are known to be theirs, by ids, which a server gives once.
    known: RefCell<HashSet<String>>,
    /// Those that may have started something that is not known, by their places in the list.
    open: RefCell<BTreeSet<usize>>,
}

/// A target, and what is known about its siblings.
pub(crate) struct Siblings<'a> {
    all: &'a [Target],
    index: usize,
    group: Rc<Group>,
    /// Those of the known runs that are its own.
    own: RefCell<HashSet<String>>,
}

/// One for each target, in their order.
pub(crate) fn siblings(all: &[Target]) -> impl Iterator<Item = Siblings<'_>> {
    let mut groups: HashMap<_, Rc<Group>> = HashMap::new();
    all.iter().enumerate().map(move |(index, target)| {
        let group = groups
            .entry((target.provider(), &target.location.server.api))
            .or_default();
        Siblings {
            all,
            index,
            group: Rc::clone(group),
            own: RefCell::default(),
        }
    })
}

impl Siblings<'_> {
    /// Records that the trigger goes out now: it may start something.
    pub(crate) fn mark_sent(&self) {
        self.group.open.borrow_mut().insert(self.index);
    }

    /// Records that a run is certainly ours.
    pub(crate) fn claim(&self, run: &Run) {
        self.own.borrow_mut().insert(run.id.clone());
        self.group.known.borrow_mut().insert(run.id.clone());
    }

    /// Records that everything that the trigger has started is known, which may be nothing.
    pub(crate) fn mark_settled(&self) {
        self.group.open.borrow_mut().remove(&self.index);
    }

    /// Whether a run is known to be another target's.
    pub(crate) fn belongs_to_another(&self, id: &str) -> bool {
        self.group.known.borrow().contains(id) && !self.own.borrow().contains(id)
    }

    /// Whether another target may have started a run that is not known yet and could be taken for ours.
    pub(crate) fn may_be_confused(&self) -> bool {
        let open = self.group.open.borrow();
        open.iter().any(|other| {
            *other != self.index && could_be_confused(&self.all[self.index], &self.all[*other])
        })
    }
}

/// Whether a run of one could be taken for one of the other, which is on the same server.
fn could_be_confused(one: &Target, other: &Target) -> bool {
    // A name and an id may be the same project.
    let is_id = |name: &str| !name.contains('/');
    let (here, there) = (&one.location.repository, &other.location.repository);
    if !here.eq_ignore_ascii_case(there) && is_id(here) == is_id(there) {
        return false;
    }
    one.spec.could_be_confused(&other.spec)
}
