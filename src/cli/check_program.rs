//! `sibcheck check --bin`: check a program outside, climbing a ladder of faults.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sibcheck_checkers::Outcome;

use crate::{
    campaign::{Campaign, Judged, Tally},
    laboratory::{Laboratory, RunError},
    nodes::external::{Program, detect},
    plans::{Plan, SeededChoices, Shape, Time, generate, shrink},
    protocol::Dialect,
    reports::{Checked, ProgramFigures, Proof, Report, Rung, human, json},
    simulation::FaultName,
};

use super::{
    Exit, Failure, Format,
    check::{self, Arguments, SHRINKING},
    output::{self, Progress, Stopwatch},
};

/// Runs on each rung of the ladder, unless the command line says otherwise.
const RUNS: u64 = 10;

/// How often a plan that failed is run again to see whether it always does.
const REPEATS: u32 = 5;

/// The rungs of the ladder: what may go wrong on each.
fn ladder(asked: &[String], shape: &Shape) -> Vec<Rung> {
    let rung = |name: &'static str, faults: &[FaultName]| Rung {
        name,
        faults: faults.to_vec(),
        held: 0,
        failed: false,
    };
    if !asked.is_empty() {
        return vec![rung("the faults asked for", &shape.faults)];
    }
    let mut rungs = vec![
        rung("no faults", &[]),
        rung("reordering", &[FaultName::Reorder]),
    ];
    if shape.nodes > 1 {
        rungs.push(rung(
            "partitions",
            &[FaultName::Reorder, FaultName::Partition],
        ));
    }
    rungs
}

/// The program to be checked, with the dialect that was named or found out.
fn program(arguments: &Arguments, command_line: &str) -> Result<Program, Failure> {
    let argv = words(command_line)?;
    let folder = arguments
        .results
        .join(format!("nodes-{}", std::process::id()));
    let mut program = Program {
        patience: Duration::from_millis(arguments.patience_ms),
        timer_patience: Duration::from_millis(arguments.patience_ms * 10),
        guard: std::env::current_exe().ok(),
        ..Program::new(argv, Dialect::Vc, folder)
    };
    let dialect = match arguments.dialect {
        Some(dialect) => dialect,
        None => detect(&program).map_err(|failure| Failure {
            exit: Exit::Node,
            message: failure.to_string(),
        })?,
    };
    program.dialect = dialect;
    Ok(program)
}

pub(super) fn check_program(
    arguments: &Arguments,
    command_line: &str,
    mut shape: Shape,
    stop: &AtomicBool,
) -> Result<Exit, Failure> {
    let program = program(arguments, command_line)?;
    let dialect = program.dialect;
    shape.store = dialect.reference();
    shape.program = Some(dialect);
    let seed = arguments.seed.unwrap_or_else(check::fresh_seed);
    let runs = arguments.runs.unwrap_or(RUNS);
    let asked_for = shape.faults.clone();
    let laboratory = Laboratory::new(program);
    let mut trial = Trial {
        laboratory: &laboratory,
        shape,
        command_line,
        arguments,
        stop,
        tally: Tally::default(),
    };
    let mut ladder = ladder(&arguments.faults, &trial.shape);
    let watch = Stopwatch::start();
    let climbed = trial.climb(&mut ladder, seed, runs);
    let elapsed = watch.elapsed();
    let flags = Shape {
        faults: asked_for,
        ..trial.shape.clone()
    }
    .flags();
    let command = format!(
        "sibcheck check --bin '{command_line}' --dialect {dialect} --seed {seed} --runs {runs}{flags}"
    );
    let (proof, failure) = match climbed {
        Ok(None) => (None, None),
        Ok(Some((failing_seed, plan, judged))) => match trial.prove(failing_seed, &plan, &judged) {
            Ok(proof) => (Some(proof), None),
            Err(error) => (None, Some(error)),
        },
        Err(error) => (None, Some(error)),
    };
    let campaign = Campaign {
        runs: runs * ladder.len() as u64,
        shape: trial.shape.clone(),
        seed,
        threads: 1,
    };
    let held = proof.is_none() && failure.is_none();
    let saved_first = (arguments.save_first && held).then(|| {
        trial.shape.faults = ladder
            .first()
            .map_or_else(Vec::new, |rung| rung.faults.clone());
        trial.save_first(seed)
    });
    let report = Report {
        seed,
        command,
        threads: 1,
        checked: vec![Checked {
            campaign,
            tally: trial.tally,
            elapsed,
            saved_first,
            program: Some(ProgramFigures {
                command_line: command_line.to_owned(),
                dialect,
                time: trial.shape.time,
                real_time_because: laboratory.real_time_because().map(str::to_owned),
                rungs: ladder,
                messages: laboratory.delivered(),
                tolerated: laboratory
                    .tolerated
                    .iter()
                    .map(|(sin, count)| (sin.name(), count))
                    .collect(),
                failure: failure.as_ref().map(ToString::to_string),
            }),
            proof,
        }],
        interrupted: stop.load(Ordering::Relaxed),
    };
    output::print(&match arguments.format {
        Format::Human => human::check(&report, output::width()),
        Format::Json => json::check(&report),
    })?;
    let failed = match failure {
        Some(RunError::Node(_)) => Exit::Node,
        Some(RunError::Machine(_)) => Exit::Machine,
        None => Exit::Holds,
    };
    Ok(failed.and(report.exit()))
}

