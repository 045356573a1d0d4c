//! Happens-before over all keys: what each operation's client knew when it invoked it.
//!
//! `hb` is the transitive closure of program order (an acknowledged operation had completed when its
//! client invoked another) and visibility (a read returned a write). What a client knows is a row of
//! how many acknowledged operations of every client happened before: a vector clock of the history,
//! not of the store. Rows are computed in one sweep by time (`happens_before/sweep.rs`), since
//! program order and visibility both lead forward in time. At one instant, an answer waits for the
//! writes that it returned. So `hb` is acyclic wherever every returned value was written before; what
//! waits for itself is [`circular`](HappensBefore::circular).
//!
//! Rows are not kept. What an operation's client knew of the operation's key is kept as the difference
//! from what it knew at its operation on that key before (`happens_before/deltas.rs`).
//!
//! Most healthy histories need no rows: [`ChainClocks`] give an upper bound that is cheaper and
//! suffices.
//!
//! A context that another client obtained adds nothing: it says what a write supersedes on its own
//! key, and not what its writer has seen. Reads that are wrong in themselves tell nothing.
//!
//! Cost: O(n log n) for n operations, and one step
//!
//! - for each write of the key that an operation's client knows and did not know at its operation on
//!   the key before, which is also the space;
//! - for each operation and each client of whose acknowledged writes of the key its own client does
//!   not know all;
//! - for each returned write and each 256 clients; where the knowledge of any of 16 clients differs,
//!   16 (`happens_before/rows.rs`).
//!
//! Clients that are gone, and whose writes are known, cost nothing more. Sources: Lamport 1978;
//! Mattern 1989; Ahamad, Neiger, Burns, Kohli, Hutto 1995 (causal memory).

pub(crate) mod bounds;
mod chain_clocks;
mod deltas;
mod rows;
mod sweep;

use std::{collections::VecDeque, sync::OnceLock};

use crate::{
    history::OpId,
    provenance::{Kind, OpRecord, Origin, Provenance},
};

pub(crate) use chain_clocks::ChainClocks;
pub(crate) use deltas::KeyDeltas;
use sweep::Sweep;

/// No position.
const NONE: u32 = u32::MAX;

/// So many siblings are compared each with each.
const FEW: usize = 8;

/// What happened before the operations of a history: an upper bound, and the exact answer once it is
/// needed.
pub(crate) struct Causes<'p, 'h> {
    provenance: &'p Provenance<'h>,
    chain_clocks: Option<ChainClocks>,
    exactly: OnceLock<Option<HappensBefore>>,
}

impl<'p, 'h> Causes<'p, 'h> {
    /// Without chain clocks every answer is the exact one.
    pub(crate) fn of(provenance: &'p Provenance<'h>, with_chain_clocks: bool) -> Self {
        let chain_clocks = with_chain_clocks.then(|| ChainClocks::of(provenance));
        Self {
            provenance,
            chain_clocks: chain_clocks.flatten(),
            exactly: OnceLock::new(),
        }
    }

    /// The upper bound, where the history has one.
    pub(crate) fn chain_clocks(&self) -> Option<&ChainClocks> {
        self.chain_clocks.as_ref()
    }

    /// `None` when there are more clients and operations than can be kept.
    pub(crate) fn exactly(&self) -> Option<&HappensBefore> {
        let exactly = || HappensBefore::of(self.provenance);
        self.exactly.get_or_init(exactly).as_ref()
    }

    /// True when it was asked for exactly, and there are too many clients and operations.
    pub(crate) fn are_too_many(&self) -> bool {
        matches!(self.exactly.get(), Some(None))
    }
}

/// What happened before each operation.
pub(crate) struct HappensBefore {
    /// The position of each acknowledged operation among those of its client, by completion.
    positions: Vec<u32>,
    /// How many acknowledged operations of its own client happened before each operation.
    own: Vec<u32>,
    /// Reads that returned what happened after them, with the write.
    circular: Vec<(OpId, OpId)>,
    /// For each key what its operations' clients newly knew of it.
    deltas: Vec<KeyDeltas>,
}

impl HappensBefore {
    /// `None` when there are more clients and operations than can be kept.
    pub(crate) fn of(provenance: &Provenance<'_>) -> Option<Self> {
        Sweep::new(provenance).run()
    }

