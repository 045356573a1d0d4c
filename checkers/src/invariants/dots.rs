//! Dotted version vectors: contexts cover what was returned, and dots only grow.
//!
//! **Context covers.** The context of a read includes every dot that the read returned, and the
//! context of a final read includes every context of the key that was read before it was invoked.
//! (A context that omits a returned dot makes the next write its sibling instead of its successor;
//! one that shrinks has forgotten something.) Where reads may leave tombstones out, a key with deletes
//! is exempt from the second rule: once its tombstones are removed, it starts anew.
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
//! Both are sound and complete as stated, for reported dots. Cost: O(n log n), times
//! the entries of a clock; a final read whose context shrank is compared with all before it. Sources: Preguiça et al. 2010, Almeida et al. 2014; Riak `kv#679` for counters
//! that restart.

use super::{Found, Subject};
use crate::{
    history::{Name, ReportedClock, Status, TimeNs, Version},
    same_clock::{includes, includes_dot},
    verdict::Finding,
};

pub(super) fn context_covers(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    let mut contexts = Vec::new();
    for read in view.sound_reads() {
        let answer = read.read();
        let Some(context) = &answer.context else {
            continue;
        };
        contexts.push((read.completed, read.id, context));
        for (sibling, returned) in answer.siblings.iter().enumerate() {
            let Some(Version::Dotted { actor, counter, .. }) = &returned.version else {
                continue;
            };
            found.tested();
            if !includes_dot(context, actor.as_str(), *counter) {
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
    contexts.sort_unstable_by_key(|(completed, id, _)| (*completed, *id));
    let mut finals: Vec<_> = view
        .final_reads()
        .filter_map(|read| Some((read, read.read().context.as_ref()?)))
        .collect();
    finals.sort_by_key(|(read, _)| read.invoked);
    let (mut before, mut all) = (0, Vec::new());
    let mut shrunk = Vec::new();
    for (read, context) in finals {
        let completed = contexts[before..]
            .iter()
            .take_while(|(completed, ..)| *completed < read.invoked);
        for (.., earlier) in completed {
            join(&mut all, earlier);
            before += 1;
        }
        let at_once = contexts[before..]
            .iter()
            .take_while(|(completed, ..)| *completed == read.invoked);
        let at_once = at_once.filter(|(_, id, _)| view.precedes(*id, read.id));
        let mut covered = covers_all(context, &all);
        let mut tested = before;
        for (.., earlier) in at_once {
            tested += 1;
            covered &= includes(context, earlier);
        }
        found.tested_times(tested as u64);
        if !covered {
            shrunk.push((read, context));
        }
    }
    shrunk.sort_by_key(|(read, _)| read.id);
    for (read, context) in shrunk {
        for earlier in view.sound_reads() {
            let Some(before) = &earlier.read().context else {
                continue;
            };
            if view.precedes(earlier.id, read.id) && !includes(context, before) {
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

/// The largest counter of each entry, sorted by name.
type Joined<'h> = Vec<(&'h Name, u64)>;

fn join<'h>(all: &mut Joined<'h>, context: &'h ReportedClock) {
    let mut at = 0;
    for (name, counter) in context.entries() {
        if all.get(at).is_none_or(|(known, _)| *known != name) {
            at += all[at..].partition_point(|(known, _)| *known < name);
        }
        match all.get_mut(at).filter(|(known, _)| *known == name) {
            Some((_, most)) => *most = (*most).max(*counter),
            None => all.insert(at, (name, *counter)),
        }
        at += 1;
    }
}

/// True when a context includes every entry.
fn covers_all(context: &ReportedClock, all: &Joined<'_>) -> bool {
    let mut entries = context.entries().iter();
    all.iter().all(|(name, most)| {
        let entry = entries.find(|(known, _)| known >= name);
        entry.is_some_and(|(known, counter)| known == *name && counter >= most)
    })
}

pub(super) fn dot_discipline(subject: &Subject<'_, '_>, found: &mut Found) {
    let (view, clocks) = (subject.view, subject.clocks);
    let mut acknowledged = Vec::new();
    for (number, write) in view.writes.iter().enumerate() {
        let Some(Version::Dotted {
            actor,
            counter,
            past,
        }) = &write.write().version
        else {
            continue;
        };
        found.tested();
        if past
            .as_ref()
            .is_some_and(|past| includes_dot(past, actor.as_str(), *counter))
        {
            found.violated(|| (vec![write.id], Finding::DotInOwnPast { write: write.id }));
        }
        if let (Status::Ok, Some(completed)) = (write.status, write.completed) {
            acknowledged.push((completed, number));
        }
    }
    acknowledged.sort_unstable();
    let mut largest: Vec<Option<(u32, usize)>> = vec![None; clocks.actors()];
    let mut next = 0;
    for (number, write) in view.writes.iter().enumerate() {
        let completed_before = |event: &&(TimeNs, usize)| event.0 < write.invoked;
        while let Some(&(_, done)) = acknowledged.get(next).filter(completed_before) {
            next += 1;
            if let Some((actor, counter)) = clocks.dot(done) {
                let largest = &mut largest[actor as usize];
                *largest = (*largest).max(Some((counter, done)));
            }
        }
        let acknowledged = clocks.known(number).map(|known| known.reported_by);
        if acknowledged != Some(write.id) {
            continue;
        }
        let Some((actor, counter)) = clocks.dot(number) else {
            continue;
        };
        if let Some((_, earlier)) = largest[actor as usize].filter(|(most, _)| *most >= counter) {
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
