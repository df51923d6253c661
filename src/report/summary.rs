//! The job summary, as Markdown. Everything in it that comes from outside is made plain text.

use std::fmt::Write as _;

use super::{Hide, Report, hidden, text};
use crate::run::Run;
use crate::target::Mode;

pub(crate) fn summary(reports: &[Report<'_>], mode: Mode, hide: Hide<'_>) -> String {
    let plain = |text: &str| plain(&hide(text));
    let heading = match mode {
        Mode::Send => "Triggered pipelines",
        Mode::DryRun => "Pipelines that would be triggered (dry run)",
    };
    let mut markdown = format!(
        "### {heading}\n\n| Target | Pipeline | Outcome | Run |\n| --- | --- | --- | --- |\n"
    );
    for report in reports {
        let runs: Vec<_> = report
            .triggered
            .runs
            .iter()
            .map(|run| link(&hidden(run, hide)))
            .collect();
        let cells = [
            plain(&report.target.to_string()),
            plain(&report.target.pipeline()),
            report.triggered.outcome.word().to_owned(),
            runs.join(", "),
        ];
        let _ = writeln!(markdown, "| {} |", cells.join(" | "));
    }
    for report in reports {
        if let Some(failure) = &report.triggered.failure {
            let title = plain(&report.target.to_string());
            let text = plain(&text(failure)).replace('\n', "<br>");
            let _ = writeln!(markdown, "\n**{title}**: {text}");
        }
    }
    markdown.push('\n');
    markdown
}

/// A link, if the provider's address is one.
fn link(run: &Run) -> String {
    let name = plain(
        &run.number
            .map_or_else(|| run.id.clone(), |number| number.to_string()),
    );
    match url::Url::parse(&run.url) {
        Ok(url) if matches!(url.scheme(), "https" | "http") => {
            let url = url
                .as_str()
                .replace('(', "%28")
                .replace(')', "%29")
                .replace('|', "%7C");
            format!("[{name}]({url})")
        }
        Ok(_) | Err(_) => name,
    }
}

/// Text without a meaning to Markdown or HTML.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => plain.push_str("&amp;"),
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '#' | '|' | '~' | '!' | '$' | '@'
            | ':' => {
                let _ = write!(plain, "&#{};", u32::from(character));
            }
            '\r' => {}
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::MatchedBy;

    #[test]
    fn nothing_from_outside_means_anything_to_markdown() {
        assert_eq!(
            plain("<img> [x](y) |a|\r\n`b`"),
            "&lt;img&gt; &#91;x&#93;&#40;y&#41; &#124;a&#124;\n&#96;b&#96;"
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
}
