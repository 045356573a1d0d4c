//! Programs whose clock is ours: what they wait for takes as long as they asked, on their clock, and next
//! to no time on ours.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods
)]

#[path = "virtual_time/hostile.rs"]
mod hostile;
mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use sibcheck::{
    interrupt::Interrupt,
    nodes::process::{ExternalError, Idle, Launch, Leaks, Line, Process, Tracing},
    simulation::NodeClock,
};
use support::{compiled, empty_folder, have};

const MILLIS: u64 = 1_000_000;

/// A traced program, and the folder of its test.
struct Traced {
    process: Process,
    out: Vec<Line>,
    folder: PathBuf,
}

/// What became of a program that was left to itself.
struct Left {
    lines: Vec<String>,
    /// How long it ran on its own clock.
    lasted: Duration,
    leaks: Leaks,
}

impl Traced {
    #[track_caller]
    fn start(name: &str, argv: &[&str], seed: u64) -> Self {
        let folder = empty_folder(&format!("virtual-time-{name}"));
        let launch = Launch {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            folder: folder.join("data"),
            stderr_file: folder.join("stderr"),
            name: name.to_owned(),
            guard: None,
            interrupt: Interrupt::default(),
            tracing: Some(Tracing {
                seed,
                stream: 1,
                clock: NodeClock::default(),
                deeds: true,
                storage: true,
            }),
        };
        let mut process = Process::spawn(&launch).expect("start");
        process.set_patience(Duration::from_secs(20));
        Self {
            process,
            out: Vec::new(),
            folder,
        }
    }

    fn python(name: &str, program: &str) -> Option<Self> {
        have("python3").then(|| Self::start(name, &["python3", "-c", program], 1))
    }

    #[track_caller]
    fn settle(&mut self) {
        let idle = self.process.settle(&mut self.out).expect("settle");
        assert_eq!(idle, Idle::Reached);
    }

    /// Gives it a clock that is too fast by so many parts per million.
    fn let_drift(&mut self, ppm: i32) {
        let mut clock = NodeClock::default();
        clock.set_drift(0, ppm);
        self.process.set_clock(clock);
    }

    fn texts(&mut self) -> Vec<String> {
        let lines = self.out.drain(..);
        lines
            .map(|line| String::from_utf8_lossy(&line.bytes).into_owned())
            .collect()
    }

    /// Lets time pass to when the first thing is due, which then goes off.
    #[track_caller]
    fn next(&mut self) -> Result<(), ExternalError> {
        let due = self.process.due();
        let Some(due) = due else {
            panic!("it waits for nothing: {:?}", self.texts());
        };
        self.process.pass_to(due);
        self.process.fire()
    }

    /// Lets time pass whenever it rests, up to its end.
    #[track_caller]
    fn leave(mut self) -> Left {
        let ended = loop {
            match self.process.settle(&mut self.out) {
                Ok(Idle::Reached) => {}
                Ok(other) => panic!("{other:?} after {:?}", self.texts()),
                Err(error) => break error,
            }
            if let Err(error) = self.next() {
                break error;
            }
        };
        let stderr = fs::read_to_string(self.folder.join("stderr")).unwrap_or_default();
        let good =
            matches!(&ended, ExternalError::Died { status: Some(status), .. } if status.success());
        assert!(good, "{ended}\n{stderr}");
        Left {
            lines: self.texts(),
            lasted: self.process.time().expect("it is traced"),
            leaks: self.process.leaks().expect("it is traced").clone(),
        }
    }
}

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/virtual_time");
    folder.join(name).to_string_lossy().into_owned()
}

/// Compiles a program into a folder of its own; says so where that cannot be done.
fn compiled_apart(compiler: &str, words: &[&str], name: &str) -> Option<String> {
    let folder = empty_folder(&format!("virtual-time-compiled-{name}"));
    let folder = folder.to_string_lossy().into_owned();
    let words: Vec<_> = words
        .iter()
        .map(|word| word.replace("OUT", &folder))
        .collect();
    compiled(compiler, &words).then_some(folder)
}

