//! Answers of sibling stores, understood.

use serde_json::{Map, Value as Json};
use sibcheck_checkers::history::{Data, Read, Sibling, Value, Version};

use super::{Context, Contexts, Reply, Wording, WriteWords, reported};
use crate::{
    clocks::{Actor, ClockForm, Dot, DottedVersionVector, VectorClock},
    protocol::{ErrorCode, Pointer, is_one_of, kind, there},
};

/// What a request asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    Read,
    Write,
    Resolve,
    Delete,
}

impl Asking {
    /// The words of a write. Without words of its own a resolving write is a write like any other.
    pub(crate) fn words(self, wording: &Wording) -> &WriteWords {
        let own = match self {
            Self::Read | Self::Write => None,
            Self::Resolve => wording.resolve.as_ref(),
            Self::Delete => wording.delete.as_ref(),
        };
        own.unwrap_or(&wording.write)
    }

    /// The type of the request.
    pub(crate) fn kind(self, wording: &Wording) -> &str {
        match self {
            Self::Read => wording.read.request.kind(),
            _ => self.words(wording).request.kind(),
        }
    }
}

/// What the nodes of a run have shown of their way to write clocks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
    /// The form of the first clock that had one.
    pub(crate) form: Option<ClockForm>,
    /// An empty clock was a list. With slots it would have zeros, so this is a list of entries.
    pub(crate) empty_list: bool,
    /// A clock or context could not be read.
    pub(crate) opaque: bool,
}

/// Reads answers in one dialect.
pub(crate) struct Listener<'a> {
    pub(crate) wording: &'a Wording,
    /// The names of the slots of clocks that are written as arrays.
    pub(crate) slots: &'a [Actor],
    pub(crate) heard: &'a mut Heard,
}

/// What stands for the value of a delete with this tag.
pub(crate) fn deleted(tag: u64) -> String {
    format!("deleted-{tag}")
}

/// The tag of a delete, from what stands for its value.
fn tag(value: &Json) -> Option<u64> {
    value.as_str()?.strip_prefix("deleted-")?.parse().ok()
}

