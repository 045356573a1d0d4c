//! How long a verdict takes: `cargo run --release -p sibcheck-checkers --example judge_speed`.
//!
//! A cluster of a few nodes serves clients in turn; keys are written with the context of the
//! client's last read, blindly, or in the course of a long partition. Every history is correct.

use std::{hint::black_box, time::Instant};

use sibcheck_checkers::{
    Claim, History, Outcome,
    history::{
        Action, Header, Operation, Read, ReportedClock, Sibling, Status, Value, Version, Write,
    },
    judge,
};

/// How a history comes about.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    claim: Claim,
    operations: usize,
    keys: usize,
    nodes: usize,
    dotted: bool,
    writes: Writes,
}

#[derive(Clone, Copy, PartialEq)]
enum Writes {
    /// With the context of the client's last read.
    InTurn,
    /// The same, and the third write is never answered nor seen.
    EarlyHole,
    /// Without context, a few clients each replacing its own.
    Blind,
    /// With the context of the client's last read; nodes hear of each other only at the end.
    Partitioned,
}

const CLIENTS: usize = 6;

#[expect(clippy::disallowed_methods, reason = "speed figures read the clock")]
fn main() {
    let short = Load {
        name: "short, dots, eventual",
        claim: Claim::Eventual,
        operations: 200,
        keys: 5,
        nodes: 3,
        dotted: true,
        writes: Writes::InTurn,
    };
    let clocks = Load {
        name: "short, clocks, eventual",
        dotted: false,
        ..short
    };
    let single = Load {
        name: "short, clocks, linearizable",
        claim: Claim::Linearizable,
        nodes: 1,
        ..clocks
    };
    let long = |load: Load, name, writes| Load {
        name,
        writes,
        operations: 20_000,
        keys: 1,
        ..load
    };
    for (load, rounds) in [
        (short, 2_000),
        (clocks, 2_000),
        (single, 2_000),
        (long(short, "long, dots, eventual", Writes::InTurn), 3),
        (long(clocks, "long, clocks, eventual", Writes::InTurn), 3),
        (
            long(single, "long, clocks, linearizable", Writes::InTurn),
            3,
        ),
        (
            long(clocks, "long, early hole, eventual", Writes::EarlyHole),
            3,
        ),
        (
            long(single, "long, early hole, linearizable", Writes::EarlyHole),
            3,
        ),
        (long(clocks, "long, blind, eventual", Writes::Blind), 3),
        (
            long(
                clocks,
                "long, partitioned clocks, eventual",
                Writes::Partitioned,
            ),
            3,
        ),
        (
            long(
                short,
                "long, partitioned dots, eventual",
                Writes::Partitioned,
            ),
            3,
        ),
    ] {
        let history = Cluster::new(load).run();
        let mut best = f64::INFINITY;
        for _ in 0..rounds {
            let start = Instant::now();
            let verdict = judge(black_box(&history), load.claim);
            best = best.min(start.elapsed().as_secs_f64());
            let outcome = verdict.map(|verdict| verdict.outcome);
            assert_eq!(outcome, Ok(Outcome::Valid), "{}", load.name);
        }
        let operations = history.operations.len();
        let each = best * 1e6 / f64::from(u32::try_from(operations).unwrap_or(u32::MAX));
        println!(
            "{}: {operations} operations in {:.1} µs, {each:.3} µs an operation",
            load.name,
            best * 1e6
        );
    }
}

/// One key at one node: the current siblings and the entries of all that it has seen.
#[derive(Clone, Default)]
struct Replica {
    siblings: Vec<Stored>,
    seen: Vec<u64>,
}

#[derive(Clone)]
struct Stored {
    tag: u64,
    entry: usize,
    counter: u64,
    /// The entries of its clock, or of its past.
    entries: Vec<u64>,
}

/// A read's number, and the entries that it was answered.
type Known = (u32, Vec<u64>);

struct Cluster {
    load: Load,
    replicas: Vec<Vec<Replica>>,
    counters: Vec<Vec<u64>>,
    /// The last read of each client and key.
    last: Vec<Vec<Option<Known>>>,
    operations: Vec<Operation>,
}

impl Cluster {
    fn new(load: Load) -> Self {
        let width = CLIENTS.max(load.nodes);
        let replica = Replica {
            siblings: Vec::new(),
            seen: vec![0; width],
        };
        Self {
            load,
            replicas: vec![vec![replica; load.keys]; load.nodes],
            counters: vec![vec![0; load.keys]; width],
            last: vec![vec![None; load.keys]; CLIENTS],
            operations: Vec::new(),
        }
    }

