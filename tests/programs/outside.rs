//! Nothing from outside acts on a terminal: whatever a key, a client, a node, a clock's entry, a
//! value, a file or a program says, reports and errors hold no control character but line feeds and
//! the program's own colours, and no line is forged.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic fails the test"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
    sync::Arc,
};

use serde_json::{Map, Value as Json, json};
use sibcheck::reports::{FORMATS, Found, Judgement, Page, Source, Told, Verified};
use sibcheck_checkers::{
    Claim, History, Judged, Object, Verdict,
    format::{Recorded, read_any, read_history},
    import::{Content, import},
    judge, outside, registers,
    registers::Budget,
    strongest,
};

use crate::support::{self, of_each};

/// Clears the screen, is green, rings, turns the direction of text, hides, and begins a line.
const ACTS: &str = "\u{1b}[2J\u{1b}[H\u{1b}[1;32mVALID\u{1b}[0m\u{7}\u{9b}31m\u{7f}\u{202e}\u{2066}\u{200f}\u{2028}\nFORGED\r\u{200b}\u{feff}\u{85}x";

/// The same, where a file's name or an argument can hold it.
fn acts() -> String {
    ACTS.replace('/', "")
}

/// Says what acts in a text; colours are taken out before where there are any.
#[track_caller]
fn assert_harmless(text: &str, colours: bool, whose: &str) {
    let mut rest = text.to_owned();
    if colours {
        for style in ["1", "0", "31", "32", "33"] {
            rest = rest.replace(&format!("\u{1b}[{style}m"), "");
        }
    }
    let acting = rest
        .char_indices()
        .find(|(_, c)| *c != '\n' && outside::acts(*c));
    assert_eq!(acting, None, "{whose}: {rest:?}");
    let forged = rest
        .lines()
        // What a program wrote to stderr stands below the failure, indented.
        .find(|line| line.trim_start_matches(' ').starts_with("FORGED") && !line.starts_with("  "));
    assert_eq!(forged, None, "{whose}: {rest:?}");
}

/// A line of a history or of events with what acts at the end of all names and texts.
fn hostile(json: &Json, names: bool) -> Json {
    const KINDS: [&str; 10] = [
        "status",
        "kind",
        "type",
        "f",
        "tombstones",
        "model",
        "expect",
        "claim",
        "sibcheck_history",
        "object",
    ];
    match json {
        Json::String(text) => json!(format!("{text}{ACTS}")),
        Json::Array(items) => items.iter().map(|item| hostile(item, false)).collect(),
        Json::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| {
                let value = if KINDS.contains(&name.as_str()) {
                    value.clone()
                } else {
                    hostile(value, ["clock", "context", "past"].contains(&name.as_str()))
                };
                let name = if names {
                    format!("{name}{ACTS}")
                } else {
                    name.clone()
                };
                (name, value)
            });
            Json::Object(fields.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

fn hostile_lines(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line: Json = serde_json::from_str(line).unwrap();
        format!("{}\n", hostile(&line, false))
    });
    lines.collect()
}

fn assert_reports_are_harmless(history: &History, whose: &str) {
    let Ok(strongest) = strongest(history) else {
        return;
    };
    for claim in Claim::ALL {
        let verdict = judge(history, claim).unwrap();
        assert_reported(found(history.clone(), verdict), None, whose);
    }
    let found = Found::Strongest {
        history: Arc::new(history.clone()),
        strongest: strongest.into(),
    };
    assert_reported(found, None, whose);
}

fn found<A: Object>(history: sibcheck_checkers::history::History<A>, verdict: Verdict<A>) -> Found {
    let history = Arc::new(history);
    Found::Judged(Box::new(Judged { history, verdict }))
}

/// Reports in all formats are harmless.
fn assert_reported(found: Found, source: Option<Source>, whose: &str) {
    let verified = Verified {
        file: whose.into(),
        alone: false,
        came: Ok(Judgement { found, source }),
    };
    for format in FORMATS {
        for width in [40, 100] {
            let page = Page {
                width,
                verbose: false,
            };
            let text = format.write(page, Told::Verify(&verified));
            assert_harmless(&text, format.name == "human", whose);
        }
    }
}

