//! Small scopes, completely: every history of a few operations by two clients through two nodes,
//! with every outcome, every overlap and every answer, judged as the definitions say.
//!
//! Every claim is asked of each history by one examination, and one claim in turn by itself.
//!
//! Of histories that differ in names only one is judged: the first operation has the first client,
//! node and key. So it is with times: what completes between two invocations does so in the order
//! of invocation, as nothing asks which of two operations completed first, and what failed completes
//! at once. Clients need not wait for their answers. Clocks are not reported.
//!
//! The larger scopes take a while:
//! `cargo test --release -p sibcheck-checkers --test checkers exhaustive -- --ignored --nocapture`

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use sibcheck_checkers::{
    Claim, History, ObjectModel,
    history::{
        Action, Data, Header, Operation, Read, Sibling, Siblings, Status, Tombstones, Value, Write,
    },
};

use crate::support::{definitions::agree, tally::Tally};

/// What is enumerated.
#[derive(Clone, Copy, Debug)]
struct Scope {
    operations: usize,
    nodes: u32,
    keys: u32,
    model: ObjectModel,
    /// Whether writes may have contexts: of any earlier answers about the key.
    contexts: bool,
    /// Whether writes may be deletes, and what reads show of them: all, nothing, or any.
    deletes: Option<Tombstones>,
}

const TINY: Scope = Scope {
    operations: 3,
    nodes: 2,
    keys: 1,
    model: ObjectModel::Context,
    contexts: true,
    deletes: None,
};

/// A history as far as it has been drawn up.
#[derive(Clone)]
struct Enumeration {
    scope: Scope,
    history: History,
    /// Operations that have not completed, in the order of their invocation.
    open: Vec<usize>,
    /// How many of the first of them stay open until the next invocation, as a later one completed.
    late: usize,
    now: u64,
}

/// How far to go.
#[derive(Clone, Copy)]
enum Until {
    Invoked(usize),
    Completed,
}

/// What was found in a scope, or a part of one.
#[derive(Clone, Default)]
struct Counts {
    histories: u64,
    tally: Tally,
}

/// Judges every history of the scope.
fn enumerate(scope: Scope) -> Counts {
    let names = |prefix: &str, count| (1..=count).map(|n| format!("{prefix}{n}").into()).collect();
    let header = Header {
        model: scope.model,
        tombstones: scope.deletes.unwrap_or_default(),
        ..Header::default()
    };
    let mut enumeration = Enumeration {
        scope,
        history: History {
            header,
            clients: names("c", 2),
            nodes: names("n", scope.nodes),
            keys: names("k", scope.keys),
            operations: Vec::new(),
            faults: Vec::new(),
            tables: (),
        },
        open: Vec::new(),
        late: 0,
        now: 0,
    };
    let mut begun = Vec::new();
    let shared = Until::Invoked(scope.operations.min(2));
    enumeration.step(shared, &mut |beginning| begun.push(beginning.clone()));
    let judged: Vec<_> = begun.par_iter().map(Enumeration::judge_all).collect();
    let mut total = Counts::default();
    for judged in judged {
        match judged {
            Ok(counts) => {
                total.histories += counts.histories;
                total.tally += &counts.tally;
            }
            Err(what) => panic!("{what}"),
        }
    }
    total
}

impl Enumeration {
    /// Judges every history that begins like this one.
    fn judge_all(&self) -> Result<Counts, String> {
        let mut result = Ok(Counts::default());
        self.clone().step(Until::Completed, &mut |whole| {
            let Ok(counts) = &mut result else { return };
            let history = &whole.history;
            let agreed = agree(history).and_then(|asked| {
                counts.histories += 1;
                counts.tally.add(&asked.judged);
                let turn = usize::try_from(counts.histories).unwrap_or(0);
                let claim = Claim::ALL[turn % Claim::ALL.len()];
                asked.alone(history, claim.into())
            });
            if let Err(what) = agreed {
                result = Err(what);
            }
        });
        result
    }

    /// Every way to go on: another invocation, or the completion of an open operation.
    fn step(&mut self, until: Until, reached: &mut impl FnMut(&Self)) {
        let invoked = self.history.operations.len();
        let there = match until {
            Until::Invoked(operations) => invoked == operations,
            Until::Completed => invoked == self.scope.operations && self.open.is_empty(),
        };
        if there {
            return reached(self);
        }
        self.now += 10;
        if invoked < self.scope.operations {
            let late = std::mem::take(&mut self.late);
            self.invoke(until, reached);
            self.late = late;
        }
        // What is still open after the last invocation completes, and it does not matter when.
        let last = invoked == self.scope.operations;
        for at in self.late..self.open.len() {
            if last && at > self.late {
                break;
            }
            let (op, late) = (self.open.remove(at), self.late);
            self.late = at;
            self.history.operations[op].completed = Some(self.now);
            self.complete(op, until, reached);
            self.history.operations[op].completed = None;
            self.open.insert(at, op);
            self.late = late;
        }
        self.now -= 10;
    }

