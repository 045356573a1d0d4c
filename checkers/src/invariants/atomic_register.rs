//! Linearizability of one key in the replica model: an atomic register, in O(n log n).
//!
//! **Definition.** There is one order of all acknowledged operations and some of those with an
//! unknown outcome, in which an operation that completed before another was invoked comes first,
//! and every read returns the last write before it. On one node every write supersedes all that
//! came before, so an answer has at most one sibling; before the first write it has none.
//!
//! **Criterion** (Gibbons & Korach 1997). Values are unique, so in any order each write stands
//! together with the reads of its value: a *cluster*. Let `end` be the earliest completion in a
//! cluster and `start` the latest invocation. One cluster has to come before another when its `end`
//! is before the other's `start`. The history is linearizable iff no two clusters have to come
//! before each other. The empty register is a cluster that begins everything: its `end` is before
//! all times. A write with an unknown outcome that no read returned is left out; it may never have
//! happened.
//!
//! ```text
//! c1  write "a" ─ ok
//! c2                  write "b" ─ ok
//! c3                                  read ─ ok ["a"]
//! ```
//!
//! Sound and complete for answers without thin air; with more than one sibling an answer is a
//! violation by itself. Equal times decide nothing between clients. Where a client asks again the
//! instant it was answered, its operations are in order nevertheless, and clusters may come before
//! each other in a longer circle: it is looked for in the graph itself, on keys of up to
//! [`MOST_AT_ONCE`] operations; larger ones are judged by time alone. An empty answer that may leave out
//! the tombstone of a delete has many explanations, and a key with one is left to `Unknown`. Evidence: a
//! conflicting pair of clusters, cut down to the operations that it takes. Sources: Gibbons & Korach
//! 1997; Herlihy & Wing 1990; Misra 1986.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Found, Subject};
use crate::{
    causality::KeyView,
    history::{OpId, Status, TimeNs},
    verdict::{Finding, Reason},
};

/// A write and the reads of its value.
#[derive(Clone, Copy, Default)]
struct Cluster {
    write: Option<OpId>,
    /// The operation that completed first.
    first_done: Option<Span>,
    /// The operation that was invoked last.
    last_begun: Option<Span>,
}

/// When an operation took place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    op: OpId,
    start: TimeNs,
    /// Never, when the outcome is unknown.
    end: Option<TimeNs>,
}

pub(super) fn linearizability(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    if view.leaves_deletes_open() {
        return found.leave_open(Reason::HiddenTombstones);
    }
    if let Some(circle) = circle_at_once(view) {
        found.violated(|| circle);
    }
    let mut clusters = clusters(view, found);
    clusters.sort_by_key(|cluster| (cluster.end(), cluster.write));
    // For each number of clusters the one among so many that begins last.
    let mut latest: Vec<usize> = Vec::with_capacity(clusters.len());
    for (at, cluster) in clusters.iter().enumerate() {
        let before = at.min(clusters.partition_point(|earlier| earlier.end() < cluster.start()));
        if let Some(&other) = before.checked_sub(1).and_then(|last| latest.get(last)) {
            let other = &clusters[other];
            if let Some(proof) = conflict(view, other, cluster) {
                found.violated(|| proof);
            }
        }
        let so_far = latest.last().copied().unwrap_or(at);
        let later = cluster.start() > clusters[so_far].start();
        latest.push(if later { at } else { so_far });
    }
}

/// The clusters that have to be in the order, the empty register first.
fn clusters(view: &KeyView<'_>, found: &mut Found) -> Vec<Cluster> {
    let mut clusters = vec![Cluster::default(); view.writes.len() + 1];
    for (number, write) in view.writes.iter().enumerate() {
        let cluster = &mut clusters[number + 1];
        cluster.write = Some(write.id);
        if write.acknowledged() {
            cluster.add(view, write.id);
        }
    }
    for read in view.sound_reads() {
        found.tested();
        match (read.siblings.len(), read.returned.iter().next()) {
            (0, _) => clusters[0].add(view, read.id),
            (1, Some(write)) => {
                clusters[write + 1].add(view, read.id);
                clusters[write + 1].add(view, view.writes[write].id);
            }
            _ => found.violated(|| {
                let mut evidence: Vec<_> = view.ids(&read.returned).collect();
                evidence.push(read.id);
                (evidence, Finding::RegisterSplit { read: read.id })
            }),
        }
    }
    clusters.retain(|cluster| cluster.last_begun.is_some());
    clusters
}

impl Cluster {
    fn add(&mut self, view: &KeyView<'_>, op: OpId) {
        let operation = view.operation(op);
        let span = Span {
            op,
            start: operation.invoked,
            end: operation
                .completed
                .filter(|_| operation.status != Status::Info),
        };
        if self.last_begun.is_none_or(|last| last.start < span.start) {
            self.last_begun = Some(span);
        }
        let sooner =
            |first: Span| span.end.is_some() && (first.end.is_none() || span.end < first.end);
        if self.first_done.is_none_or(sooner) {
            self.first_done = Some(span);
        }
    }

    /// The earliest completion; the empty register is there before all times.
    fn end(&self) -> Option<TimeNs> {
        let end = self.first_done.and_then(|span| span.end);
        self.write.map(|_| end.unwrap_or(TimeNs::MAX))
    }

    fn start(&self) -> Option<TimeNs> {
        self.last_begun.map(|span| span.start)
    }
}

