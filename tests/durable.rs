//! `sibcheck node` with a data folder: what was acknowledged is there after a kill, and a folder that is not
//! the node's is refused and stays as it is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic fails the test"
)]

#[path = "support/mod.rs"]
mod support;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
};

use serde_json::{Value as Json, json};

struct Node {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// What a node left behind.
struct End {
    output: String,
    told: String,
    status: ExitStatus,
}

fn command(store: &str, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sibcheck"));
    command.args(["node", "--store", store, "--data-dir"]);
    command.arg(folder);
    command
}

impl Node {
    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// Starts it as the only node of its cluster.
    fn alone(store: &str, folder: &Path) -> Self {
        let mut node = Self::spawn(&mut command(store, folder));
        assert_eq!(node.init("n1", &["n1"])["type"], "init_ok");
        node
    }

    fn send(&mut self, body: &Json) {
        let line = json!({"src": "c1", "dest": "n1", "body": body});
        writeln!(self.input, "{line}").unwrap();
    }

    fn body(&mut self) -> Json {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let message: Json = serde_json::from_str(&line).unwrap_or(Json::Null);
        message["body"].clone()
    }

    fn ask(&mut self, body: &Json) -> Json {
        self.send(body);
        self.body()
    }

    fn init(&mut self, name: &str, names: &[&str]) -> Json {
        self.ask(&json!({"type": "init", "msg_id": 1, "node_id": name, "node_ids": names}))
    }

    /// The values of a key.
    fn read(&mut self, key: &str) -> Vec<Json> {
        let body = self.ask(&json!({"type": "dvv_get", "msg_id": 2, "key": key}));
        let values = body["values"].as_array().unwrap();
        values.iter().map(|value| value["value"].clone()).collect()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn end(mut self) -> End {
        drop(self.input);
        let (mut output, mut told) = (String::new(), String::new());
        self.output.read_to_string(&mut output).unwrap();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut told).unwrap();
        let status = self.child.wait().unwrap();
        End {
            output,
            told,
            status,
        }
    }
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    const WRITES: u64 = 300;
    for store in ["dynamo", "dotted"] {
        for group in ["1", "128"] {
            let folder = support::empty_folder(&format!("durable-{store}-{group}"));
            let start = || {
                let mut command = command(store, &folder);
                let mut node = Node::spawn(command.args(["--group-commit", group]));
                assert_eq!(node.init("n1", &["n1"])["type"], "init_ok");
                node
            };
            let mut acknowledged = BTreeSet::new();
            for life in 0..3u64 {
                let mut node = start();
                for number in 0..WRITES {
                    let (key, value) = (format!("key-{}", number % 7), life * WRITES + number);
                    node.send(
                        &json!({"type": "dvv_update", "msg_id": value, "key": key, "value": value}),
                    );
                }
                // It is killed at work: some of the writes wait for their sync or in the pipe.
                for _ in 0..WRITES / 3 {
                    let body = node.body();
                    assert_eq!(body["type"], "dvv_update_ok", "{body}");
                    acknowledged.insert(body["in_reply_to"].as_u64().unwrap());
                }
                node.kill();
            }
            let mut node = start();
            let read: BTreeSet<u64> = (0..7)
                .flat_map(|key| node.read(&format!("key-{key}")))
                .map(|value| value.as_u64().unwrap())
                .collect();
            assert_eq!(acknowledged.len() as u64, WRITES);
            let lost: Vec<_> = acknowledged.difference(&read).collect();
            assert_eq!(lost, [&0; 0], "{store}, syncs of {group} lines");
            let End { told, status, .. } = node.end();
            assert!(status.success() && told.is_empty(), "{told}");
        }
    }
}

#[test]
fn without_a_folder_nothing_is_kept_and_the_environment_names_one() {
    let folder = support::empty_folder("durable-environment");
    let mut found = Vec::new();
    for named in [false, false, true, true] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sibcheck"));
        command.args(["node", "--store", "dotted"]);
        command.env_remove("SIBCHECK_DATA_DIR");
        if named {
            command.env("SIBCHECK_DATA_DIR", &folder);
        }
        let mut node = Node::spawn(&mut command);
        node.init("n1", &["n1"]);
        found.push(node.read("x").len());
        node.ask(&json!({"type": "dvv_update", "msg_id": 3, "key": "x", "value": 1}));
        assert!(node.end().status.success());
    }
    assert_eq!(found, [0, 0, 0, 1]);
}

#[test]
fn a_folder_of_another_node_is_refused_by_the_answer_to_init() {
    let folder = support::empty_folder("durable-foreign");
    Node::alone("dynamo", &folder).kill();
    let before = files(&folder);
    for (name, names, told) in [
        (
            "n2",
            &["n2"][..],
            "the node n1, and this node has the node n2",
        ),
        (
            "n1",
            &["n1", "n2"],
            "the cluster n1, and this node has the cluster n1 n2",
        ),
    ] {
        let mut node = Node::spawn(&mut command("dynamo", &folder));
        let body = node.init(name, names);
        assert_eq!(
            (&body["type"], &body["code"]),
            (&json!("error"), &json!(22))
        );
        let end = node.end();
        assert_eq!(end.status.code(), Some(5));
        assert!(end.told.contains(told), "{}", end.told);
        assert!(body["text"].as_str().unwrap().contains(told), "{body}");
        assert_eq!(end.output, "");
        assert!(files(&folder) == before);
    }
}

