//! The figures as a Markdown table, for docs/performance.md. Pure: nothing is measured or printed here.

/// One budget.
pub(crate) enum Row {
    Measured {
        what: &'static str,
        ours: String,
        rival: String,
        ratio: Option<f64>,
        budget: String,
        verdict: Verdict,
    },
    Skipped {
        what: &'static str,
        why: String,
    },
}

/// Whether a budget holds.
#[derive(Clone, Copy)]
pub(crate) enum Verdict {
    Holds,
    Broken,
}

impl Verdict {
    pub(crate) fn of(figure: f64, budget: f64) -> Self {
        if figure <= budget {
            Self::Holds
        } else {
            Self::Broken
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Holds => "yes",
            Self::Broken => "NO",
        }
    }
}

impl Row {
    pub(crate) fn skipped(what: &'static str, why: &str) -> Self {
        Self::Skipped {
            what,
            why: why.to_owned(),
        }
    }
}

/// What a quick run shows: its figures mean nothing.
pub(crate) fn render_quick(rows: &[Row]) -> String {
    let lines = rows.iter().map(|row| match row {
        Row::Measured { what, .. } => format!("{what}: works\n"),
        Row::Skipped { what, why } => format!("{what}: skipped, {why}\n"),
    });
    lines.collect()
}

const HEADING: [&str; 6] = ["what", "this action", "rival", "ratio", "budget", "holds"];

type Line = [String; HEADING.len()];

pub(crate) fn render(rows: &[Row]) -> String {
    let heading = HEADING.map(str::to_owned);
    let lines: Vec<_> = rows.iter().map(cells).collect();
    let widths = lines
        .iter()
        .fold(wider([0; HEADING.len()], &heading), wider);
    let rule = widths.map(|width| "-".repeat(width));
    let head = joined(&heading, widths) + &joined(&rule, widths);
    let table: String = lines.iter().map(|line| joined(line, widths)).collect();
    format!(
        "\n{head}{table}\nTimes are of whole processes that take turns: the median (the shortest–the longest).\n"
    )
}

fn cells(row: &Row) -> Line {
    match row {
        Row::Measured {
            what,
            ours,
            rival,
            ratio,
            budget,
            verdict,
        } => [
            (*what).to_owned(),
            ours.clone(),
            rival.clone(),
            ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")),
            budget.clone(),
            verdict.as_str().to_owned(),
        ],
        Row::Skipped { what, why } => {
            [what, "skipped", why.as_str(), "", "", ""].map(str::to_owned)
        }
    }
}

fn wider(widths: [usize; HEADING.len()], line: &Line) -> [usize; HEADING.len()] {
    std::array::from_fn(|column| widths[column].max(line[column].chars().count()))
}

fn joined(line: &Line, widths: [usize; HEADING.len()]) -> String {
    let cells = line.iter().zip(widths);
    let padded: Vec<_> = cells
        .map(|(cell, width)| format!("{cell:width$}"))
        .collect();
    format!("| {} |\n", padded.join(" | "))
}
