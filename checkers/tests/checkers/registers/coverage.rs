//! What a generator of histories of registers draws, as a table: for each operation what it does,
//! what came of it and where its value is from, by where it stands among the others; and chains of
//! unknown outcomes by what they begin with.
//!
//! Histories of one operation are not counted: nothing stands beside it.

use std::{fmt, ops::AddAssign};

use serde_json::Value as Json;
use sibcheck_checkers::registers::{
    History, Verdict,
    history::{Action, Operation, Status, ValueId},
};

use crate::support::coverage::{Column, Meets, Place, Ruled, Table, column, columns};

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

type Row = (Does, Outcome, Value);

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
    places: Table<Row, Column>,
    verdicts: Table<Row, (Ruled, Way)>,
    chains: Table<(usize, Begins), Listed>,
    forms: Table<(Does, Outcome), Form>,
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

/// How long a chain is, and what it begins with.
fn chains() -> Vec<(usize, Begins)> {
    use Begins::*;
    let begins = [Never, Initial, Ok, UnknownWrite, Several, Circle];
    let of = |length| begins.map(|begins| (length, begins));
    let mut chains: Vec<_> = (0..=LONGEST).flat_map(of).collect();
    chains.retain(|(length, begins)| *length > 0 || *begins != UnknownWrite);
    chains
}

fn listable((length, _): (usize, Begins), listed: Listed) -> bool {
    match listed {
        Listed::Forwards => true,
        Listed::Backwards => length > 0,
        Listed::Mixed => length > 1,
    }
}

/// By what a key was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Zones,
    Search,
}

const WAYS: [(Ruled, Way); 4] = [
    (Ruled::Violated, Way::Zones),
    (Ruled::Violated, Way::Search),
    (Ruled::Valid, Way::Zones),
    (Ruled::Valid, Way::Search),
];

fn decidable((does, outcome, value): Row, (ruled, _): (Ruled, Way)) -> bool {
    let observes = matches!(does, Does::Reads | Does::Expects) && outcome == Outcome::Ok;
    let nothing = matches!(value, Value::Never | Value::WrittenByFailed);
    ruled == Ruled::Violated || !observes || !nothing
}

const FORMS: [Form; 4] = [Form::Absent, Form::Empty, Form::Text, Form::Number];

fn writable((does, _): (Does, Outcome), form: Form) -> bool {
    does != Does::Appends || matches!(form, Form::Empty | Form::Text)
}

fn doings() -> Vec<(Does, Outcome)> {
    let named = |row: &Row| row.2 != Value::Unanswered;
    let mut doings: Vec<_> = rows()
        .iter()
        .filter(|row| named(row))
        .map(|row| (row.0, row.1))
        .collect();
    doings.dedup();
    doings
}

const LISTED: [Listed; 3] = [Listed::Forwards, Listed::Backwards, Listed::Mixed];

impl Coverage {
    /// Counts what there is in a history, and under which verdict, where one was asked for.
    pub(super) fn add(&mut self, history: &History, verdict: Option<&Verdict>) {
        if history.operations.len() < 2 {
            return;
        }
        let end = |op: &Operation| match op.status {
            Status::Info => None,
            _ => Some(op.completed.unwrap_or(op.invoked)),
        };
        let times = history.operations.iter().map(|op| (op.invoked, end(op)));
        let times: Vec<_> = times.collect();
        for (at, operation) in history.operations.iter().enumerate() {
            let column = column(&times, at);
            for (does, value) in named(operation) {
                let row = (does, outcome(operation), origin(history, at, does, value));
                self.places.count(row, column);
                if let Some(verdict) =
                    verdict.filter(|v| v.outcome != sibcheck_checkers::Outcome::Unknown)
                {
                    let ruled = match verdict.violations.as_slice() {
                        [] => Ruled::Valid,
                        _ => Ruled::Violated,
                    };
                    let by_zones = verdict.figures.keys_by_zones > 0;
                    let way = if by_zones { Way::Zones } else { Way::Search };
                    self.verdicts.count(row, (ruled, way));
                }
                if let Some(value) = value {
                    let form = match history.value(value) {
                        Json::Null => Form::Absent,
                        Json::String(text) if text.is_empty() => Form::Empty,
                        Json::String(_) => Form::Text,
                        _ => Form::Number,
                    };
                    self.forms.count((does, outcome(operation)), form);
                }
            }
            if let Some((length, begins, listed)) = chain(history, at) {
                self.chains.count((length, begins), listed);
            }
        }
    }

    /// What can be drawn and was not, and what was drawn though it cannot be.
    pub(super) fn holes(&self) -> Vec<String> {
        let columns: Vec<_> = columns().collect();
        let mut holes = self.places.holes(&rows(), &columns, possible);
        holes.extend(self.chains.holes(&chains(), &LISTED, listable));
        holes.extend(self.forms.holes(&doings(), &FORMS, writable));
        holes
    }

    /// The rows that were not drawn in a violated history, or in one that is not.
    pub(super) fn unjudged(&self) -> Vec<String> {
        // What repeats, zones leave to the search, and need not be asked of it elsewhere.
        let [violated, _, valid, _] = WAYS;
        let holes = |ruled: (Ruled, Way)| {
            let either = [ruled, (ruled.0, Way::Search)];
            rows().into_iter().filter(move |row| {
                decidable(*row, ruled) && either.iter().all(|way| !self.verdicts.has(*row, *way))
            })
        };
        let told =
            |ruled: (Ruled, Way)| holes(ruled).map(move |row| format!("no {row:?} {:?}", ruled.0));
        told(violated).chain(told(valid)).collect()
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
    match (counted.as_slice(), value == history.tables.initial) {
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
    } else if value == history.tables.initial {
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
        break match (writers.as_slice(), seen == history.tables.initial) {
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
        self.places += other.places;
        self.verdicts += other.verdicts;
        self.chains += other.chains;
        self.forms += other.forms;
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<_> = columns().collect();
        writeln!(f, "{}", self.places.told(&rows(), &columns, possible))?;
        writeln!(f, "{}", self.verdicts.told(&rows(), &WAYS, decidable))?;
        writeln!(f, "chains of unknown outcomes that an answer shows:")?;
        writeln!(f, "{}", self.chains.told(&chains(), &LISTED, listable))?;
        writeln!(f, "{}", self.forms.told(&doings(), &FORMS, writable))
    }
}
