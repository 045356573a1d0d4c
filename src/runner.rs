//! One run: a plan and its nodes in, a history out.
//!
//! The runner is the clients. Each is sequential: it sends a request, waits for the answer or its
//! timeout, and goes on. A client whose write timed out does not know whether it happened; from
//! then on it acts under a fresh name with nothing remembered, because a store whose clock entries
//! are client ids may take a late write for the successor of a newer one of the same client.
//!
//! After the last operation every fault heals, the cluster settles, and every key is read once at
//! every node: the final reads.

use std::{collections::BTreeMap, fmt::Write as _};

use compact_str::format_compact;
use serde_json::Value as Json;
use sibcheck_checkers::history::{
    self, Action, Header, History, OpId, Operation, Party, Read, Status, Write,
};

use crate::{
    nodes::{
        Ask, ClientBehaviour, Context, Grace, InProcess, Nodes, Output, Reply, Reports, Request,
        TaggedValue,
    },
    plans::{Act, ContextChoice, Plan, Step},
    simulation::{
        self, Address, Event, Fault, FaultKind, FaultRecord, Happening, Nanos, Simulation, Traced,
        Traffic,
    },
    stores::faulty::Basis,
};

/// What one run gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What the clients asked and were told, final reads included.
    pub history: History,
    /// How many of the operations were asked for by the plan; the rest are final reads.
    pub planned: usize,
    /// What the network did.
    pub traffic: Traffic,
    /// When each fault of the plan really was, and what it affected, by its position in the plan.
    pub faults: Vec<FaultRecord>,
    /// After how many simulated events the run was ended before its end, if it was.
    pub cut_short: Option<u64>,
    /// The step of the plan that asked for an operation, by operation: whose it is in the plan, and
    /// its position. Final reads have none.
    pub steps: Vec<(usize, usize)>,
    /// When the last planned operation ended and all faults healed.
    pub healed: Nanos,
    /// How many writes reached their coordinator with a context that rests on a write of another node
    /// which it cannot have heard of yet.
    pub contexts_ahead: u64,
    /// How many writes and deletes passed back the clock of one of several siblings alone.
    pub one_of_several: OneOfSeveral,
}

/// Writes and deletes that passed back the clock of one of several siblings alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OneOfSeveral {
    /// Writes in its place.
    pub writes: u64,
    /// Deletes of it.
    pub deletes: u64,
}

/// Runs a plan on the in-process store that it names.
pub fn run(plan: &Plan) -> Run {
    match plan.store.basis() {
        Basis::Versioned => drive(plan, &mut InProcess::versioned(plan)),
        Basis::Dotted => drive(plan, &mut InProcess::dotted(plan)),
    }
}

/// As [`run`], with what became of every message: one JSON object a line.
pub fn run_traced(plan: &Plan) -> (Run, String) {
    match plan.store.basis() {
        Basis::Versioned => drive_traced(plan, &mut InProcess::versioned(plan)),
        Basis::Dotted => drive_traced(plan, &mut InProcess::dotted(plan)),
    }
}

/// Runs a plan on these nodes.
pub fn drive<N: Nodes>(plan: &Plan, nodes: &mut N) -> Run {
    let mut runner = Runner::new(plan, nodes);
    runner.run();
    runner.finish()
}

/// As [`drive`], with what became of every message: one JSON object a line.
pub fn drive_traced<N: Nodes>(plan: &Plan, nodes: &mut N) -> (Run, String) {
    let (run, trace) = drive_recorded(plan, nodes);
    let text = trace.text(&run.history, nodes);
    (run, text)
}

/// As [`drive`], with what became of every message, to be told later if anybody asks.
pub fn drive_recorded<N: Nodes>(plan: &Plan, nodes: &mut N) -> (Run, Trace<N::Message>) {
    let mut runner = Runner::new(plan, nodes);
    runner.simulation.record();
    runner.run();
    let trace = Trace(runner.simulation.take_trace());
    (runner.finish(), trace)
}

/// What became of every message and node of a run.
#[derive(Clone, Debug)]
pub struct Trace<M>(Vec<Traced<M>>);

