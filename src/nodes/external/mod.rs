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

mod conversation;
mod detect;
mod deviations;
mod intake;
mod lifecycle;
mod lull;
mod names;
mod probe;
mod program;
mod routing;
mod speech;
mod timers;
mod virtual_time;

pub use conversation::converse;
pub use detect::{NotJudged, Undetected, detect};
pub use deviations::{Deviation, Tolerated};
pub use names::{BadNames, NodeNames};
pub use probe::{NotTaken, kinds_not_taken};
pub use program::{FailureKind, NodeFailure, Program};
pub use timers::{PERIODS, period};

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use compact_str::CompactString;
use serde::de::IgnoredAny;
use serde_json::{Map, Value as Json, json};
use sibcheck_checkers::outside::Outside;

use crate::{
    clocks::Actor,
    plans::{Plan, Time},
    simulation::{Address, Death, Nanos},
    workloads::{Request, Speaker, Workload},
};

use super::{
    Grace, Nodes, Output,
    process::{ExternalError, Idle, Leaks, Process, await_any, let_start_together, nanos, now},
};
use intake::Intake;
use lull::Lull;
use virtual_time::VirtualTime;

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
struct Asked<Q> {
    client: u32,
    question: Q,
    /// The node that got it, once it did.
    node: Option<u32>,
    answered: bool,
    /// Real time has passed for it already, in vain.
    waited: bool,
}

/// The nodes of one run.
pub struct External<'p, W: Workload> {
    program: &'p Program,
    tolerated: &'p Tolerated,
    names: Vec<Actor>,
    speaker: W::Speaker<'p>,
    processes: Vec<Option<Process>>,
    folder: PathBuf,
    /// By request.
    asked: BTreeMap<u32, Asked<<W::Speaker<'p> as Speaker<'p, W>>::Question>>,
    /// The client that bears a name.
    clients: BTreeMap<CompactString, u32>,
    /// What each client has asked at nodes that did not answer yet.
    open: BTreeMap<u32, Vec<u32>>,
    /// What each node has begun to say.
    intakes: Vec<Intake>,
    /// Whether each node has answered its `init`.
    initialised: Vec<bool>,
    /// How many requests in a row each node let wait in vain.
    in_vain: Vec<u32>,
    failure: Option<NodeFailure>,
    /// Requests in vain after which a program is mute; none where faults may silence a correct one.
    mute_after: Option<u32>,
    /// Rounds of gossip that nodes were given after the faults had healed.
    rounds: u32,
    lull: Lull,
    hurried: bool,
    /// Set when the run began, where the wall's clock is the time that passes.
    began: Option<Instant>,
    real_time: bool,
    /// Where the clocks of the nodes are the simulation's.
    virtual_time: Option<VirtualTime>,
    /// How each node dies when it is made to die at a deed.
    deaths: Vec<Death>,
    /// Nodes that did, since that was asked, and how many of their files were set back.
    fallen: Vec<(u32, Option<u64>)>,
    /// Those that have yet to answer their `init`, in real time.
    starting: Vec<Option<Starting>>,
    paused: Vec<bool>,
    /// Whether nodes get all that comes at one moment before they rest, and which have not rested since.
    together: bool,
    handed: Vec<bool>,
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

/// Rounds of gossip that nodes are given to converge, at most.
const MOST_ROUNDS: u32 = 20;

/// How long it takes nodes that gossip at the same time to do so. A round is over when all have been
/// quiet for so long, or talked for twice as long.
const ROUND: Duration = Duration::from_millis(200);

/// Requests in a row after which a node that does not answer gets a tenth of the real time.
const IN_VAIN: u32 = 10;

/// How long a mute node may take to end after its input did.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a node may take to end once its input has.
const GRACE: Duration = Duration::from_secs(1);

/// What to do about a line that is no message.
const STDOUT_IS_FOR_MESSAGES: &str =
    "write nothing but messages to stdout, one JSON object a line; logs belong on stderr";

