//! The process layer against small programs that behave as nodes in the wild do.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods
)]

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use sibcheck::{
    interrupt::Interrupt,
    nodes::process::{
        Ended, ExternalError, Idle, Launch, Limits, Line, Process, Storm, Unsettled, Waited,
        supported,
    },
};

const SOON: Duration = Duration::from_secs(10);

/// A folder that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(env::temp_dir().join(format!("external-test-{}-{number}", std::process::id())))
    }

    fn launch(&self, argv: &[&str]) -> Launch {
        Launch {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            folder: self.0.join("data"),
            stderr_file: self.0.join("logs/n1.stderr"),
            interrupt: Interrupt::default(),
            tracing: None,
            name: "n1".to_owned(),
            guard: None,
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Node {
    process: Process,
    out: Vec<Line>,
    scratch: Scratch,
}

impl Node {
    fn start(argv: &[&str]) -> Option<Self> {
        if !supported() {
            eprintln!("skipped: this system does not show threads");
            return None;
        }
        let installed = Command::new(argv[0])
            .arg("-c")
            .arg("")
            .stdin(Stdio::null())
            .status();
        if installed.is_err() {
            eprintln!("skipped: no {}", argv[0]);
            return None;
        }
        let scratch = Scratch::new();
        let mut process = Process::spawn(&scratch.launch(argv)).expect("start");
        process.set_patience(SOON);
        let mut out = Vec::new();
        assert_eq!(process.settle(&mut out).expect("settle"), Idle::Reached);
        let node = Self {
            process,
            out,
            scratch,
        };
        Some(node)
    }

    fn python(program: &str) -> Option<Self> {
        Self::start(&["python3", "-c", program])
    }

    fn sh(program: &str) -> Option<Self> {
        Self::start(&["sh", "-c", program])
    }

    fn texts(&mut self) -> Vec<String> {
        let lines = self.out.drain(..);
        lines
            .map(|line| String::from_utf8(line.bytes).expect("text"))
            .collect()
    }

    /// Delivers a line; the program must rest, having answered with exactly these.
    #[track_caller]
    fn answers(&mut self, line: &str, expected: &[&str]) {
        let idle = self.process.deliver(line, &mut self.out).expect("deliver");
        assert_eq!(idle, Idle::Reached, "after {line}");
        assert_eq!(self.texts(), expected, "after {line}");
    }
}

fn is_running(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

#[track_caller]
fn ends_soon(process: u32) {
    let start = Instant::now();
    while is_running(process) {
        assert!(start.elapsed() < SOON, "{process} still runs");
        sleep(Duration::from_millis(1));
    }
}

/// Keeps processors busy until dropped.
struct Burners(Vec<std::process::Child>);

impl Burners {
    fn new(count: u32) -> Self {
        let burn = |_| {
            Command::new("sh")
                .args(["-c", "while :; do :; done"])
                .spawn()
                .expect("burn")
        };
        Self((0..count).map(burn).collect())
    }
}

impl Drop for Burners {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

const ECHO: &str = "
import sys
for line in sys.stdin:
    print(line, end='', flush=True)
";

#[test]
fn echo_answers_at_once() {
    let Some(mut node) = Node::python(ECHO) else {
        return;
    };
    for number in 0..1000 {
        let line = format!("line {number}");
        node.answers(&line, &[&line]);
    }
}

#[test]
fn the_data_folder_is_the_working_folder() {
    let Some(mut node) = Node::sh("while read x; do pwd; echo $SIBCHECK_DATA_DIR; done") else {
        return;
    };
    let folder = node.scratch.0.join("data").to_string_lossy().into_owned();
    node.answers("x", &[&folder, &folder]);
}

#[test]
fn carriage_returns_and_empty_lines() {
    let Some(mut node) = Node::sh(r"while read x; do printf 'a\r\n\nb\r\nhalf'; done") else {
        return;
    };
    node.answers("x", &["a", "", "b"]);
    node.answers("x", &["halfa", "", "b"]);
}

#[test]
fn silence_is_rest() {
    let Some(mut node) = Node::python("import sys\nfor line in sys.stdin: pass") else {
        return;
    };
    for _ in 0..200 {
        node.answers("x", &[]);
    }
}

#[test]
fn a_partial_line_at_exit_is_handed_over() {
    let Some(mut node) = Node::sh(r"read x; echo full; printf part; echo why >&2; exit 3") else {
        return;
    };
    let error = node.process.deliver("x", &mut node.out).expect_err("died");
    let ExternalError::Died {
        ref name,
        status,
        ref last_words,
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (name.as_str(), status.and_then(|status| status.code())),
        ("n1", Some(3))
    );
    assert_eq!(last_words.tail, ["why"]);
    assert!(
        error.to_string().contains("n1 died (exit status: 3)"),
        "{error}"
    );
    assert_eq!(
        node.out.iter().map(|line| line.ended).collect::<Vec<_>>(),
        [true, false]
    );
    assert_eq!(node.texts(), ["full", "part"]);
    let again = node
        .process
        .deliver("x", &mut node.out)
        .expect_err("still dead");
    assert!(matches!(again, ExternalError::Died { .. }));
}

#[test]
fn death_at_the_third_request_is_noticed() {
    for end in ["sys.exit(1)", "os.kill(os.getpid(), 9)", "os.abort()"] {
        let program = format!(
            "
import os, sys
for number, line in enumerate(sys.stdin):
    if number == 2: {end}
    print(line, end='', flush=True)
"
        );
        let Some(mut node) = Node::python(&program) else {
            return;
        };
        node.answers("1", &["1"]);
        node.answers("2", &["2"]);
        let start = Instant::now();
        let error = node.process.deliver("3", &mut node.out).expect_err("died");
        assert!(
            matches!(
                error,
                ExternalError::Died {
                    status: Some(_),
                    ..
                }
            ),
            "{error}"
        );
        // A core may be written by `abort`.
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "{:?}",
            start.elapsed()
        );
    }
}

#[test]
fn death_between_requests_is_noticed() {
    let Some(mut node) = Node::sh("sleep 0.05") else {
        return;
    };
    let error = node.process.wait(SOON, &mut node.out).expect_err("died");
    assert!(matches!(error, ExternalError::Died { .. }), "{error}");

    let Some(mut node) = Node::sh("sleep 0.05") else {
        return;
    };
    sleep(Duration::from_millis(200));
    let error = node.process.deliver("x", &mut node.out).expect_err("died");
    assert!(matches!(error, ExternalError::Died { .. }), "{error}");
}

#[test]
fn closed_pipes_of_a_living_program_are_named() {
    for (program, stream) in [
        (
            "import os,time; os.close(1); input(); time.sleep(60)",
            "stdout",
        ),
        (
            "import os,time,sys; input(); os.close(0); print(1, flush=True); time.sleep(60)",
            "stdin",
        ),
    ] {
        let scratch = Scratch::new();
        let Ok(mut process) = Process::spawn(&scratch.launch(&["python3", "-c", program])) else {
            eprintln!("skipped: no python3");
            return;
        };
        let mut out = Vec::new();
        let error = (0..100).find_map(|_| {
            sleep(Duration::from_millis(5));
            process.deliver("x", &mut out).err()
        });
        let Some(ExternalError::Closed { stream: named, .. }) = error else {
            panic!("{error:?}")
        };
        assert_eq!(named, stream);
    }
}

#[test]
fn ten_thousand_lines_while_the_input_is_full() {
    // Reads nothing while it writes 10,000 lines; meanwhile more comes in than a pipe holds.
    let Some(mut node) = Node::python(
        "
import sys
while True:
    line = sys.stdin.readline()
    for number in range(10000): sys.stdout.write('%d %s\\n' % (number, 'x' * 100))
    sys.stdout.write(line[:5] + str(len(line)) + '\\n')
    sys.stdout.flush()
",
    ) else {
        return;
    };
    // Three lines at once, the later two larger than the pipe.
    let large = "y".repeat(1_000_000);
    node.process.send("start", &mut node.out).expect("send");
    node.process.send(&large, &mut node.out).expect("send");
    let idle = node
        .process
        .deliver(&large, &mut node.out)
        .expect("deliver");
    assert_eq!(idle, Idle::Reached);
    let lines = node.texts();
    assert_eq!(lines.len(), 30_003);
    assert_eq!(lines[10_000], "start6");
    assert_eq!(
        (&*lines[20_001], &*lines[30_002]),
        ("yyyyy1000001", "yyyyy1000001")
    );
    for (position, line) in lines.iter().enumerate() {
        let number = position % 10_001;
        assert!(
            number == 10_000 || line.starts_with(&format!("{number} ")),
            "{position}"
        );
    }
}

/// It sleeps while there is input, takes all of it at once, and is busy for a while before it answers.
#[test]
fn rest_before_the_input_was_read_is_none_after_it() {
    let Some(mut node) = Node::python(
        "
import os, sys, time
while True:
    time.sleep(0.02)
    line = b''
    while not line.endswith(b'\\n'): line += os.read(0, 1 << 20)
    begin = time.process_time()
    while time.process_time() < begin + 0.05: pass
    print(len(line), flush=True)
",
    ) else {
        return;
    };
    // The second is larger than the pipe.
    for length in [10, 70_000, 10, 70_000] {
        let line = "y".repeat(length);
        let idle = node.process.deliver(&line, &mut node.out).expect("deliver");
        assert_eq!(idle, Idle::Reached);
        assert_eq!(node.texts(), [(length + 1).to_string()]);
    }
}

#[test]
fn input_that_is_never_read_is_told() {
    let Some(mut node) = Node::sh("sleep 60") else {
        return;
    };
    node.process.set_patience(Duration::from_millis(50));
    let idle = node.process.deliver("x", &mut node.out).expect("deliver");
    assert_eq!(idle, Idle::Never(Unsettled::InputUnread));
    let large = "y".repeat(1_000_000);
    for _ in 0..3 {
        let idle = node
            .process
            .deliver(&large, &mut node.out)
            .expect("deliver");
        assert_eq!(idle, Idle::Never(Unsettled::InputUnread));
    }
}

/// The main thread hands each line to a worker, which computes, answers, and computes on.
const WORKER: &str = "
import sys, threading, queue
work = queue.SimpleQueue()
def worker():
    while True:
        line = work.get()
        sum(range(20000))
        sys.stdout.write(line); sys.stdout.flush()
        sum(range(20000))
        sys.stdout.write('after ' + line); sys.stdout.flush()
for _ in range(THREADS): threading.Thread(target=worker, daemon=True).start()
for line in sys.stdin: work.put(line)
";

#[test]
fn work_handed_to_threads_is_awaited() {
    for threads in ["1", "8"] {
        let Some(mut node) = Node::python(&WORKER.replace("THREADS", threads)) else {
            return;
        };
        for number in 0..300 {
            let line = number.to_string();
            node.answers(&line, &[&line, &format!("after {line}")]);
        }
    }
}

#[test]
fn a_thread_for_each_request_is_awaited() {
    let Some(mut node) = Node::python(
        "
import sys, threading
def answer(line, depth):
    sum(range(5000))
    if depth: threading.Thread(target=answer, args=(line, depth - 1)).start()
    else: sys.stdout.write(line); sys.stdout.flush()
for line in sys.stdin: threading.Thread(target=answer, args=(line, 3)).start()
",
    ) else {
        return;
    };
    for number in 0..300 {
        let line = number.to_string();
        node.answers(&line, &[&line]);
    }
}

#[test]
fn work_handed_to_a_subprocess_is_awaited() {
    let Some(mut node) = Node::python(
        "
import sys, subprocess, threading
helper = '''
import sys
for line in sys.stdin:
    sum(range(20000))
    sys.stdout.write(line); sys.stdout.flush()
'''
child = subprocess.Popen([sys.executable, '-c', helper], stdin=subprocess.PIPE)
for line in sys.stdin:
    child.stdin.write(line.encode()); child.stdin.flush()
",
    ) else {
        return;
    };
    for number in 0..300 {
        let line = number.to_string();
        node.answers(&line, &[&line]);
    }
}

#[test]
fn a_process_for_each_request_is_awaited() {
    // In a pipe, in the background, and in the background of a shell that is gone.
    let programs = [
        "while read x; do echo $x | cat | cat; done",
        "while read x; do (sh -c \"echo $x\") & done",
        "while read x; do sh -c \"(sh -c 'sh -c \\\"echo $x\\\"' &)\"; done",
    ];
    for program in programs {
        let Some(mut node) = Node::sh(program) else {
            return;
        };
        for number in 0..100 {
            let line = number.to_string();
            node.answers(&line, &[&line]);
        }
    }
}

#[test]
fn orphans_in_sessions_of_their_own_are_awaited() {
    let Some(mut node) = Node::python(
        "
import os, sys
while True:
    line = sys.stdin.readline()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            sum(range(50000))
            os.write(1, line.encode())
        os._exit(0)
    os.wait()
",
    ) else {
        return;
    };
    for number in 0..100 {
        let line = number.to_string();
        node.answers(&line, &[&line]);
    }
}

#[test]
fn unawaited_zombies_do_not_hinder_rest() {
    let Some(mut node) = Node::python(
        "
import os, sys
while True:
    line = sys.stdin.readline()
    if os.fork() == 0: os._exit(0)
    os.write(1, line.encode())
",
    ) else {
        return;
    };
    for number in 0..200 {
        let line = number.to_string();
        node.answers(&line, &[&line]);
    }
}

#[test]
fn a_program_whose_first_thread_ended_is_awaited() {
    let Some(mut node) = Node::python(
        "
import sys, threading, ctypes
def worker():
    for line in sys.stdin:
        sum(range(20000))
        sys.stdout.write(line); sys.stdout.flush()
threading.Thread(target=worker).start()
ctypes.CDLL(None).pthread_exit(None)
",
    ) else {
        return;
    };
    for number in 0..100 {
        let line = number.to_string();
        node.answers(&line, &[&line]);
    }
}

#[test]
fn a_worker_that_sleeps_looks_idle_and_waiting_finds_its_answer() {
    let Some(mut node) = Node::python(
        "
import sys, time, threading
def answer(line):
    time.sleep(0.005)
    sys.stdout.write(line); sys.stdout.flush()
for line in sys.stdin: threading.Thread(target=answer, args=(line,)).start()
",
    ) else {
        return;
    };
    for number in 0..50 {
        let line = number.to_string();
        let idle = node.process.deliver(&line, &mut node.out).expect("deliver");
        assert_eq!(idle, Idle::Reached);
        if node.out.is_empty() {
            let waited = node.process.wait(SOON, &mut node.out).expect("wait");
            assert_eq!(waited, Waited::Wrote);
        }
        assert_eq!(node.texts(), [line]);
    }
    let start = Instant::now();
    let waited = node
        .process
        .wait(Duration::from_millis(30), &mut node.out)
        .expect("wait");
    assert_eq!(waited, Waited::Silent);
    assert!(start.elapsed() >= Duration::from_millis(30));
}

#[test]
fn a_spinning_thread_is_recognised_and_its_answers_still_come() {
    let Some(mut node) = Node::sh("read x; while :; do :; done & while read x; do echo $x; done")
    else {
        return;
    };
    node.process.set_patience(Duration::from_millis(100));
    let _ = node
        .process
        .deliver("start", &mut node.out)
        .expect("deliver");
    let start = Instant::now();
    let idle = node.process.deliver("x", &mut node.out).expect("deliver");
    assert_eq!(idle, Idle::Never(Unsettled::Running));
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert!(start.elapsed() < SOON);
    assert_eq!(node.texts(), ["x"]);
    node.process.send("y", &mut node.out).expect("send");
    let waited = node.process.wait(SOON, &mut node.out).expect("wait");
    assert_eq!((waited, node.texts()), (Waited::Busy, vec!["y".to_owned()]));
}

#[test]
fn storms_end_in_an_error() {
    let limits = Limits {
        lines: 100_000,
        ..Limits::default()
    };
    let Some(mut node) = Node::sh("read x; yes") else {
        return;
    };
    node.process.set_limits(limits);
    let error = node.process.deliver("x", &mut node.out).expect_err("storm");
    assert!(matches!(
        error,
        ExternalError::Storm {
            storm: Storm::Lines { limit: 100_000 },
            ..
        }
    ));
    assert_eq!(node.out.len(), 100_000);
    assert!(node.process.kill().killed);

    let Some(mut node) = Node::sh("read x; yes | tr -d '\\n'") else {
        return;
    };
    let error = node.process.deliver("x", &mut node.out).expect_err("storm");
    assert!(error.to_string().contains("n1: line 1"), "{error}");
}

#[test]
fn a_storm_within_the_limits_ends_with_the_patience() {
    let Some(mut node) = Node::sh("read x; while :; do echo storm; done") else {
        return;
    };
    node.process.set_patience(Duration::from_millis(50));
    let idle = node.process.deliver("x", &mut node.out).expect("deliver");
    assert_eq!(idle, Idle::Never(Unsettled::Running));
    assert!(!node.out.is_empty());
}

#[test]
fn pausing_holds_answers_back() {
    let Some(mut node) = Node::python(ECHO) else {
        return;
    };
    for round in 0..20 {
        let line = round.to_string();
        node.process.pause().expect("pause");
        let idle = node.process.deliver(&line, &mut node.out).expect("deliver");
        assert_eq!((idle, node.texts().len()), (Idle::Paused, 0));
        let waited = node
            .process
            .wait(Duration::from_millis(5), &mut node.out)
            .expect("wait");
        assert_eq!((waited, node.texts().len()), (Waited::Silent, 0));
        node.process.resume().expect("resume");
        let idle = node.process.settle(&mut node.out).expect("settle");
        assert_eq!((idle, node.texts()), (Idle::Reached, vec![line]));
    }
}

#[test]
fn a_paused_program_takes_more_than_a_pipe_holds() {
    let Some(mut node) = Node::python(ECHO) else {
        return;
    };
    node.process.pause().expect("pause");
    let large = "z".repeat(100_000);
    for _ in 0..5 {
        let idle = node
            .process
            .deliver(&large, &mut node.out)
            .expect("deliver");
        assert_eq!(idle, Idle::Paused);
    }
    node.process.resume().expect("resume");
    assert_eq!(
        node.process.settle(&mut node.out).expect("settle"),
        Idle::Reached
    );
    assert!(node.texts().iter().eq(std::iter::repeat_n(&large, 5)));
}

/// Prints the numbers of a child in its group and of one in a session of its own.
const FAMILY: &str = "
import subprocess, sys
inside = subprocess.Popen(['sleep', '60'])
outside = subprocess.Popen(['sleep', '60'], start_new_session=True)
for line in sys.stdin: print(inside.pid, outside.pid, flush=True)
";

fn family(node: &mut Node) -> Vec<u32> {
    assert_eq!(
        node.process.deliver("x", &mut node.out).expect("deliver"),
        Idle::Reached
    );
    let line = node.texts().concat();
    let mut family: Vec<u32> = line
        .split(' ')
        .map(|number| number.parse().unwrap())
        .collect();
    family.push(node.process.id());
    assert!(family.iter().copied().all(is_running), "{family:?}");
    family
}

#[test]
fn dropping_kills_all_descendants() {
    let Some(mut node) = Node::python(FAMILY) else {
        return;
    };
    let family = family(&mut node);
    drop(node);
    family.into_iter().for_each(ends_soon);
}

#[test]
fn descendants_end_with_a_program_that_dies() {
    let Some(mut node) = Node::python(FAMILY) else {
        return;
    };
    let family = family(&mut node);
    Command::new("kill")
        .args(["-9", &node.process.id().to_string()])
        .status()
        .expect("kill");
    let error = node.process.wait(SOON, &mut node.out).expect_err("died");
    assert!(error.to_string().contains("signal: 9"), "{error}");
    family.into_iter().for_each(ends_soon);
}

#[test]
fn stopping_is_graceful_then_not() {
    let Some(mut node) = Node::python(&format!("{ECHO}\nprint('bye', end='')\nsys.exit(7)")) else {
        return;
    };
    let ended = node.process.stop(SOON, &mut node.out);
    assert_eq!(
        (ended.killed, ended.status.and_then(|status| status.code())),
        (false, Some(7))
    );
    assert_eq!(node.texts(), ["bye"]);

    let Some(mut node) = Node::sh("while read x; do :; done; sleep 60") else {
        return;
    };
    let start = Instant::now();
    let Ended { status, killed } = node.process.stop(Duration::from_millis(50), &mut node.out);
    assert!(killed && status.is_some_and(|status| status.code().is_none()));
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn stopping_a_program_whose_output_is_full() {
    let Some(mut node) = Node::sh("while read x; do :; done; seq 100000") else {
        return;
    };
    let ended = node.process.stop(SOON, &mut node.out);
    assert!(!ended.killed);
    assert_eq!(node.texts().len(), 100_000);
}

#[test]
fn programs_that_cannot_start_are_explained() {
    let scratch = Scratch::new();
    fs::create_dir_all(&scratch.0).unwrap();
    let plain = scratch.0.join("plain.py");
    fs::write(&plain, "print(1)").unwrap();
    let plain = plain.to_string_lossy().into_owned();
    for (argv, remedy) in [
        (vec![], "no program"),
        (vec!["no-such-program-anywhere"], "in PATH"),
        (vec!["./no/such/program"], "no such file there"),
        (vec![&*plain], "chmod +x"),
        (vec!["/tmp"], "it is a folder"),
    ] {
        let error = Process::spawn(&scratch.launch(&argv))
            .expect_err("no start")
            .to_string();
        assert!(
            error.starts_with("node n1: ") && error.contains(remedy),
            "{error}"
        );
    }
    Command::new("chmod").args(["+x", &plain]).status().unwrap();
    let error = Process::spawn(&scratch.launch(&[&plain]))
        .expect_err("no start")
        .to_string();
    assert!(error.contains("#!"), "{error}");
}

#[test]
fn a_guarded_program_behaves_the_same() {
    let scratch = Scratch::new();
    let guard = env!("CARGO_BIN_EXE_sibcheck");
    let mut launch = scratch.launch(&["sh", "-c", "while read x; do echo $x; done"]);
    launch.guard = Some(guard.into());
    let mut process = Process::spawn(&launch).expect("start");
    let mut out = Vec::new();
    for number in 0..100 {
        out.clear();
        assert_eq!(
            process
                .deliver(&number.to_string(), &mut out)
                .expect("deliver"),
            Idle::Reached
        );
        assert_eq!(out[0].bytes, number.to_string().into_bytes());
    }
    drop(process);
}

#[test]
fn a_guard_without_its_parent_executes_nothing() {
    let status = Command::new(env!("CARGO_BIN_EXE_sibcheck"))
        .args(["__exec-guarded", "1", "sh", "-c", "exit 0"])
        .status()
        .expect("start");
    assert_eq!(status.code(), Some(126));
}

fn stress(burners: u32, deliveries: u32) {
    let Some(mut node) = Node::python(ECHO) else {
        return;
    };
    let Some(mut threads) = Node::python(&WORKER.replace("THREADS", "4")) else {
        return;
    };
    let _burners = Burners::new(burners);
    for number in 0..deliveries {
        let line = number.to_string();
        node.answers(&line, &[&line]);
        if number % 10 == 0 {
            threads.answers(&line, &[&line, &format!("after {line}")]);
        }
    }
}

#[test]
fn no_answer_is_missed_in_20_000() {
    stress(0, 20_000);
}

#[test]
fn no_answer_is_missed_while_a_core_burns() {
    stress(1, 20_000);
}

#[test]
fn no_answer_is_missed_while_all_cores_burn() {
    stress(4, 5_000);
}

#[test]
fn no_answer_is_missed_while_processes_come_and_go() {
    let Some(mut node) = Node::python(ECHO) else {
        return;
    };
    let Some(mut children) = Node::sh("while read x; do sh -c \"echo $x\" & done") else {
        return;
    };
    let mut churn = Command::new("sh")
        .args(["-c", "while :; do /bin/true; done"])
        .spawn()
        .unwrap();
    for number in 0..500 {
        let line = number.to_string();
        for _ in 0..5 {
            node.answers(&line, &[&line]);
        }
        children.answers(&line, &[&line]);
    }
    churn.kill().unwrap();
    churn.wait().unwrap();
}
