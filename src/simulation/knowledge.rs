//! What nodes can know of each other, at most.
//!
//! A node can know what another one did up to a time only if a chain of delivered messages leads from
//! there, since that time, to it. So each node has a row with the latest such time of every other
//! node; a message takes a copy of its sender's row along, in which the sender itself stands at the
//! time of sending, and where it is delivered the greater times are kept. A crash takes nothing away:
//! these are upper bounds.
//!
//! Snapshots of messages on their way are slots that are used again. O(nodes) a message, and none
//! of it where there is one node.

use super::time::Nanos;

/// The row that a message takes along, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Snapshot(u32);

impl Snapshot {
    /// That of a message which tells nothing of nodes.
    pub(super) const NONE: Self = Self(u32::MAX);
}

/// Rows of times, one nanosecond later than they are, so that 0 means never.
pub(super) struct Knowledge {
    nodes: usize,
    rows: Vec<u64>,
    slots: Vec<u64>,
    free: Vec<u32>,
}

impl Knowledge {
    pub(super) fn new(nodes: u32) -> Self {
        let nodes = nodes as usize;
        Self {
            nodes,
            rows: vec![0; nodes * nodes],
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    /// What a message that a node sends now takes along.
    pub(super) fn leave(&mut self, node: u32, now: Nanos) -> Snapshot {
        if self.nodes == 1 {
            return Snapshot::NONE;
        }
        let node = node as usize;
        let row = node * self.nodes..(node + 1) * self.nodes;
        let slot = self.free.pop().unwrap_or_else(|| {
            let slot = self.slots.len() / self.nodes;
            self.slots.resize(self.slots.len() + self.nodes, 0);
            u32::try_from(slot).unwrap_or(u32::MAX)
        });
        let at = slot as usize * self.nodes;
        self.slots[at..at + self.nodes].copy_from_slice(&self.rows[row]);
        self.slots[at + node] = now.0.saturating_add(1);
        Snapshot(slot)
    }

    /// A message has arrived at a node.
    pub(super) fn arrive(&mut self, node: u32, snapshot: Snapshot) {
        if snapshot == Snapshot::NONE {
            return;
        }
        let (at, row) = (snapshot.0 as usize * self.nodes, node as usize * self.nodes);
        let theirs = &self.slots[at..at + self.nodes];
        for (mine, theirs) in self.rows[row..row + self.nodes].iter_mut().zip(theirs) {
            *mine = (*mine).max(*theirs);
        }
        self.drop(snapshot);
    }

    /// A message will not arrive.
    pub(super) fn drop(&mut self, snapshot: Snapshot) {
        if snapshot != Snapshot::NONE {
            self.free.push(snapshot.0);
        }
    }

    /// The latest time of which a node can know what another one had done by then; `None` when no
    /// word of it can have come.
    pub(super) fn of(&self, node: u32, other: u32) -> Option<Nanos> {
        let at = node as usize * self.nodes + other as usize;
        let time = self.rows.get(at)?.checked_sub(1)?;
        Some(Nanos(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_travels_along_chains_of_messages() {
        let mut knowledge = Knowledge::new(3);
        let first = knowledge.leave(0, Nanos(5));
        let second = knowledge.leave(0, Nanos(9));
        knowledge.arrive(1, first);
        assert_eq!(knowledge.of(1, 0), Some(Nanos(5)));
        assert_eq!((knowledge.of(2, 0), knowledge.of(0, 1)), (None, None));
        let on = knowledge.leave(1, Nanos(20));
        knowledge.drop(second);
        knowledge.arrive(2, on);
        assert_eq!(knowledge.of(2, 0), Some(Nanos(5)));
        assert_eq!(knowledge.of(2, 1), Some(Nanos(20)));
        // What is older changes nothing, and slots are used again.
        let third = knowledge.leave(0, Nanos(0));
        knowledge.arrive(1, third);
        assert_eq!(knowledge.of(1, 0), Some(Nanos(5)));
        assert_eq!(knowledge.slots.len(), 2 * 3);
    }

    #[test]
    fn one_node_alone_needs_none_of_it() {
        let mut knowledge = Knowledge::new(1);
        assert_eq!(knowledge.leave(0, Nanos(1)), Snapshot::NONE);
        knowledge.arrive(0, Snapshot::NONE);
        assert_eq!(knowledge.of(0, 0), None);
    }
}
