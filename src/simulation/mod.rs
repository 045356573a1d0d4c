//! The simulation: virtual time, one event queue, the network and the nemesis.
//!
//! It knows neither the store it runs nor whether a node lives in this process: it sees messages,
//! timers and faults. The runner asks for the next [`Event`] and hands back what follows from it.
//! Everything is a function of the plan: time is a counter, events at one instant come in the
//! order in which they were scheduled, and randomness is seeded by purpose.

#[cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    expect(dead_code, reason = "no program is asked to wait for a time there")
)]
mod clock;
mod faults;
mod knowledge;
mod nemesis;
mod network;
mod queue;
mod random;
mod storage;
mod time;
mod trace;

pub use clock::NodeClock;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) use clock::{Hand, Reading, Run, SECOND};
pub use faults::{Death, Fault, FaultKind, FaultName, PartitionShape};
pub use nemesis::{AffectedMessage, FaultRecord};
pub use network::{Latency, Link, NetworkPlan, Traffic};
pub use random::{Purpose, Random};
pub use storage::Disk;
pub use time::Nanos;
pub use trace::{Fate, Happening, Traced};

use self::{
    knowledge::{Knowledge, Snapshot},
    nemesis::{Epoch, Nemesis},
    network::{Carriage, Network, Stamp},
    queue::Queue,
};

/// Several faults may add up; a clock still moves on, and not at once, in parts per million.
const MOST_DRIFT_PPM: i64 = 900_000;

/// Who sends or receives a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// The client with this number.
    Client(u32),
    /// The node at this position, from 0.
    Node(u32),
}

/// Something that happens at the present moment.
#[derive(Debug)]
pub enum Event<M> {
    /// A message arrives.
    Deliver {
        /// Who sent it.
        from: Address,
        /// Who receives it.
        to: Address,
        /// The message.
        message: M,
    },
    /// A timer that a node had set goes off.
    Timer {
        /// The node's position.
        node: u32,
        /// The node's own number for it.
        timer: u32,
    },
    /// An alarm of the runner goes off.
    Alarm(u64),
    /// A node dies.
    Crash(u32),
    /// A node's machine loses power.
    PowerLoss {
        /// The node's position.
        node: u32,
        /// Whether the names of its files stay as they are.
        keeps_names: bool,
    },
    /// A node is to die when it is about to change a file for the n-th time from now.
    Doom {
        /// The node's position.
        node: u32,
        /// How many times; from 1.
        deeds: u32,
        /// How.
        death: Death,
    },
    /// A node need not die any more.
    Spare(u32),
    /// A node is told to end in good order.
    Stop(u32),
    /// A dead node comes back.
    Restart(u32),
    /// A node stands still.
    Pause(u32),
    /// A node that stood still goes on; what arrived meanwhile comes next.
    Resume(u32),
    /// The clock of a node goes wrong, or right again.
    Clock {
        /// The node's position.
        node: u32,
        /// How far its wall clock jumps, in nanoseconds.
        jump_ns: i64,
        /// How much too fast its clocks run from now on, in parts per million.
        drift_ppm: i32,
    },
    /// A node is told to leave the cluster.
    Leave(u32),
    /// A node is told to join the cluster again.
    Join(u32),
}

/// How long a node that is down or paused has before it is told again to join.
const TOLD_AGAIN: Nanos = Nanos::from_millis(1);

enum Scheduled<M> {
    Message {
        from: Address,
        to: Address,
        stamp: Stamp,
        known: Snapshot,
        message: M,
    },
    Timer {
        node: u32,
        timer: u32,
        /// The life in which the timer was set; a crash ends all timers of a life.
        life: u32,
    },
    Alarm(u64),
    FaultBegins(usize),
    FaultEnds(usize),
    /// A node that is not a member any more is to join again.
    Join(u32),
}

/// A node as the simulation sees it.
struct NodeState<M> {
    life: u32,
    crashed: u32,
    paused: u32,
    /// The fault by which it is to die.
    doomed: Option<usize>,
    /// The fault by which it died so.
    fallen: Option<usize>,
    /// How many faults of its clock there are, and how much too fast it runs because of them, in parts
    /// per million.
    wrong_clocks: u32,
    drift_ppm: i64,
    /// The faults by which it was told to leave.
    left: Vec<usize>,
    /// What arrived during a pause, in order.
    backlog: Vec<Scheduled<M>>,
}

