//! Causality over all keys: nobody sees an effect without its causes.
//!
//! **Definition.** `hb` is the transitive closure of program order (an acknowledged operation had
//! completed when its client invoked another, on whatever keys) and visibility (a read returned a
//! write); `happens_before.rs` computes it. It has no cycle, and every write of a key that happened
//! before a read of the key, or before a write that the read returned, is in `V` of that read:
//! returned, or superseded by what is.
//!
//! **Choices.** A write with an unknown outcome orders nothing until a read returns it. A context that
//! another client obtained orders nothing beyond its own key. `V` is `V_may`: a write that may have
//! been superseded is not missed. With no thin air, cycles can only hide where operations share one
//! instant of a coarse clock.
//!
//! ```text
//! c1  write k1 "a" ─ ok   write k2 "b" ─ ok
//! c2                                         read k2 ─ ok ["b"]   read k1 ─ ok []
//! ```
//!
//! Sound for every store of the kind; complete for the definition under `must`. That multi-value
//! registers are read whole makes it polynomial: each read says what it saw, and there is nothing to
//! search (of plain registers Bouajjani et al. 2017 show what it takes). Cost: that of
//! `happens_before.rs`, and for each read and sibling one comparison of what two reads held, or where
//! that settles nothing (`happens_before/bounds.rs`) of a set of what happened before with what a read held.
//! Evidence holds a shortest chain from the cause to the effect. Sources: Lamport 1978; Ahamad et al.
//! 1995; Burckhardt et al. 2014; Bouajjani, Enea, Guerraoui, Hamza 2017.

mod pasts;

use super::{Found, Subject, missing_write::MissingWrite};
use crate::{
    causality::{KeyView, Node, ReadView},
    happens_before::{
        HappensBefore,
        bounds::{Answer, Bounds, Held, MOST_MISSING},
    },
    history::OpId,
    index::number,
    provenance::OpRecord,
    verdict::Finding,
};
use pasts::Pasts;

pub(super) fn causality(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    let Some(before) = subject.before else { return };
    let mut answers = Answers::new(view, before);
    for (_, record) in view.records() {
        let answer = answers.take(record);
        if let Some(Node::Read(_, read)) = view.node_of(record) {
            note(view, before, read, answer, found);
        }
    }
    for (number, read) in view.reads.iter().enumerate().filter(|(_, read)| read.sound) {
        for write in read.returned.iter() {
            let answer = answers.of_returned(write, number);
            note(view, before, read, answer, found);
        }
    }
    for &(read, write) in before.circular() {
        let here = view.operation(read).key == view.key;
        if here && matches!(view.node(read), Some(Node::Read(_, read)) if read.sound) {
            found.violated_if(|| cycle(view, before, read, write));
        }
    }
}

/// Whether reads of the key may have held what happened before: soon answered where bounds tell,
/// else by sets.
struct Answers<'v, 'h> {
    view: &'v KeyView<'h>,
    before: &'v HappensBefore,
    bounds: Bounds,
    pasts: Option<Pasts>,
}

impl<'v, 'h> Answers<'v, 'h> {
    fn new(view: &'v KeyView<'h>, before: &'v HappensBefore) -> Self {
        Self {
            view,
            before,
            bounds: Bounds::new(view.writes.len(), view.reads.len()),
            pasts: None,
        }
    }

    /// Takes the next operation in the order of invocation: whether it is a sound read and may have
    /// held all that happened before it.
    fn take(&mut self, op: &OpRecord) -> Answer {
        let (view, session) = (self.view, op.session as usize);
        let delta = Delta::of(view, self.before, op);
        let writes = delta.writes().map(number);
        self.bounds.add(session, delta.as_known_at, writes);
        match view.node_of(op) {
            Some(Node::Write(write, _)) => self.bounds.keep(session, write, view),
            Some(Node::Read(slot, read)) if read.sound => {
                let answer = self.bounds.test_read(session, slot, view);
                if answer != Answer::InDoubt {
                    return answer;
                }
                let held = &read.visible_may;
                let past = self.pasts().of_read(slot);
                let holds = past.is_subset(held);
                let lacked: Vec<_> = if holds {
                    Vec::new()
                } else {
                    let lacked = past.difference(held).map(number);
                    lacked.take(MOST_MISSING + 1).collect()
                };
                self.bounds.tell(session, slot, lacked);
                return answer_of(holds);
            }
            _ => {}
        }
        Answer::NothingAsked
    }

