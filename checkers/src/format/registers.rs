//! Histories of registers in this project's own form, version 3.
//!
//! ```text
//! {"sibcheck_history":3,"object":"register","origin":"…","claim":"linearizable","initial":null,"operations":3,"faults":0}
//! {"op":0,"client":"c1","node":"n1","key":"x","invoked_ns":12,"completed_ns":55,"status":"ok","write":{"value":3}}
//! {"op":1,"client":"c2","node":"n2","key":"x","invoked_ns":60,"completed_ns":75,"status":"ok","cas":{"from":3,"to":4}}
//! {"op":2,"client":"c1","node":"n2","key":"x","invoked_ns":80,"completed_ns":95,"status":"ok","read":{"value":4}}
//! ```
//!
//! - Names, times, status, faults and what is expected stand as in a history of siblings.
//! - `initial` is what every register holds at first; null is the value of a key that is absent.
//! - A compare-and-set that was answered and did not take effect, as the register held something
//!   else, has `"swapped":false`.
//! - `node` is left out of every line where it is not known.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value as Json;

use super::{
    FormatError, Names, OBJECT_OF_REGISTERS, VERSION_OF_REGISTERS,
    faults::FaultLine,
    lines::{ByName, ExpectLine},
    reader::{Line, Lines, read_faults},
};
use crate::{
    claim::Claim,
    history::{Clock, Header, Name, OpId, Status, TimeNs},
    interned::Interned,
    numbers::make_numbers_exact,
    registers::history::{Action, History, Interner, Operation, Tables, ValueId},
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderLine {
    sibcheck_history: u64,
    object: String,
    origin: String,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "linearizable"
    )]
    claim: Option<ByName<Claim>>,
    #[serde(default)]
    initial: Json,
    operations: u64,
    #[serde(default)]
    faults: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expect: Option<ExpectLine>,
}

