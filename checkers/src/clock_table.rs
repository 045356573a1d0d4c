//! The reported versions of one key's writes, laid out for comparison.
//!
//! Clock entries get dense numbers per key, so that comparing two clocks compares two short rows
//! of counters and no names. This is arithmetic on what was reported; it decides nothing about
//! causality.

use std::cmp::Ordering;

use crate::{
    causality::KeyView,
    history::{Name, OpId, ReportedClock, Version},
    write_set::{BITS, WriteSet},
};

/// The versions of a key's writes, by the numbers of the writes.
pub(crate) struct ClockTable<'h> {
    known: Vec<Option<Known<'h>>>,
    rows: Vec<u64>,
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
    dot: Option<(usize, u64)>,
    /// Whether there is a row: the clock, or the past of the dot.
    has_row: bool,
}

impl<'h> ClockTable<'h> {
    pub(crate) fn new(view: &KeyView<'h>) -> Self {
        let mut reported: Vec<Option<(&'h Version, OpId)>> = view
            .writes
            .iter()
            .map(|write| Some((write.write.version.as_ref()?, write.id)))
            .collect();
        if reported.contains(&None) {
            for read in &view.reads {
                for (sibling, write) in read.read.siblings.iter().zip(&read.siblings) {
                    if let (Some(version), Some(write)) = (&sibling.version, write) {
                        reported[*write].get_or_insert((version, read.id));
                    }
                }
            }
        }
        let actors = actors(reported.iter().flatten().map(|(version, _)| *version));
        let width = actors.len();
        let mut rows = vec![0; width * reported.len()];
        let known = reported.into_iter().enumerate().map(|(write, reported)| {
            let (version, reported_by) = reported?;
            let (clock, dot) = parts(version);
            let row = &mut rows[write * width..(write + 1) * width];
            let mut at = 0;
            for (name, counter) in clock.map_or(&[][..], ReportedClock::entries) {
                at = position(&actors, at, name);
                row[at] = *counter;
            }
            Some(Known {
                version,
                reported_by,
                sum: row
                    .iter()
                    .fold(0, |sum, counter| sum.saturating_add(*counter)),
                dot: dot.map(|(actor, counter)| (position(&actors, 0, actor), counter)),
                has_row: clock.is_some(),
            })
        });
        let known = known.collect();
        Self { known, rows, width }
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
                    && self
                        .row(lower)
                        .iter()
                        .zip(self.row(upper))
                        .all(|(low, up)| low <= up),
            ),
            (Some((actor, counter)), Some(_)) if up.has_row => {
                Some(self.row(upper)[actor] >= counter)
            }
            _ => None,
        }
    }

    /// An order in which writes with one version stand side by side.
    pub(crate) fn identity(&self, a: usize, b: usize) -> Ordering {
        let part = |write: usize| {
            let known = self.known[write]?;
            let row = if known.dot.is_none() {
                self.row(write)
            } else {
                &[]
            };
            Some((known.dot, known.sum * u64::from(known.dot.is_none()), row))
        };
        part(a).cmp(&part(b))
    }

    /// The dense number of the actor of a write's dot, and its counter.
    pub(crate) fn dot(&self, write: usize) -> Option<(usize, u64)> {
        self.known[write]?.dot
    }

    /// How many different entries the versions have.
    pub(crate) fn actors(&self) -> usize {
        self.width
    }

    /// The writes whose versions others can be below, least row first, so that neighbours have much
    /// the same below them.
    pub(crate) fn by_row(&self) -> Vec<usize> {
        let tells = |write: &usize| self.known[*write].is_some_and(|known| known.has_row);
        let mut writes: Vec<_> = (0..self.known.len()).filter(tells).collect();
        writes.sort_unstable_by_key(|write| self.row(*write));
        writes
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

    fn row(&self, write: usize) -> &[u64] {
        &self.rows[write * self.width..(write + 1) * self.width]
    }
}

/// The writes that may be below a version, for one version after another.
///
/// Each write stands for one entry: its dot, or the entry of its clock that fewest others have so
/// large. Only versions with that entry can be above it. Where entries are the counters of those
/// who write, as they should be, only they are, and going from one version to the next costs what
/// is below one of them alone.
pub(crate) struct Candidates<'t, 'h> {
    clocks: &'t ClockTable<'h>,
    /// For each entry the writes that stand for it, by counter.
    by_entry: Vec<Vec<(u64, usize)>>,
    /// For each entry its counter now, and how many of its writes have no larger one.
    now: Vec<(u64, usize)>,
    words: Vec<u64>,
}

