//! What a VALID does not rest on: few runs, or an important situation that never arose.

use sibcheck_checkers::Outcome;

use crate::{
    plans::fewest_runs,
    simulation::FaultName,
    workloads::{Workload, with_words, with_workload},
};

use super::{Checked, words::count};

/// Why a VALID says less than it seems to, a few words each; nothing for other outcomes.
pub(super) fn caveats(checked: &Checked) -> Vec<String> {
    let (shape, tally) = (&checked.shape, &checked.tally);
    if tally.outcome() != Outcome::Valid {
        return Vec::new();
    }
    let mut caveats = few_runs(checked);
    let mut wanted = match &shape.program {
        Some(dialect) => with_words!(dialect.words(), W, words => {
            <W as Workload>::wanted(Some(words), shape.nodes)
        }),
        None => with_workload!(shape.workload(), W => W::wanted(None, shape.nodes)),
    };
    wanted.extend(
        shape
            .store
            .into_iter()
            .flat_map(|store| store.mechanisms(shape.nodes)),
    );
    let missing = wanted
        .into_iter()
        .filter(|(situation, _)| tally.situations.count(situation) == 0);
    caveats.extend(missing.map(|(_, what)| what.to_owned()));
    let had_partitions = tally
        .faults
        .get(&FaultName::Partition)
        .is_some_and(|count| count.planned > 0);
    if had_partitions && tally.writes_during_partition == 0 {
        caveats.push("nothing was written during a partition".to_owned());
    }
    caveats
}

/// Fewer runs than it takes to meet every stratum.
fn few_runs(checked: &Checked) -> Vec<String> {
    let few = |runs: u64| (1..fewest_runs(checked.shape.groups)).contains(&runs);
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
