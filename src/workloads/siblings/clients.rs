//! The clients of a run on siblings: which contexts they pass, and what is recorded of answers.
//!
//! A client whose write timed out does not know whether it happened. It goes on under a fresh name with
//! nothing remembered, because a store whose clock entries are client ids may take a late write for
//! the successor of a newer one of the same client; but where clients make the clocks themselves, whose
//! next write tells that it follows that one.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use sibcheck_checkers::history::{self, Action, Data, Header, OpId, Read, Status, Value, Write};

use super::{
    Act, Ask, ClientBehaviour, Context, ContextChoice, RecordedValues, Reply, Reports, Siblings,
    TaggedValue,
};
use crate::{
    simulation::Nanos,
    workloads::{self, Begun, Call, Cast, Heard},
};

/// Writes that reached their coordinator with a context that rests on a write of another node which it
/// cannot have heard of yet.
pub const CONTEXTS_AHEAD: &str = "writes whose context is ahead of their coordinator";

/// One operation, as it is recorded.
type Operation = history::Operation<Action>;

/// The answers that a client got for one key under its present identity, oldest first.
#[derive(Debug, Default)]
struct Memory {
    reads: Vec<OpId>,
    writes: Vec<OpId>,
    answers: Vec<OpId>,
    /// The last read, and the clock of each of its siblings alone, where they are apart.
    apart: Option<(OpId, Vec<Context>)>,
}

/// The clients of one run.
#[derive(Debug)]
pub struct Clients {
    behaviour: ClientBehaviour,
    many_nodes: bool,
    values: RecordedValues,
    numbered_values: bool,
    /// What each client remembers, by key.
    memories: Vec<BTreeMap<u32, Memory>>,
    /// The value that a client will write in place of what it is reading.
    resolving: BTreeMap<usize, u32>,
    /// What the answer to an operation lets its client pass back, by operation.
    contexts: Vec<Option<Context>>,
    /// When the request of an operation reached its node, by operation.
    taken: Vec<Option<Nanos>>,
    /// The write of a value that has no tag, by key and value.
    writers: BTreeMap<(u32, String), OpId>,
    reports: Reports,
    contexts_ahead: u64,
    /// Writes and deletes that passed back the clock of one of several siblings alone.
    one_of_several: [u64; 2],
}

impl workloads::Clients<Siblings> for Clients {
    fn new(cast: Cast<'_>, behaviour: ClientBehaviour) -> Self {
        Self {
            behaviour,
            many_nodes: cast.nodes > 1,
            values: RecordedValues::of(cast.values),
            numbered_values: cast.numbered_values,
            memories: Vec::new(),
            resolving: BTreeMap::new(),
            contexts: Vec::with_capacity(cast.operations),
            taken: Vec::with_capacity(cast.operations),
            writers: BTreeMap::new(),
            reports: Reports::default(),
            contexts_ahead: 0,
            one_of_several: [0; 2],
        }
    }

    fn describe(&self, header: &mut Header) {
        header.tombstones = self.behaviour.tombstones;
        header.model = self.behaviour.model;
    }

    fn tables(&mut self) {}

    fn begin(&mut self, call: Call, act: Act, log: &[Operation]) -> Begun<Siblings> {
        match act {
            Act::Read => self.read(call, false),
            Act::Resolve { value } => {
                self.resolving.insert(call.client, value);
                self.read(call, false)
            }
            Act::Write { value, context } => self.write(call, Some(value), context, log),
            Act::Delete { context } => self.write(call, None, context, log),
        }
    }

    fn final_read(&mut self, call: Call) -> Begun<Siblings> {
        self.read(call, true)
    }

    fn take_back(&self, final_reads: &mut [Operation]) {
        for operation in final_reads {
            if let Action::Read(read) = &mut operation.action {
                read.last = false;
            }
        }
    }

    fn shown(&self, action: &Action) -> String {
        let Action::Read(read) = action else {
            return String::new();
        };
        let values = read.siblings.iter();
        let mut values: Vec<String> = values
            .map(|sibling| format!("{:?}", sibling.value))
            .collect();
        values.sort_unstable();
        values.join("\n")
    }

    fn arrived(&mut self, op: OpId, log: &[Operation], heard: &impl Heard) {
        self.taken[op as usize] = Some(heard.now());
        let operation = &log[op as usize];
        if let (true, Action::Write(write)) = (self.many_nodes, &operation.action) {
            let sources = write.sources.iter();
            let ahead = sources
                .into_iter()
                .any(|source| self.is_ahead(operation.node, *source, log, heard));
            self.contexts_ahead += u64::from(ahead);
        }
    }

