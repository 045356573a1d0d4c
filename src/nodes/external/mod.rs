//! Nodes that are programs outside, in lockstep with virtual time.
//!
//! The harness is the network, so it also owns time: a message is written to a program's stdin, the
//! program runs until it is idle, and what it wrote becomes new messages at the same virtual
//! instant. Nothing sleeps, and a program without timers or randomness of its own behaves the same
//! on every run.

mod program;
mod speech;

pub use program::{NodeFailure, Program, Sin, Tolerated};

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc, time::Duration};

use serde_json::{Map, Value as Json, json};
use sibcheck_checkers::history::{Name, Value};

use crate::{
    clocks::{Actor, VectorClock},
    protocol::Dialect,
    simulation::Address,
};

use super::{
    Ask, Nodes, Output, Reply, Request, TaggedValue, node_name,
    process::{ExternalError, Idle, Launch, Line, Process, Unsettled},
};

/// What travels between clients and programs.
#[derive(Clone, Debug)]
pub enum Wire {
    /// A line for a node, from a client or from another node.
    Line(Arc<str>),
    /// An answer for a client, with the node that wrote it.
    Answer {
        /// The node's position.
        node: u32,
        /// The body of the message.
        body: Arc<Map<String, Json>>,
    },
}

/// A request that a client has sent.
struct Asked {
    client: u32,
    wrote: bool,
    /// The node that got it, once it did.
    node: Option<u32>,
    answered: bool,
    /// Real time has passed for it already, in vain.
    waited: bool,
}

/// The nodes of one run.
pub struct External<'p> {
    program: &'p Program,
    tolerated: &'p Tolerated,
    names: Vec<Actor>,
    processes: Vec<Option<Process>>,
    folder: PathBuf,
    /// By request.
    asked: BTreeMap<u32, Asked>,
    /// The client that bears a name.
    clients: BTreeMap<Name, u32>,
    /// The request that each client sent last.
    last_asked: BTreeMap<u32, u32>,
    failure: Option<NodeFailure>,
    /// How often it is still worth waiting for timers.
    timer_waits: u32,
    /// Requests delivered to nodes, by clients and by nodes.
    pub delivered: u64,
}

/// Whoever sends `init`.
const INITIATOR: &str = "c0";

/// Rounds of gossip that nodes are given to converge after the faults have healed.
const TIMER_WAITS: u32 = 3;

/// What to do about a line that is no message.
const STDOUT_IS_FOR_MESSAGES: &str =
    "write nothing but messages to stdout, one JSON object a line; logs belong on stderr";

/// Lines are cut to this length when they are shown, in characters.
const SHOWN: usize = 200;

impl<'p> External<'p> {
    /// The nodes of a run, not yet started. Their folders are below `folder`.
    pub fn new(
        program: &'p Program,
        tolerated: &'p Tolerated,
        nodes: u32,
        folder: PathBuf,
    ) -> Self {
        Self {
            program,
            tolerated,
            names: (0..nodes).map(node_name).collect(),
            processes: (0..nodes).map(|_| None).collect(),
            folder,
            asked: BTreeMap::new(),
            clients: BTreeMap::new(),
            last_asked: BTreeMap::new(),
            failure: None,
            timer_waits: TIMER_WAITS,
            delivered: 0,
        }
    }

    /// How a node failed, if one did.
    pub fn failure(&self) -> Option<&NodeFailure> {
        self.failure.as_ref()
    }

    fn fail(&mut self, node: u32, what: &str, remedy: &str) {
        let failure = NodeFailure::new(&self.names[node as usize], what, remedy);
        self.failure.get_or_insert(failure);
    }

    fn fail_process(&mut self, error: &ExternalError) {
        self.failure.get_or_insert(NodeFailure::process(error));
    }

    fn stderr_file(&self, node: u32) -> PathBuf {
        let name = &self.names[node as usize];
        self.folder.join(format!("{name}.stderr"))
    }

    /// Hands a line to a node and routes what it writes until it is idle again.
    fn hand_over(&mut self, node: u32, line: &str, out: &mut Vec<Output<Wire>>) {
        let Some(process) = self.processes[node as usize].as_mut() else {
            return;
        };
        self.delivered += 1;
        let mut lines = Vec::new();
        let result = process.deliver(line, &mut lines);
        self.route_all(node, &lines, out);
        match result {
            Ok(Idle::Never(why)) => self.fail_restless(node, why),
            Ok(Idle::Reached | Idle::Paused) => {}
            Err(error) => self.fail_process(&error),
        }
    }

