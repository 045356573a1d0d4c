//! From invocations and completions to a history of siblings.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    Fault, ImportError, Note,
    event_line::EventLine,
    events::{Function, Kind},
    provenance::{self, Carried, clock},
};
use crate::{
    history::{
        Action, Data, Header, History, NAMELESS, Name, OpId, Operation, Read, ReportedClock,
        Sibling, Sources, Status, TimeNs, Tombstones, Value, Version, Write,
    },
    index::number,
    interned::Interned,
};

/// Operations on siblings that are put together event by event.
#[derive(Default)]
pub(super) struct Siblings {
    names: Interned,
    operations: Vec<Operation>,
    /// What was sent and answered, for each operation.
    carried: Vec<Carried>,
    open: BTreeMap<Name, OpId>,
    events: TimeNs,
    asked_again: u64,
    names_nodes: bool,
}

const REMEDY: &str = "docs/history-format.md has the fields of the plain form";

impl Siblings {
    pub(super) fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Takes the next event in order.
    pub(super) fn push(
        &mut self,
        line: u64,
        function: Option<Function>,
        event: EventLine,
    ) -> Result<(), ImportError> {
        self.events += 1;
        let fault = |problem: String| {
            ImportError::Fault(Fault {
                line,
                problem,
                remedy: REMEDY,
            })
        };
        if let Some(Function::CompareAndSet | Function::Append) = function {
            return Err(ImportError::OtherObject {
                line,
                function: event.f.unwrap_or_default(),
            });
        }
        if event.kind() == Kind::Invoke {
            return self.invoke(line, function, event).map_err(fault);
        }
        let client = event.client.0.clone();
        let Some(op) = self.open.remove(&client) else {
            return Err(fault(format!(
                "expected an invocation by {client} before this completion, found none"
            )));
        };
        self.complete(op, event).map_err(fault)
    }

    fn invoke(
        &mut self,
        line: u64,
        function: Option<Function>,
        event: EventLine,
    ) -> Result<(), String> {
        let Some(key) = event.key else {
            return Err("expected a \"key\"".to_owned());
        };
        let tag = event.tag;
        let write = |data, tombstone| {
            Action::Write(Box::new(Write {
                value: Value { tag, data },
                tombstone,
                sources: Sources::NONE,
                context: None,
                version: None,
            }))
        };
        let action = match function {
            Some(Function::Read) => Action::Read(Read {
                last: event.last,
                ..Read::default()
            }),
            Some(Function::Write) => match event.value {
                Some(value) => write(value.into(), false),
                None => return Err("expected the \"value\" that is written".to_owned()),
            },
            Some(Function::Delete) => write(Data::NULL, true),
            _ => return Err("expected \"f\" to be read, write or delete".to_owned()),
        };
        self.names_nodes |= event.node.is_some();
        let node = event.node.map_or(NAMELESS.clone(), |node| node.0);
        let op = number(self.operations.len());
        if self.open.insert(event.client.0.clone(), op).is_some() {
            self.asked_again += 1;
        }
        self.operations.push(Operation {
            client: self.names.clients.number(event.client.0.as_str()),
            node: self.names.nodes.number(node.as_str()),
            key: self.names.keys.number(key.0.as_str()),
            invoked: self.events,
            completed: None,
            status: Status::Info,
            action,
        });
        self.carried.push(Carried {
            line,
            sent: event.context.unwrap_or(Json::Null),
            answered: None,
        });
        Ok(())
    }

    fn complete(&mut self, op: OpId, event: EventLine) -> Result<(), String> {
        let operation = &mut self.operations[op as usize];
        operation.status = match event.kind() {
            Kind::Info | Kind::Invoke => return Ok(()),
            Kind::Fail => Status::Fail,
            Kind::Ok => Status::Ok,
        };
        operation.completed = Some(self.events);
        if operation.status == Status::Fail {
            return Ok(());
        }
        let carried = &mut self.carried[op as usize];
        match &mut operation.action {
            Action::Write(write) => {
                write.value.tag = write.value.tag.or(event.tag);
                write.version = version(event.clock, event.dot, event.past)?;
                carried.answered = write
                    .version
                    .as_ref()
                    .and_then(covers)
                    .map(|clock| clock_json(&clock));
                if let Some(context) = event.context {
                    carried.answered = Some(context);
                }
            }
            Action::Read(read) => {
                read.last |= event.last;
                let siblings = event
                    .siblings
                    .ok_or("expected the \"siblings\" that were returned")?;
                let mut returned = Vec::with_capacity(siblings.len());
                let mut all = Some(ReportedClock::default());
                for line in siblings {
                    if line.value.is_none() && !line.tombstone {
                        return Err(
                            "expected a sibling to have a \"value\" or \"tombstone\":true"
                                .to_owned(),
                        );
                    }
                    let version = version(line.clock, line.dot, line.past)?;
                    let clock = version.as_ref().and_then(covers);
                    all = all
                        .zip(clock)
                        .map(|(all, clock)| provenance::join(&all, &clock));
                    let value = Value {
                        tag: line.tag,
                        data: line.value.map_or(Data::NULL, Data::from),
                    };
                    returned.push(Sibling {
                        value,
                        tombstone: line.tombstone,
                        version,
                    });
                }
                read.siblings = returned.into();
                carried.answered = all.map(|clock| clock_json(&clock));
                if let Some(context) = event.context {
                    read.context = clock(&context);
                    carried.answered = Some(context);
                }
            }
        }
        Ok(())
    }

