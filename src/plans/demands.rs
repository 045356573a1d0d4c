//! Demands: what every store of a dialect is asked first, as small fixed plans without faults.
//!
//! A demand says what the protocol demands and nothing else. Whether it is met is judged by the
//! checkers, as everything is: so a store may name actors as it likes, count siblings or not, and
//! answer in any notation of clocks. Operations follow each other by the clock, ten milliseconds
//! apart, so that on several nodes what one was told can reach the others before the next is asked;
//! those that are to be concurrent begin at once.

use sibcheck_checkers::{
    Claim,
    history::{Action, History, OpId, Status},
};

use crate::{
    protocol::{Contexts, Dialect},
    simulation::{Latency, Nanos, NetworkPlan},
};

use super::{Act, ContextChoice, PLAN_VERSION, Plan, Step, Time, tables};

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
    /// The first operation of its run that was not answered as it has to be, if there is one: without
    /// faults every read is answered, and every write acknowledged. O(operations²).
    pub fn denied(&self, history: &History) -> Option<Denied> {
        let operations = (0..).zip(&history.operations);
        let mut denied = operations.filter_map(|(op, operation)| {
            let earlier = &history.operations[..op as usize];
            let written = |key| {
                let write = |other: &&_| matches!(other, Action::Write(_));
                let mut of_key = earlier.iter().filter(|other| other.key == key);
                of_key.any(|other| write(&&other.action) && other.status == Status::Ok)
            };
            let is_write = matches!(operation.action, Action::Write(_));
            match operation.status {
                Status::Ok => None,
                Status::Fail if is_write && self.may_refuse && written(operation.key) => None,
                Status::Fail => Some(Denied::Refused(op)),
                Status::Info => Some(Denied::Unanswered(op)),
            }
        });
        denied.next()
    }

    /// How many writes were refused.
    pub fn refused(history: &History) -> usize {
        let writes = history.operations.iter();
        let refused = writes.filter(|operation| {
            operation.status == Status::Fail && matches!(operation.action, Action::Write(_))
        });
        refused.count()
    }
}

/// The time from one operation to the next.
const SLOT: Nanos = Nanos::from_millis(10);

/// How long a request or an answer is on its way.
const CLIENT_LATENCY: Nanos = Nanos::from_micros(100);

/// How long a message between nodes is on its way.
const NODE_LATENCY: Nanos = Nanos::from_millis(1);

/// What the clients do, one operation after the other.
struct Script {
    nodes: u32,
    clients: Vec<Vec<Step>>,
    /// When each client's last operation has ended.
    free: Vec<Nanos>,
    begin: Nanos,
    values: u32,
    keys: u32,
}

impl Script {
    fn new(nodes: u32) -> Self {
        Self {
            nodes,
            clients: Vec::new(),
            free: Vec::new(),
            begin: Nanos::ZERO,
            values: 0,
            keys: 1,
        }
    }

    /// A client's next operation, at a node of its own as far as there are enough.
    fn act(mut self, client: u32, key: u32, act: Act) -> Self {
        let at = client as usize;
        while self.clients.len() <= at {
            self.clients.push(Vec::new());
            self.free.push(Nanos::ZERO);
        }
        let legs = if matches!(act, Act::Resolve { .. }) {
            4
        } else {
            2
        };
        self.clients[at].push(Step {
            think_ns: Nanos(self.begin.0.saturating_sub(self.free[at].0)),
            node: client % self.nodes,
            key,
            act,
        });
        self.free[at] = self.begin + CLIENT_LATENCY.times(legs);
        self.begin = self.begin + SLOT;
        self.keys = self.keys.max(key + 1);
        self
    }

    /// The next operation begins when the last one did.
    fn at_once(mut self) -> Self {
        self.begin = Nanos(self.begin.0.saturating_sub(SLOT.0));
        self
    }

    fn value(&mut self) -> u32 {
        self.values += 1;
        self.values - 1
    }

    fn read(self, client: u32) -> Self {
        self.act(client, 0, Act::Read)
    }

    fn write(self, client: u32, context: ContextChoice) -> Self {
        self.write_to(client, 0, context)
    }

    fn write_to(mut self, client: u32, key: u32, context: ContextChoice) -> Self {
        let value = self.value();
        self.act(client, key, Act::Write { value, context })
    }

    fn resolve(mut self, client: u32) -> Self {
        let value = self.value();
        self.act(client, 0, Act::Resolve { value })
    }

    fn delete(self, client: u32, context: ContextChoice) -> Self {
        self.act(client, 0, Act::Delete { context })
    }

