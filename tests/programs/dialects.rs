//! Dialects end to end: small nodes of each, correct and faulty, and dialects that a file describes.
//!
//! The nodes are Python programs in `tests/nodes/`. Without Python the tests say so and pass.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::{fs, path::PathBuf};

use serde_json::Value as Json;

use crate::support::{self, Said, of_each};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

impl Said {
    /// The part that tells which invariants were tested.
    fn tests_made(&self) -> &str {
        let tests = self.stdout.split_once("tests made").unwrap().1;
        let made = tests.split("nothing of:").next().unwrap();
        made.split("\nseed ").next().unwrap()
    }

    /// How often a situation arose.
    fn times(&self, situation: &str) -> u64 {
        let mut lines = self.stdout.lines();
        let line = lines.find(|line| line.ends_with(&format!("  {situation}")));
        let Some(line) = line else {
            return 0;
        };
        let times = line.split_whitespace().next().unwrap();
        times.replace(',', "").parse().unwrap()
    }
}

/// An empty folder of the test's own, in which `sibcheck` is run.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        Self(support::empty_folder(&format!("dialects-{name}")))
    }

    fn sibcheck(&self, arguments: &[&str]) -> Said {
        Said::by(&mut support::sibcheck(&self.0, arguments))
    }

    fn check(&self, bin: &str, flags: &[&str]) -> Said {
        let check = ["check", "--bin", bin, "--seed", "1", "--verbose"];
        self.sibcheck(&[&check[..], flags].concat())
    }

    /// The operations of the history that a check saved.
    fn operations(&self) -> Vec<String> {
        let saved = self.0.join("sibcheck-results/program-seed-1/history.jsonl");
        let history = fs::read_to_string(saved).unwrap();
        history.lines().skip(1).map(str::to_owned).collect()
    }
}

/// The command of a node in `tests/nodes/`; `None` without Python.
fn node(command: &str) -> Option<String> {
    if !support::have("python3") {
        return None;
    }
    Some(format!("python3 {ROOT}/tests/nodes/{command}"))
}

fn file(name: &str) -> String {
    format!("{ROOT}/examples/dialects/{name}")
}

#[test]
fn a_correct_kv_store_holds_and_its_dialect_is_found_out() {
    let Some(bin) = node("kv_store.py") else {
        return;
    };
    let place = Place::new("kv");
    let said = place.check(&bin, &["--runs", "3"]).expect(
        0,
        &[
            "VALID (claim linearizable)",
            "(dialect kv)",
            "clock soundness, clock precision and clock advance: in this",
            "clock identity",
        ],
    );
    let tests = said.tests_made();
    assert!(!tests.contains("clock precision"), "{tests}");
    // Requests that are lost leave writes of unknown outcome, whose clients go on.
    let lossy = ["--runs", "5", "--faults", "client-loss"];
    let said = place.check(&bin, &lossy).expect(0, &["VALID"]);
    let unknown = "writes with an unknown outcome";
    assert_ne!(said.times(unknown), 0, "{}", said.stdout);
}

#[test]
fn a_read_of_no_such_key_tells_the_dialect_and_that_there_is_nothing() {
    let Some(bin) = node("kv_store.py --no-such-key") else {
        return;
    };
    let place = Place::new("kv-none");
    let said = place.check(&bin, &["--runs", "1", "--save-first"]);
    said.expect(0, &["VALID", "(dialect kv)"]);
    let operations = place.operations();
    let empty = |line: &&String| line.contains("\"read\":{\"siblings\":[]");
    assert!(operations.iter().filter(empty).count() > 0);
}

#[test]
fn faulty_kv_stores_are_caught_by_default() {
    let stores = [
        ("kv-drops", "--drop-sibling", "sibling preservation, key "),
        ("kv-alters", "--alter-clock", "clock identity, key "),
        ("kv-lies", "--refuse stale --lie", "no thin air, key "),
    ];
    of_each(&stores, |&(name, fault, word)| {
        let Some(bin) = node(&format!("kv_store.py {fault}")) else {
            return;
        };
        let place = Place::new(name);
        place.check(&bin, &[]).expect(1, &[word, "failed in run 1"]);
        let plan = "sibcheck-results/program-seed-1/plan.json";
        place
            .sibcheck(&["replay", "--bin", &bin, plan])
            .expect(1, &[]);
        let plan: Json = serde_json::from_slice(&fs::read(place.0.join(plan)).unwrap()).unwrap();
        let clients = plan["clients"].as_array().unwrap().iter();
        let steps: usize = clients.map(|steps| steps.as_array().unwrap().len()).sum();
        assert!(steps <= 6, "{name}: {plan:#}");
    });
}

