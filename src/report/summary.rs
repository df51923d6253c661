//! Writes the job summary as Markdown. Untrusted text appears in it as code, or escaped within sentences.

mod gantt;
mod invalid;

use std::fmt::Write as _;

use gantt::Bar;
pub(crate) use invalid::summary_of_invalid;

use super::annotations::{TargetError, all_errors, is_consequence};
use super::help::Help;
use super::log::{self, time_taken};
use super::problem::Link;
use super::retries::{earlier_failures, is_flaky, retries};
use super::run_end::{of_workflow, run_name};
use super::verdict::{Word, run_word, word};
use super::{Hide, pipeline};
use crate::model::{Event, Job, JobLog, MatchedBy, Outcome, Run, RunReport};
use crate::providers::target::{Mode, Target};
use crate::providers::target_report::TargetReport;
use crate::text::untrusted::{one_line, visible};

/// Maximum number of bars in a readable diagram.
const MAX_BARS: usize = 60;

/// What the summary shows of a target besides its result. The target's name comes first.
pub(crate) enum Note {
    /// Something that somebody should act on soon.
    Caution(String, String),
    /// The request of a dry run.
    WouldSend(String, String),
}

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

/// Returns the headline, the table, a sentence for each error, the notes, the diagram and the logs,
/// in at most about `max_size` bytes.
pub(crate) fn summary(
    reports: &[TargetReport<'_>],
    mode: Mode,
    notes: &[Note],
    help: &Help,
    hide: Hide<'_>,
    max_size: usize,
) -> String {
    let mut page = Page {
        max_size,
        markdown: String::new(),
        left_out: 0,
    };
    page.add(&format!("### {}\n", headline(reports, hide)));
    table(reports, mode, hide, &mut page);
    let servers: Vec<_> = reports.iter().map(web_server).collect();
    for error in all_errors(reports) {
        page.add(&error_paragraph(&error, &servers, help, hide));
    }
    for report in reports {
        run_notes(report, &servers, hide, &mut page);
    }
    for note in notes {
        page.add(&note.paragraph(help, hide));
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
            "\n_{left_out} more sections didn't fit here; see this step's log._"
        );
    }
    markdown.push('\n');
    markdown
}

