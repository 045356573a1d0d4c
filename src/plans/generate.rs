//! The one generator of plans.
//!
//! Swarm testing (Groce et al. 2012): each plan draws its own mix of operations, its own kinds of
//! fault and its own hot keys, because uniform mixes hide the bugs that need many of one thing.

use std::{
    fmt::{self, Write},
    time::Duration,
};

use sibcheck_checkers::Claim;

use crate::{
    choices::Choices,
    simulation::{FaultName, Latency, Link, Nanos, NetworkPlan, Purpose},
    stores::StoreName,
    stores::faulty::Flaw,
    workloads::{
        Acts, Dialect, Drawing, Values, Workload, WorkloadName, with_words, with_workload,
    },
};

use super::{Kinds, PLAN_VERSION, Plan, Step, Stratum, Time, faults, vocabulary, workload_of};

/// The bounds within which plans are drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The store in this process to be run, unless there is a program.
    pub store: Option<StoreName>,
    /// The dialect of the outside program to be run, if there is one. What it has no words for is left
    /// out of the plans.
    pub program: Option<Dialect>,
    /// Whose time passes.
    pub time: Time,
    /// How often the nodes do something by themselves, where they do: operations, faults and the time
    /// to settle are made as long as that needs.
    pub period: Option<Nanos>,
    /// The claim to be checked.
    pub claim: Claim,
    /// Nodes are also held never to go backwards.
    pub replica_monotonic: bool,
    /// How many nodes; at least one.
    pub nodes: u32,
    /// How many clients; at least one.
    pub clients: u32,
    /// How many keys; at least one.
    pub keys: u32,
    /// How many client operations in all.
    pub operations: u32,
    /// How many groups clients and keys are dealt into, at least one and at most as many as there are of
    /// either: a client uses the keys of its own group only. So a run of many groups is like as many
    /// small runs at once, under the same faults.
    pub groups: u32,
    /// The kinds of fault that may occur.
    pub faults: Vec<FaultName>,
    /// Messages reach nodes several at once.
    pub bursts: bool,
    /// The kinds of keys and values that are not drawn.
    pub left_out: Kinds,
}

impl Shape {
    /// The usual number of nodes, unless a store has another one.
    pub const NODES: u32 = 3;
    /// The usual number of clients.
    pub const CLIENTS: u32 = 5;
    /// The usual number of keys.
    pub const KEYS: u32 = 3;
    /// The usual number of operations.
    pub const OPERATIONS: u32 = 100;

    /// The usual bounds for a store: its usual nodes and every kind of fault under the claim that it earns.
    pub fn new(store: StoreName) -> Self {
        Self::with_nodes(store, store.nodes())
    }

    /// The usual bounds for so many nodes of a store.
    pub fn with_nodes(store: StoreName, nodes: u32) -> Self {
        Self::usual(Some(store), None, nodes)
    }

    /// The usual bounds for so many nodes of a program.
    pub fn of_program(dialect: Dialect, nodes: u32) -> Self {
        Self::usual(None, Some(dialect), nodes)
    }

    fn usual(store: Option<StoreName>, program: Option<Dialect>, nodes: u32) -> Self {
        let claims = with_workload!(workload_of(program.as_ref()), W => W::claims(nodes));
        Self {
            store,
            program,
            time: Time::Lockstep,
            period: store.and_then(StoreName::period),
            claim: store.map_or_else(
                || claims.first().copied().unwrap_or(Claim::Eventual),
                |store| store.claim(nodes),
            ),
            replica_monotonic: false,
            nodes,
            clients: Self::CLIENTS,
            keys: Self::KEYS,
            operations: Self::OPERATIONS,
            groups: 1,
            faults: Self::usual_faults(store, nodes),
            bursts: false,
            left_out: Kinds::NONE,
        }
    }

    /// The workload of what is run.
    pub fn workload(&self) -> WorkloadName {
        workload_of(self.program.as_ref())
    }