    /// Whether a read may have held all that happened before a write that it returned.
    fn of_returned(&mut self, write: usize, read: usize) -> Answer {
        let view = self.view;
        match self.bounds.test_write(write, read, view) {
            Answer::InDoubt => {
                let held = &view.reads[read].visible_may;
                answer_of(self.pasts().of_write(write).is_subset(held))
            }
            answer => answer,
        }
    }

    fn pasts(&mut self) -> &Pasts {
        let (view, before) = (self.view, self.before);
        self.pasts.get_or_insert_with(|| Pasts::of(view, before))
    }
}

impl Held for KeyView<'_> {
    fn holds(&self, read: usize, write: usize) -> bool {
        self.reads[read].visible_may.contains(write)
    }

    fn holds_all(&self, read: usize, other: usize) -> bool {
        let other = &self.reads[other].visible_may;
        other.is_subset(&self.reads[read].visible_may)
    }

    fn covers_all(&self, write: usize, read: usize) -> bool {
        let held = &self.reads[read].visible_may;
        held.is_subset(&self.writes[write].covers_must)
    }
}

const fn answer_of(holds: bool) -> Answer {
    if holds {
        Answer::HeldAll
    } else {
        Answer::Lacked
    }
}

/// What an operation's client newly knows of the key, beside what it knew at its operation before.
struct Delta<'v, 'h> {
    view: &'v KeyView<'h>,
    before: &'v HappensBefore,
    /// A write: all that its client knew of the key when it wrote it, and the write.
    as_known_at: Option<usize>,
    writes: &'v [u32],
    reads: &'v [u32],
}

impl<'v, 'h> Delta<'v, 'h> {
    fn of(view: &'v KeyView<'h>, before: &'v HappensBefore, op: &OpRecord) -> Self {
        let delta = before.deltas(view.key).of(op);
        Self {
            view,
            before,
            as_known_at: delta.as_known_at,
            writes: delta.writes,
            reads: delta.reads,
        }
    }

    /// Acknowledged writes, and those that only reads tell of.
    fn writes(&self) -> impl Iterator<Item = usize> {
        let reads = self
            .reads
            .iter()
            .map(|read| &self.view.reads[*read as usize]);
        let told = reads.filter(|read| read.sound).flat_map(|read| {
            let not_told = |write: &usize| !self.before.is_plain(self.view.writes[*write].id);
            read.returned.iter().filter(not_told)
        });
        self.writes.iter().map(|write| *write as usize).chain(told)
    }
}

/// Notes what was asked of a read, and reports what it lacks.
fn note(
    view: &KeyView<'_>,
    before: &HappensBefore,
    read: &ReadView<'_>,
    answer: Answer,
    found: &mut Found,
) {
    if answer != Answer::NothingAsked {
        found.tested();
    }
    if answer == Answer::Lacked {
        report(view, before, read, found);
    }
}

/// Reports, of the writes that happened before a read or before what it returned, the nearest that
/// it lacks.
fn report(view: &KeyView<'_>, before: &HappensBefore, read: &ReadView<'_>, found: &mut Found) {
    found.violated_if(|| {
        let missing = |op: OpId| match view.node(op) {
            Some(Node::Write(number, _)) if !read.visible_may.contains(number) => Some(number),
            _ => None,
        };
        let here = |op: OpId| view.operation(op).key == view.key;
        let is_cause = |op: OpId| here(op) && missing(op).is_some();
        let chain = before.chain(view.provenance(), is_cause, read.id)?;
        let write = missing(*chain.first()?)?;
        let missing_write = MissingWrite::of(view, read, write).with(with_answers(view, &chain));
        let (read, ignored) = (read.id, missing_write.ignored);
        let finding = Finding::CauseMissed {
            read,
            chain,
            ignored,
        };
        Some(missing_write.proves(finding))
    });
}

/// A read returned a write that happened after it.
fn cycle(
    view: &KeyView<'_>,
    before: &HappensBefore,
    read: OpId,
    write: OpId,
) -> Option<(Vec<OpId>, Finding)> {
    let chain = before.chain(view.provenance(), |op| op == read, write)?;
    let evidence = with_answers(view, &chain);
    Some((evidence, Finding::CausalCycle { read, chain }))
}

/// Operations, and the writes of what those among them returned.
fn with_answers(view: &KeyView<'_>, chain: &[OpId]) -> Vec<OpId> {
    let returned = chain
        .iter()
        .flat_map(|op| crate::happens_before::returned(view.provenance(), *op));
    chain.iter().copied().chain(returned).collect()
}

#[cfg(test)]
mod tests;
