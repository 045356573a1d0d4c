//! Chain clocks: an upper bound on what happened before each operation, cheap to compute.
//!
//! A chain clock is a vector clock with an entry for each chain of operations, where a chain is
//! totally ordered (Mattern 1989; Agarwal, Garg 2005). Here a chain is made of clients that each do one
//! thing at a time: a client that begins at a node where another client has ended continues the
//! other's chain, as if it knew all that the other knew. So there are only as many chains as there are
//! clients at work at one time, however many come and go.
//!
//! The price is that a clock may count more than what happened before. A read that holds everything
//! that its clock allows holds all that happened before it. A read that lacks some of that may be
//! right nevertheless; then happens-before itself has to be computed (`happens_before.rs`).
//!
//! Exact is whether any write of its own key happened before an operation.
//!
//! O(n × chains) for n operations, with up to [`MOST_CHAINS`] chains.

use super::told_by;
use crate::{
    history::{OpId, Operation, Status, TimeNs},
    index::number,
    provenance::{Kind, Origin, Provenance},
};

/// With more clients at once, computing happens-before itself is cheaper.
const MOST_CHAINS: usize = 32;

/// The length of a clock is a multiple of this.
const ROW: usize = 4;

/// The most words that the sets of keys may take.
const MOST_WORDS: usize = 1 << 22;

/// No position, no chain, no operation.
const NONE: u32 = u32::MAX;

/// An upper bound on what happened before each operation of a history.
pub(crate) struct ChainClocks {
    /// The chain of each client; `NONE` of those with a single operation, which nothing follows.
    of_clients: Vec<u32>,
    /// How many entries a clock has.
    width: usize,
    /// The clock of each operation, by its place: how many acknowledged operations of each chain its
    /// client knows, when a write is invoked or when a read is over.
    rows: Vec<u32>,
    /// The position of each acknowledged operation in its chain, by its place. A write without one
    /// is known only to those that have read it.
    positions: Vec<u32>,
    /// Each write without a position, with the chain and the position of the first read in each
    /// chain that returned it.
    first_reads: Vec<(u32, u32, u32)>,
    /// Whether a write of its key happened before an operation, by its place, 64 a word.
    have_past: Vec<u64>,
}

/// What a client knows once it has the answer to a read.
pub(crate) struct Known<'c> {
    clocks: &'c ChainClocks,
    row: &'c [u32],
}

impl ChainClocks {
    /// `None` where a client does several things at once, where there are too many chains, and where
    /// a read returned what was written only at that instant.
    pub(crate) fn of(provenance: &Provenance<'_>) -> Option<Self> {
        let mut sweep = Sweep::new(provenance)?;
        for (op, operation, origins) in provenance.with_origins() {
            sweep.invoke(op, operation, origins)?;
        }
        for chain in 0..sweep.chains.len() {
            sweep.finish(chain, TimeNs::MAX)?;
        }
        for read in std::mem::take(&mut sweep.alone) {
            sweep.finish_alone(&read)?;
        }
        let mut clocks = sweep.clocks;
        clocks.first_reads.sort_unstable();
        let by_chain = |first_read: &mut (u32, u32, u32)| (first_read.0, first_read.1);
        clocks.first_reads.dedup_by_key(by_chain);
        Some(clocks)
    }

    /// True when a write of its key happened before an operation. Exact.
    pub(crate) fn has_past(&self, place: usize) -> bool {
        self.have_past[place / 64] >> (place % 64) & 1 == 1
    }

    /// What the client knows when a read is over.
    pub(crate) fn known_after(&self, read: usize) -> Known<'_> {
        Known {
            clocks: self,
            row: &self.rows[read * self.width..][..self.width],
        }
    }
}

impl Known<'_> {
    /// False when a write certainly did not happen before, given its place and its client.
    pub(crate) fn may_hold(&self, write: usize, client: u32) -> bool {
        let clocks = self.clocks;
        let holds = |chain: u32, position: u32| self.row[chain as usize] > position;
        match clocks.positions[write] {
            NONE => {
                let write = number(write);
                let first = clocks
                    .first_reads
                    .partition_point(|first_read| first_read.0 < write);
                let own = clocks.first_reads[first..].iter();
                own.take_while(|first_read| first_read.0 == write)
                    .any(|&(_, chain, position)| holds(chain, position))
            }
            position => holds(clocks.of_clients[client as usize], position),
        }
    }
}

