//! Plans: what a test does, as values.
//!
//! A [`Plan`] holds every client operation with its timing, the latencies or the generator that
//! draws them, the faults with begin and end, and the claim to check. The seed that it was
//! generated from is recorded beside it and decides nothing: a saved plan outlives the generator.

mod blank;
mod demands;
mod faults;
mod file;
mod generate;
mod shrink;
mod strata;
mod strategy;
mod tables;
mod version_1;
mod vocabulary;

pub use crate::choices::{ByteChoices, Choices, SeededChoices};
pub use crate::workloads::Act;
pub use demands::{Demand, Denied, demands};
pub use file::{PlanError, read_plan, write_plan};
pub use generate::{Shape, generate};
pub use shrink::{Position, Shrinker, Shrunk, Sighting, shrink};
pub use strata::{STRATA, Stratum, fewest_runs};
pub use strategy::{PlanStrategy, plans};
pub use vocabulary::{Kind, Kinds, Table, UnknownKind};

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sibcheck_checkers::{Claim, Invariant, Outcome, Promise};

use crate::{
    simulation::{Fault, Nanos, NetworkPlan},
    stores::Key,
    stores::StoreName,
    workloads::{Dialect, WorkloadName},
};

/// The version of the plan format that this build writes. It reads version 1, too.
pub const PLAN_VERSION: u32 = 2;

/// What one run does, in the acts of any workload; a file holds those of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan<A = Act> {
    /// The format's version.
    pub sibcheck_plan: u32,
    /// Where the plan came from: for people, it decides nothing.
    pub origin: String,
    /// The store in this process that the plan was made for, if it was.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "as_optional_text"
    )]
    pub store: Option<StoreName>,
    /// The dialect of the outside program that the plan was made for, if it was; then `store` says
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Dialect>,
    /// Whose time passes.
    #[serde(default, skip_serializing_if = "Time::is_lockstep", with = "as_text")]
    pub time: Time,
    /// The claim to check.
    #[serde(with = "as_text")]
    pub claim: Claim,
    /// Whether nodes are also held to answer reads from their own state, and never to go backwards.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replica_monotonic: bool,
    /// How many nodes there are.
    pub nodes: u32,
    /// The keys; steps name them by position. No two are equal.
    pub keys: Vec<Key>,
    /// The values; steps name them by position. No two are equal, so that equal positions mean equal
    /// values.
    pub values: Vec<Json>,
    /// Each value that is written is `v` and the number of its operation, whatever `values` holds: as
    /// in plans of version 1 for programs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub numbered_values: bool,
    /// Latencies and the seed of the network's randomness.
    pub network: NetworkPlan,
    /// How long a client waits for an answer.
    pub timeout_ns: Nanos,
    /// The time between two rounds of anti-entropy at a node.
    pub anti_entropy_ns: Nanos,
    /// How long the healed cluster is left alone before the final reads.
    pub settle_ns: Nanos,
    /// What each client does, one operation after the other.
    pub clients: Vec<Vec<Step<A>>>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// The verdict that a saved regression expects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expected>,
}

/// The verdict that a saved plan is expected to lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The outcome.
    #[serde(with = "as_text")]
    pub verdict: Outcome,
    /// Invariants that must be among the violated ones, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invariants: Vec<InvariantName>,
    /// The cause, in a sentence or two.
    pub why: String,
}

/// An invariant, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InvariantName(#[serde(with = "as_text")] pub Invariant);

impl Plan {
    /// What the store is held to.
    pub fn promise(&self) -> Promise {
        Promise {
            claim: self.claim,
            replica_monotonic: self.replica_monotonic,
        }
    }

    /// The workload that its acts are of.
    pub fn workload(&self) -> WorkloadName {
        workload_of(self.program.as_ref())
    }

    /// The same plan by the clock on the wall, with more patience for nodes that take real time.
    #[must_use]
    pub fn in_real_time(&self) -> Self {
        let mut plan = self.clone();
        if plan.time != Time::Real {
            plan.time = Time::Real;
            plan.timeout_ns = plan.timeout_ns + generate::REAL_TIMEOUT;
        }
        plan
    }

    /// What shrinking makes small: operations first, then faults.
    pub fn size(&self) -> (usize, usize) {
        (self.operations(), self.faults.len())
    }

    /// So many simulated events a run of this plan may come to, far more than one that makes sense:
    /// bounds of its parts that are harmless alone, an hour of settling and anti-entropy every 100 µs,
    /// must not make a run without end. O(steps).
    pub fn most_events(&self) -> u64 {
        /// Timers and their messages while nothing is asked: more than an hour with anti-entropy as
        /// often as plans that are drawn have it.
        const EACH_NODE: u64 = 500_000;
        const EACH_OPERATION: u64 = 2_000;
        /// Some minutes.
        const MOST: u64 = 500_000_000;
        let operations = EACH_OPERATION.saturating_mul(self.operations() as u64);
        let each_node = operations.saturating_add(EACH_NODE);
        each_node.saturating_mul(self.nodes.into()).min(MOST)
    }

    /// How many client operations the plan asks for: a step may come to several.
    pub fn operations(&self) -> usize {
        self.clients
            .iter()
            .flatten()
            .map(|step| step.act.operations() as usize)
            .sum()
    }
}

/// Whose time passes while a plan runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Time {
    /// The simulation's: a node gets a message, runs until it rests, and time jumps to what happens
    /// next. A program's own clock is the machine's, so its timers do not fire while a plan runs.
    #[default]
    Lockstep,
    /// The simulation's, for the clocks and timers of programs, too.
    Virtual,
    /// The clock's on the wall: latencies and faults last as long as the plan says.
    Real,
}

impl Time {
    /// Every kind of time.
    pub const ALL: [Self; 3] = [Self::Lockstep, Self::Virtual, Self::Real];

    /// The name on the command line and in plans.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lockstep => "lockstep",
            Self::Virtual => "virtual",
            Self::Real => "real",
        }
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde calls"
    )]
    fn is_lockstep(&self) -> bool {
        *self == Self::Lockstep
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name was that of no kind of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {0:?} time; it is lockstep, virtual or real")]
pub struct UnknownTime(String);

impl FromStr for Time {
    type Err = UnknownTime;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|time| time.name() == name);
        found.ok_or_else(|| UnknownTime(name.to_owned()))
    }
}

/// One operation of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step<A = Act> {
    /// How long the client waits before it.
    pub think_ns: Nanos,
    /// The node that it is sent to, by position from 0.
    pub node: u32,
    /// The key, by position from 0.
    pub key: u32,
    /// What is done.
    pub act: A,
}

/// The workload of programs that speak a dialect, or of the stores in this process.
fn workload_of(program: Option<&Dialect>) -> WorkloadName {
    program.map_or(WorkloadName::Siblings, Dialect::workload)
}

/// Serialises a name, where there is one, through `Display` and `FromStr`.
mod as_optional_text {
    use std::{fmt::Display, str::FromStr};

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let name = Option::<String>::deserialize(deserializer)?;
        name.map(|name| name.parse().map_err(D::Error::custom))
            .transpose()
    }
}

/// Serialises a name through `Display` and `FromStr`.
mod as_text {
    use std::{fmt::Display, str::FromStr};

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}
