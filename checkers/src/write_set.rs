//! Compact sets of the writes of one key, which share what they have in common.
//!
//! Writes are numbered in invocation order, and what a replica holds is nearly a prefix of that
//! order: everything long ago, but for a few writes that were never applied, and some of what is
//! recent. A set is therefore a *window*, the last two words (of 64 writes) that are not empty,
//! and whatever comes before it. That is commonly full and then costs nothing. Else it is a tree of
//! words, in which full and empty parts are left out; nodes are never changed, and a set that is
//! made from others shares every node in which they agree. So a write that is never applied, or a
//! long partition, costs each set one path of the tree at most, whatever the length of the history,
//! and comparing sets of one lineage costs what they differ in.
//!
//! The form is canonical, so that derived equality is equality of sets.

use crate::index::number;

mod tree;

use tree::{Cursor, Slot};

/// A set of write numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WriteSet {
    /// The number of the window's first word. The window's second word is not empty, unless this
    /// is 0.
    base: u32,
    len: u32,
    window: [u64; 2],
    /// The words before the window, or `Full` when they all are.
    old: Slot,
}

impl Default for WriteSet {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// The writes in a word.
pub(crate) const BITS: usize = 64;

/// The words in the window.
const WINDOW: usize = 2;

/// The set of nothing, to borrow.
pub(crate) static NOTHING: WriteSet = WriteSet::EMPTY;

impl WriteSet {
    /// The set of nothing.
    pub(crate) const EMPTY: Self = Self {
        base: 0,
        len: 0,
        window: [0; WINDOW],
        old: Slot::Full,
    };

    /// True when the set holds no write.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many writes the set holds.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// True when `write` is in the set.
    pub(crate) fn contains(&self, write: usize) -> bool {
        self.word_at(write / BITS) >> (write % BITS) & 1 == 1
    }

    /// Adds `write`; false when it was there already.
    pub(crate) fn insert(&mut self, write: usize) -> bool {
        if self.contains(write) {
            return false;
        }
        let (at, bit) = (write / BITS, 1 << (write % BITS));
        self.move_window_to(at);
        match at.checked_sub(self.base()) {
            Some(place) => self.window[place] |= bit,
            None => self.set_old_word(at, self.word_at(at) | bit),
        }
        self.len += 1;
        self.forget_full();
        true
    }

    /// Adds every write of `other`.
    pub(crate) fn union_with(&mut self, other: &Self) {
        if self.is_empty() {
            self.clone_from(other);
        } else if other.base > self.base {
            let earlier = std::mem::replace(self, other.clone());
            self.add_earlier(&earlier);
        } else {
            self.add_earlier(other);
        }
    }

    /// Adds every write of a set whose window is not after this set's.
    fn add_earlier(&mut self, other: &Self) {
        let recent = self.window;
        for (place, word) in other.window.into_iter().enumerate() {
            let at = other.base() + place;
            match at.checked_sub(self.base()) {
                Some(place @ 0..WINDOW) => self.window[place] |= word,
                Some(_) => {}
                None => {
                    let mine = self.word_at(at);
                    if word & !mine != 0 {
                        self.set_old_word(at, mine | word);
                        self.len += (word & !mine).count_ones();
                    }
                }
            }
        }
        if self.window != recent {
            for (before, after) in recent.into_iter().zip(self.window) {
                self.len += (after & !before).count_ones();
            }
        }
        if let Slot::Node(_) = self.old {
            let (height, other_height) = (tree::height(self.base()), tree::height(other.base()));
            let raised;
            let theirs = match &other.old {
                Slot::Full => {
                    raised = Slot::prefix(other.base(), height);
                    &raised
                }
                old if other_height == height => old,
                old => {
                    raised = old.clone().raised(other_height, height);
                    &raised
                }
            };
            if let Some(union) = self.old.union(theirs, height) {
                self.len += union.more_than(&self.old, height);
                self.old = union;
            }
        } else if let Slot::Empty = self.old {
            let height = tree::height(self.base());
            self.old = other.root(height);
            self.len += self.old.more_than(&Slot::Empty, height);
        }
        self.forget_full();
    }

    /// True when `other` holds every write of this set.
    pub(crate) fn is_subset(&self, other: &Self) -> bool {
        // The second word of a window is not empty unless the window is the first.
        self.len <= other.len
            && self.base <= other.base
            && (0..WINDOW).all(|at| self.window[at] & !other.word_at(self.base() + at) == 0)
            && self.old_is_in(other)
    }

