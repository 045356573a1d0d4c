//! The sweep by time through all operations.
//!
//! Rows are kept only of clients, and of writes as long as a read will return them. What is kept for
//! good is what was new to each operation's client.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{
    HappensBefore, NONE,
    deltas::{KeyLog, Step},
    returned,
    rows::Row,
    told,
};
use crate::{
    history::{OpId, Operation, Status, TimeNs},
    index::number,
    provenance::{Kind, OpRecord, Provenance},
};

/// The most numbers that are kept for good, of four bytes each.
const MOST_NUMBERS: usize = 1 << 28;

/// The most pieces of rows, of 64 bytes each.
const MOST_PIECES: f64 = 1e7;

/// So many pieces are made before it is counted how many there are.
const PIECES_BETWEEN: usize = 1 << 22;

/// How much may be looked at: about a minute's work.
const MOST_WORK: usize = 1 << 34;

/// What is needed of so many operations is loaded at once, ahead of its use.
const AHEAD: u32 = 64;

/// Something that happens to an operation at some time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    op: OpId,
    is_completion: bool,
}

/// What a client knows.
#[derive(Default)]
struct Client {
    /// How many of its own operations.
    own: u32,
    /// How many of all others', and what others knew of its own.
    others: Row,
}

/// What is known to who is returned a write, as long as it is to be returned so many times: what its
/// client knew when it wrote, and the write, if that is known by what its client did.
struct Snapshot {
    row: Row,
    times: u32,
}

pub(super) struct Sweep<'p, 'h> {
    provenance: &'p Provenance<'h>,
    operations: &'h [Operation],
    positions: Vec<u32>,
    /// How many of its own operations each operation's client knew when it invoked it; `NONE` until
    /// then.
    own: Vec<u32>,
    /// The number of each client, in the order in which they come.
    numbers: Vec<u32>,
    clients: Vec<Client>,
    /// How often each write is returned; once it is invoked, the number of its snapshot.
    returns: Vec<u32>,
    snapshots: Vec<Option<Snapshot>>,
    free: Vec<u32>,
    keys: Vec<KeyLog>,
    circular: Vec<(OpId, OpId)>,
    /// How much was looked at.
    work: usize,
    /// How many pieces were made since they were counted.
    made: usize,
    is_too_large: bool,
}

impl<'p, 'h> Sweep<'p, 'h> {
    pub(super) fn new(provenance: &'p Provenance<'h>) -> Self {
        let history = provenance.history;
        let mut keys = Vec::new();
        keys.resize_with(history.keys.len(), KeyLog::default);
        Self {
            provenance,
            operations: &history.operations,
            positions: positions(provenance),
            own: vec![NONE; history.operations.len()],
            numbers: vec![NONE; history.clients.len()],
            clients: Vec::new(),
            returns: returns(provenance),
            snapshots: Vec::new(),
            free: Vec::new(),
            keys,
            circular: Vec::new(),
            work: 0,
            made: 0,
            is_too_large: false,
        }
    }

    /// `None` when there are more clients and operations than can be kept.
    pub(super) fn run(mut self) -> Option<HappensBefore> {
        let mut pending: BinaryHeap<Reverse<(TimeNs, OpId)>> = BinaryHeap::new();
        let mut instant = Vec::new();
        let mut invocations = Invocations::new(self.provenance).peekable();
        loop {
            let invoked = invocations.peek().map(|(_, record)| record.invoked);
            let completed = pending.peek().map(|Reverse((time, _))| *time);
            let Some(now) = invoked.into_iter().chain(completed).min() else {
                break;
            };
            while let Some((op, record)) = invocations.next_if(|(_, record)| record.invoked == now)
            {
                let is_completion = false;
                instant.push(Event { op, is_completion });
                if self.positions[op as usize] != NONE {
                    pending.push(Reverse((record.over, op)));
                }
            }
            while let Some(&Reverse((time, op))) = pending.peek()
                && time == now
            {
                let is_completion = true;
                instant.push(Event { op, is_completion });
                pending.pop();
            }
            self.settle_instant(&mut instant);
            if self.is_too_large {
                return None;
            }
        }
        for own in self.own.iter_mut().filter(|own| **own == NONE) {
            *own = 0;
        }
        Some(HappensBefore {
            positions: self.positions,
            own: self.own,
            circular: self.circular,
            deltas: self.keys.into_iter().map(|key| key.deltas).collect(),
        })
    }