    /// The kinds of fault that so many nodes can have, but for those on request: of these the one that a
    /// planted bug needs.
    pub fn usual_faults(store: Option<StoreName>, nodes: u32) -> Vec<FaultName> {
        let needed = store.and_then(StoreName::flaw).and_then(Flaw::needs);
        let possible = |fault: &FaultName| {
            let peers = nodes > 1 || !fault.needs_peers();
            let known = needed == Some(*fault)
                || *fault == FaultName::Leave && store.is_some_and(StoreName::members_change);
            peers && (!fault.is_on_request() || known)
        };
        FaultName::ALL.into_iter().filter(possible).collect()
    }

    /// The flags of `sibcheck check` that ask for these bounds, the store's left out: those that
    /// are not the usual ones.
    pub fn flags(&self) -> String {
        let usual = Self::usual(self.store, self.program.clone(), self.nodes);
        let mut flags = String::new();
        let mut flag = |name: &str, unusual: bool, value: &dyn fmt::Display| {
            if unusual {
                // Writing to a string cannot fail.
                let _ = write!(flags, " --{name} {value}");
            }
        };
        // The usual size of a program's runs depends on how fast it starts.
        let unusual = self.operations != usual.operations || self.program.is_some();
        flag("ops", unusual, &self.operations);
        // A program has one node unless more are asked for.
        let nodes = self.store.map_or(Self::NODES, StoreName::nodes);
        let unusual = self.nodes != nodes || self.program.is_some();
        flag("nodes", unusual, &self.nodes);
        flag("clients", self.clients != usual.clients, &self.clients);
        flag("keys", self.keys != usual.keys, &self.keys);
        flag("groups", self.groups != usual.groups, &self.groups);
        let faults: Vec<_> = self.faults.iter().map(|fault| fault.name()).collect();
        let faults = if faults.is_empty() {
            "none".to_owned()
        } else {
            faults.join(",")
        };
        flag("faults", self.faults != usual.faults, &faults);
        // What a program takes need not be found out again.
        let unusual = self.left_out != usual.left_out || self.program.is_some();
        flag("leave-out", unusual, &self.left_out);
        // Which time it needs need not be found out again either.
        let unusual = self.time != usual.time || self.program.is_some();
        flag("time", unusual, &self.time);
        if let Some(period) = self.period.filter(|_| self.period != usual.period) {
            let period = Duration::from_nanos(period.0);
            flag(
                "period",
                true,
                &humantime::format_duration(period)
                    .to_string()
                    .replace(' ', ""),
            );
        }
        flag("claim", self.claim != usual.claim, &self.claim);
        for (word, given) in [
            (" --bursts", self.bursts),
            (" --replica-monotonic", self.replica_monotonic),
        ] {
            flags.push_str(if given { word } else { "" });
        }
        flags
    }
}

/// How long a client waits for a node that takes no time itself, the network's share left out.
const VIRTUAL_TIMEOUT: Nanos = Nanos::from_millis(40);

/// The time between two rounds of anti-entropy at a node.
pub(super) const ANTI_ENTROPY: Nanos = Nanos::from_millis(50);

/// How much longer it waits for a node that takes real time, on a machine that others use too.
pub(super) const REAL_TIMEOUT: Nanos = Nanos::from_millis(1_000);

/// The time between two moments at which messages reach nodes that get several at once: longer than
/// most latencies, so that most clients and peers have one under way.
const BURSTS: Nanos = Nanos::from_millis(2);

/// How clients go about what they do, in one plan.
struct Ways {
    /// In how many of a hundred operations a client goes to another node than its own.
    roaming_percent: u64,
    /// In how many of a hundred operations the hot key is used.
    hot_key_percent: u64,
    /// The longest pause between two operations of a client.
    think_ns: u64,
    /// In how many of a hundred operations that can be passed on a client does so at once at another
    /// node.
    outrunning_percent: u64,
}

impl Ways {
    fn draw(choices: &mut impl Choices) -> Self {
        let mut weight = |low, high| choices.between(Purpose::Shape, low, high);
        Self {
            roaming_percent: [0, 0, 20, 60][usize::try_from(weight(0, 3)).unwrap_or(0)],
            hot_key_percent: weight(20, 80),
            think_ns: [2_000_000, 200_000, 10_000_000][usize::try_from(weight(0, 2)).unwrap_or(0)],
            outrunning_percent: 0,
        }
    }

