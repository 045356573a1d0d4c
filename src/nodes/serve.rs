//! A reference store as a Maelstrom node: JSON lines on stdin, JSON lines on stdout.
//!
//! [`Server`] is the node without its pipes. It never dies from input: a line that is no message,
//! or a request that makes no sense, is answered with an error where an answer is possible and
//! noted in the log where it is not, and the state stays as it was.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, Write},
    sync::mpsc::{self, RecvTimeoutError},
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value as Json, json};
use sibcheck_checkers::outside::Outside;

use crate::{
    clocks::{Actor, DottedVersionVector, VectorClock},
    protocol::{Envelope, ErrorCode, Malformed, error_body, object, parse_line},
    simulation::Nanos,
    stores::{
        Effect, EffectsOf, Key, MaybeTombstone, ReplicaMessage, RequestId, Setting, Sibling,
        SiblingAnswer, SiblingRequest, Siblings, Stamp, StoreName, StoreNode, dynamo, with_store,
    },
    workloads::siblings::{
        ClientRequest, Wording, dvv_siblings, dvv_written, vc_siblings, vc_written, words,
    },
};

use super::process::nanos;

/// Why serving ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Standard input could not be read.
    #[error("failed to read requests: {0}")]
    Input(io::Error),
    /// Standard output could not be written.
    #[error("failed to write answers: {0}")]
    Output(io::Error),
}

/// A line longer than this is no request; it is skipped instead of filling the memory.
const LONGEST_LINE: usize = 64 << 20;

/// How many lines may wait between the reading thread and the node.
const LINES_WAITING: usize = 1_024;