/// The one claim that registers are judged by.
fn linearizable<'de, D: Deserializer<'de>>(source: D) -> Result<Option<ByName<Claim>>, D::Error> {
    let claim = Option::<ByName<Claim>>::deserialize(source)?;
    match claim {
        Some(ByName(other)) if other != Claim::Linearizable => Err(D::Error::custom(format!(
            "the claim {other} makes no sense of registers, which are judged by {} only",
            Claim::Linearizable
        ))),
        _ => Ok(claim),
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationLine {
    op: OpId,
    client: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node: Option<Name>,
    key: Name,
    invoked_ns: TimeNs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    completed_ns: Option<TimeNs>,
    status: Status,
    #[serde(flatten)]
    action: ActionLine,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ActionLine {
    Read(ReadLine),
    Write(ValueLine),
    Cas(CasLine),
    Append(ValueLine),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadLine {
    /// `Some(null)` for a key that was absent, `None` for a read that was not answered.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    value: Option<Json>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ValueLine {
    value: Json,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CasLine {
    from: Json,
    to: Json,
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    swapped: bool,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

const fn yes() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
const fn is_true(flag: &bool) -> bool {
    *flag
}

/// Writes a history of registers. The same history gives the same bytes.
///
/// # Errors
///
/// When the writer fails, a fault refers to a name that the history does not have, or its times are
/// not nanoseconds.
pub fn write_registers(history: &History, writer: &mut dyn Write) -> io::Result<()> {
    let invalid = |problem: String| io::Error::new(io::ErrorKind::InvalidInput, problem);
    if history.tables.clock != Clock::Nanoseconds {
        return Err(invalid(
            "the times of the history are no nanoseconds".to_owned(),
        ));
    }
    history
        .validate()
        .map_err(|fault| invalid(fault.to_string()))?;
    let header = &history.header;
    line(
        writer,
        &HeaderLine {
            sibcheck_history: VERSION_OF_REGISTERS,
            object: OBJECT_OF_REGISTERS.to_owned(),
            origin: header.origin.clone(),
            claim: header.claim.map(ByName),
            initial: history.value(history.tables.initial).clone(),
            operations: history.operations.len() as u64,
            faults: history.faults.len() as u64,
            expect: header.expect.as_ref().map(ExpectLine::of),
        },
    )?;
    let names = Names {
        clients: &history.clients,
        nodes: &history.nodes,
        keys: &history.keys,
    };
    for (number, fault) in (0..).zip(&history.faults) {
        let told = FaultLine::of(names, number, fault).ok_or_else(|| {
            invalid(format!(
                "fault {number} refers to a client or node without a name"
            ))
        })?;
        line(writer, &told)?;
    }
    for (op, operation) in (0..).zip(&history.operations) {
        line(writer, &operation_line(history, op, operation))?;
    }
    writer.flush()
}

fn line(writer: &mut dyn Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *writer, line)?;
    writer.write_all(b"\n")
}

fn operation_line(history: &History, op: OpId, operation: &Operation) -> OperationLine {
    let value = |id: ValueId| history.value(id).clone();
    OperationLine {
        op,
        client: history.client_name(operation.client).clone(),
        node: history.nodes.get(operation.node as usize).cloned(),
        key: history.key_name(operation.key).clone(),
        invoked_ns: operation.invoked,
        completed_ns: operation.completed,
        status: operation.status,
        action: match operation.action {
            Action::Read(returned) => ActionLine::Read(ReadLine {
                value: returned.map(value),
            }),
            Action::Write(written) => ActionLine::Write(ValueLine {
                value: value(written),
            }),
            Action::CompareAndSet {
                expected,
                new,
                swapped,
            } => ActionLine::Cas(CasLine {
                from: value(expected),
                to: value(new),
                swapped,
            }),
            Action::Append(added) => ActionLine::Append(ValueLine {
                value: value(added),
            }),
        },
    }
}

/// Reads a header that says that its history is of registers.
pub(super) fn header(first: &Line<'_>) -> Result<HeaderLine, FormatError> {
    first.parse()
}

/// Reads the lines after a header.
pub(super) fn read<R: BufRead>(
    header: HeaderLine,
    lines: &mut Lines<R>,
) -> Result<History, FormatError> {
    let faults = read_faults(lines, header.faults)?;
    let mut names = Interned::default();
    let mut values = Interner::default();
    let initial = equal(&mut values, header.initial);
    let mut operations: Vec<Operation> = Vec::new();
    let mut placed = None;
    while let Some(line) = lines.read()? {
        let read: OperationLine = line.parse()?;
        let expected = operations.len() as u64;
        if u64::from(read.op) != expected {
            return Err(line.malformed(
                format!("expected operation {expected}, found operation {}", read.op),
                "number operations from 0 in the order of their lines",
            ));
        }
        if *placed.get_or_insert(read.node.is_some()) != read.node.is_some() {
            return Err(line.malformed(
                "expected the node of every operation, or of none".to_owned(),
                "say which node each was sent to",
            ));
        }
        let node = read.node.as_ref();
        operations.push(Operation {
            client: names.clients.number(read.client.as_str()),
            node: node.map_or(0, |node| names.nodes.number(node.as_str())),
            key: names.keys.number(read.key.as_str()),
            invoked: read.invoked_ns,
            completed: read.completed_ns,
            status: read.status,
            action: action(read.action, &mut values),
        });
    }
    if operations.len() as u64 != header.operations {
        return Err(FormatError::WrongCount {
            line: lines.line(),
            announced: header.operations,
            found: operations.len() as u64,
        });
    }
    let faults = faults.into_iter();
    let faults = faults.map(|fault| fault.fault(&mut names)).collect();
    let Interned {
        clients,
        nodes,
        keys,
    } = names;
    Ok(History {
        header: Header {
            origin: header.origin,
            claim: header.claim.map(|ByName(claim)| claim),
            expect: header.expect.map(ExpectLine::expectation),
            ..Header::default()
        },
        clients: clients.names,
        nodes: nodes.names,
        keys: keys.names,
        operations,
        faults,
        tables: Tables {
            values: values.into_values(),
            initial,
            clock: Clock::Nanoseconds,
        },
    })
}

fn action(line: ActionLine, values: &mut Interner) -> Action {
    match line {
        ActionLine::Read(read) => Action::Read(read.value.map(|value| equal(values, value))),
        ActionLine::Write(write) => Action::Write(equal(values, write.value)),
        ActionLine::Cas(cas) => Action::CompareAndSet {
            expected: equal(values, cas.from),
            new: equal(values, cas.to),
            swapped: cas.swapped,
        },
        ActionLine::Append(append) => Action::Append(equal(values, append.value)),
    }
}

/// The number of a value: equal numbers are one value, as in all JSON.
fn equal(values: &mut Interner, mut value: Json) -> ValueId {
    make_numbers_exact(&mut value);
    values.value(&value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        format::{Recorded, read_any},
        history::{Fault, FaultKind},
    };

    fn history() -> History {
        let mut names = Interner::default();
        let initial = names.value(&Json::Null);
        let [three, four] = [json!(3), json!({"a": [1.5]})].map(|value| names.value(&value));
        let mut operations = Vec::new();
        let mut add = |names: &mut Interner, action, status: Status| {
            let number = operations.len() as u64;
            operations.push(Operation {
                client: names.client(&format!("c{}", number % 2)),
                node: names.node(&format!("n{}", number % 3)),
                key: names.key("x"),
                action,
                status,
                invoked: number * 10,
                completed: (status != Status::Info).then_some(number * 10 + 15),
            });
        };
        let cas = |swapped| Action::CompareAndSet {
            expected: three,
            new: four,
            swapped,
        };
        add(&mut names, Action::Read(Some(initial)), Status::Ok);
        add(&mut names, Action::Write(three), Status::Info);
        add(&mut names, cas(true), Status::Ok);
        add(&mut names, cas(false), Status::Ok);
        add(&mut names, Action::Read(None), Status::Fail);
        let mut history =
            names.history("a test".to_owned(), Clock::Nanoseconds, initial, operations);
        history.faults.push(Fault {
            kind: FaultKind::Crash(1),
            began: 3,
            ended: None,
            messages: 0,
            first: Vec::new(),
            unsynced: None,
        });
        history
    }

    fn text(history: &History) -> String {
        let mut bytes = Vec::new();
        write_registers(history, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn read_back(text: &str) -> Result<History, String> {
        match read_any(text.as_bytes()) {
            Ok(Recorded::Registers(history)) => Ok(history),
            Ok(Recorded::Siblings(_)) => Err("siblings".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let history = history();
        assert_eq!(read_back(&text(&history)), Ok(history));
    }

    #[test]
    fn faults_in_files_are_told_with_their_line() {
        let good = text(&history());
        let fault = |old: &str, new: &str| {
            let bad = good.replacen(old, new, 1);
            assert_ne!(bad, good, "{old}");
            read_back(&bad).unwrap_err()
        };
        let told = fault("\"op\":3", "\"op\":7");
        assert!(
            told.starts_with("line 6") && told.contains("operation 3"),
            "{told}"
        );
        let told = fault("\"linearizable\"", "\"eventual\"");
        assert!(told.contains("judged by linearizable only"), "{told}");
        let told = fault("\"node\":\"n1\",\"key\"", "\"key\"");
        assert!(told.contains("the node of every operation"), "{told}");
        let told = fault("\"operations\":5", "\"operations\":6");
        assert!(told.contains("announces 6"), "{told}");
        let told = fault("{\"value\":3}", "{\"vaule\":3}");
        assert!(
            told.starts_with("line 4") && told.contains("vaule"),
            "{told}"
        );
        let told = fault("\"object\":\"register\"", "\"object\":\"queue\"");
        assert!(told.contains("queue"), "{told}");
        let cut = &good[..good.len() - 20];
        assert!(read_back(cut).unwrap_err().contains("cut off"));
    }
}
