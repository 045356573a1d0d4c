//! Big histories of a correct sibling store, or one with a single planted fault: for measuring.
//!
//! A cluster of replicas serves clients in virtual time, operation after operation, and holds no
//! more than what is under way, so that a history of any length can be written as it comes about.
//! It looks like real life: clients overlap, read and write with the context of an answer that may
//! be old by then, write blindly, delete, and sometimes never learn what became of a write; another
//! client then takes the place. Nodes hand on all that they have seen of all keys after a lag, mostly
//! short and now and then long, so that what a replica holds is a prefix of the writes with
//! exceptions. At the end two clients write each key at once, everything settles, and every node is
//! asked for every key.
//!
//! The store is causally closed and converges, and with one node it is linearizable: the verdict is
//! known. A *broken* history differs in one thing: in the final reads of the last key one of the
//! two last writes is missing.
//!
//! The generator is `SplitMix64` (Steele, Lea, Flood 2014): the same
//! shape gives the same history.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque},
    io,
};

use sibcheck_checkers::{
    claim::Claim,
    format::write_history,
    history::{
        Action, Data, Expectation, Header, History, Name, OpId, Operation, Read, ReportedClock,
        Sibling, Status, TimeNs, Value, Version, Write,
    },
    verdict::{Invariant, Outcome},
};

use crate::number;

/// What a history is to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many operations it has.
    pub operations: u32,
    /// How many keys they are about.
    pub keys: u32,
    /// How many clients are at work at any time.
    pub clients: u32,
    /// How many nodes serve them. One makes the history linearizable.
    pub nodes: u32,
    /// What the store reports.
    pub versions: Versions,
    /// Whether clients change to another node now and then. If they stay at theirs, the store is
    /// causal too, across keys, and keeps every session guarantee.
    pub roaming: bool,
    /// Of histories that are alike in all else each seed gives another.
    pub seed: u64,
    /// Whether one write is missing at the end.
    pub broken: bool,
}

/// What the store reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// Dotted version vectors with an entry for each node.
    Dots,
    /// Vector clocks with an entry for each client.
    Clocks,
}

/// A shape that no history can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeFault {
    /// Keys, clients or nodes are none.
    #[error("a history needs at least one {0}")]
    Nothing(&'static str),
    /// Two writes a key and the final reads do not fit.
    #[error(
        "{operations} operations are too few: with this many keys and nodes the last writes and the final reads alone are {needed}"
    )]
    TooShort {
        /// As asked for.
        operations: u32,
        /// The fewest.
        needed: u64,
    },
}

/// Mean spans in nanoseconds.
const ONE_WAY: u64 = 200_000;
const THINKING: u64 = 3_000_000;
const SHORT_LAG: u64 = 1_000_000;
const LONG_LAG: u64 = 50_000_000;
/// How long a client waits for an answer.
const PATIENCE: u64 = 100_000_000;
/// One write in this many is never answered.
const UNANSWERED: u64 = 1_000;
/// With vector clocks every client that takes another's place is one more entry: at most this many.
const MOST_REPLACED: u32 = 5;

/// A history as it comes about.
pub struct SiblingHistory {
    shape: Shape,
    dice: Dice,
    now: TimeNs,
    events: BinaryHeap<Reverse<(TimeNs, u64, Event)>>,
    scheduled: u64,
    phase: Phase,
    clients: Vec<Client>,
    /// By node, then by key.
    replicas: Vec<Vec<Replica>>,
    /// From each node to each.
    links: Vec<Vec<Link>>,
    /// Operations in the order of invocation, `None` until all about them is known.
    pending: VecDeque<Option<Operation>>,
    emitted: OpId,
    client_names: Vec<Name>,
    node_names: Vec<Name>,
    key_names: Vec<Name>,
    replaced: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A client acts.
    Invoke { client: usize },
    /// A request reaches its node.
    Apply { client: usize, op: OpId },
    /// What one node has seen reaches another.
    Replicate { from: usize, to: usize },
}

/// What happens when nothing is under way any more.
#[derive(Clone, Copy)]
enum Phase {
    Running,
    LastWrites,
    FinalReads,
    Over,
}

/// A client: what it is about to do, and what it knows of each key.
struct Client {
    name: u32,
    node: usize,
    request: Request,
    write_next: Option<usize>,
    known: BTreeMap<usize, Knowledge>,
}

