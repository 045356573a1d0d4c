//! Registers: both checkers agree with the brute force, evidence proves and is minimal.
//!
//! `SIBCHECK_HISTORIES` sets how many histories of each kind are tried.

mod asking;
mod cases;
mod notation;
mod writing;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use sibcheck_checkers::{
    Outcome,
    import::{Content, import, write_registers},
    registers::{
        Budget, History, Violation, brute_force,
        generate::{self, generate},
        history::{Action, Clock, Interner, Operation, Status},
        judge,
        verdict::{Finding, Reason},
    },
};

use crate::support::model::Dice;

fn histories() -> u64 {
    std::env::var("SIBCHECK_HISTORIES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(20_000)
}

#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
struct Shape {
    operations: usize,
    /// How many values there are; 0 for unique ones.
    values: usize,
    appends: bool,
    swaps: bool,
    unknowns: bool,
    /// Times may be equal.
    ties: bool,
    initial_text: bool,
}

fn shape(dice: &mut Dice) -> Shape {
    Shape {
        operations: 2 + dice.roll(6),
        values: if dice.once_in(2) { 0 } else { 1 + dice.roll(3) },
        appends: dice.once_in(3),
        swaps: dice.once_in(2),
        unknowns: dice.once_in(2),
        ties: dice.once_in(4),
        initial_text: dice.once_in(3),
    }
}

/// What a register does, for a generator.
fn apply(held: &Json, action: &str, a: &Json, b: &Json) -> Option<Json> {
    match action {
        "write" => Some(a.clone()),
        "swap" => (held == a).then(|| b.clone()),
        "append" => match (held, a.as_str()) {
            (Json::Null, Some(text)) => Some(json!(text)),
            (Json::String(held), Some(text)) => Some(json!(format!("{held}{text}"))),
            _ => None,
        },
        _ => Some(held.clone()),
    }
}

/// A register with operations that take effect within their time, most of them; then corrupted.
fn random(dice: &mut Dice, shape: Shape, corruptions: usize) -> History {
    let mut names = Interner::default();
    let initial = if shape.initial_text {
        json!("")
    } else {
        Json::Null
    };
    let initial_id = names.value(&initial);
    let span = if shape.ties {
        6
    } else {
        1 + 3 * shape.operations
    };
    // Points in time, in order: the operations take effect there.
    let mut points: Vec<usize> = (0..shape.operations).map(|_| dice.roll(span)).collect();
    points.sort_unstable();
    let mut held = initial;
    let mut seen = vec![held.clone()];
    let mut operations = Vec::new();
    for (number, point) in points.into_iter().enumerate() {
        let fresh = |dice: &mut Dice| {
            let number = if shape.values == 0 {
                number
            } else {
                dice.roll(shape.values)
            };
            if shape.appends {
                json!(format!("{number}."))
            } else {
                json!(number)
            }
        };
        let kind = match dice.roll(5) {
            0 | 1 => "read",
            2 if shape.swaps => "swap",
            3 if shape.appends => "append",
            _ => "write",
        };
        let expected = if dice.once_in(3) {
            fresh(dice)
        } else {
            held.clone()
        };
        let value = fresh(dice);
        let mut status = match dice.roll(8) {
            0 if shape.unknowns => Status::Info,
            1 if shape.unknowns => Status::Fail,
            _ => Status::Ok,
        };
        let applied = match status {
            Status::Ok => true,
            Status::Fail => false,
            Status::Info => dice.once_in(2),
        };
        let next = match kind {
            "swap" => apply(&held, kind, &expected, &value),
            _ => apply(&held, kind, &value, &value),
        };
        let mut swapped = true;
        if kind == "swap" && next.is_none() {
            if dice.once_in(2) {
                status = Status::Fail;
            } else {
                swapped = false;
            }
        }
        let action = match kind {
            "read" => Action::Read((status == Status::Ok).then(|| names.value(&held))),
            "swap" => Action::CompareAndSet {
                expected: names.value(&expected),
                new: names.value(&value),
                swapped: swapped || status != Status::Ok,
            },
            "append" => Action::Append(names.value(&value)),
            _ => Action::Write(names.value(&value)),
        };
        if applied && let Some(next) = next {
            held = next;
            seen.push(held.clone());
        } else if kind == "append" && status == Status::Ok {
            status = Status::Fail;
        }
        let [early, late] = [0, 1].map(|_| if dice.once_in(3) { 0 } else { dice.roll(5) });
        operations.push(Operation {
            client: names.client(&format!("c{number}")),
            key: names.key("x"),
            action,
            status,
            invoked: (4 + point).saturating_sub(early) as u64,
            completed: (status != Status::Info).then_some((4 + point + late) as u64),
        });
    }
    for _ in 0..corruptions {
        corrupt(dice, &mut operations, &mut names, &seen, span);
    }
    names.history(
        "random".to_owned(),
        Clock::Nanoseconds,
        initial_id,
        operations,
    )
}

fn corrupt(
    dice: &mut Dice,
    operations: &mut [Operation],
    names: &mut Interner,
    seen: &[Json],
    span: usize,
) {
    let at = dice.roll(operations.len());
    let operation = &mut operations[at];
    match dice.roll(4) {
        0 => {
            let value = names.value(&seen[dice.roll(seen.len())]);
            match &mut operation.action {
                Action::Read(returned) if operation.status == Status::Ok => {
                    *returned = Some(value);
                }
                Action::CompareAndSet { expected, .. } => *expected = value,
                _ => {}
            }
        }
        1 => {
            if let Some(completed) = &mut operation.completed {
                *completed = operation.invoked + dice.roll(3) as u64;
            }
        }
        2 => {
            let length = operation.completed.map(|c| c - operation.invoked);
            operation.invoked = dice.roll(span + 4) as u64;
            operation.completed = length.map(|length| operation.invoked + length);
        }
        _ => {
            if let Action::CompareAndSet { swapped, .. } = &mut operation.action
                && operation.status == Status::Ok
            {
                *swapped = !*swapped;
            }
        }
    }
}

fn text(history: &History) -> String {
    let mut lines = format!("initially {}\n", history.value(history.initial));
    for operation in &history.operations {
        let value = |id| history.value(id).to_string();
        let action = match operation.action {
            Action::Read(id) => format!("read {:?}", id.map(value)),
            Action::Write(id) => format!("write {}", value(id)),
            Action::Append(id) => format!("append {}", value(id)),
            Action::CompareAndSet {
                expected,
                new,
                swapped,
            } => {
                format!("cas {} {} {swapped}", value(expected), value(new))
            }
        };
        let (from, to) = (operation.invoked, operation.completed);
        let status = operation.status;
        lines.extend([format!("{status:?} [{from}..{to:?}] {action}\n")]);
    }
    lines
}

/// The evidence fails by itself, and no longer without any operation that may soundly be left out.
fn assert_minimal(history: &History, violation: &Violation, told: &str) {
    let story = || {
        format!(
            "{told}\n{}{:?} {:?}\n{:?}\n{}",
            text(history),
            violation.evidence,
            violation.start,
            violation.finding,
            violation.sentence(history)
        )
    };
    assert!(brute_force::proves(history, violation), "{}", story());
    // What a string says of the appends before it takes them to be left out.
    let appends = history
        .operations
        .iter()
        .any(|op| matches!(op.action, Action::Append(_)));
    if appends && !matches!(violation.finding, Finding::NoOrder { .. }) {
        return;
    }
    let reads = |op: &u32| matches!(history.operations[*op as usize].action, Action::Read(_));
    for left_out in violation.evidence.iter().filter(|op| reads(op)) {
        let rest: Vec<u32> = violation
            .evidence
            .iter()
            .copied()
            .filter(|op| op != left_out)
            .collect();
        assert!(
            !brute_force::evidence_fails(history, violation, &rest),
            "operation {left_out} is not needed: {}",
            story()
        );
    }
}

#[test]
fn correct_histories_are_linearizable() {
    let mut zones = 0;
    for seed in 0..histories() {
        let mut dice = Dice(seed);
        let shape = shape(&mut dice);
        let history = random(&mut dice, shape, 0);
        let verdict = judge(&history, Budget::default()).unwrap();
        assert!(
            verdict.violations.is_empty(),
            "seed {seed} {shape:?}\n{}{}",
            text(&history),
            verdict.violations[0].sentence(&history)
        );
        let nothing = verdict.figures.observations == 0;
        assert_eq!(
            verdict.outcome,
            if nothing {
                Outcome::Unknown
            } else {
                Outcome::Valid
            }
        );
        zones += verdict.figures.keys_by_zones;
    }
    assert!(
        zones * 4 > histories() && zones < histories(),
        "{zones} by zones"
    );
}

#[test]
fn checkers_agree_with_the_definition() {
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..histories() {
        let mut dice = Dice(seed ^ 0x5eed_0000_0000);
        let shape = shape(&mut dice);
        let corruptions = 1 + dice.roll(3);
        let history = random(&mut dice, shape, corruptions);
        let verdict = judge(&history, Budget::default()).unwrap();
        assert_ne!(
            verdict.violations.is_empty(),
            !brute_force::linearizable(&history).unwrap(),
            "seed {seed} {shape:?}\n{}{:?}",
            text(&history),
            verdict
        );
        for violation in &verdict.violations {
            assert_minimal(&history, violation, &format!("seed {seed}"));
            assert!(!violation.sentence(&history).is_empty());
            assert!(verdict.to_json(&history).is_object());
            let finding = format!("{:?}", violation.finding);
            let name = finding
                .split([' ', '{'])
                .next()
                .unwrap_or_default()
                .to_owned();
            *found.entry(name).or_default() += 1;
        }
    }
    println!("{found:#?}");
    assert_eq!(found.len(), 8, "every kind of finding: {found:?}");
}

#[test]
fn generated_histories_have_their_verdicts() {
    for (seed, shape) in shapes().into_iter().enumerate() {
        let draw = |seed| {
            let mut dice = Dice(seed);
            move |bound: u64| dice.roll(usize::try_from(bound).unwrap()) as u64
        };
        let history = generate(&shape, &mut draw(seed as u64));
        let again = generate(&shape, &mut draw(seed as u64));
        assert_eq!(history, again);
        let verdict = judge(&history, Budget::default()).unwrap();
        let expected = if shape.broken {
            Outcome::Violated
        } else {
            Outcome::Valid
        };
        assert_eq!(verdict.outcome, expected, "{shape:?} {verdict:?}");
        for violation in &verdict.violations {
            assert!(violation.evidence.len() <= 4, "{violation:?}");
            assert!(brute_force::proves(&history, violation), "{violation:?}");
        }
        let unknown = |operation: &&Operation| operation.status == Status::Info;
        let unknown = history.operations.iter().filter(unknown).count();
        assert_eq!(unknown, shape.unknown as usize);
        let lines = {
            let mut bytes = Vec::new();
            write_registers(&history, &mut bytes).unwrap();
            bytes
        };
        let Content::Registers(read) = import(lines.as_slice(), "x").unwrap().content else {
            panic!("registers")
        };
        assert_eq!(judge(&read, Budget::default()).unwrap().outcome, expected);
    }
}

/// Many keys and one, unique values and few, with unknown outcomes and without, correct and broken.
fn shapes() -> Vec<generate::Shape> {
    let mut shapes = Vec::new();
    for broken in [false, true] {
        for (keys, values) in [(1, 0), (7, 0), (1, 3), (7, 3)] {
            for unknown in [0, 20] {
                shapes.push(generate::Shape {
                    operations: 1_000,
                    keys,
                    clients: 6,
                    unknown,
                    values,
                    broken,
                });
            }
        }
    }
    shapes
}

#[test]
fn a_search_that_grows_too_wide_is_given_up() {
    let mut names = Interner::default();
    let (initial, unread) = (names.value(&Json::Null), names.value(&json!("unread")));
    let mut operations = Vec::new();
    let mut push = |names: &mut Interner, action, invoked: u64, completed| {
        operations.push(Operation {
            client: names.client(&invoked.to_string()),
            key: names.key("x"),
            action,
            status: Status::Ok,
            invoked,
            completed: Some(completed),
        });
    };
    // Writes of values that are read later, all under way at once: any of them may come first.
    for number in 0..24_u64 {
        let value = names.value(&json!(number % 12));
        push(&mut names, Action::Write(value), number, 1_000 + number);
        push(&mut names, Action::Read(Some(value)), 2_000 + number, 3_000);
    }
    // No order explains this read, whose value is written only afterwards.
    push(&mut names, Action::Read(Some(unread)), 900, 4_000);
    push(&mut names, Action::Write(unread), 5_000, 6_000);
    let history = names.history("wide".to_owned(), Clock::Nanoseconds, initial, operations);
    for (budget, reason) in [
        (
            Budget {
                steps: 10_000,
                ..Budget::default()
            },
            Reason::Steps { steps: 10_000 },
        ),
        (
            Budget {
                bytes: 10_000,
                ..Budget::default()
            },
            Reason::Memory { bytes: 10_000 },
        ),
    ] {
        let verdict = judge(&history, budget).unwrap();
        assert_eq!(verdict.outcome, Outcome::Unknown);
        assert_eq!(verdict.unknown[0].reason, reason);
        assert!(verdict.unknown[0].sentence(&history).contains("given up"));
    }
}

#[test]
fn histories_that_contradict_themselves_are_refused() {
    let good = random(&mut Dice(3), shape(&mut Dice(3)), 0);
    let broken = |change: fn(&mut History)| {
        let mut history = good.clone();
        change(&mut history);
        let fault = judge(&history, Budget::default()).unwrap_err();
        assert_eq!(Err(fault.clone()), brute_force::linearizable(&history));
        fault.to_string()
    };
    assert!(broken(|h| h.operations[0].client = 99).contains("client number 99"));
    assert!(broken(|h| h.operations[0].key = 99).contains("key number 99"));
    assert!(broken(|h| h.operations[0].action = Action::Write(99)).contains("value number 99"));
    assert!(broken(|h| h.initial = 99).contains("at the start is number 99"));
    let early = broken(|h| {
        h.operations[0].invoked = 9;
        h.operations[0].completed = Some(8);
    });
    assert!(early.contains("completed before"), "{early}");
    let open = broken(|h| {
        h.operations[0].status = Status::Ok;
        h.operations[0].action = Action::Write(0);
        h.operations[0].completed = None;
    });
    assert!(open.contains("has no completion"), "{open}");
    let end = broken(|h| h.operations[0].completed = Some(u64::MAX));
    assert!(end.contains("stands for never"), "{end}");
    let refused = broken(|h| {
        h.operations[0].status = Status::Info;
        h.operations[0].action = Action::CompareAndSet {
            expected: 0,
            new: 0,
            swapped: false,
        };
    });
    assert!(refused.contains("refused and not ok"), "{refused}");
    let nothing = broken(|h| {
        h.operations[0].status = Status::Ok;
        h.operations[0].action = Action::Read(None);
    });
    assert!(nothing.contains("without a value"), "{nothing}");
    let number = broken(|h| {
        h.values.push(json!(1));
        h.operations[0].action = Action::Append(u32::try_from(h.values.len() - 1).unwrap());
    });
    assert!(number.contains("not a string"), "{number}");
}

#[test]
fn unknown_outcomes_do_not_make_a_search_wide() {
    let (mut violated, mut most) = (0, 0);
    for seed in 0..6 {
        let mut dice = Dice(seed);
        let shape = generate::Shape {
            operations: 1_000,
            keys: 1,
            clients: if seed % 2 == 0 { 2 } else { 6 },
            unknown: 50,
            values: 5,
            broken: false,
        };
        let mut history = generate(&shape, &mut |bound| {
            dice.roll(usize::try_from(bound).unwrap()) as u64
        });
        // More reads return another value than unknown writes can explain.
        for operation in history.operations.iter_mut().skip(300) {
            if let (Status::Ok, Action::Read(Some(value))) =
                (operation.status, &mut operation.action)
                && dice.once_in(4)
            {
                *value = 1 + *value % 5;
            }
        }
        let verdict = judge(&history, Budget::default()).unwrap();
        assert_ne!(verdict.outcome, Outcome::Unknown, "{:?}", verdict.figures);
        violated += u32::from(verdict.outcome == Outcome::Violated);
        most = most.max(verdict.figures.search_steps);
    }
    println!("{violated} violated, at most {most} steps");
    assert!(violated > 0, "none violated");
    assert!(most < 10_000_000, "{most}");
}