fn calls() -> Option<String> {
    let source = file("calls.c");
    let words = ["-O1", "-o", "OUT/calls", &source, "-lrt", "-lpthread"];
    Some(compiled_apart("cc", &words, "c")? + "/calls")
}

/// Each row of `calls.c`: for how many milliseconds it waits, and what comes of it.
const ROWS: [(&str, u64, i64); 59] = [
    ("by_nanosleep", 137, 0),
    ("by_clock_nanosleep", 137, 0),
    ("by_clock_nanosleep_to_a_steady_time", 137, 0),
    ("by_clock_nanosleep_to_a_time_of_day", 137, 0),
    ("by_clock_nanosleep_since_boot", 137, 0),
    ("by_usleep", 137, 0),
    ("by_poll", 137, 0),
    ("by_ppoll", 137, 0),
    ("by_select", 137, 0),
    ("by_pselect", 137, 0),
    ("by_epoll_wait", 137, 0),
    ("by_epoll_pwait", 137, 0),
    ("by_epoll_pwait2", 137, 0),
    ("by_futex", 137, -110),
    ("by_futex_to_a_steady_time", 137, -110),
    ("by_futex_to_a_time_of_day", 137, -110),
    ("by_futex_with_a_time_that_is_past", 0, -110),
    ("by_futex_with_another_value", 0, -11),
    ("by_futex_waitv", 137, -110),
    ("by_futex_wait", 137, -110),
    ("by_futex_lock_pi", 137, -110),
    ("by_futex_lock_pi2", 137, -110),
    ("by_futex_wait_requeue_pi", 137, -110),
    ("by_pthread_cond_timedwait", 137, 110),
    ("by_sem_timedwait", 137, -110),
    ("by_sigtimedwait", 137, -11),
    ("by_timerfd", 137, 1),
    ("by_timerfd_to_a_time_of_day", 137, 1),
    ("by_timerfd_again_and_again", 137, 5),
    ("by_timerfd_that_is_polled", 137, 1),
    ("by_setitimer", 137, 0),
    ("by_setitimer_again_and_again", 137, 0),
    ("by_alarm", 3_000, 7),
    // The signal's code is `SI_TIMER`, and what it carries is as asked for.
    ("by_timer_create", 137, -2),
    ("by_timer_create_for_a_thread", 137, 42),
    ("by_timer_create_again_and_again", 137, 5),
    ("poll_ended_by_data", 50, 1),
    // One descriptor, which is set, and what is left in microseconds.
    ("select_ended_by_data", 50, 87_002),
    ("epoll_wait_ended_by_data", 50, 1),
    ("futex_ended_by_waking", 50, 0),
    ("condition_ended_by_signal", 50, 0),
    // `EINTR`, and 87 milliseconds are left.
    ("nanosleep_broken_off_by_a_handler", 50, -3_913),
    ("poll_broken_off_by_a_handler", 50, -4),
    ("epoll_wait_broken_off_by_a_handler", 50, -4),
    ("select_broken_off_by_a_handler", 50, -4),
    ("futex_broken_off_by_a_handler", 50, -4),
    ("sigtimedwait_broken_off_by_a_handler", 50, -4),
    ("read_started_again_after_a_handler", 50, 1),
    ("nanosleep_while_stopped", 137, 0),
    ("poll_while_stopped", 137, 0),
    ("futex_while_stopped", 137, -110),
    ("fork_that_waits", 137, 3),
    ("vfork_that_waits", 137, 4),
    ("exec_that_waits", 137, 5),
    ("many_threads_that_wait", 137, 1_000),
    ("first_thread_that_ends_before_others", 137, 6),
    ("clocks_that_agree", 0, 0),
    ("counter_that_follows_the_clock", 137, 0),
    ("without_io_uring", 0, -38),
];

