//! What happened before each operation of a key, as sets: for what no quicker proof settles.

use super::Delta;
use crate::{
    causality::{KeyView, Node},
    happens_before::HappensBefore,
    write_set::WriteSet,
};

/// The writes of the key that happened before each of its operations.
pub(super) struct Pasts {
    of_writes: Vec<WriteSet>,
    of_reads: Vec<WriteSet>,
}

impl Pasts {
    pub(super) fn of(view: &KeyView<'_>, before: &HappensBefore) -> Self {
        let mut pasts = Self {
            of_writes: vec![WriteSet::EMPTY; view.writes.len()],
            of_reads: vec![WriteSet::EMPTY; view.reads.len()],
        };
        let mut known: Vec<WriteSet> = Vec::new();
        for (_, record) in view.records() {
            let session = record.session as usize;
            if session >= known.len() {
                known.resize(session + 1, WriteSet::EMPTY);
            }
            let past = &mut known[session];
            let delta = Delta::of(view, before, record);
            if let Some(write) = delta.as_known_at {
                past.union_with(&pasts.of_writes[write]);
                past.insert(write);
            }
            for write in delta.writes() {
                past.insert(write);
            }
            match view.node_of(record) {
                Some(Node::Write(number, _)) => pasts.of_writes[number] = past.clone(),
                Some(Node::Read(number, _)) => pasts.of_reads[number] = past.clone(),
                None => {}
            }
        }
        pasts
    }

    pub(super) fn of_write(&self, number: usize) -> &WriteSet {
        &self.of_writes[number]
    }

    pub(super) fn of_read(&self, number: usize) -> &WriteSet {
        &self.of_reads[number]
    }
}