#[derive(Clone, Default)]
struct Knowledge {
    /// The last answer that can be a context.
    answer: Option<(OpId, ReportedClock)>,
    /// The clock of the client's last write.
    written: ReportedClock,
}

#[derive(Clone, Default)]
struct Request {
    key: usize,
    node: usize,
    invoked: TimeNs,
    kind: Kind,
    context: Option<(OpId, ReportedClock)>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Kind {
    #[default]
    Read,
    FinalRead,
    Write,
    Delete,
}

/// One key at one node.
#[derive(Clone, Default)]
struct Replica {
    siblings: Vec<Stored>,
    /// What the node has seen.
    seen: ReportedClock,
}

/// What one node has still to tell another.
#[derive(Clone, Default)]
struct Link {
    keys: BTreeSet<usize>,
    under_way: bool,
}

#[derive(Clone)]
struct Stored {
    op: OpId,
    tombstone: bool,
    actor: Name,
    counter: u64,
    version: Version,
}

impl SiblingHistory {
    /// Begins a history.
    ///
    /// # Errors
    ///
    /// When no history can have this shape.
    pub fn new(shape: Shape) -> Result<Self, ShapeFault> {
        for (count, what) in [
            (shape.keys, "key"),
            (shape.clients, "client"),
            (shape.nodes, "node"),
        ] {
            if count == 0 {
                return Err(ShapeFault::Nothing(what));
            }
        }
        let needed = shape.at_the_end() + u64::from(shape.clients);
        if u64::from(shape.operations) < needed {
            let operations = shape.operations;
            return Err(ShapeFault::TooShort { operations, needed });
        }
        let names = |prefix: char, count: u32| -> Vec<Name> {
            (1..=count)
                .map(|n| Name::from(format!("{prefix}{n}")))
                .collect()
        };
        let nodes = shape.nodes as usize;
        let mut history = Self {
            shape,
            dice: Dice(shape.seed),
            now: 0,
            events: BinaryHeap::new(),
            scheduled: 0,
            phase: Phase::Running,
            clients: Vec::new(),
            replicas: vec![vec![Replica::default(); shape.keys as usize]; nodes],
            links: vec![vec![Link::default(); nodes]; nodes],
            pending: VecDeque::new(),
            emitted: 0,
            client_names: names('c', shape.clients),
            node_names: names('n', shape.nodes),
            key_names: names('k', shape.keys),
            replaced: 0,
        };
        for (client, name) in (0..shape.clients).enumerate() {
            history.clients.push(Client::new(name, client % nodes));
            let begin = history.dice.span(THINKING);
            history.schedule(begin, Event::Invoke { client });
        }
        Ok(history)
    }

    /// What the history says about itself.
    pub fn header(&self) -> Header {
        let Shape {
            operations,
            keys,
            clients,
            nodes,
            seed,
            ..
        } = self.shape;
        let broken = if self.shape.broken { ", broken" } else { "" };
        Header {
            origin: format!(
                "generated: {operations} operations, {keys} keys, {clients} clients, {nodes} nodes, seed {seed}{broken}"
            ),
            claim: Some(self.shape.claim()),
            expect: Some(self.shape.expectation()),
            ..Header::default()
        }
    }

    /// The names of the clients that there have been so far.
    pub fn clients(&self) -> &[Name] {
        &self.client_names
    }

    /// The names of the nodes.
    pub fn nodes(&self) -> &[Name] {
        &self.node_names
    }

    /// The names of the keys.
    pub fn keys(&self) -> &[Name] {
        &self.key_names
    }

    /// The whole history at once.
    pub fn collect_history(mut self) -> History {
        let mut operations = Vec::with_capacity(self.shape.operations as usize);
        operations.extend(&mut self);
        History {
            header: self.header(),
            clients: self.client_names,
            nodes: self.node_names,
            keys: self.key_names,
            operations,
            faults: Vec::new(),
            tables: (),
        }
    }

    /// The whole history at once, as a file would hold it.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn collect_lines(self) -> io::Result<Vec<u8>> {
        let mut lines = Vec::new();
        write_history(&self.collect_history(), &mut lines)?;
        Ok(lines)
    }

    fn schedule(&mut self, after: TimeNs, event: Event) {
        self.scheduled += 1;
        self.events
            .push(Reverse((self.now + after, self.scheduled, event)));
    }