#[test]
fn every_call_waits_exactly_as_long_as_it_should() {
    let Some(calls) = calls() else { return };
    let mut argv = vec![calls.as_str()];
    argv.extend(ROWS.map(|(name, _, _)| name));
    let left = Traced::start("calls", &argv, 1).leave();
    let expected = ROWS.map(|(name, millis, result)| {
        let ns = millis * MILLIS;
        format!("{name} {ns} {result}")
    });
    assert_eq!(left.lines, expected);
    assert_eq!(left.leaks, Leaks::default());
}

#[test]
fn who_looks_at_the_clock_again_and_again_sees_it_move() {
    let Some(calls) = calls() else { return };
    let row = "waiting_by_looking_at_the_clock";
    let left = Traced::start("looking", &[&calls, row], 1).leave();
    assert!(
        left.lasted >= Duration::from_millis(50),
        "{:?}",
        left.lasted
    );
    assert!(left.lines[0].ends_with(" 1"), "{:?}", left.lines);
}

#[test]
fn what_is_not_covered_is_named() {
    let Some(calls) = calls() else { return };
    for (row, name) in [("by_mq_timedreceive", "mq_timedreceive")] {
        let mut traced = Traced::start("not-covered", &[&calls, row], 1);
        let mut lines = Vec::new();
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        // It goes on in real time.
        while traced.process.settle(&mut lines).is_ok() && std::time::Instant::now() < deadline {}
        let leaks = traced.process.leaks().unwrap();
        assert!(leaks.calls.contains(name), "{row}: {leaks:?}");
    }
}

#[track_caller]
fn waits(left: &Left, expected: &[(&str, &str)]) {
    let expected: Vec<String> = expected
        .iter()
        .map(|(name, lasts)| format!("{name} {lasts}"))
        .collect();
    assert_eq!(left.lines, expected);
    assert_eq!(left.leaks.calls, Leaks::default().calls);
}

#[test]
fn python_waits() {
    if !have("python3") {
        return;
    }
    let left = Traced::start("python", &["python3", &file("waits.py")], 1).leave();
    waits(
        &left,
        &[
            ("sleep", "0.137"),
            ("select", "0.137"),
            ("selectors", "0.137"),
            ("condition", "0.137"),
            ("empty_queue", "0.137"),
            ("event_set_early", "0.05"),
            ("join", "0.137"),
            ("gathered", "0.137"),
            ("timed_out", "0.137"),
            ("socket_timeout", "0.137"),
            ("signalled", "0.137"),
            ("child", "0.137"),
            ("child_that_is_killed", "0.137"),
            ("many_threads", "0.137"),
        ],
    );
}

#[test]
fn node_js_waits() {
    if !have("node") {
        return;
    }
    let left = Traced::start("node-js", &["node", &file("waits.js")], 1).leave();
    waits(
        &left,
        &[
            ("setTimeout", "137"),
            ("setInterval", "100"),
            ("all", "137"),
            ("race", "50"),
            ("Atomics.wait", "137"),
            ("child", "137"),
            ("worker", "137"),
        ],
    );
}

#[test]
fn go_waits() {
    let source = file("waits.go");
    let words = ["build", "-o", "OUT/waits", &source];
    let Some(folder) = compiled_apart("go", &words, "go") else {
        return;
    };
    let left = Traced::start("go", &[&(folder + "/waits")], 1).leave();
    waits(
        &left,
        &[
            ("sleep", "137"),
            ("after", "137"),
            ("ticker", "100"),
            ("select", "50"),
            ("context", "137"),
            ("goroutines", "137"),
        ],
    );
}

#[test]
fn java_waits() {
    let source = file("Waits.java");
    let Some(folder) = compiled_apart("javac", &["-d", "OUT", &source], "java") else {
        return;
    };
    let left = Traced::start("java", &["java", "-cp", &folder, "Waits"], 1).leave();
    waits(
        &left,
        &[
            ("sleep", "137"),
            ("wait", "137"),
            ("parkNanos", "137"),
            ("poll", "137"),
            ("await", "137"),
            ("join", "137"),
            ("schedule", "137"),
            ("scheduleAtFixedRate", "100"),
        ],
    );
}

