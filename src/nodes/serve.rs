//! A reference store as a Maelstrom node: JSON lines on stdin, JSON lines on stdout.
//!
//! [`Server`] is the node without its pipes. It never dies from input: a line that is no message,
//! or a request that makes no sense, is answered with an error where an answer is possible and
//! noted in the log where it is not, and the state stays as it was.
//!
//! What it says leaves it when everything is durable that was to be before. Lines that wait together
//! share one sync (group commit).

use std::{
    collections::BTreeMap,
    io::{self, BufRead, Write},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value as Json, json};
use sibcheck_checkers::outside::Outside;

use crate::{
    clocks::{Actor, DottedVersionVector, VectorClock},
    protocol::{Envelope, ErrorCode, Malformed, error_body, object, parse_line},
    simulation::Nanos,
    stores::{
        Deferred, EffectsOf, Key, MaybeTombstone, Outgoing, ReplicaMessage, RequestId, Setting,
        SiblingAnswer, SiblingRequest, Siblings, Stamp, Storage, StoreName, StoreNode, carry_out,
        dynamo, with_store,
    },
    workloads::siblings::{
        ClientRequest, Wording, dvv_siblings, dvv_written, vc_siblings, vc_written, words,
    },
};

use super::{
    data_folder::{DataFolder, FolderError, Records},
    process::nanos,
    timers::Timers,
};

/// Why serving ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Standard input could not be read.
    #[error("failed to read requests: {0}")]
    Input(io::Error),
    /// Standard output could not be written.
    #[error("failed to write answers: {0}")]
    Output(io::Error),
    /// The node's data folder is not its own, or failed. Nothing was acknowledged since.
    #[error(transparent)]
    Folder(FolderError),
}

/// A line longer than this is no request; it is skipped instead of filling the memory.
const LONGEST_LINE: usize = 64 << 20;

/// How many lines may wait between the reading thread and the node.
const LINES_WAITING: usize = 1_024;

/// How many lines that wait together share one sync, unless somebody says otherwise.
pub const GROUP: usize = 128;

/// Serves a store until the input ends. Faults in the input are noted in `log`.
///
/// # Errors
///
/// When a pipe breaks, or the data folder is refused or fails.
#[expect(
    clippy::disallowed_methods,
    reason = "a served store lives in real time"
)]
pub fn serve(
    mut server: Server,
    input: impl BufRead + Send + 'static,
    mut output: impl Write,
    mut log: impl Write,
) -> Result<(), ServeError> {
    let (lines, arrivals) = mpsc::sync_channel(LINES_WAITING);
    // Nobody waits for it: when the node fails, it may be waiting for a line that never comes.
    std::thread::spawn(move || read_lines(input, &lines));
    let begin = Instant::now();
    let now = || Nanos(nanos(begin.elapsed()));
    loop {
        let arrival = match server.next_timer() {
            Some(due) => {
                let wait = Duration::from_nanos(due.0.saturating_sub(now().0));
                arrivals.recv_timeout(wait)
            }
            None => arrivals.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        server.advance(now());
        let ends = match arrival {
            Ok(line) => server.group(line, &arrivals),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                // What was not to be durable yet would be lost without need.
                server.sync();
                Some(Ok(()))
            }
        };
        let said = server.take_output();
        for complaint in server.complaints.drain(..) {
            // Nobody reads the log any more: the node goes on without it.
            let _ = writeln!(log, "{complaint}");
        }
        for line in said {
            writeln!(output, "{line}").map_err(ServeError::Output)?;
        }
        output.flush().map_err(ServeError::Output)?;
        if let Some(error) = server.failed.take() {
            return Err(ServeError::Folder(error));
        }
        if let Some(end) = ends {
            return end;
        }
    }
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
    /// Where the node will keep its records; none: in memory.
    folder: Option<DataFolder>,
    most_in_group: usize,
    node: Option<Box<dyn Node>>,
    name: String,
    timers: Timers,
    next_msg_id: u64,
    lines: u64,
    /// What may leave when the node has settled.
    outbox: Vec<String>,
    complaints: Vec<String>,
    failed: Option<FolderError>,
}

impl Server {
    /// A node that waits for its `init` and keeps everything in memory. In a cluster it exchanges its
    /// state with one peer in every `anti_entropy`.
    pub fn new(store: StoreName, anti_entropy: Duration) -> Self {
        Self {
            store,
            anti_entropy,
            folder: None,
            most_in_group: GROUP,
            node: None,
            name: String::new(),
            timers: Timers::default(),
            next_msg_id: 0,
            lines: 0,
            outbox: Vec::new(),
            complaints: Vec::new(),
            failed: None,
        }
    }

    /// Keeps what must not be lost in a folder, which was taken for this store. At most so many lines that
    /// wait together share one sync; 1 syncs for each.
    #[must_use]
    pub fn durable(mut self, folder: DataFolder, most_in_group: usize) -> Self {
        self.folder = Some(folder);
        self.most_in_group = most_in_group;
        self
    }

