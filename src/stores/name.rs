//! The stores that can be named on the command line and in plans.

use std::{fmt, str::FromStr};

use super::faulty::{Basis, Flaw};

/// A store that this program has inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreName {
    /// Siblings under vector clocks.
    Versioned,
    /// Siblings under dotted version vectors.
    Dotted,
    /// One of them with a planted bug.
    Faulty(Flaw),
}

impl StoreName {
    /// The correct stores.
    pub const CORRECT: [Self; 2] = [Self::Versioned, Self::Dotted];

    /// Every store, the correct ones first.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::CORRECT
            .into_iter()
            .chain(Flaw::ALL.into_iter().map(Self::Faulty))
    }

    /// The correct store that it is, or that its bug is planted in.
    pub const fn basis(self) -> Basis {
        match self {
            Self::Versioned => Basis::Versioned,
            Self::Dotted => Basis::Dotted,
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
        }
    };
}

pub(crate) use with_store;

impl fmt::Display for StoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Versioned => f.pad("versioned"),
            Self::Dotted => f.pad("dotted"),
            Self::Faulty(flaw) => f.pad(&format!("faulty:{}", flaw.name())),
        }
    }
}

/// A store's name was not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownStore(String);

impl fmt::Display for UnknownStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no store {:?}; the stores are", self.0)?;
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
        Self::all()
            .find(|store| store.to_string() == name)
            .ok_or_else(|| UnknownStore(name.to_owned()))
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
        let error = "riak".parse::<StoreName>().unwrap_err().to_string();
        assert!(error.contains("\"riak\"") && error.contains("faulty:last-writer-wins"));
    }
}
