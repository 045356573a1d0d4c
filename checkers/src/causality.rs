//! Causality: provenance → causal order → visible sets, for one key (docs/semantics.md, "The object"
//! and "What a read saw").
//!
//! The ground truth is where each context came from, never the clock inside it. With `Past(p)` for
//! what an answer `p` revealed,
//!
//! - `Past(read) = V(read)`, the downward closure of the returned siblings,
//! - `Past(acknowledgement of w0) = {w0} ∪ Covers(w0)`,
//! - `Covers(w)` is the union of `Past(p)` over the sources of `w`'s context.
//!
//! Two readings are kept: `must` is the order above. `may` adds, closed transitively, that each
//! write follows its client's earlier writes of the key, and that an earlier write that may have
//! taken effect after a later one follows that (`late_writes.rs`): with
//! `Early(w)` the union of `Past(p)` over `w`'s sources and of `{e} ∪ Early(e)` over its client's
//! earlier writes `e`, `Covers_may(w)` is `Early(w)` and, for every later `l` that `w` is open at,
//! `{l} ∪ Early(l)`. A read holds only what was invoked before it completed.
//!
//! Where reads may leave tombstones out (hidden, or reaped), the `may` reading also holds every delete
//! that a read may have left out: one that no returned sibling is superseded by. And since a replica that holds `d` does
//! not return what `d` must supersede, no read holds a `d` that must supersede a sibling that it
//! returned, whatever might explain that `d` is missing.
//!
//! Requirements are tested against `may`, prohibitions against `must`. Checks are therefore
//! complete under `must` and sound under `may`: what only `d` would bring into a read stays in its
//! `may` set, and each read may be explained in its own way.
//!
//! In the replica model provenance says nothing, and time decides (`causality/replica.rs`).
//!
//! All sets are computed in one sweep by time (`causality/settling.rs`).

mod late_writes;
mod replica;
mod settling;
mod siblings;

use std::{ops::Range, sync::OnceLock};

use crate::{
    history::{
        Action, History, NOT_A_READ, NOT_A_WRITE, OpId, Operation, Read, Status, TimeNs, Write,
    },
    index::number,
    object_model::ObjectModel,
    provenance::{Kind, OpRecord, Origin, Provenance},
    write_set::WriteSet,
};

use late_writes::LateWrites;
use settling::Event;
pub(crate) use siblings::Returned;
use siblings::Siblings;

/// A write that may have been applied.
pub(crate) struct WriteView<'h> {
    pub(crate) id: OpId,
    /// As it was recorded: far away in memory, for what is asked seldom.
    pub(crate) op: &'h Operation,
    pub(crate) client: u32,
    pub(crate) node: u32,
    pub(crate) status: Status,
    pub(crate) tombstone: bool,
    pub(crate) invoked: TimeNs,
    pub(crate) completed: Option<TimeNs>,
    /// The operations whose answers its context was made of.
    pub(crate) sources: &'h [OpId],
    /// The same client's write before.
    previous: Option<u32>,
    /// What a correct store has to treat as superseded by it.
    pub(crate) covers_must: WriteSet,
    /// What a correct store may treat as superseded by it.
    pub(crate) covers_may: WriteSet,
    /// Where its [edges](KeyView::edges) are.
    edges: Range<u32>,
    /// The first write that must supersede it.
    first_above: Option<u32>,
    settled: bool,
}

impl WriteView<'_> {
    pub(crate) fn acknowledged(&self) -> bool {
        self.status == Status::Ok
    }

    /// The same client's write before.
    pub(crate) fn previous(&self) -> Option<usize> {
        self.previous.map(|write| write as usize)
    }
}

impl<'h> WriteView<'h> {
    /// What was written, as it was recorded.
    pub(crate) fn write(&self) -> &'h Write {
        match &self.op.action {
            Action::Write(write) => write,
            Action::Read(_) => &NOT_A_WRITE,
        }
    }
}

/// A read that was answered.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something else of the read"
)]
pub(crate) struct ReadView<'h> {
    pub(crate) id: OpId,
    /// As it was recorded: far away in memory, for what is asked seldom.
    pub(crate) op: &'h Operation,
    pub(crate) client: u32,
    pub(crate) node: u32,
    pub(crate) invoked: TimeNs,
    pub(crate) completed: TimeNs,
    /// Made after all faults healed and the cluster settled.
    pub(crate) last: bool,
    /// The writes of the siblings, in the order of the answer; `None` out of thin air.
    pub(crate) siblings: Siblings,
    /// The writes of the siblings.
    pub(crate) returned: Returned,
    /// What the answering replica certainly held.
    pub(crate) visible_must: WriteSet,
    /// What the answering replica may have held.
    pub(crate) visible_may: WriteSet,
    /// What would be in `visible_may`, did it not have to supersede a returned sibling.
    pub(crate) refuted: WriteSet,
    /// False when `visible_may` rests on a late write of a client.
    pub(crate) in_order: bool,
    /// Nothing out of thin air, nothing twice. Other invariants leave other reads out.
    pub(crate) sound: bool,
    settled: bool,
}

