//! The graph of linearizability itself, for keys whose clients do not wait for answers.
//!
//! An operation comes before those that were invoked after it was over, and before the writes whose
//! context was made of its answer; a write before the reads that returned it; a read before the writes
//! that it cannot have seen. Quadratic in the operations of the key, cubic where there is a cycle: what
//! is too large for that is not looked at.

use std::collections::VecDeque;

use super::{Considered, disproof, ignored, show_order};
use crate::{causality::KeyView, history::OpId, verdict::Finding, write_set::WriteSet};

/// Larger graphs are not built.
const MOST_OPERATIONS: usize = 1_000;

/// What a graph shows.
pub(super) enum Shown {
    /// All operations can be put into one order.
    Acyclic,
    /// They cannot: a shortest reason.
    Cycle(Vec<OpId>, Finding),
    /// Nothing: it is too large.
    Unknown,
}

/// What has to be in the order, and what comes before what.
struct Graph<'v, 'h> {
    view: &'v KeyView<'h>,
    reads: &'v [Considered<'v, 'h>],
    /// Acknowledged, or returned.
    writes: Vec<usize>,
    /// For each operation, writes first, those that come right after it.
    after: Vec<Vec<usize>>,
}

/// Looks for a cycle.
pub(super) fn examine<'h>(view: &KeyView<'h>, reads: &[Considered<'_, 'h>]) -> Shown {
    let returned = reads.iter().flat_map(|read| read.read.returned.iter());
    let returned: WriteSet = returned.collect();
    let placed = |write: &usize| view.writes[*write].acknowledged() || returned.contains(*write);
    let writes: Vec<_> = (0..view.writes.len()).filter(placed).collect();
    let many = writes.len() + reads.len();
    if many > MOST_OPERATIONS {
        return Shown::Unknown;
    }
    let mut graph = Graph {
        view,
        reads,
        writes,
        after: Vec::new(),
    };
    let after = |first| {
        let after = (0..many).filter(|second| graph.comes_before(first, *second));
        after.collect()
    };
    graph.after = (0..many).map(after).collect();
    let cycles = (0..many).filter_map(|node| graph.cycle(node));
    let shortest = cycles.min_by_key(Vec::len);
    shortest.map_or(Shown::Acyclic, |cycle| graph.reason(&cycle))
}

impl Graph<'_, '_> {
    /// The number of a node among the reads.
    fn read(&self, node: usize) -> Option<usize> {
        node.checked_sub(self.writes.len())
    }

    fn id(&self, node: usize) -> OpId {
        match self.read(node) {
            Some(read) => self.reads[read].read.id,
            None => self.view.writes[self.writes[node]].id,
        }
    }

    fn comes_before(&self, first: usize, second: usize) -> bool {
        let (one, other) = (self.id(first), self.id(second));
        let orders = match (self.read(first), self.read(second)) {
            (None, Some(read)) => {
                let read = self.reads[read].read;
                read.returned.contains(self.writes[first])
            }
            (Some(_), None) => {
                self.lacks(first, second)
                    || self.view.writes[self.writes[second]].sources.contains(&one)
            }
            (None, None) => self.view.writes[self.writes[second]].sources.contains(&one),
            (Some(_), Some(_)) => false,
        };
        orders || self.view.precedes(one, other)
    }

    /// Whether a read cannot have seen a write.
    fn lacks(&self, read: usize, write: usize) -> bool {
        let seen = |read: usize| &self.reads[read].read.visible_may;
        let write = self.writes.get(write);
        let (Some(read), Some(write)) = (self.read(read), write) else {
            return false;
        };
        !seen(read).contains(*write)
    }

    /// A shortest way from a node back to it.
    fn cycle(&self, node: usize) -> Option<Vec<usize>> {
        let mut reached_from = vec![None; self.after.len()];
        let mut queue = VecDeque::from([node]);
        while let Some(at) = queue.pop_front() {
            for &next in &self.after[at] {
                if next == node {
                    let way = std::iter::successors(Some(at), |at| reached_from[*at]);
                    let mut way: Vec<_> = way.collect();
                    way.reverse();
                    return Some(way);
                }
                if reached_from[next].is_none() {
                    reached_from[next] = Some(at);
                    queue.push_back(next);
                }
            }
        }
        None
    }

    /// What a cycle shows.
    fn reason(&self, cycle: &[usize]) -> Shown {
        let view = self.view;
        let next = |at: usize| cycle[at % cycle.len()];
        let lacks = |at: &usize| self.lacks(next(*at), next(at + 1));
        let Some(at) = (0..cycle.len()).find(lacks) else {
            return Shown::Unknown;
        };
        let (lacking, missed) = (next(at), next(at + 1));
        let mut evidence: Vec<_> = cycle.iter().map(|node| self.id(*node)).collect();
        for at in 0..cycle.len() {
            let Some(read) = self.read(next(at)) else {
                continue;
            };
            let read = self.reads[read].read;
            evidence.extend(view.ids(&read.returned));
            if lacks(&at) {
                evidence.extend(disproof(view, read, self.writes[next(at + 1)]));
            }
        }
        show_order(view, &mut evidence);
        let (read, write) = (self.id(lacking), self.id(missed));
        let refuted = self.read(lacking).and_then(|number| {
            let read = self.reads[number].read;
            ignored(view, read, self.writes[missed])
        });
        let others: Vec<_> = (at + 2..at + cycle.len()).map(next).collect();
        let finding = match others[..] {
            [] => Finding::WriteMissed {
                read,
                write,
                ignored: refuted,
            },
            [earlier] if self.read(earlier).is_some() => Finding::ReadWentBack {
                earlier: self.id(earlier),
                read,
                write,
                ignored: refuted,
            },
            [saw] => Finding::WritesReordered {
                read,
                missed: write,
                saw: self.id(saw),
                ignored: refuted,
            },
            [.., last] => {
                let other = others.iter().find(|node| self.read(**node).is_some());
                Finding::ReadsCross {
                    reads: [read, self.id(*other.unwrap_or(&last))],
                    writes: [self.id(last), write],
                }
            }
        };
        Shown::Cycle(evidence, finding)
    }
}