#[test]
fn a_put_refused_in_any_way_was_not_carried_out() {
    let cases = [
        ("kv-stale", "stale"),
        ("kv-rejected", "rejected"),
        ("kv-error", "error"),
    ];
    of_each(&cases, |(name, status)| {
        let Some(bin) = node(&format!("kv_store.py --refuse {status}")) else {
            return;
        };
        let place = Place::new(name);
        place
            .check(&bin, &["--runs", "1", "--save-first"])
            .expect(0, &["VALID"]);
        let refused = place.operations();
        let refused = refused
            .iter()
            .filter(|line| line.contains("\"status\":\"fail\""))
            .count();
        assert!(refused > 5, "{status}: {refused}");
    });
    let Some(bin) = node("kv_store.py --refuse perhaps") else {
        return;
    };
    Place::new("kv-perhaps")
        .check(&bin, &["--runs", "1"])
        .expect(4, &["its \"status\" is \"perhaps\"", "its answer to kv_"]);
}

#[test]
fn a_correct_mv_store_holds_alone_and_in_a_cluster() {
    let Some(bin) = node("mv_store.py") else {
        return;
    };
    let place = Place::new("mv");
    place.check(&bin, &["--runs", "3"]).expect(
        0,
        &[
            "VALID (claim linearizable)",
            "(dialect mv)",
            "contexts, and the invariants that need them: ",
            "siblings: on one node",
        ],
    );
    let several = ["--runs", "2", "--nodes", "3", "--save-first"];
    let said = place
        .check(&bin, &several)
        .expect(0, &["VALID (claim eventual)"]);
    assert_ne!(said.times("reads of two siblings"), 0, "{}", said.stdout);
    assert!(!said.stdout.contains("siblings: on one node"));
    let saved = place
        .0
        .join("sibcheck-results/program-seed-1/history.jsonl");
    let history = fs::read_to_string(saved).unwrap();
    assert!(
        history
            .lines()
            .next()
            .unwrap()
            .contains("\"model\":\"replica\"")
    );
    assert!(!history.contains("\"sources\""), "{history}");
}

#[test]
fn faulty_mv_stores_are_caught() {
    let stores = [
        ("mv-keeps", "--keep-old", "1", "linearizability, key "),
        (
            "mv-loses",
            "--last-writer-wins",
            "3",
            "no lost update, key ",
        ),
    ];
    of_each(&stores, |&(name, fault, nodes, word)| {
        let Some(bin) = node(&format!("mv_store.py {fault}")) else {
            return;
        };
        let place = Place::new(name);
        let flags = ["--nodes", nodes, "--shrink-for", "1s"];
        place.check(&bin, &flags).expect(1, &[word]);
        let plan = "sibcheck-results/program-seed-1/plan.json";
        let again = place.sibcheck(&["replay", "--bin", &bin, plan]);
        again.expect(1, &[]);
    });
}

#[test]
fn a_described_dialect_gives_the_history_of_the_built_in_one() {
    let Some(dvv) = node("clock_forms.py dvv object") else {
        return;
    };
    let vc = format!("python3 {ROOT}/examples/nodes/python/vc_store.py");
    of_each(
        &[("vc", vc, "1"), ("dvv", dvv, "3")],
        |(name, bin, nodes)| {
            let run = |dialect: &str, folder: String| {
                let place = Place::new(&folder);
                let flags = [
                    "--dialect",
                    dialect,
                    "--nodes",
                    nodes,
                    "--runs",
                    "1",
                    "--faults",
                    "none",
                    "--save-first",
                ];
                place.check(bin, &flags).expect(0, &["VALID"]);
                place.operations()
            };
            let built_in = run(name, format!("{name}-built-in"));
            let described = run(&file(&format!("{name}.toml")), format!("{name}-described"));
            assert_eq!(built_in, described);
            assert!(built_in.len() > 90);
        },
    );
}

#[test]
fn clocks_are_read_and_sent_back_in_the_form_of_the_node() {
    let forms = [
        ("dvv", "object"),
        ("dvv", "array"),
        ("dvv", "pair"),
        ("dvv", "pairs"),
        ("vc", "object"),
        ("vc", "pair"),
        ("vc", "pairs"),
    ];
    of_each(&forms, |&(dialect, form)| {
        let Some(bin) = node(&format!("clock_forms.py {dialect} {form}")) else {
            return;
        };
        let (nodes, words) = match dialect {
            "dvv" => ("2", &["VALID", "clock advance", "context covers"][..]),
            _ => ("1", &["VALID", "clock advance"][..]),
        };
        let brief = ["--runs", "2", "--leave-out", "all"];
        let flags = [&["--dialect", dialect, "--nodes", nodes], &brief[..]].concat();
        let place = Place::new(&format!("{dialect}-{form}"));
        place.check(&bin, &flags).expect(0, words);
    });
}

