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
//!    neighbours must nest. Two that do not are the counterexample: each read lacks a write that
//!    the other saw.
//! 2. Equal sets are one class. A read has the rank of its class; a write the gap before the first
//!    class that holds it, or after all when none does.
//! 3. Sweep by time: no operation may be invoked after the completion of another whose rank is
//!    larger.
//!
//! `V` is `V_may`: a client's earlier write completes before its next is invoked, so it is in the
//! prefix of any order. One with an unknown outcome that no read returned is dropped from all `V`: it
//! may never have happened. Where clients do not wait for answers, a write in `V_may` may have taken
//! effect after the read nevertheless: there a conflict is believed only when the graph itself has
//! a cycle, with an edge `w ⇒ r` for what `r` returned alone (`linearizability/graph.rs`); where that is
//! too large, it is left open. Where a
//! write may have taken effect after its client's next (`late_writes.rs`), what a read saw through
//! that is only an interval: the read is left out, which is sound, as orders of the others remain
//! orders. Where reads may leave tombstones out, a delete that was acknowledged before a read is in any
//! order before it, so the read certainly saw it. If some read may or may not have seen a delete, its `V`
//! is only an interval, and the key is left to `Unknown`.
//!
//! ```text
//! c1  write "a" ─ ok
//! c2                  read ─ ok []          "a" was acknowledged before
//! ```
//!
//! Sound, and complete under `must`. Under `may` each read is explained in its own way: that a blind
//! write of `b` supersedes its client's earlier `a` in a read of `["b"]`, and not in a later read of
//! `["a", "b"]`, is not reported. Evidence is a shortest reason for the first conflict. Sources: Herlihy &
//! Wing 1990; Burckhardt et al. 2014; that the search vanishes rests on reads determining what they
//! saw (docs/semantics.md, "What a read saw" and "Linearizability").

mod graph;

use std::{borrow::Cow, collections::BTreeMap};

use super::{Found, Subject};
use crate::{
    causality::{KeyView, Node, ReadView, WriteView},
    history::{OpId, Operation, Status, TimeNs},
    index::Index,
    ranks::Ranks,
    verdict::{Finding, Reason},
    write_set::WriteSet,
};

pub(super) fn linearizability(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    if view.leaves_deletes_open() {
        return found.leave_open(Reason::HiddenTombstones);
    }
    let mut reads = considered(view);
    reads.sort_by_key(|read| read.seen.len());
    found.tested_times(reads.len() as u64);
    let mut conflicts = Found::default();
    let mut nested = true;
    for pair in reads.windows(2) {
        let [smaller, larger] = pair else { continue };
        if !smaller.seen.is_subset(&larger.seen) {
            nested = false;
            report_crossing(view, smaller, larger, &mut conflicts);
        }
    }
    let ordered = nested && Ranking::new(view, &reads).sweep(&mut conflicts);
    if !ordered && view.has_open_writes() {
        match graph::examine(view, &reads) {
            graph::Shown::Acyclic => return,
            graph::Shown::Cycle(evidence, finding) => {
                conflicts.first = None;
                conflicts.violated(|| (evidence, finding));
            }
            graph::Shown::Unknown => return found.leave_open(Reason::TooManyOperations),
        }
    }
    (found.first, found.more) = (conflicts.first, conflicts.more);
}

/// A read that has to be in the order, and what it is taken to have seen.
struct Considered<'v, 'h> {
    read: &'v ReadView<'h>,
    seen: Cow<'v, WriteSet>,
}

/// The reads that have to be in the order, without what may never have happened.
fn considered<'v, 'h>(view: &'v KeyView<'h>) -> Vec<Considered<'v, 'h>> {
    let reads = || view.sound_reads().filter(|read| read.in_order);
    // Only what its client's later writes may supersede is in any `V` without being returned.
    let earlier = view.writes.iter().filter_map(WriteView::previous);
    let unknown = earlier.filter(|write| !view.writes[*write].acknowledged());
    let mut dropped: WriteSet = unknown.collect();
    if !dropped.is_empty() {
        let returned = reads().flat_map(|read| read.returned.iter());
        dropped.subtract(&returned.collect());
    }
    let seen = |read: &'v ReadView<'_>| {
        let mut seen = Cow::Borrowed(&read.visible_may);
        if dropped.intersects(&seen) {
            seen.to_mut().subtract(&dropped);
        }
        seen
    };
    let reads = reads().map(|read| Considered {
        read,
        seen: seen(read),
    });
    reads.collect()
}

