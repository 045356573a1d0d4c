//! One run: a plan and its nodes in, a history out.
//!
//! The runner is the clients. Each is sequential: it sends a request, waits for the answer or its
//! timeout, and goes on. What it asks, remembers and records is the [workload's](crate::workloads)
//! business; the runner keeps time, names and order, and knows no workload.
//!
//! After the last operation every fault heals, the cluster settles, and every key is read once at
//! every node: the final reads.

use std::{collections::BTreeMap, fmt::Write as _};

use compact_str::format_compact;
use serde_json::Value as Json;
use sibcheck_checkers::{
    Object,
    history::{self, Action, Header, History, Name, OpId, Operation, Party, Status},
};

use crate::{
    nodes::{Grace, InProcess, Nodes, Output},
    plans::Plan,
    simulation::{
        self, Address, Death, Event, Fault, FaultKind, FaultName, FaultRecord, Happening, Nanos,
        Simulation, Traced, Traffic,
    },
    stores::{Change, StoreName, with_store},
    workloads::{
        Begun, Call, Cast, Clients, Heard, Request, Siblings, Workload, siblings::TaggedValue,
    },
};

/// What one run gave: of siblings, unless another object is named.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded<A: Object = Action> {
    /// What the clients asked and were told, final reads included.
    pub history: History<A>,
    /// What else came of it.
    pub run: Run,
}

/// What came of a run beside its history, whatever the object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
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
    /// The first of the final reads: the operations from here on. There are none where the run was ended
    /// before.
    pub first_final_read: usize,
    /// When the last planned operation ended and all faults healed.
    pub healed: Nanos,
    /// How often clients and nodes got into situations that no history tells, by their names.
    pub situations: Vec<(&'static str, u64)>,
}

/// Runs a plan on a store in this process.
pub fn run(store: StoreName, plan: &Plan) -> Recorded {
    with_store!(store, Node => {
        drive(plan, &mut InProcess::<Siblings, Node<TaggedValue>>::new(store, plan))
    })
}

/// As [`run`], with what became of every message: one JSON object a line.
pub fn run_traced(store: StoreName, plan: &Plan) -> (Recorded, String) {
    with_store!(store, Node => {
        drive_traced(plan, &mut InProcess::<Siblings, Node<TaggedValue>>::new(store, plan))
    })
}

/// Runs a plan on these nodes.
pub fn drive<W: Workload, N: Nodes<W>>(plan: &Plan, nodes: &mut N) -> Recorded<W::Object> {
    let mut runner = Runner::new(plan, nodes);
    runner.run();
    runner.finish()
}

/// Runs a plan on these nodes up to a moment and leaves them there: what was to happen by then has happened,
/// faults go on, and nothing is read at the end. What is added to a plan for later moments changes
/// nothing of it. O(what happens by then).
pub fn drive_until<W: Workload, N: Nodes<W>>(
    plan: &Plan,
    nodes: &mut N,
    until: Nanos,
) -> Recorded<W::Object> {
    let mut runner = Runner::new(plan, nodes);
    runner.until = Some(until);
    runner.run();
    runner.finish()
}

fn drive_traced<W: Workload, N: Nodes<W>>(
    plan: &Plan,
    nodes: &mut N,
) -> (Recorded<W::Object>, String) {
    let (recorded, trace) = drive_recorded(plan, nodes);
    let history = &recorded.history;
    let text = trace.text((&history.clients, &history.nodes), nodes);
    (recorded, text)
}

