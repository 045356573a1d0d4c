//! Same plan, same bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic fails the test"
)]

use std::collections::BTreeMap;

use sibcheck::{
    plans::{Plan, SeededChoices, Shape, generate, read_plan, write_plan},
    runner,
    simulation::FaultName,
    stores::StoreName,
};
use sibcheck_checkers::format::write_history;

fn plan(store: StoreName, seed: u64) -> Plan {
    generate(
        &Shape::new(store),
        &mut SeededChoices::new(seed),
        String::new(),
    )
}

fn history(plan: &Plan) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_history(&runner::run(plan.store.unwrap(), plan).history, &mut bytes).unwrap();
    bytes
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    for store in StoreName::CORRECT {
        for seed in 0..50 {
            let bytes = history(&plan(store, seed));
            assert_eq!(bytes, history(&plan(store, seed)));
            assert_ne!(bytes, history(&plan(store, seed + 1)));
        }
    }
}

#[test]
fn a_saved_plan_gives_the_same_bytes() {
    let drawn = plan(StoreName::Dotted, 3);
    let mut saved = Vec::new();
    write_plan(&drawn, &mut saved).unwrap();
    let read = read_plan(std::str::from_utf8(&saved).unwrap()).unwrap();
    assert_eq!(history(&read), history(&drawn));
}

#[test]
fn allowing_another_fault_leaves_the_operations_as_they_were() {
    let mut shape = Shape::new(StoreName::Dotted);
    let all = generate(&shape, &mut SeededChoices::new(5), String::new());
    shape.faults.clear();
    let none = generate(&shape, &mut SeededChoices::new(5), String::new());
    assert!(!all.faults.is_empty() && none.faults.is_empty());
    assert_eq!((all.clients, all.network), (none.clients, none.network));
}

#[test]
fn a_run_tells_of_each_fault_what_it_affected() {
    let mut affected: BTreeMap<FaultName, u64> = BTreeMap::new();
    let mut unsynced = 0;
    let store = "faulty:ack-before-durable".parse().unwrap();
    for seed in 0..60 {
        let plan = plan(store, seed);
        let run = runner::run(store, &plan).run;
        assert_eq!(run.faults.len(), plan.faults.len());
        let mut lost = 0;
        for (fault, record) in plan.faults.iter().zip(&run.faults) {
            let name = fault.what.name();
            *affected.entry(name).or_default() += record.affected();
            unsynced += record.unsynced.unwrap_or(0);
            if matches!(name, FaultName::Loss | FaultName::ClientLoss) {
                lost += record.messages;
            }
            if let (Some(began), Some(ended)) = (record.began, record.ended) {
                assert!(began == fault.begin_ns && began <= ended && ended <= run.healed);
            } else {
                assert!(record.affected() == 0 && fault.begin_ns >= run.healed);
            }
        }
        assert!(lost >= run.traffic.lost, "every lost message has a cause");
    }
    let usual = FaultName::ALL
        .into_iter()
        .filter(|name| !name.is_on_request());
    for name in usual {
        assert!(affected[&name] > 0, "{}", name.name());
    }
    assert!(unsynced > 0);
}
