//! `sibcheck check --bin`: check a program outside, climbing a ladder of faults.

use std::{path::PathBuf, time::Duration};

use sibcheck_checkers::{Outcome, outside::Outside};

use crate::{
    campaign::{RunError, Tally},
    files::IfEmpty,
    interrupt::Interrupt,
    nodes::external::{Program, kinds_not_taken},
    plans::{Plan, STRATA, SeededChoices, Shape, Time, generate},
    program_under_test::{Observed, ProgramUnderTest, Purpose},
    reports::{Checked, Oddity, ProgramFigures, Report, Rung, Told},
    simulation::FaultName,
    workloads::{Dialect, Workload, WorkloadName, with_workload},
};

use super::{
    Exit, Failure, bin,
    check::{self, Arguments},
    output::{Progress, Stopwatch},
    results::Found,
    runs,
    sighting::{FirstSighting, follow_up},
    signals::Listening,
    time,
};

/// How long all runs of a program take, unless the command line says how many there are.
const BUDGET: Duration = Duration::from_secs(10);

/// Runs on each rung before their speed decides how many more there are, however slow they are: every
/// stratum has its turn.
const FIRST_RUNS: u64 = STRATA;

/// Runs on a rung, however fast they are.
const MOST_RUNS: u64 = 500;

/// The rungs above the one without faults, in their order, with their names. Each adds its fault to
/// those below. What makes even correct stores unavailable stands higher, and lost requests of
/// clients stand last: they are not on the ladder unless they are named.
const LADDER: [(FaultName, &str); 9] = [
    (FaultName::Reorder, "reordering"),
    (FaultName::Partition, "partitions"),
    (FaultName::Clock, "wrong clocks"),
    (FaultName::Duplicate, "duplication"),
    (FaultName::Loss, "loss"),
    (FaultName::Pause, "pauses"),
    (FaultName::Stop, "restarts"),
    (FaultName::Crash, "crashes"),
    (FaultName::ClientLoss, "lost requests"),
];

/// The rungs of the ladder: what may go wrong on each.
fn ladder(arguments: &Arguments, shape: &Shape) -> Vec<Rung> {
    let named = |name: &str| arguments.faults.iter().any(|asked| asked == name);
    let lowest = Rung::new("no faults", Vec::new(), Vec::new());
    if arguments.no_ladder {
        let faults = shape.faults.clone();
        let only = if faults.is_empty() {
            lowest
        } else {
            Rung::new("all at once", faults.clone(), faults)
        };
        let bursts = arguments.bursts;
        return vec![Rung { bursts, ..only }];
    }
    let climbed = |fault: FaultName| match fault {
        FaultName::Reorder | FaultName::Partition if arguments.faults.is_empty() => true,
        _ if fault == FaultName::ClientLoss || fault.is_on_request() => named(fault.name()),
        _ => named("all") || named(fault.name()),
    };
    let mut faults = Vec::new();
    let mut rungs = vec![lowest];
    for (fault, name) in LADDER {
        if climbed(fault) && shape.faults.contains(&fault) {
            faults.push(fault);
            faults.sort_unstable();
            rungs.push(Rung::new(name, faults.clone(), vec![fault]));
        }
    }
    if arguments.bursts {
        rungs.push(Rung {
            bursts: true,
            ..Rung::new("bursts", faults, Vec::new())
        });
    }
    rungs
}

