//! The writes that an answer returned, where they are few without another place in memory.

/// What a sibling out of thin air has for a write.
const NONE: u32 = u32::MAX;

/// How many siblings need no other place.
const FEW: usize = 4;

/// The writes of an answer's siblings, in its order; `None` for one out of thin air.
pub(crate) enum Siblings {
    Few(u32, [u32; FEW]),
    Many(Box<[u32]>),
}

impl Siblings {
    pub(super) fn of(writes: impl ExactSizeIterator<Item = Option<u32>>) -> Self {
        let many = writes.len();
        let writes = writes.map(|write| write.unwrap_or(NONE));
        match u32::try_from(many) {
            Ok(few) if many <= FEW => {
                let mut all = [NONE; FEW];
                for (place, write) in all.iter_mut().zip(writes) {
                    *place = write;
                }
                Self::Few(few, all)
            }
            _ => Self::Many(writes.collect()),
        }
    }

    fn all(&self) -> &[u32] {
        match self {
            Self::Few(few, all) => &all[..*few as usize],
            Self::Many(all) => all,
        }
    }

    /// How many there are, those out of thin air included.
    pub(crate) fn len(&self) -> usize {
        self.all().len()
    }

    /// Their writes.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Option<usize>> + '_ {
        let write = |write: &u32| (*write != NONE).then_some(*write as usize);
        self.all().iter().map(write)
    }

    /// The writes of those that have one.
    pub(crate) fn writes(&self) -> impl Iterator<Item = usize> + '_ {
        self.iter().flatten()
    }

    /// The write of a sibling.
    pub(crate) fn get(&self, at: usize) -> Option<usize> {
        let write = self.all().get(at).filter(|write| **write != NONE);
        write.map(|write| *write as usize)
    }

    /// The write of the only sibling.
    pub(super) fn only(&self) -> Option<usize> {
        self.get(0).filter(|_| self.len() == 1)
    }

    /// Leaves those without a write that are not to be kept.
    pub(super) fn keep(&mut self, is_kept: impl Fn(usize) -> bool) {
        let all = match self {
            Self::Few(few, all) => &mut all[..*few as usize],
            Self::Many(all) => all,
        };
        for write in all {
            if *write != NONE && !is_kept(*write as usize) {
                *write = NONE;
            }
        }
    }
}
