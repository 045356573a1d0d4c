//! The steps of a node that a planted bug may replace.

use crate::clocks::DvvSet;

/// The steps that a planted bug may replace.
#[derive(Clone, Copy, Debug)]
pub struct Rules<V> {
    /// How many nodes have a write on storage when it is acknowledged, of the number that is asked for.
    pub enough: fn(u8) -> u8,
    /// What a node has of a key after another one has sent what it has.
    pub merge: fn(&DvvSet<V>, &DvvSet<V>) -> DvvSet<V>,
    /// When a coordinator makes its own copy durable.
    pub durable: Durable,
    /// What becomes of hints.
    pub hints: Hints,
    /// Who counts while nodes have heard of different members.
    pub views: Views,
    /// Which keys stand in the trees that are compared.
    pub trees: Trees,
    /// When a tombstone is dropped.
    pub reaping: Reaping,
}

/// When a coordinator makes its own copy of a write durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durable {
    /// Before anybody hears of its dot, so that no dot is given out twice.
    First,
    /// Some time later: the others have it.
    Later,
}

/// What becomes of hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hints {
    /// They are durable, and handed off as they are.
    Kept,
    /// They are in memory only.
    InMemory,
    /// The name of a node that has handed a key off stays the same.
    SameName,
    /// The node that hands a value off writes it anew.
    WrittenAnew,
}

/// Who counts while nodes have heard of different members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Views {
    /// The owners before and after a change, and only those that go by the same view as who asks.
    Agreed,
    /// The owners of whom who asks has heard last, and nobody is told twice who the members are.
    Disagreeing,
}

/// Which keys stand in the trees that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trees {
    /// All, as they are.
    Whole,
    /// A delete leaves the tree as it was.
    WithoutTombstones,
}

/// When a tombstone is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaping {
    /// When all owners have it, and nobody has anything else.
    Agreed,
    /// When a node has told that it has it.
    Early,
}

impl<V: Clone> Default for Rules<V> {
    /// The correct node.
    fn default() -> Self {
        Self {
            enough: |wanted| wanted,
            merge: DvvSet::sync,
            durable: Durable::First,
            hints: Hints::Kept,
            views: Views::Agreed,
            trees: Trees::Whole,
            reaping: Reaping::Agreed,
        }
    }
}
