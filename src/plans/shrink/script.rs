//! A plan as a script: what happens by the clock.
//!
//! In a plan a client waits a while after its last answer, so whatever is left out moves all that
//! its client does later, and faults no longer meet what they broke. In a script every operation
//! has its moment, taken from a run that failed or, without one, from what latencies promise;
//! leaving one out moves no other.

use std::collections::BTreeMap;

use crate::simulation::{Latency, Nanos};

use super::super::{Act, Plan, Step, Time};
use super::Sighting;

/// An operation of a script.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// When its client begins it.
    pub(super) at: Nanos,
    /// How long its client is then busy with it.
    pub(super) took: Nanos,
    /// Whose it is. The numbers need not follow each other.
    pub(super) client: usize,
    /// What is done; its think time means nothing.
    pub(super) step: Step,
    /// Which step it was of the plan that the script was made from.
    pub(super) origin: (usize, usize),
}

/// A plan by the clock.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// Everything but the clients.
    pub(super) plan: Plan,
    /// The operations by time.
    pub(super) lines: Vec<Line>,
}

/// How operations are spread over time: all at the same distance, in the order that they had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spacing {
    /// From the beginning of one operation to that of the next.
    gap: Nanos,
    /// How long each message takes.
    latency: Nanos,
}

impl Spacing {
    /// The plainest first: answered and replicated before the next one begins, in round numbers;
    /// in less time than nodes let pass between two rounds of gossip; all at once.
    pub(super) const ALL: [Self; 4] = [
        Self {
            gap: Nanos::from_millis(10),
            latency: Nanos::from_millis(1),
        },
        Self {
            gap: Nanos::from_millis(1),
            latency: Nanos::from_micros(100),
        },
        Self {
            gap: Nanos::from_millis(1),
            latency: Nanos::from_millis(1),
        },
        Self {
            gap: Nanos::ZERO,
            latency: Nanos::from_millis(1),
        },
    ];
}

/// How many messages one after the other an operation takes its client.
fn legs(act: Act) -> u64 {
    2 * u64::from(act.operations())
}

/// What a latency comes to, roughly.
fn typical(latency: Latency) -> Nanos {
    match latency {
        Latency::Constant { ns } => ns,
        Latency::Uniform { min_ns, max_ns } => Nanos((min_ns + max_ns).0 / 2),
        Latency::Exponential { mean_ns } => mean_ns,
    }
}

impl Script {
    /// The script of a plan: O(steps × log steps).
    pub(super) fn new(plan: &Plan, sighting: &Sighting) -> Self {
        let leg = typical(plan.network.client_latency);
        let mut lines = Vec::with_capacity(plan.clients.iter().map(Vec::len).sum());
        for (client, steps) in plan.clients.iter().enumerate() {
            let mut free = Nanos::ZERO;
            for (position, step) in steps.iter().enumerate() {
                let origin = (client, position);
                let (at, until) = sighting.times.get(&origin).copied().unwrap_or_else(|| {
                    let at = free + step.think_ns;
                    (at, at + leg.times(legs(step.act)))
                });
                free = until;
                lines.push(Line {
                    at,
                    took: until.since(at),
                    client,
                    step: step.clone(),
                    origin,
                });
            }
        }
        lines.sort_by_key(|line| (line.at, line.client, line.origin));
        let plan = Plan {
            clients: Vec::new(),
            ..plan.clone()
        };
        Self { plan, lines }
    }

    /// The plan that does this. Clients stand in the order in which they begin, those without
    /// operations are gone, as are unused keys and values, and an operation that would begin before its client's last one has
    /// ended begins late.
    pub(super) fn to_plan(&self) -> Plan {
        let mut lines: Vec<&Line> = self.lines.iter().collect();
        lines.sort_by_key(|line| line.at);
        let mut places: BTreeMap<usize, usize> = BTreeMap::new();
        let mut clients: Vec<(Nanos, Vec<Step>)> = Vec::new();
        for line in lines {
            let place = *places.entry(line.client).or_insert_with(|| {
                clients.push((Nanos::ZERO, Vec::new()));
                clients.len() - 1
            });
            let (free, steps) = &mut clients[place];
            let think_ns = line.at.since(*free);
            *free = *free + think_ns + line.took;
            steps.push(Step {
                think_ns,
                ..line.step.clone()
            });
        }
        let mut plan = Plan {
            clients: clients.into_iter().map(|(_, steps)| steps).collect(),
            ..self.plan.clone()
        };
        plan.drop_unused_keys();
        plan.drop_unused_values();
        plan
    }

    /// Every message takes this long. Clients that had to give up still do.
    pub(super) fn set_latency(&mut self, ns: Nanos) {
        for line in &mut self.lines {
            if line.took < self.plan.timeout_ns {
                line.took = ns.times(legs(line.step.act));
            }
        }
        let latency = Latency::Constant { ns };
        self.plan.network.client_latency = latency;
        self.plan.network.node_latency = latency;
        self.plan.network.links.clear();
        if self.plan.time == Time::Lockstep {
            self.plan.be_patient();
        }
    }

