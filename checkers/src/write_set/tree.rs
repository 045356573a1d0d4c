//! Trees of words that share nodes: the older part of a [`WriteSet`](super::WriteSet).
//!
//! A tree of height 0 is a leaf of eight words; one more level is eight times as wide. Full and
//! empty parts have no nodes, so the form is canonical. Nodes are never changed once made.

use std::sync::Arc;

use super::BITS;

/// A part of a tree, of some height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Empty,
    Full,
    Node(Arc<Node>),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// How many writes it holds.
    len: u32,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Leaf([u64; WIDTH]),
    /// Which children are full, and those that are neither full nor empty.
    Branch(u8, [Option<Arc<Node>>; WIDTH]),
}

const WIDTH: usize = 8;
const WIDTH_LOG: u32 = 3;

/// The height of the lowest tree that holds so many words.
pub(super) fn height(words: usize) -> u32 {
    let mut height = 0;
    while capacity(height) < words {
        height += 1;
    }
    height
}

/// How many words a tree holds.
const fn capacity(height: u32) -> usize {
    1 << (WIDTH_LOG * (height + 1))
}

/// How many writes a full tree holds.
fn most(height: u32) -> u32 {
    u32::try_from(capacity(height) * BITS).unwrap_or(u32::MAX)
}

/// The child of a tree in which a word lies.
const fn child_of(height: u32, at: usize) -> usize {
    (at >> (WIDTH_LOG * height)) % WIDTH
}

/// The first word after the part of this height in which a word lies.
const fn end_of(height: u32, at: usize) -> usize {
    ((at >> (WIDTH_LOG * (height + 1))) + 1) << (WIDTH_LOG * (height + 1))
}

impl Slot {
    fn len(&self, height: u32) -> u32 {
        match self {
            Self::Empty => 0,
            Self::Full => most(height),
            Self::Node(node) => node.len,
        }
    }

    fn leaf(words: [u64; WIDTH]) -> Self {
        match words.iter().map(|word| word.count_ones()).sum::<u32>() {
            0 => Self::Empty,
            len if len == most(0) => Self::Full,
            len => Self::Node(Arc::new(Node {
                len,
                kind: Kind::Leaf(words),
            })),
        }
    }

    fn branch(full: u8, nodes: [Option<Arc<Node>>; WIDTH], height: u32) -> Self {
        let partly = nodes.iter().flatten().map(|node| node.len).sum::<u32>();
        match partly + full.count_ones() * most(height - 1) {
            0 => Self::Empty,
            _ if full == u8::MAX => Self::Full,
            len => Self::Node(Arc::new(Node {
                len,
                kind: Kind::Branch(full, nodes),
            })),
        }
    }

    /// The first words of a tree full, the others empty.
    pub(super) fn prefix(words: usize, height: u32) -> Self {
        if words == 0 {
            return Self::Empty;
        }
        if words >= capacity(height) {
            return Self::Full;
        }
        if height == 0 {
            let word = |at| if at < words { u64::MAX } else { 0 };
            return Self::leaf(std::array::from_fn(word));
        }
        let at = child_of(height, words);
        let mut nodes = [const { None }; WIDTH];
        if let Self::Node(node) = Self::prefix(words % capacity(height - 1), height - 1) {
            nodes[at] = Some(node);
        }
        Self::branch((1 << at) - 1, nodes, height)
    }

    /// The same words in a higher tree.
    pub(super) fn raised(mut self, from: u32, to: u32) -> Self {
        for height in from + 1..=to {
            let mut nodes = [const { None }; WIDTH];
            self = match self {
                Self::Empty => return Self::Empty,
                Self::Full => Self::branch(1, nodes, height),
                Self::Node(node) => {
                    nodes[0] = Some(node);
                    Self::branch(0, nodes, height)
                }
            };
        }
        self
    }

    /// The same words in a lower tree, which has to hold them all.
    pub(super) fn lowered(mut self, from: u32, to: u32) -> Self {
        for _ in to..from {
            self = match &self {
                Self::Node(node) => node.child(0),
                _ => self,
            };
        }
        self
    }

