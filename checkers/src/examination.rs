//! An examination: what the history shows of every invariant, before any claim is judged by it.
//!
//! Invariants are tested once, key by key and independently of each other; the verdict on a promise
//! is a selection. So several claims can be judged by one examination.

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::{
    causality::{KeyView, ReadView},
    causes,
    claim::{Claim, Promise},
    clock_table::ClockTable,
    happens_before::Causes,
    history::History,
    index::number,
    invariants::{self, Subject},
    object_model::ObjectModel,
    provenance::{HistoryFault, Kind, Provenance},
    screening::{Healthy, Scans, screen},
    situations::{Situation, Situations},
    telling::{self, follows_two_writes},
    verdict::{Exercised, Invariant, Outcome, Reason, Unknown, Verdict, Violation},
};

/// What a history shows of some promises.
pub(crate) struct Examination {
    keys: Vec<ExaminedKey>,
    situations: Situations,
    model: ObjectModel,
    /// Causality was promised, and there are too many clients to test it.
    too_many_clients: bool,
}

/// What one key shows.
struct ExaminedKey {
    exercised: Exercised,
    violations: Vec<Violation>,
    /// Something was lost, and not because of versions.
    lost_beside_versions: bool,
    situations: Situations,
    /// Why a lost update would not show.
    no_final_read: Option<Reason>,
    /// Why it could not be decided whether its operations can be put into one order.
    order_is_open: Option<Reason>,
    /// A read was answered after two writes of the key, or returned two.
    tells: bool,
    /// So was one whose visible set is exact.
    tells_in_order: bool,
}

impl Examination {
    /// Tests everything that any of `promises` includes.
    pub(crate) fn of(
        history: &History,
        promises: &[Promise],
        in_short: bool,
    ) -> Result<Self, HistoryFault> {
        let provenance = Provenance::of(history)?;
        let over_all_keys = |promise: &Promise| promise.includes(Invariant::Causality);
        let over_all_keys = promises.iter().any(over_all_keys);
        let causes = over_all_keys.then(|| Causes::of(&provenance, in_short));
        let causes = causes.as_ref();
        let scans = Scans::of(promises);
        let keys = examine_keys(history, |key| {
            let healthy = in_short.then(|| screen(&provenance, key, causes, &scans));
            match healthy.flatten() {
                Some(healthy) => ExaminedKey::healthy(healthy),
                None => ExaminedKey::in_full(&provenance, key, causes, promises),
            }
        });
        let mut situations = Situations::default();
        situations.count_up(Situation::UnknownOutcome, provenance.unknown_writes());
        for key in &keys {
            situations.add(&key.situations);
        }
        Ok(Self {
            keys,
            situations,
            model: history.header.model,
            too_many_clients: causes.is_some_and(Causes::are_too_many),
        })
    }

    /// The verdict on a promise, which has to be one of those that the examination was made for.
    pub(crate) fn verdict(&self, promise: Promise) -> Verdict {
        let claim = promise.claim;
        let mut exercised = Exercised::default();
        let (mut violations, mut unknown) = (Vec::new(), Vec::new());
        for (key, examined) in (0..).zip(&self.keys) {
            let promised = |invariant: &Invariant| promise.includes(*invariant);
            for invariant in Invariant::ALL.into_iter().filter(promised) {
                exercised.add(invariant, examined.exercised.count(invariant));
            }
            let broken = examined.violations.iter();
            let broken = broken.filter(|v| promised(&v.invariant)).cloned();
            violations.extend(broken);
            unknown.extend(examined.untested(claim).map(|reason| Unknown {
                key: Some(key),
                reason,
            }));
        }
        let beside_versions = self.keys.iter().any(|key| key.lost_beside_versions);
        violations.sort_by_key(|violation: &Violation| causes::rank(violation, beside_versions));
        let of_history = self.untested(promise, &exercised, violations.is_empty());
        let of_history = of_history.map(|reason| Unknown { key: None, reason });
        unknown.splice(0..0, of_history);
        let outcome = match (violations.is_empty(), unknown.is_empty()) {
            (false, _) => Outcome::Violated,
            (true, false) => Outcome::Unknown,
            (true, true) => Outcome::Valid,
        };
        Verdict {
            outcome,
            claim,
            replica_monotonic: promise.replica_monotonic,
            violations,
            unknown,
            exercised,
            figures: self.situations.clone(),
        }
    }

