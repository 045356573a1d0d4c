//! A history of registers that is written and read keeps its operations, their order, its verdict.
//!
//! Any history that makes sense: clients that ask again without an answer, several events at one
//! time, names and values that look like something else.

use serde_json::{Value as Json, json};
use sibcheck_checkers::registers::{
    Budget, History,
    history::{Action, Clock, Interner, Operation, Status},
    judge,
};

use super::{asking::written_and_read, notation::text};
use crate::support::model::Dice;

fn values() -> Vec<Json> {
    vec![
        json!(null),
        json!(1),
        json!(1.0),
        json!(-0.0),
        json!(0.1),
        json!(f64::MIN_POSITIVE),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(""),
        json!("a"),
        json!("e\u{301} \u{e9} \n\u{2028}\""),
        json!("sibcheck_history"),
        json!([1, 2]),
        json!({"type": "invoke", "client": "c"}),
        json!(true),
    ]
}

fn random(dice: &mut Dice) -> History {
    let mut names = Interner::default();
    let all = values();
    let initial = names.value(&all[dice.roll(all.len())]);
    let clients = ["c", "c~2", "", "process 1", "\u{e9}"];
    let operations = (0..=dice.roll(6)).map(|_| {
        let mut value = |dice: &mut Dice| names.value(&all[dice.roll(all.len())]);
        let mut status = [Status::Ok, Status::Ok, Status::Info, Status::Fail][dice.roll(4)];
        let action = match dice.roll(5) {
            0 => Action::Read((status == Status::Ok || dice.once_in(2)).then(|| value(dice))),
            1 => Action::Write(value(dice)),
            2 => Action::Append(names.value(&all[8 + dice.roll(4)])),
            kind => {
                status = if kind == 3 { Status::Ok } else { status };
                Action::CompareAndSet {
                    expected: value(dice),
                    new: value(dice),
                    swapped: kind != 3,
                }
            }
        };
        let invoked = dice.roll(6) as u64;
        let completes = status == Status::Ok || dice.once_in(2);
        Operation {
            client: names.client(clients[dice.roll(clients.len())]),
            node: 0,
            key: names.key(["", "x", "sibcheck_history"][dice.roll(3)]),
            action,
            status,
            invoked,
            completed: completes.then(|| invoked + dice.roll(3) as u64),
        }
    });
    let operations = operations.collect();
    let origins = ["a test", "sibcheck_history", "\"sibcheck_history\":1"];
    let origin = origins[dice.roll(3)].to_owned();
    names.history(origin, Clock::Nanoseconds, initial, operations)
}

#[test]
fn what_is_written_reads_back_as_it_was() {
    for seed in 0..20_000 {
        let history = random(&mut Dice(seed));
        let again = written_and_read(&history);
        let again = again.unwrap_or_else(|what| panic!("seed {seed}: {what}\n{}", text(&history)));
        let [before, after] = [&history, &again]
            .map(|history| judge(history, Budget::default()).map(|verdict| verdict.outcome));
        assert_eq!(before, after, "seed {seed}\n{}", text(&history));
        assert_eq!(again.header.origin, history.header.origin);
        // What was read once has names that need no change.
        let twice = written_and_read(&again).map(|twice| twice.clients);
        assert_eq!(twice, Ok(again.clients), "seed {seed}");
    }
}
