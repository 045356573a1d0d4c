//! Speaking a dialect of registers for a run.

use serde_json::{Map, Value as Json};

use super::{Ask, Registers, Reply, Wording, WriteWords};
use crate::{
    clocks::Actor,
    protocol::{ErrorCode, is_one_of, there},
    workloads::{self, Request},
};

/// Speaks one dialect with the nodes of one run.
#[derive(Debug)]
pub struct Speaker<'p> {
    words: &'p Wording,
    values: Option<&'p [Json]>,
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// A read.
    Read,
    /// A write.
    Write,
    /// A compare-and-set.
    CompareAndSet,
    /// A delete.
    Delete,
}

impl Question {
    /// The words of what is no read.
    fn words(self, words: &Wording) -> &WriteWords {
        let own = match self {
            Self::Read | Self::Write => None,
            Self::CompareAndSet => words.cas.as_ref(),
            Self::Delete => words.delete.as_ref(),
        };
        own.unwrap_or(&words.write)
    }
}

impl<'p> workloads::Speaker<'p, Registers> for Speaker<'p> {
    type Question = Question;

    fn new(
        words: &'p Wording,
        _nodes: &[Actor],
        _clients: usize,
        values: Option<&'p [Json]>,
    ) -> Self {
        Self { words, values }
    }

    fn behaviour(&self) {}

    fn kind(&self, question: &Question) -> &str {
        match question {
            Question::Read => self.words.read.request.kind(),
            other => other.words(self.words).request.kind(),
        }
    }

    fn ask(&mut self, request: &Request<Registers>) -> (Map<String, Json>, Question) {
        let nothing = Json::Null;
        let (question, expected, value) = match &request.ask {
            Ask::Read => (Question::Read, &nothing, &nothing),
            Ask::Write(value) => (Question::Write, &nothing, value),
            Ask::CompareAndSet { from, to } => (Question::CompareAndSet, from, to),
            Ask::Delete => (Question::Delete, &nothing, &nothing),
        };
        let template = match question {
            Question::Read => &self.words.read.request,
            other => &other.words(self.words).request,
        };
        let who = (request.client.as_str(), request.key.as_str());
        let body = self.words.body(template, who, [expected, value]);
        (body, question)
    }

    fn understand(
        &mut self,
        question: &Question,
        body: &Map<String, Json>,
    ) -> Result<Reply, String> {
        let kind = body.get("type").and_then(Json::as_str).unwrap_or("");
        if kind == "error" {
            // An error without a code, or with one that is no number, may mean anything.
            return Ok(error(*question, ErrorCode::of(body)));
        }
        let types = match question {
            Question::Read => &self.words.read.answers,
            other => &other.words(self.words).answers,
        };
        is_one_of(kind, types)?;
        if *question == Question::Read {
            let pointer = &self.words.read.value;
            return Ok(Reply::Value(there(pointer, pointer.of(body))?.clone()));
        }
        let applied = match &question.words(self.words).status {
            Some(status) => {
                // Some languages leave out what is false, so that nothing said is not a yes.
                there(&status.at, status.at.of(body))?;
                status.is_applied(body)?
            }
            None => true,
        };
        Ok(match (applied, question) {
            (true, _) => Reply::Done,
            (false, Question::CompareAndSet) => Reply::Mismatch,
            (false, _) => Reply::Failed,
        })
    }

    fn value_field(&self) -> Option<&str> {
        self.words.read.value.first()
    }

    fn trial(&self, position: u32, _tag: u64) -> Vec<(&'static str, Ask)> {
        let value = self.values.and_then(|values| values.get(position as usize));
        let value = value.cloned().unwrap_or_default();
        let mut trial = vec![("write", Ask::Write(value.clone())), ("read", Ask::Read)];
        if self.words.cas.is_some() {
            // Some languages compare arrays by identity, and some not at all.
            let (from, to) = (value.clone(), value);
            trial.push(("compare-and-set", Ask::CompareAndSet { from, to }));
        }
        trial
    }

    fn came(reply: Reply) -> Option<Vec<Json>> {
        match reply {
            Reply::Done => Some(Vec::new()),
            Reply::Value(value) => Some(vec![value]),
            Reply::Mismatch | Reply::Failed | Reply::Uncertain => None,
        }
    }
}