    /// True when no message takes longer than another.
    pub(super) fn has_constant_latency(&self) -> bool {
        let network = &self.plan.network;
        matches!(network.client_latency, Latency::Constant { .. })
            && network.client_latency == network.node_latency
            && network.links.is_empty()
    }

    /// What the messages of a client take now, roughly.
    pub(super) fn typical_latency(&self) -> Nanos {
        typical(self.plan.network.client_latency)
    }

    /// Spreads the operations anew. Faults begin and end between, or during, the same operations
    /// as before, in the same order. O(n log n) for operations and faults.
    pub(super) fn respace(&mut self, spacing: Spacing) {
        let before: Vec<(Nanos, Nanos)> = self
            .lines
            .iter()
            .map(|line| (line.at, self.round_trip(line.took)))
            .collect();
        self.set_latency(spacing.latency);
        let after = |position: usize| spacing.gap.times(position as u64);
        let mut moments: Vec<Nanos> = self
            .plan
            .faults
            .iter()
            .flat_map(|fault| [fault.begin_ns, fault.end_ns])
            .collect();
        moments.sort_unstable();
        moments.dedup();
        let mut moved = BTreeMap::new();
        // How many moments came after the same operation's end already.
        let mut rank = (0, 0);
        for moment in moments {
            let passed = before.partition_point(|(at, _)| *at < moment);
            let Some((at, took)) = passed.checked_sub(1).map(|last| before[last]) else {
                moved.insert(moment, Nanos::ZERO);
                continue;
            };
            let offset = moment.since(at);
            let round_trip = spacing.latency.times(2);
            let inside = if offset < took {
                // In quarters of a round trip, and never at its very beginning.
                let quarters = (offset.0 * 4).div_ceil(took.0.max(1)).clamp(1, 4);
                Nanos(round_trip.0 / 4 * quarters)
            } else {
                rank = if rank.0 == passed {
                    (passed, rank.1 + 1)
                } else {
                    (passed, 1)
                };
                round_trip + spacing.latency.times(2 * rank.1)
            };
            // Before the next operation all the same.
            let room = Nanos(spacing.gap.0.saturating_sub(1));
            let inside = if passed < before.len() {
                inside.min(room)
            } else {
                inside
            };
            moved.insert(moment, after(passed - 1) + inside);
        }
        let move_to = |moment: Nanos| moved.get(&moment).copied().unwrap_or(moment);
        for fault in &mut self.plan.faults {
            fault.begin_ns = move_to(fault.begin_ns);
            fault.end_ns = move_to(fault.end_ns);
        }
        for (position, line) in self.lines.iter_mut().enumerate() {
            line.at = after(position);
        }
    }

    /// The moments at which a fault may begin or end so that it meets other messages than before:
    /// at the beginning of the run, and for each operation while its request and its answer are on
    /// their way, and after it. O(n log n).
    pub(super) fn moments(&self) -> Vec<Nanos> {
        let mut moments = vec![Nanos::ZERO];
        let nexts = self.lines.iter().skip(1).map(|next| Some(next.at));
        for (line, next) in self.lines.iter().zip(nexts.chain([None])) {
            let round_trip = self.round_trip(line.took);
            let end = line.at + round_trip;
            let after = end + round_trip;
            moments.push(line.at + Nanos(round_trip.0 / 4));
            moments.push(line.at + Nanos(round_trip.0 / 4 * 3));
            moments.push(match next {
                Some(next) if end < next && next <= after => Nanos(end.0.midpoint(next.0)),
                _ => after,
            });
        }
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    /// How long an operation would have taken if its client had not had to give up.
    fn round_trip(&self, took: Nanos) -> Nanos {
        if took < self.plan.timeout_ns {
            took
        } else {
            self.typical_latency().times(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{SeededChoices, Shape, generate};
    use super::*;
    use crate::stores::StoreName;

    fn script(seed: u64) -> Script {
        let shape = Shape::new(StoreName::Dotted);
        let plan = generate(&shape, &mut SeededChoices::new(seed), String::new());
        Script::new(&plan, &Sighting::default())
    }

    fn read_again(script: &Script) -> Script {
        Script::new(&script.to_plan(), &Sighting::default())
    }

    #[test]
    fn leaving_operations_out_moves_no_other() {
        for seed in 0..20 {
            let mut script = script(seed);
            let mut position = 0;
            script.lines.retain(|_| {
                position += 1;
                position % 3 != 0
            });
            let moments = |script: &Script| -> Vec<Nanos> {
                script.lines.iter().map(|line| line.at).collect()
            };
            assert_eq!(moments(&read_again(&script)), moments(&script));
        }
    }

    #[test]
    fn spreading_keeps_what_comes_before_what() {
        let met = |script: &Script| -> Vec<[usize; 2]> {
            let begun = |moment| script.lines.partition_point(|line| line.at < moment);
            let faults = script.plan.faults.iter();
            faults
                .map(|fault| [begun(fault.begin_ns), begun(fault.end_ns)])
                .collect()
        };
        for seed in 0..20 {
            let mut spread = script(seed);
            let before = met(&spread);
            let Some(spacing) = Spacing::ALL.first() else {
                return;
            };
            spread.respace(*spacing);
            assert_eq!(met(&spread), before);
        }
    }
}
