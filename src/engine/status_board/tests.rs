//! Tests of the board in virtual time, with a repository that only exists in tests.

use std::rc::Rc;

use chrono::{DateTime, Utc};

use super::*;
use crate::engine::shutdown::ShutdownHandle;
use crate::providers::{Error, ErrorKind, Idempotency, Quota};

const SECOND: Duration = Duration::from_secs(1);

/// Answers each request after a second.
struct Repository {
    start: Instant,
    quota: Quota,
    /// The kinds of the next failures. A `None` hangs.
    failures: RefCell<Vec<Option<ErrorKind>>>,
    /// Seconds since the start at which a status was requested, with its context and description.
    requests: RefCell<Vec<(u64, String)>>,
    in_flight: Cell<usize>,
    max_in_flight: Cell<usize>,
}

impl Repository {
    fn new(failures: &[Option<ErrorKind>]) -> Rc<Self> {
        let mut failures = failures.to_vec();
        failures.reverse();
        Rc::new(Self {
            start: Instant::now(),
            quota: Quota::new(Duration::ZERO),
            failures: RefCell::new(failures),
            requests: RefCell::default(),
            in_flight: Cell::default(),
            max_in_flight: Cell::default(),
        })
    }

    fn requests(&self) -> Vec<(u64, String)> {
        self.requests.borrow().clone()
    }
}

impl CallingRepository for Repository {
    async fn set_status(&self, commit: &str, status: &CommitStatus) -> Result<(), Error> {
        assert_eq!(commit, "0123abc");
        let said = format!("{} {}", status.context, status.description);
        let at = self.start.elapsed().as_secs();
        self.requests.borrow_mut().push((at, said));
        let failure = self.failures.borrow_mut().pop();
        self.in_flight.update(|count| count + 1);
        let most = self.max_in_flight.get().max(self.in_flight.get());
        self.max_in_flight.set(most);
        if failure == Some(None) {
            std::future::pending::<()>().await;
        }
        sleep(SECOND).await;
        self.in_flight.update(|count| count - 1);
        match failure.flatten() {
            None => Ok(()),
            Some(ErrorKind::RateLimited(wait)) => {
                self.quota.record_rate_limit(Idempotency::Repeatable, wait);
                Err(Error::new(
                    ErrorKind::RateLimited(wait),
                    "too many requests",
                ))
            }
            Some(kind) => Err(Error::new(kind, "no")),
        }
    }

    async fn statuses(&self, _commit: &str) -> Result<ListedStatuses, Error> {
        sleep(SECOND).await;
        Ok(ListedStatuses {
            list: vec![status(7, StatusState::Success, "earlier")],
            is_complete: true,
        })
    }

    async fn run_created_at(&self, _run: u64) -> Option<DateTime<Utc>> {
        None
    }

    fn quota(&self) -> &Quota {
        &self.quota
    }
}

fn status(index: usize, state: StatusState, description: &str) -> CommitStatus {
    CommitStatus {
        context: index.to_string(),
        state,
        description: description.to_owned(),
        target_url: None,
    }
}

impl StatusBoard {
    fn pend(&self, index: usize, description: &str, urgency: Urgency) {
        let pending = status(index, StatusState::Pending, description);
        self.show(index, pending, urgency);
    }

    fn end(&self, index: usize, description: &str) {
        self.show(
            index,
            status(index, StatusState::Success, description),
            Urgency::Now,
        );
    }

    /// Sends until everything is set or the time is up, beside `happening`. Returns how many seconds that took.
    async fn run(
        &self,
        repository: &Repository,
        happening: impl AsyncFnOnce(&ShutdownHandle, &Shutdown),
    ) -> u64 {
        let (handle, shutdown) = Shutdown::manual();
        let happening = async {
            happening(&handle, &shutdown).await;
            self.close();
        };
        let sending = self.send(repository, "0123abc", &shutdown, &|_| {});
        tokio::join!(happening, sending);
        repository.start.elapsed().as_secs()
    }

