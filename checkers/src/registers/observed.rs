//! The operations of one register, which operation's result each of them observed, and what proves that
//! to be wrong.

use std::collections::BTreeSet;

use super::{
    history::{Action, History, OpId, Operation, Status},
    verdict::Finding,
};
use crate::index::number;

/// Position of an operation among those of its key, or of the state that it produced.
pub(super) type Local = u32;

/// An operation that counts, and its number in the history.
pub(super) type Counted = (OpId, Operation);

/// No operation, or no state.
pub(super) const NONE: Local = Local::MAX;

/// The proof of a violation.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) evidence: Vec<OpId>,
    /// Compare-and-sets of which it does not matter what they found.
    pub(super) waived: Vec<OpId>,
    pub(super) finding: Finding,
}

/// Why zones do not settle a key.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// It is unclear which write an observation saw.
    NotUnique,
    /// It is clear that there is none.
    Proof(Box<Proof>),
}

impl From<Proof> for Obstacle {
    fn from(proof: Proof) -> Self {
        Self::Proof(Box::new(proof))
    }
}

/// The operations of one key, and which operation's result each of them observed.
pub(super) struct Register<'h> {
    pub(super) history: &'h History,
    /// Those that count, copied so that they lie together.
    pub(super) ops: &'h [Counted],
    /// For each operation whose result it saw, or replaced: its position, that of
    /// [`Register::initial`], or [`NONE`].
    pub(super) observes: Vec<Local>,
    /// For each whether it took effect.
    pub(super) applied: Vec<bool>,
    /// For each of an unknown outcome, and for each append, an operation that observed its result.
    pub(super) shown_by: Vec<Local>,
}

impl Register<'_> {
    pub(super) fn id(&self, local: Local) -> OpId {
        self.ops[local as usize].0
    }

    pub(super) fn op(&self, local: Local) -> &Operation {
        &self.ops[local as usize].1
    }

    /// The number of the state at the start.
    pub(super) fn initial(&self) -> Local {
        number(self.ops.len())
    }

    pub(super) fn locals(&self) -> std::ops::Range<Local> {
        0..number(self.ops.len())
    }

    /// True of an operation that produces a state.
    pub(super) fn produces(&self, local: Local) -> bool {
        self.applied[local as usize]
            && match self.op(local).action {
                Action::Read(_) => false,
                Action::CompareAndSet { swapped, .. } => swapped,
                Action::Write(_) | Action::Append(_) => true,
            }
    }

    /// Notes that `observer` shows `state` to have been produced; true when that is news of an
    /// operation whose outcome was unknown.
    pub(super) fn show(&mut self, state: Local, observer: Local) -> bool {
        let Some(applied) = self.applied.get_mut(state as usize) else {
            return false;
        };
        if std::mem::replace(applied, true) {
            return false;
        }
        self.note(state, observer);
        true
    }

    /// Notes the first observer of a state; returns it.
    pub(super) fn note(&mut self, state: Local, observer: Local) -> Local {
        self.shown_by.resize(self.ops.len(), NONE);
        let first = &mut self.shown_by[state as usize];
        if *first == NONE {
            *first = observer;
        }
        *first
    }

    /// The evidence that these operations make: those of unknown outcome with what shows that
    /// they took effect, appends with what shows to what they were added.
    fn evidence(&self, locals: &[Local]) -> Vec<OpId> {
        // What is seen to have taken effect: what an answer observed, and what in turn that
        // observed, if it is among the evidence; a string shows all appends that it consists of.
        let chosen: BTreeSet<Local> = locals.iter().copied().collect();
        let mut covered = BTreeSet::new();
        for local in locals {
            let mut state = self.observed_by(*local);
            while (state as usize) < self.ops.len() && covered.insert(state) {
                let appended = matches!(self.op(state).action, Action::Append(_));
                if !appended && !chosen.contains(&state) {
                    break;
                }
                state = self.observes[state as usize];
            }
        }
        let mut evidence = Vec::new();
        for &local in locals {
            let mut local = local;
            while (local as usize) < self.ops.len() {
                evidence.push(self.id(local));
                let appended = matches!(self.op(local).action, Action::Append(_))
                    && self.observes[local as usize] != NONE;
                let unknown = self.op(local).status != Status::Ok;
                if covered.contains(&local) || !unknown && !appended {
                    break;
                }
                local = self.shown_by.get(local as usize).copied().unwrap_or(NONE);
            }
        }
        evidence.sort_unstable();
        evidence.dedup();
        evidence
    }

    /// The state that an answered read or compare-and-set observed.
    fn observed_by(&self, local: Local) -> Local {
        match self.ops.get(local as usize) {
            Some(_) if self.op(local).status == Status::Ok => match self.op(local).action {
                Action::Read(_) | Action::CompareAndSet { .. } => self.observes[local as usize],
                Action::Write(_) | Action::Append(_) => NONE,
            },
            _ => NONE,
        }
    }

    pub(super) fn proof(&self, locals: impl IntoIterator<Item = Local>, finding: Finding) -> Proof {
        let evidence = self.evidence(&locals.into_iter().collect::<Vec<_>>());
        // The ends of a part of a block need not be explained by what came before.
        let waived = self.locals().filter(|local| {
            let before = self.observes[*local as usize] as usize;
            let swaps = matches!(self.op(*local).action, Action::CompareAndSet { .. });
            let here = evidence.binary_search(&self.id(*local)).is_ok();
            let left_out = |(op, operation): &Counted| {
                !matches!(operation.action, Action::Append(_))
                    && evidence.binary_search(op).is_err()
            };
            here && swaps && self.ops.get(before).is_some_and(left_out)
        });
        let waived = waived.map(|local| self.id(local)).collect();
        Proof {
            evidence,
            waived,
            finding,
        }
    }

    /// An operation observed a value that nothing wrote.
    pub(super) fn never_written(&self, local: Local, value: u32) -> Proof {
        let finding = Finding::NeverWritten {
            op: self.id(local),
            value,
            failed: None,
        };
        self.proof([local], finding)
    }
}
