//! The evidence of a violation proves it, and nothing in it can be left out.

use std::collections::BTreeSet;

use crate::support::{
    corruption::corrupt,
    definitions::lines,
    drawing::{promises, shape},
    history,
    model::{Dice, correct},
    verdict,
};
use sibcheck_checkers::{
    Claim, History, Invariant, Promise, Violation,
    history::{Action, OpId, Operation},
    judge,
    verdict::Finding,
};

#[test]
fn a_read_that_shows_the_order_and_the_clock_is_evidence_once() {
    let history = history(
        "c1@n1 [0..9] write a info\nc2@n1 [10..40] read a={c1:2}\nc3@n1 [20..30] read a={c1:2}\n\
         c1@n1 [50..60] write b -> {c1:1}",
    );
    let verdict = verdict(&history, Claim::Eventual);
    let violation = &verdict.violations[0];
    assert_eq!(violation.invariant, Invariant::ClockPrecision);
    assert_eq!(violation.evidence, [0, 2, 3]);
    assert_eq!(proves(&history, violation), Ok(()));
    assert_eq!(superfluous(&history, violation), None);
}

/// A delete of unknown outcome that the last read may hide took effect before its client's write: the
/// first read shows it, and without that one the delete might have superseded the write.
#[test]
fn the_read_that_shows_a_hidden_delete_to_have_been_in_time_is_evidence() {
    let in_time = "hidden\nc1@n1 tag=0 delete info\nc1@n1 read †~0\n";
    let lacks = [
        (
            Invariant::MonotonicReads,
            "c1@n1 write b\nc1@n1 read †~0 b\nc1@n1 read",
        ),
        (
            Invariant::WritesFollowReads,
            "c1@n1 write b info\nc2@n1 read †~0 b\nc2@n1 write c\nc3@n1 read c",
        ),
        (
            Invariant::ReplicaMonotonicity,
            "c1@n1 write b info\nc2@n1 read †~0 b\nc3@n1 read",
        ),
        (
            Invariant::Causality,
            "c1@n1 write b info\nc2@n1 read †~0 b\nc2@n1 key=y write c\n\
             c3@n1 key=y read c\nc3@n1 read",
        ),
    ];
    for (invariant, operations) in lacks {
        let history = history(&format!("{in_time}{operations}"));
        let verdict = verdict(&history, promise_of(invariant));
        let mut violations = verdict.violations.iter();
        let violation = violations.find(|violation| violation.invariant == invariant);
        let violation = violation.unwrap_or_else(|| panic!("{invariant}: {verdict:?}"));
        assert!(violation.evidence.contains(&1), "{violation:?}");
        assert_eq!(proves(&history, violation), Ok(()));
        assert_eq!(superfluous(&history, violation), None);
    }
}

#[test]
fn the_evidence_of_small_histories_is_minimal() {
    for promise in promises() {
        let mut violations = 0;
        for seed in 0..2_000 {
            let mut dice = Dice(seed ^ 0x5eed_0000_0000);
            let shape = shape(&mut dice, promise.claim);
            let mut history = correct(&mut dice, shape);
            for _ in 0..=dice.roll(3) {
                corrupt(&mut dice, &mut history);
            }
            let verdict = verdict(&history, promise);
            for violation in &verdict.violations {
                let superfluous = superfluous(&history, violation);
                let context = || format!("seed {seed}: {violation:?}\n{}", lines(&history));
                assert_eq!(proves(&history, violation), Ok(()), "seed {seed}");
                assert_eq!(tellable(&history, violation), Ok(()), "seed {seed}");
                assert_eq!(superfluous, None, "{}", context());
                violations += 1;
            }
        }
        assert!(violations > 1_000, "only {violations}");
    }
}

/// Whether the evidence, if need be with the writes of what its reads returned, proves the
/// violation by itself. Left out: the chains that bound siblings reach through other operations; a
/// write that was only seen is a lost update by contexts that are not in the evidence, else a
/// dropped sibling.
pub(crate) fn proves(history: &History, violation: &Violation) -> Result<(), String> {
    let evidence = evidence(violation);
    let whole = [&evidence, &with_returned(history, &evidence)];
    let proves = |part: &&BTreeSet<OpId>| !still_violated(history, part, violation).is_empty();
    if reaches_beyond(violation) || whole.iter().any(proves) {
        return Ok(());
    }
    Err(format!(
        "the evidence is not enough; {violation:?}\n{}",
        lines(history)
    ))
}

