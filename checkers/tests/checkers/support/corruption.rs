//! What can go wrong in a recording of a correct store.
//!
//! Whatever is changed, the recording still makes sense: contexts come from answers that were there
//! in time.

use std::collections::BTreeSet;

use sibcheck_checkers::{
    History, ObjectModel,
    history::{
        Action, OpId, Operation, Read, ReportedClock, Sibling, Siblings, Sources, Status, Value,
        Version, Write,
    },
};

use super::model::Dice;

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Corruption {
    /// An answer loses a sibling.
    DropSibling,
    /// An answer shows beside its siblings what one of them superseded.
    AddSuperseded,
    /// Two returned or two written values change places.
    SwapValues,
    /// A clock, dot or context is another one's, or one entry of it differs.
    AlterClock,
    /// What was answered counts as unknown; a read may also count as failed.
    EraseAcknowledgement,
    /// An operation completes earlier or later.
    MoveCompletion,
    /// An answer shows also any write, or what any other answer shows.
    AddSibling,
    /// An answer is that to another read.
    ReplaceAnswer,
    /// A read becomes a final one, or a final one any other.
    MarkFinal,
    /// A write that was acknowledged counts as refused.
    RefuseWrite,
    /// A write's context comes from nowhere.
    ForgetContext,
    /// An operation is about another key.
    OtherKey,
    /// An answer shows what nothing wrote.
    Invent,
    /// Two writes with tags write equal data.
    EqualData,
}

impl Corruption {
    pub(crate) const ALL: [Self; 14] = [
        Self::DropSibling,
        Self::AddSuperseded,
        Self::SwapValues,
        Self::AlterClock,
        Self::EraseAcknowledgement,
        Self::MoveCompletion,
        Self::AddSibling,
        Self::ReplaceAnswer,
        Self::MarkFinal,
        Self::RefuseWrite,
        Self::ForgetContext,
        Self::OtherKey,
        Self::Invent,
        Self::EqualData,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::DropSibling => "drop a sibling",
            Self::AddSuperseded => "add a superseded one",
            Self::SwapValues => "swap values",
            Self::AlterClock => "alter a clock",
            Self::EraseAcknowledgement => "erase an acknowledgement",
            Self::MoveCompletion => "move a completion",
            Self::AddSibling => "add any sibling",
            Self::ReplaceAnswer => "replace an answer",
            Self::MarkFinal => "make a read final, or not",
            Self::RefuseWrite => "refuse a write",
            Self::ForgetContext => "forget a context",
            Self::OtherKey => "name another key",
            Self::Invent => "show what nothing wrote",
            Self::EqualData => "write equal data",
        }
    }

    fn apply(self, dice: &mut Dice, history: &mut History) {
        match self {
            Self::DropSibling => drop_sibling(dice, history),
            Self::AddSuperseded => add_superseded(dice, history),
            Self::SwapValues if dice.once_in(2) => swap_written(dice, history),
            Self::SwapValues => swap_returned(dice, history),
            Self::AlterClock => alter_clock(dice, history),
            Self::EraseAcknowledgement => erase_acknowledgement(dice, history),
            Self::MoveCompletion => move_completion(dice, history),
            Self::AddSibling => add_sibling(dice, history),
            Self::ReplaceAnswer => replace_answer(dice, history),
            Self::MarkFinal => mark_final(dice, history),
            Self::RefuseWrite => refuse_write(dice, history),
            Self::ForgetContext => forget_context(dice, history),
            Self::OtherKey => name_other_key(dice, history),
            Self::Invent => invent(dice, history),
            Self::EqualData => equal_data(dice, history),
        }
    }
}

/// Changes something, and tells what; nothing where nothing was found to change.
pub(crate) fn corrupt(dice: &mut Dice, history: &mut History) -> Option<Corruption> {
    let before = history.clone();
    for _ in 0..8 {
        let kind = *dice.pick(&Corruption::ALL)?;
        kind.apply(dice, history);
        forget_impossible_sources(history);
        if *history != before {
            return Some(kind);
        }
    }
    None
}

