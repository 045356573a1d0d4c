//! Plans of version 1, as they were: keys were numbers from 0, values whole numbers.
//!
//! A store in this process was given the keys `k1`, `k2`, … and the numbers themselves; a program was
//! given the same keys, and as each value `v` and the number of the operation that wrote it. So a plan
//! that is read runs as it did when it was saved.

use std::collections::BTreeMap;

use compact_str::format_compact;
use serde::Deserialize;
use serde_json::Value as Json;
use sibcheck_checkers::Claim;

use crate::{
    simulation::{Fault, Nanos, NetworkPlan},
    stores::StoreName,
    workloads::{
        Dialect,
        siblings::{self, ContextChoice},
    },
};

use super::{
    Act, Expected, PLAN_VERSION, Plan, Step, Time, as_text,
    file::{MOST_KEYS, PlanError, check},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OldPlan {
    #[serde(rename = "sibcheck_plan")]
    _version: u32,
    origin: String,
    #[serde(with = "as_text")]
    store: StoreName,
    program: Option<Dialect>,
    #[serde(default, with = "as_text")]
    time: Time,
    #[serde(with = "as_text")]
    claim: Claim,
    #[serde(default)]
    replica_monotonic: bool,
    nodes: u32,
    keys: u32,
    network: NetworkPlan,
    timeout_ns: Nanos,
    anti_entropy_ns: Nanos,
    settle_ns: Nanos,
    clients: Vec<Vec<OldStep>>,
    faults: Vec<Fault>,
    expect: Option<Expected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OldStep {
    think_ns: Nanos,
    node: u32,
    key: u32,
    act: OldAct,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum OldAct {
    Read,
    Write { value: u64, context: ContextChoice },
    Delete { context: ContextChoice },
    Resolve { value: u64 },
}

impl OldAct {
    fn value(&self) -> Option<u64> {
        match self {
            Self::Write { value, .. } | Self::Resolve { value } => Some(*value),
            Self::Read | Self::Delete { .. } => None,
        }
    }
}

/// The same plan in the present version.
///
/// # Errors
///
/// When it has no keys, or more than any plan may have.
pub(super) fn upgraded(old: OldPlan) -> Result<Plan, PlanError> {
    check("keys".into(), old.keys.into(), 1, MOST_KEYS.into())?;
    let steps = old.clients.iter().flatten();
    let mut positions: BTreeMap<u64, u32> = steps
        .filter_map(|step| Some((step.act.value()?, 0)))
        .collect();
    for (at, position) in (0..).zip(positions.values_mut()) {
        *position = at;
    }
    let step = |old: OldStep| Step {
        think_ns: old.think_ns,
        node: old.node,
        key: old.key,
        act: Act::from(match old.act {
            OldAct::Read => siblings::Act::Read,
            OldAct::Write { value, context } => siblings::Act::Write {
                value: positions[&value],
                context,
            },
            OldAct::Delete { context } => siblings::Act::Delete { context },
            OldAct::Resolve { value } => siblings::Act::Resolve {
                value: positions[&value],
            },
        }),
    };
    Ok(Plan {
        sibcheck_plan: PLAN_VERSION,
        origin: old.origin,
        store: old.program.is_none().then_some(old.store),
        numbered_values: old.program.is_some(),
        program: old.program,
        time: old.time,
        claim: old.claim,
        replica_monotonic: old.replica_monotonic,
        nodes: old.nodes,
        keys: (1..=old.keys)
            .map(|key| format_compact!("k{key}").into())
            .collect(),
        clients: old
            .clients
            .into_iter()
            .map(|steps| steps.into_iter().map(step).collect())
            .collect(),
        values: positions.keys().copied().map(Json::from).collect(),
        network: old.network,
        timeout_ns: old.timeout_ns,
        anti_entropy_ns: old.anti_entropy_ns,
        settle_ns: old.settle_ns,
        faults: old.faults,
        expect: old.expect,
    })
}
