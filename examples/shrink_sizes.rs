//! How small failures of the planted bugs end: for each bug, the client operations of the shrunk
//! plan, the plans tried and the seconds taken, over failures from many seeds.
//!
//! `cargo run --release --example shrink_sizes -- [SEEDS [NODES [STORE…]]]`

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "its output is a table with times"
)]

use std::{env, time::Instant};

use sibcheck::{
    campaign::{Campaign, run_and_judge, shrink_failure},
    interrupt::Interrupt,
    plans::Shape,
    stores::StoreName,
    stores::faulty::Flaw,
};

/// Runs between two seeds: far more than a bug needs to be caught.
const APART: u64 = 1_000;

/// As many plans as are tried in ten seconds with a program that takes its time.
const FEW: u64 = 100;

/// The value below which this share of them lies.
fn percentile<T: Copy>(sorted: &[T], percent: usize) -> T {
    sorted[(sorted.len() - 1) * percent / 100]
}

fn main() {
    let mut arguments = env::args().skip(1);
    let seeds: u64 = arguments
        .next()
        .and_then(|seeds| seeds.parse().ok())
        .unwrap_or(100);
    let nodes = arguments
        .next()
        .and_then(|nodes| nodes.parse().ok())
        .unwrap_or(Shape::NODES);
    let named: Vec<StoreName> = arguments.filter_map(|name| name.parse().ok()).collect();
    let stores = if named.is_empty() {
        Flaw::ALL.map(StoreName::Faulty).to_vec()
    } else {
        named
    };
    println!(
        "| store | operations: median, 90 %, worst | after {FEW} tries | faults: median, worst | tries: median, worst | seconds: median, worst |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    for store in stores {
        let (mut sizes, mut early, mut faults) = (Vec::new(), Vec::new(), Vec::new());
        let (mut tries, mut seconds) = (Vec::new(), Vec::new());
        for seed in (0..seeds).map(|seed| seed * APART) {
            let campaign = Campaign {
                store,
                shape: Shape::with_nodes(store, nodes),
                seed,
                runs: APART,
                threads: 1,
            };
            let Ok((_, Some(failure))) = campaign.run(&Interrupt::default(), |_| {}) else {
                println!("{store}: nothing failed from seed {seed} on");
                continue;
            };
            let judged = run_and_judge(store, &failure.plan);
            let invariant = judged.ok().and_then(|judged| judged.gravest());
            let few = shrink_failure(store, failure.plan.clone(), invariant, |tries, _| {
                tries < FEW
            });
            early.push(few.plan.operations());
            let began = Instant::now();
            let shrunk = shrink_failure(store, failure.plan, invariant, |_, _| true);
            seconds.push(began.elapsed().as_secs_f64());
            faults.push(shrunk.plan.faults.len());
            sizes.push(shrunk.plan.operations());
            tries.push(shrunk.tries);
        }
        sizes.sort_unstable();
        early.sort_unstable();
        faults.sort_unstable();
        tries.sort_unstable();
        seconds.sort_by(f64::total_cmp);
        if sizes.is_empty() {
            continue;
        }
        println!(
            "| `{store}` | {}, {}, {} | {}, {}, {} | {}, {} | {}, {} | {:.3}, {:.3} |",
            percentile(&sizes, 50),
            percentile(&sizes, 90),
            percentile(&sizes, 100),
            percentile(&early, 50),
            percentile(&early, 90),
            percentile(&early, 100),
            percentile(&faults, 50),
            percentile(&faults, 100),
            percentile(&tries, 50),
            percentile(&tries, 100),
            percentile(&seconds, 50),
            percentile(&seconds, 100),
        );
    }
}
