//! Which write wrote a value: by its tag, or by the value itself.

use std::hash::Hasher as _;

use hashbrown::{HashTable, hash_table::Entry};
use rustc_hash::FxHasher;
use serde_json::Value as Json;

use super::{HistoryFault, Origin};
use crate::{
    history::{Action, Content, Data, History, OpId, Operation, Sibling, Status, Write},
    index::Index,
    verdict::ThinAir,
};

/// Finds the write of a value. Writes are taken up in the order of their invocation.
pub(super) struct WriteIndex<'h> {
    history: &'h History,
    tags: Tags,
    /// Writes without a tag.
    values: Values,
    /// Numbers below this are small.
    limit: u64,
    shows_tombstones: bool,
}

/// Writes by value.
enum Values {
    /// Every value is a small number that was written once.
    Dense(Dense),
    /// By key, kind and value.
    Hashed(HashTable<OpId>),
}

/// Writes by tag.
enum Tags {
    /// Every tag is a small number.
    Dense(Dense),
    Hashed(HashTable<(u64, OpId)>),
}

/// Writes by a small number, with what is asked of those whose values were returned.
#[derive(Default)]
struct Dense(Vec<Packed>);

/// What is asked of a write whose value was returned.
#[derive(Clone, Copy)]
struct Written {
    op: OpId,
    key: u32,
    tombstone: bool,
    has_failed: bool,
}

impl Written {
    fn of(op: OpId, operation: &Operation, write: &Write) -> Self {
        Self {
            op,
            key: operation.key,
            tombstone: write.tombstone,
            has_failed: operation.status == Status::Fail,
        }
    }
}

/// The same in few bytes; or no write.
#[derive(Clone, Copy)]
struct Packed {
    op: Option<Index>,
    key_and_flags: u32,
}

/// Keys from here on leave no room for flags.
const MOST_KEYS: u32 = 1 << 30;
const TOMBSTONE: u32 = MOST_KEYS;
const FAILED: u32 = MOST_KEYS << 1;

impl From<Written> for Packed {
    fn from(written: Written) -> Self {
        let tombstone = TOMBSTONE * u32::from(written.tombstone);
        let failed = FAILED * u32::from(written.has_failed);
        Self {
            op: Some(Index::new(written.op)),
            key_and_flags: written.key | tombstone | failed,
        }
    }
}

/// So much longer gets a list of writes at a time.
const STEP: usize = 512;

impl Dense {
    const NONE: Packed = Packed {
        op: None,
        key_and_flags: 0,
    };

    /// Takes a write up. Gives the one that has the number already, if there is one.
    fn insert(&mut self, at: usize, written: Written) -> Option<OpId> {
        if at >= self.0.len() {
            self.0.resize((at + 1).next_multiple_of(STEP), Self::NONE);
        }
        let before = std::mem::replace(&mut self.0[at], written.into());
        before.op.map(Index::number)
    }

    fn get(&self, at: u64) -> Option<Written> {
        let packed = self.0.get(usize::try_from(at).ok()?)?;
        packed.op.map(|op| Written {
            op: op.number(),
            key: packed.key_and_flags % MOST_KEYS,
            tombstone: packed.key_and_flags & TOMBSTONE != 0,
            has_failed: packed.key_and_flags & FAILED != 0,
        })
    }
}

impl<'h> WriteIndex<'h> {
    /// An index of no writes.
    pub(super) fn of(history: &'h History) -> Self {
        Self {
            history,
            tags: Tags::Dense(Dense::default()),
            values: Values::Dense(Dense::default()),
            limit: if history.keys.len() < MOST_KEYS as usize {
                history.operations.len() as u64 * 4 + 64
            } else {
                0
            },
            shows_tombstones: history.header.tombstones.are_returned(),
        }
    }

    /// Takes up the next write.
    pub(super) fn take(
        &mut self,
        op: OpId,
        operation: &Operation,
        write: &Write,
    ) -> Result<(), HistoryFault> {
        if let Some(tag) = write.value.tag {
            let first = self.take_tag(tag, op, operation, write);
            first.map_or(Ok(()), |first| {
                Err(HistoryFault::TagUsedTwice { op, first, tag })
            })
        } else if is_told_by_value(write, self.shows_tombstones) {
            let first = self.take_value(op, operation, write);
            first.map_or(Ok(()), |first| {
                Err(HistoryFault::ValueUsedTwice { op, first })
            })
        } else {
            Ok(())
        }
    }

    /// Gives the write that has the tag already, if there is one.
    fn take_tag(
        &mut self,
        tag: u64,
        op: OpId,
        operation: &Operation,
        write: &Write,
    ) -> Option<OpId> {
        if let Tags::Dense(dense) = &mut self.tags {
            if let Some(at) = small(tag, self.limit) {
                return dense.insert(at, Written::of(op, operation, write));
            }
            let mut hashed = HashTable::new();
            for (op, _, write) in writes(self.history, op) {
                write.value.tag.and_then(|tag| by_tag(&mut hashed, tag, op));
            }
            self.tags = Tags::Hashed(hashed);
        }
        match &mut self.tags {
            Tags::Dense(_) => None,
            Tags::Hashed(hashed) => by_tag(hashed, tag, op),
        }
    }

