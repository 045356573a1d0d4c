//! Happens-before at a glance: more than what happened before each operation, in few numbers.
//!
//! Clients that do one thing at a time are put into *lanes*: a client that begins where another one
//! has finished, at the same node, goes on in its lane, as if it knew all that the other did. So
//! there are as many lanes as clients at once, however many clients come and go, and what an
//! operation's client knows is a short row: of each lane how many acknowledged operations (a vector
//! clock of the history; Mattern 1989). A read that holds all that is known so holds all that
//! happened before; one that does not might lack nothing, and says that it takes a closer look
//! (`happens_before.rs`).
//!
//! What is known of keys is exact: whether any write of its own key happened before an operation.
//!
//! O(n × lanes) for n operations, with up to [`MOST_LANES`] lanes.

use super::told_by;
use crate::{
    history::{OpId, Operation, Status, TimeNs},
    provenance::{Kind, Origin, Provenance, number},
};

/// With more clients at once, a closer look is cheaper.
const MOST_LANES: usize = 32;

/// Rows are so many numbers, or a multiple of that.
const ROW: usize = 4;

/// The most numbers that are kept of which keys are known.
const MOST_WORDS: usize = 1 << 22;

/// No position, no lane, no operation.
const NONE: u32 = u32::MAX;

/// What at most happened before each operation of a history.
pub(crate) struct Lanes {
    /// The lane of each client; `NONE` of those with a single operation, which nothing follows.
    of_clients: Vec<u32>,
    /// How many numbers a row has.
    width: usize,
    /// Of each operation, by its place, what is known of each lane: of a write when it is invoked,
    /// of a read when it is over.
    rows: Vec<u32>,
    /// The position of each acknowledged operation in its lane, by its place. Without one, nobody
    /// knows a write but by reading it.
    positions: Vec<u32>,
    /// Writes without a position, each with the lanes, and positions there, of the first reads
    /// that returned it.
    carriers: Vec<(u32, u32, u32)>,
    /// Whether a write of its key happened before an operation, by its place, 64 a word.
    asked: Vec<u64>,
}

/// What an answer told: all that the lane knows from then on.
pub(crate) struct Known<'l> {
    lanes: &'l Lanes,
    row: &'l [u32],
}

impl Lanes {
    /// `None` where clients do several things at once, are too many, or return what is only
    /// written at that instant.
    pub(crate) fn of(provenance: &Provenance<'_>) -> Option<Self> {
        let mut sweep = Sweep::new(provenance)?;
        for (op, operation, origins) in provenance.with_origins() {
            sweep.invoke(op, operation, origins)?;
        }
        for lane in 0..sweep.lanes.len() {
            sweep.finish(lane, TimeNs::MAX)?;
        }
        for read in std::mem::take(&mut sweep.alone) {
            sweep.finish_alone(&read)?;
        }
        let mut known = sweep.known;
        known.carriers.sort_unstable();
        let by_lane = |carrier: &mut (u32, u32, u32)| (carrier.0, carrier.1);
        known.carriers.dedup_by_key(by_lane);
        Some(known)
    }

    /// True when a write of its key happened before an operation.
    pub(crate) fn is_asked(&self, place: usize) -> bool {
        self.asked[place / 64] >> (place % 64) & 1 == 1
    }

    /// What is known when a read is over.
    pub(crate) fn known_after(&self, read: usize) -> Known<'_> {
        Known {
            lanes: self,
            row: &self.rows[read * self.width..][..self.width],
        }
    }
}

impl Known<'_> {
    /// False when a write, at this place and of this client, certainly did not happen before.
    pub(crate) fn may_hold(&self, write: usize, client: u32) -> bool {
        let lanes = self.lanes;
        let holds = |lane: u32, position: u32| self.row[lane as usize] > position;
        match lanes.positions[write] {
            NONE => {
                let write = number(write);
                let first = lanes.carriers.partition_point(|carrier| carrier.0 < write);
                let own = lanes.carriers[first..].iter();
                own.take_while(|carrier| carrier.0 == write)
                    .any(|&(_, lane, position)| holds(lane, position))
            }
            position => holds(lanes.of_clients[client as usize], position),
        }
    }
}

/// The sweep through all operations.
struct Sweep<'p, 'h> {
    provenance: &'p Provenance<'h>,
    known: Lanes,
    lanes: Vec<Lane<'p>>,
    /// The reads of clients with a single operation.
    alone: Vec<Open<'p>>,
    keys: KeySets,
    /// For each write the set of keys of which its client knew a write.
    keys_of_writes: Vec<u32>,
}

/// Where clients are, one after the other.
struct Lane<'p> {
    client: u32,
    /// Of its own lane, all acknowledged operations that are over.
    knows: Knowledge,
    open: Option<Open<'p>>,
}

/// What a client knows.
struct Knowledge {
    row: Vec<u32>,
    /// The keys of which it knows a write.
    keys: u32,
}

