//! What each operation's client knows of the key beyond what it knew at its operation before.
//!
//! For each key a log is kept of what there is to know. An *entry* of it is a write or a read, and
//! is known to every client that knows more than so many operations of the entry's client. Each client
//! goes through the log once, from where it stopped at its last operation on the key. Entries that it
//! does not know yet it visits again later. Of each other client's entries it remembers only the
//! first such one, since later ones cannot be known before.
//!
//! A client that is new to a key, or has not touched it for long, need not go through the whole log.
//! It starts from the state of the client that wrote the latest write that it knows, and goes on from
//! there.

use crate::{
    history::OpId,
    index::number,
    provenance::{Kind, OpRecord},
};

/// No entry, no write.
const NONE: u32 = u32::MAX;

/// The flags of a record: it names a write to start from, and it says how many reads follow.
const STARTS: u32 = 1;
const READS: u32 = 2;
const FLAGS: u32 = 4;

/// At least so many entries lie between two writes from which a client can start.
const STRIDE: u32 = 32;

/// A client that has so many entries before it looks for a write to start from.
const LONG: u32 = 4 * STRIDE;

/// So many of the latest writes are tried as a start.
const TRIES: usize = 64;

/// What the clients of one key newly know of it, operation by operation.
#[derive(Default)]
pub(crate) struct KeyDeltas {
    /// Records of numbers, the first of them empty. Each begins with a header: the number of writes,
    /// which is below 2^30, and two flags, `STARTS` and `READS`. What these announce follows.
    records: Vec<u32>,
    /// The record of each write, and of each read.
    of_writes: Vec<u32>,
    of_reads: Vec<u32>,
}

/// What a client knows of a key that it did not know before.
pub(crate) struct Delta<'k> {
    /// A write: all that its client knew of the key when it wrote it, and the write.
    pub(crate) as_known_at: Option<usize>,
    /// Acknowledged writes.
    pub(crate) writes: &'k [u32],
    /// Reads that may tell of writes whose client does not.
    pub(crate) reads: &'k [u32],
}

impl KeyDeltas {
    /// What an operation's client newly knew when it invoked it.
    pub(crate) fn of(&self, op: &OpRecord) -> Delta<'_> {
        let at = match op.kind {
            Kind::Write => &self.of_writes,
            Kind::Read | Kind::Nothing => &self.of_reads,
        };
        let at = at.get(op.slot as usize).map_or(0, |at| *at as usize);
        let mut rest = &self.records[at..];
        let mut next = || rest.split_off_first().copied();
        let header = next().unwrap_or(0);
        let as_known_at = if header & STARTS == 0 { None } else { next() };
        let reads = if header & READS == 0 { None } else { next() };
        let (writes, rest) = rest.split_at((header / FLAGS) as usize);
        Delta {
            as_known_at: as_known_at.map(|write| write as usize),
            writes,
            reads: &rest[..reads.unwrap_or(0) as usize],
        }
    }
}

/// An entry of the log: something that can be known of the key.
struct Entry {
    /// It is known to who knows more than `position` operations of this client.
    client: u32,
    position: u32,
    /// Who knows fewer operations than this does not know the client's entry before, either.
    after: u32,
    /// The client's next entry.
    next: u32,
    /// A write, or a read.
    slot: u32,
    is_read: bool,
}

/// How far a client has come in the log.
#[derive(Clone, Default)]
struct Session {
    /// How many entries.
    visited: u32,
    /// The first entry of each client that it did not know. While it knows of no other client: its own
    /// entries.
    unknown: Vec<u32>,
    /// Its own last entry, counted from one; zero when there is none.
    last: u32,
    /// It knew of no write that it could start from.
    is_lost: bool,
}

/// A write from which others can start, with what its client knew of the key.
struct Start {
    op: OpId,
    /// The entry of that write.
    entry: u32,
    visited: u32,
    unknown: Vec<u32>,
}

/// The log of one key.
#[derive(Default)]
pub(super) struct KeyLog {
    entries: Vec<Entry>,
    sessions: Vec<Session>,
    starts: Vec<Start>,
    pub(super) deltas: KeyDeltas,
    writes: Vec<u32>,
    reads: Vec<u32>,
}

/// An operation with its client.
pub(super) struct Step<'b> {
    pub(super) op: OpId,
    pub(super) record: &'b OpRecord,
    pub(super) client: u32,
}

