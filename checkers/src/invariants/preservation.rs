//! Sibling preservation, no lost update, no resurrection: what final reads must and must not hold.
//!
//! A final read is made after all faults healed and the cluster settled. A write is *due* in it
//! when it was acknowledged before the final read was invoked, or when a read that completed before
//! then returned it (a write with an unknown outcome counts as applied once it was seen).
//!
//! **No lost update.** Every acknowledged write, deletes included, that is due is in `V_may` of
//! every final read: returned, or in the `may`-past of what is returned.
//!
//! ```text
//! c1  write "a" ─ ok
//! c1                  read ─ ok ["a"]   write "b" (context of that read) ─ ok
//! c2                                                                           final read ─ ok ["a"]
//! ```
//!
//! **Sibling preservation.** When a due write is missing so, and a returned sibling is concurrent
//! with it under `may`, then one of two concurrent writes replaced the other: last writer wins. An
//! acknowledged write is then reported as a lost update too. A write that was only seen is reported
//! here or, when nothing returned is concurrent with it, as a lost update.
//!
//! ```text
//! c1  write "a" ─ ok          (blind)
//! c2  write "b" ─ ok          (blind)
//! c3                  final read ─ ok ["b"]
//! ```
//!
//! **No resurrection.** When a read showed that `w` is superseded (`w ∈ V_must(r1) \ S(r1)`), no
//! final read that was invoked after it completed returns `w`.
//!
//! ```text
//! c1  write "a" ─ ok   write "b" (context of "a") ─ ok
//! c2                                                 read ─ ok ["b"]
//! c2                                                                 final read ─ ok ["a"]
//! ```
//!
//! All are sound for any store that converges and is causally closed, and complete on final reads
//! under `must`; `causality.rs` tells what `may` leaves open.
//! Of several missing writes the first is reported that no other missing one supersedes. Cost:
//! O(final reads · writes), and no more than the missing writes squared when something is missing.
//! Sources: `DeCandia` et al. 2007; Preguiça et al. 2010; aphyr.com/posts/285.

use super::{
    Found, Subject,
    missing_write::{MissingWrite, excused},
};
use crate::{
    causality::{KeyView, ReadView},
    history::OpId,
    verdict::Finding,
    write_set::WriteSet,
};

/// A write that is due in a final read and not there.
struct Missing {
    write: usize,
    /// The read that returned it, where it was not acknowledged in time.
    seen_by: Option<OpId>,
    /// A returned sibling that is concurrent with it.
    beside: Option<usize>,
}

pub(super) fn sibling_preservation(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    for read in view.final_reads() {
        let mut dropped = missing(view, read);
        dropped.retain(|missing| missing.beside.is_some());
        if read.siblings.len() > 1 || !dropped.is_empty() {
            found.tested();
        }
        report(view, read, &dropped, found);
    }
}

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
        let mut lost = missing(view, read);
        lost.retain(|missing| missing.seen_by.is_none() || missing.beside.is_none());
        for lost in &mut lost {
            lost.beside = None;
        }
        report(view, read, &lost, found);
    }
}

pub(super) fn no_resurrection(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    let mut last = WriteSet::EMPTY;
    for read in view.final_reads() {
        for write in read.returned.iter() {
            last.insert(write);
        }
    }
    if last.is_empty() {
        return;
    }
    let lacks = |read: &ReadView<'_>, write: usize| {
        read.visible_must.contains(write) && !read.returned.contains(write)
    };
    let is_superseded = |write: &usize| view.sound_reads().any(|read| lacks(read, *write));
    let superseded: WriteSet = last.iter().filter(is_superseded).collect();
    let showed_any = |read: &ReadView<'_>| read.visible_must.len() != read.returned.len();
    let any_showed = view.sound_reads().any(showed_any);
    for read in view.final_reads() {
        if any_showed {
            found.tested();
        }
        let returned = read.returned.iter();
        for write in returned.filter(|write| superseded.contains(*write)) {
            let showed = |earlier: &&ReadView<'_>| {
                lacks(earlier, write) && view.precedes(earlier.id, read.id)
            };
            let Some(earlier) = view.sound_reads().find(showed) else {
                continue;
            };
            let mut above = earlier.returned.iter();
            let by = above.find(|by| view.writes[*by].covers_must.contains(write));
            let Some(by) = by else { continue };
            found.violated(|| {
                let mut evidence = view.proof(write, by);
                evidence.extend([earlier.id, read.id]);
                let finding = Finding::Resurrected {
                    read: read.id,
                    write: view.writes[write].id,
                    by: view.writes[by].id,
                    seen_by: earlier.id,
                };
                (evidence, finding)
            });
        }
    }
}

/// The writes that are due in a final read and not in its `V_may`.
fn missing(view: &KeyView<'_>, read: &ReadView<'_>) -> Vec<Missing> {
    let absent = read.visible_may.missing(view.writes.len());
    let due = absent.filter_map(|write| {
        let acknowledged = view.precedes(view.writes[write].id, read.id);
        let seen_by = if acknowledged {
            None
        } else {
            let mut seen = view.returned_by(write);
            Some(seen.find(|seen| view.precedes(seen.id, read.id))?.id)
        };
        let mut survivors = read.returned.iter();
        let covers = |by: usize, write: usize| view.writes[by].covers_may.contains(write);
        let beside = survivors.find(|s| !covers(write, *s) && !covers(*s, write));
        Some(Missing {
            write,
            seen_by,
            beside,
        })
    });
    due.collect()
}

/// Reports the missing write that tells most, and counts the others: the first that no other
/// missing one supersedes, before any that is [`excused`], whose proof is longer.
fn report(view: &KeyView<'_>, read: &ReadView<'_>, missing: &[Missing], found: &mut Found) {
    let superseded = |write: usize| {
        missing.iter().any(|other| {
            view.writes[other.write].covers_must.contains(write)
                && !excused(view, read, other.write)
        })
    };
    let rank = |missing: &Missing| {
        let write = missing.write;
        (excused(view, read, write), superseded(write))
    };
    let first = (0..missing.len())
        .min_by_key(|at| rank(&missing[*at]))
        .unwrap_or(0);
    let ordered = missing.get(first).into_iter();
    let others = missing.iter().enumerate().filter(|(at, _)| *at != first);
    for missing in ordered.chain(others.map(|(_, missing)| missing)) {
        let write = view.writes[missing.write].id;
        found.violated(|| {
            let missing_write = MissingWrite::of(view, read, missing.write).with(missing.seen_by);
            let (read, seen_by) = (read.id, missing.seen_by);
            let finding = if let Some(beside) = missing.beside {
                let beside = view.writes[beside].id;
                Finding::SiblingDropped {
                    read,
                    write,
                    seen_by,
                    beside,
                }
            } else {
                Finding::UpdateLost {
                    read,
                    write,
                    seen_by,
                    ignored: missing_write.ignored,
                }
            };
            missing_write.proves(finding)
        });
    }
}
