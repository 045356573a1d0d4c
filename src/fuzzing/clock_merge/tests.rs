//! Every oracle is shown broken operations and must report them; the real ones must pass on the
//! same values, which are all of a small scope.

use std::collections::BTreeSet;

use super::*;
use crate::clocks::{ClockError, DvvSet};

type Merge = fn(&VectorClock, &VectorClock) -> VectorClock;
type Compare = fn(&VectorClock, &VectorClock) -> Causality;
type DottedCompare = fn(&DottedVersionVector, &DottedVersionVector) -> Causality;

/// All clocks of three actors with counters up to 2.
fn clocks() -> Vec<VectorClock> {
    let names = || ACTORS.map(Actor::from).into_iter();
    (0..27)
        .map(|code| built(names().zip([code % 3, code / 3 % 3, code / 9])))
        .collect()
}

/// All dotted version vectors of two actors with counters up to 3.
fn dotted_clocks() -> Vec<DottedVersionVector> {
    let names = || ACTORS.map(Actor::from).into_iter();
    let pasts = (0..16).map(|code| built(names().zip([code % 4, code / 4])));
    let dots = |past: VectorClock| {
        let free = ACTORS[..2].iter().flat_map(move |actor| {
            let first = past.get(actor) + 1;
            let past = past.clone();
            (first..=3).map(move |counter| dotted(actor, counter, past.clone()))
        });
        free.collect::<Vec<_>>()
    };
    pasts.flat_map(dots).collect()
}

fn laws(verdicts: impl Iterator<Item = Verdict>) -> Vec<Law> {
    let mut laws: Vec<Law> = Vec::new();
    for broken in verdicts.filter_map(Result::err) {
        if !laws.contains(&broken.law) {
            laws.push(broken.law);
        }
    }
    laws
}

/// The laws that an oracle of three clocks reports anywhere in the small scope.
fn reports(oracle: impl Fn(&VectorClock, &VectorClock, &VectorClock) -> Verdict) -> Vec<Law> {
    let clocks = clocks();
    let pairs = clocks
        .iter()
        .flat_map(|a| clocks.iter().map(move |b| (a, b)));
    laws(pairs.flat_map(|(a, b)| clocks.iter().map(|c| oracle(a, b, c)).collect::<Vec<_>>()))
}

fn reports_pairs(oracle: impl Fn(&VectorClock, &VectorClock) -> Verdict) -> Vec<Law> {
    let clocks = clocks();
    let pairs = clocks
        .iter()
        .flat_map(|a| clocks.iter().map(move |b| (a, b)));
    laws(pairs.map(|(a, b)| oracle(a, b)))
}

fn reports_dotted(
    oracle: impl Fn(&DottedVersionVector, &DottedVersionVector) -> Verdict,
) -> Vec<Law> {
    let clocks = dotted_clocks();
    let pairs = clocks
        .iter()
        .flat_map(|a| clocks.iter().map(move |b| (a, b)));
    laws(pairs.map(|(a, b)| oracle(a, b)))
}

/// Counter by counter, the way that most wrong merges are wrong.
fn pointwise(a: &VectorClock, b: &VectorClock, f: fn(u64, u64) -> u64) -> VectorClock {
    built(ACTORS.map(|actor| (Actor::from(actor), f(a.get(actor), b.get(actor)))))
}

fn sum(clock: &VectorClock) -> u64 {
    clock
        .iter()
        .fold(0, |sum, entry| sum.saturating_add(entry.1))
}

fn from_order(order: std::cmp::Ordering) -> Causality {
    Causality::from_inclusion(order.is_le(), order.is_ge())
}