    /// Lays down what a stratum demands.
    fn lay_down(&mut self, stratum: Stratum) {
        match stratum {
            Stratum::Free | Stratum::Alike => {}
            Stratum::Staying => self.roaming_percent = 0,
            Stratum::Roaming => self.roaming_percent = 80,
            Stratum::Outrunning => {
                self.outrunning_percent = 60;
                self.think_ns = 1_000_000;
            }
            Stratum::HotKey => self.hot_key_percent = 95,
            Stratum::Deleting | Stratum::Emptying => self.hot_key_percent = 80,
        }
    }

    /// Makes clients slow enough for what nodes do by themselves, once in a period, to come between
    /// their operations: a few times, many times, or hardly.
    fn stretch(&mut self, period: Nanos) {
        self.think_ns = match self.think_ns {
            200_000 => period.0 / 4,
            10_000_000 => period.times(3).0 / 2,
            _ => period.0,
        };
    }
}

/// What the clients of a group do.
struct Group<W: Workload> {
    ways: Ways,
    drawing: W::Drawing,
}

impl<W: Workload> Group<W> {
    fn draw(
        stratum: Stratum,
        shape: &Shape,
        words: Option<&W::Words>,
        choices: &mut impl Choices,
    ) -> Self {
        let mut drawing = W::Drawing::draw(choices);
        let mut ways = Ways::draw(choices);
        ways.lay_down(stratum);
        if let Some(habit) = stratum.habit() {
            drawing.lay_down(habit);
        }
        if let Some(words) = words {
            drawing.leave_out(words, shape.claim);
        }
        if let Some(period) = shape.period {
            ways.stretch(period);
        }
        Self { ways, drawing }
    }
}

/// Draws a plan.
pub fn generate(shape: &Shape, choices: &mut impl Choices, origin: String) -> Plan {
    match &shape.program {
        Some(dialect) => with_words!(dialect.words(), W, words => {
            generate_of::<W>(shape, Some(words), choices, origin)
        }),
        None => with_workload!(shape.workload(), W => {
            generate_of::<W>(shape, None, choices, origin)
        }),
    }
}

fn generate_of<W: Workload>(
    shape: &Shape,
    words: Option<&W::Words>,
    choices: &mut impl Choices,
    origin: String,
) -> Plan {
    let (nodes, keys) = (shape.nodes.max(1), shape.keys.max(1));
    let stratum = |group: u32| {
        // Stores whose nodes just answer get so many runs that luck brings everything.
        let laid_down = shape.program.is_some() || shape.period.is_some();
        let seed = choices.seed().filter(|_| laid_down);
        seed.map_or(Stratum::Free, |seed| {
            Stratum::of(seed.wrapping_add(group.into()), shape)
        })
    };
    let groups = shape.groups.clamp(1, keys.min(shape.clients.max(1)));
    let strata: Vec<Stratum> = (0..groups).map(stratum).collect();
    let stratum = strata[0];
    let first = Group::<W>::draw(stratum, shape, words, choices);
    let mut network = network(nodes, choices);
    if let Some(period) = shape.period
        && shape.program.is_some()
        && choices.percent(Purpose::Shape, 40)
    {
        // As slow as it takes for what is sent in one period to overtake what was in another; or for
        // rounds of messages to take a good part of one, where nobody is answered before them.
        network.node_latency = Latency::Uniform {
            min_ns: Nanos::ZERO,
            max_ns: if W::AGREES_FIRST {
                Nanos(period.0 / 4)
            } else {
                period.times(4)
            },
        };
    }
    if shape.bursts {
        network.together_ns = BURSTS;
    }
    stratum.slow_down(&mut network);
    let mut values = if shape.program.is_some() {
        Values::unique(|at| W::plain_value(at, true))
    } else {
        Values::shared()
    };
    let mut habits = vec![first];
    for &stratum in &strata[1..] {
        let mut group = Group::draw(stratum, shape, words, choices);
        // All groups are at work for as long as the run, so that all of them meet its faults.
        group.ways.think_ns = habits[0].ways.think_ns;
        habits.push(group);
    }
    let clients = clients(shape, (nodes, keys), &habits, &mut values, choices);
    let anti_entropy_ns = ANTI_ENTROPY;
    let mut length = expected_length(&clients, &network);
    if let Some(period) = shape.period {
        // Faults that are over before a timer fires affect nothing that it does.
        length = length.max(period);
    }
    let faults = faults::faults(shape, nodes, length, choices);
    let mut plan = Plan {
        sibcheck_plan: PLAN_VERSION,
        origin,
        store: shape.store,
        program: shape.program.clone(),
        time: Time::Lockstep,
        claim: shape.claim,
        replica_monotonic: shape.replica_monotonic,
        nodes,
        keys: (0..keys as usize).map(W::plain_key).collect(),
        values: values.into_table(),
        numbered_values: false,
        timeout_ns: Nanos::ZERO,
        anti_entropy_ns,
        settle_ns: Nanos::ZERO,
        network,
        clients,
        faults,
        expect: None,
    };
    plan.be_patient();
    if let Some(period) = shape.period {
        plan.outlast(period);
    }
    let always = stratum == Stratum::Alike && shape.program.is_some();
    vocabulary::draw(&mut plan, shape.left_out, always, choices);
    match shape.time {
        Time::Lockstep => plan,
        Time::Virtual => Plan {
            time: Time::Virtual,
            ..plan
        },
        Time::Real => plan.in_real_time(),
    }
}

