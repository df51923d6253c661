//! The time as providers write it. Not here: a clock that tests can speed up; runs that live by themselves will
//! need one, and this is its place.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01T00:00:00Z.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}

/// `2026-11-22T23:01:00Z`, as GitHub and Bitbucket write times.
pub(crate) fn timestamp(time: SystemTime) -> String {
    format!("{}Z", to_the_second(time))
}

/// `2026-11-22T23:01:00.000Z`, as GitLab writes them.
pub(crate) fn timestamp_with_milliseconds(time: SystemTime) -> String {
    let milliseconds = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .subsec_millis();
    format!("{}.{milliseconds:03}Z", to_the_second(time))
}

fn to_the_second(time: SystemTime) -> String {
    let seconds = seconds(time);
    let (year, month, day) = civil_date(seconds / 86_400);
    let of_day = seconds % 86_400;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day of the Gregorian calendar, counting years, then months, off the days since 1970.
fn civil_date(mut days: u64) -> (u64, u64, u64) {
    let mut year = 1970;
    loop {
        let of_year = if is_leap(year) { 366 } else { 365 };
        if days < of_year {
            break;
        }
        days -= of_year;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for of_month in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < of_month {
            break;
        }
        days -= of_month;
        month += 1;
    }
    (year, month, days + 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_the_providers_write_them() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(timestamp(at(0)), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(at(951_827_696)), "2000-02-29T12:34:56Z");
        assert_eq!(timestamp(at(1_798_761_599)), "2026-12-31T23:59:59Z");
        assert_eq!(
            timestamp_with_milliseconds(at(1_798_761_600) + Duration::from_millis(7)),
            "2027-01-01T00:00:00.007Z"
        );
    }
}
