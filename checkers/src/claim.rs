//! Claims: what a store promises decides what is a violation.

use std::{fmt, str::FromStr};

/// What a store promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// A convergent, causally closed multi-value register: the safety invariants that hold in any
    /// read, and everything on final reads.
    Eventual,
    /// The single-node store: the whole history of each key is linearizable as a multi-value
    /// register.
    Linearizable,
}

impl Claim {
    /// Every claim, weakest first.
    pub const ALL: [Self; 2] = [Self::Eventual, Self::Linearizable];

    /// The name on the command line and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eventual => "eventual",
            Self::Linearizable => "linearizable",
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A claim's name was not one of [`Claim::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no claim {0:?}; the claims are eventual and linearizable")]
pub struct UnknownClaim(pub String);

impl FromStr for Claim {
    type Err = UnknownClaim;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|claim| claim.name() == name)
            .ok_or_else(|| UnknownClaim(name.to_owned()))
    }
}