    fn answered(&mut self, call: Call, reply: Reply, action: &mut Action) -> Option<Status> {
        let Call { client, key, op } = call;
        let (context, wrote) = match (reply, action) {
            (Reply::Uncertain, _) => return None,
            (Reply::Refused, _) => return Some(Status::Fail),
            (Reply::Written { version, context }, Action::Write(write)) => {
                write.version = version;
                (context, true)
            }
            (
                Reply::Siblings {
                    read,
                    context,
                    each,
                },
                Action::Read(recorded),
            ) => {
                recorded.siblings = read.siblings;
                recorded.context = read.context;
                self.memory(client, key).apart = (!each.is_empty()).then_some((op, each));
                (context, false)
            }
            // Another answer than to what was asked tells nothing that could be recorded.
            (Reply::Written { .. }, Action::Read(_))
            | (Reply::Siblings { .. }, Action::Write(_)) => {
                return Some(Status::Ok);
            }
        };
        if context.is_some() {
            let memory = self.memory(client, key);
            let answers = if wrote {
                &mut memory.writes
            } else {
                &mut memory.reads
            };
            answers.push(op);
            memory.answers.push(op);
        }
        self.contexts[op as usize] = context;
        Some(Status::Ok)
    }

    fn go_on(&mut self, call: Call, status: Status, log: &[Operation]) -> Option<Begun<Siblings>> {
        let value = self.resolving.remove(&call.client)?;
        if status != Status::Ok {
            return None;
        }
        let read = call.op;
        let call = Call {
            op: OpId::try_from(log.len()).unwrap_or(OpId::MAX),
            ..call
        };
        let mut sources = vec![read];
        let rests_on = match self.context(&mut sources) {
            _ if sources.is_empty() => self.one_sibling(call, 0, false, log),
            context => (sources, context),
        };
        Some(self.write_from(call, Some(value), rests_on, true))
    }

    fn left_open(&mut self, call: Call, action: &Action) -> bool {
        let renamed = matches!(action, Action::Write(_)) && !self.behaviour.clients_make_clocks;
        if renamed && let Some(memory) = self.memories.get_mut(call.client) {
            memory.clear();
        }
        renamed
    }

    fn situations(&self) -> Vec<(&'static str, u64)> {
        let mut situations = vec![(CONTEXTS_AHEAD, self.contexts_ahead)];
        if self.behaviour.clocks_apart {
            let [writes, deletes] = self.one_of_several;
            situations.push(("writes in place of one of several siblings", writes));
            situations.push(("deletes of one of several siblings", deletes));
        }
        situations
    }
}

impl Clients {
    fn memory(&mut self, client: usize, key: u32) -> &mut Memory {
        while self.memories.len() <= client {
            self.memories.push(BTreeMap::new());
        }
        self.memories[client].entry(key).or_default()
    }

    fn remembered(&self, client: usize, key: u32) -> Option<&Memory> {
        self.memories.get(client)?.get(&key)
    }

    /// Whether a context of this answer rests on a write that a node cannot have heard of.
    fn is_ahead(&self, node: u32, source: OpId, log: &[Operation], heard: &impl Heard) -> bool {
        let unheard = |write: OpId| {
            let home = log[write as usize].node;
            let taken = self.taken[write as usize];
            home != node && taken.is_some() && heard.heard_of(node, home) < taken
        };
        let operation = &log[source as usize];
        match &operation.action {
            Action::Write(_) => unheard(source),
            Action::Read(read) => read.siblings.iter().any(|sibling| {
                let write = self.writer(operation.key, sibling);
                // A node may return what nobody wrote.
                let known = write.filter(|write| (*write as usize) < self.taken.len());
                known.is_some_and(unheard)
            }),
        }
    }

    /// Notes that an operation begins.
    fn note_begin(&mut self) {
        self.contexts.push(None);
        self.taken.push(None);
    }

    fn read(&mut self, _call: Call, last: bool) -> Begun<Siblings> {
        self.note_begin();
        let read = Read {
            last,
            ..Read::default()
        };
        Begun {
            action: Action::Read(read),
            ask: Ask::Read,
        }
    }

    fn write(
        &mut self,
        call: Call,
        value: Option<u32>,
        context: ContextChoice,
        log: &[Operation],
    ) -> Begun<Siblings> {
        let rests_on = if let ContextChoice::OneSibling(position) = context {
            self.one_sibling(call, position, value.is_none(), log)
        } else {
            let mut sources = self.sources(call, context);
            let context = self.context(&mut sources);
            (sources, context)
        };
        self.write_from(call, value, rests_on, false)
    }

