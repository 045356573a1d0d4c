//! Whether a read can lack what happened before it over all keys.
//!
//! A read lacks few writes. For each of them [`ChainClocks`] tell whether it may have happened before.
//! Where one may, happens-before itself is computed ([`happens_before`](crate::happens_before)): what
//! each operation's client newly knows is compared with what reads held
//! ([`bounds`](crate::happens_before::bounds)).

use super::{Screen, WriteNumber};
use crate::{
    happens_before::{
        Causes, ChainClocks, HappensBefore,
        bounds::{Answer, Bounds, Held},
    },
    history::OpId,
    provenance::Kind,
    verdict::Invariant,
};

/// So many writes that reads lack are looked at for each operation.
const LOOKS: usize = 16;

impl Screen<'_, '_> {
    /// `None` when a read might lack an operation's cause.
    pub(super) fn look_at_causes(&mut self, key: u32, causes: &Causes<'_, '_>) -> Option<()> {
        let chain_clocks = causes.chain_clocks();
        let tested =
            match chain_clocks.and_then(|clocks| self.test_causes_by_chain_clocks(key, clocks)) {
                Some(tested) => tested,
                None => self.test_causes_exactly(key, causes.exactly()?)?,
            };
        self.exercised.add(Invariant::Causality, tested);
        Some(())
    }

    /// How often there were causes; `None` when a read might lack one.
    fn test_causes_by_chain_clocks(&self, key: u32, clocks: &ChainClocks) -> Option<u64> {
        let begin = self.provenance.first_place(key);
        let (mut earlier, mut tested) = (0, 0);
        let mut looks = LOOKS * self.ops.len();
        for (place, op) in self.ops.iter().enumerate() {
            if op.kind == Kind::Write {
                earlier += usize::from(self.numbers[op.slot as usize].is_some());
            }
            if op.kind != Kind::Read {
                continue;
            }
            tested += u64::from(clocks.has_past(begin + place));
            let mut end = earlier;
            for write in self.returned(place) {
                let at = begin + self.writes[write].place.at();
                tested += u64::from(clocks.has_past(at));
                end = end.max(write);
            }
            let known = clocks.known_after(begin + place);
            for write in self.reads[op.slot as usize].may().missing(end) {
                looks = looks.checked_sub(1)?;
                let write = self.writes[write].place.at();
                if known.may_hold(begin + write, self.ops[write].client) {
                    return None;
                }
            }
        }
        Some(tested)
    }

    /// How often there were causes; `None` when a read might lack one.
    fn test_causes_exactly(&self, key: u32, before: &HappensBefore) -> Option<u64> {
        if !before.circular().is_empty() {
            return None;
        }
        let mut places = Vec::with_capacity(self.reads.len());
        let is_read = |place: &usize| self.ops[*place].kind == Kind::Read;
        places.extend((0..self.ops.len()).filter(is_read));
        let mut bounds = Bounds::new(self.numbers.len(), self.reads.len());
        let mut tested = 0;
        for op in self.ops.iter().filter(|op| op.kind != Kind::Nothing) {
            let (session, slot) = (op.session as usize, op.slot as usize);
            let delta = before.deltas(key).of(op);
            let told = delta.reads.iter().flat_map(|read| {
                let read = &self.ops[places[*read as usize]];
                self.summary.links_of(read).iter().copied()
            });
            let told =
                told.filter(|write| self.id_of(*write).is_some_and(|op| !before.is_plain(op)));
            let writes = delta.writes.iter().copied().chain(told);
            bounds.add(session, delta.as_known_at, writes);
            if op.kind == Kind::Write {
                bounds.keep(session, slot, self);
            } else {
                tested += count(bounds.test_read(session, slot, self))?;
            }
        }
        for (read, place) in places.iter().enumerate() {
            for &write in self.summary.links_of(&self.ops[*place]) {
                tested += count(bounds.test_write(write as usize, read, self))?;
            }
        }
        Some(tested)
    }

    /// The operation of a write that somebody saw, by its number among all writes.
    fn id_of(&self, slot: u32) -> Option<OpId> {
        let write = &self.writes[self.number(slot)?];
        Some(self.ids[write.place.at()])
    }
}

/// How much was tested; `None` when it was not fulfilled, or might not be.
const fn count(answer: Answer) -> Option<u64> {
    match answer {
        Answer::NothingAsked => Some(0),
        Answer::HeldAll => Some(1),
        Answer::Lacked | Answer::InDoubt => None,
    }
}

impl Held for Screen<'_, '_> {
    fn holds(&self, read: usize, write: usize) -> bool {
        let number = self.numbers[write].map(WriteNumber::at);
        number.is_some_and(|number| self.reads[read].may().contains(number))
    }

    fn holds_all(&self, read: usize, other: usize) -> bool {
        self.reads[other].may().is_subset(self.reads[read].may())
    }

    fn covers_all(&self, write: usize, read: usize) -> bool {
        self.numbers[write].is_some_and(|number| {
            let covers = &self.writes[number.at()].covers;
            self.reads[read].may().is_subset(covers)
        })
    }
}