#[test]
fn no_name_or_value_of_a_history_acts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpora/histories");
    let mut judged = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = hostile_lines(&fs::read_to_string(&path).unwrap());
        let whose = path.to_string_lossy();
        match read_any(text.as_bytes()).unwrap() {
            Recorded::Siblings(history) => {
                assert!(history.keys[0].as_str().contains(ACTS));
                assert_reports_are_harmless(&history, &whose);
            }
            Recorded::Registers(history) => {
                let verdict = registers::judge(&history, Budget::default()).unwrap();
                assert_reported(found(history, verdict), None, &whose);
            }
        }
        judged += 1;
        // Cut off anywhere, it is an error or a shorter history.
        for end in (0..text.len()).step_by(37) {
            if let Err(error) = read_any(&text.as_bytes()[..end]) {
                assert_harmless(&error.to_string(), false, &whose);
            }
        }
    }
    assert!(judged > 50);
}

#[test]
fn no_field_of_a_history_acts_in_an_error() {
    let line = |field: &str, value: Json| {
        let mut operation = json!({"op": 0, "client": "c", "node": "n", "key": "k", "invoked_ns": 0, "completed_ns": 1, "status": "ok", "write": {"value": 1}});
        operation[field] = value;
        let header =
            json!({"sibcheck_history": 1, "origin": "", "tombstones": "shown", "operations": 1});
        format!("{header}\n{operation}\n")
    };
    let header = |field: &str, value: Json| {
        let mut header =
            json!({"sibcheck_history": 1, "origin": "", "tombstones": "shown", "operations": 0});
        header[field] = value;
        format!("{header}\n")
    };
    for text in [
        line(ACTS, json!(1)),
        line("status", json!(ACTS)),
        line("client", json!([ACTS])),
        line("write", json!({ACTS: ACTS})),
        line("write", json!({"value": 1, "clock": {"a": ACTS}})),
        line("write", json!({"value": 1, "dot": [ACTS, ACTS]})),
        header(ACTS, json!(ACTS)),
        header("claim", json!(ACTS)),
        header("tombstones", json!(ACTS)),
        header("sibcheck_history", json!(ACTS)),
        header("sibcheck_history", json!({ACTS: ACTS})),
        header("expect", json!({"verdict": ACTS})),
        ACTS.to_owned(),
    ] {
        let error = read_history(text.as_bytes()).expect_err(&text);
        assert_harmless(&error.to_string(), false, &text);
    }
}

/// One violated history of a register in every format that is read, with names and values that act.
fn foreign_histories() -> Vec<String> {
    let events = [
        ("invoke", "write", json!(format!("1{ACTS}"))),
        ("ok", "write", json!(format!("1{ACTS}"))),
        ("invoke", "read", Json::Null),
        ("ok", "read", json!(format!("2{ACTS}"))),
    ];
    let plain: Vec<Json> = events
        .iter()
        .map(|(kind, f, value)| {
            json!({"type": kind, "client": format!("c{ACTS}"), "f": f, "key": format!("k{ACTS}"), "value": value})
        })
        .collect();
    let edn_text = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let edn = |value: &Json| value.as_str().map_or("nil".to_owned(), edn_text);
    let maps: Vec<String> = events
        .iter()
        .map(|(kind, f, value)| {
            format!(
                "{{:type :{kind}, :process {}, :f :{f}, :value {}}}",
                edn_text(ACTS),
                edn(value)
            )
        })
        .collect();
    let log = |function: &str| -> Vec<String> {
        let event = |(kind, f, value): &(&str, &str, Json)| {
            let value = edn(value).replace(['\n', '\r'], "");
            format!("0\t:{kind}\t:{f}{function}\t{value}")
        };
        events.iter().map(event).collect()
    };
    // Words of a log end at white space.
    let word: String = ACTS.chars().filter(|c| !c.is_whitespace()).collect();
    let lines = |events: Vec<String>| events.join("\n") + "\n";
    let mut other = plain.clone();
    other[0]["f"] = json!(ACTS);
    let mut unknown = plain.clone();
    unknown[1][ACTS] = json!(1);
    let mut kind = plain.clone();
    kind[2]["type"] = json!(ACTS);
    let of = |events: &[Json]| lines(events.iter().map(Json::to_string).collect());
    vec![
        of(&plain),
        Json::from(plain.clone()).to_string(),
        format!("{:#}", Json::from(plain.clone())),
        lines(maps),
        lines(log("")),
        lines(log(&word)),
        of(&other),
        of(&unknown),
        of(&kind),
        of(&plain[1..]),
        format!("{{\"sibcheck_events\":{}}}\n{}", json!(ACTS), of(&plain)),
        format!(
            "{{\"sibcheck_events\":1,{}:1}}\n{}",
            json!(ACTS),
            of(&plain)
        ),
    ]
}

