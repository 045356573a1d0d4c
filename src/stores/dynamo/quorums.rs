//! How many owners a key has, and how many of them a read or a write waits for.

use std::{fmt, str::FromStr};

use sibcheck_checkers::Claim;

/// N, R and W, and who may answer in place of an owner that cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quorums {
    /// How many nodes own a key.
    pub owners: u8,
    /// How many answers a read waits for.
    pub reads: u8,
    /// How many nodes have a write on storage before it is acknowledged.
    pub writes: u8,
    /// Other nodes stand in for owners that seem to have failed (DeCandia et al. 2007, §4.6). Else only
    /// owners count.
    pub sloppy: bool,
    /// What an owner has missed is found in the background, by anti-entropy alone: there are neither hints
    /// nor read repair.
    pub background: bool,
}

impl Default for Quorums {
    /// Three owners, of which two answer a read and two a write, and nobody stands in.
    fn default() -> Self {
        Self {
            owners: 3,
            reads: 2,
            writes: 2,
            sloppy: false,
            background: false,
        }
    }
}

impl Quorums {
    /// The same in a cluster of so many nodes, which may be fewer than owners are wanted.
    #[must_use]
    pub fn among(self, nodes: usize) -> Self {
        let most = u8::try_from(nodes).unwrap_or(u8::MAX).max(1);
        let owners = self.owners.min(most);
        Self {
            owners,
            reads: self.reads.min(owners),
            writes: self.writes.min(owners),
            ..self
        }
    }

    /// What a cluster of so many nodes promises: `linearizable` where there is one; `quorum` where the owners
    /// that a read asks and those that a write reached have one in common, and only owners count; else
    /// `eventual`.
    pub fn claim(self, nodes: usize) -> Claim {
        let Self {
            owners,
            reads,
            writes,
            sloppy,
            ..
        } = self.among(nodes);
        if nodes <= 1 {
            Claim::Linearizable
        } else if !sloppy && reads + writes > owners {
            Claim::Quorum
        } else {
            Claim::Eventual
        }
    }
}

/// `3-2-2`, `3-2-2-sloppy` or `3-2-2-background`.
impl fmt::Display for Quorums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.owners, self.reads, self.writes)?;
        f.write_str(if self.sloppy { "-sloppy" } else { "" })?;
        f.write_str(if self.background { "-background" } else { "" })
    }
}

/// What should have been quorums was none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} are no quorums: give owners-reads-writes, as in 3-2-2, 3-1-1-sloppy or 3-2-2-background, where 1 ≤ reads, writes ≤ owners ≤ 16"
)]
pub struct UnknownQuorums(String);

impl FromStr for Quorums {
    type Err = UnknownQuorums;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let without = |suffix| text.strip_suffix(suffix);
        let (numbers, sloppy, background) = match (without("-sloppy"), without("-background")) {
            (Some(numbers), _) => (numbers, true, false),
            // Who stands in keeps the only copy, so a sloppy quorum has hints.
            (None, Some(numbers)) => (numbers, false, true),
            (None, None) => (text, false, false),
        };
        let wrong = || UnknownQuorums(text.to_owned());
        let numbers: Result<Vec<u8>, _> = numbers.split('-').map(str::parse).collect();
        match numbers.map_err(|_| wrong())?.as_slice() {
            &[owners @ 1..=16, reads, writes]
                if (1..=owners).contains(&reads) && (1..=owners).contains(&writes) =>
            {
                Ok(Self {
                    owners,
                    reads,
                    writes,
                    sloppy,
                    background,
                })
            }
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_follow_from_the_numbers() {
        for (quorums, nodes, claim) in [
            ("3-2-2", 5, Claim::Quorum),
            ("3-2-2-sloppy", 5, Claim::Eventual),
            ("3-1-3", 5, Claim::Quorum),
            ("3-1-2", 5, Claim::Eventual),
            // Two nodes have two owners, and both reads and writes wait for both.
            ("3-2-2", 2, Claim::Quorum),
            ("5-2-3", 2, Claim::Quorum),
            ("3-2-2-background", 5, Claim::Quorum),
            ("3-1-1", 1, Claim::Linearizable),
        ] {
            let quorums: Quorums = quorums.parse().unwrap();
            assert_eq!(quorums.claim(nodes), claim, "{quorums} on {nodes}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for text in [
            "",
            "3",
            "3-2",
            "3-4-1",
            "3-0-2",
            "0-0-0",
            "17-2-2",
            "3-2-2-strict",
            "3-2-2-sloppy-background",
            "a-b-c",
        ] {
            let told = text.parse::<Quorums>().unwrap_err().to_string();
            assert!(told.contains("3-2-2"), "{told}");
        }
        assert_eq!("3-2-2".parse(), Ok(Quorums::default()));
        assert_eq!(Quorums::default().to_string(), "3-2-2");
        assert_eq!(
            "5-1-1-sloppy".parse::<Quorums>().unwrap().to_string(),
            "5-1-1-sloppy"
        );
    }
}
