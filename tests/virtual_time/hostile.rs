//! Programs that do what tracers stumble over, and programs that never rest.

use std::time::Instant;

use sibcheck::nodes::process::Unsettled;

use std::process::Command;

use super::*;

/// Compiled with these words more, into a folder of this name.
fn hostile(name: &str, words: &[&str]) -> Option<String> {
    let source = file("hostile.c");
    let words = [&["-O1", "-o", "OUT/hostile", &source, "-lpthread"], words].concat();
    Some(compiled_apart("cc", &words, name)? + "/hostile")
}

/// Each row of `hostile.c` that ends: how many milliseconds it takes, and what comes of it.
const ENDING: [(&str, u64, i64); 14] = [
    ("without_dumps", 137, 0),
    // `EPERM`: a program has one tracer.
    ("that_wants_to_be_traced", 137, 1),
    ("child_that_traces_its_parent", 137, 1),
    // `EXDEV`, which its filter says.
    ("with_a_filter_of_its_own", 137, 18),
    ("many_children", 137, 200),
    ("children_that_leave", 137, 1),
    ("stopped_and_continued_all_the_time", 137, 0),
    ("real_time_signals", 137, 50),
    ("number_of_a_timer_used_again", 137, 0),
    ("timer_of_two_numbers", 137, 1),
    ("timer_that_a_child_keeps", 137, 1),
    ("without_descriptors", 137, 2),
    ("exec_of_another_thread", 0, 0),
    ("exec_after_the_first_thread", 0, 0),
];

fn do_rows(name: &str, hostile: &str) {
    let mut wrong = Vec::new();
    for (row, millis, result) in ENDING {
        let left = Traced::start(&format!("{name}-{row}"), &[hostile, row], 1).leave();
        let expected = match row {
            "exec_of_another_thread" | "exec_after_the_first_thread" => {
                "after_exec 100 0".to_owned()
            }
            _ => format!("{row} {millis} {result}"),
        };
        if left.lines != [expected] || left.leaks != Leaks::default() {
            wrong.push((row, left.lines, left.leaks));
        }
    }
    assert!(wrong.is_empty(), "{name}: {wrong:#?}");
}

#[test]
fn programs_that_do_what_tracers_stumble_over_wait_exactly() {
    let Some(hostile) = hostile("hostile", &[]) else {
        return;
    };
    do_rows("hostile", &hostile);
}

#[test]
fn so_do_programs_without_libraries() {
    let Some(hostile) = hostile("hostile-static", &["-static"]) else {
        return;
    };
    do_rows("hostile-static", &hostile);
}

/// What never rests, and what it is stopped in.
const RESTLESS: [&str; 11] = [
    "looking_at_the_clock_for_ever",
    "looking_at_it_without_a_call_for_ever",
    "asking_for_randomness_for_ever",
    "sleeping_for_no_time_for_ever",
    "opening_files_for_ever",
    "starting_processes_for_ever",
    "starting_threads_for_ever",
    "signalling_itself_for_ever",
    "computing_for_ever",
    "yielding_for_ever",
    "handing_a_byte_to_and_fro_for_ever",
];

#[test]
fn what_never_rests_is_waited_for_as_long_as_the_patience() {
    let Some(hostile) = hostile("restless", &[]) else {
        return;
    };
    for row in RESTLESS {
        let mut traced = Traced::start(row, &[&hostile, row], 1);
        let patience = Duration::from_millis(300);
        traced.process.set_patience(patience);
        let began = Instant::now();
        let settled = traced.process.settle(&mut traced.out);
        let waited = began.elapsed();
        assert!(
            matches!(settled, Ok(Idle::Never(Unsettled::Running))),
            "{row}: {settled:?}"
        );
        // More where others held it up.
        assert!(waited < 12 * patience, "{row}: {waited:?}");
        let ended = traced.process.stop(patience, &mut traced.out);
        assert!(ended.killed, "{row}: {ended:?}");
        assert!(began.elapsed() < 200 * patience, "{row}: ended late");
    }
}

/// What waits in real time is at rest meanwhile, and nothing is due.
fn leave_in_real_time(mut traced: Traced, line: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut out = Vec::new();
    while traced.process.settle(&mut out).is_ok() && Instant::now() < deadline {}
    let lines: Vec<_> = out.iter().map(|line| &line.bytes[..]).collect();
    assert_eq!(lines, [line.as_bytes()]);
    let leaks = traced.process.leaks().unwrap();
    assert!(leaks.calls.contains("calls of 32 bits"), "{leaks:?}");
}

#[test]
fn calls_of_32_bits_are_named() {
    let Some(hostile) = hostile("old-calls", &[]) else {
        return;
    };
    leave_in_real_time(
        Traced::start("old-calls", &[&hostile, "calls_of_32_bits"], 1),
        "calls_of_32_bits 0 0",
    );
}

/// Without a library: sleeps, says so, and ends.
const OF_32_BITS: &str = r#"
static int call(int n, void *a, void *b, void *c) {
    int r; __asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c) : "memory"); return r;
}
void _start(void) { int t[2] = {0, 5000000}; call(162, t, 0, 0); call(4, (void *)1, "done\n", (void *)5); call(1, 0, 0, 0); }
"#;

#[test]
fn programs_of_32_bits_run_and_are_named() {
    let folder = empty_folder("virtual-time-of-32-bits");
    let [source, program] = ["a.c", "a"].map(|name| folder.join(name).display().to_string());
    fs::write(&source, OF_32_BITS).unwrap();
    let words = [
        "-m32",
        "-nostdlib",
        "-static",
        "-fno-pic",
        "-O1",
        "-o",
        &program,
        &source,
    ];
    let done = Command::new("cc").args(words).output();
    if !done.is_ok_and(|done| done.status.success()) || Command::new(&program).output().is_err() {
        println!("skipped: no programs of 32 bits here");
        return;
    }
    leave_in_real_time(Traced::start("32-bits", &[&program], 1), "done");
}

#[test]
fn what_a_program_has_started_is_no_zombie_once_it_was_ended() {
    if !have("python3") {
        return;
    }
    let program = "
import os, subprocess, sys, threading
children = [subprocess.Popen(['sleep', '3600'], start_new_session=leaves) for leaves in (False, True) * 10]
print(*(child.pid for child in children), flush=True)
sys.stdin.read()
";
    let mut traced = Traced::python("zombies", program).unwrap();
    traced.settle();
    let numbers = traced.texts().concat();
    traced.process.kill();
    for number in numbers.split(' ') {
        // Whoever adopted it may not have waited for it yet, but we have.
        let status = fs::read_to_string(format!("/proc/{number}/status")).unwrap_or_default();
        let told_to = status.lines().find(|line| line.starts_with("TracerPid:"));
        assert!(told_to.is_none_or(|line| line.ends_with("\t0")), "{status}");
    }
}
