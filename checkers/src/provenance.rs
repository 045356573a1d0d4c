//! Provenance: does a history make sense, and which write does each returned value come from?
//!
//! Both are settled before anything is judged. Values are matched by their tag; where a history has
//! no tags, by the value itself, which then has to be unique for its key.

mod faults;
mod passes;
mod summary;
mod values;

use crate::{
    history::{Action, History, OpId, Operation, Status, TimeNs},
    index::{Index, number},
    verdict::ThinAir,
};

pub use faults::HistoryFault;
use faults::validate;
use passes::Passes;
pub(crate) use summary::{KeySummary, Kind as Reporting, Reported, at_most};
pub(crate) use values::{hash_of, same_value};

/// Which write a returned value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This one.
    Write(OpId),
    /// None.
    ThinAir(ThinAir),
}

/// A history that makes sense, its operations by key, and the origin of every returned value.
pub(crate) struct Provenance<'h> {
    pub(crate) history: &'h History,
    by_key: Vec<OpId>,
    key_starts: Vec<usize>,
    origins: Vec<Origin>,
    sources: Vec<OpId>,
    /// Where each operation stands among those sorted by key.
    places: Vec<u32>,
    /// The number of each operation that can matter among the writes, or the reads, of its key.
    slots: Vec<Option<Index>>,
    /// Which operations are writes, 64 a word.
    writes: Vec<u64>,
    /// The first and the last operation of each client that has any.
    spans: Vec<Option<(OpId, OpId)>>,
    /// How many writes have an unknown outcome.
    unknown_writes: u64,
    /// In the order of `by_key`: a key's are read together, and lie far apart in the history.
    records: Vec<OpRecord>,
    summaries: Vec<KeySummary<'h>>,
}

/// What is needed most of an operation, in one place so that it is in the processor's cache together.
#[derive(Clone, Copy)]
pub(crate) struct OpRecord {
    pub(crate) invoked: TimeNs,
    /// When it certainly was over; the end of time for an unknown outcome.
    pub(crate) over: TimeNs,
    pub(crate) client: u32,
    pub(crate) node: u32,
    /// The number of its client among those of its key.
    pub(crate) session: u32,
    /// Its number among the writes, or the reads, of its key.
    pub(crate) slot: u32,
    /// Its client's operation on the key before, and the last write among those.
    previous: Option<Index>,
    previous_write: Option<Index>,
    /// Where its origins, or its sources, begin, and how many they are.
    linked: (u32, u32),
    /// The number of its only source among the operations of its key, or that of the only write
    /// that it returned; where there are several, where they begin among the key's.
    link: u32,
    pub(crate) kind: Kind,
    pub(crate) status: Status,
    /// A final read, or a delete.
    pub(crate) is_special: bool,
    /// A read that was answered with a context.
    pub(crate) has_context: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Write,
    Read,
    /// A refused operation, or a read that was not answered.
    Nothing,
}

impl Kind {
    pub(crate) fn of(op: &Operation) -> Self {
        match (&op.action, op.status) {
            (_, Status::Fail) | (Action::Read(_), Status::Info) => Self::Nothing,
            (Action::Write(_), _) => Self::Write,
            (Action::Read(_), _) => Self::Read,
        }
    }
}

impl OpRecord {
    fn of(op: &Operation, linked: Linked) -> Self {
        Self {
            invoked: op.invoked,
            over: match op.status {
                Status::Info => TimeNs::MAX,
                _ => op.completed.unwrap_or(TimeNs::MAX),
            },
            client: op.client,
            node: op.node,
            session: NONE,
            slot: NONE,
            previous: None,
            previous_write: None,
            linked: (number(linked.0), number(linked.1)),
            link: NONE,
            kind: Kind::of(op),
            status: op.status,
            is_special: match &op.action {
                Action::Write(write) => write.tombstone,
                Action::Read(read) => read.last,
            },
            has_context: matches!(&op.action, Action::Read(read) if read.context.is_some()),
        }
    }

    /// True when this operation certainly was over before another was invoked. Between clients, equal times
    /// decide nothing; within one the order does in which the history lists the two.
    pub(crate) fn precedes(&self, other: &Self, stands_first: bool) -> bool {
        self.over < other.invoked
            || self.over == other.invoked
                && self.over != TimeNs::MAX
                && self.client == other.client
                && stands_first
    }

