//! When it is useless to go on waiting for gossip: rounds of it came, and changed nothing.
//!
//! A round in which final reads stay as they were proves little by itself: nodes may pick their
//! peers at random, and those with slow timers talk in different rounds. So every node must have
//! talked in enough rounds since the last change, or much time must have passed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Rounds of gossip since final reads last changed.
#[derive(Debug, Default)]
pub(super) struct Lull {
    rounds: u32,
    spent: Duration,
    /// In how many of the rounds each node talked, for those that did.
    talked: BTreeMap<u32, u32>,
}

/// In so many rounds every node must have talked: where each picks one of two peers at random, a
/// node that lags is passed over by both in one of a million lulls.
const ROUNDS: u32 = 10;

/// The same where a mistake costs nothing, and without nodes that never talk.
const ROUNDS_IN_A_HURRY: u32 = 3;

/// Fewer rounds than this are never enough.
const FEWEST: u32 = 3;

impl Lull {
    /// Notes a round that took so long, and who talked in it.
    pub(super) fn add(&mut self, spent: Duration, talkers: impl IntoIterator<Item = u32>) {
        self.rounds += 1;
        self.spent += spent;
        let talkers: BTreeSet<u32> = talkers.into_iter().collect();
        for node in talkers {
            *self.talked.entry(node).or_default() += 1;
        }
    }

    /// True when more of the same would change nothing among so many nodes.
    pub(super) fn is_over(&self, nodes: usize, patience: Duration, hurried: bool) -> bool {
        let (rounds, talkers) = if hurried {
            (ROUNDS_IN_A_HURRY, 1)
        } else {
            (ROUNDS, nodes)
        };
        let all_talked =
            self.talked.len() >= talkers && self.talked.values().all(|&talked| talked >= rounds);
        self.rounds >= FEWEST && (all_talked || self.spent >= patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(250);
    const PATIENCE: Duration = Duration::from_secs(12);

    /// How many rounds it takes until a lull of three nodes is over.
    fn rounds(spent: Duration, hurried: bool, talkers: impl Fn(u32) -> Vec<u32>) -> u32 {
        let mut lull = Lull::default();
        let mut rounds = 0;
        while !lull.is_over(3, PATIENCE, hurried) {
            lull.add(spent, talkers(rounds));
            rounds += 1;
        }
        rounds
    }

    #[test]
    fn nodes_that_talk_at_once_need_few_rounds() {
        let all = |_| vec![0, 1, 2, 1];
        assert_eq!(rounds(SHORT, false, all), ROUNDS);
        assert_eq!(rounds(SHORT, true, all), ROUNDS_IN_A_HURRY);
    }

    #[test]
    fn nodes_that_talk_in_turn_all_have_their_turns() {
        let one = |round| vec![round % 3];
        assert_eq!(rounds(SHORT, false, one), 3 * ROUNDS);
        assert_eq!(rounds(SHORT, true, one), 3 * ROUNDS_IN_A_HURRY);
    }

    #[test]
    fn a_node_that_never_talks_is_given_time() {
        let two = |_| vec![0, 1];
        assert_eq!(rounds(SHORT, false, two), 48);
        assert_eq!(rounds(SHORT, true, two), ROUNDS_IN_A_HURRY);
        assert_eq!(rounds(PATIENCE, false, two), FEWEST);
        assert_eq!(rounds(PATIENCE, true, |_| Vec::new()), FEWEST);
    }
}
