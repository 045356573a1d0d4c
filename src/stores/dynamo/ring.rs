//! Consistent hashing: which nodes own a key (Karger et al. 1997; DeCandia et al. 2007, §4.2 and §6.2).
//!
//! The hashes of 64 bits form a ring. Each node has several *tokens* on it, and a token owns the keys whose
//! hashes come after the token before it. The *preference list* of a key are the first distinct nodes
//! clockwise from its hash: the first N own it, the others stand in for those that fail. When a node
//! comes or goes, only the keys next to its tokens change their owners.
//!
//! The hash is SipHash-2-4 with the key zero (Aumasson & Bernstein 2012), so all nodes and builds agree.

use std::{collections::BTreeSet, hash::Hasher};

use siphasher::sip::SipHasher24;

use crate::clocks::Actor;

/// The tokens of each node, unless somebody says otherwise: with 64 of them each of five nodes has within
/// about a third of its fair share of the keys.
pub const TOKENS: u32 = 64;

/// The place of some bytes on the ring.
pub fn place(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Who owns which part of the ring. Nodes go by their positions in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Each token with its node, in the order of the ring.
    tokens: Vec<(u64, u32)>,
    nodes: usize,
}

impl Ring {
    /// The ring of these nodes, each with so many tokens. It depends on their names and on nothing else.
    /// O(nodes × tokens × log).
    pub fn new<'a>(nodes: impl IntoIterator<Item = (u32, &'a Actor)>, each: u32) -> Self {
        let mut tokens = Vec::new();
        let mut count = 0;
        for (node, name) in nodes {
            count += 1;
            let token = |number| place(format!("{}#{number}", name.as_str()).as_bytes());
            tokens.extend((0..each.max(1)).map(|number| (token(number), node)));
        }
        // Two equal tokens, which hardly exist, go by the order of their nodes.
        tokens.sort_unstable();
        Self {
            tokens,
            nodes: count,
        }
    }

    /// The ring of some of the nodes. O(tokens).
    #[must_use]
    pub fn of(&self, members: &BTreeSet<u32>) -> Self {
        let tokens = self.tokens.iter();
        let theirs = tokens.filter(|(_, node)| members.contains(node));
        Self {
            tokens: theirs.copied().collect(),
            nodes: members.len(),
        }
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    /// The range that a place is in, by the position of the token that owns it. Keys of one range have the
    /// same preference list. O(log tokens).
    pub fn range(&self, place: u64) -> u32 {
        let token = self.tokens.partition_point(|(token, _)| *token < place);
        u32::try_from(token % self.tokens.len().max(1)).unwrap_or(0)
    }

    /// All ranges.
    pub fn ranges(&self) -> impl Iterator<Item = u32> + use<> {
        0..u32::try_from(self.tokens.len()).unwrap_or(0)
    }

    /// All nodes, each once, in the order in which a key prefers them. O(log tokens) for the first, and a
    /// few tokens more for each other.
    pub fn preference(&self, key: &[u8]) -> impl Iterator<Item = u32> + '_ {
        self.preference_in(self.range(place(key)))
    }

    /// The same for the keys of a range.
    pub fn preference_in(&self, range: u32) -> impl Iterator<Item = u32> + '_ {
        let from = (range as usize).min(self.tokens.len());
        let mut seen: Vec<u32> = Vec::with_capacity(self.nodes);
        let (before, after) = self.tokens.split_at(from);
        after
            .iter()
            .chain(before)
            .filter_map(move |(_, node)| {
                let new = !seen.contains(node);
                new.then(|| {
                    seen.push(*node);
                    *node
                })
            })
            .take(self.nodes)
    }

    /// The part of the ring that each node owns as the first of a preference list, by position: all parts
    /// sum up to one. O(tokens).
    pub fn shares(&self) -> Vec<(u32, f64)> {
        let mut shares: std::collections::BTreeMap<u32, f64> = std::collections::BTreeMap::new();
        let whole = 2f64.powi(64);
        let mut before = self.tokens.last().map_or(0, |(token, _)| *token);
        for (token, node) in &self.tokens {
            // The first token owns what comes after the last one, too. One token alone owns everything.
            let part = token.wrapping_sub(before);
            #[expect(clippy::cast_precision_loss, reason = "a share is told in per cent")]
            let part = match part {
                0 if self.tokens.len() == 1 => 1.0,
                part => part as f64 / whole,
            };
            *shares.entry(*node).or_default() += part;
            before = *token;
        }
        shares.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(nodes: u32) -> Vec<Actor> {
        (1..=nodes).map(|node| format!("n{node}").into()).collect()
    }

    fn ring_of(names: &[Actor], each: u32) -> Ring {
        Ring::new((0..).zip(names), each)
    }

    fn keys() -> impl Iterator<Item = String> {
        (0..20_000).map(|key| format!("key-{key}"))
    }

    fn owners(ring: &Ring, key: &str, count: usize) -> Vec<u32> {
        ring.preference(key.as_bytes()).take(count).collect()
    }

    #[test]
    fn tokens_are_those_of_siphash() {
        // So that no build forms another ring: SipHash-2-4 of the empty text under the key zero.
        assert_eq!(place(b""), 0x1e92_4b9d_7377_00d7);
    }

    #[test]
    fn a_preference_list_has_every_node_once() {
        let ring = ring_of(&names(5), TOKENS);
        for key in keys().take(500) {
            let mut all: Vec<u32> = ring.preference(key.as_bytes()).collect();
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2, 3, 4], "{key}");
        }
    }

    #[test]
    fn the_spread_of_load_is_as_told() {
        // Deterministic, as the names are fixed: within these bounds of the fair share of one fifth.
        for (each, least, most) in [(64, 0.66, 1.34), (256, 0.85, 1.15)] {
            let shares = ring_of(&names(5), each).shares();
            let sum: f64 = shares.iter().map(|(_, share)| share).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{sum}");
            for (node, share) in shares {
                let fair = share * 5.0;
                assert!(
                    (least..most).contains(&fair),
                    "{each} tokens, {node}: {fair}"
                );
            }
        }
    }

    #[test]
    fn one_token_owns_everything() {
        assert_eq!(ring_of(&names(1), 1).shares(), [(0, 1.0)]);
    }

    #[test]
    fn a_node_that_joins_takes_keys_only_for_itself_and_about_its_share() {
        let (five, six) = (ring_of(&names(5), TOKENS), ring_of(&names(6), TOKENS));
        let (mut moved, mut all) = (0u32, 0u32);
        for key in keys() {
            let (before, after) = (owners(&five, &key, 3), owners(&six, &key, 3));
            let gone = before.iter().filter(|node| !after.contains(node)).count();
            let come: Vec<u32> = after
                .into_iter()
                .filter(|node| !before.contains(node))
                .collect();
            assert!(
                come.is_empty() || come == [5],
                "{key} moved between old nodes"
            );
            assert_eq!(gone, come.len());
            moved += u32::try_from(gone).unwrap();
            all += 3;
        }
        // Its share is a sixth of all copies.
        let share = f64::from(moved) / f64::from(all);
        assert!((share - 1.0 / 6.0).abs() < 0.05, "{share}");
    }
}
