//! Shrinking as a person sees it: what was found is told at once, then how far it shrank.

use std::{
    cell::Cell,
    io::{self, IsTerminal},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::interrupt::Interrupt;

use super::output::{self, Stopwatch};

/// How long a finding is shrunk, unless the command line says otherwise.
const SHRINKING: Duration = Duration::from_secs(10);

/// As many smaller plans are tried for a violation even when that takes longer: on a busy machine, or
/// of a program that starts slowly.
const SHRINKING_TRIES: u64 = 150;

/// But never longer than this.
const LONGEST_SHRINKING: Duration = Duration::from_mins(1);

/// A failure of a node is shrunk until as many tries in a row made it no smaller: what a node fails
/// of is seldom a race, and each run of it may take all patience with it.
const IDLE_TRIES: u64 = 30;

/// Between two lines of progress where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// A finding that is being shrunk.
pub(super) struct Shrinking<'a> {
    interrupt: &'a Interrupt,
    watch: Stopwatch,
    bar: Option<ProgressBar>,
    smallest: Cell<usize>,
    /// How small it was when last asked whether to go on, and since how many tries.
    stands: Cell<(usize, u64)>,
    told: Cell<Duration>,
    given: Option<Duration>,
    violation: bool,
}

impl<'a> Shrinking<'a> {
    /// Tells that a violation, or else the failure of a node, is being shrunk from so many operations,
    /// for as long as was given.
    pub(super) fn begin(
        interrupt: &'a Interrupt,
        operations: usize,
        given: Option<Duration>,
        violation: bool,
    ) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        if given != Some(Duration::ZERO) {
            output::tell("shrinking; Ctrl-C keeps the smallest so far");
        }
        Self {
            interrupt,
            watch: Stopwatch::start(),
            bar,
            smallest: Cell::new(operations),
            stands: Cell::new((operations, 0)),
            told: Cell::new(Duration::ZERO),
            given,
            violation,
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
        let limit = match self.given {
            Some(given) => given,
            None if self.violation && tries < SHRINKING_TRIES => LONGEST_SHRINKING,
            None => SHRINKING,
        };
        if smallest < self.stands.get().0 {
            self.stands.set((smallest, tries));
        }
        // What fails after one operation needs no plainer plan.
        let idle = smallest <= 1 || tries > self.stands.get().1 + IDLE_TRIES;
        elapsed < limit && (self.violation || !idle) && !self.interrupt.is_raised()
    }

    /// A plan with so many operations fails, too.
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