/// As [`drive`], with what became of every message, to be told later if anybody asks.
pub fn drive_recorded<W: Workload, N: Nodes<W>>(
    plan: &Plan,
    nodes: &mut N,
) -> (Recorded<W::Object>, Trace<N::Message>) {
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
    /// One JSON object a line. The names of clients and nodes, and the nodes, are those of the run.
    pub fn text<W: Workload>(
        &self,
        (clients, names): (&[Name], &[Name]),
        nodes: &impl Nodes<W, Message = M>,
    ) -> String {
        let name = |address: Address| {
            let name = match address {
                Address::Client(identity) => &clients[identity as usize],
                Address::Node(node) => &names[node as usize],
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
                Happening::PowerLoss(node) => ("power-loss", node),
                Happening::Stop(node) => ("stop", node),
                Happening::Restart(node) => ("restart", node),
                Happening::Pause(node) => ("pause", node),
                Happening::Resume(node) => ("resume", node),
                Happening::Clock(node) => ("clock", node),
                Happening::Leave(node) => ("leave", node),
                Happening::Join(node) => ("join", node),
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

/// What final reads showed, by key and node; none for a read that failed.
#[derive(Default, PartialEq)]
struct FinalAnswers(BTreeMap<(u32, u32), Option<String>>);

impl FinalAnswers {
    /// True when every node answered, with the same for each key.
    fn agree(&self) -> bool {
        let mut of_key = BTreeMap::new();
        self.0.iter().all(|((key, _), shown)| {
            shown.is_some() && *of_key.entry(key).or_insert(shown) == shown
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
}

enum Work {
    /// The index of the next step, and whose steps they are in the plan.
    Plan { client: usize, next: usize },
    /// The next key to read at this node, last of all.
    FinalReads { node: u32, next: u32 },
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

struct Runner<'a, W: Workload, N: Nodes<W>> {
    plan: &'a Plan,
    nodes: &'a mut N,
    simulation: Simulation<N::Message>,
    stage: Stage,
    clients: Vec<Client>,
    /// What the clients remember and record.
    memory: W::Clients,
    /// The client that bears an identity.
    bearers: Vec<u32>,
    /// How many clients have work left in this stage.
    busy: usize,
    history: History<W::Object>,
    /// The client that waits for an operation's answer, by operation.
    invokers: Vec<u32>,
    out: Vec<Output<N::Message>>,
    planned: usize,
    /// The first of the final reads as they are made now.
    first_final_read: usize,
    /// Then the run is ended.
    most_events: u64,
    /// The run is left at this moment, and its last stage does not begin before.
    until: Option<Nanos>,
    steps: Vec<(usize, usize)>,
    healed: Nanos,
    /// What the final reads returned when they were made before.
    final_answers: Option<FinalAnswers>,
}

/// What a node can know of the others in a simulation.
struct HeardIn<'s, M>(&'s Simulation<M>);

impl<M: Clone> Heard for HeardIn<'_, M> {
    fn heard_of(&self, node: u32, other: u32) -> Option<Nanos> {
        self.0.knows(node, other)
    }

    fn now(&self) -> Nanos {
        self.0.now()
    }
}

impl<'a, W: Workload, N: Nodes<W>> Runner<'a, W, N> {
    fn new(plan: &'a Plan, nodes: &'a mut N) -> Self {
        let capacity = plan.operations() + plan.keys.len() * plan.nodes as usize;
        let cast = Cast {
            nodes: plan.nodes,
            values: &plan.values,
            numbered_values: plan.numbered_values,
            operations: capacity,
        };
        let memory = W::Clients::new(cast, nodes.behaviour());
        let mut header = Header {
            origin: plan.origin.clone(),
            claim: Some(plan.claim),
            ..Header::default()
        };
        memory.describe(&mut header);
        let names = (0..plan.nodes).map(|node| nodes.name(node)).collect();
        Self {
            plan,
            nodes,
            simulation: Simulation::new(plan.nodes, &plan.network, &plan.faults),
            stage: Stage::Working,
            clients: Vec::new(),
            memory,
            bearers: Vec::new(),
            busy: 0,
            history: History {
                header,
                clients: Vec::new(),
                nodes: names,
                keys: plan.keys.clone(),
                operations: Vec::with_capacity(capacity),
                faults: Vec::new(),
                tables: Default::default(),
            },
            invokers: Vec::with_capacity(capacity),
            out: Vec::new(),
            planned: 0,
            first_final_read: 0,
            most_events: plan.most_events(),
            until: None,
            steps: Vec::with_capacity(capacity),
            healed: Nanos::ZERO,
            final_answers: None,
        }
    }

    fn run(&mut self) {
        self.start();
        while self.stage != Stage::Done && !self.nodes.failed() {
            if self.simulation.events() >= self.most_events || self.is_over() {
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
            let event = match self.until {
                Some(until) => self.simulation.next_event_by(until),
                None => self.simulation.next_event(),
            };
            let Some(event) = event else {
                break;
            };
            self.nodes.set_time(self.simulation.now());
            self.handle(event);
            self.catch_up();
        }
    }

    /// Whether the moment has passed at which the run is to be left.
    fn is_over(&self) -> bool {
        let next = self.simulation.next_time();
        self.until
            .is_some_and(|until| next.is_none_or(|next| next > until))
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
        for (node, files) in self.nodes.take_fallen() {
            self.simulation.fall(node);
            if let Some(files) = files {
                self.simulation
                    .note_unsynced(node, FaultName::PowerLoss, files);
            }
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

    fn finish(mut self) -> Recorded<W::Object> {
        let mut cut_short = None;
        if self.stage != Stage::Done {
            // A node failed, or there were too many events, before the final reads were complete, or
            // had been made for good.
            self.take_back_final_reads();
            self.planned = self.steps.len();
            self.first_final_read = self.history.operations.len();
            let events = self.simulation.events();
            cut_short = (events >= self.most_events).then_some(events);
        }
        let faults = self.simulation.fault_records();
        let begun = self.plan.faults.iter().zip(&faults);
        self.history.faults = begun
            .filter_map(|(fault, done)| recorded(self.plan.nodes, fault, done))
            .collect();
        self.history.tables = self.memory.tables();
        let run = Run {
            planned: self.planned,
            first_final_read: self.first_final_read,
            steps: self.steps,
            traffic: self.simulation.traffic(),
            faults,
            healed: self.healed,
            situations: [self.memory.situations(), self.nodes.situations()].concat(),
            cut_short,
        };
        Recorded {
            history: self.history,
            run,
        }
    }

    fn add_client(&mut self, work: Work) {
        let client = Client {
            identity: self.fresh_identity(self.clients.len()),
            work,
            waiting: None,
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
            // More may be asked for before the run goes on.
            Stage::Working if self.until.is_some() => {}
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
        let first = self.first_final_read.min(self.history.operations.len());
        if self.stage == Stage::FinalReads || self.final_answers.is_some() {
            self.memory.take_back(&mut self.history.operations[first..]);
        }
    }

    /// What the last final reads returned. O(final reads).
    fn final_answers(&self) -> FinalAnswers {
        let final_reads = self.history.operations[self.first_final_read..].iter();
        let answers = final_reads.map(|read| {
            let shown = (read.status == Status::Ok).then(|| self.memory.shown(&read.action));
            ((read.key, read.node), shown)
        });
        FinalAnswers(answers.collect())
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
                    self.take(op);
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
            Event::Crash(node) => self.die(node, Death::Kill),
            Event::PowerLoss { node, keeps_names } => {
                self.die(node, Death::PowerLoss { keeps_names });
            }
            Event::Doom { node, deeds, death } => {
                if !self.nodes.doom(node, Some((deeds, death))) {
                    self.simulation.fall(node);
                    self.die(node, death);
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
            Event::Leave(node) => {
                self.nodes
                    .change_members(node, Change::Leave, &mut self.out);
                self.flush(node);
            }
            Event::Join(node) => {
                self.nodes.change_members(node, Change::Join, &mut self.out);
                self.flush(node);
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
                    self.first_final_read = self.history.operations.len();
                    self.clients.clear();
                    for node in 0..self.plan.nodes {
                        self.add_client(Work::FinalReads { node, next: 0 });
                    }
                    self.begin_stage();
                }
            },
        }
    }

    fn die(&mut self, node: u32, death: Death) {
        let (lost, by) = match death {
            Death::Kill => (self.nodes.crash(node), FaultName::Crash),
            Death::PowerLoss { keeps_names } => (
                self.nodes.lose_power(node, keeps_names),
                FaultName::PowerLoss,
            ),
        };
        if let Some(lost) = lost {
            self.simulation.note_unsynced(node, by, lost);
        }
    }

    /// A request reaches its node.
    fn take(&mut self, op: OpId) {
        let heard = HeardIn(&self.simulation);
        self.memory.arrived(op, &self.history.operations, &heard);
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
                let Ok(act) = step.act.try_into() else {
                    // A plan has the acts of one workload.
                    return self.go_on(client);
                };
                let call = self.call(client, step.key);
                let begun = self.memory.begin(call, act, &self.history.operations);
                self.invoke(call, step.node, begun);
            }
            Work::FinalReads { node, next } => {
                let (node, key) = (*node, *next);
                *next += 1;
                let call = self.call(client, key);
                let begun = self.memory.final_read(call);
                self.invoke(call, node, begun);
            }
        }
    }

    /// A client's next operation, on this key.
    fn call(&self, client: usize, key: u32) -> Call {
        let op = index(self.history.operations.len());
        Call { client, key, op }
    }

    fn invoke(&mut self, call: Call, node: u32, begun: Begun<W>) {
        let Call { client, key, op } = call;
        let identity = self.clients[client].identity;
        let now = self.simulation.now();
        self.history.operations.push(Operation {
            client: identity,
            node,
            key,
            invoked: now.0,
            completed: None,
            status: Status::Info,
            action: begun.action,
        });
        if let Work::Plan { client, next } = self.clients[client].work {
            self.steps.push((client, next.saturating_sub(1)));
        }
        self.invokers.push(index(client));
        self.clients[client].waiting = Some(op);
        let message = self.nodes.request(Request {
            id: op,
            client: self.history.clients[identity as usize].clone(),
            identity,
            node,
            key: self.plan.keys[key as usize].clone(),
            ask: begun.ask,
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
        let operation = &mut self.history.operations[op as usize];
        let call = Call {
            client: bearer,
            key: operation.key,
            op,
        };
        match self.memory.answered(call, reply, &mut operation.action) {
            Some(status) => self.end(call, status),
            None => self.end_uncertain(bearer, op),
        }
    }

    fn time_out(&mut self, op: OpId) {
        if let Some(client) = self.awaiter(op) {
            self.end_uncertain(client, op);
        }
    }

    /// The client will never know: a read has failed, a write may still happen.
    fn end_uncertain(&mut self, client: usize, op: OpId) {
        let operation = &self.history.operations[op as usize];
        let call = Call {
            client,
            key: operation.key,
            op,
        };
        let writes = operation.action.is_write();
        if self.memory.left_open(call, &operation.action) {
            self.clients[client].identity = self.fresh_identity(client);
        }
        self.end(call, if writes { Status::Info } else { Status::Fail });
    }

    /// The client's operation has ended; it goes on with what belongs to it, or with the next one.
    fn end(&mut self, call: Call, status: Status) {
        let now = self.simulation.now();
        let operation = &mut self.history.operations[call.op as usize];
        operation.status = status;
        operation.completed = (status != Status::Info).then_some(now.0);
        let node = operation.node;
        self.clients[call.client].waiting = None;
        match self.memory.go_on(call, status, &self.history.operations) {
            Some(begun) => self.invoke(self.call(call.client, call.key), node, begun),
            None => self.go_on(call.client),
        }
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
            FaultKind::PowerLoss { node, .. } => history::FaultKind::PowerLoss(there(*node)?),
            FaultKind::Stop { node } => history::FaultKind::Stop(there(*node)?),
            FaultKind::Pause { node } => history::FaultKind::Pause(there(*node)?),
            FaultKind::Leave { node } => history::FaultKind::Leave(there(*node)?),
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
        messages: done.messages + u64::from(done.clock_used) + u64::from(done.told),
        first: done.first.iter().map(affected).collect(),
        unsynced: done.unsynced,
    })
}

/// Runs have far fewer than 2^32 operations and clients.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