/// Serves a store until the input ends. Faults in the input are noted in `log`.
///
/// # Errors
///
/// When a pipe breaks.
pub fn serve(
    mut server: Server,
    input: impl BufRead + Send,
    mut output: impl Write,
    mut log: impl Write,
) -> Result<(), ServeError> {
    std::thread::scope(|scope| {
        let (lines, arrivals) = mpsc::sync_channel(LINES_WAITING);
        scope.spawn(move || read_lines(input, &lines));
        loop {
            let arrival = match server.next_tick() {
                Some(after) => arrivals.recv_timeout(after),
                None => arrivals.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match arrival {
                Ok(Ok(Line::Whole(line))) => server.line(&line),
                Ok(Ok(Line::TooLong)) => {
                    server.complain("a line longer than 64 MiB was skipped");
                }
                Ok(Err(error)) => return Err(ServeError::Input(error)),
                Err(RecvTimeoutError::Timeout) => server.tick(),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            for complaint in server.complaints.drain(..) {
                // Nobody reads the log any more: the node goes on without it.
                let _ = writeln!(log, "{complaint}");
            }
            for line in server.outbox.drain(..) {
                writeln!(output, "{line}").map_err(ServeError::Output)?;
            }
            output.flush().map_err(ServeError::Output)?;
        }
    })
}

enum Line {
    Whole(Vec<u8>),
    TooLong,
}

/// Reads lines until the input ends or nobody takes them.
fn read_lines(mut input: impl BufRead, lines: &mpsc::SyncSender<io::Result<Line>>) {
    loop {
        let mut line = Vec::new();
        let read = io::Read::take(&mut input, LONGEST_LINE as u64 + 1).read_until(b'\n', &mut line);
        let arrival = match read {
            Ok(0) => return,
            Ok(_) if line.len() > LONGEST_LINE && line.last() != Some(&b'\n') => {
                match input.skip_until(b'\n') {
                    Ok(_) => Ok(Line::TooLong),
                    Err(error) => Err(error),
                }
            }
            Ok(_) => Ok(Line::Whole(line)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let ends = arrival.is_err();
        if lines.send(arrival).is_err() || ends {
            return;
        }
    }
}

/// A Maelstrom node without its pipes: lines in, lines out.
pub struct Server {
    store: StoreName,
    anti_entropy: Duration,
    node: Option<Box<dyn Node>>,
    name: String,
    next_msg_id: u64,
    lines: u64,
    outbox: Vec<String>,
    complaints: Vec<String>,
}

impl Server {
    /// A node that waits for its `init`. In a cluster it exchanges its state with one peer in every
    /// `anti_entropy`.
    pub fn new(store: StoreName, anti_entropy: Duration) -> Self {
        Self {
            store,
            anti_entropy,
            node: None,
            name: String::new(),
            next_msg_id: 0,
            lines: 0,
            outbox: Vec::new(),
            complaints: Vec::new(),
        }
    }

    /// Takes one line of input.
    pub fn line(&mut self, line: &[u8]) {
        self.lines += 1;
        if line.trim_ascii().is_empty() {
            return;
        }
        let answered = parse_line(line).and_then(|envelope| self.message(&envelope));
        if let Err(fault) = answered {
            let Malformed { what, reply_to } = fault;
            match reply_to {
                Some((src, msg_id)) => {
                    let body = error_body(ErrorCode::MalformedRequest, &what);
                    self.answer(&src, Some(&msg_id), body);
                }
                None => self.complain(&format!("line {}: {what}", self.lines)),
            }
        }
    }

    /// The lines written since they were last taken.
    pub fn take_output(&mut self) -> Vec<String> {
        std::mem::take(&mut self.outbox)
    }

    /// What was wrong with the input and could not be answered, since it was last taken.
    pub fn take_complaints(&mut self) -> Vec<String> {
        std::mem::take(&mut self.complaints)
    }

    fn complain(&mut self, what: &str) {
        self.complaints.push(format!("sibcheck node: {what}"));
    }

    /// How long to wait for input before the next round of anti-entropy; `None` for ever.
    fn next_tick(&self) -> Option<Duration> {
        let node = self.node.as_ref()?;
        node.has_peers().then_some(self.anti_entropy)
    }

    fn tick(&mut self) {
        if let Some(node) = &mut self.node {
            let said = node.tick();
            self.say(said);
        }
    }

    fn message(&mut self, envelope: &Envelope) -> Result<(), Malformed> {
        if envelope.kind() == "init" {
            return self.init(envelope);
        }
        let Some(node) = &mut self.node else {
            // Its name is not known yet: it answers under the one that was addressed.
            self.name.clone_from(&envelope.dest);
            let text = "this node has not been initialised yet: send it an init first";
            let body = error_body(ErrorCode::TemporarilyUnavailable, text);
            self.answer(&envelope.src, envelope.msg_id(), body);
            return Ok(());
        };
        let Some(done) = node.handle(envelope) else {
            if envelope.body.contains_key("in_reply_to") {
                // An answer to something that this node never asked.
                return Ok(());
            }
            let what = format!(
                "{:?} is not a request that this store knows",
                envelope.kind()
            );
            if envelope.msg_id().is_none() {
                return Err(envelope.malformed(what));
            }
            let body = error_body(ErrorCode::NotSupported, &what);
            self.answer(&envelope.src, envelope.msg_id(), body);
            return Ok(());
        };
        self.say(done?);
        Ok(())
    }

    fn init(&mut self, envelope: &Envelope) -> Result<(), Malformed> {
        #[derive(Deserialize)]
        struct Init {
            node_id: String,
            node_ids: Vec<String>,
        }
        let init: Init = serde_json::from_value(Json::Object(envelope.body.clone()))
            .map_err(|error| envelope.malformed(format!("init: {}", Outside(error))))?;
        if self.node.is_some() && init.node_id != self.name {
            let what = format!("this node is initialised already, as {:?}", self.name);
            return Err(envelope.malformed(what));
        }
        if self.node.is_none() {
            self.node = Some(node(self.store, &init.node_id, &init.node_ids));
            self.name = init.node_id;
        }
        self.answer(
            &envelope.src,
            envelope.msg_id(),
            object(json!({"type": "init_ok"})),
        );
        Ok(())
    }

    fn say(&mut self, said: Vec<Said>) {
        for Said { to, answers, body } in said {
            match answers {
                Some(msg_id) => self.answer(&to, Some(&msg_id), body),
                None => self.write(&to, body),
            }
        }
    }

    fn answer(&mut self, to: &str, msg_id: Option<&Json>, mut body: Map<String, Json>) {
        let Some(msg_id) = msg_id else {
            // The sender wants no answer.
            return;
        };
        body.insert("in_reply_to".into(), msg_id.clone());
        body.insert("msg_id".into(), self.next_msg_id.into());
        self.next_msg_id += 1;
        self.write(to, body);
    }

    fn write(&mut self, to: &str, body: Map<String, Json>) {
        let envelope = Envelope {
            src: self.name.clone(),
            dest: to.to_owned(),
            body,
        };
        self.outbox.push(envelope.to_line());
    }
}

/// What an initialised node wants said: to whom, as an answer to what, and the body.
struct Said {
    to: String,
    /// The `msg_id` that it answers; `None` for what is no answer.
    answers: Option<Json>,
    body: Map<String, Json>,
}

/// An initialised node, whichever store it has.
trait Node {
    /// Handles a message; `None` when its type is not known.
    fn handle(&mut self, envelope: &Envelope) -> Option<Result<Vec<Said>, Malformed>>;

    fn tick(&mut self) -> Vec<Said>;

    fn has_peers(&self) -> bool;
}

/// These dialects have no words for a delete.
impl MaybeTombstone for Json {
    fn is_tombstone(&self) -> bool {
        false
    }
}

/// How the versions of a store stand on the wire.
trait WireStamp: Stamp + Serialize + DeserializeOwned {
    /// The words of the dialect that has them.
    fn words() -> Wording;

    /// The body of the answer to a write.
    fn written(key: &Key, stamp: &Self) -> Map<String, Json>;

    /// The body of the answer to a read.
    fn siblings(siblings: &Siblings<Json, Self>, told: Option<&VectorClock>) -> Map<String, Json>;
}

impl WireStamp for VectorClock {
    fn words() -> Wording {
        words::vc()
    }

    fn written(key: &Key, clock: &Self) -> Map<String, Json> {
        vc_written(key, clock)
    }

    fn siblings(siblings: &Siblings<Json, Self>, _: Option<&Self>) -> Map<String, Json> {
        vc_siblings(siblings)
    }
}

impl WireStamp for DottedVersionVector {
    fn words() -> Wording {
        words::dvv()
    }

    fn written(_: &Key, version: &Self) -> Map<String, Json> {
        dvv_written(version)
    }

    fn siblings(siblings: &Siblings<Json, Self>, told: Option<&VectorClock>) -> Map<String, Json> {
        dvv_siblings(siblings, told.unwrap_or(&VectorClock::new()))
    }
}

/// A node with the names of its cluster, and the requests that it has not answered yet.
struct WireNode<N> {
    words: Wording,
    node: N,
    names: Vec<Actor>,
    asked: BTreeMap<RequestId, Asked>,
    next: RequestId,
}

/// Who asked, and under which number.
struct Asked {
    client: String,
    msg_id: Option<Json>,
}

fn node(store: StoreName, name: &str, names: &[String]) -> Box<dyn Node> {
    let mut names: Vec<Actor> = names.iter().map(Actor::from).collect();
    if names.iter().all(|other| *other != name) {
        names.push(name.into());
    }
    let position = names.iter().position(|other| *other == name);
    let setting = Setting {
        position: position.and_then(|at| u32::try_from(at).ok()).unwrap_or(0),
        cluster: names.iter().cloned().collect(),
        // The server has a timer of its own.
        anti_entropy: Nanos::ZERO,
    };
    with_store!(store, Node => {
        let node = <Node<Json> as StoreNode>::new(store, setting);
        Box::new(WireNode::of(node, names))
    })
}

/// A store of siblings that can be served.
trait Served:
    StoreNode<
        Request = SiblingRequest<Json>,
        Answer = SiblingAnswer<Json, Self::Version>,
        Message = Self::Told,
    >
{
    /// The versions that it gives.
    type Version: WireStamp;
    /// What its nodes tell each other.
    type Told: PeerMessage;
}

impl<N, S, M> Served for N
where
    N: StoreNode<Request = SiblingRequest<Json>, Answer = SiblingAnswer<Json, S>, Message = M>,
    S: WireStamp,
    M: PeerMessage,
{
    type Version = S;
    type Told = M;
}

/// What nodes tell each other, on the wire.
trait PeerMessage: Sized {
    /// The type of these messages.
    const TYPE: &'static str;

    /// The body, with its type.
    fn body(&self) -> Json;

    /// Reads a body.
    fn read(body: Json) -> Result<Self, serde_json::Error>;
}

impl PeerMessage for dynamo::Message<Json> {
    const TYPE: &'static str = "dynamo";

    fn body(&self) -> Json {
        json!({"type": Self::TYPE, "told": self})
    }

    fn read(body: Json) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Wire {
            told: dynamo::Message<Json>,
        }
        serde_json::from_value(body).map(|Wire { told }| told)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "S: Serialize", deserialize = "S: DeserializeOwned"))]
struct WireReplicate<S> {
    r#type: String,
    /// See [`ReplicaMessage::exchange`].
    exchange: bool,
    entries: Vec<WireEntry<S>>,
}

#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "S: Serialize", deserialize = "S: DeserializeOwned"))]
struct WireEntry<S> {
    key: Key,
    siblings: Vec<WireSibling<S>>,
}

#[derive(Serialize, Deserialize)]
struct WireSibling<S> {
    value: Json,
    version: S,
}

/// What the wall clock of this machine shows, in nanoseconds.
#[expect(clippy::disallowed_types, reason = "a served store lives in real time")]
fn wall_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, nanos)
}

