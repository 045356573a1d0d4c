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
//! any. `STORE none` marks a case in a dialect that no store of this project speaks.

use serde_json::Value as Json;
use sibcheck_checkers::outside::Outside;

use crate::stores::StoreName;

use super::Difference;

/// A conformance case.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The store that `sibcheck replay` checks with this case; `None` when it is for programs only.
    pub store: Option<StoreName>,
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

impl Case {
    /// Reads a case.
    ///
    /// # Errors
    ///
    /// With the line that is wrong.
    pub fn parse(text: &str) -> Result<Self, CaseError> {
        let mut case = Self {
            store: Some(StoreName::Versioned),
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
                    let json = serde_json::from_str(rest).map_err(|error| {
                        wrong(format!("OUT needs a JSON object: {}", Outside(error)))
                    })?;
                    case.expected.push(json);
                }
                "STORE" if rest == "none" => case.store = None,
                "STORE" => {
                    let store = rest.parse().map_err(|error| wrong(format!("{error}")))?;
                    case.store = Some(store);
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

    /// Compares the lines that a program wrote with the expected ones.
    pub fn difference(&self, output: &[Json]) -> Difference {
        Difference::new(&self.expected, output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# two answers\nSTORE dotted\nIN {\"a\":1}\nOUT {\"dest\":\"c1\",\"n\":1}\nOUT {\"dest\":\"c2\",\"n\":2}\n";

    #[test]
    fn a_case_names_its_store_or_none() {
        let case = Case::parse(TEXT).unwrap();
        let expected = (Some(StoreName::Dotted), 5_000);
        assert_eq!((case.store, case.timeout_ms), expected);
        let case = Case::parse(&TEXT.replace("dotted", "none")).unwrap();
        assert_eq!(case.store, None);
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