#[test]
fn nothing_that_others_recorded_acts() {
    let mut violated = 0;
    for text in foreign_histories() {
        for end in (0..=text.len())
            .rev()
            .filter(|end| *end == text.len() || end % 7 == 0)
        {
            let import = match import(&text.as_bytes()[..end], "a test") {
                Ok(import) => import,
                Err(error) => {
                    assert_harmless(&error.to_string(), false, &text);
                    continue;
                }
            };
            if let Some(fault) = &import.fault {
                assert_harmless(&fault.to_string(), false, &text);
            }
            let found = match import.content {
                Content::Registers(history) => {
                    let verdict = registers::judge(&history, Budget::default()).unwrap();
                    found(history, verdict)
                }
                Content::Siblings(history) => {
                    let verdict = judge(&history, Claim::Eventual).unwrap();
                    found(history, verdict)
                }
            };
            violated += usize::from(found.outcome() == sibcheck_checkers::Outcome::Violated);
            let source = Source {
                format: import.format,
                notes: import.notes,
                fault: import.fault,
            };
            assert_reported(found, Some(source), &text);
        }
    }
    assert!(violated >= 5, "{violated}");
}

fn folder(name: &str) -> PathBuf {
    support::empty_folder(&format!("outside-{name}"))
}

fn sibcheck(folder: &Path, colour: bool, arguments: &[&str]) -> Output {
    let colour = ["--color", if colour { "always" } else { "never" }];
    let mut command = support::sibcheck(folder, &colour);
    command.args(arguments).output().unwrap()
}

/// Runs the program with colours, or without where it reports as JSON, and tells what it printed.
#[track_caller]
fn assert_prints_harmless(folder: &Path, arguments: &[&str]) -> String {
    let colour = !arguments.contains(&"json");
    let output = sibcheck(folder, colour, arguments);
    let mut all = String::new();
    for stream in [&output.stdout, &output.stderr] {
        let text = std::str::from_utf8(stream).unwrap();
        assert_harmless(text, colour, &format!("{arguments:?}"));
        all += text;
    }
    all
}

