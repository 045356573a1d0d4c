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

/// How often an empty run is timed. The first one reads the program from the disk.
const STARTS: usize = 2;

/// The least time that the operations of a group are taken to need.
const LEAST: Duration = Duration::from_millis(1);

/// How many groups runs have of a program that takes so long to start and end, and so long for the
/// operations of one group: as many as take up to twice as long as the start.
fn groups(start: Duration, group: Duration) -> u32 {
    let worth = 2 * start.as_nanos() / group.max(LEAST).as_nanos();
    let fits = |groups: &&u32| u128::from(**groups) <= worth;
    let most = GROUPS.iter().rev().find(fits);
    most.copied().unwrap_or(GROUPS[0])
}

/// Makes runs as large as the time that the program takes to start is worth. Where it cannot be started,
/// they have the usual size: the first run will tell why.
pub fn size_runs(subject: &ProgramUnderTest, shape: &mut Shape) {
    let mut start: Option<Duration> = None;
    for _ in 0..STARTS {
        let Some(took) = time(subject, shape, 1) else {
            return;
        };
        start = Some(start.map_or(took, |start| start.min(took)));
    }
    let start = start.unwrap_or_default();
    let Some(usual) = time(subject, shape, Shape::OPERATIONS) else {
        return;
    };
    let groups = groups(start, usual.saturating_sub(start));
    shape.groups = groups;
    shape.operations = groups * Shape::OPERATIONS;
    shape.clients = groups * Shape::CLIENTS;
    shape.keys = groups * Shape::KEYS;
}

/// How long a run of so many operations takes in which nothing goes wrong; `None` where the program fails.
/// Nothing of it is counted, as it is none of the runs.
fn time(subject: &ProgramUnderTest, shape: &Shape, operations: u32) -> Option<Duration> {
    let mut shape = shape.clone();
    shape.operations = operations;
    shape.faults.clear();
    let plan = generate(&shape, &mut SeededChoices::new(0), String::new());
    let watch = Stopwatch::start();
    let done = subject.attempt(&plan, Purpose::Shrink, 0, subject.known());
    let failed = done.map_or(true, |(observed, _)| observed.failure.is_some());
    (!failed).then(|| watch.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_as_large_as_a_start_is_worth() {
        let groups_of =
            |start, group| groups(Duration::from_millis(start), Duration::from_millis(group));
        assert_eq!(groups_of(0, 0), 1);
        assert_eq!(groups_of(100, 80), 1);
        assert_eq!(groups_of(100, 60), 3);
        assert_eq!(groups_of(100, 20), 10);
        assert_eq!(groups_of(100, 0), 30);
        assert_eq!(groups_of(1_000, 1_100), 1);
    }
}