    fn invoke(&mut self, until: Until, reached: &mut impl FnMut(&Self)) {
        let op = self.history.operations.len();
        let (clients, nodes, keys) = if op == 0 {
            (1, 1, 1)
        } else {
            (2, self.scope.nodes, self.scope.keys)
        };
        for client in 0..clients {
            for node in 0..nodes {
                for key in 0..keys {
                    for (action, status) in self.choices(key) {
                        self.history.operations.push(Operation {
                            client,
                            node,
                            key,
                            invoked: self.now,
                            completed: (status == Status::Fail).then_some(self.now + 5),
                            status,
                            action,
                        });
                        let open = self.open.len();
                        if status == Status::Ok {
                            self.open.push(op);
                        }
                        self.step(until, reached);
                        self.open.truncate(open);
                        self.history.operations.pop();
                    }
                }
            }
        }
    }

    /// What the next operation may do, and come to.
    fn choices(&self, key: u32) -> Vec<(Action, Status)> {
        let mut choices = Vec::new();
        for last in [false, true] {
            let read = Read {
                last,
                ..Read::default()
            };
            choices.push((Action::Read(read), Status::Ok));
        }
        for status in [Status::Info, Status::Fail] {
            choices.push((Action::Read(Read::default()), status));
        }
        for sources in self.sources(key) {
            for tombstone in [false, true] {
                if tombstone && self.scope.deletes.is_none() {
                    continue;
                }
                for status in [Status::Ok, Status::Info, Status::Fail] {
                    let write = Action::Write(Box::new(Write {
                        value: value(self.history.operations.len(), tombstone),
                        tombstone,
                        sources: sources.as_slice().into(),
                        context: None,
                        version: None,
                    }));
                    choices.push((write, status));
                }
            }
        }
        choices
    }

    /// Any of the earlier answers about the key.
    fn sources(&self, key: u32) -> Vec<Vec<u32>> {
        let mut sources = vec![Vec::new()];
        for (id, earlier) in (0..).zip(&self.history.operations) {
            let answered = earlier.status == Status::Ok && earlier.completed.is_some();
            if self.scope.contexts && earlier.key == key && answered {
                let with = |sources: &Vec<u32>| sources.iter().copied().chain([id]).collect();
                let joined: Vec<_> = sources.iter().map(with).collect();
                sources.extend(joined);
            }
        }
        sources
    }

    /// A read is answered with any set of the values written to its key so far.
    fn complete(&mut self, op: usize, until: Until, reached: &mut impl FnMut(&Self)) {
        let key = self.history.operations[op].key;
        if self.history.operations[op].is_write() {
            return self.step(until, reached);
        }
        let returned = self.history.header.tombstones.are_returned();
        let shown = |(at, operation): (usize, &Operation)| match &operation.action {
            Action::Write(write) if operation.key == key => {
                (returned || !write.tombstone).then_some((at, write.tombstone))
            }
            _ => None,
        };
        let operations = self.history.operations.iter().enumerate();
        let written: Vec<_> = operations.filter_map(shown).collect();
        for chosen in 0..1_u32 << written.len() {
            let siblings = written.iter().enumerate();
            let siblings = siblings.filter(|(bit, _)| chosen >> bit & 1 == 1);
            let siblings = siblings.map(|(_, (write, tombstone))| Sibling {
                value: value(*write, *tombstone),
                tombstone: *tombstone,
                version: None,
            });
            let siblings = siblings.collect();
            if let Action::Read(read) = &mut self.history.operations[op].action {
                read.siblings = siblings;
            }
            self.step(until, reached);
        }
        if let Action::Read(read) = &mut self.history.operations[op].action {
            read.siblings = Siblings::NONE;
        }
    }
}

fn value(op: usize, tombstone: bool) -> Value {
    if tombstone {
        return Value {
            tag: Some(op as u64),
            data: Data::NULL,
        };
    }
    Value {
        tag: None,
        data: (op as u64).into(),
    }
}

fn enumerate_all(scopes: &[Scope]) {
    let mut total = Counts::default();
    for scope in scopes {
        let counts = enumerate(*scope);
        println!("{} histories of {scope:?}", counts.histories);
        total.histories += counts.histories;
        total.tally += &counts.tally;
    }
    println!(
        "{} histories asked by every claim; 0 disagreements; verdicts:\n{}",
        total.histories, total.tally
    );
    assert!(total.tally.violated_verdicts() > 0);
}

/// The scopes of up to so many operations.
fn scopes(operations: usize) -> Vec<Scope> {
    let of = |operations| {
        let tiny = Scope { operations, ..TINY };
        let replica = Scope {
            model: ObjectModel::Replica,
            contexts: false,
            ..tiny
        };
        let deletes = |tombstones| Scope {
            deletes: Some(tombstones),
            ..tiny
        };
        let hidden = deletes(Tombstones::Hidden);
        let reaped = deletes(Tombstones::Reaped);
        let reaped_replica = Scope {
            deletes: Some(Tombstones::Reaped),
            ..replica
        };
        let keys = Scope {
            nodes: 1,
            keys: 2,
            ..tiny
        };
        [tiny, replica, hidden, reaped, reaped_replica, keys]
    };
    (1..=operations).flat_map(of).collect()
}

#[test]
fn up_to_three_operations_through_one_node() {
    let mut scopes = scopes(3);
    scopes.retain(|scope| scope.keys == 1 && scope.deletes.is_none());
    for scope in &mut scopes {
        scope.nodes = 1;
    }
    enumerate_all(&scopes);
}

#[test]
#[ignore = "takes seconds; the head of this file has the command"]
fn up_to_three_operations() {
    enumerate_all(&scopes(3));
}

#[test]
#[ignore = "takes minutes; the head of this file has the command"]
fn up_to_four_operations() {
    enumerate_all(&scopes(4));
}