/// Nodes of stores of siblings, on the wire.
impl<N: Served> WireNode<N> {
    fn of(mut node: N, names: Vec<Actor>) -> Self {
        // It finds nothing, and has nothing to say yet.
        node.start(&mut std::iter::empty(), &mut Vec::new());
        Self {
            words: N::Version::words(),
            node,
            names,
            asked: BTreeMap::new(),
            next: 0,
        }
    }

    fn request(&mut self, envelope: &Envelope, request: ClientRequest) -> Vec<Said> {
        let request = match request {
            ClientRequest::Read { key } => SiblingRequest::Get { key },
            ClientRequest::Write {
                key,
                value,
                context,
            } => SiblingRequest::Put {
                client: envelope.src.as_str().into(),
                key,
                parents: if context.is_empty() {
                    Vec::new()
                } else {
                    vec![context]
                },
                value,
            },
        };
        let asked = Asked {
            client: envelope.src.clone(),
            msg_id: envelope.msg_id().cloned(),
        };
        self.next += 1;
        self.asked.insert(self.next, asked);
        let mut effects = Vec::new();
        self.node
            .request(self.next, request, &mut wall_ns, &mut effects);
        self.said(effects)
    }

    fn hear(&mut self, envelope: &Envelope) -> Result<Vec<Said>, Malformed> {
        let kind = N::Told::TYPE;
        let message = N::Told::read(Json::Object(envelope.body.clone()))
            .map_err(|error| envelope.malformed(format!("{kind}: {}", Outside(error))))?;
        let Some((peer, _)) = (0u32..)
            .zip(&self.names)
            .find(|(_, name)| name.as_str() == envelope.src)
        else {
            let what = format!("{:?} is not a node of this cluster", envelope.src);
            return Err(envelope.malformed(what));
        };
        let mut effects = Vec::new();
        self.node.message(peer, &message, &mut effects);
        Ok(self.said(effects))
    }

