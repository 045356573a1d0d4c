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
//! search (of plain registers Bouajjani et al. 2017 show what it takes). Cost: O(n · clients) and one
//! comparison of sets for each read and sibling. Evidence holds a shortest chain from the cause to
//! the effect. Sources: Lamport 1978; Ahamad et al. 1995; Burckhardt et al. 2014; Bouajjani, Enea,
//! Guerraoui, Hamza 2017.

use std::collections::BTreeMap;

use super::{Found, Subject, lacking::Lacking, sessions::for_each_returned};
use crate::{
    causality::{KeyView, Node, ReadView},
    happens_before::{HappensBefore, PIECE},
    history::OpId,
    verdict::Finding,
    write_set::WriteSet,
};

pub(super) fn causality(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    let Some(before) = subject.before else { return };
    let mut before_writes = vec![WriteSet::EMPTY; view.writes.len()];
    sweep(view, before, |past, op| match view.node(op) {
        Some(Node::Write(number, _)) => before_writes[number] = past.clone(),
        Some(Node::Read(number, _)) => {
            let read = &view.reads[number];
            if read.sound && !past.is_empty() {
                found.tested();
                report(view, before, read, past, found);
            }
        }
        None => {}
    });
    for_each_returned(view, &before_writes, found, |read, saw, found| {
        report(view, before, read, &before_writes[saw], found);
    });
    for &(read, write) in before.circular() {
        let here = view.operation(read).key == view.key;
        if here && matches!(view.node(read), Some(Node::Read(_, read)) if read.sound) {
            found.violated_if(|| cycle(view, before, read, write));
        }
    }
}

/// Reports, where a read lacks some of the writes that happened before it or before what it
/// returned, the nearest of them.
fn report(
    view: &KeyView<'_>,
    before: &HappensBefore,
    read: &ReadView<'_>,
    past: &WriteSet,
    found: &mut Found,
) {
    if past.is_subset(&read.visible_may) {
        return;
    }
    found.violated_if(|| {
        let missing = |op: OpId| match view.node(op) {
            Some(Node::Write(number, _)) if !read.visible_may.contains(number) => Some(number),
            _ => None,
        };
        let here = |op: OpId| view.operation(op).key == view.key;
        let is_cause = |op: OpId| here(op) && missing(op).is_some();
        let chain = before.chain(view.provenance(), is_cause, read.id)?;
        let write = missing(*chain.first()?)?;
        let lacking = Lacking::of(view, read, write).with(with_answers(view, &chain));
        let (read, ignored) = (read.id, lacking.ignored);
        let finding = Finding::CauseMissed {
            read,
            chain,
            ignored,
        };
        Some(lacking.proves(finding))
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

/// The operations of the key that tell, by the clients to which they were acknowledged: their
/// positions, and the writes that they tell of.
type Lanes = Vec<(u32, Vec<(u32, usize)>)>;

/// What a client knows of the key.
struct Reader {
    past: WriteSet,
    /// How much of each lane.
    next: Vec<u32>,
    /// The pieces of the row that it knew last.
    pieces: Vec<Option<u32>>,
}

/// Visits the operations of the key in the order of invocation, each with the writes of the key
/// that happened before.
fn sweep(view: &KeyView<'_>, before: &HappensBefore, mut visit: impl FnMut(&WriteSet, OpId)) {
    let lanes = lanes(view, before);
    let piece = |(writer, _): &(u32, _)| *writer as usize / PIECE;
    let pieces: Vec<_> = lanes
        .chunk_by(|a, b| piece(a) == piece(b))
        .map(|lanes| (piece(&lanes[0]), lanes.len()))
        .collect();
    let mut readers: Vec<Option<Reader>> = Vec::new();
    for (op, brief) in view.briefs() {
        let session = brief.session as usize;
        if session >= readers.len() {
            readers.resize_with(session + 1, || None);
        }
        let reader = readers[session].get_or_insert_with(|| Reader {
            past: WriteSet::EMPTY,
            next: vec![0; lanes.len()],
            pieces: vec![None; pieces.len()],
        });
        let mut first = 0;
        for (last, &(piece, many)) in reader.pieces.iter_mut().zip(&pieces) {
            let range = first..first + many;
            first = range.end;
            let number = before.piece_of(op, piece);
            if last.replace(number) == Some(number) {
                continue;
            }
            let row = before.piece(number);
            for (next, (writer, lane)) in reader.next[range.clone()].iter_mut().zip(&lanes[range]) {
                let known = row[*writer as usize % PIECE];
                let unread = lane[*next as usize..].iter();
                for (_, write) in unread.take_while(|(at, _)| *at < known) {
                    reader.past.insert(*write);
                    *next += 1;
                }
            }
        }
        visit(&reader.past, op);
    }
}

fn lanes(view: &KeyView<'_>, before: &HappensBefore) -> Lanes {
    let mut lanes: BTreeMap<u32, Vec<(u32, usize)>> = BTreeMap::new();
    for op in view.operations() {
        let Some(position) = before.position(op) else {
            continue;
        };
        let mut tell = |write: usize| {
            let lane = lanes.entry(view.operation(op).client).or_default();
            lane.push((position, write));
        };
        match view.node(op) {
            Some(Node::Write(number, _)) => tell(number),
            Some(Node::Read(_, read)) if read.sound => {
                let not_told =
                    |write: &usize| !before.is_plain(view.provenance(), view.writes[*write].id);
                read.returned.iter().filter(not_told).for_each(tell);
            }
            _ => {}
        }
    }
    for lane in lanes.values_mut() {
        lane.sort_unstable();
    }
    lanes.into_iter().collect()
}
