//! Findings about order, sessions and causes: what came before, and what was seen of it.

use super::{Teller, time};
use crate::{
    history::{Action, OpId},
    verdict::Finding,
};

impl Teller<'_> {
    /// Why no order of the operations exists.
    pub(super) fn order(&self, finding: &Finding) -> String {
        match *finding {
            Finding::ReadsCross {
                reads: [first, second],
                writes: [one, other],
            } => format!(
                "{} saw {} but not {}, and {} saw {} but not {}: whichever came second should have seen both",
                self.read(first),
                self.value(one),
                self.value(other),
                self.read(second),
                self.value(other),
                self.value(one)
            ),
            Finding::WriteMissed {
                read,
                write,
                ignored,
            } => format!(
                "{} should have seen {}: {}",
                self.read(read),
                self.known_write(write, None),
                self.not_superseded(read, write, ignored)
            ),
            Finding::ReadWentBack {
                earlier,
                read,
                write,
                ignored,
            } => format!(
                "{} should have seen {}, which {} had returned before: {}",
                self.read(read),
                self.described_write(write),
                self.read(earlier),
                self.not_superseded(read, write, ignored)
            ),
            Finding::WritesReordered {
                read,
                missed,
                saw,
                ignored,
            } => format!(
                "{} saw {} and should also have seen {}, before {} was invoked at {}{}",
                self.read(read),
                self.value(saw),
                self.known_write(missed, None),
                self.value(saw),
                time(self.op(saw).invoked),
                ignored.map_or(String::new(), |_| {
                    format!(": {}", self.not_superseded(read, missed, ignored))
                })
            ),
            _ => String::new(),
        }
    }

    /// What a read lacks of the past of what it saw.
    pub(super) fn session(&self, finding: &Finding) -> String {
        match finding {
            Finding::ReadNotFollowed {
                read,
                missed,
                seen_by,
                saw,
                ignored,
            } => format!(
                "{} saw {} and should also have seen {}, which {} had returned before {} wrote {}: {}",
                self.read(*read),
                self.value(*saw),
                self.described_write(*missed),
                self.read(*seen_by),
                self.client(*saw),
                self.value(*saw),
                self.not_superseded(*read, *missed, *ignored)
            ),
            Finding::CauseMissed {
                read,
                chain,
                ignored,
            } => {
                let write = chain.first().copied().unwrap_or(*read);
                format!(
                    "{} should have seen {}, which happened before it: {}; and {}",
                    self.read(*read),
                    self.described_write(write),
                    self.chain(chain),
                    self.not_superseded(*read, write, *ignored)
                )
            }
            Finding::CausalCycle { read, chain } => {
                let write = chain.last().copied().unwrap_or(*read);
                format!(
                    "{} should not have returned {}, which happened after it: {}",
                    self.read(*read),
                    self.value(write),
                    self.chain(chain)
                )
            }
            _ => String::new(),
        }
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
