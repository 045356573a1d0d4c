//! Nodes in this process: the nodes of a reference store, called directly.

use std::sync::Arc;

use serde_json::Value as Json;
use sibcheck_checkers::history::{Read, Tombstones};

use crate::{
    clocks::Actor,
    plans::Plan,
    simulation::{Address, Disk, Nanos, NodeClock, Purpose, Random},
    stores::{
        Change, EffectsOf, Outgoing, Setting, SiblingAnswer, SiblingRequest, Stamp, Storage,
        StoreName, StoreNode, carry_out,
    },
    workloads::{
        Request, Siblings, Workload,
        siblings::{Ask, ClientBehaviour, Context, RecordedValues, Reply, Reports, TaggedValue},
    },
};

use super::{Nodes, Output};

/// What travels between clients and in-process nodes.
#[derive(Clone, Debug)]
pub enum Packet<W: Workload, A, M> {
    /// From a client.
    Request(Request<W>),
    /// To a client.
    Answer {
        /// The request that it answers.
        to: u32,
        /// The answer.
        answer: A,
    },
    /// From node to node.
    Peer(M),
}

/// The packets of a store's nodes.
type PacketOf<W, N> = Packet<W, <N as StoreNode>::Answer, <N as StoreNode>::Message>;

/// A store's node that the clients of a workload can ask.
pub trait Serves<W: Workload>: StoreNode {
    /// What turns answers into what clients record.
    type Recorder;

    /// That of a plan.
    fn recorder(plan: &Plan) -> Self::Recorder;

    /// What is peculiar to the clients of so many of its nodes.
    fn behaviour(nodes: u32) -> W::Behaviour;

    /// A request as the store has it.
    fn asked(request: Request<W>) -> Self::Request;

    /// An answer as clients have it.
    fn answered(recorder: &mut Self::Recorder, answer: Self::Answer) -> W::Reply;
}

/// What records the answers of a store of siblings.
#[derive(Debug)]
pub struct SiblingRecorder {
    reports: Reports,
    values: RecordedValues,
}

impl<N, S> Serves<Siblings> for N
where
    N: StoreNode<Request = SiblingRequest<TaggedValue>, Answer = SiblingAnswer<TaggedValue, S>>,
    S: Stamp,
{
    type Recorder = SiblingRecorder;

    fn recorder(plan: &Plan) -> SiblingRecorder {
        SiblingRecorder {
            reports: Reports::default(),
            values: RecordedValues::of(&plan.values),
        }
    }

    fn behaviour(nodes: u32) -> ClientBehaviour {
        ClientBehaviour {
            tagged: true,
            tombstones: if N::reaps(nodes) {
                Tombstones::Reaped
            } else {
                Tombstones::Shown
            },
            ..ClientBehaviour::default()
        }
    }

    fn asked(request: Request<Siblings>) -> SiblingRequest<TaggedValue> {
        let Request {
            client, key, ask, ..
        } = request;
        match ask {
            Ask::Read => SiblingRequest::Get { key },
            Ask::Write { value, context, .. } => SiblingRequest::Put {
                client,
                key,
                parents: match context {
                    Context::Clocks(parents) => parents,
                    // These nodes give out clocks only.
                    Context::Opaque(_) => Vec::new(),
                },
                value,
            },
        }
    }

    fn answered(recorder: &mut SiblingRecorder, answer: Self::Answer) -> Reply {
        let SiblingRecorder { reports, values } = recorder;
        match answer {
            SiblingAnswer::Refused(_) => Reply::Refused,
            SiblingAnswer::Unknown => Reply::Uncertain,
            SiblingAnswer::Written { stamp, context, .. } => Reply::Written {
                version: Some(reports.version(&stamp.version(), true)),
                context: context.map(|clock| Context::Clocks(vec![clock])),
            },
            SiblingAnswer::Siblings {
                siblings,
                context,
                told,
            } => Reply::Siblings {
                read: Read {
                    siblings: siblings
                        .iter()
                        .map(|sibling| reports.sibling(sibling, values))
                        .collect(),
                    context: told.map(|context| reports.clock(&context)),
                    last: false,
                },
                context: Some(Context::Clocks(context)),
                each: Vec::new(),
            },
        }
    }
}