impl<'p, W: Workload> External<'p, W> {
    /// The nodes of a plan's run, which are spoken to with these words; not yet started. Their folders are
    /// below `folder`.
    pub fn new(
        program: &'p Program,
        words: &'p W::Words,
        tolerated: &'p Tolerated,
        plan: &'p Plan,
        folder: PathBuf,
    ) -> Self {
        let nodes = plan.nodes;
        let names: Vec<Actor> = (0..nodes).map(|node| program.names.of(node)).collect();
        let values = (!plan.numbered_values).then_some(plan.values.as_slice());
        Self {
            program,
            tolerated,
            speaker: W::Speaker::new(words, &names, plan.clients.len(), values),
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
            mute_after: plan.faults.is_empty().then_some(routing::MUTE),
            rounds: 0,
            lull: Lull::default(),
            hurried: false,
            began: None,
            real_time: plan.time == Time::Real,
            virtual_time: (plan.time == Time::Virtual).then(|| VirtualTime::new(plan)),
            deaths: vec![Death::Kill; nodes as usize],
            fallen: Vec::new(),
            starting: (0..nodes).map(|_| None).collect(),
            paused: vec![false; nodes as usize],
            together: plan.network.together_ns > Nanos::ZERO && plan.time != Time::Real,
            handed: vec![false; nodes as usize],
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

    /// What of the nodes could not be held to virtual time.
    pub fn leaks(&self) -> Option<&Leaks> {
        self.virtual_time.as_ref().map(VirtualTime::leaks)
    }

    /// Nodes that stay apart are given fewer rounds of gossip: for plans that are tried by the dozen.
    pub fn hurry(&mut self) {
        self.hurried = true;
    }

    fn fail(&mut self, kind: FailureKind, node: u32, what: &str, remedy: &str) {
        let failure = NodeFailure::new(kind, self.names[node as usize].as_str(), what, remedy);
        self.failure.get_or_insert(failure);
    }

    fn fail_process(&mut self, error: &ExternalError) {
        self.failure.get_or_insert(NodeFailure::process(error));
    }
}

impl<W: Workload> Nodes<W> for External<'_, W> {
    type Message = Wire;

    fn start(&mut self, node: u32, out: &mut Vec<Output<Wire>>) {
        let mut started = Ok(());
        let none_lives = self.processes.iter().all(Option::is_none);
        if node == 0 && none_lives && self.asked.is_empty() && self.failure.is_none() {
            // Slow languages come up side by side.
            let nodes = u32::try_from(self.names.len()).unwrap_or(0);
            started = (0..nodes).try_for_each(|node| self.spawn(node));
            if started.is_ok() && self.virtual_time.is_some() {
                let all = self.processes.iter_mut().flatten();
                started = let_start_together(all, self.program.start_patience);
            }
        }
        if let Err(error) = started.and_then(|()| self.launch(node, out)) {
            self.fail_process(&error);
        }
    }

    fn request(&mut self, request: Request<W>) -> Wire {
        let (mut body, question) = self.speaker.ask(&request);
        body.insert("msg_id".into(), (u64::from(request.id) + 1).into());
        let client = request.identity;
        self.clients.insert(request.client.as_str().into(), client);
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

    fn request_id(&self, message: &Wire) -> Option<u32> {
        match message {
            Wire::Request { request, .. } => Some(*request),
            Wire::Line(_) | Wire::Answer { .. } => None,
        }
    }

    fn reply(&mut self, _client: u32, message: Wire) -> Option<(u32, W::Reply)> {
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
                let shown = deviations::cut(&Json::Object((*body).clone()).to_string());
                let dialect = &self.program.dialect;
                let kind = Outside(self.speaker.kind(question).to_owned());
                self.fail(
                    FailureKind::Output,
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

    fn are_busy(&self) -> bool {
        self.handed.contains(&true)
    }

    fn rest(&mut self, node: u32, out: &mut Vec<Output<Wire>>) {
        if std::mem::take(&mut self.handed[node as usize])
            && self.processes[node as usize].is_some()
        {
            self.tell_time(node);
            let Some(process) = self.processes[node as usize].as_mut() else {
                return;
            };
            let mut lines = Vec::new();
            let settled = process.settle(&mut lines);
            self.take_in(node, &lines, settled, out);
        }
    }

    fn timer(&mut self, _: u32, _: u32, _: &mut Vec<Output<Wire>>) {}

    fn crash(&mut self, node: u32) -> Option<u64> {
        self.die(node, Death::Kill)
    }

    fn lose_power(&mut self, node: u32, keeps_names: bool) -> Option<u64> {
        self.die(node, Death::PowerLoss { keeps_names })
    }

    fn doom(&mut self, node: u32, at: Option<(u32, Death)>) -> bool {
        self.let_die_at(node, at)
    }

    fn take_fallen(&mut self) -> Vec<(u32, Option<u64>)> {
        std::mem::take(&mut self.fallen)
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
        self.tell_time(node);
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
                let from = Json::from(self.names[*node as usize].as_str());
                format!(
                    r#"{{"src":{from},"body":{}}}"#,
                    Json::Object((**body).clone())
                )
            }
        }
    }

    fn wall_time(&self) -> Option<Nanos> {
        let began = self.began?;
        Some(Nanos(nanos(now().duration_since(began))))
    }

    fn begin(&mut self) {
        self.began = self.real_time.then(now);
        if let Some(time) = &mut self.virtual_time {
            time.begin();
        }
    }

    fn change_clock(&mut self, node: u32, jump_ns: i64, drift_ppm: i32) {
        if let Some(time) = &mut self.virtual_time {
            let clock = time.change_clock(node, jump_ns, drift_ppm);
            self.tell_time(node);
            if let Some(process) = &mut self.processes[node as usize] {
                process.set_clock(clock);
            }
        }
    }

    fn clock_was_used(&mut self, node: u32) -> bool {
        let process = self.processes[node as usize].as_mut();
        process.is_some_and(Process::clock_was_used)
    }

    fn set_time(&mut self, now: Nanos) {
        if let Some(time) = &mut self.virtual_time {
            time.set(now);
        }
    }

    fn time(&self) -> Option<Nanos> {
        self.virtual_time.as_ref().map(VirtualTime::get)
    }

    fn due(&self) -> Option<(Nanos, u32)> {
        let time = self.virtual_time.as_ref()?;
        let nodes = (0..).zip(&self.processes);
        let due = nodes.filter_map(|(node, process)| Some((process.as_ref()?.due()?, node)));
        // At one moment they come in the order of the nodes.
        let (at, node) = due.min()?;
        Some((time.since_begin(at), node))
    }

    fn fire(&mut self, node: u32, out: &mut Vec<Output<Wire>>) {
        self.tell_time(node);
        let Some(process) = self.processes[node as usize].as_mut() else {
            return;
        };
        let mut lines = Vec::new();
        let settled = process.fire().and_then(|()| process.settle(&mut lines));
        self.take_in(node, &lines, settled, out);
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
            await_any(&awaited, left);
        }
    }

    fn name(&self, node: u32) -> Actor {
        self.names[node as usize].clone()
    }

    fn behaviour(&self) -> W::Behaviour {
        self.speaker.behaviour()
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
            if self.virtual_time.is_some() {
                // It rests: only what is still to happen makes it answer.
                self.note_silence(request, node);
                return all;
            }
            let patience = self.program.patience;
            let fair = self.in_vain[node as usize] < IN_VAIN;
            let patience = if fair { patience } else { patience / 10 };
            self.let_time_pass(node, patience, &mut all);
            self.note_silence(request, node);
        }
        all
    }

