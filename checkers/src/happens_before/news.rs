//! What each operation's client knows of the key that it did not know at its operation before.
//!
//! What can be known of a key is listed as it comes about: each *entry* tells of writes, and is
//! known to who knows so many operations of one client. A client looks at each entry once, when it
//! next turns to the key. What it does not know then it looks at again, of each client's entries
//! only the first: the others cannot be known before that. A client that is new to a key, or was
//! long away, starts from what another knew when it wrote the latest write that the new one knows
//! of, and looks only at what came after that.

use crate::{
    history::OpId,
    provenance::{Brief, Kind, number},
};

/// No entry, no write.
const NONE: u32 = u32::MAX;

/// The flags of a record: it names a write to start from, and it says how many reads follow.
const STARTS: u32 = 1;
const READS: u32 = 2;
const FLAGS: u32 = 4;

/// So many entries of a key come at least between writes from which a client can start.
const STRIDE: u32 = 32;

/// A client for whom so many entries are new was long away.
const LONG: u32 = 4 * STRIDE;

/// From so many of the latest writes it is tried to start.
const TRIES: usize = 64;

/// What is new to the clients of one key, operation by operation.
#[derive(Default)]
pub(crate) struct KeyNews {
    /// Records, the first for those to whom nothing is new. Each begins with the number of writes,
    /// of which there are fewer than 2^30, and two flags; what these announce comes next.
    records: Vec<u32>,
    /// The record of each write, and of each read.
    of_writes: Vec<u32>,
    of_reads: Vec<u32>,
}

/// What a client knows of a key that it did not know before.
pub(crate) struct News<'k> {
    /// A write: all that its client knew of the key when it wrote it, and the write.
    pub(crate) as_known_at: Option<usize>,
    /// Acknowledged writes.
    pub(crate) writes: &'k [u32],
    /// Reads that may tell of writes whose client does not.
    pub(crate) reads: &'k [u32],
}

impl KeyNews {
    /// What was new to an operation's client when it invoked it.
    pub(crate) fn of(&self, op: &Brief) -> News<'_> {
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
        News {
            as_known_at: as_known_at.map(|write| write as usize),
            writes,
            reads: &rest[..reads.unwrap_or(0) as usize],
        }
    }
}

/// Something that can be known of a key.
struct Entry {
    /// Who knows more operations than this of this client knows it.
    client: u32,
    position: u32,
    /// Who knows fewer than this does not know the one before in the client's run of entries.
    after: u32,
    /// The next of that run.
    next: u32,
    /// A write, or a read.
    slot: u32,
    is_read: bool,
}

/// What a client has looked at of a key.
#[derive(Clone, Default)]
struct Session {
    /// How many entries.
    visited: u32,
    /// Those that it did not know, of each run the first. Its own, as long as it knows nothing else.
    unknown: Vec<u32>,
    /// Its own last entry, counted from one; zero when there is none.
    last: u32,
    /// It knew of no write that it could start from.
    is_lost: bool,
}

/// What a client knew of a key when it wrote.
struct Start {
    op: OpId,
    /// The entry of that write.
    entry: u32,
    visited: u32,
    unknown: Vec<u32>,
}

/// What can be known of one key, as it comes about.
#[derive(Default)]
pub(super) struct KeyLog {
    entries: Vec<Entry>,
    sessions: Vec<Session>,
    starts: Vec<Start>,
    pub(super) news: KeyNews,
    writes: Vec<u32>,
    reads: Vec<u32>,
}

/// An operation, and whom it is asked of.
pub(super) struct Step<'b> {
    pub(super) op: OpId,
    pub(super) brief: &'b Brief,
    pub(super) client: u32,
}

impl KeyLog {
    /// Notes what is new to an operation's client, given how many operations it knows of each
    /// client, and whether of any other; tells how much was looked at.
    pub(super) fn visit(
        &mut self,
        step: &Step<'_>,
        known: impl Fn(u32) -> u32,
        knows_others: bool,
    ) -> usize {
        let at = step.brief.session as usize;
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
            self.note(step.brief, NONE);
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
        self.note(step.brief, start);
        looked_at
    }

    /// Keeps what was found as the news of an operation.
    fn note(&mut self, op: &Brief, start: u32) {
        let records = &mut self.news.records;
        if records.is_empty() {
            records.push(0);
        }
        if start == NONE && self.writes.is_empty() && self.reads.is_empty() {
            return;
        }
        let of_kind = match op.kind {
            Kind::Write => &mut self.news.of_writes,
            Kind::Read | Kind::Nothing => &mut self.news.of_reads,
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

    /// Adds what an operation tells to who knows it, which is at this position of its client's.
    /// Others may start from a write that tells all that its client did before.
    pub(super) fn add(&mut self, step: &Step<'_>, position: u32, may_start: bool) {
        let session = &mut self.sessions[step.brief.session as usize];
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
            slot: step.brief.slot,
            is_read: step.brief.kind == Kind::Read,
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
        self.news.records.len()
    }
}