/// The nodes of one run of a store, each with its disk.
pub struct InProcess<W: Workload, N: Serves<W>> {
    store: StoreName,
    settings: Vec<Setting>,
    nodes: Vec<Node<N>>,
    now: Nanos,
    effects: EffectsOf<N>,
    /// Whose each request is, by its number, once it has arrived.
    asked: Vec<Option<Address>>,
    recorder: N::Recorder,
    /// What survives of torn batches.
    torn: Random,
    /// How often mechanisms were at work in lives that have ended.
    past: Vec<(&'static str, u64)>,
}

struct Node<N: StoreNode> {
    store: N,
    disk: Disk<N::Place, N::Record>,
    clock: NodeClock,
    clock_used: bool,
}

/// Adds counts that come in the same order each time.
fn add(all: &mut Vec<(&'static str, u64)>, counts: Vec<(&'static str, u64)>) {
    if all.is_empty() {
        *all = counts;
    } else {
        for ((_, all), (_, count)) in all.iter_mut().zip(counts) {
            *all += count;
        }
    }
}

/// The name of the node at a position: `n1` for 0.
pub(crate) fn node_name(position: u32) -> Actor {
    compact_str::format_compact!("n{}", position + 1).into()
}

impl<W: Workload, N: Serves<W>> InProcess<W, N> {
    /// The nodes of a plan's run.
    pub fn new(store: StoreName, plan: &Plan) -> Self {
        let cluster: Arc<[Actor]> = (0..plan.nodes).map(node_name).collect();
        let setting = |position: u32| Setting {
            position,
            cluster: Arc::clone(&cluster),
            anti_entropy: plan.anti_entropy_ns,
        };
        let settings: Vec<Setting> = (0..plan.nodes).map(setting).collect();
        let node = |setting: &Setting| Node {
            store: N::new(store, setting.clone()),
            disk: Disk::default(),
            clock: NodeClock::default(),
            clock_used: false,
        };
        Self {
            store,
            nodes: settings.iter().map(node).collect(),
            settings,
            now: Nanos::ZERO,
            effects: Vec::new(),
            asked: Vec::new(),
            recorder: N::recorder(plan),
            torn: Random::new(plan.network.seed, Purpose::Storage),
            past: Vec::new(),
        }
    }

    /// The store at a position, to be looked into.
    pub fn store(&self, node: u32) -> Option<&N> {
        Some(&self.nodes.get(node as usize)?.store)
    }

    /// Carries out what a node wants, in order.
    fn carry_out(&mut self, node: u32, out: &mut Vec<Output<PacketOf<W, N>>>) {
        let Self { nodes, asked, .. } = self;
        let mut leaves = |outgoing| match outgoing {
            Outgoing::Send(peer, message) => {
                out.push(Output::Send(Address::Node(peer), Packet::Peer(message)));
            }
            Outgoing::SetTimer(after, timer) => out.push(Output::SetTimer(after, timer)),
            Outgoing::Reply(request, answer) => {
                let to = u32::try_from(request).unwrap_or(u32::MAX);
                if let Some(&Some(client)) = asked.get(to as usize) {
                    out.push(Output::Send(client, Packet::Answer { to, answer }));
                }
            }
        };
        let disk = &mut nodes[node as usize].disk;
        let Ok(()) = carry_out::<N, _>(&mut self.effects, disk, &mut leaves);
    }
}

impl<W: Workload, N: Serves<W>> Nodes<W> for InProcess<W, N> {
    type Message = PacketOf<W, N>;