    fn await_timers(&mut self, changed: bool) -> Option<Grace<Wire>> {
        if let Some(time) = &mut self.virtual_time {
            let acts = self
                .processes
                .iter()
                .flatten()
                .any(|process| process.due().is_some());
            return (acts && time.goes_on(changed, self.hurried)).then(|| Grace {
                outputs: Vec::new(),
                settle: Nanos::ZERO,
            });
        }
        if changed {
            self.lull = Lull::default();
        }
        let patience = self.program.timer_patience;
        let no_timers = !self.real_time && self.tolerated.no_timers.load(Ordering::Relaxed);
        let over = self.lull.is_over(self.names.len(), patience, self.hurried);
        if self.rounds >= MOST_ROUNDS || over || no_timers {
            return None;
        }
        self.rounds += 1;
        let mut outputs = Vec::new();
        if self.real_time {
            // As much in all as the rounds below.
            let settle = patience / 2;
            self.lull.add(settle, []);
            let settle = Nanos(nanos(settle));
            return Some(Grace { outputs, settle });
        }
        let began = now();
        let mut talk = None;
        loop {
            let before = outputs.len();
            for node in 0..u32::try_from(self.processes.len()).unwrap_or(u32::MAX) {
                self.let_time_pass(node, Duration::ZERO, &mut outputs);
            }
            let moment = now();
            if outputs.len() > before {
                talk = Some((talk.map_or(moment, |(first, _)| first), moment));
            }
            let round = talk.is_some_and(|(first, latest)| {
                moment - latest >= ROUND || moment - first >= ROUND * 2
            });
            if round || moment - began >= patience || self.failure.is_some() {
                break;
            }
            let awaited: Vec<&Process> = self.processes.iter().flatten().collect();
            await_any(&awaited, ROUND / 2);
        }
        if outputs.is_empty() {
            self.tolerated.no_timers.store(true, Ordering::Relaxed);
            return None;
        }
        let talkers = outputs.iter().map(|(node, _)| *node);
        self.lull.add(now() - began, talkers);
        let settle = Nanos::ZERO;
        Some(Grace { outputs, settle })
    }
}