    /// What is said among the effects. This node keeps its state in memory only, and its timer is
    /// the server's.
    fn said(&mut self, effects: EffectsOf<N>) -> Vec<Said> {
        let mut said = Vec::new();
        for effect in effects {
            match effect {
                Effect::Send(peer, message) => {
                    said.extend(self.names.get(peer as usize).map(|name| Said {
                        to: name.as_str().to_owned(),
                        answers: None,
                        body: object(message.body()),
                    }));
                }
                Effect::Reply(request, answer) => {
                    let asked = self.asked.remove(&request);
                    said.extend(asked.and_then(|asked| {
                        // Without a number the client wants no answer.
                        Some(Said {
                            answers: Some(asked.msg_id?),
                            to: asked.client,
                            body: body_of(answer),
                        })
                    }));
                }
                Effect::Persist(..) | Effect::Remove(_) | Effect::Sync | Effect::SetTimer(..) => {}
            }
        }
        said
    }
}

fn body_of<S: WireStamp>(answer: SiblingAnswer<Json, S>) -> Map<String, Json> {
    match answer {
        SiblingAnswer::Written { key, stamp, .. } => S::written(&key, &stamp),
        SiblingAnswer::Siblings { siblings, told, .. } => S::siblings(&siblings, told.as_ref()),
        SiblingAnswer::Refused(error) => {
            error_body(ErrorCode::MalformedRequest, &error.to_string())
        }
        SiblingAnswer::Unknown => {
            error_body(ErrorCode::Timeout, "too few nodes have answered in time")
        }
    }
}