    /// Lets the next thing happen; false when nothing is left.
    fn step(&mut self) -> bool {
        if let Some(Reverse((time, _, event))) = self.events.pop() {
            self.now = time;
            match event {
                Event::Invoke { client } => self.invoke(client),
                Event::Apply { client, op } => self.apply(client, op),
                Event::Replicate { from, to } => self.replicate(from, to),
            }
            return true;
        }
        self.now += LONG_LAG;
        self.phase = match self.phase {
            Phase::Running => {
                self.last_writes();
                Phase::LastWrites
            }
            Phase::LastWrites => {
                self.final_reads();
                Phase::FinalReads
            }
            Phase::FinalReads | Phase::Over => Phase::Over,
        };
        !matches!(self.phase, Phase::Over)
    }

    fn invoke(&mut self, client: usize) {
        let invoked = u64::from(self.emitted) + self.pending.len() as u64;
        if invoked + self.shape.at_the_end() >= u64::from(self.shape.operations) {
            return;
        }
        let keys = self.shape.keys.into();
        let actor = &mut self.clients[client];
        let (key, kind) = match actor.write_next.take() {
            Some(key) => (key, Kind::Write),
            None => (self.dice.below(keys), Kind::Read),
        };
        let chance = self.dice.below::<u32>(100);
        let (kind, blind) = if kind == Kind::Write {
            let delete = chance < 5;
            (if delete { Kind::Delete } else { kind }, false)
        } else if chance < 75 {
            let writes_next = chance < 55;
            actor.write_next = writes_next.then_some(key);
            (Kind::Read, false)
        } else {
            (Kind::Write, chance >= 93)
        };
        if self.shape.roaming && self.dice.one_in(10) {
            actor.node = self.dice.below(self.shape.nodes.into());
        }
        let known = actor.known.get(&key).filter(|_| !blind);
        let context = known.and_then(|known| known.answer.clone());
        self.send(client, key, kind, context);
    }

    fn send(
        &mut self,
        client: usize,
        key: usize,
        kind: Kind,
        context: Option<(OpId, ReportedClock)>,
    ) {
        let op = self.emitted + number(self.pending.len());
        self.pending.push_back(None);
        let node = self.clients[client].node;
        self.clients[client].request = Request {
            key,
            node,
            invoked: self.now,
            kind,
            context,
        };
        let arrives = self.dice.span(ONE_WAY);
        self.schedule(arrives, Event::Apply { client, op });
    }

    fn apply(&mut self, client: usize, op: OpId) {
        let request = std::mem::take(&mut self.clients[client].request);
        let running = matches!(self.phase, Phase::Running);
        let writes = matches!(request.kind, Kind::Write | Kind::Delete);
        let few = self.shape.versions == Versions::Dots || self.replaced < MOST_REPLACED;
        let unanswered = running && writes && few && self.dice.one_in(UNANSWERED);
        let action = if writes {
            let applied = !unanswered || self.dice.one_in(2);
            self.write(client, op, &request, applied, unanswered)
        } else {
            self.read(client, op, &request)
        };
        let answered = self.now + self.dice.span(ONE_WAY);
        let operation = Operation {
            client: self.clients[client].name,
            node: number(request.node),
            key: number(request.key),
            invoked: request.invoked,
            completed: (!unanswered).then_some(answered),
            status: if unanswered { Status::Info } else { Status::Ok },
            action,
        };
        self.pending[(op - self.emitted) as usize] = Some(operation);
        if !running {
            return;
        }
        let mut idle = answered - self.now;
        if self.clients[client].write_next.is_none() {
            idle += self.dice.span(THINKING);
        }
        if unanswered {
            idle += PATIENCE;
            self.replaced += 1;
            let name = number(self.client_names.len());
            self.client_names.push(format!("c{}", name + 1).into());
            self.clients[client] = Client::new(name, request.node);
        }
        self.schedule(idle, Event::Invoke { client });
    }

    fn read(&mut self, client: usize, op: OpId, request: &Request) -> Action {
        let replica = &self.replicas[request.node][request.key];
        let dotted = self.shape.versions == Versions::Dots;
        let last = request.kind == Kind::FinalRead;
        let drops = self.shape.broken && last && request.key + 1 == self.shape.keys as usize;
        let newest = replica.siblings.iter().map(|stored| stored.op).max();
        let kept = |stored: &&Stored| !drops || Some(stored.op) != newest;
        let siblings = replica.siblings.iter().filter(kept);
        let read = Read {
            siblings: siblings.map(Stored::sibling).collect(),
            context: dotted.then(|| replica.seen.clone()),
            last,
        };
        let known = self.clients[client].known.entry(request.key).or_default();
        known.answer = Some((op, replica.seen.clone()));
        Action::Read(read)
    }

