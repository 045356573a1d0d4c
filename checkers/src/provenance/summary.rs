//! What the pass through a history notes of each key: reported versions as short rows of counters,
//! and what each operation shows by itself.
//!
//! The operations of a key lie far apart in a history, so coming back to them is slow. While the pass
//! is at an operation, its versions and contexts are in the processor's cache. So they are checked
//! here, once, and only rows of counters are kept for later. Where something looks wrong, or is
//! beyond what is checked here, the key is *doubtful*: it is then examined invariant by invariant.

use crate::{
    history::{Name, Read, ReportedClock, Status, Version, Write},
    same_clock::same_clock,
};

use super::{OpRecord, number};

/// Keys with versions of more entries are examined invariant by invariant.
const MOST_ACTORS: usize = 64;

/// So many siblings of one answer are compared each with each; more are examined invariant by
/// invariant, which is near-linear.
const MOST_SIBLINGS: usize = 64;

/// What was noted of a key.
#[derive(Default)]
pub(crate) struct KeySummary<'h> {
    /// Something looks wrong, or is beyond what is noted here.
    pub(crate) doubtful: bool,
    /// A value that is no tombstone has a tag.
    pub(crate) is_tagged: bool,
    /// How often single operations had something to test.
    pub(crate) tested: Tested,
    /// The numbers of sources, or siblings, of operations with several.
    pub(super) links: Vec<u32>,
    /// The version of each write, by its number.
    versions: Vec<Reported<'h>>,
    rows: Vec<u32>,
    actors: Actors<'h>,
    /// The largest counters of all contexts.
    joined: Vec<u32>,
    /// The counters of the contexts of final reads.
    last_contexts: Vec<Vec<u32>>,
    /// The context that came last, and its counters.
    context: Option<&'h ReportedClock>,
    context_row: Vec<u32>,
    /// The counters of a clock that is looked at.
    scratch: Vec<u32>,
}

/// How often single operations had something to test.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tested {
    pub(crate) advance: u64,
    pub(crate) identity: u64,
    pub(crate) antichain: u64,
    pub(crate) context: u64,
    pub(crate) dots: u64,
}

/// The version of a write.
#[derive(Clone, Copy)]
pub(crate) struct Reported<'h> {
    clock: Option<&'h ReportedClock>,
    pub(crate) kind: Kind,
    /// By the acknowledgement; else by the first read that did.
    pub(crate) by_acknowledgement: bool,
    /// Some read returned the write.
    pub(crate) is_returned: bool,
    width: u16,
    /// The number of a dot's actor, and its counter.
    actor: u16,
    counter: u32,
    row: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Unknown,
    Clock,
    /// A dot, and its past beside it.
    Dotted,
    /// A dot alone.
    Dot,
}

impl Reported<'_> {
    const UNKNOWN: Self = Self {
        clock: None,
        kind: Kind::Unknown,
        by_acknowledgement: false,
        is_returned: false,
        width: 0,
        actor: 0,
        counter: 0,
        row: 0,
    };

    /// The number of a dot's actor, and its counter.
    pub(crate) fn dot(&self) -> (u32, u32) {
        (self.actor.into(), self.counter)
    }

    /// True when there is a row: the clock, or the past of the dot.
    pub(crate) fn has_row(&self) -> bool {
        matches!(self.kind, Kind::Clock | Kind::Dotted)
    }

    pub(crate) fn is_dot(&self) -> bool {
        matches!(self.kind, Kind::Dot | Kind::Dotted)
    }
}

impl<'h> KeySummary<'h> {
    /// Of a write the places, among the operations of its key, of those of whose answers its context
    /// was made; of a read the numbers of the writes that it returned, which have to be known.
    pub(crate) fn links_of<'a>(&'a self, op: &'a OpRecord) -> &'a [u32] {
        match op.linked.1 {
            1 => std::slice::from_ref(&op.link),
            many => &self.links[op.link as usize..][..many as usize],
        }
    }

    /// How many entries the versions of the key have.
    pub(crate) fn actors(&self) -> usize {
        self.actors.names.len()
    }

