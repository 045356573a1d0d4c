//! What tests of programs have in common.
#![allow(dead_code, reason = "no test program needs all of it")]
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::{fs, path::PathBuf, process::Command};

/// Checks the node that a test wrote into its folder; a seed follows.
pub(crate) const CHECK_NODE: [&str; 6] = [
    "check",
    "--bin",
    "python3 node.py",
    "--dialect",
    "vc",
    "--seed",
];

/// An empty folder of the test's own.
pub(crate) fn empty_folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// True when a program can be started; else says that the test is skipped.
pub(crate) fn have(program: &str) -> bool {
    let have = Command::new(program).arg("--version").output().is_ok();
    if !have {
        println!("skipped: there is no {program} on this machine");
    }
    have
}
