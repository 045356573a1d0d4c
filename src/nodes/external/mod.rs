//! Nodes that are programs outside: in lockstep with virtual time, or in real time.
//!
//! The harness is the network, so it also owns time: a message is written to a program's stdin, the
//! program runs until it is idle, and what it wrote becomes new messages at the same virtual
//! instant. Nothing sleeps, and a program without timers or randomness of its own behaves the same
//! on every run.
//!
//! In real time (`Time::Real`) the same network delays messages by the clock on the wall, and
//! programs are listened to all the time: for those whose own timers drive them, that never rest,
//! or whose rest cannot be seen.

mod detect;
mod intake;
mod names;
mod program;
mod routing;
mod sins;
mod speaker;
mod speech;

pub use detect::detect;
pub use names::{BadNames, NodeNames};
pub use program::{NodeFailure, Program};
pub use sins::{Sin, Tolerated};

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use serde::de::IgnoredAny;
use serde_json::{Map, Value as Json, json};
use sibcheck_checkers::history::{Name, Value};

use crate::{
    clocks::Actor,
    plans::{Plan, Time},
    simulation::{Address, Nanos},
};

use super::{
    Grace, Manner, Nodes, Output, Reply, Request, TaggedValue,
    process::{ExternalError, Idle, Launch, Line, Process, Unsettled, Waited, await_any, now},
};
use speaker::{Question, Speaker};

use intake::Intake;

/// What travels between clients and programs.
#[derive(Clone, Debug)]
pub enum Wire {
    /// A line for a node, from another node.
    Line(Arc<str>),
    /// A line for a node, from a client.
    Request {
        /// The request's id.
        request: u32,
        /// The line.
        line: Arc<str>,
    },
    /// An answer for a client, with the node that wrote it.
    Answer {
        /// The node's position.
        node: u32,
        /// The request that it answers.
        request: u32,
        /// The body of the message.
        body: Arc<Map<String, Json>>,
    },
}

/// A request that a client has sent.
struct Asked {
    client: u32,
    question: Question,
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
    speaker: Speaker<'p>,
    processes: Vec<Option<Process>>,
    folder: PathBuf,
    /// By request.
    asked: BTreeMap<u32, Asked>,
    /// The client that bears a name.
    clients: BTreeMap<Name, u32>,
    /// What each client has asked at nodes that did not answer yet.
    open: BTreeMap<u32, Vec<u32>>,
    /// What each node has begun to say.
    intakes: Vec<Intake>,
    /// Whether each node has answered its `init`.
    initialised: Vec<bool>,
    /// How many requests in a row each node let wait in vain.
    in_vain: Vec<u32>,
    failure: Option<NodeFailure>,
    /// How often it was waited for timers, and how long.
    timer_waits: (u32, Duration),
    /// Set when the run began, where the wall's clock is the time that passes.
    began: Option<Instant>,
    real_time: bool,
    /// Those that have yet to answer their `init`, in real time.
    starting: Vec<Option<Starting>>,
    paused: Vec<bool>,
    /// Requests delivered to nodes, by clients and by nodes.
    pub delivered: u64,
}

/// A node that was started anew in real time.
struct Starting {
    /// When its patience is over.
    deadline: Instant,
    /// What it will get once it has answered its `init`.
    held: Vec<Arc<str>>,
}

/// Whoever sends `init`.
const INITIATOR: &str = "c0";

/// Rounds of gossip that nodes are given to converge after the faults have healed: so many at
/// least, and so many at most while they are quick.
const TIMER_WAITS: (u32, u32) = (3, 20);

/// How long it takes nodes that gossip at the same time to do so.
const ROUND: Duration = Duration::from_millis(200);

/// Requests in a row after which a node that does not answer gets a tenth of the real time.
const IN_VAIN: u32 = 10;

/// Real time between two looks at a node that starts.
const START_SLICE: Duration = Duration::from_millis(20);

/// Requests after which a program that has never answered any is said to be mute.
const MUTE: u32 = 5;

/// How long a mute node may take to end after its input did.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a node may take to end once its input has.
const GRACE: Duration = Duration::from_secs(1);

/// The longest sleep between two looks at all nodes in real time, so that an end which wakes nobody
/// is noticed.
const LONGEST_DEAFNESS: Duration = Duration::from_millis(50);