impl<'h> ReadView<'h> {
    /// What was answered, as it was recorded.
    pub(crate) fn read(&self) -> &'h Read {
        match &self.op.action {
            Action::Read(read) => read,
            Action::Write(_) => &NOT_A_READ,
        }
    }
}

/// One key of a history: its writes and reads, each in the order of invocation, and their
/// causality.
pub(crate) struct KeyView<'h> {
    pub(crate) key: u32,
    pub(crate) writes: Vec<WriteView<'h>>,
    pub(crate) reads: Vec<ReadView<'h>>,
    provenance: &'h Provenance<'h>,
    edges: Vec<Edge>,
    /// Deletes whose tombstones reads may leave out.
    hidden: Vec<usize>,
    late: LateWrites,
    returned_by: OnceLock<ReturnedBy>,
}

/// The sound reads that returned each write, in the order of their invocation.
struct ReturnedBy {
    starts: Vec<u32>,
    reads: Vec<u32>,
}

/// A write that another one directly covers, and the answer through which its client knew of it.
#[derive(Clone, Copy)]
pub(crate) struct Edge {
    lower: u32,
    pub(crate) source: OpId,
}

impl Edge {
    /// The number of the covered write.
    pub(crate) fn lower(self) -> usize {
        self.lower as usize
    }
}

impl<'h> KeyView<'h> {
    pub(crate) fn new(provenance: &'h Provenance<'h>, key: u32) -> Self {
        let operations = provenance.of_key(key);
        let mut view = Self {
            key,
            writes: Vec::with_capacity(operations.len()),
            reads: Vec::with_capacity(operations.len()),
            provenance,
            edges: Vec::with_capacity(operations.len()),
            hidden: Vec::new(),
            late: LateWrites::default(),
            returned_by: OnceLock::new(),
        };
        let mut events = Vec::with_capacity(operations.len());
        for (id, record) in operations {
            let (time, is_read) = match record.kind {
                Kind::Nothing => continue,
                Kind::Write => {
                    view.push_write(id, record);
                    (record.invoked, false)
                }
                Kind::Read => {
                    view.push_read(id, record);
                    (record.over, true)
                }
            };
            events.push(Event {
                time,
                op: id,
                slot: record.slot,
                is_read,
            });
        }
        if view.model() == ObjectModel::Replica {
            view.settle_as_replica();
            return view;
        }
        events.sort_unstable();
        for instant in events.chunk_by(|a, b| a.time == b.time) {
            view.settle_instant(instant);
        }
        let late = LateWrites::of(&view);
        view.late = late;
        if !view.late.is_empty() {
            view.let_late_writes_supersede(&events);
        }
        view
    }