    /// True when a set whose window is not before this one's holds all that is before it.
    fn old_is_in(&self, other: &Self) -> bool {
        if self.base == 0 || other.old == Slot::Full {
            return true;
        }
        let mut height = tree::height(other.base());
        let prefix;
        let (mine, own_height) = match &self.old {
            Slot::Full => {
                prefix = Slot::prefix(self.base(), height);
                (&prefix, height)
            }
            old => (old, tree::height(self.base())),
        };
        let mut theirs = Cursor::new(&other.old, height);
        while height > own_height {
            theirs = theirs.first();
            height -= 1;
        }
        Cursor::new(mine, height).is_in(theirs)
    }

    /// True when some write is in both sets.
    pub(crate) fn intersects(&self, other: &Self) -> bool {
        let (small, large) = if self.len <= other.len {
            (self, other)
        } else {
            (other, self)
        };
        let mut at = 0;
        while at < small.end() {
            let ((word, next), (other, other_next)) = (small.run(at), large.run(at));
            if word & other != 0 {
                return true;
            }
            at = match (word, other) {
                (0, 0) => next.max(other_next),
                (0, _) => next,
                (_, 0) => other_next,
                _ => at + 1,
            };
        }
        false
    }

    /// The writes of this set that `other` does not hold, in order.
    pub(crate) fn difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = usize> + 'a {
        self.difference_from(other, 0)
    }

    /// The writes from `start` on of this set that `other` does not hold, in order.
    pub(crate) fn difference_from<'a>(
        &'a self,
        other: &'a Self,
        start: usize,
    ) -> impl Iterator<Item = usize> + 'a {
        let words = Differences::new(self, other, start / BITS);
        let writes = words.flat_map(|(at, word)| ones(word).map(move |bit| at * BITS + bit));
        writes.skip_while(move |write| *write < start)
    }

    /// The same as words of [`BITS`] writes, each with its number: those that are not empty.
    pub(crate) fn difference_words<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = (usize, u64)> + 'a {
        Differences::new(self, other, 0)
    }

    /// How many writes of this set `other` does not hold.
    pub(crate) fn difference_len(&self, other: &Self) -> usize {
        let words = self.difference_words(other);
        words.map(|(_, word)| word.count_ones() as usize).sum()
    }

    /// Takes every write of `other` out.
    pub(crate) fn subtract(&mut self, other: &Self) {
        for write in other.iter() {
            self.remove(write);
        }
    }

    /// Takes `write` out.
    fn remove(&mut self, write: usize) {
        if !self.contains(write) {
            return;
        }
        let (at, bit) = (write / BITS, 1 << (write % BITS));
        match at.checked_sub(self.base()) {
            Some(place) => self.window[place] ^= bit,
            None => self.set_old_word(at, self.word_at(at) ^ bit),
        }
        self.len -= 1;
        while self.base > 0 && self.window[1] == 0 {
            let last = self.base() - 1;
            self.window = [self.word_at(last), self.window[0]];
            if self.old != Slot::Full {
                self.set_old_word(last, 0);
                let heights = (tree::height(self.base()), tree::height(last));
                let old = std::mem::replace(&mut self.old, Slot::Full);
                self.old = old.lowered(heights.0, heights.1);
            }
            self.base -= 1;
            self.forget_full();
        }
        self.forget_full();
    }

    /// The writes of this set, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.difference(&NOTHING)
    }

    /// The writes below `bound` that are not in this set, in order.
    pub(crate) fn missing(&self, bound: usize) -> impl Iterator<Item = usize> + '_ {
        let end = bound.div_ceil(BITS);
        let mut at = 0;
        let words = std::iter::from_fn(move || {
            while at < end {
                let (word, next) = self.run(at);
                if word == u64::MAX {
                    at = next;
                    continue;
                }
                at += 1;
                return Some((at - 1, !word));
            }
            None
        });
        let writes = words.flat_map(|(at, word)| ones(word).map(move |bit| at * BITS + bit));
        writes.take_while(move |write| *write < bound)
    }

    /// The writes of a plain bit set, 64 a word, that are not in this set, in order.
    pub(crate) fn missing_of<'a>(&'a self, words: &'a [u64]) -> impl Iterator<Item = usize> + 'a {
        let start = if self.old == Slot::Full {
            self.base()
        } else {
            0
        };
        (start..words.len())
            .filter(|at| words[*at] != 0)
            .flat_map(|at| ones(words[at] & !self.word_at(at)).map(move |bit| at * BITS + bit))
    }

    fn base(&self) -> usize {
        self.base as usize
    }

    /// The number of words after which nothing is held.
    fn end(&self) -> usize {
        self.base() + WINDOW
    }

    /// The words before the window as a tree of this height.
    fn root(&self, height: u32) -> Slot {
        match &self.old {
            Slot::Full => Slot::prefix(self.base(), height),
            old => old.clone().raised(tree::height(self.base()), height),
        }
    }

    fn word_at(&self, at: usize) -> u64 {
        match at.checked_sub(self.base()) {
            Some(place) => self.window.get(place).copied().unwrap_or(0),
            None => match &self.old {
                Slot::Full => u64::MAX,
                old => old.run(tree::height(self.base()), at).0,
            },
        }
    }

    /// A word, and the first after it that may be another, where the word is full or empty.
    fn run(&self, at: usize) -> (u64, usize) {
        match (at.checked_sub(self.base()), &self.old) {
            (Some(place @ 0..WINDOW), _) => (self.window[place], at + 1),
            (Some(_), _) => (0, usize::MAX),
            (None, Slot::Full) => (u64::MAX, self.base()),
            (None, old) => {
                let (word, end) = old.run(tree::height(self.base()), at);
                (word, end.min(self.base()))
            }
        }
    }

    /// Moves the window up so that it ends with the word `at`, unless it is there or further.
    fn move_window_to(&mut self, at: usize) {
        let Some(base) = (at + 1).checked_sub(WINDOW) else {
            return;
        };
        if base <= self.base() {
            return;
        }
        let from = self.base();
        let before = std::mem::take(&mut self.window);
        for (place, word) in before.into_iter().enumerate() {
            if let Some(place) = (from + place).checked_sub(base) {
                self.window[place] = word;
            }
        }
        let leaving = || before.into_iter().take(base - from);
        let all_full = self.old == Slot::Full
            && base - from <= WINDOW
            && leaving().all(|word| word == u64::MAX);
        if !all_full {
            self.old = self.root(tree::height(base));
        }
        self.base = number(base);
        if !all_full {
            for (place, word) in leaving().enumerate().filter(|(_, word)| *word != 0) {
                self.set_old_word(from + place, word);
            }
        }
    }

    fn set_old_word(&mut self, at: usize, word: u64) {
        let height = tree::height(self.base());
        let changed = match &self.old {
            Slot::Full => Slot::prefix(self.base(), height).with_word(height, at, word),
            old => old.with_word(height, at, word),
        };
        self.old = changed;
    }

    /// Forgets the tree when it holds everything before the window.
    fn forget_full(&mut self) {
        if self.old != Slot::Full {
            let recent = self.window.iter().map(|word| word.count_ones());
            let old = self.len - recent.sum::<u32>();
            if old as usize == self.base() * BITS {
                self.old = Slot::Full;
            }
        }
    }
}

