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

use super::{Found, Subject, missing_write::MissingWrite, required::Required};
use crate::{
    causality::{KeyView, Node, ReadView, WriteView},
    history::{OpId, Status, TimeNs},
    provenance::OpRecord,
    verdict::Finding,
    write_set::WriteSet,
};

pub(super) fn read_your_writes(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    let add = |node: &Node<'_, '_>, past: &mut Required| {
        if let Node::Write(number, _) = node {
            past.add(*number);
        }
    };
    sweep(view, Of::Client, add, |past, op| {
        let Node::Read(number, read) = op else { return };
        if !read.sound || past.is_empty() {
            return;
        }
        found.tested();
        let was_required = |write: &WriteView<'_>, last: &ReadView<'_>| {
            write.client == last.client && view.precedes(write.id, last.id)
        };
        if let Some(write) = past.missing_in(view, number, was_required) {
            found.violated(|| MissingWrite::of(view, read, write).missed());
        }
    });
}

pub(super) fn monotonic_reads(subject: &Subject<'_, '_>, found: &mut Found) {
    never_backwards(subject, Of::Client, found);
}

pub(super) fn monotonic_replicas(subject: &Subject<'_, '_>, found: &mut Found) {
    never_backwards(subject, Of::Node, found);
}

fn never_backwards(subject: &Subject<'_, '_>, session: Of, found: &mut Found) {
    let view = subject.view;
    // What a client was told by a node at one moment it knows when it asks that node again then.
    let mut told: BTreeMap<(u32, u32), BTreeMap<TimeNs, WriteSet>> = BTreeMap::new();
    sweep(view, session, seen, |past, op| {
        let Node::Read(_, read) = op else { return };
        if !read.sound {
            return;
        }
        let mut at_once = WriteSet::EMPTY;
        if matches!(session, Of::Node) {
            let told = told.entry((read.client, read.node)).or_default();
            *told = told.split_off(&read.invoked);
            if let Some(seen) = told.get(&read.invoked) {
                at_once.union_with(seen);
            }
            if let Some(completed) = view.operation(read.id).completed {
                let seen = told.entry(completed).or_default();
                seen.union_with(&read.visible_must);
            }
        }
        if past.is_empty() && at_once.is_empty() {
            return;
        }
        found.tested();
        if past.is_subset(&read.visible_may) && at_once.is_subset(&read.visible_may) {
            return;
        }
        let of_session = |earlier: &&ReadView<'_>| match session {
            Of::Client => earlier.client == read.client,
            Of::Node => earlier.node == read.node,
        };
        found.violated_if(|| {
            let mut earlier = view.sound_reads().filter(of_session);
            let (earlier, write) = earlier.find_map(|earlier| {
                let mut gone = earlier.returned.difference(&read.visible_may);
                let write = gone.next()?;
                view.precedes(earlier.id, read.id)
                    .then_some((earlier, write))
            })?;
            let missing_write = MissingWrite::of(view, read, write).shown_by(earlier);
            let finding = Finding::ReadWentBack {
                earlier: earlier.id,
                read: read.id,
                write: view.writes[write].id,
                ignored: missing_write.ignored,
            };
            Some(missing_write.proves(finding))
        });
    });
}

pub(super) fn monotonic_writes(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    let mut before = None;
    let mut any_before = vec![false; view.writes.len()];
    let add = |node: &Node<'_, '_>, any: &mut bool| *any |= node.is_write();
    sweep(view, Of::Client, add, |any, op| {
        if let Node::Write(number, _) = op {
            any_before[number] = *any;
        }
    });
    for read in view.sound_reads() {
        for saw in read.returned.iter().filter(|saw| any_before[*saw]) {
            found.tested();
            // `V_may` holds the client's earlier writes, unless something refutes that.
            if read.refuted.is_empty() {
                continue;
            }
            let before = &before.get_or_insert_with(|| before_writes(view, written))[saw];
            let missing = before.difference(&read.visible_may).next();
            let Some(write) = missing else { continue };
            found.violated(|| {
                let missing_write = MissingWrite::of(view, read, write);
                let finding = Finding::WritesReordered {
                    read: read.id,
                    missed: view.writes[write].id,
                    saw: view.writes[saw].id,
                    ignored: missing_write.ignored,
                };
                missing_write.proves(finding)
            });
        }
    }
}

