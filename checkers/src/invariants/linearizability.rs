//! Linearizability of one key as a multi-value register, in O(n log n).
//!
//! **Definition.** There is one order of all acknowledged operations and some of those with an
//! unknown outcome, in which an operation that completed before another was invoked comes first,
//! and every read returns just the applied writes that nothing applied supersedes. Linearizability
//! is local, so each key is judged by itself. A write must supersede what its context covers, and
//! may supersede its client's earlier writes (`may`).
//!
//! **Criterion.** Draw an edge `a ⇒ b` when `a` completes before `b` is invoked, `w ⇒ r` when `w ∈
//! V(r)`, and `r ⇒ w` when `w ∉ V(r)` and `w` is acknowledged or visible to another read. With no
//! thin air and dominance intact, the history is linearizable iff this graph is acyclic. The graph
//! is never built:
//!
//! 1. The visible sets of a linearizable history form a chain under inclusion. Sorted by size,
//!    neighbours must nest. (`V(a) ⊆ V(b)` iff `S(a) ⊆ V(b)`, as `V(b)` is closed.) Two that do not
//!    are the counterexample: each read lacks a write that the other returned.
//! 2. Equal sets are one class. A read has the rank of its class; a write the gap before the first
//!    class that holds it, or after all when none does.
//! 3. Sweep by time: no operation may be invoked after the completion of another whose rank is
//!    larger.
//!
//! `V` is `V_may`: a client's earlier write completes before its next is invoked, so it is in the
//! prefix of any order. With hidden tombstones `V` is only an interval, and a key with deletes is
//! left to `Unknown`.
//!
//! ```text
//! c1  write "a" ─ ok
//! c2                  read ─ ok []          "a" was acknowledged before
//! ```
//!
//! Sound and complete; evidence is a shortest reason for the first conflict. Sources: Herlihy &
//! Wing 1990; Burckhardt et al. 2014; that the search vanishes rests on reads determining what they
//! saw (semantics §2, §5).

use super::{Found, Subject};
use crate::{
    causality::{KeyView, Node, ReadView, WriteView},
    history::{OpId, Status, TimeNs},
    verdict::Finding,
    write_set::NOTHING,
};

pub(super) fn linearizability(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    if view.hides_deletes() {
        return;
    }
    let mut reads: Vec<_> = view
        .sound_reads()
        .map(|read| (read.visible_may.len(), read))
        .collect();
    reads.sort_by_key(|(size, _)| *size);
    let reads: Vec<_> = reads.into_iter().map(|(_, read)| read).collect();
    for _ in &reads {
        found.tested();
    }
    let mut nested = true;
    for pair in reads.windows(2) {
        let &[smaller, larger] = pair else { continue };
        if !smaller.returned.is_subset(&larger.visible_may) {
            nested = false;
            report_crossing(view, smaller, larger, found);
        }
    }
    if nested {
        Ranking::new(view, &reads).sweep(found);
    }
}

/// Two reads that each lack a write that the other returned.
fn report_crossing(view: &KeyView<'_>, a: &ReadView<'_>, b: &ReadView<'_>, found: &mut Found) {
    let only = |one: &ReadView<'_>, other: &ReadView<'_>| {
        one.returned.difference(&other.visible_may).next()
    };
    let (Some(only_a), Some(only_b)) = (only(a, b), only(b, a)) else {
        return;
    };
    found.violated(|| {
        let mut evidence = vec![a.id, b.id];
        evidence.extend(view.ids(&a.returned).chain(view.ids(&b.returned)));
        let writes = [view.writes[only_a].id, view.writes[only_b].id];
        (
            evidence,
            Finding::ReadsCross {
                reads: [a.id, b.id],
                writes,
            },
        )
    });
}

/// Where every operation of a key stands in any linearization: reads of class `c` have rank
/// `2c + 1`, writes first visible in class `c` have rank `2c`.
struct Ranking<'v, 'h> {
    view: &'v KeyView<'h>,
    /// One read of each class, by size of what they saw.
    classes: Vec<&'v ReadView<'h>>,
    writes: Vec<Option<usize>>,
    reads: Vec<Option<usize>>,
}

impl<'v, 'h> Ranking<'v, 'h> {
    /// Ranks operations, given the reads in an order in which what they saw nests.
    fn new(view: &'v KeyView<'h>, ordered: &[&'v ReadView<'h>]) -> Self {
        let mut classes: Vec<&ReadView<'_>> = Vec::new();
        let mut writes = vec![None; view.writes.len()];
        let mut reads = vec![None; view.reads.len()];
        for read in ordered {
            if classes
                .last()
                .is_none_or(|last| last.visible_may != read.visible_may)
            {
                let seen = classes.last().map_or(&NOTHING, |last| &last.visible_may);
                for write in read.visible_may.difference(seen) {
                    writes[write] = Some(2 * classes.len());
                }
                classes.push(read);
            }
            if let Some(Node::Read(number, _)) = view.node(read.id) {
                reads[number] = Some(2 * classes.len() - 1);
            }
        }
        for (rank, write) in writes.iter_mut().zip(&view.writes) {
            if write.acknowledged() {
                rank.get_or_insert(2 * classes.len());
            }
        }
        Self {
            view,
            classes,
            writes,
            reads,
        }
    }

