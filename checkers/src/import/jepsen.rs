//! Histories of Jepsen and its relatives: EDN maps, and lines of its logs and of `history.txt`.
//!
//! ```text
//! {:process 0, :type :invoke, :f :write, :value 3}        Jepsen, Knossos
//! {:process 0, :type :ok, :f :read, :value [:x 3]}        with jepsen.independent
//! {:process 0, :type :invoke, :f :append, :key "a", :value "x"}      Porcupine
//! INFO  jepsen.util - 0   :invoke :cas    [1 2]           a log
//! INFO [2024-05-12 13:00:04,071] jepsen worker 0 - jepsen.util 0   :invoke :write  9
//! 0   :info   :write  9   :timeout                        history.txt, with an error
//! ```
//!
//! A line of a log ends with its line feed: what the last one says without it may be cut off.
//!
//! A failed operation certainly took no effect; why a compare-and-set failed is not recorded, so
//! nothing is concluded from one that did. Processes named by a keyword, as `:nemesis`, are no
//! clients. An operation that is none of a register's makes all of it a history of another object.

use serde_json::Value as Json;

use crate::outside::Outside;

use super::{
    Content, Fault, Format, Import, ImportError, Note, Options,
    edn::{EdnFault, Reader},
    events::{Event, Events, Function, Kind},
    keys,
};

const REMEDY: &str = "an event is a map such as {:process 0, :type :invoke, :f :read, :value nil}";

/// True of a line of a log that holds an event.
pub(super) fn is_event(line: &[u8]) -> bool {
    words(line).is_some()
}

/// The process, type, function and the rest of a line of a log that holds an event.
///
/// Before the process stands nothing, or what a logger of Jepsen puts there, which ends in `-` or in
/// its name; so what nodes and others print is not taken for events.
fn words(line: &[u8]) -> Option<[&[u8]; 4]> {
    let mut rest = line;
    let mut word = || {
        rest = rest.trim_ascii_start();
        let end = rest.iter().position(u8::is_ascii_whitespace);
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        (word, after)
    };
    let logger = |word: &[u8]| {
        let word = word.strip_suffix(b":").unwrap_or(word);
        word.is_empty() || word == b"-" || word == b"jepsen.util"
    };
    let (mut before, mut process, mut kind) = (&b""[..], word().0, word().0);
    loop {
        let (function, after) = word();
        let known = [&b":invoke"[..], b":ok", b":fail", b":info"].contains(&kind);
        if known {
            let holds = logger(before) && is_process(process) && function.starts_with(b":");
            return holds.then_some([process, kind, function, after]);
        }
        if function.is_empty() {
            return None;
        }
        (before, process, kind) = (process, kind, function);
    }
}

/// True of a number or a keyword.
fn is_process(word: &[u8]) -> bool {
    let digits = || !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    word.starts_with(b":") || digits()
}

/// The events of clients, and what else a file held.
#[derive(Default)]
struct Found {
    events: Vec<Event>,
    fault: Option<Fault>,
    /// Lines and events of others.
    skipped: u64,
    /// Whether a tag said that values are pairs of a key and a value.
    tagged: bool,
    /// Whether the words are those of a map of strings.
    as_map: bool,
    /// Whether something is deleted.
    deletes: bool,
}

