//! Virtual time.

use std::{fmt, ops};

use serde::{Deserialize, Serialize};

/// A point in virtual time, or a span of it, in nanoseconds since the start of the run.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The start of the run; an empty span.
    pub const ZERO: Self = Self(0);

    /// A span of whole microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros * 1_000)
    }

    /// A span of whole milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// The span from an earlier point to this one; none when the other is the later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// This span `times` over, or the longest span there is.
    #[must_use]
    pub const fn times(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl ops::Add for Nanos {
    type Output = Self;

    /// Time saturates: a plan with absurd spans ends late instead of wrapping to the past.
    fn add(self, span: Self) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl fmt::Display for Nanos {
    /// Milliseconds with three decimals: `12.345 ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{:03} ms",
            self.0 / 1_000_000,
            self.0 % 1_000_000 / 1_000
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_saturates_and_prints_milliseconds() {
        assert_eq!(Nanos(u64::MAX) + Nanos(1), Nanos(u64::MAX));
        assert_eq!(Nanos::from_millis(3).times(2), Nanos(6_000_000));
        assert_eq!(Nanos(7).since(Nanos(3)), Nanos(4));
        assert_eq!(Nanos(3).since(Nanos(7)), Nanos::ZERO);
        assert_eq!(Nanos(12_345_678).to_string(), "12.345 ms");
    }
}
