//! Conformance cases: scripted input lines and the output lines that must follow.
//!
//! A case is a text file:
//!
//! ```text
//! # Anything about the case. Lines that begin with # are for people.
//! STORE versioned
//! TIMEOUT_MS 5000
//! IN  {"src":"c0","dest":"n1","body":{"type":"init","msg_id":1,"node_id":"n1","node_ids":["n1"]}}
//! OUT {"src":"n1","dest":"c0","body":{"type":"init_ok","in_reply_to":1,"msg_id":0}}
//! ```
//!
//! The expected lines must come in this order for each destination, compared as JSON; what a
//! program says beyond them is its own affair. An error that is expected without its `text` may have
//! any.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
};

use serde_json::Value as Json;

use crate::nodes::StoreName;

/// A conformance case.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The store that `sibcheck replay` checks with this case.
    pub store: StoreName,
    /// How long the whole case may take.
    pub timeout_ms: u64,
    /// The lines to be written, without their ends.
    pub input: Vec<String>,
    /// The lines that must come back.
    pub expected: Vec<Json>,
}

/// Why a text is not a case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct CaseError {
    /// From 1.
    pub line: usize,
    /// What is wrong there, and what should stand there.
    pub what: String,
}

/// Where output differs from what a case expects.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// Which of the expected lines, from 0.
    pub index: usize,
    /// What was expected.
    pub expected: Json,
    /// What came instead for that destination; `None` when nothing more came.
    pub found: Option<Json>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OUT line {} should be {}", self.index + 1, self.expected)?;
        match &self.found {
            Some(found) => write!(f, ", but {found} came"),
            None => write!(f, ", but nothing more came for that destination"),
        }
    }
}

impl Case {
    /// Reads a case.
    ///
    /// # Errors
    ///
    /// With the line that is wrong.
    pub fn parse(text: &str) -> Result<Self, CaseError> {
        let mut case = Self {
            store: StoreName::Versioned,
            timeout_ms: 5_000,
            input: Vec::new(),
            expected: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            let wrong = |what: String| CaseError {
                line: index + 1,
                what,
            };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let rest = rest.trim();
            match word {
                "IN" => case.input.push(rest.to_owned()),
                "OUT" => {
                    let json = serde_json::from_str(rest)
                        .map_err(|error| wrong(format!("OUT needs a JSON object: {error}")))?;
                    case.expected.push(json);
                }
                "STORE" => {
                    case.store = rest.parse().map_err(|error| wrong(format!("{error}")))?;
                }
                "TIMEOUT_MS" => {
                    case.timeout_ms = rest.parse().map_err(|error| {
                        wrong(format!("TIMEOUT_MS needs a number, not {rest:?}: {error}"))
                    })?;
                }
                other => {
                    return Err(wrong(format!(
                        "{other:?} is not known here; a line begins with IN, OUT, STORE, TIMEOUT_MS or #"
                    )));
                }
            }
        }
        if case.expected.is_empty() {
            return Err(CaseError {
                line: text.lines().count().max(1),
                what: "the case ends without an OUT line, so it would check nothing".to_owned(),
            });
        }
        Ok(case)
    }

    /// Compares the lines that a program wrote with the expected ones. `Ok` tells how many were
    /// compared.
    ///
    /// # Errors
    ///
    /// With the first line, in the order of the case, that differs or never came.
    pub fn compare(&self, output: &[Json]) -> Result<usize, Box<Mismatch>> {
        let mut by_destination: BTreeMap<String, VecDeque<&Json>> = BTreeMap::new();
        let destination = |line: &Json| line.get("dest").map(Json::to_string).unwrap_or_default();
        for line in output {
            by_destination
                .entry(destination(line))
                .or_default()
                .push_back(line);
        }
        for (index, expected) in self.expected.iter().enumerate() {
            let found = by_destination
                .get_mut(&destination(expected))
                .and_then(VecDeque::pop_front);
            if !found.is_some_and(|found| agrees(found, expected)) {
                return Err(Box::new(Mismatch {
                    index,
                    expected: expected.clone(),
                    found: found.cloned(),
                }));
            }
        }
        Ok(self.expected.len())
    }
}

/// True when a line is the expected one. An expected error that leaves its text out allows any.
fn agrees(found: &Json, expected: &Json) -> bool {
    let any_text = expected["body"]["type"] == "error" && expected["body"].get("text").is_none();
    if !any_text {
        return found == expected;
    }
    let mut found = found.clone();
    if let Some(body) = found.get_mut("body").and_then(Json::as_object_mut) {
        body.remove("text");
    }
    found == *expected
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEXT: &str = "# two answers\nSTORE dotted\nIN {\"a\":1}\nOUT {\"dest\":\"c1\",\"n\":1}\nOUT {\"dest\":\"c2\",\"n\":2}\n";

    #[test]
    fn order_counts_for_each_destination_and_more_output_is_allowed() {
        let case = Case::parse(TEXT).unwrap();
        assert_eq!((case.store, case.timeout_ms), (StoreName::Dotted, 5_000));
        let one = json!({"n": 1, "dest": "c1"});
        let two = json!({"n": 2, "dest": "c2"});
        assert_eq!(
            case.compare(&[two.clone(), one.clone(), one.clone()]),
            Ok(2)
        );
        let missing = case.compare(std::slice::from_ref(&two)).unwrap_err();
        assert_eq!((missing.index, missing.found), (0, None));
        let error = json!({"dest": "c1", "body": {"type": "error", "code": 12}});
        let mut told = error.clone();
        told["body"]["text"] = "why".into();
        assert!(agrees(&told, &error) && !agrees(&error, &told));
        let wrong = json!({"n": 3, "dest": "c2"});
        let mismatch = case.compare(&[one, wrong.clone(), two]).unwrap_err();
        assert_eq!((mismatch.index, mismatch.found), (1, Some(wrong)));
    }

    #[test]
    fn faults_in_a_case_are_told_with_their_line() {
        let message = |text: &str| Case::parse(text).unwrap_err().to_string();
        assert!(message("IN {}\nOUT {").starts_with("line 2: OUT needs"));
        assert!(message("IN {}").contains("would check nothing"));
        assert!(message("STORE x").starts_with("line 1: there is no store"));
        assert!(message("\nWAIT 3").starts_with("line 2: \"WAIT\""));
    }
}