#[test]
fn least_upper_bound_fires() {
    let oracle =
        |merge: Merge| reports(|a, b, c| least_upper_bound(&a.into(), &b.into(), &c.into(), merge));
    assert_eq!(oracle(VectorClock::merge), []);
    assert_eq!(oracle(|a, _| a.clone()), [Law::UpperBound]);
    assert_eq!(
        oracle(|a, b| if a.len() < b.len() {
            b.clone()
        } else {
            a.clone()
        }),
        [Law::UpperBound]
    );
    assert_eq!(oracle(|a, b| pointwise(a, b, u64::min)), [Law::UpperBound]);
    assert_eq!(
        oracle(|a, b| pointwise(a, b, |l, r| l + r)),
        [Law::LeastUpperBound]
    );
}

#[test]
fn semilattice_fires() {
    let oracle = |merge: Merge| reports(|a, b, c| semilattice(a, b, c, merge));
    assert_eq!(oracle(VectorClock::merge), []);
    assert_eq!(oracle(|a, _| a.clone()), [Law::Commutative]);
    assert_eq!(
        oracle(|a, b| pointwise(a, b, |l, r| l + r)),
        [Law::Idempotent]
    );
    assert_eq!(
        oracle(|a, b| pointwise(a, b, u64::midpoint)),
        [Law::Associative]
    );
}

#[test]
fn inclusion_fires_on_vector_clocks() {
    let oracle = |compare: Compare| reports_pairs(|a, b| inclusion(&a.into(), &b.into(), compare));
    assert_eq!(oracle(VectorClock::compare), []);
    assert_eq!(oracle(compare_by_descent), []);
    let keys_of_the_left: Compare = |a, b| {
        let le = a
            .iter()
            .all(|(actor, counter)| counter <= b.get(actor.as_str()));
        let ge = a
            .iter()
            .all(|(actor, counter)| counter >= b.get(actor.as_str()));
        Causality::from_inclusion(le, ge)
    };
    let equal_dominates: Compare = |a, b| match a.compare(b) {
        Causality::Equal => Causality::After,
        other => other,
    };
    let by_sum: Compare = |a, b| from_order(sum(a).cmp(&sum(b)));
    let total_order: Compare = |a, b| from_order(a.cmp(b));
    let longer_wins: Compare = |a, b| from_order(a.len().cmp(&b.len()));
    let never_concurrent: Compare = |a, b| match a.compare(b) {
        Causality::Concurrent => Causality::Equal,
        other => other,
    };
    let turned: Compare = |a, b| b.compare(a);
    for broken in [
        keys_of_the_left,
        equal_dominates,
        by_sum,
        total_order,
        longer_wins,
        never_concurrent,
        turned,
    ] {
        assert_eq!(oracle(broken), [Law::Inclusion]);
    }
}

#[test]
fn inclusion_fires_on_dotted_version_vectors() {
    let oracle =
        |compare: DottedCompare| reports_dotted(|a, b| inclusion(&a.into(), &b.into(), compare));
    assert_eq!(oracle(DottedVersionVector::compare), []);
    let only_pasts: DottedCompare = |a, b| a.past().compare(b.past());
    let ceilings: DottedCompare = |a, b| a.ceiling().compare(&b.ceiling());
    let only_dots: DottedCompare = |a, b| {
        let same = a.dot() == b.dot();
        Causality::from_inclusion(
            same || b.past().contains(a.dot()),
            same || a.past().contains(b.dot()),
        )
    };
    let dot_apart_from_past: DottedCompare = |a, b| {
        let within = |l: &DottedVersionVector, r: &DottedVersionVector| {
            (l.dot() == r.dot() || r.past().contains(l.dot())) && r.past().descends(l.past())
        };
        Causality::from_inclusion(within(a, b), within(b, a))
    };
    for broken in [only_pasts, ceilings, only_dots, dot_apart_from_past] {
        assert_eq!(oracle(broken), [Law::Inclusion]);
    }
}

