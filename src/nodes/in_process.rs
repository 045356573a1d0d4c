//! Nodes in this process: a reference store behind the node interface, called directly.

use serde_json::Value as Json;
use sibcheck_checkers::history::Read;

use crate::{
    clocks::Actor,
    plans::Plan,
    simulation::{Address, Disk, Nanos, NodeClock},
    stores::{
        ActorScheme, DottedRules, DottedStore, Effect, Effects, Key, Replica, ReplicaConfig,
        ReplicaMessage, ReplicaRules, SiblingStore, Siblings, Stamp, StoreName, VersionedRules,
        VersionedStore, faulty::Flaw,
    },
    workloads::{
        Request,
        siblings::{Ask, ClientBehaviour, Context, RecordedValues, Reply, Reports, TaggedValue},
    },
};

use super::{Nodes, Output};

/// What travels between clients and in-process nodes.
#[derive(Clone, Debug)]
pub enum Packet<S> {
    /// From a client.
    Request(Request),
    /// To a client.
    Answer {
        /// The request that it answers.
        to: u32,
        /// The answer.
        answer: Answer<S>,
    },
    /// From node to node.
    Replica(ReplicaMessage<TaggedValue, S>),
}

/// A store's answer.
#[derive(Clone, Debug)]
pub enum Answer<S> {
    /// The write got this version.
    Written(S),
    /// The siblings of the key.
    Siblings(Siblings<TaggedValue, S>),
    /// The write was refused.
    Refused,
}

/// A cluster of replicas of one kind of store, each with its disk.
pub struct InProcess<T: SiblingStore<TaggedValue>> {
    nodes: Vec<Node<T>>,
    now: Nanos,
    make: Box<dyn Fn(u32) -> Replica<T>>,
    effects: Effects<TaggedValue, T>,
    reports: Reports,
    values: RecordedValues,
}

/// What a node keeps on its disk: the siblings of every key.
type NodeDisk<T> = Disk<Key, Siblings<TaggedValue, <T as SiblingStore<TaggedValue>>::Stamp>>;

struct Node<T: SiblingStore<TaggedValue>> {
    replica: Replica<T>,
    disk: NodeDisk<T>,
    clock: NodeClock,
    clock_used: bool,
}

/// The only timer of a replica.
const ANTI_ENTROPY: u32 = 0;

impl<T: SiblingStore<TaggedValue>> InProcess<T> {
    fn new(plan: &Plan, make: impl Fn(u32) -> Replica<T> + 'static) -> Self {
        Self {
            nodes: (0..plan.nodes)
                .map(|node| Node {
                    replica: make(node),
                    disk: Disk::default(),
                    clock: NodeClock::default(),
                    clock_used: false,
                })
                .collect(),
            now: Nanos::ZERO,
            make: Box::new(make),
            effects: Vec::new(),
            reports: Reports::default(),
            values: RecordedValues::of(&plan.values),
        }
    }

    /// Carries out what the replica of `node` wants, in order.
    fn carry_out(&mut self, node: u32, out: &mut Vec<Output<Packet<T::Stamp>>>) {
        let disk = &mut self.nodes[node as usize].disk;
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Persist(key, siblings) => disk.write(key, siblings),
                Effect::Sync => disk.sync(),
                Effect::Send(peer, message) => {
                    out.push(Output::Send(Address::Node(peer), Packet::Replica(message)));
                }
                Effect::SetTimer(after) => out.push(Output::SetTimer(after, ANTI_ENTROPY)),
            }
        }
    }
}

/// The name of the node at a position: `n1` for 0.
pub(crate) fn node_name(position: u32) -> Actor {
    compact_str::format_compact!("n{}", position + 1).into()
}

/// Makes the configuration of each replica of a plan.
fn configure(store: StoreName, plan: &Plan) -> impl Fn(u32) -> ReplicaConfig + use<> {
    let (nodes, anti_entropy) = (plan.nodes, plan.anti_entropy_ns);
    let rules = store
        .flaw()
        .map_or_else(ReplicaRules::default, Flaw::replica);
    move |node| ReplicaConfig {
        peers: (0..nodes).filter(|&peer| peer != node).collect(),
        anti_entropy,
        rules,
    }
}

impl InProcess<VersionedStore<TaggedValue>> {
    /// The replicas of a plan whose store is based on vector clocks.
    pub fn versioned(store: StoreName, plan: &Plan) -> Self {
        let rules = store
            .flaw()
            .map_or_else(VersionedRules::default, Flaw::versioned);
        let configuration = configure(store, plan);
        let alone = plan.nodes == 1;
        Self::new(plan, move |node| {
            let scheme = if alone {
                ActorScheme::Client
            } else {
                ActorScheme::ClientAtNode(node_name(node))
            };
            Replica::new(VersionedStore::new(scheme, rules), configuration(node))
        })
    }
}

