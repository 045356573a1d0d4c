//! What a generator of histories of registers draws, as a table: for each operation what it does,
//! what came of it and where its value is from, by where it stands among the others; and chains of
//! unknown outcomes by what they begin with.
//!
//! Histories of one operation are not counted: nothing stands beside it.

use std::{collections::BTreeMap, fmt, ops::AddAssign};

use serde_json::Value as Json;
use sibcheck_checkers::registers::{
    History,
    history::{Action, Operation, Status, ValueId},
};

/// What an operation does; a compare-and-set does two things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Does {
    Reads,
    Expects,
    Writes,
    SwapsTo,
    Appends,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Ok,
    Refused,
    Unknown,
    Failed,
}

/// Where a value is from that is observed, or who else has to do with one that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    // Observed.
    Unanswered,
    Never,
    WrittenByFailed,
    Initial,
    WrittenByOk,
    WrittenByUnknown,
    WrittenBySeveral,
    EndsWithAppended,
    // Written.
    Unseen,
    Seen,
    ExpectedByUnknown,
    Repeated,
    InitialAgain,
    SwappedForItself,
    // Appended, also those above.
    BeginsAnother,
    Empty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    First,
    Middle,
    Last,
}

/// How its time meets those of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Meets {
    Apart,
    Overlapping,
    AtEqualTimes,
}

type Row = (Does, Outcome, Value);
type Column = (Place, Meets);

/// What a chain of unknown outcomes begins with, that an answer shows to have taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Begins {
    Never,
    Initial,
    Ok,
    UnknownWrite,
    Several,
    Circle,
}

/// How the operations of a chain are listed, against the order of their effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Listed {
    Forwards,
    Backwards,
    Mixed,
}

/// What absent and nearly absent values there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Absent,
    Empty,
    Text,
    Number,
}

/// How often each was drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Coverage {
    cells: BTreeMap<(Row, Column), u64>,
    chains: BTreeMap<(usize, Begins, Listed), u64>,
    forms: BTreeMap<(Does, Outcome, Form), u64>,
}

const PLACES: [Place; 3] = [Place::First, Place::Middle, Place::Last];
const MEETS: [Meets; 3] = [Meets::Apart, Meets::Overlapping, Meets::AtEqualTimes];

fn columns() -> impl Iterator<Item = Column> {
    let of = |place| MEETS.map(|meets| (place, meets));
    PLACES.into_iter().flat_map(of)
}

/// Every row that there can be.
fn rows() -> Vec<Row> {
    use Value::*;
    let observed = [
        Never,
        WrittenByFailed,
        Initial,
        WrittenByOk,
        WrittenByUnknown,
        WrittenBySeveral,
        EndsWithAppended,
    ];
    let written = [Unseen, Seen, ExpectedByUnknown, Repeated, InitialAgain];
    let appended = [Unseen, Seen, Repeated, BeginsAnother, Empty];
    let mut rows = Vec::new();
    for outcome in [
        Outcome::Ok,
        Outcome::Refused,
        Outcome::Unknown,
        Outcome::Failed,
    ] {
        let swaps = |does, values: &[Value]| {
            let row = |value: &Value| (does, outcome, *value);
            values.iter().map(row).collect::<Vec<Row>>()
        };
        rows.extend(swaps(Does::Expects, &observed));
        rows.extend(swaps(Does::SwapsTo, &written));
        rows.extend(swaps(Does::SwapsTo, &[SwappedForItself]));
        match outcome {
            Outcome::Refused => continue,
            Outcome::Ok => rows.extend(swaps(Does::Reads, &observed)),
            _ => rows.extend(swaps(Does::Reads, &[Unanswered])),
        }
        rows.extend(swaps(Does::Writes, &written));
        rows.extend(swaps(Does::Appends, &appended));
    }
    rows.sort_unstable();
    rows
}

/// What is of unknown outcome overlaps with all that comes after it.
fn possible((_, outcome, value): Row, (place, meets): Column) -> bool {
    let beside_unknown = matches!(value, Value::WrittenByUnknown | Value::ExpectedByUnknown);
    match place {
        _ if meets != Meets::Apart => true,
        Place::Last => !beside_unknown,
        _ => outcome != Outcome::Unknown,
    }
}

