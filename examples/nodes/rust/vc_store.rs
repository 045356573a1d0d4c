//! A correct store that keeps siblings under vector clocks: a Maelstrom node of the `vc` dialect.
//!
//! ```text
//! cargo build --release --example vc_store
//! sibcheck check --dialect vc --bin target/release/examples/vc_store # also with --nodes 3
//! ```
//!
//! A write advances the *client's* entry of its context, and supersedes what the context covers and
//! nothing else. In a cluster that entry is the client's at this node ("c1@n1"). Reading or writing a
//! key sends its WHOLE sibling set to every peer, which merges it and answers with its own if the
//! sender lacked something. There is no timer: a lost message is made good only by later traffic for
//! its key. A crash forgets all.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// How far each actor's writes have been seen. It holds no zeros.
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

/// Why a request was not carried out: a Maelstrom error code and a text.
type Refusal = (u8, String);

/// A field of a request. One that is missing counts as null.
fn field<T: DeserializeOwned>(body: &Value, name: &str) -> Result<T, Refusal> {
    T::deserialize(&body[name]).map_err(|error| (12, format!("{name}: {error}")))
}

#[derive(Default)]
struct Node {
    name: String,
    peers: Vec<String>,
    store: BTreeMap<String, Vec<Sibling>>,
    outbox: Vec<Value>,
}

impl Node {
    /// Carries out a request. Returns the body of the answer; null if there is to be none.
    fn handle(&mut self, src: &str, body: &Value) -> Result<Value, Refusal> {
        match body["type"].as_str().unwrap_or_default() {
            "init" => {
                (self.name, self.peers) = (field(body, "node_id")?, field(body, "node_ids")?);
                self.peers.retain(|peer| *peer != self.name);
                Ok(json!({"type": "init_ok"}))
            }
            _ if self.name.is_empty() => Err((11, "this node waits for its init".into())),
            "vc_write" => {
                let key: String = field(body, "key")?;
                let value = body.get("value").ok_or((12, "no value".into()))?.clone();
                let vc = self.advance(src, &key, field(body, "context")?)?;
                let answer = json!({"type": "vc_write_ok", "key": key, "vc": vc});
                self.merge(&key, &[Sibling { value, vc }]);
                self.replicate(&key, &self.peers.clone());
                Ok(answer)
            }
            "vc_read" => {
                let key: String = field(body, "key")?;
                self.replicate(&key, &self.peers.clone());
                let values = self.siblings(&key);
                Ok(json!({"type": "vc_read_ok", "siblings": values.len(), "values": values}))
            }
            "replicate" => {
                let key: String = field(body, "key")?;
                let theirs: Vec<Sibling> = field(body, "siblings")?;
                self.merge(&key, &theirs);
                if !news(self.siblings(&key), &theirs).is_empty() {
                    self.replicate(&key, &[src.into()]);
                }
                Ok(Value::Null)
            }
            kind => Err((10, format!("{kind:?} is not known to this store"))),
        }
    }

    /// The context with the client's entry beyond all that it has reached here: no clock comes twice.
    fn advance(&self, client: &str, key: &str, context: Option<Clock>) -> Result<Clock, Refusal> {
        let mut clock = context.unwrap_or_default();
        clock.retain(|_, n| *n > 0);
        let actor = match self.peers[..] {
            [] => client.to_owned(),
            _ => format!("{client}@{}", self.name),
        };
        let clocks = self.siblings(key).iter().map(|sibling| &sibling.vc);
        let reached = clocks.chain([&clock]).filter_map(|vc| vc.get(&actor)).max();
        let next = reached.map_or(Some(1), |n| n.checked_add(1));
        clock.insert(actor, next.ok_or((12, "a counter at its end".into()))?);
        Ok(clock)
    }

    fn siblings(&self, key: &str) -> &[Sibling] {
        self.store.get(key).map_or(&[], Vec::as_slice)
    }

    /// Keeps those siblings of both that no other one supersedes.
    fn merge(&mut self, key: &str, theirs: &[Sibling]) {
        let mine = self.store.entry(key.into()).or_default();
        let arrived = news(theirs, mine);
        *mine = [news(mine, &arrived), arrived].concat();
    }

    fn replicate(&mut self, key: &str, peers: &[String]) {
        let body = json!({"type": "replicate", "key": key, "siblings": self.siblings(key)});
        let to = |peer| json!({"src": self.name, "dest": peer, "body": body});
        self.outbox.extend(peers.iter().map(to));
    }
}

fn main() -> io::Result<()> {
    let mut node = Node::default();
    let mut next_msg_id = 0;
    for line in io::stdin().lock().split(b'\n') {
        let message: Value = serde_json::from_slice(&line?).unwrap_or_default();
        let src = message["src"].as_str().unwrap_or_default();
        let body = &message["body"];
        let error = |(code, text)| json!({"type": "error", "code": code, "text": text});
        let mut answer = node.handle(src, body).unwrap_or_else(error);
        // Without a msg_id no answer is wanted, and what is an answer itself must never get one.
        if !answer.is_null() && !body["msg_id"].is_null() && body["in_reply_to"].is_null() {
            answer["in_reply_to"] = body["msg_id"].clone();
            answer["msg_id"] = next_msg_id.into();
            next_msg_id += 1;
            let message = json!({"src": message["dest"], "dest": src, "body": answer});
            node.outbox.push(message);
        }
        for message in node.outbox.drain(..) {
            io::stdout().write_all(format!("{message}\n").as_bytes())?;
        }
    }
    Ok(())
}
