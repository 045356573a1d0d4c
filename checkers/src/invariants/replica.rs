//! No lost update in the replica model, where provenance says nothing.
//!
//! **No lost update.** Every acknowledged write, and every write that an earlier read returned, is
//! in every final read: returned, or possibly superseded by something that is. `w` may supersede `s`
//! unless `s` was invoked after `w` completed, or both clocks were reported and `clock(s)` is not
//! below `clock(w)`. A read that may leave tombstones out may hide every delete that was invoked before it
//! completed, and not by who had its answer, with whatever that may supersede; clocks of hidden
//! deletes are not consulted.
//!
//! ```text
//! c1 at n1  write "a" ─ ok
//! c2 at n2                  write "b" ─ ok
//! c3 at n1                                  final read ─ ok ["a"]     "a" was complete before "b"
//! ```
//!
//! Sound for every store of the model that settles before final reads, and complete as stated:
//! where time and clocks leave open what a replica held, the store has the benefit of the doubt.
//! Equal times decide nothing between clients. Cost: O(final reads · writes · siblings), and for
//! what is missing and was not acknowledged, the reads that returned it. Source: Burckhardt et al.
//! 2014; see [`object_model`](crate::object_model).

use super::{Found, Subject, clocks::reports};
use crate::{
    causality::{KeyView, ReadView},
    history::OpId,
    verdict::Finding,
    write_set::WriteSet,
};

pub(super) fn no_lost_update(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    for read in view.final_reads() {
        if view
            .writes
            .iter()
            .any(|write| view.precedes(write.id, read.id))
        {
            found.tested();
        }
        let may_hide = hidden_with_their_past(view, read);
        for write in 0..view.writes.len() {
            if may_hide.contains(write) || holds(subject, read, write) {
                continue;
            }
            let seen_by = if view.precedes(view.writes[write].id, read.id) {
                None
            } else {
                let mut seen = view.returned_by(write);
                match seen.find(|seen| view.precedes(seen.id, read.id)) {
                    Some(seen) => Some(seen.id),
                    None => continue,
                }
            };
            found.violated(|| {
                let finding = Finding::UpdateLost {
                    read: read.id,
                    write: view.writes[write].id,
                    seen_by,
                    ignored: None,
                };
                (evidence(subject, read, write, seen_by), finding)
            });
        }
    }
}

/// The hidden deletes that a read may leave out, and what they may supersede.
fn hidden_with_their_past(view: &KeyView<'_>, read: &ReadView<'_>) -> WriteSet {
    let mut held = WriteSet::EMPTY;
    if view.hides_deletes() {
        for (number, write) in view.writes.iter().enumerate() {
            if view.hides(number) && view.may_hide(read, number) {
                held.union_with(&write.covers_may);
            }
        }
    }
    held
}

/// Whether the replica that answered may have held a write, hidden deletes aside.
fn holds(subject: &Subject<'_, '_>, read: &ReadView<'_>, write: usize) -> bool {
    let may_supersede = |by: usize| {
        subject.view.writes[by].covers_may.contains(write)
            && subject.clocks.below(write, by) != Some(false)
    };
    read.returned.contains(write) || read.returned.iter().any(may_supersede)
}

/// The operations that show a write to be lost: the read, what it returned, and where clocks have
/// to decide, the answers that reported them.
fn evidence(
    subject: &Subject<'_, '_>,
    read: &ReadView<'_>,
    write: usize,
    seen_by: Option<OpId>,
) -> Vec<OpId> {
    let view = subject.view;
    let mut evidence: Vec<_> = view.ids(&read.returned).collect();
    evidence.extend([view.writes[write].id, read.id]);
    evidence.extend(seen_by);
    let mut by_clock: Vec<_> = read
        .returned
        .iter()
        .filter(|by| view.writes[*by].covers_may.contains(write))
        .collect();
    if !by_clock.is_empty() {
        by_clock.push(write);
    }
    for write in by_clock {
        let shown = evidence.iter().any(|op| reports(subject, *op, write));
        let known = subject.clocks.known(write).filter(|_| !shown);
        evidence.extend(known.map(|known| known.reported_by));
    }
    evidence
}
