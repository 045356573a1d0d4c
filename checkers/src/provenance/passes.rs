//! The passes through a history, in which writes meet the reads that returned them.

use super::{
    HistoryFault, Kind, Linked, NONE, OpRecord, Origin, Provenance, faults::validate_source,
    number, values::WriteIndex,
};
use crate::{
    history::{Action, OpId, Operation, Read, Status, TimeNs, Write},
    index::Index,
    verdict::ThinAir,
};

/// Two passes through a history. The first notes what writes wrote and reported. The second looks up
/// which of them each read returned, so it has to stay behind the first. It stays close behind, so that
/// what the first has loaded is still in the processor's cache.
pub(super) struct Passes<'h> {
    provenance: Provenance<'h>,
    index: WriteIndex<'h>,
    /// How many operations are noted.
    noted: usize,
    /// For each key where its next operation goes.
    next: Vec<usize>,
}

impl<'h> Passes<'h> {
    pub(super) fn over(provenance: Provenance<'h>) -> Result<Provenance<'h>, HistoryFault> {
        let history = provenance.history;
        let mut passes = Self {
            index: WriteIndex::of(history),
            noted: 0,
            next: provenance.key_starts.clone(),
            provenance,
        };
        for (id, op) in (0..).zip(&history.operations) {
            passes.take_up(id, op)?;
        }
        Ok(passes.provenance)
    }

    /// Notes the operations that were invoked no later.
    fn note_until(&mut self, time: TimeNs) -> Result<(), HistoryFault> {
        let history = self.provenance.history;
        while let Some(op) = history.operations.get(self.noted)
            && op.invoked <= time
        {
            if let Action::Write(write) = &op.action {
                let id = number(self.noted);
                for &source_op in &write.sources {
                    validate_source(history, id, op, source_op)?;
                }
                self.index.take(id, op, write)?;
                if Kind::of(op) == Kind::Write {
                    self.provenance.summaries[op.key as usize].note_write(write, op.status);
                }
            }
            self.noted += 1;
        }
        Ok(())
    }

    /// Puts an operation in its place among those of its key, and notes what it was answered.
    fn take_up(&mut self, id: OpId, op: &'h Operation) -> Result<(), HistoryFault> {
        self.note_until(op.completed.unwrap_or(op.invoked))?;
        let (linked, link) = match &op.action {
            Action::Write(write) => self.take_up_write(op, write),
            Action::Read(read) if op.status == Status::Ok => self.take_up_read(id, op, read)?,
            Action::Read(_) => ((0, 0), NONE),
        };
        let mut record = OpRecord::of(op, linked);
        let provenance = &mut self.provenance;
        record.link = link;
        record.slot = provenance.slots[id as usize].map_or(NONE, Index::number);
        let place = &mut self.next[op.key as usize];
        provenance.places.push(number(*place));
        provenance.by_key[*place] = id;
        provenance.records[*place] = record;
        *place += 1;
        Ok(())
    }

    /// Where the sources of a write are kept, and its link.
    fn take_up_write(&mut self, op: &Operation, write: &Write) -> (Linked, u32) {
        let key = op.key as usize;
        let provenance = &mut self.provenance;
        let begin = provenance.sources.len();
        provenance.sources.extend_from_slice(&write.sources);
        let first = number(provenance.key_starts[key]);
        let place = |source: &OpId| provenance.places[*source as usize] - first;
        let link = match &write.sources[..] {
            [source] => place(source),
            sources => {
                let links = &mut provenance.summaries[key].links;
                links.extend(sources.iter().map(place));
                number(links.len() - sources.len())
            }
        };
        ((begin, write.sources.len()), link)
    }

    fn take_up_read(
        &mut self,
        id: OpId,
        op: &'h Operation,
        read: &'h Read,
    ) -> Result<(Linked, u32), HistoryFault> {
        let begin = self.provenance.origins.len();
        for sibling in &*read.siblings {
            let mut origin = self.index.origin(id, op, sibling);
            if origin.is_none() {
                // Perhaps it was written too late.
                self.note_until(TimeNs::MAX)?;
                origin = self.index.origin(id, op, sibling);
            }
            let origin = origin.unwrap_or(Origin::ThinAir(ThinAir::NeverWritten));
            self.provenance.origins.push(origin);
        }
        let Provenance {
            summaries,
            origins,
            slots,
            ..
        } = &mut self.provenance;
        let summary = &mut summaries[op.key as usize];
        let origins = &origins[begin..];
        let slots = origins.iter().map(|origin| match origin {
            Origin::Write(write) => slots[*write as usize].map(Index::number),
            Origin::ThinAir(_) => None,
        });
        summary.note_read(read, &slots);
        let link = if let [_] = origins {
            slots.flatten().next().unwrap_or(NONE)
        } else {
            summary.links.extend(slots.map(|slot| slot.unwrap_or(NONE)));
            number(summary.links.len() - origins.len())
        };
        Ok(((begin, origins.len()), link))
    }
}
