//! A store that shows tombstones and removes them in its time: what is right, and what is caught.

use std::collections::BTreeSet;

use sibcheck_checkers::{Claim, Invariant, Outcome, history::Tombstones, verdict::Reason};

use crate::support::{history, verdict, violated};
use Claim::{Eventual, Linearizable};
use Invariant::{
    AnswerAntichain, ClockIdentity, ClockPrecision, ClockSoundness, ContextCovers, Convergence,
    Dominance, DotDiscipline, Linearizability, MonotonicReads, NoLostUpdate, NoResurrection,
    NoThinAir, SiblingPreservation,
};

/// What happened, by whom it is asked, and what it violates.
type Case = (&'static str, Claim, &'static str, &'static [Invariant]);

/// A value that was written and deleted, and a read that saw the tombstone.
const DELETED: &str = "c1@n1 write a\nc2@n1 tag=7 delete after 0\nc3@n1 read †~7\n";

/// The same with dots.
const DOTTED: &str = "c1@n1 write a -> n1.1/{}\n\
    c2@n1 tag=7 delete after 0 with {n1:1} -> n1.2/{n1:1}\nc3@n1 read †~7=n1.2 context {n1:2}\n";

/// Each follows [`DELETED`].
const AFTER_A_DELETE: &[Case] = &[
    ("the tombstone stays", Eventual, "c4@n1 final †~7", &[]),
    ("the tombstone is gone", Eventual, "c4@n1 final", &[]),
    (
        "one node has removed it and another has not",
        Eventual,
        "c4@n1 [50..55] final\nc5@n2 [50..55] final †~7",
        &[],
    ),
    (
        "it is gone at one moment and there at the next",
        Claim::MonotonicReads,
        "c4@n1 read\nc4@n2 read †~7\nc4@n1 read\nc4@n1 final",
        &[],
    ),
    (
        "a value that was written anew, beside the tombstone that its client did not see",
        Eventual,
        "c4@n1 read\nc4@n1 write b after 3\nc5@n1 [70..75] final b\nc6@n2 [70..75] final †~7 b",
        &[],
    ),
    (
        "the deleted value is back",
        Eventual,
        "c4@n1 final a",
        &[NoLostUpdate, NoResurrection],
    ),
    (
        "the deleted value is back beside its tombstone",
        Eventual,
        "c4@n1 final a †~7",
        &[Dominance, NoResurrection],
    ),
    (
        "the deleted value is back at one node",
        Eventual,
        "c4@n1 [50..55] final\nc5@n2 [50..55] final a",
        &[NoLostUpdate, NoResurrection, Convergence],
    ),
    (
        "the deleted value is back for a client that saw the tombstone",
        Claim::MonotonicReads,
        "c3@n2 read a\nc3@n1 final",
        &[MonotonicReads],
    ),
    (
        "a tombstone that a later write superseded is shown beside that",
        Eventual,
        "c4@n1 write b after 2\nc4@n1 final †~7 b",
        &[Dominance],
    ),
    (
        "a tombstone that a later write superseded is back",
        Eventual,
        "c4@n1 write b after 2\nc4@n1 read b\nc5@n1 final †~7",
        &[NoLostUpdate, NoResurrection],
    ),
    (
        "a sibling that was not deleted is lost with the tombstone",
        Eventual,
        "c4@n1 write b\nc5@n1 final",
        &[NoLostUpdate],
    ),
    (
        "a sibling that was not deleted is lost beside another",
        Eventual,
        "c4@n1 write b\nc5@n1 write c\nc6@n1 final c",
        &[SiblingPreservation, NoLostUpdate],
    ),
    (
        "nodes that disagree in more than tombstones",
        Eventual,
        "c4@n1 write b info\nc5@n1 [50..55] final b †~7\nc6@n2 [50..55] final",
        &[Convergence],
    ),
    (
        "a tombstone that nobody wrote",
        Eventual,
        "c4@n1 final †~8",
        &[NoThinAir],
    ),
    (
        "a tombstone without the tag of its delete",
        Eventual,
        "c4@n1 final †",
        &[NoThinAir],
    ),
    (
        "a tombstone of a delete that failed",
        Eventual,
        "c4@n1 tag=8 delete fail\nc5@n1 final †~8",
        &[NoThinAir],
    ),
    (
        "an order in which the tombstone was removed",
        Linearizable,
        "c4@n1 read\nc4@n1 write b after 3\nc5@n1 read b\nc6@n1 read †~7 b",
        &[],
    ),
    (
        "a later read misses what was written anew",
        Linearizable,
        "c4@n1 write b after 2\nc5@n1 read",
        &[Linearizability],
    ),
    (
        "the deleted value is read later",
        Linearizable,
        "c4@n1 read a",
        &[Linearizability],
    ),
];

/// Each follows [`DOTTED`].
const AFTER_A_DOTTED_DELETE: &[Case] = &[
    (
        "a key that starts anew goes on with its dots",
        Eventual,
        "c4@n1 read context {}\nc4@n1 write b after 3 with {} -> n1.3/{}\n\
         c5@n1 [70..75] final b=n1.3 context {n1:3}\nc6@n2 [70..75] final †~7=n1.2 b=n1.3 context {n1:3}",
        &[],
    ),
    (
        "contexts of a key that was removed at one node only",
        Eventual,
        "c4@n1 [50..55] final context {}\nc5@n2 [50..55] final †~7=n1.2 context {n1:2}",
        &[],
    ),
    (
        "a dot of a removed key is given out again",
        Eventual,
        "c4@n1 write b -> n1.2/{}",
        &[ClockIdentity, DotDiscipline],
    ),
    (
        "a counter of a removed key goes back",
        Eventual,
        "c4@n1 write b -> n1.1/{}",
        &[ClockIdentity, DotDiscipline, ClockPrecision],
    ),
    (
        "a tombstone has another version than its delete",
        Eventual,
        "c4@n1 final †~7=n1.4 context {n1:4}",
        &[ClockIdentity],
    ),
    (
        "nodes that give a tombstone two versions",
        Eventual,
        "c4@n1 [50..55] final †~7=n1.2 context {n1:4}\nc5@n2 [50..55] final †~7=n1.4 context {n1:4}",
        &[ClockIdentity, Convergence],
    ),
    (
        "a context omits the tombstone",
        Eventual,
        "c4@n1 final †~7=n1.2 context {n1:1}",
        &[ContextCovers],
    ),
    (
        "a write after the tombstone has no version above it",
        Eventual,
        "c4@n1 write b after 2 -> n1.3/{}",
        &[ClockSoundness],
    ),
    (
        "the version of a sibling is below the tombstone beside it",
        Eventual,
        "c4@n1 write b -> n2.1/{}\nc5@n1 tag=8 delete after 3 with {n2:1} -> n1.3/{n2:1}\n\
         c6@n1 final b=n2.1 †~8=n1.3/{n2:1} context {n1:3,n2:1}",
        &[Dominance, AnswerAntichain],
    ),
];

/// Whether a read saw a delete is not told.
const OPEN: &[&str] = &[
    "reaped\nc1@n1 [0..5] write a\nc2@n1 [10..15] tag=7 delete\nc3@n1 [12..18] read a",
    "reaped\nc1@n1 [0..5] write a\nc2@n1 [10..15] tag=7 delete after 0\nc3@n1 [12..18] read",
    "reaped\nc1@n1 write a\nc2@n1 tag=7 delete after 0 info\nc3@n1 read",
    "reaped\nreplica\nc1@n1 write a\nc2@n1 tag=7 delete\nc3@n1 read",
];

/// It is told by what reads show, or by time.
const TOLD: &[(&str, Outcome)] = &[
    (
        "reaped\nc1@n1 [0..5] write a\nc2@n1 [10..19] tag=7 delete after 0\nc3@n1 [12..18] read †~7",
        Outcome::Valid,
    ),
    (
        "reaped\nc1@n1 [0..5] write a\nc2@n1 [10..49] tag=7 delete after 0\nc3@n1 [12..18] read †~7\nc3@n1 [22..28] read a",
        Outcome::Violated,
    ),
    (
        "reaped\nc1@n1 write a\nc2@n1 tag=7 delete after 0\nc3@n1 read",
        Outcome::Valid,
    ),
    (
        "hidden\nc1@n1 write a\nc2@n1 delete after 0\nc1@n1 write b\nc3@n1 read",
        Outcome::Violated,
    ),
    (
        "reaped\nreplica\nc1@n1 write a\nc2@n1 tag=7 delete\nc3@n1 read †~7\nc3@n1 read a",
        Outcome::Violated,
    ),
];

fn all() -> impl Iterator<Item = (Case, String)> {
    let after =
        |begin: &'static str| move |case: &Case| (*case, format!("reaped\n{begin}{}", case.2));
    let plain = AFTER_A_DELETE.iter().map(after(DELETED));
    plain.chain(AFTER_A_DOTTED_DELETE.iter().map(after(DOTTED)))
}

#[test]
fn each_case_violates_exactly_what_it_should() {
    for ((name, claim, _, expected), text) in all() {
        let history = history(&text);
        let verdict = verdict(&history, claim);
        let told = verdict.violations.iter();
        let told: Vec<_> = told.map(|violation| violation.sentence(&history)).collect();
        let expected: BTreeSet<_> = expected.iter().copied().collect();
        assert_eq!(violated(&verdict), expected, "{name}: {told:#?}");
    }
}

/// A shown tombstone proves more than a hidden one, and a missing one less than where all are shown.
#[test]
fn the_mode_stands_between_the_other_two() {
    let (mut fewer, mut more) = (0, 0);
    for ((name, claim, ..), text) in all() {
        let judged = |tombstones| {
            let mut history = history(&text);
            history.header.tombstones = tombstones;
            violated(&verdict(&history, claim))
        };
        let [shown, hidden, reaped] = Tombstones::ALL.map(judged);
        assert!(
            reaped.is_subset(&shown),
            "{name}: {reaped:?}, not {shown:?}"
        );
        fewer += u32::from(reaped != shown);
        more += u32::from(!reaped.is_subset(&hidden));
    }
    // Tombstones with tags tell their delete in any mode.
    assert!(fewer > 4 && more == 0, "{fewer} {more}");
    let untagged = "c1@n1 write a\nc2@n1 delete after 0\nc3@n1 read †\nc4@n1 final";
    let judged = |tombstones| {
        let mut history = history(untagged);
        history.header.tombstones = tombstones;
        violated(&verdict(&history, Eventual))
    };
    assert_eq!(
        Tombstones::ALL.map(judged),
        [
            BTreeSet::from([NoLostUpdate]),
            BTreeSet::from([NoThinAir]),
            BTreeSet::new()
        ]
    );
}

#[test]
fn linearizability_is_left_open_only_where_a_delete_is_not_told() {
    for text in OPEN {
        let history = history(text);
        let verdict = verdict(&history, Linearizable);
        assert_eq!(verdict.outcome, Outcome::Unknown, "{text}");
        let mut reasons = verdict.unknown.iter().map(|unknown| &unknown.reason);
        assert!(
            reasons.any(|reason| *reason == Reason::HiddenTombstones),
            "{text}"
        );
    }
    for (text, outcome) in TOLD {
        let history = history(text);
        assert_eq!(verdict(&history, Linearizable).outcome, *outcome, "{text}");
    }
}
