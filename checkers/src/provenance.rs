//! Provenance: does a history make sense, and which write does each returned value come from?
//!
//! Both are settled in one pass before anything is judged. Values are matched by their tag; where
//! a history has no tags, by the value itself, which then has to be unique for its key.

use std::hash::Hasher as _;

use hashbrown::{HashTable, hash_table::Entry};
use rustc_hash::FxHasher;
use serde_json::Value as Json;

use crate::{
    history::{
        Action, History, OpId, Operation, Sibling, Status, TimeNs, Tombstones, Value, Write,
    },
    verdict::ThinAir,
};

/// A history contradicts itself: no store's answers are to blame, but whatever recorded or edited
/// it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryFault {
    /// More operations than can be numbered.
    #[error("the history has {operations} operations, and operation numbers end at {}; split it by key", OpId::MAX - 1)]
    TooLong {
        /// How many there are.
        operations: usize,
    },
    /// Operations are not ordered by invocation.
    #[error("operation {op} was invoked before operation {}; sort the operations by invocation time", .op - 1)]
    NotSorted {
        /// The later one.
        op: OpId,
    },
    /// An index has no name.
    #[error("operation {op} refers to {what} number {index}, and the history names only {names}")]
    NoSuchName {
        /// The operation.
        op: OpId,
        /// `client`, `node` or `key`.
        what: &'static str,
        /// The index.
        index: u32,
        /// How many names there are.
        names: usize,
    },
    /// Completed before it was invoked.
    #[error("operation {op} completed before it was invoked")]
    CompletedTooEarly {
        /// The operation.
        op: OpId,
    },
    /// Acknowledged or refused, but never completed.
    #[error("operation {op} has an outcome but no completion time; give it one, or make it info")]
    NeverCompleted {
        /// The operation.
        op: OpId,
    },
    /// Two writes have one tag.
    #[error(
        "operations {first} and {op} wrote values with one tag, {tag}; a tag tells writes apart"
    )]
    TagUsedTwice {
        /// The later write.
        op: OpId,
        /// The earlier write.
        first: OpId,
        /// The tag.
        tag: u64,
    },
    /// Two writes of a key have one value and no tags.
    #[error(
        "operations {first} and {op} wrote one value to one key without tags; make the values unique or tag them"
    )]
    ValueUsedTwice {
        /// The later write.
        op: OpId,
        /// The earlier write.
        first: OpId,
    },
    /// A context comes from an operation that is not an earlier one.
    #[error(
        "the context of operation {op} comes from operation {source_op}, which is not an earlier one"
    )]
    SourceNotEarlier {
        /// The write.
        op: OpId,
        /// The source.
        source_op: OpId,
    },
    /// A context comes from another key.
    #[error(
        "the context of operation {op} comes from operation {source_op}, which is about another key"
    )]
    SourceOfOtherKey {
        /// The write.
        op: OpId,
        /// The source.
        source_op: OpId,
    },
    /// A context comes from an operation that was not answered.
    #[error(
        "the context of operation {op} comes from operation {source_op}, which had no ok answer"
    )]
    SourceWithoutAnswer {
        /// The write.
        op: OpId,
        /// The source.
        source_op: OpId,
    },
    /// A context comes from an answer that came later.
    #[error(
        "the context of operation {op} comes from operation {source_op}, which completed only after {op} was invoked"
    )]
    SourceTooLate {
        /// The write.
        op: OpId,
        /// The source.
        source_op: OpId,
    },
}

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
    slots: Vec<u32>,
    /// Which operations are writes, 64 a word.
    writes: Vec<u64>,
    /// In the order of `by_key`: a key's are read together, and far apart in the history.
    briefs: Vec<Brief>,
}

/// What is asked most of an operation, close together.
#[derive(Clone, Copy)]
pub(crate) struct Brief {
    pub(crate) invoked: TimeNs,
    /// When it certainly was over; the end of time for an unknown outcome.
    pub(crate) over: TimeNs,
    pub(crate) client: u32,
    pub(crate) node: u32,
    /// The number of its client among those of its key.
    pub(crate) session: u32,
    /// Its number among the writes, or the reads, of its key.
    pub(crate) slot: u32,
    previous: u32,
    previous_write: u32,
    /// Where its origins, or its sources, begin, and how many they are.
    linked: (u32, u32),
    pub(crate) kind: Kind,
    pub(crate) status: Status,
    /// A final read, or a delete.
    pub(crate) is_special: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Write,
    Read,
    /// A refused operation, or a read that was not answered.
    Nothing,
}

