//! The stores that can be named on the command line and in plans.

use std::{fmt, str::FromStr};

use sibcheck_checkers::Claim;

use crate::simulation::Nanos;

use super::{
    dynamo::{Quorums, UnknownQuorums},
    faulty::{Basis, Flaw},
};

/// A store that this program has inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreName {
    /// Siblings under vector clocks.
    Versioned,
    /// Siblings under dotted version vectors.
    Dotted,
    /// Keys with a few owners each, under dotted version vector sets.
    Dynamo(Quorums),
    /// One of them with a planted bug.
    Faulty(Flaw),
}

impl StoreName {
    /// The correct stores.
    pub const CORRECT: [Self; 2] = [Self::Versioned, Self::Dotted];

    /// What quorums of a store are named after.
    const WITH_QUORUMS: &'static str = "dynamo:";

    /// Every store, the correct ones first; those with quorums with their usual ones.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::CORRECT
            .into_iter()
            .chain([Self::Dynamo(Quorums::default())])
            .chain(Flaw::ALL.into_iter().map(Self::Faulty))
    }

    /// The correct store that it is, or that its bug is planted in.
    pub const fn basis(self) -> Basis {
        match self {
            Self::Versioned => Basis::Versioned,
            Self::Dotted => Basis::Dotted,
            Self::Dynamo(_) => Basis::Dynamo,
            Self::Faulty(flaw) => flaw.basis(),
        }
    }

    /// The planted bug, if there is one.
    pub const fn flaw(self) -> Option<Flaw> {
        match self {
            Self::Faulty(flaw) => Some(flaw),
            _ => None,
        }
    }

    /// Its quorums, where it has any.
    pub fn quorums(self) -> Quorums {
        match self {
            Self::Dynamo(quorums) => quorums,
            Self::Faulty(flaw) => flaw.quorums(),
            Self::Versioned | Self::Dotted => Quorums::default(),
        }
    }

    /// What so many nodes of it promise.
    pub fn claim(self, nodes: u32) -> Claim {
        match self.basis() {
            _ if nodes <= 1 => Claim::Linearizable,
            Basis::Versioned | Basis::Dotted => Claim::Eventual,
            Basis::Dynamo => self.flaw().map_or_else(
                || self.quorums().claim(nodes as usize),
                |flaw| flaw.claim(nodes as usize),
            ),
        }
    }

    /// The mechanisms that so many nodes of it have, by the names of their situations, and what is said where
    /// one was never at work.
    pub fn mechanisms(self, nodes: u32) -> Vec<(&'static str, &'static str)> {
        match self.basis() {
            Basis::Versioned | Basis::Dotted => Vec::new(),
            Basis::Dynamo => self.quorums().mechanisms(nodes as usize),
        }
    }

    /// How often its nodes do something by themselves on which answers depend, where they do.
    pub fn period(self) -> Option<Nanos> {
        match self.basis() {
            Basis::Versioned | Basis::Dotted => None,
            Basis::Dynamo => Some(Nanos::from_millis(20)),
        }
    }

    /// Whether its nodes can leave the cluster and join it again.
    pub const fn members_change(self) -> bool {
        matches!(self.basis(), Basis::Dynamo)
    }

    /// How many nodes it usually has: more than own a key, where not all do.
    pub const fn nodes(self) -> u32 {
        match self.basis() {
            Basis::Versioned | Basis::Dotted => 3,
            Basis::Dynamo => 5,
        }
    }
}

/// Does the same for a store, whichever it is: `$Node` is the type of its nodes, by the type of the
/// values that they hold. One row for each store without a planted bug.
macro_rules! with_store {
    ($store:expr, $Node:ident => $body:expr) => {
        match $crate::stores::StoreName::basis($store) {
            $crate::stores::faulty::Basis::Versioned => {
                type $Node<V> = $crate::stores::Replica<$crate::stores::VersionedStore<V>>;
                $body
            }
            $crate::stores::faulty::Basis::Dotted => {
                type $Node<V> = $crate::stores::Replica<$crate::stores::DottedStore<V>>;
                $body
            }
            $crate::stores::faulty::Basis::Dynamo => {
                type $Node<V> = $crate::stores::dynamo::Dynamo<V>;
                $body
            }
        }
    };
}

pub(crate) use with_store;

impl fmt::Display for StoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Versioned => f.pad("versioned"),
            Self::Dotted => f.pad("dotted"),
            Self::Dynamo(quorums) if *quorums == Quorums::default() => f.pad("dynamo"),
            Self::Dynamo(quorums) => f.pad(&format!("{}{quorums}", Self::WITH_QUORUMS)),
            Self::Faulty(flaw) => f.pad(&format!("faulty:{}", flaw.name())),
        }
    }
}

/// A store's name was not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnknownStore {
    /// The name itself.
    Name(String),
    /// Its quorums.
    Quorums(UnknownQuorums),
}

impl fmt::Display for UnknownStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Name(name) => name,
            Self::Quorums(unknown) => return unknown.fmt(f),
        };
        write!(f, "there is no store {name:?}; the stores are")?;
        for (index, store) in StoreName::all().enumerate() {
            write!(f, "{} {store}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownStore {}

impl FromStr for StoreName {
    type Err = UnknownStore;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if let Some(quorums) = name.strip_prefix(Self::WITH_QUORUMS) {
            let quorums = quorums.parse().map_err(UnknownStore::Quorums)?;
            return Ok(Self::Dynamo(quorums));
        }
        Self::all()
            .find(|store| store.to_string() == name)
            .ok_or_else(|| UnknownStore::Name(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_unknown_ones_are_told_what_there_is() {
        for store in StoreName::all() {
            assert_eq!(store.to_string().parse(), Ok(store));
        }
        let quorums = "dynamo:5-1-2-sloppy".parse::<StoreName>().unwrap();
        assert_eq!(quorums.to_string(), "dynamo:5-1-2-sloppy");
        assert_eq!(quorums.claim(5), Claim::Eventual);
        let quorums = "dynamo:3-1-1-background".parse::<StoreName>().unwrap();
        assert_eq!(quorums.to_string(), "dynamo:3-1-1-background");
        let error = "dynamo:3-9-2".parse::<StoreName>().unwrap_err();
        assert!(error.to_string().contains("3-2-2"), "{error}");
        let error = "riak".parse::<StoreName>().unwrap_err().to_string();
        assert!(error.contains("\"riak\"") && error.contains("faulty:last-writer-wins"));
    }
}
