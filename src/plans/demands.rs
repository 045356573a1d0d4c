//! Demands: what every store of a dialect is asked first, as small fixed plans without faults.
//!
//! A demand says what the protocol demands and nothing else. Whether it is met is judged by the
//! checkers, as everything is: so a store may name actors as it likes, count siblings or not, and
//! answer in any notation of clocks. Operations follow each other by the clock, ten milliseconds
//! apart, so that on several nodes what one was told can reach the others before the next is asked;
//! those that are to be concurrent begin at once.

use sibcheck_checkers::{
    AnyJudged,
    history::{OpId, Status},
};

use crate::{
    simulation::{Latency, Nanos, NetworkPlan},
    workloads::{Act, Acts, Dialect, Script, Wording, Workload, with_words},
};

use super::{PLAN_VERSION, Plan, Step, Time};

/// Something that every store of a dialect has to do.
#[derive(Clone, Debug)]
pub struct Demand {
    /// What, in a sentence without its end.
    pub what: &'static str,
    /// The operations that show it.
    pub plan: Plan,
    /// Whether a write of a key that was written before may be refused, as in stores where a write
    /// names the one version that it replaces.
    may_refuse: bool,
}

/// An operation that was not answered as it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// It was refused, or ended in an error.
    Refused(OpId),
    /// No answer came, or one that leaves open what happened.
    Unanswered(OpId),
}

impl Demand {
    /// The first operation that was refused or not answered. A write that replaces another one may be
    /// refused where a dialect has ways of its own.
    pub fn denied(&self, judged: &dyn AnyJudged) -> Option<Denied> {
        let operations = (0..).take(judged.operations());
        let mut denied = operations.filter_map(|op| {
            let operation = judged.operation(op);
            let written = |key| {
                let mut earlier = (0..op).map(|earlier| judged.operation(earlier));
                earlier
                    .any(|other| other.key == key && other.is_write && other.status == Status::Ok)
            };
            match operation.status {
                Status::Ok => None,
                Status::Fail if operation.is_write && self.may_refuse && written(operation.key) => {
                    None
                }
                Status::Fail => Some(Denied::Refused(op)),
                Status::Info => Some(Denied::Unanswered(op)),
            }
        });
        denied.next()
    }

    /// How many writes were refused, of how many.
    pub fn refused(judged: &dyn AnyJudged) -> (usize, usize) {
        let operations = (0..).take(judged.operations());
        let writes = operations
            .map(|op| judged.operation(op))
            .filter(|op| op.is_write);
        let statuses: Vec<Status> = writes.map(|write| write.status).collect();
        let refused = statuses.iter().filter(|status| **status == Status::Fail);
        (refused.count(), statuses.len())
    }
}

/// The time from one operation to the next.
const SLOT: Nanos = Nanos::from_millis(10);

/// How long a request or an answer is on its way.
const CLIENT_LATENCY: Nanos = Nanos::from_micros(100);

/// How long a message between nodes is on its way.
const NODE_LATENCY: Nanos = Nanos::from_millis(1);

/// The steps of a script, each client's with its pauses.
fn timed<A: Acts + Into<Act>>(script: &Script<A>, nodes: u32) -> Vec<Vec<Step>> {
    let mut clients: Vec<(Nanos, Vec<Step>)> = Vec::new();
    let mut begin = Nanos::ZERO;
    for line in &script.lines {
        let at = line.client as usize;
        while clients.len() <= at {
            clients.push((Nanos::ZERO, Vec::new()));
        }
        if line.at_once {
            begin = begin.since(SLOT);
        }
        let legs = 2 * u64::from(line.act.operations());
        let (free, steps) = &mut clients[at];
        steps.push(Step {
            think_ns: begin.since(*free),
            node: line.client % nodes,
            key: line.key,
            act: line.act.into(),
        });
        *free = begin + CLIENT_LATENCY.times(legs);
        begin = begin + SLOT;
    }
    clients.into_iter().map(|(_, steps)| steps).collect()
}

