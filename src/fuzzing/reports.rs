//! Reports of hostile histories and errors of hostile files: nothing in them acts on a terminal.
//!
//! Names, values and fields hold what the bytes choose, most of all what acts. Every report and every
//! error that comes of it holds no character that acts but line feeds and the colours of reports, and
//! as JSON it says what was recorded.

use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use serde_json::{Map, Value as Json, json};
use sibcheck_checkers::{
    Claim, History, Judged,
    format::{Recorded, read_any},
    import::{Content, import},
    judge, outside, registers, strongest,
};

use crate::{
    plans::read_plan,
    protocol::{Case, parse_line},
    reports::{FORMATS, Found, Judgement, Page, Source, Told, Verified, json as json_report},
    workloads::Dialect,
};

use super::histories::BUDGET;

/// What acts, and what is used to break out of quotes.
const HOSTILE: [&str; 16] = [
    "\u{1b}[2J",
    "\u{1b}[32m",
    "\u{9b}31m",
    "\n",
    "\r",
    "\t",
    "\0",
    "\u{7f}",
    "\u{85}",
    "\u{202e}",
    "\u{2066}",
    "\u{2028}",
    "\u{200b}",
    "\u{feff}",
    "\"",
    "\\",
];

/// Asserts that nothing acts in a text but line feeds.
///
/// # Panics
///
/// When something does.
pub(super) fn assert_harmless(text: &str) {
    let acting = text
        .chars()
        .find(|letter| *letter != '\n' && outside::acts(*letter));
    assert!(acting.is_none(), "{acting:?} acts in {text:?}");
}

/// Asserts that nothing acts in a text, which is one line.
///
/// # Panics
///
/// When something does.
pub(super) fn assert_harmless_line(text: &str) {
    let acting = text.chars().find(|letter| outside::acts(*letter));
    assert!(acting.is_none(), "{acting:?} acts in {text:?}");
}

/// Reads the bytes as files of every kind, and as choices of hostile histories.
///
/// # Panics
///
/// When a report or an error acts.
pub fn run(data: &[u8]) {
    files(data);
    let mut bytes = Unstructured::new(data);
    if let Ok(text) = siblings(&mut bytes) {
        files(text.as_bytes());
    }
    if let Ok(text) = events(&mut bytes) {
        files(text.as_bytes());
    }
}