#[test]
fn no_file_and_no_name_of_one_acts() {
    let folder = folder("files");
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpora");
    let spoof =
        fs::read_to_string(corpora.join("histories/key-that-spoofs-a-valid.jsonl")).unwrap();
    let case = fs::read_to_string(corpora.join("conformance/vc-write-read.txt")).unwrap();
    let plan = fs::read_dir(corpora.join("plans"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let plan: Json = serde_json::from_slice(&fs::read(plan.path()).unwrap()).unwrap();
    let plan_with = |field: &str, value: Json| {
        let mut plan = plan.clone();
        plan[field] = value;
        plan.to_string()
    };
    let acts = acts();
    let mut files = vec![
        (format!("{acts}.jsonl"), spoof.clone()),
        ("spoof.jsonl".to_owned(), spoof),
        ("none.jsonl".to_owned(), ACTS.to_owned()),
        (format!("{acts}.json"), plan_with(ACTS, json!(ACTS))),
        ("store.json".to_owned(), plan_with("store", json!(ACTS))),
        ("origin.json".to_owned(), plan_with("origin", json!(ACTS))),
        ("program.json".to_owned(), plan_with("program", json!(ACTS))),
        (
            "expect.json".to_owned(),
            plan_with(
                "expect",
                json!({"verdict": "valid", "invariants": [], "why": ACTS}),
            ),
        ),
        (
            "invariant.json".to_owned(),
            plan_with(
                "expect",
                json!({"verdict": "valid", "invariants": [ACTS], "why": ""}),
            ),
        ),
        (
            format!("{acts}.txt"),
            case.replace("OUT {", &format!("OUT {{{}:1,", json!(ACTS))),
        ),
        (
            "word.txt".to_owned(),
            format!("{}\n", ACTS.replace(['\n', '\r'], "")),
        ),
        (
            "out.txt".to_owned(),
            "OUT {\"a\u{1b}[2J\u{9b}\":}\n".to_owned(),
        ),
        (
            "timeout.txt".to_owned(),
            "TIMEOUT_MS \u{1b}[2J\u{9b}\n".to_owned(),
        ),
        (format!("{acts}.other"), String::new()),
    ];
    files.extend(
        foreign_histories()
            .into_iter()
            .zip(0..)
            .map(|(text, n)| (format!("{n}.events"), text)),
    );
    for (name, text) in &files {
        fs::write(folder.join(name), text).unwrap();
        for command in ["verify", "replay"] {
            assert_prints_harmless(&folder, &[command, name]);
            assert_prints_harmless(&folder, &[command, "--format", "json", name]);
        }
        assert_prints_harmless(&folder, &["verify", "--strongest", name]);
        assert_prints_harmless(&folder, &["verify", "spoof.jsonl", name]);
        assert_prints_harmless(&folder, &["conform", "--bin", "true", name]);
    }
    let told = assert_prints_harmless(&folder, &["verify", "spoof.jsonl"]);
    assert!(
        told.contains("VIOLATED") && told.contains("\\u001b[2J"),
        "{told}"
    );
    assert_prints_harmless(&folder, &["verify", &format!("no such {acts}")]);
    assert_prints_harmless(&folder, &["replay", &format!("no such {acts}")]);
    assert_prints_harmless(&folder, &["replay", "."]);
}

#[test]
fn json_loses_nothing_by_being_harmless() {
    let folder = folder("json");
    let name = acts();
    let header =
        json!({"sibcheck_history": 1, "origin": "", "tombstones": "shown", "operations": 2});
    let operation = |op: u32, what: &str, content: Json| json!({"op": op, "client": name, "node": name, "key": name, "invoked_ns": op * 10, "completed_ns": op * 10 + 1, "status": "ok", (what): content});
    let write = operation(0, "write", json!({"value": name}));
    let read = operation(1, "read", json!({"siblings": [], "final": true}));
    let file = format!("{name}.jsonl");
    fs::write(folder.join(&file), format!("{header}\n{write}\n{read}\n")).unwrap();
    let output = sibcheck(&folder, false, &["verify", "--format", "json", &file]);
    let report: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["file"], json!(file));
    let violation = &report["verdict"]["violations"][0];
    assert_eq!(violation["key"], json!(name));
    assert_eq!(violation["evidence"][0]["client"], json!(name));
    assert_eq!(violation["evidence"][0]["node"], json!(name));
}

#[test]
fn no_dialect_acts() {
    let folder = folder("dialects");
    let good = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nodes/document_store.toml"),
    )
    .unwrap();
    let quoted = json!(ACTS).to_string().replace("\\u007f", "\u{7f}");
    // TOML takes no raw control characters but escaped ones, and raw ones are its reader's matter.
    let texts = [
        good.replacen("name = ", &format!("name = {quoted} #"), 1),
        good.replacen("name = ", &format!("{quoted} = 1\nname = "), 1),
        good.replacen("[read]", &format!("[read]\n{quoted} = 1"), 1),
        good.replacen("[write]", "[write\u{1b}[2J\u{9b}]", 1),
        good.replacen("value = \"", "value = \"\u{9b}2J\u{202e}", 1),
        good.replacen("type = \"", "type = \"\\u001b[2J\\n${\u{9b}", 1),
        format!("# {ACTS}\n{good}\n["),
        ACTS.to_owned(),
    ];
    let name = format!("{}.toml", acts());
    for text in texts {
        fs::write(folder.join(&name), text).unwrap();
        assert_prints_harmless(
            &folder,
            &["check", "--bin", "true", "--dialect", &name, "--runs", "1"],
        );
    }
}