/// How long a program that never rests is left alone with each line of a conversation.
const RESTLESS_TURN: Duration = Duration::from_millis(50);

/// What to do about a line that is no message.
const STDOUT_IS_FOR_MESSAGES: &str =
    "write nothing but messages to stdout, one JSON object a line; logs belong on stderr";

impl<'p> External<'p> {
    /// The nodes of a plan's run, not yet started. Their folders are below `folder`.
    pub fn new(
        program: &'p Program,
        tolerated: &'p Tolerated,
        plan: &Plan,
        folder: PathBuf,
    ) -> Self {
        let nodes = plan.nodes;
        let names: Vec<Actor> = (0..nodes).map(|node| program.names.of(node)).collect();
        Self {
            program,
            tolerated,
            speaker: Speaker::new(&program.dialect, &names, plan.clients.len()),
            names,
            processes: (0..nodes).map(|_| None).collect(),
            intakes: (0..nodes).map(|_| Intake::default()).collect(),
            initialised: vec![false; nodes as usize],
            in_vain: vec![0; nodes as usize],
            folder,
            asked: BTreeMap::new(),
            clients: BTreeMap::new(),
            open: BTreeMap::new(),
            failure: None,
            timer_waits: (0, Duration::ZERO),
            began: None,
            real_time: plan.time == Time::Real,
            starting: (0..nodes).map(|_| None).collect(),
            paused: vec![false; nodes as usize],
            delivered: 0,
        }
    }

    /// How a node failed, if one did.
    pub fn failure(&self) -> Option<&NodeFailure> {
        self.failure.as_ref()
    }

    /// True when a clock or a context came that cannot be read.
    pub fn heard_opaque(&self) -> bool {
        self.speaker.heard_opaque()
    }

    fn fail(&mut self, node: u32, what: &str, remedy: &str) {
        let failure = NodeFailure::new(&self.names[node as usize], what, remedy);
        self.failure.get_or_insert(failure);
    }

    fn fail_process(&mut self, error: &ExternalError) {
        self.failure.get_or_insert(NodeFailure::process(error));
    }

    /// Ends the nodes in good order: their input is closed, and what has not ended after a grace
    /// period is killed, with all that it started. A program that was seen not to end by itself
    /// is not waited for again.
    pub fn finish(&mut self) {
        let patient = self.failure.is_none() && self.tolerated.count(Sin::StaysAlive) == 0;
        let mut processes: Vec<Process> =
            self.processes.iter_mut().filter_map(Option::take).collect();
        for process in &mut processes {
            process.close_input();
        }
        let deadline = now() + GRACE;
        for mut process in processes {
            let grace = if patient {
                deadline.saturating_duration_since(now())
            } else {
                Duration::ZERO
            };
            // What it still writes reaches nobody.
            let ended = process.stop(grace, &mut Vec::new());
            if patient && ended.killed {
                self.note_staying(process.name());
            }
        }
    }

    /// What each node wrote to stderr, by its name; none for a node that was silent.
    pub fn logs(&self) -> Vec<(String, Vec<u8>)> {
        let nodes = 0..u32::try_from(self.names.len()).unwrap_or(0);
        let logs = nodes.filter_map(|node| {
            let text = fs::read(self.stderr_file(node)).ok()?;
            (!text.is_empty()).then(|| (self.names[node as usize].to_string(), text))
        });
        logs.collect()
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
        let result = if self.real_time {
            process.send(line, &mut lines).map(|()| Idle::Reached)
        } else {
            process.deliver(line, &mut lines)
        };
        self.take_in(node, &lines, result, out);
    }

    /// Routes what a node wrote, and notes what became of it.
    fn take_in(
        &mut self,
        node: u32,
        lines: &[Line],
        result: Result<Idle, ExternalError>,
        out: &mut Vec<Output<Wire>>,
    ) {
        self.route_written(node, lines, result.is_err(), out);
        match result {
            Ok(Idle::Never(why)) => self.fail_restless(node, why),
            Ok(Idle::Reached) => self.take_rest(node, !self.real_time, out),
            Ok(Idle::Paused) => {}
            Err(error) => self.fail_process(&error),
        }
    }

