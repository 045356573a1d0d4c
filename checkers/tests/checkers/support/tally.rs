//! What many verdicts came to.

use std::{fmt, ops::AddAssign};

use sibcheck_checkers::{Claim, Invariant, Outcome, Verdict, Violation, strongest::Strongest};

/// Verdicts by claim and outcome, and violated keys by invariant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// The last row is `eventual` with monotonic replicas.
    verdicts: [[u64; Outcome::ALL.len()]; Claim::ALL.len() + 1],
    fired: [u64; Invariant::ALL.len()],
}

impl Tally {
    pub(crate) fn add(&mut self, judged: &Strongest) {
        for (verdict, counts) in verdicts(judged).zip(&mut self.verdicts) {
            counts[verdict.outcome as usize] += 1;
        }
        for violation in violations(judged) {
            self.fired[violation.invariant as usize] += 1;
        }
    }

    /// The invariants that nothing violated.
    pub(crate) fn never_fired(&self) -> Vec<Invariant> {
        let counts = Invariant::ALL.into_iter().zip(self.fired);
        let never = counts.filter(|(_, count)| *count == 0);
        never.map(|(invariant, _)| invariant).collect()
    }

    pub(crate) fn violated_verdicts(&self) -> u64 {
        let violated = self.verdicts.iter();
        violated.map(|row| row[Outcome::Violated as usize]).sum()
    }
}

/// Every verdict.
pub(crate) fn verdicts(judged: &Strongest) -> impl Iterator<Item = &Verdict> {
    let verdicts = judged.verdicts().iter();
    verdicts.chain([judged.replica_monotonic()])
}

/// Every violation, whichever claims it breaks, once.
pub(crate) fn violations(judged: &Strongest) -> Vec<&Violation> {
    let mut violations: Vec<_> = verdicts(judged).flat_map(|v| &v.violations).collect();
    violations.sort_by_key(|violation| (violation.key, violation.invariant));
    violations.dedup_by_key(|violation| (violation.key, violation.invariant));
    violations
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        let verdicts = self.verdicts.as_flattened_mut().iter_mut();
        let all = verdicts.chain(&mut self.fired);
        let more = other.verdicts.as_flattened().iter().chain(&other.fired);
        for (all, more) in all.zip(more) {
            *all += more;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:>10} {:>10} {:>10}", "violated", "valid", "unknown")?;
        let claims = Claim::ALL.map(Claim::name).into_iter();
        for (claim, row) in claims.chain(["monotonic replicas"]).zip(self.verdicts) {
            let count = |outcome: Outcome| row[outcome as usize];
            writeln!(
                f,
                "  {:>10} {:>10} {:>10}  {claim}",
                count(Outcome::Violated),
                count(Outcome::Valid),
                count(Outcome::Unknown)
            )?;
        }
        writeln!(f, "keys that violate an invariant:")?;
        for (invariant, count) in Invariant::ALL.into_iter().zip(self.fired) {
            writeln!(f, "  {count:>10} {invariant}")?;
        }
        Ok(())
    }
}
