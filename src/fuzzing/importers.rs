//! Every importer, on files of every form, cut off and damaged.
//!
//! No bytes make an importer panic, whatever is said of the file, and what it says of them acts on no
//! terminal. One history has one verdict, in whatever form it is written. A file that is cut off
//! never makes a correct store look wrong.

use std::{collections::BTreeMap, fmt::Write};

use arbitrary::{Arbitrary, Unstructured};
use serde_json::{Value as Json, json};
use sibcheck_checkers::{
    Claim, Outcome,
    history::Tombstones,
    import::{Content, Import, Options, import_as, write_registers},
    judge,
    registers::{self, history::Action},
};

use super::{histories, reports::assert_harmless_line};

/// How events are written down.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Lines,
    Array,
    Pretty,
    ByteOrderMark,
    LittleEndian,
    BigEndian,
    EdnLines,
    EdnVector,
    Log,
}

impl Form {
    /// Jepsen's forms have no words for some of what the plain one can say.
    const fn is_jepsen(self) -> bool {
        matches!(self, Self::EdnLines | Self::EdnVector | Self::Log)
    }
}

/// What is done to a file.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Harm {
    form: Form,
    cut: u16,
    at: u16,
    byte: u8,
}

/// Reads the bytes as a file of which this and that is said, and as choices of a history, of a form
/// to write it in, and of what then becomes of it.
///
/// # Panics
///
/// When a form changes the verdict, a cut makes a violation, or text acts.
pub fn run(data: &[u8]) {
    for keyed in [None, Some(true), Some(false)] {
        let known = Tombstones::ALL.map(Some);
        for tombstones in [None].into_iter().chain(known) {
            let _ = outcome(data, Options { keyed, tombstones });
        }
    }
    let mut bytes = Unstructured::new(data);
    if let Ok(harm) = Harm::arbitrary(&mut bytes)
        && let Ok(history) = histories::decode(&mut bytes)
    {
        harmed(harm, &history);
    }
}

/// The outcome of what is read of a file, if anything is; what is said of it must not act.
fn outcome(file: &[u8], options: Options) -> Option<Outcome> {
    let Import {
        content,
        fault,
        notes,
        ..
    } = match import_as(file, "bytes of a fuzzer", options) {
        Ok(import) => import,
        Err(error) => {
            assert_harmless_line(&error.to_string());
            return None;
        }
    };
    for note in notes {
        assert_harmless_line(&note.to_string());
    }
    if let Some(fault) = fault {
        assert_harmless_line(&fault.to_string());
    }
    match content {
        Content::Registers(history) => {
            let verdict = registers::judge(&history, histories::BUDGET);
            let verdict = verdict.expect("an importer makes histories that make sense");
            Some(verdict.outcome)
        }
        Content::Siblings(history) => {
            let verdict = judge(&history, Claim::Causal);
            verdict.ok().map(|verdict| verdict.outcome)
        }
    }
}

fn harmed(harm: Harm, history: &registers::History) {
    let mut lines = Vec::new();
    let written = write_registers(history, &mut lines);
    assert!(written.is_ok(), "failed to write: {written:?}");
    let options = Options {
        // Values that happen to be pairs are not meant as such.
        keyed: harm.form.is_jepsen().then_some(false),
        ..Options::default()
    };
    let file = if harm.form.is_jepsen() {
        if !has_words(history) {
            return;
        }
        jepsen(harm.form, &lines)
    } else {
        plain(harm.form, lines.clone())
    };
    let whole = outcome(&file, options);
    let right = outcome(&lines, Options::default());
    let unknown = |outcome| outcome == Some(Outcome::Unknown);
    assert!(
        whole == right || unknown(whole) || unknown(right),
        "{right:?} became {whole:?} as {:?}: {history:?}",
        harm.form
    );
    let end = usize::from(harm.cut) % (file.len() + 1);
    let cut = outcome(&file[..end], options);
    assert!(
        whole != Some(Outcome::Valid) || cut != Some(Outcome::Violated),
        "a valid history is violated when it ends after {end} bytes as {:?}: {history:?}",
        harm.form
    );
    let mut damaged = file;
    if let Some(byte) = damaged.get_mut(usize::from(harm.at)) {
        *byte = harm.byte;
    }
    let _ = outcome(&damaged, options);
}

