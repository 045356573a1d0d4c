//! Histories as files: JSON lines, version 1, readable forever.
//!
//! The first line is a header, every further line one operation, ordered by invocation:
//!
//! ```text
//! {"sibcheck_history":1,"origin":"…","claim":"eventual","tombstones":"shown","operations":2,"expect":{"verdict":"violated","invariants":["no lost update"],"why":"…"}}
//! {"op":0,"client":"c1","node":"n1","key":"x","invoked_ns":12,"completed_ns":55,"status":"ok","write":{"value":3,"tag":1,"sources":[],"context":{},"clock":{"n1":1}}}
//! {"op":1,"client":"c2","node":"n1","key":"x","invoked_ns":60,"completed_ns":75,"status":"ok","read":{"siblings":[{"value":3,"tag":1,"clock":{"n1":1}}],"final":true}}
//! ```
//!
//! - `claim` and `expect` may be left out; `operations` lets a truncated file be noticed.
//! - `"model":"replica"` says that writes supersede what their replica holds, and not what their
//!   context covers ([`object_model`](crate::object_model)).
//! - An operation has one of `write`, `delete` (a write of a tombstone, without a value) and
//!   `read`.
//! - A version is `"clock":{…}`, or `"dot":["n1",2]` with `"past":{…}` where that is known.
//! - A sibling is `{"value":…}` or `{"tombstone":true}`, with `tag` and version where there are
//!   any.
//! - Counters of zero mean the same as no entry. Unknown fields are errors.
//!
//! The same history gives the same bytes. Reading never panics, whatever the bytes, and holds one
//! line at a time. Reading checks the form only; whether a history makes sense is for
//! [`judge`](crate::judge).

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, BufRead, Write as IoWrite},
    sync::Arc,
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
};
use serde_json::Value as Json;

use crate::{
    claim::Claim,
    history::{
        Action, Expectation, Header, History, Name, OpId, Operation, Read, ReportedClock, Sibling,
        Status, TimeNs, Tombstones, Value, Version, Write,
    },
    object_model::ObjectModel,
};

/// The version that is written, and the only one that there has been.
pub const VERSION: u64 = 1;

/// A file is not a history that this build can read.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The bytes could not be had.
    #[error("line {line}: reading failed: {source}")]
    Io {
        /// The line, from 1.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// The first line is not a header.
    #[error(
        "line 1: expected a header such as {{\"sibcheck_history\":{VERSION},\"origin\":\"…\",\"tombstones\":\"shown\",\"operations\":3}}, \
         found {found}; put one first"
    )]
    MissingHeader {
        /// What stands there.
        found: String,
    },
    /// Another version of the format.
    #[error(
        "line 1: this build reads version {VERSION} of the history format, and the file has version {found}; use a build that reads it, or convert the file"
    )]
    UnknownVersion {
        /// The file's version.
        found: Json,
    },
    /// A line is not what the format says.
    #[error("line {line}, column {column}: {problem}; {remedy}")]
    Malformed {
        /// The line, from 1.
        line: u64,
        /// The column in bytes, from 1; the end of the line where nothing nearer is known.
        column: usize,
        /// What is wrong, and what was expected.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The last line ends in the middle.
    #[error(
        "line {line}: the file ends in the middle of this line; it was cut off: record or copy it again"
    )]
    Truncated {
        /// The line, from 1.
        line: u64,
    },
    /// More or fewer operations than the header says.
    #[error(
        "after line {line}: the header announces {announced} operation{} and the file holds {found}; it was cut off, or edited without the header: mend \"operations\"",
        if *announced == 1 { "" } else { "s" }
    )]
    WrongCount {
        /// The last line, from 1.
        line: u64,
        /// As the header says.
        announced: u64,
        /// As there are.
        found: u64,
    },
}

/// Reads a history of any version that this build knows.
///
/// # Errors
///
/// When the reader fails, or the bytes are not a history: with the line, the column, what was
/// expected and what to do.
pub fn read_history(reader: impl BufRead) -> Result<History, FormatError> {
    let mut lines = Lines {
        reader,
        line: 0,
        text: Vec::new(),
    };
    let Some(first) = lines.next()? else {
        return Err(FormatError::MissingHeader {
            found: "an empty file".to_owned(),
        });
    };
    let (header, announced) = read_header(&first)?;
    let mut history = History {
        header,
        clients: Vec::new(),
        nodes: Vec::new(),
        keys: Vec::new(),
        operations: Vec::new(),
    };
    let (mut clients, mut nodes, mut keys) = (Names::new(), Names::new(), Names::new());
    while let Some(line) = lines.next()? {
        let read: OperationLine = line.parse()?;
        if u64::from(read.op) != history.operations.len() as u64 {
            let expected = history.operations.len();
            return Err(line.malformed(
                format!("expected operation {expected}, found operation {}", read.op),
                "number operations from 0 in the order of their lines",
            ));
        }
        let operation = Operation {
            client: intern(&mut clients, &mut history.clients, &read.client),
            node: intern(&mut nodes, &mut history.nodes, &read.node),
            key: intern(&mut keys, &mut history.keys, &read.key),
            invoked: read.invoked_ns,
            completed: read.completed_ns,
            status: read.status,
            action: read
                .action()
                .map_err(|problem| line.malformed(problem.0.to_owned(), problem.1))?,
        };
        history.operations.push(operation);
    }
    let found = history.operations.len() as u64;
    if found != announced {
        return Err(FormatError::WrongCount {
            line: lines.line,
            announced,
            found,
        });
    }
    Ok(history)
}

