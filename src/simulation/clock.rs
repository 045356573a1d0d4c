//! The clock of one node: what it shows at each moment of the run, and when it will show a time.
//!
//! A node's clock is a value: it may stand elsewhere than others, go faster or slower, and jump. Both
//! hands follow the run's time by a line with a slope; the wall's hand stands off by what can jump.

/// A moment or a span of the run, in nanoseconds since it began.
pub(crate) type Run = u64;

/// What the steady hand shows when the run begins: as if the machine had been on for a while, since
/// programs subtract spans from it.
const STEADY_START: u64 = 1_000_000_000_000;

/// What the wall's hand shows then: a fixed moment of 2023.
const WALL_START: u64 = 1_700_000_000_000_000_000;

/// In nanoseconds.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// Which hand of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hand {
    /// `CLOCK_MONOTONIC` and its kin: never jumps.
    Steady,
    /// `CLOCK_REALTIME` and its kin.
    Wall,
}

/// A time on one hand of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) hand: Hand,
    pub(crate) ns: u64,
}

/// The clock of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeClock {
    /// A moment of the run, and what the steady hand shows then.
    run: Run,
    steady: u64,
    /// How far the steady hand moves in a second of the run, in nanoseconds. Never 0.
    rate: u64,
    /// What is added to the steady hand to give the wall's, which never goes below 0.
    wall_offset: i128,
    /// How far the wall's hand has jumped in all.
    jumped: i128,
}

impl Default for NodeClock {
    fn default() -> Self {
        Self {
            run: 0,
            steady: STEADY_START,
            rate: SECOND,
            wall_offset: i128::from(WALL_START) - i128::from(STEADY_START),
            jumped: 0,
        }
    }
}

impl NodeClock {
    /// What a fault does to it at this moment of the run: [`NodeClock::jump`], then [`NodeClock::set_drift`].
    pub fn change(&mut self, run: u64, jump_ns: i64, drift_ppm: i32) {
        self.jump(jump_ns);
        self.set_drift(run, drift_ppm);
    }

    /// From this moment of the run on, in nanoseconds, the clock is too fast by so many parts per
    /// million, or too slow where they are negative. It never stands still. Where it is neither any
    /// more, the wall's hand is put right, but for its jumps.
    pub fn set_drift(&mut self, run: u64, ppm: i32) {
        self.steady = self.steady(run);
        self.run = run;
        let more = i64::from(ppm) * SECOND.cast_signed() / 1_000_000;
        self.rate = SECOND.saturating_add_signed(more).max(1);
        if ppm == 0 {
            let right = i128::from(WALL_START) + i128::from(run) + self.jumped;
            self.wall_offset = right - i128::from(self.steady);
        }
    }

    /// True when spans are not as long on it as they are.
    pub(crate) fn drifts(&self) -> bool {
        self.rate != SECOND
    }

    /// What the wall's hand shows at a moment of the run, in nanoseconds.
    pub fn wall(&self, run: u64) -> u64 {
        self.shows(Hand::Wall, run)
    }

    /// The wall's hand jumps by so many nanoseconds; the steady one does not.
    pub fn jump(&mut self, by: i64) {
        self.jumped += i128::from(by);
        self.wall_offset += i128::from(by);
    }

    fn steady(&self, run: Run) -> u64 {
        // What was before the last change of the rate is not asked for.
        let passed = u128::from(run.saturating_sub(self.run));
        let moved = passed * u128::from(self.rate) / u128::from(SECOND);
        self.steady
            .saturating_add(u64::try_from(moved).unwrap_or(u64::MAX))
    }

    /// What a hand shows at a moment of the run.
    pub(crate) fn shows(&self, hand: Hand, run: Run) -> u64 {
        let steady = self.steady(run);
        match hand {
            Hand::Steady => steady,
            Hand::Wall => clamped(i128::from(steady) + self.wall_offset),
        }
    }

    /// The first moment of the run at which a hand shows at least this. O(1).
    pub(crate) fn when(&self, reading: Reading) -> Run {
        let steady = match reading.hand {
            Hand::Steady => reading.ns,
            Hand::Wall => clamped(i128::from(reading.ns) - self.wall_offset),
        };
        let ahead = u128::from(steady.saturating_sub(self.steady)) * u128::from(SECOND);
        let passed = u64::try_from(ahead.div_ceil(u128::from(self.rate))).unwrap_or(u64::MAX);
        self.run.saturating_add(passed)
    }

    /// What a hand still lacks to show a time, as a span on it.
    pub(crate) fn lacks(&self, reading: Reading, run: Run) -> u64 {
        reading.ns.saturating_sub(self.shows(reading.hand, run))
    }

    /// What a hand will show when this span has passed on it.
    pub(crate) fn after(&self, run: Run, span: u64) -> Reading {
        Reading {
            hand: Hand::Steady,
            ns: self.steady(run).saturating_add(span),
        }
    }
}

fn clamped(ns: i128) -> u64 {
    u64::try_from(ns.max(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clock(drift: i32, jump: i64, changed: Run) -> NodeClock {
        let mut clock = NodeClock::default();
        clock.set_drift(changed, drift);
        clock.jump(jump);
        clock
    }

    proptest! {
        #![proptest_config(crate::property_tests::drawing(500))]

        #[test]
        fn a_hand_shows_a_time_first_when_it_is_said_to(
            drift in -500_000..1_000_000,
            jump in -3_600_000_000_000_i64..3_600_000_000_000,
            changed in 0_u64..1 << 40,
            later in 1_u64..1 << 42,
            wall: bool,
        ) {
            let clock = clock(drift, jump, changed);
            let hand = if wall { Hand::Wall } else { Hand::Steady };
            let reading = Reading { hand, ns: clock.shows(hand, changed) + later };
            let when = clock.when(reading);
            prop_assert!(clock.shows(hand, when) >= reading.ns);
            prop_assert!(clock.shows(hand, when - 1) < reading.ns);
        }
    }

    #[test]
    fn a_clock_that_runs_twice_as_fast_is_there_in_half_the_time() {
        let clock = clock(1_000_000, 0, 0);
        assert_eq!(clock.when(clock.after(0, 10 * SECOND)), 5 * SECOND);
    }

    #[test]
    fn a_wall_that_drifted_is_put_right_and_what_is_steady_never_goes_back() {
        let mut clock = NodeClock::default();
        clock.jump(7);
        clock.set_drift(SECOND, 500_000);
        let steady = clock.shows(Hand::Steady, 3 * SECOND);
        assert_eq!(clock.wall(3 * SECOND), WALL_START + 4 * SECOND + 7);
        clock.set_drift(3 * SECOND, 0);
        assert_eq!(clock.wall(3 * SECOND), WALL_START + 3 * SECOND + 7);
        assert_eq!(clock.shows(Hand::Steady, 3 * SECOND), steady);
        // Half as fast again: of three seconds on it one is gone after a third less.
        clock.set_drift(3 * SECOND, 500_000);
        let due = clock.after(3 * SECOND, 3 * SECOND);
        assert_eq!(clock.when(due), 5 * SECOND);
        assert_eq!(clock.lacks(due, 4 * SECOND), 3 * SECOND / 2);
    }

    #[test]
    fn only_the_wall_jumps() {
        let mut clock = NodeClock::default();
        let (steady, wall) = (clock.after(0, SECOND), clock.shows(Hand::Wall, SECOND));
        clock.jump(500_000_000);
        assert_eq!(clock.when(steady), SECOND);
        let wall = Reading {
            hand: Hand::Wall,
            ns: wall,
        };
        assert_eq!(clock.when(wall), SECOND / 2);
    }
}
