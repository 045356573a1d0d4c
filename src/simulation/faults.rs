//! Faults as a plan holds them: values with a begin and an end.

use serde::{Deserialize, Serialize};

use super::{Address, time::Nanos};

/// One scheduled fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub what: FaultKind,
    /// From when.
    pub begin_ns: Nanos,
    /// Until when; everything heals at the end of a run's operations at the latest.
    pub end_ns: Nanos,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FaultKind {
    /// Messages overtake each other; without it every link delivers in order.
    Reorder,
    /// Messages between nodes vanish with this probability.
    Loss {
        /// Parts per million.
        probability_ppm: u32,
    },
    /// Messages between a client and a node, requests and answers, vanish with this probability.
    ClientLoss {
        /// Parts per million.
        probability_ppm: u32,
    },
    /// Messages between nodes arrive twice with this probability. Requests of clients never do:
    /// a request that arrives twice is a second operation, and the history would not know of it.
    Duplication {
        /// Parts per million.
        probability_ppm: u32,
    },
    /// These directed links between nodes carry nothing.
    Partition {
        /// The shape it was drawn from.
        shape: PartitionShape,
        /// The cut links, each from a sender to a receiver (positions, from 0).
        cut: Vec<(u32, u32)>,
    },
    /// The node dies, losing what it had not synced, and restarts at the end.
    Crash {
        /// The node's position, from 0.
        node: u32,
    },
    /// The node dies when it is about to write to, sync, rename or remove a file, and restarts at the end;
    /// it lives on if it does not come to that before. Only programs whose clocks are the simulation's
    /// can be made to: others die at the begin.
    CrashAtDeed {
        /// The node's position, from 0.
        node: u32,
        /// For the n-th time since the begin; from 1.
        deeds: u32,
    },
    /// The node's machine loses power, and the node restarts at the end: its files are as they surely are
    /// on storage, as [`Death::PowerLoss`] says. Only programs whose clocks are the simulation's can have
    /// it; others die as in a crash.
    PowerLoss {
        /// The node's position, from 0.
        node: u32,
        /// For the n-th time since the begin when the node is about to change a file, as of a crash at a
        /// deed; `None`: at the begin.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deeds: Option<u32>,
        /// Whether the names of files stay as they are.
        keeps_names: bool,
    },
    /// The node ends in good order, keeping what it had accepted, and restarts at the end.
    Stop {
        /// The node's position, from 0.
        node: u32,
    },
    /// The node does nothing, and then goes on with all that has arrived meanwhile.
    Pause {
        /// The node's position, from 0.
        node: u32,
    },
    /// The node leaves the cluster at the begin, and joins again at the end: it hands over what it owns, and
    /// gets it back. A node that is down or paused at the begin stays a member.
    Leave {
        /// The node's position, from 0.
        node: u32,
    },
    /// The node's clock is wrong: its wall clock jumps at the begin and back at the end, and all its
    /// clocks run at another rate between. Only nodes whose clocks are the simulation's can have it.
    Clock {
        /// The node's position, from 0.
        node: u32,
        /// How far the wall clock jumps, in nanoseconds; back where it is negative.
        jump_ns: i64,
        /// How much too fast the clocks run, in parts per million; too slow where it is negative.
        drift_ppm: i32,
    },
}

/// How a node dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// It is killed: its machine goes on, and has all that was written to files.
    Kill,
    /// Its machine loses power: each file has what it had when it was last synced.
    PowerLoss {
        /// Names of files, created, changed or removed, stay as they are; else they are as they were when
        /// any file or folder of the node was last synced.
        keeps_names: bool,
    },
}

impl FaultKind {
    /// How a node dies of it; `None` where none does.
    pub fn death(&self) -> Option<Death> {
        match *self {
            Self::Crash { .. } | Self::CrashAtDeed { .. } => Some(Death::Kill),
            Self::PowerLoss { keeps_names, .. } => Some(Death::PowerLoss { keeps_names }),
            _ => None,
        }
    }

    /// The nodes that it names.
    pub fn nodes(&self) -> Vec<u32> {
        match self {
            Self::Crash { node }
            | Self::CrashAtDeed { node, .. }
            | Self::PowerLoss { node, .. }
            | Self::Stop { node }
            | Self::Pause { node }
            | Self::Leave { node }
            | Self::Clock { node, .. } => vec![*node],
            Self::Partition { cut, .. } => cut.iter().flat_map(|&(from, to)| [from, to]).collect(),
            _ => Vec::new(),
        }
    }

