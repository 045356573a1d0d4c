//! `cargo bench --bench node`: what a data folder costs a node of the store `dynamo`, through its pipes.
//! A thousand keys: `cargo bench --bench node -- 1000`; else a million.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints figures of this machine, and ends where something is wrong"
)]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};

/// Puts of one measurement of speed.
const PUTS: u64 = 20_000;

/// The value of a put: 100 bytes.
fn value(number: u64) -> String {
    format!("{number:0100}")
}

struct Node {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Node {
    /// Starts the only node of a cluster, and waits until it has its records.
    fn start(folder: Option<&Path>, group: u64) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sibcheck"));
        command.args(["node", "--store", "dynamo", "--group-commit"]);
        command.arg(group.to_string());
        command.env_remove("SIBCHECK_DATA_DIR");
        if let Some(folder) = folder {
            command.arg("--data-dir").arg(folder);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut node = Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        };
        let body = json!({"type": "init", "msg_id": 0, "node_id": "n1", "node_ids": ["n1"]});
        writeln!(
            node.input,
            "{}",
            json!({"src": "c1", "dest": "n1", "body": body})
        )
        .unwrap();
        assert_eq!(node.answer()["type"], "init_ok");
        node
    }

    fn answer(&mut self) -> Json {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let message: Json = serde_json::from_str(&line).unwrap();
        message["body"].clone()
    }

    /// Puts values to as many keys, of which so many are always under way, and returns how long each took.
    fn put(&mut self, keys: u64, under_way: u64) -> (Duration, Vec<Duration>) {
        let begin = Instant::now();
        let (mut sent, mut spans) = (Vec::new(), Vec::new());
        for number in 0..keys + under_way {
            if number >= under_way {
                assert_eq!(self.answer()["type"], "dvv_update_ok");
                let answered: &Instant = &sent[spans.len()];
                spans.push(answered.elapsed());
            }
            if number < keys {
                // In no order, as clients do.
                let key = format!("key-{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
                let body = json!({"type": "dvv_update", "msg_id": number + 1, "key": key, "value": value(number)});
                sent.push(Instant::now());
                writeln!(
                    self.input,
                    "{}",
                    json!({"src": "c1", "dest": "n1", "body": body})
                )
                .unwrap();
            }
        }
        spans.sort_unstable();
        (begin.elapsed(), spans)
    }

    /// Its memory in MiB.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1024
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// An empty folder beside what cargo builds, on a real disk.
fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-node");
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn main() {
    println!(
        "| data folder | lines a sync | puts under way | puts a second | median | 99th of 100 |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    for (kept, group, under_way) in [
        (false, 1, 1),
        (false, 1, 128),
        (true, 1, 1),
        (true, 1, 128),
        (true, 16, 128),
        (true, 128, 128),
    ] {
        let folder = folder();
        let mut node = Node::start(kept.then_some(&*folder), group);
        let (span, spans) = node.put(PUTS, under_way);
        let at = |percent: usize| spans[(spans.len() - 1) * percent / 100].as_secs_f64() * 1e3;
        println!(
            "| {} | {group} | {under_way} | {:.0} | {:.2} ms | {:.2} ms |",
            if kept { "yes" } else { "none" },
            f64::from(u32::try_from(PUTS).unwrap()) / span.as_secs_f64(),
            at(50),
            at(99),
        );
        node.kill();
    }
    let keys = std::env::args().find_map(|word| word.parse().ok());
    let keys: u64 = keys.unwrap_or(1_000_000);
    let folder = folder();
    let mut node = Node::start(Some(&folder), 1_024);
    let (span, _) = node.put(keys, 1_024);
    println!(
        "{keys} keys of 20 bytes with values of 100: written in {:.1} s, {} MiB of memory",
        span.as_secs_f64(),
        node.memory()
    );
    node.kill();
    let bytes = fs::metadata(folder.join("records.redb")).unwrap().len();
    let begin = Instant::now();
    let node = Node::start(Some(&folder), 1_024);
    println!(
        "after a kill: {} MiB on disk, ready in {:.1} s, {} MiB of memory",
        bytes >> 20,
        begin.elapsed().as_secs_f64(),
        node.memory()
    );
    node.kill();
    let _ = fs::remove_dir_all(&folder);
}