impl<M: Clone> Trace<M> {
    /// One JSON object a line. `history` and `nodes` are those of the run.
    pub fn text(&self, history: &History, nodes: &impl Nodes<Message = M>) -> String {
        let name = |address: Address| {
            let name = match address {
                Address::Client(identity) => &history.clients[identity as usize],
                Address::Node(node) => &history.nodes[node as usize],
            };
            Json::from(name.as_str())
        };
        let mut text = String::new();
        for Traced { at, what } in &self.0 {
            let (event, node) = match what {
                Happening::Message {
                    fate,
                    from,
                    to,
                    message,
                } => {
                    // Writing to a string cannot fail.
                    let _ = writeln!(
                        text,
                        r#"{{"ns":{},"event":"{}","from":{},"to":{},"message":{}}}"#,
                        at.0,
                        fate.name(),
                        name(*from),
                        name(*to),
                        nodes.shown(message)
                    );
                    continue;
                }
                Happening::Crash(node) => ("crash", node),
                Happening::Stop(node) => ("stop", node),
                Happening::Restart(node) => ("restart", node),
                Happening::Pause(node) => ("pause", node),
                Happening::Resume(node) => ("resume", node),
                Happening::Clock(node) => ("clock", node),
            };
            let node = name(Address::Node(*node));
            let _ = writeln!(text, r#"{{"ns":{},"event":"{event}","node":{node}}}"#, at.0);
        }
        text
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Clients work through the plan.
    Working,
    /// All faults have healed.
    Settling,
    /// Every key is read at every node.
    FinalReads,
    Done,
}

/// The siblings that final reads returned, by key and node; none for a read that failed.
#[derive(Default, PartialEq)]
struct FinalAnswers(BTreeMap<(u32, u32), Option<Vec<String>>>);

impl FinalAnswers {
    /// True when every node answered, with the same siblings of each key.
    fn agree(&self) -> bool {
        let mut of_key = BTreeMap::new();
        self.0.iter().all(|((key, _), values)| {
            values.is_some() && *of_key.entry(key).or_insert(values) == values
        })
    }
}

/// One sequential client.
struct Client {
    /// Its present identity: an index into the history's client names.
    identity: u32,
    /// What it still has to do.
    work: Work,
    /// The operation whose answer it waits for.
    waiting: Option<OpId>,
    /// The value that it will write in place of what it is reading.
    resolving: Option<u32>,
    /// What it remembers, by key.
    memory: BTreeMap<u32, Memory>,
}

enum Work {
    /// The index of the next step, and whose steps they are in the plan.
    Plan { client: usize, next: usize },
    /// The next key to read at this node, last of all.
    FinalReads { node: u32, next: u32 },
}

/// The answers that a client got for one key under its present identity, oldest first.
#[derive(Default)]
struct Memory {
    reads: Vec<OpId>,
    writes: Vec<OpId>,
    answers: Vec<OpId>,
    /// The last read, and the clock of each of its siblings alone, where they are apart.
    apart: Option<(OpId, Vec<Context>)>,
}

/// The alarms that the runner sets for itself, packed into a number.
#[derive(Clone, Copy)]
enum Alarm {
    /// A client has thought long enough.
    Act(u32),
    /// A client has waited long enough for the answer to this operation.
    Timeout(OpId),
    /// The cluster has settled.
    Settled,
}

impl Alarm {
    const fn pack(self) -> u64 {
        match self {
            Self::Act(client) => client as u64,
            Self::Timeout(op) => 1 << 32 | op as u64,
            Self::Settled => 2 << 32,
        }
    }

    const fn unpack(token: u64) -> Self {
        // The low half of the number.
        #[expect(clippy::cast_possible_truncation)]
        let index = token as u32;
        match token >> 32 {
            0 => Self::Act(index),
            1 => Self::Timeout(index),
            _ => Self::Settled,
        }
    }
}

struct Runner<'a, N: Nodes> {
    plan: &'a Plan,
    nodes: &'a mut N,
    simulation: Simulation<N::Message>,
    stage: Stage,
    clients: Vec<Client>,
    /// The client that bears an identity.
    bearers: Vec<u32>,
    /// How many clients have work left in this stage.
    busy: usize,
    history: History,
    /// The client that waits for an operation's answer, by operation.
    invokers: Vec<u32>,
    /// What the answer to an operation lets its client pass back, by operation.
    contexts: Vec<Option<Context>>,
    reports: Reports,
    behaviour: ClientBehaviour,
    out: Vec<Output<N::Message>>,
    planned: usize,
    /// Then the run is ended.
    most_events: u64,
    steps: Vec<(usize, usize)>,
    healed: Nanos,
    /// When the request of an operation reached its node, by operation.
    taken: Vec<Option<Nanos>>,
    /// The write of a value that has no tag, by key and value.
    writers: BTreeMap<(u32, String), OpId>,
    contexts_ahead: u64,
    one_of_several: OneOfSeveral,
    /// What the final reads returned when they were made before.
    final_answers: Option<FinalAnswers>,
}

impl<'a, N: Nodes> Runner<'a, N> {
    fn new(plan: &'a Plan, nodes: &'a mut N) -> Self {
        let behaviour = nodes.client_behaviour();
        let capacity = plan.operations() + plan.keys.len() * plan.nodes as usize;
        let names = (0..plan.nodes).map(|node| nodes.name(node)).collect();
        Self {
            plan,
            nodes,
            simulation: Simulation::new(plan.nodes, &plan.network, &plan.faults),
            stage: Stage::Working,
            clients: Vec::new(),
            bearers: Vec::new(),
            busy: 0,
            history: History {
                header: Header {
                    origin: plan.origin.clone(),
                    claim: Some(plan.claim),
                    tombstones: behaviour.tombstones,
                    model: behaviour.model,
                    expect: None,
                },
                clients: Vec::new(),
                nodes: names,
                keys: plan.keys.clone(),
                operations: Vec::with_capacity(capacity),
                faults: Vec::new(),
            },
            invokers: Vec::with_capacity(capacity),
            contexts: Vec::with_capacity(capacity),
            reports: Reports::default(),
            behaviour,
            out: Vec::new(),
            planned: 0,
            most_events: plan.most_events(),
            steps: Vec::with_capacity(capacity),
            healed: Nanos::ZERO,
            taken: Vec::with_capacity(capacity),
            writers: BTreeMap::new(),
            contexts_ahead: 0,
            one_of_several: OneOfSeveral::default(),
            final_answers: None,
        }
    }