    fn fail_restless(&mut self, node: u32, why: Unsettled) {
        let patience = self.program.busy_patience;
        let what = match why {
            Unsettled::Running => format!("it went on running for {patience:?} after a message"),
            Unsettled::Unobservable => "this system does not show whether it is at rest".to_owned(),
            Unsettled::InputUnread => {
                return self.fail(
                    node,
                    &format!("it left input unread for {patience:?}"),
                    "it should read every line of its stdin as it comes",
                );
            }
        };
        let failure = NodeFailure::restless(&self.names[node as usize], &what);
        self.failure.get_or_insert(failure);
    }

    /// Starts a node's process.
    fn spawn(&mut self, node: u32) -> Result<(), ExternalError> {
        self.intakes[node as usize] = Intake::default();
        self.initialised[node as usize] = false;
        let name = &self.names[node as usize];
        let launch = Launch {
            argv: self.program.argv.clone(),
            folder: self.folder.join(name.as_str()),
            stderr_file: self.stderr_file(node),
            name: name.to_string(),
            guard: self.program.guard.clone(),
        };
        self.processes[node as usize] = Some(Process::spawn(&launch)?);
        Ok(())
    }

    /// Starts a node's process and sends it its `init`. In virtual time, and before a run begins in
    /// real time, waits for the answer; where a run in real time goes on, others are not held up.
    fn launch(&mut self, node: u32, out: &mut Vec<Output<Wire>>) -> Result<(), ExternalError> {
        if self.processes[node as usize].is_none() {
            self.spawn(node)?;
        }
        let name = &self.names[node as usize];
        let body = json!({"type": "init", "msg_id": 1, "node_id": name, "node_ids": self.names});
        let init = json!({"src": INITIATOR, "dest": name, "body": body}).to_string();
        let Some(process) = self.processes[node as usize].as_mut() else {
            return Ok(());
        };
        process.set_patience(self.program.busy_patience);
        let mut lines = Vec::new();
        process.send(&init, &mut lines)?;
        // Some languages take seconds to start.
        let mut left = self.program.start_patience;
        if self.began.is_some() {
            self.starting[node as usize] = Some(Starting {
                deadline: now() + left,
                held: Vec::new(),
            });
            return Ok(());
        }
        while !self.initialised[node as usize] && self.failure.is_none() {
            if left.is_zero() {
                self.fail_silent(node);
                return Ok(());
            }
            let slice = START_SLICE.min(left);
            left -= slice;
            let mut all = Vec::new();
            self.let_time_pass(node, slice, &mut all);
            out.extend(all.into_iter().map(|(_, output)| output));
        }
        let Some(process) = self.processes[node as usize].as_mut() else {
            return Ok(());
        };
        let settled = if self.failure.is_none() && !self.real_time {
            process.settle(&mut lines)
        } else {
            Ok(Idle::Reached)
        };
        if self.paused[node as usize] {
            process.pause()?;
        }
        self.take_in(node, &lines, settled, out);
        Ok(())
    }

    fn fail_silent(&mut self, node: u32) {
        let patience = self.program.start_patience;
        let what = format!("no answer to its init came within {patience:?}");
        self.fail_mute(node, &what, "it should answer init with init_ok");
    }

    /// Tells that a node says nothing, and whether it would have at its end.
    fn fail_mute(&mut self, node: u32, what: &str, duty: &str) {
        let mut lines = Vec::new();
        if let Some(mut process) = self.processes[node as usize].take() {
            process.stop(LAST_WORDS, &mut lines);
        }
        let failure = mute(&self.names[node as usize], what, duty, &lines);
        self.failure.get_or_insert(failure);
    }

    /// Takes in what nodes have written so far, without waiting.
    fn collect(&mut self, all: &mut Vec<(u32, Output<Wire>)>) {
        let mut lines = Vec::new();
        let mut out = Vec::new();
        for node in 0..u32::try_from(self.processes.len()).unwrap_or(0) {
            let Some(process) = self.processes[node as usize].as_mut() else {
                continue;
            };
            let result = process.collect(&mut lines).map(|()| Idle::Reached);
            self.take_in(node, &lines, result, &mut out);
            self.welcome(node);
            all.extend(out.drain(..).map(|output| (node, output)));
            lines.clear();
        }
    }

