//! Reported clocks and dots against causality known from provenance.
//!
//! `clock(s) < clock(w)` compares vector clocks entry by entry; for dotted versions it means that
//! the dot of `s` is in the past that was reported beside the dot of `w`. A write's version is that
//! of its acknowledgement; where that gave none, of the first read that returned it. Comparing a
//! clock with a dot says nothing.
//!
//! - **Clock soundness**: `s → w` under `must` implies `clock(s) < clock(w)`. Only the edges that
//!   generate the order are compared (a write and what its sources returned): the rest follows by
//!   transitivity.
//! - **Clock precision**: `clock(s) < clock(w)` implies `s → w` under `may`. A store that fails
//!   this has false dominance and will lose a concurrent write. All pairs outside `may` are
//!   judged.
//! - **Clock advance**: `clock(w)` strictly dominates the context that `w` carried; a dot's past
//!   includes the context, and the dot is not in the context.
//! - **Clock identity**: different writes never share a clock (a dot), and a value keeps its
//!   version from its acknowledgement on.
//! - **Antichain**: the clocks in one answer are pairwise concurrent; dots in one answer differ.
//!
//! ```text
//! soundness   write "a" ─ ok {n1:1}    read ["a"]    write "b" (that context) ─ ok {n2:1}
//! precision   write "a" ─ ok {n1:1}    write "b" (blind, another client) ─ ok {n1:2}
//! advance     write "b" with context {n1:1} ─ ok {n1:1}
//! identity    write "a" ─ ok {n1:1}    write "b" (blind, another client) ─ ok {n1:1}
//! antichain   read ─ ok ["a" {n1:1}, "b" {n1:2}]
//! ```
//!
//! In the replica model only precision, identity and the antichain are promised, and `may` of
//! precision is time alone: `clock(s) < clock(w)` implies that `s` was invoked before `w` completed.
//!
//! ```text
//! precision   write "a" ─ ok {n1:2}    write "b" ─ ok {n1:1}      (replica model)
//! ```
//!
//! All are sound and complete as stated, for reported versions (precision under `must`; `may` also
//! lets a client's write be above what is in no past of it, see `causality.rs`). Cost: O(edges ·
//! entries), and O(n log n) for identity. Precision counts, for each write, those that have an entry
//! that it includes ([`Candidates`]); a healthy store's are as many as its past. Only where they are
//! not are those outside its `may`-past compared with it, one by one. Sources: Fidge 1988, Mattern 1989, Schwarz & Mattern 1994
//! (causal histories as the oracle of clocks), Preguiça et al. 2010.

use super::{Found, Subject};
use crate::{
    causality::Node,
    clock_table::{Candidates, ClockTable},
    history::{OpId, ReportedClock, Version},
    object_model::ObjectModel,
    same_clock::{includes, includes_dot, same_version},
    verdict::Finding,
    write_set::WriteSet,
};

pub(super) fn soundness(subject: &Subject<'_, '_>, found: &mut Found) {
    let (view, clocks) = (subject.view, subject.clocks);
    for (upper, write) in view.writes.iter().enumerate() {
        for edge in view.edges(upper) {
            let (source, lower) = (edge.source, edge.lower());
            let Some(below) = clocks.below(lower, upper) else {
                continue;
            };
            found.tested();
            if !below {
                found.violated(|| {
                    let mut evidence = with_reports(subject, [lower, upper], None);
                    if reports(subject, source, lower) {
                        evidence.retain(|op| view.node(*op).is_some_and(|node| node.is_write()));
                        evidence.extend(clocks.known(upper).map(|known| known.reported_by));
                    }
                    evidence.push(source);
                    let finding = Finding::ClockNotAbove {
                        lower: view.writes[lower].id,
                        through: source,
                        upper: write.id,
                    };
                    (evidence, finding)
                });
            }
        }
    }
}

