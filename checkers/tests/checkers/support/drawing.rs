//! What a seed draws: a history, and what is asked of it.

use sibcheck_checkers::{Claim, History, Promise};

use super::{
    corruption::{Corruption, corrupt},
    model::{Dice, Shape, correct},
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
        hidden: dice.once_in(4),
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

/// One history in eight remains as the model of a correct store made it; others suffer up to three
/// corruptions, and half of those are of stores that do not keep clients to their nodes.
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
    let mut history = correct(&mut dice, shape);
    let corruptions = (0..times).filter_map(|_| corrupt(&mut dice, &mut history));
    let corruptions = corruptions.collect();
    let kept = (times == 0).then_some(claim);
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
