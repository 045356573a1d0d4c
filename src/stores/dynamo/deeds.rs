//! What a node has done, to show that its mechanisms were at work: a test in which nothing was handed off says
//! nothing of hand-off.

use super::Quorums;

/// How often a node has done what is not done for every request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Deeds {
    /// It let another node coordinate a write.
    pub(super) forwarded: u64,
    /// It sent a write to a node that stands in for an owner, or stood in itself.
    pub(super) stood_in: u64,
    /// It kept a write for an owner that had not answered.
    pub(super) hinted: u64,
    /// An owner has what was kept for it.
    pub(super) handed_off: u64,
    /// It told an owner what it lacked, after a read.
    pub(super) repaired: u64,
    /// It found that it and a peer did not have the same.
    pub(super) differed: u64,
    /// It took another name for its dots.
    pub(super) renamed: u64,
    /// It went through a change of the members.
    pub(super) changed: u64,
    /// It kept a key for a node that was to own it after a change.
    pub(super) handed_over: u64,
    /// It forgot a deleted key.
    pub(super) reaped: u64,
}

const FORWARDED: &str = "writes forwarded to a coordinator";
const STOOD_IN: &str = "writes kept in place of an owner";
const HINTED: &str = "hints for owners that did not answer";
const HANDED_OFF: &str = "hints handed off";
const REPAIRED: &str = "reads that repaired an owner";
const DIFFERED: &str = "comparisons that found a difference";
const RENAMED: &str = "dot sources renewed after a hand-off";
const CHANGED: &str = "changes of the members";
const HANDED_OVER: &str = "keys handed over to new owners";
const REAPED: &str = "tombstones reaped";

impl Deeds {
    /// By their names.
    pub(super) fn named(self) -> Vec<(&'static str, u64)> {
        vec![
            (FORWARDED, self.forwarded),
            (STOOD_IN, self.stood_in),
            (HINTED, self.hinted),
            (HANDED_OFF, self.handed_off),
            (REPAIRED, self.repaired),
            (DIFFERED, self.differed),
            (RENAMED, self.renamed),
            (CHANGED, self.changed),
            (HANDED_OVER, self.handed_over),
            (REAPED, self.reaped),
        ]
    }
}

impl Quorums {
    /// The mechanisms that so many nodes have, by their names, and what is said where one was never at work.
    pub fn mechanisms(self, nodes: usize) -> Vec<(&'static str, &'static str)> {
        let quorums = self.among(nodes);
        let mut all = Vec::new();
        if quorums.owners > 1 {
            if !quorums.background {
                all.extend([
                    (HINTED, "no owner missed a write"),
                    (HANDED_OFF, "nothing was handed off"),
                    (REPAIRED, "no read repaired an owner"),
                ]);
            }
            all.extend([(DIFFERED, "no comparison of two owners found a difference")]);
        }
        if nodes > 1 {
            all.extend([
                (CHANGED, "nobody left or joined"),
                (HANDED_OVER, "nothing was handed over to a new owner"),
                (REAPED, "no tombstone was reaped"),
            ]);
        }
        if nodes > usize::from(quorums.owners) {
            all.push((FORWARDED, "no write was forwarded"));
            if quorums.sloppy {
                all.push((STOOD_IN, "nobody stood in for an owner"));
            }
        }
        all
    }
}
