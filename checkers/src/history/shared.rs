//! Short lists that are made once and then only looked at.

use std::{ops::Deref, sync::Arc};

use super::{OpId, Sibling};

/// The operations that a context was made of: mostly none or one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources(Held);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Held {
    Few(Option<OpId>),
    Several(Box<[OpId]>),
}

impl Default for Sources {
    fn default() -> Self {
        Self::NONE
    }
}

impl Sources {
    /// Those of a blind write.
    pub const NONE: Self = Self(Held::Few(None));
}

impl Deref for Sources {
    type Target = [OpId];

    fn deref(&self) -> &[OpId] {
        match &self.0 {
            Held::Few(source) => source.as_slice(),
            Held::Several(sources) => sources,
        }
    }
}

impl From<&[OpId]> for Sources {
    fn from(sources: &[OpId]) -> Self {
        Self(match sources {
            [] => Held::Few(None),
            [source] => Held::Few(Some(*source)),
            sources => Held::Several(sources.into()),
        })
    }
}

impl From<Vec<OpId>> for Sources {
    fn from(sources: Vec<OpId>) -> Self {
        sources.as_slice().into()
    }
}

impl FromIterator<OpId> for Sources {
    fn from_iter<I: IntoIterator<Item = OpId>>(sources: I) -> Self {
        sources.into_iter().collect::<Vec<_>>().into()
    }
}

impl<'s> IntoIterator for &'s Sources {
    type Item = &'s OpId;
    type IntoIter = std::slice::Iter<'s, OpId>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The siblings of an answer, in its order. Clones share them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Siblings(Option<Arc<[Sibling]>>);

impl Siblings {
    /// Those of an empty answer.
    pub const NONE: Self = Self(None);
}

impl Deref for Siblings {
    type Target = [Sibling];

    fn deref(&self) -> &[Sibling] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl From<Vec<Sibling>> for Siblings {
    fn from(siblings: Vec<Sibling>) -> Self {
        Self((!siblings.is_empty()).then(|| siblings.into()))
    }
}

impl FromIterator<Sibling> for Siblings {
    fn from_iter<I: IntoIterator<Item = Sibling>>(siblings: I) -> Self {
        let siblings: Arc<[Sibling]> = siblings.into_iter().collect();
        Self((!siblings.is_empty()).then_some(siblings))
    }
}

impl<'s> IntoIterator for &'s Siblings {
    type Item = &'s Sibling;
    type IntoIter = std::slice::Iter<'s, Sibling>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