impl Brief {
    fn of(op: &Operation, linked: (usize, usize)) -> Self {
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
            previous: NONE,
            previous_write: NONE,
            linked: (number(linked.0), number(linked.1)),
            kind: match (&op.action, op.status) {
                (_, Status::Fail) | (Action::Read(_), Status::Info) => Kind::Nothing,
                (Action::Write(_), _) => Kind::Write,
                (Action::Read(_), _) => Kind::Read,
            },
            status: op.status,
            is_special: match &op.action {
                Action::Write(write) => write.tombstone,
                Action::Read(read) => read.last,
            },
        }
    }

    /// The same client's write of this key before.
    pub(crate) fn previous_write(&self) -> Option<OpId> {
        (self.previous_write != NONE).then_some(self.previous_write)
    }
}

/// No slot, no operation.
const NONE: u32 = u32::MAX;

impl<'h> Provenance<'h> {
    pub(crate) fn of(history: &'h History) -> Result<Self, HistoryFault> {
        validate(history)?;
        let index = WriteIndex::of(history)?;
        let key_starts = key_starts(history);
        let mut next = key_starts.clone();
        let many = history.operations.len();
        let mut origins = Vec::with_capacity(many);
        let mut sources = Vec::with_capacity(many);
        let mut writes = vec![0; many.div_ceil(64)];
        let mut places = Vec::with_capacity(many);
        let mut by_key = vec![0; many];
        let nothing = Brief {
            invoked: 0,
            over: 0,
            client: 0,
            node: 0,
            session: NONE,
            slot: NONE,
            previous: NONE,
            previous_write: NONE,
            linked: (0, 0),
            kind: Kind::Nothing,
            status: Status::Fail,
            is_special: false,
        };
        let mut briefs = vec![nothing; many];
        for (id, op) in (0..).zip(&history.operations) {
            let linked = match &op.action {
                Action::Write(write) => {
                    sources.extend_from_slice(&write.sources);
                    (sources.len() - write.sources.len(), write.sources.len())
                }
                Action::Read(_) => {
                    let siblings = answer(op).iter();
                    let many = siblings.len();
                    origins.extend(siblings.map(|sibling| index.origin(history, id, sibling)));
                    (origins.len() - many, many)
                }
            };
            let brief = Brief::of(op, linked);
            if brief.kind == Kind::Write {
                writes[id as usize / 64] |= 1 << (id % 64);
            }
            let place = &mut next[op.key as usize];
            places.push(number(*place));
            by_key[*place] = id;
            briefs[*place] = brief;
            *place += 1;
        }
        let mut provenance = Self {
            history,
            by_key,
            key_starts,
            origins,
            sources,
            places,
            slots: vec![NONE; many],
            writes,
            briefs,
        };
        provenance.number_operations();
        Ok(provenance)
    }

    /// Numbers the operations that can matter, separately for each key: writes that may have been
    /// applied, and reads that were answered.
    fn number_operations(&mut self) {
        // The last operation of each client, its last write, and its number.
        let mut last_of_client = vec![[NONE; 3]; self.history.clients.len()];
        for key in 0..self.history.keys.len() {
            let range = self.key_starts[key]..self.key_starts[key + 1];
            let ids = &self.by_key[range.clone()];
            let briefs = &mut self.briefs[range];
            let (mut writes, mut reads, mut sessions) = (0, 0, 0);
            for (&id, op) in ids.iter().zip(briefs.iter_mut()) {
                let next = match op.kind {
                    Kind::Nothing => continue,
                    Kind::Write => &mut writes,
                    Kind::Read => &mut reads,
                };
                op.slot = *next;
                self.slots[id as usize] = *next;
                *next += 1;
                let last = &mut last_of_client[op.client as usize];
                if last[2] == NONE {
                    last[2] = sessions;
                    sessions += 1;
                }
                [op.previous, op.previous_write, op.session] = *last;
                last[0] = id;
                if op.kind == Kind::Write {
                    last[1] = id;
                }
            }
            for op in briefs {
                last_of_client[op.client as usize] = [NONE; 3];
            }
        }
    }

