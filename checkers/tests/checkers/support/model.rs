//! A model of a correct replicated sibling store.
//!
//! Each node holds the set of writes that it has seen. A merge copies the whole set of another
//! node, so sets are causally closed and one coordinator's dots are a prefix. With one node the
//! store is linearizable; with several it converges once everything has been merged. Where tombstones are
//! reaped, each node may remove one once all have held it, with what it supersedes.
#![allow(
    clippy::expect_used,
    clippy::struct_excessive_bools,
    reason = "a model for tests, which states its assumptions"
)]

use std::collections::BTreeSet;

use sibcheck_checkers::{
    ObjectModel,
    history::{
        Action, Data, Header, History, OpId, Operation, Read, ReportedClock, Sibling, Status,
        Tombstones, Value, Version, Write,
    },
};

/// A small deterministic generator (`SplitMix64`).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((bits ^ (bits >> 31)) % sides as u64).expect("small")
    }

    pub(crate) fn once_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        (!items.is_empty()).then(|| &items[self.roll(items.len())])
    }
}

/// Half the histories show all tombstones, and in half of the others some are there.
pub(crate) fn tombstones(dice: &mut Dice) -> Tombstones {
    [
        Tombstones::Hidden,
        Tombstones::Shown,
        Tombstones::Reaped,
        Tombstones::Shown,
    ][dice.roll(4)]
}

/// What to simulate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) clients: usize,
    pub(crate) nodes: usize,
    pub(crate) keys: usize,
    pub(crate) operations: usize,
    /// Operations never overlap in time with others when this is false.
    pub(crate) concurrent: bool,
    /// Whether final reads at every node end the history.
    pub(crate) finals: bool,
    /// Vector clocks with an entry a client, or dotted version vectors with an entry a node.
    pub(crate) dotted: bool,
    pub(crate) tombstones: Tombstones,
    pub(crate) deletes: bool,
    pub(crate) unknowns: bool,
    pub(crate) tagged: bool,
    /// Writes carry no context and supersede what their node holds.
    pub(crate) replica: bool,
    /// Each client keeps to one node.
    pub(crate) sticky: bool,
    /// One in how many versions and contexts is not reported; 0 for none.
    pub(crate) silent: usize,
}

/// Everything known of one write.
#[derive(Clone, Default)]
struct Known {
    covers: BTreeSet<OpId>,
    clock: ReportedClock,
    past: ReportedClock,
    dot: Option<(usize, u64)>,
}

struct Model<'d> {
    dice: &'d mut Dice,
    shape: Shape,
    now: u64,
    operations: Vec<Operation>,
    known: Vec<Known>,
    /// Writes seen, by node and key.
    held: Vec<Vec<BTreeSet<OpId>>>,
    /// Writes that some node has seen.
    effective: BTreeSet<OpId>,
    /// Deletes that every node has seen.
    confirmed: BTreeSet<OpId>,
    counters: Vec<Vec<u64>>,
    /// What each answered operation revealed.
    past: Vec<BTreeSet<OpId>>,
    contexts: Vec<Option<ReportedClock>>,
    /// A client's operation under way, and whether it took effect.
    pending: Vec<Option<(OpId, bool)>>,
    /// Unacknowledged writes that may still take effect.
    stray: Vec<OpId>,
}

/// A history of a correct store.
pub(crate) fn correct(dice: &mut Dice, shape: Shape) -> History {
    let mut model = Model {
        dice,
        shape,
        now: 0,
        operations: Vec::new(),
        known: Vec::new(),
        held: vec![vec![BTreeSet::new(); shape.keys]; shape.nodes],
        effective: BTreeSet::new(),
        confirmed: BTreeSet::new(),
        counters: vec![vec![0; shape.keys]; shape.nodes],
        past: Vec::new(),
        contexts: Vec::new(),
        pending: vec![None; shape.clients],
        stray: Vec::new(),
    };
    model.run();
    model.fall_silent();
    let name =
        |prefix: &str, count: usize| (1..=count).map(|n| format!("{prefix}{n}").into()).collect();
    History {
        header: Header {
            origin: "a model store".to_owned(),
            tombstones: shape.tombstones,
            model: if shape.replica {
                ObjectModel::Replica
            } else {
                ObjectModel::Context
            },
            ..Header::default()
        },
        clients: name("c", shape.clients + shape.nodes),
        nodes: name("n", shape.nodes),
        keys: name("k", shape.keys),
        operations: model.operations,
        faults: Vec::new(),
        tables: (),
    }
}