    fn write(
        &mut self,
        client: usize,
        op: OpId,
        request: &Request,
        applied: bool,
        unanswered: bool,
    ) -> Action {
        let Request { key, node, .. } = *request;
        let actor = &mut self.clients[client];
        let known = actor.known.entry(key).or_default();
        let replica = &mut self.replicas[node][key];
        let context = request.context.as_ref().map(|(_, context)| context.clone());
        let context = context.unwrap_or_default();
        let (name, past) = match self.shape.versions {
            Versions::Dots => (&self.node_names[node], context.clone()),
            Versions::Clocks => {
                let name = &self.client_names[actor.name as usize];
                (name, join(&context, &known.written))
            }
        };
        let counter = match self.shape.versions {
            Versions::Dots => replica.seen.get(name.as_str()) + 1,
            Versions::Clocks => past.get(name.as_str()) + 1,
        };
        let dot = ReportedClock::from_entries([(name.clone(), counter)]);
        let clock = join(&past, &dot);
        let version = match self.shape.versions {
            Versions::Dots => Version::Dotted {
                actor: name.clone(),
                counter,
                past: Some(past.clone()),
            },
            Versions::Clocks => Version::Clock(clock.clone()),
        };
        let tombstone = request.kind == Kind::Delete;
        if applied {
            replica.siblings.retain(|stored| !stored.is_in(&past));
            replica.seen = join(&replica.seen, &clock);
            replica.siblings.push(Stored {
                op,
                tombstone,
                actor: name.clone(),
                counter,
                version: version.clone(),
            });
        }
        if self.shape.versions == Versions::Clocks || counter == past.get(name.as_str()) + 1 {
            known.answer = Some((op, clock.clone()));
        }
        known.written = clock;
        if applied {
            self.hand_on(node, key);
            self.send_on(node);
        }
        Action::Write(Box::new(Write {
            value: value(op, tombstone),
            tombstone,
            sources: request.context.iter().map(|(source, _)| *source).collect(),
            context: Some(context),
            version: (!unanswered).then_some(version),
        }))
    }

    /// Notes that a node has something to tell of a key.
    fn hand_on(&mut self, from: usize, key: usize) {
        for (to, link) in self.links[from].iter_mut().enumerate() {
            if to != from {
                link.keys.insert(key);
            }
        }
    }

    /// Lets a node tell the others what it has to tell.
    fn send_on(&mut self, from: usize) {
        for to in 0..self.links[from].len() {
            let link = &mut self.links[from][to];
            if !link.keys.is_empty() && !std::mem::replace(&mut link.under_way, true) {
                let long = self.dice.one_in(100);
                let lag = self.dice.span(if long { LONG_LAG } else { SHORT_LAG });
                self.schedule(lag, Event::Replicate { from, to });
            }
        }
    }

    fn replicate(&mut self, from: usize, to: usize) {
        let link = &mut self.links[from][to];
        link.under_way = false;
        for key in std::mem::take(&mut link.keys) {
            let sender = self.replicas[from][key].clone();
            if self.replicas[to][key].merge(sender) {
                self.hand_on(to, key);
            }
        }
    }

    /// Two clients write each key at once, at different nodes where there are several.
    fn last_writes(&mut self) {
        for key in 0..self.shape.keys as usize {
            for node in [0, 1 % self.links.len()] {
                self.send_as_new('w', node, key, Kind::Write);
            }
        }
    }

    fn final_reads(&mut self) {
        for node in 0..self.links.len() {
            for key in 0..self.shape.keys as usize {
                self.send_as_new('r', node, key, Kind::FinalRead);
            }
        }
    }

    /// A client of its own sends a request.
    fn send_as_new(&mut self, prefix: char, node: usize, key: usize, kind: Kind) {
        let name = number(self.client_names.len());
        self.client_names
            .push(format!("{prefix}{}", name + 1).into());
        let client = self.clients.len();
        self.clients.push(Client::new(name, node));
        self.send(client, key, kind, None);
    }
}

impl Iterator for SiblingHistory {
    type Item = Operation;

    fn next(&mut self) -> Option<Operation> {
        loop {
            if let Some(operation) = self.pending.front_mut().and_then(Option::take) {
                self.pending.pop_front();
                self.emitted += 1;
                return Some(operation);
            }
            if !self.step() {
                return None;
            }
        }
    }
}