    fn rank(&self, op: OpId) -> Option<usize> {
        match self.view.node(op)? {
            Node::Write(number, _) => self.writes[number],
            Node::Read(number, _) => self.reads[number],
        }
    }

    /// Looks for an operation that was invoked after the completion of one with a larger rank.
    ///
    /// At equal times only a client's own order and the sources of a context decide.
    fn sweep(&self, found: &mut Found) {
        let mut operations: Vec<OpId> = self.view.writes.iter().map(|write| write.id).collect();
        operations.extend(self.view.reads.iter().map(|read| read.id));
        operations.retain(|op| self.rank(*op).is_some());
        operations.sort_unstable();
        let mut completions: Vec<(TimeNs, OpId)> = operations
            .iter()
            .filter_map(|op| Some((self.completed(*op)?, *op)))
            .collect();
        completions.sort_unstable();
        let mut completions = completions.into_iter().peekable();
        let mut latest: Option<(usize, OpId)> = None;
        for &op in &operations {
            let invoked = self.view.operation(op).invoked;
            while let Some((_, done)) = completions.next_if(|(completed, _)| *completed < invoked) {
                latest = latest.max(self.rank(done).map(|rank| (rank, done)));
            }
            let rank = self.rank(op);
            let at_once = self
                .view
                .previous(op)
                .filter(|done| self.completed(*done) == Some(invoked));
            let sources = match self.view.node(op) {
                Some(Node::Write(_, write)) => &write.write.sources[..],
                _ => &[],
            };
            let nearby = at_once.into_iter().chain(sources.iter().copied());
            let nearby = nearby.filter_map(|done| Some((self.rank(done)?, done)));
            let conflict = latest
                .into_iter()
                .chain(nearby)
                .find(|(before, _)| Some(*before) > rank);
            if let Some((_, first)) = conflict {
                self.report(first, op, found);
            }
        }
    }

    /// When an operation certainly had taken effect.
    fn completed(&self, op: OpId) -> Option<TimeNs> {
        let op = self.view.operation(op);
        op.completed.filter(|_| op.status == Status::Ok)
    }

    /// `first` completed before `second` was invoked, and has the larger rank.
    fn report(&self, first: OpId, second: OpId, found: &mut Found) {
        let view = self.view;
        let (Some(first_node), Some(second_node)) = (view.node(first), view.node(second)) else {
            return;
        };
        match (first_node, second_node) {
            (Node::Write(_, missed), Node::Read(_, read)) => {
                missed_write(missed, read, view, found);
            }
            (Node::Read(_, earlier), Node::Read(_, read)) => {
                let gone = || earlier.returned.difference(&read.visible_may);
                let acknowledged = |write: &usize| view.precedes(view.writes[*write].id, read.id);
                if let Some(missed) = gone().find(acknowledged) {
                    return missed_write(&view.writes[missed], read, view, found);
                }
                let Some(write) = gone().next() else { return };
                found.violated(|| {
                    let mut evidence = vec![earlier.id, read.id];
                    evidence.extend(view.ids(&earlier.returned).chain(view.ids(&read.returned)));
                    let (earlier, read, write) = (earlier.id, read.id, view.writes[write].id);
                    (
                        evidence,
                        Finding::ReadWentBack {
                            earlier,
                            read,
                            write,
                        },
                    )
                });
            }
            (Node::Write(_, missed), Node::Write(number, saw)) => {
                let class = self.writes[number].and_then(|rank| self.classes.get(rank / 2));
                let Some(read) = class else { return };
                if view.precedes(missed.id, read.id) {
                    return missed_write(missed, read, view, found);
                }
                let later = |write: &usize| view.precedes(missed.id, view.writes[*write].id);
                let witness = Some(number).filter(|number| read.returned.contains(*number));
                let witness = witness.or_else(|| read.returned.iter().find(later));
                let saw = witness.map_or(saw.id, |write| view.writes[write].id);
                found.violated(|| {
                    let mut evidence = vec![missed.id, saw, read.id];
                    evidence.extend(view.ids(&read.returned));
                    let (read, missed) = (read.id, missed.id);
                    (evidence, Finding::WritesReordered { read, missed, saw })
                });
            }
            // A read cannot have seen a write that was invoked after it completed.
            (Node::Read(..), Node::Write(..)) => {}
        }
    }
}

/// A read lacks a write that was acknowledged before it was invoked.
fn missed_write(write: &WriteView<'_>, read: &ReadView<'_>, view: &KeyView<'_>, found: &mut Found) {
    found.violated(|| {
        let mut evidence = vec![write.id, read.id];
        evidence.extend(view.ids(&read.returned));
        let (read, write) = (read.id, write.id);
        (evidence, Finding::WriteMissed { read, write })
    });
}
