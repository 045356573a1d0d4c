//! Judging in short and in full gives one verdict, to the last count.

use crate::support::{
    corruption::corrupt,
    model::{Dice, Shape, correct, tombstones},
};
use sibcheck_checkers::{Claim, History, Promise, format::write_history, judge, judge_in_full};
use sibcheck_oracles::siblings::generate::{self, SiblingHistory, Versions};

fn same(history: &History, promise: Promise) {
    let lines = || {
        let mut bytes = Vec::new();
        write_history(history, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let (short, full) = (judge(history, promise), judge_in_full(history, promise));
    assert_eq!(short, full, "{promise:?}\n{}", lines());
}

fn promises(replica_monotonic: bool) -> impl Iterator<Item = Promise> {
    Claim::ALL.into_iter().map(move |claim| Promise {
        claim,
        replica_monotonic,
    })
}

/// As in `agreement.rs`.
fn histories() -> u64 {
    let number = std::env::var("SIBCHECK_HISTORIES").ok();
    number.and_then(|n| n.parse().ok()).unwrap_or(500)
}

#[test]
fn small_histories_get_one_verdict_in_short_and_in_full() {
    for seed in 0..histories() {
        let mut dice = Dice(seed ^ 0x5c4e_e000_0000);
        let shape = Shape {
            sticky: dice.once_in(2),
            clients: 1 + dice.roll(4),
            nodes: 1 + dice.roll(3),
            keys: 1 + dice.roll(2),
            operations: 2 + dice.roll(30),
            concurrent: !dice.once_in(4),
            finals: dice.once_in(2),
            dotted: dice.once_in(2),
            tombstones: tombstones(&mut dice),
            deletes: dice.once_in(2),
            unknowns: dice.once_in(2),
            tagged: dice.once_in(2),
            replica: dice.once_in(8),
            silent: [0, 0, 1, 3][dice.roll(4)],
        };
        let mut history = correct(&mut dice, shape);
        let replica_monotonic = dice.once_in(2);
        for promise in promises(replica_monotonic) {
            same(&history, promise);
        }
        corrupt(&mut dice, &mut history);
        for promise in promises(replica_monotonic) {
            same(&history, promise);
        }
    }
}

#[test]
fn long_histories_get_one_verdict_in_short_and_in_full() {
    let versions = [Versions::Dots, Versions::Clocks];
    for seed in 0..24_u8 {
        let bit = |bit: u8| usize::from(seed >> bit & 1);
        let shape = generate::Shape {
            operations: 4_000,
            keys: [1, 3][bit(0)],
            clients: 8,
            nodes: [1, 3][bit(1)],
            versions: versions[bit(2)],
            roaming: bit(4) == 1,
            broken: bit(3) == 1,
            seed: seed.into(),
        };
        let history = SiblingHistory::new(shape).unwrap().collect_history();
        for promise in promises(bit(0) == 0) {
            same(&history, promise);
        }
    }
}
