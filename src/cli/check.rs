//! `sibcheck check`: generate, run, judge, report.

use std::{
    fmt::Write,
    hash::{BuildHasher, RandomState},
    num::NonZeroUsize,
    path::PathBuf,
};

use clap::Args;
use sibcheck_checkers::{
    Claim, Outcome,
    outside::{self, Outside},
};

use crate::{
    campaign::{
        Campaign, Failure as Failing, JudgedRun, RunError, ShrinkLimit, judged, run_and_judge,
        shrink_failure,
    },
    files,
    nodes::external::NodeNames,
    plans::{Kinds, Plan, Shape},
    program_under_test::Observed,
    reports::{Checked, Proof, Report, Told},
    runner::run_traced,
    stopwatch::Stopwatch,
    stores::StoreName,
};

use super::{
    Exit, Failure,
    check_program::check_program,
    dialect::GivenDialect,
    faults::{asked_by_name, faults},
    format::GivenFormat,
    lists,
    output::{self, Progress},
    results::{self, Found},
    runs,
    shrinking::Shrinking,
    signals::{Listening, listen},
    time::{GivenPeriod, GivenTime},
};

/// Run concurrent clients against a store under faults and judge what they saw
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sibcheck check                                     both reference stores, a fresh seed
  sibcheck check --seed 7 --runs 10000               more runs, repeatable
  sibcheck check --store dotted --nodes 5 --faults partition,crash
  sibcheck check --store versioned --nodes 1         one node: claim linearizable
  sibcheck check --bin 'python3 node.py' --nodes 3
  sibcheck check --store faulty:last-writer-wins     a planted bug (all are in the README)")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(super) struct Arguments {
    /// The store, may be given several times: versioned, dotted, or faulty:NAME [default: both
    /// correct ones]
    #[arg(long, value_name = "NAME")]
    pub(super) store: Vec<StoreName>,

    /// Check this program instead of a store inside: its command line, as a shell would split it
    #[arg(long, value_name = "COMMAND", conflicts_with = "store")]
    pub(super) bin: Option<String>,

    #[arg(long, requires = "bin", value_name = "NAME|FILE", help = lists::dialects())]
    pub(super) dialect: Option<GivenDialect>,

    /// Whose time passes for the program. lockstep: ours; it runs until it rests, and its own clock
    /// is left alone. virtual: ours, for its clocks and timers, too (Linux on x86-64). real: the
    /// machine's. auto: virtual for a program that does something by itself, else lockstep
    #[arg(long, requires = "bin", default_value_t)]
    pub(super) time: GivenTime,

    /// How often the program does something by itself, as in 200ms: runs are made long enough for
    /// it [default: found out where time is virtual]
    #[arg(long, requires = "bin", value_name = "TIME")]
    pub(super) period: Option<GivenPeriod>,

    /// How long the program may be silent, in real time, while a client waits for it
    #[arg(long, value_name = "MS", requires = "bin", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub(super) patience_ms: u64,

    /// What the program's nodes are called: the first name, as in n0 or n1, a prefix, or a list
    #[arg(long, value_name = "NAMES", requires = "bin", default_value_t)]
    pub(super) node_names: NodeNames,

    /// Make a failure of what the program does wrong and what is tolerated otherwise
    #[arg(long, requires = "bin")]
    pub(super) strict: bool,

    /// The seed of the first run; run k has the seed SEED + k [default: a fresh one]
    #[arg(long)]
    pub(super) seed: Option<u64>,

    /// How many runs, one number for all or one for each: of each store [default: 2000], or of a
    /// program on each rung of the ladder of faults [default: what takes ten seconds in all]
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) runs: Vec<u64>,

    /// How long runs are made, as in 30s, 10m or 2h: what a run gives does not depend on it, only how
    /// many there are. Stores, or rungs of the ladder, share the time
    #[arg(long = "for", value_name = "DURATION", conflicts_with = "runs")]
    pub(super) duration: Option<humantime::Duration>,

    /// Client operations in each run [default: 100; for a program of which no size is given, as many as
    /// its start is worth, and clients, keys and groups in proportion]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) ops: Option<u32>,

    /// Nodes of the cluster [default: 3, or 5 for dynamo; 1 for linearizable, and for a program of which no claim is
    /// named]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(super) nodes: Option<u32>,

    /// Concurrent clients [default: 5]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(super) clients: Option<u32>,

    /// Keys that they share [default: 3]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) keys: Option<u32>,

    /// Groups that clients and keys are dealt into: a client uses the keys of its own group only, so a run
    /// of many groups is like as many small runs at once [default: 1]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(super) groups: Option<u32>,

    #[arg(long, value_name = "KINDS", value_delimiter = ',', help = lists::faults())]
    pub(super) faults: Vec<String>,

    /// Hand a program all messages that come within two milliseconds at once, before it rests, so that
    /// its handlers overlap: on a rung above all faults, or always with --no-ladder
    #[arg(long, requires = "bin")]
    pub(super) bursts: bool,

    /// Let a program meet all these faults in every run, without the ladder that leads to them
    #[arg(long, requires = "bin")]
    pub(super) no_ladder: bool,

    /// Kinds of keys and values that are not drawn, separated by commas; all leaves plain ones, none
    /// nothing out [default: none; for a program those that a throw-away process does not take]
    #[arg(long, value_name = "KINDS")]
    pub(super) leave_out: Option<Kinds>,

    #[arg(long, help = lists::claims("What the store promises", "eventual, or linearizable for one node"))]
    pub(super) claim: Option<Claim>,

    /// Also hold nodes to answer reads from their own state, and never to go backwards; the reference
    /// stores do so unless they crash, for only what they acknowledge is durable
    #[arg(long)]
    pub(super) replica_monotonic: bool,

    /// How long a finding is shrunk at most, such as 30s or 5m; 0s keeps it as it was found [default:
    /// 10s, or up to a minute for a program that is slow]
    #[arg(long, value_name = "TIME")]
    pub(super) shrink_for: Option<humantime::Duration>,

    /// Every count, every violation with its sentence, and proofs in full length
    #[arg(long)]
    pub(super) verbose: bool,

    #[command(flatten)]
    pub(super) format: GivenFormat,

    /// Where plan, history and verdict of a violation are saved
    #[arg(long, value_name = "DIR", default_value = "sibcheck-results")]
    pub(super) results: PathBuf,

    /// Save plan, history and verdict of each store's first run even when it violates nothing
    #[arg(long)]
    pub(super) save_first: bool,

    /// Runs that go on at once; the result does not depend on it. In real time it is always one [default:
    /// one for each processor]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub(super) jobs: Option<u16>,
}

