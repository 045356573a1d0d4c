//! Histories of siblings that no store made: operations drawn one by one, answers without regard for
//! what was written when.

use sibcheck_checkers::{
    History, ObjectModel,
    history::{Action, Data, Header, OpId, Operation, Read, Sibling, Status, Value, Write},
};

use super::model::{Dice, tombstones};

/// Draws a history that makes sense.
pub(crate) fn any(dice: &mut Dice) -> History {
    let count = 1 + dice.roll(7);
    let [clients, nodes, keys] = [3, 2, 2].map(|most| 1 + dice.roll(most));
    let replica = dice.once_in(6);
    let tombstones = tombstones(dice);
    let tagged = dice.once_in(2);
    let unknown = [2, 4, 8][dice.roll(3)];
    let deletes = [2, 4][dice.roll(2)];
    // Few moments make equal times.
    let step = [1, 2, 6][dice.roll(3)];
    let longest = step * [1, 2, 6][dice.roll(3)];
    let mut now = 0;
    let mut operations: Vec<Operation> = Vec::new();
    for number in 0..count {
        now += dice.roll(step + 1) as u64;
        let mut status = Status::Ok;
        if dice.once_in(unknown) {
            status = [Status::Info, Status::Info, Status::Fail][dice.roll(3)];
        }
        let key = small(dice.roll(keys));
        let action = if dice.once_in(2) {
            Action::Read(Read {
                last: dice.once_in(3),
                ..Read::default()
            })
        } else {
            let tombstone = dice.once_in(deletes);
            let tag = (tagged || tombstone).then_some(number as u64);
            let data = match tombstone {
                true => Data::NULL,
                false if tagged && dice.once_in(3) => Data::from(0_u64),
                false => Data::from(number as u64),
            };
            let sources = if replica {
                Vec::new()
            } else {
                sources(dice, &operations, key, now)
            };
            Action::Write(Box::new(Write {
                value: Value { tag, data },
                tombstone,
                sources: sources.into(),
                context: None,
                version: None,
            }))
        };
        let length = dice.roll(longest) as u64;
        let completes = status != Status::Info || dice.once_in(4);
        operations.push(Operation {
            client: small(dice.roll(clients)),
            node: small(dice.roll(nodes)),
            key,
            invoked: now,
            completed: completes.then_some(now + length),
            status,
            action,
        });
    }
    answer(dice, &mut operations);
    let name =
        |prefix: &str, count: usize| (1..=count).map(|n| format!("{prefix}{n}").into()).collect();
    History {
        header: Header {
            origin: "nothing".to_owned(),
            tombstones,
            model: if replica {
                ObjectModel::Replica
            } else {
                ObjectModel::Context
            },
            ..Header::default()
        },
        clients: name("c", clients),
        nodes: name("n", nodes),
        keys: name("k", keys),
        operations,
        faults: Vec::new(),
        tables: (),
    }
}

/// Any earlier answers about the key.
fn sources(dice: &mut Dice, operations: &[Operation], key: u32, now: u64) -> Vec<OpId> {
    let answered = |(_, op): &(OpId, &Operation)| {
        op.status == Status::Ok && op.key == key && op.completed <= Some(now)
    };
    let answers: Vec<OpId> = (0..)
        .zip(operations)
        .filter(answered)
        .map(|(at, _)| at)
        .collect();
    let mut sources: Vec<OpId> = (0..dice.roll(4))
        .filter_map(|_| dice.pick(&answers).copied())
        .collect();
    sources.sort_unstable();
    sources.dedup();
    sources
}

/// Answers each read with some of all that is written to its key at any time.
fn answer(dice: &mut Dice, operations: &mut [Operation]) {
    let written = operations.iter().filter_map(|op| match &op.action {
        Action::Write(write) => Some((op.key, write.value.clone(), write.tombstone)),
        Action::Read(_) => None,
    });
    let written: Vec<_> = written.collect();
    for operation in operations {
        let Action::Read(read) = &mut operation.action else {
            continue;
        };
        if operation.status != Status::Ok {
            continue;
        }
        let one_in = 1 + dice.roll(4);
        let mut siblings = Vec::new();
        for (key, value, tombstone) in &written {
            let times = match dice.roll(24) {
                0 => 2,
                1 => 1,
                _ => usize::from(*key == operation.key && dice.once_in(one_in)),
            };
            for _ in 0..times {
                siblings.push(Sibling {
                    value: value.clone(),
                    tombstone: *tombstone,
                    version: None,
                });
            }
        }
        read.siblings = siblings.into();
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).expect("small")
}