#[test]
fn ceiling_and_contiguity_fire() {
    let (real, gapless) = (
        DottedVersionVector::ceiling,
        DottedVersionVector::is_contiguous,
    );
    assert_eq!(reports_dotted(|a, _| ceiling(&a.into(), real, gapless)), []);
    let past_only = |a: &DottedVersionVector| a.past().clone();
    assert_eq!(
        reports_dotted(|a, _| ceiling(&a.into(), past_only, gapless)),
        [Law::Ceiling]
    );
    assert_eq!(
        reports_dotted(|a, _| ceiling(&a.into(), real, |_| true)),
        [Law::Contiguous]
    );
    let above =
        |a: &DottedVersionVector| a.dot().counter() > a.past().get(a.dot().actor().as_str());
    assert_eq!(
        reports_dotted(|a, _| ceiling(&a.into(), real, above)),
        [Law::Contiguous]
    );
}

#[test]
fn canonical_fires() {
    type Build = fn(Vec<(Actor, u64)>) -> Result<VectorClock, ClockError>;
    let oracle = |build: Build| reports_pairs(|a, b| canonical(&a.into(), &b.into(), build));
    assert_eq!(oracle(VectorClock::from_entries), []);
    assert_eq!(
        oracle(|entries| VectorClock::from_entries(entries.into_iter().skip(3))),
        [Law::Canonical]
    );
    let zero_is_one: Build = |entries| {
        VectorClock::from_entries(entries.into_iter().map(|(actor, n)| (actor, n.max(1))))
    };
    assert_eq!(oracle(zero_is_one), [Law::Canonical]);
}

#[test]
fn one_event_fires() {
    type Increment = fn(&VectorClock, &Actor) -> Result<VectorClock, ClockError>;
    let oracle = |increment: Increment| {
        reports_pairs(|a, _| one_event(&a.into(), &Actor::from("b"), increment))
    };
    assert_eq!(oracle(VectorClock::increment), []);
    let forgets: Increment = |_, actor| VectorClock::new().increment(actor);
    let nothing: Increment = |clock, _| Ok(clock.clone());
    let someone_else: Increment = |clock, _| clock.increment(&Actor::from("d"));
    let twice: Increment = |clock, actor| clock.increment(actor)?.increment(actor);
    let fails: Increment = |_, actor| {
        Err(ClockError::Overflow {
            actor: actor.clone(),
        })
    };
    for broken in [forgets, nothing, someone_else, twice, fails] {
        assert_eq!(oracle(broken), [Law::OneEvent]);
    }
}

#[test]
fn raise_and_membership_fire() {
    type Raise = fn(&VectorClock, &Actor, u64) -> VectorClock;
    type Contains = fn(&VectorClock, &Dot) -> bool;
    let dot = Dot::new(Actor::from("b"), 1).expect("1 is no zero");
    let oracle = |raise: Raise, contains: Contains| {
        reports_pairs(|a, _| raise_and_contain(&a.into(), &dot, raise, contains))
    };
    let (raise, contains): (Raise, Contains) = (VectorClock::with_entry, VectorClock::contains);
    assert_eq!(oracle(raise, contains), []);
    let lowers: Raise = |clock, actor, counter| {
        let others = clock
            .entries()
            .iter()
            .filter(|entry| entry.0 != *actor)
            .cloned();
        built(others.chain([(actor.clone(), counter)]))
    };
    assert_eq!(oracle(lowers, contains), [Law::Raise]);
    assert_eq!(oracle(|clock, _, _| clock.clone(), contains), [Law::Raise]);
    assert_eq!(
        oracle(raise, |clock, dot| clock.get(dot.actor().as_str())
            == dot.counter()),
        [Law::Membership]
    );
    assert_eq!(
        oracle(raise, |clock, dot| clock.get(dot.actor().as_str())
            > dot.counter()),
        [Law::Membership]
    );
}