    /// Gives the write that has the value already, if there is one.
    fn take_value(&mut self, op: OpId, operation: &Operation, write: &Write) -> Option<OpId> {
        let history = self.history;
        if let Values::Dense(dense) = &mut self.values {
            let value = write.value.data.as_u64();
            if let Some(at) = value.and_then(|value| small(value, self.limit))
                && dense
                    .insert(at, Written::of(op, operation, write))
                    .is_none()
            {
                return None;
            }
            let mut hashed = HashTable::new();
            for (op, key, write) in writes(history, op) {
                if is_told_by_value(write, self.shows_tombstones) {
                    by_value(&mut hashed, history, op, key, write);
                }
            }
            self.values = Values::Hashed(hashed);
        }
        match &mut self.values {
            Values::Dense(_) => None,
            Values::Hashed(hashed) => by_value(hashed, history, op, operation.key, write),
        }
    }

    /// The origin of a sibling that the read `reader` returned, among the writes taken up so far;
    /// `None` when there is none.
    pub(super) fn origin(
        &self,
        reader: OpId,
        read: &Operation,
        sibling: &Sibling,
    ) -> Option<Origin> {
        let found = match sibling.value.tag {
            Some(tag) => self.tagged(tag)?,
            None => self.of_value(read.key, sibling)?,
        };
        let write = found.op;
        Some(if found.key != read.key {
            Origin::ThinAir(ThinAir::OtherKey { write })
        } else if sibling.value.tag.is_some() && !self.wrote(found, sibling) {
            Origin::ThinAir(ThinAir::Altered { write })
        } else if found.has_failed {
            Origin::ThinAir(ThinAir::Failed { write })
        } else if write > reader && self.is_too_late(write, reader, read) {
            Origin::ThinAir(ThinAir::NotYetWritten { write })
        } else {
            Origin::Write(write)
        })
    }

    fn tagged(&self, tag: u64) -> Option<Written> {
        match &self.tags {
            Tags::Dense(dense) => dense.get(tag),
            Tags::Hashed(hashed) => {
                let found = hashed.find(hash_tag(tag), |(other, _)| *other == tag);
                self.written(found?.1)
            }
        }
    }

    fn of_value(&self, key: u32, sibling: &Sibling) -> Option<Written> {
        let data = &sibling.value.data;
        match &self.values {
            Values::Dense(dense) => {
                let found = dense.get(data.as_u64()?)?;
                (found.key == key && found.tombstone == sibling.tombstone).then_some(found)
            }
            Values::Hashed(hashed) => {
                let same = |op: &OpId| is_of(self.history, *op, key, sibling.tombstone, data);
                let found = hashed.find(hash_value(key, sibling.tombstone, data), same);
                self.written(*found?)
            }
        }
    }

    fn written(&self, op: OpId) -> Option<Written> {
        let (operation, write) = written(self.history, op)?;
        Some(Written::of(op, operation, write))
    }

    /// True when just what `sibling` shows was written. A tombstone has no value to compare.
    fn wrote(&self, found: Written, sibling: &Sibling) -> bool {
        let is_same = || {
            let written = written(self.history, found.op);
            written.is_some_and(|(_, write)| write.value.data == sibling.value.data)
        };
        found.tombstone == sibling.tombstone && (found.tombstone || is_same())
    }

    /// True when a write was invoked only after an earlier read was over: at one moment, if its
    /// client or its context had the read's answer.
    fn is_too_late(&self, write: OpId, reader: OpId, read: &Operation) -> bool {
        let operation = &self.history.operations[write as usize];
        let had = || {
            let context = match &operation.action {
                Action::Write(write) => &write.sources[..],
                Action::Read(_) => &[],
            };
            operation.client == read.client || context.contains(&reader)
        };
        read.completed < Some(operation.invoked)
            || read.completed == Some(operation.invoked) && had()
    }
}

/// A small number as a place.
fn small(number: u64, limit: u64) -> Option<usize> {
    let small = Some(number).filter(|number| *number < limit)?;
    usize::try_from(small).ok()
}

/// Takes a write up. Gives the one that has the tag already, if there is one.
fn by_tag(hashed: &mut HashTable<(u64, OpId)>, tag: u64, op: OpId) -> Option<OpId> {
    let same = |(other, _): &(u64, OpId)| *other == tag;
    match hashed.entry(hash_tag(tag), same, |(tag, _)| hash_tag(*tag)) {
        Entry::Occupied(first) => Some(first.get().1),
        Entry::Vacant(free) => {
            free.insert((tag, op));
            None
        }
    }
}

