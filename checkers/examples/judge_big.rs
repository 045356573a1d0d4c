//! How long big histories take, on one core:
//! `cargo run --release -p sibcheck-checkers --example judge_big -- OPERATIONS KEYS NODES dots|clocks [CLAIM]`.
//!
//! The history is generated, written, read, and judged as it was read, all in memory: by `CLAIM`, or
//! else by the claim that it says it keeps. Seconds are those that were spent on the core, where the
//! system tells (Linux), whatever else is running; else those that went by.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use sibcheck_checkers::{
    Claim,
    format::{read_history, write_history},
    judge,
};
use sibcheck_oracles::siblings::generate::{Shape, SiblingHistory, Versions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let ([operations, keys, nodes, versions], claim) = (match &words[..] {
        [shape @ .., claim] if words.len() == 5 => (shape, Some(claim)),
        shape => (shape, None),
    }) else {
        return Err("expected: OPERATIONS KEYS NODES dots|clocks [CLAIM]".into());
    };
    let shape = Shape {
        operations: operations.parse()?,
        keys: keys.parse()?,
        clients: 10,
        nodes: nodes.parse()?,
        versions: match versions.as_str() {
            "clocks" => Versions::Clocks,
            _ => Versions::Dots,
        },
        roaming: false,
        seed: 1,
        broken: false,
    };
    let named = |name: &String| name.parse::<Claim>();
    let claim = claim.map_or(Ok(shape.claim()), named)?;
    let one_core = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let generated = SiblingHistory::new(shape)?.collect_history();
    let mut file = Vec::new();
    write_history(&generated, &mut file)?;
    drop(generated);
    let (history, reading) = best_of_three(|| read_history(black_box(file.as_slice())));
    let history = history?;
    let (verdict, judging) =
        one_core.install(|| best_of_three(|| judge(black_box(&history), claim)));
    assert_eq!(verdict?.outcome, sibcheck_checkers::Outcome::Valid);
    let each = judging * 1e6 / f64::from(shape.operations);
    println!("judged in {judging:.3} s, {each:.3} µs an operation ({claim})");
    let size = f64::from(u32::try_from(file.len())?) / 1e6;
    println!(
        "read {size:.1} MB in {reading:.3} s, {:.0} MB/s",
        size / reading
    );
    Ok(())
}

/// What comes of doing something three times, and the fewest seconds that it took.
#[expect(clippy::disallowed_methods, reason = "speed figures read the clock")]
fn best_of_three<T>(work: impl Fn() -> T) -> (T, f64) {
    let once = || {
        let start = Instant::now();
        let before = spent(start);
        let done = work();
        (done, spent(start) - before)
    };
    let (_, first) = once();
    let (_, second) = once();
    let (done, third) = once();
    (done, first.min(second).min(third))
}

/// The seconds that this thread has spent on a core, or those since `start`.
fn spent(start: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let told = told.and_then(|told| told.split(' ').next()?.parse().ok());
    told.map_or_else(|| start.elapsed(), Duration::from_nanos)
        .as_secs_f64()
}
