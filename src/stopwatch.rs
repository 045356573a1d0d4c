//! A watch for figures, progress, and how much is done: never for what a run finds.

use std::time::{Duration, Instant};

/// A watch that was started once.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts one.
    #[expect(
        clippy::disallowed_methods,
        reason = "decides how many runs there are, and nothing in them"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since it was started.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// When the next part is over, if what is left of a budget is shared equally by so many.
    pub fn next_part(self, budget: Duration, parts: u64) -> Duration {
        let elapsed = self.elapsed();
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        elapsed + budget.saturating_sub(elapsed) / parts.max(1)
    }
}
