//! Findings about order, sessions and causes: what came before, and what was seen of it.

use super::{Teller, time};
use crate::history::{Action, OpId};

impl Teller<'_> {
    /// Two reads that each lack what the other returned.
    pub(super) fn reads_cross(
        &self,
        [first, second]: [OpId; 2],
        [one, other]: [OpId; 2],
    ) -> String {
        format!(
            "{} saw {} but not {}, and {} saw {} but not {}: whichever came second should have seen both",
            self.read(first),
            self.value(one),
            self.value(other),
            self.read(second),
            self.value(other),
            self.value(one)
        )
    }

    /// An acknowledged write that a later read lacks.
    pub(super) fn write_missed(&self, read: OpId, write: OpId, ignored: Option<OpId>) -> String {
        format!(
            "{} should have seen {}: {}",
            self.read(read),
            self.known_write(write, None),
            self.not_superseded(read, write, ignored)
        )
    }

    /// A write that an earlier read returned and a later one lacks.
    pub(super) fn read_went_back(
        &self,
        earlier: OpId,
        read: OpId,
        write: OpId,
        ignored: Option<OpId>,
    ) -> String {
        format!(
            "{} should have seen {}, which {} had returned before: {}",
            self.read(read),
            self.described_write(write),
            self.read(earlier),
            self.not_superseded(read, write, ignored)
        )
    }

    /// A write that a read lacks, although it saw a later one.
    pub(super) fn writes_reordered(
        &self,
        read: OpId,
        missed: OpId,
        saw: OpId,
        ignored: Option<OpId>,
    ) -> String {
        format!(
            "{} saw {} and should also have seen {}, before {} was invoked at {}{}",
            self.read(read),
            self.value(saw),
            self.known_write(missed, None),
            self.value(saw),
            time(self.op(saw).invoked),
            ignored.map_or(String::new(), |_| {
                format!(": {}", self.not_superseded(read, missed, ignored))
            })
        )
    }

    /// A read that saw a client's write and lacks what that client had read before.
    pub(super) fn read_not_followed(
        &self,
        read: OpId,
        missed: OpId,
        seen_by: OpId,
        saw: OpId,
        ignored: Option<OpId>,
    ) -> String {
        format!(
            "{} saw {} and should also have seen {}, which {} had returned before {} wrote {}: {}",
            self.read(read),
            self.value(saw),
            self.described_write(missed),
            self.read(seen_by),
            self.client(saw),
            self.value(saw),
            self.not_superseded(read, missed, ignored)
        )
    }

    /// A write that a read lacks, although it happened before.
    pub(super) fn cause_missed(&self, read: OpId, chain: &[OpId], ignored: Option<OpId>) -> String {
        let write = chain.first().copied().unwrap_or(read);
        format!(
            "{} should have seen {}, which happened before it: {}; and {}",
            self.read(read),
            self.described_write(write),
            self.chain(chain),
            self.not_superseded(read, write, ignored)
        )
    }

    /// A write that a read returned, although it happened after.
    pub(super) fn causal_cycle(&self, read: OpId, chain: &[OpId]) -> String {
        let write = chain.last().copied().unwrap_or(read);
        format!(
            "{} should not have returned {}, which happened after it: {}",
            self.read(read),
            self.value(write),
            self.chain(chain)
        )
    }

    /// `c1 wrote "a" to x, then wrote "b" to y; c2 read "b" from y, then read x`
    fn chain(&self, chain: &[OpId]) -> String {
        let steps = chain.iter().enumerate().map(|(at, op)| {
            let deed = self.deed(*op);
            let same = at > 0 && self.op(chain[at - 1]).client == self.op(*op).client;
            match (at, same) {
                (_, true) => format!(", then {deed}"),
                (0, false) => format!("{} {deed}", self.client(*op)),
                (_, false) => format!("; {} {deed}", self.client(*op)),
            }
        });
        steps.collect()
    }

    fn deed(&self, op: OpId) -> String {
        let key = self.key(op);
        match &self.op(op).action {
            Action::Write(write) if write.tombstone => format!("deleted {key}"),
            Action::Write(_) => format!("wrote {} to {key}", self.value(op)),
            Action::Read(read) if read.siblings.is_empty() => format!("read nothing from {key}"),
            Action::Read(_) => format!("read {} from {key}", self.siblings(op)),
        }
    }
}
