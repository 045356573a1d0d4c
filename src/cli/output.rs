//! Writing to people: reports on stdout, progress on stderr.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Failure;

/// Writes a whole report to stdout. A reader that has gone away is not a fault.
pub(super) fn print(report: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    match stdout
        .write_all(report.as_bytes())
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
    let _ = writeln!(anstream::stderr(), "{line}");
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

/// A watch for figures and progress. Nothing that decides a result may read it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "speed and progress only")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

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
