//! Strata: what few runs must not leave to luck.
//!
//! A swarm finds what is rare in many runs. A program outside gets few, and a bug that only clients
//! of one habit can see would be met on some seeds only. So of eight runs with consecutive seeds each
//! of six has a habit that is laid down, and two are drawn freely; stores that forget what was deleted have
//! deletes in these. The stratum follows from the
//! run's own seed, so that the seed alone repeats the run.

use crate::{
    simulation::{Latency, Nanos, NetworkPlan},
    stores::StoreName,
    workloads::{Drawing, Habit, Workload, with_words, with_workload},
};

use super::Shape;

/// Runs with consecutive seeds in which every stratum has its turn.
pub const STRATA: u64 = 8;

/// Runs, of so many groups each, that a program needs at least: every stratum has its turn, in the runs or in
/// their groups, and several nets and faults are drawn.
pub fn fewest_runs(groups: u32) -> u64 {
    STRATA.div_ceil(groups.max(1).into()).max(4)
}

/// What is laid down for a run, or for a group of clients in it: for the groups of a run as for runs with
/// consecutive seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stratum {
    /// Nothing.
    Free,
    /// Clients stay at their nodes.
    Staying,
    /// Clients go to another node with most operations.
    Roaming,
    /// Clients get an answer at one node and at once write with its context at another, where what
    /// the context speaks of has not arrived yet.
    Outrunning,
    /// Nearly all operations are on one key.
    HotKey,
    /// Keys and values are alike: many equal values where a tag tells them apart, and elsewhere those
    /// that programs confuse.
    Alike,
    /// Deletes are half as frequent as writes, and clients mostly go on from their own last write: so
    /// keys keep siblings which those who delete have not seen.
    Deleting,
    /// Deletes are as frequent as writes, by clients that have just read.
    Emptying,
}

impl Stratum {
    /// That of the run with this seed. Where a habit would change nothing the run is free: going to
    /// other nodes where there is one, taking contexts there where writes carry none, and deletes
    /// where there are no words for them or where they would leave linearizability undecided.
    pub fn of(seed: u64, shape: &Shape) -> Self {
        let suits = |habit| match &shape.program {
            Some(dialect) => with_words!(dialect.words(), W, words => {
                <W as Workload>::Drawing::suits(habit, Some(words), shape.claim)
            }),
            None => with_workload!(shape.workload(), W => {
                <W as Workload>::Drawing::suits(habit, None, shape.claim)
            }),
        };
        match seed % STRATA {
            0 if shape.nodes > 1 => Self::Staying,
            1 if shape.nodes > 1 => Self::Roaming,
            2 if shape.nodes > 1 && suits(Habit::Outrunning) => Self::Outrunning,
            3 => Self::HotKey,
            4 if suits(Habit::Alike) => Self::Alike,
            5 if suits(Habit::Deleting) => Self::Deleting,
            // Tombstones that are removed may come too early.
            6 | 7 if shape.store.is_some_and(StoreName::members_change) => Self::Emptying,
            _ => Self::Free,
        }
    }

    /// What it lays down for what clients do, if that is anything.
    pub(super) const fn habit(self) -> Option<Habit> {
        match self {
            Self::Free | Self::Staying | Self::Roaming | Self::HotKey => None,
            Self::Outrunning => Some(Habit::Outrunning),
            Self::Alike => Some(Habit::Alike),
            Self::Deleting => Some(Habit::Deleting),
            Self::Emptying => Some(Habit::Emptying),
        }
    }

    /// Makes nodes slower to hear of each other than clients are to get to another node, where that
    /// matters.
    pub(super) fn slow_down(self, network: &mut NetworkPlan) {
        if self == Self::Outrunning {
            network.client_latency = Latency::Constant {
                ns: Nanos::from_micros(50),
            };
            network.node_latency = Latency::Uniform {
                min_ns: Nanos::from_micros(500),
                max_ns: Nanos::from_millis(4),
            };
        }
    }
}
