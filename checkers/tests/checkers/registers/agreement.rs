//! Zones, search and definition agree on small random histories, of which a table is printed.
//!
//! `SIBCHECK_HISTORIES` sets how many are tried, `SIBCHECK_FIRST_SEED` where to begin. A long run:
//! `SIBCHECK_HISTORIES=5000000 cargo test --release -p sibcheck-checkers --test checkers registers::agreement -- --nocapture`

use std::{collections::BTreeMap, panic::catch_unwind};

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use sibcheck_checkers::Outcome;

use super::{asking::agree, coverage::Coverage, drawing::draw, notation::text};
use crate::agreement::{number, seeds};

/// So many that every row of the table has both verdicts, and every kind of finding is among them.
const ENOUGH: u64 = 20_000;

/// So many that everything is drawn.
const ALL: u64 = 200_000;

/// How many seeds are asked between two looks at what came of them.
const BLOCK: u64 = 10_000;

/// What some histories came to.
#[derive(Default)]
struct Counts {
    histories: u64,
    /// As a register answered.
    correct: u64,
    by_zones: u64,
    outcomes: BTreeMap<String, u64>,
    findings: BTreeMap<String, u64>,
    coverage: Coverage,
}

impl Counts {
    fn ask(&mut self, seed: u64) -> Result<(), String> {
        let (history, correct) = draw(seed);
        self.histories += 1;
        let verdict = agree(&history)?;
        self.coverage.add(&history, Some(&verdict));
        if correct && !verdict.violations.is_empty() {
            return Err(format!("a register: {verdict:?}\n{}", text(&history)));
        }
        self.correct += u64::from(correct);
        self.by_zones += verdict.figures.keys_by_zones;
        let outcome = format!("{:?}", verdict.outcome);
        *self.outcomes.entry(outcome).or_default() += 1;
        for violation in &verdict.violations {
            let finding = format!("{:?}", violation.finding.what);
            let name = finding.split([' ', '{']).next().unwrap_or_default();
            *self.findings.entry(name.to_owned()).or_default() += 1;
        }
        Ok(())
    }

    fn add(&mut self, other: Self) {
        self.histories += other.histories;
        self.correct += other.correct;
        self.by_zones += other.by_zones;
        self.coverage += other.coverage;
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        for (finding, count) in other.findings {
            *self.findings.entry(finding).or_default() += count;
        }
    }
}

#[test]
fn checkers_agree_with_the_definition() {
    let seeds = seeds(ENOUGH);
    let mut total = Counts::default();
    let mut disagreements: Vec<String> = Vec::new();
    let mut first = seeds.start;
    while first < seeds.end {
        let block = first..seeds.end.min(first + BLOCK);
        first = block.end;
        let parts: Vec<_> = block
            .into_par_iter()
            .fold(
                || (Counts::default(), Vec::new()),
                |(mut counts, mut found), seed| {
                    let asked = catch_unwind(std::panic::AssertUnwindSafe(|| counts.ask(seed)));
                    match asked {
                        Ok(Ok(())) => {}
                        Ok(Err(what)) => found.push((seed, what)),
                        Err(_) => found.push((seed, text(&draw(seed).0))),
                    }
                    (counts, found)
                },
            )
            .collect();
        let mut found = Vec::new();
        for (counts, more) in parts {
            total.add(counts);
            found.extend(more);
        }
        found.sort_unstable();
        for (seed, what) in found {
            println!("seed {seed}: {what}");
            disagreements.push(what);
        }
        assert!(disagreements.len() < 20, "and so on");
    }
    println!(
        "{} histories (seeds {seeds:?}), {} as a register answered, {} by zones: {:?}\n{:#?}\n{}",
        total.histories,
        total.correct,
        total.by_zones,
        total.outcomes,
        total.findings,
        total.coverage
    );
    println!("{} disagreements", disagreements.len());
    assert_eq!(disagreements, [""; 0]);
    if number("SIBCHECK_HISTORIES").unwrap_or(ENOUGH) < ENOUGH {
        return;
    }
    let share = |part: u64| 100 * part / total.histories;
    assert!((20..80).contains(&share(total.by_zones)), "by zones");
    assert!(share(total.correct) >= 10, "as a register answered");
    for outcome in Outcome::ALL {
        let count = total.outcomes.get(&format!("{outcome:?}")).copied();
        assert!(share(count.unwrap_or(0)) > 0, "{outcome:?}");
    }
    assert_eq!(total.findings.len(), 8, "kinds of findings");
    assert_eq!(total.coverage.unjudged(), [""; 0]);
}

#[test]
fn everything_is_drawn() {
    let drawn = (0..ALL)
        .into_par_iter()
        .fold(Coverage::default, |mut coverage, seed| {
            coverage.add(&draw(seed).0, None);
            coverage
        });
    let coverage = drawn.reduce(Coverage::default, |mut all, more| {
        all += more;
        all
    });
    println!("{coverage}");
    assert_eq!(coverage.holes(), [""; 0]);
}
