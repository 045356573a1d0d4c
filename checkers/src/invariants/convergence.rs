//! Convergence: after healing and settling, final reads agree at all nodes.
//!
//! Final reads of a key return the same siblings; where a sibling's clock or dot, or the context,
//! is reported by both, these are equal too. Each final read is compared with the first. Only final
//! reads count that were invoked when no write of the key was still under way or to come; an `info`
//! write was under way at its invocation only, since settling is to outlast it. Where reads may leave
//! tombstones out, one node may show a tombstone that another has removed, so these are compared only
//! where both show them; and contexts of a key with deletes are not compared at all: a node that has
//! removed all tombstones of a key starts anew, and one that has not keeps the old entries.
//!
//! Sound for any store that settles, complete for what is compared. Cost: O(n log n) in the siblings of
//! final reads.
//!
//! ```text
//! c1  write "a" ─ ok
//! c2                  final read at n1 ─ ok ["a"]
//! c2                  final read at n2 ─ ok []
//! ```

use super::{Found, Subject};
use crate::{
    causality::{KeyView, ReadView},
    history::Status,
    same_clock::{same_clock, same_version},
    verdict::{Difference, Finding},
};

pub(super) fn convergence(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    let last_write = view.writes.iter().map(|write| match write.status {
        Status::Info => write.invoked,
        _ => write.completed.unwrap_or(write.invoked),
    });
    let settled = last_write.max().unwrap_or(0);
    let mut reads = view.final_reads().filter(|read| read.invoked >= settled);
    let Some(first) = reads.next() else { return };
    for read in reads {
        found.tested();
        if let Some(difference) = difference(view, first, read) {
            let reads = [first.id, read.id];
            found.violated(|| (reads.to_vec(), Finding::Diverged { reads, difference }));
        }
    }
}

fn difference(view: &KeyView<'_>, a: &ReadView<'_>, b: &ReadView<'_>) -> Option<Difference> {
    let only = |one: &ReadView<'_>, other: &ReadView<'_>| {
        let writes = one.returned.iter();
        let writes = writes.filter(|write| !other.returned.contains(*write) && !view.hides(*write));
        writes
            .map(|write| view.writes[write].id)
            .collect::<Vec<_>>()
    };
    let only = [only(a, b), only(b, a)];
    if only.iter().any(|writes| !writes.is_empty()) {
        return Some(Difference::Siblings { only });
    }
    let mut twins: Vec<_> = b.siblings.iter().zip(0..).collect();
    twins.sort_unstable();
    for (sibling, write) in a.read().siblings.iter().zip(a.siblings.iter()) {
        let Ok(twin) = twins.binary_search_by_key(&write, |(twin, _)| *twin) else {
            continue;
        };
        let (_, twin): (_, usize) = twins[twin];
        let versions = sibling
            .version
            .as_ref()
            .zip(b.read().siblings[twin].version.as_ref());
        if versions.is_some_and(|(a, b)| !same_version(a, b)) {
            let write = view.writes[write?].id;
            return Some(Difference::Version { write });
        }
    }
    let contexts = a.read().context.as_ref().zip(b.read().context.as_ref());
    let differ = contexts.is_some_and(|(a, b)| !same_clock(a, b));
    (differ && !view.hides_deletes()).then_some(Difference::Contexts)
}
