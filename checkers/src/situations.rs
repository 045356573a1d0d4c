//! Interesting situations: how often a history got into the corners where stores go wrong.
//!
//! A campaign that is Valid without having met concurrent writes says nothing. These counts stand
//! beside every verdict, so that a reader can see what was exercised.

pub(crate) mod observed;

macro_rules! situations {
    ($($variant:ident, $name:literal;)*) => {
        /// A situation worth counting.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Situation {
            $(#[doc = $name] $variant,)*
        }

        impl Situation {
            /// Every situation, in the order of reports.
            pub const ALL: [Self; [$(Self::$variant),*].len()] = [$(Self::$variant),*];

            /// What it is called in reports.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

situations! {
    ConcurrentWrites, "writes with a concurrent write of the key";
    OneCoordinator, "concurrent writes through one coordinator";
    TwoSiblings, "reads of two siblings";
    ManySiblings, "reads of three or more siblings";
    BlindAgain, "blind writes by a client that wrote the key before";
    StaleContext, "writes with a stale context";
    Merge, "writes in place of several siblings";
    JoinedContexts, "writes with the contexts of two answers joined";
    OwnWrite, "writes with the context of the client's own write";
    EqualValues, "equal values written by different clients";
    Deletes, "deletes";
    Recreated, "writes over a tombstone";
    UnknownOutcome, "writes with an unknown outcome";
    UnknownSeen, "writes with an unknown outcome that a read returned";
}

/// A write is compared with at most this many concurrent ones when a situation needs one of a kind.
pub(crate) const MOST_COMPARED: usize = 64;

/// What its context shows of one write.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a situation of its own"
)]
pub(crate) struct Corners {
    pub(crate) is_concurrent: bool,
    pub(crate) at_one_node: bool,
    pub(crate) is_blind_again: bool,
    pub(crate) is_stale: bool,
    pub(crate) merges: bool,
    pub(crate) joins: bool,
    pub(crate) follows_own: bool,
    pub(crate) recreates: bool,
}

/// How often each situation arose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Situations([u64; Situation::ALL.len()]);

impl Situations {
    /// How often `situation` arose.
    pub const fn count(&self, situation: Situation) -> u64 {
        self.0[situation as usize]
    }

    /// Every situation with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Situation, u64)> + '_ {
        Situation::ALL
            .into_iter()
            .map(|situation| (situation, self.count(situation)))
    }

    /// Adds the counts of another history.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.0.iter_mut().zip(&other.0) {
            *sum += count;
        }
    }

    /// Counts what one write shows.
    pub(crate) fn note_write(&mut self, write: Corners) {
        for (situation, arose) in [
            (Situation::ConcurrentWrites, write.is_concurrent),
            (Situation::OneCoordinator, write.at_one_node),
            (Situation::BlindAgain, write.is_blind_again),
            (Situation::StaleContext, write.is_stale),
            (Situation::Merge, write.merges),
            (Situation::JoinedContexts, write.joins),
            (Situation::OwnWrite, write.follows_own),
            (Situation::Recreated, write.recreates),
        ] {
            self.note(situation, arose);
        }
    }

    pub(crate) fn note(&mut self, situation: Situation, arose: bool) {
        self.count_up(situation, u64::from(arose));
    }

    pub(crate) fn count_up(&mut self, situation: Situation, times: u64) {
        self.0[situation as usize] += times;
    }
}
