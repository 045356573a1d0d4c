//! The reported versions of one key's writes, laid out for comparison.
//!
//! Clock entries get dense numbers per key, so that comparing two clocks compares two short rows
//! of counters and no names. This is arithmetic on what was reported; it decides nothing about
//! causality.

use crate::{
    causality::KeyView,
    history::{Name, OpId, ReportedClock, Version},
    provenance::number,
    write_set::{BITS, WriteSet},
};

/// The versions of a key's writes, by the numbers of the writes.
pub(crate) struct ClockTable<'h> {
    known: Vec<Option<Known<'h>>>,
    rows: Vec<u32>,
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
        let versions = || reported.iter().flatten().map(|(version, _)| *version);
        let (actors, largest) = actors(versions());
        let width = actors.len();
        let counters = Counters::of(largest, versions());
        let mut rows = vec![0; width * reported.len()];
        let known = reported.into_iter().enumerate().map(|(write, reported)| {
            let (version, reported_by) = reported?;
            let (clock, dot) = parts(version);
            let row = &mut rows[write * width..(write + 1) * width];
            let (mut at, mut sum) = (0, 0_u64);
            for (name, counter) in clock.map(ReportedClock::entries).unwrap_or_default() {
                at = position(&actors, at, name);
                row[at] = counters.number(*counter);
                sum = sum.saturating_add(*counter);
            }
            let entry = |actor| number(position(&actors, 0, actor));
            Some(Known {
                version,
                reported_by,
                sum,
                dot: dot.map(|(actor, counter)| (entry(actor), counters.number(counter))),
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
                Some(self.row(upper)[actor as usize] >= counter)
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
            let rows = || self.clock(a.2).cmp(self.clock(b.2));
            (a.0, a.1).cmp(&(b.0, b.1)).then_with(rows)
        });
        writes.into_iter().map(|(.., write)| write).collect()
    }

    /// True when both writes have one version, which both have to have.
    pub(crate) fn identical(&self, a: usize, b: usize) -> bool {
        self.dot(a) == self.dot(b) && self.clock(a) == self.clock(b)
    }

    /// The row of a write with a clock; nothing for one with a dot.
    fn clock(&self, write: usize) -> &[u32] {
        match self.dot(write) {
            None => self.row(write),
            Some(_) => &[],
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
            self.dot(upper).is_some() && self.row(upper)[actor as usize] >= counter
        })
    }

    /// True when `upper` is above `lower` and all that `lower` is above, which has to be known.
    pub(crate) fn is_built_on(&self, upper: usize, lower: usize) -> bool {
        let rows = || {
            self.row(lower)
                .iter()
                .zip(self.row(upper))
                .all(|(low, up)| low <= up)
        };
        let known = |write: usize| self.known[write].filter(|known| known.has_row);
        match (known(lower), known(upper)) {
            (Some(low), Some(up)) => match (low.dot, up.dot) {
                (None, None) => rows(),
                (Some((actor, counter)), Some(_)) => {
                    self.row(upper)[actor as usize] >= counter && rows()
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
        writes.sort_by(|a, b| self.row(*a).cmp(self.row(*b)));
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

    fn row(&self, write: usize) -> &[u32] {
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
    /// For each write the entry that it stands for, and its counter.
    standing: Vec<Option<(u32, u32)>>,
    /// For each entry the counters of the writes that stand for it.
    standing_at: Vec<Ranks>,
    /// For each entry the writes that stand for it, by counter. Empty until needed.
    by_entry: Vec<Vec<(u32, usize)>>,
    /// For each entry its counter now, and how many of its writes have no larger one.
    now: Vec<(u32, usize)>,
    words: Vec<u64>,
    /// After the last word that is not empty.
    end: usize,
}

impl<'t, 'h> Candidates<'t, 'h> {
    pub(crate) fn new(clocks: &'t ClockTable<'h>) -> Self {
        let rows = || {
            let known = clocks.known.iter().enumerate();
            known.filter(|(_, known)| known.is_some_and(|known| known.dot.is_none()))
        };
        let counters = |entry: usize| rows().map(move |(write, _)| clocks.row(write)[entry]);
        let ranks: Vec<_> = (0..clocks.width)
            .map(|entry| Ranks::of(counters(entry)))
            .collect();
        let standing: Vec<_> = clocks
            .known
            .iter()
            .enumerate()
            .map(|(write, known)| {
                let rarest = || {
                    let entries = clocks.row(write).iter().zip(&ranks).zip(0..);
                    let smaller = entries
                        .map(|((counter, all), entry)| (all.below(*counter), entry, *counter));
                    let (_, entry, counter) = smaller.max()?;
                    Some((entry, counter))
                };
                known.as_ref()?.dot.or_else(rarest)
            })
            .collect();
        let counters = |of: u32| {
            let standing = standing.iter().flatten();
            standing
                .filter(move |(entry, _)| *entry == of)
                .map(|(_, counter)| *counter)
        };
        let standing_at = (0..number(clocks.width))
            .map(|entry| Ranks::of(counters(entry)))
            .collect();
        Self {
            clocks,
            standing,
            standing_at,
            by_entry: Vec::new(),
            now: Vec::new(),
            words: Vec::new(),
            end: 0,
        }
    }

    /// How many other writes may be below the version of `upper`.
    pub(crate) fn count_below(&self, upper: usize) -> usize {
        let row = self.clocks.row(upper);
        let entries = row.iter().zip(&self.standing_at);
        let all: usize = entries.map(|(counter, all)| all.up_to(*counter)).sum();
        let itself =
            self.standing[upper].is_some_and(|(entry, counter)| row[entry as usize] >= counter);
        all - usize::from(itself)
    }

    /// Those that may be below the version of `upper`, as bits.
    pub(crate) fn below(&mut self, upper: usize) -> &[u64] {
        if self.by_entry.is_empty() {
            self.by_entry = vec![Vec::new(); self.clocks.width];
            for (write, standing) in self.standing.iter().enumerate() {
                if let Some((entry, counter)) = standing {
                    self.by_entry[*entry as usize].push((*counter, write));
                }
            }
            for writes in &mut self.by_entry {
                writes.sort_unstable();
            }
            self.now = vec![(0, 0); self.clocks.width];
            self.words = vec![0; self.clocks.known.len().div_ceil(BITS)];
            for entry in 0..self.clocks.width {
                self.move_to(entry, 0);
            }
        }
        for (entry, counter) in self.clocks.row(upper).iter().enumerate() {
            if self.now[entry].0 != *counter {
                self.move_to(entry, *counter);
            }
        }
        while self.end > 0 && self.words[self.end - 1] == 0 {
            self.end -= 1;
        }
        &self.words[..self.end]
    }

    fn move_to(&mut self, entry: usize, counter: u32) {
        let writes = &self.by_entry[entry];
        let (_, before) = self.now[entry];
        let after = writes.partition_point(|(known, _)| *known <= counter);
        for (_, write) in &writes[before.min(after)..before.max(after)] {
            self.words[write / BITS] ^= 1 << (write % BITS);
            self.end = self.end.max(write / BITS + 1);
        }
        self.now[entry] = (counter, after);
    }
}

/// How many of some counters are smaller than another.
pub(crate) enum Ranks {
    /// For each counter how many are smaller: for counters that are not much more than they are
    /// many.
    Dense(Vec<u32>),
    Sorted(Vec<u32>),
}

impl Ranks {
    pub(crate) fn of(counters: impl Iterator<Item = u32> + Clone) -> Self {
        let (mut many, mut largest) = (0, 0);
        for counter in counters.clone() {
            (many, largest) = (many + 1, largest.max(counter as usize));
        }
        if largest > 4 * many + 64 {
            let mut sorted: Vec<_> = counters.collect();
            sorted.sort_unstable();
            return Self::Sorted(sorted);
        }
        let mut smaller = vec![0; largest + 2];
        for counter in counters {
            smaller[counter as usize + 1] += 1;
        }
        for counter in 1..smaller.len() {
            smaller[counter] += smaller[counter - 1];
        }
        Self::Dense(smaller)
    }

    /// How many are smaller.
    pub(crate) fn below(&self, counter: u32) -> usize {
        match self {
            Self::Dense(smaller) => smaller[(counter as usize).min(smaller.len() - 1)] as usize,
            Self::Sorted(counters) => counters.partition_point(|known| *known < counter),
        }
    }

    /// How many are not larger.
    pub(crate) fn up_to(&self, counter: u32) -> usize {
        self.below(counter + 1)
    }

    /// True when two of them are equal.
    pub(crate) fn has_equal(&self) -> bool {
        match self {
            Self::Dense(smaller) => smaller.windows(2).any(|pair| pair[1] - pair[0] > 1),
            Self::Sorted(counters) => counters.windows(2).any(|pair| pair[0] == pair[1]),
        }
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

/// All entry names, sorted, and the largest counter.
fn actors<'h>(versions: impl Iterator<Item = &'h Version>) -> (Vec<&'h Name>, u64) {
    let mut names: Vec<&'h Name> = Vec::new();
    let mut largest = 0;
    for version in versions {
        let (clock, dot) = parts(version);
        let mut at = 0;
        for (name, counter) in clock.map(ReportedClock::entries).unwrap_or_default() {
            largest = largest.max(*counter);
            at = position(&names, at, name);
            if names.get(at) != Some(&name) {
                names.insert(at, name);
            }
        }
        if let Some((actor, counter)) = dot {
            largest = largest.max(counter);
            let at = position(&names, 0, actor);
            if names.get(at) != Some(&actor) {
                names.insert(at, actor);
            }
        }
    }
    (names, largest)
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
                .find(|(known, _)| *known >= name)
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