/// Takes a write up. Gives the one that has the value already, if there is one.
fn by_value(
    hashed: &mut HashTable<OpId>,
    history: &History,
    op: OpId,
    key: u32,
    write: &Write,
) -> Option<OpId> {
    let data = &write.value.data;
    let same = |op: &OpId| is_of(history, *op, key, write.tombstone, data);
    let hash = |op: &OpId| {
        written(history, *op).map_or(0, |(op, write)| {
            hash_value(op.key, write.tombstone, &write.value.data)
        })
    };
    match hashed.entry(hash_value(key, write.tombstone, data), same, hash) {
        Entry::Occupied(first) => Some(*first.get()),
        Entry::Vacant(free) => {
            free.insert(op);
            None
        }
    }
}

/// True for a write without a tag that reads show.
fn is_told_by_value(write: &Write, shows_tombstones: bool) -> bool {
    write.value.tag.is_none() && (!write.tombstone || shows_tombstones)
}

/// The writes before an operation.
fn writes(history: &History, before: OpId) -> impl Iterator<Item = (OpId, u32, &Write)> {
    (0..before)
        .zip(&history.operations)
        .filter_map(|(id, op)| match &op.action {
            Action::Write(write) => Some((id, op.key, &**write)),
            Action::Read(_) => None,
        })
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

fn hash_tag(tag: u64) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u64(tag);
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

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use crate::{
        format::read_history,
        history::History,
        provenance::{HistoryFault, Origin, Provenance},
        verdict::ThinAir,
    };

    /// One operation after the other, all of one key.
    fn history(operations: &[Json]) -> History {
        let header = json!({"sibcheck_history": 1, "origin": "test", "tombstones": "shown", "operations": operations.len()});
        let mut text = header.to_string();
        for (at, asked) in operations.iter().enumerate() {
            let mut line = json!({
                "op": at, "client": "c1", "node": "n1", "key": "x", "status": "ok",
                "invoked_ns": 10 * at, "completed_ns": 10 * at + 5,
            });
            for (field, value) in asked.as_object().unwrap() {
                line[field] = value.clone();
            }
            text = format!("{text}\n{line}");
        }
        read_history(text.as_bytes()).unwrap()
    }

    fn write(value: impl Into<Json>, tag: Option<u64>) -> Json {
        let value = value.into();
        match tag {
            Some(tag) => json!({"write": {"value": value, "tag": tag}}),
            None => json!({"write": {"value": value}}),
        }
    }

    /// Writes before and after a read of all of them, and what came of the read.
    fn origins(before: &[Json], after: &[Json]) -> Vec<Origin> {
        let written = before.iter().chain(after);
        let siblings: Vec<_> = written.map(|op| op["write"].clone()).collect();
        let read = json!({"read": {"siblings": siblings}});
        let history = history(&[before, &[read], after].concat());
        let provenance = Provenance::of(&history).unwrap();
        let read = u32::try_from(before.len()).unwrap();
        provenance.origins(read).to_vec()
    }

    #[test]
    fn every_kind_of_value_tells_its_write() {
        let numbers = [write(1, None), write(7, None)];
        let texts = [write("a", None), write("b", None)];
        let large = [write(u64::MAX, None), write(-1, None)];
        let tagged = [write("a", Some(3)), write("a", Some(4))];
        let tagged_large = [write(0, Some(u64::MAX)), write(0, Some(1 << 40))];
        let kinds = [numbers, texts, large, tagged, tagged_large];
        for (one, other) in kinds
            .iter()
            .flat_map(|one| kinds.iter().map(move |other| (one, other)))
        {
            if one == other {
                continue;
            }
            let told = origins(&[&one[..], &other[..1]].concat(), &other[1..]);
            let late = ThinAir::NotYetWritten { write: 4 };
            let expected = [
                Origin::Write(0),
                Origin::Write(1),
                Origin::Write(2),
                Origin::ThinAir(late),
            ];
            assert_eq!(told, expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn what_is_used_twice_is_refused_whatever_comes_between() {
        let fault = |operations: &[Json]| {
            Provenance::of(&history(operations))
                .map(|_| ())
                .unwrap_err()
        };
        for between in [json!(2), json!("a"), json!(u64::MAX)] {
            let again = || write(1, None);
            assert_eq!(
                fault(&[again(), write(between, None), again()]),
                HistoryFault::ValueUsedTwice { op: 2, first: 0 }
            );
        }
        for between in [2, u64::MAX] {
            let again = |value: &str| write(value, Some(1));
            assert_eq!(
                fault(&[again("a"), write("c", Some(between)), again("b")]),
                HistoryFault::TagUsedTwice {
                    op: 2,
                    first: 0,
                    tag: 1
                }
            );
        }
    }
}
