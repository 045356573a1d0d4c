//! Linearizability of registers on one core: `cargo bench -p sibcheck-checkers --bench registers`.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sibcheck_checkers::{
    Outcome,
    registers::{Budget, History, judge},
};
use sibcheck_oracles::registers::generate::{Shape, generate};

/// `SplitMix64`, so that the same histories are judged everywhere.
fn draws(mut state: u64) -> impl FnMut(u64) -> u64 {
    move |bound| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % bound
    }
}

fn history(shape: Shape) -> History {
    generate(&shape, &mut draws(1))
}

fn registers(criterion: &mut Criterion) {
    // One core: the figures are for one thread.
    let built = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build_global();
    built.unwrap_or_default();
    let plain = Shape {
        operations: 1_000_000,
        keys: 100,
        clients: 10,
        unknown: 0,
        values: 0,
        broken: false,
    };
    let mut group = criterion.benchmark_group("unique values");
    group.sample_size(10);
    for keys in [100, 1] {
        for operations in [10_000, 100_000, 1_000_000, 10_000_000] {
            let history = history(Shape {
                operations,
                keys,
                ..plain
            });
            group.throughput(Throughput::Elements(operations.into()));
            let id = BenchmarkId::new(format!("{keys} keys"), operations);
            group.bench_with_input(id, &history, |bencher, history| {
                bencher.iter(|| {
                    let verdict = judge(black_box(history), Budget::default());
                    assert!(verdict.is_ok_and(|verdict| verdict.outcome == Outcome::Valid));
                });
            });
        }
    }
    group.finish();
    let mut group = criterion.benchmark_group("1,000 operations on one key, one violation");
    for (name, unknown, values) in [
        ("unique, 50 unknown", 50, 0),
        ("5 values, 50 unknown", 50, 5),
        ("5 values", 0, 5),
    ] {
        let history = history(Shape {
            operations: 1_000,
            keys: 1,
            unknown,
            values,
            broken: true,
            ..plain
        });
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || (),
                |()| {
                    let verdict = judge(black_box(&history), Budget::default());
                    assert!(verdict.is_ok_and(|verdict| verdict.outcome == Outcome::Violated));
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, registers);
criterion_main!(benches);