/// The sweep through all operations.
struct Sweep<'p, 'h> {
    provenance: &'p Provenance<'h>,
    clocks: ChainClocks,
    chains: Vec<Chain<'p>>,
    /// The reads of clients with a single operation.
    alone: Vec<Open<'p>>,
    keys: KeySets,
    /// For each write the set of keys of which its client knew a write.
    keys_of_writes: Vec<u32>,
}

/// A chain, as far as it has come.
struct Chain<'p> {
    client: u32,
    /// What its client knows; of its own chain, all acknowledged operations that are over.
    knows: Knowledge,
    open: Option<Open<'p>>,
}

/// What a client knows: its clock, and of which keys.
struct Knowledge {
    row: Vec<u32>,
    /// The keys of which it knows a write.
    keys: u32,
}

/// An acknowledged operation of a chain, until the next begins.
struct Open<'p> {
    place: usize,
    key: u32,
    over: TimeNs,
    is_write: bool,
    origins: &'p [Origin],
}

impl<'p, 'h> Sweep<'p, 'h> {
    fn new(provenance: &'p Provenance<'h>) -> Option<Self> {
        let many = provenance.history.operations.len();
        let (of_clients, chains) = chains_of(provenance);
        if chains > MOST_CHAINS {
            return None;
        }
        let width = chains.next_multiple_of(ROW);
        let chain = || Chain {
            client: NONE,
            knows: Knowledge::nothing(width),
            open: None,
        };
        Some(Self {
            provenance,
            clocks: ChainClocks {
                of_clients,
                width,
                rows: vec![0; many * width],
                positions: vec![NONE; many],
                first_reads: Vec::new(),
                have_past: vec![0; many.div_ceil(64)],
            },
            chains: (0..chains).map(|_| chain()).collect(),
            alone: Vec::new(),
            keys: KeySets::of(provenance.history.keys.len()),
            keys_of_writes: vec![NONE; many],
        })
    }

    fn invoke(&mut self, op: OpId, operation: &Operation, origins: &'p [Origin]) -> Option<()> {
        let kind = Kind::of(operation);
        if kind == Kind::Nothing {
            return Some(());
        }
        let place = self.provenance.place(op);
        let open = (operation.status == Status::Ok).then(|| Open {
            place,
            key: operation.key,
            over: operation.completed.unwrap_or(TimeNs::MAX),
            is_write: kind == Kind::Write,
            origins,
        });
        let at = self.clocks.of_clients[operation.client as usize] as usize;
        if at == NONE as usize {
            if kind == Kind::Write {
                self.keys_of_writes[op as usize] = KeySets::NOTHING;
            } else {
                self.alone.extend(open);
            }
            return Some(());
        }
        self.finish(at, operation.invoked)?;
        let chain = &mut self.chains[at];
        if chain.client != operation.client {
            chain.client = operation.client;
            chain.knows.keys = KeySets::NOTHING;
        }
        if self.keys.holds(chain.knows.keys, operation.key) {
            self.clocks.have_past[place / 64] |= 1 << (place % 64);
        }
        if kind == Kind::Write {
            self.keys_of_writes[op as usize] = chain.knows.keys;
            self.clocks.keep(place, &chain.knows.row);
        }
        if open.is_some() {
            self.clocks.positions[place] = chain.knows.row[at];
        }
        chain.open = open;
        Some(())
    }

    /// Finishes what is open in a chain, before its next operation is invoked.
    fn finish(&mut self, at: usize, now: TimeNs) -> Option<()> {
        let Some(open) = self.chains[at].open.take() else {
            return Some(());
        };
        if open.over > now {
            return None;
        }
        let mut knows = std::mem::replace(&mut self.chains[at].knows, Knowledge::nothing(0));
        let position = knows.row[at];
        if open.is_write {
            knows.keys = self.keys.with(knows.keys, open.key)?;
        } else {
            self.learn(&open, &mut knows, Some((number(at), position)))?;
        }
        knows.row[at] = position + 1;
        self.chains[at].knows = knows;
        Some(())
    }

    /// Finishes the only operation of a client.
    fn finish_alone(&mut self, read: &Open<'p>) -> Option<()> {
        let mut knows = Knowledge::nothing(self.clocks.width);
        self.learn(read, &mut knows, None)
    }