impl<S: WireStamp> PeerMessage for ReplicaMessage<Json, S> {
    const TYPE: &'static str = "replicate";

    fn body(&self) -> Json {
        let sibling = |sibling: &Sibling<Json, S>| WireSibling {
            value: sibling.value.clone(),
            version: sibling.stamp.clone(),
        };
        let entry = |(key, siblings): &(Key, Siblings<Json, S>)| WireEntry {
            key: key.clone(),
            siblings: siblings.iter().map(sibling).collect(),
        };
        let wire = WireReplicate {
            r#type: Self::TYPE.to_owned(),
            exchange: self.exchange,
            entries: self.entries.iter().map(entry).collect(),
        };
        serde_json::to_value(wire).unwrap_or_default()
    }

    fn read(body: Json) -> Result<Self, serde_json::Error> {
        let wire: WireReplicate<S> = serde_json::from_value(body)?;
        let sibling = |sibling: WireSibling<S>| Sibling {
            value: sibling.value,
            stamp: sibling.version,
        };
        let entry = |entry: WireEntry<S>| {
            let siblings: Vec<_> = entry.siblings.into_iter().map(sibling).collect();
            (entry.key, siblings.into())
        };
        Ok(Self {
            exchange: wire.exchange,
            entries: wire.entries.into_iter().map(entry).collect(),
        })
    }
}

impl<N: Served> Node for WireNode<N> {
    fn handle(&mut self, envelope: &Envelope) -> Option<Result<Vec<Said>, Malformed>> {
        if envelope.kind() == N::Told::TYPE {
            return Some(self.hear(envelope));
        }
        let request = self.words.decode(envelope, &self.names)?;
        Some(request.map(|request| self.request(envelope, request)))
    }

    /// The only timer of the stores that are served is that of anti-entropy.
    fn tick(&mut self) -> Vec<Said> {
        let mut effects = Vec::new();
        self.node.timer(0, &mut effects);
        self.said(effects)
    }

