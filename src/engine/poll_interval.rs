//! Computes how often a run is polled, from its age.

use std::time::Duration;

use crate::providers::PollIntervals;

/// The interval is the run's age divided by this, so that its end is seen within a twelfth of its duration.
const POLLS_PER_LIFETIME: u32 = 12;
/// Maximum jitter in percent, so that runs that started together aren't polled together.
const JITTER_PERCENT: u128 = 10;

impl PollIntervals {
    /// Returns the time until the next poll of a run of this age.
    pub(crate) fn interval(&self, age: Duration) -> Duration {
        (age / POLLS_PER_LIFETIME).clamp(self.min, self.max)
    }

    /// Returns the interval with random jitter, but never more than `max`.
    pub(crate) fn jittered(&self, age: Duration) -> Duration {
        let interval = self.interval(age);
        // UUIDs are already a dependency, and random enough.
        let random = uuid::Uuid::new_v4().as_u128() % (2 * JITTER_PERCENT + 1);
        let percent = u32::try_from(100 - JITTER_PERCENT + random).unwrap_or(100);
        (interval * percent / 100).min(self.max)
    }

    /// Returns the time until the run's jobs are read again, as long as the run itself doesn't change.
    pub(crate) fn jobs_interval(&self, age: Duration) -> Duration {
        const MAX_JOBS_INTERVAL: Duration = Duration::from_secs(30);
        (age / (POLLS_PER_LIFETIME / 2)).clamp(self.jobs, self.jobs.max(MAX_JOBS_INTERVAL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::any::ProviderKind;

    #[test]
    fn the_interval_is_a_twelfth_of_the_age_within_bounds() {
        for (age, interval) in [(0, 2), (24, 2), (36, 3), (120, 10), (180, 15), (7_200, 15)] {
            let found = ProviderKind::GitLab
                .poll_intervals()
                .interval(Duration::from_secs(age));
            assert_eq!(found, Duration::from_secs(interval), "at {age} s");
        }
    }

    #[test]
    fn jitter_is_a_tenth_at_most() {
        for _ in 0..1_000 {
            let interval = ProviderKind::GitLab
                .poll_intervals()
                .jittered(Duration::from_mins(2))
                .as_millis();
            assert!((9_000..=11_000).contains(&interval), "{interval}");
            let longest = ProviderKind::GitLab
                .poll_intervals()
                .jittered(Duration::from_hours(1))
                .as_millis();
            assert!((13_500..=15_000).contains(&longest), "{longest}");
        }
    }
}