    /// The same tree with another word.
    pub(super) fn with_word(&self, height: u32, at: usize, word: u64) -> Self {
        if height == 0 {
            let mut words = match self {
                Self::Empty => [0; WIDTH],
                Self::Full => [u64::MAX; WIDTH],
                Self::Node(node) => node.words(),
            };
            words[at % WIDTH] = word;
            return Self::leaf(words);
        }
        let (mut full, mut nodes) = match self {
            Self::Empty => (0, [const { None }; WIDTH]),
            Self::Full => (u8::MAX, [const { None }; WIDTH]),
            Self::Node(node) => node.children(),
        };
        let place = child_of(height, at);
        let child = match (full >> place & 1 == 1, &nodes[place]) {
            (true, _) => Self::Full,
            (false, None) => Self::Empty,
            (false, Some(node)) => Self::Node(Arc::clone(node)),
        };
        let child = child.with_word(height - 1, at, word);
        put(&mut full, &mut nodes, place, child);
        Self::branch(full, nodes, height)
    }

    /// What to put in place of this tree to add another of the same height, `None` when that adds
    /// nothing.
    pub(super) fn union(&self, other: &Self, height: u32) -> Option<Self> {
        match (self, other) {
            (Self::Full, _) | (_, Self::Empty) => None,
            (_, Self::Full) | (Self::Empty, Self::Node(_)) => Some(other.clone()),
            (Self::Node(mine), Self::Node(theirs)) => mine.union(theirs, height),
        }
    }

    /// How many more writes this tree holds than another of the same height.
    pub(super) fn more_than(&self, other: &Self, height: u32) -> u32 {
        self.len(height) - other.len(height)
    }

    /// A word, and the first after it that may be another, where the word is full or empty.
    pub(super) fn run(&self, height: u32, at: usize) -> (u64, usize) {
        Cursor::new(self, height).run(at)
    }
}

fn put(full: &mut u8, nodes: &mut [Option<Arc<Node>>; WIDTH], place: usize, child: Slot) {
    *full &= !(1 << place);
    nodes[place] = None;
    match child {
        Slot::Empty => {}
        Slot::Full => *full |= 1 << place,
        Slot::Node(node) => nodes[place] = Some(node),
    }
}

type Children<'a> = (u8, &'a [Option<Arc<Node>>; WIDTH]);

fn union_of_branches(
    (full, nodes): Children<'_>,
    (other_full, other_nodes): Children<'_>,
    height: u32,
    other: &Arc<Node>,
) -> Option<Slot> {
    let mut changed: Option<(u8, [Option<Arc<Node>>; WIDTH])> = None;
    let mut all_theirs = full & !other_full == 0;
    for place in 0..WIDTH {
        let is = |full: u8| full >> place & 1 == 1;
        if is(full) {
            continue;
        }
        let child = match (is(other_full), &nodes[place], &other_nodes[place]) {
            (true, ..) => Some(Slot::Full),
            (false, mine, None) => {
                all_theirs &= mine.is_none();
                None
            }
            (false, None, Some(theirs)) => Some(Slot::Node(Arc::clone(theirs))),
            (false, Some(mine), Some(theirs)) if Arc::ptr_eq(mine, theirs) => None,
            (false, Some(mine), Some(theirs)) => {
                let child = mine.union(theirs, height - 1);
                let is_theirs =
                    matches!(&child, Some(Slot::Node(child)) if Arc::ptr_eq(child, theirs));
                all_theirs &= is_theirs;
                child
            }
        };
        if let Some(child) = child {
            let (full, nodes) = changed.get_or_insert_with(|| (full, nodes.clone()));
            put(full, nodes, place, child);
        }
    }
    let (full, nodes) = changed?;
    if all_theirs {
        return Some(Slot::Node(Arc::clone(other)));
    }
    Some(Slot::branch(full, nodes, height))
}

impl Node {
    fn words(&self) -> [u64; WIDTH] {
        match &self.kind {
            Kind::Leaf(words) => *words,
            Kind::Branch(..) => [0; WIDTH],
        }
    }

    fn children(&self) -> (u8, [Option<Arc<Node>>; WIDTH]) {
        match &self.kind {
            Kind::Leaf(_) => (0, [const { None }; WIDTH]),
            Kind::Branch(full, nodes) => (*full, nodes.clone()),
        }
    }