    /// Adds to what a client knows the writes that a read returned, and what happened before them.
    /// A read with a position in a chain may become known to other clients.
    fn learn(
        &mut self,
        read: &Open<'p>,
        knows: &mut Knowledge,
        position: Option<(u32, u32)>,
    ) -> Option<()> {
        for write in told_by(read.origins) {
            let keys = self.keys_of_writes[write as usize];
            if keys == NONE {
                return None;
            }
            let keys = self.keys.union(knows.keys, keys)?;
            knows.keys = self.keys.with(keys, read.key)?;
            let place = self.provenance.place(write);
            for (own, known) in knows.row.iter_mut().zip(self.clocks.row(place)) {
                *own = (*own).max(*known);
            }
            match self.clocks.positions[place] {
                NONE => {
                    let first_read = position.map(|(chain, at)| (number(place), chain, at));
                    self.clocks.first_reads.extend(first_read);
                }
                position => {
                    let client = self.provenance.history.operations[write as usize].client;
                    let own = &mut knows.row[self.clocks.of_clients[client as usize] as usize];
                    *own = (*own).max(position + 1);
                }
            }
        }
        self.clocks.keep(read.place, &knows.row);
        Some(())
    }
}

impl Knowledge {
    fn nothing(width: usize) -> Self {
        Self {
            row: vec![0; width],
            keys: KeySets::NOTHING,
        }
    }
}

impl ChainClocks {
    fn row(&self, place: usize) -> &[u32] {
        &self.rows[place * self.width..][..self.width]
    }

    fn keep(&mut self, place: usize, row: &[u32]) {
        self.rows[place * self.width..][..self.width].copy_from_slice(row);
    }
}

/// The chain of each client, and how many chains there are. A client continues the first chain of its
/// node whose client has ended, or else begins a chain.
fn chains_of(provenance: &Provenance<'_>) -> (Vec<u32>, usize) {
    let operations = &provenance.history.operations;
    let mut clients: Vec<(usize, (OpId, OpId))> = provenance.spans().collect();
    clients.retain(|(_, (first, last))| first != last);
    clients.sort_unstable_by_key(|(_, (first, _))| *first);
    let mut of_clients = vec![NONE; provenance.history.clients.len()];
    // The node of each chain, and the last operation of its client.
    let mut chains: Vec<(u32, OpId)> = Vec::new();
    for (client, (first, last)) in clients {
        let begins = &operations[first as usize];
        let is_free = |&(node, last): &(u32, OpId)| {
            let ends = &operations[last as usize];
            let is_over = ends.status != Status::Ok || ends.completed <= Some(begins.invoked);
            node == begins.node && last < first && is_over
        };
        let free = chains.iter().position(is_free);
        let chain = free.unwrap_or(chains.len());
        if free.is_none() {
            chains.push((begins.node, last));
        }
        chains[chain].1 = last;
        of_clients[client] = number(chain);
    }
    (of_clients, chains.len())
}

/// Sets of keys. Each is stored once and has a number.
struct KeySets {
    keys: usize,
    /// How many words a set has.
    width: usize,
    words: Vec<u64>,
}

impl KeySets {
    const NOTHING: u32 = 0;
    const ALL: u32 = 1;

    fn of(keys: usize) -> Self {
        let width = keys.div_ceil(64).max(1);
        let mut words = vec![0; 2 * width];
        for key in 0..keys {
            words[width + key / 64] |= 1 << (key % 64);
        }
        Self { keys, width, words }
    }

    fn set(&self, set: u32) -> &[u64] {
        &self.words[set as usize * self.width..][..self.width]
    }

    fn holds(&self, set: u32, key: u32) -> bool {
        set == Self::ALL || self.set(set)[key as usize / 64] >> (key % 64) & 1 == 1
    }

    fn with(&mut self, set: u32, key: u32) -> Option<u32> {
        if self.holds(set, key) {
            return Some(set);
        }
        let mut words = self.set(set).to_vec();
        words[key as usize / 64] |= 1 << (key % 64);
        self.take_up(&words)
    }

    fn union(&mut self, set: u32, other: u32) -> Option<u32> {
        if set == other || set == Self::ALL || other == Self::NOTHING {
            return Some(set);
        }
        if other == Self::ALL {
            return Some(other);
        }
        let both = self.set(set).iter().zip(self.set(other));
        let words: Vec<_> = both.map(|(one, other)| one | other).collect();
        if words == self.set(set) {
            return Some(set);
        }
        self.take_up(&words)
    }

    /// The number of a set. `None` when there are too many.
    fn take_up(&mut self, words: &[u64]) -> Option<u32> {
        let held: u32 = words.iter().map(|word| word.count_ones()).sum();
        if held as usize == self.keys {
            return Some(Self::ALL);
        }
        if self.words.len() > MOST_WORDS {
            return None;
        }
        self.words.extend_from_slice(words);
        Some(number(self.words.len() / self.width - 1))
    }
}