/// Leaves only contexts that their writer can have had.
fn forget_impossible_sources(history: &mut History) {
    for at in 0..history.operations.len() {
        let (earlier, rest) = history.operations.split_at_mut(at);
        let (key, invoked) = (rest[0].key, rest[0].invoked);
        if let Action::Write(write) = &mut rest[0].action {
            let possible = |source: &&OpId| {
                earlier.get(**source as usize).is_some_and(|source| {
                    source.key == key
                        && source.status == Status::Ok
                        && source.completed <= Some(invoked)
                })
            };
            write.sources = write.sources.iter().filter(possible).copied().collect();
        }
    }
}

/// One of the operations that meet a condition.
fn any_that(
    dice: &mut Dice,
    history: &History,
    condition: impl Fn(&Operation) -> bool,
) -> Option<usize> {
    let all = 0..history.operations.len();
    let those: Vec<_> = all
        .filter(|op| condition(&history.operations[*op]))
        .collect();
    dice.pick(&those).copied()
}

fn is_answered(op: &Operation) -> bool {
    op.status == Status::Ok && !op.is_write()
}

fn siblings(op: &Operation) -> &[Sibling] {
    match &op.action {
        Action::Read(read) => &read.siblings,
        Action::Write(_) => &[],
    }
}

fn read(history: &mut History, op: usize) -> Option<&mut Read> {
    match &mut history.operations[op].action {
        Action::Read(read) => Some(read),
        Action::Write(_) => None,
    }
}

fn write(history: &History, op: usize) -> Option<&Write> {
    match &history.operations[op].action {
        Action::Write(write) => Some(write),
        Action::Read(_) => None,
    }
}

fn drop_sibling(dice: &mut Dice, history: &mut History) {
    let shows = any_that(dice, history, |op| !siblings(op).is_empty());
    if let Some(read) = shows.and_then(|op| read(history, op)) {
        let mut siblings = read.siblings.to_vec();
        siblings.remove(dice.roll(siblings.len()));
        read.siblings = siblings.into();
    }
}

fn add_superseded(dice: &mut Dice, history: &mut History) {
    let all = 0..history.operations.len();
    let superseded = all.flat_map(|op| superseded(history, op).into_iter().map(move |w| (op, w)));
    let superseded: Vec<_> = superseded.collect();
    if let Some((read, write)) = dice.pick(&superseded) {
        show(history, *read, *write);
    }
}

/// What the writes that an answer shows have superseded: what their contexts cover; in the replica
/// model, where nothing tells that, what was over before them.
fn superseded(history: &History, read: usize) -> BTreeSet<usize> {
    let shown = returned(history, read);
    let mut covered = BTreeSet::new();
    if history.header.model == ObjectModel::Replica {
        for (write, op) in history.operations.iter().enumerate() {
            let over = |shown: &usize| {
                let shown = &history.operations[*shown];
                op.key == shown.key && op.completed.is_some_and(|over| over < shown.invoked)
            };
            if op.is_write() && shown.iter().any(over) {
                covered.insert(write);
            }
        }
    }
    let mut open = shown.clone();
    while let Some(op) = open.pop() {
        let sources = write(history, op).map_or(&[][..], |write| &write.sources);
        for source in sources.iter().map(|source| *source as usize) {
            let revealed = match &history.operations[source].action {
                Action::Write(_) => vec![source],
                Action::Read(_) => returned(history, source),
            };
            open.extend(revealed.into_iter().filter(|op| covered.insert(*op)));
        }
    }
    covered.retain(|write| !shown.contains(write));
    covered
}

/// The writes of what a read returned.
fn returned(history: &History, read: usize) -> Vec<usize> {
    let shown = siblings(&history.operations[read]);
    let is_shown = |op: &usize| {
        write(history, *op).is_some_and(|write| shown.iter().any(|s| s.value == write.value))
    };
    (0..history.operations.len()).filter(is_shown).collect()
}

/// Adds a written value to an answer.
fn show(history: &mut History, op: usize, written: usize) {
    let sibling = write(history, written).map(|write| Sibling {
        value: write.value.clone(),
        tombstone: write.tombstone,
        version: write.version.clone(),
    });
    if let Some(read) = read(history, op) {
        read.siblings = read.siblings.iter().cloned().chain(sibling).collect();
    }
}