    fn run(&mut self) {
        self.start();
        while self.stage != Stage::Done && !self.nodes.failed() {
            if self.simulation.events() >= self.most_events {
                return;
            }
            if self.nodes.wall_time().is_some() {
                self.pass_real_time();
            } else {
                self.give_real_time();
            }
            // What comes at the same moment is handed over before anybody rests.
            if self.nodes.are_busy() && self.simulation.next_time() != Some(self.simulation.now()) {
                self.let_rest();
                continue;
            }
            if self.fire_timer() {
                continue;
            }
            let Some(event) = self.simulation.next_event() else {
                break;
            };
            self.nodes.set_time(self.simulation.now());
            self.handle(event);
            self.catch_up();
        }
    }

    /// Lets a node do what it does by itself before anything else happens, if one does.
    fn fire_timer(&mut self) -> bool {
        let Some((at, node)) = self.nodes.due() else {
            return false;
        };
        if self.simulation.next_time().is_some_and(|next| next <= at) {
            return false;
        }
        self.simulation.pass_to(at);
        self.nodes.set_time(self.simulation.now());
        self.nodes.fire(node, &mut self.out);
        self.flush(node);
        self.catch_up();
        true
    }

    /// Nodes may have taken time: what was to happen meanwhile happens late.
    fn catch_up(&mut self) {
        if let Some(now) = self.nodes.time() {
            self.simulation.advance_to(now);
        }
        for node in self.nodes.take_fallen() {
            self.simulation.fall(node);
        }
    }

    fn let_rest(&mut self) {
        self.nodes.set_time(self.simulation.now());
        for node in 0..self.plan.nodes {
            self.nodes.rest(node, &mut self.out);
            self.flush(node);
        }
    }

    fn start(&mut self) {
        for node in 0..self.plan.nodes {
            self.nodes.start(node, &mut self.out);
            self.flush(node);
        }
        self.nodes.begin();
        for client in 0..self.plan.clients.len() {
            self.add_client(Work::Plan { client, next: 0 });
        }
        self.begin_stage();
    }

    fn finish(mut self) -> Run {
        let mut cut_short = None;
        if self.stage != Stage::Done {
            // A node failed, or there were too many events, before the final reads were complete, or
            // had been made for good.
            self.take_back_final_reads();
            self.planned = self.steps.len();
            let events = self.simulation.events();
            cut_short = (events >= self.most_events).then_some(events);
        }
        let faults = self.simulation.fault_records();
        let begun = self.plan.faults.iter().zip(&faults);
        self.history.faults = begun
            .filter_map(|(fault, done)| recorded(self.plan.nodes, fault, done))
            .collect();
        Run {
            history: self.history,
            planned: self.planned,
            steps: self.steps,
            traffic: self.simulation.traffic(),
            faults,
            healed: self.healed,
            contexts_ahead: self.contexts_ahead,
            one_of_several: self.one_of_several,
            cut_short,
        }
    }

