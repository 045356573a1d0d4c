//! A test of a store checks a program as the command line does, through the library.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::{path::PathBuf, time::Duration};

use sibcheck::{
    interrupt::Interrupt,
    nodes::external::Program,
    plans::Shape,
    program_under_test::{
        Effort, FirstSighting, ProgramCampaign, ProgramUnderTest, Wanted, ladder, look_again,
    },
    simulation::FaultName,
    workloads::Dialect,
};
use sibcheck_checkers::Outcome;

use crate::support::{self, have};

const CORRECT: &str = "vc_store.py";
const LOSSY: &str = "vc_store_lossy.py";

fn subject(node: &str, jobs: usize) -> ProgramUnderTest {
    let folder = env!("CARGO_MANIFEST_DIR");
    let argv = support::python(&format!("{folder}/examples/nodes/python/{node}"), &[]);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let folder = folder.join(format!("library-{node}-{jobs}"));
    ProgramUnderTest::new(Program::new(argv, Dialect::Vc, folder))
}

fn campaign(
    subject: &ProgramUnderTest,
    jobs: usize,
) -> (ProgramCampaign<'_>, Option<FirstSighting>) {
    let shape = Shape::of_program(Dialect::Vc, 1);
    let wanted = Wanted::Named(vec![FaultName::Pause]);
    let rungs = ladder(&wanted, &shape.faults, true);
    let mut campaign = ProgramCampaign::new(subject, shape, rungs, 1);
    campaign.effort = Effort::Planned;
    campaign.jobs = jobs;
    for rung in &mut campaign.rungs {
        rung.planned = 7;
    }
    let found = campaign.run(&Interrupt::default(), |_, _| {}).unwrap();
    (campaign, found)
}

#[test]
fn the_number_of_runs_at_once_changes_nothing() {
    if !have("python3") {
        return;
    }
    for node in [CORRECT, LOSSY] {
        let told = |jobs| {
            let subject = subject(node, jobs);
            let (campaign, found) = campaign(&subject, jobs);
            let found = found.map(|found| (found.seed, found.plan, found.observed.trace));
            let shown = (subject.delivered(), subject.tolerated(), subject.leaks());
            let folder = format!("library-{node}-{jobs}");
            let text = format!(
                "{:?} {:?} {found:?} {shown:?}",
                campaign.tally, campaign.rungs
            );
            // The nodes' folders are all that differs.
            (
                campaign.tally.runs(Outcome::Valid),
                text.replace(&folder, ""),
            )
        };
        let alone = told(1);
        assert_eq!(alone, told(3), "{node}");
        assert!(alone.0 == if node == CORRECT { 21 } else { alone.0 });
    }
}

#[test]
fn what_is_found_is_looked_for_again_and_made_smaller() {
    if !have("python3") {
        return;
    }
    let subject = subject(LOSSY, 0);
    let (campaign, found) = campaign(&subject, 2);
    let first = found.unwrap();
    assert!(campaign.rungs.iter().any(|rung| rung.failed));
    assert!(
        first.command.contains(&format!(" --seed {} ", first.seed)),
        "{}",
        first.command
    );
    let mut tries = 0;
    let again = look_again(
        &subject,
        &first,
        Some(Duration::from_mins(2)),
        &Interrupt::default(),
        &mut |tried, _| tries = tried,
    );
    let (plan, observed) = again.smallest.unwrap();
    assert!(plan.operations() <= 4, "{:?}", plan.clients);
    assert_eq!(observed.judged.told.outcome(), Outcome::Violated);
    assert_eq!(again.repeats, None, "it fails alike each time");
    assert!(tries > 0 && again.tries > 0);
}
