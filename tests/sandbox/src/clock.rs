//! The world's clock, which tests can speed up or set wrong, and the providers' time formats. The world goes by this
//! clock; fault delays and the request record use the machine's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};

/// A clock with its own speed, and an offset from the machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started_at: SystemTime,
    speed: u32,
    ahead: Duration,
    behind: Duration,
}

impl Default for Clock {
    /// Shows the machine's time.
    fn default() -> Self {
        Self {
            started_at: SystemTime::now(),
            speed: 1,
            ahead: Duration::ZERO,
            behind: Duration::ZERO,
        }
    }
}

impl Clock {
    pub fn now(&self) -> SystemTime {
        let passed = self.started_at.elapsed().unwrap_or(Duration::ZERO);
        self.started_at + passed * self.speed + self.ahead - self.behind
    }

    pub(crate) fn faster(self, speed: u32) -> Self {
        Self { speed, ..self }
    }

    pub(crate) fn ahead(self, ahead: Duration) -> Self {
        Self { ahead, ..self }
    }

    pub(crate) fn behind(self, behind: Duration) -> Self {
        Self { behind, ..self }
    }
}

/// Returns the seconds since 1970-01-01T00:00:00Z.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}

/// Formats like `2026-11-22T23:01:00Z`, as in GitHub's and Bitbucket's responses.
pub(crate) fn timestamp(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Formats like `2026-11-22T23:01:00.000Z`, as in GitLab's responses.
pub(crate) fn timestamp_with_milliseconds(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Formats like `2026-11-22T23:01:00.0000000Z`, as before each line of a GitHub log.
pub(crate) fn timestamp_of_log(time: SystemTime) -> String {
    let time = DateTime::<Utc>::from(time);
    time.format("%Y-%m-%dT%H:%M:%S.0000000Z").to_string()
}

/// Formats like `Sun, 22 Nov 2026 23:01:00 GMT`, as in the `Date` header.
pub(crate) fn http_date(time: SystemTime) -> String {
    let time = DateTime::<Utc>::from(time);
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_formatted_like_the_providers_times() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(timestamp(at(0)), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(at(951_827_696)), "2000-02-29T12:34:56Z");
        assert_eq!(
            timestamp_with_milliseconds(at(1_798_761_600) + Duration::from_millis(7)),
            "2027-01-01T00:00:00.007Z"
        );
        assert_eq!(
            timestamp_of_log(at(951_827_696)),
            "2000-02-29T12:34:56.0000000Z"
        );
        assert_eq!(http_date(at(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn a_clock_applies_its_speed_and_offsets() {
        let hour = Duration::from_hours(1);
        let ahead = |clock: Clock| {
            let now = SystemTime::now();
            clock.now().duration_since(now).unwrap_or(Duration::ZERO)
        };
        assert!(ahead(Clock::default().ahead(hour)) > hour / 2);
        assert_eq!(ahead(Clock::default().behind(hour)), Duration::ZERO);
        let long_ago = Clock {
            started_at: SystemTime::now() - hour,
            ..Clock::default()
        };
        assert!(ahead(long_ago.faster(3)) >= 2 * hour);
    }
}
