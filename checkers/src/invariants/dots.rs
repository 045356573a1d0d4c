//! Dotted version vectors: contexts cover what was returned, and dots only grow.
//!
//! **Context covers.** The context of a read includes every dot that the read returned, and the
//! context of a final read includes every context of the key that was read before it was invoked.
//! (A context that omits a returned dot makes the next write its sibling instead of its successor;
//! one that shrinks has forgotten something.) Where tombstones are hidden, a key with deletes is
//! exempt from the second rule: once reaped, it starts anew.
//!
//! ```text
//! c1  write "a" ─ ok dot (n1, 1)
//! c2                             read ─ ok ["a" dot (n1, 1)] context {}
//! ```
//!
//! **Dot discipline.** A dot is not in its own past. For one actor and key, a write that was
//! acknowledged before another was invoked has the smaller counter, also across a restart.
//!
//! ```text
//! c1  write "a" ─ ok dot (n1, 2)
//! c2                             write "b" ─ ok dot (n1, 1)
//! ```
//!
//! Both are sound and complete as stated, for reported dots. Cost: O(final reads · reads · entries)
//! and O(n log n). Sources: Preguiça et al. 2010, Almeida et al. 2014; Riak `kv#679` for counters
//! that restart.

use super::{Found, Subject};
use crate::{
    clock_table::{includes, includes_dot},
    history::{Status, TimeNs, Version},
    verdict::Finding,
};

pub(super) fn context_covers(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    for read in view.sound_reads() {
        let Some(context) = &read.read.context else {
            continue;
        };
        for (sibling, returned) in read.read.siblings.iter().enumerate() {
            let Some(Version::Dotted { actor, counter, .. }) = &returned.version else {
                continue;
            };
            found.tested();
            if !includes_dot(context, actor, *counter) {
                found.violated(|| {
                    (
                        vec![read.id],
                        Finding::ContextOmitsDot {
                            read: read.id,
                            sibling,
                        },
                    )
                });
            }
        }
    }
    if view.hides_deletes() {
        return;
    }
    for read in view.final_reads() {
        let Some(context) = &read.read.context else {
            continue;
        };
        for earlier in view.sound_reads() {
            let Some(before) = &earlier.read.context else {
                continue;
            };
            if before.same_allocation(context) || !view.precedes(earlier.id, read.id) {
                continue;
            }
            found.tested();
            if !includes(context, before) {
                found.violated(|| {
                    let (earlier, read) = (earlier.id, read.id);
                    (
                        vec![earlier, read],
                        Finding::ContextShrank { earlier, read },
                    )
                });
            }
        }
    }
}

pub(super) fn dot_discipline(subject: &Subject<'_, '_>, found: &mut Found) {
    let (view, clocks) = (subject.view, subject.clocks);
    let mut acknowledged = Vec::new();
    for (number, write) in view.writes.iter().enumerate() {
        let Some(Version::Dotted {
            actor,
            counter,
            past,
        }) = &write.write.version
        else {
            continue;
        };
        found.tested();
        if past
            .as_ref()
            .is_some_and(|past| includes_dot(past, actor, *counter))
        {
            found.violated(|| (vec![write.id], Finding::DotInOwnPast { write: write.id }));
        }
        if let (Status::Ok, Some(completed)) = (write.op.status, write.op.completed) {
            acknowledged.push((completed, number));
        }
    }
    acknowledged.sort_unstable();
    let mut largest: Vec<Option<(u64, usize)>> = vec![None; clocks.actors()];
    let mut next = 0;
    for (number, write) in view.writes.iter().enumerate() {
        let completed_before = |event: &&(TimeNs, usize)| event.0 < write.op.invoked;
        while let Some(&(_, done)) = acknowledged.get(next).filter(completed_before) {
            next += 1;
            if let Some((actor, counter)) = clocks.dot(done) {
                largest[actor] = largest[actor].max(Some((counter, done)));
            }
        }
        if write.write.version.is_none() {
            continue;
        }
        let Some((actor, counter)) = clocks.dot(number) else {
            continue;
        };
        if let Some((_, earlier)) = largest[actor].filter(|(most, _)| *most >= counter) {
            let (earlier, later) = (view.writes[earlier].id, write.id);
            found.violated(|| {
                (
                    vec![earlier, later],
                    Finding::CounterNotGrown { earlier, later },
                )
            });
        }
    }
}
