//! How the sets of a key are computed: in one sweep by time.
//!
//! A write's are settled at its invocation (its sources have completed), a read's at its completion
//! (what it returned has been invoked). Where clocks are so coarse that both fall on one instant, the
//! instant is settled in the order of dependency, and where it has hidden deletes, which several reads
//! may hold in a circle, again until nothing changes; so is the whole sweep where a client's write may
//! take effect late. Cost: a union of sets for each source and sibling, and once more for each of these
//! rounds.

use std::collections::{BTreeMap, BTreeSet};

use super::{Edge, KeyView, Node, Returned};
use crate::{
    history::{OpId, TimeNs},
    index::number,
    past::{Answer, Visible, refuted},
    write_set::WriteSet,
};

/// When the causality of an operation is settled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Event {
    pub(super) time: TimeNs,
    pub(super) op: OpId,
    pub(super) slot: u32,
    pub(super) is_read: bool,
}

impl Event {
    fn slot(self) -> usize {
        self.slot as usize
    }
}

impl KeyView<'_> {
    /// Settles what falls on one instant, each operation after those that it depends on, and reads
    /// after all writes that they may have seen.
    ///
    /// A read does not wait for the deletes that it may hide: what these follow widens it afterwards.
    ///
    /// Operations that wait for each other in a circle cannot be: some read returned a write
    /// whose context was made of that very read. Such a sibling comes out of thin air.
    pub(super) fn settle_instant(&mut self, events: &[Event]) {
        if let [event] = events {
            return self.settle(*event);
        }
        self.settle_in_order(events);
        let any_delete = |event: &Event| !event.is_read && self.hides(event.slot());
        if events.iter().any(any_delete) {
            while self.widen(events) {}
        }
    }

    fn settle_in_order(&mut self, events: &[Event]) {
        let mut awaited_by: BTreeMap<OpId, Vec<usize>> = BTreeMap::new();
        let mut waits = vec![0; events.len()];
        // Writes and reads, all that are left and those of them that are ready.
        let [mut left, mut ready] = [(); 2].map(|()| [BTreeSet::new(), BTreeSet::new()]);
        for (at, event) in events.iter().enumerate() {
            let unsettled = self.unsettled(*event);
            waits[at] = unsettled.len();
            let kind = usize::from(event.is_read);
            left[kind].insert(at);
            if unsettled.is_empty() {
                ready[kind].insert(at);
            }
            for op in unsettled {
                awaited_by.entry(op).or_default().push(at);
            }
        }
        loop {
            let next = ready.iter_mut().find_map(BTreeSet::pop_first);
            let next = next.or_else(|| left[1].first().or(left[0].first()).copied());
            let Some(at) = next else { return };
            let event = events[at];
            left[usize::from(event.is_read)].remove(&at);
            self.settle(event);
            for waiting in awaited_by.remove(&event.op).unwrap_or_default() {
                waits[waiting] -= 1;
                let kind = usize::from(events[waiting].is_read);
                if waits[waiting] == 0 && left[kind].contains(&waiting) {
                    ready[kind].insert(waiting);
                }
            }
        }
    }

    /// What an operation depends on that has not been settled.
    fn unsettled(&self, event: Event) -> Vec<OpId> {
        let unsettled = |op: &OpId| match self.node(*op) {
            Some(Node::Write(_, write)) => !write.settled,
            Some(Node::Read(_, read)) => !read.settled,
            None => false,
        };
        if event.is_read {
            let siblings = self.reads[event.slot()].siblings.writes();
            let writes = siblings.map(|write| self.writes[write].id);
            writes.filter(unsettled).collect()
        } else {
            let sources = self.writes[event.slot()].sources.iter().copied();
            let last = self.previous(event.op);
            let last = last.filter(|op| self.operation(*op).completed == Some(event.time));
            let all = sources.chain(self.previous_write(event.op)).chain(last);
            all.filter(unsettled).collect()
        }
    }

    fn settle(&mut self, event: Event) {
        if event.is_read {
            self.settle_read(event.slot());
        } else {
            self.settle_write(event.slot());
        }
    }

    fn settle_write(&mut self, slot: usize) {
        let sources = self.writes[slot].sources;
        let mut must = WriteSet::EMPTY;
        let mut edges = std::mem::take(&mut self.edges);
        let start = edges.len();
        for &source in sources {
            match self.node(source) {
                Some(Node::Write(write, view)) => {
                    Answer::Write(write, &view.covers_must).add_to(&mut must);
                    let lower = number(write);
                    edges.push(Edge { lower, source });
                }
                Some(Node::Read(_, view)) => {
                    Answer::Read(&view.visible_must).add_to(&mut must);
                    let lowers = view.siblings.writes().map(number);
                    edges.extend(lowers.map(|lower| Edge { lower, source }));
                }
                None => {}
            }
        }
        let above = number(slot);
        for edge in &edges[start..] {
            let first = &mut self.writes[edge.lower()].first_above;
            *first = Some(first.map_or(above, |first| first.min(above)));
        }
        let range = number(start)..number(edges.len());
        self.edges = edges;
        let early = if self.may_is_must(slot, &must) {
            must.clone()
        } else {
            self.early(slot)
        };
        let view = &mut self.writes[slot];
        view.edges = range;
        view.covers_must = must;
        view.covers_may = early;
        view.settled = true;
    }

    /// True when `may` adds nothing to what a write must supersede: nothing to its sources', and
    /// its client's previous write is covered.
    fn may_is_must(&self, slot: usize, must: &WriteSet) -> bool {
        let write = &self.writes[slot];
        let mut sources = write.sources.iter();
        sources.all(|source| match self.node(*source) {
            Some(Node::Write(_, view)) => view.covers_may.len() == view.covers_must.len(),
            Some(Node::Read(_, view)) => {
                view.visible_may.len() == view.visible_must.len() && view.refuted.is_empty()
            }
            None => true,
        }) && self.late.is_empty()
            && write.previous().is_none_or(|own| {
                let view = &self.writes[own];
                must.contains(own) && view.covers_may.len() == view.covers_must.len()
            })
    }

    /// What a write may supersede, unless it takes effect late.
    fn early(&self, slot: usize) -> WriteSet {
        let mut may = WriteSet::EMPTY;
        for &source in self.writes[slot].sources {
            match self.node(source) {
                Some(Node::Write(write, view)) => {
                    self.add_past(&mut may, write, view.completed.unwrap_or(TimeNs::MAX));
                }
                Some(Node::Read(_, view)) => {
                    may.union_with(&view.visible_may);
                    // The context that clients join from an answer may cover more than the replica
                    // had: of the prefix of a client's writes that an entry stands for, also those
                    // that the replica was spared.
                    may.union_with(&view.refuted);
                }
                None => {}
            }
        }
        if let Some(write) = self.writes[slot].previous() {
            may.insert(write);
            may.union_with(&self.writes[write].covers_may);
        }
        may
    }

    /// Adds `write` and what it may have superseded by `by`, given what writes may supersede early.
    fn add_past(&self, past: &mut WriteSet, write: usize, by: TimeNs) {
        for write in [Some(write), self.late.last(self, write, by)] {
            let Some(write) = write else { continue };
            past.insert(write);
            past.union_with(&self.writes[write].covers_may);
        }
    }

    pub(super) fn settle_read(&mut self, slot: usize) {
        let view = &mut self.reads[slot];
        view.siblings.keep(|write| self.writes[write].settled);
        let returned = Returned::of(&view.siblings);
        let sound = returned.len() == view.siblings.len();
        let mut visible = Visible::NOTHING;
        for write in returned.iter() {
            visible.cover(&self.writes[write].covers_must);
        }
        let (must, _) = visible.with(returned.iter());
        view.returned = returned;
        view.visible_must = must;
        view.sound = sound;
        view.settled = true;
        let (may, refuted) = self.may_be_visible(slot);
        let view = &mut self.reads[slot];
        view.visible_may = may;
        view.refuted = refuted;
    }

    /// What the replica that answered a read may have held, and what would be in that set, did it
    /// not have to supersede a sibling that was returned.
    fn may_be_visible(&self, slot: usize) -> (WriteSet, WriteSet) {
        let view = &self.reads[slot];
        let completed = view.completed;
        let contradicted = |write: usize| {
            let covers = &self.writes[write].covers_must;
            view.returned.iter().any(|sibling| covers.contains(sibling))
        };
        let only_must = |write: usize| {
            self.writes[write].covers_may.len() == self.writes[write].covers_must.len()
        };
        let mut may = view.visible_must.clone();
        if self.hidden.is_empty() && self.late.is_empty() && view.returned.iter().all(only_must) {
            return (may, WriteSet::EMPTY);
        }
        for write in view.returned.iter() {
            self.add_past(&mut may, write, completed);
        }
        for &delete in &self.hidden {
            let may_be = self.writes[delete].settled && self.may_hide(view, delete);
            if may_be && !contradicted(delete) {
                self.add_past(&mut may, delete, completed);
            }
        }
        let above = view.returned.iter();
        let above = above.filter_map(|write| self.writes[write].first_above);
        let from = above.min().map(|from| from as usize);
        let refuted: WriteSet = refuted(&may, &view.visible_must, from, contradicted).collect();
        may.subtract(&refuted);
        (may, refuted)
    }

    /// Widens what writes may supersede and reads may have held by writes that take effect late,
    /// until nothing changes.
    pub(super) fn let_late_writes_supersede(&mut self, events: &[Event]) {
        let before: Vec<_> = self
            .reads
            .iter()
            .map(|read| read.visible_may.clone())
            .collect();
        while self.widen(events) {}
        for (read, before) in self.reads.iter_mut().zip(before) {
            read.in_order = read.visible_may == before;
        }
        let late: Vec<_> = (0..self.writes.len())
            .filter_map(|write| {
                let last = self.late.last(self, write, TimeNs::MAX)?;
                let mut covers = self.writes[write].covers_may.clone();
                covers.insert(last);
                covers.union_with(&self.writes[last].covers_may);
                Some((write, covers))
            })
            .collect();
        for (write, covers) in late {
            self.writes[write].covers_may = covers;
        }
    }

    /// Takes up once more what operations may supersede or have held, given what is known of others;
    /// true when anything changed.
    fn widen(&mut self, events: &[Event]) -> bool {
        let mut changed = false;
        for event in events {
            if event.is_read {
                let (may, refuted) = self.may_be_visible(event.slot());
                let view = &mut self.reads[event.slot()];
                changed |= view.visible_may != may || view.refuted != refuted;
                (view.visible_may, view.refuted) = (may, refuted);
            } else {
                let early = self.early(event.slot());
                let view = &mut self.writes[event.slot()];
                changed |= view.covers_may != early;
                view.covers_may = early;
            }
        }
        changed
    }
}
