//! Pasts and answers against a row for each operation and sets made entry by entry.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{prelude::*, strategy::ValueTree as _};
use sibcheck_oracles::siblings::generate::{Shape, SiblingHistory, Versions};

use super::{Answers, Delta, answer_of, pasts::Pasts};
use crate::{
    causality::{KeyView, Node, ReadView},
    format::read_history,
    happens_before::{ChainClocks, HappensBefore, bounds::Answer, returned},
    history::{Action, History, OpId, Status, TimeNs},
    provenance::Provenance,
};

/// What is done to a generated history to make it worse.
#[derive(Clone, Debug)]
struct Worse {
    shape: Shape,
    /// Times are rounded to so much.
    coarse: u64,
    /// Clients take other names after so many operations.
    lifetime: u32,
    /// Clients share so many names, so that their operations overlap.
    names: Option<u32>,
    /// One in so many reads has the answer of another, later or earlier, of its key.
    swapped: Option<usize>,
    /// One in so many writes was not acknowledged.
    unknown: Option<usize>,
}

fn worse() -> impl Strategy<Value = Worse> {
    let shape = (50..1500_u32, 1..4_u32, 1..8_u32, 1..4_u32, any::<u64>());
    let shape = shape.prop_map(|(more, keys, clients, nodes, seed)| Shape {
        operations: 20 + more,
        keys,
        clients,
        nodes,
        versions: Versions::Dots,
        roaming: seed % 2 == 0,
        seed,
        broken: false,
    });
    let coarse = prop_oneof![Just(1), Just(100_000), Just(1_000_000), Just(20_000_000)];
    let lifetime = prop_oneof![Just(u32::MAX), 5..400_u32];
    let few = || prop::option::of(2..60_usize);
    let names = prop::option::of(1..30_u32);
    (shape, coarse, lifetime, names, few(), few()).prop_map(
        |(shape, coarse, lifetime, names, swapped, unknown)| Worse {
            shape,
            coarse,
            lifetime,
            names,
            swapped,
            unknown,
        },
    )
}

impl Worse {
    fn history(&self) -> History {
        let generated = SiblingHistory::new(self.shape).unwrap();
        let lines = generated.collect_lines().unwrap();
        let mut history = read_history(&lines[..]).unwrap();
        let many = u32::try_from(history.clients.len()).unwrap();
        let sources: BTreeSet<OpId> = history
            .operations
            .iter()
            .flat_map(|op| match &op.action {
                Action::Write(write) => write.sources.to_vec(),
                Action::Read(_) => Vec::new(),
            })
            .collect();
        let mut answers = BTreeMap::new();
        for (id, op) in (0_u32..).zip(&mut history.operations) {
            op.invoked /= self.coarse;
            op.completed = op.completed.map(|completed| completed / self.coarse);
            op.client += many * (id / self.lifetime);
            op.client = self.names.map_or(op.client, |names| op.client % names);
            let nth = |one_in: Option<usize>| one_in.is_some_and(|n| id as usize % n == 1);
            match &mut op.action {
                Action::Write(_) if nth(self.unknown) && !sources.contains(&id) => {
                    op.status = Status::Info;
                }
                Action::Read(read) if nth(self.swapped) => {
                    let before = answers.insert(op.key, read.siblings.clone());
                    read.siblings = before.unwrap_or_default();
                }
                _ => {}
            }
        }
        if let Some(one_in) = self.swapped {
            // Later answers come too early.
            let mut later = BTreeMap::new();
            for (id, op) in history.operations.iter_mut().enumerate().rev() {
                if let Action::Read(read) = &mut op.action
                    && id % one_in == 0
                {
                    let siblings = later.insert(op.key, read.siblings.clone());
                    read.siblings = siblings.unwrap_or_default();
                }
            }
        }
        let last = history.operations.iter().map(|op| op.client).max();
        let names = 0..=last.unwrap_or(0);
        history.clients = names.map(|name| format!("c{name}").into()).collect();
        history
    }
}