    fn add_client(&mut self, work: Work) {
        let client = Client {
            identity: self.fresh_identity(self.clients.len()),
            work,
            waiting: None,
            resolving: None,
            memory: BTreeMap::new(),
        };
        self.clients.push(client);
    }

    fn fresh_identity(&mut self, bearer: usize) -> u32 {
        let identity = index(self.history.clients.len());
        self.history
            .clients
            .push(format_compact!("c{}", identity + 1).into());
        self.bearers.push(index(bearer));
        identity
    }

    /// Gives every client its first operation of a stage, or ends the stage if there is none.
    fn begin_stage(&mut self) {
        self.busy = self.clients.len();
        for client in 0..self.clients.len() {
            self.go_on(client);
        }
        if self.clients.is_empty() {
            self.end_stage();
        }
    }

    /// Schedules a client's next operation, or notes that it has none.
    fn go_on(&mut self, client: usize) {
        let now = self.simulation.now();
        let at = match &self.clients[client].work {
            Work::Plan {
                client: steps,
                next,
            } => self.plan.clients[*steps]
                .get(*next)
                .map(|step| now + step.think_ns),
            Work::FinalReads { next, .. } => {
                ((*next as usize) < self.plan.keys.len()).then_some(now)
            }
        };
        if let Some(at) = at {
            self.simulation
                .set_alarm(at, Alarm::Act(index(client)).pack());
            return;
        }
        self.busy -= 1;
        if self.busy == 0 {
            self.end_stage();
        }
    }

    fn end_stage(&mut self) {
        match self.stage {
            Stage::Working => {
                self.planned = self.history.operations.len();
                self.simulation.heal();
                self.healed = self.simulation.now();
                self.settle(self.plan.settle_ns);
            }
            Stage::FinalReads => self.end_final_reads(),
            Stage::Settling | Stage::Done => {}
        }
    }

    /// Ends the run when all nodes answered alike, or time would not help.
    fn end_final_reads(&mut self) {
        if !self.nodes.live_in_real_time() {
            self.stage = Stage::Done;
            return;
        }
        let answers = self.final_answers();
        if answers.agree() {
            self.stage = Stage::Done;
            return;
        }
        let grace = match &self.final_answers {
            // Reading may have started a repair: read once more.
            None => Some(Grace {
                outputs: Vec::new(),
                settle: Nanos::ZERO,
            }),
            Some(before) => self.nodes.await_timers(*before != answers),
        };
        self.final_answers = Some(answers);
        match grace {
            Some(grace) => self.settle_again(grace),
            None => self.stage = Stage::Done,
        }
    }

    fn settle(&mut self, span: Nanos) {
        self.stage = Stage::Settling;
        let settled = self.simulation.now() + span;
        self.simulation.set_alarm(settled, Alarm::Settled.pack());
    }

    /// Nodes had timers of their own: what they did is sent, and the final reads come again.
    fn settle_again(&mut self, grace: Grace<N::Message>) {
        self.take_back_final_reads();
        self.send_all(grace.outputs);
        self.settle(self.plan.settle_ns + grace.settle);
    }

    /// The final reads were no such: they are reads like any other.
    fn take_back_final_reads(&mut self) {
        for operation in &mut self.history.operations {
            if let Action::Read(read) = &mut operation.action {
                read.last = false;
            }
        }
    }

    /// What the last final reads returned. O(operations).
    fn final_answers(&self) -> FinalAnswers {
        let mut answers = FinalAnswers::default();
        for operation in &self.history.operations {
            let Action::Read(read) = &operation.action else {
                continue;
            };
            if read.last {
                let values = (operation.status == Status::Ok).then(|| {
                    let values = read.siblings.iter();
                    let mut values: Vec<String> = values
                        .map(|sibling| format!("{:?}", sibling.value))
                        .collect();
                    values.sort_unstable();
                    values
                });
                let place = (operation.key, operation.node);
                answers.0.insert(place, values);
            }
        }
        answers
    }