#[test]
fn no_argument_acts() {
    let folder = folder("arguments");
    let acts = acts();
    fs::create_dir_all(folder.join(&acts)).unwrap();
    let check = |rest: &[&str]| {
        assert_prints_harmless(
            &folder,
            &[&["check", "--runs", "1", "--ops", "2"], rest].concat(),
        );
    };
    for flag in [
        "--store",
        "--claim",
        "--faults",
        "--leave-out",
        "--seed",
        "--runs",
        "--ops",
        "--format",
        "--color",
        "--jobs",
    ] {
        check(&[flag, &acts]);
    }
    check(&[&acts]);
    check(&[&format!("--{acts}")]);
    check(&[
        "--store",
        "faulty:last-writer-wins",
        "--results",
        &format!("results {acts}"),
    ]);
    check(&[
        "--save-first",
        "--results",
        &format!("first {acts}"),
        "--verbose",
    ]);
    for flag in ["--dialect", "--node-names", "--time", "--patience-ms"] {
        check(&["--bin", "true", flag, &acts]);
        check(&["--bin", "true", flag, &format!("./{acts}.toml")]);
    }
    for bin in [
        &*acts,
        &format!("'{acts}"),
        &format!("./{acts}"),
        &format!("true '{acts}'"),
    ] {
        check(&["--bin", bin]);
        check(&["--bin", bin, "--dialect", "vc", "--format", "json"]);
        assert_prints_harmless(&folder, &["conform", "--bin", bin]);
        assert_prints_harmless(&folder, &["conform", "--bin", bin, "--dialect", &acts]);
    }
    for command in ["verify", "replay", "node", "generate", &acts] {
        assert_prints_harmless(&folder, &[command, &format!("--{acts}")]);
        assert_prints_harmless(&folder, &[command, "--format", &acts, &acts]);
    }
    assert_prints_harmless(
        &folder,
        &[
            "generate",
            "register",
            "--output",
            &format!("no folder/{acts}"),
        ],
    );
    assert_prints_harmless(
        &folder,
        &[
            "generate",
            "siblings",
            "--output",
            &format!("no folder/{acts}"),
        ],
    );
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_that_a_program_says_acts() {
    if !support::have("python3") {
        return;
    }
    let folder = folder("programs");
    let node = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nodes/hostile.py");
    let (case, file) = (
        "TIMEOUT_MS 300\nIN {\"src\":\"c1\",\"dest\":\"n1\",\"body\":{\"type\":\"init\",\"msg_id\":1,\"node_id\":\"n1\",\"node_ids\":[\"n1\"]}}\nIN {\"src\":\"c1\",\"dest\":\"n1\",\"body\":{\"type\":\"vc_read\",\"key\":\"x\",\"msg_id\":2}}\nOUT {\"dest\":\"c1\",\"body\":{\"type\":\"vc_read_ok\",\"values\":[1]}}\n",
        "case.txt",
    );
    fs::write(folder.join(file), case).unwrap();
    let check = |habit: &str, more: &[&str]| {
        let bin = format!("python3 {node} {habit} '\u{1b}[2J\u{9b}\nFORGED'");
        let check = [
            "check",
            "--bin",
            &bin,
            "--dialect",
            "vc",
            "--runs",
            "1",
            "--ops",
            "3",
            "--seed",
            "1",
            "--faults",
            "none",
            "--patience-ms",
            "100",
            "--leave-out",
            "all",
        ];
        assert_prints_harmless(&folder, &[&check, more].concat());
    };
    let conform = |habit: &str, more: &[&str]| {
        let bin = format!("python3 {node} {habit}");
        assert_prints_harmless(&folder, &[&["conform", "--bin", &bin], more].concat());
    };
    let habits = [
        "dies", "babbles", "type", "error", "actor", "value", "field", "clock", "dest", "src", "id",
    ];
    let case_alone = [file];
    let mut asked = vec![
        // What it takes and how it answers is asked of it.
        ("conform", "type", &[][..]),
        ("conform", "dies", &["--dialect", "vc", "--format", "json"]),
        ("conform", "dest", &["--dialect", "vc", "--format", "json"]),
        ("check", "dies", &["--format", "json"]),
        ("check", "dest", &["--format", "json"]),
        ("check", "src", &["--strict"]),
        ("check", "id", &["--strict"]),
    ];
    asked.extend(habits.map(|habit| ("check", habit, &["--verbose"][..])));
    asked.extend(habits.map(|habit| ("conform", habit, &case_alone[..])));
    of_each(&asked, |(command, habit, flags)| match *command {
        "check" => check(habit, flags),
        _ => conform(habit, flags),
    });
}
