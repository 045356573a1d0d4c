//! `sibcheck node` through real pipes: the sample conformance cases, and lines that do harm.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic fails the test"
)]

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value as Json, json};
use sibcheck::protocol::Case;

struct Node {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Node {
    fn start(store: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sibcheck"))
            .args(["node", "--store", store])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    /// Ends the input, and returns what the node still wrote to stderr.
    fn end(mut self) -> String {
        drop(self.input.take());
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.output, &mut rest).unwrap();
        assert_eq!(rest, "", "nothing more should be answered");
        let output = self.child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

fn conforms(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpora/conformance")
        .join(name);
    let case = Case::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut node = Node::start(&case.store.unwrap().to_string());
    let mut lines = Vec::new();
    for line in &case.input {
        node.write(format!("{line}\n").as_bytes());
    }
    for _ in &case.expected {
        let line = node.line();
        assert!(line.ends_with("}\n"), "one object a line: {line:?}");
        lines.push(serde_json::from_str::<Json>(&line).unwrap());
    }
    let difference = case.difference(&lines);
    assert!(difference.is_none(), "{difference}");
    assert_eq!(node.end(), "");
}

#[test]
fn vc_write_then_read() {
    conforms("vc-write-read.txt");
}

#[test]
fn vc_read_of_a_missing_key() {
    conforms("vc-read-missing.txt");
}

#[test]
fn dvv_update() {
    conforms("dvv-update.txt");
}

#[test]
fn dvv_update_twice_then_get() {
    conforms("dvv-update-update-get.txt");
}

fn init() -> Vec<u8> {
    let body = json!({"type": "init", "msg_id": 1, "node_id": "n1", "node_ids": ["n1"]});
    let mut line = json!({"src": "c0", "dest": "n1", "body": body}).to_string();
    line.push('\n');
    line.into_bytes()
}

#[test]
fn an_answer_is_one_line_with_these_bytes() {
    let mut node = Node::start("versioned");
    node.write(&init());
    assert_eq!(
        node.line(),
        "{\"body\":{\"in_reply_to\":1,\"msg_id\":0,\"type\":\"init_ok\"},\"dest\":\"c0\",\"src\":\"n1\"}\n"
    );
    // In two pieces, with a carriage return.
    node.write(b"{\"src\":\"c1\",\"dest\":\"n1\",\"body\":{\"type\":\"vc_write\",\"msg_id\":2,");
    node.write(b"\"key\":\"x\",\"value\":\"hello\",\"context\":{}}}\r\n");
    assert_eq!(
        node.line(),
        "{\"body\":{\"in_reply_to\":2,\"key\":\"x\",\"msg_id\":1,\"type\":\"vc_write_ok\",\"vc\":{\"c1\":1}},\"dest\":\"c1\",\"src\":\"n1\"}\n"
    );
    assert_eq!(node.end(), "");
}

#[test]
fn harmful_lines_are_answered_or_noted_and_the_state_stays() {
    let mut node = Node::start("dotted");
    node.write(&init());
    node.line();
    let update = json!({"type": "dvv_update", "msg_id": 2, "key": "x", "value": "kept"});
    let send = |node: &mut Node, body: &Json| {
        node.write(format!("{}\n", json!({"src": "c1", "dest": "n1", "body": body})).as_bytes());
    };
    send(&mut node, &update);
    node.line();
    node.write(b"nonsense\n\n{\"src\":\"c1\"}\n\xff\xfe\x00\n[1,2]\n{\"a\":\n");
    node.write(&vec![b'['; 100_000]);
    node.write(b"\n");
    send(
        &mut node,
        &json!({"type": "dvv_update", "msg_id": 3, "key": 1, "value": 2}),
    );
    let error: Json = serde_json::from_str(&node.line()).unwrap();
    assert_eq!(
        (&error["body"]["code"], &error["body"]["in_reply_to"]),
        (&json!(12), &json!(3))
    );
    send(
        &mut node,
        &json!({"type": "dvv_get", "msg_id": 4, "key": "x"}),
    );
    let answer: Json = serde_json::from_str(&node.line()).unwrap();
    assert_eq!(answer["body"]["values"][0]["value"], "kept");
    let complaints = node.end();
    for line in [3, 5, 6, 7, 8, 9] {
        assert!(
            complaints.contains(&format!("sibcheck node: line {line}: ")),
            "line {line} should be complained of: {complaints}"
        );
    }
}
