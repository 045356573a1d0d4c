//! The network: latency, loss, duplication, reordering and cut links.

use serde::{Deserialize, Serialize};

use super::{
    Address,
    faults::FaultKind,
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
    /// Extra copies delivered.
    pub duplicated: u64,
    /// Messages that overtook an earlier one on their link.
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

/// When the copies of one message arrive: none when it is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrivals {
    /// The message itself.
    pub(super) first: Option<Nanos>,
    /// Its duplicate.
    pub(super) second: Option<Nanos>,
}

/// The state of all links.
#[derive(Debug)]
pub(super) struct Network {
    nodes: usize,
    client_latency: Latency,
    /// By sender × nodes + receiver.
    node_latency: Vec<Latency>,
    /// How many active partitions cut the link; same index.
    severed: Vec<u32>,
    /// The latest arrival so far on each link; see [`Network::link`].
    latest: Vec<Nanos>,
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
            node_latency,
            severed: vec![0; nodes * nodes],
            latest: vec![Nanos::ZERO; nodes * nodes],
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
            FaultKind::Crash { .. } | FaultKind::Stop { .. } | FaultKind::Pause { .. } => {}
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

    /// Takes a message at time `now` and decides when its copies arrive.
    pub(super) fn send(&mut self, now: Nanos, from: Address, to: Address) -> Arrivals {
        const NOWHERE: Arrivals = Arrivals {
            first: None,
            second: None,
        };
        self.traffic.sent += 1;
        if self.is_cut(from, to) {
            self.traffic.cut += 1;
            return NOWHERE;
        }
        let (loss_ppm, duplication_ppm) = match (from, to) {
            (Address::Node(_), Address::Node(_)) => (self.loss_ppm, self.duplication_ppm),
            _ => (self.client_loss_ppm, 0),
        };
        if self.loss.chance_ppm(loss_ppm) {
            self.traffic.lost += 1;
            return NOWHERE;
        }
        let first = self.arrival(now, from, to);
        let second = self.duplication.chance_ppm(duplication_ppm).then(|| {
            self.traffic.duplicated += 1;
            self.arrival(now, from, to)
        });
        Arrivals {
            first: Some(first),
            second,
        }
    }

    fn arrival(&mut self, now: Nanos, from: Address, to: Address) -> Nanos {
        let link = self.link(from, to);
        let latency = match (from, to) {
            (Address::Node(_), Address::Node(_)) => self.node_latency[link],
            _ => self.client_latency,
        };
        let drawn = now + latency.draw(&mut self.latency);
        let latest = &mut self.latest[link];
        if self.reorder > 0 && drawn < *latest {
            self.traffic.reordered += 1;
            return drawn;
        }
        *latest = drawn.max(*latest);
        *latest
    }

    /// The index of a link in [`Network::latest`]: links between nodes come first, then two for
    /// each client, to the nodes and from them.
    fn link(&mut self, from: Address, to: Address) -> usize {
        let link = match (from, to) {
            (Address::Node(from), Address::Node(to)) => from as usize * self.nodes + to as usize,
            (Address::Client(client), _) => self.nodes * self.nodes + 2 * client as usize,
            (_, Address::Client(client)) => self.nodes * self.nodes + 2 * client as usize + 1,
        };
        if link >= self.latest.len() {
            self.latest.resize(link + 1, Nanos::ZERO);
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
            links: vec![Link {
                from: 1,
                to: 0,
                latency: Latency::Constant { ns: Nanos(77) },
            }],
        };
        Network::new(&plan, 2)
    }

    const ONE_TO_TWO: (Address, Address) = (Address::Node(0), Address::Node(1));

    #[test]
    fn a_link_delivers_in_order_unless_reordering_is_on() {
        let mut network = network();
        let arrivals = |network: &mut Network| -> Vec<Nanos> {
            (0..200)
                .filter_map(|at| network.send(Nanos(at), ONE_TO_TWO.0, ONE_TO_TWO.1).first)
                .collect()
        };
        assert!(arrivals(&mut network).is_sorted());
        assert_eq!(network.traffic.reordered, 0);
        network.apply(&FaultKind::Reorder, true);
        assert!(!arrivals(&mut network).is_sorted());
        assert!(network.traffic.reordered > 50);
    }

    #[test]
    fn links_have_their_own_latency_and_direction() {
        let mut network = network();
        let back = network.send(Nanos(100), Address::Node(1), Address::Node(0));
        assert_eq!(back.first, Some(Nanos(177)));
        let cut = FaultKind::Partition {
            shape: super::super::faults::PartitionShape::OneWay,
            cut: vec![(0, 1)],
        };
        network.apply(&cut, true);
        assert_eq!(
            network.send(Nanos(0), ONE_TO_TWO.0, ONE_TO_TWO.1).first,
            None
        );
        assert!(
            network
                .send(Nanos(200), Address::Node(1), Address::Node(0))
                .first
                .is_some()
        );
        network.apply(&cut, false);
        assert!(
            network
                .send(Nanos(0), ONE_TO_TWO.0, ONE_TO_TWO.1)
                .first
                .is_some()
        );
        assert_eq!(network.traffic.cut, 1);
    }

    #[test]
    fn loss_and_duplication_touch_only_their_links() {
        let mut network = network();
        let certain = 1_000_000;
        let loss = FaultKind::Loss {
            probability_ppm: certain,
        };
        network.apply(&loss, true);
        assert_eq!(
            network.send(Nanos(0), ONE_TO_TWO.0, ONE_TO_TWO.1).first,
            None
        );
        let request = network.send(Nanos(0), Address::Client(3), Address::Node(0));
        assert_eq!(request.first, Some(Nanos(5)));
        network.apply(&loss, false);
        network.apply(
            &FaultKind::Duplication {
                probability_ppm: certain,
            },
            true,
        );
        assert!(
            network
                .send(Nanos(0), ONE_TO_TWO.0, ONE_TO_TWO.1)
                .second
                .is_some()
        );
        let answer = network.send(Nanos(0), Address::Node(0), Address::Client(3));
        assert_eq!(answer.second, None);
    }
}
