//! Golden verdicts: in each file of `goldens/`, histories with their claim, `----`, and the verdict
//! as it is drawn.
//!
//! `SIBCHECK_REGENERATE=1 cargo test -p sibcheck-checkers` rewrites what stands after each `----`.

use std::{fmt::Write as _, fs, path::Path};

use sibcheck_checkers::{Claim, History, Promise, Verdict};

use crate::support::{history, verdict};

#[test]
fn verdicts_are_drawn_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkers/goldens");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let recorded = fs::read_to_string(&path).unwrap();
        let drawn = redraw(&recorded);
        if std::env::var_os("SIBCHECK_REGENERATE").is_some() {
            fs::write(&path, drawn).unwrap();
        } else {
            assert_eq!(
                recorded,
                drawn,
                "{} differs; regenerate and review it",
                path.display()
            );
        }
    }
}

/// Draws every verdict of a file anew. Cases are separated by blank lines.
fn redraw(recorded: &str) -> String {
    let cases = recorded.trim_end().split("\n\n").map(|case| {
        let input = case.split_once("\n----").map_or(case, |(input, _)| input);
        let (promised, lines): (Vec<_>, Vec<_>) = input
            .lines()
            .partition(|line| line.starts_with("claim ") || *line == "replica-monotonic");
        let claim = promised.iter().find_map(|line| line.strip_prefix("claim "));
        let promise = Promise {
            claim: claim.map_or(Claim::Eventual, |name| name.parse().unwrap()),
            replica_monotonic: promised.contains(&"replica-monotonic"),
        };
        let history = history(&lines.join("\n"));
        format!(
            "{input}\n----\n{}",
            draw(&history, &verdict(&history, promise))
        )
    });
    cases.collect::<Vec<_>>().join("\n")
}

fn draw(history: &History, verdict: &Verdict) -> String {
    let mut drawn = format!("{}\n", verdict.outcome);
    for violation in &verdict.violations {
        let more = if violation.more > 0 {
            format!(" (and {} more)", violation.more)
        } else {
            String::new()
        };
        let key = &history.keys[violation.key as usize];
        writeln!(
            drawn,
            "{} of {key}{more}: {}",
            violation.invariant,
            violation.sentence(history)
        )
        .unwrap();
        let timeline = violation.timeline(history);
        for moment in &timeline.moments {
            writeln!(drawn, "  {}", moment.line()).unwrap();
        }
        if !timeline.links.is_empty() {
            writeln!(drawn, "  {}", timeline.links).unwrap();
        }
    }
    for unknown in &verdict.unknown {
        writeln!(drawn, "unknown: {}", unknown.sentence(history)).unwrap();
    }
    drawn
}
