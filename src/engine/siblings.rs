//! Tracks targets of one step whose runs could be confused with each other. A run that is known to belong to one target
//! is no candidate for the others, and while a sibling's runs are unknown, timing proves nothing.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use crate::model::Run;
use crate::providers::target::Target;

/// State shared by all targets on one server.
#[derive(Default)]
struct Group {
    /// IDs of runs known to belong to one of them. IDs are unique on a server.
    claimed: RefCell<HashSet<String>>,
    /// Indexes of the targets that may have started runs which aren't known yet.
    unsettled: RefCell<BTreeSet<usize>>,
}

/// One target's view of its siblings.
pub(crate) struct Siblings<'a> {
    all: &'a [Target],
    index: usize,
    group: Rc<Group>,
    /// IDs of the runs that belong to this target.
    own: RefCell<HashSet<String>>,
}

/// Returns one value per target, in the same order.
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
    /// Records that the trigger is being sent, so that it may start runs.
    pub(crate) fn mark_sent(&self) {
        self.group.unsettled.borrow_mut().insert(self.index);
    }

    /// Records that a run belongs to this target.
    pub(crate) fn claim(&self, run: &Run) {
        self.own.borrow_mut().insert(run.id.clone());
        self.group.claimed.borrow_mut().insert(run.id.clone());
    }

    /// Records that all runs of the trigger are known, if there are any.
    pub(crate) fn mark_settled(&self) {
        self.group.unsettled.borrow_mut().remove(&self.index);
    }

    pub(crate) fn belongs_to_another(&self, id: &str) -> bool {
        self.group.claimed.borrow().contains(id) && !self.own.borrow().contains(id)
    }

    /// Whether another target may have started a run that isn't known yet and could be confused with this target's.
    pub(crate) fn may_be_confused(&self) -> bool {
        let unsettled = self.group.unsettled.borrow();
        unsettled.iter().any(|other| {
            *other != self.index && could_be_confused(&self.all[self.index], &self.all[*other])
        })
    }
}

/// Whether runs of two targets on the same server could be confused.
fn could_be_confused(one: &Target, other: &Target) -> bool {
    // A name and an ID may stand for the same project.
    let is_id = |name: &str| !name.contains('/');
    let (here, there) = (&one.location.repository, &other.location.repository);
    if !here.eq_ignore_ascii_case(there) && is_id(here) == is_id(there) {
        return false;
    }
    one.spec.could_be_confused(&other.spec)
}