fn swap_written(dice: &mut Dice, history: &mut History) {
    let writes = [(); 2].map(|()| any_that(dice, history, Operation::is_write));
    let [Some(a), Some(b)] = writes else { return };
    if let Ok([a, b]) = history.operations.get_disjoint_mut([a, b])
        && let (Action::Write(a), Action::Write(b)) = (&mut a.action, &mut b.action)
    {
        std::mem::swap(&mut a.value, &mut b.value);
        std::mem::swap(&mut a.tombstone, &mut b.tombstone);
    }
}

/// The values, not what was reported of their clocks.
fn swap_returned(dice: &mut Dice, history: &mut History) {
    let mut places = Vec::new();
    for (op, operation) in history.operations.iter().enumerate() {
        places.extend((0..siblings(operation).len()).map(|at| (op, at)));
    }
    let [Some((a, i)), Some((b, j))] = [(); 2].map(|()| dice.pick(&places).copied()) else {
        return;
    };
    let (one, other) = (
        siblings(&history.operations[a])[i].clone(),
        siblings(&history.operations[b])[j].clone(),
    );
    for ((op, at), with) in [((a, i), other), ((b, j), one)] {
        if let Some(read) = read(history, op) {
            let mut siblings = read.siblings.to_vec();
            (siblings[at].value, siblings[at].tombstone) = (with.value, with.tombstone);
            read.siblings = siblings.into();
        }
    }
}

fn alter_clock(dice: &mut Dice, history: &mut History) {
    let donor = dice.roll(history.operations.len());
    let donor = history.operations[donor].action.clone();
    let at = dice.roll(history.operations.len());
    match &mut history.operations[at].action {
        Action::Write(write) => {
            if dice.once_in(3) {
                write.context = altered_context(dice, write.context.take(), donor);
            } else {
                write.version = altered_version(dice, write.version.take(), donor);
            }
        }
        Action::Read(read) => {
            if read.siblings.is_empty() || dice.once_in(3) {
                read.context = altered_context(dice, read.context.take(), donor);
            } else {
                let mut siblings = read.siblings.to_vec();
                let place = dice.roll(siblings.len());
                let version = &mut siblings[place].version;
                *version = altered_version(dice, version.take(), donor);
                read.siblings = siblings.into();
            }
        }
    }
}

fn altered_context(
    dice: &mut Dice,
    context: Option<ReportedClock>,
    donor: Action,
) -> Option<ReportedClock> {
    if dice.once_in(2) {
        return context.map(|context| altered(dice, &context));
    }
    match donor {
        Action::Write(donor) => donor.context,
        Action::Read(donor) => donor.context.or(context),
    }
}

fn altered_version(dice: &mut Dice, version: Option<Version>, donor: Action) -> Option<Version> {
    match (version, donor) {
        (_, Action::Write(donor)) if dice.once_in(2) => donor.version,
        (Some(Version::Clock(clock)), _) => Some(Version::Clock(altered(dice, &clock))),
        (
            Some(Version::Dotted {
                actor,
                counter,
                past,
            }),
            _,
        ) => {
            let lowered = counter > 1 && dice.once_in(2);
            Some(match past {
                Some(past) if dice.once_in(3) => Version::Dotted {
                    actor,
                    counter,
                    past: Some(altered(dice, &past)),
                },
                past => Version::Dotted {
                    actor,
                    counter: if lowered { counter - 1 } else { counter + 1 },
                    past,
                },
            })
        }
        (None, _) => None,
    }
}

/// One entry is one more or one less.
fn altered(dice: &mut Dice, clock: &ReportedClock) -> ReportedClock {
    let place = dice.roll(clock.entries().len().max(1));
    let less = dice.once_in(2);
    let entries = clock.entries().iter().enumerate();
    ReportedClock::from_entries(entries.map(|(at, (name, n))| {
        let n = match (at == place, less) {
            (true, true) => n - 1,
            (true, false) => n + 1,
            (false, _) => *n,
        };
        (name.clone(), n)
    }))
}

fn erase_acknowledgement(dice: &mut Dice, history: &mut History) {
    let Some(at) = any_that(dice, history, |op| op.status == Status::Ok) else {
        return;
    };
    let op = &mut history.operations[at];
    match &mut op.action {
        Action::Write(write) => {
            (op.status, op.completed, write.version) = (Status::Info, None, None);
        }
        Action::Read(read) => {
            (read.siblings, read.context) = (Siblings::NONE, None);
            op.status = Status::Fail;
            if dice.once_in(2) {
                (op.status, op.completed) = (Status::Info, None);
            }
        }
    }
}

