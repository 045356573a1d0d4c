//! Reported clocks and dots, compared entry by entry and pair by pair.

use super::naive::Naive;
use sibcheck_checkers::{
    history::{ReportedClock, Version},
    verdict::Invariant,
};

impl Naive<'_> {
    pub(super) fn clocks_hold(&self, invariant: Invariant) -> bool {
        let pairs = self.applied.into_iter().all(|upper| {
            let others = self.applied.that(|lower| lower != upper);
            others.into_iter().all(|lower| {
                let Some((low, up)) = self.versions[lower].zip(self.versions[upper]) else {
                    return true;
                };
                match invariant {
                    Invariant::ClockSoundness => {
                        !self.generates(lower, upper) || below(low, up) != Some(false)
                    }
                    Invariant::ClockPrecision => {
                        self.may[upper].contains(lower) || below(low, up) != Some(true)
                    }
                    _ => !same_identity(low, up),
                }
            })
        });
        pairs && (invariant != Invariant::ClockIdentity || self.versions_stay())
    }

    /// Whether `upper`'s context was made of an answer that was or held `lower`.
    fn generates(&self, lower: usize, upper: usize) -> bool {
        self.sources(upper)
            .any(|source| source == lower || self.returned[source].contains(lower))
    }

    fn versions_stay(&self) -> bool {
        self.answered.into_iter().all(|read| {
            let mut siblings = self.siblings(read).iter().zip(&self.origins[read]);
            siblings.all(|(sibling, origin)| {
                let known = origin.and_then(|write| self.versions[write]);
                let versions = known.zip(sibling.version.as_ref());
                versions.is_none_or(|(known, shown)| same_version(known, shown))
            })
        })
    }

    pub(super) fn advances(&self, write: usize) -> bool {
        let Some(write) = self.write(write) else {
            return true;
        };
        match (&write.version, &write.context) {
            (Some(Version::Clock(clock)), Some(context)) => {
                leq(context, clock) && !leq(clock, context)
            }
            (
                Some(Version::Dotted {
                    actor,
                    counter,
                    past,
                }),
                Some(context),
            ) => {
                context.get(actor.as_str()) < *counter
                    && past.as_ref().is_none_or(|past| leq(context, past))
            }
            _ => true,
        }
    }

    pub(super) fn contexts_cover(&self) -> bool {
        let context = |read: usize| self.read(read).and_then(|read| read.context.as_ref());
        let dots = self.sound.into_iter().all(|read| {
            self.siblings(read)
                .iter()
                .all(|sibling| match (&sibling.version, context(read)) {
                    (Some(Version::Dotted { actor, counter, .. }), Some(context)) => {
                        context.get(actor.as_str()) >= *counter
                    }
                    _ => true,
                })
        });
        let hidden = self.applied.into_iter().any(|write| self.hides(write));
        dots && self.finals.into_iter().all(|last| {
            let before = self.sound.that(|read| self.precedes(read, last));
            hidden
                || before.into_iter().all(|read| {
                    context(read)
                        .zip(context(last))
                        .is_none_or(|(before, now)| leq(before, now))
                })
        })
    }

    pub(super) fn dots_grow(&self) -> bool {
        let dot = |write: usize| match self.write(write)?.version.as_ref()? {
            Version::Dotted {
                actor,
                counter,
                past,
            } => Some((actor, *counter, past)),
            Version::Clock(_) => None,
        };
        self.applied.into_iter().all(|later| {
            let Some((actor, counter, past)) = dot(later) else {
                return true;
            };
            past.as_ref()
                .is_none_or(|past| past.get(actor.as_str()) < counter)
                && self.acknowledged.into_iter().all(|earlier| {
                    let before = self.op(earlier).completed < Some(self.op(later).invoked);
                    !before
                        || dot(earlier)
                            .is_none_or(|(other, less, _)| other != actor || less < counter)
                })
        })
    }
}

pub(super) fn leq(a: &ReportedClock, b: &ReportedClock) -> bool {
    a.entries()
        .iter()
        .all(|(name, counter)| *counter <= b.get(name.as_str()))
}

/// Whether the first version is strictly below the second; `None` where they do not tell.
pub(super) fn below(a: &Version, b: &Version) -> Option<bool> {
    match (a, b) {
        (Version::Clock(a), Version::Clock(b)) => Some(leq(a, b) && !leq(b, a)),
        (
            Version::Dotted { actor, counter, .. },
            Version::Dotted {
                past: Some(past), ..
            },
        ) => Some(past.get(actor.as_str()) >= *counter),
        _ => None,
    }
}

pub(super) fn at_most(a: &Version, b: &Version) -> bool {
    same_identity(a, b) || below(a, b) == Some(true)
}

pub(super) fn same_identity(a: &Version, b: &Version) -> bool {
    match (a, b) {
        (Version::Clock(a), Version::Clock(b)) => a == b,
        (
            Version::Dotted {
                actor: a,
                counter: m,
                ..
            },
            Version::Dotted {
                actor: b,
                counter: n,
                ..
            },
        ) => a == b && m == n,
        _ => false,
    }
}

pub(super) fn same_version(a: &Version, b: &Version) -> bool {
    match (a, b) {
        (Version::Dotted { past: Some(p), .. }, Version::Dotted { past: Some(q), .. }) => {
            same_identity(a, b) && p == q
        }
        _ => same_identity(a, b),
    }
}
