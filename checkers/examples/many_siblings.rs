//! How long an answer with many siblings takes to judge, on one core:
//! `cargo run --release -p sibcheck-checkers --example many_siblings -- SIBLINGS dots|clocks`.
//!
//! One write comes first; so many clients write with the context of a read of it, each not knowing of
//! the others; two final reads return all that they wrote. With clocks each client has an entry of its
//! own, with dots there are three nodes. Best of three.

use std::{hint::black_box, time::Instant};

use sibcheck_checkers::{
    Claim, History, Outcome,
    history::{
        Action, Header, Operation, Read, ReportedClock, Sibling, Status, Value, Version, Write,
    },
    judge,
};

#[expect(clippy::disallowed_methods, reason = "speed figures read the clock")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [siblings, versions] = &words[..] else {
        return Err("expected: SIBLINGS dots|clocks".into());
    };
    let siblings: u32 = siblings.parse()?;
    let history = history(siblings, versions != "clocks");
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let start = Instant::now();
        let verdict = judge(black_box(&history), Claim::Eventual)?;
        best = best.min(start.elapsed().as_secs_f64());
        assert_eq!(verdict.outcome, Outcome::Valid);
    }
    let each = best * 1e6 / f64::from(siblings);
    println!("{siblings} siblings judged in {best:.3} s, {each:.3} µs each ({versions})");
    Ok(())
}

fn history(siblings: u32, dotted: bool) -> History {
    let clock = |entries: Vec<(String, u64)>| {
        ReportedClock::from_entries(entries.into_iter().map(|(name, n)| (name.into(), n)))
    };
    let entry = |name: u32| (format!("c{name}"), 1);
    let past = |dotted: bool| {
        let name = if dotted { "n0" } else { "c0" };
        clock(vec![(name.to_owned(), 1)])
    };
    let version = |client: u32| {
        if dotted {
            let past = if client > 0 {
                past(true)
            } else {
                ReportedClock::default()
            };
            Version::Dotted {
                actor: format!("n{}", client % 3).into(),
                counter: u64::from(client / 3 + 1),
                past: Some(past),
            }
        } else if client == 0 {
            Version::Clock(past(false))
        } else {
            Version::Clock(clock(vec![entry(0), entry(client)]))
        }
    };
    let value = |client: u32| Value {
        tag: None,
        data: client.into(),
    };
    let sibling = |client: u32| Sibling {
        value: value(client),
        tombstone: false,
        version: Some(version(client)),
    };
    let context = |siblings: std::ops::RangeInclusive<u32>| {
        dotted.then(|| {
            let most = |node| siblings.clone().filter(move |c| c % 3 == node).max();
            let entry = |node| Some((format!("n{node}"), u64::from(most(node)? / 3 + 1)));
            clock((0..3).filter_map(entry).collect())
        })
    };
    let operation = |at: u32, client, action| Operation {
        client,
        node: 0,
        key: 0,
        invoked: u64::from(at) * 10,
        completed: Some(u64::from(at) * 10 + 5),
        status: Status::Ok,
        action,
    };
    let read = |siblings: std::ops::RangeInclusive<u32>, last| {
        Action::Read(Read {
            siblings: siblings.clone().map(sibling).collect(),
            context: context(0..=*siblings.end()),
            last,
        })
    };
    let write = |client: u32, sources: Vec<u32>| {
        Action::Write(Box::new(Write {
            value: value(client),
            tombstone: false,
            context: (!sources.is_empty()).then(|| past(dotted)),
            sources: sources.into(),
            version: Some(version(client)),
        }))
    };
    let mut operations = vec![
        operation(0, 0, write(0, Vec::new())),
        operation(1, 0, read(0..=0, false)),
    ];
    let writes = (1..=siblings).map(|client| operation(client + 1, client, write(client, vec![1])));
    operations.extend(writes);
    let finals = (2..4).map(|more| operation(siblings + more, 0, read(1..=siblings, true)));
    operations.extend(finals);
    History {
        header: Header::default(),
        clients: (0..=siblings)
            .map(|client| format!("c{client}").into())
            .collect(),
        nodes: vec!["n0".into()],
        keys: vec!["x".into()],
        operations,
        faults: Vec::new(),
        tables: (),
    }
}
