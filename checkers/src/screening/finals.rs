//! Whether final reads can lack, or hold, what they should not; whether they differ.

use super::Screen;
use crate::{
    history::{Action, NOT_A_READ, Read, Status, TimeNs},
    provenance::{Kind, OpRecord},
    same_clock::{same_clock, same_version},
    telling,
    verdict::{Invariant, Reason},
};

/// Where the operations of a key end.
pub(super) struct Ends {
    /// The places of the final reads.
    finals: Vec<usize>,
    /// When the first write is over.
    first_write: TimeNs,
    /// When the last acknowledged write is over.
    last_acknowledged: TimeNs,
    /// When nothing more is written but what is under way for ever.
    settled: TimeNs,
    /// How many reads but final ones have a context, and when the last of them is over.
    contexts: (usize, TimeNs),
}

impl Ends {
    pub(super) const NONE: Self = Self {
        finals: Vec::new(),
        first_write: TimeNs::MAX,
        last_acknowledged: 0,
        settled: 0,
        contexts: (0, 0),
    };

    /// Takes up the next operation.
    pub(super) fn take(&mut self, place: usize, op: &OpRecord) {
        match op.kind {
            Kind::Nothing => {}
            Kind::Write => {
                self.first_write = self.first_write.min(op.over);
                self.settled = self.settled.max(match op.status {
                    Status::Info => op.invoked,
                    _ => op.over,
                });
                if op.status == Status::Ok {
                    self.last_acknowledged = self.last_acknowledged.max(op.over);
                }
            }
            Kind::Read if op.is_special => self.finals.push(place),
            Kind::Read => {
                if op.has_context {
                    let (many, last_over) = &mut self.contexts;
                    (*many, *last_over) = (*many + 1, op.over.max(*last_over));
                }
            }
        }
    }
}

impl Screen<'_, '_> {
    /// `None` when a final read might be wrong. Every read is settled.
    pub(super) fn look_at_final_reads(&mut self) -> Option<()> {
        if self.ends.finals.is_empty() {
            return Some(());
        }
        let finals = self.ends.finals.clone();
        self.look_for_losses(&finals)?;
        self.look_for_resurrection(&finals)?;
        self.look_at_convergence(&finals)?;
        self.look_at_contexts(&finals)
    }

    fn look_for_losses(&mut self, finals: &[usize]) -> Option<()> {
        let first_over = self.ends.first_write;
        for &read in finals {
            if self.ops[read].linked() > 1 {
                self.exercised.add(Invariant::SiblingPreservation, 1);
            }
            let is_write = |place: &usize| self.ops[*place].kind == Kind::Write;
            let invoked = self.ops[read].invoked;
            if first_over < invoked
                || first_over == invoked
                    && (0..read)
                        .filter(is_write)
                        .any(|write| self.precedes(write, read))
            {
                self.exercised.add(Invariant::NoLostUpdate, 1);
            }
            let may = self.reads[self.ops[read].slot as usize].may();
            let is_due = |write: usize| {
                let place = self.writes[write].place.at();
                self.is_returned(write) || self.precedes(place, read)
            };
            if may.missing(self.writes.len()).any(is_due) {
                return None;
            }
        }
        Some(())
    }

    fn is_returned(&self, write: usize) -> bool {
        let slot = self.ops[self.writes[write].place.at()].slot;
        self.summary.version(slot as usize).is_returned
    }

    /// What a final read returned is not superseded by what any read returned.
    fn look_for_resurrection(&mut self, finals: &[usize]) -> Option<()> {
        let mut last: Vec<_> = finals
            .iter()
            .flat_map(|read| self.returned(*read))
            .collect();
        last.sort_unstable();
        last.dedup();
        let Some(&first) = last.first() else {
            return Some(());
        };
        if self.any_superseded {
            self.exercised
                .add(Invariant::NoResurrection, finals.len() as u64);
        }
        let later = first + 1..self.writes.len();
        let supersedes = |by: usize| {
            let covers = &self.writes[by].covers;
            last.iter().any(|write| covers.contains(*write)) && self.is_returned(by)
        };
        (!later.into_iter().any(supersedes)).then_some(())
    }

    fn look_at_convergence(&mut self, finals: &[usize]) -> Option<()> {
        let settled = self.ends.settled;
        let mut reads = finals
            .iter()
            .filter(|read| self.ops[**read].invoked >= settled);
        let Some(&first) = reads.next() else {
            return Some(());
        };
        let mut tested = 0;
        for &read in reads {
            tested += 1;
            if !self.agree(first, read) {
                return None;
            }
        }
        self.exercised.add(Invariant::Convergence, tested);
        Some(())
    }

    /// True when two reads returned the same writes, versions and context.
    fn agree(&self, one: usize, other: usize) -> bool {
        let (first, second) = (self.answer(one), self.answer(other));
        let same = self
            .returned(one)
            .zip(&first.siblings)
            .all(|(write, sibling)| {
                let Some(twin) = self.returned(other).position(|twin| twin == write) else {
                    return false;
                };
                let versions = sibling
                    .version
                    .as_ref()
                    .zip(second.siblings[twin].version.as_ref());
                versions.is_none_or(|(a, b)| same_version(a, b))
            });
        let contexts = first.context.as_ref().zip(second.context.as_ref());
        same && first.siblings.len() == second.siblings.len()
            && contexts.is_none_or(|(a, b)| same_clock(a, b))
    }

    /// A read's answer as it was recorded.
    fn answer(&self, read: usize) -> &Read {
        let id = self.ids[read] as usize;
        match &self.provenance.history.operations[id].action {
            Action::Read(read) => read,
            Action::Write(_) => &NOT_A_READ,
        }
    }

    /// The contexts of final reads hold all others.
    fn look_at_contexts(&mut self, finals: &[usize]) -> Option<()> {
        let with_context = |place: &usize| self.ops[*place].has_context;
        let finals: Vec<_> = finals.iter().copied().filter(with_context).collect();
        let is_other = |place: &usize| {
            let op = &self.ops[*place];
            op.kind == Kind::Read && op.has_context && !op.is_special
        };
        let (others, last_over) = self.ends.contexts;
        let mut tested = 0;
        for &read in &finals {
            let is_before = |other: &usize| self.precedes(*other, read);
            tested += finals.iter().copied().filter(is_before).count();
            tested += if last_over < self.ops[read].invoked {
                others
            } else {
                let others = (0..self.ops.len()).filter(is_other);
                others.filter(is_before).count()
            };
        }
        self.exercised.add(Invariant::ContextCovers, tested as u64);
        self.summary.contexts_end_with_all().then_some(())
    }

    /// Why a lost update would not show: an acknowledged write that no final read followed.
    pub(super) fn no_final_read(&self) -> Option<Reason> {
        let finals = &self.ends.finals;
        let last = finals.iter().map(|read| self.ops[*read].invoked).max();
        if last > Some(self.ends.last_acknowledged) {
            return None;
        }
        telling::no_final_read((self.ids, self.ops), finals, &[])
    }
}