#[test]
fn contexts_that_nobody_can_read_are_carried_back_unread() {
    of_each(&[("vc", "1"), ("dvv", "2")], |&(dialect, nodes)| {
        let Some(bin) = node(&format!("clock_forms.py {dialect} opaque")) else {
            return;
        };
        let place = Place::new(&format!("opaque-{dialect}"));
        let flags = [
            "--dialect",
            dialect,
            "--nodes",
            nodes,
            "--runs",
            "2",
            "--save-first",
        ];
        let said = place.check(&bin, &flags).expect(
            0,
            &[
                "VALID",
                "clock checks of contexts: they are opaque",
                "opaque contexts cannot be",
            ],
        );
        let tests = said.tests_made();
        // Dots can be read all the same.
        assert_eq!(tests.contains("clock"), dialect == "dvv", "{tests}");
        assert!(!tests.contains("context covers"), "{tests}");
        assert!(tests.contains("dominance"), "{tests}");
        let operations = place.operations();
        assert!(operations.iter().any(|line| line.contains("\"sources\":[")));
    });
}

#[test]
fn a_made_up_dialect_with_deletes_is_checked_and_its_plan_replayed_without_the_file() {
    let (Some(good), Some(bad)) = (
        node("basket_store.py"),
        node("basket_store.py --forget-receipts"),
    ) else {
        return;
    };
    let place = Place::new("basket");
    fs::copy(file("basket.toml"), place.0.join("basket.toml")).unwrap();
    let dialect = ["--dialect", "basket.toml"];
    // Clients of every habit.
    let enough = [&dialect[..], &["--runs", "8"]].concat();
    let said = place.check(&good, &enough).expect(
        0,
        &[
            "(dialect basket)",
            "--dialect basket.toml",
            "linearizability of keys with deletes",
        ],
    );
    assert_ne!(said.times("deletes"), 0, "{}", said.stdout);
    let json = place.check(
        &good,
        &[&dialect[..], &["--runs", "1", "--format", "json"]].concat(),
    );
    let json: Json = serde_json::from_str(&json.expect(0, &[]).stdout).unwrap();
    let program = &json["stores"][0]["program"];
    assert_eq!(program["dialect"], "basket");
    assert!(
        program["not_exercised"].as_array().unwrap().len() > 2,
        "{program}"
    );

    place
        .check(&bad, &dialect)
        .expect(1, &["sibling preservation, key "]);
    fs::remove_file(place.0.join("basket.toml")).unwrap();
    let plan = "sibcheck-results/program-seed-1/plan.json";
    place
        .sibcheck(&["replay", "--bin", &bad, plan])
        .expect(1, &["sibling preservation"]);
    place
        .sibcheck(&["replay", "--bin", &good, plan])
        .expect(0, &[]);
}

#[test]
fn tombstones_are_shown_where_the_file_says_so() {
    let Some(bin) = node("basket_store.py --show-deleted") else {
        return;
    };
    let place = Place::new("tombstones");
    let text = fs::read_to_string(file("basket.toml")).unwrap();
    let shown = text
        .replace("value = \"/0\"", "tombstone = \"/2\"\nvalue = \"/0\"")
        .replace(
            "type = \"empty\",",
            "type = \"empty\", mark = \"${value}\",",
        );
    fs::write(place.0.join("shown.toml"), &shown).unwrap();
    let said = place.check(&bin, &["--dialect", "shown.toml", "--runs", "10"]);
    let said = said.expect(0, &["10 of 10: 10 valid;"]);
    assert!(!said.stdout.contains("linearizability of keys with deletes"));
    assert_ne!(said.times("writes over a tombstone"), 0, "{}", said.stdout);
    // Not every plan has deletes.
    let with_deletes = (1..9).find(|seed| {
        let seed = seed.to_string();
        let once = ["--dialect", "shown.toml", "--runs", "1", "--save-first"];
        let check = ["check", "--bin", &bin, "--seed", &seed];
        place.sibcheck(&[&check[..], &once].concat()).expect(0, &[]);
        let history = format!("sibcheck-results/program-seed-{seed}/history.jsonl");
        place.sibcheck(&["verify", &history]).expect(0, &["VALID"]);
        let history = fs::read_to_string(place.0.join(history)).unwrap();
        history.contains("\"tombstone\":true")
    });
    assert!(with_deletes.is_some());
    // Without a mark in the request nothing tells which delete a tombstone comes from.
    let hidden = shown.replace("mark = \"${value}\", ", "");
    assert_ne!(hidden, shown);
    fs::write(place.0.join("hidden.toml"), hidden).unwrap();
    let said = place.check(&bin, &["--dialect", "hidden.toml", "--runs", "8"]);
    said.expect(0, &["linearizability of keys with deletes"]);
}

