//! Which write wrote a value: by its tag, or by the value itself.

use std::hash::Hasher as _;

use hashbrown::{HashTable, hash_table::Entry};
use rustc_hash::FxHasher;
use serde_json::Value as Json;

use super::{HistoryFault, Origin};
use crate::{
    history::{
        Action, Content, Data, History, OpId, Operation, Sibling, Status, Tombstones, Write,
    },
    verdict::ThinAir,
};

/// Finds the write of a value.
pub(super) struct WriteIndex {
    tags: Tags,
    /// Writes without a tag.
    values: Values,
}

/// Writes by value.
enum Values {
    /// Every value is a small number that was written once: the write of each, or `OpId::MAX`.
    Dense(Vec<OpId>),
    /// By key, kind and value.
    Hashed(HashTable<OpId>),
}

/// Writes by tag.
enum Tags {
    /// Tags are small: the write of each, or `OpId::MAX`.
    Dense(Vec<OpId>),
    /// Sorted by tag.
    Sparse(Vec<(u64, OpId)>),
}

impl WriteIndex {
    /// Given what was noted of all writes.
    pub(super) fn of(history: &History, noted: Noted) -> Result<Self, HistoryFault> {
        let values = match noted.values {
            Some(writes) => Values::Dense(writes),
            None => Values::hashed(history)?,
        };
        let tags = match noted.largest_tag {
            Some(largest) => Tags::of(history, largest)?,
            None => Tags::Sparse(Vec::new()),
        };
        Ok(Self { tags, values })
    }

    /// The origin of a sibling that the read `reader` returned.
    pub(super) fn origin(&self, history: &History, reader: OpId, sibling: &Sibling) -> Origin {
        let read = &history.operations[reader as usize];
        let found = match sibling.value.tag {
            Some(tag) => self.tags.get(tag),
            None => self.values.find(history, read.key, sibling),
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

/// What one pass over the writes notes of their values.
pub(super) struct Noted {
    /// The write of each value, as long as all are small numbers that were written once.
    values: Option<Vec<OpId>>,
    largest_tag: Option<u64>,
    /// Larger numbers are not small.
    limit: usize,
    hides_tombstones: bool,
}

impl Noted {
    pub(super) fn of(history: &History) -> Self {
        Self {
            values: Some(Vec::new()),
            largest_tag: None,
            limit: history.operations.len() * 4 + 64,
            hides_tombstones: history.header.tombstones == Tombstones::Hidden,
        }
    }

    pub(super) fn take(&mut self, op: OpId, write: &Write) {
        if write.value.tag.is_some() {
            self.largest_tag = self.largest_tag.max(write.value.tag);
        } else if is_told_by_value(write, self.hides_tombstones) && self.note(op, write).is_none() {
            self.values = None;
        }
    }

    /// `None` when the value is not small, or was written before.
    fn note(&mut self, op: OpId, write: &Write) -> Option<()> {
        let values = self.values.as_mut()?;
        let value = usize::try_from(write.value.data.as_u64()?).ok()?;
        if value >= self.limit {
            return None;
        }
        if value >= values.len() {
            values.resize(value + 1, OpId::MAX);
        }
        (std::mem::replace(&mut values[value], op) == OpId::MAX).then_some(())
    }
}

impl Values {
    fn hashed(history: &History) -> Result<Self, HistoryFault> {
        let mut values = HashTable::with_capacity(untagged(history).count());
        let hash = |op: &OpId| {
            written(history, *op).map_or(0, |(op, write)| {
                hash_value(op.key, write.tombstone, &write.value.data)
            })
        };
        for (op, key, write) in untagged(history) {
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
        Ok(Self::Hashed(values))
    }

    fn find(&self, history: &History, key: u32, sibling: &Sibling) -> Option<OpId> {
        let data = &sibling.value.data;
        let same = |op: &OpId| is_of(history, *op, key, sibling.tombstone, data);
        match self {
            Self::Dense(writes) => {
                let write = *writes.get(usize::try_from(data.as_u64()?).ok()?)?;
                (write != OpId::MAX && same(&write)).then_some(write)
            }
            Self::Hashed(writes) => {
                let hashed = hash_value(key, sibling.tombstone, data);
                writes.find(hashed, same).copied()
            }
        }
    }
}

/// Writes that are told apart by their values.
fn untagged(history: &History) -> impl Iterator<Item = (OpId, u32, &Write)> {
    let hides = history.header.tombstones == Tombstones::Hidden;
    writes(history).filter(move |(.., write)| is_told_by_value(write, hides))
}

/// True for a write without a tag that reads show.
fn is_told_by_value(write: &Write, hides_tombstones: bool) -> bool {
    write.value.tag.is_none() && !(write.tombstone && hides_tombstones)
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
            Action::Write(write) => Some((id, op.key, &**write)),
            Action::Read(_) => None,
        })
}

/// True when `op` wrote just what `sibling` shows. A tombstone has no value to compare.
fn wrote(op: &Operation, sibling: &Sibling) -> bool {
    let Action::Write(write) = &op.action else {
        return false;
    };
    write.tombstone == sibling.tombstone
        && (write.tombstone || write.value.data == sibling.value.data)
}

fn written(history: &History, op: OpId) -> Option<(&Operation, &Write)> {
    let op = &history.operations[op as usize];
    match &op.action {
        Action::Write(write) => Some((op, write)),
        Action::Read(_) => None,
    }
}

/// True for a write of this value, or tombstone, to this key.
fn is_of(history: &History, op: OpId, key: u32, tombstone: bool, data: &Data) -> bool {
    written(history, op).is_some_and(|(op, write)| {
        op.key == key && write.tombstone == tombstone && same_value(&write.value.data, data)
    })
}

fn hash_value(key: u32, tombstone: bool, data: &Data) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u32(key);
    hasher.write_u8(tombstone.into());
    match data.content() {
        Content::Null => hasher.write_u8(0),
        Content::Whole(bits) => hasher.write_u64(bits),
        Content::Fraction(number) => hasher.write_u64(number.to_bits()),
        Content::Text(text) => hasher.write(text),
        Content::Other(json) => hash_json(json, &mut hasher),
    }
    hasher.finish()
}

/// A hash of a value alone.
pub(crate) fn hash_of(data: &Data) -> u64 {
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
pub(crate) fn same_value(a: &Data, b: &Data) -> bool {
    match (a.content(), b.content()) {
        (Content::Fraction(a), Content::Fraction(b)) => a.to_bits() == b.to_bits(),
        (Content::Other(a), Content::Other(b)) => same_json(a, b),
        _ => a == b,
    }
}

fn same_json(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) if a.is_f64() && b.is_f64() => {
            a.as_f64().map(f64::to_bits) == b.as_f64().map(f64::to_bits)
        }
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_json(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            let twin = |(name, a): (&String, &Json)| b.get(name).is_some_and(|b| same_json(a, b));
            a.len() == b.len() && a.iter().all(twin)
        }
        (a, b) => a == b,
    }
}
