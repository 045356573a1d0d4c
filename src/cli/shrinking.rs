//! Shrinking as a person sees it: what was found is told at once, then how far it shrank.

use std::{
    cell::Cell,
    io::{self, IsTerminal},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::interrupt::Interrupt;

use super::output::{self, Stopwatch};

/// How long a found violation is shrunk.
const SHRINKING: Duration = Duration::from_secs(10);

/// As many smaller plans are tried even when that takes longer: on a busy machine, or of a program
/// that starts slowly.
const SHRINKING_TRIES: u64 = 150;

/// But never longer than this.
const LONGEST_SHRINKING: Duration = Duration::from_mins(1);

/// Between two lines of progress where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// A finding that is being shrunk.
pub(super) struct Shrinking<'a> {
    interrupt: &'a Interrupt,
    watch: Stopwatch,
    bar: Option<ProgressBar>,
    smallest: Cell<usize>,
    told: Cell<Duration>,
    patient: bool,
}

impl<'a> Shrinking<'a> {
    /// Tells that something is being shrunk from so many operations. One that is not patient ends
    /// after ten seconds, however few tries that were.
    pub(super) fn begin(interrupt: &'a Interrupt, operations: usize, patient: bool) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        output::tell("shrinking; Ctrl-C keeps the smallest so far");
        Self {
            interrupt,
            watch: Stopwatch::start(),
            bar,
            smallest: Cell::new(operations),
            told: Cell::new(Duration::ZERO),
            patient,
        }
    }

    /// Whether to go on after so many tries.
    pub(super) fn go_on(&self, tries: u64) -> bool {
        let elapsed = self.watch.elapsed();
        let smallest = self.smallest.get();
        let message = format!("{smallest} operations after {tries} tries");
        if let Some(bar) = &self.bar {
            bar.set_message(message);
            bar.tick();
        } else if elapsed >= self.told.get() + BETWEEN_LINES {
            self.told.set(elapsed);
            output::tell(&format!("shrinking: {message}"));
        }
        let limit = if self.patient && tries < SHRINKING_TRIES {
            LONGEST_SHRINKING
        } else {
            SHRINKING
        };
        // What fails after one operation needs no plainer plan.
        let small_enough = !self.patient && smallest <= 1;
        elapsed < limit && !small_enough && !self.interrupt.is_raised()
    }

    /// A smaller plan fails, too.
    pub(super) fn accept(&self, operations: usize) {
        self.smallest.set(self.smallest.get().min(operations));
    }

    /// Clears the line of progress.
    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