    /// The number of an operation among the writes, or the reads, of its key; `None` when it
    /// cannot matter.
    pub(crate) fn slot(&self, op: OpId) -> Option<usize> {
        let slot = self.slots[op as usize];
        (slot != NONE).then_some(slot as usize)
    }

    /// True for a write that may have been applied.
    pub(crate) fn is_write(&self, op: OpId) -> bool {
        self.writes[op as usize / 64] >> (op % 64) & 1 == 1
    }

    /// What is asked most of an operation.
    pub(crate) fn brief(&self, op: OpId) -> &Brief {
        &self.briefs[self.places[op as usize] as usize]
    }

    /// True when `a` certainly completed before `b` was invoked. Between clients, equal times
    /// decide nothing.
    pub(crate) fn precedes(&self, a: OpId, b: OpId) -> bool {
        let (first, second) = (self.brief(a), self.brief(b));
        first.over < second.invoked
            || first.over == second.invoked
                && first.over != TimeNs::MAX
                && first.client == second.client
                && a < b
    }

    /// The same client's operation before this one on the same key, among those that can matter.
    pub(crate) fn previous(&self, op: OpId) -> Option<OpId> {
        let previous = self.brief(op).previous;
        (previous != NONE).then_some(previous)
    }

    /// The same client's write before this operation on the same key.
    pub(crate) fn previous_write(&self, op: OpId) -> Option<OpId> {
        self.brief(op).previous_write()
    }

    /// The operations of a key, in the order of their invocation.
    pub(crate) fn of_key(&self, key: u32) -> impl ExactSizeIterator<Item = (OpId, &Brief)> + Clone {
        let key = key as usize;
        let range = self.key_starts[key]..self.key_starts[key + 1];
        let ids = self.by_key[range.clone()].iter().copied();
        ids.zip(&self.briefs[range])
    }

    /// The origins of the siblings that a read returned, in the order of its answer.
    pub(crate) fn origins(&self, read: OpId) -> &[Origin] {
        self.origins_of(self.brief(read))
    }

    /// The origins of the siblings that a read returned, in the order of its answer.
    pub(crate) fn origins_of(&self, read: &Brief) -> &[Origin] {
        let (start, many) = read.linked;
        &self.origins[start as usize..][..many as usize]
    }

    /// The operations of whose answers a write's context was made.
    pub(crate) fn sources_of(&self, write: &Brief) -> &[OpId] {
        let (start, many) = write.linked;
        &self.sources[start as usize..][..many as usize]
    }
}