impl Arguments {
    /// True where the size of a run is chosen on the command line.
    pub(super) fn names_a_size(&self) -> bool {
        let sizes = [self.ops, self.clients, self.keys, self.groups];
        sizes.iter().any(Option::is_some)
    }
}

/// Runs of each store, unless the command line says otherwise.
const RUNS: u64 = 2_000;

pub(super) fn check(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut shape = shape(arguments)?;
    files::can_hold_files(&arguments.results).map_err(|error| {
        let results = outside::path(&arguments.results);
        Failure::machine(format!(
            "failed to write into {results}: {error}; name another folder with --results"
        ))
    })?;
    let seed = arguments.seed.unwrap_or_else(fresh_seed);
    let listening = listen()?;
    if let Some(command_line) = &arguments.bin {
        return check_program(arguments, command_line, shape, &listening);
    }
    let stores = match arguments.store.as_slice() {
        [] => &StoreName::CORRECT,
        named => named,
    };
    let mut named = String::new();
    for store in &arguments.store {
        // Writing to a string cannot fail.
        let _ = write!(named, " --store {store}");
    }
    runs::check(&arguments.runs, "stores", stores)?;
    let flags = shape.flags();
    let mut report = Report {
        seed,
        command: String::new(),
        threads: jobs(arguments),
        checked: Vec::new(),
        interrupted: None,
    };
    let watch = Stopwatch::start();
    for (position, &store) in stores.iter().enumerate() {
        shape.store = Some(store);
        shape.period = store.period();
        if arguments.claim.is_none() {
            shape.nodes = arguments.nodes.unwrap_or(store.nodes());
            shape.claim = store.claim(shape.nodes);
        }
        shape.faults = faults(&arguments.faults, Some(store), shape.nodes)?;
        let left = (stores.len() - position) as u64;
        let until = arguments.duration;
        let until = until.map(|duration| watch.next_part(duration.into(), left));
        let runs = match until {
            // Until the time is over.
            Some(_) => u64::MAX,
            None => runs::asked(&arguments.runs, position).unwrap_or(RUNS),
        };
        let go_on = || until.is_none_or(|until| watch.elapsed() < until);
        let campaign = Campaign {
            store,
            shape: shape.clone(),
            seed,
            runs,
            threads: report.threads,
        };
        let checked = check_store(campaign, arguments, &listening, go_on)
            .map_err(|error| Failure::machine(error.to_string()))?;
        report.checked.push(checked);
        report.interrupted = listening.interrupt.signal();
        if report.interrupted.is_some() {
            break;
        }
    }
    let runs = report.checked.iter().map(|checked| checked.runs);
    let runs = runs::flag(runs);
    report.command = format!("sibcheck check{named} --seed {seed} --runs {runs}{flags}");
    arguments
        .format
        .print(arguments.verbose, Told::Check(&report))?;
    Ok(report.exit())
}

