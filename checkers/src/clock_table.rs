//! The reported versions of one key's writes, laid out for comparison.
//!
//! Clock entries get numbers per key, so that comparing two clocks compares two rows of counters and
//! no names. A row holds what is not zero, in blocks ([`rows`]): the table costs O(entries of all
//! versions) in place and, but for sorting, in time, however many entries the key has altogether.
//! This is arithmetic on what was reported; it decides nothing about causality.

mod candidates;
mod ranks;
mod rows;

use crate::{
    causality::KeyView,
    history::{Name, OpId, ReportedClock, Version},
    index::number,
    write_set::WriteSet,
};

pub(crate) use candidates::Candidates;
pub(crate) use ranks::Ranks;
use rows::{Row, Rows};

/// The versions of a key's writes, by the numbers of the writes; or those of an answer's siblings.
pub(crate) struct ClockTable<'h> {
    known: Vec<Option<Known<'h>>>,
    rows: Rows,
    width: usize,
}

/// The version of a write and where it was first reported.
#[derive(Clone, Copy)]
pub(crate) struct Known<'h> {
    pub(crate) version: &'h Version,
    /// The write, where its acknowledgement reported it; else the first read that did.
    pub(crate) reported_by: OpId,
    /// The sum of the counters of the clock, or of the past of the dot: what is below has no larger
    /// sum.
    sum: u64,
    /// The dense number of a dot's actor, and its counter.
    dot: Option<(u32, u32)>,
    /// Whether there is a row: the clock, or the past of the dot.
    has_row: bool,
}

