//! What judging registers costs one core: `cargo run --release -p sibcheck-checkers --example
//! register_speed`.
//!
//! Time is that of the processor (from `/proc`, else of the wall), so that a busy machine matters
//! less. Peak memory is that of `/usr/bin/time -v` on a run with a single row, which its number
//! names: `register_speed 3`.

use std::{fs, time::Instant};

use sibcheck_checkers::{
    Outcome,
    registers::{Budget, judge},
};
use sibcheck_oracles::registers::generate::{Shape, generate};

/// Processor time of this thread so far in nanoseconds.
fn now(start: Instant) -> u64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let first = told.and_then(|told| told.split(' ').next()?.parse().ok());
    let wall = start.elapsed();
    first.unwrap_or_else(|| u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "speed figures read the clock")]
fn main() {
    let start = Instant::now();
    let only: Option<usize> = std::env::args().nth(1).and_then(|row| row.parse().ok());
    let plain = Shape {
        operations: 0,
        keys: 1,
        clients: 10,
        unknown: 0,
        values: 0,
        broken: false,
    };
    let mut rows = Vec::new();
    for keys in [100, 1] {
        for operations in [10_000, 100_000, 1_000_000, 10_000_000] {
            rows.push(Shape {
                operations,
                keys,
                ..plain
            });
        }
    }
    for (unknown, values, broken) in [(50, 0, true), (50, 5, false), (0, 5, false)] {
        rows.push(Shape {
            operations: 1_000,
            unknown,
            values,
            broken,
            ..plain
        });
    }
    // The current thread does it all.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread()
        .build_global();
    if let Err(error) = pool {
        eprintln!("more than one thread may work: {error}");
    }
    for (number, shape) in rows.iter().enumerate() {
        if only.is_some_and(|only| only != number) {
            continue;
        }
        // SplitMix64, so that the same histories are judged everywhere.
        let mut state = 1_u64;
        let history = generate(shape, &mut |bound| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut bits = state;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (bits ^ (bits >> 31)) % bound
        });
        // The system counts in steps of some milliseconds.
        let times = match shape.values {
            0 => (20_000_000 / shape.operations).clamp(3, 2_000),
            _ => 20,
        };
        let before = now(start);
        let mut outcome = Outcome::Unknown;
        for _ in 0..times {
            if let Ok(verdict) = judge(&history, Budget::default()) {
                outcome = verdict.outcome;
            }
        }
        let each = (now(start) - before) / u64::from(times);
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let (ms, ns) = (each as f64 / 1e6, each as f64 / f64::from(shape.operations));
        println!(
            "{number:>2}. {:>10} operations, {:>3} keys, {:>2} unknown, {}: {outcome}, {ms:>9.3} ms, {ns:>5.0} ns each",
            shape.operations,
            shape.keys,
            shape.unknown,
            if shape.values == 0 {
                "unique values"
            } else {
                "5 values"
            },
        );
    }
}