    fn fail_restless(&mut self, node: u32, why: Unsettled) {
        let patience = self.program.busy_patience;
        let what = match why {
            Unsettled::Running => "it went on running",
            Unsettled::InputUnread => "it left input unread",
            Unsettled::Unobservable => "this system does not show whether it is idle",
        };
        self.fail(
            node,
            &format!("{what} for {patience:?} after a message"),
            "a node in lockstep has to come to rest after each message: look for a busy loop",
        );
    }

    fn route_all(&mut self, node: u32, lines: &[Line], out: &mut Vec<Output<Wire>>) {
        for line in lines {
            self.route(node, line, out);
        }
    }

    /// Sends on what a node wrote: to a client, or to another node without looking into it.
    fn route(&mut self, node: u32, line: &Line, out: &mut Vec<Output<Wire>>) {
        if line.bytes.trim_ascii().is_empty() {
            return;
        }
        let objects = match speech::objects(&line.bytes) {
            Ok(objects) => objects,
            Err(why) => return self.garbage(node, line, &why),
        };
        if objects.len() > 1 {
            self.tolerated.note(Sin::MergedLines);
        }
        let alone = objects.len() == 1;
        for mut object in objects {
            let Some(Json::String(to)) = object.get("dest") else {
                if object.get("dest").is_some_and(Json::is_null) {
                    self.tolerated.note(Sin::NoReceiver);
                    continue;
                }
                return self.garbage(node, line, "it has no \"dest\" that is a string");
            };
            if let Some(peer) = self.names.iter().position(|name| name == to) {
                let peer = u32::try_from(peer).unwrap_or(u32::MAX);
                let line = if alone {
                    String::from_utf8_lossy(&line.bytes).into()
                } else {
                    Json::Object(object).to_string().into()
                };
                out.push(Output::Send(Address::Node(peer), Wire::Line(line)));
                continue;
            }
            let Some(&client) = self.clients.get(to.as_str()) else {
                if to != INITIATOR {
                    self.tolerated.note(Sin::NoReceiver);
                }
                continue;
            };
            let Some(Json::Object(body)) = object.remove("body") else {
                return self.garbage(node, line, "it has no \"body\" that is an object");
            };
            self.note_answer(client, &body);
            let body = Arc::new(body);
            out.push(Output::Send(
                Address::Client(client),
                Wire::Answer { node, body },
            ));
        }
    }

    fn garbage(&mut self, node: u32, line: &Line, why: &str) {
        let text = String::from_utf8_lossy(line.bytes.trim_ascii());
        let mut shown: String = text.chars().take(SHOWN).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        self.fail(
            node,
            &format!(
                "line {} of its output is not a message: {why}\n  {shown}\n  expected: \
                 {{\"src\":\"{}\",\"dest\":\"…\",\"body\":{{\"type\":\"…\",…}}}}",
                line.number, self.names[node as usize]
            ),
            STDOUT_IS_FOR_MESSAGES,
        );
    }

    /// The request that an answer for this client answers, if the client ever sent it.
    fn answered(&self, client: u32, body: &Map<String, Json>) -> Option<u32> {
        let request = match speech::id(body, "in_reply_to") {
            Some(id) => u32::try_from(id - 1).ok()?,
            None => *self.last_asked.get(&client)?,
        };
        let asked = self.asked.get(&request)?;
        (asked.client == client).then_some(request)
    }

    fn note_answer(&mut self, client: u32, body: &Map<String, Json>) {
        if speech::id(body, "in_reply_to").is_none() {
            self.tolerated.note(Sin::NoReplyTo);
        }
        let asked = self
            .answered(client, body)
            .and_then(|request| self.asked.get_mut(&request));
        match asked {
            Some(asked) if !asked.answered => asked.answered = true,
            _ => self.tolerated.note(Sin::Unasked),
        }
    }

    /// Starts a node's process and waits for the answer to its `init`.
    fn launch(&mut self, node: u32, out: &mut Vec<Output<Wire>>) -> Result<(), ExternalError> {
        let name = self.names[node as usize].clone();
        let launch = Launch {
            argv: self.program.argv.clone(),
            folder: self.folder.join(name.as_str()),
            stderr_file: self.stderr_file(node),
            name: name.to_string(),
            guard: self.program.guard.clone(),
        };
        let mut process = Process::spawn(&launch)?;
        let body = json!({"type": "init", "msg_id": 1, "node_id": name, "node_ids": self.names});
        let init = json!({"src": INITIATOR, "dest": name, "body": body}).to_string();
        let mut lines = Vec::new();
        // Some languages take seconds to start.
        process.set_patience(self.program.start_patience);
        process.deliver(&init, &mut lines)?;
        process.set_patience(self.program.busy_patience);
        let initialised = |lines: &[Line]| {
            lines
                .iter()
                .filter_map(|line| speech::objects(&line.bytes).ok())
                .flatten()
                .any(|object| object.get("dest").and_then(Json::as_str) == Some(INITIATOR))
        };
        wait_for(
            &mut process,
            self.program.start_patience,
            &mut lines,
            initialised,
        )?;
        let answered = initialised(&lines);
        self.processes[node as usize] = Some(process);
        self.route_all(node, &lines, out);
        if !answered {
            self.fail(
                node,
                &format!(
                    "no answer to its init came within {:?}",
                    self.program.start_patience
                ),
                "it should answer init with init_ok, on a line of its own, and flush its output",
            );
        }
        Ok(())
    }