impl<M> Default for NodeState<M> {
    fn default() -> Self {
        Self {
            life: 0,
            crashed: 0,
            paused: 0,
            doomed: None,
            fallen: None,
            wrong_clocks: 0,
            drift_ppm: 0,
            left: Vec::new(),
            backlog: Vec::new(),
        }
    }
}

/// Virtual time and all that is still to happen.
pub struct Simulation<M> {
    now: Nanos,
    /// How much has happened so far.
    events: u64,
    queue: Queue<Scheduled<M>>,
    network: Network,
    knowledge: Knowledge,
    nodes: Vec<NodeState<M>>,
    nemesis: Nemesis,
    /// No fault begins any more.
    healed: bool,
    /// What became of messages and nodes, if it is to be told.
    trace: Option<Vec<Traced<M>>>,
}

impl<M: Clone> Simulation<M> {
    /// A simulation at time zero, with all faults scheduled. Faults that name nodes which do not
    /// exist do nothing.
    pub fn new(nodes: u32, network: &NetworkPlan, faults: &[Fault]) -> Self {
        let mut queue = Queue::default();
        for (index, fault) in faults.iter().enumerate() {
            queue.push(fault.begin_ns, Scheduled::FaultBegins(index));
            queue.push(
                fault.end_ns.max(fault.begin_ns),
                Scheduled::FaultEnds(index),
            );
        }
        Self {
            now: Nanos::ZERO,
            events: 0,
            queue,
            network: Network::new(network, nodes),
            knowledge: Knowledge::new(nodes),
            nodes: (0..nodes).map(|_| NodeState::default()).collect(),
            nemesis: Nemesis::new(faults),
            healed: false,
            trace: None,
        }
    }

    /// From now on keeps what becomes of messages and nodes.
    pub fn record(&mut self) {
        self.trace.get_or_insert_default();
    }

    /// What was recorded since [`Simulation::record`].
    pub fn take_trace(&mut self) -> Vec<Traced<M>> {
        self.trace.take().unwrap_or_default()
    }

    fn note(&mut self, what: Happening<M>) {
        if let Some(trace) = &mut self.trace {
            trace.push(Traced { at: self.now, what });
        }
    }

    fn note_message(&mut self, fate: Fate, from: Address, to: Address, message: &M) {
        if self.trace.is_some() {
            let message = message.clone();
            self.note(Happening::Message {
                fate,
                from,
                to,
                message,
            });
        }
    }

    /// How much has happened so far: messages that arrived or were lost on the way, timers, alarms,
    /// faults.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The present.
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// What the network has done so far.
    pub fn traffic(&self) -> Traffic {
        self.network.traffic
    }

    /// What each fault of the plan has affected so far, by its position in the plan.
    pub fn fault_records(&self) -> Vec<FaultRecord> {
        self.nemesis.records()
    }

    /// Notes that a node's death of this kind that has just happened lost so many records or set back
    /// so many files, because they were not synced.
    pub fn note_unsynced(&mut self, node: u32, by: FaultName, records: u64) {
        self.nemesis.charge_unsynced(node, by, records);
    }

    /// Charges what happened to a message to the faults that could have caused it.
    fn charge(
        &mut self,
        epoch: Epoch,
        from: Address,
        to: Address,
        could_cause: impl Fn(&FaultKind) -> bool,
    ) {
        let at = self.now;
        let message = AffectedMessage { at, from, to };
        self.nemesis.charge(epoch, message, could_cause);
    }

