//! Reads back from a commit's statuses what each attempt of the calling run has started for a target.

use std::collections::BTreeMap;

use crate::model::{CommitStatus, StatusState};
use crate::providers::calling_repository::ListedStatuses;
use crate::providers::status_note::StatusNote;
use crate::providers::target::StatusKey;

/// What each attempt has started.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attempts {
    /// By the attempt's number. Attempts without a status are left out.
    known: BTreeMap<u64, Remembered>,
    /// The number of this attempt.
    current: u64,
    /// Whether all statuses of the commit were read.
    pub(crate) is_complete: bool,
}

/// What an attempt has started, according to its statuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Remembered {
    Nothing,
    /// Perhaps something. Contains the page that the status links to, unless that is the calling run's.
    Unclear(Option<String>),
    /// What is at this address.
    Run(String),
}

impl Attempts {
    pub(crate) fn read(key: &StatusKey, listed: &ListedStatuses) -> Self {
        let mut by_attempt: BTreeMap<u64, Vec<(Remembered, StatusState)>> = BTreeMap::new();
        for status in &listed.list {
            let note = StatusNote::read(&status.description);
            let note = note.filter(|note| note.run == key.calling_run.id && note.key == key.key);
            if let Some(note) = note {
                let remembered = (remembered(key, &note, status), status.state);
                by_attempt.entry(note.attempt).or_default().push(remembered);
            }
        }
        let known = by_attempt.into_iter();
        Self {
            known: known
                .map(|(attempt, statuses)| (attempt, summary(&statuses)))
                .collect(),
            current: key.calling_run.attempt,
            is_complete: listed.is_complete,
        }
    }

    /// What another step has started in this attempt, if there is one with the same key.
    pub(crate) fn own(&self) -> Option<&Remembered> {
        self.known.get(&self.current)
    }

    /// The earlier attempts, latest first.
    pub(crate) fn earlier(&self) -> impl Iterator<Item = (u64, &Remembered)> {
        let earlier = self.known.range(..self.current).rev();
        earlier.map(|(attempt, remembered)| (*attempt, remembered))
    }
}

impl Remembered {
    /// The page to look at.
    pub(crate) fn page(&self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Unclear(page) => page.clone(),
            Self::Run(page) => Some(page.clone()),
        }
    }
}

fn remembered(key: &StatusKey, note: &StatusNote, status: &CommitStatus) -> Remembered {
    match &status.target_url {
        page if note.is_unclear => {
            let page = page.clone().filter(|page| !key.calling_run.is_at(page));
            Remembered::Unclear(page)
        }
        Some(page) if key.calling_run.is_at(page) => Remembered::Nothing,
        Some(page) => Remembered::Run(page.clone()),
        None => Remembered::Unclear(None),
    }
}

