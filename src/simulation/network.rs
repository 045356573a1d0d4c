//! The network: latency, loss, duplication, reordering and cut links.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    Address,
    faults::FaultKind,
    nemesis::Epoch,
    random::{Purpose, Random},
    time::Nanos,
};

/// How long a message takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Latency {
    /// Always the same.
    Constant {
        /// The latency.
        ns: Nanos,
    },
    /// Uniform between two bounds, both included.
    Uniform {
        /// The shortest.
        min_ns: Nanos,
        /// The longest.
        max_ns: Nanos,
    },
    /// Exponential, cut at ten times the mean.
    Exponential {
        /// The mean.
        mean_ns: Nanos,
    },
}

impl Latency {
    /// Draws one latency.
    pub fn draw(self, random: &mut Random) -> Nanos {
        match self {
            Self::Constant { ns } => ns,
            Self::Uniform { min_ns, max_ns } => {
                let width = max_ns.0.saturating_sub(min_ns.0).saturating_add(1);
                min_ns + Nanos(random.below(width))
            }
            Self::Exponential { mean_ns } => random.exponential(mean_ns),
        }
    }

    /// The longest latency that can be drawn.
    pub fn longest(self) -> Nanos {
        match self {
            Self::Constant { ns } => ns,
            Self::Uniform { min_ns, max_ns } => max_ns.max(min_ns),
            Self::Exponential { mean_ns } => mean_ns.times(10),
        }
    }
}

/// The network of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkPlan {
    /// Seeds latencies, losses and duplicates.
    pub seed: u64,
    /// Latency between a client and a node, one way.
    pub client_latency: Latency,
    /// Latency between two nodes, one way, unless `links` says otherwise.
    pub node_latency: Latency,
    /// Links between nodes with a latency of their own, by sender and receiver (positions, from 0).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Messages reach nodes at multiples of this time only, so that several come at once: a program gets
    /// them together, and rests only then. At any time if zero.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub together_ns: Nanos,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
fn is_zero(span: &Nanos) -> bool {
    *span == Nanos::ZERO
}

/// A directed link with a latency of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The sending node's position.
    pub from: u32,
    /// The receiving node's position.
    pub to: u32,
    /// The latency in this direction.
    pub latency: Latency,
}

/// What the network did in one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages handed to the network, copies not counted.
    pub sent: u64,
    /// Messages that arrived, copies counted.
    pub delivered: u64,
    /// Messages lost by chance.
    pub lost: u64,
    /// Messages that a cut link swallowed.
    pub cut: u64,
    /// Messages that arrived at a dead node.
    pub at_dead_node: u64,
    /// Messages that were delivered twice.
    pub duplicated: u64,
    /// Messages that arrived after one that was sent later on the same link.
    pub reordered: u64,
}

impl Traffic {
    /// Adds what the network did in another run.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.delivered += other.delivered;
        self.lost += other.lost;
        self.cut += other.cut;
        self.at_dead_node += other.at_dead_node;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
    }
}

/// What the network does with a message that is handed to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carriage {
    /// A cut link swallows it.
    Cut,
    /// It is lost by chance.
    Lost,
    /// It is on its way.
    OnItsWay {
        /// When it arrives.
        first: Nanos,
        /// When its duplicate arrives.
        second: Option<Nanos>,
        /// What it carries along.
        stamp: Stamp,
    },
}

/// By what a message is known when it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Its number on its link, from 1; a duplicate has the same.
    number: u32,
    /// When it was sent.
    pub(super) sent: Epoch,
    /// It is on its way twice.
    doubled: bool,
}

/// What is special about an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// When the message was sent that was sent later on the same link and has arrived before.
    pub(super) overtaken_by: Option<Epoch>,
    /// The same message has arrived before.
    pub(super) again: bool,
}

/// A directed link between two nodes, or between a client and a node.
#[derive(Clone, Copy, Debug, Default)]
struct LinkState {
    /// The latest arrival so far of a message that does not overtake another.
    latest: Nanos,
    /// How many messages have been on their way.
    sent: u32,
    /// The greatest number that has arrived, and when that message was sent.
    arrived: (u32, Epoch),
}

/// The state of all links.
#[derive(Debug)]
pub(super) struct Network {
    nodes: usize,
    client_latency: Latency,
    together: Nanos,
    /// By sender × nodes + receiver.
    node_latency: Vec<Latency>,
    /// How many active partitions cut the link; same index.
    severed: Vec<u32>,
    /// Every link; see [`Network::link`].
    links: Vec<LinkState>,
    /// Messages on their way twice of which one copy has arrived, by link and number.
    arrived_once: BTreeSet<(usize, u32)>,
    /// How many faults of the kind are active.
    reorder: u32,
    loss_ppm: u32,
    client_loss_ppm: u32,
    duplication_ppm: u32,
    latency: Random,
    loss: Random,
    duplication: Random,
    /// What has happened so far.
    pub(super) traffic: Traffic,
}

