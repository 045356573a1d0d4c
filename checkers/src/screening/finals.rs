//! Whether final reads can lack, or hold, what they should not; whether they differ.

use super::Screen;
use crate::{
    clock_table::{same_clock, same_version},
    history::{Action, NOT_A_READ, Read, Status, TimeNs},
    provenance::Kind,
    verdict::{Invariant, Reason},
};

impl Screen<'_, '_> {
    /// The places of the final reads.
    fn final_reads(&self) -> Vec<usize> {
        let is_final = |place: &usize| {
            let op = &self.ops[*place];
            op.kind == Kind::Read && op.is_special
        };
        (0..self.ops.len()).filter(is_final).collect()
    }

    /// `None` when a final read might be wrong. Every read is settled.
    pub(super) fn look_at_final_reads(&mut self) -> Option<()> {
        let finals = self.final_reads();
        if finals.is_empty() {
            return Some(());
        }
        self.look_for_losses(&finals)?;
        self.look_for_resurrection(&finals)?;
        self.look_at_convergence(&finals)?;
        self.look_at_contexts(&finals)
    }

    fn look_for_losses(&mut self, finals: &[usize]) -> Option<()> {
        let writes = self.ops.iter().filter(|op| op.kind == Kind::Write);
        let first_over = writes.map(|op| op.over).min().unwrap_or(TimeNs::MAX);
        for &read in finals {
            if self.returned(read).len() > 1 {
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
                let place = self.writes[write].place as usize;
                self.is_returned(write) || self.precedes(place, read)
            };
            if may.missing(self.writes.len()).any(is_due) {
                return None;
            }
        }
        Some(())
    }

    fn is_returned(&self, write: usize) -> bool {
        let slot = self.ops[self.writes[write].place as usize].slot;
        self.digest.version(slot as usize).is_returned
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
        let writes = self.ops.iter().filter(|op| op.kind == Kind::Write);
        let ends = writes.map(|op| match op.status {
            Status::Info => op.invoked,
            _ => op.over,
        });
        let settled = ends.max().unwrap_or(0);
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
        let mut others: Vec<_> = Vec::new();
        if !finals.is_empty() {
            others.extend((0..self.ops.len()).filter(is_other));
        }
        let last_over = others.iter().map(|read| self.ops[*read].over).max();
        let mut tested = 0;
        for &read in &finals {
            let before = |reads: &[usize]| {
                reads
                    .iter()
                    .filter(|other| self.precedes(**other, read))
                    .count()
            };
            tested += before(&finals);
            tested += if last_over < Some(self.ops[read].invoked) {
                others.len()
            } else {
                before(&others)
            };
        }
        self.exercised.add(Invariant::ContextCovers, tested as u64);
        self.digest.contexts_end_with_all().then_some(())
    }

    /// Why a lost update would not show: an acknowledged write that no final read followed.
    pub(super) fn no_final_read(&self) -> Option<Reason> {
        let finals = self.final_reads();
        let last = finals.iter().map(|read| self.ops[*read].invoked).max();
        let is_acknowledged = |place: &usize| {
            let op = &self.ops[*place];
            op.kind == Kind::Write && op.status == Status::Ok
        };
        let followed = |write: usize| {
            last.is_some_and(|last| self.ops[write].over < last)
                || finals.iter().any(|read| self.precedes(write, *read))
        };
        let mut acknowledged = (0..self.ops.len()).filter(is_acknowledged);
        let write = acknowledged.find(|write| !followed(*write))?;
        Some(Reason::NoFinalRead {
            write: self.ids[write],
            left_out: None,
        })
    }
}