/// The longest chains that are told apart.
const LONGEST: usize = 3;

fn chains() -> Vec<(usize, Begins, Listed)> {
    use Begins::*;
    let mut chains = Vec::new();
    for length in 0..=LONGEST {
        for begins in [Never, Initial, Ok, UnknownWrite, Several, Circle] {
            for listed in [Listed::Forwards, Listed::Backwards, Listed::Mixed] {
                let told = match length {
                    0 => listed == Listed::Forwards,
                    1 => listed != Listed::Mixed,
                    _ => true,
                };
                if told && (length > 0 || begins != UnknownWrite) {
                    chains.push((length, begins, listed));
                }
            }
        }
    }
    chains
}

impl Coverage {
    /// Counts what there is in a history.
    pub(super) fn add(&mut self, history: &History) {
        if history.operations.len() < 2 {
            return;
        }
        for (at, operation) in history.operations.iter().enumerate() {
            let column = column(history, at);
            for (does, value) in named(operation) {
                let row = (does, outcome(operation), origin(history, at, does, value));
                *self.cells.entry((row, column)).or_default() += 1;
                if let Some(value) = value {
                    let form = match history.value(value) {
                        Json::Null => Form::Absent,
                        Json::String(text) if text.is_empty() => Form::Empty,
                        Json::String(_) => Form::Text,
                        _ => Form::Number,
                    };
                    let drawn = (does, outcome(operation), form);
                    *self.forms.entry(drawn).or_default() += 1;
                }
            }
            if let Some(chain) = chain(history, at) {
                *self.chains.entry(chain).or_default() += 1;
            }
        }
    }

    /// What can be drawn and was not, and what was drawn though it cannot be.
    pub(super) fn holes(&self) -> Vec<String> {
        let rows = rows();
        let cells = rows.iter().flat_map(|row| columns().map(|c| (*row, c)));
        let cells: Vec<_> = cells.filter(|(row, c)| possible(*row, *c)).collect();
        let chains = chains();
        let missing = cells.iter().filter(|cell| !self.cells.contains_key(cell));
        let mut holes: Vec<String> = missing.map(|cell| format!("no {cell:?}")).collect();
        let strange = self.cells.keys().filter(|cell| !cells.contains(cell));
        holes.extend(strange.map(|cell| format!("{cell:?} cannot be")));
        let missing = chains
            .iter()
            .filter(|chain| !self.chains.contains_key(chain));
        holes.extend(missing.map(|chain| format!("no chain {chain:?}")));
        let strange = self.chains.keys().filter(|chain| !chains.contains(chain));
        holes.extend(strange.map(|chain| format!("a chain {chain:?} cannot be")));
        for (does, outcome, value) in rows {
            for form in [Form::Absent, Form::Empty, Form::Text, Form::Number] {
                let text = matches!(form, Form::Empty | Form::Text);
                let can = value != Value::Unanswered && (does != Does::Appends || text);
                if can && !self.forms.contains_key(&(does, outcome, form)) {
                    holes.push(format!("no {does:?} {outcome:?} {form:?}"));
                }
            }
        }
        holes.dedup();
        holes
    }
}

fn outcome(operation: &Operation) -> Outcome {
    match (operation.status, operation.action) {
        (Status::Ok, Action::CompareAndSet { swapped: false, .. }) => Outcome::Refused,
        (Status::Ok, _) => Outcome::Ok,
        (Status::Info, _) => Outcome::Unknown,
        (Status::Fail, _) => Outcome::Failed,
    }
}

fn named(operation: &Operation) -> Vec<(Does, Option<ValueId>)> {
    match operation.action {
        Action::Read(returned) if operation.status == Status::Ok => vec![(Does::Reads, returned)],
        Action::Read(_) => vec![(Does::Reads, None)],
        Action::Write(value) => vec![(Does::Writes, Some(value))],
        Action::CompareAndSet { expected, new, .. } => {
            vec![(Does::Expects, Some(expected)), (Does::SwapsTo, Some(new))]
        }
        Action::Append(added) => vec![(Does::Appends, Some(added))],
    }
}

