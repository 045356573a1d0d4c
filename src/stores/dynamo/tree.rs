//! Merkle trees over what a node has of its keys (Merkle 1987; DeCandia et al. 2007, §4.7): two nodes that
//! compare their trees from the root down find the keys in which they differ, without naming the others.
//!
//! There is a tree for each range of the ring, as each range has other owners. A tree is as deep as it needs
//! to be: its leaves are keys in the order of the last bits of their hashes, a part of it are the keys
//! whose hashes end in the same bits, and the hash of a part is the sum of those of its keys. A key is
//! set or removed in O(log keys); the hash of a part costs O(keys in it), that of a range O(1).

use std::{
    collections::BTreeMap,
    hash::{Hash, Hasher},
};

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;

use crate::{clocks::DvvSet, stores::Key};

/// How many bits one step down takes: a part has 16 parts.
const STEP: u8 = 4;

/// A part of this many keys is not parted any more.
const FEW: usize = 16;

/// Hashes have this many bits.
const DEEPEST: u8 = 64;

/// A part of the tree of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The range, by its place on the ring.
    pub range: u32,
    /// How many bits are fixed: none for the whole range.
    pub bits: u8,
    /// The last bits of the hashes of its keys, mirrored, so that they come first.
    pub prefix: u64,
}

impl Part {
    /// All keys of a range.
    pub fn whole(range: u32) -> Self {
        Self {
            range,
            bits: 0,
            prefix: 0,
        }
    }

    /// Whether there can be such a part; what a neighbour sends may be anything.
    pub fn makes_sense(&self) -> bool {
        self.bits <= DEEPEST && self.bits.is_multiple_of(STEP) && self.prefix & self.below() == 0
    }

    /// The bits that are not fixed.
    fn below(&self) -> u64 {
        u64::MAX.checked_shr(self.bits.into()).unwrap_or(0)
    }

    /// The 16 parts of it; none where all bits are fixed.
    pub fn parts(&self) -> impl Iterator<Item = Self> + use<> {
        let Self {
            range,
            bits,
            prefix,
        } = *self;
        let deeper = bits + STEP;
        let parts = (deeper <= DEEPEST).then(|| {
            (0..1u64 << STEP).map(move |part| Self {
                range,
                bits: deeper,
                prefix: prefix | part << (DEEPEST - deeper),
            })
        });
        parts.into_iter().flatten()
    }
}

/// The hash of what is known of a key: of which events, and of which of them have values. Two nodes with the
/// same one have nothing to tell each other, as a dot names one value. O(rows).
pub(super) fn digest<V>(key: &Key, set: &DvvSet<V>) -> u64 {
    let mut hasher = SipHasher24::new();
    key.as_str().hash(&mut hasher);
    for (actor, counter, values) in set.rows() {
        actor.as_str().hash(&mut hasher);
        hasher.write_u64(counter);
        hasher.write_u64(values as u64);
    }
    hasher.finish()
}

/// The trees of all ranges.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    ranges: BTreeMap<u32, Range>,
}

#[derive(Clone, Debug, Default)]
struct Range {
    sum: u64,
    /// The hash of each key, by the mirrored hash of its name.
    keys: BTreeMap<(u64, Key), u64>,
}

impl Tree {
    /// Sets the hash of a key that stands at this place on the ring, or removes it. O(log keys).
    pub(super) fn set(&mut self, range: u32, place: u64, key: &Key, digest: Option<u64>) {
        let held = self.ranges.entry(range).or_default();
        let at = (place.reverse_bits(), key.clone());
        let before = match digest {
            Some(digest) => held.keys.insert(at, digest),
            None => held.keys.remove(&at),
        };
        held.sum = held
            .sum
            .wrapping_sub(before.unwrap_or(0))
            .wrapping_add(digest.unwrap_or(0));
    }

    /// The keys of a part with their hashes.
    pub(super) fn keys(&self, part: Part) -> impl Iterator<Item = (&Key, u64)> {
        let last = part.prefix | part.below();
        let held = self.ranges.get(&part.range);
        held.into_iter().flat_map(move |range| {
            let from = range.keys.range((part.prefix, Key::default())..);
            from.take_while(move |((place, _), _)| *place <= last)
                .map(|((_, key), digest)| (key, *digest))
        })
    }

