//! Writing to people: reports on stdout, progress on stderr.

use std::{
    fmt::{Display, Write as _},
    io::{self, IsTerminal, Write as _},
    time::Duration,
};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use sibcheck_checkers::outside::{Outside, OutsideLines};

use super::Failure;
use crate::stopwatch::Stopwatch;

/// Writes a whole report to stdout. A reader that has gone away is not a fault.
pub(super) fn print(report: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    match stdout
        .write_all(harmless(report).as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::machine(format!(
            "failed to write the report to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

/// Writes a line to stderr at once. One that is closed must not end a campaign.
pub(super) fn tell(line: &str) {
    let _ = writeln!(anstream::stderr(), "{}", harmless(line));
}

/// Says on stderr what went wrong.
pub(super) fn complain(what: &str) {
    tell(&format!("{}: {}", bold_red("error"), OutsideLines(what)));
}

/// The text with nothing left in it that acts, but for line feeds and colours. Whoever put text from
/// outside into it has escaped that already, with its line feeds and colours; this is the last gate.
fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        let (before, from) = rest.split_at(at);
        let style = style_at(from);
        // Writing to a string cannot fail.
        let _ = write!(harmless, "{}", OutsideLines(before));
        let _ = match style {
            0 => write!(harmless, "{}", Outside('\u{1b}')),
            length => write!(harmless, "{}", &from[..length]),
        };
        rest = &from[style.max(1)..];
    }
    let _ = write!(harmless, "{}", OutsideLines(rest));
    harmless
}

/// The length of the change of style that a text begins with; 0 where it begins with something else.
fn style_at(text: &str) -> usize {
    let Some(inner) = text.strip_prefix("\u{1b}[") else {
        return 0;
    };
    let end = inner.find(|c: char| !c.is_ascii_digit() && c != ';');
    match end {
        Some(end) if inner[end..].starts_with('m') => end + 3,
        _ => 0,
    }
}

/// Red and bold, for what must not be overlooked.
pub(super) fn bold_red(text: impl Display) -> String {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    format!("{style}{text}{style:#}")
}

/// The width to wrap text at: the terminal's, or what `COLUMNS` says where there is none.
pub(super) fn width() -> usize {
    const WIDEST: usize = 100;
    let width = if io::stdout().is_terminal() {
        textwrap::termwidth()
    } else {
        let columns = std::env::var("COLUMNS").ok();
        columns
            .and_then(|columns| columns.parse().ok())
            .unwrap_or(WIDEST)
    };
    width.clamp(NARROWEST, WIDEST)
}

/// Narrower than this nothing can be read.
const NARROWEST: usize = 40;

/// Progress: a bar on a terminal, else a plain line every few seconds.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    what: String,
    watch: Stopwatch,
    total: u64,
    last_line: Duration,
}

const BETWEEN_LINES: Duration = Duration::from_secs(5);

impl Progress {
    pub(super) fn new(what: &str, total: u64) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            let template = "{prefix} {bar:30} {pos}/{len} runs, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.with_prefix(what.to_owned())
        });
        Self {
            bar,
            what: what.to_owned(),
            watch: Stopwatch::start(),
            total,
            last_line: Duration::ZERO,
        }
    }

    /// There will be so many in all.
    pub(super) fn expect(&mut self, total: u64) {
        self.total = total;
        if let Some(bar) = &self.bar {
            bar.set_length(total);
        }
    }

    pub(super) fn tell(&mut self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            return;
        }
        let now = self.watch.elapsed();
        if now >= self.last_line + BETWEEN_LINES && done < self.total {
            self.last_line = now;
            // A closed stderr must not end a campaign.
            let _ = writeln!(io::stderr(), "{}: {done} of {} runs", self.what, self.total);
        }
    }

    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_colours_and_line_feeds_pass_the_gate() {
        let red = bold_red("x");
        for (text, printed) in [
            (format!("{red}\ny"), format!("{red}\ny")),
            (
                "a\u{1b}[2Jb\u{1b}".to_owned(),
                "a\\u001b[2Jb\\u001b".to_owned(),
            ),
            ("\u{1b}[1;31".to_owned(), "\\u001b[1;31".to_owned()),
            (
                "\u{9b}2J\u{202e}\r\u{7}".to_owned(),
                "\\u009b2J\\u202e\\r\\u0007".to_owned(),
            ),
        ] {
            assert_eq!(harmless(&text), printed);
        }
    }
}