    pub(crate) fn version(&self, write: usize) -> &Reported<'h> {
        &self.versions[write]
    }

    pub(crate) fn versions(&self) -> &[Reported<'h>] {
        &self.versions
    }

    /// The counters of a version's clock, or past. What is beyond their end is zero.
    pub(crate) fn row(&self, version: &Reported<'_>) -> &[u32] {
        &self.rows[version.row as usize..][..version.width.into()]
    }

    /// True when every final read's context holds all contexts of the key.
    pub(crate) fn contexts_end_with_all(&self) -> bool {
        let mut last = self.last_contexts.iter();
        last.all(|context| at_most(&self.joined, context))
    }

    /// Notes the next write that may have been applied.
    pub(super) fn note_write(&mut self, write: &'h Write, status: Status) {
        self.is_tagged |= !write.tombstone && write.value.tag.is_some();
        let version = match &write.version {
            Some(version) if !self.doubtful => self.acknowledged(write, version, status),
            _ => Some(Reported::UNKNOWN),
        };
        self.doubtful |= version.is_none();
        self.versions.push(version.unwrap_or(Reported::UNKNOWN));
    }

    /// The version of an acknowledgement; `None` when something is wrong with it.
    fn acknowledged(
        &mut self,
        write: &'h Write,
        version: &'h Version,
        status: Status,
    ) -> Option<Reported<'h>> {
        let reported = self.report(version, true)?;
        if reported.is_dot() {
            self.tested.dots += 1;
        }
        let row = self.row(&reported);
        let (actor, counter) = (usize::from(reported.actor), reported.counter);
        let holds_dot = |row: &[u32]| row.get(actor).is_some_and(|most| *most >= counter);
        if reported.kind == Kind::Dotted && holds_dot(row) {
            return None;
        }
        let Some(context) = write.context.as_ref().filter(|_| status == Status::Ok) else {
            return Some(reported);
        };
        self.tested.advance += 1;
        if matches!(version, Version::Dotted { past: Some(past), .. } if same_clock(past, context))
        {
            return Some(reported);
        }
        self.look_at(context)?;
        let (row, context) = (self.row(&reported), &self.scratch[..]);
        let advanced = match reported.kind {
            Kind::Clock => at_most(context, row) && !at_most(row, context),
            Kind::Dotted => !holds_dot(context) && at_most(context, row),
            Kind::Dot | Kind::Unknown => !holds_dot(context),
        };
        advanced.then_some(reported)
    }

    /// Puts the counters of a clock into `scratch`. `None` when it is too large.
    fn look_at(&mut self, clock: &'h ReportedClock) -> Option<()> {
        self.scratch.clear();
        self.actors.append(clock, &mut self.scratch)
    }

    /// Takes a version up. `None` when it is too large.
    fn report(&mut self, version: &'h Version, by_acknowledgement: bool) -> Option<Reported<'h>> {
        let (clock, dot, kind) = match version {
            Version::Clock(clock) => (Some(clock), (0, 0), Kind::Clock),
            Version::Dotted {
                actor,
                counter,
                past,
            } => {
                let dot = (self.actors.number(actor)?, u32::try_from(*counter).ok()?);
                let kind = if past.is_some() {
                    Kind::Dotted
                } else {
                    Kind::Dot
                };
                (past.as_ref(), dot, kind)
            }
        };
        let row = self.rows.len();
        if let Some(clock) = clock {
            self.actors.append(clock, &mut self.rows)?;
        }
        Some(Reported {
            clock,
            kind,
            by_acknowledgement,
            is_returned: !by_acknowledgement,
            width: u16::try_from(self.rows.len() - row).ok()?,
            actor: u16::try_from(dot.0).ok()?,
            counter: dot.1,
            row: u32::try_from(row).ok()?,
        })
    }

    /// Notes an answered read, given the numbers of the writes that it returned; `None` for what
    /// comes out of thin air.
    pub(super) fn note_read(
        &mut self,
        read: &'h Read,
        writes: &(impl Iterator<Item = Option<u32>> + Clone),
    ) {
        self.doubtful = self.doubtful || self.answer(read, writes).is_none();
    }

    /// `None` when something is wrong with an answer.
    fn answer(
        &mut self,
        read: &'h Read,
        writes: &(impl Iterator<Item = Option<u32>> + Clone),
    ) -> Option<()> {
        let siblings = || read.siblings.iter().zip(writes.clone());
        for (sibling, write) in siblings() {
            let write = write?;
            self.versions[write as usize].is_returned = true;
            if let Some(version) = &sibling.version {
                self.identify(write as usize, version)?;
            }
        }
        if read.siblings.len() > MOST_SIBLINGS {
            return None;
        }
        if read.siblings.len() > 1 {
            let mut sorted: Vec<_> = writes.clone().collect();
            sorted.sort_unstable();
            if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
                return None;
            }
            for (second, (upper, above)) in siblings().enumerate() {
                for (lower, below) in siblings().take(second) {
                    self.compare(
                        (lower.version.as_ref(), below?),
                        (upper.version.as_ref(), above?),
                    )?;
                }
            }
        }
        let Some(context) = &read.context else {
            return Some(());
        };
        if self
            .context
            .is_none_or(|known| !known.same_allocation(context))
        {
            self.context_row.clear();
            self.actors.append(context, &mut self.context_row)?;
            self.context = Some(context);
            self.join_context();
        }
        for (sibling, write) in siblings() {
            if let Some(Version::Dotted { .. }) = sibling.version {
                self.tested.context += 1;
                let (actor, counter) = self.versions[write? as usize].dot();
                let most = self.context_row.get(actor as usize);
                if most.is_none_or(|most| *most < counter) {
                    return None;
                }
            }
        }
        if read.last {
            self.last_contexts.push(self.context_row.clone());
        }
        Some(())
    }

    /// Adds the context that came last to all others.
    fn join_context(&mut self) {
        let row = &self.context_row;
        if self.joined.len() < row.len() {
            self.joined.resize(row.len(), 0);
        }
        for (most, counter) in self.joined.iter_mut().zip(row) {
            *most = (*most).max(*counter);
        }
    }

    /// Takes up the version of a returned write, or compares it with the one that is known.
    fn identify(&mut self, write: usize, version: &'h Version) -> Option<()> {
        self.tested.identity += 1;
        let known = self.versions[write];
        let same = match (known.kind, version) {
            (Kind::Unknown, _) => {
                self.versions[write] = self.report(version, false)?;
                true
            }
            (
                Kind::Dot | Kind::Dotted,
                Version::Dotted {
                    actor,
                    counter,
                    past,
                },
            ) => {
                u64::from(known.counter) == *counter
                    && same_name(self.actors.names[usize::from(known.actor)], actor)
                    && match past {
                        Some(past) if known.kind == Kind::Dotted => self.is_row(past, &known)?,
                        _ => true,
                    }
            }
            (Kind::Clock, Version::Clock(clock)) => self.is_row(clock, &known)?,
            _ => false,
        };
        same.then_some(())
    }

    fn is_row(&mut self, clock: &'h ReportedClock, known: &Reported<'_>) -> Option<bool> {
        if known
            .clock
            .is_some_and(|known| known.same_allocation(clock))
        {
            return Some(true);
        }
        self.look_at(clock)?;
        let (row, other) = (self.row(known), &self.scratch[..]);
        Some(at_most(other, row) && at_most(row, other))
    }

    /// Compares two siblings of one answer, each with its write; `None` when they are in order.
    fn compare(
        &mut self,
        (lower, below): (Option<&Version>, u32),
        (upper, above): (Option<&Version>, u32),
    ) -> Option<()> {
        let ordered = match (lower, upper) {
            (Some(Version::Clock(_)), Some(Version::Clock(_))) => {
                let row = |write: u32| self.row(&self.versions[write as usize]);
                let (lower, upper) = (row(below), row(above));
                at_most(lower, upper) || at_most(upper, lower)
            }
            (
                Some(Version::Dotted { past: None, .. }),
                Some(Version::Dotted { past: None, .. }),
            ) => self.versions[below as usize].dot() == self.versions[above as usize].dot(),
            // Pasts in answers are compared invariant by invariant.
            (Some(Version::Dotted { .. }), Some(Version::Dotted { .. })) => true,
            _ => return Some(()),
        };
        self.tested.antichain += 1;
        (!ordered).then_some(())
    }
}

