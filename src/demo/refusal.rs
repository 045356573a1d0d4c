//! Why something cannot be played.

use crate::{campaign::RunError, clocks::Actor, plans::PlanError, stores::StoreName};

/// Why something cannot be done. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The store has other nodes than these.
    #[error(
        "the store {0} has no ring and no quorums to be played with: give dynamo, dynamo:3-1-1, or a planted bug of it"
    )]
    Store(StoreName),
    /// It is down.
    #[error("{0} is down already: restart {0} brings it back")]
    Down(Actor),
    /// It is not down.
    #[error("{0} is up: kill {0} takes it down")]
    Up(Actor),
    /// It is to be no member already.
    #[error("{0} was told to leave already: join {0} brings it back")]
    Left(Actor),
    /// It was not told to leave.
    #[error("{0} was not told to leave")]
    Member(Actor),
    /// It cannot be told.
    #[error("{0} is down and hears nothing: restart {0} brings it back")]
    Deaf(Actor),
    /// There is no partition.
    #[error("nothing is partitioned: a node that was killed comes back by restart")]
    Whole,
    /// It has been played for too long.
    #[error("no more than {} s of virtual time can be played, since each step runs them all anew: save it, and begin again", super::play::LONGEST.0 / 1_000_000_000)]
    TooLong,
    /// The plan could not be run.
    #[error("{0}")]
    Plan(#[from] PlanError),
    /// There is nobody who could fail, or stand in.
    #[error(
        "the scripted play needs two owners of a key: give --nodes 2 or more and a store such as dynamo:2-1-1; --interactive takes fewer"
    )]
    Alone,
    /// Nobody has asked for anything.
    #[error("nobody has asked for anything yet: put something first")]
    Nothing,
    /// It could not be judged.
    #[error("{0}")]
    Run(#[from] RunError),
}
