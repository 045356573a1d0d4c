//! Registers in general: a search over orders, as narrow as it can be kept.
//!
//! Testing registers with repeated values is NP-complete (Gibbons & Korach 1997), so this is a
//! search. It goes through the history event by event and keeps every *configuration* that some
//! order so far can lead to: which of the operations under way have taken effect, what the register
//! holds, and how many operations of unknown outcome were used (the just-in-time linearization of
//! Lowe 2017, after Wing & Gong 1993). When an operation completes, each configuration is extended
//! until that operation has taken effect; those that cannot be are dropped, and when none is left
//! the history is not linearizable. Only the configurations at one moment are held.
//!
//! What keeps it narrow:
//!
//! - keys are searched by themselves (P-compositionality);
//! - what only observes takes effect as soon as the register holds what it saw;
//! - a write takes effect no sooner than a completion demands; one whose value no operation ever
//!   sees, as soon as another write hides it;
//! - operations of unknown outcome that do the same are used in the order of their invocation, so
//!   that only their number counts; one is used only where something under way can see it; and a
//!   configuration that used more than another that is otherwise equal is dropped.
//!
//! A budget of steps and of memory, not of time, ends a search that grows too wide, so that the
//! same history gives the same verdict everywhere.

use hashbrown::HashTable;

use super::{
    history::{History, OpId, Status, Time},
    states::{Effect, State, States, UNSEEN},
    verdict::Start,
};
use crate::index::number;

/// How much the search on one key may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Operations that may be tried, and words of configurations that may be made or looked at: a
    /// step takes some nanoseconds.
    pub steps: u64,
    /// Bytes that the configurations of one moment may take.
    pub bytes: u64,
}

impl Default for Budget {
    /// Some seconds, and half a gibibyte.
    fn default() -> Self {
        Self {
            steps: 500_000_000,
            bytes: 512 << 20,
        }
    }
}

/// Some operations of a key, to be put in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) operations: Vec<OpId>,
    /// Those of them that need not take effect, sorted.
    pub(super) optional: Vec<OpId>,
    /// Compare-and-sets of which it does not matter what they found: taken for writes.
    pub(super) waived: Vec<OpId>,
    pub(super) start: Start,
}

/// What came of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Searched {
    /// There is an order.
    Found,
    /// There is none: all had failed when this operation completed.
    Stuck(OpId),
    /// Out of steps.
    Steps,
    /// Out of memory.
    Memory,
}

impl Part {
    /// All operations of a key.
    pub(super) fn whole(history: &History, ops: &[OpId]) -> Self {
        let unknown = |op: &OpId| history.operations[*op as usize].status == Status::Info;
        Self {
            operations: ops.to_vec(),
            optional: ops.iter().copied().filter(unknown).collect(),
            waived: Vec::new(),
            start: Start::Initial,
        }
    }
}

/// Looks for an order of the part's operations, and counts the steps that it took.
pub(super) fn search(history: &History, part: &Part, budget: Budget) -> (Searched, u64) {
    let mut search = Search::new(history, part, budget);
    let searched = search.run().err().unwrap_or(Searched::Found);
    (searched, search.steps)
}

#[derive(Clone, Copy)]
struct Item {
    op: OpId,
    effect: Effect,
    /// Its place among the operations under way, or, if it is optional, the number of its class.
    slot: usize,
    optional: bool,
}

/// Optional operations that all do the same.
struct Class {
    effect: Effect,
    invoked: u32,
}

struct Search<'h> {
    states: States<'h>,
    items: Vec<Item>,
    /// Time, whether it is a completion, and the item; in order.
    events: Vec<(Time, bool, u32)>,
    classes: Vec<Class>,
    /// The item in each slot that is under way.
    slots: Vec<Option<u32>>,
    frontier: Frontier,
    /// True when nothing can tell that a value was there which no operation names: no
    /// compare-and-set was refused.
    hides: bool,
    budget: Budget,
    steps: u64,
}