pub(super) fn read(
    text: &[u8],
    format: Format,
    origin: &str,
    options: Options,
) -> Result<Import, ImportError> {
    let found = match format {
        Format::JepsenLog => read_log(text)?,
        _ => read_edn(text)?,
    };
    let Found {
        events: of_clients,
        mut fault,
        skipped,
        tagged,
        as_map,
        deletes,
    } = found;
    let placed = keys::place(of_clients, tagged, options.keyed)?;
    let mut events = Events::default();
    // What is at fault comes after what was placed.
    fault = placed.fault.or(fault);
    for event in &placed.events {
        if let Err(found) = events.push(event) {
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
    let initial = if as_map && !deletes && !events.saw_absence() {
        Json::from("")
    } else {
        Json::Null
    };
    let (history, mut notes) = events.finish(origin, &initial);
    notes.extend(placed.keyed.then_some(Note::Keyed));
    if placed.unplaced > 0 {
        let operations = placed.unplaced;
        notes.push(Note::Unplaced { operations });
    }
    if skipped > 0 {
        notes.push(Note::Skipped { events: skipped });
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

fn kind(name: &str) -> Option<Kind> {
    Some(match name.trim_start_matches(':') {
        "invoke" => Kind::Invoke,
        "ok" => Kind::Ok,
        "fail" => Kind::Fail,
        "info" => Kind::Info,
        _ => return None,
    })
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

impl Found {
    /// Takes an event of a client; after a fault only what it asks is looked at, because one
    /// operation of another object makes all verdicts wrong.
    fn push(&mut self, function: &str, mut event: Event) -> Result<(), ImportError> {
        let name = function.trim_start_matches(':');
        event.function = Function::named(name);
        if event.function.is_none() && !name.is_empty() {
            return Err(ImportError::OtherObject {
                line: event.line,
                function: name.to_owned(),
            });
        }
        self.as_map |= ["get", "put", "append"].contains(&name);
        self.deletes |= event.function == Some(Function::Delete);
        if self.fault.is_none() {
            self.events.push(event);
        }
        Ok(())
    }
}

fn read_edn(text: &[u8]) -> Result<Found, ImportError> {
    let mut reader = Reader::new(text);
    let mut found = Found::default();
    loop {
        let (line, map) = match reader.next_map() {
            Ok(Some(placed)) => placed,
            Ok(None) => break,
            Err(fault) => {
                found.fault.get_or_insert(fault.into());
                break;
            }
        };
        if found.events.is_empty() && map.get(":valid?").is_some() && map.get(":type").is_none() {
            return Err(ImportError::NoHistory {
                found: "a map with :valid?, the results of a test of Jepsen".to_owned(),
                remedy: "give the history.edn that lies beside it".to_owned(),
            });
        }
        let mut push = |map: &Json| {
            if map.get(":process").is_some_and(is_keyword) {
                found.skipped += 1;
                return Ok(());
            }
            match event(line, map) {
                Ok(event) => {
                    let function = map.get(":f").and_then(Json::as_str);
                    found.push(function.unwrap_or_default(), event)
                }
                Err(fault) => {
                    found.fault.get_or_insert(fault);
                    Ok(())
                }
            }
        };
        push(&map)?;
    }
    found.tagged = reader.saw_tuples();
    Ok(found)
}

/// The event that a map is, without its function.
fn event(line: u64, map: &Json) -> Result<Event, Fault> {
    let fault = |problem: &str| Fault {
        line,
        problem: problem.to_owned(),
        remedy: REMEDY,
    };
    if !map.is_object() {
        return Err(fault("expected a map"));
    }
    let kind = map.get(":type").and_then(Json::as_str).and_then(kind);
    let process = map.get(":process");
    Ok(Event {
        line,
        kind: kind.ok_or_else(|| fault("expected a :type of :invoke, :ok, :fail or :info"))?,
        client: keys::name(process.ok_or_else(|| fault("expected a :process"))?),
        function: None,
        key: map.get(":key").map(keys::name),
        value: map.get(":value").cloned(),
        swapped: true,
    })
}

/// What is at fault with the last line of a log that no line feed ends, if its last word may be the
/// beginning of a longer one and something follows from it. `value` is what was read of its value.
fn cut_off(line: u64, kind: Kind, function: &str, value: Option<&Json>) -> Option<Fault> {
    let known = Function::named(function.trim_start_matches(':'));
    let (what, counts) = match (value, known) {
        (None, None) => (function.to_owned(), true),
        (Some(value), Some(function)) => {
            let read = function == Function::Read;
            let counts = read && kind == Kind::Ok || !read && kind == Kind::Invoke;
            let word = matches!(value, Json::Null | Json::Bool(_));
            (value.to_string(), counts && !word)
        }
        _ => return None,
    };
    counts.then(|| Fault {
        line,
        problem: format!(
            "expected a line feed behind the last line: {} may be the beginning of something longer",
            Outside(what)
        ),
        remedy: "copy the file again, or end it with a line feed if it is whole",
    })
}

fn read_log(text: &[u8]) -> Result<Found, ImportError> {
    let mut found = Found::default();
    let mut lines = (1..).zip(text.split(|byte| *byte == b'\n')).peekable();
    while let Some((line, content)) = lines.next() {
        let Some([process, kind_word, function, rest]) = words(content) else {
            found.skipped += u64::from(!content.trim_ascii().is_empty());
            continue;
        };
        let utf8 = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (process, function) = (Json::from(utf8(process)), utf8(function));
        let Some(kind) = kind(&utf8(kind_word)).filter(|_| !is_keyword(&process)) else {
            found.skipped += 1;
            continue;
        };
        // What follows the value is the error.
        let mut reader = Reader::new(rest);
        let value = reader.next_form();
        found.tagged |= reader.saw_tuples();
        let open = lines.peek().is_none() && (reader.may_be_cut_off() || rest.is_empty());
        let (value, fault) = match value {
            Ok(value) => {
                let cut_off = || cut_off(line, kind, &function, value.as_ref());
                let fault = open.then(cut_off).flatten();
                (value, fault)
            }
            Err(fault) => (
                None,
                Some(Fault {
                    line,
                    ..fault.into()
                }),
            ),
        };
        let event = Event {
            line,
            kind,
            client: keys::name(&process),
            function: None,
            key: None,
            value,
            swapped: true,
        };
        let is_cut_off = open && fault.is_some();
        found.fault = found.fault.or(fault);
        if !is_cut_off {
            found.push(&function, event)?;
        }
    }
    Ok(found)
}