    /// How many sources there are, or siblings.
    pub(crate) fn linked(&self) -> usize {
        self.linked.1 as usize
    }

    /// The same client's write of this key before.
    pub(crate) fn previous_write(&self) -> Option<OpId> {
        self.previous_write.map(Index::number)
    }
}

/// Where something begins, and how much it is.
type Linked = (usize, usize);

/// What a client last did to a key.
#[derive(Clone, Copy, Default)]
struct LastOfClient {
    op: Option<Index>,
    write: Option<Index>,
    /// Its number among the clients of the key.
    session: Option<Index>,
}

/// No slot, no operation.
const NONE: u32 = u32::MAX;

impl<'h> Provenance<'h> {
    pub(crate) fn of(history: &'h History) -> Result<Self, HistoryFault> {
        if history.operations.len() >= OpId::MAX as usize {
            let operations = history.operations.len();
            return Err(HistoryFault::TooLong { operations });
        }
        let mut provenance = Self::empty(history);
        provenance.number_by_key()?;
        let mut provenance = Passes::over(provenance)?;
        provenance.number_sessions();
        Ok(provenance)
    }

    fn empty(history: &'h History) -> Self {
        let many = history.operations.len();
        let nothing = OpRecord {
            invoked: 0,
            over: 0,
            client: 0,
            node: 0,
            session: NONE,
            slot: NONE,
            previous: None,
            previous_write: None,
            linked: (0, 0),
            link: NONE,
            kind: Kind::Nothing,
            status: Status::Fail,
            is_special: false,
            has_context: false,
        };
        Self {
            history,
            by_key: vec![0; many],
            key_starts: vec![0; history.keys.len() + 1],
            origins: Vec::with_capacity(many),
            sources: Vec::with_capacity(many),
            places: Vec::with_capacity(many),
            slots: Vec::with_capacity(many),
            writes: vec![0; many.div_ceil(64)],
            spans: vec![None; history.clients.len()],
            unknown_writes: 0,
            records: vec![nothing; many],
            summaries: history.keys.iter().map(|_| KeySummary::default()).collect(),
        }
    }

    /// Numbers the operations that can matter, separately for each key: writes that may have been
    /// applied, and reads that were answered.
    fn number_by_key(&mut self) -> Result<(), HistoryFault> {
        let history = self.history;
        let mut next = vec![[0; 2]; history.keys.len()];
        let mut now = 0;
        for (id, op) in (0..).zip(&history.operations) {
            validate(history, id, op, now)?;
            now = op.invoked;
            self.spans[op.client as usize].get_or_insert((id, id)).1 = id;
            let key = op.key as usize;
            self.key_starts[key + 1] += 1;
            let kind = Kind::of(op);
            if kind == Kind::Nothing {
                self.slots.push(None);
                continue;
            }
            let slot = &mut next[key][usize::from(kind == Kind::Read)];
            self.slots.push(Some(Index::new(*slot)));
            *slot += 1;
            if kind == Kind::Write {
                self.writes[id as usize / 64] |= 1 << (id % 64);
                self.unknown_writes += u64::from(op.status == Status::Info);
            }
        }
        for key in 0..history.keys.len() {
            self.key_starts[key + 1] += self.key_starts[key];
        }
        Ok(())
    }

    /// Numbers the clients of each key, and finds each operation's predecessors.
    fn number_sessions(&mut self) {
        let mut last_of_client = vec![LastOfClient::default(); self.history.clients.len()];
        for key in 0..self.history.keys.len() {
            let range = self.key_starts[key]..self.key_starts[key + 1];
            let ids = &self.by_key[range.clone()];
            let records = &mut self.records[range];
            let mut sessions = 0;
            let matter = |op: &&mut OpRecord| op.kind != Kind::Nothing;
            for (&id, op) in ids
                .iter()
                .zip(records.iter_mut())
                .filter(|(_, op)| matter(op))
            {
                let last = &mut last_of_client[op.client as usize];
                let session = *last.session.get_or_insert_with(|| {
                    sessions += 1;
                    Index::new(sessions - 1)
                });
                (op.previous, op.previous_write) = (last.op, last.write);
                op.session = session.number();
                last.op = Some(Index::new(id));
                if op.kind == Kind::Write {
                    last.write = last.op;
                }
            }
            for op in records {
                last_of_client[op.client as usize] = LastOfClient::default();
            }
        }
    }

