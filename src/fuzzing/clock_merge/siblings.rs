//! Sets of siblings against replicas that store every event and every live value by itself.

use std::collections::{BTreeMap, BTreeSet};

use super::histories::{Event, event, events, relation};
use super::{ACTORS, Broken, Law, Verdict, hold, semilattice, serde_round_trip};
use crate::clocks::{Actor, Causality, ClockError, DvvSet, VersionVector};

/// Replicas in a simulation: with three, news of a write can arrive by way of another replica.
pub const REPLICAS: usize = 3;

/// Siblings whose values are the numbers of the steps that wrote them.
type Siblings = DvvSet<usize>;

/// The operations of [`DvvSet`] under test.
#[derive(Debug, Clone, Copy)]
pub struct DvvOperations {
    /// [`DvvSet::sync`].
    pub sync: fn(&Siblings, &Siblings) -> Siblings,
    /// [`DvvSet::discard`].
    pub discard: fn(&Siblings, &VersionVector) -> Siblings,
    /// [`DvvSet::event`].
    pub event: fn(&Siblings, &Actor, usize, &VersionVector) -> Result<Siblings, ClockError>,
    /// [`DvvSet::compare`].
    pub compare: fn(&Siblings, &Siblings) -> Causality,
}

impl DvvOperations {
    /// The real ones.
    pub const REAL: Self = Self {
        sync: DvvSet::sync,
        discard: DvvSet::discard,
        event: DvvSet::event,
        compare: DvvSet::compare,
    };
}

/// One step of a simulated store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The replica coordinates a client's write.
    Write {
        /// The coordinator.
        replica: usize,
        /// What the client had read.
        context: Source,
    },
    /// The replica takes in another's state.
    Sync {
        /// Who learns.
        replica: usize,
        /// From whom.
        from: usize,
    },
    /// The replica drops what a context covers.
    Discard {
        /// The replica.
        replica: usize,
        /// What covers.
        context: Source,
    },
    /// A client reads at the replica and keeps the context for later.
    Keep {
        /// The replica.
        replica: usize,
    },
}

/// Where a context comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A write that carries none.
    Blind,
    /// A read just now, at any replica.
    Read(usize),
    /// The context that was last kept: by now perhaps an old one.
    Kept,
}

impl From<u8> for Step {
    /// Every byte is a step, so that each mutation of a fuzzer is another simulation.
    fn from(byte: u8) -> Self {
        let byte = usize::from(byte);
        let (kind, replica, other) = (byte % 4, byte / 4 % 3, byte / 12 % 5);
        let context = match other {
            0 => Source::Blind,
            1 => Source::Kept,
            at => Source::Read(at - 2),
        };
        match kind {
            0 => Self::Write { replica, context },
            1 => Self::Sync {
                replica,
                from: other % REPLICAS,
            },
            2 => Self::Discard { replica, context },
            _ => Self::Keep { replica },
        }
    }
}

/// A replica as the definition has it: events and live values, one by one.
#[derive(Debug, Clone, Default)]
struct Replica {
    known: BTreeSet<Event>,
    live: BTreeMap<Event, usize>,
}

impl Replica {
    fn write(&mut self, coordinator: usize, value: usize, context: &BTreeSet<Event>) {
        self.known.extend(context);
        self.discard(context);
        let last = self
            .known
            .range((coordinator, 0)..=(coordinator, u64::MAX))
            .next_back();
        let dot = (coordinator, last.map_or(0, |event| event.1) + 1);
        self.known.insert(dot);
        self.live.insert(dot, value);
    }

    fn discard(&mut self, context: &BTreeSet<Event>) {
        self.live.retain(|dot, _| !context.contains(dot));
    }

    fn sync(&mut self, other: &Self) {
        let (known, live) = (&self.known, &other.live);
        let news = live.iter().filter(|(dot, _)| !known.contains(*dot));
        let news: Vec<_> = news.map(|(dot, value)| (*dot, *value)).collect();
        self.live
            .retain(|dot, _| live.contains_key(dot) || !other.known.contains(dot));
        self.live.extend(news);
        self.known.extend(&other.known);
    }

