//! Whether reported versions can be unsound, imprecise, shared, or go backwards.
//!
//! Soundness looks at what each write directly covers. Precision counts, as `invariants/clocks.rs`
//! does: a version that is above all in its write's past has that many others below it, and no more.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{Screen, order::over_before};
use crate::{
    clock_table::Ranks,
    history::Status,
    provenance::{Kind, Reported, Reporting, at_most},
    verdict::Invariant,
    write_set::WriteSet,
};

/// How many writes without a row one after the other are looked through.
const MOST_LOOKED_THROUGH: usize = 4;

impl<'p, 'h> Screen<'p, 'h> {
    /// `None` when a version might be wrong.
    pub(super) fn look_at_clocks(&mut self) -> Option<()> {
        let tested = self.summary.tested;
        let versions = self.summary.versions();
        let known = versions
            .iter()
            .filter(|version| version.kind != Reporting::Unknown);
        let known = known.count();
        let dotted = versions.iter().filter(|version| version.is_dot()).count();
        for (invariant, tested) in [
            (Invariant::ClockAdvance, tested.advance),
            (
                Invariant::ClockIdentity,
                tested.identity + (known as u64).saturating_sub(1),
            ),
            (Invariant::AnswerAntichain, tested.antichain),
            (Invariant::ContextCovers, tested.context),
            (Invariant::DotDiscipline, tested.dots),
        ] {
            self.exercised.add(invariant, tested);
        }
        if known == 0 {
            return Some(());
        }
        if dotted != 0 && dotted != known {
            return None;
        }
        let entries = Entries::of(self, dotted != 0)?;
        self.look_below(&entries, known)?;
        if dotted == 0 {
            Some(())
        } else {
            self.look_at_dots()
        }
    }

    fn version(&self, write: usize) -> &'p Reported<'h> {
        let place = self.writes[write].place.at();
        self.summary.version(self.ops[place].slot as usize)
    }

    /// Counts what is below each version.
    fn look_below(&mut self, entries: &Entries, known: usize) -> Option<()> {
        let lowers: Option<WriteSet> = (known < self.writes.len()).then(|| {
            let known = |write: &usize| self.version(*write).kind != Reporting::Unknown;
            (0..self.writes.len()).filter(known).collect()
        });
        let mut past = Built::new(self, false);
        let mut open = Vec::new();
        let (mut sound, mut precise) = (0, 0);
        for upper in 0..self.writes.len() {
            let (write, version) = (&self.writes[upper], self.version(upper));
            let row = self.summary.row(version);
            if version.kind != Reporting::Unknown {
                for lower in self.below(upper) {
                    let low = self.version(lower);
                    let is_below = match (low.kind, version.kind) {
                        (Reporting::Unknown, _) | (_, Reporting::Dot) => continue,
                        (Reporting::Clock, _) => {
                            let low = self.summary.row(low);
                            at_most(low, row) && !at_most(row, low)
                        }
                        _ => holds(row, low.dot()),
                    };
                    if !is_below {
                        return None;
                    }
                    sound += 1;
                }
            }
            let on_past = past.take(upper);
            if !version.has_row() {
                continue;
            }
            let below = entries.count_below(row);
            let is_plain = on_past && below == write.covers.len();
            if !is_plain {
                open.push((upper, below));
            }
            let may = write.may();
            let is_known = is_plain && write.may.is_none();
            let unknown = lowers.as_ref().filter(|_| !is_known);
            let unknown = unknown.map_or(0, |lowers| may.difference_len(lowers));
            precise += known + unknown - may.len() - 1;
        }
        if !self.may_be_below(&open) {
            return None;
        }
        self.exercised.add(Invariant::ClockSoundness, sound);
        self.exercised
            .add(Invariant::ClockPrecision, precise as u64);
        Some(())
    }

    /// True when so many others may be below versions, and no more are.
    fn may_be_below(&self, versions: &[(usize, usize)]) -> bool {
        let Some(&(last, _)) = versions.last() else {
            return true;
        };
        let mut past = Built::new(self, true);
        for write in 0..=last {
            past.take(write);
        }
        let mut versions = versions.iter();
        versions
            .all(|(upper, below)| past.on_past[*upper] && *below == self.writes[*upper].may().len())
    }