    /// Sends a message now. The network decides whether, when and how often it arrives.
    pub fn send(&mut self, from: Address, to: Address, message: M) {
        let epoch = self.nemesis.epoch();
        match self.network.send(self.now, epoch, from, to) {
            Carriage::Cut => {
                self.note_message(Fate::Lost, from, to, &message);
                self.charge(epoch, from, to, |fault| fault.cuts(from, to));
            }
            Carriage::Lost => {
                self.note_message(Fate::Lost, from, to, &message);
                self.charge(epoch, from, to, |fault| fault.loses(from, to));
            }
            Carriage::OnItsWay {
                first,
                second,
                stamp,
            } => {
                self.note_message(Fate::Sent, from, to, &message);
                if let Some(at) = second {
                    let message = message.clone();
                    let copy = Scheduled::Message {
                        from,
                        to,
                        stamp,
                        known: self.snapshot(from, to),
                        message,
                    };
                    self.queue.push(at, copy);
                }
                let message = Scheduled::Message {
                    from,
                    to,
                    stamp,
                    known: self.snapshot(from, to),
                    message,
                };
                self.queue.push(first, message);
            }
        }
    }

    /// What a message takes along. Only messages between nodes can tell one what another did.
    fn snapshot(&mut self, from: Address, to: Address) -> Snapshot {
        match (from, to) {
            (Address::Node(node), Address::Node(_)) => self.knowledge.leave(node, self.now),
            _ => Snapshot::NONE,
        }
    }

    /// The latest time of which a node can know what another one had done by then: a chain of
    /// delivered messages leads from there to here. `None` when there is no such chain. O(1).
    pub fn knows(&self, node: u32, other: u32) -> Option<Nanos> {
        if node == other {
            return Some(self.now);
        }
        self.knowledge.of(node, other)
    }

    /// Sets a timer of a node; it is forgotten if the node crashes before.
    pub fn set_timer(&mut self, node: u32, after: Nanos, timer: u32) {
        let life = self.nodes[node as usize].life;
        self.queue
            .push(self.now + after, Scheduled::Timer { node, timer, life });
    }

    /// Sets an alarm of the runner.
    pub fn set_alarm(&mut self, at: Nanos, token: u64) {
        self.queue.push(at.max(self.now), Scheduled::Alarm(token));
    }

    /// Ends every fault now, and lets none begin any more.
    pub fn heal(&mut self) {
        self.healed = true;
        for index in self.nemesis.active() {
            self.queue.push(self.now, Scheduled::FaultEnds(index));
        }
    }

    /// The alarm that goes off next, if nothing else happens before.
    pub fn next_alarm(&self) -> Option<u64> {
        match self.queue.peek()? {
            Scheduled::Alarm(token) => Some(*token),
            _ => None,
        }
    }

    /// When the next thing happens; `None` when nothing is left to happen.
    pub fn next_time(&self) -> Option<Nanos> {
        self.queue.next_time()
    }

    /// Lets time pass without an event: for nodes that live in real time. What was scheduled for a
    /// moment before then happens late.
    pub fn advance_to(&mut self, now: Nanos) {
        self.now = self.now.max(now);
    }

    /// The same where that moment has come because a node does something by itself, which counts among
    /// what happens.
    pub fn pass_to(&mut self, now: Nanos) {
        self.advance_to(now);
        self.events += 1;
    }

    /// Advances to the next event and returns it; `None` when nothing is left to happen.
    pub fn next_event(&mut self) -> Option<Event<M>> {
        self.next_event_by(Nanos(u64::MAX))
    }

    /// The same of what happens by a moment; `None` when nothing is left to happen by then.
    pub fn next_event_by(&mut self, until: Nanos) -> Option<Event<M>> {
        loop {
            if self.next_time()? > until {
                return None;
            }
            let (at, scheduled) = self.queue.pop()?;
            self.advance_to(at);
            self.events += 1;
            if let Some(event) = self.happen(scheduled) {
                return Some(event);
            }
        }
    }

    fn happen(&mut self, scheduled: Scheduled<M>) -> Option<Event<M>> {
        match scheduled {
            Scheduled::Message {
                from,
                to,
                stamp,
                known,
                message,
            } => self.arrive(from, to, (stamp, known), message),
            Scheduled::Timer { node, timer, life } => {
                let state = &mut self.nodes[node as usize];
                if state.life != life || state.crashed > 0 {
                    return None;
                }
                if state.paused > 0 {
                    state.backlog.push(scheduled);
                    return None;
                }
                Some(Event::Timer { node, timer })
            }
            Scheduled::Alarm(token) => Some(Event::Alarm(token)),
            Scheduled::FaultBegins(index) => self.fault(index, true),
            Scheduled::FaultEnds(index) => self.fault(index, false),
            Scheduled::Join(node) => {
                let event = self.join(node);
                if event.is_some() {
                    self.note(Happening::Join(node));
                }
                event
            }
        }
    }