    /// What is promised and the whole history cannot show.
    fn untested(
        &self,
        promise: Promise,
        exercised: &Exercised,
        unbroken: bool,
    ) -> impl Iterator<Item = Reason> {
        let tells = |key: &ExaminedKey| match promise.claim {
            Claim::Linearizable => key.tells_in_order,
            _ => key.tells,
        };
        let nothing = unbroken && !self.keys.iter().any(tells);
        let too_many = self.too_many_clients && promise.includes(Invariant::Causality);
        let idle: Vec<_> = promise
            .adds()
            .filter(|invariant| *invariant != Invariant::Linearizability)
            .filter(|invariant| unbroken && !nothing && self.model.has(*invariant))
            .filter(|invariant| exercised.count(*invariant) == 0)
            .filter(|invariant| !too_many || *invariant != Invariant::Causality)
            .map(|invariant| Reason::NotExercised { invariant })
            .collect();
        let nothing = nothing.then_some(Reason::NothingTested);
        let too_many = too_many.then_some(Reason::TooManyClients);
        nothing.into_iter().chain(too_many).chain(idle)
    }
}

/// Histories with fewer operations are examined on the thread that asks: campaigns judge many small
/// ones on all cores at once.
const PARALLEL_FROM: usize = 50_000;

/// What the keys show, in their order whatever the number of threads.
fn examine_keys(
    history: &History,
    examine: impl Fn(u32) -> ExaminedKey + Sync + Send,
) -> Vec<ExaminedKey> {
    let keys = 0..number(history.keys.len());
    if history.operations.len() < PARALLEL_FROM {
        keys.map(examine).collect()
    } else {
        keys.into_par_iter().map(examine).collect()
    }
}

impl ExaminedKey {
    fn healthy(healthy: Healthy) -> Self {
        Self {
            exercised: healthy.exercised,
            violations: Vec::new(),
            lost_beside_versions: false,
            situations: healthy.situations,
            no_final_read: healthy.no_final_read,
            order_is_open: None,
            tells: healthy.tells,
            tells_in_order: healthy.tells,
        }
    }

    fn in_full(
        provenance: &Provenance<'_>,
        key: u32,
        causes: Option<&Causes<'_, '_>>,
        promises: &[Promise],
    ) -> Self {
        let view = KeyView::new(provenance, key);
        let clocks = ClockTable::new(&view);
        let subject = Subject {
            view: &view,
            clocks: &clocks,
            before: causes.and_then(Causes::exactly),
        };
        let mut exercised = Exercised::default();
        let mut violations = Vec::new();
        let mut open = None;
        invariants::check(promises, &subject, |invariant, tested| {
            exercised.add(invariant, tested.times);
            violations.extend(tested.violation);
            open = open.take().or(tested.open);
        });
        let mut situations = Situations::default();
        situations.observe(&view);
        let place = |read: &ReadView<'_>| provenance.place(read.id) - provenance.first_place(key);
        let (_, ops) = provenance.records(key);
        let tells = |read: &&ReadView<'_>| {
            read.visible_must.len() >= 2 || follows_two_writes(ops, place(read))
        };
        let mut telling = view.sound_reads().filter(tells);
        let first = telling.next().map(|read| read.in_order);
        let tells_in_order = first == Some(true) || telling.any(|read| read.in_order);
        Self {
            exercised,
            lost_beside_versions: causes::beside_versions(&view, &clocks, &violations),
            violations,
            situations,
            no_final_read: no_final_read(&view),
            order_is_open: open,
            tells: first.is_some(),
            tells_in_order,
        }
    }

    /// What the claim promises about the key and the history cannot show.
    fn untested(&self, claim: Claim) -> Option<Reason> {
        match claim {
            Claim::Linearizable => self.order_is_open.clone(),
            _ => self.no_final_read.clone(),
        }
    }
}

/// Why a lost update would not show: an acknowledged write that no sound final read followed.
fn no_final_read(view: &KeyView<'_>) -> Option<Reason> {
    let (ids, ops) = view.provenance().records(view.key);
    let is_final = |place: &usize| ops[*place].kind == Kind::Read && ops[*place].is_special;
    let is_sound = |place: &usize| view.reads[ops[*place].slot as usize].sound;
    let finals = (0..ops.len()).filter(is_final);
    let (judged, left_out): (Vec<_>, Vec<_>) = finals.partition(is_sound);
    telling::no_final_read((ids, ops), &judged, &left_out)
}