    /// Lets real time pass at a node, and adds what it wrote.
    fn let_time_pass(&mut self, node: u32, span: Duration, all: &mut Vec<(u32, Output<Wire>)>) {
        let Some(process) = self.processes[node as usize].as_mut() else {
            return;
        };
        let mut lines = Vec::new();
        let result = process.wait(span, &mut lines);
        let mut out = Vec::new();
        self.route_all(node, &lines, &mut out);
        all.extend(out.into_iter().map(|output| (node, output)));
        if let Err(error) = result {
            self.fail_process(&error);
        }
    }
}

impl Nodes for External<'_> {
    type Message = Wire;

    fn start(&mut self, node: u32, out: &mut Vec<Output<Wire>>) {
        if let Err(error) = self.launch(node, out) {
            self.fail_process(&error);
        }
    }

    fn request(&mut self, request: Request) -> Wire {
        let dialect = self.program.dialect;
        let wrote = matches!(request.ask, Ask::Write { .. });
        let mut body = match &request.ask {
            Ask::Read => dialect.read(&request.key),
            Ask::Write { value, parents } => {
                let context = parents
                    .iter()
                    .fold(VectorClock::new(), |joined, parent| joined.merge(parent));
                dialect.write(&request.key, &self.recorded(*value).data, &context)
            }
        };
        body.insert("msg_id".into(), (u64::from(request.id) + 1).into());
        let client = request.identity;
        self.clients.insert(request.client.clone(), client);
        self.last_asked.insert(client, request.id);
        let asked = Asked {
            client,
            wrote,
            node: None,
            answered: false,
            waited: false,
        };
        self.asked.insert(request.id, asked);
        let to = &self.names[request.node as usize];
        let message = json!({"src": request.client, "dest": to, "body": body});
        Wire::Line(message.to_string().into())
    }

    fn reply(&mut self, client: u32, message: Wire) -> Option<(u32, Reply)> {
        let Wire::Answer { node, body } = message else {
            return None;
        };
        let request = self.answered(client, &body)?;
        let wrote = self.asked.get(&request)?.wrote;
        match speech::answer(self.program.dialect, wrote, &body, &self.names) {
            Ok(reply) => Some((request, reply)),
            Err(why) => {
                let shown: String = Json::Object((*body).clone())
                    .to_string()
                    .chars()
                    .take(SHOWN)
                    .collect();
                let dialect = self.program.dialect;
                let kind = if wrote {
                    dialect.write_type()
                } else {
                    dialect.read_type()
                };
                self.fail(
                    node,
                    &format!("its answer to {kind} makes no sense: {why}\n  {shown}"),
                    &format!("it should answer as the dialect {dialect} does; is --dialect right?"),
                );
                None
            }
        }
    }

    fn deliver(&mut self, node: u32, from: Address, message: Wire, out: &mut Vec<Output<Wire>>) {
        let Wire::Line(line) = message else {
            return;
        };
        if let Address::Client(client) = from
            && let Some(request) = self.last_asked.get(&client)
            && let Some(asked) = self.asked.get_mut(request)
        {
            asked.node = Some(node);
        }
        self.hand_over(node, &line, out);
    }

    fn timer(&mut self, _: u32, _: u32, _: &mut Vec<Output<Wire>>) {}

    fn crash(&mut self, node: u32) {
        if let Some(mut process) = self.processes[node as usize].take() {
            process.kill();
        }
        for asked in self
            .asked
            .values_mut()
            .filter(|asked| asked.node == Some(node))
        {
            // Nobody is left to answer it.
            asked.waited = true;
        }
    }

    fn recorded(&self, value: TaggedValue) -> Value {
        Value {
            tag: None,
            data: format!("v{}", value.tag).into(),
        }
    }

    fn failed(&self) -> bool {
        self.failure.is_some()
    }

    fn live_in_real_time(&self) -> bool {
        true
    }

    fn await_answer(&mut self, request: u32) -> Vec<(u32, Output<Wire>)> {
        let mut all = Vec::new();
        if let Some(asked) = self.asked.get_mut(&request)
            && !asked.answered
            && !asked.waited
            && let Some(node) = asked.node
        {
            asked.waited = true;
            self.let_time_pass(node, self.program.patience, &mut all);
        }
        all
    }

    fn await_timers(&mut self) -> Option<Vec<(u32, Output<Wire>)>> {
        self.timer_waits = self.timer_waits.checked_sub(1)?;
        let mut all = Vec::new();
        let nodes = u32::try_from(self.processes.len()).unwrap_or(1);
        for node in 0..nodes {
            self.let_time_pass(node, self.program.timer_patience / nodes, &mut all);
        }
        (!all.is_empty()).then_some(all)
    }
}