    /// A message has come to the end of its way: unless something is wrong there it is delivered.
    fn arrive(
        &mut self,
        from: Address,
        to: Address,
        (stamp, known): (Stamp, Snapshot),
        message: M,
    ) -> Option<Event<M>> {
        let epoch = self.nemesis.epoch();
        if let Address::Node(node) = to {
            if self.network.is_cut(from, to) {
                self.network.traffic.cut += 1;
                self.note_message(Fate::Lost, from, to, &message);
                self.charge(epoch, from, to, |fault| fault.cuts(from, to));
                self.knowledge.drop(known);
                return None;
            }
            let state = &mut self.nodes[node as usize];
            if state.crashed > 0 {
                self.die_with(from, to, &message);
                self.knowledge.drop(known);
                return None;
            }
            if state.paused > 0 {
                state.backlog.push(Scheduled::Message {
                    from,
                    to,
                    stamp,
                    known,
                    message,
                });
                self.charge(epoch, from, to, |fault| *fault == FaultKind::Pause { node });
                return None;
            }
        }
        if let Address::Node(node) = to {
            self.knowledge.arrive(node, known);
        }
        let arrival = self.network.arrive(from, to, stamp);
        self.note_message(Fate::Delivered, from, to, &message);
        if let Some(later) = arrival.overtaken_by {
            self.charge(later, from, to, |fault| *fault == FaultKind::Reorder);
        }
        if arrival.again {
            self.charge(stamp.sent, from, to, FaultKind::doubles);
        }
        Some(Event::Deliver { from, to, message })
    }

    /// A message ends at a node that is down.
    fn die_with(&mut self, from: Address, to: Address, message: &M) {
        self.network.traffic.at_dead_node += 1;
        self.note_message(Fate::AtDeadNode, from, to, message);
        let epoch = self.nemesis.epoch();
        self.charge(epoch, from, to, |fault| fault.takes_down(to));
    }

    fn fault(&mut self, index: usize, begins: bool) -> Option<Event<M>> {
        if begins && self.healed {
            return None;
        }
        let fault = self.nemesis.switch(index, begins, self.now)?;
        self.network.apply(fault, begins);
        let event = match *fault {
            FaultKind::Crash { node }
            | FaultKind::PowerLoss {
                node, deeds: None, ..
            }
            | FaultKind::Stop { node } => {
                let death = fault.death();
                self.end_or_restart(node, begins, death)
            }
            FaultKind::CrashAtDeed { node, deeds }
            | FaultKind::PowerLoss {
                node,
                deeds: Some(deeds),
                ..
            } => {
                let death = fault.death().unwrap_or(Death::Kill);
                self.doom_or_restart(index, (node, deeds, death), begins)
            }
            FaultKind::Pause { node } => self.pause_or_resume(node, begins),
            FaultKind::Leave { node } => self.leave_or_join(index, node, begins),
            FaultKind::Clock {
                node,
                jump_ns,
                drift_ppm,
            } => self.set_clock(node, begins, (jump_ns, drift_ppm)),
            _ => None,
        };
        match event {
            Some(Event::Crash(node)) => self.note(Happening::Crash(node)),
            Some(Event::PowerLoss { node, .. }) => self.note(Happening::PowerLoss(node)),
            Some(Event::Stop(node)) => self.note(Happening::Stop(node)),
            Some(Event::Restart(node)) => self.note(Happening::Restart(node)),
            Some(Event::Pause(node)) => self.note(Happening::Pause(node)),
            Some(Event::Resume(node)) => self.note(Happening::Resume(node)),
            Some(Event::Clock { node, .. }) => self.note(Happening::Clock(node)),
            Some(Event::Leave(node)) => self.note(Happening::Leave(node)),
            Some(Event::Join(node)) => self.note(Happening::Join(node)),
            _ => {}
        }
        event
    }