/// The plan of a script.
fn plan<W: Workload>(
    words: &W::Words,
    dialect: &Dialect,
    what: &str,
    script: &Script<W::Act>,
    nodes: u32,
) -> Plan {
    let keys = script.lines.iter().map(|line| line.key as usize + 1).max();
    let constant = |ns| Latency::Constant { ns };
    let mut plan = Plan {
        sibcheck_plan: PLAN_VERSION,
        origin: format!("sibcheck conform: {what}"),
        store: None,
        program: Some(dialect.clone()),
        time: Time::Lockstep,
        claim: words.demanded(nodes),
        replica_monotonic: false,
        nodes,
        keys: (0..keys.unwrap_or(1)).map(W::plain_key).collect(),
        values: (0..script.values as usize)
            .map(|at| W::plain_value(at, true))
            .collect(),
        numbered_values: false,
        network: NetworkPlan {
            seed: 0,
            client_latency: constant(CLIENT_LATENCY),
            node_latency: constant(NODE_LATENCY),
            links: Vec::new(),
            together_ns: Nanos::ZERO,
        },
        timeout_ns: Nanos::ZERO,
        anti_entropy_ns: Nanos::from_millis(50),
        settle_ns: Nanos::ZERO,
        clients: timed(script, nodes),
        faults: Vec::new(),
        expect: None,
    };
    plan.be_patient();
    plan
}

/// What every store of this dialect is asked on so many nodes, each on fresh ones.
pub fn demands(dialect: &Dialect, nodes: u32) -> Vec<Demand> {
    let nodes = nodes.max(1);
    with_words!(dialect.words(), W, words => {
        let scripts = <W as Workload>::demands(words, nodes).into_iter();
        let demand = |(what, script): (&'static str, Script<<W as Workload>::Act>)| Demand {
            what,
            plan: plan::<W>(words, dialect, what, &script, nodes),
            may_refuse: matches!(dialect, Dialect::Custom(_)),
        };
        scripts.map(demand).collect()
    })
}

#[cfg(test)]
mod tests {
    use sibcheck_checkers::Outcome;

    use crate::{campaign::run_and_judge, runner, stores::StoreName};

    use super::*;

    /// The verdicts on a store in this process, of those demands that it does not meet.
    fn failing(store: &str, nodes: u32) -> Vec<&'static str> {
        let mut failing = Vec::new();
        for demand in demands(&Dialect::Vc, nodes) {
            let plan = Plan {
                program: None,
                ..demand.plan.clone()
            };
            let judged = run_and_judge(store.parse().unwrap(), &plan).unwrap();
            let denied = demand.denied(&*judged.told).is_some();
            if denied || judged.told.outcome() == Outcome::Violated {
                failing.push(demand.what);
            }
        }
        failing
    }

    #[test]
    fn correct_stores_meet_all_and_faulty_ones_do_not() {
        for nodes in [1, 3] {
            assert_eq!(failing("versioned", nodes), [""; 0]);
            assert_eq!(failing("dotted", nodes), [""; 0]);
        }
        for faulty in ["last-writer-wins", "server-id-clock", "never-supersede"] {
            let failing = failing(&format!("faulty:{faulty}"), 1);
            assert_ne!(failing, [""; 0], "{faulty}");
        }
    }

    #[test]
    fn operations_follow_each_other_unless_they_begin_at_once() {
        for demand in demands(&Dialect::Vc, 1) {
            let recorded = runner::run(StoreName::Versioned, &demand.plan);
            let planned = &recorded.history.operations[..recorded.run.planned];
            for pair in planned.windows(2) {
                let at_once = pair[0].invoked == pair[1].invoked;
                let after = pair[0].completed <= Some(pair[1].invoked);
                assert!(at_once || after, "{}", demand.what);
            }
        }
    }
}
