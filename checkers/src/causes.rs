//! Which of several violations is told first: the one that names the cause.
//!
//! Invariants are ordered by causes ([`Invariant`]): versions, which are given when a write is
//! accepted, stand before what answers show of them. That a write is lost *because* of its version
//! can be seen: the version is the same as that of a write which was returned in its place, or lies
//! below it. Then a replica that compares versions rightly had to drop it, and the wrong version is
//! the cause. Where a lost write's version is neither, it was dropped for another reason, and a
//! version that was wrong afterwards may well follow from that: a coordinator that lost a write gives
//! its dot again. So where a history shows such a loss, wrong versions are told after all else.
//!
//! The same holds for a superseded sibling that was returned: where its version does lie below, the
//! replica kept it for another reason.

use crate::{
    causality::KeyView,
    clock_table::ClockTable,
    history::OpId,
    verdict::{Finding, Invariant, Violation},
};

/// True when a loss or a superseded sibling among these violations of a key does not follow from
/// versions that are wrong. O(writes + siblings) for each violation.
pub(crate) fn beside_versions(
    view: &KeyView<'_>,
    clocks: &ClockTable<'_>,
    violations: &[Violation],
) -> bool {
    let place = |op: OpId| view.writes.iter().position(|write| write.id == op);
    let returned = |op: OpId| view.reads.iter().find(|read| read.id == op);
    let follows = |violation: &Violation| match violation.finding {
        Finding::SiblingDropped { read, write, .. } | Finding::UpdateLost { read, write, .. } => {
            let (Some(lost), Some(read)) = (place(write), returned(read)) else {
                return true;
            };
            let pushed_out =
                |by: usize| clocks.identical(lost, by) || clocks.below(lost, by) == Some(true);
            read.returned.iter().any(pushed_out)
        }
        Finding::Dominated { superseded, by, .. } => match (place(superseded), place(by)) {
            (Some(lower), Some(upper)) => clocks.below(lower, upper) != Some(true),
            _ => true,
        },
        // All others are no losses, so they tell nothing of what caused one.
        _ => true,
    };
    !violations.iter().all(follows)
}

/// The place of a violation in a report, smallest first; `beside_versions` as of any key.
pub(crate) fn rank(violation: &Violation, beside_versions: bool) -> (bool, Invariant) {
    let invariant = violation.invariant;
    (invariant.is_of_clocks() && beside_versions, invariant)
}