    fn run(mut self) -> History {
        let finals = self.load.nodes * self.load.keys;
        while self.operations.len() < self.load.operations - finals {
            let round = self.operations.len() / 2;
            let client = round % CLIENTS;
            let (node, key) = (client % self.load.nodes, round / CLIENTS % self.load.keys);
            self.read(client, node, key, false);
            self.write(client, node, key);
            if self.load.writes != Writes::Partitioned {
                self.replicate(key, node);
            }
        }
        for key in 0..self.load.keys {
            for node in (0..self.load.nodes).chain(0..self.load.nodes) {
                self.replicate(key, node);
            }
            for node in 0..self.load.nodes {
                self.read(CLIENTS + node, node, key, true);
            }
        }
        let names =
            |prefix: &str, count| (1..=count).map(|n| format!("{prefix}{n}").into()).collect();
        History {
            header: Header::default(),
            clients: names("c", CLIENTS + self.load.nodes),
            nodes: names("n", self.load.nodes),
            keys: names("k", self.load.keys),
            operations: self.operations,
            faults: Vec::new(),
            tables: (),
        }
    }

    fn read(&mut self, client: usize, node: usize, key: usize, last: bool) {
        let replica = &self.replicas[node][key];
        let siblings = replica.siblings.iter().map(|stored| Sibling {
            value: value(stored.tag),
            tombstone: false,
            version: Some(self.version(stored, false)),
        });
        let read = Read {
            siblings: siblings.collect(),
            context: self.load.dotted.then(|| clock(&replica.seen)),
            last,
        };
        if let Some(known) = self.last.get_mut(client) {
            let id = u32::try_from(self.operations.len()).unwrap_or(u32::MAX);
            known[key] = Some((id, replica.seen.clone()));
        }
        self.push(client, node, key, Action::Read(read));
    }

    fn write(&mut self, client: usize, node: usize, key: usize) {
        let tag = self.operations.len() as u64;
        let blind = self.load.writes == Writes::Blind;
        let known = self.last[client][key].clone().filter(|_| !blind);
        let (sources, mut entries) = known
            .map_or((Vec::new(), vec![0; self.counters.len()]), |(id, seen)| {
                (vec![id], seen)
            });
        let context = clock(&entries);
        let unseen = self.load.writes == Writes::EarlyHole && tag == 5;
        let entry = if self.load.dotted { node } else { client };
        let mut version = None;
        if !unseen {
            self.counters[entry][key] += 1;
            let counter = self.counters[entry][key];
            if !self.load.dotted {
                entries[entry] = counter;
            }
            let stored = Stored {
                tag,
                entry,
                counter,
                entries,
            };
            version = Some(self.version(&stored, true));
            self.replicas[node][key].take(&stored);
        }
        let write = Write {
            value: value(tag),
            tombstone: false,
            sources: sources.into(),
            context: Some(context),
            version,
        };
        // The client of the write that is never answered does not go on: another takes its place.
        let client = if unseen { CLIENTS } else { client };
        self.push(client, node, key, Action::Write(Box::new(write)));
        if let (true, Some(op)) = (unseen, self.operations.last_mut()) {
            (op.status, op.completed) = (Status::Info, None);
        }
    }

    fn replicate(&mut self, key: usize, from: usize) {
        let siblings = self.replicas[from][key].siblings.clone();
        for to in (0..self.load.nodes).filter(|to| *to != from) {
            for stored in &siblings {
                self.replicas[to][key].take(stored);
            }
        }
    }

    fn version(&self, stored: &Stored, acknowledged: bool) -> Version {
        if self.load.dotted {
            Version::Dotted {
                actor: format!("n{}", stored.entry + 1).into(),
                counter: stored.counter,
                past: acknowledged.then(|| clock(&stored.entries)),
            }
        } else {
            Version::Clock(clock(&stored.entries))
        }
    }

    fn push(&mut self, client: usize, node: usize, key: usize, action: Action) {
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let invoked = self.operations.len() as u64 * 10;
        self.operations.push(Operation {
            client: number(client),
            node: number(node),
            key: number(key),
            invoked,
            completed: Some(invoked + 5),
            status: Status::Ok,
            action,
        });
    }
}

impl Replica {
    fn take(&mut self, new: &Stored) {
        let includes = |upper: &Stored, lower: &Stored| upper.entries[lower.entry] >= lower.counter;
        if self
            .siblings
            .iter()
            .any(|old| old.tag == new.tag || includes(old, new))
        {
            return;
        }
        self.siblings.retain(|old| !includes(new, old));
        self.siblings.push(new.clone());
        for (seen, entry) in self.seen.iter_mut().zip(&new.entries) {
            *seen = (*seen).max(*entry);
        }
        self.seen[new.entry] = self.seen[new.entry].max(new.counter);
    }
}

fn value(tag: u64) -> Value {
    Value {
        tag: Some(tag),
        data: tag.into(),
    }
}

fn clock(entries: &[u64]) -> ReportedClock {
    let names = (1..).map(|n| format!("n{n}").into());
    ReportedClock::from_entries(names.zip(entries.iter().copied()))
}