/// Two reads that each lack a write that the other saw: one that it returned, if there is any.
///
/// Where the larger lacks only what must supersede something that it returned, and that was
/// acknowledged in time, it is to blame alone.
fn report_crossing(
    view: &KeyView<'_>,
    smaller: &Considered<'_, '_>,
    larger: &Considered<'_, '_>,
    found: &mut Found,
) {
    if smaller.read.returned.is_subset(&larger.seen) {
        let in_time = |write: &usize| view.precedes(view.writes[*write].id, larger.read.id);
        let mut lacks = smaller.seen.difference(&larger.seen);
        if let Some(missed) = lacks.find(in_time) {
            return missed_write(&view.writes[missed], larger.read, view, found);
        }
    }
    let only = |one: &Considered<'_, '_>, other: &Considered<'_, '_>| {
        let returned = one.read.returned.difference(&other.seen).next();
        returned.or_else(|| one.seen.difference(&other.seen).next())
    };
    let (Some(one), Some(other)) = (only(smaller, larger), only(larger, smaller)) else {
        return;
    };
    let (smaller, larger) = (smaller.read, larger.read);
    found.violated(|| {
        let mut evidence = vec![smaller.id, larger.id];
        let returned = view
            .ids(&smaller.returned)
            .chain(view.ids(&larger.returned));
        evidence.extend(returned);
        let writes = [view.writes[one].id, view.writes[other].id];
        evidence.extend(writes);
        for write in [one, other] {
            evidence.extend(show_applied(view, write, [smaller, larger]));
        }
        evidence.extend(disproof(view, larger, one));
        evidence.extend(disproof(view, smaller, other));
        show_order(view, &mut evidence);
        (
            evidence,
            Finding::ReadsCross {
                reads: [smaller.id, larger.id],
                writes,
            },
        )
    });
}

/// Where every operation of a key stands in any linearization.
struct Ranking<'v, 'h> {
    view: &'v KeyView<'h>,
    ranks: Ranks,
}

impl<'v, 'h> Ranking<'v, 'h> {
    /// Ranks operations, given the reads in an order in which what they saw nests.
    fn new(view: &'v KeyView<'h>, ordered: &[Considered<'v, 'h>]) -> Self {
        let number = |read: &Considered<'_, '_>| match view.node(read.read.id) {
            Some(Node::Read(number, _)) => Some(number),
            _ => None,
        };
        let ordered = ordered
            .iter()
            .filter_map(|read| Some((number(read)?, &*read.seen)));
        let size = [view.writes.len(), view.reads.len()];
        let ranks = Ranks::of(ordered, size, |write| view.writes[write].acknowledged());
        Self { view, ranks }
    }

    fn rank(&self, op: OpId) -> Option<Index> {
        match self.view.node(op)? {
            Node::Write(number, _) => self.ranks.write(number),
            Node::Read(number, _) => self.ranks.read(number),
        }
    }

