//! `sibcheck demo` through the real binary: the script, sessions, plans that it saves, and a terminal.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use sibcheck_checkers::outside;

/// An empty folder of the test's own.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("demo-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn demo(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    fs::write(folder.join("input"), input).unwrap();
    Command::new(env!("CARGO_BIN_EXE_sibcheck"))
        .arg("demo")
        .args(arguments)
        .current_dir(folder)
        .env_remove("NO_COLOR")
        .env("COLUMNS", "80")
        .stdin(fs::File::open(folder.join("input")).unwrap())
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What a session prints, and its exit code; nothing of it goes to stderr.
fn session(name: &str, arguments: &[&str], commands: &str) -> (String, i32) {
    let arguments = [&["--interactive"], arguments].concat();
    let output = demo(&folder(name), &arguments, commands.as_bytes());
    assert_eq!(stderr(&output), "");
    (stdout(&output), code(&output))
}

#[test]
fn the_script_is_the_same_each_time_and_ends_with_a_verdict() {
    let folder = folder("script");
    let first = demo(&folder, &[], b"");
    assert_eq!((code(&first), stderr(&first).as_str()), (0, ""));
    let text = stdout(&first);
    assert!(text.contains("VALID (claim quorum)"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours into a pipe");
    assert_eq!(demo(&folder, &[], b"").stdout, first.stdout);
    assert_ne!(demo(&folder, &["--seed", "2"], b"").stdout, first.stdout);
    let bug = demo(&folder, &["--store", "faulty:sloppy-quorum-strict"], b"");
    assert_eq!(code(&bug), 1);
    assert!(
        stdout(&bug).contains("VIOLATED (claim "),
        "{}",
        stdout(&bug)
    );
}

#[test]
fn the_script_fits_narrow_terminals() {
    for columns in [40, 60, 80] {
        let output = Command::new(env!("CARGO_BIN_EXE_sibcheck"))
            .arg("demo")
            .env("COLUMNS", columns.to_string())
            .output()
            .unwrap();
        for line in stdout(&output).lines() {
            // What is to be typed stands in one piece.
            let whole = line.starts_with("> ") || line.contains("  sibcheck ");
            assert!(whole || line.chars().count() <= columns, "{line}");
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sibcheck"))
        .arg("demo")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
}

#[test]
fn what_was_played_is_saved_and_replayed() {
    let folder = folder("saved");
    let commands = "put k a\nput k b as bob\nkill n1\nget k as carol\nstep 100\nsave plan.json\n";
    let output = demo(&folder, &["--interactive"], commands.as_bytes());
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    assert!(
        stdout(&output).contains("run it again: sibcheck replay plan.json"),
        "{}",
        stdout(&output)
    );
    let replay = Command::new(env!("CARGO_BIN_EXE_sibcheck"))
        .args(["replay", "plan.json"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert_eq!(code(&replay), 0, "{}", stderr(&replay));
    assert!(
        stdout(&replay).starts_with("ok    plan"),
        "{}",
        stdout(&replay)
    );
    let plan = fs::read_to_string(folder.join("plan.json")).unwrap();
    assert!(plan.contains("c1 is alice, c2 is bob"), "{plan}");
}

/// A bug that somebody finds by hand: the owner that missed a write gets it under another dot, too.
#[test]
fn a_planted_bug_can_be_found_by_hand() {
    let commands = "kill n1\nput cart milk via n3\nput cart tea via n3\nrestart n1\nstep 100\n\
                    get cart\nput cart coffee\nget cart\njudge\n";
    let bug = ["--store", "faulty:hint-written-anew"];
    let (text, code) = session("bug", &bug, commands);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("no duplicate sibling, key cart"), "{text}");
    let (text, code) = session("no-bug", &["--store", "dynamo:1-1-1-sloppy"], commands);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn a_wrong_command_is_told_and_loses_nothing() {
    let right = "put k a\nget k\nsiblings k\n";
    let wrong = "put k a\nput k\nkill n6\nrestart n1\nheal\n\n# nothing\nget k\nsave /\nsiblings k";
    let (told, code) = session("right", &[], right);
    assert_eq!(code, 0);
    let (with_wrong, code) = session("wrong", &[], wrong);
    assert_eq!(code, 2);
    assert_eq!(with_wrong.matches("  error: ").count(), 5, "{with_wrong}");
    for line in told.lines().skip(1) {
        assert!(with_wrong.contains(line), "{line}\n{with_wrong}");
    }
    // Nobody asked for anything: there is no plan.
    let (text, code) = session("nothing", &[], "judge\nsave plan.json\n");
    assert_eq!(code, 2);
    assert_eq!(text.matches("put something first").count(), 2, "{text}");
    for (arguments, told) in [
        (["--store", "dotted"], "no ring and no quorums"),
        (["--nodes", "1"], "--nodes 2 or more"),
    ] {
        let output = demo(&folder("refused"), &arguments, b"");
        assert_eq!(self::code(&output), 2);
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
    }
}

#[test]
fn nothing_from_outside_acts() {
    let acts = "\u{1b}[2J\u{7}\u{9b}31m\u{202e}\u{200b}";
    let commands = format!(
        "put {acts} {acts} as {acts}\nget {acts}\nsiblings {acts}\nring {acts}\nas {acts}\n{acts}\n\
         kill {acts}\nsave {acts}/x\nstep {acts}\nresolve {acts} b\njudge\n"
    );
    let (text, code) = session("acts", &[], &commands);
    assert_eq!(code, 2);
    let acting = text.chars().find(|c| *c != '\n' && outside::acts(*c));
    assert_eq!(acting, None, "{text:?}");
    let output = demo(&folder("bytes"), &["--interactive"], b"put k \xff\n");
    assert_eq!(self::code(&output), 2);
    assert!(stderr(&output).contains("not UTF-8"), "{}", stderr(&output));
}

/// Types at a terminal, as a person does, and prints what is seen.
const TYPIST: &str = r#"
import fcntl, os, pty, select, struct, sys, termios, time
pid, terminal = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    os.execv(sys.argv[1], [sys.argv[1], "demo", "--interactive"])
seen = b""
def until(word):
    global seen
    end = time.monotonic() + 20
    while word not in seen and time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                seen += os.read(terminal, 4096)
            except OSError:
                break
    before, found, seen = seen.partition(word)
    sys.stdout.buffer.write(before + found)
    assert found, word
until(b"alice> ")
os.write(terminal, b"put cart mi")
os.write(terminal, b"\x03")
until(b"Ctrl-D ends it")
until(b"alice> ")
os.write(terminal, b"put cart milk\r")
until(b"dot (n")
until(b"alice> ")
os.write(terminal, b"sib\tca\t\r")
until(b"cart on each node")
until(b"alice> ")
os.write(terminal, b"\x1b[A\x1b[A\r")
until(b"in place of {n")
until(b"alice> ")
os.write(terminal, b"nonsense\r")
until(b"there is no command nonsense")
until(b"alice> ")
os.write(terminal, b"\x04")
print("\nexit code", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

#[test]
fn a_prompt_has_history_and_completion_and_ends_with_the_input() {
    let python = Command::new("python3")
        .args(["-c", TYPIST, env!("CARGO_BIN_EXE_sibcheck")])
        .output();
    // Where there is no Python there is nobody who types.
    let Ok(output) = python else {
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", stderr(&output));
    assert!(text.ends_with("\nexit code 0\n"), "{text}");
}
