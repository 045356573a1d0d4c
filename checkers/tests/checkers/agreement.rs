//! The checkers and the brute force agree on small random histories, correct and corrupted.
//!
//! A seed draws one history; every claim is asked of it, all by one examination and each by itself.
//! Disagreements are told in the order of their seeds, whatever the number of threads.
//!
//! `SIBCHECK_HISTORIES` sets how many are tried, `SIBCHECK_FIRST_SEED` where to begin. A long run:
//! `SIBCHECK_HISTORIES=5000000 cargo test --release -p sibcheck-checkers --test checkers agreement -- --nocapture`

use std::{
    collections::hash_map::DefaultHasher,
    hash::Hasher,
    ops::{AddAssign, Range},
    panic::catch_unwind,
};

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::{
    evidence::{proves, superfluous, tellable},
    support::{
        corruption::Corruption,
        coverage::Coverage,
        definitions::{agree, agree_in_full, lines},
        drawing::{drawn, promises, shape},
        model::{Dice, correct},
        tally::{Tally, verdicts, violations},
        verdict,
    },
};
use sibcheck_checkers::{
    History, Outcome, Verdict,
    format::{read_history, write_history},
    strongest::{Strongest, strongest},
};

/// So many that everything happens in them that is to be tested.
const ENOUGH: u64 = 4_000;

/// So many that everything is drawn under every claim and verdict.
const JUDGED: u64 = 1_000_000;

/// So many that everything is drawn everywhere.
const ALL: u64 = 150_000;

/// What is asked for, else so many from 0.
pub(crate) fn seeds(enough: u64) -> Range<u64> {
    let first = number("SIBCHECK_FIRST_SEED").unwrap_or(0);
    first..first + number("SIBCHECK_HISTORIES").unwrap_or(enough)
}

pub(crate) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn correct_histories_are_never_violated() {
    for promise in promises() {
        let claim = promise.claim;
        let mut valid = 0;
        for seed in 0..4_000 {
            let mut dice = Dice(seed);
            let shape = shape(&mut dice, claim);
            let history = correct(&mut dice, shape);
            let verdict = verdict(&history, promise);
            assert_eq!(unviolated(&history, &verdict), Ok(()), "seed {seed}");
            valid += u64::from(verdict.outcome == Outcome::Valid);
        }
        assert!(valid > 400, "{claim}: only {valid} histories told anything");
    }
}

fn unviolated(history: &History, verdict: &Verdict) -> Result<(), String> {
    if verdict.violations.is_empty() {
        return Ok(());
    }
    let sentences = verdict.violations.iter().map(|v| v.sentence(history));
    let sentences: Vec<_> = sentences.collect();
    Err(format!(
        "a correct store: {sentences:#?}\n{}",
        lines(history)
    ))
}

/// What one history, or many, came to.
#[derive(Default)]
struct Counts {
    histories: u64,
    uncorrupted: u64,
    corrupted: [u64; Corruption::ALL.len()],
    tally: Tally,
    coverage: Coverage,
    closely: u64,
    evidence: u64,
    /// Violations whose evidence holds more than it takes.
    superfluous: u64,
    /// A number for each history; equal histories have equal numbers.
    fingerprints: Vec<u64>,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.histories += other.histories;
        self.uncorrupted += other.uncorrupted;
        self.closely += other.closely;
        self.evidence += other.evidence;
        self.superfluous += other.superfluous;
        for (all, more) in self.corrupted.iter_mut().zip(other.corrupted) {
            *all += more;
        }
        self.tally += &other.tally;
        self.coverage += other.coverage;
        self.fingerprints.extend(other.fingerprints);
    }
}