/// What an attempt's statuses say together, newest first. The newest one counts, except that a pending one that says
/// that nothing was started was meant for the time before the trigger, even if it arrived late. A run that was named is
/// never taken back.
fn summary(statuses: &[(Remembered, StatusState)]) -> Remembered {
    let is_early = |(remembered, state): &&(Remembered, StatusState)| {
        *remembered == Remembered::Nothing && *state == StatusState::Pending
    };
    let newest = statuses.iter().find(|status| !is_early(status));
    if let Some((unclear @ Remembered::Unclear(_), _)) = newest {
        return unclear.clone();
    }
    let mut runs = statuses
        .iter()
        .filter_map(|(remembered, _)| match remembered {
            Remembered::Run(page) => Some(page),
            Remembered::Nothing | Remembered::Unclear(_) => None,
        });
    let Some(run) = runs.next() else {
        return Remembered::Nothing;
    };
    if runs.all(|other| other.eq_ignore_ascii_case(run)) {
        Remembered::Run(run.clone())
    } else {
        Remembered::Unclear(Some(run.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CallingRun, Started};

    const CALLING: &str = "https://github.example/octo-org/caller/actions/runs/17";
    const RUN: &str = "https://gitlab.example/octo/app/-/pipelines/7";
    const OTHER: &str = "https://gitlab.example/octo/app/-/pipelines/8";

    fn key(attempt: u64) -> StatusKey {
        StatusKey {
            calling_run: CallingRun {
                id: 17,
                attempt,
                job: String::new(),
                url: format!("{CALLING}/attempts/{attempt}"),
            },
            key: "0123456789ab".to_owned(),
        }
    }

    /// A status that an attempt has set.
    fn status(attempt: u64, started: &Started, state: StatusState) -> CommitStatus {
        let target_url = match started {
            Started::Run { url, .. } => url.clone(),
            Started::Nothing | Started::Unclear => CALLING.to_owned(),
        };
        CommitStatus {
            context: "deploy".to_owned(),
            state,
            description: key(attempt).note(started).added_to("text"),
            target_url: Some(target_url),
        }
    }

    fn run(url: &str) -> Started {
        Started::Run {
            url: url.to_owned(),
            by_attempt: None,
        }
    }

    /// What attempt 3 reads, given statuses from the oldest to the newest.
    fn read(statuses: &[CommitStatus]) -> Vec<(u64, Remembered)> {
        let attempts = attempts(statuses);
        let earlier = attempts.earlier();
        earlier
            .map(|(attempt, known)| (attempt, known.clone()))
            .collect()
    }

    fn attempts(statuses: &[CommitStatus]) -> Attempts {
        let listed = ListedStatuses {
            list: statuses.iter().rev().cloned().collect(),
            is_complete: true,
        };
        Attempts::read(&key(3), &listed)
    }

    #[test]
    fn the_newest_status_of_an_attempt_counts() {
        use StatusState::{Error, Failure, Pending, Success};
        let nothing = || status(1, &Started::Nothing, Pending);
        let unclear = || status(1, &Started::Unclear, Pending);
        let ours = |state| status(1, &run(RUN), state);
        let rejected = || status(1, &Started::Nothing, Error);
        let is_run = Remembered::Run(RUN.to_owned());
        let is_unclear = Remembered::Unclear(None);
        for (statuses, expected) in [
            (vec![nothing()], Remembered::Nothing),
            (vec![nothing(), unclear()], is_unclear.clone()),
            (vec![nothing(), unclear(), rejected()], Remembered::Nothing),
            (vec![nothing(), unclear(), ours(Pending)], is_run.clone()),
            (
                vec![unclear(), ours(Pending), ours(Success)],
                is_run.clone(),
            ),
            (vec![unclear(), ours(Failure)], is_run.clone()),
            (vec![ours(Pending), unclear()], is_unclear.clone()),
            // The server has acted on a request late.
            (vec![unclear(), nothing()], is_unclear.clone()),
            (vec![unclear(), ours(Pending), nothing()], is_run.clone()),
            (vec![unclear(), ours(Pending), rejected()], is_run),
            // Two steps with the same key.
            (
                vec![ours(Success), status(1, &run(OTHER), Success)],
                Remembered::Unclear(Some(OTHER.to_owned())),
            ),
        ] {
            assert_eq!(read(&statuses), [(1, expected)], "{statuses:#?}");
        }
        let without_page = CommitStatus {
            target_url: None,
            ..ours(Success)
        };
        assert_eq!(read(&[without_page]), [(1, Remembered::Unclear(None))]);
    }

    #[test]
    fn attempts_are_told_apart() {
        use StatusState::{Failure, Pending, Success};
        let first = status(1, &run(RUN), Failure);
        let second = status(2, &Started::Unclear, Pending);
        let nothing = status(2, &Started::Nothing, Pending);
        let own = status(3, &Started::Nothing, Pending);
        let is_run = Remembered::Run(RUN.to_owned());
        let is_unclear = Remembered::Unclear(None);
        assert_eq!(
            read(&[first.clone(), second.clone()]),
            [(2, is_unclear), (1, is_run.clone())]
        );
        // The second attempt has taken up the run of the first one.
        let taken_up = Started::Run {
            url: RUN.to_owned(),
            by_attempt: Some(1),
        };
        let taken_up = status(2, &taken_up, Success);
        assert_eq!(
            read(&[first.clone(), nothing, taken_up]),
            [(2, Remembered::Nothing), (1, is_run)]
        );
        assert_eq!(attempts(&[first.clone(), second]).own(), None);
        assert_eq!(attempts(&[first, own]).own(), Some(&Remembered::Nothing));
    }

    #[test]
    fn statuses_of_others_are_left_out() {
        let ours = status(1, &run(RUN), StatusState::Success);
        let with = |old: &str, new: &str| CommitStatus {
            description: ours.description.replace(old, new),
            ..ours.clone()
        };
        let others = [
            with("run 17", "run 18"),
            with("0123456789ab", "0123456789ac"),
            with("attempt 1", "attempt 4"),
            with(")", ""),
            with("text", "").clone(),
        ];
        let (own, others) = (others[4].clone(), &others[..4]);
        assert_eq!(read(others), []);
        assert_eq!(read(&[own]), [(1, Remembered::Run(RUN.to_owned()))]);
    }
}
