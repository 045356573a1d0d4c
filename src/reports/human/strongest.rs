//! The strongest claims that a history bears out and the weakest that it refutes, with evidence.

use std::{
    fmt::{self, Write},
    sync::Arc,
};

use sibcheck_checkers::{Claim, History, Judged, Outcome, Verdict, strongest::Strongest};

use super::{
    proof::{Others, write_violations},
    verify::write_unknown,
};

pub(super) fn write_strongest(
    out: &mut String,
    history: &Arc<History>,
    strongest: &Strongest,
    width: usize,
) -> fmt::Result {
    let holding = strongest.holding();
    if holding.is_empty() {
        writeln!(out, "no claim is borne out")?;
    }
    for verdict in holding {
        writeln!(
            out,
            "holds: {} ({})",
            verdict.claim,
            verdict.claim.summary()
        )?;
    }
    for verdict in strongest.failing() {
        writeln!(
            out,
            "fails: {} ({})",
            verdict.claim,
            verdict.claim.summary()
        )?;
        let judged = judged(history, what_it_adds(verdict));
        write_violations(out, &judged, Others::Sentences, width)?;
    }
    for verdict in strongest.undecided() {
        writeln!(out, "undecided: {}", verdict.claim)?;
        write_unknown(out, &judged(history, verdict.clone()), width)?;
    }
    let switched = strongest.replica_monotonic();
    let backwards = what_it_adds(switched);
    let broken = !backwards.violations.is_empty();
    let word = match (broken, switched.outcome) {
        (true, _) => "no",
        (false, Outcome::Valid) => "yes",
        (false, _) => "nothing speaks against it",
    };
    writeln!(out, "nodes never go backwards (replica-monotonic): {word}")?;
    write_violations(out, &judged(history, backwards), Others::Sentences, width)
}

fn judged(history: &Arc<History>, verdict: Verdict) -> Judged {
    Judged {
        history: Arc::clone(history),
        verdict,
    }
}

/// The verdict with the violations of what the claim adds to `eventual`.
fn what_it_adds(verdict: &Verdict) -> Verdict {
    let mut added = verdict.clone();
    let adds: Vec<_> = added.promise().adds().collect();
    if added.claim != Claim::Eventual || added.replica_monotonic {
        let own = |violation: &sibcheck_checkers::Violation| adds.contains(&violation.invariant);
        added.violations.retain(own);
    }
    added
}