/// Draws a history and asks everything of it.
fn ask(seed: u64) -> Result<Counts, String> {
    let drawn = drawn(seed);
    let history = &drawn.history;
    let asked = agree(history)?;
    let judged = &asked.judged;
    for verdict in verdicts(judged) {
        asked.alone(history, verdict.promise())?;
    }
    asked.alone(history, drawn.promise)?;
    agree_in_full(history, drawn.promise)?;
    let mut counts = Counts {
        histories: 1,
        uncorrupted: u64::from(drawn.corruptions.is_empty()),
        closely: u64::from(drawn.closely),
        fingerprints: vec![fingerprint(history)],
        ..Counts::default()
    };
    let kept = |verdict: &&Verdict| Some(verdict.claim) == drawn.kept;
    for verdict in judged.verdicts().iter().filter(kept) {
        unviolated(history, verdict)?;
    }
    for (kind, count) in Corruption::ALL.iter().zip(&mut counts.corrupted) {
        *count += u64::from(drawn.corruptions.contains(kind));
    }
    counts.tally.add(judged);
    counts.coverage.add_judged(history, judged);
    for violation in violations(judged) {
        if drawn.closely {
            proves(history, violation)?;
            tellable(history, violation)?;
            counts.evidence += 1;
            counts.superfluous += u64::from(superfluous(history, violation).is_some());
        }
    }
    if drawn.closely {
        let written = lines(history);
        let again = read_history(written.as_bytes()).map_err(|error| error.to_string())?;
        if lines(&again) != written {
            return Err(format!("does not read back\n{written}"));
        }
        let outcomes = |judged: &Strongest| {
            judged
                .verdicts()
                .iter()
                .map(|v| v.outcome)
                .collect::<Vec<_>>()
        };
        let again = strongest(&again).map_err(|fault| fault.to_string())?;
        if outcomes(&again) != outcomes(judged) {
            return Err(format!("another verdict after being read\n{written}"));
        }
    }
    Ok(counts)
}

fn fingerprint(history: &History) -> u64 {
    struct Hashed(DefaultHasher);
    impl std::io::Write for Hashed {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.write(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut hashed = Hashed(DefaultHasher::new());
    write_history(history, &mut hashed).expect("it can be written");
    hashed.0.finish()
}

#[test]
fn everything_is_drawn() {
    let add = |mut coverage: Coverage, seed| {
        coverage.add(&drawn(seed).history);
        coverage
    };
    let drawn = (0..ALL).into_par_iter().fold(Coverage::default, add);
    let coverage = drawn.reduce(Coverage::default, |mut all, more| {
        all += more;
        all
    });
    println!("{coverage}");
    assert_eq!(coverage.holes(), [""; 0]);
}

/// How many disagreements are told in full.
const MOST_TOLD: u64 = 10;

/// How many seeds are asked between two looks at what came of them.
const BLOCK: usize = 4_000;

#[test]
fn checkers_agree_with_the_definitions() {
    let mut total = Counts::default();
    let mut disagreements = 0;
    let seeds = seeds(ENOUGH);
    for first in seeds.clone().step_by(BLOCK) {
        let block = first..seeds.end.min(first + BLOCK as u64);
        let asked: Vec<_> = block
            .clone()
            .into_par_iter()
            .map(|seed| match catch_unwind(|| ask(seed)) {
                Ok(asked) => asked.map_err(|what| format!("seed {seed}: {what}")),
                Err(_) => Err(format!(
                    "seed {seed}: a panic\n{}",
                    lines(&drawn(seed).history)
                )),
            })
            .collect();
        for asked in asked {
            match asked {
                Ok(counts) => total += counts,
                Err(what) => {
                    disagreements += 1;
                    if disagreements <= MOST_TOLD {
                        println!("{what}");
                    }
                }
            }
        }
        let done = block.end - seeds.start;
        if done.is_multiple_of(500_000) {
            println!("{done} histories");
        }
    }
    summarize(&mut total, seeds.clone(), disagreements);
    assert_eq!(
        (total.histories, disagreements),
        (seeds.end - seeds.start, 0)
    );
    if seeds.end - seeds.start >= ENOUGH {
        assert!(total.corrupted.iter().all(|count| *count > 0));
        assert_eq!(total.tally.never_fired(), []);
    }
    if seeds.end - seeds.start >= JUDGED {
        assert_eq!(total.coverage.unjudged(), [""; 0]);
    }
}

fn summarize(total: &mut Counts, seeds: Range<u64>, disagreements: u64) {
    total.fingerprints.sort_unstable();
    total.fingerprints.dedup();
    println!(
        "{} histories (seeds {seeds:?}), {} of them different, asked by every claim; \
         {disagreements} disagreements",
        total.histories,
        total.fingerprints.len()
    );
    println!("  {:>10} as a correct store made them", total.uncorrupted);
    for (kind, count) in Corruption::ALL.iter().zip(total.corrupted) {
        println!("  {count:>10} corrupted: {}", kind.name());
    }
    print!("verdicts:\n{}", total.tally);
    println!("what was drawn:\n{}", total.coverage);
    println!(
        "looked at closely: {} histories, the evidence of {} violations; {} with an operation too many",
        total.closely, total.evidence, total.superfluous
    );
}
