//! The README is true: its tables come from the code.
//!
//! `SIBCHECK_REGENERATE=1 cargo test --test readme` writes the blocks anew.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::{env, fmt::Write, fs, path::PathBuf};

use sibcheck::{fuzzing::TARGETS, stores::faulty::Flaw};
use sibcheck_checkers::{Claim, Invariant};

fn readme() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

/// Compares the block between `<!-- name -->` and `<!-- end -->` with what it should be.
fn block(name: &str, should: &str) -> Result<(), String> {
    let text = fs::read_to_string(readme()).unwrap();
    let begin = format!("<!-- {name} -->\n");
    let from = text.find(&begin).unwrap() + begin.len();
    let to = from + text[from..].find("<!-- end -->").unwrap();
    if text[from..to] == *should {
        return Ok(());
    }
    if env::var_os("SIBCHECK_REGENERATE").is_some() {
        fs::write(
            readme(),
            format!("{}{should}{}", &text[..from], &text[to..]),
        )
        .unwrap();
        return Ok(());
    }
    Err(format!(
        "the block {name:?} of README.md should be:\n{should}"
    ))
}

#[test]
fn the_generated_blocks_are_up_to_date() {
    let mut invariants = "| invariant | statement |\n| --- | --- |\n".to_owned();
    for invariant in Invariant::ALL {
        writeln!(invariants, "| {invariant} | {} |", invariant.statement()).unwrap();
    }
    block("invariants", &invariants).unwrap();

    let mut claims = "| claim | promises | implies |\n| --- | --- | --- |\n".to_owned();
    for claim in Claim::ALL {
        let others = Claim::ALL.into_iter().filter(|other| *other != claim);
        let implied = others.filter(|other| claim.implies(*other));
        let implied: Vec<_> = implied.map(|other| format!("`{other}`")).collect();
        let (summary, implied) = (claim.summary(), implied.join(", "));
        writeln!(claims, "| `{claim}` | {summary} | {implied} |").unwrap();
    }
    block("claims", &claims).unwrap();

    let mut flaws = "| `--store` | what it does | breaks |\n| --- | --- | --- |\n".to_owned();
    for flaw in Flaw::ALL {
        let (name, summary) = (flaw.name(), flaw.summary());
        writeln!(flaws, "| `faulty:{name}` | {summary} | {} |", flaw.breaks()).unwrap();
    }
    block("flaws", &flaws).unwrap();
}

#[test]
fn every_fuzz_target_is_named_and_has_its_glue() {
    let text = fs::read_to_string(readme()).unwrap();
    for (target, _) in TARGETS {
        assert!(text.contains(&format!("| `{target}` |")), "{target}");
        let glue = format!("fuzz/fuzz_targets/{target}.rs");
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(&glue);
        let lines = fs::read_to_string(path).unwrap().lines().count();
        assert!(lines <= 12, "{glue} has {lines} lines");
    }
}
