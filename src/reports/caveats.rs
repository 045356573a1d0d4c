//! What a VALID does not rest on: few runs, or an important situation that never arose.

use sibcheck_checkers::{Outcome, Situation};

use crate::{plans::STRATA, protocol::Contexts, simulation::FaultName};

use super::{Checked, words::count};

/// Why a VALID says less than it seems to, a few words each; nothing for other outcomes.
pub(super) fn caveats(checked: &Checked) -> Vec<String> {
    let (shape, tally) = (&checked.campaign.shape, &checked.tally);
    if tally.outcome() != Outcome::Valid {
        return Vec::new();
    }
    let mut caveats = few_runs(checked);
    let has_contexts = shape
        .program
        .as_ref()
        .is_none_or(|dialect| dialect.wording().contexts() != Contexts::Absent);
    let had_partitions = tally
        .faults
        .get(&FaultName::Partition)
        .is_some_and(|count| count.planned > 0);
    let concurrent = tally.situations.count(Situation::ConcurrentWrites);
    for (missing, what) in [
        (
            has_contexts && concurrent == 0,
            "no two writes of a key were concurrent",
        ),
        (
            has_contexts && shape.nodes > 1 && tally.contexts_ahead == 0,
            "no context was ahead of its coordinator",
        ),
        (
            had_partitions && tally.writes_during_partition == 0,
            "nothing was written during a partition",
        ),
    ] {
        if missing {
            caveats.push(what.to_owned());
        }
    }
    caveats
}

/// Fewer runs than it takes to meet every stratum.
fn few_runs(checked: &Checked) -> Vec<String> {
    let few = |runs: u64| (1..STRATA).contains(&runs);
    match &checked.program {
        None => {
            let runs = checked.tally.outcomes.values().sum();
            let told = few(runs).then(|| format!("only {}", count(runs, "run")));
            told.into_iter().collect()
        }
        Some(program) => program
            .rungs
            .iter()
            .filter(|rung| few(rung.held))
            .map(|rung| {
                format!(
                    "only {} on the rung of {}",
                    count(rung.held, "run"),
                    rung.name
                )
            })
            .collect(),
    }
}
