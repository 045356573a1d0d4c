//! Shrinking: from a plan that fails to a small one that still does.
//!
//! It works on the plan itself, not on what drew it, so it serves saved plans and every kind of
//! node alike. It tries ever smaller cuts (delta debugging, Zeller & Hildebrandt 2002), then makes
//! what is left plainer, and starts over until nothing more can go.

use std::collections::BTreeSet;

use crate::simulation::{Fault, Latency, Nanos};

use super::{Act, ContextChoice, Plan};

/// Proposes smaller plans one at a time.
///
/// After each [`Shrinker::propose`] say with [`Shrinker::accept`] that the proposal still fails, or
/// propose again to give it up.
#[derive(Clone, Debug)]
pub struct Shrinker {
    best: Plan,
    candidate: Option<Plan>,
    stage: usize,
    edits: Vec<Edit>,
    /// The next edit to try.
    next: usize,
    improved: bool,
}

/// One way to make a plan smaller or plainer.
#[derive(Clone, Copy, Debug)]
enum Edit {
    DropFaults {
        from: usize,
        count: usize,
    },
    DropClient(usize),
    DropSteps {
        client: usize,
        from: usize,
        count: usize,
    },
    ReplaceAct {
        client: usize,
        step: usize,
        act: Act,
    },
    WriteInstead {
        client: usize,
        step: usize,
        context: ContextChoice,
    },
    SameNode {
        client: usize,
    },
    FirstKey {
        client: usize,
        step: usize,
    },
    DropLastNode,
    DropUnusedKeys,
    NoThinking {
        client: usize,
        step: usize,
    },
    ConstantLatency,
}

/// The stages, the most promising first.
const STAGES: [fn(&Plan) -> Vec<Edit>; 7] = [
    fault_cuts,
    |plan| (0..plan.clients.len()).map(Edit::DropClient).collect(),
    step_cuts,
    plainer_acts,
    plainer_places,
    |plan| {
        positions(plan)
            .map(|(client, step)| Edit::NoThinking { client, step })
            .collect()
    },
    |_| vec![Edit::ConstantLatency],
];

/// Every chunk of `0..length`, halves first, then quarters, down to single items.
fn chunks(length: usize) -> impl Iterator<Item = (usize, usize)> {
    std::iter::successors(Some(length), |size| (*size > 1).then(|| size.div_ceil(2)))
        .filter(|size| *size > 0)
        .flat_map(move |size| {
            (0..length)
                .step_by(size)
                .map(move |from| (from, size.min(length - from)))
        })
}

fn fault_cuts(plan: &Plan) -> Vec<Edit> {
    chunks(plan.faults.len())
        .map(|(from, count)| Edit::DropFaults { from, count })
        .collect()
}

fn step_cuts(plan: &Plan) -> Vec<Edit> {
    let mut cuts: Vec<_> = plan
        .clients
        .iter()
        .enumerate()
        .flat_map(|(client, steps)| {
            chunks(steps.len()).map(move |(from, count)| Edit::DropSteps {
                client,
                from,
                count,
            })
        })
        .collect();
    cuts.sort_by_key(|cut| match cut {
        Edit::DropSteps { count, .. } => std::cmp::Reverse(*count),
        _ => std::cmp::Reverse(0),
    });
    cuts
}

fn positions(plan: &Plan) -> impl Iterator<Item = (usize, usize)> {
    plan.clients
        .iter()
        .enumerate()
        .flat_map(|(client, steps)| (0..steps.len()).map(move |step| (client, step)))
}

fn plainer_acts(plan: &Plan) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (client, step) in positions(plan) {
        let act = plan.clients[client][step].act;
        if let Act::Delete { context } = act {
            edits.push(Edit::WriteInstead {
                client,
                step,
                context,
            });
        }
        let mut offer = |act| edits.push(Edit::ReplaceAct { client, step, act });
        match act {
            Act::Read => {}
            Act::Resolve { value } => {
                offer(Act::Read);
                for context in [ContextChoice::Blind, ContextChoice::LastRead] {
                    offer(Act::Write { value, context });
                }
            }
            Act::Delete { context } => {
                for &context in plainer_contexts(context) {
                    offer(Act::Delete { context });
                }
            }
            Act::Write { value, context } => {
                for &context in plainer_contexts(context) {
                    offer(Act::Write { value, context });
                }
            }
        }
    }
    edits
}

/// Contexts that are plainer than this one, the plainest first.
fn plainer_contexts(context: ContextChoice) -> &'static [ContextChoice] {
    match context {
        ContextChoice::Blind => &[],
        ContextChoice::LastRead => &[ContextChoice::Blind],
        _ => &[ContextChoice::Blind, ContextChoice::LastRead],
    }
}

fn plainer_places(plan: &Plan) -> Vec<Edit> {
    let mut edits = vec![Edit::DropLastNode, Edit::DropUnusedKeys];
    edits.extend((0..plan.clients.len()).map(|client| Edit::SameNode { client }));
    edits.extend(positions(plan).map(|(client, step)| Edit::FirstKey { client, step }));
    edits
}

