//! How long a verdict takes: `cargo run --release -p sibcheck-checkers --example judge_speed`.

use std::{hint::black_box, time::Instant};

use sibcheck_checkers::{Claim, judge};

#[allow(dead_code, reason = "only correct histories are timed")]
#[path = "../tests/checkers/support/model.rs"]
mod model;

use model::{Dice, Shape, correct};

#[expect(clippy::disallowed_methods, reason = "speed figures read the clock")]
fn main() {
    let small = Shape {
        clients: 6,
        nodes: 3,
        keys: 5,
        operations: 185,
        concurrent: true,
        finals: true,
        dotted: true,
        hidden: false,
        deletes: false,
        unknowns: false,
        tagged: true,
    };
    let clocks = Shape {
        dotted: false,
        ..small
    };
    let single = Shape {
        nodes: 1,
        operations: 195,
        ..clocks
    };
    let long = Shape {
        nodes: 1,
        keys: 1,
        operations: 2_000,
        ..small
    };
    for (name, shape, claim, rounds) in [
        ("dots, eventual", small, Claim::Eventual, 2_000),
        ("clocks, eventual", clocks, Claim::Eventual, 2_000),
        ("clocks, linearizable", single, Claim::Linearizable, 2_000),
        ("one long key, linearizable", long, Claim::Linearizable, 20),
    ] {
        let histories: Vec<_> = (0..5).map(|seed| correct(&mut Dice(seed), shape)).collect();
        let operations: usize = histories
            .iter()
            .map(|history| history.operations.len())
            .sum();
        let mut best = f64::INFINITY;
        for _ in 0..rounds {
            let start = Instant::now();
            for history in &histories {
                assert!(
                    black_box(judge(black_box(history), claim)).is_ok(),
                    "the history makes sense"
                );
            }
            best = best.min(start.elapsed().as_secs_f64());
        }
        let each = best / 5.0 * 1e6;
        let per_operation = best * 1e6 / f64::from(u32::try_from(operations).unwrap_or(u32::MAX));
        println!(
            "{name}: {} operations in {each:.1} µs, {per_operation:.3} µs an operation",
            operations / 5
        );
    }
}