/// The program to be checked, with the dialect that was named or found out, and how to name it.
fn program(
    arguments: &Arguments,
    command_line: &str,
    interrupt: &Interrupt,
) -> Result<(Program, String), Failure> {
    let argv = bin::words(command_line)?;
    let folder = arguments
        .results
        .join(format!("nodes-{}", std::process::id()));
    let mut program = Program {
        patience: Duration::from_millis(arguments.patience_ms),
        timer_patience: Duration::from_millis(arguments.patience_ms * 25),
        guard: std::env::current_exe().ok(),
        names: arguments.node_names.clone(),
        strict: arguments.strict,
        interrupt: interrupt.clone(),
        ..Program::new(argv, Dialect::Vc, folder)
    };
    bin::look_up(&program)?;
    let (dialect, named) = if let Some(given) = &arguments.dialect {
        (given.dialect.clone(), given.to_string())
    } else {
        let found = bin::found_out(&program, interrupt)?;
        let name = found.to_string();
        (found, name)
    };
    program.dialect = dialect;
    Ok((program, named))
}

/// Nodes that are named one by one must all be.
fn enough_names(arguments: &Arguments, shape: &Shape) -> Result<(), Failure> {
    if let Some(count) = arguments.node_names.count()
        && count != shape.nodes as usize
    {
        return Err(Failure::usage(format!(
            "--node-names lists {count} names for {} nodes; add --nodes {count}",
            shape.nodes
        )));
    }
    Ok(())
}

/// Holds a program to the claim that was named, or to the usual one of its workload.
fn settle_claim(
    arguments: &Arguments,
    dialect: &Dialect,
    shape: &mut Shape,
) -> Result<(), Failure> {
    let workload = dialect.workload();
    let claims = with_workload!(workload, W => W::claims(shape.nodes));
    if let Some(claim) = arguments.claim.filter(|claim| !claims.contains(claim)) {
        let known = claims.iter().map(ToString::to_string).collect::<Vec<_>>();
        return Err(Failure::usage(format!(
            "--claim {claim} makes no sense of a {}, which the dialect {dialect} speaks of: it is judged \
             by {}; leave --claim out",
            workload.object(),
            known.join(", ")
        )));
    }
    if let (None, Some(usual)) = (arguments.claim, claims.first()) {
        shape.claim = *usual;
    }
    if shape.replica_monotonic && workload != WorkloadName::Siblings {
        return Err(Failure::usage(format!(
            "--replica-monotonic speaks of siblings, and the dialect {dialect} of a {}: leave it out",
            workload.object()
        )));
    }
    Ok(())
}

pub(super) fn check_program(
    arguments: &Arguments,
    command_line: &str,
    mut shape: Shape,
    listening: &Listening,
) -> Result<Exit, Failure> {
    let _results = IfEmpty::goes(&arguments.results);
    enough_names(arguments, &shape)?;
    let mut ladder = ladder(arguments, &shape);
    let rungs = ladder.iter().map(|rung| rung.name);
    runs::check(&arguments.runs, "rungs", rungs)?;
    let (program, named) = program(arguments, command_line, &listening.interrupt)?;
    let dialect = program.dialect.clone();
    shape.program = Some(dialect.clone());
    settle_claim(arguments, &dialect, &mut shape)?;
    let not_taken = match arguments.leave_out {
        Some(_) => Vec::new(),
        None => kinds_not_taken(&program, || !listening.interrupt.is_raised()),
    };
    for refused in &not_taken {
        shape.left_out.insert(refused.kind);
    }
    let clock_refused = time::settle(&program, arguments.time, &mut shape)?;
    let seed = arguments.seed.unwrap_or_else(check::fresh_seed);
    let names_flag = arguments.node_names.flag();
    let subject = ProgramUnderTest::new(program);
    let interrupt = &listening.interrupt;
    let mut climber = Climber {
        subject: &subject,
        shape,
        command_line,
        dialect: named,
        arguments,
        interrupt,
        tally: Tally::default(),
    };
    for (position, rung) in ladder.iter_mut().enumerate() {
        rung.planned = runs::asked(&arguments.runs, position).unwrap_or(FIRST_RUNS);
    }
    let watch = Stopwatch::start();
    let end = climber.climb(&mut ladder, seed, watch);
    let (elapsed, command) = (watch.elapsed(), climber.whole_command(seed, &ladder));
    let (proof, refused) = match end {
        Ok(None) | Err(RunError::Interrupted) => (None, None),
        Ok(Some(sighting)) => {
            let proof = follow_up(&subject, arguments, listening, sighting);
            (Some(proof), None)
        }
        Err(RunError::Machine(why)) => (None, Some(why)),
    };
    let held = proof.is_none() && refused.is_none() && !interrupt.is_raised();
    let saved_first = (arguments.save_first && held).then(|| climber.save_first(seed, &ladder));
    let planned = ladder.iter().map(|rung| rung.planned).sum();
    let figures = ProgramFigures {
        command_line: command_line.to_owned(),
        names_flag,
        dialect,
        time: climber.shape.time,
        clock_refused,
        leaks: subject.leaks(),
        real_time_because: subject.real_time_because().map(str::to_owned),
        rungs: ladder,
        nodes_because: check::nodes_because(arguments, climber.shape.nodes),
        messages: subject.delivered(),
        not_taken,
        not_exercised: subject.not_exercised(climber.shape.nodes),
        tolerated: subject
            .tolerated
            .iter()
            .map(|(deviation, count, first)| Oddity {
                deviation,
                count,
                first,
            })
            .collect(),
        refused,
    };
    let report = Report {
        seed,
        command,
        threads: 1,
        checked: vec![Checked {
            store: None,
            shape: climber.shape.clone(),
            runs: planned,
            tally: climber.tally,
            elapsed,
            saved_first,
            program: Some(figures),
            proof,
            asked: Vec::new(),
        }],
        interrupted: interrupt.signal(),
    };
    arguments
        .format
        .print(arguments.verbose, Told::Check(&report))?;
    Ok(report.exit())
}

