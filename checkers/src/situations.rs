//! Interesting situations: how often a history got into the corners where stores go wrong.
//!
//! A campaign that is Valid without having met concurrent writes says nothing. These counts stand
//! beside every verdict, so that a reader can see what was exercised. They are counted from
//! provenance, as the checks are. O(writes × siblings) a key, plus a few set operations a write.

use hashbrown::HashTable;

use crate::{
    causality::{KeyView, Node, WriteView},
    history::{Status, Value},
    object_model::ObjectModel,
    provenance::{hash_of, same_value},
    write_set::WriteSet,
};

macro_rules! situations {
    ($($variant:ident, $name:literal;)*) => {
        /// A situation worth counting.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Situation {
            $(#[doc = $name] $variant,)*
        }

        impl Situation {
            /// Every situation, in the order of reports.
            pub const ALL: [Self; [$(Self::$variant),*].len()] = [$(Self::$variant),*];

            /// What it is called in reports.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

situations! {
    ConcurrentWrites, "writes with a concurrent write of the key";
    OneCoordinator, "concurrent writes through one coordinator";
    TwoSiblings, "reads of two siblings";
    ManySiblings, "reads of three or more siblings";
    BlindAgain, "blind writes by a client that wrote the key before";
    StaleContext, "writes with a stale context";
    Merge, "writes in place of several siblings";
    JoinedContexts, "writes with the contexts of two answers joined";
    OwnWrite, "writes with the context of the client's own write";
    EqualValues, "equal values written by different clients";
    Deletes, "deletes";
    Recreated, "writes over a tombstone";
    UnknownOutcome, "writes with an unknown outcome";
    UnknownSeen, "writes with an unknown outcome that a read returned";
}

/// A write is compared with at most this many concurrent ones when a situation needs one of a kind.
pub(crate) const MOST_COMPARED: usize = 64;

/// How often each situation arose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Situations([u64; Situation::ALL.len()]);

impl Situations {
    /// How often `situation` arose.
    pub const fn count(&self, situation: Situation) -> u64 {
        self.0[situation as usize]
    }

    /// Every situation with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Situation, u64)> + '_ {
        Situation::ALL
            .into_iter()
            .map(|situation| (situation, self.count(situation)))
    }

    /// Adds the counts of another history.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.0.iter_mut().zip(&other.0) {
            *sum += count;
        }
    }

    pub(crate) fn note(&mut self, situation: Situation, arose: bool) {
        self.count_up(situation, u64::from(arose));
    }

    pub(crate) fn count_up(&mut self, situation: Situation, times: u64) {
        self.0[situation as usize] += times;
    }

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
        self.note(Situation::ConcurrentWrites, concurrent().next().is_some());
        self.note(Situation::OneCoordinator, at_its_node);
        let sources = write.sources;
        if sources.is_empty() {
            let again = write.previous().is_some();
            self.note(Situation::BlindAgain, again);
        } else {
            let stale = match view.previous(write.id).and_then(|op| view.node(op)) {
                Some(Node::Read(_, read)) => !read.visible_must.is_subset(&write.covers_must),
                Some(Node::Write(own, _)) => !write.covers_must.contains(own),
                None => false,
            };
            self.note(Situation::StaleContext, stale);
        }
        let merges = sources.iter().any(|source| match view.node(*source) {
            Some(Node::Read(_, read)) => read.returned.len() > 1,
            _ => false,
        });
        self.note(Situation::Merge, merges);
        self.note(Situation::JoinedContexts, sources.len() > 1);
        let own = sources
            .iter()
            .any(|source| matches!(view.node(*source), Some(Node::Write(..))));
        self.note(Situation::OwnWrite, own);
        let over_tombstone = !write.tombstone && write.covers_must.intersects(tombstones);
        self.note(Situation::Recreated, over_tombstone);
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