impl Listener<'_> {
    /// Reads the answer to a request.
    pub(crate) fn answer(
        &mut self,
        asking: Asking,
        body: &Map<String, Json>,
    ) -> Result<Reply, String> {
        let kind = body.get("type").and_then(Json::as_str).unwrap_or("");
        if kind == "error" {
            // An error without a code, or with one that is no number, may mean anything.
            let code = ErrorCode::of(body);
            if asking == Asking::Read && code == Some(ErrorCode::KeyDoesNotExist) {
                // As good an answer as an empty list.
                let context = self.context_of_key(body, true, Vec::new())?;
                let read = Read::default();
                let each = Vec::new();
                return Ok(Reply::Siblings {
                    read,
                    context,
                    each,
                });
            }
            return Ok(if code.is_some_and(ErrorCode::is_definite) {
                Reply::Refused
            } else {
                Reply::Uncertain
            });
        }
        let types = match asking {
            Asking::Read => &self.wording.read.answers,
            _ => &asking.words(self.wording).answers,
        };
        is_one_of(kind, types)?;
        match asking {
            Asking::Read => self.siblings(body),
            _ => self.written(asking.words(self.wording), body),
        }
    }

    /// A clock or a context; one that cannot be read is opaque.
    fn context(&mut self, pointer: &Pointer, json: &Json) -> Result<Context, String> {
        if self.wording.is_opaque() || json.is_string() {
            self.heard.opaque = true;
            return Ok(Context::Opaque(json.clone()));
        }
        let clock = VectorClock::from_json(json, self.slots)
            .map_err(|error| format!("its {pointer}: {error}"))?;
        self.heard.form = self.heard.form.or_else(|| ClockForm::of(json));
        self.heard.empty_list |= json.as_array().is_some_and(Vec::is_empty);
        Ok(Context::Clocks(vec![clock]))
    }

    /// A dot; `None` when it cannot be read.
    fn dot(&mut self, pointer: &Pointer, json: &Json) -> Result<Option<Dot>, String> {
        if self.wording.is_opaque() || json.is_string() {
            self.heard.opaque = true;
            return Ok(None);
        }
        let dot = Dot::from_json(json).map_err(|error| format!("its {pointer}: {error}"))?;
        Ok(Some(dot))
    }

    fn written(&mut self, words: &WriteWords, body: &Map<String, Json>) -> Result<Reply, String> {
        if let Some(status) = &words.status
            && !status.is_applied(body)?
        {
            return Ok(Reply::Refused);
        }
        let (mut version, mut context) = (None, None);
        if let Some(pointer) = &words.clock {
            let json = there(pointer, pointer.of(body))?;
            let clock = self.context(pointer, json)?;
            version = version_of(&clock);
            context = Some(clock);
        } else if let Some(pointer) = &words.dot {
            let json = there(pointer, pointer.of(body))?;
            let dot = self.dot(pointer, json)?;
            let past = match &words.past {
                Some(pointer) => {
                    let past = self.context(pointer, there(pointer, pointer.of(body))?)?;
                    past.joined()
                }
                None => None,
            };
            version = dot.as_ref().map(|dot| dotted(dot, past.as_ref()));
            // A dot inside its own past is the checkers' business; no context is made of it.
            context = dot
                .zip(past)
                .and_then(|(dot, past)| DottedVersionVector::new(dot, past).ok())
                .filter(DottedVersionVector::is_contiguous)
                .map(|version| Context::Clocks(vec![version.ceiling()]));
        }
        if let Some(pointer) = &words.context {
            context = match pointer.of(body).filter(|json| !json.is_null()) {
                Some(json) => Some(self.context(pointer, json)?),
                None => None,
            };
        }
        Ok(Reply::Written { version, context })
    }

    fn siblings(&mut self, body: &Map<String, Json>) -> Result<Reply, String> {
        let words = &self.wording.read;
        let list = &words.values;
        let values = match list.of(body) {
            Some(Json::Array(values)) => values.as_slice(),
            Some(Json::Null) => &[],
            Some(other) => return Err(format!("its {list} is {}, not an array", kind(other))),
            None => return Err(format!("it has no {list}")),
        };
        let mut siblings = Vec::with_capacity(values.len());
        let (mut clocks, mut each) = (Vec::new(), Vec::new());
        for (number, value) in (1..).zip(values) {
            let sibling = self
                .sibling(value, &mut clocks)
                .map_err(|what| format!("number {number} of its {list}: {what}"))?;
            // A tombstone that is left out has a clock, too.
            let opaque = clocks.last().filter(|_| sibling.is_some());
            each.extend(opaque.filter(|clock| clock.is_opaque()).cloned());
            siblings.extend(sibling);
        }
        if each.len() < siblings.len() {
            each.clear();
        }
        let mut read = Read {
            siblings: siblings.into(),
            ..Read::default()
        };
        let context = self.context_of_key(body, values.is_empty(), clocks)?;
        if words.context.is_some() {
            let joined = context.as_ref().and_then(Context::joined);
            read.context = joined.map(|clock| reported(&clock));
        }
        Ok(Reply::Siblings {
            read,
            context,
            each,
        })
    }

    /// One returned value, and its clock among those of the answer. A tombstone that does not tell
    /// which delete it comes from is left out.
    fn sibling(
        &mut self,
        item: &Json,
        clocks: &mut Vec<Context>,
    ) -> Result<Option<Sibling>, String> {
        let words = &self.wording.read;
        let part = |pointer: &Pointer| pointer.within(item);
        if words.value.is_field() && !item.is_object() {
            return Err(format!("it is {}, not an object", kind(item)));
        }
        let tombstone = words
            .tombstone
            .as_ref()
            .and_then(part)
            .is_some_and(|mark| *mark != Json::Bool(false) && !mark.is_null());
        let mut version = None;
        if let Some(pointer) = &words.clock {
            let clock = self.context(pointer, there(pointer, part(pointer))?)?;
            version = version_of(&clock);
            clocks.push(clock);
        } else if let Some(pointer) = &words.dot {
            let dot = self.dot(pointer, there(pointer, part(pointer))?)?;
            version = dot.map(|dot| dotted(&dot, None));
        }
        if tombstone && !self.wording.tombstones().are_returned() {
            return Ok(None);
        }
        let data = there(&words.value, part(&words.value))?;
        let value = match tag(data) {
            tag @ Some(_) if tombstone => Value {
                tag,
                data: Data::NULL,
            },
            _ => Value {
                tag: None,
                data: data.clone().into(),
            },
        };
        Ok(Some(Sibling {
            value,
            tombstone,
            version,
        }))
    }

    /// What a client may pass back after a read.
    fn context_of_key(
        &mut self,
        body: &Map<String, Json>,
        nothing_there: bool,
        mut clocks: Vec<Context>,
    ) -> Result<Option<Context>, String> {
        if self.wording.contexts() == Contexts::Absent {
            return Ok(None);
        }
        if let Some(pointer) = &self.wording.read.context {
            return match pointer.of(body) {
                Some(Json::Null) if self.wording.is_opaque() && !nothing_there => Ok(None),
                Some(Json::Null) => Ok(Some(Context::BLIND)),
                Some(json) => self.context(pointer, json).map(Some),
                None if nothing_there => Ok(Some(Context::BLIND)),
                None => Err(format!("it has no {pointer}")),
            };
        }
        if clocks.iter().any(Context::is_opaque) {
            // Opaque clocks join no other: one alone is the context of its key.
            return Ok(match (clocks.pop(), clocks.is_empty()) {
                (only, true) => only,
                _ => body.get("context").cloned().map(Context::Opaque),
            });
        }
        let clocks = clocks.into_iter().filter_map(|clock| clock.joined());
        Ok(Some(Context::Clocks(clocks.collect())))
    }
}