/// True when no counter of `lower` is larger than that of `upper`.
pub(crate) fn at_most(lower: &[u32], upper: &[u32]) -> bool {
    let both = lower.len().min(upper.len());
    lower[..both].iter().zip(upper).all(|(low, up)| low <= up)
        && lower[both..].iter().all(|low| *low == 0)
}

/// The names of a key's clock entries, numbered as they come.
#[derive(Default)]
struct Actors<'h> {
    names: Vec<&'h Name>,
    /// The list of names that came last, and their numbers.
    last: &'h [Name],
    numbers: Vec<u32>,
    /// The names of the list have the first numbers, in its order.
    in_order: bool,
}

impl<'h> Actors<'h> {
    /// Appends the counters of a clock by the numbers of the names. `None` when it is too large.
    fn append(&mut self, clock: &'h ReportedClock, rows: &mut Vec<u32>) -> Option<()> {
        let entries = clock.entries();
        // Most clocks share one list.
        if !std::ptr::eq(self.last, entries.names()) {
            self.take_up(entries.names())?;
        }
        let counters = entries.counters();
        if counters.iter().any(|counter| *counter > u32::MAX.into()) {
            return None;
        }
        let narrow = |counter: &u64| u32::try_from(*counter).unwrap_or(u32::MAX);
        if self.in_order {
            rows.extend(counters.iter().map(narrow));
            return Some(());
        }
        let row = rows.len();
        rows.resize(row + self.names.len(), 0);
        for (number, counter) in self.numbers.iter().zip(counters) {
            rows[row + *number as usize] = narrow(counter);
        }
        Some(())
    }

    fn take_up(&mut self, list: &'h [Name]) -> Option<()> {
        let mut numbers = std::mem::take(&mut self.numbers);
        numbers.resize(list.len(), 0);
        for (number, name) in numbers.iter_mut().zip(list) {
            let known = self.names.get(*number as usize);
            if known.is_none_or(|known| !same_name(known, name)) {
                *number = self.number(name)?;
            }
        }
        self.in_order = numbers.iter().zip(0..).all(|(number, at)| *number == at);
        (self.last, self.numbers) = (list, numbers);
        Some(())
    }

    fn number(&mut self, name: &'h Name) -> Option<u32> {
        let known = self.names.iter().position(|known| same_name(known, name));
        let at = known.unwrap_or(self.names.len());
        if known.is_none() {
            self.names.push(name);
        }
        (self.names.len() <= MOST_ACTORS).then(|| number(at))
    }
}

/// Names are short: they are compared sooner than a call is made.
fn same_name(one: &Name, other: &Name) -> bool {
    let (one, other) = (one.as_str().as_bytes(), other.as_str().as_bytes());
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one == other)
}
