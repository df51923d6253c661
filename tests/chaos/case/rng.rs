//! Random numbers that depend only on the seed.

use std::time::Duration;

pub(crate) struct Rng(fastrand::Rng);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// 0 to 99.
    pub(crate) fn percent(&mut self) -> u32 {
        self.0.u32(0..100)
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.percent() < percent
    }

    /// Both bounds are included.
    pub(crate) fn between(&mut self, min: usize, max: usize) -> usize {
        self.0.usize(min..=max)
    }

    /// Both bounds are included.
    pub(crate) fn milliseconds(&mut self, min: u64, max: u64) -> Duration {
        Duration::from_millis(self.0.u64(min..=max))
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.0.usize(..of.len())]
    }
}
