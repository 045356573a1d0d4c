//! How large the runs of a program are: the longer it takes to start, the more is asked of it each time.
//!
//! A Python program takes as long to start as it takes for some hundred operations, and a JVM longer. So
//! small runs would spend most of their time on starting. Larger runs are many small ones side by side:
//! their clients and keys come in groups ([`Shape::groups`]) of the usual size, and what happens within a
//! group does not depend on how many there are.

use std::time::Duration;

use crate::{
    choices::SeededChoices,
    plans::{Shape, generate},
    stopwatch::Stopwatch,
};

use super::{ProgramUnderTest, Purpose};

/// How many groups runs may have, each of the usual number of operations, clients and keys.
const GROUPS: [u32; 4] = [1, 3, 10, 30];

/// Time to start that is worth an additional group, for each node: about what its operations take a slow
/// program there.
const WORTH_A_GROUP: Duration = Duration::from_millis(8);

/// How often a start is timed. The first one reads the program from the disk.
const STARTS: usize = 3;

/// The groups of runs of a program that takes so long to start and end on so many nodes: as many as take
/// about as long as the start.
fn groups(start: Duration, nodes: u32) -> u32 {
    let worth = start.as_nanos() / (WORTH_A_GROUP * nodes.max(1)).as_nanos();
    let fits = |groups: &&u32| u128::from(**groups) <= worth;
    let most = GROUPS.iter().rev().find(fits);
    most.copied().unwrap_or(GROUPS[0])
}

/// Makes runs as large as the time that the program takes to start is worth. Where it cannot be started,
/// they have the usual size: the first run will tell why.
pub fn size_runs(subject: &ProgramUnderTest, shape: &mut Shape) {
    let mut nothing = shape.clone();
    nothing.operations = 1;
    nothing.faults.clear();
    let plan = generate(&nothing, &mut SeededChoices::new(0), String::new());
    let mut fastest: Option<Duration> = None;
    for _ in 0..STARTS {
        let watch = Stopwatch::start();
        // Nothing is counted: this is none of the runs.
        match subject.attempt(&plan, Purpose::Shrink, 0, subject.known()) {
            Ok((observed, _)) if observed.failure.is_none() => {}
            _ => return,
        }
        let took = watch.elapsed();
        fastest = Some(fastest.map_or(took, |fastest| fastest.min(took)));
    }
    let groups = groups(fastest.unwrap_or_default(), shape.nodes);
    shape.groups = groups;
    shape.operations = groups * Shape::OPERATIONS;
    shape.clients = groups * Shape::CLIENTS;
    shape.keys = groups * Shape::KEYS;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_as_large_as_a_start_is_worth() {
        let groups_of = |millis, nodes| groups(Duration::from_millis(millis), nodes);
        assert_eq!(groups_of(0, 1), 1);
        assert_eq!(groups_of(23, 1), 1);
        assert_eq!(groups_of(24, 1), 3);
        assert_eq!(groups_of(80, 1), 10);
        assert_eq!(groups_of(80, 3), 3);
        assert_eq!(groups_of(100_000, 3), 30);
    }
}
