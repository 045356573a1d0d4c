//! Reported clocks and versions compared, two at a time.

use crate::history::{ReportedClock, Version};

/// True when every entry of `smaller` is in `larger`, with no smaller a counter.
pub(crate) fn includes(larger: &ReportedClock, smaller: &ReportedClock) -> bool {
    larger.same_allocation(smaller) || {
        let mut entries = larger.entries().iter();
        smaller.entries().iter().all(|(name, counter)| {
            entries
                .find(|(known, _)| *known >= name)
                .is_some_and(|(known, most)| known == name && most >= counter)
        })
    }
}

/// True when both hold the same entries.
pub(crate) fn same_clock(a: &ReportedClock, b: &ReportedClock) -> bool {
    a.same_allocation(b) || a == b
}

/// True when both are one clock, or one dot; pasts are compared where both report one.
pub(crate) fn same_version(a: &Version, b: &Version) -> bool {
    match (a, b) {
        (Version::Clock(a), Version::Clock(b)) => same_clock(a, b),
        (
            Version::Dotted {
                actor,
                counter,
                past,
            },
            Version::Dotted {
                actor: other_actor,
                counter: other_counter,
                past: other_past,
            },
        ) => {
            let pasts = past.as_ref().zip(other_past.as_ref());
            counter == other_counter
                && actor == other_actor
                && pasts.is_none_or(|(past, other)| same_clock(past, other))
        }
        _ => false,
    }
}

/// True when `clock` includes the dot.
pub(crate) fn includes_dot(clock: &ReportedClock, actor: &str, counter: u64) -> bool {
    clock.get(actor) >= counter
}