/// Periods of the nodes' timers that the healed cluster is left alone for, for each node: where each
/// picks one of its peers at random, they have all heard of everything by then, most likely.
const PERIODS_TO_SETTLE: u64 = 3;

/// Periods that a client waits, in addition, for nodes that answer when a timer fires.
const PERIODS_TO_ANSWER: u64 = 2;

impl Plan {
    /// Leaves nodes that act by themselves, once in a period, the time for it.
    pub(super) fn outlast(&mut self, period: Nanos) {
        let periods = PERIODS_TO_SETTLE * u64::from(self.nodes);
        self.settle_ns = self.settle_ns + period.times(periods);
        self.timeout_ns = self.timeout_ns + period.times(PERIODS_TO_ANSWER);
    }

    /// Clients, and the healed cluster, get the time that this network needs: no less, or correct
    /// stores would seem to have lost what is still on its way.
    pub(super) fn be_patient(&mut self) {
        let longest = self.network.longest();
        self.timeout_ns = VIRTUAL_TIMEOUT + longest.times(2);
        // Every pair of nodes has exchanged its state both ways by then.
        self.settle_ns = self.anti_entropy_ns.times(u64::from(self.nodes)) + longest.times(4);
    }
}

impl NetworkPlan {
    /// The longest time that a message can take.
    pub fn longest(&self) -> Nanos {
        self.links
            .iter()
            .map(|link| link.latency.longest())
            .chain([self.client_latency.longest(), self.node_latency.longest()])
            .max()
            .unwrap_or_default()
            + self.together_ns
    }
}

fn network(nodes: u32, choices: &mut impl Choices) -> NetworkPlan {
    let seed = choices.below(Purpose::Shape, u64::MAX);
    let client_latency = latency(200, choices);
    let node_latency = latency(1_000, choices);
    // Now and then one direction of one link is slow: replicas then see writes in other orders.
    let links = if nodes > 1 && choices.percent(Purpose::Shape, 20) {
        let from = choices.below(Purpose::Shape, u64::from(nodes));
        let to =
            (from + choices.between(Purpose::Shape, 1, u64::from(nodes) - 1)) % u64::from(nodes);
        vec![Link {
            from: narrow(from),
            to: narrow(to),
            latency: Latency::Constant {
                ns: Nanos::from_millis(choices.between(Purpose::Shape, 5, 20)),
            },
        }]
    } else {
        Vec::new()
    };
    NetworkPlan {
        seed,
        client_latency,
        node_latency,
        links,
        together_ns: Nanos::ZERO,
    }
}