/// Rows of all operations, each as long as there are clients.
struct Rows {
    positions: Vec<Option<u32>>,
    of_operations: Vec<Vec<u32>>,
    circular: Vec<(OpId, OpId)>,
}

impl Rows {
    fn of(provenance: &Provenance<'_>) -> Self {
        let operations = &provenance.history.operations;
        let clients = provenance.history.clients.len();
        let mut events = Vec::new();
        for (id, op) in (0_u32..).zip(operations) {
            if provenance.slot(id).is_some() {
                events.push((op.invoked, id, false));
                if let (Status::Ok, Some(completed)) = (op.status, op.completed) {
                    events.push((completed, id, true));
                }
            }
        }
        events.sort_unstable();
        let mut positions = vec![None; operations.len()];
        let mut completed = vec![0; clients];
        for &(_, op, _) in events.iter().filter(|event| event.2) {
            let count = &mut completed[operations[op as usize].client as usize];
            positions[op as usize] = Some(*count);
            *count += 1;
        }
        let mut all = Self {
            positions,
            of_operations: vec![Vec::new(); operations.len()],
            circular: Vec::new(),
        };
        let mut known = vec![vec![0; clients]; clients];
        for instant in events.chunk_by(|a, b| a.0 == b.0) {
            all.settle(provenance, instant, &mut known);
        }
        all
    }

    fn settle(
        &mut self,
        provenance: &Provenance<'_>,
        instant: &[(TimeNs, OpId, bool)],
        known: &mut [Vec<u32>],
    ) {
        let client = |op: OpId| provenance.history.operations[op as usize].client as usize;
        let mut waiting = instant.to_vec();
        while !waiting.is_empty() {
            let mut blocked = BTreeSet::new();
            let next = waiting.iter().position(|&(_, op, is_completion)| {
                let invoked = |write: OpId| !self.of_operations[write as usize].is_empty();
                let ready = !blocked.contains(&client(op))
                    && (!is_completion || returned(provenance, op).all(invoked));
                blocked.insert(client(op));
                ready
            });
            let (_, op, is_completion) = waiting.remove(next.unwrap_or(0));
            let own = client(op);
            if !is_completion {
                self.of_operations[op as usize].clone_from(&known[own]);
                continue;
            }
            for write in returned(provenance, op) {
                let row = &self.of_operations[write as usize];
                if row.is_empty() {
                    self.circular.push((op, write));
                    continue;
                }
                for (mine, theirs) in known[own].iter_mut().zip(row) {
                    *mine = (*mine).max(*theirs);
                }
                if self.is_plain(provenance, write) {
                    let mine = &mut known[own][client(write)];
                    *mine = (*mine).max(row[client(write)] + 1);
                }
            }
            let position = self.positions[op as usize].unwrap();
            known[own][own] = known[own][own].max(position + 1);
        }
    }

    fn is_plain(&self, provenance: &Provenance<'_>, write: OpId) -> bool {
        let client = provenance.history.operations[write as usize].client as usize;
        self.positions[write as usize] == Some(self.of_operations[write as usize][client])
    }

    /// The writes of a key that happened before one of its operations.
    fn past(&self, view: &KeyView<'_>, op: OpId) -> BTreeSet<usize> {
        let mut past = BTreeSet::new();
        for (other, record) in view.records() {
            let known = self.of_operations[op as usize][record.client as usize];
            if self.positions[other as usize].is_none_or(|position| known <= position) {
                continue;
            }
            match view.node_of(record) {
                Some(Node::Write(number, _)) => {
                    past.insert(number);
                }
                Some(Node::Read(_, read)) if read.sound => {
                    let told =
                        |write: &usize| !self.is_plain(view.provenance(), view.writes[*write].id);
                    past.extend(read.returned.iter().filter(told));
                }
                _ => {}
            }
        }
        past
    }
}

/// How often something was seen that tests are about.
#[derive(Default)]
struct Seen {
    missing: u64,
    in_doubt: u64,
    circular: u64,
    starts: u64,
    told: u64,
    with_clocks: u64,
}

