//! Small scopes, completely: every history of a few operations by two clients through two nodes,
//! with every outcome, every overlap and every answer, judged as the definitions say.
//!
//! The larger scopes take a while:
//! `cargo test --release -p sibcheck-checkers --test checkers -- --ignored --nocapture operations`

use sibcheck_checkers::{
    Claim, History, ObjectModel, Promise, brute_force,
    format::write_history,
    history::{Action, Header, Operation, Read, Sibling, Siblings, Status, Value, Write},
    judge,
};

/// What is enumerated.
#[derive(Clone, Copy)]
struct Scope {
    operations: usize,
    nodes: u32,
    keys: u32,
    model: ObjectModel,
    /// Whether reads are final ones.
    finals: bool,
    /// Whether writes may have the context of one earlier answer.
    contexts: bool,
}

const TINY: Scope = Scope {
    operations: 3,
    nodes: 2,
    keys: 1,
    model: ObjectModel::Context,
    finals: false,
    contexts: true,
};

struct Enumeration {
    scope: Scope,
    history: History,
    /// Operations that have not completed, in the order of their invocation.
    open: Vec<usize>,
    now: u64,
    judged: u64,
    violated: u64,
}

/// Judges every history of the scope; tells how many there were, and how many were violated.
fn enumerate(scope: Scope) -> (u64, u64) {
    let names = |prefix: &str, count| (1..=count).map(|n| format!("{prefix}{n}").into()).collect();
    let header = Header {
        model: scope.model,
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
        },
        open: Vec::new(),
        now: 0,
        judged: 0,
        violated: 0,
    };
    enumeration.step();
    (enumeration.judged, enumeration.violated)
}

impl Enumeration {
    /// Every way to go on: another invocation, or the completion of an open operation.
    fn step(&mut self) {
        let invoked = self.history.operations.len();
        if invoked == self.scope.operations && self.open.is_empty() {
            return self.judge();
        }
        self.now += 10;
        if invoked < self.scope.operations {
            self.invoke();
        }
        for at in 0..self.open.len() {
            let op = self.open.remove(at);
            self.history.operations[op].completed = Some(self.now);
            self.complete(op);
            self.history.operations[op].completed = None;
            self.open.insert(at, op);
        }
        self.now -= 10;
    }

    fn invoke(&mut self) {
        let op = self.history.operations.len();
        // Names are interchangeable, so that the first operation has the first.
        let (clients, nodes, keys) = if op == 0 {
            (1, 1, 1)
        } else {
            (2, self.scope.nodes, self.scope.keys)
        };
        for client in 0..clients {
            for node in 0..nodes {
                for key in 0..keys {
                    self.invoke_as(client, node, key);
                }
            }
        }
    }

    fn invoke_as(&mut self, client: u32, node: u32, key: u32) {
        let read = Action::Read(Read {
            last: self.scope.finals,
            ..Read::default()
        });
        let mut choices = vec![(read, Status::Ok)];
        for sources in self.sources(key) {
            for status in [Status::Ok, Status::Info, Status::Fail] {
                let write = Action::Write(Box::new(Write {
                    value: value(self.history.operations.len()),
                    tombstone: false,
                    sources: sources.as_slice().into(),
                    context: None,
                    version: None,
                }));
                choices.push((write, status));
            }
        }
        for (action, status) in choices {
            let op = self.history.operations.len();
            self.history.operations.push(Operation {
                client,
                node,
                key,
                invoked: self.now,
                completed: None,
                status,
                action,
            });
            let open = self.open.len();
            if status != Status::Info {
                self.open.push(op);
            }
            self.step();
            self.open.truncate(open);
            self.history.operations.pop();
        }
    }

    /// No source, or one earlier answer about the key.
    fn sources(&self, key: u32) -> Vec<Vec<u32>> {
        let mut sources = vec![Vec::new()];
        if self.scope.contexts {
            let answered = (0..).zip(&self.history.operations).filter(|(_, earlier)| {
                earlier.key == key && earlier.status == Status::Ok && earlier.completed.is_some()
            });
            sources.extend(answered.map(|(id, _)| vec![id]));
        }
        sources
    }

    /// A read is answered with any set of the values written to its key so far.
    fn complete(&mut self, op: usize) {
        let key = self.history.operations[op].key;
        if !matches!(self.history.operations[op].action, Action::Read(_)) {
            return self.step();
        }
        let written: Vec<_> = (0..self.history.operations.len())
            .filter(|write| {
                let write = &self.history.operations[*write];
                write.key == key && matches!(write.action, Action::Write(_))
            })
            .collect();
        for chosen in 0..1_u32 << written.len() {
            let siblings = written.iter().enumerate();
            let siblings = siblings.filter(|(bit, _)| chosen >> bit & 1 == 1);
            let siblings = siblings.map(|(_, write)| Sibling {
                value: value(*write),
                tombstone: false,
                version: None,
            });
            let siblings = siblings.collect();
            if let Action::Read(read) = &mut self.history.operations[op].action {
                read.siblings = siblings;
            }
            self.step();
        }
        if let Action::Read(read) = &mut self.history.operations[op].action {
            read.siblings = Siblings::NONE;
        }
    }

    fn judge(&mut self) {
        for claim in [Claim::Causal, Claim::Quorum, Claim::Linearizable] {
            let promise = Promise {
                claim,
                replica_monotonic: true,
            };
            let verdict = judge(&self.history, promise).expect("it makes sense");
            let found = verdict.violations.iter().map(|v| (v.key, v.invariant));
            let found = found.collect();
            let expected = brute_force::violations(&self.history, promise).expect("it is small");
            assert_eq!(expected, found, "{claim}\n{}", lines(&self.history));
            self.violated += u64::from(!verdict.violations.is_empty());
        }
        self.judged += 1;
    }
}

fn value(op: usize) -> Value {
    Value {
        tag: None,
        data: (op as u64).into(),
    }
}

fn lines(history: &History) -> String {
    let mut bytes = Vec::new();
    write_history(history, &mut bytes).expect("it can be written");
    String::from_utf8(bytes).expect("it is text")
}

fn enumerate_all(scopes: &[Scope]) {
    for scope in scopes {
        let (judged, violated) = enumerate(*scope);
        println!(
            "{} operations, {} nodes, {} keys, {:?}, final reads {}: {judged} histories, {violated} verdicts of violation",
            scope.operations, scope.nodes, scope.keys, scope.model, scope.finals
        );
        assert!(judged > 1_000 && violated > 0);
    }
}

/// The scopes of so many operations.
fn scopes(operations: usize) -> Vec<Scope> {
    let mut scopes = Vec::new();
    for finals in [false, true] {
        let tiny = Scope {
            operations,
            finals,
            ..TINY
        };
        scopes.push(tiny);
        scopes.push(Scope {
            model: ObjectModel::Replica,
            contexts: false,
            ..tiny
        });
        scopes.push(Scope {
            nodes: 1,
            keys: 2,
            contexts: false,
            ..tiny
        });
    }
    scopes
}

#[test]
fn three_operations() {
    let mut scopes = scopes(3);
    scopes.retain(|scope| scope.keys == 1 && (scope.finals || scope.contexts));
    for scope in &mut scopes {
        scope.nodes = 1;
    }
    enumerate_all(&scopes);
}

#[test]
#[ignore = "takes a minute; the head of this file has the command"]
fn three_operations_on_two_nodes_or_keys() {
    enumerate_all(&scopes(3));
}

#[test]
#[ignore = "takes many minutes; the head of this file has the command"]
fn four_operations() {
    enumerate_all(&scopes(4));
}
