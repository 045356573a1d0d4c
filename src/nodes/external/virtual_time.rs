//! The time of nodes whose clocks are the simulation's.

use std::time::Duration;

use crate::{
    nodes::process::{Leaks, Tracing, nanos},
    plans::Plan,
    simulation::{Fault, FaultKind, Nanos, NodeClock},
};

/// Rounds of settling in which final reads stay as they were before nodes are taken to stay apart.
const ROUNDS_IN_VAIN: u32 = 3;

/// The same where a mistake costs nothing.
const ROUNDS_IN_A_HURRY: u32 = 1;

/// Rounds of settling at most.
const MOST_ROUNDS: u32 = 12;

/// Streams of randomness below this one are drawn for plans and networks.
const FIRST_STREAM: u64 = 1 << 16;

/// Where the nodes of a run are in time.
#[derive(Debug)]
pub(super) struct VirtualTime {
    /// Since the first of them was started.
    pub(super) now: Duration,
    /// When the clients began.
    began: Duration,
    seed: u64,
    /// Whether nodes may be made to die before they change a file.
    deaths_at_deeds: bool,
    /// Whether power may be lost.
    power_losses: bool,
    /// How often each node was started.
    lives: Vec<u64>,
    /// The clock of each node's machine.
    clocks: Vec<NodeClock>,
    leaks: Leaks,
    rounds: u32,
    in_vain: u32,
}

impl VirtualTime {
    /// That of a plan's run.
    pub(super) fn new(plan: &Plan) -> Self {
        let nodes = plan.nodes as usize;
        let at_deeds = |fault: &Fault| {
            matches!(
                fault.what,
                FaultKind::CrashAtDeed { .. } | FaultKind::PowerLoss { deeds: Some(_), .. }
            )
        };
        let power_loss = |fault: &Fault| matches!(fault.what, FaultKind::PowerLoss { .. });
        Self {
            now: Duration::ZERO,
            began: Duration::ZERO,
            seed: plan.network.seed,
            deaths_at_deeds: plan.faults.iter().any(at_deeds),
            power_losses: plan.faults.iter().any(power_loss),
            lives: vec![0; nodes],
            clocks: vec![NodeClock::default(); nodes],
            leaks: Leaks::default(),
            rounds: 0,
            in_vain: 0,
        }
    }

    /// Changes a node's clock, which then is as returned.
    pub(super) fn change_clock(&mut self, node: u32, jump_ns: i64, drift_ppm: i32) -> NodeClock {
        let clock = &mut self.clocks[node as usize];
        clock.change(nanos(self.now), jump_ns, drift_ppm);
        *clock
    }

    /// Where a node's time and randomness come from in its next life.
    pub(super) fn tracing(&mut self, node: u32) -> Tracing {
        let life = &mut self.lives[node as usize];
        *life += 1;
        Tracing {
            seed: self.seed,
            stream: FIRST_STREAM + (u64::from(node) << 32) + *life,
            clock: self.clocks[node as usize],
            deeds: self.deaths_at_deeds,
            storage: self.power_losses,
        }
    }

    /// The simulation begins.
    pub(super) fn begin(&mut self) {
        self.began = self.now;
    }

    pub(super) fn set(&mut self, now: Nanos) {
        self.now = self.now.max(self.began + Duration::from_nanos(now.0));
    }

    /// The present moment of the simulation.
    pub(super) fn get(&self) -> Nanos {
        self.since_begin(self.now)
    }

    pub(super) fn since_begin(&self, at: Duration) -> Nanos {
        Nanos(nanos(at.saturating_sub(self.began)))
    }

    /// Notes what of a process could not be held to it.
    pub(super) fn note(&mut self, leaks: Option<&Leaks>) {
        if let Some(leaks) = leaks {
            self.leaks.add(leaks);
        }
    }

    pub(super) fn leaks(&self) -> &Leaks {
        &self.leaks
    }

    /// Final reads differ: whether nodes are given more time.
    pub(super) fn goes_on(&mut self, changed: bool, hurried: bool) -> bool {
        self.rounds += 1;
        self.in_vain = if changed { 0 } else { self.in_vain + 1 };
        let enough = if hurried {
            ROUNDS_IN_A_HURRY
        } else {
            ROUNDS_IN_VAIN
        };
        self.rounds <= MOST_ROUNDS && self.in_vain <= enough
    }
}