pub(super) fn writes_follow_reads(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    let before = before_writes(view, seen);
    for_each_returned(view, &before, found, |read, saw, found| {
        if before[saw].is_subset(&read.visible_may) {
            return;
        }
        let by = &view.writes[saw];
        let of_writer = |earlier: &&ReadView<'_>| earlier.client == by.client;
        found.violated_if(|| {
            let mut earlier = view.sound_reads().filter(of_writer);
            let (earlier, write) = earlier.find_map(|earlier| {
                let mut gone = earlier.returned.difference(&read.visible_may);
                let write = gone.next()?;
                view.precedes(earlier.id, by.id).then_some((earlier, write))
            })?;
            let missing_write = MissingWrite::of(view, read, write).shown_by(earlier);
            let finding = Finding::ReadNotFollowed {
                read: read.id,
                missed: view.writes[write].id,
                seen_by: earlier.id,
                saw: by.id,
                ignored: missing_write.ignored,
            };
            Some(missing_write.proves(finding))
        });
    });
}

/// What is in the session's past when each write is invoked.
fn before_writes(view: &KeyView<'_>, adds: fn(&Node<'_, '_>, &mut WriteSet)) -> Vec<WriteSet> {
    let mut before = vec![WriteSet::EMPTY; view.writes.len()];
    sweep(view, Of::Client, adds, |past, op| {
        if let Node::Write(number, _) = op {
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

/// Whose operations are one session.
#[derive(Clone, Copy)]
enum Of {
    Client,
    Node,
}

impl Of {
    fn number(self, op: &OpRecord) -> usize {
        match self {
            Self::Client => op.session as usize,
            Self::Node => op.node as usize,
        }
    }
}

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
struct Session<'h, P> {
    /// Acknowledged, in the order of completion.
    pending: BinaryHeap<Reverse<Done<'h>>>,
    past: P,
}

/// An acknowledged operation.
struct Done<'h>(TimeNs, OpId, &'h OpRecord);

impl Done<'_> {
    fn order(&self) -> (TimeNs, OpId) {
        (self.0, self.1)
    }

    /// True when it was over when `op`, a later one of the session, was invoked. At one moment
    /// that is known of a client's own alone.
    fn precedes(&self, op: &OpRecord, of: Of) -> bool {
        let own = matches!(of, Of::Client);
        self.0 < op.invoked || self.0 == op.invoked && self.0 != TimeNs::MAX && own
    }
}

impl PartialEq for Done<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Done<'_> {}

impl PartialOrd for Done<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Done<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

/// Visits the operations in the order of invocation, each with the past of its session: what was
/// told by those that had completed, of which `add` keeps what matters.
fn sweep<'v, 'h, P: Default>(
    view: &'v KeyView<'h>,
    of: Of,
    add: impl Fn(&Node<'v, 'h>, &mut P),
    mut visit: impl FnMut(&mut P, Node<'v, 'h>),
) {
    let mut sessions: Vec<Session<'h, P>> = Vec::new();
    for (op, record) in view.records() {
        let number = of.number(record);
        if number >= sessions.len() {
            sessions.resize_with(number + 1, Session::default);
        }
        let session = &mut sessions[number];
        let over = |done: &Reverse<Done<'_>>| done.0.precedes(record, of);
        while session.pending.peek().is_some_and(over) {
            let node = session
                .pending
                .pop()
                .and_then(|done| view.node_of(done.0.2));
            if let Some(node) = node {
                add(&node, &mut session.past);
            }
        }
        if let Some(node) = view.node_of(record) {
            visit(&mut session.past, node);
        }
        if record.status == Status::Ok {
            session.pending.push(Reverse(Done(record.over, op, record)));
        }
    }
}