    /// How many acknowledged operations of its own client happened before an operation was invoked.
    fn known(&self, op: OpId) -> u32 {
        self.own[op as usize]
    }

    /// What the clients of a key's operations newly knew of it.
    pub(crate) fn deltas(&self, key: u32) -> &KeyDeltas {
        &self.deltas[key as usize]
    }

    /// The position of an acknowledged operation among those of its client, by completion.
    pub(crate) fn position(&self, op: OpId) -> Option<u32> {
        Some(self.positions[op as usize]).filter(|position| *position != NONE)
    }

    /// Reads that returned what happened after them, with the write.
    pub(crate) fn circular(&self) -> &[(OpId, OpId)] {
        &self.circular
    }

    /// True when the rows tell all that a read of this write learns: it is acknowledged, and its
    /// client did nothing else meanwhile.
    pub(crate) fn is_plain(&self, write: OpId) -> bool {
        self.position(write) == Some(self.known(write))
    }

    /// A shortest chain of operations from a cause to `effect`, each of which happened before the
    /// next: acknowledged to its client before that invoked the next, or returned by it. What
    /// `effect` returned stands at no distance, since it is evidence anyhow.
    pub(crate) fn chain(
        &self,
        provenance: &Provenance<'_>,
        is_cause: impl Fn(OpId) -> bool,
        effect: OpId,
    ) -> Option<Vec<OpId>> {
        let history = provenance.history;
        let mut by_client: Vec<Vec<(u32, OpId)>> = vec![Vec::new(); history.clients.len()];
        for (op, operation) in (0..).zip(&history.operations) {
            if let Some(position) = self.position(op) {
                by_client[operation.client as usize].push((position, op));
            }
        }
        for own in &mut by_client {
            own.sort_unstable();
        }
        let mut taken = vec![0; history.clients.len()];
        let mut next: Vec<Option<OpId>> = vec![None; history.operations.len()];
        let mut queue = VecDeque::from([effect]);
        for write in returned(provenance, effect) {
            next[write as usize] = Some(effect);
            queue.push_back(write);
        }
        while let Some(op) = queue.pop_front() {
            if op != effect && is_cause(op) {
                let chain = std::iter::successors(Some(op), |op| next[*op as usize]);
                return Some(chain.collect());
            }
            let mut reach = |earlier: OpId| {
                if earlier != effect && next[earlier as usize].is_none() {
                    next[earlier as usize] = Some(op);
                    queue.push_back(earlier);
                }
            };
            if op != effect {
                returned(provenance, op).for_each(&mut reach);
            }
            let client = history.operations[op as usize].client as usize;
            let known = self.known(op) as usize;
            for (_, earlier) in by_client[client].iter().take(known).skip(taken[client]) {
                reach(*earlier);
            }
            taken[client] = taken[client].max(known);
        }
        None
    }
}

/// The writes that a read returned, in the order of their invocation, unless it is wrong in itself.
pub(crate) fn returned<'p>(
    provenance: &'p Provenance<'_>,
    read: OpId,
) -> impl Iterator<Item = OpId> + 'p {
    let mut writes: Vec<_> = told(provenance, provenance.record(read)).collect();
    writes.sort_unstable();
    writes.into_iter()
}

/// The writes that a read returned, in the order of its answer, unless it is wrong in itself.
fn told<'p>(provenance: &'p Provenance<'_>, read: &OpRecord) -> impl Iterator<Item = OpId> + 'p {
    told_by(if read.kind == Kind::Read {
        provenance.origins_of(read)
    } else {
        &[]
    })
}

/// The writes that an answer holds, unless it is wrong in itself.
fn told_by(origins: &[Origin]) -> impl Iterator<Item = OpId> {
    let write = |origin: &Origin| match origin {
        Origin::Write(write) => Some(*write),
        Origin::ThinAir(_) => None,
    };
    let is_sound = match origins {
        few if few.len() <= FEW => {
            let mut each = few.iter().enumerate();
            each.all(|(at, one)| write(one).is_some() && !few[..at].contains(one))
        }
        many => {
            let mut writes: Vec<_> = many.iter().filter_map(write).collect();
            writes.sort_unstable();
            writes.dedup();
            writes.len() == many.len()
        }
    };
    let sound = if is_sound { origins } else { &[] };
    sound.iter().filter_map(write)
}