fn agrees(worse: &Worse, seen: &mut Seen) {
    let history = worse.history();
    let Ok(provenance) = Provenance::of(&history) else {
        return;
    };
    let before = HappensBefore::of(&provenance).unwrap();
    let rows = Rows::of(&provenance);
    let clocks = ChainClocks::of(&provenance);
    seen.with_clocks += u64::from(clocks.is_some());
    assert_eq!(before.circular(), rows.circular);
    seen.circular += u64::from(!rows.circular.is_empty());
    for key in 0..u32::try_from(history.keys.len()).unwrap() {
        let view = KeyView::new(&provenance, key);
        let sets = Pasts::of(&view, &before);
        let mut answers = Answers::new(&view, &before);
        let mut pasts = vec![BTreeSet::new(); view.writes.len()];
        for (op, record) in view.records() {
            let delta = Delta::of(&view, &before, record);
            seen.starts += u64::from(delta.as_known_at.is_some());
            seen.told += u64::try_from(delta.reads.len()).unwrap();
            let past = rows.past(&view, op);
            let answer = answers.take(record);
            match view.node_of(record).unwrap() {
                Node::Write(number, _) => {
                    assert!(
                        sets.of_write(number).iter().eq(past.iter().copied()),
                        "{op}"
                    );
                    pasts[number] = past;
                }
                Node::Read(number, read) => {
                    assert!(sets.of_read(number).iter().eq(past.iter().copied()), "{op}");
                    if read.sound {
                        assert_eq!(answer, expected(&past, read), "{op}");
                        seen.missing += u64::from(answer == Answer::Lacked);
                    }
                }
            }
        }
        for (number, read) in view.reads.iter().enumerate().filter(|(_, read)| read.sound) {
            for write in read.returned.iter() {
                let answer = answers.of_returned(write, number);
                assert_eq!(answer, expected(&pasts[write], read), "{}", read.id);
                seen.missing += u64::from(answer == Answer::Lacked);
            }
        }
        seen.in_doubt += u64::from(answers.pasts.is_some());
        if let Some(clocks) = &clocks {
            nothing_is_missed_by_chain_clocks(&view, clocks, &rows);
        }
    }
}

/// Chain clocks tell which operations of a key have a past, and miss nothing that is in it.
fn nothing_is_missed_by_chain_clocks(view: &KeyView<'_>, clocks: &ChainClocks, rows: &Rows) {
    let place = |op: OpId| view.provenance().place(op);
    for (op, record) in view.records() {
        let mut past = rows.past(view, op);
        assert_eq!(clocks.has_past(place(op)), !past.is_empty(), "{op}");
        let Some(Node::Read(_, read)) = view.node_of(record) else {
            continue;
        };
        for write in read.returned.iter().filter(|_| read.sound) {
            past.extend(rows.past(view, view.writes[write].id));
        }
        let known = clocks.known_after(place(op));
        for write in past
            .into_iter()
            .filter(|write| !read.returned.contains(*write))
        {
            let write = view.writes[write].id;
            let client = view.operation(write).client;
            assert!(known.may_hold(place(write), client), "{op} {write}");
        }
    }
}

fn expected(past: &BTreeSet<usize>, read: &ReadView<'_>) -> Answer {
    if past.is_empty() {
        return Answer::NothingAsked;
    }
    answer_of(past.iter().all(|write| read.visible_may.contains(*write)))
}

#[test]
fn pasts_are_what_rows_tell() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let cases = std::env::var("SIBCHECK_PASTS").ok();
    let cases = cases.and_then(|cases| cases.parse().ok()).unwrap_or(60);
    let mut seen = Seen::default();
    for _ in 0..cases {
        let worse = worse().new_tree(&mut runner).unwrap().current();
        agrees(&worse, &mut seen);
    }
    let Seen {
        missing,
        in_doubt,
        circular,
        starts,
        told,
        with_clocks,
    } = seen;
    println!(
        "{missing} missing, {in_doubt} in doubt, {circular} circular, {starts} starts, {told} told, {with_clocks} with chain clocks"
    );
    assert!(missing > 0 && in_doubt > 0 && circular > 0 && starts > 0 && told > 0);
    assert!(with_clocks > 0);
}