/// An operation of the evidence without which the rest proves the same. Left out is also evidence
/// that refutes an excuse: it is not needed by itself where the excuse rests on what is not
/// evidence.
pub(crate) fn superfluous(history: &History, violation: &Violation) -> Option<OpId> {
    let finding = violation.to_json(history);
    let finding = finding["finding"]
        .as_object()
        .and_then(|kinds| kinds.values().next());
    let refutes = finding.is_some_and(|fields| !fields["ignored"].is_null());
    let refutes = refutes || shows_more_than_the_drop(history, violation);
    // Without the write that explains too little, nothing explains the value.
    let of_itself = violation.invariant == Invariant::NoThinAir;
    if reaches_beyond(violation) || refutes || of_itself {
        return None;
    }
    let evidence = evidence(violation);
    evidence.iter().copied().find(|left_out| {
        let mut rest = evidence.clone();
        rest.remove(left_out);
        still_violated(history, &rest, violation).contains(&told(violation, history))
    })
}

fn evidence(violation: &Violation) -> BTreeSet<OpId> {
    violation.evidence.iter().copied().collect()
}

fn reaches_beyond(violation: &Violation) -> bool {
    let seen_only = matches!(
        violation.finding,
        Finding::UpdateLost {
            seen_by: Some(_),
            ..
        }
    );
    seen_only || violation.invariant == Invariant::BoundedSiblings
}

/// Whether the evidence can be told: in a sentence, step by step, and by links between its steps.
pub(crate) fn tellable(history: &History, violation: &Violation) -> Result<(), String> {
    let evidence = &violation.evidence;
    let links = violation.links(history);
    let mut ends = links.iter().flat_map(|link| [link.from, link.to]);
    let told = evidence.is_sorted()
        && !evidence.is_empty()
        && !violation.sentence(history).is_empty()
        && violation.steps(history).len() == evidence.len()
        && ends.all(|op| evidence.contains(&op));
    if told {
        return Ok(());
    }
    Err(format!("not told: {violation:?}\n{}", lines(history)))
}

/// Whether a dropped sibling takes more evidence than the final read and what it returned: a
/// refuted excuse.
fn shows_more_than_the_drop(history: &History, violation: &Violation) -> bool {
    let Finding::SiblingDropped {
        read,
        write,
        seen_by,
        ..
    } = violation.finding
    else {
        return false;
    };
    let drop = with_returned(history, &BTreeSet::from([read, write]));
    let more = |op: &OpId| !drop.contains(op) && Some(*op) != seen_by;
    violation.evidence.iter().any(more)
}

/// What the operations of `kept` alone violate in the same manner. (Of reasons why no order exists
/// the first is told, which may be another.)
fn still_violated(history: &History, kept: &BTreeSet<OpId>, violation: &Violation) -> Vec<String> {
    let part = only(history, kept);
    let Ok(verdict) = judge(&part, promise_of(violation.invariant)) else {
        return Vec::new();
    };
    let same = |other: &&Violation| {
        let kinds = [*other, violation].map(|violation| std::mem::discriminant(&violation.finding));
        other.invariant == violation.invariant
            && other.key == violation.key
            && (kinds[0] == kinds[1] || other.invariant == Invariant::Linearizability)
    };
    let same = verdict.violations.iter().filter(same);
    same.map(|violation| told(violation, &part)).collect()
}

/// A promise that includes the invariant.
fn promise_of(invariant: Invariant) -> Promise {
    let mut promises = Claim::ALL.map(|claim| Promise {
        claim,
        replica_monotonic: true,
    });
    promises.reverse();
    let including = promises.into_iter().find(|p| p.includes(invariant));
    including.expect("some claim promises it")
}

/// What should have been, without the reason: less evidence may show that something else is amiss.
fn told(violation: &Violation, history: &History) -> String {
    let sentence = violation.sentence(history);
    sentence.split(": ").next().unwrap_or_default().to_owned()
}

/// Adds the writes of what reads among `kept` returned.
fn with_returned(history: &History, kept: &BTreeSet<OpId>) -> BTreeSet<OpId> {
    let mut all = kept.clone();
    for read in kept {
        let Action::Read(read) = &history.operations[*read as usize].action else {
            continue;
        };
        for sibling in &read.siblings {
            let wrote = |op: &Operation| matches!(&op.action, Action::Write(write) if write.value == sibling.value);
            all.extend(
                (0..)
                    .zip(&history.operations)
                    .filter(|(_, op)| wrote(op))
                    .map(|(id, _)| id),
            );
        }
    }
    all
}

/// The operations of `kept` alone.
fn only(history: &History, kept: &BTreeSet<OpId>) -> History {
    let renumbered = |op: &OpId| {
        (0..)
            .zip(kept)
            .find(|(_, kept)| *kept == op)
            .map(|(new, _)| new)
    };
    let mut part = history.clone();
    part.operations.clear();
    for id in kept {
        let mut op = history.operations[*id as usize].clone();
        if let Action::Write(write) = &mut op.action {
            write.sources = write.sources.iter().filter_map(renumbered).collect();
        }
        part.operations.push(op);
    }
    part
}