/// What an operation writes if it takes effect.
fn writes(operation: &Operation, value: ValueId) -> bool {
    match operation.action {
        Action::Write(written) => written == value,
        Action::CompareAndSet { new, .. } => new == value,
        Action::Read(_) | Action::Append(_) => false,
    }
}

fn takes_effect(operation: &Operation) -> bool {
    matches!(outcome(operation), Outcome::Ok | Outcome::Unknown)
}

/// Where a value is from that operation `at` observes, or who else has to do with what it writes.
fn origin(history: &History, at: usize, does: Does, value: Option<ValueId>) -> Value {
    let Some(value) = value else {
        return Value::Unanswered;
    };
    match does {
        Does::Reads | Does::Expects => observed(history, at, value),
        Does::Appends => appended(history, at, value),
        Does::Writes | Does::SwapsTo => written(history, at, value),
    }
}

fn others(history: &History, at: usize) -> impl Iterator<Item = &Operation> {
    let all = history.operations.iter().enumerate();
    all.filter(move |(other, _)| *other != at).map(|(_, op)| op)
}

fn observed(history: &History, at: usize, value: ValueId) -> Value {
    let wrote: Vec<_> = others(history, at).filter(|op| writes(op, value)).collect();
    let counted: Vec<_> = wrote.iter().filter(|op| takes_effect(op)).collect();
    let text = history.value(value).as_str().unwrap_or_default();
    let ends_with = |op: &Operation| match op.action {
        Action::Append(added) if takes_effect(op) => {
            let added = history.value(added).as_str().unwrap_or_default();
            !added.is_empty() && text.ends_with(added)
        }
        _ => false,
    };
    match (counted.as_slice(), value == history.initial) {
        ([], true) => Value::Initial,
        ([], false) if others(history, at).any(ends_with) => Value::EndsWithAppended,
        ([], false) if !wrote.is_empty() => Value::WrittenByFailed,
        ([], false) => Value::Never,
        ([one], false) if one.status == Status::Ok => Value::WrittenByOk,
        ([_], false) => Value::WrittenByUnknown,
        _ => Value::WrittenBySeveral,
    }
}

fn written(history: &History, at: usize, value: ValueId) -> Value {
    let itself = |op: &Operation| match op.action {
        Action::CompareAndSet { expected, .. } => expected == value,
        _ => false,
    };
    let read = |op: &Operation| op.action == Action::Read(Some(value)) && op.status == Status::Ok;
    let again = |op: &Operation| takes_effect(op) && writes(op, value);
    if itself(&history.operations[at]) {
        Value::SwappedForItself
    } else if value == history.initial {
        Value::InitialAgain
    } else if others(history, at).any(again) {
        Value::Repeated
    } else if others(history, at).any(|op| read(op) || itself(op) && op.status == Status::Ok) {
        Value::Seen
    } else if others(history, at).any(|op| itself(op) && op.status == Status::Info) {
        Value::ExpectedByUnknown
    } else {
        Value::Unseen
    }
}

fn appended(history: &History, at: usize, value: ValueId) -> Value {
    let text = |value: ValueId| history.value(value).as_str().unwrap_or_default();
    let added = text(value);
    let same = |op: &Operation| op.action == Action::Append(value) && takes_effect(op);
    let begins = |op: &Operation| match op.action {
        Action::Write(other) | Action::Append(other) if takes_effect(op) => {
            text(other).starts_with(added)
        }
        _ => false,
    };
    let shows = |op: &Operation| match op.action {
        Action::Read(Some(seen)) | Action::CompareAndSet { expected: seen, .. } => {
            op.status == Status::Ok && text(seen).contains(added)
        }
        _ => false,
    };
    if added.is_empty() {
        Value::Empty
    } else if others(history, at).any(same) {
        Value::Repeated
    } else if others(history, at).any(begins) {
        Value::BeginsAnother
    } else if others(history, at).any(shows) {
        Value::Seen
    } else {
        Value::Unseen
    }
}

