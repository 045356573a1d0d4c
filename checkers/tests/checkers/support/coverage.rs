//! What generators draw, as tables: a row for what an operation does and came to, a column for
//! where it stands among the others.
//!
//! Histories of one operation are not counted: nothing stands beside it.

use std::{
    collections::BTreeMap,
    fmt::{self, Debug},
    ops::AddAssign,
};

use sibcheck_checkers::{
    Claim, History, Outcome,
    history::{Action, OpId, Operation, Sibling, Status, Tombstones, Write},
    strongest::Strongest,
};

/// Where an operation stands in the order of invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    First,
    Middle,
    Last,
}

/// How its time meets those of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Meets {
    Apart,
    Overlapping,
    AtEqualTimes,
}

pub(crate) type Column = (Place, Meets);

pub(crate) fn columns() -> impl Iterator<Item = Column> {
    let meets = [Meets::Apart, Meets::Overlapping, Meets::AtEqualTimes];
    let places = [Place::First, Place::Middle, Place::Last];
    let of = move |place| meets.map(|meets| (place, meets));
    places.into_iter().flat_map(of)
}

/// Where operation `at` stands; each has the time of its invocation, and of its end if it has one.
pub(crate) fn column(times: &[(u64, Option<u64>)], at: usize) -> Column {
    let (invoked, end) = times[at];
    let others = || {
        let all = times.iter().enumerate();
        all.filter(move |(other, _)| *other != at)
            .map(|(_, times)| *times)
    };
    let place = match others().filter(|other| other.0 < invoked).count() {
        0 => Place::First,
        before if before + 1 == times.len() => Place::Last,
        _ => Place::Middle,
    };
    let mine = [Some(invoked), end];
    let equal = |(from, to): (u64, Option<u64>)| {
        let mut known = mine.iter().filter(|time| time.is_some());
        known.any(|time| *time == Some(from) || *time == to)
    };
    let apart = |(from, to): (u64, Option<u64>)| {
        to.is_some_and(|to| to < invoked) || end.is_some_and(|end| end < from)
    };
    let meets = if others().any(equal) {
        Meets::AtEqualTimes
    } else if others().all(apart) {
        Meets::Apart
    } else {
        Meets::Overlapping
    };
    (place, meets)
}

/// How often each was drawn.
#[derive(Clone, Debug)]
pub(crate) struct Table<Row, Column>(BTreeMap<(Row, Column), u64>);

impl<Row, Column> Default for Table<Row, Column> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<Row: Copy + Ord + Debug, Column: Copy + Ord + Debug> Table<Row, Column> {
    pub(crate) fn count(&mut self, row: Row, column: Column) {
        *self.0.entry((row, column)).or_default() += 1;
    }

    pub(crate) fn has(&self, row: Row, column: Column) -> bool {
        self.0.contains_key(&(row, column))
    }

    /// What can be drawn and was not, and what was drawn though it cannot be.
    pub(crate) fn holes(
        &self,
        rows: &[Row],
        columns: &[Column],
        possible: impl Fn(Row, Column) -> bool,
    ) -> Vec<String> {
        let cells = rows
            .iter()
            .flat_map(|row| columns.iter().map(|c| (*row, *c)));
        let cells: Vec<_> = cells.filter(|(row, c)| possible(*row, *c)).collect();
        let missing = cells.iter().filter(|cell| !self.0.contains_key(cell));
        let strange = self.0.keys().filter(|cell| !cells.contains(cell));
        missing
            .map(|cell| format!("no {cell:?}"))
            .chain(strange.map(|cell| format!("{cell:?} cannot be")))
            .collect()
    }

