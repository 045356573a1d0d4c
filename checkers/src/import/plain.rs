//! Plain JSON: one invocation or completion a line, or an array of them, in the order in which they
//! happened.
//!
//! ```text
//! {"type":"invoke","client":"c1","f":"cas","key":"x","expected":1,"value":2}
//! {"type":"ok","client":"c1"}
//! ```
//!
//! or, for stores with siblings,
//!
//! ```text
//! {"type":"invoke","client":"c1","f":"write","key":"x","value":"a","context":{"n1":1}}
//! {"type":"ok","client":"c1","clock":{"n1":2}}
//! {"type":"invoke","client":"c2","f":"read","key":"x"}
//! {"type":"ok","client":"c2","siblings":[{"value":"a","clock":{"n1":2}}],"context":{"n1":2}}
//! ```
//!
//! `docs/history-format.md` has every field. Unknown fields are ignored, so that a recorder may
//! keep more than is judged.

use std::{
    collections::BTreeSet,
    io::{self, BufRead, Write},
};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{
    Content, Fault, Format, Import, ImportError, Note, Options,
    documents::Documents,
    event_line::{EventLine, Object},
    events::{Event, Events},
    keys,
    siblings::Siblings,
};
use crate::{
    history::{Name, Tombstones},
    numbers::{has_whole_floats, make_numbers_exact},
    outside::{self, Outside},
    registers::history::{Action, History, OpId, Status, Time},
};

/// The version of the plain form.
pub(super) const VERSION: u64 = 1;

const REMEDY: &str = "an event is an object such as {\"type\":\"invoke\",\"client\":\"c1\",\"f\":\"read\",\"key\":\"x\"}";

/// The header, which may be left out.
#[derive(Serialize, Deserialize)]
struct HeaderLine {
    sibcheck_events: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<Object>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    /// What registers hold at first; null, which is absent, if left out.
    #[serde(default)]
    initial: Json,
    /// Whether reads hide tombstones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tombstones: Option<Tombstones>,
    /// What makes numbers one value; `exact` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    numbers: Option<Numbers>,
}

/// When two numbers are one value.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Numbers {
    /// When they are equal: `1.0` is `1`.
    Exact,
    /// When they also are both integers or neither.
    Typed,
}

/// What the events are put together to.
enum Builder {
    /// It is not clear yet of what these are.
    Undecided(Vec<(u64, EventLine)>),
    Register(Box<Events>),
    /// Of registers without a field for keys: their values may be pairs of a key and a value.
    Pairs(Vec<Event>),
    Siblings(Box<Siblings>),
}

impl Builder {
    fn of(object: Object) -> Self {
        match object {
            Object::Register => Self::Pairs(Vec::new()),
            Object::Siblings => Self::Siblings(Box::default()),
        }
    }

    fn push(&mut self, line: u64, event: EventLine) -> Result<(), ImportError> {
        let function = event.function(line)?;
        match self {
            Self::Register(events) => Ok(events.push(&event.register(line, function))?),
            Self::Pairs(events) if events.is_empty() && event.key.is_some() => {
                *self = Self::Register(Box::default());
                self.push(line, event)
            }
            Self::Pairs(events) => {
                events.push(event.register(line, function));
                Ok(())
            }
            Self::Siblings(siblings) => siblings.push(line, function, event),
            Self::Undecided(waiting) => {
                let object = event.object();
                waiting.push((line, event));
                object.map_or(Ok(()), |object| self.decide(object))
            }
        }
    }

    fn decide(&mut self, object: Object) -> Result<(), ImportError> {
        let before = std::mem::replace(self, Self::of(object));
        let Self::Undecided(waiting) = before else {
            *self = before;
            return Ok(());
        };
        for (line, event) in waiting {
            self.push(line, event)?;
        }
        Ok(())
    }

    /// Takes keys out of values where it is now known that they hold them, and says so.
    fn place(&mut self, options: Options, notes: &mut Vec<Note>) -> Result<(), ImportError> {
        let Self::Pairs(events) = self else {
            return Ok(());
        };
        let placed = keys::place(std::mem::take(events), false, options.keyed)?;
        notes.extend(placed.keyed.then_some(Note::Keyed));
        if placed.unplaced > 0 {
            let operations = placed.unplaced;
            notes.push(Note::Unplaced { operations });
        }
        let mut events = Box::<Events>::default();
        let pushed = placed
            .events
            .iter()
            .try_for_each(|event| events.push(event));
        *self = Self::Register(events);
        Ok(pushed.and_then(|()| placed.fault.map_or(Ok(()), Err))?)
    }
}

/// What stands before the events.
struct Preface {
    origin: String,
    initial: Json,
    tombstones: Option<Tombstones>,
    numbers: Numbers,
}