    /// The history, and what was assumed.
    ///
    /// Where nothing is known of tombstones they are taken to be hidden, and those that are shown all
    /// the same are left out of answers: some stores show them beside other siblings only, and to
    /// take them for shown could only raise alarms.
    pub(super) fn finish(
        mut self,
        origin: String,
        tombstones: Option<Tombstones>,
    ) -> (History, Vec<Note>) {
        let mut notes = vec![Note::OrderOnly];
        if self.asked_again > 0 {
            let operations = self.asked_again;
            notes.push(Note::AskedAgain { operations });
        }
        let matched = provenance::resolve(&mut self.operations, &self.carried);
        if matched.carried + matched.joined > 0 {
            let (carried, joined) = (matched.carried, matched.joined);
            notes.push(Note::Matched { carried, joined });
        }
        let left_out = matched.unmatched;
        notes.extend(left_out.iter().map(|(key, line)| Note::LeftOut {
            key: self.names.keys.name(*key).clone(),
            line: *line,
        }));
        if !left_out.is_empty() {
            leave_out(&mut self.operations, |key| left_out.contains_key(&key));
        }
        let reports = |action: &Action| match action {
            Action::Write(write) => write.version.is_some(),
            Action::Read(read) => read
                .siblings
                .iter()
                .any(|sibling| sibling.version.is_some()),
        };
        if !self.names_nodes {
            notes.push(Note::NoNodes);
        }
        if !self.operations.iter().any(|op| reports(&op.action)) {
            notes.push(Note::NoClocks);
        }
        let last = |op: &Operation| matches!(&op.action, Action::Read(read) if read.last);
        if !self.operations.iter().any(last) {
            notes.push(Note::NoFinalReads);
        }
        let deletes =
            |op: &Operation| matches!(&op.action, Action::Write(write) if write.tombstone);
        let mut assumed = Tombstones::Shown;
        if tombstones.is_none() && self.operations.iter().any(deletes) {
            notes.push(Note::Tombstones);
            leave_tombstones_out(&mut self.operations);
            assumed = Tombstones::Hidden;
        }
        let history = History {
            header: Header {
                origin,
                tombstones: tombstones.unwrap_or(assumed),
                ..Header::default()
            },
            clients: self.names.clients.names,
            nodes: self.names.nodes.names,
            keys: self.names.keys.names,
            operations: self.operations,
            faults: Vec::new(),
            tables: (),
        };
        (history, notes)
    }
}

fn leave_tombstones_out(operations: &mut [Operation]) {
    for operation in operations {
        if let Action::Read(read) = &mut operation.action
            && read.siblings.iter().any(|sibling| sibling.tombstone)
        {
            let values = read.siblings.iter().filter(|sibling| !sibling.tombstone);
            read.siblings = values.cloned().collect::<Vec<_>>().into();
        }
    }
}

/// Takes the operations of some keys out; sources are of the same key, so only numbers change.
fn leave_out(operations: &mut Vec<Operation>, left_out: impl Fn(u32) -> bool) {
    let mut numbers = Vec::with_capacity(operations.len());
    let mut kept = 0;
    for operation in operations.iter() {
        numbers.push(kept);
        kept += u32::from(!left_out(operation.key));
    }
    operations.retain(|operation| !left_out(operation.key));
    for operation in operations {
        if let Action::Write(write) = &mut operation.action {
            let sources = write.sources.iter();
            write.sources = sources.map(|source| numbers[*source as usize]).collect();
        }
    }
}

fn clock_json(clock: &ReportedClock) -> Json {
    let entries = clock.entries().iter();
    let entries = entries.map(|(name, counter)| (name.as_str().to_owned(), Json::from(*counter)));
    Json::Object(entries.collect())
}

/// What a version covers, as a context: none for a dot whose past is not known, or that does not
/// follow its past without a gap.
fn covers(version: &Version) -> Option<ReportedClock> {
    match version {
        Version::Clock(clock) => Some(clock.clone()),
        Version::Dotted {
            actor,
            counter,
            past,
        } => {
            let past = past.as_ref()?;
            let dot = ReportedClock::from_entries([(actor.clone(), *counter)]);
            (past.get(actor.as_str()) + 1 == *counter).then(|| provenance::join(past, &dot))
        }
    }
}

fn version(
    clock: Option<ReportedClock>,
    dot: Option<(Name, u64)>,
    past: Option<ReportedClock>,
) -> Result<Option<Version>, String> {
    match (clock, dot, past) {
        (None, None, None) => Ok(None),
        (Some(clock), None, None) => Ok(Some(Version::Clock(clock))),
        (None, Some((actor, counter)), past) if counter > 0 => Ok(Some(Version::Dotted {
            actor,
            counter,
            past,
        })),
        _ => Err(
            "expected a \"clock\", or a \"dot\" that counts from 1 with its \"past\"".to_owned(),
        ),
    }
}
