//! Being asked to end: by Ctrl-C, or by whoever started this process.
//!
//! An [`Interrupt`] is a flag that everything that may take long looks at: campaigns between runs,
//! shrinking between tries, and the process layer whenever it waits for a program. What was found
//! until then is reported.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

/// A signal that asks this process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndSignal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: what service managers and CI send.
    Terminate,
}

impl EndSignal {
    /// Its number on every Unix.
    pub const fn number(self) -> u8 {
        match self {
            Self::Interrupt => 2,
            Self::Terminate => 15,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }
}

/// Whether this process was asked to end. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicU8>);

impl Interrupt {
    /// Notes the signal, unless another came before.
    pub fn raise(&self, signal: EndSignal) {
        let _ = self
            .0
            .compare_exchange(0, signal.number(), Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The first signal that came.
    pub fn signal(&self) -> Option<EndSignal> {
        let number = self.0.load(Ordering::Relaxed);
        [EndSignal::Interrupt, EndSignal::Terminate]
            .into_iter()
            .find(|signal| signal.number() == number)
    }

    /// True when a signal came.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_counts_and_clones_see_it() {
        let interrupt = Interrupt::default();
        let clone = interrupt.clone();
        assert_eq!(clone.signal(), None);
        interrupt.raise(EndSignal::Terminate);
        interrupt.raise(EndSignal::Interrupt);
        assert!(clone.is_raised());
        assert_eq!(clone.signal(), Some(EndSignal::Terminate));
    }
}
