//! The lines that hold faults.

use serde::{Deserialize, Serialize};

use super::{Names, lines::Problem};
use crate::{
    history::{AffectedMessage, Fault, FaultKind, Name, Party, TimeNs},
    interned::Interned,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultLine {
    fault: u64,
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node: Option<Name>,
    /// Each from a sender to a receiver.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    links: Vec<(Name, Name)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jump_ns: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    drift_ppm: Option<i32>,
    began_ns: TimeNs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_ns: Option<TimeNs>,
    affected: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unsynced: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    messages: Vec<MessageLine>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Reorder,
    Loss,
    ClientLoss,
    Duplicate,
    Partition,
    Crash,
    Stop,
    Pause,
    Leave,
    Clock,
    PowerLoss,
}

/// From node to node, or with a client in place of one of them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageLine {
    ns: TimeNs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<Name>,
}

impl FaultLine {
    /// The line of a fault; `None` when it names somebody without a name.
    pub(super) fn of(names: Names<'_>, number: u64, fault: &Fault) -> Option<Self> {
        let node = |node: u32| names.nodes.get(node as usize).cloned();
        let (mut at, mut links) = (None, Vec::new());
        let (mut jump, mut drift) = (None, None);
        let kind = match &fault.kind {
            FaultKind::Reorder => Kind::Reorder,
            FaultKind::Loss => Kind::Loss,
            FaultKind::ClientLoss => Kind::ClientLoss,
            FaultKind::Duplicate => Kind::Duplicate,
            FaultKind::Partition(cut) => {
                let pairs = cut.iter().map(|&(from, to)| Some((node(from)?, node(to)?)));
                links = pairs.collect::<Option<Vec<_>>>()?;
                Kind::Partition
            }
            FaultKind::Crash(down) => {
                at = Some(node(*down)?);
                Kind::Crash
            }
            FaultKind::PowerLoss(down) => {
                at = Some(node(*down)?);
                Kind::PowerLoss
            }
            FaultKind::Stop(down) => {
                at = Some(node(*down)?);
                Kind::Stop
            }
            FaultKind::Pause(still) => {
                at = Some(node(*still)?);
                Kind::Pause
            }
            FaultKind::Leave(out) => {
                at = Some(node(*out)?);
                Kind::Leave
            }
            FaultKind::Clock {
                node: wrong,
                jump_ns,
                drift_ppm,
            } => {
                at = Some(node(*wrong)?);
                (jump, drift) = (Some(*jump_ns), Some(*drift_ppm));
                Kind::Clock
            }
        };
        let messages = fault
            .first
            .iter()
            .map(|message| MessageLine::of(names, message));
        Some(Self {
            fault: number,
            kind,
            node: at,
            links,
            jump_ns: jump,
            drift_ppm: drift,
            began_ns: fault.began,
            ended_ns: fault.ended,
            affected: fault.messages,
            unsynced: fault.unsynced,
            messages: messages.collect::<Option<Vec<_>>>()?,
        })
    }

    /// The number of the fault, as the line has it.
    pub(super) fn number(&self) -> u64 {
        self.fault
    }

    /// What is wrong with the line, if anything is.
    pub(super) fn problem(&self) -> Option<Problem> {
        let on_a_node = matches!(
            self.kind,
            Kind::Crash | Kind::PowerLoss | Kind::Stop | Kind::Pause | Kind::Leave | Kind::Clock
        );
        let on_links = matches!(self.kind, Kind::Partition);
        if on_a_node != self.node.is_some() || on_links == self.links.is_empty() {
            return Some((
                "a crash, power-loss, stop, pause, leave or clock names its \"node\", a partition its \"links\", and no other fault has these fields",
                "name what the fault was done to",
            ));
        }
        let on_a_clock = matches!(self.kind, Kind::Clock);
        if on_a_clock != self.jump_ns.is_some() || on_a_clock != self.drift_ppm.is_some() {
            return Some((
                "a wrong clock has its \"jump_ns\" and \"drift_ppm\", and no other fault has them",
                "give both, 0 where there is none",
            ));
        }
        if self.unsynced.is_some() && !matches!(self.kind, Kind::Crash | Kind::PowerLoss) {
            return Some((
                "only a crash or a power-loss loses what was not synced",
                "leave \"unsynced\" out",
            ));
        }
        if self.affected < self.messages.len() as u64 {
            return Some((
                "there are more \"messages\" than were \"affected\"",
                "count all messages in \"affected\"",
            ));
        }
        if self.messages.iter().any(|message| message.ends().is_none()) {
            return Some((
                "a message goes \"from\" a node \"to\" a node, or has a \"client\" in place of one of them",
                "name two of the three",
            ));
        }
        None
    }