    /// The hash of a part.
    pub(super) fn hash(&self, part: Part) -> u64 {
        if part.bits == 0 {
            return self.ranges.get(&part.range).map_or(0, |range| range.sum);
        }
        let hashes = self.keys(part).map(|(_, digest)| digest);
        hashes.fold(0, u64::wrapping_add)
    }

    /// The hash of several ranges together.
    pub(super) fn hash_of(&self, ranges: &[u32]) -> u64 {
        let hashes = ranges.iter().map(|range| self.hash(Part::whole(*range)));
        hashes.fold(0, u64::wrapping_add)
    }

    /// Whether a part has so few keys that they are compared one by one.
    pub(super) fn is_small(&self, part: Part) -> bool {
        part.bits >= DEEPEST || self.keys(part).nth(FEW).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::dynamo::ring::place;

    fn key(number: u32) -> Key {
        format!("key-{number}").as_str().into()
    }

    fn tree(keys: impl IntoIterator<Item = u32>) -> Tree {
        let mut tree = Tree::default();
        for number in keys {
            let key = key(number);
            tree.set(7, place(key.as_str().as_bytes()), &key, Some(number.into()));
        }
        tree
    }

    /// The keys in which two trees differ, found from the root down, and how many hashes were compared.
    fn differences(one: &Tree, other: &Tree) -> (Vec<Key>, usize) {
        let (mut found, mut compared) = (Vec::new(), 0);
        let mut left = vec![Part::whole(7)];
        while let Some(part) = left.pop() {
            compared += 1;
            if one.hash(part) == other.hash(part) {
                continue;
            }
            if !one.is_small(part) || !other.is_small(part) {
                left.extend(part.parts());
                continue;
            }
            let theirs: BTreeMap<&Key, u64> = other.keys(part).collect();
            let mine: BTreeMap<&Key, u64> = one.keys(part).collect();
            let all = theirs.keys().chain(mine.keys());
            let differs = all.filter(|key| theirs.get(**key) != mine.get(**key));
            found.extend(differs.map(|key| (*key).clone()));
        }
        found.sort_unstable();
        found.dedup();
        (found, compared)
    }

    #[test]
    fn what_differs_is_found_with_few_hashes() {
        let one = tree(0..10_000);
        let mut other = one.clone();
        for (number, digest) in [(3, Some(1)), (5_000, None), (20_000, Some(9))] {
            let key = key(number);
            other.set(7, place(key.as_str().as_bytes()), &key, digest);
        }
        let (found, compared) = differences(&one, &other);
        assert_eq!(found, [key(20_000), key(3), key(5_000)]);
        assert!(compared < 200, "{compared}");
        assert_eq!(differences(&one, &one.clone()), (Vec::new(), 1));
    }

    #[test]
    fn what_is_removed_leaves_nothing_behind() {
        let mut grown = tree(0..100);
        for number in 50..100 {
            let key = key(number);
            grown.set(7, place(key.as_str().as_bytes()), &key, None);
        }
        assert_eq!(differences(&grown, &tree(0..50)), (Vec::new(), 1));
        let hash = tree(0..50).hash(Part::whole(7));
        let parts = Part::whole(7).parts().map(|part| grown.hash(part));
        assert_eq!(parts.fold(0, u64::wrapping_add), hash);
    }

    #[test]
    fn parts_part_and_end() {
        let mut part = Part::whole(1);
        for _ in 0..DEEPEST / STEP {
            assert!(part.makes_sense());
            part = part.parts().last().unwrap();
        }
        assert_eq!((part.bits, part.prefix), (DEEPEST, u64::MAX));
        assert_eq!(part.parts().count(), 0);
        let odd = Part {
            range: 0,
            bits: 3,
            prefix: 0,
        };
        assert!(!odd.makes_sense());
        let deeper = Part {
            bits: 200,
            ..Part::whole(0)
        };
        assert!(!deeper.makes_sense());
        let loose = Part {
            bits: 4,
            prefix: 1,
            range: 0,
        };
        assert!(!loose.makes_sense());
    }
}
