//! Registers: both checkers agree with the brute force, evidence proves and is minimal, searches
//! end.

mod agreement;
mod asking;
mod cases;
mod coverage;
mod drawing;
mod exhaustive;
mod notation;
mod writing;

use serde_json::{Value as Json, json};
use sibcheck_checkers::{
    Outcome,
    import::{Content, import, write_registers},
    registers::{
        Budget, History,
        history::{Action, Clock, Interner, Operation, Status},
        judge,
        verdict::Reason,
    },
};
use sibcheck_oracles::registers::{
    brute_force,
    generate::{self, generate},
};

use crate::support::model::Dice;

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
            node: 0,
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
    let good = notation::register(&Json::Null, "1..2 write 1\n3..4 read 1");
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
    assert!(broken(|h| h.tables.initial = 99).contains("at the start is number 99"));
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
        h.tables.values.push(json!(1));
        h.operations[0].action = Action::Append(u32::try_from(h.tables.values.len() - 1).unwrap());
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