fn files(data: &[u8]) {
    match read_any(data) {
        Ok(Recorded::Siblings(history)) => report(&history),
        Ok(Recorded::Registers(history)) => {
            if let Some(found) = judge_registers(history) {
                let source = None;
                reported(Judgement { found, source });
            }
        }
        Err(error) => assert_harmless_line(&error.to_string()),
    }
    match import(data, "bytes of a fuzzer") {
        Ok(import) => {
            let found = match import.content {
                Content::Registers(history) => judge_registers(history),
                Content::Siblings(history) => {
                    report(&history);
                    let verdict = judge(&history, Claim::Eventual).ok();
                    let history = Arc::new(history);
                    verdict.map(|verdict| Found::Judged(Box::new(Judged { history, verdict })))
                }
            };
            let source = Some(Source {
                format: import.format,
                notes: import.notes,
                fault: import.fault,
            });
            if let Some(found) = found {
                reported(Judgement { found, source });
            }
        }
        Err(error) => assert_harmless_line(&error.to_string()),
    }
    if let Err(error) = parse_line(data) {
        assert_harmless_line(&error.to_string());
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Err(error) = read_plan(text) {
        assert_harmless_line(&error.to_string());
    }
    if let Err(error) = Case::parse(text) {
        assert_harmless_line(&error.to_string());
    }
    // It shows the line of the file on lines of its own.
    if let Err(error) = Dialect::from_toml(text) {
        assert_harmless(&error.to_string());
    }
}

fn judge_registers(history: registers::History) -> Option<Found> {
    let verdict = registers::judge(&history, BUDGET).ok()?;
    let history = Arc::new(history);
    Some(Found::Judged(Box::new(Judged { history, verdict })))
}

/// Every report of a history.
fn report(history: &History) {
    for claim in Claim::ALL {
        match judge(history, claim) {
            Ok(verdict) => {
                for violation in &verdict.violations {
                    assert_harmless_line(&violation.sentence(history));
                    for step in violation.steps(history) {
                        assert_harmless_line(&step.text);
                    }
                    for moment in violation.timeline(history).moments {
                        assert_harmless_line(&moment.line());
                    }
                }
                let judged = Judged {
                    history: Arc::new(history.clone()),
                    verdict,
                };
                reported(Judgement {
                    found: Found::Judged(Box::new(judged)),
                    source: None,
                });
            }
            Err(fault) => assert_harmless_line(&fault.to_string()),
        }
    }
    if let Ok(strongest) = strongest(history) {
        let found = Found::Strongest {
            history: Arc::new(history.clone()),
            strongest: strongest.into(),
        };
        reported(Judgement {
            found,
            source: None,
        });
    }
}

/// Reports in all formats are harmless, and the one for programs loses nothing by it.
fn reported(judgement: Judgement) {
    let told = json_report::judgement(&judgement);
    let text = json_report::line(&told);
    let again = serde_json::from_str::<Json>(&text).ok();
    assert!(again.as_ref() == Some(&told), "{text} is not {told}");
    let verified = Verified {
        file: "bytes of a fuzzer".into(),
        alone: true,
        came: Ok(judgement),
    };
    let page = Page {
        width: 60,
        verbose: false,
    };
    for format in FORMATS {
        let text = format.write(page, Told::Verify(&verified));
        assert_harmless(&uncoloured(&text));
    }
}

/// A report for people without its colours.
fn uncoloured(report: &str) -> String {
    let styles = ["1", "0", "31", "32", "33"].map(|style| format!("\u{1b}[{style}m"));
    let mut text = report.to_owned();
    for style in styles {
        text = text.replace(&style, "");
    }
    text
}

/// A name or a text: some hostile parts, and some of any letters.
fn text(bytes: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    let mut text = String::new();
    for _ in 0..bytes.int_in_range(1..=4)? {
        match bytes.int_in_range(0..=3)? {
            0 => text.push(char::arbitrary(bytes)?),
            _ => text += *bytes.choose(&HOSTILE)?,
        }
    }
    Ok(text)
}

/// The names that a history draws from.
struct Names([String; 3]);

impl Names {
    fn draw(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        Ok(Self([text(bytes)?, text(bytes)?, "c".to_owned()]))
    }

    fn any<'n>(&'n self, bytes: &mut Unstructured<'_>) -> arbitrary::Result<&'n str> {
        Ok(bytes.choose(&self.0)?)
    }

    fn clock(&self, bytes: &mut Unstructured<'_>) -> arbitrary::Result<Json> {
        let mut clock = Map::new();
        for _ in 0..bytes.int_in_range(0..=2)? {
            clock.insert(
                self.any(bytes)?.to_owned(),
                bytes.int_in_range(0..=3_u8)?.into(),
            );
        }
        Ok(clock.into())
    }
}

/// A history of siblings in the project's own form, often violated.
fn siblings(bytes: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    let names = Names::draw(bytes)?;
    let count = bytes.int_in_range(2..=6_u64)?;
    let header = json!({
        "sibcheck_history": 2,
        "origin": names.any(bytes)?,
        "tombstones": "shown",
        "operations": count,
        "faults": 1,
    });
    let (node, other) = (names.any(bytes)?, names.any(bytes)?);
    let fault = json!({
        "fault": 0, "kind": "partition", "links": [[node, other]], "began_ns": 0, "ended_ns": 90,
        "affected": 1, "messages": [{"ns": 1, "from": node, "to": other}],
    });
    let mut lines = vec![header, fault];
    for op in 0..count {
        let mut line = json!({
            "op": op,
            "client": names.any(bytes)?,
            "node": names.any(bytes)?,
            "key": names.any(bytes)?,
            "invoked_ns": op * 10,
            "completed_ns": op * 10 + bytes.int_in_range(1..=25)?,
            "status": "ok",
        });
        let value = |bytes: &mut Unstructured<'_>| -> arbitrary::Result<Json> {
            let number = bytes.int_in_range(0..=count)?;
            Ok(json!(format!("{}{number}", names.0[0])))
        };
        match bytes.int_in_range(0..=3)? {
            0 | 1 => {
                line["write"] =
                    json!({"value": format!("{}{op}", names.0[0]), "clock": names.clock(bytes)?});
                if bool::arbitrary(bytes)? {
                    line["write"]["context"] = names.clock(bytes)?;
                }
            }
            2 => {
                line["delete"] = json!({"dot": [names.any(bytes)?, bytes.int_in_range(1..=3_u8)?]});
            }
            _ => {
                let mut siblings = Vec::new();
                for _ in 0..bytes.int_in_range(0..=2)? {
                    siblings.push(json!({"value": value(bytes)?, "clock": names.clock(bytes)?}));
                }
                line["read"] = json!({"siblings": siblings, "final": bool::arbitrary(bytes)?});
            }
        }
        if bytes.ratio(1, 16)? {
            line[names.any(bytes)?] = json!(names.any(bytes)?);
        }
        lines.push(line);
    }
    let lines: Vec<String> = lines.iter().map(Json::to_string).collect();
    Ok(lines.join("\n") + "\n")
}

/// Events of registers or of siblings, in the plain form.
fn events(bytes: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    let names = Names::draw(bytes)?;
    let mut lines = Vec::new();
    for _ in 0..bytes.int_in_range(2..=6)? {
        let (client, key, f) = (
            names.any(bytes)?,
            names.any(bytes)?,
            *bytes.choose(&["read", "write", "cas", "append", "?"])?,
        );
        let f = if f == "?" { names.any(bytes)? } else { f };
        let kind = *bytes.choose(&["ok", "ok", "fail", "info"])?;
        let (value, other) = (names.any(bytes)?, names.any(bytes)?);
        let value = match bytes.int_in_range(0..=3)? {
            0 => json!([key, value]),
            1 => json!({"value": value, "clock": names.clock(bytes)?}),
            _ => json!(value),
        };
        let asked = json!({"type": "invoke", "client": client, "key": key, "f": f, "value": value, "expected": other});
        let answered = json!({"type": kind, "client": client, "key": key, "f": f, "value": value});
        lines.extend([asked.to_string(), answered.to_string()]);
    }
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(crate::property_tests::drawing(300))]

        #[test]
        fn no_report_acts(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            super::run(&data);
        }
    }

    #[test]
    fn hostile_histories_are_often_read_and_violated() {
        let mut violated = 0;
        let mut read = 0;
        for seed in 0..400_u64 {
            let data: Vec<u8> = (0..60)
                .flat_map(|at| {
                    (seed * 977 + at)
                        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                        .to_be_bytes()
                })
                .collect();
            let text = super::siblings(&mut arbitrary::Unstructured::new(&data)).unwrap();
            if let Ok(history) = sibcheck_checkers::format::read_history(text.as_bytes()) {
                read += 1;
                let verdict = sibcheck_checkers::judge(&history, sibcheck_checkers::Claim::Causal);
                violated += u32::from(verdict.is_ok_and(|verdict| !verdict.violations.is_empty()));
            }
        }
        assert!(
            read > 200 && violated > 100,
            "{read} read, {violated} violated"
        );
    }
}
