//! `cargo bench --bench line`: the whole line and its stations, in client operations a second.

#![allow(
    missing_docs,
    reason = "criterion's macros make an undocumented function"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sibcheck::{
    campaign::run_and_judge,
    plans::{Plan, SeededChoices, Shape, generate},
    runner,
    stores::StoreName,
};
use sibcheck_checkers::judge;

/// How many plans one measurement covers: their sizes differ.
const PLANS: u64 = 64;

fn draw(store: StoreName) -> Vec<Plan> {
    let shape = Shape::new(store);
    (0..PLANS)
        .map(|seed| generate(&shape, &mut SeededChoices::new(seed), String::new()))
        .collect()
}

fn line(criterion: &mut Criterion) {
    for store in StoreName::CORRECT {
        let plans = draw(store);
        let operations: usize = plans.iter().map(Plan::operations).sum();
        let histories: Vec<_> = plans
            .iter()
            .map(|plan| runner::run(store, plan).history)
            .collect();
        let mut group = criterion.benchmark_group(format!("three nodes, {store}"));
        group.throughput(Throughput::Elements(operations as u64));
        group.bench_function("plan, simulate and judge", |bencher| {
            bencher.iter(|| {
                let plans = draw(store);
                let judged = plans.iter().map(|plan| run_and_judge(store, plan));
                judged.collect::<Vec<_>>()
            });
        });
        group.bench_function("plan", |bencher| bencher.iter(|| draw(store)));
        group.bench_function("simulate", |bencher| {
            bencher.iter(|| {
                plans
                    .iter()
                    .map(|plan| runner::run(store, plan))
                    .collect::<Vec<_>>()
            });
        });
        group.bench_function("judge", |bencher| {
            bencher.iter(|| {
                let verdicts = plans.iter().zip(&histories);
                verdicts
                    .filter(|(plan, history)| judge(history, plan.claim).is_ok())
                    .count()
            });
        });
        group.finish();
    }
}

criterion_group!(benches, line);
criterion_main!(benches);
