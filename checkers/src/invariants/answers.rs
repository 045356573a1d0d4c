//! No thin air, no duplicate sibling: what must hold before an answer means anything.
//!
//! **No thin air.** Every returned value was written to that key by a write that was invoked before
//! the read completed, and that did not certainly fail. A value whose tag belongs to a write of
//! another value was altered, and is thin air too. Equal times are given the benefit of the doubt,
//! unless the write's client, or its context, had the read's answer.
//!
//! ```text
//! c1  write "a" ─ ok
//! c2               read ─ ok ["q"]          nobody wrote "q"
//! ```
//!
//! **No duplicate sibling.** No write appears twice in one answer. Equal values of different
//! writes are legitimate siblings; tags tell them apart.
//!
//! ```text
//! c1  write "a" ─ ok
//! c2               read ─ ok ["a", "a"]
//! ```
//!
//! Both are sound and complete as stated, in O(siblings), quadratic only in siblings out of thin
//! air of one answer. A read that fails either is reported for that and left out of the other read
//! invariants; the siblings that are explained still count as what its client saw.

use super::{Found, Subject};
use crate::{
    history::Sibling,
    provenance::Origin,
    verdict::{Finding, ThinAir},
    write_set::WriteSet,
};

pub(super) fn no_thin_air(subject: &Subject<'_, '_>, found: &mut Found) {
    for read in &subject.view.reads {
        if read.sound {
            found.tested_times(read.siblings.len() as u64);
            continue;
        }
        let origins = subject.view.origins(read).iter().zip(read.siblings.iter());
        for (sibling, (origin, write)) in origins.enumerate() {
            found.tested();
            let origin = match (write, *origin) {
                (Some(_), _) => continue,
                (None, Origin::ThinAir(origin)) => origin,
                (None, Origin::Write(write)) => ThinAir::NotYetWritten { write },
            };
            found.violated(|| {
                let mut evidence = vec![read.id];
                evidence.extend(origin.write());
                (
                    evidence,
                    Finding::ThinAir {
                        read: read.id,
                        sibling,
                        origin,
                    },
                )
            });
        }
    }
}

pub(super) fn no_duplicate_sibling(subject: &Subject<'_, '_>, found: &mut Found) {
    for read in &subject.view.reads {
        if read.siblings.len() < 2 {
            continue;
        }
        found.tested();
        if read.sound {
            continue;
        }
        let mut seen = WriteSet::EMPTY;
        for (later, write) in read.siblings.iter().enumerate() {
            if write.is_some_and(|write| seen.insert(write)) {
                continue;
            }
            let twin = |earlier: &usize| match (write, read.siblings.get(*earlier)) {
                (Some(write), Some(other)) => write == other,
                (None, None) => same_value(
                    &read.read().siblings[*earlier],
                    &read.read().siblings[later],
                ),
                _ => false,
            };
            if let Some(earlier) = (0..later).find(twin) {
                let siblings = [earlier, later];
                found.violated(|| {
                    (
                        vec![read.id],
                        Finding::Duplicate {
                            read: read.id,
                            siblings,
                        },
                    )
                });
            }
        }
    }
}

fn same_value(a: &Sibling, b: &Sibling) -> bool {
    a.value == b.value && a.tombstone == b.tombstone
}