fn check_store(
    mut campaign: Campaign,
    arguments: &Arguments,
    listening: &Listening,
    go_on: impl Fn() -> bool,
) -> Result<Checked, RunError> {
    let limited = arguments.duration.is_none();
    let total = if limited { campaign.runs } else { 0 };
    let mut progress = Progress::new(&campaign.store.to_string(), total);
    let watch = Stopwatch::start();
    let (tally, failure) = campaign.run_while(&listening.interrupt, |done| {
        progress.tell(done);
        go_on()
    })?;
    let elapsed = watch.elapsed();
    progress.end();
    if !limited {
        campaign.runs = tally.outcomes.values().sum();
    }
    let saved_first = if arguments.save_first && failure.is_none() {
        let plan = campaign.plan(campaign.seed);
        let observed = observe(campaign.store, &plan)?;
        let found = Found::of_one(&plan, &plan, &observed);
        Some(save(arguments, campaign.seed, &found))
    } else {
        None
    };
    let proof = failure
        .map(|failure| prove(&campaign, &failure, arguments, listening))
        .transpose()?;
    Ok(Checked {
        store: Some(campaign.store),
        shape: campaign.shape,
        runs: campaign.runs,
        tally,
        elapsed,
        saved_first,
        program: None,
        proof,
        asked: asked_by_name(&arguments.faults),
    })
}

/// Runs a plan on a store in this process, with everything that is kept of a violation.
fn observe(store: StoreName, plan: &Plan) -> Result<Observed, RunError> {
    let (recorded, trace) = run_traced(store, plan);
    Ok(Observed {
        judged: judged(plan, recorded)?,
        trace,
        logs: Vec::new(),
        failure: None,
    })
}

/// Shrinks a failure and saves it.
fn prove(
    campaign: &Campaign,
    failure: &Failing,
    arguments: &Arguments,
    listening: &Listening,
) -> Result<Proof, RunError> {
    let judged = run_and_judge(campaign.store, &failure.plan)?;
    let invariant = judged.gravest();
    let command = campaign.command(failure.seed);
    let found = found_line(&campaign.store.to_string(), &judged, &command);
    output::tell(&found);
    listening.found(found);
    let original = failure.plan.operations();
    let mut limit = ShrinkLimit::begin(arguments.shrink_for.map(Into::into), true);
    let mut shrinking = Shrinking::default();
    let plan = failure.plan.clone();
    let shrunk = shrink_failure(campaign.store, plan, invariant, |tries, smallest| {
        let go_on = limit.go_on(tries, smallest) && !listening.interrupt.is_raised();
        if go_on {
            shrinking.tell(tries, smallest);
        }
        go_on
    });
    shrinking.end();
    let observed = observe(campaign.store, &shrunk.plan)?;
    let found = Found::of_one(&failure.plan, &shrunk.plan, &observed);
    Ok(Proof {
        seed: failure.seed,
        command,
        original,
        saved: save(arguments, failure.seed, &found),
        shrunk,
        judged: observed.judged,
        failure: None,
        repeats: None,
        notes: Vec::new(),
    })
}

/// What is told of a finding as soon as it is made.
pub(super) fn found_line(subject: &str, judged: &JudgedRun, command: &str) -> String {
    let what = judged.gravest().map_or_else(
        || "a node failed".to_owned(),
        |invariant| invariant.to_string(),
    );
    let word = output::bold_red("VIOLATED");
    if judged.told.outcome() == Outcome::Violated {
        format!(
            "{subject}: {word} ({what}); repeat with: {}",
            Outside(command)
        )
    } else {
        format!("{subject}: {what}; repeat with: {}", Outside(command))
    }
}

/// Saves a finding in the results folder; an error says why that failed.
pub(super) fn save(arguments: &Arguments, seed: u64, found: &Found<'_>) -> Result<PathBuf, String> {
    let plan = found.first.or(found.smallest.map(|(_, seen)| seen));
    let subject = plan.map_or_else(String::new, |seen| match seen.plan.store {
        Some(store) if seen.plan.program.is_none() => store.to_string(),
        _ => "program".to_owned(),
    });
    let name = format!("{subject}-seed-{seed}");
    results::save(&arguments.results, &name, found).map_err(|error| {
        format!(
            "failed to save it in {}: {error}",
            outside::path(&arguments.results)
        )
    })
}

