//! What becomes of a finding on a program: it is saved before anything is run again, then made smaller.

use sibcheck_checkers::{Outcome, outside};

use crate::{
    plans::Shrunk,
    program_under_test::{FirstSighting, ProgramUnderTest, look_again},
    reports::Proof,
};

use super::{
    check::{self, Arguments},
    output,
    results::{Found, Seen},
    shrinking::Shrinking,
    signals::Listening,
};

/// Saves a finding, shrinks it, tells whether it always shows, and saves what is smaller.
pub(super) fn follow_up(
    subject: &ProgramUnderTest,
    arguments: &Arguments,
    listening: &Listening,
    sighting: FirstSighting,
) -> Proof {
    let first_seen = Seen {
        plan: &sighting.plan,
        observed: &sighting.observed,
    };
    let saved = |smallest| {
        let found = Found {
            first: Some(first_seen),
            smallest,
        };
        check::save(arguments, sighting.seed, &found)
    };
    let place = match saved(None) {
        Ok(folder) => format!("saved in {}", outside::path(&folder)),
        Err(why) => format!("not saved: {why}"),
    };
    let judged = &sighting.observed.judged;
    let found = check::found_line("program", judged, &sighting.command);
    let found = format!("{found}\n{place}");
    output::tell(&found);
    if judged.told.outcome() == Outcome::Violated {
        listening.found(found);
    }
    let mut shrinking = Shrinking::default();
    let again = look_again(
        subject,
        &sighting,
        arguments.shrink_for.map(Into::into),
        &listening.interrupt,
        &mut |tries, smallest| shrinking.tell(tries, smallest),
    );
    shrinking.end();
    let first = || (sighting.plan.clone(), sighting.observed.clone());
    let (plan, observed) = again.smallest.unwrap_or_else(first);
    let shrunk = Shrunk {
        plan,
        tries: again.tries,
    };
    let smallest = Seen {
        plan: &shrunk.plan,
        observed: &observed,
    };
    Proof {
        original: sighting.plan.operations(),
        saved: saved(Some((&sighting.plan, smallest))),
        seed: sighting.seed,
        command: sighting.command,
        judged: observed.judged,
        failure: observed.failure,
        shrunk,
        repeats: again.repeats,
        notes: again.notes,
    }
}
