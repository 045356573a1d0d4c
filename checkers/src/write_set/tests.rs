use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Runs of writes, so that full words and prefixes are common.
fn runs(most: usize) -> impl Strategy<Value = BTreeSet<usize>> {
    let run = (
        prop_oneof![Just(0), 0..most],
        prop_oneof![0..200_usize, 0..most / 2],
    );
    prop::collection::vec(run, 0..4).prop_map(|runs| {
        let writes = runs
            .into_iter()
            .flat_map(|(start, length)| start..start + length);
        writes.collect()
    })
}

/// Nearly a prefix: a long run with a few holes.
fn holes() -> impl Strategy<Value = BTreeSet<usize>> {
    (
        0..3000_usize,
        prop::collection::vec(0..3000_usize, 0..6),
        runs(3000),
    )
        .prop_map(|(end, holes, more)| {
            let mut set: BTreeSet<_> = (0..end).collect();
            for hole in holes {
                set.remove(&hole);
            }
            if end % 3 == 0 { &set | &more } else { set }
        })
}

fn any() -> impl Strategy<Value = BTreeSet<usize>> {
    prop_oneof![runs(400), runs(3000), holes()]
}

fn behaves(a: &BTreeSet<usize>, b: &BTreeSet<usize>, probe: usize) -> Result<(), TestCaseError> {
    let (left, right): (WriteSet, WriteSet) = (
        a.iter().copied().collect(),
        b.iter().rev().copied().collect(),
    );
    prop_assert_eq!(left.iter().collect::<BTreeSet<_>>(), a.clone());
    let mut union = left.clone();
    union.union_with(&right);
    prop_assert_eq!(union.iter().collect::<BTreeSet<_>>(), a | b);
    prop_assert_eq!(&union, &(a | b).into_iter().collect::<WriteSet>());
    prop_assert_eq!(union.len(), (a | b).len());
    let mut again = right.clone();
    again.union_with(&union);
    prop_assert_eq!(&again, &union);
    prop_assert_eq!(again.difference(&union).next(), None);
    prop_assert_eq!(
        union.difference(&left).collect::<BTreeSet<_>>(),
        &(a | b) - a
    );
    prop_assert_eq!(left.difference(&right).collect::<BTreeSet<_>>(), a - b);
    prop_assert_eq!(left.difference_len(&right), (a - b).len());
    let from: BTreeSet<_> = left.difference_from(&right, probe).collect();
    prop_assert_eq!(from, (a - b).split_off(&probe));
    let mut rest = left.clone();
    rest.subtract(&right);
    prop_assert_eq!(rest, (a - b).into_iter().collect::<WriteSet>());
    prop_assert_eq!(left.is_subset(&right), a.is_subset(b));
    prop_assert_eq!(left.intersects(&right), !a.is_disjoint(b));
    prop_assert!(left.is_subset(&union) && right.is_subset(&union));
    prop_assert_eq!(left.contains(probe), a.contains(&probe));
    prop_assert_eq!(left.len(), a.len());
    prop_assert_eq!(left.is_empty(), a.is_empty());
    let end = a.last().map_or(0, |last| last / BITS + 1);
    let mut words = vec![0_u64; end];
    for write in a {
        words[write / BITS] |= 1 << (write % BITS);
    }
    prop_assert_eq!(right.missing_of(&words).collect::<BTreeSet<_>>(), a - b);
    let missing: BTreeSet<_> = (0..probe).filter(|write| !a.contains(write)).collect();
    prop_assert_eq!(left.missing(probe).collect::<BTreeSet<_>>(), missing);
    Ok(())
}

proptest! {
    #![proptest_config(crate::property_tests::drawing(256))]

    #[test]
    fn behaves_like_a_set(a in any(), b in any(), probe in 0..4000_usize) {
        behaves(&a, &b, probe)?;
    }

    #[test]
    fn behaves_like_a_set_when_small(a in runs(300), b in runs(300), probe in 0..500_usize) {
        behaves(&a, &b, probe)?;
    }

}

proptest! {
    #![proptest_config(crate::property_tests::drawing(24))]

    /// Sets of one lineage, as histories make them: each is another one and a little more.
    #[test]
    fn lineages_behave_like_sets(steps in prop::collection::vec((0..6_usize, 0..6_usize, 0..40_usize), 1..160)) {
        let mut sets = vec![(BTreeSet::new(), WriteSet::EMPTY); 6];
        for (next, (to, from, skip)) in steps.into_iter().enumerate() {
            let (plain, set) = sets[from].clone();
            sets[to].1.union_with(&set);
            sets[to].0.extend(plain);
            if skip > 0 {
                for write in next * 30..next * 30 + 30 + skip {
                    sets[to].1.insert(write);
                    sets[to].0.insert(write);
                }
            }
            prop_assert_eq!(sets[to].1.len(), sets[to].0.len());
            prop_assert!(set.is_subset(&sets[to].1));
            for (plain, other) in &sets {
                let difference = sets[to].0.difference(plain).copied();
                prop_assert!(sets[to].1.difference(other).eq(difference));
                prop_assert_eq!(sets[to].1.is_subset(other), sets[to].0.is_subset(plain));
                prop_assert_eq!(other.is_subset(&sets[to].1), plain.is_subset(&sets[to].0));
            }
        }
    }
}

#[test]
fn a_prefix_costs_no_tree() {
    let set: WriteSet = (0..1000).collect();
    assert_eq!(set.old, Slot::Full);
    assert_eq!(set.len(), 1000);
}