/// Sums up all targets in a few words.
fn headline(reports: &[TargetReport<'_>], hide: Hide<'_>) -> String {
    if let [report] = reports {
        let (target, word) = (code(&hide(&report.target.to_string())), word(report));
        return format!("{} {target} {}", word.mark(), word.predicate());
    }
    let words: Vec<_> = reports.iter().map(word).collect();
    let (all, bad) = (
        words.len(),
        words.iter().filter(|word| !word.is_good()).count(),
    );
    let are_all = |expected| words.iter().all(|word| *word == expected);
    if bad > 0 {
        format!("✗ {bad} of {all} targets failed")
    } else if are_all(Word::Checked) {
        format!("✓ Dry run of {all} targets: nothing was sent")
    } else if are_all(Word::Triggered) {
        format!("✓ All {all} targets were triggered")
    } else {
        format!("✓ All {all} targets passed")
    }
}

/// A column of the table that is only shown if it says something.
#[derive(Clone, Copy)]
struct Columns {
    reference: bool,
    server: bool,
}

impl Columns {
    fn of(reports: &[TargetReport<'_>]) -> Self {
        let is_public = |report: &TargetReport<'_>| {
            let host = report.target.location.server.web.host_str();
            host.is_some_and(|host| report.target.provider().is_public_host(host))
        };
        let reference = |report: &TargetReport<'_>| report.target.spec.source().is_some();
        Self {
            reference: reports.iter().any(reference),
            server: !reports.iter().all(is_public),
        }
    }
}

/// Adds the table: first the targets that didn't pass, causes before consequences.
fn table(reports: &[TargetReport<'_>], mode: Mode, hide: Hide<'_>, page: &mut Page) {
    let is_sent =
        |report: &TargetReport<'_>| matches!(report.outcome, Outcome::Accepted | Outcome::Unknown);
    let is_followed = |report: &TargetReport<'_>| report.target.follow.is_some();
    let heading = match mode {
        Mode::Send if reports.iter().all(is_followed) => "\n#### Followed runs\n",
        Mode::Send if reports.iter().any(is_sent) => "\n#### Triggered pipelines\n",
        Mode::Send => "",
        Mode::DryRun => "\n#### Pipelines that would be triggered\n",
    };
    let columns = Columns::of(reports);
    let mut names = vec!["Target", "Pipeline"];
    names.extend(columns.reference.then_some("Ref"));
    names.extend(columns.server.then_some("Server"));
    names.extend(["Run", "Result", "Duration"]);
    page.add(&format!(
        "{heading}\n{}{}",
        row(&names),
        row(&vec!["---"; names.len()])
    ));
    let mut sorted: Vec<_> = reports.iter().collect();
    sorted.sort_by_key(|report| (report.passes(), is_consequence(report)));
    for report in sorted {
        let mut about = vec![
            code(&hide(&report.target.to_string())),
            code(&hide(&pipeline(report.target))),
        ];
        if columns.reference {
            let reference = report.target.spec.source();
            let reference = reference.map(|reference| code(&hide(&reference)));
            about.push(reference.unwrap_or_default());
        }
        if columns.server {
            about.push(code(&web_server(report)));
        }
        let runs = &report.monitored.runs;
        for run in runs {
            let link = link(&hidden(&run.run, hide));
            let word = run_word(report, run);
            // A skipped run doesn't count if another one succeeded.
            let is_good = word.is_good() || report.passes();
            let mark = if is_good { "✓" } else { "✗" };
            let time_taken = run
                .snapshot
                .as_ref()
                .and_then(|snapshot| time_taken(&snapshot.times));
            let result = format!("{mark} {}", result(run, word));
            let rest = [link, result, time_taken.unwrap_or_default()];
            page.add(&row(&[about.clone(), rest.to_vec()].concat()));
        }
        if runs.is_empty() {
            let word = word(report);
            let result = format!("{} {}", word.mark(), word.as_str());
            let rest = [String::new(), result, String::new()];
            page.add(&row(&[about, rest.to_vec()].concat()));
        }
    }
}

fn row<T: AsRef<str>>(cells: &[T]) -> String {
    let cells: Vec<_> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// Returns a run's result, and how often it was retries. A conclusion that passes is named if it isn't `success`.
fn result(run: &RunReport, word: Word) -> String {
    let result = match run.conclusion {
        Some(conclusion) if word == Word::Passed => conclusion.as_str(),
        _ => word.as_str(),
    };
    format!("{result}{}", retries(run))
}

/// Returns an error with its targets, what to do, and links.
fn error_paragraph(
    error: &TargetError<'_>,
    servers: &[String],
    help: &Help,
    hide: Hide<'_>,
) -> String {
    let names = code(&hide(&error.target_names()));
    let end = &error.text.end;
    let code_name = |name: &str| code(&hide(name));
    let jobs = end.failed_jobs.phrase(&code_name, &code_name);
    let what = sentences(&hide(&end.what), servers);
    let status = sentences(&hide(&end.status), servers);
    let links = |links: Vec<Link>| -> Vec<_> {
        links
            .into_iter()
            .filter_map(|link| labelled(&link, hide))
            .collect()
    };
    let (subject, links) = match error.of.as_slice() {
        [(_, one)] => {
            let run = one.run.as_ref();
            let run = run.map(|run| {
                labelled(run, hide).unwrap_or_else(|| sentences(&hide(&run.label), servers))
            });
            let subject = run.map_or(String::new(), |run| format!("{run} "));
            (subject, links(one.pages.clone()))
        }
        several => {
            let is_run = several.iter().any(|(_, error)| error.run.is_some());
            let subject = if is_run { "the run " } else { "" };
            (subject.to_owned(), links(error.links()))
        }
    };
    let hint = error.text.hint.as_ref();
    let hint = hint.map_or(String::new(), |hint| {
        format!("<br>hint: {}", sentences(&hide(hint), servers))
    });
    let links = match links.as_slice() {
        [] => String::new(),
        links => format!("<br>{}", links.join(", ")),
    };
    let more = error.help(help);
    let more = more.map_or(String::new(), |link| more_about(&link, hide));
    format!("\n**{names}**: {subject}{what}{jobs}{status}{hint}{links}{more}\n")
}

/// Returns what somebody should act on soon, such as a token that is about to expire.
impl Note {
    /// Returns what the summary shows of an event besides the results.
    pub(crate) fn of(target: &Target, event: &Event<'_>) -> Option<Self> {
        if let Event::Caution(what) = event {
            Some(Self::Caution(target.to_string(), (*what).to_owned()))
        } else if let Event::WouldSend { url, body } = event {
            Some(Self::WouldSend(
                target.to_string(),
                format!("POST {url}\n{body}"),
            ))
        } else {
            None
        }
    }

    fn paragraph(&self, help: &Help, hide: Hide<'_>) -> String {
        let name = |target: &String| code(&hide(target));
        match self {
            Self::Caution(target, what) => {
                let link = help.link(what);
                let more = link.map_or(String::new(), |link| more_about(&link, hide));
                let what = sentences(&hide(what), &[]);
                format!("\n**{}**: {what}{more}\n", name(target))
            }
            Self::WouldSend(target, request) => {
                let request = escape_html(&hide(request));
                format!(
                    "\n**{}**: the request that would be sent\n\n<pre>\n{request}\n</pre>\n",
                    name(target)
                )
            }
        }
    }
}

/// Returns a line with the link to what explains an error or a caution.
fn more_about(link: &str, hide: Hide<'_>) -> String {
    let link = web_address(&hide(link));
    link.map_or(String::new(), |link| {
        format!("<br>[More about this]({link})")
    })
}

/// Adds what else a person should know about runs: that they may still be running, may be somebody else's, or are flaky.
fn run_notes(report: &TargetReport<'_>, servers: &[String], hide: Hide<'_>, page: &mut Page) {
    let title = code(&hide(&report.target.to_string()));
    for run in &report.monitored.runs {
        let link = link(&hidden(&run.run, hide));
        if let Some(why) = &run.left_running {
            let why = sentences(&hide(&why.to_string()), servers);
            page.add(&format!(
                "\n**{title}**: run {link} may still be running: {why}\n"
            ));
        }
        if is_flaky(report, run) {
            let code_name = |name: &str| code(&hide(name));
            let failures = earlier_failures(run, &code_name, &code_name);
            page.add(&format!(
                "\n**{title}**: run {link} is flaky: {failures}. It passed when its failed jobs were run again\n"
            ));
        }
        if run.run.matched_by == MatchedBy::Timing {
            page.add(&format!(
                "\n**{title}**: run {link} was identified only by its start time, so it might belong to somebody else\n"
            ));
        }
    }
}

/// Adds a diagram of the runs over time: with their jobs if it stays readable, otherwise with one bar per run.
fn diagram(reports: &[TargetReport<'_>], hide: Hide<'_>, page: &mut Page) {
    let mut title = "Over time".to_owned();
    let runs = reports
        .iter()
        .flat_map(|report| report.monitored.runs.iter().map(move |run| (report, run)));
    let with_jobs: Vec<_> = runs
        .clone()
        .flat_map(|(report, run)| job_sections(&run_title(report, run), run))
        .collect();
    let jobs: usize = with_jobs.iter().map(|(_, bars)| bars.len()).sum();
    let sections = match with_jobs.len() {
        0 => return,
        1 => {
            title = code(&hide(&one_line(&with_jobs[0].0)));
            with_jobs
        }
        _ if jobs <= MAX_BARS => with_jobs,
        count if count <= MAX_BARS => {
            let bars = runs.filter_map(|(report, run)| run_bar(report, run));
            vec![("Runs".to_owned(), bars.collect())]
        }
        count => {
            return page.add(&format!(
                "\n_There is no diagram for more than {MAX_BARS} runs. The table shows how long each of the {count} took._\n"
            ));
        }
    };
    if let Some(diagram) = gantt::gantt(&sections, hide) {
        page.add(&format!("\n#### {title}\n\n```mermaid\n{diagram}```\n"));
    }
}

fn run_bar(report: &TargetReport<'_>, run: &RunReport) -> Option<Bar> {
    let snapshot = run.snapshot.as_ref()?;
    Bar::new(run_title(report, run), snapshot.state, &snapshot.times)
}

fn run_title(report: &TargetReport<'_>, run: &RunReport) -> String {
    format!("{} {}", report.target, run_name(&run.run))
}

/// Returns a section with the bars of the run's jobs, or one for each attempt with the jobs that it ran.
fn job_sections(title: &str, run: &RunReport) -> Vec<(String, Vec<Bar>)> {
    let earlier = run.retries.earlier.iter();
    let earlier = earlier.map(|attempt| (attempt.number, &attempt.snapshot));
    let last = run.snapshot.iter();
    let last = last.map(|snapshot| (run.run.attempt, snapshot));
    let mut sections = Vec::new();
    let mut known: &[Job] = &[];
    for (number, snapshot) in earlier.chain(last) {
        let jobs = snapshot.jobs.as_deref().unwrap_or_default();
        let own = jobs.iter().filter(|job| !job.is_carried_over(known));
        let bars = own.filter_map(|job| Bar::new(job.name.clone(), job.state, &job.times));
        let title = match run.retries.earlier.len() {
            0 => title.to_owned(),
            _ => format!("Attempt {number} of {title}"),
        };
        sections.push((title, bars.collect::<Vec<_>>()));
        known = jobs;
    }
    sections.retain(|(_, bars)| !bars.is_empty());
    sections
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
        .map(|url| format!("<a href=\"{}\">Full log</a>\n\n", escape_html(&url)))
        .unwrap_or_default();
    // A block of its own, because an empty line of the log would end the HTML block of `details`.
    let cut = if log.is_cut { "…\n" } else { "" };
    format!(
        "\n<details><summary>{title}</summary>\n\n{page}<pre>\n{cut}{}\n</pre>\n\n</details>\n",
        escape_html(&hide(&lines))
    )
}

/// Hides secrets in a run's id, URL and workflow, which are untrusted.
fn hidden(run: &Run, hide: Hide<'_>) -> Run {
    Run {
        id: hide(&run.id),
        url: hide(&run.url),
        workflow: run.workflow.as_deref().map(hide),
        ..run.clone()
    }
}

/// Returns a link to the run, or only its name if its URL isn't a web address.
fn link(run: &Run) -> String {
    let number = run.number.map(|number| format!("#{number}"));
    let name = escape_markdown(number.as_ref().unwrap_or(&run.id));
    let workflow = of_workflow(run.workflow.as_deref().unwrap_or_default());
    let workflow = escape_markdown(&workflow);
    match web_address(&run.url) {
        Some(url) => format!("[{name}]({url}){workflow}"),
        None => format!("{name}{workflow}"),
    }
}

/// Returns a link with its label. `None` if its URL isn't a web address.
fn labelled(link: &Link, hide: Hide<'_>) -> Option<String> {
    let url = web_address(&hide(&link.url))?;
    Some(format!("[{}]({url})", escape_markdown(&hide(&link.label))))
}

/// Returns the address of the target's server for browsers.
fn web_server(report: &TargetReport<'_>) -> String {
    let web = report.target.location.server.web.as_str();
    web.trim_end_matches('/').to_owned()
}

/// Escapes Markdown in a URL. `None` if it isn't a web address.
fn web_address(url: &str) -> Option<String> {
    // As nearly all are, because that of a run is checked where it's read.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:%+".contains(&byte);
    if url.starts_with("https://") && url.bytes().all(is_plain) {
        return Some(url.to_owned());
    }
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

/// Escapes sentences, and keeps each on its own line. What is in backticks becomes code, and a URL of one of these
/// servers becomes a link. Other URLs may come from anyone.
fn sentences(text: &str, servers: &[String]) -> String {
    let lines = text.lines().map(|line| sentence(line, servers));
    lines.collect::<Vec<_>>().join("<br>")
}

fn sentence(line: &str, servers: &[String]) -> String {
    let mut rest = line;
    let mut written = String::with_capacity(line.len());
    while let Some((before, after)) = rest.split_once('`')
        && let Some((inside, after)) = after.split_once('`')
    {
        written.push_str(&with_links(before, servers));
        written.push_str(&code(inside));
        rest = after;
    }
    written.push_str(&with_links(rest, servers));
    written
}

fn with_links(text: &str, servers: &[String]) -> String {
    let words = text.split_inclusive(' ').map(|word| {
        let bare = word.trim_end_matches([' ', ',', '.', ';', ':', ')']);
        let after = &word[bare.len()..];
        let is_own = servers.iter().any(|server| {
            let path = bare.strip_prefix(server.as_str());
            path.is_some_and(|path| path.starts_with('/'))
        });
        match web_address(bare).filter(|_| is_own) {
            Some(url) => format!(
                "[{}]({url}){}",
                escape_markdown(bare),
                escape_markdown(after)
            ),
            None => escape_markdown(word),
        }
    });
    words.collect()
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
    use proptest::prelude::*;

    #[test]
    fn untrusted_text_is_not_interpreted_as_markdown() {
        assert_eq!(
            sentences("<img> [x](y) |a|\r\n`b|` `\u{202e}", &[]),
            "&lt;img&gt; &#91;x&#93;&#40;y&#41; &#124;a&#124;<br><code>b&#124;</code> &#96;&#92;u{202e}"
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
            workflow: None,
            attempt: crate::model::FIRST_ATTEMPT,
            started_by_attempt: None,
        };
        assert_eq!(link(&run("javascript:alert(1)")), "{a}");
        assert_eq!(
            link(&run("https://x.example/a)|b c")),
            "[{a}](https://x.example/a%29%7Cb%20c)"
        );
        let servers = ["https://x.example".to_owned()];
        assert_eq!(
            sentences(
                "at https://x.example/a(b), https://x.example.evil/",
                &servers
            ),
            "at [https&#58;<wbr>//x.example/a&#40;b](https://x.example/a%28b)&#41;, https&#58;<wbr>//x.example.evil/"
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