    /// Waits for the moment of the next event, and sends what nodes write meanwhile. Nothing is
    /// recorded as earlier than it was: completions are stamped after their answers came, and
    /// invocations before their requests went.
    fn pass_real_time(&mut self) {
        while !self.nodes.failed()
            && let (Some(due), Some(now)) = (self.simulation.next_time(), self.nodes.wall_time())
        {
            let outputs = self.nodes.listen(Nanos(due.0.saturating_sub(now.0)));
            let now = self.nodes.wall_time().unwrap_or(now);
            if !outputs.is_empty() {
                self.simulation.advance_to(now);
                self.send_all(outputs);
            }
            if now >= due {
                return;
            }
        }
    }

    /// When a client is about to give up, a node that lives in real time gets a last chance.
    fn give_real_time(&mut self) {
        let Some(Alarm::Timeout(op)) = self.simulation.next_alarm().map(Alarm::unpack) else {
            return;
        };
        if self.awaiter(op).is_some() {
            let outputs = self.nodes.await_answer(op);
            self.send_all(outputs);
        }
    }

    /// The client that still waits for this operation's answer.
    fn awaiter(&self, op: OpId) -> Option<usize> {
        let client = self.invokers[op as usize] as usize;
        let waits = self.clients.get(client)?.waiting == Some(op);
        waits.then_some(client)
    }

    fn send_all(&mut self, outputs: Vec<(u32, Output<N::Message>)>) {
        for (node, output) in outputs {
            self.out.push(output);
            self.flush(node);
        }
    }

    fn handle(&mut self, event: Event<N::Message>) {
        match event {
            Event::Deliver {
                from,
                to: Address::Node(node),
                message,
            } => {
                if let Some(op) = self.nodes.request_id(&message) {
                    self.take(node, op);
                }
                self.nodes.deliver(node, from, message, &mut self.out);
                self.flush(node);
            }
            Event::Deliver {
                to: Address::Client(identity),
                message,
                ..
            } => self.answer(identity, message),
            Event::Timer { node, timer } => {
                self.nodes.timer(node, timer, &mut self.out);
                self.flush(node);
            }
            Event::Crash(node) => {
                self.crash(node);
            }
            Event::Doom { node, deeds } => {
                if !self.nodes.doom(node, Some(deeds)) {
                    self.simulation.fall(node);
                    self.crash(node);
                }
            }
            Event::Spare(node) => {
                self.nodes.doom(node, None);
            }
            Event::Stop(node) => {
                self.nodes.stop(node, &mut self.out);
                self.flush(node);
            }
            Event::Pause(node) => self.nodes.pause(node),
            Event::Resume(node) => {
                self.nodes.resume(node, &mut self.out);
                self.flush(node);
            }
            Event::Clock {
                node,
                jump_ns,
                drift_ppm,
            } => {
                // What came before was by the clock as it was.
                self.nodes.clock_was_used(node);
                self.nodes.change_clock(node, jump_ns, drift_ppm);
            }
            Event::Restart(node) => {
                self.nodes.start(node, &mut self.out);
                self.flush(node);
            }
            Event::Alarm(token) => match Alarm::unpack(token) {
                Alarm::Act(client) => self.act(client as usize),
                Alarm::Timeout(op) => self.time_out(op),
                Alarm::Settled => {
                    self.stage = Stage::FinalReads;
                    self.clients.clear();
                    for node in 0..self.plan.nodes {
                        self.add_client(Work::FinalReads { node, next: 0 });
                    }
                    self.begin_stage();
                }
            },
        }
    }

    fn crash(&mut self, node: u32) {
        if let Some(records) = self.nodes.crash(node) {
            self.simulation.note_unsynced(node, records);
        }
    }

    /// A request reaches its node.
    fn take(&mut self, node: u32, op: OpId) {
        self.taken[op as usize] = Some(self.simulation.now());
        if self.plan.nodes > 1
            && let Action::Write(write) = &self.history.operations[op as usize].action
        {
            let ahead = write
                .sources
                .iter()
                .any(|source| self.is_ahead(node, *source));
            self.contexts_ahead += u64::from(ahead);
        }
    }

    /// Whether a context of this answer rests on a write that a node cannot have heard of.
    fn is_ahead(&self, node: u32, source: OpId) -> bool {
        let unheard = |write: OpId| {
            let home = self.history.operations[write as usize].node;
            let taken = self.taken[write as usize];
            home != node && taken.is_some() && self.simulation.knows(node, home) < taken
        };
        let operation = &self.history.operations[source as usize];
        match &operation.action {
            Action::Write(_) => unheard(source),
            Action::Read(read) => read.siblings.iter().any(|sibling| {
                let write = self.writer(operation.key, sibling);
                // A node may return what nobody wrote.
                let known = write.filter(|write| (*write as usize) < self.taken.len());
                known.is_some_and(unheard)
            }),
        }
    }