const RANDOM_PYTHON: &str = "
import os, random, secrets, time, uuid
print(random.random(), os.urandom(4).hex(), secrets.token_hex(4), uuid.uuid4(), hash('text'), id(object()))
print(open('/dev/urandom', 'rb').read(4).hex(), open('/dev/urandom', 'rb').read(4).hex(), time.time())
";

#[test]
fn randomness_follows_from_the_seed() {
    if !have("python3") {
        return;
    }
    let run = |seed| {
        let argv = ["python3", "-c", RANDOM_PYTHON];
        Traced::start("random", &argv, seed).leave().lines
    };
    let once = run(1);
    assert_eq!(once, run(1));
    let other = run(2);
    for (one, other) in once.iter().zip(&other) {
        let same = one.split(' ').zip(other.split(' '));
        // The clock, and where objects lie, do not depend on it.
        assert!(
            same.filter(|(one, other)| one == other).count() <= 1,
            "{one}\n{other}"
        );
    }
}

#[test]
fn who_computes_for_long_sees_the_clock_creep() {
    let program = "
import threading, time
woken = threading.Event()
threading.Timer(0.05, woken.set).start()
while not woken.is_set():
    sum(range(100000))
print('woken')
";
    let Some(traced) = Traced::python("computing", program) else {
        return;
    };
    let left = traced.leave();
    assert_eq!(left.lines, ["woken"]);
    assert!(left.leaks.crept > 0);
}

const SLEEP_TO_A_TIME_OF_DAY: &str = "
import time
print(time.time(), time.monotonic(), flush=True)
import ctypes
class Time(ctypes.Structure):
    _fields_ = [('seconds', ctypes.c_long), ('nanos', ctypes.c_long)]
at = Time(int(time.time()) + 10, 0)
ctypes.CDLL(None).clock_nanosleep(0, 1, ctypes.byref(at), None)
print(time.time(), time.monotonic(), flush=True)
";

#[test]
fn a_jump_of_the_clock_moves_who_waits_for_a_time_of_day() {
    let Some(mut traced) = Traced::python("jump", SLEEP_TO_A_TIME_OF_DAY) else {
        return;
    };
    traced.settle();
    assert_eq!(traced.process.due(), Some(Duration::from_secs(10)));
    let mut clock = NodeClock::default();
    clock.jump(4_000_000_000);
    traced.process.set_clock(clock);
    assert_eq!(traced.process.due(), Some(Duration::from_secs(6)));
    let left = traced.leave();
    assert_eq!(left.lasted, Duration::from_secs(6));
    let times = left.lines.iter().flat_map(|line| line.split(' '));
    let times: Vec<f64> = times.map(|time| time.parse().unwrap()).collect();
    let [wall, steady, later_wall, later_steady] = times[..] else {
        panic!("{times:?}");
    };
    assert!((later_wall - wall - 10.0).abs() < 1e-6, "{times:?}");
    assert!((later_steady - steady - 6.0).abs() < 1e-6, "{times:?}");
}

#[test]
fn a_clock_that_is_fast_is_there_early() {
    let Some(mut traced) = Traced::python("rate", SLEEP_TO_A_TIME_OF_DAY) else {
        return;
    };
    traced.settle();
    traced.let_drift(1_000_000);
    assert_eq!(traced.leave().lasted, Duration::from_secs(5));
}

/// What a program does between two reads of its input, whether that uses its clock, and whether it does where
/// the clock runs too fast.
const USES_OF_CLOCK: [(&str, bool, bool); 5] = [
    ("time.monotonic()", false, true),
    ("time.time()", true, true),
    ("time.clock_gettime(5)", true, true),
    ("ctypes.CDLL(None).time(None)", true, true),
    ("len('nothing')", false, false),
];