    /// True when it swallows messages on this link.
    pub(super) fn cuts(&self, from: Address, to: Address) -> bool {
        match (self, from, to) {
            (Self::Partition { cut, .. }, Address::Node(from), Address::Node(to)) => {
                cut.contains(&(from, to))
            }
            _ => false,
        }
    }

    /// True when it may lose messages on this link.
    pub(super) fn loses(&self, from: Address, to: Address) -> bool {
        let between_nodes = matches!((from, to), (Address::Node(_), Address::Node(_)));
        match self {
            Self::Loss { probability_ppm } => between_nodes && *probability_ppm > 0,
            Self::ClientLoss { probability_ppm } => !between_nodes && *probability_ppm > 0,
            _ => false,
        }
    }

    /// True when it may double messages.
    pub(super) fn doubles(&self) -> bool {
        matches!(self, Self::Duplication { probability_ppm } if *probability_ppm > 0)
    }

    /// True when this node is down because of it.
    pub(super) fn takes_down(&self, node: Address) -> bool {
        match self {
            Self::Crash { node: down }
            | Self::CrashAtDeed { node: down, .. }
            | Self::PowerLoss { node: down, .. }
            | Self::Stop { node: down } => node == Address::Node(*down),
            _ => false,
        }
    }

    /// The same fault where nodes stand at other positions, several perhaps at one; `None` when
    /// nothing is left.
    #[must_use]
    pub fn with_nodes(&self, moved: impl Fn(u32) -> u32) -> Option<Self> {
        Some(match *self {
            Self::Partition { shape, ref cut } => {
                let mut cut: Vec<_> = cut
                    .iter()
                    .map(|&(from, to)| (moved(from), moved(to)))
                    .filter(|(from, to)| from != to)
                    .collect();
                cut.sort_unstable();
                cut.dedup();
                if cut.is_empty() {
                    return None;
                }
                Self::Partition { shape, cut }
            }
            Self::Crash { node } => Self::Crash { node: moved(node) },
            Self::CrashAtDeed { node, deeds } => Self::CrashAtDeed {
                node: moved(node),
                deeds,
            },
            Self::PowerLoss {
                node,
                deeds,
                keeps_names,
            } => Self::PowerLoss {
                node: moved(node),
                deeds,
                keeps_names,
            },
            Self::Stop { node } => Self::Stop { node: moved(node) },
            Self::Pause { node } => Self::Pause { node: moved(node) },
            Self::Leave { node } => Self::Leave { node: moved(node) },
            Self::Clock {
                node,
                jump_ns,
                drift_ppm,
            } => Self::Clock {
                node: moved(node),
                jump_ns,
                drift_ppm,
            },
            ref everywhere => everywhere.clone(),
        })
    }

    /// The name used on the command line and in reports.
    pub const fn name(&self) -> FaultName {
        match self {
            Self::Reorder => FaultName::Reorder,
            Self::Loss { .. } => FaultName::Loss,
            Self::ClientLoss { .. } => FaultName::ClientLoss,
            Self::Duplication { .. } => FaultName::Duplicate,
            Self::Partition { .. } => FaultName::Partition,
            Self::Crash { .. } | Self::CrashAtDeed { .. } => FaultName::Crash,
            Self::PowerLoss { .. } => FaultName::PowerLoss,
            Self::Stop { .. } => FaultName::Stop,
            Self::Pause { .. } => FaultName::Pause,
            Self::Leave { .. } => FaultName::Leave,
            Self::Clock { .. } => FaultName::Clock,
        }
    }
}

/// The kinds of fault by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultName {
    /// Messages overtake each other.
    Reorder,
    /// Messages between nodes are lost.
    Loss,
    /// Requests and answers of clients are lost.
    ClientLoss,
    /// Messages between nodes arrive twice.
    Duplicate,
    /// Directed links between nodes are cut.
    Partition,
    /// Nodes die, lose what was not synced, and restart.
    Crash,
    /// Nodes do nothing for a while.
    Pause,
    /// Nodes end in good order and restart.
    Stop,
    /// Clocks of nodes are wrong.
    Clock,
    /// Nodes leave the cluster and join again.
    Leave,
    /// Nodes lose power, and what is not synced of their files, and restart.
    PowerLoss,
}

