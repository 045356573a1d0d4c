//! The past stays, the plan is what was played, and what cannot be done changes nothing.

use super::*;
use crate::{
    choices::{Choices, SeededChoices},
    plans::{read_plan, write_plan},
    simulation::Purpose,
};
use sibcheck_checkers::Outcome;

fn begun(store: &str, nodes: u32) -> Play {
    Play::new(store.parse().unwrap(), nodes, 3).unwrap()
}

fn put(value: &str) -> What {
    What::Put {
        value: value.to_owned(),
        blind: false,
    }
}

/// Something that may be done, or refused.
fn step(play: &mut Play, choices: &mut SeededChoices) {
    let mut below = |bound: u64| choices.below(Purpose::Operations, bound);
    let node = u32::try_from(below(play.nodes().into())).unwrap();
    let value = format!("v{}", below(1_000));
    let (client, key) = (format!("c-{}", below(3)), format!("k{}", below(2)));
    let via = (below(2) == 0).then_some(node);
    let blind = below(4) == 0;
    let what = match below(8) {
        0 | 1 => What::Get,
        2 => What::Delete { blind },
        3 => What::Resolve { value },
        _ => What::Put { value, blind },
    };
    match below(12) {
        0 => drop(play.kill(node)),
        1 => drop(play.restart(node)),
        2 => {
            let others = (0..play.nodes()).filter(|other| *other != node);
            let groups = vec![vec![node], others.collect()];
            play.partition(groups).unwrap();
        }
        3 => drop(play.heal()),
        4 => play.pass(Nanos::from_millis(below(100))).unwrap(),
        _ => drop(play.ask(&client, &key, via, &what).unwrap()),
    }
}

#[test]
fn what_was_played_stays_as_it_was_and_is_what_the_plan_runs() {
    for (seed, store) in (0..).zip(["dynamo", "dynamo:3-1-1-sloppy", "dynamo:2-2-1"].repeat(4)) {
        let mut play = begun(store, 4);
        let mut choices = SeededChoices::new(seed);
        for _ in 0..40 {
            let (past, mechanisms) = (play.operations().to_vec(), play.mechanisms());
            step(&mut play, &mut choices);
            // A client that asks no more has another number when one more begins.
            let recorded = &play.operations()[..past.len()];
            assert_eq!(recorded, past, "{store}, seed {seed}");
            let done = mechanisms.iter().zip(play.mechanisms());
            assert!(done.clone().all(|(before, after)| before.1 <= after.1));
        }
        let mut saved = Vec::new();
        write_plan(&play.plan().unwrap(), &mut saved).unwrap();
        let read = read_plan(std::str::from_utf8(&saved).unwrap()).unwrap();
        let run = runner::run(play.store(), &read);
        let asked = &run.history.operations[..play.operations().len()];
        assert_eq!(asked, play.operations(), "{store}, seed {seed}");
        assert_eq!(play.judge().unwrap().told.outcome(), Outcome::Valid);
    }
}

#[test]
fn a_client_knows_what_it_was_answered() {
    let mut play = begun("dynamo", 3);
    let mut ask = |client: &str, what: &What| play.ask(client, "k", None, what).unwrap();
    let siblings = |asked: &Asked| match &asked.operations[0].action {
        history::Action::Read(read) => read.siblings.len(),
        history::Action::Write(_) => 0,
    };
    ask("a", &put("1"));
    ask("a", &put("2"));
    assert_eq!(siblings(&ask("b", &What::Get)), 1);
    // Each replaces what it has seen, and not what the other one wrote meanwhile.
    ask("a", &put("3"));
    ask("b", &put("4"));
    assert_eq!(siblings(&ask("c", &What::Get)), 2);
    let resolve = What::Resolve {
        value: "5".to_owned(),
    };
    assert_eq!(ask("c", &resolve).operations.len(), 2);
    assert_eq!(siblings(&ask("a", &What::Get)), 1);
    let blind = What::Put {
        value: "6".to_owned(),
        blind: true,
    };
    ask("a", &blind);
    assert_eq!(siblings(&ask("a", &What::Get)), 2);
}

#[test]
fn what_cannot_be_done_changes_nothing() {
    let mut play = begun("dynamo", 3);
    play.kill(1).unwrap();
    let before = (play.plan.clone(), play.now());
    let long = "x".repeat(20_000);
    for refused in [
        play.kill(1).err(),
        play.restart(0).err(),
        play.heal().err(),
        play.pass(Nanos::from_millis(600_001)).err(),
        play.ask("a", &long, None, &What::Get).err(),
        play.plan().err(),
        play.judge().err(),
    ] {
        refused.unwrap();
    }
    assert_eq!((play.plan.clone(), play.now()), before);
    assert!(Play::new("dotted".parse().unwrap(), 3, 1).is_err());
}

#[test]
fn what_happened_after_the_last_answer_is_part_of_the_plan() {
    let mut play = begun("dynamo", 3);
    play.ask("a", "k", None, &put("1")).unwrap();
    assert_eq!(play.plan().unwrap().operations(), 1);
    play.kill(2).unwrap();
    play.pass(Nanos::from_millis(20)).unwrap();
    assert_eq!(play.plan().unwrap().operations(), 2);
    let judged = play.judge().unwrap();
    assert_eq!(judged.told.faults().len(), 1);
}
