//! A whole simulated run from bytes, judged: a correct store is never found guilty.

use sibcheck_checkers::{Claim, Outcome, judge, judge_in_full};

use crate::{
    plans::{ByteChoices, Choices, Kinds, Plan, Shape, Time, generate, read_plan, write_plan},
    runner,
    simulation::{FaultName, Purpose},
    stores::StoreName,
};

/// The most operations of one run: enough for every situation, few enough for thousands of runs a
/// second.
const MOST_OPERATIONS: u64 = 40;

/// A correct store, and the plan that these bytes choose for it.
pub fn decode(data: &[u8]) -> (StoreName, Plan) {
    let mut choices = ByteChoices::new(data);
    let store = StoreName::CORRECT[usize::from(choices.percent(Purpose::Shape, 50))];
    let mut below = |bound| u32::try_from(choices.below(Purpose::Shape, bound)).unwrap_or(0);
    let nodes = 1 + below(5);
    let shape = Shape {
        time: Time::Lockstep,
        period: None,
        replica_monotonic: false,
        nodes,
        clients: 1 + below(6),
        keys: 1 + below(3),
        operations: 1 + below(MOST_OPERATIONS),
        groups: 1,
        claim: if nodes == 1 {
            Claim::Linearizable
        } else {
            Claim::Eventual
        },
        faults: FaultName::ALL
            .into_iter()
            .filter(|fault| !fault.is_of_programs())
            .collect(),
        program: None,
        bursts: false,
        left_out: Kinds::NONE,
        store: Some(store),
    };
    let plan = generate(&shape, &mut choices, "bytes of a fuzzer".to_owned());
    (store, plan)
}

/// Runs the plan that these bytes choose.
///
/// # Panics
///
/// When a correct store is found to violate its claim, when the same plan gives two different
/// histories, when it is judged differently in short and in full, or when the plan does not survive
/// being saved.
pub fn run(data: &[u8]) {
    let (store, plan) = decode(data);
    let run = runner::run(store, &plan);
    let verdict = match judge(&run.history, plan.promise()) {
        Ok(verdict) => verdict,
        Err(fault) => panic!("the harness recorded a history that makes no sense: {fault}"),
    };
    assert!(
        verdict.outcome != Outcome::Violated,
        "{store} is correct, but: {}",
        verdict.violations[0].sentence(&run.history)
    );
    assert!(
        Ok(&verdict) == judge_in_full(&run.history, plan.promise()).as_ref(),
        "in short and in full a run is judged differently"
    );
    assert!(
        run == runner::run(store, &plan),
        "the same plan gave two different runs"
    );
    let mut saved = Vec::new();
    let written = write_plan(&plan, &mut saved).map_err(|error| error.to_string());
    let read = written.and_then(|()| {
        read_plan(&String::from_utf8_lossy(&saved)).map_err(|error| error.to_string())
    });
    assert!(
        read.as_ref() == Ok(&plan),
        "the plan was saved as another one: {read:?}"
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(crate::property_tests::drawing(64))]

        #[test]
        fn correct_stores_are_never_guilty(data in proptest::collection::vec(any::<u8>(), 0..600)) {
            super::run(&data);
        }
    }
}