impl Network {
    /// A network without faults among `nodes` nodes.
    pub(super) fn new(plan: &NetworkPlan, nodes: u32) -> Self {
        let nodes = nodes as usize;
        let mut node_latency = vec![plan.node_latency; nodes * nodes];
        for link in &plan.links {
            let (from, to) = (link.from as usize, link.to as usize);
            if from < nodes && to < nodes {
                node_latency[from * nodes + to] = link.latency;
            }
        }
        Self {
            nodes,
            client_latency: plan.client_latency,
            together: plan.together_ns,
            node_latency,
            severed: vec![0; nodes * nodes],
            links: vec![LinkState::default(); nodes * nodes],
            arrived_once: BTreeSet::new(),
            reorder: 0,
            loss_ppm: 0,
            client_loss_ppm: 0,
            duplication_ppm: 0,
            latency: Random::new(plan.seed, Purpose::Latency),
            loss: Random::new(plan.seed, Purpose::Loss),
            duplication: Random::new(plan.seed, Purpose::Duplication),
            traffic: Traffic::default(),
        }
    }

    /// Begins or ends a fault of the network; faults of nodes do not concern it.
    pub(super) fn apply(&mut self, fault: &FaultKind, begins: bool) {
        let adjust = |level: &mut u32, by: u32| {
            *level = if begins {
                level.saturating_add(by)
            } else {
                level.saturating_sub(by)
            };
        };
        match fault {
            FaultKind::Reorder => adjust(&mut self.reorder, 1),
            FaultKind::Loss { probability_ppm } => adjust(&mut self.loss_ppm, *probability_ppm),
            FaultKind::ClientLoss { probability_ppm } => {
                adjust(&mut self.client_loss_ppm, *probability_ppm);
            }
            FaultKind::Duplication { probability_ppm } => {
                adjust(&mut self.duplication_ppm, *probability_ppm);
            }
            FaultKind::Partition { cut, .. } => {
                for &(from, to) in cut {
                    let link = from as usize * self.nodes + to as usize;
                    if let Some(level) = self.severed.get_mut(link) {
                        adjust(level, 1);
                    }
                }
            }
            FaultKind::Crash { .. }
            | FaultKind::CrashAtDeed { .. }
            | FaultKind::PowerLoss { .. }
            | FaultKind::Stop { .. }
            | FaultKind::Pause { .. }
            | FaultKind::Leave { .. }
            | FaultKind::Clock { .. } => {}
        }
    }

    /// True when nothing passes from one node to the other.
    pub(super) fn is_cut(&self, from: Address, to: Address) -> bool {
        match (from, to) {
            (Address::Node(from), Address::Node(to)) => {
                self.severed[from as usize * self.nodes + to as usize] > 0
            }
            _ => false,
        }
    }

    /// Takes a message at time `now`, in this epoch, and decides when its copies arrive.
    pub(super) fn send(
        &mut self,
        now: Nanos,
        epoch: Epoch,
        from: Address,
        to: Address,
    ) -> Carriage {
        self.traffic.sent += 1;
        if self.is_cut(from, to) {
            self.traffic.cut += 1;
            return Carriage::Cut;
        }
        let (loss_ppm, duplication_ppm) = match (from, to) {
            (Address::Node(_), Address::Node(_)) => (self.loss_ppm, self.duplication_ppm),
            _ => (self.client_loss_ppm, 0),
        };
        if self.loss.chance_ppm(loss_ppm) {
            self.traffic.lost += 1;
            return Carriage::Lost;
        }
        let link = self.link(from, to);
        let latency = match (from, to) {
            (Address::Node(_), Address::Node(_)) => self.node_latency[link],
            _ => self.client_latency,
        };
        let together = match to {
            Address::Node(_) => self.together.0.max(1),
            Address::Client(_) => 1,
        };
        // Rounded up, so that nothing overtakes what it did not before.
        let at = |arrival: Nanos| Nanos(arrival.0.div_ceil(together).saturating_mul(together));
        let first = at(self.arrival(now, link, latency));
        let doubled = self.duplication.chance_ppm(duplication_ppm);
        let second = doubled.then(|| at(self.arrival(now, link, latency)));
        let number = &mut self.links[link].sent;
        *number += 1;
        let stamp = Stamp {
            number: *number,
            sent: epoch,
            doubled,
        };
        Carriage::OnItsWay {
            first,
            second,
            stamp,
        }
    }

    fn arrival(&mut self, now: Nanos, link: usize, latency: Latency) -> Nanos {
        let drawn = now + latency.draw(&mut self.latency);
        let latest = &mut self.links[link].latest;
        if self.reorder > 0 && drawn < *latest {
            return drawn;
        }
        *latest = drawn.max(*latest);
        *latest
    }