    fn part(&self, place: usize) -> Part<'_> {
        match &self.kind {
            Kind::Branch(full, _) if full >> place & 1 == 1 => Part::Full,
            Kind::Branch(_, nodes) => nodes[place].as_ref().map_or(Part::Empty, Part::Node),
            Kind::Leaf(_) => Part::Empty,
        }
    }

    /// What to put in place of this node to add another of the same height, `None` when that adds
    /// nothing.
    fn union(self: &Arc<Self>, other: &Arc<Self>, height: u32) -> Option<Slot> {
        if Arc::ptr_eq(self, other) {
            return None;
        }
        if let (Kind::Branch(full, nodes), Kind::Branch(other_full, other_nodes)) =
            (&self.kind, &other.kind)
        {
            let (mine, theirs) = ((*full, nodes), (*other_full, other_nodes));
            return union_of_branches(mine, theirs, height, other);
        }
        let (mine, theirs) = (self.words(), other.words());
        let words = std::array::from_fn(|at| mine[at] | theirs[at]);
        if words == mine {
            None
        } else if words == theirs {
            Some(Slot::Node(Arc::clone(other)))
        } else {
            Some(Slot::leaf(words))
        }
    }

    /// True when another node of the same height holds all that this one does.
    fn is_in(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        if Arc::ptr_eq(self, other) {
            return true;
        }
        if self.len > other.len {
            return false;
        }
        match (&self.kind, &other.kind) {
            (Kind::Leaf(mine), Kind::Leaf(theirs)) => mine
                .iter()
                .zip(theirs)
                .all(|(mine, theirs)| mine & !theirs == 0),
            (Kind::Branch(full, nodes), Kind::Branch(other_full, other_nodes)) => {
                let children = nodes.iter().zip(other_nodes).enumerate();
                full & !other_full == 0
                    && children
                        .filter(|(place, _)| other_full >> place & 1 == 0)
                        .all(|(_, pair)| match pair {
                            (None, _) => true,
                            (Some(_), None) => false,
                            (Some(mine), Some(theirs)) => mine.is_in(theirs),
                        })
            }
            _ => false,
        }
    }

    fn child(&self, place: usize) -> Slot {
        match &self.kind {
            Kind::Branch(full, _) if full >> place & 1 == 1 => Slot::Full,
            Kind::Branch(_, nodes) => nodes[place].clone().map_or(Slot::Empty, Slot::Node),
            Kind::Leaf(_) => Slot::Empty,
        }
    }
}

/// A place in a tree on the way from its root to a word.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    height: u32,
    part: Part<'a>,
}

#[derive(Clone, Copy)]
enum Part<'a> {
    Empty,
    Full,
    Node(&'a Arc<Node>),
}

impl<'a> Cursor<'a> {
    pub(super) fn new(root: &'a Slot, height: u32) -> Self {
        let part = match root {
            Slot::Empty => Part::Empty,
            Slot::Full => Part::Full,
            Slot::Node(node) => Part::Node(node),
        };
        Self { height, part }
    }

    /// A word, and the first after it that may be another, where the word is full or empty.
    fn run(mut self, at: usize) -> (u64, usize) {
        loop {
            match self.part {
                Part::Empty => return (0, end_of(self.height, at)),
                Part::Full => return (u64::MAX, end_of(self.height, at)),
                Part::Node(node) => match &node.kind {
                    Kind::Leaf(words) => return (words[at % WIDTH], at + 1),
                    Kind::Branch(full, nodes) => {
                        let place = child_of(self.height, at);
                        self.height -= 1;
                        self.part = match &nodes[place] {
                            _ if full >> place & 1 == 1 => Part::Full,
                            None => Part::Empty,
                            Some(node) => Part::Node(node),
                        };
                    }
                },
            }
        }
    }

    /// The part that two trees share in which a word lies: the first word after it.
    pub(super) fn shared_until(mut self, mut other: Self, at: usize) -> Option<usize> {
        loop {
            let (Part::Node(mine), Part::Node(theirs)) = (self.part, other.part) else {
                return None;
            };
            if self.height == other.height && Arc::ptr_eq(mine, theirs) {
                return Some(end_of(self.height, at));
            }
            if self.height >= other.height {
                if self.height == other.height {
                    other = other.below(at)?;
                }
                self = self.below(at)?;
            } else {
                other = other.below(at)?;
            }
        }
    }

    /// The part that holds the first words, one level down.
    pub(super) fn first(self) -> Self {
        Self {
            height: self.height - 1,
            part: match self.part {
                Part::Node(node) => node.part(0),
                part => part,
            },
        }
    }

    /// True when another tree of the same height holds all that this one does.
    pub(super) fn is_in(self, other: Self) -> bool {
        match (self.part, other.part) {
            (Part::Empty, _) | (_, Part::Full) => true,
            (_, Part::Empty) | (Part::Full, _) => false,
            (Part::Node(mine), Part::Node(theirs)) => mine.is_in(theirs),
        }
    }

    fn below(self, at: usize) -> Option<Self> {
        let Part::Node(node) = self.part else {
            return None;
        };
        let Kind::Branch(_, nodes) = &node.kind else {
            return None;
        };
        let node = nodes[child_of(self.height, at)].as_ref()?;
        Some(Self {
            height: self.height - 1,
            part: Part::Node(node),
        })
    }
}