    fn has_peers(&self) -> bool {
        self.names.len() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::faulty::Flaw;

    fn server(store: StoreName, nodes: &[&str]) -> Server {
        let mut server = Server::new(store, Duration::from_secs(1));
        let init = json!({"src": "c0", "dest": nodes[0], "body": {
            "type": "init", "msg_id": 1, "node_id": nodes[0], "node_ids": nodes}});
        assert_eq!(ask(&mut server, &init).len(), 1);
        server
    }

    fn ask(server: &mut Server, message: &Json) -> Vec<Json> {
        tell(server, message.to_string().as_bytes())
    }

    fn tell(server: &mut Server, line: &[u8]) -> Vec<Json> {
        server.line(line);
        let lines = server.take_output();
        lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[expect(clippy::needless_pass_by_value, reason = "bodies are written in place")]
    fn client(body: Json) -> Json {
        json!({"src": "c1", "dest": "n1", "body": body})
    }

    #[test]
    fn a_served_store_that_goes_by_the_clock_reads_this_machines() {
        let flaw = Flaw::WallClockDots;
        for (store, by_the_clock) in [(StoreName::Dotted, false), (StoreName::Faulty(flaw), true)] {
            let mut server = server(store, &["n1"]);
            let write = json!({"type": "dvv_update", "msg_id": 2, "key": "x", "value": 1});
            let answers = ask(&mut server, &client(write));
            let counter = answers[0]["body"]["dot"][1].as_u64().unwrap();
            // Milliseconds since 1970.
            assert_eq!(counter > 1_000_000_000_000, by_the_clock, "{answers:?}");
        }
    }

    #[test]
    fn bad_input_is_answered_or_noted_and_changes_nothing() {
        let mut server = server(StoreName::Versioned, &["n1"]);
        let write = json!({"type": "vc_write", "msg_id": 2, "key": "x", "value": 1, "context": {}});
        ask(&mut server, &client(write));
        let bad = [
            json!({"type": "vc_write", "msg_id": 3, "key": "x"}),
            json!({"type": "vc_write", "msg_id": 3, "key": 7, "value": 1}),
            json!({"type": "vc_write", "msg_id": 3, "key": "x", "value": 1, "context": {"c1": -1}}),
            json!({"type": "vc_write", "msg_id": 3, "key": "x", "value": 1, "context": {"c1": u64::MAX}}),
            json!({"type": "init", "msg_id": 3, "node_id": "n9", "node_ids": ["n9"]}),
            json!({"type": "init", "msg_id": 3}),
        ];
        for body in bad {
            let answers = ask(&mut server, &client(body.clone()));
            assert_eq!(answers[0]["body"]["code"], 12, "{body} gave {answers:?}");
            assert_eq!(answers[0]["body"]["in_reply_to"], 3);
        }
        let unknown = ask(&mut server, &client(json!({"type": "walk", "msg_id": 4})));
        assert_eq!(unknown[0]["body"]["code"], 10);
        assert_eq!(server.take_complaints(), [""; 0]);
        for line in [&b"{\"src\":"[..], b"[1]", b"\xff\xfe", b"{}", b"nonsense"] {
            assert_eq!(tell(&mut server, line), [Json::Null; 0]);
            assert_eq!(server.take_complaints().len(), 1, "{line:?}");
        }
        let read = json!({"type": "vc_read", "msg_id": 5, "key": "x"});
        let answer = ask(&mut server, &client(read));
        assert_eq!(
            answer[0]["body"]["values"],
            json!([{"value": 1, "vc": {"c1": 1}}])
        );
    }

    #[test]
    fn before_init_a_request_is_refused_for_now() {
        let mut server = Server::new(StoreName::Dotted, Duration::from_secs(1));
        let get = json!({"type": "dvv_get", "msg_id": 1, "key": "x"});
        assert_eq!(ask(&mut server, &client(get))[0]["body"]["code"], 11);
    }

    #[test]
    fn two_served_nodes_replicate_and_exchange() {
        for (store, write, read) in [
            (StoreName::Versioned, "vc_write", "vc_read"),
            (StoreName::Dotted, "dvv_update", "dvv_get"),
        ] {
            let mut one = server(store, &["n1", "n2"]);
            let mut two = server(store, &["n2", "n1"]);
            let put = |n: u64| client(json!({"type": write, "msg_id": n, "key": "x", "value": n}));
            let sent = ask(&mut one, &put(5));
            assert_eq!(
                (&sent[0]["dest"], &sent[1]["dest"]),
                (&json!("n2"), &json!("c1"))
            );
            // The first write is lost on its way; the second node writes by itself.
            ask(&mut two, &put(6));
            one.tick();
            let pushed = one.take_output();
            let back = tell(&mut two, pushed[0].as_bytes());
            assert_eq!(back.len(), 1);
            ask(&mut one, &back[0]);
            for node in [&mut one, &mut two] {
                let get = client(json!({"type": read, "msg_id": 9, "key": "x"}));
                let answer = ask(node, &get);
                let values = answer[0]["body"]["values"].as_array().unwrap();
                assert_eq!(values.len(), 2, "{answer:?}");
            }
        }
    }

    #[test]
    fn serving_ends_with_its_input_and_survives_noise() {
        let input = b"noise\n\n{\"src\":\"c0\",\"dest\":\"n1\",\"body\":{\"type\":\"init\",\"msg_id\":1,\"node_id\":\"n1\",\"node_ids\":[\"n1\"]}}";
        let (mut output, mut log) = (Vec::new(), Vec::new());
        let server = Server::new(StoreName::Dotted, Duration::from_secs(1));
        serve(server, &input[..], &mut output, &mut log).unwrap();
        assert!(String::from_utf8(output).unwrap().contains("init_ok"));
        assert!(
            String::from_utf8(log)
                .unwrap()
                .contains("line 1: not one JSON object")
        );
    }
}
