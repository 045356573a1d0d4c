//! The lines of the format as serde has them: the one definition of what a line may hold.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
};

use super::{Names, VERSION, VERSION_WITHOUT_FAULTS};
use crate::{
    claim::Claim,
    history::{
        Action, Data, Expectation, Header, Name, OpId, Operation, Read, ReportedClock, Sibling,
        Status, TimeNs, Tombstones, Value, Version, Write,
    },
    interned::Interned,
    object_model::ObjectModel,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderLine {
    sibcheck_history: u64,
    origin: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<ByName<Claim>>,
    tombstones: Tombstones,
    #[serde(default, skip_serializing_if = "is_default")]
    model: ObjectModel,
    operations: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    faults: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expect: Option<ExpectLine>,
}

impl HeaderLine {
    /// What has no faults is written in the version that older builds read, too.
    pub(super) fn of(header: &Header, operations: u64, faults: u64) -> Self {
        Self {
            sibcheck_history: if faults > 0 {
                VERSION
            } else {
                VERSION_WITHOUT_FAULTS
            },
            faults: (faults > 0).then_some(faults),
            origin: header.origin.clone(),
            claim: header.claim.map(ByName),
            tombstones: header.tombstones,
            model: header.model,
            operations,
            expect: header.expect.as_ref().map(ExpectLine::of),
        }
    }

    /// Faults in a version that has none.
    pub(super) fn has_faults_too_early(&self) -> bool {
        self.sibcheck_history == VERSION_WITHOUT_FAULTS && self.faults.is_some()
    }

    /// The header, and how many operations and faults it announces.
    pub(super) fn header(self) -> (Header, u64, u64) {
        let header = Header {
            origin: self.origin,
            claim: self.claim.map(|ByName(claim)| claim),
            tombstones: self.tombstones,
            model: self.model,
            expect: self.expect.map(ExpectLine::expectation),
        };
        (header, self.operations, self.faults.unwrap_or(0))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectLine {
    verdict: ByName<crate::verdict::Outcome>,
    invariants: Vec<ByName<crate::verdict::Invariant>>,
    why: String,
}

impl ExpectLine {
    pub(super) fn of(expect: &Expectation) -> Self {
        Self {
            verdict: ByName(expect.outcome),
            invariants: expect.invariants.iter().copied().map(ByName).collect(),
            why: expect.why.clone(),
        }
    }

    pub(super) fn expectation(self) -> Expectation {
        let invariants = self.invariants.into_iter();
        Expectation {
            outcome: self.verdict.0,
            invariants: invariants.map(|ByName(invariant)| invariant).collect(),
            why: self.why,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OperationLine {
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
    value: Data,
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
    /// `Some(Data::NULL)` for a value that is null, `None` where no value is given.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    value: Option<Data>,
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

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Data>, D::Error> {
    Data::deserialize(deserializer).map(Some)
}

/// What is wrong with the fields of a line, and the remedy.
pub(super) type Problem = (&'static str, &'static str);

impl OperationLine {
    /// The line of an operation; `None` when it has no name.
    pub(super) fn of(names: Names<'_>, op: OpId, operation: &Operation) -> Option<Self> {
        let mut line = Self {
            op,
            client: names.clients.get(operation.client as usize)?.clone(),
            node: names.nodes.get(operation.node as usize)?.clone(),
            key: names.keys.get(operation.key as usize)?.clone(),
            invoked_ns: operation.invoked,
            completed_ns: operation.completed,
            status: operation.status,
            write: None,
            delete: None,
            read: None,
        };
        match &operation.action {
            Action::Write(write) => {
                let Write {
                    value,
                    tombstone,
                    sources,
                    context,
                    version,
                } = &**write;
                let (clock, dot, past) = fields(version.as_ref());
                let (tag, sources, context) = (value.tag, sources.to_vec(), context.clone());
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

    /// The number of the operation, as the line has it.
    pub(super) fn number(&self) -> OpId {
        self.op
    }

    pub(super) fn operation(self, names: &mut Interned) -> Result<Operation, Problem> {
        Ok(Operation {
            client: names.clients.number(self.client.as_str()),
            node: names.nodes.number(self.node.as_str()),
            key: names.keys.number(self.key.as_str()),
            invoked: self.invoked_ns,
            completed: self.completed_ns,
            status: self.status,
            action: self.action()?,
        })
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
                Ok(Action::Write(Box::new(Write {
                    value,
                    tombstone: false,
                    sources: sources.into(),
                    context,
                    version,
                })))
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
                    data: Data::NULL,
                };
                Ok(Action::Write(Box::new(Write {
                    value,
                    tombstone: true,
                    sources: sources.into(),
                    context,
                    version,
                })))
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
                data: self.value.unwrap_or(Data::NULL),
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

pub(super) fn version(
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
pub(super) struct ByName<T>(pub(super) T);

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
        serializer.collect_map(self.entries())
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
        Ok(ReportedClock::from_sorted(&entries))
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
word!(
    Tombstones,
    "shown" => Tombstones::Shown,
    "hidden" => Tombstones::Hidden,
    "reaped" => Tombstones::Reaped
);
word!(ObjectModel, "context" => ObjectModel::Context, "replica" => ObjectModel::Replica);