    /// Settles the events of one instant, each answer after the writes that it returned.
    fn settle_instant(&mut self, waiting: &mut Vec<Event>) {
        if let &mut [event] = &mut waiting[..]
            && self.is_ready(event)
        {
            waiting.clear();
            return self.settle(event);
        }
        waiting.sort_unstable();
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut blocked = Vec::new();
            waiting.retain(|event| {
                let client = self.operations[event.op as usize].client;
                let ready = !blocked.contains(&client) && self.is_ready(*event);
                if ready {
                    self.settle(*event);
                } else {
                    blocked.push(client);
                }
                !ready
            });
            if waiting.len() == before {
                let read = waiting.remove(0);
                let late = returned(self.provenance, read.op)
                    .filter(|write| !self.is_invoked(*write))
                    .map(|write| (read.op, write));
                self.circular.extend(late.collect::<Vec<_>>());
                self.settle(read);
            }
        }
    }

    /// True when what an answer returned has been invoked.
    fn is_ready(&self, event: Event) -> bool {
        !event.is_completion
            || told(self.provenance, self.provenance.record(event.op))
                .all(|write| self.is_invoked(write))
    }

    fn is_invoked(&self, write: OpId) -> bool {
        self.own[write as usize] != NONE
    }

    fn settle(&mut self, event: Event) {
        let client = self.number(self.operations[event.op as usize].client);
        let step = Step {
            op: event.op,
            record: self.provenance.record(event.op),
            client,
        };
        if event.is_completion {
            self.complete(&step);
        } else {
            self.invoke(&step);
        }
    }

    fn invoke(&mut self, step: &Step<'_>) {
        let op = step.op as usize;
        let client = &self.clients[step.client as usize];
        let own = client.own;
        self.own[op] = own;
        let knows_others = !client.others.is_empty();
        let known = |of: u32| {
            if of == step.client {
                own
            } else {
                client.others.at(of)
            }
        };
        let key = &mut self.keys[self.operations[op].key as usize];
        let kept = key.kept();
        self.work += key.visit(step, known, knows_others);
        self.work += (key.kept() - kept) * (MOST_WORK / MOST_NUMBERS);
        self.is_too_large |= self.work > MOST_WORK;
        if step.record.kind != Kind::Write {
            return;
        }
        let position = self.positions[op];
        if position != NONE {
            key.add(step, position, position == own);
        }
        let times = std::mem::replace(&mut self.returns[op], NONE);
        if times > 0 {
            let mut row = client.others.clone();
            self.made += row.learn(step.client, own + u32::from(position == own));
            let snapshot = Some(Snapshot { row, times });
            self.returns[op] = self.free.pop().unwrap_or_else(|| {
                self.snapshots.push(None);
                number(self.snapshots.len() - 1)
            });
            self.snapshots[self.returns[op] as usize] = snapshot;
        }
    }

    fn complete(&mut self, step: &Step<'_>) {
        let position = self.positions[step.op as usize];
        let mut all_plain = true;
        for write in told(self.provenance, step.record) {
            all_plain &= self.learn(step.client, write);
        }
        if !all_plain {
            let key = self.operations[step.op as usize].key as usize;
            self.keys[key].add(step, position, false);
        }
        let own = &mut self.clients[step.client as usize].own;
        *own = (*own).max(position + 1);
        if self.made > PIECES_BETWEEN {
            self.made = 0;
            let snapshots = self.snapshots.iter().flatten().map(|kept| &kept.row);
            let rows = self.clients.iter().map(|client| &client.others);
            let pieces: f64 = rows.chain(snapshots).map(Row::pieces).sum();
            self.is_too_large |= pieces > MOST_PIECES;
        }
    }

    /// Lets a client know what happened before a write that it was returned, and the write; false
    /// when it is not known by what its client did.
    fn learn(&mut self, client: u32, write: OpId) -> bool {
        if !self.is_invoked(write) {
            self.returns[write as usize] -= 1;
            return false;
        }
        let at = self.returns[write as usize];
        let learner = &mut self.clients[client as usize];
        let kept = self.snapshots.get_mut(at as usize);
        if let Some((kept, snapshot)) = kept.and_then(|kept| kept.take().map(|it| (kept, it))) {
            self.made += learner.others.learn_row(&snapshot.row);
            let times = snapshot.times - 1;
            if times > 0 {
                *kept = Some(Snapshot { times, ..snapshot });
            } else {
                self.free.push(at);
            }
        }
        learner.own = learner.own.max(learner.others.at(client));
        self.positions[write as usize] == self.own[write as usize]
    }

    /// The number of a client.
    fn number(&mut self, client: u32) -> u32 {
        let at = &mut self.numbers[client as usize];
        if *at == NONE {
            *at = number(self.clients.len());
            self.clients.push(Client::default());
        }
        *at
    }
}

