//! No process of a node, nor of its descendants, outlives the run: however it ends.
//!
//! `cargo test --release --test orphans -- --ignored --nocapture` does a hundred runs in lockstep and as
//! many in virtual time, and prints what was left over, by kind of end.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a panic fails the test, and it waits in real time"
)]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use support::{have, of_each, sibcheck};

/// A node that has a child in its group, one in a session of its own, and one that was orphaned,
/// each of which does nothing for an hour; TOKEN names them on their command lines.
const NODE: &str = r#"
import json, signal, subprocess, sys, time
token, end = sys.argv[1:]
def sleeper(**options): subprocess.Popen(["sleep", "3600." + token], **options)
sleeper()
sleeper(start_new_session=True)
subprocess.run(["sh", "-c", "sleep 3600." + token + " & exec setsid sleep 3600." + token + " &"])
for count, line in enumerate(sys.stdin):
    m = json.loads(line); b = m["body"]; r = {"in_reply_to": b["msg_id"]}
    if end == "fails" and count == 20: sys.exit(3)
    if end == "slow" and count: time.sleep(0.02)
    if b["type"] == "init":
        me = b["node_id"]; r["type"] = "init_ok"
        if end == "starts": time.sleep(0.3)
    elif end == "violates" and b["type"] == "vc_read": r.update(type="vc_read_ok", values=[{"value": "nobody's", "vc": {"a": 1}}])
    else: r.update(type="error", code=11, text="busy")
    print(json.dumps({"src": me, "dest": m["src"], "body": r}), flush=True)
if end == "stays":
    for each in signal.SIGTERM, signal.SIGHUP, signal.SIGINT: signal.signal(each, signal.SIG_IGN)
    sleeper(start_new_session=True)
    while True: time.sleep(1)
"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Normal,
    NodeFails,
    /// A violation is found, and shrunk.
    Violation,
    /// The nodes go on after their input has ended.
    NodesStay,
    Interrupt,
    InterruptAtStart,
    InterruptWhileShrinking,
    Terminate,
    Kill,
    KillAtStart,
}

impl End {
    const ALL: [Self; 10] = [
        Self::Normal,
        Self::NodeFails,
        Self::Violation,
        Self::NodesStay,
        Self::Interrupt,
        Self::InterruptAtStart,
        Self::InterruptWhileShrinking,
        Self::Terminate,
        Self::Kill,
        Self::KillAtStart,
    ];

    /// What the node is told to do.
    const fn of_node(self) -> &'static str {
        match self {
            Self::Normal => "ends",
            Self::NodeFails => "fails",
            Self::Violation | Self::InterruptWhileShrinking => "violates",
            Self::NodesStay => "stays",
            Self::InterruptAtStart | Self::KillAtStart => "starts",
            Self::Interrupt | Self::Terminate | Self::Kill => "slow",
        }
    }

    /// The signal that ends the harness.
    const fn signal(self) -> Option<&'static str> {
        match self {
            Self::Normal | Self::NodeFails | Self::Violation | Self::NodesStay => None,
            Self::Interrupt | Self::InterruptAtStart | Self::InterruptWhileShrinking => {
                Some("-INT")
            }
            Self::Terminate => Some("-TERM"),
            Self::Kill | Self::KillAtStart => Some("-KILL"),
        }
    }
}

/// Processes with the token on their command line, zombies left out.
fn alive(token: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| {
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(token).then_some(line)
        })
        .collect()
}

fn start(folder: &PathBuf, token: &str, end: End, time: &str) -> Child {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("node.py"), NODE).unwrap();
    let how = end.of_node();
    let bin = format!("python3 node.py {token} {how}");
    let (ops, runs) = if end.signal().is_some() {
        ("900", "90")
    } else {
        ("30", "1")
    };
    let check = format!(
        "--dialect vc --faults none --leave-out all --time {time} --nodes 2 --ops {ops} --runs {runs} \
         --patience-ms 60 --shrink-for 3s"
    );
    let arguments: Vec<&str> = ["check", "--bin", &bin]
        .into_iter()
        .chain(check.split(' '))
        .collect();
    sibcheck(folder, &arguments)
        .stdout(fs::File::create(folder.join("said")).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Whether the harness has come to where it is to be ended.
fn is_there(folder: &Path, token: &str, end: End) -> bool {
    match end {
        End::InterruptAtStart | End::KillAtStart => !alive(token).is_empty(),
        // What is saved before it is shrunk.
        End::InterruptWhileShrinking => {
            fs::read_dir(folder.join("sibcheck-results")).is_ok_and(|mut found| {
                found.any(|entry| entry.is_ok_and(|entry| entry.path().join("plan.json").exists()))
            })
        }
        // Two nodes with three or four sleepers each run: it is in the middle of its work.
        _ => alive(&format!("3600.{token}")).len() >= 8,
    }
}

/// One run, and what is left of it after two seconds.
fn left_over(number: u32, end: End, time: &str) -> Vec<String> {
    let token = format!("{:07}{number:03}", std::process::id());
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("orphans-{time}-{number}"));
    let mut harness = start(&folder, &token, end, time);
    if let Some(signal) = end.signal() {
        let began = Instant::now();
        while !is_there(&folder, &token, end) {
            let gone = harness.try_wait().unwrap();
            if gone.is_some() {
                let said = fs::read_to_string(folder.join("said")).unwrap_or_default();
                panic!("{end:?}: it ended by itself: {gone:?}\n{said}");
            }
            assert!(
                began.elapsed() < Duration::from_mins(1),
                "{end:?}: it does not start"
            );
            sleep(Duration::from_millis(5));
        }
        sleep(Duration::from_millis(u64::from(number % 10) * 7));
        let id = harness.id().to_string();
        Command::new("kill").args([signal, &id]).status().unwrap();
    }
    harness.wait().unwrap();
    let ended = Instant::now();
    let mut left = alive(&token);
    while !left.is_empty() && ended.elapsed() < Duration::from_secs(2) {
        sleep(Duration::from_millis(5));
        left = alive(&token);
    }
    let _ = fs::remove_dir_all(&folder);
    left
}

fn do_runs(time: &str, first: u32, each: u32) {
    if !have("python3") || !have("setsid") {
        return;
    }
    let ends: Vec<(u32, End)> = (0..).zip(End::ALL).collect();
    of_each(&ends, |&(position, end)| {
        let numbers = first + position * each..first + (position + 1) * each;
        let left: Vec<String> = numbers
            .flat_map(|number| left_over(number, end, time))
            .collect();
        println!(
            "{each} runs, {time}, {end:?}: {} processes left over",
            left.len()
        );
        assert!(left.is_empty(), "{left:#?}");
    });
}

#[test]
fn nothing_is_left_over_however_a_run_ends() {
    do_runs("lockstep", 900, 1);
}

#[test]
fn nothing_is_left_over_of_programs_whose_clock_is_ours() {
    if cfg!(target_arch = "x86_64") {
        do_runs("virtual", 920, 1);
    }
}

#[test]
#[ignore = "takes a minute or two"]
fn a_hundred_runs_leave_nothing_over() {
    do_runs("lockstep", 0, 10);
}

#[test]
#[ignore = "takes a minute or two"]
fn a_hundred_runs_in_virtual_time_leave_nothing_over() {
    if cfg!(target_arch = "x86_64") {
        do_runs("virtual", 200, 10);
    }
}
