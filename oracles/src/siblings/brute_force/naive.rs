//! One key: what its operations are, looked up by comparing everything with everything.

use super::{Relation, Set};
use sibcheck_checkers::{
    history::{Action, History, Operation, Read, Sibling, Status, Tombstones, Version, Write},
    object_model::ObjectModel,
};

/// One key, with causality as matrices over all operations of the history.
pub(super) struct Naive<'h> {
    pub(super) history: &'h History,
    /// Operations of the key.
    pub(super) ids: Set,
    /// Writes that may have been applied.
    pub(super) applied: Set,
    /// Those that certainly were.
    pub(super) acknowledged: Set,
    /// Reads that were answered.
    pub(super) answered: Set,
    /// Those whose answer can be told apart: no thin air, no duplicate.
    pub(super) sound: Set,
    /// Final ones among them.
    pub(super) finals: Set,
    /// The write of each sibling of a read, where one explains it.
    pub(super) origins: Vec<Vec<Option<usize>>>,
    /// These writes together.
    pub(super) returned: Vec<Set>,
    /// The version of each write: as acknowledged, else as first returned.
    pub(super) versions: Vec<Option<&'h Version>>,
    /// `must[a]` holds `b`: `b` is in `Covers(a)` of a write, or in `V(a)` of a read.
    pub(super) must: Relation,
    pub(super) may: Relation,
    /// `may` without writes that take effect late.
    pub(super) in_order: Relation,
    /// `may` as far as time alone tells, where provenance says nothing.
    pub(super) in_time: Relation,
}

impl<'h> Naive<'h> {
    pub(super) fn new(history: &'h History, key: u32) -> Self {
        let size = history.operations.len();
        let empty = vec![Set::default(); size];
        let mut naive = Self {
            history,
            ids: (0..size)
                .filter(|id| history.operations[*id].key == key)
                .collect(),
            applied: Set::default(),
            acknowledged: Set::default(),
            answered: Set::default(),
            sound: Set::default(),
            finals: Set::default(),
            origins: vec![Vec::new(); size],
            returned: empty.clone(),
            versions: vec![None; size],
            must: empty.clone(),
            may: empty.clone(),
            in_order: empty.clone(),
            in_time: empty,
        };
        naive.look_up();
        if naive.is_replica() {
            naive.relate_replicas();
        } else {
            naive.relate();
        }
        naive
    }

    /// What needs no causality.
    fn look_up(&mut self) {
        let is_ok = |id: usize| self.history.operations[id].status == Status::Ok;
        let has_failed = |id: usize| self.history.operations[id].status == Status::Fail;
        let writes = self.ids.that(|id| self.write(id).is_some());
        let reads = self.ids.without(writes);
        self.applied = writes.that(|id| !has_failed(id));
        self.acknowledged = writes.that(is_ok);
        self.answered = reads.that(is_ok);
        for read in reads {
            let siblings = self.siblings(read).iter();
            self.origins[read] = siblings.map(|s| self.origin(read, s)).collect();
            self.returned[read] = self.origins[read].iter().flatten().copied().collect();
        }
        let sound = |read| self.no_thin_air(read) && self.no_duplicate(read);
        self.sound = self.answered.that(sound);
        let last = |id| self.read(id).is_some_and(|read| read.last);
        self.finals = self.sound.that(last);
        for write in self.applied {
            self.versions[write] = self.version(write);
        }
    }

    pub(super) fn is_replica(&self) -> bool {
        self.history.header.model == ObjectModel::Replica
    }

    pub(super) fn op(&self, id: usize) -> &'h Operation {
        &self.history.operations[id]
    }

    pub(super) fn write(&self, id: usize) -> Option<&'h Write> {
        match &self.op(id).action {
            Action::Write(write) => Some(write),
            Action::Read(_) => None,
        }
    }

    pub(super) fn read(&self, id: usize) -> Option<&'h Read> {
        match &self.op(id).action {
            Action::Read(read) => Some(read),
            Action::Write(_) => None,
        }
    }

    pub(super) fn sources(&self, id: usize) -> impl Iterator<Item = usize> + use<'h> {
        let sources = self.write(id).map_or(&[][..], |write| &write.sources);
        sources.iter().map(|source| *source as usize)
    }

    pub(super) fn siblings(&self, read: usize) -> &'h [Sibling] {
        self.read(read).map_or(&[], |read| &read.siblings)
    }

    /// Whether a write is a delete whose tombstone a read may leave out.
    pub(super) fn hides(&self, id: usize) -> bool {
        let leaves_out = match self.history.header.tombstones {
            Tombstones::Shown => false,
            Tombstones::Hidden | Tombstones::Reaped => true,
        };
        leaves_out && self.write(id).is_some_and(|write| write.tombstone)
    }

    /// Whether a write was invoked after its client, or its context, had the answer of a read.
    pub(super) fn had(&self, read: usize, write: usize) -> bool {
        self.precedes(read, write) || self.sources(write).any(|source| source == read)
    }

    /// The write of a sibling, where one explains it.
    fn origin(&self, read: usize, sibling: &Sibling) -> Option<usize> {
        let wrote = |id: &usize| {
            let Some(write) = self.write(*id) else {
                return false;
            };
            let same_name = match sibling.value.tag {
                Some(tag) => write.value.tag == Some(tag),
                None => write.value.tag.is_none(),
            };
            same_name
                && write.tombstone == sibling.tombstone
                && (write.tombstone || write.value.data == sibling.value.data)
                && Some(self.op(*id).invoked) <= self.op(read).completed
                && !self.had(read, *id)
        };
        self.applied.into_iter().find(wrote)
    }

    pub(super) fn no_thin_air(&self, read: usize) -> bool {
        self.origins[read].iter().all(Option::is_some)
    }

    pub(super) fn no_duplicate(&self, read: usize) -> bool {
        let (siblings, origins) = (self.siblings(read), &self.origins[read]);
        (0..siblings.len()).all(|a| {
            (0..a).all(|b| {
                let same = siblings[a].value == siblings[b].value;
                let same_write = origins[a].is_some() && origins[a] == origins[b];
                !same_write && (!same || siblings[a].tombstone != siblings[b].tombstone)
            })
        })
    }

    fn version(&self, write: usize) -> Option<&'h Version> {
        self.write(write)?.version.as_ref().or_else(|| {
            self.answered.into_iter().find_map(|read| {
                let siblings = self.siblings(read).iter().zip(&self.origins[read]);
                let mut shown = siblings.filter(|(_, origin)| **origin == Some(write));
                shown.find_map(|(sibling, _)| sibling.version.as_ref())
            })
        })
    }

    /// Whether one operation was over before another began.
    pub(super) fn precedes(&self, a: usize, b: usize) -> bool {
        let (first, second) = (self.op(a), self.op(b));
        let completed = first.completed.filter(|_| first.status != Status::Info);
        completed.is_some_and(|completed| {
            completed < second.invoked
                || completed == second.invoked && a < b && first.client == second.client
        })
    }
}