/// The lines of the plain form in another one.
fn plain(form: Form, lines: Vec<u8>) -> Vec<u8> {
    let values = || -> Vec<Json> {
        let values = serde_json::Deserializer::from_slice(&lines).into_iter();
        values.collect::<Result<_, _>>().unwrap_or_default()
    };
    let text = || String::from_utf8_lossy(&lines).into_owned();
    match form {
        Form::Array => Json::from(values()).to_string().into_bytes(),
        Form::Pretty => format!("{:#}", Json::from(values())).into_bytes(),
        Form::ByteOrderMark => format!("\u{feff}{}", text()).into_bytes(),
        Form::LittleEndian => {
            let units = format!("\u{feff}{}", text());
            units.encode_utf16().flat_map(u16::to_le_bytes).collect()
        }
        Form::BigEndian => {
            let units = format!("\u{feff}{}", text());
            units.encode_utf16().flat_map(u16::to_be_bytes).collect()
        }
        _ => lines,
    }
}

/// Whether Jepsen's forms say the same of a history: one register that holds nothing at first, and
/// simple values; refused compare-and-sets are failed ones there, which say nothing.
fn has_words(history: &registers::History) -> bool {
    let simple = |value: &Json| value.is_null() || value.is_u64() || value.is_string();
    let has_words = |operation: &registers::history::Operation| {
        let refused = matches!(
            operation.action,
            Action::CompareAndSet { swapped: false, .. }
        );
        let append = matches!(operation.action, Action::Append(_));
        operation.key == history.operations[0].key && !refused && !append
    };
    !history.operations.is_empty()
        && history.value(history.tables.initial).is_null()
        && history.tables.values.iter().all(simple)
        && history.operations.iter().all(has_words)
}

/// The events of the plain form as Jepsen's.
fn jepsen(form: Form, lines: &[u8]) -> Vec<u8> {
    let events = serde_json::Deserializer::from_slice(lines).into_iter::<Json>();
    let mut asked = BTreeMap::new();
    let mut processes: Vec<String> = Vec::new();
    let mut text = String::new();
    // The first line is a header.
    for event in events.skip(1).filter_map(Result::ok) {
        let client = event["client"].to_string();
        let known = processes.iter().position(|process| *process == client);
        let process = known.unwrap_or_else(|| {
            processes.push(client.clone());
            processes.len() - 1
        });
        let function = event["f"].as_str().map(str::to_owned);
        if let Some(function) = function {
            let value = match function.as_str() {
                "cas" => json!([event["expected"], event["value"]]),
                _ => event["value"].clone(),
            };
            asked.insert(process, (function, value));
        }
        let Some((function, value)) = asked.get(&process) else {
            continue;
        };
        let returned = event.get("value").filter(|_| event.get("f").is_none());
        let value = edn(returned.unwrap_or(value));
        let kind = event["type"].as_str().unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = match form {
            Form::Log => writeln!(text, "{process}\t:{kind}\t:{function}\t{value}"),
            _ => writeln!(
                text,
                "{{:process {process}, :type :{kind}, :f :{function}, :value {value}}}"
            ),
        };
    }
    match form {
        Form::EdnVector => format!("[{text}]").into_bytes(),
        _ => text.into_bytes(),
    }
}

fn edn(value: &Json) -> String {
    match value {
        Json::Null => "nil".to_owned(),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(edn).collect();
            format!("[{}]", items.join(" "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(crate::property_tests::drawing(2_000))]

        #[test]
        fn no_form_and_no_harm_changes_a_verdict(data in proptest::collection::vec(any::<u8>(), 0..120)) {
            super::run(&data);
        }
    }
}