/// How many operations under way one word of a configuration holds.
const WORD: usize = 32;

/// A set of configurations, each a row of words: the state, then a bit for each slot, then a count
/// for each class.
struct Frontier {
    width: usize,
    rows: Vec<u32>,
    table: HashTable<u32>,
}

fn hash(row: &[u32]) -> u64 {
    row.iter().fold(0x9e37_79b9_7f4a_7c15_u64, |hash, word| {
        let mixed = (hash ^ u64::from(*word)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 32)
    })
}

impl Frontier {
    fn new(width: usize) -> Self {
        Self {
            width,
            rows: Vec::new(),
            table: HashTable::new(),
        }
    }

    fn len(&self) -> usize {
        self.rows.len() / self.width
    }

    fn row(&self, at: usize) -> &[u32] {
        &self.rows[at * self.width..(at + 1) * self.width]
    }

    fn row_mut(&mut self, at: usize) -> &mut [u32] {
        &mut self.rows[at * self.width..(at + 1) * self.width]
    }

    /// Adds a row, unless it is there.
    fn insert(&mut self, row: &[u32]) {
        let (rows, width) = (&self.rows, self.width);
        let at = |at: u32| &rows[at as usize * width..(at as usize + 1) * width];
        let hashed = hash(row);
        if self.table.find(hashed, |there| at(*there) == row).is_none() {
            let new = number(rows.len() / width);
            self.table
                .insert_unique(hashed, new, |there| hash(at(*there)));
            self.rows.extend_from_slice(row);
        }
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.table.clear();
    }

    fn bytes(&self) -> u64 {
        // A row, and its number with a byte of the table's own, which is at worst half empty.
        (self.rows.len() * 4 + self.len() * 10) as u64
    }
}

impl<'h> Search<'h> {
    fn new(history: &'h History, part: &Part, budget: Budget) -> Self {
        let operation = |op: &OpId| &history.operations[*op as usize];
        let actions = part.operations.iter().map(|op| operation(op).action);
        let mut states = States::of(history, &actions);
        let mut classes: Vec<Class> = Vec::new();
        let mut class_of = std::collections::BTreeMap::new();
        let (mut items, mut events) = (Vec::new(), Vec::new());
        for op in &part.operations {
            let Some(mut effect) = states.effect(operation(op).action) else {
                continue;
            };
            if let Effect::Swap(_, to) = effect
                && part.waived.contains(op)
            {
                effect = Effect::Set(to);
            }
            let optional = part.optional.binary_search(op).is_ok();
            if optional && effect.observes_only() {
                continue;
            }
            let slot = if optional {
                *class_of.entry(effect).or_insert_with(|| {
                    classes.push(Class { effect, invoked: 0 });
                    classes.len() - 1
                })
            } else {
                0
            };
            let item = number(items.len());
            items.push(Item {
                op: *op,
                effect,
                slot,
                optional,
            });
            events.push((operation(op).invoked, false, item));
            if !optional {
                events.push((operation(op).effective_by(), true, item));
            }
        }
        events.sort_unstable();
        let refused = |item: &Item| matches!(item.effect, Effect::SeeOther(_));
        let hides = !items.iter().any(refused);
        let slots = assign_slots(&mut items, &events);
        let width = 1 + slots.div_ceil(WORD) + classes.len();
        let mut frontier = Frontier::new(width);
        let starts = match part.start {
            Start::Initial => vec![states.state(history.tables.initial)],
            Start::Anything => states.anything(),
        };
        for start in starts {
            let mut row = vec![0; width];
            row[0] = start;
            frontier.insert(&row);
        }
        Self {
            states,
            items,
            events,
            classes,
            slots: vec![None; slots],
            frontier,
            hides,
            budget,
            steps: 0,
        }
    }

