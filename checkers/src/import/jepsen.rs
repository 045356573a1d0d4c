//! Histories of Jepsen and its relatives: EDN maps, and lines of its log.
//!
//! ```text
//! {:process 0, :type :invoke, :f :write, :value 3}        Jepsen, Knossos
//! {:process 0, :type :ok, :f :read, :value [:x 3]}        with jepsen.independent
//! {:process 0, :type :invoke, :f :append, :key "a", :value "x"}      Porcupine
//! INFO  jepsen.util - 0   :invoke :cas    [1 2]           a log
//! ```
//!
//! A failed operation certainly took no effect; why a compare-and-set failed is not recorded, so
//! nothing is concluded from one that did. Processes named by a keyword, as `:nemesis`, are no
//! clients. Values of reads that were invoked with a pair are taken for a key and a value.

use serde_json::Value as Json;

use super::{
    Content, Fault, Format, Import, ImportError, Note,
    edn::{EdnFault, Reader},
    events::{Event, Events, Function, Kind},
};
use crate::history::Name;

/// One event as it was written.
struct Raw {
    line: u64,
    kind: Kind,
    process: Json,
    function: String,
    key: Option<Json>,
    value: Json,
}

const REMEDY: &str = "an event is a map such as {:process 0, :type :invoke, :f :read, :value nil}";

/// True of a line of a log that holds an event.
pub(super) fn is_event(line: &[u8]) -> bool {
    words(line).is_some()
}

/// The process, type, function and value in a line of a log.
fn words(line: &[u8]) -> Option<[&[u8]; 4]> {
    let at = line.windows(3).position(|part| part == b" - ");
    let mut rest = at.map_or(line, |at| &line[at + 3..]).trim_ascii();
    let mut word = || {
        let end = rest.iter().position(u8::is_ascii_whitespace);
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.trim_ascii_start();
        word
    };
    let (process, kind, function) = (word(), word(), word());
    let known = [&b":invoke"[..], b":ok", b":fail", b":info"].contains(&kind);
    (known && !process.is_empty()).then_some([process, kind, function, rest])
}

pub(super) fn read(text: &[u8], format: Format, origin: &str) -> Result<Import, ImportError> {
    let (raw, mut fault, skipped) = match format {
        Format::JepsenLog => read_log(text),
        _ => read_edn(text),
    };
    let of_client = |event: &&Raw| !is_keyword(&event.process);
    let reads = || {
        raw.iter()
            .filter(of_client)
            .filter(|event| event.kind == Kind::Invoke && is_read(&event.function))
    };
    let keyed = reads().next().is_some() && reads().all(|event| pair(&event.value).is_some());
    let as_map = raw
        .iter()
        .any(|event| ["get", "put", "append"].contains(&event.function.as_str()));
    let mut events = Events::default();
    for event in raw.iter().filter(of_client) {
        if let Err(found) = event.placed(keyed).and_then(|event| events.push(&event)) {
            fault = Some(found);
            break;
        }
    }
    if events.is_empty() {
        let nothing = Fault {
            line: 1,
            problem: "expected operations of clients, found none".to_owned(),
            remedy: REMEDY,
        };
        return Err(fault.unwrap_or(nothing).into());
    }
    let initial = if as_map && !events.saw_absence() {
        Json::from("")
    } else {
        Json::Null
    };
    let (history, mut notes) = events.finish(origin, &initial);
    if keyed {
        notes.push(Note::Keyed);
    }
    let others = raw.len() - raw.iter().filter(of_client).count();
    if skipped + others as u64 > 0 {
        let events = skipped + others as u64;
        notes.push(Note::Skipped { events });
    }
    Ok(Import {
        format,
        content: Content::Registers(history),
        fault,
        notes,
    })
}

fn is_keyword(value: &Json) -> bool {
    value.as_str().is_some_and(|name| name.starts_with(':'))
}

fn is_read(function: &str) -> bool {
    Function::named(function) == Some(Function::Read)
}

fn pair(value: &Json) -> Option<(&Json, &Json)> {
    match value.as_array().map(Vec::as_slice) {
        Some([first, second]) => Some((first, second)),
        _ => None,
    }
}