/// The bounds that were asked for; the store is set for each.
fn shape(arguments: &Arguments) -> Result<Shape, Failure> {
    let (nodes, claim) = nodes_and_claim(arguments)?;
    let clients = arguments.clients.unwrap_or(Shape::CLIENTS);
    let keys = arguments.keys.unwrap_or(Shape::KEYS);
    let groups = arguments.groups.unwrap_or(1);
    if groups > clients.min(keys) {
        return Err(Failure::usage(format!(
            "--groups {groups}: each group needs a client and a key, and there are {clients} clients and \
             {keys} keys; add --clients and --keys"
        )));
    }
    Ok(Shape {
        store: None,
        program: None,
        time: arguments.time.0.unwrap_or_default(),
        period: arguments.period.map(|period| period.0),
        claim,
        replica_monotonic: arguments.replica_monotonic,
        nodes,
        clients,
        keys,
        operations: arguments.ops.unwrap_or(Shape::OPERATIONS),
        groups,
        faults: faults(&arguments.faults, None, nodes)?,
        bursts: arguments.bursts && arguments.no_ladder,
        left_out: arguments.leave_out.unwrap_or_default(),
    })
}

/// The number of nodes and the claim, which depend on each other.
fn nodes_and_claim(arguments: &Arguments) -> Result<(u32, Claim), Failure> {
    let linearizable = Claim::Linearizable;
    match (arguments.nodes, arguments.claim) {
        // A program may well agree on an order first.
        (Some(nodes), Some(Claim::Linearizable)) if nodes > 1 && arguments.bin.is_none() => {
            Err(Failure::usage(format!(
                "--claim {linearizable} and --nodes {nodes} contradict each other: the reference stores \
             promise {linearizable} on one node only; drop one of the two flags"
            )))
        }
        (None | Some(1), Some(Claim::Linearizable)) | (Some(1), None) => Ok((1, linearizable)),
        (None, None) if arguments.bin.is_some() => Ok((1, linearizable)),
        (nodes, claim) => Ok((
            nodes.unwrap_or(Shape::NODES),
            claim.unwrap_or(Claim::Eventual),
        )),
    }
}

/// Why a program has so many nodes, where a claim was named and no number.
pub(super) fn nodes_because(arguments: &Arguments, nodes: u32) -> Option<String> {
    let claim = arguments.claim.filter(|_| arguments.nodes.is_none())?;
    Some(if nodes == 1 {
        format!("1, as --claim {claim} is tested on one node unless --nodes says otherwise")
    } else {
        format!("{nodes}, as --claim {claim} speaks of replicas; for another number: --nodes")
    })
}

/// A seed that nobody chose, short enough to be typed.
pub(super) fn fresh_seed() -> u64 {
    RandomState::new().hash_one(()) % 1_000_000_000
}

/// How many runs go on at once.
pub(super) fn jobs(arguments: &Arguments) -> usize {
    arguments.jobs.map_or_else(processors, usize::from)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(line: &str) -> Arguments {
        let words = ["check"].into_iter().chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap().arguments
    }

    #[test]
    fn one_node_means_linearizable_and_the_reverse() {
        let decided = |line: &str| nodes_and_claim(&parse(line)).ok();
        assert_eq!(decided(""), Some((3, Claim::Eventual)));
        assert_eq!(decided("--nodes 1"), Some((1, Claim::Linearizable)));
        assert_eq!(
            decided("--claim linearizable"),
            Some((1, Claim::Linearizable))
        );
        assert_eq!(
            decided("--nodes 1 --claim eventual"),
            Some((1, Claim::Eventual))
        );
        assert_eq!(decided("--nodes 2 --claim linearizable"), None);
    }

    #[test]
    fn the_flags_of_a_shape_ask_for_it() {
        for line in [
            "",
            "--ops 50 --nodes 5 --faults loss,crash",
            "--nodes 1",
            "--nodes 1 --claim eventual --faults none --clients 9 --keys 1",
            "--claim linearizable --faults pause",
            "--faults all",
        ] {
            let asked = shape(&parse(line)).unwrap();
            let again = shape(&parse(&asked.flags())).unwrap();
            assert_eq!(asked, again, "{line:?} became {:?}", asked.flags());
        }
        assert_eq!(shape(&parse("--nodes 3 --faults all")).unwrap().flags(), "");
    }
}