pub(super) fn read(
    reader: impl BufRead,
    origin: &str,
    options: Options,
) -> Result<Import, ImportError> {
    let io = |line| move |source| ImportError::Io { line, source };
    let mut documents = Documents::of(reader).map_err(io(1))?;
    let mut builder = Builder::Undecided(Vec::new());
    let mut preface = Preface {
        origin: origin.to_owned(),
        initial: Json::Null,
        tombstones: options.tombstones,
        numbers: Numbers::Exact,
    };
    let (mut fault, mut begun, mut skipped) = (None, false, 0);
    loop {
        let line = documents.line();
        let Some((line, content)) = documents.next().map_err(io(line))? else {
            break;
        };
        let first = !std::mem::replace(&mut begun, true);
        if first && let Some(header) = header(content)? {
            let header = header.map_err(|problem| malformed(line, problem))?;
            preface = Preface {
                origin: header.origin.unwrap_or(preface.origin),
                initial: header.initial,
                tombstones: options.tombstones.or(header.tombstones),
                numbers: header.numbers.unwrap_or(Numbers::Exact),
            };
            if let Some(object) = header.object {
                builder = Builder::of(object);
            }
            continue;
        }
        let mut event: EventLine = match serde_json::from_slice(content) {
            Ok(event) => event,
            Err(error) => {
                let line = line + (error.line() as u64).saturating_sub(1);
                fault.get_or_insert_with(|| malformed(line, outside::said(&error)));
                continue;
            }
        };
        if event.is_nemesis() {
            skipped += 1;
            continue;
        }
        if fault.is_some() {
            // One operation of another object makes all verdicts wrong, wherever it stands.
            event.function(line)?;
            continue;
        }
        if preface.numbers == Numbers::Exact {
            event.make_numbers_exact();
        }
        fault = fault_in(builder.push(line, event))?;
    }
    fault = fault.or(fault_in(builder.decide(Object::Register))?);
    let mut notes = Vec::new();
    // What it finds comes before what ended reading.
    fault = fault_in(builder.place(options, &mut notes))?.or(fault);
    let nothing = |fault: Option<Fault>| {
        let nothing = || malformed(1, "expected events, found none".to_owned());
        ImportError::Fault(fault.unwrap_or_else(nothing))
    };
    let (content, more) = match builder {
        Builder::Siblings(siblings) if !siblings.is_empty() => {
            let (history, notes) = siblings.finish(preface.origin, preface.tombstones);
            (Content::Siblings(history), notes)
        }
        Builder::Register(events) if !events.is_empty() => {
            if preface.numbers == Numbers::Exact {
                make_numbers_exact(&mut preface.initial);
            }
            let (history, notes) = events.finish(&preface.origin, &preface.initial);
            (Content::Registers(history), notes)
        }
        _ => return Err(nothing(fault)),
    };
    notes.extend(more);
    if preface.numbers == Numbers::Exact {
        notes.push(Note::EqualNumbers);
    }
    if skipped > 0 {
        notes.push(Note::Skipped { events: skipped });
    }
    Ok(Import {
        format: Format::Plain,
        content,
        fault,
        notes,
    })
}

/// The fault of an event, after which what came before can be judged; another error cancels that.
fn fault_in(pushed: Result<(), ImportError>) -> Result<Option<Fault>, ImportError> {
    match pushed {
        Ok(()) => Ok(None),
        Err(ImportError::Fault(fault)) => Ok(Some(fault)),
        Err(error) => Err(error),
    }
}

/// The header, where the first value is one.
///
/// # Errors
///
/// When it is an operation of a report of etcd's tests.
fn header(content: &[u8]) -> Result<Option<Result<HeaderLine, String>>, ImportError> {
    let Ok(probe) = serde_json::from_slice::<Json>(content) else {
        return Ok(None);
    };
    if probe.get("Input").is_some() && probe.get("Call").is_some() {
        return Err(ImportError::NoHistory {
            found: "a list of operations as etcd's robustness tests report them".to_owned(),
            remedy: "write each as an invocation and a completion, in the order of Call and Return; docs/history-format.md has the fields".to_owned(),
        });
    }
    let Some(version) = probe.get("sibcheck_events") else {
        return Ok(None);
    };
    if version.as_u64() != Some(VERSION) {
        return Ok(Some(Err(format!(
            "expected version {VERSION} of the plain form, found {}",
            Outside(version)
        ))));
    }
    let header = serde_json::from_value(probe).map_err(|error| outside::said(&error));
    Ok(Some(header))
}

fn malformed(line: u64, problem: String) -> Fault {
    Fault {
        line,
        problem,
        remedy: REMEDY,
    }
}