    /// The table as text; `-` is what cannot be.
    pub(crate) fn told(
        &self,
        rows: &[Row],
        columns: &[Column],
        possible: impl Fn(Row, Column) -> bool,
    ) -> String {
        let mut lines = vec![format!("{:42}", "")];
        for column in columns {
            let told = format!("{column:?}").replace(['(', ')', ','], "");
            lines[0].extend([format!(" {told:>19}")]);
        }
        for row in rows {
            let told = format!("{row:?}").replace(['(', ')', ','], "");
            let mut line = format!("{told:42}");
            for column in columns {
                let count = self.0.get(&(*row, *column)).copied().unwrap_or(0);
                let told = match count {
                    0 if !possible(*row, *column) => "-".to_owned(),
                    count => count.to_string(),
                };
                line.extend([format!(" {told:>19}")]);
            }
            lines.push(line);
        }
        lines.join("\n")
    }
}

impl<Row: Ord, Column: Ord> AddAssign for Table<Row, Column> {
    fn add_assign(&mut self, other: Self) {
        for (cell, count) in other.0 {
            *self.0.entry(cell).or_default() += count;
        }
    }
}

/// What an operation on siblings does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Does {
    Reads,
    ReadsLast,
    Writes,
    Deletes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Came {
    Ok,
    Unknown,
    Failed,
}

impl From<Status> for Came {
    fn from(status: Status) -> Self {
        match status {
            Status::Ok => Self::Ok,
            Status::Info => Self::Unknown,
            Status::Fail => Self::Failed,
        }
    }
}

/// What there is about an answer, or about a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Detail {
    // Of an answer.
    Unanswered,
    Nothing,
    One,
    Several,
    NeverWritten,
    WrittenByFailed,
    WrittenByUnknown,
    Twice,
    BesideItsSuccessor,
    WrittenLater,
    Tombstone,
    /// A tombstone of a store that removes them.
    NotYetReaped,
    /// Nothing of a delete that was acknowledged before, of such a store.
    Reaped,
    // Of a write.
    Blind,
    AfterRead,
    AfterWrite,
    AfterSeveral,
    AfterUnknown,
    Unseen,
    Seen,
    EqualData,
}

/// A verdict that is not unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ruled {
    Violated,
    Valid,
}

type Row = (Does, Came, Detail);

/// What generators of histories of siblings draw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coverage {
    places: Table<Row, Column>,
    verdicts: Table<Row, (Claim, Ruled)>,
}

fn rows() -> Vec<Row> {
    use Detail::*;
    let answers = [
        Nothing,
        One,
        Several,
        NeverWritten,
        WrittenByFailed,
        WrittenByUnknown,
        Twice,
        BesideItsSuccessor,
        WrittenLater,
        Tombstone,
        NotYetReaped,
        Reaped,
    ];
    let writes = [
        Blind,
        AfterRead,
        AfterWrite,
        AfterSeveral,
        AfterUnknown,
        Unseen,
        Seen,
        EqualData,
    ];
    let mut rows = Vec::new();
    for does in [Does::Reads, Does::ReadsLast] {
        rows.extend(answers.map(|detail| (does, Came::Ok, detail)));
        rows.extend([Came::Unknown, Came::Failed].map(|came| (does, came, Unanswered)));
    }
    for does in [Does::Writes, Does::Deletes] {
        for came in [Came::Ok, Came::Unknown, Came::Failed] {
            rows.extend(writes.map(|detail| (does, came, detail)));
        }
    }
    // All tombstones are equal.
    rows.retain(|(does, _, detail)| *does != Does::Deletes || *detail != EqualData);
    rows
}

fn possible((_, came, detail): Row, (place, meets): Column) -> bool {
    use Detail::*;
    let after = matches!(detail, AfterRead | AfterWrite | AfterSeveral | AfterUnknown);
    match (place, meets) {
        (Place::First, _) if detail == Reaped => false,
        // What it comes after was invoked before it, or takes no time.
        (Place::First, Meets::Apart | Meets::Overlapping) if after => false,
        (Place::First | Place::Middle, Meets::Apart) => came != Came::Unknown,
        // What is of unknown outcome overlaps with all that comes after it.
        (Place::Last, Meets::Apart) => {
            !matches!(detail, WrittenByUnknown | AfterUnknown | WrittenLater)
        }
        (Place::Last, _) => detail != WrittenLater,
        // What takes no time is invoked together with what comes after it.
        _ => true,
    }
}