struct Climber<'a> {
    subject: &'a ProgramUnderTest,
    shape: Shape,
    command_line: &'a str,
    /// As it is given on the command line.
    dialect: String,
    arguments: &'a Arguments,
    interrupt: &'a Interrupt,
    tally: Tally,
}

impl Climber<'_> {
    /// Runs the plan of this seed.
    fn run(&mut self, seed: u64) -> Result<(Plan, Observed), RunError> {
        let mut plan = self.plan(seed);
        let observed = self.subject.run(&plan, Purpose::Search)?;
        if self.subject.real_time_because().is_some() && self.shape.time != Time::Real {
            self.shape.time = Time::Real;
            self.shape.period = None;
            // Its command says so, too.
            plan = self.plan(seed);
        }
        Ok((plan, observed))
    }

    /// Climbs the ladder again and again, with one run on each rung, until a run violates its claim. So
    /// a fault that only a high rung shows is found early, however many runs the rungs below have. Run
    /// k of each rung has the seed `seed` + k; only how many there are may depend on how fast they go.
    fn climb(
        &mut self,
        ladder: &mut [Rung],
        seed: u64,
        watch: Stopwatch,
    ) -> Result<Option<FirstSighting>, RunError> {
        let mut progress = Progress::new(&Outside(self.command_line).to_string(), 0);
        let budget = self.arguments.duration.map(Duration::from);
        let asked = !self.arguments.runs.is_empty();
        let mut done = 0;
        for climb in 0.. {
            if climb == FIRST_RUNS && !asked && budget.is_none() {
                let more = more_climbs(watch.elapsed(), climb);
                for rung in ladder.iter_mut() {
                    rung.planned += more;
                }
            }
            let before = done;
            for position in 0..ladder.len() {
                if budget.is_some_and(|budget| climb >= FIRST_RUNS && watch.elapsed() < budget) {
                    ladder[position].planned = climb + 1;
                }
                if climb >= ladder[position].planned {
                    continue;
                }
                progress.expect(ladder.iter().map(|rung| rung.planned).sum());
                if self.interrupt.is_raised() {
                    return Ok(None);
                }
                let rung = &mut ladder[position];
                self.shape.faults.clone_from(&rung.faults);
                self.shape.bursts = rung.bursts;
                let seed = seed.wrapping_add(climb);
                let (plan, observed) = self.run(seed)?;
                let violated = observed.judged.told.outcome() == Outcome::Violated;
                if violated || observed.failure.is_none() {
                    self.tally.count(&plan, &observed.judged);
                }
                done += 1;
                progress.tell(done);
                if violated || observed.failure.is_some() {
                    rung.failed = true;
                    progress.end();
                    let command = self.command(seed);
                    return Ok(Some(FirstSighting {
                        seed,
                        plan,
                        observed,
                        command,
                    }));
                }
                rung.count(&plan, &observed.judged);
            }
            if done == before {
                break;
            }
        }
        progress.end();
        Ok(None)
    }

    /// A command that repeats all runs.
    fn whole_command(&self, seed: u64, ladder: &[Rung]) -> String {
        let arguments = self.arguments;
        let (bin, dialect) = (shell_words::quote(self.command_line), &self.dialect);
        let mut shape = self.shape.clone();
        // The faults are told as they were asked for: as a ladder.
        shape.faults = Shape::usual_faults(None, shape.nodes);
        shape.bursts = arguments.bursts;
        let mut flags = shape.flags() + &arguments.node_names.flag();
        if !arguments.faults.is_empty() {
            flags.push_str(" --faults ");
            flags.push_str(&arguments.faults.join(","));
        }
        for (flag, given) in [
            (" --no-ladder", arguments.no_ladder),
            (" --strict", arguments.strict),
        ] {
            flags += if given { flag } else { "" };
        }
        let runs = runs::flag(ladder.iter().map(|rung| rung.planned));
        format!("sibcheck check --bin {bin} --dialect {dialect} --seed {seed} --runs {runs}{flags}")
    }

    fn plan(&self, seed: u64) -> Plan {
        generate(
            &self.shape,
            &mut SeededChoices::new(seed),
            self.command(seed),
        )
    }

    /// A command that runs the plan of this seed alone.
    fn command(&self, seed: u64) -> String {
        let (bin, flags) = (shell_words::quote(self.command_line), self.shape.flags());
        let flags = flags + &self.arguments.node_names.flag();
        let dialect = &self.dialect;
        format!(
            "sibcheck check --bin {bin} --dialect {dialect} --seed {seed} --runs 1 --no-ladder{flags}"
        )
    }

    /// Runs the first plan of the lowest rung again and saves it.
    fn save_first(&mut self, seed: u64, ladder: &[Rung]) -> Result<PathBuf, String> {
        let lowest = ladder.first();
        self.shape.bursts = lowest.is_some_and(|rung| rung.bursts);
        self.shape.faults = lowest.map_or_else(Vec::new, |rung| rung.faults.clone());
        let plan = self.plan(seed);
        match self.subject.run(&plan, Purpose::Repeat) {
            Ok(observed) => {
                let found = Found::of_one(&plan, &plan, &observed);
                check::save(self.arguments, seed, &found)
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// How many more climbs fill the time that is left, going by the speed of those so far.
fn more_climbs(elapsed: Duration, climbs: u64) -> u64 {
    let left = BUDGET.saturating_sub(elapsed).as_nanos();
    let each = (elapsed.as_nanos() / u128::from(climbs.max(1))).max(1);
    let more = u64::try_from(left / each).unwrap_or(MOST_RUNS);
    more.min(MOST_RUNS - FIRST_RUNS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_climbs_fills_ten_seconds() {
        let second = Duration::from_secs(1);
        assert_eq!(more_climbs(second, 2), 18);
        assert_eq!(more_climbs(second * 9, 9), 1);
        assert_eq!(more_climbs(second * 11, 3), 0);
        let at_once = more_climbs(Duration::from_nanos(3), 3);
        assert_eq!(at_once, MOST_RUNS - FIRST_RUNS);
    }
}