    /// A message is delivered. O(1), and O(log duplicates) for one that is on its way twice.
    pub(super) fn arrive(&mut self, from: Address, to: Address, stamp: Stamp) -> Arrival {
        self.traffic.delivered += 1;
        let link = self.link(from, to);
        let again = stamp.doubled && {
            let copy = (link, stamp.number);
            !self.arrived_once.insert(copy) && self.arrived_once.remove(&copy)
        };
        let arrived = &mut self.links[link].arrived;
        let overtaken_by = (stamp.number < arrived.0).then_some(arrived.1);
        if overtaken_by.is_none() {
            *arrived = (stamp.number, stamp.sent);
        }
        self.traffic.duplicated += u64::from(again);
        self.traffic.reordered += u64::from(overtaken_by.is_some());
        Arrival {
            overtaken_by,
            again,
        }
    }

    /// The index of a link in [`Network::links`]: links between nodes come first, then those of
    /// each client, to every node and from it.
    fn link(&mut self, from: Address, to: Address) -> usize {
        let nodes = self.nodes;
        let of_client = |client: u32, other: Address, back: usize| {
            // Clients do not speak to clients.
            let node = match other {
                Address::Node(node) => node as usize,
                Address::Client(_) => 0,
            };
            nodes * nodes + 2 * (client as usize * nodes + node) + back
        };
        let link = match (from, to) {
            (Address::Node(from), Address::Node(to)) => from as usize * nodes + to as usize,
            (Address::Client(client), other) => of_client(client, other, 0),
            (other, Address::Client(client)) => of_client(client, other, 1),
        };
        if link >= self.links.len() {
            self.links.resize(link + 1, LinkState::default());
        }
        link
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        let latency = Latency::Uniform {
            min_ns: Nanos(10),
            max_ns: Nanos(1_000),
        };
        let plan = NetworkPlan {
            seed: 1,
            client_latency: Latency::Constant { ns: Nanos(5) },
            node_latency: latency,
            together_ns: Nanos::ZERO,
            links: vec![Link {
                from: 1,
                to: 0,
                latency: Latency::Constant { ns: Nanos(77) },
            }],
        };
        Network::new(&plan, 2)
    }

    const ONE: Address = Address::Node(0);
    const TWO: Address = Address::Node(1);
    const CERTAIN: u32 = 1_000_000;

    impl Network {
        /// When the copies of a message that is sent now arrive, if any.
        fn carry(&mut self, at: u64, from: Address, to: Address) -> Option<(Nanos, Option<Nanos>)> {
            match self.send(Nanos(at), Epoch::default(), from, to) {
                Carriage::OnItsWay { first, second, .. } => Some((first, second)),
                _ => None,
            }
        }
    }

    #[test]
    fn a_link_delivers_in_order_unless_reordering_is_on() {
        let mut network = network();
        let arrivals = |network: &mut Network| -> Vec<Nanos> {
            (0..200)
                .filter_map(|at| network.carry(at, ONE, TWO))
                .map(|(first, _)| first)
                .collect()
        };
        assert!(arrivals(&mut network).is_sorted());
        network.apply(&FaultKind::Reorder, true);
        assert!(!arrivals(&mut network).is_sorted());
    }

    #[test]
    fn links_have_their_own_latency_and_direction() {
        let mut network = network();
        assert_eq!(network.carry(100, TWO, ONE), Some((Nanos(177), None)));
        let cut = FaultKind::Partition {
            shape: super::super::faults::PartitionShape::OneWay,
            cut: vec![(0, 1)],
        };
        network.apply(&cut, true);
        assert_eq!(network.carry(0, ONE, TWO), None);
        assert!(network.carry(200, TWO, ONE).is_some());
        network.apply(&cut, false);
        assert!(network.carry(0, ONE, TWO).is_some());
        assert_eq!(network.traffic.cut, 1);
    }

    #[test]
    fn loss_and_duplication_touch_only_their_links() {
        let mut network = network();
        let loss = FaultKind::Loss {
            probability_ppm: CERTAIN,
        };
        let client = Address::Client(3);
        network.apply(&loss, true);
        assert_eq!(network.carry(0, ONE, TWO), None);
        assert_eq!(network.carry(0, client, ONE), Some((Nanos(5), None)));
        network.apply(&loss, false);
        let duplication = FaultKind::Duplication {
            probability_ppm: CERTAIN,
        };
        network.apply(&duplication, true);
        let copies = network.carry(0, ONE, TWO);
        assert!(copies.is_some_and(|(_, second)| second.is_some()));
        assert_eq!(network.carry(0, ONE, client), Some((Nanos(5), None)));
    }

    #[test]
    fn a_client_does_not_wait_at_one_node_for_its_message_to_another() {
        let mut network = network();
        let client = Address::Client(0);
        network.client_latency = Latency::Constant { ns: Nanos(900) };
        assert_eq!(network.carry(0, client, ONE), Some((Nanos(900), None)));
        network.client_latency = Latency::Constant { ns: Nanos(5) };
        assert_eq!(network.carry(1, client, TWO), Some((Nanos(6), None)));
        assert_eq!(network.carry(1, client, ONE), Some((Nanos(900), None)));
    }
}