    /// Hands a node that has answered its `init` what came for it meanwhile.
    fn welcome(&mut self, node: u32) {
        let Some(starting) = &self.starting[node as usize] else {
            return;
        };
        if !self.initialised[node as usize] {
            if now() >= starting.deadline {
                self.fail_silent(node);
            }
            return;
        }
        let held = self.starting[node as usize].take();
        for line in held.into_iter().flat_map(|starting| starting.held) {
            // In real time nothing is written at once.
            self.hand_over(node, &line, &mut Vec::new());
        }
    }

    /// Lets real time pass at a node, and adds what it wrote.
    fn let_time_pass(&mut self, node: u32, span: Duration, all: &mut Vec<(u32, Output<Wire>)>) {
        let Some(process) = self.processes[node as usize].as_mut() else {
            return;
        };
        let mut lines = Vec::new();
        let result = process.wait(span, &mut lines);
        let mut out = Vec::new();
        self.route_written(node, &lines, result.is_err(), &mut out);
        if matches!(result, Ok(Waited::Wrote | Waited::Silent)) {
            self.take_rest(node, !self.real_time, &mut out);
        }
        all.extend(out.into_iter().map(|output| (node, output)));
        if let Err(error) = result {
            self.fail_process(&error);
        }
    }
}

impl Nodes for External<'_> {
    type Message = Wire;

    fn start(&mut self, node: u32, out: &mut Vec<Output<Wire>>) {
        let mut started = Ok(());
        if node == 0 && self.asked.is_empty() && self.failure.is_none() {
            // Slow languages come up side by side.
            let nodes = u32::try_from(self.names.len()).unwrap_or(0);
            started = (0..nodes).try_for_each(|node| self.spawn(node));
        }
        if let Err(error) = started.and_then(|()| self.launch(node, out)) {
            self.fail_process(&error);
        }
    }

    fn request(&mut self, request: Request) -> Wire {
        let (mut body, question) = self.speaker.ask(&request);
        body.insert("msg_id".into(), (u64::from(request.id) + 1).into());
        let client = request.identity;
        self.clients.insert(request.client.clone(), client);
        let asked = Asked {
            client,
            question,
            node: None,
            answered: false,
            waited: false,
        };
        self.asked.insert(request.id, asked);
        let to = &self.names[request.node as usize];
        let message = json!({"src": request.client, "dest": to, "body": body});
        Wire::Request {
            request: request.id,
            line: message.to_string().into(),
        }
    }

    fn reply(&mut self, _client: u32, message: Wire) -> Option<(u32, Reply)> {
        let Wire::Answer {
            node,
            request,
            body,
        } = message
        else {
            return None;
        };
        let question = &self.asked.get(&request)?.question;
        match self.speaker.understand(question, &body) {
            Ok(reply) => Some((request, reply)),
            Err(why) => {
                let shown = sins::cut(&Json::Object((*body).clone()).to_string());
                let dialect = &self.program.dialect;
                let kind = self.speaker.kind(question).to_owned();
                self.fail(
                    node,
                    &format!("its answer to {kind} makes no sense: {why}\n  {shown}"),
                    &format!("it should answer as the dialect {dialect} does; is --dialect right?"),
                );
                None
            }
        }
    }

    fn deliver(&mut self, node: u32, _from: Address, message: Wire, out: &mut Vec<Output<Wire>>) {
        let line = match message {
            Wire::Line(line) => line,
            Wire::Request { request, line } => {
                if let Some(asked) = self.asked.get_mut(&request) {
                    asked.node = Some(node);
                    self.open.entry(asked.client).or_default().push(request);
                }
                line
            }
            Wire::Answer { .. } => return,
        };
        if let Some(starting) = &mut self.starting[node as usize] {
            starting.held.push(line);
            return;
        }
        self.hand_over(node, &line, out);
    }

    fn timer(&mut self, _: u32, _: u32, _: &mut Vec<Output<Wire>>) {}

    fn crash(&mut self, node: u32) {
        if let Some(mut process) = self.processes[node as usize].take() {
            process.kill();
        }
        self.forget(node);
    }

    fn stop(&mut self, node: u32, out: &mut Vec<Output<Wire>>) {
        if let Some(mut process) = self.processes[node as usize].take() {
            let mut lines = Vec::new();
            let ended = process.stop(GRACE, &mut lines);
            if ended.killed {
                self.note_staying(process.name());
            }
            self.route_written(node, &lines, true, out);
        }
        self.forget(node);
    }

    fn pause(&mut self, node: u32) {
        self.paused[node as usize] = true;
        if let Some(process) = self.processes[node as usize].as_mut()
            && let Err(error) = process.pause()
        {
            self.fail_process(&error);
        }
    }

    fn resume(&mut self, node: u32, out: &mut Vec<Output<Wire>>) {
        self.paused[node as usize] = false;
        let Some(process) = self.processes[node as usize].as_mut() else {
            return;
        };
        let mut lines = Vec::new();
        let result = match process.resume() {
            Ok(()) if !self.real_time => process.settle(&mut lines),
            Ok(()) => Ok(Idle::Reached),
            Err(error) => Err(error),
        };
        self.take_in(node, &lines, result, out);
    }

    fn shown(&self, message: &Wire) -> String {
        match message {
            // As it was written, where that is JSON on one line.
            Wire::Line(line) | Wire::Request { line, .. } => {
                match serde_json::from_str::<IgnoredAny>(line) {
                    Ok(_) => line.trim().to_owned(),
                    Err(_) => Json::from(line.as_ref()).to_string(),
                }
            }
            Wire::Answer { node, body, .. } => {
                let from = &self.names[*node as usize];
                format!(
                    r#"{{"src":"{from}","body":{}}}"#,
                    Json::Object((**body).clone())
                )
            }
        }
    }

    fn wall_time(&self) -> Option<Nanos> {
        let began = self.began?;
        Some(Nanos(
            u64::try_from(now().duration_since(began).as_nanos()).unwrap_or(u64::MAX),
        ))
    }

    fn begin(&mut self) {
        self.began = self.real_time.then(now);
    }

    fn listen(&mut self, up_to: Nanos) -> Vec<(u32, Output<Wire>)> {
        let deadline = now() + Duration::from_nanos(up_to.0);
        let mut all = Vec::new();
        loop {
            self.collect(&mut all);
            let left = deadline.saturating_duration_since(now());
            if !all.is_empty() || left.is_zero() || self.failed() {
                return all;
            }
            let awaited: Vec<&Process> = self.processes.iter().flatten().collect();
            await_any(&awaited, left.min(LONGEST_DEAFNESS));
        }
    }

    fn name(&self, node: u32) -> Actor {
        self.names[node as usize].clone()
    }

    fn manner(&self) -> Manner {
        self.speaker.manner()
    }

    fn recorded(&self, value: TaggedValue) -> Value {
        speaker::recorded(value)
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
            let patience = self.program.patience;
            let fair = self.in_vain[node as usize] < IN_VAIN;
            let patience = if fair { patience } else { patience / 10 };
            self.let_time_pass(node, patience, &mut all);
            self.note_silence(request, node);
        }
        all
    }

    fn await_timers(&mut self) -> Option<Grace<Wire>> {
        let (waits, spent) = self.timer_waits;
        let patience = self.program.timer_patience;
        let no_timers = !self.real_time && self.tolerated.no_timers.load(Ordering::Relaxed);
        let enough = waits >= TIMER_WAITS.0 && spent >= patience;
        if waits >= TIMER_WAITS.1 || enough || no_timers {
            return None;
        }
        let mut outputs = Vec::new();
        if self.real_time {
            // As much in all as the rounds below.
            let settle = patience / 2;
            self.timer_waits = (waits + 1, spent + settle);
            let settle = Nanos(u64::try_from(settle.as_nanos()).unwrap_or(u64::MAX));
            return Some(Grace { outputs, settle });
        }
        let began = now();
        let mut latest = began;
        loop {
            let before = outputs.len();
            for node in 0..u32::try_from(self.processes.len()).unwrap_or(u32::MAX) {
                self.let_time_pass(node, Duration::ZERO, &mut outputs);
            }
            let moment = now();
            if outputs.len() > before {
                latest = moment;
            }
            let quiet = !outputs.is_empty() && moment - latest >= ROUND;
            if quiet || moment - began >= patience || self.failure.is_some() {
                break;
            }
            let awaited: Vec<&Process> = self.processes.iter().flatten().collect();
            await_any(&awaited, ROUND / 2);
        }
        self.timer_waits = (waits + 1, spent + (now() - began));
        if outputs.is_empty() {
            self.tolerated.no_timers.store(true, Ordering::Relaxed);
            return None;
        }
        let settle = Nanos::ZERO;
        Some(Grace { outputs, settle })
    }
}