    fn flush(&mut self, node: u32) {
        if self.simulation.clock_is_wrong(node) && self.nodes.clock_was_used(node) {
            self.simulation.note_clock_used(node);
        }
        for output in self.out.drain(..) {
            match output {
                Output::Send(to, message) => {
                    self.simulation.send(Address::Node(node), to, message);
                }
                Output::SetTimer(after, timer) => self.simulation.set_timer(node, after, timer),
            }
        }
    }

    /// A client begins its next operation.
    fn act(&mut self, client: usize) {
        match &mut self.clients[client].work {
            Work::Plan {
                client: steps,
                next,
            } => {
                let step = &self.plan.clients[*steps][*next];
                *next += 1;
                match step.act {
                    Act::Read => self.read(client, step.node, step.key),
                    Act::Resolve { value } => {
                        self.clients[client].resolving = Some(value);
                        self.read(client, step.node, step.key);
                    }
                    Act::Write { value, context } => {
                        self.write(client, step, Some(value), context);
                    }
                    Act::Delete { context } => self.write(client, step, None, context),
                }
            }
            Work::FinalReads { node, next } => {
                let (node, key) = (*node, *next);
                *next += 1;
                self.read(client, node, key);
            }
        }
    }

    fn read(&mut self, client: usize, node: u32, key: u32) {
        let last = self.stage == Stage::FinalReads;
        let read = Read {
            last,
            ..Read::default()
        };
        self.invoke(client, node, key, Action::Read(read), Ask::Read);
    }

    fn write(&mut self, client: usize, step: &Step, value: Option<u32>, context: ContextChoice) {
        let rests_on = if let ContextChoice::OneSibling(position) = context {
            self.one_sibling(client, step.key, position, value.is_none())
        } else {
            let mut sources = self.sources(client, step.key, context);
            let context = self.context(&mut sources);
            (sources, context)
        };
        self.write_from(client, (step.node, step.key), value, rests_on, false);
    }

    /// The clock of one sibling of a client's last read of a key, and the write that it is of: what it
    /// covers is what the context of that write's answer does. The next one is taken of a sibling whose
    /// write has no answer yet, or a blind write is made where there is none.
    fn one_sibling(
        &mut self,
        client: usize,
        key: u32,
        position: u32,
        deletes: bool,
    ) -> (Vec<OpId>, Context) {
        let blind = (Vec::new(), Context::BLIND);
        let memory = self.clients[client].memory.get(&key);
        let Some((read, each)) = memory.and_then(|memory| memory.apart.as_ref()) else {
            return blind;
        };
        let Action::Read(read) = &self.history.operations[*read as usize].action else {
            return blind;
        };
        let answered = |sibling: &history::Sibling| {
            let write = self.writer(key, sibling)?;
            let operation = self.history.operations.get(write as usize)?;
            (operation.status == Status::Ok).then_some(write)
        };
        let many = each.len();
        let mut siblings = read.siblings.iter().zip(each).cycle();
        let chosen = siblings
            .by_ref()
            .skip(position as usize % many.max(1))
            .take(many)
            .find_map(|(sibling, clock)| Some((answered(sibling)?, clock.clone())));
        let Some((write, clock)) = chosen else {
            return blind;
        };
        if many > 1 {
            self.one_of_several.deletes += u64::from(deletes);
            self.one_of_several.writes += u64::from(!deletes);
        }
        (vec![write], clock)
    }

    /// The write of a value that a read returned; `None` for what nobody wrote.
    fn writer(&self, key: u32, sibling: &history::Sibling) -> Option<OpId> {
        if let Some(tag) = sibling.value.tag {
            return OpId::try_from(tag).ok();
        }
        let value = (key, sibling.value.data.to_string());
        self.writers.get(&value).copied()
    }

