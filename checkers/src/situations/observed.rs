//! The situations of one key, counted from provenance, as the checks are. O(writes × siblings), plus a
//! few set operations a write.

use hashbrown::HashTable;

use super::{Corners, MOST_COMPARED, Situation, Situations};
use crate::{
    causality::{KeyView, Node, WriteView},
    history::{Status, Value},
    object_model::ObjectModel,
    provenance::{hash_of, same_value},
    write_set::WriteSet,
};

impl Situations {
    /// Counts the situations of one key.
    pub(crate) fn observe(&mut self, view: &KeyView<'_>) {
        for read in view.sound_reads() {
            let siblings = read.returned.len();
            self.note(Situation::TwoSiblings, siblings == 2);
            self.note(Situation::ManySiblings, siblings > 2);
        }
        let mut seen = vec![false; view.writes.len()];
        for write in view.sound_reads().flat_map(|read| read.returned.iter()) {
            seen[write] = true;
        }
        // Without contexts nothing is known about which writes are concurrent, stale or merged.
        let has_contexts = view.model() == ObjectModel::Context;
        let tombstones: WriteSet = (0..view.writes.len())
            .filter(|write| view.writes[*write].tombstone)
            .collect();
        self.observe_values(view);
        for (slot, write) in view.writes.iter().enumerate() {
            if has_contexts {
                self.observe_context(view, slot, write, &tombstones);
            }
            self.note(Situation::Deletes, write.tombstone);
            let unknown = write.status == Status::Info;
            self.note(Situation::UnknownSeen, unknown && seen[slot]);
        }
    }

    /// Counts the writes of values that another client had written. Without tags there are none.
    fn observe_values(&mut self, view: &KeyView<'_>) {
        let written = || view.writes.iter().filter(|write| !write.tombstone);
        if written().all(|write| write.write().value.tag.is_none()) {
            return;
        }
        let mut values = Values::default();
        for write in written() {
            let equal = values.is_of_another(&write.write().value, write.client);
            self.note(Situation::EqualValues, equal);
        }
    }

    /// Counts what provenance tells of one write.
    fn observe_context(
        &mut self,
        view: &KeyView<'_>,
        slot: usize,
        write: &WriteView<'_>,
        tombstones: &WriteSet,
    ) {
        // An earlier write never covers a later one, so what is not covered is concurrent.
        let concurrent = || write.covers_must.missing(slot).take(MOST_COMPARED);
        let at_its_node = concurrent().any(|other| view.writes[other].node == write.node);
        let sources = || write.sources.iter().filter_map(|source| view.node(*source));
        let is_blind = write.sources.is_empty();
        let is_stale = match view.previous(write.id).and_then(|op| view.node(op)) {
            _ if is_blind => false,
            Some(Node::Read(_, read)) => !read.visible_must.is_subset(&write.covers_must),
            Some(Node::Write(own, _)) => !write.covers_must.contains(own),
            None => false,
        };
        let merges = |source| matches!(source, Node::Read(_, read) if read.returned.len() > 1);
        self.note_write(Corners {
            is_concurrent: concurrent().next().is_some(),
            at_one_node: at_its_node,
            is_blind_again: is_blind && write.previous().is_some(),
            is_stale,
            merges: sources().any(merges),
            joins: write.sources.len() > 1,
            follows_own: sources().any(|source| source.is_write()),
            recreates: !write.tombstone && write.covers_must.intersects(tombstones),
        });
    }
}

/// Values, and who wrote each first.
#[derive(Default)]
pub(crate) struct Values<'h>(HashTable<(&'h Value, u32)>);

impl<'h> Values<'h> {
    /// Takes up a written value: true when another client had written it.
    pub(crate) fn is_of_another(&mut self, value: &'h Value, client: u32) -> bool {
        let same = |first: &(&Value, u32)| same_value(&first.0.data, &value.data);
        let hash = |first: &(&Value, u32)| hash_of(&first.0.data);
        let first = self.0.entry(hash_of(&value.data), same, hash);
        let (_, writer) = *first.or_insert((value, client)).get();
        writer != client
    }
}
