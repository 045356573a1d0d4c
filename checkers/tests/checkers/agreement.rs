//! The checkers and the brute force agree on small random histories, correct and corrupted.
//!
//! `SIBCHECK_HISTORIES` sets how many of each kind are tried, `SIBCHECK_FIRST_SEED` where to begin.

use std::collections::BTreeSet;

use crate::support::{
    history,
    model::{Dice, Shape, correct, corrupt},
    verdict,
};
use sibcheck_checkers::{
    Claim, History, Invariant, Outcome, Promise, Violation, brute_force,
    format::{read_history, write_history},
    history::{Action, OpId, Operation},
    judge,
    verdict::Finding,
};

fn histories() -> u64 {
    number("SIBCHECK_HISTORIES").unwrap_or(4_000)
}

fn seeds() -> std::ops::Range<u64> {
    let first = number("SIBCHECK_FIRST_SEED").unwrap_or(0);
    first..first + histories()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Promises that together include every invariant. (The others are parts of these.)
fn promises() -> [Promise; 4] {
    [
        (Claim::Eventual, false),
        (Claim::Causal, true),
        (Claim::Quorum, true),
        (Claim::Linearizable, false),
    ]
    .map(|(claim, replica_monotonic)| Promise {
        claim,
        replica_monotonic,
    })
}

fn shape(dice: &mut Dice, claim: Claim) -> Shape {
    let linearizable = claim == Claim::Linearizable;
    Shape {
        sticky: claim != Claim::Eventual,
        clients: 1 + dice.roll(3),
        nodes: if linearizable || claim == Claim::Quorum {
            1
        } else {
            1 + dice.roll(3)
        },
        keys: 1 + dice.roll(2),
        operations: 2 + dice.roll(if linearizable { 5 } else { 12 }),
        concurrent: !dice.once_in(4),
        finals: !linearizable && !dice.once_in(5) || dice.once_in(4),
        dotted: dice.once_in(2),
        hidden: dice.once_in(4),
        deletes: dice.once_in(2),
        unknowns: dice.once_in(2),
        tagged: dice.once_in(2),
        replica: dice.once_in(3),
        silent: [0, 0, 1, 3][dice.roll(4)],
    }
}

fn lines(history: &History) -> String {
    let mut bytes = Vec::new();
    write_history(history, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn correct_histories_are_never_violated() {
    for promise in promises() {
        let claim = promise.claim;
        let mut valid = 0;
        for seed in seeds() {
            let mut dice = Dice(seed);
            let shape = shape(&mut dice, claim);
            let history = correct(&mut dice, shape);
            let verdict = verdict(&history, promise);
            let sentences: Vec<_> = verdict
                .violations
                .iter()
                .map(|v| v.sentence(&history))
                .collect();
            assert!(
                verdict.violations.is_empty(),
                "seed {seed}, {shape:?}\n{sentences:#?}\n{}",
                lines(&history)
            );
            valid += u64::from(verdict.outcome == Outcome::Valid);
        }
        assert!(
            valid * 10 > histories(),
            "{claim}: only {valid} histories told anything"
        );
    }
}

#[test]
fn checkers_agree_with_the_definitions() {
    for promise in promises() {
        let claim = promise.claim;
        let mut fired = [0_u64; Invariant::ALL.len()];
        let (mut judged, mut not_linearizable) = (0, 0);
        for seed in seeds() {
            let mut dice = Dice(seed ^ 0xc0ff_ee00_0000);
            let mut shape = shape(&mut dice, claim);
            shape.sticky &= dice.once_in(2);
            if claim == Claim::Quorum {
                shape.nodes = 1 + dice.roll(2);
            }
            let mut history = correct(&mut dice, shape);
            for _ in 0..=dice.roll(3) {
                corrupt(&mut dice, &mut history);
            }
            let Ok(verdict) = judge(&history, promise) else {
                continue;
            };
            let Ok(expected) = brute_force::violations(&history, promise) else {
                continue;
            };
            judged += 1;
            let found = verdict
                .violations
                .iter()
                .map(|v| (v.key, v.invariant))
                .collect();
            assert_eq!(
                expected,
                found,
                "seed {seed}, {claim}, {shape:?}\n{}",
                lines(&history)
            );
            for (_, invariant) in expected {
                fired[invariant as usize] += 1;
            }
            if claim == Claim::Linearizable {
                let decisive = |violation: &Violation| {
                    matches!(
                        violation.invariant,
                        Invariant::NoThinAir
                            | Invariant::NoDuplicateSibling
                            | Invariant::Dominance
                            | Invariant::Linearizability
                    )
                };
                let linearizable = !verdict.violations.iter().any(decisive);
                assert_eq!(
                    brute_force::linearizable(&history),
                    Ok(linearizable),
                    "seed {seed}, {shape:?}\n{}",
                    lines(&history)
                );
                not_linearizable += u64::from(!linearizable);
            }
            for violation in &verdict.violations {
                assert_minimal(&history, violation, &format!("seed {seed}"));
                assert!(violation.evidence.is_sorted() && !violation.evidence.is_empty());
                assert!(!violation.sentence(&history).is_empty());
                assert_eq!(violation.steps(&history).len(), violation.evidence.len());
                for link in violation.links(&history) {
                    let named = [link.from, link.to].map(|op| violation.evidence.contains(&op));
                    assert_eq!(named, [true, true], "seed {seed}: {link:?}");
                }
            }
            assert_eq!(read_back(&history), lines(&history), "seed {seed}");
        }
        println!("{claim}: {judged} judged, {not_linearizable} not linearizable");
        for (invariant, count) in Invariant::ALL.into_iter().zip(fired) {
            println!("  {invariant}: {count}");
        }
        assert!(
            judged * 2 > histories(),
            "{claim}: only {judged} histories made sense"
        );
    }
}

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
    assert_minimal(&history, violation, "two reads of one clock");
}

/// The evidence, with the writes of what its reads returned, proves the violation by itself;
/// without any one of its operations it does not. Left out: the chains that bound siblings reach
/// through other operations; a write that was only seen is a lost update by contexts that are not
/// in the evidence, else a dropped sibling; and evidence that refutes an excuse is not needed by
/// itself where the excuse rests on what is not evidence.
fn assert_minimal(history: &History, violation: &Violation, place: &str) {
    let seen_only = matches!(
        violation.finding,
        Finding::UpdateLost {
            seen_by: Some(_),
            ..
        }
    );
    if violation.invariant == Invariant::BoundedSiblings || seen_only {
        return;
    }
    let evidence: BTreeSet<OpId> = violation.evidence.iter().copied().collect();
    let context = || format!("{place}: {violation:?}\n{}", lines(history));
    let whole = with_returned(history, &evidence);
    assert!(
        !still_violated(history, &whole, violation).is_empty(),
        "the evidence is not enough; {}",
        context()
    );
    let finding = violation.to_json(history);
    let finding = finding["finding"]
        .as_object()
        .and_then(|kinds| kinds.values().next());
    let refutes = finding.is_some_and(|fields| !fields["ignored"].is_null());
    let refutes = refutes || shows_more_than_the_drop(history, violation);
    // Without the write that explains too little, nothing explains the value.
    if violation.invariant == Invariant::NoThinAir || refutes {
        return;
    }
    for left_out in &evidence {
        let mut rest = evidence.clone();
        rest.remove(left_out);
        assert!(
            !still_violated(history, &rest, violation).contains(&told(violation, history)),
            "{left_out} is not needed; {}",
            context()
        );
    }
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

fn read_back(history: &History) -> String {
    lines(&read_history(lines(history).as_bytes()).unwrap())
}
