//! `sibcheck check --bin`: check a program outside, climbing a ladder of faults.

use std::{path::PathBuf, time::Duration};

use sibcheck_checkers::outside::Outside;

use crate::{
    campaign::RunError,
    files::IfEmpty,
    interrupt::Interrupt,
    nodes::external::{Program, kinds_not_taken},
    plans::Shape,
    program_under_test::{
        Effort, ProgramCampaign, ProgramUnderTest, Purpose, Rung, Wanted, ladder, size_runs,
        without_ladder,
    },
    reports::{Checked, Oddity, ProgramFigures, Report, Told},
    stopwatch::Stopwatch,
    workloads::{Dialect, Workload, WorkloadName, with_workload},
};

use super::{
    Exit, Failure, bin,
    check::{self, Arguments},
    faults::{asked_by_name, refuse_leaving},
    output::Progress,
    results::Found,
    runs,
    sighting::follow_up,
    signals::Listening,
    time,
};

/// The rungs of the ladder: what may go wrong on each.
fn rungs(arguments: &Arguments, shape: &Shape) -> Vec<Rung> {
    if arguments.no_ladder {
        return without_ladder(shape.faults.clone(), arguments.bursts);
    }
    let wanted = match arguments.faults.as_slice() {
        [] => Wanted::Usual,
        [all] if all == "all" => Wanted::All,
        named => Wanted::Named(asked_by_name(named)),
    };
    ladder(&wanted, &shape.faults, arguments.bursts)
}

/// The program to be checked, with the dialect that was named or found out, and how to name it.
fn program(
    arguments: &Arguments,
    command_line: &str,
    interrupt: &Interrupt,
) -> Result<(Program, String), Failure> {
    refuse_leaving(&arguments.faults)?;
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
    let rungs = rungs(arguments, &shape);
    runs::check(&arguments.runs, "rungs", rungs.iter().map(|rung| rung.name))?;
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
    let subject = ProgramUnderTest::named(program, command_line.to_owned(), named);
    let interrupt = &listening.interrupt;
    if !arguments.names_a_size() {
        size_runs(&subject, &mut shape);
    }
    let mut campaign = ProgramCampaign::new(&subject, shape, rungs, seed);
    campaign.effort = match arguments.duration {
        _ if !arguments.runs.is_empty() => Effort::Planned,
        Some(duration) => Effort::For(duration.into()),
        None => Effort::Usual,
    };
    campaign.jobs = check::jobs(arguments);
    for (position, rung) in campaign.rungs.iter_mut().enumerate() {
        rung.planned = runs::asked(&arguments.runs, position).unwrap_or(0);
    }
    let watch = Stopwatch::start();
    let mut progress = Progress::new(&Outside(command_line).to_string(), 0);
    let end = campaign.run(interrupt, |done, all| {
        progress.expect(all);
        progress.tell(done);
    });
    progress.end();
    let (elapsed, command) = (watch.elapsed(), whole_command(&campaign, arguments));
    let (proof, refused) = match end {
        Ok(None) | Err(RunError::Interrupted) => (None, None),
        Ok(Some(sighting)) => {
            let proof = follow_up(&subject, arguments, listening, sighting);
            (Some(proof), None)
        }
        Err(RunError::Machine(why)) => (None, Some(why)),
    };
    let held = proof.is_none() && refused.is_none() && !interrupt.is_raised();
    let saved_first = (arguments.save_first && held).then(|| save_first(&campaign, arguments));
    let ProgramCampaign {
        shape,
        rungs,
        tally,
        jobs,
        ..
    } = campaign;
    let planned = rungs.iter().map(|rung| rung.planned).sum();
    let figures = ProgramFigures {
        command_line: command_line.to_owned(),
        names_flag,
        dialect,
        time: shape.time,
        clock_refused,
        leaks: subject.leaks(),
        real_time_because: subject.real_time_because(),
        rungs,
        nodes_because: check::nodes_because(arguments, shape.nodes),
        messages: subject.delivered(),
        not_taken,
        not_exercised: subject.not_exercised(shape.nodes),
        tolerated: oddities(&subject),
        refused,
    };
    let report = Report {
        seed,
        command,
        threads: jobs,
        checked: vec![Checked {
            store: None,
            shape,
            runs: planned,
            tally,
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

/// What was tolerated of a program.
fn oddities(subject: &ProgramUnderTest) -> Vec<Oddity> {
    let tolerated = subject.tolerated().into_iter();
    tolerated
        .map(|(deviation, count, first)| Oddity {
            deviation,
            count,
            first,
        })
        .collect()
}

/// A command that repeats all runs.
fn whole_command(campaign: &ProgramCampaign<'_>, arguments: &Arguments) -> String {
    let mut shape = campaign.shape.clone();
    // The faults are told as they were asked for: as a ladder.
    shape.faults = Shape::usual_faults(None, shape.nodes);
    shape.bursts = arguments.bursts;
    let mut flags = shape.flags() + &campaign.subject.flags();
    if !arguments.faults.is_empty() {
        flags.push_str(" --faults ");
        flags.push_str(&arguments.faults.join(","));
    }
    if arguments.no_ladder {
        flags.push_str(" --no-ladder");
    }
    let runs = runs::flag(campaign.rungs.iter().map(|rung| rung.planned));
    let (command, seed) = (campaign.subject.command(), campaign.seed);
    format!("{command} --seed {seed} --runs {runs}{flags}")
}

/// Runs the first plan of the lowest rung again and saves it.
fn save_first(campaign: &ProgramCampaign<'_>, arguments: &Arguments) -> Result<PathBuf, String> {
    let plan = campaign.plan(0, campaign.seed);
    match campaign.subject.run(&plan, Purpose::Repeat) {
        Ok(observed) => {
            let found = Found::of_one(&plan, &plan, &observed);
            check::save(arguments, campaign.seed, &found)
        }
        Err(error) => Err(error.to_string()),
    }
}