impl Model<'_> {
    fn run(&mut self) {
        while self.operations.len() < self.shape.operations {
            let client = self.dice.roll(self.shape.clients);
            self.advance(client);
            if !self.shape.concurrent {
                while self.pending[client].is_some() {
                    self.advance(client);
                }
            }
            self.background();
        }
        for client in 0..self.shape.clients {
            while self.pending[client].is_some() {
                self.advance(client);
            }
        }
        while let Some(stray) = self.stray.pop() {
            if self.dice.once_in(2) {
                self.take_effect(stray);
            }
        }
        if self.shape.finals {
            for _ in 0..2 {
                for node in 1..self.shape.nodes {
                    self.merge(0, node);
                    self.merge(node, 0);
                }
            }
            for node in 0..self.shape.nodes {
                for key in 0..self.shape.keys {
                    self.reap();
                    self.invoke(self.shape.clients + node, node, key, true);
                    let read = number(self.operations.len() - 1);
                    self.take_effect(read);
                    self.complete(read, Status::Ok);
                }
            }
        }
    }

    fn tick(&mut self) -> u64 {
        self.now += 10;
        self.now
    }

    fn background(&mut self) {
        if self.shape.nodes > 1 && self.dice.once_in(3) {
            let (to, from) = (
                self.dice.roll(self.shape.nodes),
                self.dice.roll(self.shape.nodes),
            );
            self.merge(to, from);
        }
        if self.dice.once_in(2) {
            self.reap();
        }
        if !self.stray.is_empty() && self.dice.once_in(4) {
            let at = self.dice.roll(self.stray.len());
            let stray = self.stray.remove(at);
            if self.dice.once_in(2) {
                self.take_effect(stray);
            }
        }
    }

    fn merge(&mut self, to: usize, from: usize) {
        for key in 0..self.shape.keys {
            let seen = self.held[from][key].clone();
            self.held[to][key].extend(seen);
        }
    }

    /// A node removes a tombstone that all have held, and nothing here supersedes, with what it does.
    fn reap(&mut self) {
        if self.shape.tombstones != Tombstones::Reaped {
            return;
        }
        let (node, key) = (
            self.dice.roll(self.shape.nodes),
            self.dice.roll(self.shape.keys),
        );
        let held = &self.held[node][key];
        let by_all = |write: &OpId| self.held.iter().all(|node| node[key].contains(write));
        let is_delete = |write: &OpId| match &self.operations[*write as usize].action {
            Action::Write(write) => write.tombstone,
            Action::Read(_) => false,
        };
        self.confirmed
            .extend(held.iter().copied().filter(is_delete).filter(by_all));
        let superseded = self.superseded(held);
        let current = held.difference(&superseded);
        let removable = current.filter(|write| self.confirmed.contains(write));
        let removable: Vec<_> = removable.copied().collect();
        if let Some(delete) = self.dice.pick(&removable) {
            let covers = &self.known[*delete as usize].covers;
            let gone = |write: &OpId| write == delete || covers.contains(write);
            self.held[node][key].retain(|write| !gone(write));
        }
    }

    /// The next step of a client: invocation, effect, completion.
    fn advance(&mut self, client: usize) {
        match self.pending[client] {
            None => {
                if self.operations.len() < self.shape.operations {
                    let (node, key) = (
                        self.dice.roll(self.shape.nodes),
                        self.dice.roll(self.shape.keys),
                    );
                    let node = if self.shape.sticky {
                        client % self.shape.nodes
                    } else {
                        node
                    };
                    self.invoke(client, node, key, false);
                    self.pending[client] = Some((number(self.operations.len() - 1), false));
                }
            }
            Some((op, false)) => {
                let is_write = matches!(self.operations[op as usize].action, Action::Write(_));
                if self.shape.unknowns && is_write && self.dice.once_in(6) {
                    self.complete(op, Status::Info);
                    self.stray.push(op);
                    self.pending[client] = None;
                } else if self.shape.unknowns && self.dice.once_in(10) {
                    self.complete(op, Status::Fail);
                    self.pending[client] = None;
                } else {
                    self.take_effect(op);
                    self.pending[client] = Some((op, true));
                }
            }
            Some((op, true)) => {
                let is_write = matches!(self.operations[op as usize].action, Action::Write(_));
                let lost = self.shape.unknowns && is_write && self.dice.once_in(10);
                self.complete(op, if lost { Status::Info } else { Status::Ok });
                self.pending[client] = None;
            }
        }
    }

    fn invoke(&mut self, client: usize, node: usize, key: usize, last: bool) {
        let id = number(self.operations.len());
        let mut known = Known::default();
        let action = if last || self.dice.once_in(2) {
            Action::Read(Read {
                last,
                ..Read::default()
            })
        } else {
            let sources = self.sources(client, key);
            let mut context = ReportedClock::default();
            for source in &sources {
                known.covers.extend(&self.past[*source as usize]);
                context = join(
                    &context,
                    self.contexts[*source as usize].as_ref().expect("a context"),
                );
            }
            known.past = context.clone();
            let tombstone = self.shape.deletes && self.dice.once_in(4);
            let data = if tombstone {
                Data::NULL
            } else {
                Data::from(id)
            };
            let tag = (self.shape.tagged || tombstone).then_some(u64::from(id));
            let value = Value { tag, data };
            Action::Write(Box::new(Write {
                value,
                tombstone,
                sources: sources.into(),
                context: (!self.shape.replica).then_some(context),
                version: None,
            }))
        };
        let operation = Operation {
            client: number(client),
            node: number(node),
            key: number(key),
            invoked: self.tick(),
            completed: None,
            status: Status::Info,
            action,
        };
        self.operations.push(operation);
        self.known.push(known);
        self.past.push(BTreeSet::new());
        self.contexts.push(None);
    }

    /// Some answers of this key that have a context: none, the client's last, or several.
    fn sources(&mut self, client: usize, key: usize) -> Vec<OpId> {
        let answered = |id: &OpId| {
            let op = &self.operations[*id as usize];
            op.key as usize == key
                && op.status == Status::Ok
                && self.contexts[*id as usize].is_some()
        };
        let all: Vec<_> = (0..number(self.operations.len()))
            .filter(answered)
            .collect();
        let own = |id: &OpId| self.operations[*id as usize].client as usize == client;
        let own: Vec<_> = all.iter().copied().filter(own).collect();
        let mut sources = match self.dice.roll(8) {
            0 | 1 => Vec::new(),
            2 => self.dice.pick(&all).copied().into_iter().collect(),
            3 => vec![self.dice.pick(&own).copied(), self.dice.pick(&own).copied()]
                .into_iter()
                .flatten()
                .collect(),
            _ => own.last().copied().into_iter().collect(),
        };
        if self.shape.replica {
            sources.clear();
        }
        // A client id in the clock: its counter must not be used twice, so a context holds its own writes.
        sources.sort_unstable();
        sources.dedup();
        sources
    }

    fn take_effect(&mut self, id: OpId) {
        self.tick();
        let op = self.operations[id as usize].clone();
        let (node, key) = (op.node as usize, op.key as usize);
        if matches!(op.action, Action::Write(_)) {
            if self.shape.replica {
                self.supersede_what_is_held(id, node, key);
            }
            self.counters[node][key] += 1;
            let counter = self.counters[node][key];
            if self.shape.dotted {
                self.known[id as usize].dot = Some((node, counter));
            } else if self.shape.replica {
                let known = &mut self.known[id as usize];
                known.clock = join(&known.past, &entry(&format!("n{}", node + 1), counter));
            } else {
                // A vector clock with the client's entry covers what that client wrote before: before
                // in the order of effects, in which a write with an unknown outcome may come late.
                let client = format!("c{}", op.client + 1);
                let all = 0..number(self.operations.len());
                let earlier: Vec<_> = all.filter(|w| self.is_earlier(*w, &op)).collect();
                let mut clock = self.known[id as usize].past.clone();
                for write in earlier {
                    let covers = self.known[write as usize].covers.clone();
                    let known = &mut self.known[id as usize];
                    known.covers.extend(covers);
                    known.covers.insert(write);
                    clock = join(&clock, &self.known[write as usize].clock);
                }
                let next = clock.get(&client) + 1;
                self.known[id as usize].clock = join(&clock, &entry(&client, next));
            }
            // The context says that its writes are superseded, even where they never arrived.
            self.held[node][key].extend(&self.known[id as usize].covers);
            self.held[node][key].insert(id);
            self.effective.insert(id);
            return;
        }
        self.answer(id, node, key);
    }

    fn supersede_what_is_held(&mut self, id: OpId, node: usize, key: usize) {
        let mut held = self.held[node][key].clone();
        // A vector clock with the node's entry covers what it took before, also what it has removed.
        let taken = |write: &&OpId| {
            let op = &self.operations[**write as usize];
            (op.node as usize, op.key as usize) == (node, key) && !self.shape.dotted
        };
        for write in self.effective.iter().filter(taken) {
            held.extend(&self.known[*write as usize].covers);
            held.insert(*write);
        }
        let past = self.join_all(&held);
        let known = &mut self.known[id as usize];
        (known.covers, known.past) = (held, past);
    }

    /// The least clock above those of some writes.
    fn join_all(&self, writes: &BTreeSet<OpId>) -> ReportedClock {
        let mut joined = ReportedClock::default();
        for write in writes {
            let known = &self.known[*write as usize];
            joined = match known.dot {
                Some((node, counter)) => join(&joined, &entry(&format!("n{}", node + 1), counter)),
                None => join(&joined, &known.clock),
            };
        }
        joined
    }

    /// Leaves out some of what was reported.
    fn fall_silent(&mut self) {
        let silent = self.shape.silent;
        let mut operations = std::mem::take(&mut self.operations);
        let mut left_out = || silent > 0 && self.dice.once_in(silent);
        for op in &mut operations {
            match &mut op.action {
                Action::Write(write) => {
                    write.version.take_if(|_| left_out());
                    write.context.take_if(|_| left_out());
                }
                Action::Read(read) => {
                    let mut siblings = read.siblings.to_vec();
                    for sibling in &mut siblings {
                        sibling.version.take_if(|_| left_out());
                    }
                    read.siblings = siblings.into();
                    read.context.take_if(|_| left_out());
                }
            }
        }
        self.operations = operations;
    }

    /// A write by the same client to the same key that took effect anywhere.
    fn is_earlier(&self, write: OpId, of: &Operation) -> bool {
        let op = &self.operations[write as usize];
        op.client == of.client && op.key == of.key && self.effective.contains(&write)
    }

    fn answer(&mut self, id: OpId, node: usize, key: usize) {
        let held = self.held[node][key].clone();
        let superseded = self.superseded(&held);
        let context = self.join_all(&held);
        let siblings = held
            .difference(&superseded)
            .filter_map(|write| self.sibling(*write))
            .collect();
        if let Action::Read(read) = &mut self.operations[id as usize].action {
            read.siblings = siblings;
            read.context = self.shape.dotted.then(|| context.clone());
        }
        self.past[id as usize] = held;
        self.contexts[id as usize] = Some(context);
    }

    /// What some writes supersede.
    fn superseded(&self, writes: &BTreeSet<OpId>) -> BTreeSet<OpId> {
        let covers = |write: &OpId| self.known[*write as usize].covers.iter().copied();
        writes.iter().flat_map(covers).collect()
    }

    fn sibling(&self, write: OpId) -> Option<Sibling> {
        let Action::Write(original) = &self.operations[write as usize].action else {
            return None;
        };
        let shown = !original.tombstone || self.shape.tombstones.are_returned();
        let mut version = self.version(write);
        if let Version::Dotted { past, .. } = &mut version {
            *past = None;
        }
        shown.then(|| Sibling {
            value: original.value.clone(),
            tombstone: original.tombstone,
            version: Some(version),
        })
    }

    fn version(&self, write: OpId) -> Version {
        let known = &self.known[write as usize];
        match known.dot {
            Some((node, counter)) => Version::Dotted {
                actor: format!("n{}", node + 1).into(),
                counter,
                past: Some(known.past.clone()),
            },
            None => Version::Clock(known.clock.clone()),
        }
    }

    fn complete(&mut self, id: OpId, status: Status) {
        let now = self.tick();
        let version = self.version(id);
        let known = self.known[id as usize].clone();
        let op = &mut self.operations[id as usize];
        op.status = status;
        op.completed = (status != Status::Info).then_some(now);
        if status != Status::Ok {
            if let Action::Read(read) = &mut op.action {
                *read = Read {
                    last: read.last,
                    ..Read::default()
                };
            }
            self.contexts[id as usize] = None;
            return;
        }
        if let Action::Write(write) = &mut op.action {
            write.version = Some(version);
            // The client knows of its write and what its context covers, however much the store added.
            let mut past: BTreeSet<OpId> = write
                .sources
                .iter()
                .flat_map(|source| self.past[*source as usize].clone())
                .collect();
            past.insert(id);
            self.past[id as usize] = past;
            self.contexts[id as usize] = match known.dot {
                None => Some(known.clock),
                Some((node, counter)) => {
                    let name = format!("n{}", node + 1);
                    let contiguous = known.past.get(&name) + 1 == counter;
                    contiguous.then(|| join(&known.past, &entry(&name, counter)))
                }
            };
        }
    }
}

fn number(position: usize) -> u32 {
    u32::try_from(position).expect("small")
}

fn entry(name: &str, counter: u64) -> ReportedClock {
    ReportedClock::from_sorted(&[(name.into(), counter)])
}

fn join(a: &ReportedClock, b: &ReportedClock) -> ReportedClock {
    let entries = a.entries().iter().chain(b.entries());
    ReportedClock::from_entries(entries.map(|(name, n)| (name.clone(), *n)))
}
