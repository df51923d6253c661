//! The commit statuses of a target as its memory: whatever may have been started is said there before, so that another
//! attempt of the job doesn't start it again.

mod attempts;

pub(crate) use self::attempts::{Attempts, Remembered};
use crate::engine::status_board::StatusBoard;
use crate::model::{Event, FIRST_ATTEMPT, Failure, NotRecalled, Problem, Sink, Started};
use crate::providers::target::{StatusKey, Target};

const UNSET_HINT: &str =
    "check that the job can set commit statuses, and run it again. Nothing was started";

/// The memory of one target.
#[derive(Clone, Copy)]
pub(crate) struct StatusMemory<'a> {
    board: &'a StatusBoard,
    /// The target's index.
    index: usize,
    key: &'a StatusKey,
}

impl<'a> StatusMemory<'a> {
    /// Returns `None` if the target is remembered otherwise, or not at all.
    pub(crate) fn new(
        target: &'a Target,
        index: usize,
        board: Option<&'a StatusBoard>,
    ) -> Option<Self> {
        Some(Self {
            board: board?,
            index,
            key: target.status_key()?,
        })
    }

    pub(crate) fn is_first_attempt(&self) -> bool {
        self.key.calling_run.attempt == FIRST_ATTEMPT
    }

    pub(crate) fn calling_page(&self) -> String {
        self.key.calling_run.url.clone()
    }

    /// Returns what the statuses say that attempts of the calling run have started, this one included.
    pub(crate) async fn attempts(&self) -> Result<Attempts, NotRecalled> {
        let listed = self.board.earlier().await;
        let listed = listed.map_err(NotRecalled::StatusesUnreadable)?;
        Ok(Attempts::read(self.key, &listed))
    }

    /// Proves that the memory can be read and written. Nothing is written if another step has written there in this
    /// attempt, which is reported when the target's turn comes. `page` shows the target's runs.
    pub(crate) async fn open(&self, emit: Sink<'_>, page: String) -> Result<(), Problem> {
        let attempts = self.attempts().await;
        let attempts = attempts.map_err(|why| Problem::NotRecalled { why, page })?;
        if attempts.own().is_some() {
            return Ok(());
        }
        let written = self.write(&Started::Nothing, emit).await;
        written.map_err(Problem::NotTriggered)
    }

    /// Says that the trigger is about to be sent. Nothing may be sent if this fails.
    pub(crate) async fn announce(&self, emit: Sink<'_>) -> Result<(), Failure> {
        self.write(&Started::Unclear, emit).await
    }

    async fn write(&self, started: &Started, emit: Sink<'_>) -> Result<(), Failure> {
        emit(Event::Remember(started));
        let written = self.board.confirm(self.index).await;
        written.map_err(|failure| Failure {
            what: format!(
                "the commit status that has to remember the trigger can't be set: {}",
                failure.what
            ),
            remedy: failure.remedy.or_else(|| Some(UNSET_HINT.to_owned())),
            ..failure
        })
    }
}