impl Shape {
    /// The claim that the store keeps, or breaks.
    pub fn claim(&self) -> Claim {
        if self.nodes == 1 {
            Claim::Linearizable
        } else {
            Claim::Eventual
        }
    }

    /// Operations that end the history.
    fn at_the_end(&self) -> u64 {
        u64::from(self.keys) * (2 + u64::from(self.nodes))
    }

    fn expectation(&self) -> Expectation {
        if self.broken {
            Expectation {
                outcome: Outcome::Violated,
                invariants: vec![Invariant::SiblingPreservation, Invariant::NoLostUpdate],
                why: "the final reads of the last key lack one of its two last writes".to_owned(),
            }
        } else {
            Expectation {
                outcome: Outcome::Valid,
                invariants: Vec::new(),
                why: "the store that was simulated is correct".to_owned(),
            }
        }
    }
}

impl Client {
    fn new(name: u32, node: usize) -> Self {
        Self {
            name,
            node,
            request: Request::default(),
            write_next: None,
            known: BTreeMap::new(),
        }
    }
}

impl Replica {
    /// Takes what another replica has seen; false when it is nothing new.
    fn merge(&mut self, other: Self) -> bool {
        let seen = join(&self.seen, &other.seen);
        if seen.same_allocation(&self.seen) {
            return false;
        }
        let holds = |all: &[Stored], one: &Stored| all.iter().any(|stored| stored.op == one.op);
        self.siblings
            .retain(|stored| !stored.is_in(&other.seen) || holds(&other.siblings, stored));
        let new = other.siblings.into_iter();
        let new: Vec<_> = new.filter(|stored| !stored.is_in(&self.seen)).collect();
        self.siblings.extend(new);
        self.siblings.sort_by_key(|stored| stored.op);
        self.seen = seen;
        true
    }
}

impl Stored {
    fn is_in(&self, clock: &ReportedClock) -> bool {
        clock.get(self.actor.as_str()) >= self.counter
    }

    fn sibling(&self) -> Sibling {
        let version = match &self.version {
            Version::Dotted { actor, counter, .. } => Version::Dotted {
                actor: actor.clone(),
                counter: *counter,
                past: None,
            },
            Version::Clock(clock) => Version::Clock(clock.clone()),
        };
        Sibling {
            value: value(self.op, self.tombstone),
            tombstone: self.tombstone,
            version: Some(version),
        }
    }
}

/// The value that an operation writes. A tombstone has none, and is told apart by a tag.
fn value(op: OpId, tombstone: bool) -> Value {
    Value {
        tag: tombstone.then_some(op.into()),
        data: if tombstone { Data::NULL } else { op.into() },
    }
}

fn join(a: &ReportedClock, b: &ReportedClock) -> ReportedClock {
    for (larger, smaller) in [(a, b), (b, a)] {
        if includes(larger, smaller) {
            return larger.clone();
        }
    }
    let mut joined: BTreeMap<&Name, u64> = BTreeMap::new();
    for (name, counter) in a.entries().iter().chain(b.entries()) {
        let most = joined.entry(name).or_default();
        *most = (*most).max(*counter);
    }
    let counters: Vec<_> = joined.values().copied().collect();
    let over = |names: &ReportedClock| names.with_counters(&counters);
    over(a).or_else(|| over(b)).unwrap_or_else(|| {
        let entries = joined.into_iter().map(|(name, n)| (name.clone(), n));
        ReportedClock::from_entries(entries)
    })
}

/// True when every counter of `smaller` is at most that of the same name in `larger`.
fn includes(larger: &ReportedClock, smaller: &ReportedClock) -> bool {
    let mut entries = smaller.entries().iter();
    larger.same_allocation(smaller)
        || entries.all(|(name, counter)| *counter <= larger.get(name.as_str()))
}

/// Deterministic pseudo-random numbers.
struct Dice(u64);

impl Dice {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `bound`.
    fn below<T: TryFrom<u64> + Default>(&mut self, bound: u64) -> T {
        let wide = (u128::from(self.bits()) * u128::from(bound)) >> 64;
        u64::try_from(wide)
            .ok()
            .and_then(|n| T::try_from(n).ok())
            .unwrap_or_default()
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below::<u64>(times) == 0
    }

    /// A span of about the mean, at least a tenth of it.
    fn span(&mut self, mean: u64) -> u64 {
        mean / 10 + self.below::<u64>(mean * 9 / 10) + self.below::<u64>(mean * 9 / 10)
    }
}
