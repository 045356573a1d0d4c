//! What happened before the operations of a key, bounded by what reads held.
//!
//! In a healthy history nearly all that a client knows was in its last read of the key. So its past
//! is told by that read and the few writes that it came to know since: *at most* what the read may
//! have held, and these. Where a later read may have held both, it may have held the whole past, and
//! no set of what happened before is ever made.

use crate::index::number;

/// More writes than these that a read lacks of a past are not listed.
pub(crate) const MOST_MISSING: usize = 64;

/// So many writes are looked at one by one for each operation; then all is in doubt.
const LOOKS: usize = 16;

/// What reads of a key may have held. Reads and writes are known by their numbers.
pub(crate) trait Held {
    /// Whether a read may have held a write.
    fn holds(&self, read: usize, write: usize) -> bool;

    /// Whether a read may have held all that another one may have.
    fn holds_all(&self, read: usize, other: usize) -> bool;

    /// Whether a write must supersede all that a read may have held.
    fn covers_all(&self, write: usize, read: usize) -> bool;
}

/// Whether a read may have held all of a past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing is in that past.
    NothingAsked,
    HeldAll,
    Lacked,
    /// It takes the past itself.
    InDoubt,
}

/// What is known to be at least a past.
#[derive(Clone, Copy, Default)]
enum Base {
    #[default]
    Nothing,
    /// What a read may have held.
    Read(u32),
    /// Not known.
    Everything,
}

/// A past, bounded: its base, and other writes that are in it.
#[derive(Clone, Copy, Default)]
struct Bound {
    any: bool,
    base: Base,
    /// Whose list the others are in, and where.
    session: u32,
    others: (u32, u32),
    /// The write must supersede all of the base.
    is_covered: bool,
}

/// What a client knows of the key.
#[derive(Default)]
struct Session {
    any: bool,
    base: Base,
    /// What it came to know; since the base from `start` on.
    others: Vec<u32>,
    start: usize,
}

/// The pasts of one key's operations, which are taken in the order of invocation.
pub(crate) struct Bounds {
    sessions: Vec<Session>,
    of_writes: Vec<Bound>,
    /// How many writes may still be looked at one by one.
    looks: usize,
}

impl Bounds {
    pub(crate) fn new(writes: usize, reads: usize) -> Self {
        Self {
            sessions: Vec::new(),
            of_writes: vec![Bound::default(); writes],
            looks: LOOKS * (writes + reads),
        }
    }

    /// Lets a client know all that a write's client knew when it wrote that, and the write, where
    /// there is one, and other writes.
    pub(crate) fn add(
        &mut self,
        session: usize,
        as_known_at: Option<usize>,
        writes: impl Iterator<Item = u32>,
    ) {
        if session >= self.sessions.len() {
            self.sessions.resize_with(session + 1, Session::default);
        }
        if let Some(write) = as_known_at {
            self.start_from(session, write);
        }
        let own = &mut self.sessions[session];
        let before = own.others.len();
        own.others.extend(writes);
        own.any |= own.others.len() > before;
    }

    fn start_from(&mut self, session: usize, write: usize) {
        let bound = self.of_writes[write];
        let is_listed = self.may_look_at(bound);
        let others = is_listed.then(|| self.others(bound).to_vec());
        let own = &mut self.sessions[session];
        own.any = true;
        own.start = own.others.len();
        own.base = if is_listed {
            bound.base
        } else {
            Base::Everything
        };
        own.others.extend(others.unwrap_or_default());
        own.others.push(number(write));
    }

    /// Keeps the past of a write of this client.
    pub(crate) fn keep(&mut self, session: usize, write: usize, held: &impl Held) {
        let own = &self.sessions[session];
        self.of_writes[write] = Bound {
            any: own.any,
            base: own.base,
            session: number(session),
            others: (number(own.start), number(own.others.len())),
            is_covered: match own.base {
                Base::Nothing => true,
                Base::Read(read) => held.covers_all(write, read as usize),
                Base::Everything => false,
            },
        };
    }

    /// Whether a sound read of this client may have held all that happened before it. In doubt, the
    /// answer is to be told.
    pub(crate) fn test_read(&mut self, session: usize, read: usize, held: &impl Held) -> Answer {
        let own = &mut self.sessions[session];
        if !own.any {
            return Answer::NothingAsked;
        }
        if !holds_base(held, read, own.base) {
            return Answer::InDoubt;
        }
        let others = own.others[own.start..].iter().copied();
        let lacked = others.filter(|write| !held.holds(read, *write as usize));
        let lacked: Vec<_> = lacked.collect();
        let answer = if lacked.is_empty() {
            Answer::HeldAll
        } else {
            Answer::Lacked
        };
        self.tell(session, read, lacked);
        answer
    }

    /// Tells what a read of this client lacked of what happened before it.
    pub(crate) fn tell(
        &mut self,
        session: usize,
        read: usize,
        lacked: impl IntoIterator<Item = u32>,
    ) {
        let own = &mut self.sessions[session];
        own.start = own.others.len();
        own.others.extend(lacked.into_iter().take(MOST_MISSING + 1));
        own.base = if own.others.len() - own.start > MOST_MISSING {
            Base::Everything
        } else {
            Base::Read(number(read))
        };
    }

    /// Whether a read may have held all that happened before a write.
    pub(crate) fn test_write(&mut self, write: usize, read: usize, held: &impl Held) -> Answer {
        let bound = self.of_writes[write];
        if !bound.any {
            return Answer::NothingAsked;
        }
        if !self.may_look_at(bound) || !bound.is_covered && !holds_base(held, read, bound.base) {
            return Answer::InDoubt;
        }
        let mut others = self.others(bound).iter();
        if others.all(|write| held.holds(read, *write as usize)) {
            Answer::HeldAll
        } else {
            Answer::Lacked
        }
    }

    fn others(&self, bound: Bound) -> &[u32] {
        let (first, end) = (bound.others.0 as usize, bound.others.1 as usize);
        &self.sessions[bound.session as usize].others[first..end]
    }

    /// Whether the other writes of a past may be looked at one by one.
    fn may_look_at(&mut self, bound: Bound) -> bool {
        let many = (bound.others.1 - bound.others.0) as usize;
        let left = self.looks.checked_sub(many);
        self.looks = left.unwrap_or(self.looks);
        left.is_some()
    }
}

fn holds_base(held: &impl Held, read: usize, base: Base) -> bool {
    match base {
        Base::Nothing => true,
        Base::Read(other) => held.holds_all(read, other as usize),
        Base::Everything => false,
    }
}