/// The operations that can matter, in the order of invocation.
///
/// What is asked of them lies apart by key: it is fetched for many operations at once, that they
/// need not be waited for one by one.
struct Invocations<'p, 'h> {
    provenance: &'p Provenance<'h>,
    next: OpId,
    ahead: std::vec::IntoIter<(OpId, OpRecord)>,
}

impl<'p, 'h> Invocations<'p, 'h> {
    fn new(provenance: &'p Provenance<'h>) -> Self {
        Self {
            provenance,
            next: 0,
            ahead: Vec::new().into_iter(),
        }
    }
}

impl Iterator for Invocations<'_, '_> {
    type Item = (OpId, OpRecord);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(next) = self.ahead.next() {
                return Some(next);
            }
            let end = number(self.provenance.history.operations.len());
            if self.next == end {
                return None;
            }
            let ops = self.next..end.min(self.next + AHEAD);
            self.next = ops.end;
            let ops = ops.filter(|op| self.provenance.slot(*op).is_some());
            let ahead: Vec<_> = ops.map(|op| (op, *self.provenance.record(op))).collect();
            self.ahead = ahead.into_iter();
        }
    }
}

/// The position of each acknowledged operation among those of its client, by completion.
fn positions(provenance: &Provenance<'_>) -> Vec<u32> {
    let history = provenance.history;
    let mut positions = vec![NONE; history.operations.len()];
    let acknowledged = || {
        let operations = (0..).zip(&history.operations);
        operations.filter_map(|(op, operation)| {
            let completed = operation.completed?;
            let matters = operation.status == Status::Ok && provenance.slot(op).is_some();
            matters.then_some((operation.client, completed, op))
        })
    };
    // Of most clients operations complete in the order of invocation.
    let mut last = vec![(0, 0); history.clients.len()];
    let mut in_order = vec![true; history.clients.len()];
    for (client, completed, op) in acknowledged() {
        let (time, many) = &mut last[client as usize];
        in_order[client as usize] &= *time <= completed;
        *time = completed;
        positions[op as usize] = *many;
        *many += 1;
    }
    if in_order.contains(&false) {
        let mut others: Vec<_> = acknowledged()
            .filter(|(client, ..)| !in_order[*client as usize])
            .collect();
        others.sort_unstable();
        for of_client in others.chunk_by(|a, b| a.0 == b.0) {
            for (position, (_, _, op)) in (0..).zip(of_client) {
                positions[*op as usize] = position;
            }
        }
    }
    positions
}

/// How often each write is returned.
fn returns(provenance: &Provenance<'_>) -> Vec<u32> {
    let history = provenance.history;
    let mut returns = vec![0; history.operations.len()];
    for key in 0..number(history.keys.len()) {
        for (_, record) in provenance.of_key(key) {
            for write in told(provenance, record) {
                returns[write as usize] += 1;
            }
        }
    }
    returns
}
