//! `cargo bench -p sibcheck-checkers --bench siblings`: judging and reading big histories, on one
//! core, in operations (and bytes) a second.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make an undocumented function; a benchmark states what must be"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sibcheck_checkers::{
    History, Outcome,
    format::{read_history, write_history},
    judge,
};
use sibcheck_oracles::siblings::generate::{Shape, SiblingHistory, Versions};

/// Big enough for what is not linear to show, small enough to be repeated.
const OPERATIONS: u32 = 100_000;

fn generated(keys: u32, nodes: u32, versions: Versions) -> (Shape, History) {
    let shape = Shape {
        operations: OPERATIONS,
        keys,
        clients: 10,
        nodes,
        versions,
        roaming: false,
        seed: 1,
        broken: false,
    };
    let history = SiblingHistory::new(shape).unwrap().collect_history();
    (shape, history)
}

fn siblings(criterion: &mut Criterion) {
    let one_core = rayon::ThreadPoolBuilder::new().num_threads(1);
    let one_core = one_core.build().unwrap();
    for (name, keys, nodes, versions) in [
        ("100 keys, dots, eventual", 100, 3, Versions::Dots),
        ("1 key, dots, eventual", 1, 3, Versions::Dots),
        ("100 keys, clocks, eventual", 100, 3, Versions::Clocks),
        ("1 key, clocks, eventual", 1, 3, Versions::Clocks),
        ("100 keys, clocks, linearizable", 100, 1, Versions::Clocks),
        ("1 key, clocks, linearizable", 1, 1, Versions::Clocks),
    ] {
        let (shape, history) = generated(keys, nodes, versions);
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10);
        group.throughput(Throughput::Elements(OPERATIONS.into()));
        group.bench_function("judge", |bencher| {
            bencher.iter(|| {
                let verdict = one_core.install(|| judge(&history, shape.claim()));
                assert_eq!(verdict.unwrap().outcome, Outcome::Valid);
            });
        });
        let mut file = Vec::new();
        write_history(&history, &mut file).unwrap();
        group.throughput(Throughput::Bytes(file.len() as u64));
        group.bench_function("read", |bencher| {
            bencher.iter_with_large_drop(|| read_history(file.as_slice()).unwrap());
        });
        group.finish();
    }
}

criterion_group!(benches, siblings);
criterion_main!(benches);
