//! Chance that is always the same for the same seed.

use std::time::Duration;

pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// 0 to 99.
    pub(crate) fn percent(&mut self) -> u32 {
        self.0.u32(0..100)
    }

    /// So many times of a hundred.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.percent() < percent
    }

    /// Both included.
    pub(crate) fn between(&mut self, least: usize, most: usize) -> usize {
        self.0.usize(least..=most)
    }

    /// Both included.
    pub(crate) fn milliseconds(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.0.u64(least..=most))
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.0.usize(..of.len())]
    }
}