    fn words(&self) -> Vec<&'static str> {
        let words = self.deliveries().map(|delivery| match delivery {
            Delivery::Done => "done",
            Delivery::Rejected {
                is_reported: true, ..
            } => "reported",
            Delivery::Rejected { failure, .. } if failure.what == "no" => "rejected",
            Delivery::Rejected { .. } => "rejected for another reason",
            Delivery::Unset(Some(_)) => "failed",
            Delivery::Unset(None) => "unset",
        });
        words.collect()
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn progress_is_shown_at_most_every_fifteen_seconds_and_the_end_at_once() {
    let (board, repository) = (StatusBoard::new(1, false), Repository::new(&[]));
    let took = board
        .run(&repository, async |_, _| {
            board.pend(0, "starting", Urgency::Now);
            sleep(seconds(3)).await;
            board.pend(0, "its run is known", Urgency::Now);
            sleep(SECOND / 2).await;
            for done in 0..20 {
                board.pend(0, &format!("{done} of 20"), Urgency::Progress);
                sleep(seconds(2)).await;
            }
            board.pend(0, "20 of 20", Urgency::Progress);
            board.end(0, "passed");
            board.pend(0, "too late", Urgency::Now);
        })
        .await;
    let expected = [
        (0, "0 starting"),
        (3, "0 its run is known"),
        (19, "0 7 of 20"),
        (35, "0 15 of 20"),
        (43, "0 passed"),
    ];
    let expected = expected.map(|(at, said)| (at, said.to_owned()));
    assert_eq!(repository.requests(), expected);
    assert_eq!((took, board.words()), (44, vec!["done"]));
}

#[tokio::test(start_paused = true)]
async fn requests_of_a_target_are_sent_one_after_the_other() {
    let (board, repository) = (StatusBoard::new(1, false), Repository::new(&[]));
    board
        .run(&repository, async |_, _| {
            for number in 0..9 {
                board.pend(0, &number.to_string(), Urgency::Now);
                sleep(SECOND / 4).await;
            }
            board.end(0, "passed");
        })
        .await;
    assert_eq!(repository.max_in_flight.get(), 1);
    // Those that were replaced while they waited are left out.
    let said: Vec<_> = repository
        .requests()
        .into_iter()
        .map(|(_, said)| said)
        .collect();
    assert_eq!(said, ["0 0", "0 4", "0 8", "0 passed"]);
}

#[tokio::test(start_paused = true)]
async fn many_targets_share_few_connections_and_update_less_often() {
    let (board, repository) = (StatusBoard::new(40, false), Repository::new(&[]));
    board
        .run(&repository, async |_, _| {
            (0..40).for_each(|index| board.pend(index, "starting", Urgency::Now));
            sleep(seconds(10)).await;
            board.pend(0, "1 of 2", Urgency::Progress);
            sleep(seconds(60)).await;
            (0..40).for_each(|index| board.end(index, "passed"));
        })
        .await;
    assert_eq!(repository.max_in_flight.get(), MAX_REQUESTS);
    let requests = repository.requests();
    assert_eq!(requests.len(), 81);
    assert_eq!(requests[40], (41, "0 1 of 2".to_owned()));
    assert_eq!(board.words(), ["done"; 40]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_status_is_sent_again_with_growing_pauses() {
    let failures = [Some(ErrorKind::Unknown); 4];
    let (board, repository) = (StatusBoard::new(1, false), Repository::new(&failures));
    let took = board
        .run(&repository, async |_, _| board.end(0, "passed"))
        .await;
    let at: Vec<_> = repository
        .requests()
        .into_iter()
        .map(|(at, _)| at)
        .collect();
    assert_eq!(at, [0, 2, 5, 10, 19]);
    assert_eq!((took, board.words()), (20, vec!["done"]));
}

#[tokio::test(start_paused = true)]
async fn a_pending_status_is_given_up_after_a_while() {
    let failures = [Some(ErrorKind::Unknown); 5];
    let (board, repository) = (StatusBoard::new(1, false), Repository::new(&failures));
    board
        .run(&repository, async |_, _| {
            board.pend(0, "starting", Urgency::Now);
            assert!(!board.was_set(0).await);
            assert_eq!(repository.requests().len(), 5);
            sleep(seconds(600)).await;
            board.end(0, "passed");
        })
        .await;
    assert_eq!(repository.requests().len(), 6);
    assert_eq!(board.words(), ["done"]);
}

#[tokio::test(start_paused = true)]
async fn rate_limits_are_waited_out() {
    let limit = Some(ErrorKind::RateLimited(Some(seconds(30))));
    let (board, repository) = (StatusBoard::new(2, false), Repository::new(&[limit]));
    let took = board
        .run(&repository, async |_, _| {
            board.end(0, "passed");
            sleep(seconds(5)).await;
            board.end(1, "passed");
        })
        .await;
    let at: Vec<_> = repository
        .requests()
        .into_iter()
        .map(|(at, _)| at)
        .collect();
    assert_eq!((at, took), (vec![0, 31, 31], 32));
    assert_eq!(board.words(), ["done"; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_status_is_not_sent_again_but_the_last_one_is_tried() {
    let refused = [Some(ErrorKind::Rejected)];
    let (board, repository) = (StatusBoard::new(1, false), Repository::new(&refused));
    board
        .run(&repository, async |_, _| {
            board.pend(0, "starting", Urgency::Now);
            assert!(!board.was_set(0).await);
            assert_eq!(board.words(), ["rejected"]);
            sleep(seconds(60)).await;
            board.end(0, "passed");
        })
        .await;
    assert_eq!(repository.requests().len(), 2);
    assert_eq!(board.words(), ["done"]);
}

#[tokio::test(start_paused = true)]
async fn the_first_statuses_are_awaited_only_for_a_moment() {
    let (board, repository) = (StatusBoard::new(2, false), Repository::new(&[]));
    board
        .run(&repository, async |_, shutdown| {
            board.pend(0, "starting", Urgency::Now);
            board.pend(1, "starting", Urgency::Now);
            board.first_statuses(shutdown).await;
            assert_eq!(repository.start.elapsed(), SECOND);
            assert!(board.was_set(0).await && board.was_set(1).await);
        })
        .await;
    let (board, repository) = (StatusBoard::new(1, false), Repository::new(&[None; 9]));
    let took = board
        .run(&repository, async |_, shutdown| {
            board.pend(0, "starting", Urgency::Now);
            board.first_statuses(shutdown).await;
            assert_eq!(repository.start.elapsed(), FIRST_STATUSES_TIMEOUT);
            board.end(0, "passed");
        })
        .await;
    assert_eq!(took, 3 + LAST_STATUSES_TIMEOUT.as_secs());
    assert_eq!(board.words(), ["failed"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_signal_there_is_little_time() {
    let unknown = Some(ErrorKind::Unknown);
    let (board, repository) = (StatusBoard::new(1, false), Repository::new(&[unknown; 6]));
    let start = Instant::now();
    board
        .run(&repository, async |handle, _| {
            board.pend(0, "starting", Urgency::Now);
            sleep(seconds(20)).await;
            handle.request(ShutdownMode::Graceful);
            sleep(SECOND).await;
            board.end(0, "stopped");
        })
        .await;
    // The fifth attempt for the first status failed at 20 s.
    let at: Vec<_> = repository
        .requests()
        .into_iter()
        .map(|(at, _)| at)
        .collect();
    assert_eq!(at, [0, 2, 5, 10, 19, 21, 23]);
    assert_eq!(
        (start.elapsed(), board.words()),
        (seconds(24), vec!["done"])
    );

    let (board, repository) = (StatusBoard::new(1, false), Repository::new(&[None]));
    let start = Instant::now();
    board
        .run(&repository, async |handle, _| {
            board.pend(0, "starting", Urgency::Now);
            handle.request(ShutdownMode::Graceful);
            board.end(0, "stopped");
        })
        .await;
    // What is on its way isn't overtaken.
    assert_eq!(repository.requests().len(), 1);
    assert_eq!(
        (start.elapsed(), board.words()),
        (SHUTDOWN_GRACE, vec!["unset"])
    );

    let (board, repository) = (StatusBoard::new(1, false), Repository::new(&[None]));
    let start = Instant::now();
    board
        .run(&repository, async |handle, _| {
            board.end(0, "stopped");
            sleep(SECOND).await;
            handle.request(ShutdownMode::Immediate);
        })
        .await;
    assert_eq!(start.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_board_without_a_repository_keeps_nobody_waiting() {
    let board = StatusBoard::new(2, false);
    board.pend(0, "starting", Urgency::Now);
    board.refuse(&Error::new(ErrorKind::Rejected, "no").failure());
    assert!(!board.was_set(0).await && !board.was_set(1).await);
    assert_eq!(board.words(), ["reported"; 2]);
}

/// Shows a status that is needed, and returns when that was settled, and how.
async fn confirmed_at(
    failures: &[Option<ErrorKind>],
    happening: impl AsyncFnOnce(&ShutdownHandle),
) -> (u64, String) {
    let (board, repository) = (StatusBoard::new(1, false), Repository::new(failures));
    let result = RefCell::default();
    board
        .run(&repository, async |handle, _| {
            board.pend(0, "about to trigger", Urgency::Now);
            happening(handle).await;
            let said = match board.confirm(0).await {
                Ok(()) => "set".to_owned(),
                Err(failure) => failure.what,
            };
            result.replace((repository.start.elapsed().as_secs(), said));
            board.end(0, "passed");
        })
        .await;
    result.into_inner()
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_needed_is_confirmed_or_given_up() {
    let (unknown, rejected) = (Some(ErrorKind::Unknown), Some(ErrorKind::Rejected));
    let limited = Some(ErrorKind::RateLimited(Some(seconds(90))));
    let nothing = async |_: &ShutdownHandle| {};
    let set = |at| (at, "set".to_owned());
    let refused = |at| (at, "no".to_owned());
    assert_eq!(confirmed_at(&[], nothing).await, set(1));
    assert_eq!(confirmed_at(&[unknown, unknown], nothing).await, set(6));
    assert_eq!(confirmed_at(&[limited], nothing).await, set(92));
    assert_eq!(confirmed_at(&[rejected], nothing).await, refused(1));
    let (at, said) = confirmed_at(&[unknown; 5], nothing).await;
    assert_eq!((at, said), refused(20));
    let (at, said) = confirmed_at(&[None; 5], nothing).await;
    assert_eq!(at, 65);
    assert!(said.contains("took more than 10 s"), "{said}");
    let limits = vec![Some(ErrorKind::RateLimited(Some(seconds(100)))); 9];
    let (at, said) = confirmed_at(&limits, nothing).await;
    assert_eq!((at, said.as_str()), (300, "too many requests"));
    let stop = async |handle: &ShutdownHandle| handle.request(ShutdownMode::Immediate);
    let (at, said) = confirmed_at(&[None], stop).await;
    assert_eq!((at, said.as_str()), (0, "there was no answer in time"));
}

#[tokio::test(start_paused = true)]
async fn a_newer_status_is_confirmed_instead() {
    let (board, repository) = (StatusBoard::new(1, false), Repository::new(&[]));
    board
        .run(&repository, async |_, _| {
            board.pend(0, "starting", Urgency::Now);
            sleep(SECOND / 2).await;
            board.pend(0, "about to trigger", Urgency::Now);
            assert!(board.confirm(0).await.is_ok());
            let said: Vec<_> = repository
                .requests()
                .into_iter()
                .map(|(_, said)| said)
                .collect();
            assert_eq!(said, ["0 starting", "0 about to trigger"]);
            assert_eq!(repository.in_flight.get(), 0);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn earlier_statuses_are_read_only_if_they_are_needed() {
    for needs_earlier in [true, false] {
        let (board, repository) = (StatusBoard::new(1, needs_earlier), Repository::new(&[]));
        let took = board
            .run(&repository, async |_, _| {
                if needs_earlier {
                    let earlier = board.earlier().await.ok().unwrap();
                    assert_eq!(earlier.list[0].description, "earlier");
                }
            })
            .await;
        assert_eq!(took, u64::from(needs_earlier));
    }
    let board = StatusBoard::new(1, true);
    board.refuse(&Error::new(ErrorKind::Rejected, "no").failure());
    assert_eq!(board.earlier().await.err().unwrap().what, "no");
}