    fn run(&mut self) -> Result<(), Searched> {
        for at in 0..self.events.len() {
            let (_, completes, item) = self.events[at];
            let Item {
                effect,
                slot,
                optional,
                op,
            } = self.items[item as usize];
            if optional {
                self.classes[slot].invoked += 1;
            } else if completes {
                self.complete(slot)?;
                if self.frontier.len() == 0 {
                    return Err(Searched::Stuck(op));
                }
                self.slots[slot] = None;
            } else {
                self.slots[slot] = Some(item);
                if effect.observes_only() {
                    self.steps += self.frontier.len() as u64;
                    for row in 0..self.frontier.len() {
                        let row = self.frontier.row_mut(row);
                        if self.states.after(row[0], effect).is_some() {
                            set(row, slot);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Extends every configuration until the operation in `slot` has taken effect.
    fn complete(&mut self, slot: usize) -> Result<(), Searched> {
        let width = self.frontier.width;
        let mut open = std::mem::replace(&mut self.frontier, Frontier::new(width));
        if (0..open.len()).all(|row| is_set(open.row(row), slot)) {
            for row in 0..open.len() {
                unset(open.row_mut(row), slot);
            }
            self.steps += (open.len() * width) as u64;
            open.table.clear();
            self.frontier = open;
            return self.within_budget(self.frontier.bytes());
        }
        // The rows changed since they were last looked up.
        let rows = std::mem::take(&mut open.rows);
        self.steps += rows.len() as u64;
        open.clear();
        let mut done = Frontier::new(width);
        let mut row = Vec::with_capacity(width);
        for from in rows.chunks_exact(width) {
            if is_set(from, slot) {
                row.clear();
                row.extend_from_slice(from);
                unset(&mut row, slot);
                done.insert(&row);
            } else {
                open.insert(from);
            }
        }
        let mut at = 0;
        let mut new = vec![0; width];
        while at < open.len() {
            row.clear();
            row.extend_from_slice(open.row(at));
            at += 1;
            for choice in 0..self.slots.len() + self.classes.len() {
                self.steps += 1;
                if !self.extend(&row, choice, &mut new) {
                    continue;
                }
                self.steps += (width + self.slots.len()) as u64;
                self.within_budget(open.bytes() + done.bytes())?;
                if is_set(&new, slot) {
                    unset(&mut new, slot);
                    done.insert(&new);
                } else {
                    open.insert(&new);
                }
            }
        }
        self.frontier = done;
        self.drop_dominated();
        Ok(())
    }

    fn within_budget(&self, bytes: u64) -> Result<(), Searched> {
        if self.steps > self.budget.steps {
            return Err(Searched::Steps);
        }
        if bytes > self.budget.bytes {
            return Err(Searched::Memory);
        }
        Ok(())
    }

    /// Lets one more operation take effect, the one in a slot or one of a class.
    fn extend(&mut self, row: &[u32], choice: usize, new: &mut [u32]) -> bool {
        let class = choice.checked_sub(self.slots.len());
        let effect = if let Some(class) = class {
            if row[self.count_at(class)] >= self.classes[class].invoked {
                return false;
            }
            self.classes[class].effect
        } else {
            let Some(item) = self.slots[choice].filter(|_| !is_set(row, choice)) else {
                return false;
            };
            self.items[item as usize].effect
        };
        // What only observes took effect when it could.
        if effect.observes_only() {
            return false;
        }
        let Some(state) = self.states.after(row[0], effect) else {
            return false;
        };
        new.copy_from_slice(row);
        if let Some(class) = class {
            self.steps += self.slots.len() as u64;
            if state == row[0] || !self.seen(row, state) {
                return false;
            }
            new[self.count_at(class)] += 1;
        } else {
            set(new, choice);
        }
        new[0] = state;
        for slot in 0..self.slots.len() {
            let Some(item) = self.slots[slot] else {
                continue;
            };
            if is_set(new, slot) {
                continue;
            }
            let waiting = self.items[item as usize].effect;
            let hidden =
                self.hides && waiting == Effect::Set(UNSEEN) && matches!(effect, Effect::Set(_));
            if hidden || waiting.observes_only() && self.states.after(state, waiting).is_some() {
                set(new, slot);
            }
        }
        true
    }

    fn count_at(&self, class: usize) -> usize {
        1 + self.slots.len().div_ceil(WORD) + class
    }

    /// True where something that may take effect next depends on the register holding `state`
    /// rather than what it holds now.
    fn seen(&mut self, row: &[u32], state: State) -> bool {
        // An append to something unseen is unseen, which only a refused compare-and-set can tell.
        let matters = state != UNSEEN || !self.hides;
        for slot in 0..self.slots.len() {
            let Some(item) = self.slots[slot].filter(|_| !is_set(row, slot)) else {
                continue;
            };
            let waiting = self.items[item as usize].effect;
            let depends = match waiting {
                Effect::Set(_) => false,
                Effect::Append(_) => matters,
                _ => self.states.after(state, waiting).is_some(),
            };
            if depends {
                return true;
            }
        }
        let used = self.count_at(0);
        self.classes.iter().zip(&row[used..]).any(|(class, used)| {
            let depends = match class.effect {
                Effect::Swap(from, to) => from == state && to != from,
                Effect::Append(_) => matters,
                _ => false,
            };
            depends && *used < class.invoked
        })
    }

    /// Drops configurations that used at least what another used that is otherwise equal.
    fn drop_dominated(&mut self) {
        /// Beyond this many alike, looking costs more than it saves.
        const ALIKE: usize = 64;
        if self.classes.is_empty() || self.frontier.len() < 2 {
            return;
        }
        let width = self.frontier.width;
        let common = self.count_at(0);
        let mut rows: Vec<&[u32]> = self.frontier.rows.chunks_exact(width).collect();
        let used = |row: &[u32]| {
            row[common..]
                .iter()
                .map(|used| u64::from(*used))
                .sum::<u64>()
        };
        rows.sort_by(|a, b| {
            let alike = a[..common].cmp(&b[..common]);
            alike.then_with(|| used(a).cmp(&used(b))).then(a.cmp(b))
        });
        let mut kept: Vec<&[u32]> = Vec::with_capacity(rows.len());
        let mut first_alike = 0;
        for row in rows {
            if kept
                .last()
                .is_some_and(|last| last[..common] != row[..common])
            {
                first_alike = kept.len();
            }
            let alike = &kept[first_alike..];
            let dominated = alike.iter().take(ALIKE).any(|other| {
                let mut pairs = other[common..].iter().zip(&row[common..]);
                pairs.all(|(less, more)| less <= more)
            });
            if !dominated {
                kept.push(row);
            }
        }
        let rows = kept.concat();
        self.frontier.clear();
        self.frontier.rows = rows;
    }
}

/// Gives every operation that must take effect a place of its own while it is under way; returns
/// how many places there are.
fn assign_slots(items: &mut [Item], events: &[(Time, bool, u32)]) -> usize {
    let mut free = Vec::new();
    let mut places = 0;
    for (_, completes, item) in events {
        let item = &mut items[*item as usize];
        if item.optional {
            continue;
        }
        if *completes {
            free.push(item.slot);
        } else {
            item.slot = free.pop().unwrap_or_else(|| {
                places += 1;
                places - 1
            });
        }
    }
    places
}

fn set(row: &mut [u32], slot: usize) {
    row[1 + slot / WORD] |= 1 << (slot % WORD);
}

fn unset(row: &mut [u32], slot: usize) {
    row[1 + slot / WORD] &= !(1 << (slot % WORD));
}

fn is_set(row: &[u32], slot: usize) -> bool {
    row[1 + slot / WORD] & (1 << (slot % WORD)) != 0
}