/// An acknowledged operation of a lane, until the next begins.
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
        let (of_clients, lanes) = lanes_of(provenance);
        if lanes > MOST_LANES {
            return None;
        }
        let width = lanes.next_multiple_of(ROW);
        let lane = || Lane {
            client: NONE,
            knows: Knowledge::nothing(width),
            open: None,
        };
        Some(Self {
            provenance,
            known: Lanes {
                of_clients,
                width,
                rows: vec![0; many * width],
                positions: vec![NONE; many],
                carriers: Vec::new(),
                asked: vec![0; many.div_ceil(64)],
            },
            lanes: (0..lanes).map(|_| lane()).collect(),
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
        let at = self.known.of_clients[operation.client as usize] as usize;
        if at == NONE as usize {
            if kind == Kind::Write {
                self.keys_of_writes[op as usize] = KeySets::NOTHING;
            } else {
                self.alone.extend(open);
            }
            return Some(());
        }
        self.finish(at, operation.invoked)?;
        let lane = &mut self.lanes[at];
        if lane.client != operation.client {
            lane.client = operation.client;
            lane.knows.keys = KeySets::NOTHING;
        }
        if self.keys.holds(lane.knows.keys, operation.key) {
            self.known.asked[place / 64] |= 1 << (place % 64);
        }
        if kind == Kind::Write {
            self.keys_of_writes[op as usize] = lane.knows.keys;
            self.known.keep(place, &lane.knows.row);
        }
        if open.is_some() {
            self.known.positions[place] = lane.knows.row[at];
        }
        lane.open = open;
        Some(())
    }

    /// Finishes what is open in a lane, before its next operation is invoked.
    fn finish(&mut self, at: usize, now: TimeNs) -> Option<()> {
        let Some(open) = self.lanes[at].open.take() else {
            return Some(());
        };
        if open.over > now {
            return None;
        }
        let mut knows = std::mem::replace(&mut self.lanes[at].knows, Knowledge::nothing(0));
        let position = knows.row[at];
        if open.is_write {
            knows.keys = self.keys.with(knows.keys, open.key)?;
        } else {
            self.learn(&open, &mut knows, Some((number(at), position)))?;
        }
        knows.row[at] = position + 1;
        self.lanes[at].knows = knows;
        Some(())
    }

    /// Finishes the only operation of a client.
    fn finish_alone(&mut self, read: &Open<'p>) -> Option<()> {
        let mut knows = Knowledge::nothing(self.known.width);
        self.learn(read, &mut knows, None)
    }

    /// Lets a client know what a read returned, and what happened before that. Where the read
    /// stands in a lane, others may come to know it.
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
            for (own, known) in knows.row.iter_mut().zip(self.known.row(place)) {
                *own = (*own).max(*known);
            }
            match self.known.positions[place] {
                NONE => {
                    let carrier = position.map(|(lane, at)| (number(place), lane, at));
                    self.known.carriers.extend(carrier);
                }
                position => {
                    let client = self.provenance.history.operations[write as usize].client;
                    let own = &mut knows.row[self.known.of_clients[client as usize] as usize];
                    *own = (*own).max(position + 1);
                }
            }
        }
        self.known.keep(read.place, &knows.row);
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

impl Lanes {
    fn row(&self, place: usize) -> &[u32] {
        &self.rows[place * self.width..][..self.width]
    }

    fn keep(&mut self, place: usize, row: &[u32]) {
        self.rows[place * self.width..][..self.width].copy_from_slice(row);
    }
}

/// The lane of each client, and how many there are. A client takes up the first lane of its node
/// whose client has finished.
fn lanes_of(provenance: &Provenance<'_>) -> (Vec<u32>, usize) {
    let operations = &provenance.history.operations;
    let mut clients: Vec<_> = (0..).zip(provenance.spans()).collect();
    clients.retain(|(_, (first, last))| first != last);
    clients.sort_unstable_by_key(|(_, (first, _))| *first);
    let mut of_clients = vec![NONE; provenance.history.clients.len()];
    // The node of each lane, and the last operation of its client.
    let mut lanes: Vec<(u32, OpId)> = Vec::new();
    for (client, &(first, last)) in clients {
        let begins = &operations[first as usize];
        let is_free = |&(node, last): &(u32, OpId)| {
            let ends = &operations[last as usize];
            let is_over = ends.status != Status::Ok || ends.completed <= Some(begins.invoked);
            node == begins.node && last < first && is_over
        };
        let free = lanes.iter().position(is_free);
        let lane = free.unwrap_or(lanes.len());
        if free.is_none() {
            lanes.push((begins.node, last));
        }
        lanes[lane].1 = last;
        of_clients[client] = number(lane);
    }
    (of_clients, lanes.len())
}

/// Sets of keys, each made once.
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

    /// `None` when there are too many.
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