impl<'h> ClockTable<'h> {
    pub(crate) fn new(view: &KeyView<'h>) -> Self {
        let mut reported: Vec<Option<(&'h Version, OpId)>> = view
            .writes
            .iter()
            .map(|write| Some((write.write().version.as_ref()?, write.id)))
            .collect();
        if reported.contains(&None) {
            for read in &view.reads {
                for (sibling, write) in read.read().siblings.iter().zip(read.siblings.iter()) {
                    if let (Some(version), Some(write)) = (&sibling.version, write) {
                        reported[write].get_or_insert((version, read.id));
                    }
                }
            }
        }
        Self::of(&reported)
    }

    /// The table of these versions, each with the operation that reported it.
    pub(crate) fn of(reported: &[Option<(&'h Version, OpId)>]) -> Self {
        let versions = || reported.iter().flatten().map(|(version, _)| *version);
        let (actors, largest) = actors(versions());
        let counters = Counters::of(largest, versions());
        let mut rows = Rows::with_capacity(reported.len());
        let mut known = Vec::with_capacity(reported.len());
        for reported in reported {
            let (clock, dot) = reported.map_or((None, None), |(version, _)| parts(version));
            let (mut at, mut sum) = (0, 0_u64);
            let entries = clock.map(ReportedClock::entries).unwrap_or_default();
            rows.push(entries.into_iter().map(|(name, counter)| {
                at = position(&actors, at, name);
                sum = sum.saturating_add(*counter);
                (number(at), counters.number(*counter))
            }));
            let entry = |actor| number(position(&actors, 0, actor));
            known.push(reported.map(|(version, reported_by)| Known {
                version,
                reported_by,
                sum,
                dot: dot.map(|(actor, counter)| (entry(actor), counters.number(counter))),
                has_row: clock.is_some(),
            }));
        }
        Self {
            known,
            rows,
            width: actors.len(),
        }
    }

    /// The version of a write, where any was reported.
    pub(crate) fn known(&self, write: usize) -> Option<Known<'h>> {
        self.known[write]
    }

    /// Whether `lower`'s clock is strictly below `upper`'s, or its dot in the past of `upper`'s
    /// dot; `None` where the two versions do not tell.
    pub(crate) fn below(&self, lower: usize, upper: usize) -> Option<bool> {
        let (low, up) = (self.known[lower]?, self.known[upper]?);
        match (low.dot, up.dot) {
            (None, None) => Some(
                low.sum <= up.sum
                    && self.row(lower) != self.row(upper)
                    && self.row(lower).is_at_most(self.row(upper)),
            ),
            (Some((actor, counter)), Some(_)) if up.has_row => {
                Some(self.row(upper).get(actor) >= counter)
            }
            _ => None,
        }
    }

    /// Every write with a version, those with one version side by side and in order.
    pub(crate) fn by_identity(&self) -> Vec<usize> {
        let mut writes: Vec<_> = (0..)
            .zip(&self.known)
            .filter_map(|(write, known)| {
                let known = known.as_ref()?;
                let sum = known.sum * u64::from(known.dot.is_none());
                Some((known.dot, sum, write))
            })
            .collect();
        writes.sort_by(|a, b| {
            let rows = || self.clock(a.2).cmp(&self.clock(b.2));
            (a.0, a.1).cmp(&(b.0, b.1)).then_with(rows)
        });
        writes.into_iter().map(|(.., write)| write).collect()
    }

    /// True when both writes have one version, which both have to have.
    pub(crate) fn identical(&self, a: usize, b: usize) -> bool {
        self.dot(a) == self.dot(b) && self.clock(a) == self.clock(b)
    }

    /// The row of a write with a clock; nothing for one with a dot.
    fn clock(&self, write: usize) -> Row<'_> {
        match self.dot(write) {
            None => self.row(write),
            Some(_) => Row::EMPTY,
        }
    }

    /// The dense number of the actor of a write's dot, and a number that grows with its counter.
    pub(crate) fn dot(&self, write: usize) -> Option<(u32, u32)> {
        self.known[write]?.dot
    }

    /// Whether there is a clock, or a past beside the dot.
    pub(crate) fn has_row(&self, write: usize) -> bool {
        self.known[write].is_some_and(|known| known.has_row)
    }

    /// Whether the past of `upper`'s dot holds the dot of `lower`.
    pub(crate) fn holds_dot(&self, upper: usize, lower: usize) -> bool {
        self.dot(lower).is_some_and(|(actor, counter)| {
            self.dot(upper).is_some() && self.row(upper).get(actor) >= counter
        })
    }

    /// True when `upper` is above `lower` and all that `lower` is above, which has to be known.
    pub(crate) fn is_built_on(&self, upper: usize, lower: usize) -> bool {
        let rows = || self.row(lower).is_at_most(self.row(upper));
        let known = |write: usize| self.known[write].filter(|known| known.has_row);
        match (known(lower), known(upper)) {
            (Some(low), Some(up)) => match (low.dot, up.dot) {
                (None, None) => rows(),
                (Some((actor, counter)), Some(_)) => {
                    self.row(upper).get(actor) >= counter && rows()
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// How many different entries the versions have.
    pub(crate) fn actors(&self) -> usize {
        self.width
    }

    /// Sorts writes, least row first, so that neighbours have much the same below them.
    pub(crate) fn sort_by_row(&self, writes: &mut [usize]) {
        writes.sort_by_key(|write| self.row(*write));
    }

    /// The writes with dots, or with clocks.
    pub(crate) fn of_kind(&self, dotted: bool) -> WriteSet {
        let of_kind = |known: &Known<'_>| known.dot.is_some() == dotted;
        let known = self.known.iter().enumerate();
        known
            .filter(|(_, known)| known.as_ref().is_some_and(of_kind))
            .map(|(write, _)| write)
            .collect()
    }

    fn row(&self, write: usize) -> Row<'_> {
        self.rows.get(write)
    }
}

/// Counters as 32-bit numbers in the same order.
enum Counters {
    /// All are small.
    Same,
    /// Numbered in their order.
    Sorted(Vec<u64>),
}

impl Counters {
    fn of<'h>(largest: u64, versions: impl Iterator<Item = &'h Version>) -> Self {
        // One less than the largest, so that there is a number after each.
        if largest < u32::MAX.into() {
            return Self::Same;
        }
        let counters = versions.flat_map(|version| {
            let (clock, dot) = parts(version);
            let entries = clock.map(ReportedClock::entries).unwrap_or_default().iter();
            let dot = dot.map(|(_, counter)| counter);
            entries.map(|(_, counter)| *counter).chain(dot)
        });
        let mut sorted: Vec<_> = counters.collect();
        sorted.sort_unstable();
        sorted.dedup();
        Self::Sorted(sorted)
    }

    fn number(&self, counter: u64) -> u32 {
        match self {
            _ if counter == 0 => 0,
            Self::Same => u32::try_from(counter).unwrap_or(u32::MAX),
            Self::Sorted(sorted) => number(sorted.partition_point(|known| *known < counter)) + 1,
        }
    }
}

/// The clock, or the dot and its past.
fn parts(version: &Version) -> (Option<&ReportedClock>, Option<(&Name, u64)>) {
    match version {
        Version::Clock(clock) => (Some(clock), None),
        Version::Dotted {
            actor,
            counter,
            past,
        } => (past.as_ref(), Some((actor, *counter))),
    }
}

/// So many names that are not known are taken up one by one before they are sorted in.
const FEW: usize = 16;

/// All entry names, sorted, and the largest counter. New names are sorted in many at a time, so that
/// a key with an entry for each of its clients costs no more than sorting them.
fn actors<'h>(versions: impl Iterator<Item = &'h Version>) -> (Vec<&'h Name>, u64) {
    let (mut names, mut new) = (Vec::new(), Vec::new());
    let mut largest = 0;
    for version in versions {
        let (clock, dot) = parts(version);
        let mut at = 0;
        for (name, counter) in clock.map(ReportedClock::entries).unwrap_or_default() {
            largest = largest.max(*counter);
            at = position(&names, at, name);
            if names.get(at) != Some(&name) {
                new.push(name);
            }
        }
        if let Some((actor, counter)) = dot {
            largest = largest.max(counter);
            if names.get(position(&names, 0, actor)) != Some(&actor) {
                new.push(actor);
            }
        }
        if new.len() > FEW + names.len() / 4 {
            sort_in(&mut names, &mut new);
        }
    }
    sort_in(&mut names, &mut new);
    (names, largest)
}

fn sort_in<'h>(names: &mut Vec<&'h Name>, new: &mut Vec<&'h Name>) {
    new.sort_unstable();
    names.append(new);
    // Two runs, each in order.
    names.sort();
    names.dedup();
}

/// Where `name` stands, or would stand, among sorted names, looking from `start` on.
fn position(names: &[&Name], start: usize, name: &Name) -> usize {
    if names.get(start).is_some_and(|first| *first == name) {
        return start;
    }
    if names.get(start + 1).is_some_and(|next| *next == name) {
        return start + 1;
    }
    start + names[start..].partition_point(|known| *known < name)
}
