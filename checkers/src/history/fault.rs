//! Faults that a run went through: what was done to nodes and messages, and what it affected.
//!
//! They are told beside a proof and judged by nobody: whether a history is correct depends on what
//! clients asked and were answered, not on why.

use super::TimeNs;

/// A fault that was active for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What went wrong.
    pub kind: FaultKind,
    /// From when.
    pub began: TimeNs,
    /// Until when; `None` where it lasted until the end.
    pub ended: Option<TimeNs>,
    /// How many messages it affected: lost, swallowed by a cut link, overtaken, delivered a second
    /// time, held back, or sent to a node that was down. Of a wrong clock: 1 if the node used it, which
    /// is no message.
    pub messages: u64,
    /// The first of these messages, in the order in which they were affected.
    pub first: Vec<AffectedMessage>,
    /// How many records a crash lost, or how many files a loss of power set back, because they were not
    /// synced, where that is known.
    pub unsynced: Option<u64>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Messages overtook each other.
    Reorder,
    /// Messages between nodes were lost.
    Loss,
    /// Requests and answers of clients were lost.
    ClientLoss,
    /// Messages between nodes arrived twice.
    Duplicate,
    /// These directed links carried nothing, each from a sender to a receiver; they index
    /// [`History::nodes`](super::History::nodes).
    Partition(Vec<(u32, u32)>),
    /// This node died and lost what it had not synced.
    Crash(u32),
    /// The machine of this node lost power: what was not synced of its files was lost.
    PowerLoss(u32),
    /// This node ended in good order.
    Stop(u32),
    /// This node stood still.
    Pause(u32),
    /// This node was no member of the cluster: it left at the begin, and joined again at the end.
    Leave(u32),
    /// The clock of this node was wrong.
    Clock {
        /// Index into [`History::nodes`](super::History::nodes).
        node: u32,
        /// How far its wall clock jumped when this began, in nanoseconds; it jumped back at the end.
        jump_ns: i64,
        /// How much too fast it ran, in parts per million.
        drift_ppm: i32,
    },
}

/// A message that a fault affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AffectedMessage {
    /// When it showed.
    pub at: TimeNs,
    /// Who sent it.
    pub from: Party,
    /// Who should receive it.
    pub to: Party,
}

/// Who sends or receives messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Index into [`History::clients`](super::History::clients).
    Client(u32),
    /// Index into [`History::nodes`](super::History::nodes).
    Node(u32),
}

impl Fault {
    /// True when something would have gone another way without it, or may have: of a node that was
    /// ended nobody may know what it forgot.
    pub fn may_have_affected(&self) -> bool {
        self.messages > 0 || self.may_have_forgotten()
    }

    /// True when it ended a node that lost something, or of which it is not known.
    pub(crate) fn may_have_forgotten(&self) -> bool {
        let ends = matches!(
            self.kind,
            FaultKind::Crash(_) | FaultKind::PowerLoss(_) | FaultKind::Stop(_)
        );
        self.unsynced.map_or(ends, |records| records > 0)
    }
}