#[test]
fn json_fires() {
    for form in Form::ALL {
        assert_eq!(
            reports_pairs(|a, _| json_form(a, form, VectorClock::from_json)),
            []
        );
    }
    let oracle =
        |form, parse: fn(&serde_json::Value, &[Actor]) -> Result<VectorClock, ClockError>| {
            reports_pairs(|a, _| json_form(a, form, parse))
        };
    let slots_turned = oracle(Form::Slots, |value, slots| {
        let slots: Vec<_> = slots.iter().rev().cloned().collect();
        VectorClock::from_json(value, &slots)
    });
    assert_eq!(slots_turned, [Law::Json]);
    assert_eq!(
        oracle(Form::Shortest, |_, _| Ok(VectorClock::new())),
        [Law::Json]
    );
}

#[test]
fn serde_fires() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Forgetful(#[serde(skip)] u8, u8);
    assert_eq!(serde_round_trip(&Forgetful(0, 1)), Ok(()));
    assert_eq!(
        laws([serde_round_trip(&Forgetful(1, 1))].into_iter()),
        [Law::Json]
    );
}

#[test]
fn translation_fires() {
    let oracle = |compare: Compare, merge: Merge| {
        reports_pairs(|a, b| translation(a, b, compare, merge, VectorClock::increment))
    };
    assert_eq!(oracle(VectorClock::compare, VectorClock::merge), []);
    let in_doubles: Compare = |a, b| {
        #[expect(clippy::cast_precision_loss, reason = "the mistake under test")]
        let double = |clock: &VectorClock, actor| clock.get(actor) as f64;
        let le = ACTORS
            .iter()
            .all(|actor| double(a, actor) <= double(b, actor));
        let ge = ACTORS
            .iter()
            .all(|actor| double(a, actor) >= double(b, actor));
        Causality::from_inclusion(le, ge)
    };
    assert_eq!(oracle(in_doubles, VectorClock::merge), [Law::Translation]);
    let signed: Merge = |a, b| {
        pointwise(a, b, |l, r| {
            if l.cast_signed() > r.cast_signed() {
                l
            } else {
                r
            }
        })
    };
    assert_eq!(oracle(VectorClock::compare, signed), [Law::Translation]);
    let narrow: Merge = |a, b| pointwise(a, b, |l, r| l.max(r) & 0xFFFF_FFFF);
    assert_eq!(oracle(VectorClock::compare, narrow), [Law::Translation]);
    let wraps = reports_pairs(|_, b| {
        let top = built([(Actor::from(ACTORS[0]), MAX_COUNTER)]);
        translation(
            &top,
            b,
            VectorClock::compare,
            VectorClock::merge,
            |clock, actor| {
                Ok(pointwise(
                    clock,
                    &built([(actor.clone(), 1)]),
                    u64::wrapping_add,
                ))
            },
        )
    });
    assert_eq!(wraps, [Law::Translation]);

    let dotted = |compare: DottedCompare| reports_dotted(|a, b| dotted_translation(a, b, compare));
    assert_eq!(dotted(DottedVersionVector::compare), []);
    let low_means_first: DottedCompare = |a, b| {
        if a.dot().counter() == 1 {
            Causality::Before
        } else {
            a.compare(b)
        }
    };
    assert_eq!(dotted(low_means_first), [Law::Translation]);
}

/// The first law that a pseudorandom life of three replicas finds broken, over many lives.
fn simulations(operations: &DvvOperations) -> Vec<Law> {
    let mut state = 1_u64;
    let mut byte = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    laws((0..2_000).map(|_| {
        let steps: Vec<Step> = (0..16).map(|_| Step::from(byte())).collect();
        simulation(&steps, operations)
    }))
}