impl External<'_> {
    /// A node is gone: nobody is left to answer what it was asked.
    fn forget(&mut self, node: u32) {
        self.starting[node as usize] = None;
        for (request, asked) in &mut self.asked {
            if asked.node == Some(node) {
                asked.waited = true;
                if let Some(open) = self.open.get_mut(&asked.client) {
                    open.retain(|open| open != request);
                }
            }
        }
    }

    /// A node had to be killed after its input had ended.
    fn note_staying(&mut self, name: &str) {
        let sin = Sin::StaysAlive;
        self.tolerated.note(sin, || name.to_owned());
        if self.program.strict {
            let what = "it went on running after its input had ended, which --strict forbids";
            let failure = NodeFailure::new(name, what, sin.remedy());
            self.failure.get_or_insert(failure);
        }
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
/// When the program cannot be started, dies, writes what is no JSON object, or nothing at all.
pub fn converse(
    program: &Program,
    input: &[String],
    expected: usize,
    patience: Duration,
) -> Result<Vec<Json>, NodeFailure> {
    let name = program.names.of(0);
    let launch = Launch {
        argv: program.argv.clone(),
        folder: program.folder.join(name.as_str()),
        stderr_file: program.folder.join("stderr"),
        name: name.to_string(),
        guard: program.guard.clone(),
    };
    let failed = |error: ExternalError| NodeFailure::process(&error);
    let mut process = Process::spawn(&launch).map_err(failed)?;
    process.set_patience(program.busy_patience);
    let mut lines = Vec::new();
    let mut start_patience = program.start_patience;
    for line in input {
        process.send(line, &mut lines).map_err(failed)?;
        while let Idle::Never(_) = process.settle(&mut lines).map_err(failed)? {
            if !lines.is_empty() || start_patience.is_zero() {
                // It has started and never rests.
                process.set_patience(RESTLESS_TURN);
                break;
            }
            start_patience = start_patience.saturating_sub(program.busy_patience);
        }
    }
    let start = |lines: &[Line]| expected == 0 || !lines.is_empty();
    wait_for(&mut process, program.start_patience, &mut lines, start).map_err(failed)?;
    let enough = |lines: &[Line]| messages(lines).map_or(true, |some| some.len() >= expected);
    wait_for(&mut process, patience, &mut lines, enough).map_err(failed)?;
    if speech::objects(process.unfinished()).is_ok_and(|objects| !objects.is_empty()) {
        process.take_unfinished(&mut lines);
    }
    if lines.is_empty() && expected > 0 {
        process.stop(LAST_WORDS, &mut lines);
        let what = format!("no answer came within {:?}", program.start_patience);
        return Err(mute(
            &name,
            &what,
            "it should answer init with init_ok",
            &lines,
        ));
    }
    messages(&lines).map_err(|garbage| {
        NodeFailure::of_line(&program::BadLine {
            node: &name,
            number: garbage.number,
            what: &format!("is not a message: {}", garbage.why),
            text: &garbage.text,
            expected: "one JSON object on each line",
            remedy: STDOUT_IS_FOR_MESSAGES,
        })
    })
}

/// The messages on these lines.
fn messages(lines: &[Line]) -> Result<Vec<Json>, intake::Garbage> {
    let mut intake = Intake::default();
    let mut messages = Vec::new();
    for line in lines {
        if let Some(taken) = intake.push(line)? {
            messages.extend(taken.objects.into_iter().map(Json::Object));
        }
    }
    match intake.rest() {
        Some(garbage) => Err(garbage),
        None => Ok(messages),
    }
}

/// A node says nothing, and these lines when its input ended.
fn mute(node: &str, what: &str, duty: &str, last_words: &[Line]) -> NodeFailure {
    if last_words.is_empty() {
        let remedy = format!(
            "{duty}, on a line of its own, and flush stdout after each line; a program that waits \
             with select and reads with a buffered reader sees a line only when the next one comes"
        );
        return NodeFailure::new(node, what, &remedy);
    }
    let count = last_words.len();
    NodeFailure::new(
        node,
        &format!("{what}, but {count} lines came when its input ended: stdout is block-buffered"),
        "flush stdout after each line: flush=True or `python3 -u`, fflush, setvbuf, `stdbuf -oL`",
    )
}
