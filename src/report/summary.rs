//! Writes the job summary as Markdown. Untrusted text appears in it as code, or escaped within sentences.

mod gantt;
mod invalid;

use std::fmt::Write as _;

use gantt::Bar;
pub(crate) use invalid::summary_of_invalid;

use super::annotations::{failed_jobs, failures};
use super::log::{self, time_taken};
use super::{Hide, pipeline};
use crate::model::{Conclusion, JobLog, Run, RunReport};
use crate::providers::target::Mode;
use crate::providers::target_report::TargetReport;
use crate::text::untrusted::{one_line, visible};

/// Maximum number of bars in a readable diagram.
const MAX_BARS: usize = 60;

/// The summary under construction.
struct Page {
    /// In bytes. Parts that would exceed it are left out.
    max_size: usize,
    markdown: String,
    left_out: usize,
}

impl Page {
    /// Adds a self-contained part if it fits.
    fn add(&mut self, part: &str) {
        if self.markdown.len() + part.len() > self.max_size {
            self.left_out += 1;
        } else {
            self.markdown.push_str(part);
        }
    }
}

/// Returns the table, the errors, the diagram and the logs, in at most about `max_size` bytes.
pub(crate) fn summary(
    reports: &[TargetReport<'_>],
    mode: Mode,
    hide: Hide<'_>,
    max_size: usize,
) -> String {
    let mut page = Page {
        max_size,
        markdown: String::new(),
        left_out: 0,
    };
    table(reports, mode, hide, &mut page);
    for error in failures(reports) {
        let target_names = code(&hide(&error.target_names()));
        let text = sentences(&hide(&error.text));
        page.add(&format!("\n**{target_names}**: {text}\n"));
    }
    for report in reports {
        problem_runs(report, hide, &mut page);
    }
    diagram(reports, hide, &mut page);
    for report in reports {
        for run in &report.monitored.runs {
            logs(report, run, hide, &mut page);
        }
    }
    let Page {
        mut markdown,
        left_out,
        ..
    } = page;
    if left_out > 0 {
        let _ = writeln!(
            markdown,
            "\n_{left_out} more parts have no room here: what happened is in the log of this step._"
        );
    }
    markdown.push('\n');
    markdown
}

fn table(reports: &[TargetReport<'_>], mode: Mode, hide: Hide<'_>, page: &mut Page) {
    let heading = match mode {
        Mode::Send => "Triggered pipelines",
        Mode::DryRun => "Pipelines that would be triggered (dry run)",
    };
    page.add(&format!(
        "### {heading}\n\n| Target | Pipeline | Outcome | Run | Conclusion | Duration |\n| --- | --- | --- | --- | --- | --- |\n"
    ));
    for report in reports {
        let target = code(&hide(&report.target.to_string()));
        let pipeline = code(&hide(&pipeline(report.target)));
        let outcome = report.outcome.as_str();
        let runs = &report.monitored.runs;
        for run in runs {
            let link = link(&hidden(&run.run, hide));
            let conclusion = conclusion(run);
            let time_taken = run
                .snapshot
                .as_ref()
                .and_then(|snapshot| time_taken(&snapshot.times));
            let time_taken = time_taken.unwrap_or_default();
            page.add(&format!(
                "| {target} | {pipeline} | {outcome} | {link} | {conclusion} | {time_taken} |\n"
            ));
        }
        if runs.is_empty() {
            let conclusion = report.monitored.conclusion.map_or("", Conclusion::as_str);
            page.add(&format!(
                "| {target} | {pipeline} | {outcome} |  | {conclusion} |  |\n"
            ));
        }
    }
}

/// Adds runs that may still be running, and failed jobs.
fn problem_runs(report: &TargetReport<'_>, hide: Hide<'_>, page: &mut Page) {
    let title = code(&hide(&report.target.to_string()));
    for run in &report.monitored.runs {
        let link = link(&hidden(&run.run, hide));
        if let Some(why) = &run.left_running {
            let why = sentences(&hide(&why.to_string()));
            page.add(&format!(
                "\n**{title}**: run {link} may still be going on: {why}\n"
            ));
        }
        let failed = failed_jobs(run, |name| code(&hide(&one_line(name))));
        if !failed.is_empty() {
            let failed = failed.join(", ");
            page.add(&format!("\n**{title}**: run {link} failed: {failed}\n"));
        }
    }
}

fn conclusion(run: &RunReport) -> String {
    match (&run.end, run.conclusion) {
        (None, _) => String::new(),
        (Some(_), Some(conclusion)) => conclusion.to_string(),
        (Some(_), None) => "not seen".to_owned(),
    }
}

/// Adds a diagram of the runs over time: with their jobs if it stays readable, otherwise with one bar per run.
fn diagram(reports: &[TargetReport<'_>], hide: Hide<'_>, page: &mut Page) {
    let title = "Over time".to_owned();
    let runs = reports
        .iter()
        .flat_map(|report| report.monitored.runs.iter().map(move |run| (report, run)));
    let with_jobs: Vec<_> = runs
        .clone()
        .map(|(report, run)| (run_title(report, run), job_bars(run)))
        .filter(|(_, bars)| !bars.is_empty())
        .collect();
    let jobs: usize = with_jobs.iter().map(|(_, bars)| bars.len()).sum();
    let (title, sections) = match with_jobs.len() {
        0 => return,
        1 => (with_jobs[0].0.clone(), with_jobs),
        _ if jobs <= MAX_BARS => (title, with_jobs),
        count if count <= MAX_BARS => {
            let bars = runs.filter_map(|(report, run)| run_bar(report, run));
            (title, vec![("Runs".to_owned(), bars.collect())])
        }
        count => {
            return page.add(&format!(
                "\n_{count} runs are too many for a diagram: how long each took is in the table._\n"
            ));
        }
    };
    if let Some(diagram) = gantt::gantt(&sections, hide) {
        let title = code(&hide(&one_line(&title)));
        page.add(&format!("\n#### {title}\n\n```mermaid\n{diagram}```\n"));
    }
}

fn run_bar(report: &TargetReport<'_>, run: &RunReport) -> Option<Bar> {
    let snapshot = run.snapshot.as_ref()?;
    Bar::new(run_title(report, run), snapshot.state, &snapshot.times)
}

fn run_title(report: &TargetReport<'_>, run: &RunReport) -> String {
    format!("{} {}", report.target, run.run)
}

fn job_bars(run: &RunReport) -> Vec<Bar> {
    let jobs = run
        .snapshot
        .as_ref()
        .and_then(|snapshot| snapshot.jobs.as_deref());
    let jobs = jobs.unwrap_or_default().iter();
    jobs.filter_map(|job| Bar::new(job.name.clone(), job.state, &job.times))
        .collect()
}

/// Adds the logs of failed jobs.
fn logs(report: &TargetReport<'_>, run: &RunReport, hide: Hide<'_>, page: &mut Page) {
    for log in &run.logs {
        page.add(&job_details(report, log, hide));
    }
    page.left_out += run.dropped_logs;
}

fn job_details(report: &TargetReport<'_>, log: &JobLog, hide: Hide<'_>) -> String {
    let (title, lines) = log::job_log(report.target, log);
    let title = code(&hide(&title));
    let page = log
        .job
        .url
        .as_deref()
        .and_then(|url| web_address(&hide(url)));
    let page = page
        .map(|url| format!("<a href=\"{}\">all of it</a>\n\n", escape_html(&url)))
        .unwrap_or_default();
    // A block of its own, because an empty line of the log would end the HTML block of `details`.
    let cut = if log.is_cut { "…\n" } else { "" };
    format!(
        "\n<details><summary>{title}</summary>\n\n{page}<pre>\n{cut}{}\n</pre>\n\n</details>\n",
        escape_html(&hide(&lines))
    )
}

/// Hides secrets in a run's id and URL, which are untrusted.
fn hidden(run: &Run, hide: Hide<'_>) -> Run {
    Run {
        id: hide(&run.id),
        url: hide(&run.url),
        ..run.clone()
    }
}

/// Returns a link to the run, or only its name if its URL isn't a web address.
fn link(run: &Run) -> String {
    let name = escape_markdown(
        &run.number
            .map_or_else(|| run.id.clone(), |number| number.to_string()),
    );
    match web_address(&run.url) {
        Some(url) => format!("[{name}]({url})"),
        None => name,
    }
}

/// Escapes Markdown in a URL. `None` if it isn't a web address.
fn web_address(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    matches!(url.scheme(), "https" | "http").then(|| {
        url.as_str()
            .replace('(', "%28")
            .replace(')', "%29")
            .replace('|', "%7C")
            .replace('`', "%60")
    })
}

/// Escapes HTML.
fn escape_html(text: &str) -> String {
    visible(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Formats a name as code on one line. GitHub creates no links or mentions in code.
fn code(name: &str) -> String {
    format!("<code>{}</code>", escape_markdown(&one_line(name)))
}

/// Escapes sentences, and keeps each on its own line.
fn sentences(text: &str) -> String {
    let lines = text.lines().map(escape_markdown);
    lines.collect::<Vec<_>>().join("<br>")
}

/// Escapes Markdown and HTML in a line, and prevents links and mentions. GitHub looks for those after unescaping, but
/// never across elements, so an invisible `<wbr>` splits them.
fn escape_markdown(line: &str) -> String {
    let mut escaped = String::with_capacity(line.len());
    let line = visible(line);
    let mut characters = line.chars().peekable();
    let mut before = ' ';
    while let Some(character) = characters.next() {
        let needs_split = match character {
            '@' | ':' | '#' => characters.peek().is_some_and(|next| !next.is_whitespace()),
            '.' => matches!(before, 'w' | 'W'),
            _ => false,
        };
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '#' | '|' | '~' | '!' | '$' | '@'
            | ':' => {
                let _ = write!(escaped, "&#{};", u32::from(character));
            }
            '.' if needs_split => escaped.push_str("<wbr>."),
            other => escaped.push(other),
        }
        if needs_split && character != '.' {
            escaped.push_str("<wbr>");
        }
        before = character;
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MatchedBy;
    use proptest::prelude::*;

    #[test]
    fn untrusted_text_is_not_interpreted_as_markdown() {
        assert_eq!(
            sentences("<img> [x](y) |a|\r\n`b`\u{202e}"),
            "&lt;img&gt; &#91;x&#93;&#40;y&#41; &#124;a&#124;<br>&#96;b&#96;&#92;u{202e}"
        );
        assert_eq!(
            code("www.a @b\n c: x@y.z #1 https://d"),
            "<code>www<wbr>.a &#64;<wbr>b c&#58; x&#64;<wbr>y.z &#35;<wbr>1 https&#58;<wbr>//d</code>"
        );
        let run = |url: &str| Run {
            id: "{a}".to_owned(),
            number: None,
            url: url.to_owned(),
            matched_by: MatchedBy::Id,
        };
        assert_eq!(link(&run("javascript:alert(1)")), "{a}");
        assert_eq!(
            link(&run("https://x.example/a)|b c")),
            "[{a}](https://x.example/a%29%7Cb%20c)"
        );
    }

    /// Returns the text as a browser shows it.
    fn unescaped(escaped: &str) -> String {
        let mut shown = escaped.replace("<wbr>", "");
        for character in "\\`*_[]()#|~!$@:".chars() {
            shown = shown.replace(
                &format!("&#{};", u32::from(character)),
                &character.to_string(),
            );
        }
        let shown = shown.replace("&lt;", "<").replace("&gt;", ">");
        shown.replace("&amp;", "&")
    }

    proptest! {
        #[test]
        fn escaped_text_is_shown_unchanged_and_not_interpreted(
            text in r"(www\.|@|#1|://|[a-z.&<>;`*|\[\]()!\\$~_#:@]|\PC|\u{202e}){0,30}",
        ) {
            let escaped = escape_markdown(&text);
            prop_assert_eq!(unescaped(&escaped), visible(&text));
            let outside = escaped.replace("<wbr>", "");
            let has_meaning = outside.contains(['<', '>', '\\', '`', '*', '_', '[', ']', '(', ')', '|', '~', '!', '$', '@', ':']);
            prop_assert!(!has_meaning, "{}", escaped);
            for link in ["www.", "WWW."] {
                prop_assert!(!escaped.contains(link), "{}", escaped);
            }
            // No link or mention is contained in one element.
            for part in escaped.split("<wbr>").map(unescaped) {
                let is_split = |mark: char| part.split(mark).skip(1).all(|after| after.is_empty() || after.starts_with(char::is_whitespace));
                prop_assert!(is_split('@') && is_split(':') && is_split('#'), "{}", escaped);
            }
        }
    }
}