/// Two clusters that have to come before each other, and the operations that it takes to show it.
///
/// The first one's `end` is the smaller. So it is before its own `start`, which then is a read's: a
/// write does not begin after a read of it has ended.
fn conflict(view: &KeyView<'_>, first: &Cluster, second: &Cluster) -> Option<(Vec<OpId>, Finding)> {
    let mut kept = [*first, *second];
    if !conflicting(&kept) {
        return None;
    }
    // The register was empty before any operation.
    kept[0].first_done.take_if(|_| first.write.is_none());
    for side in 0..2 {
        let Some(write) = kept[side].write else {
            continue;
        };
        let mut alone = Cluster {
            write: Some(write),
            ..Cluster::default()
        };
        alone.add(view, write);
        for (done, begun) in [(true, true), (true, false), (false, true)] {
            let mut fewer = kept;
            if done {
                fewer[side].first_done = alone.first_done;
            }
            if begun {
                fewer[side].last_begun = alone.last_begun;
            }
            if conflicting(&fewer) {
                kept = fewer;
                break;
            }
        }
    }
    for side in 0..2 {
        let mut merged = kept;
        let spans = [kept[side].first_done, kept[side].last_begun];
        // The write is evidence anyhow.
        if spans
            .iter()
            .flatten()
            .any(|span| Some(span.op) == kept[side].write)
        {
            continue;
        }
        for span in spans {
            merged[side].first_done = span;
            merged[side].last_begun = span;
            if kept[side].write.is_some() && conflicting(&merged) {
                kept = merged;
                break;
            }
        }
    }
    let [first, second] = kept;
    let spans = [
        first.first_done,
        first.last_begun,
        second.first_done,
        second.last_begun,
    ];
    let mut evidence: Vec<_> = spans.iter().flatten().map(|span| span.op).collect();
    evidence.extend(first.write.into_iter().chain(second.write));
    let finding = Finding::RegisterWentBack {
        read: first.last_begun?.op,
        first_done: first.first_done.map(|span| span.op),
        replaced_by: second.write?,
        begun: second.last_begun?.op,
        done: second.first_done?.op,
    };
    Some((evidence, finding))
}

fn conflicting([one, other]: &[Cluster; 2]) -> bool {
    one.end() < other.start() && other.end() < one.start()
}

/// So many operations are compared with each other.
const MOST_AT_ONCE: usize = 200;

/// Clusters that come before each other in a circle, where a client asked again the instant it was
/// answered.
fn circle_at_once(view: &KeyView<'_>) -> Option<(Vec<OpId>, Finding)> {
    if !asks_at_once(view) {
        return None;
    }
    let members = members(view);
    if members.len() > MOST_AT_ONCE {
        return None;
    }
    // Between clusters an operation of the one that precedes one of the other.
    let mut steps: BTreeMap<(usize, usize), [OpId; 2]> = BTreeMap::new();
    for &(from, done) in &members {
        for &(to, begun) in &members {
            if from != to && view.precedes(done, begun) {
                steps.entry((from, to)).or_insert([done, begun]);
            }
        }
    }
    let clusters: BTreeSet<usize> = members.iter().map(|(cluster, _)| *cluster).collect();
    let empty = clusters.contains(&0);
    let before =
        |from: usize, to: usize| steps.contains_key(&(from, to)) || empty && from == 0 && to != 0;
    let circles = clusters.iter().filter_map(|cluster| {
        let mut reached: BTreeMap<usize, usize> = BTreeMap::new();
        let mut queue = VecDeque::from([*cluster]);
        while let Some(at) = queue.pop_front() {
            if at != *cluster && before(at, *cluster) {
                let back = |at: &usize| reached.get(at).copied();
                return Some(std::iter::successors(Some(at), back).collect::<Vec<_>>());
            }
            for next in &clusters {
                if next != cluster && !reached.contains_key(next) && before(at, *next) {
                    reached.insert(*next, at);
                    queue.push_back(*next);
                }
            }
        }
        None
    });
    let mut circle = circles.min_by_key(Vec::len)?;
    circle.reverse();
    let next = |at: usize| circle[(at + 1) % circle.len()];
    let pairs = (0..circle.len()).filter_map(|at| steps.get(&(circle[at], next(at))).copied());
    let steps: Vec<[OpId; 2]> = pairs.collect();
    let writes = circle.iter().filter_map(|cluster| cluster.checked_sub(1));
    let mut evidence: Vec<OpId> = writes.map(|write| view.writes[write].id).collect();
    evidence.extend(steps.as_flattened());
    Some((evidence, Finding::RegisterCircle { steps }))
}

/// Whether a client asks again the instant it was answered.
fn asks_at_once(view: &KeyView<'_>) -> bool {
    let writes = view.writes.iter().map(|write| write.id);
    let mut operations: Vec<OpId> = writes
        .chain(view.reads.iter().map(|read| read.id))
        .collect();
    operations.sort_unstable();
    let mut over = BTreeSet::new();
    operations.into_iter().any(|op| {
        let operation = view.operation(op);
        let asks = over.contains(&(operation.client, Some(operation.invoked)));
        if operation.status == Status::Ok {
            over.insert((operation.client, operation.completed));
        }
        asks
    })
}

/// The operations that have to be in the order, with the numbers of their clusters.
fn members(view: &KeyView<'_>) -> BTreeSet<(usize, OpId)> {
    let mut members = BTreeSet::new();
    for (number, write) in view.writes.iter().enumerate() {
        if write.acknowledged() {
            members.insert((number + 1, write.id));
        }
    }
    for read in view.sound_reads() {
        match (read.siblings.len(), read.returned.iter().next()) {
            (0, _) => {
                members.insert((0, read.id));
            }
            (1, Some(write)) => {
                members.insert((write + 1, read.id));
                members.insert((write + 1, view.writes[write].id));
            }
            _ => {}
        }
    }
    members
}