    pub(crate) fn history(&self) -> &'h History {
        self.provenance.history
    }

    /// What a write supersedes.
    pub(crate) fn model(&self) -> ObjectModel {
        self.history().header.model
    }

    pub(crate) fn operation(&self, id: OpId) -> &'h Operation {
        &self.provenance.history.operations[id as usize]
    }

    pub(crate) fn provenance(&self) -> &'h Provenance<'h> {
        self.provenance
    }

    /// The operations of the key that can matter, in the order of invocation, with what is asked
    /// most of them.
    pub(crate) fn records(&self) -> impl Iterator<Item = (OpId, &'h OpRecord)> + use<'h> {
        let all = self.provenance.of_key(self.key);
        all.filter(|(_, record)| record.kind != Kind::Nothing)
    }

    /// What an operation was, by what is asked most of it.
    pub(crate) fn node_of(&self, record: &OpRecord) -> Option<Node<'_, 'h>> {
        let slot = record.slot as usize;
        match record.kind {
            Kind::Write => Some(Node::Write(slot, &self.writes[slot])),
            Kind::Read => Some(Node::Read(slot, &self.reads[slot])),
            Kind::Nothing => None,
        }
    }

    /// The origins of a read's siblings, in the order of its answer.
    pub(crate) fn origins(&self, read: &ReadView<'_>) -> &'h [Origin] {
        self.provenance.origins(read.id)
    }

    /// Reads without thin air or duplicates.
    pub(crate) fn sound_reads(&self) -> impl Iterator<Item = &ReadView<'h>> {
        self.reads.iter().filter(|read| read.sound)
    }

    /// The writes that a write directly covers, in the order of its sources and their answers.
    pub(crate) fn edges(&self, write: usize) -> &[Edge] {
        let Range { start, end } = self.writes[write].edges;
        &self.edges[start as usize..end as usize]
    }

    /// The sound reads that returned a write, in the order of their invocation.
    pub(crate) fn returned_by(&self, write: usize) -> impl Iterator<Item = &ReadView<'h>> {
        let all = self.returned_by.get_or_init(|| ReturnedBy::of(self));
        let reads = all.starts[write] as usize..all.starts[write + 1] as usize;
        all.reads[reads]
            .iter()
            .map(|read| &self.reads[*read as usize])
    }

    /// Sound reads made after all faults healed and the cluster settled.
    pub(crate) fn final_reads(&self) -> impl Iterator<Item = &ReadView<'h>> {
        self.sound_reads().filter(|read| read.last)
    }

    /// The siblings that others of their answer may have to supersede. Whatever supersedes a write was
    /// invoked no sooner than the first that does so directly, which rules out nearly all.
    pub(crate) fn may_be_superseded(&self, returned: &Returned) -> Vec<usize> {
        let last = returned
            .iter()
            .map(|write| self.writes[write].invoked)
            .max();
        let by_then = |write: &usize| {
            let above = self.writes[*write].first_above;
            above.is_some_and(|above| Some(self.writes[above as usize].invoked) <= last)
        };
        returned.iter().filter(by_then).collect()
    }

    /// True when reads of this key may hide deletes.
    pub(crate) fn hides_deletes(&self) -> bool {
        !self.hidden.is_empty()
    }

    /// True for a delete that reads may hide.
    pub(crate) fn hides(&self, write: usize) -> bool {
        self.hidden.binary_search(&write).is_ok()
    }

    /// What an operation of this key was: a write that may have been applied, or an answered read.
    pub(crate) fn node(&self, op: OpId) -> Option<Node<'_, 'h>> {
        let slot = self.provenance.slot(op)?;
        Some(if self.provenance.is_write(op) {
            Node::Write(slot, &self.writes[slot])
        } else {
            Node::Read(slot, &self.reads[slot])
        })
    }

    /// The same client's operation before this one on this key, among those that can matter.
    pub(crate) fn previous(&self, op: OpId) -> Option<OpId> {
        self.provenance.previous(op)
    }

    /// True when `a` certainly was over before `b` was invoked: see [`OpRecord::precedes`].
    pub(crate) fn precedes(&self, a: OpId, b: OpId) -> bool {
        self.provenance.precedes(a, b)
    }

    /// The operations of the writes that a read returned.
    pub(crate) fn ids<'a>(&'a self, returned: &'a Returned) -> impl Iterator<Item = OpId> + 'a {
        returned.iter().map(|write| self.writes[write].id)
    }

    /// True when some write may take effect after a later one of its client.
    pub(crate) fn has_late_writes(&self) -> bool {
        !self.late.is_empty()
    }

    /// True when some client wrote again before it knew that its earlier write was over.
    pub(crate) fn has_open_writes(&self) -> bool {
        self.late.has_open()
    }

    /// The shortest proof that `upper` must supersede `lower`, which has to be so: both writes and
    /// every answer and write between them through which `upper`'s client knew of `lower`.
    pub(crate) fn proof(&self, lower: usize, upper: usize) -> Vec<OpId> {
        let mut reached_from: Vec<Option<(usize, OpId)>> = vec![None; self.writes.len()];
        let mut queue = std::collections::VecDeque::from([upper]);
        while let Some(above) = queue.pop_front() {
            if above == lower {
                break;
            }
            for &source in self.writes[above].sources {
                let mut step = |below: usize| {
                    let leads = below == lower || self.writes[below].covers_must.contains(lower);
                    if leads && below != upper && reached_from[below].is_none() {
                        reached_from[below] = Some((above, source));
                        queue.push_back(below);
                    }
                };
                match self.node(source) {
                    Some(Node::Write(write, _)) => step(write),
                    Some(Node::Read(_, read)) => {
                        read.siblings.writes().for_each(step);
                    }
                    None => {}
                }
            }
        }
        let mut proof = vec![self.writes[upper].id, self.writes[lower].id];
        let mut at = lower;
        while let Some((above, source)) = reached_from[at] {
            proof.extend([source, self.writes[above].id]);
            at = above;
        }
        proof
    }

    fn push_write(&mut self, id: OpId, record: &'h OpRecord) {
        if record.is_special && self.history().header.tombstones.may_be_left_out() {
            self.hidden.push(self.writes.len());
        }
        let op = self.operation(id);
        let previous = record.previous_write();
        self.writes.push(WriteView {
            id,
            op,
            client: record.client,
            node: record.node,
            status: record.status,
            tombstone: record.is_special,
            invoked: record.invoked,
            completed: match record.status {
                Status::Info => op.completed,
                _ => Some(record.over),
            },
            sources: self.provenance.sources_of(record),
            previous: previous.and_then(|op| self.provenance.slot(op).map(number)),
            covers_must: WriteSet::EMPTY,
            covers_may: WriteSet::EMPTY,
            edges: 0..0,
            first_above: None,
            settled: false,
        });
    }

    fn push_read(&mut self, id: OpId, record: &OpRecord) {
        let slot = |origin: &Origin| match origin {
            Origin::Write(write) => self.provenance.slot(*write).map(number),
            Origin::ThinAir(_) => None,
        };
        self.reads.push(ReadView {
            id,
            op: self.operation(id),
            client: record.client,
            node: record.node,
            invoked: record.invoked,
            completed: record.over,
            last: record.is_special,
            siblings: Siblings::of(self.provenance.origins_of(record).iter().map(slot)),
            returned: Returned::NOTHING,
            visible_must: WriteSet::EMPTY,
            visible_may: WriteSet::EMPTY,
            refuted: WriteSet::EMPTY,
            in_order: true,
            sound: true,
            settled: false,
        });
    }

    /// Whether it is open if a read that belongs into any order of the operations saw some delete: it
    /// may have left that out, nothing that it returned may supersede it, and it was not acknowledged
    /// before the read began. (Late writes may supersede too much to tell.) In the replica model an empty
    /// answer that may leave one out has many explanations. O(reads · deletes · siblings).
    pub(crate) fn leaves_deletes_open(&self) -> bool {
        let is_open = |read: &ReadView<'_>, delete: usize| match self.model() {
            ObjectModel::Replica => read.returned.len() == 0,
            ObjectModel::Context => {
                let superseded = |by: usize| self.writes[by].covers_may.contains(delete);
                let superseded = |by| self.late.is_empty() && superseded(by);
                read.visible_may.contains(delete)
                    && !read.visible_must.contains(delete)
                    && !read.returned.iter().any(superseded)
                    && !self.precedes(self.writes[delete].id, read.id)
            }
        };
        let mut reads = self.sound_reads().filter(|read| read.in_order);
        reads.any(|read| {
            let mut hidden = self.hidden.iter();
            hidden.any(|delete| self.may_hide(read, *delete) && is_open(read, *delete))
        })
    }

    /// Whether a delete was invoked before a read completed, and not by who had the read's answer.
    pub(crate) fn may_hide(&self, read: &ReadView<'_>, delete: usize) -> bool {
        let delete = &self.writes[delete];
        let had = delete.client == read.client && delete.id > read.id
            || delete.sources.contains(&read.id);
        delete.invoked < read.completed || delete.invoked == read.completed && !had
    }

    /// The sibling that shows a read not to have seen a write that may be superseded in it, or left
    /// out: the write must supersede that sibling.
    pub(crate) fn refuted_by(&self, read: &ReadView<'_>, write: usize) -> Option<usize> {
        let covers = &self.writes[write].covers_must;
        let excused = read.refuted.contains(write) || self.hides(write);
        let mut returned = read.returned.iter().filter(|_| excused);
        returned.find(|sibling| covers.contains(*sibling))
    }

    /// The read, where it takes one, that shows `write` to have taken effect before its client's
    /// `later` was invoked.
    pub(crate) fn shown_by(&self, write: usize, later: usize) -> Option<OpId> {
        self.late.shown_by(self, write, later)
    }

    /// The same client's write of this key before `write`.
    pub(crate) fn previous_write(&self, write: OpId) -> Option<OpId> {
        self.provenance.previous_write(write)
    }
}

impl ReturnedBy {
    fn of(view: &KeyView<'_>) -> Self {
        let mut starts = vec![0; view.writes.len() + 1];
        for read in view.sound_reads() {
            for write in read.siblings.writes() {
                starts[write + 1] += 1;
            }
        }
        for write in 0..view.writes.len() {
            starts[write + 1] += starts[write];
        }
        let mut next = starts.clone();
        let mut reads = vec![0; starts.last().map_or(0, |all| *all as usize)];
        for (number, read) in (0..).zip(&view.reads).filter(|(_, read)| read.sound) {
            for write in read.siblings.writes() {
                reads[next[write] as usize] = number;
                next[write] += 1;
            }
        }
        Self { starts, reads }
    }
}

/// An operation that can matter, with its number among the writes or reads of its key.
pub(crate) enum Node<'v, 'h> {
    /// A write that may have been applied.
    Write(usize, &'v WriteView<'h>),
    /// An answered read.
    Read(usize, &'v ReadView<'h>),
}

impl Node<'_, '_> {
    pub(crate) fn is_write(&self) -> bool {
        matches!(self, Self::Write(..))
    }
}
