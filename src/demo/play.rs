//! A cluster to be played with step by step, which is a plan that grows.
//!
//! Whatever is asked or goes wrong is added to a [`Plan`] for the next moment, and the plan is run anew up to
//! that moment, by the runner that runs every plan. A run is a function of its plan, and what is added for
//! later changes nothing of what was before: so the past stays as it was, and what was played can be saved,
//! replayed and judged as it is. A step costs a run of all that was played so far.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use sibcheck_checkers::{history, shown};

use crate::{
    campaign::{JudgedRun, judged},
    nodes::{InProcess, Nodes, node_name},
    plans::{Plan, Step},
    runner::{self, Recorded, drive_until},
    simulation::{Fault, FaultKind, Latency, Nanos, NetworkPlan, PartitionShape},
    stores::{
        Key, StoreName,
        dynamo::{Dynamo, Inspected, Quorums},
        faulty::Basis,
    },
    workloads::{
        Acts, Siblings,
        siblings::{Act, ContextChoice, TaggedValue},
    },
};

use super::refusal::Refusal;

/// An operation as it is recorded.
pub type Operation = history::Operation<history::Action>;

/// The time from the end of one step to the next one.
const PAUSE: Nanos = Nanos::from_millis(1);

/// A fault that nobody has ended yet ends here: the latest moment that a plan can name.
const OPEN: Nanos = Nanos::from_millis(3_600_000);

/// So long may be played: every step runs all of it anew.
pub(super) const LONGEST: Nanos = Nanos::from_millis(600_000);

/// The answer that this client had last for the key, whatever it was to.
const LAST_ANSWER: ContextChoice = ContextChoice::Stale(0);

/// More nodes than this cannot be followed.
pub const MOST_NODES: u32 = 20;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A value in place of what the client has seen of the key, or of nothing.
    Put {
        /// The value.
        value: String,
        /// Nothing, whatever the client has seen.
        blind: bool,
    },
    /// The siblings.
    Get,
    /// A tombstone in place of the same.
    Delete {
        /// In place of nothing, whatever the client has seen.
        blind: bool,
    },
    /// The siblings, and at once a value in place of all of them.
    Resolve {
        /// The value.
        value: String,
    },
}

/// What a client asked and was answered.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who.
    pub client: Key,
    /// Which node.
    pub node: u32,
    /// That node was down.
    pub down: bool,
    /// One operation, or two where it resolved.
    pub operations: Vec<Operation>,
}

/// A client that a user speaks for.
#[derive(Clone, Debug)]
struct Player {
    name: Key,
    /// When its last operation ended. `None` where it never learnt what came of it: then it asks no more, as
    /// clients of all runs, and who speaks for it goes on as another one with nothing remembered.
    free: Option<Nanos>,
}

#[derive(Clone, Debug)]
struct Partition {
    fault: usize,
    groups: Vec<Vec<u32>>,
}

/// The nodes.
type Cluster = InProcess<Siblings, Dynamo<TaggedValue>>;

/// All that was played, up to the present.
pub struct Play {
    store: StoreName,
    /// What was asked and what went wrong. Faults that go on end at [`OPEN`].
    plan: Plan,
    now: Nanos,
    /// When the last operation ended.
    answered: Nanos,
    /// The clients of the plan.
    players: Vec<Player>,
    /// Nodes that are down, each with its fault.
    down: BTreeMap<u32, usize>,
    /// Nodes that were told to leave, each with its fault.
    left: BTreeMap<u32, usize>,
    partition: Option<Partition>,
    nodes: Cluster,
    recorded: Recorded,
}

impl Play {
    /// So many nodes that have just started. The seed draws the latencies.
    ///
    /// # Errors
    ///
    /// Where the store's nodes are of another kind.
    pub fn new(store: StoreName, nodes: u32, seed: u64) -> Result<Self, Refusal> {
        if store.basis() != Basis::Dynamo {
            return Err(Refusal::Store(store));
        }
        let between = |min: u64, max: u64| Latency::Uniform {
            min_ns: Nanos::from_micros(min),
            max_ns: Nanos::from_micros(max),
        };
        let network = NetworkPlan {
            seed,
            client_latency: between(100, 300),
            node_latency: between(500, 1_500),
            links: Vec::new(),
            together_ns: Nanos::ZERO,
        };
        let plan = Plan::blank(store, nodes, network, "sibcheck demo".to_owned());
        let (nodes, recorded) = run_until(store, &plan, Nanos::ZERO);
        Ok(Self {
            store,
            plan,
            now: Nanos::ZERO,
            answered: Nanos::ZERO,
            players: Vec::new(),
            down: BTreeMap::new(),
            left: BTreeMap::new(),
            partition: None,
            nodes,
            recorded,
        })
    }

