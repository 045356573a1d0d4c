//! Enums whose values go by name in files, in reports and on the command line.

use strum::VariantArray;

/// Every variant of an enum, in the order of its declaration.
pub(crate) const fn variants<T: VariantArray + Copy, const N: usize>() -> [T; N] {
    match T::VARIANTS.first_chunk() {
        Some(all) => *all,
        None => unreachable!(),
    }
}

/// A name was none of those that exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {kind} {name:?}; it should be one of: {known}")]
pub struct UnknownName {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) known: String,
}

/// Lets values of an enum be written and read by their names: the enum has `ALL` and `name`.
macro_rules! named {
    ($type:ty, $kind:literal) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::names::UnknownName;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.into_iter().find(|known| known.name() == name);
                found.ok_or_else(|| $crate::names::UnknownName {
                    kind: $kind,
                    name: name.to_owned(),
                    known: Self::ALL.map(Self::name).join(", "),
                })
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    };
}

pub(crate) use named;