    fn doom_or_restart(
        &mut self,
        index: usize,
        (node, deeds, death): (u32, u32, Death),
        begins: bool,
    ) -> Option<Event<M>> {
        let state = self.nodes.get_mut(node as usize)?;
        if begins {
            if state.doomed.is_some() || state.fallen.is_some() {
                self.nemesis.had_no_occasion(index);
                return None;
            }
            state.doomed = Some(index);
            return Some(Event::Doom { node, deeds, death });
        }
        if state.fallen == Some(index) {
            state.fallen = None;
            return self.end_or_restart(node, false, Some(death));
        }
        self.nemesis.had_no_occasion(index);
        if state.doomed != Some(index) {
            return None;
        }
        state.doomed = None;
        Some(Event::Spare(node))
    }

    /// A node that was to die has died just now.
    pub fn fall(&mut self, node: u32) {
        let Some(state) = self.nodes.get_mut(node as usize) else {
            return;
        };
        let Some(index) = state.doomed.take() else {
            return;
        };
        state.fallen = Some(index);
        let death = self.nemesis.fell(index, self.now);
        match self.end_or_restart(node, true, death) {
            Some(Event::PowerLoss { .. }) => self.note(Happening::PowerLoss(node)),
            Some(_) => self.note(Happening::Crash(node)),
            None => {}
        }
    }

    /// A node dies, or ends in good order where it dies no death; or it comes back.
    fn end_or_restart(&mut self, node: u32, ends: bool, death: Option<Death>) -> Option<Event<M>> {
        let state = self.nodes.get_mut(node as usize)?;
        if ends {
            state.crashed += 1;
            let first = state.crashed == 1;
            state.life += u32::from(first);
            for held in std::mem::take(&mut state.backlog) {
                if let Scheduled::Message {
                    from,
                    to,
                    known,
                    message,
                    ..
                } = held
                {
                    self.knowledge.drop(known);
                    self.die_with(from, to, &message);
                }
            }
            first.then_some(match death {
                None => Event::Stop(node),
                Some(Death::Kill) => Event::Crash(node),
                Some(Death::PowerLoss { keeps_names }) => Event::PowerLoss { node, keeps_names },
            })
        } else {
            state.crashed = state.crashed.saturating_sub(1);
            (state.crashed == 0).then_some(Event::Restart(node))
        }
    }

    fn set_clock(
        &mut self,
        node: u32,
        wrong: bool,
        (jump_ns, drift_ppm): (i64, i32),
    ) -> Option<Event<M>> {
        let state = self.nodes.get_mut(node as usize)?;
        let drift_ppm = i64::from(drift_ppm);
        let (jump_ns, drift_ppm) = if wrong {
            state.wrong_clocks += 1;
            (jump_ns, drift_ppm)
        } else {
            state.wrong_clocks -= 1;
            (jump_ns.saturating_neg(), -drift_ppm)
        };
        state.drift_ppm += drift_ppm;
        let drift_ppm = state.drift_ppm.clamp(-MOST_DRIFT_PPM, MOST_DRIFT_PPM);
        Some(Event::Clock {
            node,
            jump_ns,
            drift_ppm: i32::try_from(drift_ppm).unwrap_or_default(),
        })
    }

    /// True while a fault makes the clock of a node wrong. O(1).
    pub fn clock_is_wrong(&self, node: u32) -> bool {
        let state = self.nodes.get(node as usize);
        state.is_some_and(|state| state.wrong_clocks > 0)
    }

    /// Notes that a node used its clock.
    pub fn note_clock_used(&mut self, node: u32) {
        self.nemesis.charge_clock(node);
    }

    fn leave_or_join(&mut self, index: usize, node: u32, leaves: bool) -> Option<Event<M>> {
        let state = self.nodes.get_mut(node as usize)?;
        if leaves {
            if state.crashed > 0 || state.paused > 0 {
                self.nemesis.had_no_occasion(index);
                return None;
            }
            state.left.push(index);
            self.nemesis.told(index);
            return (state.left.len() == 1).then_some(Event::Leave(node));
        }
        let before = state.left.len();
        state.left.retain(|fault| *fault != index);
        match (before - state.left.len(), state.left.len()) {
            (0, _) => {
                self.nemesis.had_no_occasion(index);
                None
            }
            (_, 0) => self.join(node),
            _ => None,
        }
    }