#[test]
fn simulation_fires() {
    let real = DvvOperations::REAL;
    assert_eq!(simulations(&real), []);
    let found = |operations: DvvOperations, law: Law| {
        let laws = simulations(&operations);
        assert!(
            laws.contains(&law),
            "{law:?} was not reported, only {laws:?}"
        );
    };
    found(
        DvvOperations {
            sync: |a, _| a.clone(),
            ..real
        },
        Law::KnownEvents,
    );
    // Takes the state that knows more, and with it loses the values of the other.
    found(
        DvvOperations {
            sync: |a, b| {
                let newer = sum(&a.join()) >= sum(&b.join());
                if newer { a.clone() } else { b.clone() }
            },
            ..real
        },
        Law::KnownEvents,
    );
    // Knows what both know, but brings superseded values back.
    let resurrect: fn(&DvvSet<usize>, &DvvSet<usize>) -> DvvSet<usize> = |a, b| {
        let synced = a.sync(b);
        let (rows, old) = (synced.join(), [a, b]);
        let rows = rows.iter().map(|(actor, counter)| {
            let lists = old.map(|set| {
                let mine = set.values().filter(|(dot, _)| dot.actor() == actor);
                (
                    set.join().get(actor.as_str()),
                    mine.map(|(_, value)| *value).collect::<Vec<_>>(),
                )
            });
            let newest = lists
                .into_iter()
                .max_by_key(|(known, list)| (*known, list.len()));
            (
                actor.clone(),
                counter,
                newest.map_or_else(Vec::new, |(_, list)| list),
            )
        });
        DvvSet::from_rows(rows.collect::<Vec<_>>()).unwrap_or(synced)
    };
    found(
        DvvOperations {
            sync: resurrect,
            ..real
        },
        Law::LiveValues,
    );
    found(
        DvvOperations {
            discard: |set, _| set.clone(),
            ..real
        },
        Law::LiveValues,
    );
    found(
        DvvOperations {
            discard: |_, _| DvvSet::empty(),
            ..real
        },
        Law::KnownEvents,
    );
    // Blind to the context: siblings pile up.
    found(
        DvvOperations {
            event: |set, actor, value, _| set.event(actor, value, &VectorClock::new()),
            ..real
        },
        Law::KnownEvents,
    );
    // Supersedes what the client never saw: the lost update.
    found(
        DvvOperations {
            event: |set, actor, value, _| set.event(actor, value, &set.join()),
            ..real
        },
        Law::LiveValues,
    );
    // Drops the covered values without learning their events, so that a later sync returns them.
    found(
        DvvOperations {
            event: |set, actor, value, context| {
                set.discard(context)
                    .event(actor, value, &VectorClock::new())
            },
            ..real
        },
        Law::KnownEvents,
    );
    found(
        DvvOperations {
            compare: |a, b| a.join().compare(&b.join()),
            ..real
        },
        Law::Inclusion,
    );
}

/// Decoding reaches every situation that a law distinguishes, and all of it passes.
#[test]
fn inputs_reach_every_situation() {
    let mut reached = BTreeSet::new();
    let mut state = 7_u64;
    for _ in 0..3_000 {
        let mut data = [0; 48];
        for byte in &mut data {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = state.to_be_bytes()[0];
        }
        run(&data);
        let input = Input::arbitrary(&mut Unstructured::new(&data)).expect("every input decodes");
        match input {
            Input::Vectors {
                clocks: [a, b, _],
                form,
                ..
            } => {
                reached.insert(format!("clocks {:?}", a.compare(&b)));
                reached.insert(format!("form {form:?}"));
            }
            Input::Dotted([a, b]) => {
                reached.insert(format!("dotted {:?}", a.compare(&b)));
                reached.insert(format!("contiguous {}", a.is_contiguous()));
            }
            Input::Siblings(steps) => {
                reached.insert(format!("{} steps", steps.len()));
            }
        }
    }
    assert_eq!(
        reached.len(),
        4 + 4 + 2 + 1 + Form::ALL.len(),
        "reached only {reached:?}"
    );
}

#[test]
fn every_length_of_input_decodes() {
    for len in 0..80 {
        run(&vec![0; len]);
        run(&vec![0xFF; len]);
    }
}