pub(super) fn precision(subject: &Subject<'_, '_>, found: &mut Found) {
    let (view, clocks) = (subject.view, subject.clocks);
    if clocks.actors() == 0 {
        return;
    }
    let kinds = [clocks.of_kind(false), clocks.of_kind(true)];
    let mut candidates = Candidates::new(clocks);
    let plain = plain_writes(subject, &candidates);
    let (mut first, mut pairs) = (None, 0);
    let mut others = Vec::new();
    for upper in (0..view.writes.len()).filter(|write| clocks.has_row(*write)) {
        let may = &view.writes[upper].covers_may;
        let lowers = &kinds[usize::from(clocks.dot(upper).is_some())];
        let itself = usize::from(!may.contains(upper));
        let same = may.len() == view.writes[upper].covers_must.len();
        let known = if lowers.len() == view.writes.len() || plain[upper] && same {
            may.len()
        } else {
            may.len() - may.difference_len(lowers)
        };
        found.tested_times((lowers.len() - known - itself) as u64);
        if !plain[upper] {
            others.push(upper);
        }
    }
    clocks.sort_by_row(&mut others);
    for upper in others {
        let may = &view.writes[upper].covers_may;
        for lower in may.missing_of(candidates.below(upper)) {
            if lower != upper && clocks.below(lower, upper) == Some(true) {
                pairs += 1;
                let pair = (upper, lower);
                first = Some(first.map_or(pair, |first| pair.min(first)));
            }
        }
    }
    let Some((upper, lower)) = first else { return };
    found.violated(|| {
        let finding = Finding::FalseDominance {
            lower: view.writes[lower].id,
            upper: view.writes[upper].id,
        };
        let shown_by = view.shown_by(upper, lower);
        (with_reports(subject, [lower, upper], shown_by), finding)
    });
    found.violated_more(pairs - 1);
}

/// The writes of which counting shows that nothing is below their versions but what is in their
/// past.
///
/// When a version is above those of what the write directly covers, and these in turn, then
/// everything in its past is among the candidates. If the candidates are no more, they are its past.
/// The same holds for the wider past, where it is made of the direct past of each write and its
/// client's previous one.
fn plain_writes(subject: &Subject<'_, '_>, candidates: &Candidates<'_, '_>) -> Vec<bool> {
    let (view, clocks) = (subject.view, subject.clocks);
    if view.model() == ObjectModel::Replica {
        return vec![false; view.writes.len()];
    }
    let simple = !view.hides_deletes() && !view.has_late_writes();
    let past = |with_previous| Built {
        subject,
        with_previous,
        on_past: Vec::with_capacity(view.writes.len()),
    };
    let writes = 0..view.writes.len();
    let mut must = past(false);
    let mut plain: Vec<_> = writes
        .clone()
        .map(|upper| {
            must.take(upper);
            let covers = view.writes[upper].covers_must.len();
            must.on_past[upper] && candidates.count_below(upper) == covers
        })
        .collect();
    let doubtful = |plain: &[bool]| (0..plain.len()).any(|w| !plain[w] && clocks.has_row(w));
    if simple && doubtful(&plain) {
        let mut may = past(true);
        for upper in writes {
            may.take(upper);
            let covers = view.writes[upper].covers_may.len();
            plain[upper] |= may.on_past[upper] && candidates.count_below(upper) == covers;
        }
    }
    plain
}

/// How many writes without a row one after the other are looked through.
const MOST_LOOKED_THROUGH: usize = 4;

/// The writes whose versions are above all in their past.
struct Built<'s, 'v, 'h> {
    subject: &'s Subject<'v, 'h>,
    /// Whether the client's previous write belongs to the past.
    with_previous: bool,
    on_past: Vec<bool>,
}

impl Built<'_, '_, '_> {
    /// Settles the next write.
    fn take(&mut self, upper: usize) {
        let has_row = self.subject.clocks.has_row(upper);
        let built = has_row && self.past_is_below(upper, upper, MOST_LOOKED_THROUGH);
        self.on_past.push(built);
    }

    /// True when the version of `upper` is above all in the past of `write`.
    fn past_is_below(&self, upper: usize, write: usize, depth: usize) -> bool {
        let view = self.subject.view;
        let mut edges = view.edges(write).iter();
        edges.all(|edge| self.is_below(upper, edge.lower(), depth))
            && (!self.with_previous || {
                let previous = view.writes[write].previous();
                previous.is_none_or(|lower| self.is_below(upper, lower, depth))
            })
    }

    /// True when the version of `upper` is above that of `lower` and above all in its past.
    fn is_below(&self, upper: usize, lower: usize, depth: usize) -> bool {
        let clocks = self.subject.clocks;
        if clocks.has_row(lower) {
            let built = self.on_past.get(lower).is_some_and(|built| *built);
            return built && clocks.is_built_on(upper, lower);
        }
        depth > 0 && clocks.holds_dot(upper, lower) && self.past_is_below(upper, lower, depth - 1)
    }
}

