//! The ladder of faults that a program is to climb, each rung with one fault more.

use std::collections::BTreeSet;

use sibcheck_checkers::Outcome;

use crate::{campaign::JudgedRun, plans::Plan, simulation::FaultName};

/// The rungs above the one without faults, in their order, with their names. Each adds its fault to
/// those below. What makes even correct stores unavailable stands higher, and lost requests of
/// clients stand last: they are not on the ladder unless they are named.
const LADDER: [(FaultName, &str); 11] = [
    (FaultName::Reorder, "reordering"),
    (FaultName::Partition, "partitions"),
    (FaultName::Clock, "wrong clocks"),
    (FaultName::Duplicate, "duplication"),
    (FaultName::Loss, "loss"),
    (FaultName::Pause, "pauses"),
    (FaultName::Stop, "restarts"),
    (FaultName::Crash, "crashes"),
    (FaultName::PowerLoss, "power losses"),
    (FaultName::Leave, "nodes that leave and join"),
    (FaultName::ClientLoss, "lost requests"),
];

/// Which faults have a rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Those that leave every store available or nearly so: reordering and partitions.
    Usual,
    /// All but those that only come when they are named.
    All,
    /// These.
    Named(Vec<FaultName>),
}

impl Wanted {
    fn has(&self, fault: FaultName) -> bool {
        match self {
            Self::Usual => matches!(fault, FaultName::Reorder | FaultName::Partition),
            Self::All => fault != FaultName::ClientLoss && !fault.is_on_request(),
            Self::Named(named) => named.contains(&fault),
        }
    }
}

/// The rungs of the ladder, of the faults that may be drawn at all. With `bursts` there is one more on
/// which nodes get several messages at once.
pub fn ladder(wanted: &Wanted, possible: &[FaultName], bursts: bool) -> Vec<Rung> {
    let mut faults = Vec::new();
    let mut rungs = vec![Rung::lowest()];
    for (fault, name) in LADDER {
        if wanted.has(fault) && possible.contains(&fault) {
            faults.push(fault);
            faults.sort_unstable();
            rungs.push(Rung::new(name, faults.clone(), vec![fault]));
        }
    }
    if bursts {
        rungs.push(Rung {
            bursts: true,
            ..Rung::new("bursts", faults, Vec::new())
        });
    }
    rungs
}

/// One rung with all these faults at once.
pub fn without_ladder(faults: Vec<FaultName>, bursts: bool) -> Vec<Rung> {
    let only = if faults.is_empty() {
        Rung::lowest()
    } else {
        Rung::new("all at once", faults.clone(), faults)
    };
    vec![Rung { bursts, ..only }]
}

/// A rung of the ladder of faults.
#[derive(Clone, Debug)]
pub struct Rung {
    /// What it is called.
    pub name: &'static str,
    /// What may go wrong on it.
    pub faults: Vec<FaultName>,
    /// Whether nodes get several messages at once on it.
    pub bursts: bool,
    /// The faults that the rung is there for: those that lower ones do not have.
    pub own: Vec<FaultName>,
    /// How many runs there were to be; none when it was not reached.
    pub planned: u64,
    /// How many runs held in which one of its own faults affected something.
    pub held: u64,
    /// How many runs were inconclusive.
    pub inconclusive: u64,
    /// How many runs held, and none of its own faults affected anything.
    pub not_exercised: u64,
    /// Those of its own faults that affected something in some run.
    pub affected: BTreeSet<FaultName>,
    /// A run violated its claim, or a node failed.
    pub failed: bool,
}

impl Rung {
    fn lowest() -> Self {
        Self::new("no faults", Vec::new(), Vec::new())
    }

    /// A rung before its first run.
    pub fn new(name: &'static str, faults: Vec<FaultName>, own: Vec<FaultName>) -> Self {
        Self {
            name,
            faults,
            bursts: false,
            own,
            planned: 0,
            held: 0,
            inconclusive: 0,
            not_exercised: 0,
            affected: BTreeSet::new(),
            failed: false,
        }
    }

    /// Counts a run that violated nothing and in which no node failed.
    pub fn count(&mut self, plan: &Plan, judged: &JudgedRun) {
        let faults = plan.faults.iter().zip(&judged.run.faults);
        let affected: BTreeSet<FaultName> = faults
            .filter(|(_, record)| record.affected() > 0)
            .map(|(fault, _)| fault.what.name())
            .filter(|name| self.own.contains(name))
            .collect();
        let exercised = self.own.is_empty() || !affected.is_empty();
        self.affected.extend(affected);
        if judged.told.outcome() == Outcome::Unknown {
            self.inconclusive += 1;
        } else if exercised {
            self.held += 1;
        } else {
            self.not_exercised += 1;
        }
    }

    /// How many runs came to an end.
    pub fn done(&self) -> u64 {
        self.held + self.inconclusive + self.not_exercised
    }

    /// Its own faults that never affected anything, where it was gone through.
    pub fn idle(&self) -> Vec<FaultName> {
        let gone_through = !self.failed && self.done() > 0 && self.done() == self.planned;
        let idle = |fault: &FaultName| gone_through && !self.affected.contains(fault);
        self.own.iter().copied().filter(idle).collect()
    }

    /// Where it was gone through, why it proves nothing.
    pub fn why_untested(&self) -> Option<String> {
        let idle = self.idle();
        if !idle.is_empty() {
            return Some(format!("{}: {}", self.name, had_no_effect(&idle)));
        }
        let all_done = !self.failed && self.planned > 0 && self.done() == self.planned;
        (all_done && self.held == 0).then(|| format!("{}: every run was inconclusive", self.name))
    }
}

/// Says that faults affected nothing.
pub fn had_no_effect(faults: &[FaultName]) -> String {
    let clock = "no node used its clock while it was wrong";
    let others = faults.iter().filter(|fault| **fault != FaultName::Clock);
    let others: Vec<_> = others.map(|fault| fault.name()).collect();
    match (others.join(", "), faults.contains(&FaultName::Clock)) {
        (others, _) if others.is_empty() => clock.to_owned(),
        (others, false) => format!("no message was affected by {others}"),
        (others, true) => format!("no message was affected by {others}, and {clock}"),
    }
}
