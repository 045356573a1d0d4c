//! The strongest claims that a history bears out, and the weakest that it refutes.
//!
//! One examination of the history judges every claim; the order of the claims
//! ([`Claim::implies`]) tells which of the verdicts say it all: a claim that holds says nothing new
//! where a stronger one holds, and a refuted claim nothing where a weaker one is refuted.

use serde_json::{Value as Json, json};

use crate::{
    claim::{Claim, Promise},
    examination::Examination,
    history::History,
    provenance::HistoryFault,
    verdict::{Outcome, Verdict},
};

/// The verdicts on one history under every claim.
#[derive(Clone, Debug, PartialEq)]
pub struct Strongest {
    verdicts: Vec<Verdict>,
    replica_monotonic: Verdict,
}

/// Judges a history under every claim.
///
/// # Errors
///
/// When the history contradicts itself, so that no verdict on the store would mean anything.
pub fn strongest(history: &History) -> Result<Strongest, HistoryFault> {
    let switched = Promise {
        claim: Claim::Eventual,
        replica_monotonic: true,
    };
    let mut promises = Claim::ALL.map(Promise::from).to_vec();
    promises.push(switched);
    let examination = Examination::of(history, &promises, true)?;
    let verdicts = Claim::ALL.map(|claim| examination.verdict(claim.into()));
    Ok(Strongest {
        verdicts: verdicts.to_vec(),
        replica_monotonic: examination.verdict(switched),
    })
}

impl Strongest {
    /// The verdict on each claim, in the order of [`Claim::ALL`].
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// The verdict on `eventual` with nodes that never go backwards.
    pub fn replica_monotonic(&self) -> &Verdict {
        &self.replica_monotonic
    }

    /// The claims that hold and are implied by no other that does.
    pub fn holding(&self) -> Vec<&Verdict> {
        let valid = |verdict: &&Verdict| verdict.outcome == Outcome::Valid;
        self.extreme(valid, Claim::implies)
    }

    /// The claims that are violated and imply no other that is.
    pub fn failing(&self) -> Vec<&Verdict> {
        let violated = |verdict: &&Verdict| verdict.outcome == Outcome::Violated;
        self.extreme(violated, |other, claim| claim.implies(other))
    }

    /// The claims that the history neither bears out nor refutes. A claim that implies a refuted
    /// one is refuted with it, and one that a valid claim implies holds.
    pub fn undecided(&self) -> Vec<&Verdict> {
        let of = |outcome, other: &Verdict| other.outcome == outcome;
        let settled = |claim: Claim| {
            self.verdicts.iter().any(|other| {
                of(Outcome::Violated, other) && claim.implies(other.claim)
                    || of(Outcome::Valid, other) && other.claim.implies(claim)
            })
        };
        let unknown = self.verdicts.iter().filter(|v| of(Outcome::Unknown, v));
        unknown.filter(|verdict| !settled(verdict.claim)).collect()
    }

    /// The outcome for scripts: whether anything holds.
    pub fn outcome(&self) -> Outcome {
        let weakest = self.verdicts.iter().find(|v| v.claim == Claim::Eventual);
        if weakest.is_some_and(|verdict| verdict.outcome == Outcome::Violated) {
            Outcome::Violated
        } else if self.holding().is_empty() {
            Outcome::Unknown
        } else {
            Outcome::Valid
        }
    }

    /// Every verdict as JSON with names, and which claims say it all.
    pub fn to_json(&self, history: &History) -> Json {
        let names = |verdicts: Vec<&Verdict>| -> Vec<_> {
            verdicts.into_iter().map(|v| v.claim.name()).collect()
        };
        let verdicts: Vec<_> = self.verdicts.iter().map(|v| v.to_json(history)).collect();
        json!({
            "holding": names(self.holding()),
            "failing": names(self.failing()),
            "undecided": names(self.undecided()),
            "verdicts": verdicts,
            "replica_monotonic": self.replica_monotonic.to_json(history),
        })
    }

    fn extreme(
        &self,
        chosen: impl Fn(&&Verdict) -> bool,
        outdone: impl Fn(Claim, Claim) -> bool,
    ) -> Vec<&Verdict> {
        let all: Vec<_> = self.verdicts.iter().filter(chosen).collect();
        let mut left = all.clone();
        left.retain(|verdict| {
            let outdone = |other: &&Verdict| {
                other.claim != verdict.claim && outdone(other.claim, verdict.claim)
            };
            !all.iter().any(outdone)
        });
        left
    }
}
