//! A correct store that lives by a timer: a Maelstrom node of the `vc` dialect that gossips.
//!
//! ```text
//! cargo build --release --example gossip_store
//! sibcheck check --nodes 3 --bin target/release/examples/gossip_store
//! ```
//!
//! A write is kept at the node that gets it. At random times, every `--period` seconds or so, each node
//! sends all that it has to one of its peers, chosen at random, which merges it. A crash forgets all.

#![allow(clippy::disallowed_methods, reason = "a node looks at its own clock")]

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    io::{self, BufRead, Write},
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How far each actor's writes have been seen.
type Clock = BTreeMap<String, u64>;

#[derive(Clone, Deserialize, Serialize)]
struct Sibling {
    value: Value,
    vc: Clock,
}

/// Whether `clock` has seen all that `other` has seen.
fn covers(clock: &Clock, other: &Clock) -> bool {
    other.iter().all(|(actor, n)| clock.get(actor) >= Some(n))
}

/// Those siblings that are neither among the known ones nor superseded by them.
fn news(siblings: &[Sibling], known: &[Sibling]) -> Vec<Sibling> {
    let is_new = |new: &&Sibling| !known.iter().any(|old| covers(&old.vc, &new.vc));
    siblings.iter().filter(is_new).cloned().collect()
}

/// The siblings of both that no other one supersedes.
fn merge(mine: &[Sibling], theirs: &[Sibling]) -> Vec<Sibling> {
    let arrived = news(theirs, mine);
    [news(mine, &arrived), arrived].concat()
}

#[derive(Default)]
struct Node {
    name: String,
    peers: Vec<String>,
    store: BTreeMap<String, Vec<Sibling>>,
}

impl Node {
    /// Carries out a request. Returns the body of the answer; null if there is to be none.
    fn handle(&mut self, src: &str, body: &Value) -> Value {
        let key = body["key"].as_str().unwrap_or_default();
        let siblings = self.store.get(key).map_or(&[][..], Vec::as_slice);
        match body["type"].as_str().unwrap_or_default() {
            "init" => {
                self.name = body["node_id"].as_str().unwrap_or_default().into();
                self.peers = serde_json::from_value(body["node_ids"].clone()).unwrap_or_default();
                self.peers.retain(|peer| *peer != self.name);
                json!({"type": "init_ok"})
            }
            "vc_write" => {
                let context = serde_json::from_value(body["context"].clone());
                let mut vc: Clock = context.unwrap_or_default();
                let actor = format!("{src}@{}", self.name);
                let clocks = siblings.iter().map(|sibling| &sibling.vc).chain([&vc]);
                let reached = clocks.filter_map(|vc| vc.get(&actor)).max();
                vc.insert(actor.clone(), reached.map_or(1, |n| n + 1));
                let answer = json!({"type": "vc_write_ok", "key": key, "vc": vc});
                let value = body["value"].clone();
                let merged = merge(siblings, &[Sibling { value, vc }]);
                self.store.insert(key.into(), merged);
                answer
            }
            "vc_read" => json!({"type": "vc_read_ok", "values": siblings}),
            "gossip" => {
                let entries = serde_json::from_value(body["entries"].clone());
                let entries: BTreeMap<String, Vec<Sibling>> = entries.unwrap_or_default();
                for (key, theirs) in entries {
                    let mine = self.store.entry(key).or_default();
                    *mine = merge(mine, &theirs);
                }
                Value::Null
            }
            kind => json!({"type": "error", "code": 10, "text": format!("{kind:?} is not known")}),
        }
    }
}

/// A random number below a bound; hashers have random keys.
fn below(bound: u64) -> u64 {
    RandomState::new().hash_one(0) % bound.max(1)
}

/// From half the period to one and a half.
fn next(period: Duration) -> Instant {
    let nanos = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
    Instant::now() + period / 2 + Duration::from_nanos(below(nanos))
}

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args()
        .skip_while(|word| word != "--period")
        .collect();
    let period = words
        .get(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or(0.3);
    let period = Duration::from_secs_f64(period);
    let (sender, lines) = channel();
    thread::spawn(move || {
        io::stdin()
            .lock()
            .split(b'\n')
            .map_while(Result::ok)
            .try_for_each(|line| sender.send(line))
    });
    let mut node = Node::default();
    let mut due = next(period);
    loop {
        match lines.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                let message: Value = serde_json::from_slice(&line).unwrap_or_default();
                let src = message["src"].as_str().unwrap_or_default();
                let mut answer = node.handle(src, &message["body"]);
                if !answer.is_null() && !message["body"]["msg_id"].is_null() {
                    answer["in_reply_to"] = message["body"]["msg_id"].clone();
                    send(&node.name, src, &answer)?;
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                due = next(period);
                let peer = node
                    .peers
                    .get(usize::try_from(below(node.peers.len() as u64)).unwrap_or(0));
                if let Some(peer) = peer.filter(|_| !node.store.is_empty()) {
                    send(
                        &node.name,
                        peer,
                        &json!({"type": "gossip", "entries": node.store}),
                    )?;
                }
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

fn send(src: &str, dest: &str, body: &Value) -> io::Result<()> {
    let message = json!({"src": src, "dest": dest, "body": body});
    io::stdout().write_all(format!("{message}\n").as_bytes())
}