/// What an error says of what was asked.
fn error(question: Question, code: Option<ErrorCode>) -> Reply {
    let Some(code) = code else {
        return Reply::Uncertain;
    };
    match (question, code) {
        (Question::Read, ErrorCode::KeyDoesNotExist) => Reply::Value(Json::Null),
        // It was absent already.
        (Question::Delete, ErrorCode::KeyDoesNotExist) => Reply::Done,
        (Question::CompareAndSet, ErrorCode::KeyDoesNotExist | ErrorCode::PreconditionFailed) => {
            Reply::Mismatch
        }
        (_, code) if code.is_definite() => Reply::Failed,
        _ => Reply::Uncertain,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::workloads::{Dialect, Speaker as _, Words, registers::words};

    fn heard(words: &Wording, question: Question, body: Json) -> Result<Reply, String> {
        let Json::Object(body) = body else {
            panic!("a body is an object");
        };
        Speaker::new(words, &[], 1, None).understand(&question, &body)
    }

    #[test]
    fn answers_are_understood() {
        let lin_kv = words::lin_kv();
        let error = |question, code: Json| {
            heard(&lin_kv, question, json!({"type": "error", "code": code})).unwrap()
        };
        let value = heard(
            &lin_kv,
            Question::Read,
            json!({"type": "read_ok", "value": [1]}),
        );
        assert_eq!(value, Ok(Reply::Value(json!([1]))));
        assert_eq!(error(Question::Read, json!(20)), Reply::Value(Json::Null));
        for code in [20, 22] {
            assert_eq!(error(Question::CompareAndSet, json!(code)), Reply::Mismatch);
        }
        assert_eq!(error(Question::Write, json!(11)), Reply::Failed);
        assert_eq!(error(Question::Read, json!(20.0)), Reply::Value(Json::Null));
        for code in [json!(0), json!(13), json!("22"), json!(null)] {
            assert_eq!(error(Question::CompareAndSet, code), Reply::Uncertain);
        }
        let odd = heard(&lin_kv, Question::Read, json!({"type": "read_ok"}));
        assert_eq!(odd, Err("it has no \"value\"".to_owned()));
    }

    #[test]
    fn a_status_tells_what_became_of_a_compare_and_set() {
        let text = "name = \"x\"\nobject = \"register\"\n\
            [read]\nrequest = { type = \"r\", key = \"${key}\" }\nvalue = \"/v\"\n\
            [write]\nrequest = { type = \"w\", key = \"${key}\", v = \"${value}\" }\n\
            [cas]\nrequest = { type = \"c\", key = \"${key}\", f = \"${expected}\", v = \"${value}\" }\n\
            answers = [\"c_ok\"]\nstatus = { at = \"/ok\", applied = [1], refused = [0] }\n";
        let dialect = Dialect::from_toml(text).unwrap();
        let Words::Registers(words) = dialect.words() else {
            panic!("it is of registers");
        };
        let cas = |body| heard(words, Question::CompareAndSet, body);
        assert_eq!(cas(json!({"type": "c_ok", "ok": 1})), Ok(Reply::Done));
        assert_eq!(cas(json!({"type": "c_ok", "ok": 0})), Ok(Reply::Mismatch));
        assert!(cas(json!({"type": "c_ok", "ok": 2})).is_err());
        let silent = cas(json!({"type": "c_ok"}));
        assert_eq!(silent, Err("it has no \"ok\"".to_owned()));
        assert!(
            cas(json!({"type": "r_ok"}))
                .unwrap_err()
                .contains("not c_ok")
        );
    }
}