impl InProcess<DottedStore<TaggedValue>> {
    /// The replicas of a plan whose store is based on dotted version vectors.
    pub fn dotted(store: StoreName, plan: &Plan) -> Self {
        let rules = store.flaw().map_or_else(DottedRules::default, Flaw::dotted);
        let configuration = configure(store, plan);
        Self::new(plan, move |node| {
            Replica::new(
                DottedStore::new(node_name(node), rules),
                configuration(node),
            )
        })
    }
}

impl<T: SiblingStore<TaggedValue>> Nodes for InProcess<T> {
    type Message = Packet<T::Stamp>;

    fn start(&mut self, node: u32, out: &mut Vec<Output<Self::Message>>) {
        let Node { replica, disk, .. } = &mut self.nodes[node as usize];
        replica.start(disk.recover(), &mut self.effects);
        self.carry_out(node, out);
    }

    fn request(&mut self, request: Request) -> Self::Message {
        Packet::Request(request)
    }

    fn request_id(&self, message: &Self::Message) -> Option<u32> {
        match message {
            Packet::Request(request) => Some(request.id),
            Packet::Answer { .. } | Packet::Replica(_) => None,
        }
    }

    fn reply(&mut self, _: u32, message: Self::Message) -> Option<(u32, Reply)> {
        let Packet::Answer { to, answer } = message else {
            return None;
        };
        let (reports, values) = (&mut self.reports, &self.values);
        let reply = match answer {
            Answer::Refused => Reply::Refused,
            Answer::Written(stamp) => Reply::Written {
                context: T::write_context(&stamp).map(|clock| Context::Clocks(vec![clock])),
                version: Some(reports.version(&stamp.version(), true)),
            },
            Answer::Siblings(siblings) => Reply::Siblings {
                read: Read {
                    siblings: siblings
                        .iter()
                        .map(|sibling| reports.sibling(sibling, values))
                        .collect(),
                    context: T::read_context(&siblings).map(|context| reports.clock(&context)),
                    last: false,
                },
                context: Some(Context::Clocks(T::context(&siblings))),
                each: Vec::new(),
            },
        };
        Some((to, reply))
    }

    fn deliver(
        &mut self,
        node: u32,
        from: Address,
        message: Self::Message,
        out: &mut Vec<Output<Self::Message>>,
    ) {
        let Node {
            replica,
            clock,
            clock_used,
            ..
        } = &mut self.nodes[node as usize];
        match (message, from) {
            (Packet::Request(request), _) => {
                let answer = match request.ask {
                    Ask::Read => Answer::Siblings(replica.store().get(&request.key)),
                    Ask::Write { value, context, .. } => {
                        let parents = match &context {
                            Context::Clocks(parents) => parents.as_slice(),
                            // These nodes give out clocks only.
                            Context::Opaque(_) => &[],
                        };
                        *clock_used |= replica.look_at_clock(|| clock.wall(self.now.0));
                        let (client, key) = (&request.client, &request.key);
                        replica
                            .write(client.as_str(), key, parents, value, &mut self.effects)
                            .map_or(Answer::Refused, Answer::Written)
                    }
                };
                self.carry_out(node, out);
                let to = request.id;
                out.push(Output::Send(from, Packet::Answer { to, answer }));
            }
            (Packet::Replica(message), Address::Node(peer)) => {
                replica.receive(peer, &message, &mut self.effects);
                self.carry_out(node, out);
            }
            // Nobody else sends these.
            (Packet::Replica(_) | Packet::Answer { .. }, _) => {}
        }
    }

    fn timer(&mut self, node: u32, _: u32, out: &mut Vec<Output<Self::Message>>) {
        self.nodes[node as usize]
            .replica
            .anti_entropy(&mut self.effects);
        self.carry_out(node, out);
    }

    fn set_time(&mut self, now: Nanos) {
        self.now = now;
    }

    fn change_clock(&mut self, node: u32, jump_ns: i64, drift_ppm: i32) {
        let clock = &mut self.nodes[node as usize].clock;
        clock.change(self.now.0, jump_ns, drift_ppm);
    }

    fn clock_was_used(&mut self, node: u32) -> bool {
        std::mem::take(&mut self.nodes[node as usize].clock_used)
    }

    fn crash(&mut self, node: u32) -> Option<u64> {
        let fresh = (self.make)(node);
        let node = &mut self.nodes[node as usize];
        node.replica = fresh;
        Some(node.disk.crash() as u64)
    }

    fn stop(&mut self, node: u32, _: &mut Vec<Output<Self::Message>>) {
        self.nodes[node as usize].disk.sync();
        self.crash(node);
    }

    fn behaviour(&self) -> ClientBehaviour {
        ClientBehaviour {
            tagged: true,
            ..ClientBehaviour::default()
        }
    }

    fn shown(&self, message: &Self::Message) -> String {
        Json::from(format!("{message:?}")).to_string()
    }
}