    /// The clock of one sibling of a client's last read of a key, and the write that it is of: what it
    /// covers is what the context of that write's answer does. The next one is taken of a sibling whose
    /// write has no answer yet, or a blind write is made where there is none.
    fn one_sibling(
        &mut self,
        call: Call,
        position: u32,
        deletes: bool,
        log: &[Operation],
    ) -> (Vec<OpId>, Context) {
        let blind = (Vec::new(), Context::BLIND);
        let memory = self.remembered(call.client, call.key);
        let Some((read, each)) = memory.and_then(|memory| memory.apart.as_ref()) else {
            return blind;
        };
        let Action::Read(read) = &log[*read as usize].action else {
            return blind;
        };
        let answered = |sibling: &history::Sibling| {
            let write = self.writer(call.key, sibling)?;
            let operation = log.get(write as usize)?;
            (operation.status == Status::Ok).then_some(write)
        };
        let many = each.len();
        let mut siblings = read.siblings.iter().zip(each).cycle();
        let chosen = siblings
            .by_ref()
            .skip(position as usize % many.max(1))
            .take(many)
            .find_map(|(sibling, clock)| Some((answered(sibling)?, clock.clone())));
        let Some((write, clock)) = chosen else {
            return blind;
        };
        if many > 1 {
            self.one_of_several[usize::from(deletes)] += 1;
        }
        (vec![write], clock)
    }

    /// The write of a value that a read returned; `None` for what nobody wrote.
    fn writer(&self, key: u32, sibling: &history::Sibling) -> Option<OpId> {
        if let Some(tag) = sibling.value.tag {
            return OpId::try_from(tag).ok();
        }
        let value = (key, sibling.value.data.to_string());
        self.writers.get(&value).copied()
    }

    /// How a value that is written stands in the history. Without tags only deletes have one, having no
    /// value.
    fn recorded(&self, value: TaggedValue) -> Value {
        if self.behaviour.tagged || value.position.is_none() {
            return self.values.recorded(value);
        }
        let data = if self.numbered_values {
            Data::from(Json::from(format!("v{}", value.tag)))
        } else {
            self.values.recorded(value).data
        };
        Value { tag: None, data }
    }

    fn write_from(
        &mut self,
        call: Call,
        value: Option<u32>,
        (sources, context): (Vec<OpId>, Context),
        resolving: bool,
    ) -> Begun<Siblings> {
        self.note_begin();
        let written = TaggedValue {
            tag: call.op.into(),
            position: value,
        };
        let readable = if self.behaviour.clients_make_clocks {
            // It is not what is sent.
            None
        } else {
            context.joined()
        };
        let recorded = self.recorded(written);
        if recorded.tag.is_none() {
            let value = (call.key, recorded.data.to_string());
            self.writers.insert(value, call.op);
        }
        let write = Write {
            value: recorded,
            tombstone: value.is_none(),
            sources: sources.into(),
            context: readable.map(|clock| self.reports.clock(&clock)),
            version: None,
        };
        Begun {
            action: Action::Write(Box::new(write)),
            ask: Ask::Write {
                value: written,
                context,
                resolving,
            },
        }
    }

    /// The context that the answers to these operations make up. Those that it cannot be made of are
    /// dropped: an opaque context joins no other, so the last answer alone then counts.
    fn context(&self, sources: &mut Vec<OpId>) -> Context {
        let of = |op: &OpId| self.contexts[*op as usize].as_ref();
        sources.retain(|op| of(op).is_some());
        let opaque = |op: &OpId| matches!(of(op), Some(Context::Opaque(_)));
        if sources.iter().any(opaque)
            && let Some(last) = sources.pop()
        {
            *sources = vec![last];
        }
        match sources.as_slice() {
            [] => Context::BLIND,
            [one] => of(one).cloned().unwrap_or(Context::BLIND),
            several => {
                let parents = several
                    .iter()
                    .filter_map(of)
                    .flat_map(|context| match context {
                        Context::Clocks(parents) => parents.as_slice(),
                        Context::Opaque(_) => &[],
                    });
                Context::Clocks(parents.cloned().collect())
            }
        }
    }

    /// The operations whose answers make up the context that is asked for; none if the client has
    /// nothing of the kind.
    fn sources(&self, call: Call, context: ContextChoice) -> Vec<OpId> {
        let Some(memory) = self.remembered(call.client, call.key) else {
            return Vec::new();
        };
        match context {
            ContextChoice::Blind | ContextChoice::OneSibling(_) => Vec::new(),
            ContextChoice::LastRead => memory.reads.last().copied().into_iter().collect(),
            ContextChoice::LastWrite => memory.writes.last().copied().into_iter().collect(),
            ContextChoice::Stale(back) => memory
                .answers
                .iter()
                .rev()
                .nth(back as usize)
                .or(memory.answers.first())
                .copied()
                .into_iter()
                .collect(),
            ContextChoice::TwoReads => {
                memory.reads[memory.reads.len().saturating_sub(2)..].to_vec()
            }
        }
    }
}