    /// The fault. A line with a problem loses what has it.
    pub(super) fn fault(self, names: &mut Interned) -> Fault {
        let node = self
            .node
            .map_or(0, |node| names.nodes.number(node.as_str()));
        let kind = match self.kind {
            Kind::Reorder => FaultKind::Reorder,
            Kind::Loss => FaultKind::Loss,
            Kind::ClientLoss => FaultKind::ClientLoss,
            Kind::Duplicate => FaultKind::Duplicate,
            Kind::Partition => {
                let nodes = &mut names.nodes;
                let mut link = |(from, to): &(Name, Name)| {
                    (nodes.number(from.as_str()), nodes.number(to.as_str()))
                };
                FaultKind::Partition(self.links.iter().map(&mut link).collect())
            }
            Kind::Crash => FaultKind::Crash(node),
            Kind::PowerLoss => FaultKind::PowerLoss(node),
            Kind::Stop => FaultKind::Stop(node),
            Kind::Pause => FaultKind::Pause(node),
            Kind::Leave => FaultKind::Leave(node),
            Kind::Clock => FaultKind::Clock {
                node,
                jump_ns: self.jump_ns.unwrap_or_default(),
                drift_ppm: self.drift_ppm.unwrap_or_default(),
            },
        };
        let messages = self.messages.iter();
        Fault {
            kind,
            began: self.began_ns,
            ended: self.ended_ns,
            messages: self.affected,
            first: messages
                .filter_map(|message| message.message(names))
                .collect(),
            unsynced: self.unsynced,
        }
    }
}

/// The two ends of a message, by name.
enum Ends<'l> {
    Nodes(&'l Name, &'l Name),
    Request(&'l Name, &'l Name),
    Answer(&'l Name, &'l Name),
}

impl MessageLine {
    fn of(names: Names<'_>, message: &AffectedMessage) -> Option<Self> {
        let client = |client: u32| names.clients.get(client as usize).cloned();
        let node = |node: u32| names.nodes.get(node as usize).cloned();
        let (client, from, to) = match (message.from, message.to) {
            (Party::Node(from), Party::Node(to)) => (None, Some(node(from)?), Some(node(to)?)),
            (Party::Client(from), Party::Node(to)) => (Some(client(from)?), None, Some(node(to)?)),
            (Party::Node(from), Party::Client(to)) => (Some(client(to)?), Some(node(from)?), None),
            (Party::Client(_), Party::Client(_)) => return None,
        };
        Some(Self {
            ns: message.at,
            client,
            from,
            to,
        })
    }

    fn ends(&self) -> Option<Ends<'_>> {
        match (&self.client, &self.from, &self.to) {
            (None, Some(from), Some(to)) => Some(Ends::Nodes(from, to)),
            (Some(client), None, Some(to)) => Some(Ends::Request(client, to)),
            (Some(client), Some(from), None) => Some(Ends::Answer(from, client)),
            _ => None,
        }
    }

    fn message(&self, names: &mut Interned) -> Option<AffectedMessage> {
        let Interned { clients, nodes, .. } = names;
        let (from, to) = match self.ends()? {
            Ends::Nodes(from, to) => (
                Party::Node(nodes.number(from.as_str())),
                Party::Node(nodes.number(to.as_str())),
            ),
            Ends::Request(client, to) => (
                Party::Client(clients.number(client.as_str())),
                Party::Node(nodes.number(to.as_str())),
            ),
            Ends::Answer(from, client) => (
                Party::Node(nodes.number(from.as_str())),
                Party::Client(clients.number(client.as_str())),
            ),
        };
        let at = self.ns;
        Some(AffectedMessage { at, from, to })
    }
}