impl FaultName {
    /// Every kind, in the order of reports.
    pub const ALL: [Self; 11] = [
        Self::Reorder,
        Self::Loss,
        Self::ClientLoss,
        Self::Duplicate,
        Self::Partition,
        Self::Crash,
        Self::Pause,
        Self::Stop,
        Self::Clock,
        Self::Leave,
        Self::PowerLoss,
    ];

    /// True where it is drawn only when it is named, or for stores of which it is known that they can go
    /// through it: few use their clocks, few have nodes that can leave, and few promise to survive a loss of
    /// power.
    pub const fn is_on_request(self) -> bool {
        matches!(self, Self::Clock | Self::Leave | Self::PowerLoss)
    }

    /// True where only programs can have it: a store in this process loses what it has not synced in
    /// every crash.
    pub const fn is_of_programs(self) -> bool {
        matches!(self, Self::PowerLoss)
    }

    /// Where it can only be in virtual time, what happens in it, in words.
    pub const fn in_virtual_time(self) -> Option<&'static str> {
        match self {
            Self::Clock => Some("clocks can be wrong"),
            Self::PowerLoss => Some("power can be lost"),
            _ => None,
        }
    }

    /// True for faults of the links between nodes, and of who is a member, which one node alone does not have. Messages of
    /// a client never overtake each other: it waits for each answer.
    pub const fn needs_peers(self) -> bool {
        matches!(
            self,
            Self::Reorder | Self::Loss | Self::Duplicate | Self::Partition | Self::Leave
        )
    }

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reorder => "reorder",
            Self::Loss => "loss",
            Self::ClientLoss => "client-loss",
            Self::Duplicate => "duplicate",
            Self::Partition => "partition",
            Self::Crash => "crash",
            Self::Pause => "pause",
            Self::Stop => "stop",
            Self::Clock => "clock",
            Self::Leave => "leave",
            Self::PowerLoss => "power-loss",
        }
    }
}

/// The shapes of partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionShape {
    /// Two groups that do not hear each other.
    Halves,
    /// Every node hears a majority, itself included, and no two nodes the same one.
    MajorityRing,
    /// One group does not hear the other, but is heard.
    OneWay,
    /// One node is cut off.
    SingleNode,
}

impl PartitionShape {
    /// Every shape.
    pub const ALL: [Self; 4] = [
        Self::Halves,
        Self::MajorityRing,
        Self::OneWay,
        Self::SingleNode,
    ];

    /// The directed links that this shape cuts among `order.len()` nodes. `order` is a permutation
    /// of their positions, which decides who is on which side.
    pub fn cut(self, order: &[u32]) -> Vec<(u32, u32)> {
        let nodes = order.len();
        let majority = nodes / 2 + 1;
        let severed = |from: usize, to: usize| match self {
            Self::Halves => (from < nodes / 2) != (to < nodes / 2),
            // Who stands at `to` hears itself and the next ones, a majority in all.
            Self::MajorityRing => (from + nodes - to) % nodes >= majority,
            Self::OneWay => from < nodes / 2 && to >= nodes / 2,
            Self::SingleNode => (from == 0) != (to == 0),
        };
        let mut cut: Vec<_> = (0..nodes)
            .flat_map(|from| (0..nodes).map(move |to| (from, to)))
            .filter(|&(from, to)| from != to && severed(from, to))
            .map(|(from, to)| (order[from], order[to]))
            .collect();
        cut.sort_unstable();
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_cut_what_they_say() {
        assert_eq!(
            PartitionShape::Halves.cut(&[0, 1, 2]),
            [(0, 1), (0, 2), (1, 0), (2, 0)]
        );
        assert_eq!(PartitionShape::OneWay.cut(&[2, 0, 1]), [(2, 0), (2, 1)]);
        assert_eq!(
            PartitionShape::SingleNode.cut(&[1, 0, 2]),
            [(0, 1), (1, 0), (1, 2), (2, 1)]
        );
        assert!(PartitionShape::ALL.iter().all(|s| s.cut(&[0]).is_empty()));
    }

    #[test]
    fn in_a_majority_ring_each_node_hears_its_own_majority() {
        let cut = PartitionShape::MajorityRing.cut(&[0, 1, 2, 3, 4]);
        let heard =
            |to: u32| -> Vec<u32> { (0..5).filter(|&from| !cut.contains(&(from, to))).collect() };
        let majorities: Vec<_> = (0..5).map(heard).collect();
        assert!(majorities.iter().all(|nodes| nodes.len() == 3));
        for (i, a) in majorities.iter().enumerate() {
            assert!(majorities[i + 1..].iter().all(|b| a != b));
        }
    }
}
