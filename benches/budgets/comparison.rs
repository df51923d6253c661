//! Wall time of whole processes, alternating between two rivals so that other load on the machine affects both.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::Effort;

/// Rounds that aren't counted: they fill the file cache and wake up the processor.
const WARM_UP: usize = 3;

/// Seconds, sorted; never empty.
pub(crate) struct Times(Vec<f64>);

impl Times {
    fn new(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        Self(seconds)
    }

    /// Seconds.
    pub(crate) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len() % 2 == 1 {
            self.0[middle]
        } else {
            f64::midpoint(self.0[middle - 1], self.0[middle])
        }
    }
}

/// Median, and in brackets the shortest and the longest.
impl fmt::Display for Times {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |seconds: f64| seconds * 1000.0;
        let median = milliseconds(self.median());
        let shortest = milliseconds(self.0[0]);
        let longest = milliseconds(self.0[self.0.len() - 1]);
        write!(formatter, "{median:.1} ms ({shortest:.1}–{longest:.1})")
    }
}

/// Returns the seconds from start to end. Fails if the command fails.
pub(crate) fn time(mut command: Command) -> Result<f64> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status();
    let seconds = start.elapsed().as_secs_f64();
    let program = command.get_program().display();
    let status = status.with_context(|| format!("failed to start {program}"))?;
    ensure!(status.success(), "{program} ended with {status}");
    Ok(seconds)
}

/// Runs both alternately, `pairs` times after the warm-up.
pub(crate) fn compare(
    effort: Effort,
    pairs: usize,
    mut first: impl FnMut() -> Result<f64>,
    mut second: impl FnMut() -> Result<f64>,
) -> Result<(Times, Times)> {
    let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
    let (warm_up, pairs) = match effort {
        Effort::Full => (WARM_UP, pairs),
        Effort::Quick => (0, 1),
    };
    for round in 0..warm_up + pairs {
        let pair = (first()?, second()?);
        if round >= warm_up {
            firsts.push(pair.0);
            seconds.push(pair.1);
        }
    }
    Ok((Times::new(firsts), Times::new(seconds)))
}
