//! `cargo bench --bench clocks`: merging and comparing clocks, and the executions a second of the
//! `clock_merge` fuzz target's function.

#![allow(
    missing_docs,
    reason = "criterion's macros make an undocumented function"
)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sibcheck::{
    clocks::{Actor, VectorClock},
    fuzzing,
    simulation::{Purpose, Random},
};

/// A clock of entries `n{first}`, `n{first + 1}`, … with counters that differ by `phase`.
fn clock(first: u64, entries: u64, phase: u64) -> VectorClock {
    let entries = (first..first + entries).map(|actor| {
        (
            Actor::from(format!("n{actor:02}")),
            1 + (actor * 7 + phase) % 5,
        )
    });
    VectorClock::from_entries(entries).unwrap_or_default()
}

fn clocks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("vector clock");
    let pairs = [
        (
            "merge 8 with the same 8 actors",
            clock(0, 8, 0),
            clock(0, 8, 2),
        ),
        (
            "merge 8 with 8, 4 actors shared",
            clock(0, 8, 0),
            clock(4, 8, 2),
        ),
        (
            "merge 8 with 8 other actors",
            clock(0, 8, 0),
            clock(8, 8, 2),
        ),
    ];
    for (name, left, right) in &pairs {
        group.bench_function(*name, |bencher| {
            bencher.iter(|| black_box(left).merge(black_box(right)));
        });
    }
    let (_, left, right) = &pairs[0];
    group.bench_function("compare 8 with 8", |bencher| {
        bencher.iter(|| black_box(left).compare(black_box(right)));
    });
    group.finish();

    let mut random = Random::new(1, Purpose::Shape);
    let inputs: Vec<Vec<u8>> = (0..256)
        .map(|_| (0..6).flat_map(|_| random.bits().to_le_bytes()).collect())
        .collect();
    let mut group = criterion.benchmark_group("fuzz target");
    group.throughput(Throughput::Elements(inputs.len() as u64));
    group.bench_function("clock_merge", |bencher| {
        bencher.iter(|| {
            for input in &inputs {
                fuzzing::clock_merge::run(input);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, clocks);
criterion_main!(benches);