/// Writes a history of registers in the plain form, in the order of its times.
///
/// What is read back has the same operations and the same order of them: of events at the same time
/// invocations come first, as neither operation then precedes the other. An operation that its
/// client invoked while it waited for another answer is written under a name of its own, as only
/// the client tells which invocation a completion belongs to. The same history gives the same bytes.
///
/// # Errors
///
/// When the writer fails, or the history contradicts itself.
pub fn write_registers(history: &History, mut writer: impl Write) -> io::Result<()> {
    history
        .validate()
        .map_err(|fault| io::Error::new(io::ErrorKind::InvalidInput, fault.to_string()))?;
    let header = HeaderLine {
        sibcheck_events: VERSION,
        object: Some(Object::Register),
        origin: Some(history.header.origin.clone()),
        initial: history.value(history.tables.initial).clone(),
        tombstones: None,
        numbers: (history.tables.values.iter().any(has_whole_floats)).then_some(Numbers::Typed),
    };
    serde_json::to_writer(&mut writer, &header)?;
    writer.write_all(b"\n")?;
    let mut names = EventNames::of(history);
    for (_, completes, op) in events(history) {
        let line = if completes {
            let client = names.completed(op);
            client.map(|client| completion(history, op, client))
        } else {
            Some(invocation(history, op, names.invoked(op)))
        };
        if let Some(line) = line {
            serde_json::to_writer(&mut writer, &line)?;
            writer.write_all(b"\n")?;
        }
    }
    writer.flush()
}

/// When each operation was invoked and, with `true`, completed; in order.
fn events(history: &History) -> Vec<(Time, bool, OpId)> {
    let mut events = Vec::with_capacity(2 * history.operations.len());
    for (op, operation) in (0..).zip(&history.operations) {
        events.push((operation.invoked, false, op));
        // That it failed has to be said, at whatever time.
        let failed = (operation.status == Status::Fail).then_some(operation.invoked);
        let completed = operation.completed.or(failed);
        events.extend(completed.map(|completed| (completed, true, op)));
    }
    events.sort_unstable();
    events
}

/// The names under which operations are written.
struct EventNames<'h> {
    history: &'h History,
    /// For each client the names that it goes by, its own first, and what was last asked by each.
    of_client: Vec<Vec<(Name, Option<OpId>)>>,
    taken: BTreeSet<Name>,
}

impl<'h> EventNames<'h> {
    fn of(history: &'h History) -> Self {
        Self {
            history,
            of_client: vec![Vec::new(); history.clients.len()],
            taken: history.clients.iter().cloned().collect(),
        }
    }

    /// The name for an operation that is invoked now: one that waits for no answer.
    fn invoked(&mut self, op: OpId) -> Name {
        let operations = &self.history.operations;
        let client = operations[op as usize].client;
        let waits = |op: OpId| operations[op as usize].status != Status::Info;
        let names = &mut self.of_client[client as usize];
        if let Some((name, last)) = names.iter_mut().find(|(_, last)| !last.is_some_and(waits)) {
            *last = Some(op);
            return name.clone();
        }
        let own = self.history.client_name(client).clone();
        let name = if names.is_empty() {
            own
        } else {
            let numbered = (names.len() + 1..).map(|n| Name::from(format!("{}~{n}", own.as_str())));
            let mut free = numbered.filter(|name| !self.taken.contains(name));
            free.next().unwrap_or(own)
        };
        self.taken.insert(name.clone());
        names.push((name.clone(), Some(op)));
        name
    }

    /// The name of an operation that completes now; `None` if its client has asked again by it.
    fn completed(&mut self, op: OpId) -> Option<Name> {
        let client = self.history.operations[op as usize].client;
        let mut names = self.of_client[client as usize].iter_mut();
        let (name, last) = names.find(|(_, last)| *last == Some(op))?;
        *last = None;
        Some(name.clone())
    }
}

/// A line as it is written.
#[derive(Default, Serialize)]
struct Written<'h> {
    r#type: &'static str,
    client: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    f: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'h str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<&'h Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'h Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    swapped: Option<bool>,
}

fn invocation(history: &History, op: OpId, client: Name) -> Written<'_> {
    let operation = &history.operations[op as usize];
    let value = |id| Some(history.value(id));
    let (f, expected, value) = match operation.action {
        Action::Read(_) => ("read", None, None),
        Action::Write(written) => ("write", None, value(written)),
        Action::CompareAndSet { expected, new, .. } => ("cas", value(expected), value(new)),
        Action::Append(added) => ("append", None, value(added)),
    };
    Written {
        r#type: "invoke",
        client,
        f: Some(f),
        key: Some(history.key_name(operation.key).as_str()),
        expected,
        value,
        swapped: None,
    }
}

fn completion(history: &History, op: OpId, client: Name) -> Written<'_> {
    let operation = &history.operations[op as usize];
    let ok = operation.status == Status::Ok;
    let (value, swapped) = match operation.action {
        Action::Read(Some(returned)) if ok => (Some(history.value(returned)), None),
        Action::CompareAndSet { swapped: false, .. } if ok => (None, Some(false)),
        _ => (None, None),
    };
    Written {
        r#type: match operation.status {
            Status::Ok => "ok",
            Status::Fail => "fail",
            Status::Info => "info",
        },
        client,
        value,
        swapped,
        ..Written::default()
    }
}