impl KeyLog {
    /// Finds out what an operation's client newly knows, given how many operations it knows of each
    /// client, and whether it knows of any other. Returns how many entries were visited.
    pub(super) fn visit(
        &mut self,
        step: &Step<'_>,
        known: impl Fn(u32) -> u32,
        knows_others: bool,
    ) -> usize {
        let at = step.record.session as usize;
        if at >= self.sessions.len() {
            self.sessions.resize_with(at + 1, Session::default);
        }
        let session = &mut self.sessions[at];
        let entries = &self.entries;
        let is_known = |entry: &Entry| known(entry.client) > entry.position;
        let (writes, reads) = (&mut self.writes, &mut self.reads);
        let mut tell = |entry: &Entry| {
            let of_kind = if entry.is_read {
                &mut *reads
            } else {
                &mut *writes
            };
            of_kind.push(entry.slot);
        };
        if !knows_others {
            let looked_at = session.unknown.len();
            session.unknown.retain(|own| {
                let entry = &entries[*own as usize];
                let is_known = is_known(entry);
                if is_known {
                    tell(entry);
                }
                !is_known
            });
            self.note(step.record, NONE);
            return looked_at;
        }
        let (mut start, end) = (NONE, number(entries.len()));
        let mut looked_at = 0;
        let is_new = session.visited == 0;
        if is_new {
            session.unknown.clear();
        }
        if is_new && end > STRIDE || session.is_lost || end - session.visited > LONG {
            let mut latest = self.starts.iter().rev().take(TRIES);
            let latest = latest.find(|start| {
                looked_at += 1;
                start.op < step.op && is_known(&entries[start.entry as usize])
            });
            if let Some(latest) = latest {
                start = entries[latest.entry as usize].slot;
                session.visited = latest.visited;
                session.unknown.clone_from(&latest.unknown);
            }
            session.is_lost = latest.is_none() && (is_new || session.is_lost);
        }
        let visited = session.visited;
        looked_at += session.unknown.len() + (end - visited) as usize;
        session.unknown.retain_mut(|at| {
            while *at < visited {
                let entry = &entries[*at as usize];
                if !is_known(entry) {
                    return true;
                }
                tell(entry);
                *at = entry.next;
            }
            false
        });
        for (at, entry) in (visited..end).zip(&entries[visited as usize..]) {
            let known = known(entry.client);
            if known > entry.position {
                tell(entry);
            } else if known >= entry.after {
                session.unknown.push(at);
            }
        }
        session.visited = end;
        self.note(step.record, start);
        looked_at
    }

    /// Keeps what was found as the delta of an operation.
    fn note(&mut self, op: &OpRecord, start: u32) {
        let records = &mut self.deltas.records;
        if records.is_empty() {
            records.push(0);
        }
        if start == NONE && self.writes.is_empty() && self.reads.is_empty() {
            return;
        }
        let of_kind = match op.kind {
            Kind::Write => &mut self.deltas.of_writes,
            Kind::Read | Kind::Nothing => &mut self.deltas.of_reads,
        };
        let slot = op.slot as usize;
        if slot >= of_kind.len() {
            of_kind.resize(slot + 1, 0);
        }
        of_kind[slot] = number(records.len());
        let starts = if start == NONE { 0 } else { STARTS };
        let tells = if self.reads.is_empty() { 0 } else { READS };
        records.push(number(self.writes.len()) * FLAGS + starts + tells);
        if starts != 0 {
            records.push(start);
        }
        if tells != 0 {
            records.push(number(self.reads.len()));
        }
        records.append(&mut self.writes);
        records.append(&mut self.reads);
    }

    /// Adds an entry for an operation, given its position among those of its client. Others may start
    /// from it if who knows it knows all that its client did before.
    pub(super) fn add(&mut self, step: &Step<'_>, position: u32, may_start: bool) {
        let session = &mut self.sessions[step.record.session as usize];
        let at = number(self.entries.len());
        let mut after = 0;
        if let Some(last) = session.last.checked_sub(1) {
            let last = &mut self.entries[last as usize];
            if last.position < position {
                last.next = at;
                after = last.position + 1;
            }
        }
        session.last = at + 1;
        if session.visited == 0 {
            session.unknown.push(at);
        }
        self.entries.push(Entry {
            client: step.client,
            position,
            after,
            next: NONE,
            slot: step.record.slot,
            is_read: step.record.kind == Kind::Read,
        });
        let last = self.starts.last().map_or(0, |start| start.entry);
        if may_start && session.visited > 0 && at >= last + STRIDE {
            self.starts.push(Start {
                op: step.op,
                entry: at,
                visited: session.visited,
                unknown: session.unknown.clone(),
            });
        }
    }

    /// How many numbers are kept for good.
    pub(super) fn kept(&self) -> usize {
        self.deltas.records.len()
    }
}