    fn start(&mut self, node: u32, out: &mut Vec<Output<Self::Message>>) {
        let Node { store, disk, .. } = &mut self.nodes[node as usize];
        let effects = &mut self.effects;
        let Ok(()) = Storage::recover(disk, &mut |found| store.start(found, effects));
        self.carry_out(node, out);
    }

    fn request(&mut self, request: Request<W>) -> Self::Message {
        Packet::Request(request)
    }

    fn request_id(&self, message: &Self::Message) -> Option<u32> {
        match message {
            Packet::Request(request) => Some(request.id),
            Packet::Answer { .. } | Packet::Peer(_) => None,
        }
    }

    fn reply(&mut self, _: u32, message: Self::Message) -> Option<(u32, W::Reply)> {
        let Packet::Answer { to, answer } = message else {
            return None;
        };
        Some((to, N::answered(&mut self.recorder, answer)))
    }

    fn deliver(
        &mut self,
        node: u32,
        from: Address,
        message: Self::Message,
        out: &mut Vec<Output<Self::Message>>,
    ) {
        let Node {
            store,
            clock,
            clock_used,
            ..
        } = &mut self.nodes[node as usize];
        match (message, from) {
            (Packet::Request(request), _) => {
                let id = request.id;
                let place = id as usize;
                if self.asked.len() <= place {
                    self.asked.resize(place + 1, None);
                }
                self.asked[place] = Some(from);
                let mut wall_ns = || {
                    *clock_used = true;
                    clock.wall(self.now.0)
                };
                let asked = N::asked(request);
                store.request(id.into(), asked, &mut wall_ns, &mut self.effects);
            }
            (Packet::Peer(message), Address::Node(peer)) => {
                store.message(peer, &message, &mut self.effects);
            }
            // Nobody else sends these.
            (Packet::Peer(_) | Packet::Answer { .. }, _) => {}
        }
        self.carry_out(node, out);
    }

    fn timer(&mut self, node: u32, timer: u32, out: &mut Vec<Output<Self::Message>>) {
        let store = &mut self.nodes[node as usize].store;
        store.timer(timer, &mut self.effects);
        self.carry_out(node, out);
    }

    fn set_time(&mut self, now: Nanos) {
        self.now = now;
    }

    fn change_clock(&mut self, node: u32, jump_ns: i64, drift_ppm: i32) {
        let clock = &mut self.nodes[node as usize].clock;
        clock.change(self.now.0, jump_ns, drift_ppm);
    }

    fn change_members(&mut self, node: u32, change: Change, out: &mut Vec<Output<Self::Message>>) {
        let store = &mut self.nodes[node as usize].store;
        store.change_members(change, &mut self.effects);
        self.carry_out(node, out);
    }

    fn clock_was_used(&mut self, node: u32) -> bool {
        std::mem::take(&mut self.nodes[node as usize].clock_used)
    }

    fn crash(&mut self, node: u32) -> Option<u64> {
        let setting = self.settings[node as usize].clone();
        let node = &mut self.nodes[node as usize];
        add(&mut self.past, node.store.situations());
        node.store = N::new(self.store, setting);
        let survive = match node.disk.unsynced() as u64 {
            unsynced @ 1.. if N::BATCHES_TEAR => self.torn.below(unsynced + 1),
            _ => 0,
        };
        let survive = usize::try_from(survive).unwrap_or(0);
        Some(node.disk.crash(survive) as u64)
    }

    fn stop(&mut self, node: u32, _: &mut Vec<Output<Self::Message>>) {
        self.nodes[node as usize].disk.sync();
        self.crash(node);
    }

    fn behaviour(&self) -> W::Behaviour {
        N::behaviour(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX))
    }

    fn situations(&self) -> Vec<(&'static str, u64)> {
        let mut all = self.past.clone();
        for node in &self.nodes {
            add(&mut all, node.store.situations());
        }
        all
    }

    fn shown(&self, message: &Self::Message) -> String {
        Json::from(format!("{message:?}")).to_string()
    }
}
