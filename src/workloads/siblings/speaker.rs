//! Speaking a dialect for a run: requests to bodies, answers to replies.
//!
//! It keeps what has to be known from one request to the next: the form in which the nodes write
//! clocks, and, where clients make the clocks, how far each has come.

use std::collections::BTreeMap;

use compact_str::format_compact;
use serde_json::{Map, Value as Json};
use sibcheck_checkers::{
    ObjectModel,
    history::{Name, Version},
};

use super::{
    Ask, ClientBehaviour, Context, Contexts, Reply, Siblings, TaggedValue, Wording, reported,
    speech::{Asking, Heard, Listener, deleted},
};
use crate::{
    clocks::{Actor, ClockForm, VectorClock},
    protocol::Filling,
    stores::Key,
    workloads::{self, Request},
};

/// Speaks one dialect with the nodes of one run.
#[derive(Debug)]
pub struct Speaker<'p> {
    wording: &'p Wording,
    contexts: Contexts,
    /// The names of the slots of clocks that are written as arrays.
    slots: Vec<Actor>,
    heard: Heard,
    /// How far each client has advanced its own slot, by client and key.
    advanced: BTreeMap<(Name, Key), u64>,
    /// The values of the plan; none where each is named after its operation.
    values: Option<&'p [Json]>,
}

/// What was asked, as far as it matters for the answer.
#[derive(Debug)]
pub struct Question {
    asking: Asking,
    /// The clock that the client made.
    made: Option<VectorClock>,
}

impl<'p> workloads::Speaker<'p, Siblings> for Speaker<'p> {
    type Question = Question;

    fn new(
        wording: &'p Wording,
        nodes: &[Actor],
        clients: usize,
        values: Option<&'p [Json]>,
    ) -> Self {
        let contexts = wording.contexts();
        let slots = match contexts {
            Contexts::Made => (1..=clients)
                .map(|client| format_compact!("c{client}").into())
                .collect(),
            Contexts::Carried | Contexts::Absent => nodes.to_vec(),
        };
        Self {
            wording,
            contexts,
            slots,
            heard: Heard::default(),
            advanced: BTreeMap::new(),
            values,
        }
    }

    fn behaviour(&self) -> ClientBehaviour {
        ClientBehaviour {
            tombstones: self.wording.tombstones(),
            model: match self.contexts {
                Contexts::Absent => ObjectModel::Replica,
                Contexts::Carried | Contexts::Made => ObjectModel::Context,
            },
            tagged: false,
            clocks_apart: self.wording.has_clocks_apart(),
            clients_make_clocks: self.contexts == Contexts::Made,
        }
    }

    fn kind(&self, question: &Question) -> &str {
        question.asking.kind(self.wording)
    }

    fn ask(&mut self, request: &Request<Siblings>) -> (Map<String, Json>, Question) {
        let (value, context, asking) = match &request.ask {
            Ask::Read => {
                let body = self
                    .wording
                    .read_request(request.client.as_str(), request.key.as_str());
                let asking = Asking::Read;
                return (body, Question { asking, made: None });
            }
            Ask::Write {
                value,
                context,
                resolving,
            } => {
                let asking = if value.position.is_none() {
                    Asking::Delete
                } else if *resolving {
                    Asking::Resolve
                } else {
                    Asking::Write
                };
                (*value, context, asking)
            }
        };
        let made = (self.contexts == Contexts::Made)
            .then(|| self.make_clock(&request.client, &request.key, context));
        let clock = made.clone().or_else(|| context.joined());
        let words = asking.words(self.wording);
        let template = match &words.blind {
            Some(template) if clock.as_ref().is_some_and(VectorClock::is_empty) => template,
            _ => &words.request,
        };
        let body = template.fill(&Filling {
            key: &request.key.as_str().into(),
            client: request.client.as_str(),
            value: &self.written(value),
            context: &self.written_context(context, clock.as_ref()),
            expected: &Json::Null,
        });
        (body, Question { asking, made })
    }

    fn understand(
        &mut self,
        question: &Question,
        body: &Map<String, Json>,
    ) -> Result<Reply, String> {
        let mut listener = Listener {
            wording: self.wording,
            slots: &self.slots,
            heard: &mut self.heard,
        };
        let reply = listener.answer(question.asking, body)?;
        Ok(match (reply, &question.made) {
            (Reply::Written { .. }, Some(clock)) => Reply::Written {
                version: Some(Version::Clock(reported(clock))),
                context: Some(Context::Clocks(vec![clock.clone()])),
            },
            (reply, _) => reply,
        })
    }

    fn heard_opaque(&self) -> bool {
        self.heard.opaque
    }

    fn trial(&self, position: u32, tag: u64) -> Vec<(&'static str, Ask)> {
        let value = TaggedValue {
            tag,
            position: Some(position),
        };
        let write = Ask::Write {
            value,
            context: Context::BLIND,
            resolving: false,
        };
        vec![("write", write), ("read", Ask::Read)]
    }

    fn came(reply: Reply) -> Option<Vec<Json>> {
        match reply {
            Reply::Written { .. } => Some(Vec::new()),
            Reply::Siblings { read, .. } => {
                let siblings = read.siblings.iter();
                let values = siblings.filter(|sibling| !sibling.tombstone);
                Some(values.map(|sibling| sibling.value.data.to_json()).collect())
            }
            Reply::Refused | Reply::Uncertain => None,
        }
    }
}

impl Speaker<'_> {
    /// The clock of a client's next write: the join of what it read, with its own slot advanced
    /// beyond all that it has used for the key, whatever became of those writes.
    fn make_clock(&mut self, client: &Name, key: &Key, context: &Context) -> VectorClock {
        let read = context.joined().unwrap_or_default();
        let used = self
            .advanced
            .entry((client.clone(), key.clone()))
            .or_default();
        *used = read.get(client.as_str()).max(*used).saturating_add(1);
        let others = read.entries().iter().filter(|entry| entry.0 != *client);
        let entries: Vec<_> = others.cloned().chain([(client.clone(), *used)]).collect();
        VectorClock::from_entries(entries).unwrap_or(read)
    }

    /// The value that is sent: it tells whose it is. That of a delete is a mark that no write has.
    fn written(&self, value: TaggedValue) -> Json {
        match (value.position, self.values) {
            (Some(at), Some(values)) => values.get(at as usize).cloned().unwrap_or_default(),
            (Some(_), None) => format!("v{}", value.tag).into(),
            (None, _) => deleted(value.tag).into(),
        }
    }

    /// A context as the nodes write it.
    fn written_context(&self, context: &Context, clock: Option<&VectorClock>) -> Json {
        let form = match (self.wording.clocks, self.contexts) {
            (Some(form), _) => form.readable(),
            (None, Contexts::Made) => Some(self.heard.form.unwrap_or(ClockForm::Slots)),
            (None, _) => Some(self.heard.form.unwrap_or(if self.heard.empty_list {
                ClockForm::Pairs
            } else {
                ClockForm::Object
            })),
        };
        match (context, clock, form) {
            (Context::Opaque(json), _, _) => json.clone(),
            (_, Some(clock), Some(form)) => clock.to_json(form, &self.slots),
            _ => Json::Null,
        }
    }
}