    fn plan(self, dialect: &Dialect, what: &str) -> Plan {
        let hidden = dialect.wording().hides_tombstones();
        let constant = |ns| Latency::Constant { ns };
        let mut plan = Plan {
            sibcheck_plan: PLAN_VERSION,
            origin: format!("sibcheck conform: {what}"),
            store: dialect.reference(),
            program: Some(dialect.clone()),
            time: Time::Lockstep,
            // Whether a key with deletes that reads hide is linearizable cannot be told.
            claim: if self.nodes == 1 && !hidden {
                Claim::Linearizable
            } else {
                Claim::Eventual
            },
            replica_monotonic: false,
            nodes: self.nodes,
            keys: (0..self.keys as usize).map(tables::plain_key).collect(),
            values: (0..self.values as usize).map(tables::plain_text).collect(),
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
            clients: self.clients,
            faults: Vec::new(),
            expect: None,
        };
        plan.be_patient();
        plan
    }
}

/// What every store of this dialect has to do, on so many nodes; the plainest first.
pub fn demands(dialect: &Dialect, nodes: u32) -> Vec<Demand> {
    use ContextChoice::{Blind, LastRead, LastWrite, OneSibling};
    let wording = dialect.wording();
    let script = || Script::new(nodes.max(1));
    let two = || script().write(0, Blind).at_once().write(1, Blind);
    let five = || {
        (2..5).fold(two(), |script, client| {
            script.at_once().write(client, Blind)
        })
    };
    let mut scripts = vec![
        ("a key that nobody wrote has no values", script().read(0)),
        (
            "what was written is read back",
            script().write(0, Blind).read(0).read(1),
        ),
        (
            "keys have nothing to do with each other",
            script()
                .write_to(0, 0, Blind)
                .write_to(1, 1, Blind)
                .read(1)
                .act(0, 1, Act::Read),
        ),
    ];
    if wording.contexts() == Contexts::Absent {
        scripts.extend([
            (
                "a write replaces what its node holds",
                script().write(0, Blind).read(0).write(0, Blind).read(0),
            ),
            ("no write of several clients is lost", five().read(0)),
        ]);
    } else {
        scripts.extend([
            (
                "of two writes without a context both values stay",
                two().read(2),
            ),
            (
                "of five writes without a context all values stay",
                five().read(0),
            ),
            (
                "a write with the context of a read replaces what was read",
                script().write(0, Blind).read(1).write(1, LastRead).read(2),
            ),
            (
                "a write with the context of the read before it resolves siblings",
                two().resolve(2).read(0),
            ),
            (
                "a write with an old context leaves what came after that context",
                script()
                    .write(0, Blind)
                    .read(1)
                    .write(0, LastWrite)
                    .write(1, LastRead)
                    .read(2),
            ),
        ]);
    }
    if wording.has_clocks_apart() {
        scripts.push((
            "a write in place of one sibling leaves the others",
            two().read(2).write(2, OneSibling(0)).read(0),
        ));
    }
    if wording.has_clocks_apart() && wording.delete.is_some() {
        scripts.push((
            "a delete of one sibling leaves the others",
            two().read(2).delete(2, OneSibling(0)).read(0),
        ));
    }
    if wording.delete.is_some() {
        scripts.extend(deletes(&script));
    }
    let demand = |(what, script): (&'static str, Script)| Demand {
        what,
        plan: script.plan(dialect, what),
        may_refuse: matches!(dialect, Dialect::Custom(_)),
    };
    scripts.into_iter().map(demand).collect()
}

/// The same of deletes.
fn deletes(script: &impl Fn() -> Script) -> [(&'static str, Script); 3] {
    use ContextChoice::{Blind, LastRead, LastWrite};
    [
        (
            "a delete with the context of a read deletes what was read",
            script().write(0, Blind).read(1).delete(1, LastRead).read(2),
        ),
        (
            "a delete with an old context leaves what came after that context",
            script()
                .write(0, Blind)
                .read(1)
                .write(0, LastWrite)
                .delete(1, LastRead)
                .read(2),
        ),
        (
            "a deleted key can be written again",
            script()
                .write(0, Blind)
                .read(0)
                .delete(0, LastRead)
                .read(1)
                .write(1, LastRead)
                .read(2),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use sibcheck_checkers::Outcome;

    use crate::campaign::run_and_judge;

    use super::*;

    /// The verdicts on a store in this process, of those demands that it does not meet.
    fn failing(store: &str, nodes: u32) -> Vec<&'static str> {
        let mut failing = Vec::new();
        for demand in demands(&Dialect::Vc, nodes) {
            let plan = Plan {
                store: store.parse().unwrap(),
                program: None,
                ..demand.plan.clone()
            };
            let judged = run_and_judge(&plan);
            let denied = demand.denied(&judged.run.history).is_some();
            if denied || judged.verdict.outcome == Outcome::Violated {
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
            let run = run_and_judge(&demand.plan).run;
            let planned = &run.history.operations[..run.planned];
            for pair in planned.windows(2) {
                let at_once = pair[0].invoked == pair[1].invoked;
                let after = pair[0].completed <= Some(pair[1].invoked);
                assert!(at_once || after, "{}", demand.what);
            }
        }
    }
}
