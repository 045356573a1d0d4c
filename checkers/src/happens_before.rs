//! Happens-before over all keys: what each operation's client knew when it invoked it.
//!
//! `hb` is the transitive closure of program order (an acknowledged operation had completed when its
//! client invoked another) and visibility (a read returned a write). Of each operation a row is kept
//! that says how many acknowledged operations of every client happened before its invocation: a
//! vector clock of the history, not of the store. It is computed in one sweep by time, since program
//! order and visibility both lead forward in time. At one instant, an answer waits for the writes
//! that it returned. So `hb` is acyclic wherever every returned value was written before; what waits
//! for itself is [`circular`](HappensBefore::circular).
//!
//! A context that another client obtained adds nothing: it says what a write supersedes on its own
//! key, and not what its writer has seen. Reads that are wrong in themselves tell nothing.
//!
//! O(operations · clients) time and space, a sixteenth of it for clients that are not at work
//! (`happens_before/rows.rs`). Sources: Lamport 1978; Mattern 1989; Ahamad, Neiger,
//! Burns, Kohli, Hutto 1995 (causal memory).

mod rows;

use std::collections::VecDeque;

use crate::{
    history::{Action, OpId, Status, TimeNs},
    provenance::{Origin, Provenance},
};

pub(crate) use rows::PIECE;
use rows::Rows;

/// No position.
const NONE: u32 = u32::MAX;

/// What happened before each operation.
pub(crate) struct HappensBefore {
    clients: usize,
    rows: Rows,
    /// The position of each acknowledged operation among those of its client, by completion.
    positions: Vec<u32>,
    /// Reads that returned what happened after them, with the write.
    circular: Vec<(OpId, OpId)>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    time: TimeNs,
    op: OpId,
    is_completion: bool,
}

impl HappensBefore {
    /// `None` when there are more clients and operations than can be kept.
    pub(crate) fn of(provenance: &Provenance<'_>) -> Option<Self> {
        let history = provenance.history;
        let clients = history.clients.len();
        let rows = Rows::new(history.operations.len(), clients)?;
        let mut events = Vec::with_capacity(2 * history.operations.len());
        for (op, operation) in (0..).zip(&history.operations) {
            if provenance.slot(op).is_none() {
                continue;
            }
            let (time, is_completion) = (operation.invoked, false);
            events.push(Event {
                time,
                op,
                is_completion,
            });
            if let (Status::Ok, Some(time)) = (operation.status, operation.completed) {
                let is_completion = true;
                events.push(Event {
                    time,
                    op,
                    is_completion,
                });
            }
        }
        events.sort_unstable();
        let mut sweep = Sweep::new(provenance, rows, &events);
        for instant in events.chunk_by(|a, b| a.time == b.time) {
            sweep.settle_instant(instant);
            if sweep.rows.is_too_large() {
                return None;
            }
        }
        Some(Self {
            clients,
            rows: sweep.rows,
            positions: sweep.positions,
            circular: sweep.circular,
        })
    }

    /// How many acknowledged operations of a client happened before an operation was invoked.
    fn known(&self, op: OpId, client: usize) -> u32 {
        self.rows.at(op as usize, client)
    }

    /// The number of a piece of the row that says so of every client, [`PIECE`] of them a piece.
    pub(crate) fn piece_of(&self, op: OpId, piece: usize) -> u32 {
        self.rows.piece_of(op as usize, piece)
    }

    /// The piece with this number.
    pub(crate) fn piece(&self, number: u32) -> &[u32; PIECE] {
        self.rows.piece(number)
    }

    /// The position of an acknowledged operation among those of its client, by completion.
    pub(crate) fn position(&self, op: OpId) -> Option<u32> {
        Some(self.positions[op as usize]).filter(|position| *position != NONE)
    }

    /// Reads that returned what happened after them, with the write.
    pub(crate) fn circular(&self) -> &[(OpId, OpId)] {
        &self.circular
    }

    /// True when the rows tell all that a read of this write learns: it is acknowledged, and its
    /// client did nothing else meanwhile.
    pub(crate) fn is_plain(&self, provenance: &Provenance<'_>, write: OpId) -> bool {
        let client = provenance.history.operations[write as usize].client as usize;
        self.position(write) == Some(self.known(write, client))
    }