fn kind(name: &str) -> Option<Kind> {
    Some(match name.trim_start_matches(':') {
        "invoke" => Kind::Invoke,
        "ok" => Kind::Ok,
        "fail" => Kind::Fail,
        "info" => Kind::Info,
        _ => return None,
    })
}

/// A name or number as a name: a keyword without its colon.
fn name(value: &Json) -> Name {
    match value {
        Json::String(name) => Name::from(name.trim_start_matches(':')),
        other => Name::from(other.to_string()),
    }
}

impl From<EdnFault> for Fault {
    fn from(fault: EdnFault) -> Self {
        Self {
            line: fault.line,
            problem: fault.problem,
            remedy: "correct the EDN, or record or copy the file again",
        }
    }
}

type Read = (Vec<Raw>, Option<Fault>, u64);

fn read_edn(text: &[u8]) -> Read {
    let mut reader = Reader::new(text);
    let mut raw = Vec::new();
    loop {
        let (line, map) = match reader.next_map() {
            Ok(Some(placed)) => placed,
            Ok(None) => return (raw, None, 0),
            Err(fault) => return (raw, Some(fault.into()), 0),
        };
        match Raw::of_map(line, &map) {
            Ok(event) => raw.push(event),
            Err(fault) => return (raw, Some(fault), 0),
        }
    }
}

fn read_log(text: &[u8]) -> Read {
    let mut raw = Vec::new();
    let mut skipped = 0;
    for (line, content) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let Some([process, kind_word, function, value]) = words(content) else {
            skipped += u64::from(!content.trim_ascii().is_empty());
            continue;
        };
        let utf8 = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let Some(kind) = kind(&utf8(kind_word)) else {
            continue;
        };
        let process = Json::from(utf8(process));
        let placed = |fault: EdnFault| Fault {
            line,
            ..fault.into()
        };
        // Only what clients say needs to make sense.
        let value = match Reader::only(value) {
            Ok(value) => value,
            Err(_) if is_keyword(&process) || value.is_empty() => Json::Null,
            Err(fault) => return (raw, Some(placed(fault)), skipped),
        };
        raw.push(Raw {
            line,
            kind,
            process,
            function: utf8(function).trim_start_matches(':').to_owned(),
            key: None,
            value,
        });
    }
    (raw, None, skipped)
}

impl Raw {
    fn of_map(line: u64, map: &Json) -> Result<Self, Fault> {
        let fault = |problem: &str| Fault {
            line,
            problem: problem.to_owned(),
            remedy: REMEDY,
        };
        let field = |name: &str| map.get(name);
        if !map.is_object() {
            return Err(fault("expected a map"));
        }
        let kind = field(":type").and_then(Json::as_str).and_then(kind);
        let process = field(":process").ok_or_else(|| fault("expected a :process"))?;
        Ok(Self {
            line,
            kind: kind.ok_or_else(|| fault("expected a :type of :invoke, :ok, :fail or :info"))?,
            process: process.clone(),
            function: field(":f")
                .and_then(Json::as_str)
                .unwrap_or_default()
                .trim_start_matches(':')
                .to_owned(),
            key: field(":key").cloned(),
            value: field(":value").cloned().unwrap_or(Json::Null),
        })
    }

    /// The event with its key taken out of its value.
    fn placed(&self, keyed: bool) -> Result<Event, Fault> {
        let function = Function::named(&self.function);
        let (mut key, mut value) = (self.key.as_ref().map(name), self.value.clone());
        let tells = match self.kind {
            Kind::Invoke => true,
            Kind::Ok => function == Some(Function::Read),
            Kind::Fail | Kind::Info => false,
        };
        if keyed && tells {
            let Some((first, second)) = pair(&self.value) else {
                return Err(Fault {
                    line: self.line,
                    problem: "expected the pair of a key and a value, as other operations have"
                        .to_owned(),
                    remedy: "give every operation its key",
                });
            };
            (key, value) = (Some(name(first)), second.clone());
        }
        Ok(Event {
            line: self.line,
            kind: self.kind,
            client: name(&self.process),
            function,
            key,
            value,
            swapped: true,
        })
    }
}