/// Narrows a position; [`validate`] has made sure that it fits.
pub(crate) fn number(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// What a read was answered; nothing unless it is an `ok` read.
fn answer(op: &Operation) -> &[Sibling] {
    match (&op.action, op.status) {
        (Action::Read(read), Status::Ok) => &read.siblings,
        _ => &[],
    }
}

fn validate(history: &History) -> Result<(), HistoryFault> {
    if history.operations.len() >= OpId::MAX as usize {
        let operations = history.operations.len();
        return Err(HistoryFault::TooLong { operations });
    }
    let mut previous = 0;
    for (op, operation) in (0..).zip(&history.operations) {
        if operation.invoked < previous {
            return Err(HistoryFault::NotSorted { op });
        }
        previous = operation.invoked;
        for (what, index, names) in [
            ("client", operation.client, history.clients.len()),
            ("node", operation.node, history.nodes.len()),
            ("key", operation.key, history.keys.len()),
        ] {
            if index as usize >= names {
                return Err(HistoryFault::NoSuchName {
                    op,
                    what,
                    index,
                    names,
                });
            }
        }
        match (operation.completed, operation.status) {
            (Some(completed), _) if completed < operation.invoked => {
                return Err(HistoryFault::CompletedTooEarly { op });
            }
            (None, Status::Ok | Status::Fail) => return Err(HistoryFault::NeverCompleted { op }),
            _ => {}
        }
        if let Action::Write(write) = &operation.action {
            for &source_op in &write.sources {
                validate_source(history, op, operation, source_op)?;
            }
        }
    }
    Ok(())
}

fn validate_source(
    history: &History,
    op: OpId,
    write: &Operation,
    source_op: OpId,
) -> Result<(), HistoryFault> {
    if source_op >= op {
        return Err(HistoryFault::SourceNotEarlier { op, source_op });
    }
    let source = &history.operations[source_op as usize];
    if source.key != write.key {
        return Err(HistoryFault::SourceOfOtherKey { op, source_op });
    }
    if source.status != Status::Ok {
        return Err(HistoryFault::SourceWithoutAnswer { op, source_op });
    }
    if source.completed > Some(write.invoked) {
        return Err(HistoryFault::SourceTooLate { op, source_op });
    }
    Ok(())
}

/// Where each key's operations begin when they are sorted by key.
fn key_starts(history: &History) -> Vec<usize> {
    let mut starts = vec![0; history.keys.len() + 1];
    for op in &history.operations {
        starts[op.key as usize + 1] += 1;
    }
    for key in 0..history.keys.len() {
        starts[key + 1] += starts[key];
    }
    starts
}

/// Finds the write of a value.
struct WriteIndex {
    tags: Tags,
    /// Writes without a tag, by key, kind and value.
    values: HashTable<OpId>,
}

/// Writes by tag.
enum Tags {
    /// Tags are small: the write of each, or `OpId::MAX`.
    Dense(Vec<OpId>),
    /// Sorted by tag.
    Sparse(Vec<(u64, OpId)>),
}

impl WriteIndex {
    fn of(history: &History) -> Result<Self, HistoryFault> {
        let mut largest = 0;
        let mut values = HashTable::new();
        let hash = |op: &OpId| {
            written(history, *op).map_or(0, |(op, write)| {
                hash_value(op.key, write.tombstone, &write.value.data)
            })
        };
        for (op, key, write) in writes(history) {
            match write.value.tag {
                Some(tag) => largest = largest.max(tag),
                None if write.tombstone && history.header.tombstones == Tombstones::Hidden => {}
                None => {
                    let data = &write.value.data;
                    let same = |op: &OpId| is_of(history, *op, key, write.tombstone, data);
                    let hashed = hash_value(key, write.tombstone, data);
                    match values.entry(hashed, same, hash) {
                        Entry::Occupied(first) => {
                            let first = *first.get();
                            return Err(HistoryFault::ValueUsedTwice { op, first });
                        }
                        Entry::Vacant(free) => free.insert(op),
                    };
                }
            }
        }
        let tags = Tags::of(history, largest)?;
        Ok(Self { tags, values })
    }

    /// The origin of a sibling that the read `reader` returned.
    fn origin(&self, history: &History, reader: OpId, sibling: &Sibling) -> Origin {
        let read = &history.operations[reader as usize];
        let found = if let Some(tag) = sibling.value.tag {
            self.tags.get(tag)
        } else {
            let data = &sibling.value.data;
            let same = |op: &OpId| is_of(history, *op, read.key, sibling.tombstone, data);
            let hashed = hash_value(read.key, sibling.tombstone, data);
            self.values.find(hashed, same).copied()
        };
        let Some(id) = found else {
            return Origin::ThinAir(ThinAir::NeverWritten);
        };
        let op = &history.operations[id as usize];
        let in_own_future = op.client == read.client && id > reader;
        Origin::ThinAir(if op.key != read.key {
            ThinAir::OtherKey { write: id }
        } else if !wrote(op, sibling) {
            ThinAir::Altered { write: id }
        } else if op.status == Status::Fail {
            ThinAir::Failed { write: id }
        } else if read.completed < Some(op.invoked)
            || in_own_future && read.completed == Some(op.invoked)
        {
            ThinAir::NotYetWritten { write: id }
        } else {
            return Origin::Write(id);
        })
    }
}

impl Tags {
    fn of(history: &History, largest: u64) -> Result<Self, HistoryFault> {
        let tagged = writes(history).filter_map(|(op, _, write)| Some((write.value.tag?, op)));
        let limit = history.operations.len() * 4 + 64;
        if let Some(size) = usize::try_from(largest).ok().filter(|size| *size < limit) {
            let mut dense = vec![OpId::MAX; size + 1];
            for (tag, op) in tagged {
                let slot = usize::try_from(tag).ok().and_then(|tag| dense.get_mut(tag));
                let Some(slot) = slot else { continue };
                if *slot != OpId::MAX {
                    return Err(HistoryFault::TagUsedTwice {
                        op,
                        first: *slot,
                        tag,
                    });
                }
                *slot = op;
            }
            return Ok(Self::Dense(dense));
        }
        let mut sparse: Vec<_> = tagged.collect();
        sparse.sort_unstable();
        for pair in sparse.windows(2) {
            let ((tag, first), (next, op)) = (pair[0], pair[1]);
            if tag == next {
                return Err(HistoryFault::TagUsedTwice { op, first, tag });
            }
        }
        Ok(Self::Sparse(sparse))
    }

    fn get(&self, tag: u64) -> Option<OpId> {
        match self {
            Self::Dense(writes) => {
                let write = *writes.get(usize::try_from(tag).ok()?)?;
                (write != OpId::MAX).then_some(write)
            }
            Self::Sparse(writes) => {
                let at = writes.binary_search_by_key(&tag, |(tag, _)| *tag).ok()?;
                Some(writes[at].1)
            }
        }
    }
}

fn writes(history: &History) -> impl Iterator<Item = (OpId, u32, &Write)> {
    (0..)
        .zip(&history.operations)
        .filter_map(|(id, op)| match &op.action {
            Action::Write(write) => Some((id, op.key, write)),
            Action::Read(_) => None,
        })
}

/// True when `op` wrote just what `sibling` shows. A tombstone has no value to compare.
fn wrote(op: &Operation, sibling: &Sibling) -> bool {
    let Action::Write(Write {
        value: Value { data, .. },
        tombstone,
        ..
    }) = &op.action
    else {
        return false;
    };
    *tombstone == sibling.tombstone && (*tombstone || *data == sibling.value.data)
}

fn written(history: &History, op: OpId) -> Option<(&Operation, &Write)> {
    let op = &history.operations[op as usize];
    match &op.action {
        Action::Write(write) => Some((op, write)),
        Action::Read(_) => None,
    }
}

/// True for a write of this value, or tombstone, to this key.
fn is_of(history: &History, op: OpId, key: u32, tombstone: bool, data: &Json) -> bool {
    written(history, op).is_some_and(|(op, write)| {
        op.key == key && write.tombstone == tombstone && same_value(&write.value.data, data)
    })
}

fn hash_value(key: u32, tombstone: bool, data: &Json) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u32(key);
    hasher.write_u8(tombstone.into());
    hash_json(data, &mut hasher);
    hasher.finish()
}