    /// A shortest chain of operations from a cause to `effect`, each of which happened before the
    /// next: acknowledged to its client before that invoked the next, or returned by it. What
    /// `effect` returned stands at no distance, since it is evidence anyhow.
    pub(crate) fn chain(
        &self,
        provenance: &Provenance<'_>,
        is_cause: impl Fn(OpId) -> bool,
        effect: OpId,
    ) -> Option<Vec<OpId>> {
        let history = provenance.history;
        let mut by_client: Vec<Vec<(u32, OpId)>> = vec![Vec::new(); self.clients];
        for (op, operation) in (0..).zip(&history.operations) {
            if let Some(position) = self.position(op) {
                by_client[operation.client as usize].push((position, op));
            }
        }
        for own in &mut by_client {
            own.sort_unstable();
        }
        let mut taken = vec![0; self.clients];
        let mut next: Vec<Option<OpId>> = vec![None; history.operations.len()];
        let mut queue = VecDeque::from([effect]);
        for write in returned(provenance, effect) {
            next[write as usize] = Some(effect);
            queue.push_back(write);
        }
        while let Some(op) = queue.pop_front() {
            if op != effect && is_cause(op) {
                let chain = std::iter::successors(Some(op), |op| next[*op as usize]);
                return Some(chain.collect());
            }
            let mut reach = |earlier: OpId| {
                if earlier != effect && next[earlier as usize].is_none() {
                    next[earlier as usize] = Some(op);
                    queue.push_back(earlier);
                }
            };
            if op != effect {
                returned(provenance, op).for_each(&mut reach);
            }
            let client = history.operations[op as usize].client as usize;
            let known = self.known(op, client) as usize;
            for (_, earlier) in by_client[client].iter().take(known).skip(taken[client]) {
                reach(*earlier);
            }
            taken[client] = taken[client].max(known);
        }
        None
    }
}

/// The writes that a read returned, unless it is wrong in itself.
pub(crate) fn returned<'p>(
    provenance: &'p Provenance<'_>,
    read: OpId,
) -> impl Iterator<Item = OpId> + 'p {
    let operation = &provenance.history.operations[read as usize];
    let is_read = matches!(operation.action, Action::Read(_)) && operation.status == Status::Ok;
    let origins = if is_read {
        provenance.origins(read)
    } else {
        &[]
    };
    let write = |origin: &Origin| match origin {
        Origin::Write(write) => Some(*write),
        Origin::ThinAir(_) => None,
    };
    let mut writes: Vec<_> = origins.iter().filter_map(write).collect();
    writes.sort_unstable();
    writes.dedup();
    let sound = writes.len() == origins.len();
    writes.into_iter().filter(move |_| sound)
}

/// The sweep by time.
struct Sweep<'p, 'h> {
    provenance: &'p Provenance<'h>,
    rows: Rows,
    positions: Vec<u32>,
    invoked: Vec<bool>,
    circular: Vec<(OpId, OpId)>,
}

impl<'p, 'h> Sweep<'p, 'h> {
    fn new(provenance: &'p Provenance<'h>, rows: Rows, events: &[Event]) -> Self {
        let history = provenance.history;
        let clients = history.clients.len();
        let mut positions = vec![NONE; history.operations.len()];
        let mut completed = vec![0; clients];
        for event in events.iter().filter(|event| event.is_completion) {
            let client = history.operations[event.op as usize].client as usize;
            positions[event.op as usize] = completed[client];
            completed[client] += 1;
        }
        Self {
            provenance,
            rows,
            positions,
            invoked: vec![false; history.operations.len()],
            circular: Vec::new(),
        }
    }

    /// Settles the events of one instant, each answer after the writes that it returned.
    fn settle_instant(&mut self, events: &[Event]) {
        if let [event] = events
            && self.is_ready(*event)
        {
            return self.settle(*event);
        }
        let mut waiting = events.to_vec();
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut blocked = Vec::new();
            waiting.retain(|event| {
                let client = self.client(event.op);
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
                    .filter(|write| !self.invoked[*write as usize])
                    .map(|write| (read.op, write));
                self.circular.extend(late.collect::<Vec<_>>());
                self.settle(read);
            }
        }
    }

    /// True when what an answer returned has been invoked.
    fn is_ready(&self, event: Event) -> bool {
        let invoked = |write: OpId| self.invoked[write as usize];
        !event.is_completion || returned(self.provenance, event.op).all(invoked)
    }

    fn client(&self, op: OpId) -> usize {
        self.provenance.history.operations[op as usize].client as usize
    }

    fn settle(&mut self, event: Event) {
        let client = self.client(event.op);
        let op = event.op as usize;
        if !event.is_completion {
            self.rows.keep(op, client);
            self.invoked[op] = true;
            return;
        }
        for write in returned(self.provenance, event.op) {
            if !self.invoked[write as usize] {
                continue;
            }
            let writer = self.client(write);
            let own = self.rows.at(write as usize, writer);
            self.rows.learn_row(client, write as usize);
            if self.positions[write as usize] == own {
                self.rows.learn(client, writer, own + 1);
            }
        }
        self.rows.learn(client, client, self.positions[op] + 1);
    }
}