/// What no claim allows.
fn never_valid(detail: Detail) -> bool {
    use Detail::*;
    matches!(
        detail,
        NeverWritten | WrittenByFailed | Twice | BesideItsSuccessor | WrittenLater
    )
}

impl Coverage {
    /// Counts what there is in a history.
    pub(crate) fn add(&mut self, history: &History) {
        self.add_with(history, None);
    }

    /// Also under which verdicts.
    pub(crate) fn add_judged(&mut self, history: &History, judged: &Strongest) {
        self.add_with(history, Some(judged));
    }

    fn add_with(&mut self, history: &History, judged: Option<&Strongest>) {
        if history.operations.len() < 2 {
            return;
        }
        let end = |op: &Operation| op.completed.filter(|_| op.status != Status::Info);
        let times = history.operations.iter().map(|op| (op.invoked, end(op)));
        let times: Vec<_> = times.collect();
        for (at, operation) in history.operations.iter().enumerate() {
            let column = column(&times, at);
            let (does, details) = match &operation.action {
                Action::Read(read) => {
                    let does = if read.last {
                        Does::ReadsLast
                    } else {
                        Does::Reads
                    };
                    (does, answer(history, operation, &read.siblings))
                }
                Action::Write(write) => {
                    let deletes = write.tombstone;
                    let does = if deletes { Does::Deletes } else { Does::Writes };
                    (does, written(history, at, write))
                }
            };
            for detail in details {
                let row = (does, operation.status.into(), detail);
                self.places.count(row, column);
                for verdict in judged.iter().flat_map(|judged| judged.verdicts()) {
                    let ruled = match verdict.outcome {
                        Outcome::Violated => Ruled::Violated,
                        Outcome::Valid => Ruled::Valid,
                        Outcome::Unknown => continue,
                    };
                    self.verdicts.count(row, (verdict.claim, ruled));
                }
            }
        }
    }

    /// The holes in what is drawn where.
    pub(crate) fn holes(&self) -> Vec<String> {
        let columns: Vec<_> = columns().collect();
        self.places.holes(&rows(), &columns, possible)
    }

    /// The rows that were not drawn in a violated history, or in one that is not, for a claim.
    pub(crate) fn unjudged(&self) -> Vec<String> {
        self.verdicts.holes(&rows(), &verdicts(), judgeable)
    }
}

fn verdicts() -> Vec<(Claim, Ruled)> {
    let of = |claim| [(claim, Ruled::Violated), (claim, Ruled::Valid)];
    Claim::ALL.into_iter().flat_map(of).collect()
}

fn judgeable((_, came, detail): Row, (_, ruled): (Claim, Ruled)) -> bool {
    let seen_though_failed = came == Came::Failed && detail == Detail::Seen;
    ruled == Ruled::Violated || !never_valid(detail) && !seen_though_failed
}

fn writes(history: &History, key: u32) -> impl Iterator<Item = (usize, &Operation, &Write)> {
    let all = history.operations.iter().enumerate();
    all.filter_map(move |(at, op)| match &op.action {
        Action::Write(write) if op.key == key => Some((at, op, &**write)),
        _ => None,
    })
}

/// The writes of a sibling.
fn origins<'h>(
    history: &'h History,
    key: u32,
    sibling: &'h Sibling,
) -> impl Iterator<Item = (usize, &'h Operation, &'h Write)> {
    writes(history, key).filter(move |(_, _, write)| write.value == sibling.value)
}