    /// Looks for an operation that was invoked after the completion of one with a larger rank: false
    /// when there is any.
    ///
    /// At equal times only a client's own order and the sources of a context decide.
    fn sweep(&self, found: &mut Found) -> bool {
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
        let mut latest: Option<(Index, OpId)> = None;
        // The same of each client's own that were answered at one moment: they come before what it
        // asks at that moment.
        let mut own: BTreeMap<(u32, TimeNs), (Index, OpId)> = BTreeMap::new();
        let mut ordered = true;
        for &op in &operations {
            let Operation {
                client, invoked, ..
            } = *self.view.operation(op);
            while let Some((_, done)) = completions.next_if(|(completed, _)| *completed < invoked) {
                latest = latest.max(self.rank(done).map(|rank| (rank, done)));
            }
            let rank = self.rank(op);
            let at_once = own.get(&(client, invoked)).copied();
            let sources = match self.view.node(op) {
                Some(Node::Write(_, write)) => write.sources,
                _ => &[],
            };
            let sources = sources.iter().copied();
            let sources = sources.filter_map(|done| Some((self.rank(done)?, done)));
            let conflict = latest
                .into_iter()
                .chain(at_once)
                .chain(sources)
                .find(|(before, _)| Some(*before) > rank);
            if let Some((_, first)) = conflict {
                ordered = false;
                self.report(first, op, found);
            }
            if let (Some(rank), Some(completed)) = (rank, self.completed(op)) {
                let last = own.entry((client, completed)).or_insert((rank, op));
                *last = (*last).max((rank, op));
            }
        }
        ordered
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
                let more = || earlier.visible_may.difference(&read.visible_may);
                if let Some(missed) = gone().chain(more()).find(acknowledged) {
                    return missed_write(&view.writes[missed], read, view, found);
                }
                let Some(write) = gone().next() else { return };
                found.violated(|| {
                    let mut evidence = vec![earlier.id, read.id];
                    evidence.extend(view.ids(&earlier.returned).chain(view.ids(&read.returned)));
                    evidence.extend(disproof(view, read, write));
                    show_order(view, &mut evidence);
                    let finding = Finding::ReadWentBack {
                        earlier: earlier.id,
                        read: read.id,
                        write: view.writes[write].id,
                        ignored: ignored(view, read, write),
                    };
                    (evidence, finding)
                });
            }
            (Node::Write(_, missed), Node::Write(number, saw)) => {
                let Some(read) = self.ranks.first_to_see(number) else {
                    return;
                };
                let read = &view.reads[read];
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
                    let mut refuted = None;
                    if let Some(Node::Write(missed, _)) = view.node(first) {
                        evidence.extend(disproof(view, read, missed));
                        refuted = ignored(view, read, missed);
                    }
                    show_order(view, &mut evidence);
                    let finding = Finding::WritesReordered {
                        read: read.id,
                        missed: missed.id,
                        saw,
                        ignored: refuted,
                    };
                    (evidence, finding)
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
        let mut refuted = None;
        if let Some(Node::Write(write, _)) = view.node(write.id) {
            evidence.extend(disproof(view, read, write));
            refuted = ignored(view, read, write);
        }
        show_order(view, &mut evidence);
        let finding = Finding::WriteMissed {
            read: read.id,
            write: write.id,
            ignored: refuted,
        };
        (evidence, finding)
    });
}

/// The returned sibling that shows a read not to have seen a write that might else be superseded.
fn ignored(view: &KeyView<'_>, read: &ReadView<'_>, write: usize) -> Option<OpId> {
    let sibling = view.refuted_by(read, write)?;
    Some(view.writes[sibling].id)
}

/// The proof that a read did not see a write that might else be superseded in it.
fn disproof(view: &KeyView<'_>, read: &ReadView<'_>, write: usize) -> Vec<OpId> {
    let sibling = view.refuted_by(read, write);
    sibling.map_or(Vec::new(), |sibling| view.proof(sibling, write))
}

/// A read that shows a write to have happened, and what it returned, where it takes one: neither of
/// two reads returned the write, and it was not acknowledged.
fn show_applied(view: &KeyView<'_>, write: usize, reads: [&ReadView<'_>; 2]) -> Vec<OpId> {
    let returns = |read: &&ReadView<'_>| read.returned.contains(write);
    if view.writes[write].acknowledged() || reads.iter().any(returns) {
        return Vec::new();
    }
    let read = view.returned_by(write).find(|read| read.in_order);
    let shows = read.map(|read| view.ids(&read.returned).chain([read.id]));
    shows.into_iter().flatten().collect()
}

/// Adds what shows that writes did not take effect after their clients' next, where reads of the
/// evidence rest on that.
fn show_order(view: &KeyView<'_>, evidence: &mut Vec<OpId>) {
    let mut shown = Vec::new();
    for &first in evidence.iter() {
        for &later in evidence.iter() {
            let (Some(Node::Write(write, _)), Some(Node::Write(next, _))) =
                (view.node(first), view.node(later))
            else {
                continue;
            };
            let Some(shown_by) = view.shown_by(write, next) else {
                continue;
            };
            let returned = |op: &OpId| match view.node(*op) {
                Some(Node::Read(_, read)) => Some(read).filter(|r| r.returned.contains(write)),
                _ => None,
            };
            let mut reads = evidence.iter().filter_map(returned);
            let mut lacking = reads.clone().filter(|r| !r.visible_may.contains(next));
            let Some(lacks) = lacking.next() else {
                continue;
            };
            if !reads.any(|read| view.precedes(read.id, later)) {
                let covers = &view.writes[next].covers_must;
                match lacks.returned.iter().find(|w| covers.contains(*w)) {
                    Some(sibling) => shown.extend(view.proof(sibling, next)),
                    None => shown.push(shown_by),
                }
            }
        }
    }
    evidence.extend(shown);
}
