//! Losses of power: what was not synced before it was acknowledged is lost, and nothing else.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::{fs, path::Path};

use crate::support::{Said, compiled, empty_folder, have, of_each, sibcheck};

const NODES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nodes");

/// Checks registers on one node under faults of these kinds, with plain keys and values.
fn check(name: &str, bin: &str, faults: &str, flags: &[&str]) -> Said {
    let folder = empty_folder(&format!("power-{name}"));
    let check = ["check", "--bin", bin, "--dialect", "lin-kv", "--nodes", "1"];
    let plain = ["--leave-out", "all", "--seed", "1", "--no-ladder"];
    let words = [&check[..], &plain, &["--faults", faults], flags].concat();
    Said::by(&mut sibcheck(&folder, &words))
}

fn python(way: &str) -> String {
    format!("python3 {NODES}/stored_registers.py {way}")
}

#[test]
fn what_is_synced_before_it_is_acknowledged_is_not_lost() {
    if !have("python3") {
        return;
    }
    let ways = [
        "log",
        "log-dsync",
        "log-second",
        "mmap",
        "replace",
        "sqlite-extra",
        "sqlite-wal",
    ];
    of_each(&ways, |way| {
        let said = check(way, &python(way), "power-loss", &["--runs", "6"]);
        assert_eq!(said.code, Some(0), "{said:?}");
    });
}

#[test]
fn what_is_not_synced_before_it_is_acknowledged_is_lost() {
    if !have("python3") {
        return;
    }
    let ways = [
        "log-unsynced",
        "log-late",
        "mmap-unsynced",
        "replace-unsynced",
        "replace-name",
        "sqlite-full",
        "sqlite-normal",
        "sqlite-off",
    ];
    of_each(&ways, |way| {
        let flags = ["--runs", "20", "--shrink-for", "1s"];
        let said = check(way, &python(way), "power-loss", &flags);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.stdout.contains("n1 lost power"), "{said:?}");
    });
    // All that was written is there after a crash.
    let killed = check("killed", &python("log-unsynced"), "crash", &["--runs", "6"]);
    assert_eq!(killed.code, Some(0), "{killed:?}");
    // What is in place of the old file is empty, which the node cannot read: it dies when it starts.
    let flags = ["--runs", "20", "--shrink-for", "0s"];
    let empty = check("empty", &python("replace-content"), "power-loss", &flags);
    assert!(matches!(empty.code, Some(1 | 4)), "{empty:?}");
}

#[test]
fn so_it_is_in_go() {
    let folder = empty_folder("power-go-built");
    let built = folder.join("node").display().to_string();
    let source = format!("{NODES}/stored_registers.go");
    if !compiled("go", &["build", "-o", &built, &source]) {
        return;
    }
    let correct = check("go", &built, "power-loss", &["--runs", "10"]);
    assert_eq!(correct.code, Some(0), "{correct:?}");
    let faulty = format!("{built} unsynced");
    let flags = ["--runs", "20", "--shrink-for", "1s"];
    let found = check("go-unsynced", &faulty, "power-loss", &flags);
    assert_eq!(found.code, Some(1), "{found:?}");
    let killed = check("go-killed", &faulty, "crash", &["--runs", "6"]);
    assert_eq!(killed.code, Some(0), "{killed:?}");
}

#[test]
fn a_loss_is_saved_and_replayed_and_the_mended_program_passes() {
    if !have("python3") {
        return;
    }
    let flags = ["--runs", "20", "--shrink-for", "5s"];
    let name = "replayed";
    let said = check(name, &python("log-unsynced"), "power-loss", &flags);
    assert_eq!(said.code, Some(1), "{said:?}");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("power-{name}"));
    let saved = fs::read_dir(folder.join("sibcheck-results"))
        .unwrap()
        .next();
    let plan = saved.unwrap().unwrap().path().join("plan.json");
    let text = fs::read_to_string(&plan).unwrap();
    assert!(text.contains("\"power-loss\""), "{text}");
    let plan = plan.display().to_string();
    for (way, code) in [("log-unsynced", 1), ("log", 0)] {
        let replay = ["replay", "--bin", &python(way), &plan];
        let said = Said::by(&mut sibcheck(&folder, &replay));
        assert_eq!(said.code, Some(code), "{way}: {said:?}");
    }
}

#[test]
fn where_power_cannot_be_lost_that_is_said() {
    let folder = empty_folder("power-refused");
    let store = ["check", "--store", "dotted", "--faults", "power-loss"];
    let said = Said::by(&mut sibcheck(&folder, &store));
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.contains("name crash instead"), "{said:?}");
    if !have("python3") {
        return;
    }
    let said = check(
        "lockstep",
        &python("log"),
        "power-loss,clock",
        &["--time", "lockstep"],
    );
    assert_eq!(said.code, Some(2), "{said:?}");
    let why = "clocks can be wrong and power can be lost in virtual time only";
    assert!(said.stderr.contains(why), "{said:?}");
}
