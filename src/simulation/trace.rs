//! What became of every message and node of a run, in order: the message trace.

use super::{Address, time::Nanos};

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced<M> {
    /// When.
    pub at: Nanos,
    /// What.
    pub what: Happening<M>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening<M> {
    /// To a message.
    Message {
        /// What became of it at this moment.
        fate: Fate,
        /// Who sent it.
        from: Address,
        /// Who should receive it.
        to: Address,
        /// The message.
        message: M,
    },
    /// A node died.
    Crash(u32),
    /// A node's machine lost power.
    PowerLoss(u32),
    /// A node was told to end.
    Stop(u32),
    /// A node came back.
    Restart(u32),
    /// A node stood still.
    Pause(u32),
    /// A node went on.
    Resume(u32),
    /// The clock of a node went wrong, or right again.
    Clock(u32),
    /// A node was told to leave the cluster.
    Leave(u32),
    /// A node was told to join the cluster again.
    Join(u32),
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was sent, and is on its way.
    Sent,
    /// It was sent, or was on its way, and will not arrive: loss, or a cut link.
    Lost,
    /// It arrived at a node that was dead.
    AtDeadNode,
    /// It arrived.
    Delivered,
}

impl Fate {
    /// The word for it in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Lost => "lost",
            Self::AtDeadNode => "at-dead-node",
            Self::Delivered => "delivered",
        }
    }
}
