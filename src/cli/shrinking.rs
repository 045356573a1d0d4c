//! Shrinking as a person sees it: what was found is told at once, then how far it shrank.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;
use crate::stopwatch::Stopwatch;

/// Between two lines of progress where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Tells of a finding that is being shrunk, from the first try on.
#[derive(Default)]
pub(super) struct Shrinking {
    /// Since when, and when that was told last, once there was a try.
    begun: Option<(Stopwatch, Duration)>,
    bar: Option<ProgressBar>,
}

impl Shrinking {
    /// So many tries were made, and so many operations are left.
    pub(super) fn tell(&mut self, tries: u64, smallest: usize) {
        let (watch, told) = match self.begun {
            Some(begun) => begun,
            None => self.begin(),
        };
        let message = format!("{smallest} operations after {tries} tries");
        let elapsed = watch.elapsed();
        if let Some(bar) = &self.bar {
            bar.set_message(message);
            bar.tick();
        } else if elapsed >= told + BETWEEN_LINES {
            self.begun = Some((watch, elapsed));
            output::tell(&format!("shrinking: {message}"));
        }
    }

    fn begin(&mut self) -> (Stopwatch, Duration) {
        output::tell("shrinking; Ctrl-C keeps the smallest so far");
        self.bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        let begun = (Stopwatch::start(), Duration::ZERO);
        self.begun = Some(begun);
        begun
    }

    /// Clears the line of progress.
    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