#[test]
fn a_use_of_the_clock_is_noticed() {
    for (use_of_clock, right, fast) in USES_OF_CLOCK {
        for (drift, used) in [(0, right), (10_000, fast)] {
            let program = format!(
                "
import ctypes, os, time
time.time(), time.monotonic()
os.read(0, 1)
{use_of_clock}
os.read(0, 1)
"
            );
            let Some(mut traced) = Traced::python("used", &program) else {
                return;
            };
            traced.settle();
            traced.let_drift(drift);
            // It was at the start.
            traced.process.clock_was_used();
            assert!(!traced.process.clock_was_used(), "twice: {use_of_clock}");
            traced
                .process
                .deliver("", &mut traced.out)
                .expect("deliver");
            let told = (use_of_clock, drift);
            assert_eq!(traced.process.clock_was_used(), used, "{told:?}");
        }
    }
}

#[test]
fn a_wait_uses_the_clock_by_which_it_ends() {
    for (wait, drift, used) in [
        ("time.sleep(1)", 0, false),
        ("time.sleep(1)", 10_000, true),
        (
            "ctypes.CDLL(None).clock_nanosleep(0, 1, ctypes.byref(at), None)",
            0,
            true,
        ),
    ] {
        let program = format!(
            "
import ctypes, sys, time
class Time(ctypes.Structure):
    _fields_ = [('seconds', ctypes.c_long), ('nanos', ctypes.c_long)]
at = Time(int(time.time()) + 10, 0)
{wait}
sys.stdin.readline()
"
        );
        let Some(mut traced) = Traced::python("wait-used", &program) else {
            return;
        };
        traced.settle();
        traced.let_drift(drift);
        traced.process.clock_was_used();
        traced.next().expect("fire");
        traced.settle();
        assert_eq!(traced.process.clock_was_used(), used, "{wait}, {drift}");
    }
}

#[test]
fn nothing_is_due_at_a_node_that_is_paused() {
    let program = "
import time
while True:
    time.sleep(1)
    print(int(time.monotonic()), flush=True)
";
    let Some(mut traced) = Traced::python("paused", program) else {
        return;
    };
    traced.settle();
    traced.next().unwrap();
    traced.settle();
    assert_eq!(traced.texts(), ["1001"]);
    traced.process.pause().unwrap();
    assert_eq!(traced.process.due(), None);
    traced.process.pass_to(Duration::from_secs(5));
    traced.process.resume().unwrap();
    // What was due meanwhile is late.
    assert_eq!(traced.process.due(), Some(Duration::from_secs(5)));
    traced.next().unwrap();
    traced.settle();
    assert_eq!(traced.texts(), ["1005"]);
    assert_eq!(traced.process.due(), Some(Duration::from_secs(6)));
}

#[test]
fn a_program_that_waits_before_it_ends_ends() {
    let program = "
import sys, time
for line in sys.stdin:
    print(line, end='', flush=True)
time.sleep(20)
print('over', flush=True)
";
    let Some(mut traced) = Traced::python("ends-late", program) else {
        return;
    };
    traced.settle();
    let began = std::time::Instant::now();
    let ended = traced.process.stop(Duration::from_secs(5), &mut traced.out);
    assert!(
        !ended.killed && ended.status.is_some_and(|status| status.success()),
        "{ended:?}"
    );
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(traced.texts(), ["over"]);
}

#[test]
fn many_programs_at_once() {
    if !have("sh") {
        return;
    }
    let program = "while read line; do sleep 1; echo $line; done";
    let mut all: Vec<Traced> = (0..64)
        .map(|number| Traced::start(&format!("many-{number}"), &["sh", "-c", program], 1))
        .collect();
    for (number, traced) in all.iter_mut().enumerate() {
        let idle = traced.process.deliver(&number.to_string(), &mut traced.out);
        assert_eq!(idle.unwrap(), Idle::Reached);
        assert!(traced.out.is_empty());
    }
    for (number, traced) in all.iter_mut().enumerate() {
        traced.next().unwrap();
        traced.settle();
        assert_eq!(traced.texts(), [number.to_string()]);
    }
}