    /// What is played with.
    pub fn store(&self) -> StoreName {
        self.store
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> u32 {
        self.plan.nodes
    }

    /// The quorums of the cluster.
    pub fn quorums(&self) -> Quorums {
        self.store.quorums().among(self.plan.nodes as usize)
    }

    /// The present.
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// How long a client waits for an answer.
    pub fn patience(&self) -> Nanos {
        self.plan.timeout_ns
    }

    /// Keys that were named so far.
    pub fn keys(&self) -> &[Key] {
        &self.plan.keys
    }

    /// Those who have asked so far.
    pub fn clients(&self) -> impl Iterator<Item = &Key> {
        self.players.iter().map(|player| &player.name)
    }

    /// Whether a node is down.
    pub fn is_down(&self, node: u32) -> bool {
        self.down.contains_key(&node)
    }

    /// The groups of nodes that do not hear each other; none where all do.
    pub fn groups(&self) -> &[Vec<u32>] {
        self.partition
            .as_ref()
            .map_or(&[], |partition| &partition.groups)
    }

    /// The operations so far, in the order in which they were asked.
    pub fn operations(&self) -> &[Operation] {
        &self.recorded.history.operations
    }

    /// How often the mechanisms of the nodes were at work, by their names.
    pub fn mechanisms(&self) -> Vec<(&'static str, u64)> {
        self.nodes.situations()
    }

    /// The owners of a key, the most preferred first.
    pub fn owners(&self, key: &str) -> Vec<u32> {
        self.newest(key).map_or_else(Vec::new, |node| node.owners)
    }

    /// What the node knows that has heard last who the members are.
    pub fn newest(&self, key: &str) -> Option<Inspected<TaggedValue>> {
        let all = self.inspected(key).into_iter().flatten();
        all.max_by_key(|node| node.view)
    }

    /// What each node has of a key; `None` for a node that is down.
    pub fn inspected(&self, key: &str) -> Vec<Option<Inspected<TaggedValue>>> {
        let key = Key::from(key);
        let inspected = |node: u32| {
            let up = self.nodes.store(node).filter(|_| !self.is_down(node));
            up.map(|node| node.inspected(&key))
        };
        (0..self.plan.nodes).map(inspected).collect()
    }

    /// A value that a node holds, as it is shown; `None` for a tombstone.
    pub fn shown(&self, value: TaggedValue) -> Option<String> {
        let json = self.plan.values.get(value.position? as usize)?;
        Some(match json {
            Json::String(text) => shown::key(text).into_owned(),
            other => shown::value(other),
        })
    }

    /// The node that a client asks for a key unless it names another one: the first of its owners that is up.
    fn usual_node(&self, key: &str) -> u32 {
        let owners = self.owners(key);
        let up = owners.iter().find(|node| !self.is_down(**node));
        up.or(owners.first()).copied().unwrap_or(0)
    }

    /// A client asks, and time passes until it is answered, or gives up. Costs two runs.
    ///
    /// # Errors
    ///
    /// When the plan cannot be extended so.
    pub fn ask(
        &mut self,
        client: &str,
        key: &str,
        via: Option<u32>,
        what: &What,
    ) -> Result<Asked, Refusal> {
        let mut plan = self.plan.clone();
        let node = via.unwrap_or_else(|| self.usual_node(key));
        let act = act(&mut plan, what);
        let key = place(&mut plan.keys, Key::from(key));
        let at = self.next()?;
        let mut players = self.players.clone();
        let known = players
            .iter()
            .position(|player| player.free.is_some() && player.name == client);
        let player = known.unwrap_or(players.len());
        if known.is_none() {
            plan.clients.push(Vec::new());
            players.push(Player {
                name: client.into(),
                free: Some(Nanos::ZERO),
            });
        }
        let free = players[player].free.unwrap_or_default();
        let step = (player, plan.clients[player].len());
        plan.clients[player].push(Step {
            think_ns: at.since(free),
            node,
            key,
            act: act.into(),
        });
        plan.validated()?;
        let longest = plan.timeout_ns.times(act.operations().into());
        let (_, recorded) = run_until(self.store, &plan, at + longest);
        let steps = recorded.run.steps.iter();
        let operations: Vec<Operation> = steps
            .zip(&recorded.history.operations)
            .filter(|(of, _)| **of == step)
            .map(|(_, operation)| operation.clone())
            .collect();
        let last = operations.last().ok_or(Refusal::TooLong)?;
        players[player].free = last.completed.map(Nanos);
        let ended = Nanos(last.invoked) + plan.timeout_ns;
        let ended = players[player].free.unwrap_or(ended);
        self.go_on(plan, ended);
        self.answered = ended;
        self.players = players;
        Ok(Asked {
            client: client.into(),
            node,
            down: self.is_down(node),
            operations,
        })
    }

    /// A node dies, and loses what was not on its storage.
    ///
    /// # Errors
    ///
    /// When it is down already.
    pub fn kill(&mut self, node: u32) -> Result<(), Refusal> {
        if self.is_down(node) {
            return Err(Refusal::Down(node_name(node)));
        }
        let fault = self.begin(FaultKind::Crash { node })?;
        self.down.insert(node, fault);
        Ok(())
    }

    /// A node that is down starts again, with what is on its storage.
    ///
    /// # Errors
    ///
    /// When it is up.
    pub fn restart(&mut self, node: u32) -> Result<(), Refusal> {
        let Some(&fault) = self.down.get(&node) else {
            return Err(Refusal::Up(node_name(node)));
        };
        let at = self.next()?;
        self.end(fault, at);
        self.down.remove(&node);
        Ok(())
    }

    /// A node is told to leave the cluster.
    ///
    /// # Errors
    ///
    /// When it was told so already, or is down.
    pub fn leave(&mut self, node: u32) -> Result<(), Refusal> {
        if self.left.contains_key(&node) {
            return Err(Refusal::Left(node_name(node)));
        }
        if self.is_down(node) {
            return Err(Refusal::Deaf(node_name(node)));
        }
        let fault = self.begin(FaultKind::Leave { node })?;
        self.left.insert(node, fault);
        Ok(())
    }

    /// A node that was told to leave is told to join again.
    ///
    /// # Errors
    ///
    /// When it was not told to leave, or is down.
    pub fn join(&mut self, node: u32) -> Result<(), Refusal> {
        let Some(&fault) = self.left.get(&node) else {
            return Err(Refusal::Member(node_name(node)));
        };
        if self.is_down(node) {
            return Err(Refusal::Deaf(node_name(node)));
        }
        let at = self.next()?;
        self.end(fault, at);
        self.left.remove(&node);
        Ok(())
    }

    /// From now on nodes hear only those of their own group. A partition that there was ends.
    ///
    /// # Errors
    ///
    /// When it has been played for too long.
    pub fn partition(&mut self, groups: Vec<Vec<u32>>) -> Result<(), Refusal> {
        let group = |node: u32| groups.iter().position(|group| group.contains(&node));
        let all = 0..self.plan.nodes;
        let cut = all
            .clone()
            .flat_map(|from| all.clone().map(move |to| (from, to)))
            .filter(|(from, to)| group(*from) != group(*to))
            .collect();
        // The shape is told beside the links, and decides nothing.
        let what = FaultKind::Partition {
            shape: PartitionShape::Halves,
            cut,
        };
        let at = self.next()?;
        let before = self.partition.take();
        if let Some(before) = before {
            self.plan.faults[before.fault].end_ns = at;
        }
        let fault = self.begin(what)?;
        self.partition = Some(Partition { fault, groups });
        Ok(())
    }

    /// All nodes hear each other again.
    ///
    /// # Errors
    ///
    /// When they do.
    pub fn heal(&mut self) -> Result<(), Refusal> {
        let at = self.next()?;
        let partition = self.partition.take().ok_or(Refusal::Whole)?;
        self.end(partition.fault, at);
        Ok(())
    }

    /// Lets time pass.
    ///
    /// # Errors
    ///
    /// When it has been played for too long.
    pub fn pass(&mut self, span: Nanos) -> Result<(), Refusal> {
        let until = self.now + span;
        if until > LONGEST {
            return Err(Refusal::TooLong);
        }
        self.go_on(self.plan.clone(), until);
        Ok(())
    }

    /// What was played, as a plan that can be run: where something happened since the last answer, with one
    /// more read at the present, since a run's faults end with its last operation.
    ///
    /// # Errors
    ///
    /// When nobody has asked for anything.
    pub fn plan(&self) -> Result<Plan, Refusal> {
        let mut plan = self.plan.clone();
        let last = self.operations().last().ok_or(Refusal::Nothing)?;
        if self.now > self.answered {
            plan.clients.push(vec![Step {
                think_ns: self.now,
                node: self.usual_node(plan.keys[last.key as usize].as_str()),
                key: last.key,
                act: Act::Read.into(),
            }]);
        }
        let names = (1..)
            .zip(self.names())
            .map(|(number, name)| format!("c{number} is {name}"));
        let names = names.collect::<Vec<_>>().join(", ");
        plan.origin = format!("sibcheck demo; {names}");
        plan.validated()?;
        Ok(plan)
    }

    /// What was played, judged as every run: everything heals, the cluster settles, and all keys are read at
    /// all nodes. The play itself stays where it is.
    ///
    /// # Errors
    ///
    /// When nobody has asked for anything; what cannot be judged is a bug of this program.
    pub fn judge(&self) -> Result<JudgedRun, Refusal> {
        let plan = self.plan()?;
        let mut recorded = runner::run(self.store, &plan);
        for (client, name) in recorded.history.clients.iter_mut().zip(self.names()) {
            *client = name;
        }
        Ok(judged(&plan, recorded)?)
    }

    /// What the clients of the plan are called: their names, with a number where one speaks for a further one.
    fn names(&self) -> Vec<Key> {
        let name = |(at, player): (usize, &Player)| {
            let before = &self.players[..at];
            let times = before.iter().filter(|other| other.name == player.name);
            match times.count() {
                0 => player.name.clone(),
                times => format!("{}+{times}", player.name.as_str()).into(),
            }
        };
        self.players.iter().enumerate().map(name).collect()
    }

    /// The moment of the next step.
    fn next(&self) -> Result<Nanos, Refusal> {
        let at = self.now + PAUSE;
        if at > LONGEST {
            return Err(Refusal::TooLong);
        }
        Ok(at)
    }

    /// Something goes wrong from now on; returns its position in the plan.
    fn begin(&mut self, what: FaultKind) -> Result<usize, Refusal> {
        let at = self.next()?;
        let mut plan = self.plan.clone();
        plan.faults.push(Fault {
            what,
            begin_ns: at,
            end_ns: OPEN,
        });
        let fault = plan.faults.len() - 1;
        self.go_on(plan, at);
        Ok(fault)
    }

    /// A fault ends.
    fn end(&mut self, fault: usize, at: Nanos) {
        let mut plan = self.plan.clone();
        plan.faults[fault].end_ns = at;
        self.go_on(plan, at);
    }

    /// The present moves on, in a plan that is the same up to now.
    fn go_on(&mut self, plan: Plan, now: Nanos) {
        (self.nodes, self.recorded) = run_until(self.store, &plan, now);
        (self.plan, self.now) = (plan, now);
    }
}

/// The cluster at a moment, and what was recorded until then.
fn run_until(store: StoreName, plan: &Plan, until: Nanos) -> (Cluster, Recorded) {
    let mut nodes = Cluster::new(store, plan);
    let recorded = drive_until(plan, &mut nodes, until);
    (nodes, recorded)
}

/// What a client does, in a plan that has its value.
fn act(plan: &mut Plan, what: &What) -> Act {
    let context = |blind: bool| {
        if blind {
            ContextChoice::Blind
        } else {
            LAST_ANSWER
        }
    };
    let mut value = |text: &String| place(&mut plan.values, Json::from(text.as_str()));
    match what {
        What::Put { value: text, blind } => Act::Write {
            value: value(text),
            context: context(*blind),
        },
        What::Get => Act::Read,
        What::Delete { blind } => Act::Delete {
            context: context(*blind),
        },
        What::Resolve { value: text } => Act::Resolve { value: value(text) },
    }
}

/// The position of something in a table, to which it is added where it is not there. O(table).
fn place<T: PartialEq>(table: &mut Vec<T>, entry: T) -> u32 {
    let at = table.iter().position(|other| *other == entry);
    let at = at.unwrap_or_else(|| {
        table.push(entry);
        table.len() - 1
    });
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