    fn write_from(
        &mut self,
        client: usize,
        (node, key): (u32, u32),
        value: Option<u32>,
        (sources, context): (Vec<OpId>, Context),
        resolving: bool,
    ) {
        let written = TaggedValue {
            tag: self.history.operations.len() as u64,
            position: value,
        };
        let readable = if self.behaviour.clients_make_clocks {
            // It is not what is sent.
            None
        } else {
            context.joined()
        };
        let recorded = self.nodes.recorded(written);
        if recorded.tag.is_none() {
            let op = index(self.history.operations.len());
            let value = (key, recorded.data.to_string());
            self.writers.insert(value, op);
        }
        let write = Write {
            value: recorded,
            tombstone: value.is_none(),
            sources: sources.into(),
            context: readable.map(|clock| self.reports.clock(&clock)),
            version: None,
        };
        self.invoke(
            client,
            node,
            key,
            Action::Write(Box::new(write)),
            Ask::Write {
                value: written,
                context,
                resolving,
            },
        );
    }

    /// The context that the answers to these operations make up. Those that it cannot be made of are
    /// dropped: an opaque context joins no other, so the last answer alone then counts.
    fn context(&self, sources: &mut Vec<OpId>) -> Context {
        let of = |op: &OpId| self.contexts[*op as usize].as_ref();
        sources.retain(|op| of(op).is_some());
        let opaque = |op: &OpId| matches!(of(op), Some(Context::Opaque(_)));
        if sources.iter().any(opaque)
            && let Some(last) = sources.pop()
        {
            *sources = vec![last];
        }
        match sources.as_slice() {
            [] => Context::BLIND,
            [one] => of(one).cloned().unwrap_or(Context::BLIND),
            several => {
                let parents = several
                    .iter()
                    .filter_map(of)
                    .flat_map(|context| match context {
                        Context::Clocks(parents) => parents.as_slice(),
                        Context::Opaque(_) => &[],
                    });
                Context::Clocks(parents.cloned().collect())
            }
        }
    }

    /// The operations whose answers make up the context that is asked for; none if the client has
    /// nothing of the kind.
    fn sources(&self, client: usize, key: u32, context: ContextChoice) -> Vec<OpId> {
        let Some(memory) = self.clients[client].memory.get(&key) else {
            return Vec::new();
        };
        match context {
            ContextChoice::Blind | ContextChoice::OneSibling(_) => Vec::new(),
            ContextChoice::LastRead => memory.reads.last().copied().into_iter().collect(),
            ContextChoice::LastWrite => memory.writes.last().copied().into_iter().collect(),
            ContextChoice::Stale(back) => memory
                .answers
                .iter()
                .rev()
                .nth(back as usize)
                .or(memory.answers.first())
                .copied()
                .into_iter()
                .collect(),
            ContextChoice::TwoReads => {
                memory.reads[memory.reads.len().saturating_sub(2)..].to_vec()
            }
        }
    }

    fn invoke(&mut self, client: usize, node: u32, key: u32, action: Action, ask: Ask) {
        let op = index(self.history.operations.len());
        let identity = self.clients[client].identity;
        let now = self.simulation.now();
        self.history.operations.push(Operation {
            client: identity,
            node,
            key,
            invoked: now.0,
            completed: None,
            status: Status::Info,
            action,
        });
        if let Work::Plan { client, next } = self.clients[client].work {
            self.steps.push((client, next.saturating_sub(1)));
        }
        self.invokers.push(index(client));
        self.contexts.push(None);
        self.taken.push(None);
        self.clients[client].waiting = Some(op);
        let message = self.nodes.request(Request {
            id: op,
            client: self.history.clients[identity as usize].clone(),
            identity,
            node,
            key: self.plan.keys[key as usize].clone(),
            ask,
        });
        self.simulation
            .send(Address::Client(identity), Address::Node(node), message);
        self.simulation
            .set_alarm(now + self.plan.timeout_ns, Alarm::Timeout(op).pack());
    }

    /// A message arrives at whoever bears this identity.
    fn answer(&mut self, identity: u32, message: N::Message) {
        let bearer = self.bearers[identity as usize] as usize;
        let Some((op, reply)) = self.nodes.reply(identity, message) else {
            return;
        };
        let awaited = self
            .clients
            .get(bearer)
            .is_some_and(|client| client.identity == identity && client.waiting == Some(op));
        if !awaited {
            return;
        }
        match reply {
            Reply::Uncertain => self.end_uncertain(bearer, op),
            Reply::Refused => self.end(bearer, op, Status::Fail),
            Reply::Written { version, context } => {
                let operation = &mut self.history.operations[op as usize];
                if let Action::Write(write) = &mut operation.action {
                    write.version = version;
                    let key = operation.key;
                    if context.is_some() {
                        let memory = self.clients[bearer].memory.entry(key).or_default();
                        memory.writes.push(op);
                        memory.answers.push(op);
                    }
                    self.contexts[op as usize] = context;
                }
                self.end(bearer, op, Status::Ok);
            }
            Reply::Siblings {
                read,
                context,
                each,
            } => {
                let operation = &mut self.history.operations[op as usize];
                if let Action::Read(recorded) = &mut operation.action {
                    recorded.siblings = read.siblings;
                    recorded.context = read.context;
                    let memory = self.clients[bearer]
                        .memory
                        .entry(operation.key)
                        .or_default();
                    memory.apart = (!each.is_empty()).then_some((op, each));
                    if context.is_some() {
                        memory.reads.push(op);
                        memory.answers.push(op);
                    }
                    self.contexts[op as usize] = context;
                }
                self.end(bearer, op, Status::Ok);
            }
        }
    }