    /// Takes a line, and those that wait behind it. `Some` when serving ends with them.
    fn group(
        &mut self,
        first: io::Result<Line>,
        arrivals: &Receiver<io::Result<Line>>,
    ) -> Option<Result<(), ServeError>> {
        let waiting = std::iter::from_fn(|| arrivals.try_recv().ok());
        for line in std::iter::once(first)
            .chain(waiting)
            .take(self.most_in_group.max(1))
        {
            match line {
                Ok(Line::Whole(line)) => self.line(&line),
                Ok(Line::TooLong) => self.complain("a line longer than 64 MiB was skipped"),
                Err(error) => return Some(Err(ServeError::Input(error))),
            }
        }
        None
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

    /// The lines written since they were last taken, once all is durable that was to be before. When
    /// that fails there are none, and the node serves nothing any more.
    pub fn take_output(&mut self) -> Vec<String> {
        if let Some(Err(error)) = self.node.as_mut().map(|node| node.settle()) {
            self.node = None;
            self.outbox.clear();
            self.failed = Some(error);
        }
        std::mem::take(&mut self.outbox)
    }

    /// Why the node's data folder was refused or failed, if it was.
    pub const fn failure(&self) -> Option<&FolderError> {
        self.failed.as_ref()
    }

    /// Makes all that the node has written durable.
    fn sync(&mut self) {
        if let Some(node) = &mut self.node {
            node.sync();
        }
    }

    /// What was wrong with the input and could not be answered, since it was last taken.
    pub fn take_complaints(&mut self) -> Vec<String> {
        std::mem::take(&mut self.complaints)
    }

    fn complain(&mut self, what: &str) {
        self.complaints.push(format!("sibcheck node: {what}"));
    }

    /// When the first timer of the node is due, on the clock of [`Server::advance`].
    pub fn next_timer(&self) -> Option<Nanos> {
        self.timers.next()
    }

    /// So much time has passed since the server was made: timers that are due go off.
    pub fn advance(&mut self, now: Nanos) {
        for timer in self.timers.advance(now) {
            if let Some(node) = &mut self.node {
                let said = node.timer(timer);
                self.say(said);
            }
        }
    }

    fn message(&mut self, envelope: &Envelope) -> Result<(), Malformed> {
        if let Some(error) = &self.failed {
            // Without its records it must not begin again.
            let body = error_body(ErrorCode::TemporarilyUnavailable, &error.to_string());
            self.answer(&envelope.src, envelope.msg_id(), body);
            return Ok(());
        }
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
            self.name.clone_from(&init.node_id);
            match self.begin(&init.node_id, &init.node_ids) {
                Ok(said) => self.say(said),
                Err(error) => {
                    let body = error_body(ErrorCode::PreconditionFailed, &error.to_string());
                    self.answer(&envelope.src, envelope.msg_id(), body);
                    self.failed = Some(error);
                    return Ok(());
                }
            }
        }
        self.answer(
            &envelope.src,
            envelope.msg_id(),
            object(json!({"type": "init_ok"})),
        );
        Ok(())
    }

    /// Begins the life of a node, and returns what it says first.
    fn begin(&mut self, name: &str, names: &[String]) -> Result<Vec<Said>, FolderError> {
        let mut names: Vec<Actor> = names.iter().map(Actor::from).collect();
        if names.iter().all(|other| *other != name) {
            names.push(name.into());
        }
        let position = names.iter().position(|other| *other == name);
        let setting = Setting {
            position: position.and_then(|at| u32::try_from(at).ok()).unwrap_or(0),
            cluster: names.iter().cloned().collect(),
            anti_entropy: Nanos(nanos(self.anti_entropy)),
        };
        let folder = self.folder.take();
        let (node, said) = with_store!(self.store, Node => {
            let records = folder
                .map(|folder| folder.open(&setting.name(), &names))
                .transpose()?;
            let node = <Node<Json> as StoreNode>::new(self.store, setting);
            WireNode::begin(node, names, records)?
        });
        self.node = Some(node);
        Ok(said)
    }

