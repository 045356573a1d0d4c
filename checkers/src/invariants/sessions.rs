//! Session guarantees of one key, and replicas that never go backwards.
//!
//! A session is a client. Read `a < b` as: `a` had completed when `b` was invoked, by one client.
//! Only acknowledged writes bind the store: a client whose write timed out was promised nothing
//! (what it then reads of that write binds it through monotonic reads).
//!
//! - **Read your writes**: `w < r` implies `w ∈ V(r)`.
//! - **Monotonic reads**: `r1 < r2` implies `V(r1) ⊆ V(r2)`.
//! - **Monotonic writes**: `w1 < w2` and `w2` returned by `r`, anybody's read, imply `w1 ∈ V(r)`.
//! - **Writes follow reads**: `r1 < w2` and `w2` returned by `r` imply `V(r1) ⊆ V(r)`.
//! - **Monotonic replicas**: `V(r1) ⊆ V(r2)` for reads at one node, of which `r1` had completed
//!   when `r2` was invoked.
//!
//! `V` is an interval: what must be seen is taken from `V_must`, and looked for in `V_may`. That is
//! sound for every store of the kind. It is complete under `must`; `may` lets a client's write
//! supersede its earlier ones, so that monotonic writes can only be seen to fail where the missing
//! write would have superseded what was returned. Across keys nothing is asked here: see `causal.rs`.
//! In the replica model `V_may` goes by time alone.
//!
//! ```text
//! read your writes      c1  write "a" ─ ok                    read ─ ok []
//! monotonic reads       c2  read ─ ok ["a"]                   read ─ ok []
//! monotonic writes      c1  read ─ ok ["x"]   write "a" (that context) ─ ok   write "b" ─ ok
//!                       c2                                                      read ─ ok ["x", "b"]
//! writes follow reads   c2  read ─ ok ["a"]   write "b" (blind) ─ ok
//!                       c3                                      read ─ ok ["b"]
//! monotonic replicas    c2 at n1  read ─ ok ["a"]
//!                       c3 at n1                    read ─ ok []
//! ```
//!
//! Cost: O(n log n), and one union or comparison of sets for each operation and sibling. Sources:
//! Terry, Demers, Petersen, Spreitzer, Theimer, Welch 1994; Burckhardt et al. 2014.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use super::{Found, Subject, lacking::Lacking};
use crate::{
    causality::{KeyView, Node, ReadView},
    history::{OpId, Operation, Status, TimeNs},
    verdict::Finding,
    write_set::WriteSet,
};

pub(super) fn read_your_writes(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    sweep(view, own_client, written, |past, op| {
        let Some(read) = tested_read(view, op, past, found) else {
            return;
        };
        if let Some(write) = past.difference(&read.visible_may).next() {
            found.violated(|| Lacking::of(view, read, write).missed());
        }
    });
}

pub(super) fn monotonic_reads(subject: &Subject<'_, '_>, found: &mut Found) {
    never_backwards(subject, own_client, found);
}

pub(super) fn monotonic_replicas(subject: &Subject<'_, '_>, found: &mut Found) {
    never_backwards(subject, |op| op.node, found);
}

fn never_backwards(subject: &Subject<'_, '_>, session: fn(&Operation) -> u32, found: &mut Found) {
    let view = subject.view;
    sweep(view, session, seen, |past, op| {
        let Some(read) = tested_read(view, op, past, found) else {
            return;
        };
        if past.is_subset(&read.visible_may) {
            return;
        }
        let of_session = |earlier: &&ReadView<'_>| session(earlier.op) == session(read.op);
        found.violated_if(|| {
            let mut earlier = view.sound_reads().filter(of_session);
            let (earlier, write) = earlier.find_map(|earlier| {
                let mut gone = earlier.returned.difference(&read.visible_may);
                let write = gone.next()?;
                view.precedes(earlier.id, read.id)
                    .then_some((earlier, write))
            })?;
            let lacking = Lacking::of(view, read, write).shown_by(earlier);
            let finding = Finding::ReadWentBack {
                earlier: earlier.id,
                read: read.id,
                write: view.writes[write].id,
                ignored: lacking.ignored,
            };
            Some(lacking.proves(finding))
        });
    });
}

