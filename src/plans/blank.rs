//! A plan in which nothing is done yet, to be filled step by step.

use crate::{
    simulation::{Nanos, NetworkPlan},
    stores::StoreName,
};

use super::{PLAN_VERSION, Plan, Time, generate::ANTI_ENTROPY};

impl Plan {
    /// A plan of so many nodes of a store in which nobody asks and nothing goes wrong, held to the claim that
    /// they earn. Clients, and the healed cluster, get the time that this network needs. It is no plan to
    /// be run before it has a key.
    pub fn blank(store: StoreName, nodes: u32, network: NetworkPlan, origin: String) -> Self {
        let mut plan = Self {
            sibcheck_plan: PLAN_VERSION,
            origin,
            store: Some(store),
            program: None,
            time: Time::Lockstep,
            claim: store.claim(nodes),
            replica_monotonic: false,
            nodes,
            keys: Vec::new(),
            values: Vec::new(),
            numbered_values: false,
            network,
            timeout_ns: Nanos::ZERO,
            anti_entropy_ns: ANTI_ENTROPY,
            settle_ns: Nanos::ZERO,
            clients: Vec::new(),
            faults: Vec::new(),
            expect: None,
        };
        plan.be_patient();
        if let Some(period) = store.period() {
            plan.outlast(period);
        }
        plan
    }
}