/// The words of what one set holds and another does not, those that are not empty.
struct Differences<'a> {
    one: &'a WriteSet,
    other: &'a WriteSet,
    at: usize,
}

impl<'a> Differences<'a> {
    fn new(one: &'a WriteSet, other: &'a WriteSet, at: usize) -> Self {
        Self { one, other, at }
    }

    /// Where what both sets share around `at` ends, if they do.
    fn shared_until(&self) -> Option<usize> {
        let both_old = self.one.base().min(self.other.base());
        if self.at >= both_old {
            return None;
        }
        let cursor = |set: &'a WriteSet| Cursor::new(&set.old, tree::height(set.base()));
        let end = cursor(self.one).shared_until(cursor(self.other), self.at)?;
        Some(end.min(both_old))
    }
}

impl Iterator for Differences<'_> {
    type Item = (usize, u64);

    fn next(&mut self) -> Option<(usize, u64)> {
        while self.at < self.one.end() {
            let at = self.at;
            if let Some(end) = self.shared_until() {
                self.at = end;
                continue;
            }
            let ((word, next), (other, other_next)) = (self.one.run(at), self.other.run(at));
            if word == 0 {
                self.at = next;
            } else if other == u64::MAX {
                self.at = other_next;
            } else {
                self.at += 1;
                if word & !other != 0 {
                    return Some((at, word & !other));
                }
            }
        }
        None
    }
}

impl FromIterator<usize> for WriteSet {
    fn from_iter<I: IntoIterator<Item = usize>>(writes: I) -> Self {
        let mut set = Self::EMPTY;
        for write in writes {
            set.insert(write);
        }
        set
    }
}

/// The positions of the ones of `word`, lowest first.
fn ones(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (word != 0).then(|| {
            let bit = word.trailing_zeros() as usize;
            word &= word - 1;
            bit
        })
    })
}

#[cfg(test)]
mod tests;