pub(super) fn monotonic_writes(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    let before = before_writes(view, written);
    for_each_returned(view, &before, found, |read, saw, found| {
        let missing = before[saw].difference(&read.visible_may).next();
        let Some(write) = missing else { return };
        found.violated(|| {
            let lacking = Lacking::of(view, read, write);
            let finding = Finding::WritesReordered {
                read: read.id,
                missed: view.writes[write].id,
                saw: view.writes[saw].id,
                ignored: lacking.ignored,
            };
            lacking.proves(finding)
        });
    });
}

pub(super) fn writes_follow_reads(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    let before = before_writes(view, seen);
    for_each_returned(view, &before, found, |read, saw, found| {
        if before[saw].is_subset(&read.visible_may) {
            return;
        }
        let by = &view.writes[saw];
        let of_writer = |earlier: &&ReadView<'_>| earlier.op.client == by.op.client;
        found.violated_if(|| {
            let mut earlier = view.sound_reads().filter(of_writer);
            let (earlier, write) = earlier.find_map(|earlier| {
                let mut gone = earlier.returned.difference(&read.visible_may);
                let write = gone.next()?;
                view.precedes(earlier.id, by.id).then_some((earlier, write))
            })?;
            let lacking = Lacking::of(view, read, write).shown_by(earlier);
            let finding = Finding::ReadNotFollowed {
                read: read.id,
                missed: view.writes[write].id,
                seen_by: earlier.id,
                saw: by.id,
                ignored: lacking.ignored,
            };
            Some(lacking.proves(finding))
        });
    });
}

/// A read that can be wrong: sound, and something has to be in it.
fn tested_read<'v, 'h>(
    view: &'v KeyView<'h>,
    op: OpId,
    past: &WriteSet,
    found: &mut Found,
) -> Option<&'v ReadView<'h>> {
    let Some(Node::Read(number, _)) = view.node(op) else {
        return None;
    };
    let read = &view.reads[number];
    let testable = read.sound && !past.is_empty();
    testable.then(|| {
        found.tested();
        read
    })
}

/// What is in the session's past when each write is invoked.
fn before_writes(view: &KeyView<'_>, adds: Adds) -> Vec<WriteSet> {
    let mut before = vec![WriteSet::EMPTY; view.writes.len()];
    sweep(view, own_client, adds, |past, op| {
        if let Some(Node::Write(number, _)) = view.node(op) {
            before[number] = past.clone();
        }
    });
    before
}

/// Visits what each sound read returned and what has something before it.
pub(super) fn for_each_returned<'v, 'h>(
    view: &'v KeyView<'h>,
    before: &[WriteSet],
    found: &mut Found,
    mut visit: impl FnMut(&'v ReadView<'h>, usize, &mut Found),
) {
    for read in view.sound_reads() {
        for write in read.returned.iter() {
            if !before[write].is_empty() {
                found.tested();
                visit(read, write, found);
            }
        }
    }
}

fn own_client(op: &Operation) -> u32 {
    op.client
}

/// Adds to a session's past what an answered operation tells.
type Adds = fn(&Node<'_, '_>, &mut WriteSet);

fn written(node: &Node<'_, '_>, past: &mut WriteSet) {
    if let Node::Write(number, _) = node {
        past.insert(*number);
    }
}

fn seen(node: &Node<'_, '_>, past: &mut WriteSet) {
    if let Node::Read(_, read) = node
        && read.sound
    {
        past.union_with(&read.visible_must);
    }
}

/// The operations of one session.
#[derive(Default)]
struct Session {
    /// Acknowledged, in the order of completion.
    pending: BinaryHeap<Reverse<(TimeNs, OpId)>>,
    past: WriteSet,
}

/// Visits the operations in the order of invocation, each with the past of its session: what was
/// told by those that had completed.
fn sweep(
    view: &KeyView<'_>,
    session: fn(&Operation) -> u32,
    adds: Adds,
    mut visit: impl FnMut(&WriteSet, OpId),
) {
    let mut sessions: BTreeMap<u32, Session> = BTreeMap::new();
    for op in view.operations() {
        let operation = view.operation(op);
        let session = sessions.entry(session(operation)).or_default();
        let over = |done: &Reverse<(TimeNs, OpId)>| view.precedes(done.0.1, op);
        while let Some(done) = session.pending.peek().copied().filter(over) {
            session.pending.pop();
            if let Some(node) = view.node(done.0.1) {
                adds(&node, &mut session.past);
            }
        }
        visit(&session.past, op);
        if let (Status::Ok, Some(completed)) = (operation.status, operation.completed) {
            session.pending.push(Reverse((completed, op)));
        }
    }
}