#[test]
fn a_folder_of_another_store_or_version_and_one_in_use_are_refused_at_once() {
    let folder = support::empty_folder("durable-at-once");
    let holder = Node::alone("dynamo", &folder);
    let refuses = |store: &str, told: &str| {
        let before = files(&folder);
        let end = Node::spawn(&mut command(store, &folder)).end();
        assert_eq!(end.status.code(), Some(5), "{}", end.told);
        assert!(end.told.contains(told), "{}", end.told);
        assert_eq!(end.output, "");
        assert!(files(&folder) == before, "{told}");
    };
    refuses("dynamo", "another process uses it");
    holder.kill();
    refuses(
        "dotted",
        "the store dynamo, and this node has the store dotted",
    );
    refuses("dynamo:3-1-1", "the quorums 3-2-2");
    let header = folder.join("node.json");
    let text = fs::read_to_string(&header).unwrap();
    let (format, next) = ("\"sibcheck_node_format\":1", "\"sibcheck_node_format\":2");
    assert!(text.contains(format), "{text}");
    fs::write(&header, text.replace(format, next)).unwrap();
    refuses("dynamo", "it has format 2, and this version reads format 1");
    fs::write(&header, &text[..text.len() / 2]).unwrap();
    refuses("dynamo", "node.json is damaged");
}

#[test]
fn damaged_records_are_refused() {
    let folder = support::empty_folder("durable-damaged");
    let mut node = Node::alone("dynamo", &folder);
    for number in 0..50 {
        let key = format!("key-{number}");
        node.ask(&json!({"type": "dvv_update", "msg_id": 2, "key": key, "value": "v"}));
    }
    node.kill();
    let records = folder.join("records.redb");
    let mut bytes = fs::read(&records).unwrap();
    // Pages of before that count no more hold it, too.
    let places: Vec<usize> = (0..bytes.len() - 8)
        .filter(|at| bytes[*at..].starts_with(b"\"key-17\""))
        .collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place + 5] ^= 1;
    }
    fs::write(&records, &bytes).unwrap();
    let before = files(&folder);
    let mut node = Node::spawn(&mut command("dynamo", &folder));
    assert_eq!(node.init("n1", &["n1"])["code"], 22);
    let end = node.end();
    assert_eq!(end.status.code(), Some(5));
    assert!(end.told.contains("records.redb is damaged"), "{}", end.told);
    assert!(files(&folder) == before);
}

/// No file may get longer than a bound, as on a full disk.
#[test]
fn a_node_that_cannot_write_ends_without_acknowledging() {
    let folder = support::empty_folder("durable-full");
    let program = format!(
        "trap '' XFSZ; ulimit -f 4096; exec {} node --store dotted --data-dir {}",
        env!("CARGO_BIN_EXE_sibcheck"),
        folder.display()
    );
    let mut node = Node::spawn(Command::new("sh").args(["-c", &program]));
    assert_eq!(node.init("n1", &["n1"])["type"], "init_ok");
    let value = "v".repeat(100_000);
    let mut acknowledged = 0;
    loop {
        assert!(acknowledged < 100, "the bound was never reached");
        let key = format!("key-{acknowledged}");
        let body = json!({"type": "dvv_update", "msg_id": 2, "key": key, "value": value});
        if node.ask(&body).is_null() {
            break;
        }
        acknowledged += 1;
    }
    assert!(acknowledged > 3, "{acknowledged}");
    let end = node.end();
    assert_eq!(end.status.code(), Some(5), "{}", end.told);
    assert!(
        end.told.contains("failed to write the records"),
        "{}",
        end.told
    );
    let mut node = Node::alone("dotted", &folder);
    for number in 0..acknowledged {
        assert_eq!(node.read(&format!("key-{number}")).len(), 1, "key-{number}");
    }
}

/// A node that always has something to do must not forget its rounds.
#[test]
fn timers_go_off_while_requests_keep_coming() {
    let folder = support::empty_folder("durable-timers");
    let mut node = Node::spawn(command("dynamo", &folder).args(["--anti-entropy-ms", "80"]));
    node.init("n1", &["n1", "n2"]);
    let mut input = fs::File::from(
        std::os::fd::AsFd::as_fd(&node.input)
            .try_clone_to_owned()
            .unwrap(),
    );
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let busy = std::thread::spawn(move || {
        let pause = std::time::Duration::from_millis(2);
        while stopped.recv_timeout(pause) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let body = json!({"type": "walk", "msg_id": 9});
            writeln!(
                input,
                "{}",
                json!({"src": "c1", "dest": "n1", "body": body})
            )
            .unwrap();
        }
    });
    let mut answers = 0;
    let round = (0..20_000).find(|_| {
        let body = node.body();
        answers += u32::from(body["code"] == 10);
        body["type"] == "dynamo"
    });
    stop.send(()).unwrap();
    busy.join().unwrap();
    assert!(round.is_some(), "no round in {answers} answers");
    assert!(answers > 5, "it was not busy: {answers}");
    node.kill();
}

#[test]
fn crashes_lose_nothing_in_virtual_time() {
    let folder = support::empty_folder("durable-virtual");
    let bin = format!("{} node --store dynamo", env!("CARGO_BIN_EXE_sibcheck"));
    let check = |bin: &str, expected: i32| {
        let words = ["check", "--bin", bin, "--dialect", "dvv", "--nodes", "3"];
        let more = [
            "--faults", "crash", "--time", "virtual", "--runs", "4", "--seed", "1",
        ];
        let claim = ["--claim", "quorum"];
        let output = support::sibcheck(&folder, &[&words[..], &more, &claim].concat())
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(expected), "{told}{errors}");
    };
    check(&bin, 0);
    // A node that forgets gives its dots out again.
    check(&format!("env -u SIBCHECK_DATA_DIR {bin}"), 1);
}