    /// What a write directly covers, as often as it does.
    fn below(&self, write: usize) -> impl Iterator<Item = usize> + use<'_, 'p, 'h> {
        let op = &self.ops[self.writes[write].place.at()];
        let sources = self.summary.links_of(op).iter();
        sources.flat_map(|source| {
            let source = &self.ops[*source as usize];
            let slots = match source.kind {
                Kind::Read => self.summary.links_of(source),
                _ => std::slice::from_ref(&source.slot),
            };
            slots.iter().filter_map(|slot| self.number(*slot))
        })
    }

    /// A coordinator's dots grow.
    fn look_at_dots(&self) -> Option<()> {
        let mut pending = BinaryHeap::new();
        let mut largest = vec![0; self.summary.actors()];
        for write in 0..self.writes.len() {
            let op = &self.ops[self.writes[write].place.at()];
            let version = self.version(write);
            if !version.by_acknowledgement {
                continue;
            }
            while let Some(done) = over_before(&mut pending, op.invoked) {
                let (actor, counter) = self.version(done as usize).dot();
                let largest = &mut largest[actor as usize];
                *largest = counter.max(*largest);
            }
            let (actor, counter) = version.dot();
            if largest[actor as usize] >= counter {
                return None;
            }
            if op.status == Status::Ok {
                pending.push(Reverse((op.over, crate::index::number(write))));
            }
        }
        Some(())
    }
}

/// True when a past holds a dot.
fn holds(row: &[u32], (actor, counter): (u32, u32)) -> bool {
    row.get(actor as usize).is_some_and(|most| *most >= counter)
}

/// For each write one entry of its version, by which versions that are above it are told.
struct Entries {
    /// For each entry the counters of the writes that stand for it.
    standing_at: Vec<Ranks>,
    /// Clocks count themselves.
    itself: usize,
}

impl Entries {
    /// `None` when two writes might have one version.
    fn of(screen: &Screen<'_, '_>, dotted: bool) -> Option<Self> {
        let summary = screen.summary;
        let actors = 0..summary.actors();
        let known = || {
            let versions = summary.versions().iter();
            versions.filter(|version| version.kind != Reporting::Unknown)
        };
        let counter = |version: &Reported<'_>, entry: usize| {
            summary.row(version).get(entry).copied().unwrap_or(0)
        };
        let mut standing: Vec<Vec<u32>> = vec![Vec::new(); summary.actors()];
        if dotted {
            for (actor, counter) in known().map(Reported::dot) {
                standing[actor as usize].push(counter);
            }
        } else {
            let ranks: Vec<_> = actors
                .map(|entry| Ranks::of(known().map(move |version| counter(version, entry))))
                .collect();
            for version in known() {
                let entries = ranks.iter().enumerate().map(|(entry, all)| {
                    let counter = counter(version, entry);
                    (all.below(counter), entry, counter)
                });
                // Without any entry there is nothing to tell it by.
                let (_, entry, counter) = entries.max()?;
                standing[entry].push(counter);
            }
        }
        let standing_at: Vec<_> = standing
            .into_iter()
            .map(|counters| Ranks::of(counters.into_iter()))
            .collect();
        let shared = standing_at.iter().any(Ranks::has_equal);
        (!shared).then_some(Self {
            standing_at,
            itself: usize::from(!dotted),
        })
    }

    /// How many other writes may be below a version.
    fn count_below(&self, row: &[u32]) -> usize {
        let counters = row.iter().chain(std::iter::repeat(&0));
        let entries = counters.zip(&self.standing_at);
        let all: usize = entries.map(|(counter, all)| all.up_to(*counter)).sum();
        all - self.itself
    }
}

/// The writes whose versions are above all in their past.
struct Built<'s, 'p, 'h> {
    screen: &'s Screen<'p, 'h>,
    /// Whether the client's previous write belongs to the past.
    with_previous: bool,
    on_past: Vec<bool>,
}

impl<'s, 'p, 'h> Built<'s, 'p, 'h> {
    fn new(screen: &'s Screen<'p, 'h>, with_previous: bool) -> Self {
        Self {
            screen,
            with_previous,
            on_past: Vec::with_capacity(screen.writes.len()),
        }
    }

    /// Settles the next write.
    fn take(&mut self, upper: usize) -> bool {
        let version = self.screen.version(upper);
        let built = version.has_row() && self.past_is_below(version, upper, MOST_LOOKED_THROUGH);
        self.on_past.push(built);
        built
    }

    /// True when a version is above all in the past of `write`.
    fn past_is_below(&self, upper: &Reported<'_>, write: usize, depth: usize) -> bool {
        let mut below = self.screen.below(write);
        below.all(|lower| self.is_below(upper, lower, depth))
            && (!self.with_previous || {
                let previous = self.screen.writes[write].previous;
                previous.is_none_or(|own| self.is_below(upper, own.at(), depth))
            })
    }

    /// True when a version is above that of `lower` and above all in its past.
    fn is_below(&self, upper: &Reported<'_>, lower: usize, depth: usize) -> bool {
        let summary = self.screen.summary;
        let low = self.screen.version(lower);
        let row = summary.row(upper);
        let holds_dot = !low.is_dot() || holds(row, low.dot());
        if low.has_row() {
            let built = self.on_past.get(lower).is_some_and(|built| *built);
            return built && holds_dot && at_most(summary.row(low), row);
        }
        depth > 0 && low.is_dot() && holds_dot && self.past_is_below(upper, lower, depth - 1)
    }
}