    /// What is known, and which of it is superseded, by inclusion.
    fn compare(&self, other: &Self) -> Causality {
        let below = |l: &Self, r: &Self| {
            let superseded = |event: &Event| !l.live.contains_key(event);
            let mut dead = l.known.iter().filter(|event| superseded(event));
            l.known.is_subset(&r.known) && dead.all(|event| !r.live.contains_key(event))
        };
        relation(below(self, other), below(other, self))
    }

    /// The set must say the same as this replica.
    fn agree(&self, set: &Siblings, steps: &[Step]) -> Verdict {
        let witness = || format!("{set:?} instead of {self:?} after {steps:?}");
        let known = events(&set.join()).eq(self.known.iter().copied());
        hold(Law::KnownEvents, known, witness)?;
        let counted = set.len() == self.live.len() && set.is_empty() == self.live.is_empty();
        // The dots are distinct, so as many values as live ones, all live, are all of them.
        let live = set
            .values()
            .all(|(dot, value)| self.live.get(&event(&dot)) == Some(value));
        hold(Law::LiveValues, counted && live, witness)
    }
}

/// Three replicas take the steps, once with the operations under test and once by definition, and
/// agree after each. At the end the three states must form a semilattice under `sync`.
///
/// # Errors
///
/// [`Law::KnownEvents`], [`Law::LiveValues`], [`Law::Inclusion`], or what [`semilattice`] and
/// [`serde_round_trip`] report.
pub fn simulation(steps: &[Step], operations: &DvvOperations) -> Verdict {
    let mut store = Store::default();
    for (value, step) in steps.iter().enumerate() {
        let taken = &steps[..=value];
        if let Some(at) = store
            .take(*step, value, operations)
            .map_err(|error| Broken {
                law: Law::LiveValues,
                witness: format!("{error} after {taken:?}"),
            })?
        {
            store.replicas[at].agree(&store.sets[at], taken)?;
        }
    }
    let Store { sets, replicas, .. } = &store;
    semilattice(&sets[0], &sets[1], &sets[2], operations.sync)?;
    for (l, r) in [(0, 1), (1, 2), (2, 0)] {
        let found = (operations.compare)(&sets[l], &sets[r]);
        let expected = replicas[l].compare(&replicas[r]);
        hold(Law::Inclusion, found == expected, || {
            format!(
                "{:?} against {:?} is {expected:?}, not {found:?}",
                sets[l], sets[r]
            )
        })?;
    }
    serde_round_trip(&sets[0])
}

/// The same store twice: as sets under test and by definition.
#[derive(Default)]
struct Store {
    sets: [Siblings; REPLICAS],
    replicas: [Replica; REPLICAS],
    kept: Context,
}

/// A context twice: as the version vector that is passed on, and as the events that it stands for.
type Context = (VersionVector, BTreeSet<Event>);

impl Store {
    /// Takes one step; says which replica it changed.
    fn take(
        &mut self,
        step: Step,
        value: usize,
        operations: &DvvOperations,
    ) -> Result<Option<usize>, ClockError> {
        match step {
            Step::Write { replica, context } => {
                let (context, seen) = self.context(context);
                let actor = Actor::from(ACTORS[replica]);
                let set = &mut self.sets[replica];
                *set = (operations.event)(set, &actor, value, &context)?;
                self.replicas[replica].write(replica, value, &seen);
                Ok(Some(replica))
            }
            Step::Sync { replica, from } => {
                self.sets[replica] = (operations.sync)(&self.sets[replica], &self.sets[from]);
                if let Ok([into, from]) = self.replicas.get_disjoint_mut([replica, from]) {
                    into.sync(from);
                }
                Ok(Some(replica))
            }
            Step::Discard { replica, context } => {
                let (context, seen) = self.context(context);
                self.sets[replica] = (operations.discard)(&self.sets[replica], &context);
                self.replicas[replica].discard(&seen);
                Ok(Some(replica))
            }
            Step::Keep { replica } => {
                self.kept = self.context(Source::Read(replica));
                Ok(None)
            }
        }
    }

    fn context(&self, source: Source) -> Context {
        match source {
            Source::Blind => Context::default(),
            Source::Read(at) => (self.sets[at].join(), self.replicas[at].known.clone()),
            Source::Kept => self.kept.clone(),
        }
    }
}
