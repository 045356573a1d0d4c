//! Sets of siblings, and how a version supersedes another.

use std::{fmt::Debug, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::clocks::{Causality, DottedVersionVector, VectorClock};

use super::Version;

/// A value that may stand for a delete.
pub trait MaybeTombstone {
    /// Whether it does.
    fn is_tombstone(&self) -> bool;
}

/// What tracks the causality of one value.
pub trait Stamp: Clone + Debug + PartialEq {
    /// How this version stands to another one.
    fn compare(&self, other: &Self) -> Causality;

    /// The version as it is reported.
    fn version(&self) -> Version;
}

impl Stamp for VectorClock {
    fn compare(&self, other: &Self) -> Causality {
        self.compare(other)
    }

    fn version(&self) -> Version {
        Version::Clock(self.clone())
    }
}

impl Stamp for DottedVersionVector {
    /// Two versions of one key are the same one iff their dots are, and one supersedes another iff
    /// its past contains the other's dot (Preguiça et al. 2010, §5).
    fn compare(&self, other: &Self) -> Causality {
        if self.dot() == other.dot() {
            Causality::Equal
        } else if other.past().contains(self.dot()) {
            Causality::Before
        } else if self.past().contains(other.dot()) {
            Causality::After
        } else {
            Causality::Concurrent
        }
    }

    fn version(&self) -> Version {
        Version::Dotted(self.clone())
    }
}

/// One version of a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sibling<V, S> {
    /// The value, or what stands for a tombstone.
    pub value: V,
    /// Its version.
    #[serde(rename = "version")]
    pub stamp: S,
}

/// The siblings of one key. Shared, immutable, and cheap to clone.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Siblings<V, S>(Arc<[Sibling<V, S>]>);

impl<V, S> Clone for Siblings<V, S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V, S> Default for Siblings<V, S> {
    fn default() -> Self {
        Self(Arc::from([]))
    }
}

impl<V, S> From<Vec<Sibling<V, S>>> for Siblings<V, S> {
    fn from(siblings: Vec<Sibling<V, S>>) -> Self {
        Self(siblings.into())
    }
}

impl<V, S> std::ops::Deref for Siblings<V, S> {
    type Target = [Sibling<V, S>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<V: Clone, S: Stamp> Siblings<V, S> {
    /// These siblings and a new version, without those that it supersedes. O(siblings).
    #[must_use]
    pub fn with(&self, value: V, stamp: S) -> Self {
        let survivors = self
            .iter()
            .filter(|sibling| sibling.stamp.compare(&stamp) == Causality::Concurrent);
        let mut siblings = Vec::with_capacity(self.len() + 1);
        siblings.extend(survivors.cloned());
        siblings.push(Sibling { value, stamp });
        siblings.into()
    }

    /// The maximal versions of both: the least upper bound. O(|self| · |other|), and O(1) when both
    /// are the same allocation. Returns one of the two, shared, where it already is the answer.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        if self.same_allocation(other) || other.is_empty() {
            return self.clone();
        }
        let superseded = |sibling: &Sibling<V, S>, by: &Self| {
            by.iter()
                .any(|other| sibling.stamp.compare(&other.stamp) == Causality::Before)
        };
        let mine = self.iter().filter(|sibling| !superseded(sibling, other));
        let theirs = other.iter().filter(|sibling| !self.knows(sibling));
        match (mine.clone().count(), theirs.clone().count()) {
            (kept, 0) if kept == self.len() => self.clone(),
            (0, added) if added == other.len() => other.clone(),
            _ => Self(mine.chain(theirs).cloned().collect()),
        }
    }

    /// True when `other` holds a version that is neither here nor superseded here.
    /// O(|self| · |other|), and O(1) when both are the same allocation.
    pub fn lacks(&self, other: &Self) -> bool {
        !self.same_allocation(other) && other.iter().any(|theirs| !self.knows(theirs))
    }

    /// True when both are one allocation, which settles equality at once.
    pub fn same_allocation(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn knows(&self, sibling: &Sibling<V, S>) -> bool {
        self.iter().any(|mine| {
            matches!(
                sibling.stamp.compare(&mine.stamp),
                Causality::Before | Causality::Equal
            )
        })
    }
}
