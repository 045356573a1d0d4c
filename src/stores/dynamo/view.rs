//! Who the members of the cluster are, and how that changes.
//!
//! A change goes through two *versions* of the view: a pending one, in which the owners of both the members
//! before and the members after it count, and a settled one. One node, the *claimant*, makes all changes,
//! one after the other (the pattern of Riak's claimant), so versions are totally ordered. It settles a
//! change when every member before and after it has said that it goes by the pending view and has handed over
//! what others own from now on. Then
//!
//! - no quorum of an older view can be formed any more, as members refuse what is asked under another
//!   version than theirs;
//! - what a quorum of owners had before the change, as many of the owners after it have.
//!
//! A node that has left may have got something since it handed its keys over. The next change waits until it
//! has handed over that, too, and is empty. So no node has anything of a version that others have forgotten.
//!
//! So a read that asks a quorum under any version sees each write that was acknowledged before it under
//! any version. A member that is down, or one that goes down on leaving, holds up changes, and nothing else.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    clocks::VectorClock,
    stores::{Change, Key},
};

/// Who the members are, in one version. Versions are compared first; two views of one version are only
/// there where a claimant has lost its storage, and then the greater one counts everywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Grows with each step of a change.
    pub version: u64,
    /// Who makes changes, by position.
    pub claimant: u32,
    /// The members, by their positions.
    pub members: BTreeSet<u32>,
    /// Who they will be after the change that is pending: the same where only tombstones are reaped.
    pub next: Option<BTreeSet<u32>>,
    /// Nodes that were members before and may have something to hand over yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub leaving: BTreeSet<u32>,
    /// Deleted keys that all members forget with this version, each with the events that are forgotten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reaped: Vec<(Key, VectorClock)>,
}

impl View {
    /// The first one: every node of the cluster is a member.
    pub fn first(nodes: u32) -> Self {
        Self {
            version: 0,
            claimant: 0,
            members: (0..nodes).collect(),
            next: None,
            leaving: BTreeSet::new(),
            reaped: Vec::new(),
        }
    }

    /// The view in which a change is pending; `None` where it changes nothing, where another one is pending,
    /// or where nobody would be left.
    pub fn with(&self, node: u32, change: Change) -> Option<Self> {
        let mut next = self.members.clone();
        let changed = match change {
            Change::Join => next.insert(node),
            Change::Leave => next.remove(&node),
        };
        (changed && self.next.is_none() && !next.is_empty()).then(|| Self {
            version: self.version + 1,
            next: Some(next),
            leaving: BTreeSet::new(),
            reaped: Vec::new(),
            ..self.clone()
        })
    }

    /// The view after the change that is pending, if one is.
    pub fn settled(&self) -> Option<Self> {
        let members = self.next.clone()?;
        let stays = members.contains(&self.claimant);
        let first = members.first().copied()?;
        Some(Self {
            version: self.version + 1,
            claimant: if stays { self.claimant } else { first },
            leaving: self.members.difference(&members).copied().collect(),
            members,
            next: None,
            reaped: Vec::new(),
        })
    }

    /// The members before and after the change that is pending.
    pub fn involved(&self) -> BTreeSet<u32> {
        let next = self.next.iter().flatten();
        self.members.iter().chain(next).copied().collect()
    }

    /// Whether it names only nodes of a cluster of so many, and somebody: what a neighbour sends may not.
    pub fn is_of(&self, nodes: usize) -> bool {
        let known = |node: &u32| (*node as usize) < nodes;
        let next_is = |next: &BTreeSet<u32>| !next.is_empty() && next.iter().all(known);
        self.leaving.iter().all(known)
            && known(&self.claimant)
            && !self.members.is_empty()
            && self.members.iter().all(known)
            && self.next.as_ref().is_none_or(next_is)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_pending_first_and_settled_then() {
        let first = View::first(3);
        let pending = first.with(2, Change::Leave).unwrap();
        assert!(pending > first);
        assert_eq!(pending.involved(), BTreeSet::from([0, 1, 2]));
        assert_eq!(pending.with(1, Change::Leave), None, "one at a time");
        let settled = pending.settled().unwrap();
        assert!(settled > pending);
        assert_eq!(settled.members, BTreeSet::from([0, 1]));
        assert_eq!(settled.leaving, BTreeSet::from([2]));
        assert_eq!(settled.settled(), None);
        assert_eq!(settled.with(1, Change::Join), None, "it is there");
        let back = settled
            .with(2, Change::Join)
            .and_then(|view| view.settled());
        assert_eq!(back.unwrap().members, first.members);
    }

    #[test]
    fn a_claimant_that_leaves_has_a_successor_and_the_last_member_stays() {
        let left = |view: &View, node| {
            view.with(node, Change::Leave)
                .and_then(|view| view.settled())
        };
        let two = left(&View::first(3), 0).unwrap();
        assert_eq!(two.claimant, 1);
        let one = left(&two, 1).unwrap();
        assert_eq!((one.claimant, one.members.len()), (2, 1));
        assert_eq!(left(&one, 2), None);
    }

    #[test]
    fn a_view_of_strangers_is_none_of_this_cluster() {
        let mut view = View::first(3);
        assert!(view.is_of(3) && !view.is_of(2));
        view.next = Some(BTreeSet::new());
        assert!(!view.is_of(3));
        view.next = Some(BTreeSet::from([7]));
        assert!(!view.is_of(3));
    }
}