/// Lets real time pass until `enough` has been written or `patience` is over.
fn wait_for(
    process: &mut Process,
    patience: Duration,
    lines: &mut Vec<Line>,
    enough: impl Fn(&[Line]) -> bool,
) -> Result<(), ExternalError> {
    const SLICE: Duration = Duration::from_millis(20);
    let mut left = patience;
    while !enough(lines) && !left.is_zero() {
        let slice = SLICE.min(left);
        process.wait(slice, lines)?;
        left -= slice;
    }
    Ok(())
}

/// Tells a fresh node these lines, one after the other, and returns the messages that it wrote, as
/// soon as there are `expected` of them or `patience` is over.
///
/// # Errors
///
/// When the program cannot be started, dies, or writes what is no JSON object.
pub fn converse(
    program: &Program,
    input: &[String],
    expected: usize,
    patience: Duration,
) -> Result<Vec<Json>, NodeFailure> {
    let name = node_name(0);
    let launch = Launch {
        argv: program.argv.clone(),
        folder: program.folder.join(name.as_str()),
        stderr_file: program.folder.join("stderr"),
        name: name.to_string(),
        guard: program.guard.clone(),
    };
    let failed = |error: ExternalError| NodeFailure::process(&error);
    let mut process = Process::spawn(&launch).map_err(failed)?;
    process.set_patience(program.start_patience);
    let mut lines = Vec::new();
    for line in input {
        process.deliver(line, &mut lines).map_err(failed)?;
    }
    let enough = |lines: &[Line]| lines.len() >= expected;
    wait_for(&mut process, patience, &mut lines, enough).map_err(failed)?;
    let mut messages = Vec::new();
    for line in &lines {
        let objects = speech::objects(&line.bytes).map_err(|why| {
            let text = String::from_utf8_lossy(&line.bytes);
            NodeFailure::new(
                &name,
                &format!("line {} is not a message: {why}: {text}", line.number),
                STDOUT_IS_FOR_MESSAGES,
            )
        })?;
        messages.extend(objects.into_iter().map(Json::Object));
    }
    Ok(messages)
}

/// Finds out which dialect a program speaks, by asking a throw-away process for each: about half of
/// all programs die of a request that they do not know.
///
/// # Errors
///
/// When it answers the read of no dialect; with what came of the first.
pub fn detect(program: &Program) -> Result<Dialect, NodeFailure> {
    let probe = Program {
        folder: program.folder.join("probe"),
        ..program.clone()
    };
    let found = ask_for_dialect(&probe);
    if found.is_ok() {
        // What is left behind tells about a failure only.
        let _ = fs::remove_dir_all(&probe.folder);
    }
    found
}

fn ask_for_dialect(program: &Program) -> Result<Dialect, NodeFailure> {
    let name = node_name(0);
    let line =
        |client: &str, body: Json| json!({"src": client, "dest": name, "body": body}).to_string();
    let init = json!({"type": "init", "msg_id": 1, "node_id": name, "node_ids": [name]});
    let mut first = None;
    for dialect in Dialect::ALL {
        let mut read = dialect.read(&"sibcheck-probe".into());
        read.insert("msg_id".into(), 2.into());
        let input = [
            line(INITIATOR, init.clone()),
            line("c1", Json::Object(read)),
        ];
        let answered = |message: &Json| {
            let body = &message["body"];
            let ok = format!("{}_ok", dialect.read_type());
            message["dest"] == "c1" && (body["type"] == ok || body["values"].is_array())
        };
        match converse(program, &input, 2, program.patience) {
            Ok(messages) if messages.iter().any(answered) => return Ok(dialect),
            Ok(_) => {}
            Err(failure) => {
                first.get_or_insert(failure);
            }
        }
    }
    let what = first.map_or_else(String::new, |failure| format!(" ({failure})"));
    let names = Dialect::ALL.map(Dialect::name).join(", ");
    Err(NodeFailure::new(
        &name,
        &format!("it answers the read of no dialect that is known here: {names}{what}"),
        "give --dialect if it speaks one of them all the same",
    ))
}