/// Where an operation stands among the others.
fn column(history: &History, at: usize) -> Column {
    let end = |op: &Operation| match op.status {
        Status::Info => u64::MAX,
        _ => op.completed.unwrap_or(op.invoked),
    };
    let one = &history.operations[at];
    let earlier = others(history, at).filter(|op| op.invoked < one.invoked);
    let place = match earlier.count() {
        0 => Place::First,
        before if before + 1 == history.operations.len() => Place::Last,
        _ => Place::Middle,
    };
    let times = [one.invoked, end(one)].map(|time| (time != u64::MAX).then_some(time));
    let equal = |op: &Operation| {
        let ends = [Some(op.invoked), Some(end(op))];
        times
            .iter()
            .any(|time| time.is_some() && ends.contains(time))
    };
    let apart = |op: &Operation| end(op) < one.invoked || end(one) < op.invoked;
    let meets = if others(history, at).any(equal) {
        Meets::AtEqualTimes
    } else if others(history, at).all(apart) {
        Meets::Apart
    } else {
        Meets::Overlapping
    };
    (place, meets)
}

/// The chain of unknown outcomes whose end an answer shows.
fn chain(history: &History, at: usize) -> Option<(usize, Begins, Listed)> {
    let one = &history.operations[at];
    let mut seen = match (one.status, one.action) {
        (Status::Ok, Action::Read(Some(value))) => value,
        (
            Status::Ok,
            Action::CompareAndSet {
                expected,
                swapped: true,
                ..
            },
        ) => expected,
        _ => return None,
    };
    let mut chain = vec![at];
    let begins = loop {
        let counted = (0..history.operations.len()).filter(|op| {
            let operation = &history.operations[*op];
            takes_effect(operation) && writes(operation, seen)
        });
        let writers: Vec<usize> = counted.collect();
        break match (writers.as_slice(), seen == history.initial) {
            ([], true) => Begins::Initial,
            ([], false) => Begins::Never,
            ([writer], false) if chain.contains(writer) => Begins::Circle,
            ([writer], false) => {
                let operation = &history.operations[*writer];
                if operation.status == Status::Ok {
                    break Begins::Ok;
                }
                chain.push(*writer);
                match operation.action {
                    Action::CompareAndSet { expected, .. } => {
                        seen = expected;
                        continue;
                    }
                    _ => Begins::UnknownWrite,
                }
            }
            _ => Begins::Several,
        };
    };
    let listed = if chain.is_sorted_by(|later, earlier| later > earlier) {
        Listed::Forwards
    } else if chain.is_sorted() {
        Listed::Backwards
    } else {
        Listed::Mixed
    };
    Some(((chain.len() - 1).min(LONGEST), begins, listed))
}

impl AddAssign for Coverage {
    fn add_assign(&mut self, other: Self) {
        for (cell, count) in other.cells {
            *self.cells.entry(cell).or_default() += count;
        }
        for (chain, count) in other.chains {
            *self.chains.entry(chain).or_default() += count;
        }
        for (form, count) in other.forms {
            *self.forms.entry(form).or_default() += count;
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:42}", "operations")?;
        for (place, meets) in columns() {
            write!(f, " {:>12}", format!("{place:?}"))?;
            debug_assert!(MEETS.contains(&meets));
        }
        write!(f, "\n{:42}", "")?;
        for (_, meets) in columns() {
            write!(f, " {:>12}", format!("{meets:?}"))?;
        }
        writeln!(f)?;
        for row in rows() {
            let (does, outcome, value) = row;
            write!(f, "{:42}", format!("{does:?} {outcome:?} {value:?}"))?;
            for column in columns() {
                let count = self.cells.get(&(row, column)).copied().unwrap_or(0);
                let told = if possible(row, column) {
                    count.to_string()
                } else {
                    "-".to_owned()
                };
                write!(f, " {told:>12}")?;
            }
            writeln!(f)?;
        }
        writeln!(f, "chains of unknown outcomes that an answer shows")?;
        for chain in chains() {
            let count = self.chains.get(&chain).copied().unwrap_or(0);
            let (length, begins, listed) = chain;
            let told = format!("{length} from {begins:?}, listed {listed:?}");
            writeln!(f, "{told:42} {count:>12}")?;
        }
        writeln!(f, "values")?;
        for ((does, outcome, form), count) in &self.forms {
            let told = format!("{does:?} {outcome:?} {form:?}");
            writeln!(f, "{told:42} {count:>12}")?;
        }
        Ok(())
    }
}
