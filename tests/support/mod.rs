//! What tests of programs have in common.

use std::process::Command;

/// True when a program can be started; else says that the test is skipped.
pub(crate) fn have(program: &str) -> bool {
    let have = Command::new(program).arg("--version").output().is_ok();
    if !have {
        println!("skipped: there is no {program} on this machine");
    }
    have
}