/// Writes a history in the newest version. The same history gives the same bytes.
///
/// # Errors
///
/// When the writer fails, or an operation refers to a name that the history does not have.
pub fn write_history(history: &History, mut writer: impl IoWrite) -> io::Result<()> {
    let header = HeaderLine::of(history);
    write_line(&mut writer, &header)?;
    for (op, operation) in (0..).zip(&history.operations) {
        let line = OperationLine::of(history, op, operation).ok_or_else(|| {
            let problem = format!("operation {op} refers to a client, node or key without a name");
            io::Error::new(io::ErrorKind::InvalidInput, problem)
        })?;
        write_line(&mut writer, &line)?;
    }
    writer.flush()
}

fn write_line(writer: &mut impl IoWrite, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *writer, line)?;
    writer.write_all(b"\n")
}

/// The lines of a file that are not blank.
struct Lines<R> {
    reader: R,
    line: u64,
    text: Vec<u8>,
}

/// One line and its place.
struct Line<'t> {
    number: u64,
    text: &'t [u8],
    /// Whether a newline ends it.
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Result<Option<Line<'_>>, FormatError> {
        loop {
            self.text.clear();
            let read = self.reader.read_until(b'\n', &mut self.text);
            let line = self.line + 1;
            if read.map_err(|source| FormatError::Io { line, source })? == 0 {
                return Ok(None);
            }
            self.line = line;
            if !self.text.trim_ascii().is_empty() {
                let ended = self.text.last() == Some(&b'\n');
                return Ok(Some(Line {
                    number: line,
                    text: self.text.trim_ascii_end(),
                    ended,
                }));
            }
        }
    }
}

impl Line<'_> {
    fn parse<'de, T: Deserialize<'de>>(&'de self) -> Result<T, FormatError> {
        serde_json::from_slice(self.text).map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &serde_json::Error) -> FormatError {
        if error.is_eof() && !self.ended {
            return FormatError::Truncated { line: self.number };
        }
        let told = error.to_string();
        let problem = told
            .rsplit_once(" at line ")
            .map_or(told.as_str(), |(problem, _)| problem);
        let remedy = match error.classify() {
            serde_json::error::Category::Data => {
                "correct the field as the format of version 1 has it"
            }
            _ => "write one JSON object a line",
        };
        FormatError::Malformed {
            line: self.number,
            column: error.column(),
            problem: problem.to_owned(),
            remedy,
        }
    }

    fn malformed(&self, problem: String, remedy: &'static str) -> FormatError {
        FormatError::Malformed {
            line: self.number,
            column: self.text.len(),
            problem,
            remedy,
        }
    }
}

fn read_header(line: &Line<'_>) -> Result<(Header, u64), FormatError> {
    let probe: Json = match serde_json::from_slice(line.text) {
        Ok(probe) => probe,
        Err(error) if error.is_eof() && !line.ended => return Err(line.explain(&error)),
        Err(_) => {
            return Err(FormatError::MissingHeader {
                found: "a line that is not JSON".to_owned(),
            });
        }
    };
    match probe.get("sibcheck_history") {
        Some(version) if version.as_u64() == Some(VERSION) => {}
        Some(version) => {
            return Err(FormatError::UnknownVersion {
                found: version.clone(),
            });
        }
        None => {
            let found = match &probe {
                Json::Object(fields) if fields.contains_key("op") => "an operation",
                Json::Object(_) => "an object without \"sibcheck_history\"",
                _ => "something other than an object",
            };
            return Err(FormatError::MissingHeader {
                found: found.to_owned(),
            });
        }
    }
    let read: HeaderLine = line.parse()?;
    let header = Header {
        origin: read.origin,
        claim: read.claim.map(|ByName(claim)| claim),
        tombstones: read.tombstones,
        model: read.model,
        expect: read.expect.map(|expect| Expectation {
            outcome: expect.verdict.0,
            invariants: expect
                .invariants
                .into_iter()
                .map(|ByName(invariant)| invariant)
                .collect(),
            why: expect.why,
        }),
    };
    Ok((header, read.operations))
}