/// Two writes, a read that is evidence anyhow, and the answers that reported their versions: as few
/// as will do.
fn with_reports(subject: &Subject<'_, '_>, writes: [usize; 2], given: Option<OpId>) -> Vec<OpId> {
    let known = |write| Some((write, subject.clocks.known(write)?.reported_by));
    let reported_anyhow = |write: usize| given.is_some_and(|read| reports(subject, read, write));
    let mut answers: Vec<_> = writes
        .into_iter()
        .filter(|write| !reported_anyhow(*write))
        .filter_map(known)
        .collect();
    if let [(first, by_first), (second, by_second)] = answers[..] {
        if reports(subject, by_first, second) {
            answers.truncate(1);
        } else if reports(subject, by_second, first) {
            answers.remove(0);
        }
    }
    let ids = writes.map(|write| subject.view.writes[write].id);
    let answers = answers.into_iter().map(|(_, by)| by);
    answers.chain(given).chain(ids).collect()
}

/// Whether a read returned a write with the version that it is known to have.
pub(super) fn reports(subject: &Subject<'_, '_>, read: OpId, write: usize) -> bool {
    let (Some(Node::Read(_, read)), Some(known)) =
        (subject.view.node(read), subject.clocks.known(write))
    else {
        return false;
    };
    // Where a read returned a write twice, its first version counts.
    let mut siblings = read.read().siblings.iter().zip(read.siblings.iter());
    let version = siblings.find_map(|(sibling, returned)| {
        let version = sibling.version.as_ref();
        version.filter(|_| returned == Some(write))
    });
    version.is_some_and(|version| same_version(version, known.version))
}

pub(super) fn advance(subject: &Subject<'_, '_>, found: &mut Found) {
    for write in subject
        .view
        .writes
        .iter()
        .filter(|write| write.acknowledged())
    {
        let (Some(version), Some(context)) = (&write.write().version, &write.write().context)
        else {
            continue;
        };
        let advanced = match version {
            Version::Clock(clock) => includes(clock, context) && clock != context,
            Version::Dotted {
                actor,
                counter,
                past,
            } => {
                !includes_dot(context, actor.as_str(), *counter)
                    && past.as_ref().is_none_or(|past| includes(past, context))
            }
        };
        found.tested();
        if !advanced {
            found.violated(|| (vec![write.id], Finding::NotAdvanced { write: write.id }));
        }
    }
}

pub(super) fn identity(subject: &Subject<'_, '_>, found: &mut Found) {
    let (view, clocks) = (subject.view, subject.clocks);
    let writes = clocks.by_identity();
    for pair in writes.windows(2) {
        let &[first, second] = pair else { continue };
        found.tested();
        if clocks.identical(first, second) {
            let writes = [first, second].map(|write| view.writes[write].id);
            found.violated(|| {
                let evidence = with_reports(subject, [first, second], None);
                (evidence, Finding::SharedVersion { writes })
            });
        }
    }
    for read in &view.reads {
        for (sibling, write) in read.read().siblings.iter().zip(read.siblings.iter()) {
            let Some(write) = write else { continue };
            let Some((version, known)) = sibling.version.as_ref().zip(clocks.known(write)) else {
                continue;
            };
            found.tested();
            if !same_version(version, known.version) {
                found.violated(|| {
                    let write = view.writes[write].id;
                    let (known_from, read) = (known.reported_by, read.id);
                    let finding = Finding::VersionChanged {
                        write,
                        known_from,
                        read,
                    };
                    (vec![write, known_from, read], finding)
                });
            }
        }
    }
}

pub(super) fn answer_antichain(subject: &Subject<'_, '_>, found: &mut Found) {
    let reads = subject.view.sound_reads();
    for read in reads.filter(|read| read.siblings.len() > 1) {
        let siblings = &read.read().siblings;
        let versions: Vec<_> = siblings.iter().map(|s| s.version.as_ref()).collect();
        let dotted = |version: &&&Version| matches!(version, Version::Dotted { .. });
        let known = versions.iter().flatten().count() as u64;
        let dotted = versions.iter().flatten().filter(dotted).count() as u64;
        let pairs = |many: u64| many * many.saturating_sub(1) / 2;
        found.tested_times(pairs(dotted) + pairs(known - dotted));
        for siblings in ordered(&versions, read.id) {
            found.violated(|| {
                let read = read.id;
                (vec![read], Finding::OrderedAnswer { read, siblings })
            });
        }
    }
}

/// So many versions are compared each with each.
const FEW: usize = 16;

/// The places of versions of which the first is at or below the second, by the later place of each
/// pair and then by the other. Where there are many, only those are compared that may be below
/// another: near-linear for an antichain.
fn ordered(versions: &[Option<&Version>], answer: OpId) -> Vec<[usize; 2]> {
    if versions.len() <= FEW {
        each_with_each(versions)
    } else {
        by_candidates(versions, answer)
    }
}