    /// Tells a node to join again, or does so later where it cannot be told.
    fn join(&mut self, node: u32) -> Option<Event<M>> {
        let state = self.nodes.get_mut(node as usize)?;
        if !state.left.is_empty() {
            // It was told to leave once more meanwhile.
            return None;
        }
        if state.crashed > 0 || state.paused > 0 {
            let again = self.now + TOLD_AGAIN;
            self.queue.push(again, Scheduled::Join(node));
            return None;
        }
        Some(Event::Join(node))
    }

    fn pause_or_resume(&mut self, node: u32, pauses: bool) -> Option<Event<M>> {
        let state = self.nodes.get_mut(node as usize)?;
        if pauses {
            state.paused += 1;
            return (state.paused == 1).then_some(Event::Pause(node));
        }
        state.paused = state.paused.saturating_sub(1);
        (state.paused == 0).then(|| {
            // Before what arrives just now: a pause reorders nothing.
            for held in state.backlog.drain(..) {
                self.queue.push_before(self.now, held);
            }
            Event::Resume(node)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simulation(faults: &[Fault]) -> Simulation<u32> {
        let latency = Latency::Constant { ns: Nanos(10) };
        let plan = NetworkPlan {
            seed: 0,
            client_latency: latency,
            node_latency: latency,
            links: Vec::new(),
            together_ns: Nanos::ZERO,
        };
        Simulation::new(2, &plan, faults)
    }

    fn fault(what: FaultKind, begin: u64, end: u64) -> Fault {
        Fault {
            what,
            begin_ns: Nanos(begin),
            end_ns: Nanos(end),
        }
    }

    fn trace(simulation: &mut Simulation<u32>) -> Vec<(u64, String)> {
        std::iter::from_fn(|| {
            let event = simulation.next_event()?;
            Some((simulation.now().0, format!("{event:?}")))
        })
        .collect()
    }

    #[test]
    fn faults_of_one_clock_add_up_and_are_taken_back() {
        let clock = |jump_ns, drift_ppm| FaultKind::Clock {
            node: 1,
            jump_ns,
            drift_ppm,
        };
        let mut simulation =
            simulation(&[fault(clock(-7, 100), 5, 20), fault(clock(3, -40), 10, 30)]);
        let mut told = Vec::new();
        while let Some(event) = simulation.next_event() {
            let Event::Clock {
                node: 1,
                jump_ns,
                drift_ppm,
            } = event
            else {
                panic!("{event:?}");
            };
            let wrong = simulation.clock_is_wrong(1);
            told.push((simulation.now().0, jump_ns, drift_ppm, wrong));
            if simulation.now() == Nanos(20) {
                simulation.note_clock_used(1);
            }
        }
        let expected = [
            (5, -7, 100, true),
            (10, 3, 60, true),
            (20, 7, -40, true),
            (30, -3, 0, false),
        ];
        assert_eq!(told, expected);
        let used = simulation.fault_records();
        let used: Vec<u64> = used.iter().map(FaultRecord::affected).collect();
        assert_eq!(used, [0, 1], "only the one that was active then");
    }

    #[test]
    fn a_crash_drops_messages_and_timers_of_that_life() {
        let mut simulation = simulation(&[fault(FaultKind::Crash { node: 1 }, 5, 20)]);
        simulation.send(Address::Node(0), Address::Node(1), 7);
        simulation.set_timer(1, Nanos(30), 1);
        simulation.set_timer(0, Nanos(30), 2);
        let trace = trace(&mut simulation);
        let expected = [
            (5, "Crash(1)"),
            (20, "Restart(1)"),
            (30, "Timer { node: 0, timer: 2 }"),
        ];
        assert_eq!(trace, expected.map(|(at, what)| (at, what.to_owned())));
        assert_eq!(simulation.traffic().at_dead_node, 1);
    }

    #[test]
    fn a_stop_is_a_crash_in_good_order() {
        let mut simulation = simulation(&[
            fault(FaultKind::Stop { node: 1 }, 5, 20),
            fault(FaultKind::Crash { node: 1 }, 7, 30),
        ]);
        let expected = [(5, "Stop(1)"), (30, "Restart(1)")];
        let expected = expected.map(|(at, what)| (at, what.to_owned()));
        assert_eq!(trace(&mut simulation), expected);
    }

    #[test]
    fn what_becomes_of_messages_is_recorded() {
        let mut simulation = simulation(&[fault(FaultKind::Crash { node: 1 }, 15, 40)]);
        simulation.record();
        simulation.send(Address::Node(0), Address::Node(1), 1);
        while !matches!(simulation.next_event(), Some(Event::Crash(1))) {}
        simulation.send(Address::Node(0), Address::Node(1), 2);
        while simulation.next_event().is_some() {}
        let trace = simulation.take_trace();
        let told: Vec<String> = trace
            .iter()
            .map(|traced| match &traced.what {
                Happening::Message { fate, message, .. } => {
                    format!("{} {fate:?} {message}", traced.at.0)
                }
                other => format!("{} {other:?}", traced.at.0),
            })
            .collect();
        let expected = [
            "0 Sent 1",
            "10 Delivered 1",
            "15 Crash(1)",
            "15 Sent 2",
            "25 AtDeadNode 2",
            "40 Restart(1)",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_late_happens_late() {
        let mut simulation = simulation(&[]);
        simulation.set_alarm(Nanos(5), 1);
        simulation.advance_to(Nanos(8));
        assert_eq!(trace(&mut simulation), [(8, "Alarm(1)".to_owned())]);
    }

    #[test]
    fn a_pause_delays_but_loses_nothing_and_keeps_the_order() {
        let mut simulation = simulation(&[fault(FaultKind::Pause { node: 1 }, 5, 50)]);
        simulation.send(Address::Node(0), Address::Node(1), 1);
        simulation.send(Address::Client(0), Address::Node(1), 2);
        simulation.set_timer(1, Nanos(30), 3);
        let trace = trace(&mut simulation);
        let times: Vec<u64> = trace.iter().map(|(at, _)| *at).collect();
        assert_eq!(times, [5, 50, 50, 50, 50]);
        assert_eq!(trace[0].1, "Pause(1)");
        assert_eq!(trace[1].1, "Resume(1)", "before what arrived meanwhile");
    }

    #[test]
    fn what_arrives_when_a_pause_ends_comes_after_what_it_held_back() {
        let mut simulation = simulation(&[fault(FaultKind::Pause { node: 1 }, 5, 50)]);
        simulation.send(Address::Node(0), Address::Node(1), 1);
        simulation.set_alarm(Nanos(40), 0);
        while !matches!(simulation.next_event(), Some(Event::Alarm(0))) {}
        simulation.send(Address::Node(0), Address::Node(1), 2);
        let messages = std::iter::from_fn(|| simulation.next_event()).filter_map(|event| {
            let Event::Deliver { message, .. } = event else {
                return None;
            };
            Some(message)
        });
        assert_eq!(messages.collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_partition_swallows_what_is_on_its_way() {
        let cut = FaultKind::Partition {
            shape: PartitionShape::OneWay,
            cut: vec![(0, 1)],
        };
        let mut simulation = simulation(&[fault(cut, 5, 50)]);
        simulation.send(Address::Node(0), Address::Node(1), 1);
        simulation.send(Address::Node(1), Address::Node(0), 2);
        assert_eq!(trace(&mut simulation).len(), 1);
        assert_eq!(simulation.traffic().cut, 1);
    }

    #[test]
    fn healing_ends_what_is_active_and_lets_nothing_begin() {
        let mut simulation = simulation(&[
            fault(FaultKind::Crash { node: 0 }, 5, 90),
            fault(FaultKind::Crash { node: 1 }, 50, 60),
        ]);
        assert!(matches!(simulation.next_event(), Some(Event::Crash(0))));
        simulation.heal();
        assert_eq!(trace(&mut simulation), [(5, "Restart(0)".to_owned())]);
    }

    #[test]
    fn faults_that_name_no_node_do_nothing() {
        let mut simulation = simulation(&[
            fault(FaultKind::Crash { node: 9 }, 1, 2),
            fault(FaultKind::Pause { node: 9 }, 1, 2),
            fault(
                FaultKind::Clock {
                    node: 9,
                    jump_ns: 1,
                    drift_ppm: 1,
                },
                1,
                2,
            ),
        ]);
        assert!(trace(&mut simulation).is_empty());
    }
}