    fn time_out(&mut self, op: OpId) {
        if let Some(client) = self.awaiter(op) {
            self.end_uncertain(client, op);
        }
    }

    /// The client will never know: a read has failed, a write may still happen.
    fn end_uncertain(&mut self, client: usize, op: OpId) {
        match self.history.operations[op as usize].action {
            Action::Read(_) => self.end(client, op, Status::Fail),
            Action::Write(_) if self.behaviour.clients_make_clocks => {
                self.end(client, op, Status::Info);
            }
            Action::Write(_) => {
                self.clients[client].identity = self.fresh_identity(client);
                self.clients[client].memory.clear();
                self.end(client, op, Status::Info);
            }
        }
    }

    /// The client's operation has ended; it goes on with the next one.
    fn end(&mut self, client: usize, op: OpId, status: Status) {
        let now = self.simulation.now();
        let operation = &mut self.history.operations[op as usize];
        operation.status = status;
        operation.completed = (status != Status::Info).then_some(now.0);
        let (node, key) = (operation.node, operation.key);
        let client_state = &mut self.clients[client];
        client_state.waiting = None;
        if let Some(value) = client_state.resolving.take()
            && status == Status::Ok
        {
            let mut sources = vec![op];
            let rests_on = match self.context(&mut sources) {
                _ if sources.is_empty() => self.one_sibling(client, key, 0, false),
                context => (sources, context),
            };
            self.write_from(client, (node, key), Some(value), rests_on, true);
            return;
        }
        self.go_on(client);
    }
}

/// A fault as a history of so many nodes holds it; `None` for one that never began, or that was done
/// to nobody.
fn recorded(nodes: u32, fault: &Fault, done: &FaultRecord) -> Option<history::Fault> {
    let there = |node: u32| (node < nodes).then_some(node);
    let party = |address| match address {
        Address::Client(identity) => Party::Client(identity),
        Address::Node(node) => Party::Node(node),
    };
    let affected = |message: &simulation::AffectedMessage| history::AffectedMessage {
        at: message.at.0,
        from: party(message.from),
        to: party(message.to),
    };
    Some(history::Fault {
        kind: match &fault.what {
            FaultKind::Reorder => history::FaultKind::Reorder,
            FaultKind::Loss { .. } => history::FaultKind::Loss,
            FaultKind::ClientLoss { .. } => history::FaultKind::ClientLoss,
            FaultKind::Duplication { .. } => history::FaultKind::Duplicate,
            FaultKind::Partition { cut, .. } => {
                let cut = cut.iter().copied();
                let cut: Vec<_> = cut
                    .filter(|&(from, to)| from < nodes && to < nodes)
                    .collect();
                if cut.is_empty() {
                    return None;
                }
                history::FaultKind::Partition(cut)
            }
            FaultKind::Crash { node } | FaultKind::CrashAtDeed { node, .. } => {
                history::FaultKind::Crash(there(*node)?)
            }
            FaultKind::Stop { node } => history::FaultKind::Stop(there(*node)?),
            FaultKind::Pause { node } => history::FaultKind::Pause(there(*node)?),
            FaultKind::Clock {
                node,
                jump_ns,
                drift_ppm,
            } => history::FaultKind::Clock {
                node: there(*node)?,
                jump_ns: *jump_ns,
                drift_ppm: *drift_ppm,
            },
        },
        began: done.began?.0,
        ended: done.ended.map(|ended| ended.0),
        messages: done.messages + u64::from(done.clock_used),
        first: done.first.iter().map(affected).collect(),
        unsynced: done.unsynced,
    })
}

/// Runs have far fewer than 2^32 operations and clients.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