/// Moments of the model are multiples of ten, so the new one is no other invocation's.
fn move_completion(dice: &mut Dice, history: &mut History) {
    let Some(at) = any_that(dice, history, |op| op.completed.is_some()) else {
        return;
    };
    let op = &mut history.operations[at];
    if let Some(completed) = &mut op.completed {
        let moment = *completed / 10 * 10;
        let moved = dice.roll(30) as u64 * 10 + 5;
        *completed = if dice.once_in(2) {
            op.invoked.max(moment + moved)
        } else {
            op.invoked + moved.min(moment.saturating_sub(op.invoked + 5).max(5))
        };
    }
}

fn add_sibling(dice: &mut Dice, history: &mut History) {
    let Some(at) = any_that(dice, history, is_answered) else {
        return;
    };
    let donor = dice.roll(history.operations.len());
    show(history, at, donor);
    let shown = siblings(&history.operations[donor]).to_vec();
    if let Some(read) = read(history, at) {
        read.siblings = read.siblings.iter().cloned().chain(shown).collect();
    }
}

fn replace_answer(dice: &mut Dice, history: &mut History) {
    let [Some(at), Some(donor)] = [(); 2].map(|()| any_that(dice, history, is_answered)) else {
        return;
    };
    if let Action::Read(donor) = history.operations[donor].action.clone()
        && let Some(read) = read(history, at)
    {
        (read.siblings, read.context) = (donor.siblings, donor.context);
    }
}

fn mark_final(dice: &mut Dice, history: &mut History) {
    let at = any_that(dice, history, |op| !op.is_write());
    if let Some(read) = at.and_then(|at| read(history, at)) {
        read.last = !read.last;
    }
}

fn refuse_write(dice: &mut Dice, history: &mut History) {
    let at = any_that(dice, history, |op| op.is_write() && op.status == Status::Ok);
    if let Some(at) = at {
        history.operations[at].status = Status::Fail;
    }
}

fn forget_context(dice: &mut Dice, history: &mut History) {
    let has_sources =
        |op: &Operation| matches!(&op.action, Action::Write(write) if !write.sources.is_empty());
    if let Some(at) = any_that(dice, history, has_sources)
        && let Action::Write(write) = &mut history.operations[at].action
    {
        write.sources = Sources::NONE;
    }
}

fn name_other_key(dice: &mut Dice, history: &mut History) {
    let (at, key) = (
        dice.roll(history.operations.len()),
        dice.roll(history.keys.len()),
    );
    history.operations[at].key = u32::try_from(key).expect("small");
}

fn invent(dice: &mut Dice, history: &mut History) {
    let at = any_that(dice, history, is_answered);
    let value = Value {
        tag: dice.once_in(2).then_some(999),
        data: "never".into(),
    };
    if let Some(read) = at.and_then(|at| read(history, at)) {
        let invented = Sibling {
            value,
            tombstone: false,
            version: None,
        };
        read.siblings = read.siblings.iter().cloned().chain([invented]).collect();
    }
}

/// Wherever a write's value was returned, it keeps its tag.
fn equal_data(dice: &mut Dice, history: &mut History) {
    let tagged = |op: &Operation| match &op.action {
        Action::Write(write) => write.value.tag.is_some() && !write.tombstone,
        Action::Read(_) => false,
    };
    let [Some(at), Some(donor)] = [(); 2].map(|()| any_that(dice, history, tagged)) else {
        return;
    };
    let [Some(old), Some(donor)] = [at, donor].map(|op| write(history, op)) else {
        return;
    };
    let old = old.value.clone();
    let new = Value {
        tag: old.tag,
        data: donor.value.data.clone(),
    };
    for operation in &mut history.operations {
        match &mut operation.action {
            Action::Write(write) if write.value == old => write.value = new.clone(),
            Action::Write(_) => {}
            Action::Read(read) => {
                let mut siblings = read.siblings.to_vec();
                for sibling in siblings.iter_mut().filter(|s| s.value == old) {
                    sibling.value = new.clone();
                }
                read.siblings = siblings.into();
            }
        }
    }
}
