//! What a seed draws: a history, and what is asked of it.

use sibcheck_checkers::{
    Claim, History, Promise,
    history::{Action, Sibling, Write},
};

use super::{
    any::any,
    corruption::{Corruption, corrupt},
    model::{Dice, Shape, correct, tombstones},
};

/// What the histories of a correct store are made to keep. The other claims are parts of these.
pub(crate) fn promises() -> [Promise; 4] {
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

pub(crate) fn shape(dice: &mut Dice, claim: Claim) -> Shape {
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
        tombstones: tombstones(dice),
        deletes: dice.once_in(2),
        unknowns: dice.once_in(2),
        tagged: dice.once_in(2),
        replica: dice.once_in(3),
        silent: [0, 0, 1, 3][dice.roll(4)],
    }
}

/// What a seed draws.
pub(crate) struct Drawn {
    pub(crate) history: History,
    pub(crate) corruptions: Vec<Corruption>,
    /// What the history keeps, if it was not to be corrupted.
    pub(crate) kept: Option<Claim>,
    /// A promise that is judged in full too.
    pub(crate) promise: Promise,
    /// Whether it is looked at from all sides: evidence, and the way to a file and back.
    pub(crate) closely: bool,
}

/// A quarter is no store's at all. Of the others one in eight remains as the model of a correct store
/// made it; the rest suffer up to three corruptions, and half of those are of stores that do not keep
/// clients to their nodes. In a third of all histories times are so coarse that many are equal.
pub(crate) fn drawn(seed: u64) -> Drawn {
    let mut dice = Dice(seed ^ 0xc0ff_ee00_0000);
    let claim = promises()[dice.roll(4)].claim;
    let mut shape = shape(&mut dice, claim);
    let times = if dice.once_in(8) {
        0
    } else {
        shape.sticky &= dice.once_in(2);
        if claim == Claim::Quorum {
            shape.nodes = 1 + dice.roll(2);
        }
        1 + dice.roll(3)
    };
    let by_none = dice.once_in(4);
    let (mut history, kept) = if by_none {
        (any(&mut dice), None)
    } else {
        let kept = (times == 0).then_some(claim);
        (correct(&mut dice, shape), kept)
    };
    let corruptions = (0..times).filter_map(|_| corrupt(&mut dice, &mut history));
    let corruptions = corruptions.collect();
    if dice.once_in(3) {
        coarsen(&mut history, [20, 40, 100][dice.roll(3)]);
    }
    if depends_on_itself(&history) {
        spread(&mut history);
    }
    let claim = Claim::ALL[dice.roll(Claim::ALL.len())];
    Drawn {
        history,
        corruptions,
        kept,
        promise: Promise {
            claim,
            replica_monotonic: dice.once_in(2),
        },
        closely: dice.once_in(8),
    }
}

/// What was a little earlier than something else is at the same time.
fn coarsen(history: &mut History, by: u64) {
    for operation in &mut history.operations {
        operation.invoked /= by;
        operation.completed = operation.completed.map(|completed| completed / by);
    }
}

/// Whether something comes before itself within one moment: an answer shows a write, and that came
/// after the answer by way of others. No claim says what such a history means.
fn depends_on_itself(history: &History) -> bool {
    let operations = &history.operations;
    // What `b` asked had the answer of `a`.
    let had = |a: usize, b: usize| {
        let (one, other) = (&operations[a], &operations[b]);
        let source = |write: &Write| write.sources.iter().any(|source| *source as usize == a);
        let in_context = matches!(&other.action, Action::Write(write) if source(write));
        let at_once = one.completed == Some(other.invoked);
        let own = one.client == other.client && a < b;
        at_once && in_context || own && (at_once || one.invoked == other.invoked)
    };
    // What is shown before it was asked for by the same client, or with that context, is thin air.
    let shown_by = |a: usize, b: usize| match (&operations[a].action, &operations[b].action) {
        (Action::Write(write), Action::Read(read)) => {
            let at_once = operations[b].completed == Some(operations[a].invoked);
            let shows = |sibling: &Sibling| sibling.value == write.value;
            at_once && read.siblings.iter().any(shows) && !had(b, a)
        }
        _ => false,
    };
    let comes_before = |a: usize, b: usize| had(a, b) || shown_by(a, b);
    let mut left: Vec<usize> = (0..operations.len()).collect();
    loop {
        let before = left.len();
        let waits = |op: &usize| left.iter().any(|other| comes_before(*other, *op));
        let waiting: Vec<usize> = left.iter().copied().filter(waits).collect();
        left = waiting;
        if left.is_empty() || left.len() == before {
            return !left.is_empty();
        }
    }
}

/// No two times are equal any more, and what was over before something else still is.
fn spread(history: &mut History) {
    let mut last = 0;
    for operation in &mut history.operations {
        last = (last + 1).max(operation.invoked * 100);
        let completed = operation.completed.map(|completed| completed * 100 + 50);
        operation.invoked = last;
        operation.completed = completed.map(|completed| completed.max(last));
    }
    for at in 0..history.operations.len() {
        let (earlier, rest) = history.operations.split_at_mut(at);
        let Action::Write(write) = &mut rest[0].action else {
            continue;
        };
        let invoked = rest[0].invoked;
        let possible = |source: &&u32| earlier[**source as usize].completed <= Some(invoked);
        write.sources = write.sources.iter().filter(possible).copied().collect();
    }
}