fn answer(history: &History, read: &Operation, siblings: &[Sibling]) -> Vec<Detail> {
    use Detail::*;
    if read.status != Status::Ok {
        return vec![Unanswered];
    }
    let mut details = vec![match siblings.len() {
        0 => Nothing,
        1 => One,
        _ => Several,
    }];
    let key = read.key;
    let mut notes = |detail: Detail, there: bool| {
        if there {
            details.push(detail);
        }
    };
    let all = || siblings.iter().flat_map(|s| origins(history, key, s));
    let unwritten = |s: &Sibling| origins(history, key, s).next().is_none();
    notes(NeverWritten, siblings.iter().any(unwritten));
    notes(
        WrittenByFailed,
        all().any(|(_, op, _)| op.status == Status::Fail),
    );
    notes(
        WrittenByUnknown,
        all().any(|(_, op, _)| op.status == Status::Info),
    );
    let twice = |s: &Sibling| siblings.iter().filter(|t| t.value == s.value).count() > 1;
    notes(Twice, siblings.iter().any(twice));
    let shown: Vec<usize> = all().map(|(at, _, _)| at).collect();
    let superseded = |(at, _, write): (usize, &Operation, &Write)| {
        let reveals = |source: &OpId| {
            shown
                .iter()
                .any(|other| *other != at && revealed(history, *source).contains(other))
        };
        write.sources.iter().any(reveals)
    };
    notes(BesideItsSuccessor, all().any(superseded));
    notes(
        WrittenLater,
        all().any(|(_, op, _)| Some(op.invoked) > read.completed),
    );
    notes(Tombstone, siblings.iter().any(|s| s.tombstone));
    if history.header.tombstones == Tombstones::Reaped {
        notes(NotYetReaped, siblings.iter().any(|s| s.tombstone));
        let gone = |(at, op, write): (usize, &Operation, &Write)| {
            let before = op.status == Status::Ok && op.completed < Some(read.invoked);
            before && write.tombstone && !shown.contains(&at)
        };
        notes(Reaped, writes(history, key).any(gone));
    }
    details
}

/// The writes that an answer showed: those of its siblings, or the one that it acknowledged.
fn revealed(history: &History, source: OpId) -> Vec<usize> {
    let operation = &history.operations[source as usize];
    match &operation.action {
        Action::Write(_) => vec![source as usize],
        Action::Read(read) => {
            let of = |s| origins(history, operation.key, s).map(|(at, _, _)| at);
            read.siblings.iter().flat_map(of).collect()
        }
    }
}

fn written(history: &History, at: usize, write: &Write) -> Vec<Detail> {
    use Detail::*;
    let is_write = |source: &OpId| history.operations[*source as usize].is_write();
    let mut details = vec![match &*write.sources {
        [] => Blind,
        [source] if is_write(source) => AfterWrite,
        [_] => AfterRead,
        _ => AfterSeveral,
    }];
    let unknown = |op: &usize| *op != at && history.operations[*op].status == Status::Info;
    let shows_unknown = |source: &OpId| revealed(history, *source).iter().any(unknown);
    if write.sources.iter().any(shows_unknown) {
        details.push(AfterUnknown);
    }
    let key = history.operations[at].key;
    let shows = |op: &Operation| match &op.action {
        Action::Read(read) if op.status == Status::Ok && op.key == key => {
            read.siblings.iter().any(|s| s.value == write.value)
        }
        _ => false,
    };
    let seen = history.operations.iter().any(shows);
    details.push(if seen { Seen } else { Unseen });
    let equal = |(other, _, one): (usize, &Operation, &Write)| {
        other != at && one.value.data == write.value.data
    };
    if !write.tombstone && writes(history, key).any(equal) {
        details.push(EqualData);
    }
    details
}

impl AddAssign for Coverage {
    fn add_assign(&mut self, other: Self) {
        self.places += other.places;
        self.verdicts += other.verdicts;
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<_> = columns().collect();
        writeln!(f, "{}", self.places.told(&rows(), &columns, possible))?;
        writeln!(f, "{}", self.verdicts.told(&rows(), &verdicts(), judgeable))
    }
}