    fn say(&mut self, said: Vec<Said>) {
        for said in said {
            match said {
                Said::Answer { to, msg_id, body } => self.answer(&to, Some(&msg_id), body),
                Said::Message { to, body } => self.write(&to, body),
                Said::Timer { after, timer } => self.timers.set(after, timer),
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

/// What an initialised node wants said or done.
enum Said {
    /// An answer to whoever asked under this `msg_id`.
    Answer {
        to: String,
        msg_id: Json,
        body: Map<String, Json>,
    },
    /// A message to a peer.
    Message { to: String, body: Map<String, Json> },
    /// A timer is to be set.
    Timer { after: Nanos, timer: u32 },
}

/// An initialised node, whichever store it has.
trait Node {
    /// Handles a message; `None` when its type is not known.
    fn handle(&mut self, envelope: &Envelope) -> Option<Result<Vec<Said>, Malformed>>;

    /// A timer goes off.
    fn timer(&mut self, timer: u32) -> Vec<Said>;

    /// Everything is to be durable when the node next settles.
    fn sync(&mut self);

    /// Makes durable what was to be, or tells what has failed since the node last settled.
    fn settle(&mut self) -> Result<(), FolderError>;
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
struct WireNode<N: StoreNode> {
    words: Wording,
    node: N,
    storage: Deferred<Option<Records<N::Place, N::Record>>>,
    failed: Option<FolderError>,
    names: Vec<Actor>,
    asked: BTreeMap<RequestId, Asked>,
    next: RequestId,
}

/// Who asked, and under which number.
struct Asked {
    client: String,
    msg_id: Option<Json>,
}

/// A store of siblings that can be served.
trait Served:
    StoreNode<
        Request = SiblingRequest<Json>,
        Answer = SiblingAnswer<Json, Self::Version>,
        Message = Self::Told,
        Place: Serialize + DeserializeOwned,
        Record: Serialize + DeserializeOwned,
    >
{
    /// The versions that it gives.
    type Version: WireStamp;
    /// What its nodes tell each other.
    type Told: PeerMessage;
}

impl<N, S, M> Served for N
where
    N: StoreNode<
            Request = SiblingRequest<Json>,
            Answer = SiblingAnswer<Json, S>,
            Message = M,
            Place: Serialize + DeserializeOwned,
            Record: Serialize + DeserializeOwned,
        >,
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
    siblings: Siblings<Json, S>,
}

/// What the wall clock of this machine shows, in nanoseconds.
#[expect(clippy::disallowed_types, reason = "a served store lives in real time")]
fn wall_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, nanos)
}

/// Nodes of stores of siblings, on the wire.
impl<N: Served> WireNode<N> {
    /// Begins the life of a node with what it finds, and returns what it says first.
    fn begin(
        node: N,
        names: Vec<Actor>,
        records: Option<Records<N::Place, N::Record>>,
    ) -> Result<(Box<dyn Node>, Vec<Said>), FolderError>
    where
        N: 'static,
    {
        let mut begun = Box::new(Self {
            words: N::Version::words(),
            node,
            storage: Deferred::new(records),
            failed: None,
            names,
            asked: BTreeMap::new(),
            next: 0,
        });
        let mut effects = Vec::new();
        let Self { node, storage, .. } = &mut *begun;
        storage.recover(&mut |found| node.start(found, &mut effects))?;
        let said = begun.said(effects);
        Ok((begun, said))
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

    /// Carries out effects, and returns what is said among them.
    fn said(&mut self, mut effects: EffectsOf<N>) -> Vec<Said> {
        let mut said = Vec::new();
        let Self { names, asked, .. } = self;
        let mut leaves = |outgoing| match outgoing {
            Outgoing::Send(peer, message) => {
                let name = names.get(peer as usize);
                said.extend(name.map(|name| Said::Message {
                    to: name.as_str().to_owned(),
                    body: object(N::Told::body(&message)),
                }));
            }
            Outgoing::Reply(request, answer) => {
                said.extend(asked.remove(&request).and_then(|asked| {
                    // Without a number the client wants no answer.
                    Some(Said::Answer {
                        to: asked.client,
                        msg_id: asked.msg_id?,
                        body: body_of(answer),
                    })
                }));
            }
            Outgoing::SetTimer(after, timer) => said.push(Said::Timer { after, timer }),
        };
        if let Err(error) = carry_out::<N, _>(&mut effects, &mut self.storage, &mut leaves) {
            self.failed.get_or_insert(error);
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
        let entry = |(key, siblings): &(Key, Siblings<Json, S>)| WireEntry {
            key: key.clone(),
            siblings: siblings.clone(),
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
        let entry = |entry: WireEntry<S>| (entry.key, entry.siblings);
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

    fn timer(&mut self, timer: u32) -> Vec<Said> {
        let mut effects = Vec::new();
        self.node.timer(timer, &mut effects);
        self.said(effects)
    }

    fn sync(&mut self) {
        // Nothing is written by it yet, so it cannot fail.
        let _ = Storage::sync(&mut self.storage);
    }

    fn settle(&mut self) -> Result<(), FolderError> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.storage.settle(),
        }
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
    fn a_node_whose_folder_is_refused_never_begins() {
        let path = std::env::temp_dir().join(format!("sibcheck-serve-{}", std::process::id()));
        let init = |server: &mut Server, name: &str| {
            let body = json!({"type": "init", "msg_id": 1, "node_id": name, "node_ids": [name]});
            let answers = ask(server, &client(body));
            answers[0]["body"]["code"].as_u64()
        };
        let served = || {
            let folder = DataFolder::take(&path, StoreName::Dotted).unwrap();
            Server::new(StoreName::Dotted, Duration::from_secs(1)).durable(folder, 1)
        };
        let mut first = served();
        assert_eq!(init(&mut first, "n1"), None);
        assert!(first.failure().is_none());
        drop(first);
        let mut second = served();
        assert_eq!(init(&mut second, "n2"), Some(22));
        assert_eq!(init(&mut second, "n1"), Some(11));
        assert!(second.failure().is_some());
        drop(second);
        assert_eq!(init(&mut served(), "n1"), None);
        std::fs::remove_dir_all(path).unwrap();
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
            one.advance(Nanos::from_millis(1_000));
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
