//! Late writes: those that may take effect after a later write of their own client.
//!
//! A client's write is *open* at its later write `l` of the key when it had not completed before
//! `l` was invoked (an `info` write never does), and no read that completed before then had
//! returned it; at one moment, no read of the client's own. It may take effect after `l`, and a
//! store whose clock entries are client ids may then rank it above `l` and above all that `l`
//! covers:
//!
//! ```text
//! c1  write "first" ─ info       write "second" ─ ok {c1:1}
//!                                                "first" arrives: {c1:2}
//! c2                                                                     read ─ ok ["first" {c1:2}]
//! ```

use std::collections::BTreeMap;

use super::{KeyView, WriteView};
use crate::history::{OpId, TimeNs};

/// The open writes of one key. Empty for clients that wait for every answer.
#[derive(Default)]
pub(super) struct LateWrites {
    open: Vec<Open>,
    /// The writes of each client, in the order of invocation.
    by_client: BTreeMap<u32, Vec<usize>>,
}

/// A write that its completion does not put before all its client's later ones.
struct Open {
    write: usize,
    seen_by: FirstReads,
    /// Where among its client's writes those are that it is open at.
    later: std::ops::Range<usize>,
}

/// The reads that returned a write and completed first: anyone's, and its own client's. At one moment
/// a client's own alone comes before what it writes then, so that neither stands for the other.
#[derive(Clone, Copy, Default)]
struct FirstReads {
    anyone: Option<(TimeNs, OpId)>,
    own: Option<(TimeNs, OpId)>,
}

impl FirstReads {
    /// One that was over before an operation was invoked, where any read of the write was.
    fn before(self, view: &KeyView<'_>, op: OpId) -> Option<OpId> {
        let reads = [self.anyone, self.own].into_iter().flatten();
        let mut reads = reads.map(|(_, read)| read);
        reads.find(|read| view.precedes(*read, op))
    }
}

impl LateWrites {
    pub(super) fn of(view: &KeyView<'_>) -> Self {
        let unfinished = |write: &WriteView<'_>| {
            let previous = write.previous().map(|previous| view.writes[previous].id);
            previous.is_some_and(|previous| !view.precedes(previous, write.id))
        };
        let mut late = Self::default();
        if !view.writes.iter().any(unfinished) {
            return late;
        }
        for (number, write) in view.writes.iter().enumerate() {
            late.by_client.entry(write.client).or_default().push(number);
        }
        let seen_by = first_reads(view);
        for writes in late.by_client.values() {
            for (at, &write) in writes.iter().enumerate() {
                let id = |later: &usize| view.writes[*later].id;
                let after = &writes[at + 1..];
                let unfinished =
                    after.partition_point(|w| !view.precedes(view.writes[write].id, id(w)));
                let seen_by = seen_by[write];
                let unseen = |w: &usize| seen_by.before(view, id(w)).is_none();
                let later = after[..unfinished].partition_point(unseen);
                if unfinished > 0 {
                    late.open.push(Open {
                        write,
                        seen_by,
                        later: at + 1..at + 1 + later,
                    });
                }
            }
        }
        late.open.sort_unstable_by_key(|open| open.write);
        late
    }

    /// True when no write may take effect after a later one of its client.
    pub(super) fn is_empty(&self) -> bool {
        self.open.iter().all(|open| open.later.is_empty())
    }

    /// True when a client wrote again before it knew that its earlier write was over, whether a read
    /// had shown it by then or not.
    pub(super) fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The last write invoked by `by` that `write` may take effect after, of those of its client.
    pub(super) fn last(&self, view: &KeyView<'_>, write: usize, by: TimeNs) -> Option<usize> {
        let open = self.get(write)?;
        let later = &self.by_client[&view.writes[write].client][open.later.clone()];
        let invoked = later.partition_point(|later| view.writes[*later].invoked <= by);
        invoked.checked_sub(1).map(|last| later[last])
    }

    /// The read, where it takes one, that shows `write` to have taken effect before its client's
    /// `later` was invoked.
    pub(super) fn shown_by(&self, view: &KeyView<'_>, write: usize, later: usize) -> Option<OpId> {
        let (first, second) = (&view.writes[write], &view.writes[later]);
        let one_client = first.client == second.client && first.id < second.id;
        if !one_client || view.precedes(first.id, second.id) {
            return None;
        }
        self.get(write)?.seen_by.before(view, second.id)
    }

    fn get(&self, write: usize) -> Option<&Open> {
        let at = self.open.binary_search_by_key(&write, |open| open.write);
        at.ok().map(|at| &self.open[at])
    }
}

/// Of each write.
fn first_reads(view: &KeyView<'_>) -> Vec<FirstReads> {
    let mut first = vec![FirstReads::default(); view.writes.len()];
    let earlier =
        |known: Option<(TimeNs, OpId)>, read| Some(known.map_or(read, |known| known.min(read)));
    for read in &view.reads {
        let completed = (read.completed, read.id);
        for write in read.siblings.writes() {
            let first = &mut first[write];
            first.anyone = earlier(first.anyone, completed);
            if view.writes[write].client == read.client {
                first.own = earlier(first.own, completed);
            }
        }
    }
    first
}
