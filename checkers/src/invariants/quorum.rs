//! Regular reads: strict quorums see every write that was acknowledged before the read began.
//!
//! **Definition.** `w ∈ V(r)` whenever `w` was acknowledged before `r` was invoked, by whatever
//! clients. This is what R + W > N gives when no write is taken by nodes outside its preference
//! list: the quorum of the read meets that of the write. A write under way while the read is may be
//! seen or not, and two such reads may disagree in any order; a write with an unknown outcome may
//! never be seen. (That nothing is seen before it was invoked is no thin air.)
//!
//! ```text
//! c1 at n1  write "a" ─ ok
//! c2 at n2                  read ─ ok []
//! ```
//!
//! Sound for `V_may`, complete under `must`; equal times decide nothing between clients. Cost: O(n
//! log n), and one comparison of sets a read. Sources: Gifford 1979; Lamport 1986 (regular
//! registers); `DeCandia` et al. 2007.

use std::collections::BTreeMap;

use super::{
    Found, Subject,
    missing_write::MissingWrite,
    required::{Required, acknowledged_before},
};
use crate::{
    causality::{ReadView, WriteView},
    history::TimeNs,
    write_set::WriteSet,
};

pub(super) fn regular_reads(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    let acknowledged = view.writes.iter().enumerate();
    let acknowledged = acknowledged.filter(|(_, write)| write.acknowledged());
    let mut completions: Vec<(TimeNs, usize)> = acknowledged
        .filter_map(|(number, write)| Some((write.completed?, number)))
        .collect();
    completions.sort_unstable();
    let mut completions = completions.into_iter().peekable();
    let mut past = Required::default();
    // For each client and moment the writes acknowledged then, of those before the read.
    let mut own: BTreeMap<(u32, TimeNs), WriteSet> = BTreeMap::new();
    let mut earlier = view.writes.iter().enumerate().peekable();
    for (number, read) in view.reads.iter().enumerate() {
        let invoked = read.invoked;
        while let Some((_, write)) = completions.next_if(|(completed, _)| *completed < invoked) {
            past.add(write);
        }
        while let Some((number, write)) = earlier.next_if(|(_, write)| write.id < read.id) {
            if let Some(completed) = write.completed.filter(|_| write.acknowledged()) {
                let client = view.operation(write.id).client;
                own.entry((client, completed)).or_default().insert(number);
            }
        }
        if !read.sound {
            continue;
        }
        // At one instant only a client's own order decides.
        let at_once = own.get(&(view.operation(read.id).client, invoked));
        if past.is_empty() && at_once.is_none() {
            continue;
        }
        found.tested();
        let was_required =
            |write: &WriteView<'_>, last: &ReadView<'_>| acknowledged_before(write, last.invoked);
        let missing = past.missing_in(view, number, was_required);
        let missing = missing.or_else(|| at_once?.difference(&read.visible_may).next());
        if let Some(write) = missing {
            found.violated(|| MissingWrite::of(view, read, write).missed());
        }
    }
}
