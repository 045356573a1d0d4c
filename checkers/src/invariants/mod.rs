//! The invariants, one file a family, and which of them a claim promises.
//!
//! Each is a small function over the visible sets of one key ([`KeyView`]) that reports to a
//! [`Found`]. A file's header is the specification of what it checks.

mod answers;
mod atomic_register;
mod causal;
mod clocks;
mod convergence;
mod dominance;
mod dots;
mod linearizability;
mod missing_write;
mod preservation;
mod quorum;
mod replica;
mod required;
mod sessions;

use crate::{
    causality::KeyView,
    claim::Promise,
    clock_table::ClockTable,
    happens_before::HappensBefore,
    history::OpId,
    object_model::ObjectModel,
    verdict::{Finding, Invariant, Reason, Violation},
};

/// One key, ready to be judged.
pub(crate) struct Subject<'v, 'h> {
    pub(crate) view: &'v KeyView<'h>,
    pub(crate) clocks: &'v ClockTable<'h>,
    /// What happened before what over all keys, where the promise speaks of it.
    pub(crate) before: Option<&'v HappensBefore>,
}

/// Tests one invariant on one key.
type Check = fn(&Subject<'_, '_>, &mut Found);

/// Every check, in the order of [`Invariant::ALL`].
const REGISTRY: [(Invariant, Check); Invariant::ALL.len()] = [
    (Invariant::NoThinAir, answers::no_thin_air),
    (Invariant::ClockIdentity, clocks::identity),
    (Invariant::DotDiscipline, dots::dot_discipline),
    (Invariant::ClockAdvance, clocks::advance),
    (Invariant::ClockSoundness, clocks::soundness),
    (Invariant::ClockPrecision, clocks::precision),
    (Invariant::NoDuplicateSibling, answers::no_duplicate_sibling),
    (Invariant::Dominance, dominance::dominance),
    (Invariant::AnswerAntichain, clocks::answer_antichain),
    (Invariant::BoundedSiblings, dominance::bounded_siblings),
    (
        Invariant::SiblingPreservation,
        preservation::sibling_preservation,
    ),
    (Invariant::NoLostUpdate, preservation::no_lost_update),
    (Invariant::NoResurrection, preservation::no_resurrection),
    (Invariant::ContextCovers, dots::context_covers),
    (Invariant::Convergence, convergence::convergence),
    (Invariant::ReadYourWrites, sessions::read_your_writes),
    (Invariant::MonotonicReads, sessions::monotonic_reads),
    (Invariant::MonotonicWrites, sessions::monotonic_writes),
    (Invariant::WritesFollowReads, sessions::writes_follow_reads),
    (Invariant::Causality, causal::causality),
    (Invariant::RegularReads, quorum::regular_reads),
    (Invariant::ReplicaMonotonicity, sessions::monotonic_replicas),
    (Invariant::Linearizability, linearizability::linearizability),
];

/// The check of an invariant that reads otherwise in the replica model.
fn in_replica_model(invariant: Invariant) -> Option<Check> {
    match invariant {
        Invariant::NoLostUpdate => Some(replica::no_lost_update),
        Invariant::Linearizability => Some(atomic_register::linearizability),
        _ => None,
    }
}

/// Tests everything that any of the promises includes on one key, and tells what became of each invariant.
pub(crate) fn check(
    promises: &[Promise],
    subject: &Subject<'_, '_>,
    mut tell: impl FnMut(Invariant, Tested),
) {
    let model = subject.view.model();
    for (invariant, check) in REGISTRY {
        let said = promises.iter().any(|promise| promise.includes(invariant));
        if said && model.has(invariant) {
            let check = match model {
                ObjectModel::Context => check,
                ObjectModel::Replica => in_replica_model(invariant).unwrap_or(check),
            };
            let mut found = Found::default();
            check(subject, &mut found);
            let key = subject.view.key;
            let violation = found.first.map(|(evidence, finding)| Violation {
                invariant,
                key,
                evidence,
                more: found.more,
                finding,
            });
            let Found { tested, open, .. } = found;
            tell(
                invariant,
                Tested {
                    times: tested,
                    violation,
                    open,
                },
            );
        }
    }
}

/// What became of an invariant on one key.
pub(crate) struct Tested {
    /// How often it had something to test.
    pub(crate) times: u64,
    pub(crate) violation: Option<Violation>,
    /// Why it may be violated, and that could not be decided.
    pub(crate) open: Option<Reason>,
}

/// What a check found: the first violation in full, and the number of the others.
#[derive(Default)]
pub(crate) struct Found {
    tested: u64,
    first: Option<(Vec<OpId>, Finding)>,
    more: u64,
    open: Option<Reason>,
}

impl Found {
    /// Something may be wrong, and that cannot be decided.
    pub(crate) fn leave_open(&mut self, reason: Reason) {
        self.open = Some(reason);
    }

    /// Something was tested that could have been wrong.
    pub(crate) fn tested(&mut self) {
        self.tested += 1;
    }

    /// That many things were tested that could have been wrong.
    pub(crate) fn tested_times(&mut self, times: u64) {
        self.tested += times;
    }

    /// That many further things are wrong, of which no evidence is kept.
    pub(crate) fn violated_more(&mut self, more: u64) {
        self.more += more;
    }

    /// Something is wrong, if it can be proved.
    pub(crate) fn violated_if(&mut self, proof: impl FnOnce() -> Option<(Vec<OpId>, Finding)>) {
        if self.first.is_some() {
            self.more += 1;
        } else if let Some(proof) = proof() {
            self.violated(|| proof);
        }
    }

    /// Something is wrong. Evidence may be given in any order, with repetitions.
    pub(crate) fn violated(&mut self, proof: impl FnOnce() -> (Vec<OpId>, Finding)) {
        if self.first.is_some() {
            self.more += 1;
            return;
        }
        let (mut evidence, finding) = proof();
        evidence.sort_unstable();
        evidence.dedup();
        self.first = Some((evidence, finding));
    }
}