fn latency(typical_micros: u64, choices: &mut impl Choices) -> Latency {
    let typical = Nanos::from_micros(choices.between(Purpose::Shape, 1, 2 * typical_micros));
    match choices.below(Purpose::Shape, 3) {
        0 => Latency::Constant { ns: typical },
        1 => Latency::Uniform {
            min_ns: Nanos(typical.0 / 4),
            max_ns: typical.times(2),
        },
        _ => Latency::Exponential { mean_ns: typical },
    }
}

fn clients<W: Workload>(
    shape: &Shape,
    (nodes, keys): (u32, u32),
    groups: &[Group<W>],
    values: &mut Values,
    choices: &mut impl Choices,
) -> Vec<Vec<Step>> {
    let clients = shape.clients.max(1);
    // The keys of a group begin where those of the one before end.
    let begin = |group: usize| (group as u64 * u64::from(keys)) / groups.len() as u64;
    let hot_keys: Vec<u64> = (0..groups.len())
        .map(|group| {
            let keys = begin(group + 1) - begin(group);
            begin(group) + choices.below(Purpose::Shape, keys)
        })
        .collect();
    (0..clients)
        .map(|client| {
            let group = (client as usize * groups.len()) / clients as usize;
            let Group { ways, drawing } = &groups[group];
            let keys = begin(group)..begin(group + 1);
            let home = (u64::from(client) + choices.below(Purpose::Shape, 2)) % u64::from(nodes);
            let mut left =
                shape.operations / clients + u32::from(client < shape.operations % clients);
            let mut steps = Vec::with_capacity(left as usize);
            while left > 0 {
                let act = drawing.act(client, left, values, choices);
                left -= act.operations();
                let step = Step {
                    think_ns: Nanos(choices.below(Purpose::Operations, ways.think_ns)),
                    node: narrow(
                        if choices.percent(Purpose::Operations, ways.roaming_percent) {
                            choices.below(Purpose::Operations, u64::from(nodes))
                        } else {
                            home
                        },
                    ),
                    key: narrow(
                        if choices.percent(Purpose::Operations, ways.hot_key_percent) {
                            hot_keys[group]
                        } else {
                            keys.start + choices.below(Purpose::Operations, keys.end - keys.start)
                        },
                    ),
                    act: act.into(),
                };
                steps.push(step.clone());
                // Nothing is drawn where it cannot be, so that other plans stay as they are.
                let outruns = left > 0
                    && ways.outrunning_percent > 0
                    && drawing.passed_on(act, 0).is_some()
                    && choices.percent(Purpose::Operations, ways.outrunning_percent);
                let value =
                    outruns.then(|| values.position(choices.below(Purpose::Operations, u64::MAX)));
                if let Some(passed_on) = value.and_then(|value| drawing.passed_on(act, value)) {
                    left -= 1;
                    let further = choices.between(Purpose::Operations, 1, u64::from(nodes) - 1);
                    steps.push(Step {
                        think_ns: Nanos::ZERO,
                        node: narrow((u64::from(step.node) + further) % u64::from(nodes)),
                        act: passed_on.into(),
                        ..step
                    });
                }
            }
            steps
        })
        .collect()
}

/// Roughly how long the operations will take: what faults are placed within.
fn expected_length(clients: &[Vec<Step>], network: &NetworkPlan) -> Nanos {
    let round_trip = match network.client_latency {
        Latency::Constant { ns } => ns.times(2),
        Latency::Uniform { min_ns, max_ns } => min_ns + max_ns,
        Latency::Exponential { mean_ns } => mean_ns.times(2),
    };
    let length = |steps: &Vec<Step>| {
        steps
            .iter()
            .fold(Nanos::ZERO, |sum, step| sum + step.think_ns + round_trip)
    };
    clients.iter().map(length).max().unwrap_or_default()
}

/// Narrows a number that was drawn below a 32-bit bound.
pub(super) fn narrow(drawn: u64) -> u32 {
    u32::try_from(drawn).unwrap_or(u32::MAX)
}
