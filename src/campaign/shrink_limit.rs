//! How long a finding is shrunk.

use std::time::Duration;

use crate::stopwatch::Stopwatch;

/// How long a finding is shrunk, unless somebody says otherwise.
const SHRINKING: Duration = Duration::from_secs(10);

/// As many smaller plans are tried for a violation even when that takes longer: on a busy machine, or
/// of a program that starts slowly.
const SHRINKING_TRIES: u64 = 150;

/// But never longer than this.
const LONGEST_SHRINKING: Duration = Duration::from_mins(1);

/// A failure of a node is shrunk until as many tries in a row made it no smaller: what a node fails
/// of is seldom a race, and each run of it may take all patience with it.
const IDLE_TRIES: u64 = 30;

/// Says when shrinking has lasted long enough. It begins when this is made.
#[derive(Clone, Debug)]
pub struct ShrinkLimit {
    watch: Stopwatch,
    given: Option<Duration>,
    violation: bool,
    /// How small it was when last asked whether to go on, and since how many tries.
    stands: (usize, u64),
}

impl ShrinkLimit {
    /// For a violation, or else the failure of a node; of a length that was given, or the usual one.
    pub fn begin(given: Option<Duration>, violation: bool) -> Self {
        Self {
            watch: Stopwatch::start(),
            given,
            violation,
            stands: (usize::MAX, 0),
        }
    }

    /// Whether to go on after so many tries, with so many operations left.
    pub fn go_on(&mut self, tries: u64, smallest: usize) -> bool {
        let limit = match self.given {
            Some(given) => given,
            None if self.violation && tries < SHRINKING_TRIES => LONGEST_SHRINKING,
            None => SHRINKING,
        };
        if smallest < self.stands.0 {
            self.stands = (smallest, tries);
        }
        // What fails after one operation needs no plainer plan.
        let idle = smallest <= 1 || tries > self.stands.1 + IDLE_TRIES;
        self.watch.elapsed() < limit && (self.violation || !idle)
    }
}