impl Edit {
    /// The edited plan, or `None` when the edit changes nothing.
    fn apply(self, plan: &Plan) -> Option<Plan> {
        let mut edited = plan.clone();
        match self {
            Self::DropFaults { from, count } => {
                edited.faults.drain(from..from + count);
            }
            Self::DropClient(client) => {
                edited.clients.remove(client);
            }
            Self::DropSteps {
                client,
                from,
                count,
            } => {
                edited.clients[client].drain(from..from + count);
            }
            Self::ReplaceAct { client, step, act } => edited.clients[client][step].act = act,
            Self::WriteInstead {
                client,
                step,
                context,
            } => {
                let value = edited.add_plain_value();
                edited.clients[client][step].act = Act::Write { value, context };
            }
            Self::SameNode { client } => {
                let node = edited.clients[client].first()?.node;
                for step in &mut edited.clients[client] {
                    step.node = node;
                }
            }
            Self::FirstKey { client, step } => edited.clients[client][step].key = 0,
            Self::DropLastNode => {
                let last = edited.nodes.checked_sub(1).filter(|&last| last > 0)?;
                edited.nodes = last;
                for step in edited.clients.iter_mut().flatten() {
                    step.node = step.node.min(last - 1);
                }
                let links = &mut edited.network.links;
                links.retain(|link| link.from < last && link.to < last);
                let left = |fault: &Fault| {
                    let what = fault.what.without_nodes_from(last)?;
                    Some(Fault {
                        what,
                        ..fault.clone()
                    })
                };
                edited.faults = plan.faults.iter().filter_map(left).collect();
            }
            Self::DropUnusedKeys => edited.drop_unused_keys(),
            Self::NoThinking { client, step } => {
                edited.clients[client][step].think_ns = Nanos::ZERO;
            }
            Self::ConstantLatency => {
                let latency = Latency::Constant {
                    ns: Nanos::from_millis(1),
                };
                edited.network.client_latency = latency;
                edited.network.node_latency = latency;
                edited.network.links.clear();
            }
        }
        (edited != *plan).then_some(edited)
    }
}

impl Shrinker {
    /// Begins with a plan that fails.
    pub fn new(failing: Plan) -> Self {
        Self {
            edits: STAGES[0](&failing),
            best: failing,
            candidate: None,
            stage: 0,
            next: 0,
            improved: false,
        }
    }

    /// The smallest plan that is known to fail.
    pub fn best(&self) -> &Plan {
        &self.best
    }

    /// The plan that was proposed last and not yet accepted, or else the best one.
    pub fn current(&self) -> &Plan {
        self.candidate.as_ref().unwrap_or(&self.best)
    }

    /// Proposes the next smaller plan; `None` when nothing more can go.
    pub fn propose(&mut self) -> Option<&Plan> {
        self.candidate = None;
        loop {
            if let Some(edit) = self.edits.get(self.next) {
                self.next += 1;
                self.candidate = edit.apply(&self.best);
                if self.candidate.is_some() {
                    return self.candidate.as_ref();
                }
                continue;
            }
            self.stage += 1;
            if self.stage == STAGES.len() {
                if !self.improved {
                    self.stage -= 1;
                    return None;
                }
                self.stage = 0;
                self.improved = false;
            }
            self.edits = STAGES[self.stage](&self.best);
            self.next = 0;
        }
    }

    /// The proposal still fails: it is the best one now.
    pub fn accept(&mut self) {
        if let Some(mut plan) = self.candidate.take() {
            // Nothing that is run depends on them.
            plan.drop_unused_values();
            self.best = plan;
            self.improved = true;
            // Positions have shifted: go on near the same place in the new list.
            self.edits = STAGES[self.stage](&self.best);
            self.next = self.next.saturating_sub(1);
        }
    }
}

/// What [`shrink`] found.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest plan that still fails.
    pub plan: Plan,
    /// How many plans were tried.
    pub tries: u64,
}

/// A plan with only some of its steps, each told by its client and its position.
pub fn with_only(plan: &Plan, steps: &BTreeSet<(usize, usize)>) -> Plan {
    let mut left = plan.clone();
    for (client, all) in left.clients.iter_mut().enumerate() {
        let mut position = 0;
        all.retain(|_| {
            position += 1;
            steps.contains(&(client, position - 1))
        });
    }
    left
}

/// Shrinks a failing plan as long as `go_on` allows. `fails` says whether a plan still fails. The
/// `guesses` are tried first: a lucky one saves most of the work.
pub fn shrink(
    failing: Plan,
    guesses: Vec<Plan>,
    mut fails: impl FnMut(&Plan) -> bool,
    mut go_on: impl FnMut(u64) -> bool,
) -> Shrunk {
    let mut tries = 0;
    let mut start = failing;
    for guess in guesses {
        tries += 1;
        if go_on(tries) && fails(&guess) {
            start = guess;
            break;
        }
    }
    let mut shrinker = Shrinker::new(start);
    while go_on(tries) {
        let Some(plan) = shrinker.propose() else {
            break;
        };
        tries += 1;
        if fails(plan) {
            shrinker.accept();
        }
    }
    Shrunk {
        plan: shrinker.best,
        tries,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SeededChoices, Shape, generate};
    use super::*;
    use crate::nodes::StoreName;

    #[test]
    fn shrinking_leaves_only_what_the_failure_needs() {
        let shape = Shape::new(StoreName::Dotted);
        let plan = generate(&shape, &mut SeededChoices::new(5), String::new());
        let deletes = |plan: &Plan| {
            let steps = plan.clients.iter().flatten();
            steps
                .filter(|step| matches!(step.act, Act::Delete { .. }))
                .count()
        };
        assert!(deletes(&plan) >= 2, "the seed should give two deletes");
        let shrunk = shrink(plan, Vec::new(), |plan| deletes(plan) >= 2, |_| true);
        assert_eq!(shrunk.plan.operations(), 2);
        assert!(shrunk.plan.faults.is_empty());
        assert!(shrunk.plan.clients.len() <= 2);
        assert_eq!((shrunk.plan.nodes, shrunk.plan.keys.len()), (1, 1));
    }

    #[test]
    fn a_bound_on_tries_is_kept() {
        let shape = Shape::new(StoreName::Dotted);
        let plan = generate(&shape, &mut SeededChoices::new(5), String::new());
        assert_eq!(
            shrink(plan, Vec::new(), |_| true, |tries| tries < 7).tries,
            7
        );
    }
}