struct Trial<'a> {
    laboratory: &'a Laboratory,
    shape: Shape,
    command_line: &'a str,
    arguments: &'a Arguments,
    stop: &'a AtomicBool,
    tally: Tally,
}

impl Trial<'_> {
    /// Runs the plan of this seed.
    fn run(&mut self, seed: u64) -> Result<(Plan, Judged), RunError> {
        let judged = self.laboratory.run(&self.plan(seed))?;
        if self.laboratory.real_time_because().is_some() {
            self.shape.time = Time::Real;
        }
        Ok((self.plan(seed), judged))
    }

    /// Runs rung by rung until a run violates its claim.
    fn climb(
        &mut self,
        ladder: &mut [Rung],
        seed: u64,
        runs: u64,
    ) -> Result<Option<(u64, Plan, Judged)>, RunError> {
        let mut progress = Progress::new(self.command_line, runs * ladder.len() as u64);
        let mut done = 0;
        for rung in ladder {
            self.shape.faults.clone_from(&rung.faults);
            for run in 0..runs {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                let seed = seed.wrapping_add(run);
                let (plan, judged) = self.run(seed)?;
                self.tally.count(&plan, &judged);
                done += 1;
                progress.tell(done);
                if judged.verdict.outcome == Outcome::Violated {
                    rung.failed = true;
                    progress.end();
                    return Ok(Some((seed, plan, judged)));
                }
                rung.held += 1;
            }
        }
        progress.end();
        Ok(None)
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
        let (bin, flags) = (self.command_line, self.shape.flags());
        let dialect = self.laboratory.dialect();
        format!("sibcheck check --bin '{bin}' --dialect {dialect} --seed {seed} --runs 1{flags}")
    }

    /// Runs the first plan again and saves it.
    fn save_first(&self, seed: u64) -> Result<PathBuf, String> {
        let plan = self.plan(seed);
        match self.laboratory.observe(&plan) {
            Ok(observed) => check::save(self.arguments, seed, &plan, &plan, &observed),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Shrinks a failing plan, tells whether it always fails, and saves it.
    fn prove(&self, seed: u64, plan: &Plan, judged: &Judged) -> Result<Proof, RunError> {
        let invariant = judged.gravest();
        let mut node_failure = None;
        let watch = Stopwatch::start();
        let shrunk = shrink(
            plan.clone(),
            judged.guesses(plan, invariant),
            |smaller| match self.laboratory.run(smaller) {
                Ok(judged) => judged.violates(invariant),
                Err(error) => {
                    node_failure.get_or_insert(error);
                    false
                }
            },
            |_| watch.elapsed() < SHRINKING && !self.stop.load(Ordering::Relaxed),
        );
        let first = self.laboratory.observe(&shrunk.plan)?;
        let mut failed = u32::from(first.judged.violates(invariant));
        let mut alike = true;
        let mut observed = first;
        for _ in 1..REPEATS {
            let again = self.laboratory.observe(&shrunk.plan)?;
            let fails = again.judged.violates(invariant);
            alike &= again.trace == observed.trace
                && again.judged.run.history == observed.judged.run.history;
            failed += u32::from(fails);
            if fails {
                observed = again;
            }
        }
        let saved = check::save(self.arguments, seed, plan, &shrunk.plan, &observed);
        Ok(Proof {
            seed,
            command: self.command(seed),
            original: plan.operations(),
            shrunk,
            judged: observed.judged,
            saved,
            repeats: (failed < REPEATS || !alike).then_some((failed, REPEATS)),
        })
    }
}

/// The words of a command line, as a shell splits them.
pub(super) fn words(command_line: &str) -> Result<Vec<String>, Failure> {
    let words = shell_words::split(command_line)
        .map_err(|error| Failure::usage(format!("--bin {command_line:?}: {error}")))?;
    if words.is_empty() {
        return Err(Failure::usage(
            "--bin is empty: give the program and its arguments",
        ));
    }
    // A node runs in a folder of its own, so what names a file here is named absolutely there. A
    // bare first word is a program to be searched for.
    let absolute = |(index, word): (usize, String)| {
        let path = Path::new(&word);
        let names_a_file = path.exists() && (index > 0 || path.components().count() > 1);
        match std::path::absolute(path) {
            Ok(absolute) if names_a_file => absolute.display().to_string(),
            _ => word,
        }
    };
    Ok(words.into_iter().enumerate().map(absolute).collect())
}