fn each_with_each(versions: &[Option<&Version>]) -> Vec<[usize; 2]> {
    let seconds = 0..versions.len();
    let pairs = seconds.flat_map(|second| (0..second).map(move |first| (first, second)));
    let pair = |(first, second): (usize, usize)| {
        let (ascending, descending) = order(versions[first]?, versions[second]?)?;
        let descending = descending.then_some([second, first]);
        ascending.then_some([first, second]).or(descending)
    };
    pairs.filter_map(pair).collect()
}

fn by_candidates(versions: &[Option<&Version>], answer: OpId) -> Vec<[usize; 2]> {
    let reported = versions.iter().map(|version| version.map(|v| (v, answer)));
    let clocks = ClockTable::of(&reported.collect::<Vec<_>>());
    let mut candidates = Candidates::new(&clocks);
    let (mut ordered, none) = (Vec::new(), WriteSet::EMPTY);
    let known = |place: &usize| versions[*place].is_some();
    for upper in (0..versions.len()).filter(known) {
        if candidates.count_below(upper) > 0 {
            let lowers = none.missing_of(candidates.below(upper));
            let is_below = |lower: &usize| clocks.below(*lower, upper) == Some(true);
            let lowers = lowers.filter(|lower| *lower != upper).filter(is_below);
            ordered.extend(lowers.map(|lower| [lower, upper]));
        }
    }
    for same in clocks
        .by_identity()
        .chunk_by(|a, b| clocks.identical(*a, *b))
    {
        for (at, second) in same.iter().enumerate() {
            let firsts = same[..at].iter();
            ordered.extend(firsts.map(|first| [*first.min(second), *first.max(second)]));
        }
    }
    // Of two that are at or below each other the one that comes first counts as the lower.
    let pair = |[lower, upper]: [usize; 2]| (lower.max(upper), lower.min(upper));
    ordered.sort_unstable_by_key(|both| (pair(*both), both[0]));
    ordered.dedup_by_key(|both| pair(*both));
    ordered
}

/// Whether the first version is at or below the second, and the second at or below the first.
fn order(a: &Version, b: &Version) -> Option<(bool, bool)> {
    match (a, b) {
        (Version::Clock(a), Version::Clock(b)) => Some((includes(b, a), includes(a, b))),
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
            let equal = counter == other_counter && actor == other_actor;
            let holds = |past: &Option<ReportedClock>, actor: &str, counter: u64| {
                past.as_ref()
                    .is_some_and(|past| includes_dot(past, actor, counter))
            };
            let ascending = equal || holds(other_past, actor.as_str(), *counter);
            Some((
                ascending,
                equal || holds(past, other_actor.as_str(), *other_counter),
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{by_candidates, each_with_each};
    use crate::history::{ReportedClock, Version};

    fn clock(counters: [u64; 4]) -> ReportedClock {
        let entries = ["a", "b", "c", "d"].into_iter().zip(counters);
        ReportedClock::from_entries(entries.map(|(name, counter)| (name.into(), counter)))
    }

    #[test]
    fn candidates_find_what_comparing_each_with_each_finds() {
        let mut state = 1_u64;
        let mut roll = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005);
            state = state.wrapping_add(1);
            (state >> 33) % below
        };
        let (mut ordered, mut antichains) = (0, 0);
        for round in 0..600 {
            let largest = [2, 3, 40][round % 3];
            let versions: Vec<Option<Version>> = (0..2 + roll(10))
                .map(|_| {
                    let past = [0; 4].map(|_| roll(2) * roll(largest));
                    match (round % 5, roll(6)) {
                        (_, 0) => None,
                        (0, _) | (1, 1..4) => Some(Version::Clock(clock(past))),
                        (_, kind) => Some(Version::Dotted {
                            actor: ["a", "e"][usize::from(kind == 5)].into(),
                            counter: roll(1 + largest),
                            past: (kind > 1).then(|| clock(past)),
                        }),
                    }
                })
                .collect();
            let versions: Vec<_> = versions.iter().map(Option::as_ref).collect();
            let expected = each_with_each(&versions);
            assert_eq!(by_candidates(&versions, 0), expected, "{versions:?}");
            ordered += usize::from(!expected.is_empty());
            antichains += usize::from(expected.is_empty());
        }
        assert!(ordered > 100 && antichains > 30, "{ordered}, {antichains}");
    }
}