/// A hash of a value alone.
pub(crate) fn hash_of(data: &Json) -> u64 {
    hash_value(0, false, data)
}

fn hash_json(value: &Json, hasher: &mut FxHasher) {
    match value {
        Json::Null => hasher.write_u8(0),
        Json::Bool(value) => hasher.write_u8(1 + u8::from(*value)),
        Json::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), ..) => hasher.write_u64(number),
            (None, Some(number), _) => hasher.write_i64(number),
            (None, None, number) => hasher.write_u64(number.map_or(0, f64::to_bits)),
        },
        Json::String(text) => hasher.write(text.as_bytes()),
        Json::Array(items) => {
            hasher.write_u8(3);
            for item in items {
                hash_json(item, hasher);
            }
        }
        Json::Object(fields) => {
            // The same whatever the order of the fields.
            let of_field = |(name, value): (&String, &Json)| {
                let mut own = FxHasher::default();
                own.write(name.as_bytes());
                hash_json(value, &mut own);
                own.finish()
            };
            let all = fields.iter().map(of_field).fold(4, u64::wrapping_add);
            hasher.write_u64(all);
        }
    }
}

/// True when both have one text, but for the order of fields: zeros of either sign are two values.
pub(crate) fn same_value(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) if a.is_f64() && b.is_f64() => {
            a.as_f64().map(f64::to_bits) == b.as_f64().map(f64::to_bits)
        }
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            let twin = |(name, a): (&String, &Json)| b.get(name).is_some_and(|b| same_value(a, b));
            a.len() == b.len() && a.iter().all(twin)
        }
        (a, b) => a == b,
    }
}