    /// The number of an operation among the writes, or the reads, of its key; `None` when it
    /// cannot matter.
    pub(crate) fn slot(&self, op: OpId) -> Option<usize> {
        self.slots[op as usize].map(Index::at)
    }

    /// True for a write that may have been applied.
    pub(crate) fn is_write(&self, op: OpId) -> bool {
        self.writes[op as usize / 64] >> (op % 64) & 1 == 1
    }

    /// What is asked most of an operation.
    pub(crate) fn record(&self, op: OpId) -> &OpRecord {
        &self.records[self.place(op)]
    }

    /// Where an operation stands among those sorted by key.
    pub(crate) fn place(&self, op: OpId) -> usize {
        self.places[op as usize] as usize
    }

    /// Where the operations of a key begin among those sorted by key.
    pub(crate) fn first_place(&self, key: u32) -> usize {
        self.key_starts[key as usize]
    }

    /// The first and the last operation of each client that has any, with its number.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (usize, (OpId, OpId))> {
        let spans = self.spans.iter().enumerate();
        spans.filter_map(|(client, span)| Some((client, (*span)?)))
    }

    /// How many writes have an unknown outcome.
    pub(crate) fn unknown_writes(&self) -> u64 {
        self.unknown_writes
    }

    /// All operations in the order of their invocation, with the origins of the siblings that
    /// they returned.
    pub(crate) fn with_origins(&self) -> impl Iterator<Item = (OpId, &'h Operation, &[Origin])> {
        let mut others = &self.origins[..];
        let operations = (0..).zip(&self.history.operations);
        operations.map(move |(id, op)| {
            let many = match &op.action {
                Action::Read(read) if op.status == Status::Ok => read.siblings.len(),
                _ => 0,
            };
            let (own, rest) = others.split_at(many);
            others = rest;
            (id, op, own)
        })
    }

    /// True when `a` certainly was over before `b` was invoked: see [`OpRecord::precedes`].
    pub(crate) fn precedes(&self, a: OpId, b: OpId) -> bool {
        self.record(a).precedes(self.record(b), a < b)
    }

    /// The same client's operation before this one on the same key, among those that can matter.
    pub(crate) fn previous(&self, op: OpId) -> Option<OpId> {
        self.record(op).previous.map(Index::number)
    }

    /// The same client's write before this operation on the same key.
    pub(crate) fn previous_write(&self, op: OpId) -> Option<OpId> {
        self.record(op).previous_write()
    }

    /// The operations of a key, in the order of their invocation.
    pub(crate) fn of_key(
        &self,
        key: u32,
    ) -> impl ExactSizeIterator<Item = (OpId, &OpRecord)> + Clone {
        let (ids, records) = self.records(key);
        ids.iter().copied().zip(records)
    }

    /// The operations of a key in the order of their invocation, and what is asked most of them.
    pub(crate) fn records(&self, key: u32) -> (&[OpId], &[OpRecord]) {
        let key = key as usize;
        let range = self.key_starts[key]..self.key_starts[key + 1];
        (&self.by_key[range.clone()], &self.records[range])
    }

    /// What was noted of a key.
    pub(crate) fn summary(&self, key: u32) -> &KeySummary<'h> {
        &self.summaries[key as usize]
    }

    /// The origins of the siblings that a read returned, in the order of its answer.
    pub(crate) fn origins(&self, read: OpId) -> &[Origin] {
        self.origins_of(self.record(read))
    }

    /// The origins of the siblings that a read returned, in the order of its answer.
    pub(crate) fn origins_of(&self, read: &OpRecord) -> &[Origin] {
        let (start, many) = read.linked;
        &self.origins[start as usize..][..many as usize]
    }

    /// The operations of whose answers a write's context was made.
    pub(crate) fn sources_of(&self, write: &OpRecord) -> &[OpId] {
        let (start, many) = write.linked;
        &self.sources[start as usize..][..many as usize]
    }
}
