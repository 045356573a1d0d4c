//! Everything that parses: the wire, clocks, plans, histories and conformance cases.
//!
//! No bytes may make a parser panic, what is accepted survives being written and read again, and
//! no input makes a served store lose what it had accepted.

use std::time::Duration;

use serde_json::{Value as Json, json};
use sibcheck_checkers::{
    Claim,
    format::{read_history, write_history},
    judge,
};

use crate::{
    clocks::{Dot, VectorClock},
    nodes::Server,
    plans::{read_plan, write_plan},
    protocol::{Case, parse_line},
    stores::StoreName,
};

/// The key of the write that must be kept; see [`could_name_the_key`].
const KEPT_KEY: &str = "a key that no fuzzer writes to 4d9c1f0a";

/// A fuzzer that watches comparisons learns the key, and may then legitimately overwrite it.
fn could_name_the_key(data: &[u8]) -> bool {
    data.windows(8).any(|part| part == b"4d9c1f0a") || data.windows(2).any(|part| part == b"\\u")
}

/// Feeds the bytes to every parser and to a served store.
///
/// # Panics
///
/// When a parser loses something or a store forgets.
pub fn run(data: &[u8]) {
    for line in data.split(|byte| *byte == b'\n') {
        round_trips(line);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        files(text);
    }
    for store in StoreName::CORRECT {
        serves(store, data);
    }
}

fn round_trips(line: &[u8]) {
    if let Ok(envelope) = parse_line(line) {
        let again = parse_line(envelope.to_line().as_bytes());
        assert!(again == Ok(envelope), "a message changed in a round trip");
    }
    if let Ok(json) = serde_json::from_slice::<Json>(line) {
        let slots = ["n1".into(), "n2".into()];
        if let Ok(clock) = VectorClock::from_json(&json, &slots) {
            let again = VectorClock::from_json(&json!(clock), &slots);
            assert!(again == Ok(clock), "a clock changed in a round trip");
        }
        if let Ok(dot) = Dot::from_json(&json) {
            let again = Dot::from_json(&json!(dot));
            assert!(again == Ok(dot), "a dot changed in a round trip");
        }
    }
}

fn files(text: &str) {
    // Only that it returns.
    let _ = Case::parse(text);
    if let Ok(plan) = read_plan(text) {
        let mut saved = Vec::new();
        let written = write_plan(&plan, &mut saved);
        let again = read_plan(&String::from_utf8_lossy(&saved));
        assert!(
            written.is_ok() && again.is_ok_and(|again| again == plan),
            "a plan changed in a round trip"
        );
    }
    if let Ok(history) = read_history(text.as_bytes()) {
        let mut saved = Vec::new();
        let written = write_history(&history, &mut saved);
        let again = read_history(&saved[..]);
        assert!(
            written.is_ok() && again.is_ok_and(|again| again == history),
            "a history changed in a round trip"
        );
        for claim in Claim::ALL {
            if let Ok(verdict) = judge(&history, claim) {
                // Explaining must not fail either.
                let _ = verdict.to_json(&history);
            }
        }
    }
}

fn serves(store: StoreName, data: &[u8]) {
    let (write, read) = match store {
        StoreName::Versioned => ("vc_write", "vc_read"),
        _ => ("dvv_update", "dvv_get"),
    };
    let mut server = Server::new(store, Duration::from_secs(1));
    let ask = |server: &mut Server, body: Json| {
        let message = json!({"src": "keeper", "dest": "n1", "body": body});
        server.line(message.to_string().as_bytes());
        server.take_output()
    };
    ask(
        &mut server,
        json!({"type": "init", "msg_id": 1, "node_id": "n1", "node_ids": ["n1", "n2"]}),
    );
    ask(
        &mut server,
        json!({"type": write, "msg_id": 2, "key": KEPT_KEY, "value": "kept"}),
    );
    for line in data.split(|byte| *byte == b'\n') {
        server.line(line);
        for output in server.take_output() {
            assert!(
                parse_line(output.as_bytes()).is_ok(),
                "the node wrote a line that is no message: {output}"
            );
        }
        server.take_complaints();
    }
    let answer = ask(
        &mut server,
        json!({"type": read, "msg_id": 3, "key": KEPT_KEY}),
    )
    .concat();
    assert!(
        answer.contains("\"kept\"") || could_name_the_key(data),
        "after this input the store has forgotten a write: {answer}"
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(crate::property_tests::drawing(256))]

        #[test]
        fn no_bytes_do_harm(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            super::run(&data);
        }

        #[test]
        fn no_almost_right_message_does_harm(
            kind in prop::sample::select(vec!["vc_write", "vc_read", "dvv_update", "dvv_get", "init", "replicate", ""]),
            key in prop::sample::select(vec!["\"x\"", "7", "null", "[]"]),
            context in "[\\[{\"n1:,20\\]}]{0,12}",
        ) {
            let line = format!("{{\"src\":\"c1\",\"dest\":\"n1\",\"body\":{{\"type\":\"{kind}\",\"msg_id\":4,\"key\":{key},\"value\":1,\"context\":{context}}}}}");
            super::run(line.as_bytes());
        }
    }
}