fn version_of(clock: &Context) -> Option<Version> {
    clock.joined().map(|clock| Version::Clock(reported(&clock)))
}

fn dotted(dot: &Dot, past: Option<&VectorClock>) -> Version {
    Version::Dotted {
        actor: dot.actor().clone(),
        counter: dot.counter(),
        past: past.map(reported),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::workloads::siblings::words;

    fn body(json: Json) -> Map<String, Json> {
        match json {
            Json::Object(object) => object,
            other => panic!("{other}"),
        }
    }

    fn answer(wording: &Wording, asking: Asking, json: Json) -> Result<Reply, String> {
        let mut listener = Listener {
            wording,
            slots: &["n1".into(), "n2".into()],
            heard: &mut Heard::default(),
        };
        listener.answer(asking, &body(json))
    }

    /// How many siblings there are, and the context as it would be sent.
    fn read(wording: &Wording, json: Json) -> Result<(usize, Option<Json>), String> {
        match answer(wording, Asking::Read, json)? {
            Reply::Siblings { read, context, .. } => {
                let context = context.map(|context| match context {
                    Context::Opaque(json) => json,
                    clocks @ Context::Clocks(_) => json!(clocks.joined().unwrap()),
                });
                Ok((read.siblings.len(), context))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn loose_forms_are_understood() {
        let none = read(&words::vc(), json!({"values": null}));
        assert_eq!(none, Ok((0, Some(json!({})))));
        let array = json!({"values": [{"value": 1, "vc": [0, 2]}]});
        assert_eq!(read(&words::vv(), array), Ok((1, Some(json!({"n2": 2})))));
    }

    #[test]
    fn what_cannot_be_understood_is_told_with_its_place() {
        let fault = |json| read(&words::vc(), json).unwrap_err();
        assert_eq!(fault(json!({})), "it has no \"values\"");
        assert!(fault(json!({"values": {}})).contains("an object, not an array"));
        let third = json!({"values": [{"value": 1, "vc": {}}, {"value": 2}]});
        assert!(fault(third).starts_with("number 2 of its \"values\": it has no \"vc\""));
    }

    #[test]
    fn errors_without_a_usable_code_leave_the_outcome_open() {
        let outcome = |json| answer(&words::dvv(), Asking::Write, json).unwrap();
        let error = |code: Json| json!({"type": "error", "code": code});
        assert!(matches!(outcome(error(json!(12))), Reply::Refused));
        for code in [json!(13), json!("12"), json!(null), json!(999)] {
            assert!(matches!(outcome(error(code)), Reply::Uncertain));
        }
    }

    #[test]
    fn a_key_that_does_not_exist_has_no_siblings() {
        for wording in [words::vc(), words::dvv(), words::kv()] {
            let none = read(&wording, json!({"type": "error", "code": 20}));
            assert_eq!(none, Ok((0, Some(json!({})))));
        }
        let write = answer(
            &words::vc(),
            Asking::Write,
            json!({"type": "error", "code": 20}),
        );
        assert!(matches!(write, Ok(Reply::Refused)));
    }

    #[test]
    fn a_context_is_made_of_a_contiguous_dot_only() {
        let context = |counter: u64| {
            let json = json!({"dot": ["n1", counter], "version_vector": {}});
            match answer(&words::dvv(), Asking::Write, json).unwrap() {
                Reply::Written { context, .. } => context,
                other => panic!("{other:?}"),
            }
        };
        assert!(context(1).is_some() && context(2).is_none());
    }

    #[test]
    fn strings_are_opaque_and_join_nothing() {
        let vc = |vc: &[&str], context: Json| {
            let values: Vec<Json> = vc.iter().map(|vc| json!({"value": vc, "vc": vc})).collect();
            read(&words::vc(), json!({"values": values, "context": context})).unwrap()
        };
        assert_eq!(vc(&["b64="], Json::Null), (1, Some(json!("b64="))));
        assert_eq!(vc(&["a", "b"], json!("both")), (2, Some(json!("both"))));
        let values = json!([{"value": 1, "vc": "a"}, {"value": 2, "vc": "b"}]);
        let answer_body = json!({"values": values});
        assert_eq!(read(&words::vc(), answer_body.clone()), Ok((2, None)));
        // Each is a context of its own.
        match answer(&words::vc(), Asking::Read, answer_body).unwrap() {
            Reply::Siblings { each, .. } => {
                let each: Vec<Json> = each
                    .into_iter()
                    .map(|context| match context {
                        Context::Opaque(json) => json,
                        Context::Clocks(_) => Json::Null,
                    })
                    .collect();
                assert_eq!(each, [json!("a"), json!("b")]);
            }
            other => panic!("{other:?}"),
        }
        let dvv = json!({"values": [{"value": 1, "dot": ["n1", 1]}], "context": "all"});
        assert_eq!(read(&words::dvv(), dvv), Ok((1, Some(json!("all")))));
        match answer(&words::vc(), Asking::Write, json!({"vc": "mine"})).unwrap() {
            Reply::Written { version, context } => {
                assert!(version.is_none() && matches!(context, Some(Context::Opaque(_))));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_put_is_carried_out_or_refused_and_nothing_between() {
        let put = |json| answer(&words::kv(), Asking::Write, json);
        for status in ["written", "conflict"] {
            let told = put(json!({"type": "kv_put_ok", "status": status})).unwrap();
            assert!(matches!(told, Reply::Written { .. }), "{status}");
        }
        assert!(matches!(put(json!({})).unwrap(), Reply::Written { .. }));
        for refused in [
            json!({"type": "kv_put_ok", "status": "stale"}),
            json!({"type": "kv_put_ok", "status": "rejected"}),
            json!({"type": "error", "code": 22}),
        ] {
            assert!(matches!(put(refused).unwrap(), Reply::Refused));
        }
        let odd = put(json!({"status": "maybe"})).unwrap_err();
        assert!(odd.starts_with("its \"status\" is \"maybe\""), "{odd}");
        assert_eq!(
            read(
                &words::mv(),
                json!({"values": [{"value": 1, "vclock": {"n1": 1}}]})
            ),
            Ok((1, None))
        );
    }
}