impl<'t, 'h> Candidates<'t, 'h> {
    pub(crate) fn new(clocks: &'t ClockTable<'h>) -> Self {
        let mut counters = vec![Vec::new(); clocks.width];
        for (write, known) in clocks.known.iter().enumerate() {
            if known.is_some_and(|known| known.dot.is_none()) {
                for (entry, counter) in clocks.row(write).iter().enumerate() {
                    counters[entry].push(*counter);
                }
            }
        }
        for counters in &mut counters {
            counters.sort_unstable();
        }
        let mut by_entry = vec![Vec::new(); clocks.width];
        for (write, known) in clocks.known.iter().enumerate() {
            let Some(known) = known else { continue };
            let rarest = || {
                let entries = clocks.row(write).iter().zip(&counters).enumerate();
                let smaller = entries.map(|(entry, (counter, all))| {
                    (all.partition_point(|other| other < counter), entry)
                });
                let (_, entry) = smaller.max()?;
                Some((entry, clocks.row(write)[entry]))
            };
            if let Some((entry, counter)) = known.dot.or_else(rarest) {
                by_entry[entry].push((counter, write));
            }
        }
        for writes in &mut by_entry {
            writes.sort_unstable();
        }
        let mut candidates = Self {
            clocks,
            now: vec![(0, 0); clocks.width],
            by_entry,
            words: vec![0; clocks.known.len().div_ceil(BITS)],
        };
        for entry in 0..clocks.width {
            candidates.move_to(entry, 0);
        }
        candidates
    }

    /// Those that may be below the version of `upper`, as bits.
    pub(crate) fn below(&mut self, upper: usize) -> &[u64] {
        for (entry, counter) in self.clocks.row(upper).iter().enumerate() {
            if self.now[entry].0 != *counter {
                self.move_to(entry, *counter);
            }
        }
        &self.words
    }

    fn move_to(&mut self, entry: usize, counter: u64) {
        let writes = &self.by_entry[entry];
        let (_, before) = self.now[entry];
        let after = writes.partition_point(|(known, _)| *known <= counter);
        for (_, write) in &writes[before.min(after)..before.max(after)] {
            self.words[write / BITS] ^= 1 << (write % BITS);
        }
        self.now[entry] = (counter, after);
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

/// All entry names, sorted.
fn actors<'h>(versions: impl Iterator<Item = &'h Version>) -> Vec<&'h Name> {
    let mut names: Vec<&'h Name> = Vec::new();
    for version in versions {
        let (clock, dot) = parts(version);
        let mut at = 0;
        for (name, _) in clock.map_or(&[][..], ReportedClock::entries) {
            at = position(&names, at, name);
            if names.get(at) != Some(&name) {
                names.insert(at, name);
            }
        }
        if let Some((actor, _)) = dot {
            let at = position(&names, 0, actor);
            if names.get(at) != Some(&actor) {
                names.insert(at, actor);
            }
        }
    }
    names
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

/// True when every entry of `smaller` is in `larger`, with no smaller a counter.
pub(crate) fn includes(larger: &ReportedClock, smaller: &ReportedClock) -> bool {
    larger.same_allocation(smaller) || {
        let mut entries = larger.entries().iter();
        smaller.entries().iter().all(|(name, counter)| {
            entries
                .find(|(known, _)| known >= name)
                .is_some_and(|(known, most)| known == name && most >= counter)
        })
    }
}

/// True when both hold the same entries.
pub(crate) fn same_clock(a: &ReportedClock, b: &ReportedClock) -> bool {
    a.same_allocation(b) || a == b
}

/// True when both are one clock, or one dot; pasts are compared where both report one.
pub(crate) fn same_version(a: &Version, b: &Version) -> bool {
    match (a, b) {
        (Version::Clock(a), Version::Clock(b)) => same_clock(a, b),
        (
            Version::Dotted {
                actor,
                counter,
                past,
            },
            Version::Dotted {
                actor: other_actor,
                counter: other_counter,
                past: other_past,
            },
        ) => {
            let pasts = past.as_ref().zip(other_past.as_ref());
            counter == other_counter
                && actor == other_actor
                && pasts.is_none_or(|(past, other)| same_clock(past, other))
        }
        _ => false,
    }
}

/// True when `clock` includes the dot.
pub(crate) fn includes_dot(clock: &ReportedClock, actor: &str, counter: u64) -> bool {
    clock.get(actor) >= counter
}