type Names = BTreeMap<Name, u32>;

/// The number of a name, a new one when it has none yet.
fn intern(numbers: &mut Names, names: &mut Vec<Name>, name: &Name) -> u32 {
    if let Some(number) = numbers.get(name) {
        return *number;
    }
    let number = crate::provenance::number(names.len());
    names.push(name.clone());
    numbers.insert(name.clone(), number);
    number
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderLine {
    sibcheck_history: u64,
    origin: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<ByName<Claim>>,
    tombstones: Tombstones,
    #[serde(default, skip_serializing_if = "is_default")]
    model: ObjectModel,
    operations: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expect: Option<ExpectLine>,
}

impl HeaderLine {
    fn of(history: &History) -> Self {
        let header = &history.header;
        Self {
            sibcheck_history: VERSION,
            origin: header.origin.clone(),
            claim: header.claim.map(ByName),
            tombstones: header.tombstones,
            model: header.model,
            operations: history.operations.len() as u64,
            expect: header.expect.as_ref().map(|expect| ExpectLine {
                verdict: ByName(expect.outcome),
                invariants: expect.invariants.iter().copied().map(ByName).collect(),
                why: expect.why.clone(),
            }),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectLine {
    verdict: ByName<crate::verdict::Outcome>,
    invariants: Vec<ByName<crate::verdict::Invariant>>,
    why: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationLine {
    op: OpId,
    client: Name,
    node: Name,
    key: Name,
    invoked_ns: TimeNs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    completed_ns: Option<TimeNs>,
    status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    write: Option<WriteLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delete: Option<DeleteLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read: Option<ReadLine>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WriteLine {
    value: Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sources: Vec<OpId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context: Option<ReportedClock>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock: Option<ReportedClock>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dot: Option<(Name, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    past: Option<ReportedClock>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeleteLine {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sources: Vec<OpId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context: Option<ReportedClock>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock: Option<ReportedClock>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dot: Option<(Name, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    past: Option<ReportedClock>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadLine {
    #[serde(default)]
    siblings: Vec<SiblingLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context: Option<ReportedClock>,
    #[serde(default, rename = "final", skip_serializing_if = "is_false")]
    last: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SiblingLine {
    /// `Some(Json::Null)` for a value that is null, `None` where no value is given.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    value: Option<Json>,
    #[serde(default, skip_serializing_if = "is_false")]
    tombstone: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock: Option<ReportedClock>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dot: Option<(Name, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    past: Option<ReportedClock>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

/// What is wrong with the fields of a line, and the remedy.
type Problem = (&'static str, &'static str);

impl OperationLine {
    fn of(history: &History, op: OpId, operation: &Operation) -> Option<Self> {
        let mut line = Self {
            op,
            client: history.clients.get(operation.client as usize)?.clone(),
            node: history.nodes.get(operation.node as usize)?.clone(),
            key: history.keys.get(operation.key as usize)?.clone(),
            invoked_ns: operation.invoked,
            completed_ns: operation.completed,
            status: operation.status,
            write: None,
            delete: None,
            read: None,
        };
        match &operation.action {
            Action::Write(Write {
                value,
                tombstone,
                sources,
                context,
                version,
            }) => {
                let (clock, dot, past) = fields(version.as_ref());
                let (tag, sources, context) = (value.tag, sources.clone(), context.clone());
                if *tombstone {
                    line.delete = Some(DeleteLine {
                        tag,
                        sources,
                        context,
                        clock,
                        dot,
                        past,
                    });
                } else {
                    let value = value.data.clone();
                    line.write = Some(WriteLine {
                        value,
                        tag,
                        sources,
                        context,
                        clock,
                        dot,
                        past,
                    });
                }
            }
            Action::Read(read) => {
                line.read = Some(ReadLine {
                    siblings: read.siblings.iter().map(SiblingLine::of).collect(),
                    context: read.context.clone(),
                    last: read.last,
                });
            }
        }
        Some(line)
    }

    fn action(self) -> Result<Action, Problem> {
        match (self.write, self.delete, self.read) {
            (
                Some(WriteLine {
                    value: data,
                    tag,
                    sources,
                    context,
                    clock,
                    dot,
                    past,
                }),
                None,
                None,
            ) => {
                let version = version(clock, dot, past)?;
                let value = Value { tag, data };
                Ok(Action::Write(Write {
                    value,
                    tombstone: false,
                    sources,
                    context,
                    version,
                }))
            }
            (
                None,
                Some(DeleteLine {
                    tag,
                    sources,
                    context,
                    clock,
                    dot,
                    past,
                }),
                None,
            ) => {
                let version = version(clock, dot, past)?;
                let value = Value {
                    tag,
                    data: Json::Null,
                };
                Ok(Action::Write(Write {
                    value,
                    tombstone: true,
                    sources,
                    context,
                    version,
                }))
            }
            (
                None,
                None,
                Some(ReadLine {
                    siblings,
                    context,
                    last,
                }),
            ) => {
                let siblings: Result<_, Problem> =
                    siblings.into_iter().map(SiblingLine::sibling).collect();
                Ok(Action::Read(Read {
                    siblings: siblings?,
                    context,
                    last,
                }))
            }
            _ => Err((
                "expected exactly one of \"write\", \"delete\" and \"read\"",
                "say what the operation was",
            )),
        }
    }
}

impl SiblingLine {
    fn of(sibling: &Sibling) -> Self {
        let (clock, dot, past) = fields(sibling.version.as_ref());
        let data = &sibling.value.data;
        Self {
            value: (!sibling.tombstone || !data.is_null()).then(|| data.clone()),
            tombstone: sibling.tombstone,
            tag: sibling.value.tag,
            clock,
            dot,
            past,
        }
    }

    fn sibling(self) -> Result<Sibling, Problem> {
        if self.value.is_none() && !self.tombstone {
            return Err((
                "expected a sibling to have a \"value\" or \"tombstone\":true",
                "say what was returned",
            ));
        }
        Ok(Sibling {
            value: Value {
                tag: self.tag,
                data: self.value.unwrap_or(Json::Null),
            },
            tombstone: self.tombstone,
            version: version(self.clock, self.dot, self.past)?,
        })
    }
}

type VersionFields = (
    Option<ReportedClock>,
    Option<(Name, u64)>,
    Option<ReportedClock>,
);

fn fields(version: Option<&Version>) -> VersionFields {
    match version {
        None => (None, None, None),
        Some(Version::Clock(clock)) => (Some(clock.clone()), None, None),
        Some(Version::Dotted {
            actor,
            counter,
            past,
        }) => (None, Some((actor.clone(), *counter)), past.clone()),
    }
}

fn version(
    clock: Option<ReportedClock>,
    dot: Option<(Name, u64)>,
    past: Option<ReportedClock>,
) -> Result<Option<Version>, Problem> {
    match (clock, dot, past) {
        (None, None, None) => Ok(None),
        (Some(clock), None, None) => Ok(Some(Version::Clock(clock))),
        (None, Some((_, 0)), _) => Err((
            "expected a dot with a counter of 1 or more",
            "dots count from 1",
        )),
        (None, Some((actor, counter)), past) => Ok(Some(Version::Dotted {
            actor,
            counter,
            past,
        })),
        (None, None, Some(_)) => Err((
            "expected a \"dot\" beside \"past\"",
            "give the dot, or leave \"past\" out",
        )),
        (Some(_), ..) => Err((
            "expected either \"clock\" or \"dot\" and \"past\", found both",
            "a version is a vector clock or a dot",
        )),
    }
}

/// Something that is written by its name.
struct ByName<T>(T);

impl<T: fmt::Display> Serialize for ByName<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: std::str::FromStr<Err: fmt::Display>> Deserialize<'de> for ByName<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map(ByName)
            .map_err(de::Error::custom)
    }
}

impl Serialize for ReportedClock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.entries().iter().map(|(name, counter)| (name, counter)))
    }
}

impl<'de> Deserialize<'de> for ReportedClock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ClockVisitor)
    }
}

struct ClockVisitor;

impl<'de> Visitor<'de> for ClockVisitor {
    type Value = ReportedClock;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a clock such as {\"n1\":2}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ReportedClock, A::Error> {
        let mut entries: Vec<(Name, u64)> = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        entries.sort();
        if let Some(pair) = entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(de::Error::custom(format_args!(
                "expected one entry for {:?} in a clock, found two",
                pair[0].0
            )));
        }
        entries.retain(|(_, counter)| *counter > 0);
        Ok(ReportedClock::from_sorted(Arc::from(entries)))
    }
}

macro_rules! word {
    ($type:ty, $($word:literal => $value:path),+) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(match self { $($value => $word),+ })
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                match word.as_str() {
                    $($word => Ok($value),)+
                    other => Err(de::Error::unknown_variant(other, &[$($word),+])),
                }
            }
        }
    };
}

word!(Status, "ok" => Status::Ok, "fail" => Status::Fail, "info" => Status::Info);
word!(Tombstones, "shown" => Tombstones::Shown, "hidden" => Tombstones::Hidden);
word!(ObjectModel, "context" => ObjectModel::Context, "replica" => ObjectModel::Replica);