#[test]
fn tombstones_may_be_removed_where_the_file_says_so() {
    let Some(bin) = node("basket_store.py --show-deleted --reap-deleted") else {
        return;
    };
    let place = Place::new("reaped");
    let text = fs::read_to_string(file("basket.toml")).unwrap();
    let shown = text
        .replace("value = \"/0\"", "tombstone = \"/2\"\nvalue = \"/0\"")
        .replace(
            "type = \"empty\",",
            "type = \"empty\", mark = \"${value}\",",
        );
    fs::write(place.0.join("shown.toml"), &shown).unwrap();
    let reaped = shown.replace("[write]", "reaped = true\n\n[write]");
    assert_ne!(reaped, shown);
    fs::write(place.0.join("reaped.toml"), reaped).unwrap();
    let runs = ["--runs", "12", "--claim", "eventual", "--nodes", "1"];
    let said = |dialect| place.check(&bin, &[&["--dialect", dialect], &runs[..]].concat());
    // To who takes all tombstones for shown, one that was removed is a lost update.
    said("shown.toml").expect(1, &["no lost update"]);
    let said = said("reaped.toml").expect(0, &["linearizability of keys with deletes"]);
    assert_ne!(said.times("deletes"), 0, "{}", said.stdout);
}

#[test]
fn mistakes_in_a_dialect_are_told_with_file_place_and_remedy() {
    let place = Place::new("mistakes");
    let text = fs::read_to_string(file("vc.toml")).unwrap();
    let cases = [
        (
            "clock = \"/vc\" ",
            "clok = \"/vc\" ",
            &["mine.toml", "line 11", "unknown field `clok`"][..],
        ),
        (
            "\"${context}\"",
            "\"${contxt}\"",
            &["mine.toml", "line 14", "${contxt}", "${context}"],
        ),
        (
            ", key = \"${key}\" }\nanswers = [\"vc_read_ok\"]",
            " }",
            &["mine.toml", "read.request", "${key}"],
        ),
    ];
    for (old, new, words) in cases {
        let wrong = text.replacen(old, new, 1);
        assert_ne!(wrong, text, "{old}");
        fs::write(place.0.join("mine.toml"), wrong).unwrap();
        place
            .check("true", &["--dialect", "./mine.toml"])
            .expect(2, words);
    }
    place
        .check("true", &["--dialect", "none.toml"])
        .expect(2, &["failed to read none.toml"]);
    place
        .check("true", &["--dialect", "vd"])
        .expect(2, &["no dialect \"vd\"", "kv, mv"]);
}

#[test]
fn a_program_of_no_dialect_is_told_what_was_tried() {
    let Some(_) = node("") else { return };
    let place = Place::new("unknown");
    let node = "import json, sys\nfor line in sys.stdin:\n    m = json.loads(line); b = m['body']\n    r = {'type': 'init_ok'} if b['type'] == 'init' else {'type': 'error', 'code': 10, 'text': 'what?'}\n    print(json.dumps({'src': m['dest'], 'dest': m['src'], 'body': {**r, 'in_reply_to': b['msg_id']}}), flush=True)\n";
    fs::write(place.0.join("node.py"), node).unwrap();
    let tried = [
        "\n  vc_read, dvv_get, vv_read, kv_get, mv_read, write: {\"code\":10",
        "what?",
        "--dialect FILE",
    ];
    place.check("python3 node.py", &[]).expect(4, &tried);
}

#[test]
fn the_guide_shows_the_described_dialect_as_it_is() {
    let guide = fs::read_to_string(format!("{ROOT}/docs/custom-dialects.md")).unwrap();
    for file in ["basket.toml", "lease.toml"].map(file) {
        let described = fs::read_to_string(file).unwrap();
        assert!(guide.contains(&format!("```toml\n{described}```")));
    }
}
