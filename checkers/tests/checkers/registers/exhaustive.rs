//! Small scopes, completely: every history of a few operations of a register, with every action and
//! outcome, in every order in time, listed in every order, judged by zones and search as all orders
//! say.
//!
//! Of histories that differ in the names of values only one is judged. So it is with times: of those
//! that let the same operations precede each other, one is, with as many equal times as can be and
//! in turn with none. Operations that failed and reads that were not answered are left out, as they
//! are by every checker before anything else.
//!
//! Up to three operations are listed in every order. Of four each set is listed in one order of the 24,
//! drawn in turn: linearizability knows no order of the list, so that what all orders in time say of
//! one list they say of all, and only a checker that is wrong could tell them apart. That it does not
//! is what three operations show in full, and the random histories of more operations in part.
//!
//! The larger scopes take a while:
//! `cargo test --release -p sibcheck-checkers --test checkers registers::exhaustive -- --ignored --nocapture`

use std::collections::{BTreeMap, BTreeSet};

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde_json::{Value as Json, json};
use sibcheck_checkers::registers::{
    Budget, History,
    history::{Action, Clock, Interner, Operation, Status, Time},
    judge, judge_by_search,
};
use sibcheck_oracles::registers::brute_force;

use super::{asking::agree, notation::text};

/// What is enumerated.
struct Scope {
    name: &'static str,
    /// What the register holds at first, and what each operation may do and come to.
    template: History,
    choices: Vec<(Action, Status)>,
    /// For each way to rename values what becomes of each choice, where that is a choice.
    renamings: Vec<Vec<Option<usize>>>,
}

/// In which orders the same operations are listed.
#[derive(Clone, Copy, PartialEq)]
enum Lists {
    Every,
    One,
}

/// How often a history is asked everything that random ones are.
const CLOSELY: u64 = 97;

impl Scope {
    /// Values without appends: the first and so many others.
    fn values(name: &'static str, others: usize) -> Self {
        let values: Vec<Json> = (0..=others).map(|number| json!(number)).collect();
        Self::of(name, &json!(0), &values, &values, &values, &[])
    }

    /// Texts, of which some are the beginning of others or repeat, with appends.
    fn texts(name: &'static str, initial: &Json, expected: &[Json]) -> Self {
        let read = [
            json!(null),
            json!(""),
            json!("a"),
            json!("b"),
            json!("aa"),
            json!("ab"),
        ];
        let written = [json!(null), json!("a"), json!("b")];
        let added = [json!(""), json!("a"), json!("b")];
        Self::of(name, initial, &read, &written, expected, &added)
    }

    fn of(
        name: &'static str,
        initial: &Json,
        read: &[Json],
        written: &[Json],
        expected: &[Json],
        added: &[Json],
    ) -> Self {
        let mut names = Interner::default();
        let (_, _, initial) = (names.client("c"), names.key("x"), names.value(initial));
        let mut choices = Vec::new();
        for value in read {
            let returned = Some(names.value(value));
            choices.push((Action::Read(returned), Status::Ok));
        }
        for status in [Status::Ok, Status::Info] {
            for value in written {
                choices.push((Action::Write(names.value(value)), status));
            }
            for value in added {
                choices.push((Action::Append(names.value(value)), status));
            }
        }
        for from in expected {
            for to in written {
                for (status, swapped) in [
                    (Status::Ok, true),
                    (Status::Ok, false),
                    (Status::Info, true),
                ] {
                    let action = Action::CompareAndSet {
                        expected: names.value(from),
                        new: names.value(to),
                        swapped,
                    };
                    choices.push((action, status));
                }
            }
        }
        let template = names.history(name.to_owned(), Clock::Nanoseconds, initial, Vec::new());
        let renamings = renamings(&template, &choices);
        Self {
            name,
            template,
            choices,
            renamings,
        }
    }

    /// True when no other names make these choices come sooner: each history, or one that differs in
    /// names alone, is judged, since whatever is left out has one that comes sooner.
    fn is_first(&self, choices: &[usize], lists: Lists) -> bool {
        self.renamings.iter().all(|renamed| {
            let renamed = choices.iter().map(|choice| renamed[*choice]);
            let Some(mut renamed) = renamed.collect::<Option<Vec<_>>>() else {
                return true;
            };
            if lists == Lists::One {
                renamed.sort_unstable();
            }
            choices <= &renamed[..]
        })
    }

    /// Judges every history of so many operations; returns how many there are, and how many of them
    /// are violated.
    fn judge_all(&self, operations: usize, lists: Lists) -> Result<[u64; 3], String> {
        let all = 0..self.choices.len();
        let orders = Orders {
            in_time: (0..1_u32 << operations)
                .map(|unknown| orders(operations, unknown))
                .collect(),
            lists,
            listed: permutations(operations),
        };
        let begun: Vec<Vec<usize>> = if operations == 1 {
            all.map(|one| vec![one]).collect()
        } else {
            all.clone()
                .flat_map(|one| all.clone().map(move |two| vec![one, two]))
                .filter(|begun| lists == Lists::Every || begun.is_sorted())
                .collect()
        };
        begun
            .into_par_iter()
            .map(|mut choices| {
                let mut counts = [0; 3];
                self.extend(&mut choices, operations, &orders, &mut counts)?;
                Ok(counts)
            })
            .try_reduce(|| [0; 3], |a, b| Ok([0, 1, 2].map(|at| a[at] + b[at])))
    }

    fn extend(
        &self,
        choices: &mut Vec<usize>,
        operations: usize,
        orders: &Orders,
        counts: &mut [u64; 3],
    ) -> Result<(), String> {
        if choices.len() < operations {
            let first = match orders.lists {
                Lists::Every => 0,
                Lists::One => choices.last().copied().unwrap_or(0),
            };
            for choice in first..self.choices.len() {
                choices.push(choice);
                self.extend(choices, operations, orders, counts)?;
                choices.pop();
            }
            return Ok(());
        }
        if !self.is_first(choices, orders.lists) {
            return Ok(());
        }
        let unknown = |(at, choice): (usize, &usize)| {
            u32::from(self.choices[*choice].1 == Status::Info) << at
        };
        let unknown: u32 = choices.iter().enumerate().map(unknown).sum();
        let mut history = self.template.clone();
        for order in &orders.in_time[unknown as usize] {
            // Touching times become times apart in every other history.
            let apart = counts[0] % 2;
            let listed = match orders.lists {
                Lists::Every => 0,
                Lists::One => (counts[0] / 2) as usize % orders.listed.len(),
            };
            history.operations.clear();
            for &at in &orders.listed[listed] {
                let (action, status) = self.choices[choices[at]];
                let (from, to) = order[at];
                history.operations.push(Operation {
                    client: 0,
                    node: 0,
                    key: 0,
                    action,
                    status,
                    invoked: from * 2,
                    completed: (status == Status::Ok).then_some(to * 2 + apart),
                });
            }
            let verdict = judged(&history)?;
            counts[0] += 1;
            counts[1] += u64::from(verdict.0);
            counts[2] += u64::from(verdict.1);
            if counts[0].is_multiple_of(CLOSELY) {
                agree(&history)?;
            }
        }
        Ok(())
    }
}

/// The orders in which operations are judged.
struct Orders {
    /// By which of them have unknown outcomes: when each is invoked and completes.
    in_time: Vec<Vec<Vec<(Time, Time)>>>,
    lists: Lists,
    /// In which orders they can be listed, the given one first.
    listed: Vec<Vec<usize>>,
}

/// Every order of so many, the sorted one first.
fn permutations(many: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in 0..many {
        let longer = |order: &Vec<usize>| {
            let left = (0..many).filter(|at| !order.contains(at));
            let with = left.map(|at| order.iter().copied().chain([at]).collect());
            with.collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

/// For every other way to name the values that are not special, what becomes of each choice.
fn renamings(template: &History, choices: &[(Action, Status)]) -> Vec<Vec<Option<usize>>> {
    let described = |(action, status): &(Action, Status), named: &dyn Fn(char) -> char| {
        // Null has letters too.
        let value = |id| match template.value(id) {
            Json::Null => "null".to_owned(),
            value => value.to_string().chars().map(named).collect(),
        };
        let (kind, values) = match *action {
            Action::Read(returned) => ("read".to_owned(), vec![returned]),
            Action::Write(id) => ("write".to_owned(), vec![Some(id)]),
            Action::Append(id) => ("append".to_owned(), vec![Some(id)]),
            Action::CompareAndSet {
                expected,
                new,
                swapped,
            } => (format!("swap {swapped}"), vec![Some(expected), Some(new)]),
        };
        let values: Vec<String> = values.into_iter().flatten().map(value).collect();
        (kind, format!("{status:?}"), values)
    };
    let numbered: BTreeMap<_, _> = choices
        .iter()
        .enumerate()
        .map(|(number, choice)| (described(choice, &|name| name), number))
        .collect();
    let mut renamings = Vec::new();
    for names in ["123", "ab"] {
        for order in permutations(names.len()).into_iter().skip(1) {
            let named = |name: char| {
                let at = names.find(name);
                at.and_then(|at| names.chars().nth(order[at]))
                    .unwrap_or(name)
            };
            let renamed = |choice| numbered.get(&described(choice, &named)).copied();
            renamings.push(choices.iter().map(renamed).collect());
        }
    }
    renamings
}

/// Whether a history is violated, and whether zones found out, after all checkers agreed.
fn judged(history: &History) -> Result<(bool, bool), String> {
    let about = |what: String| format!("{what}\n{}", text(history));
    let expected = brute_force::linearizable(history).map_err(|fault| about(fault.to_string()))?;
    let verdict = judge(history, Budget::default()).map_err(|fault| about(fault.to_string()))?;
    let by_zones = verdict.figures.keys_by_zones > 0;
    if verdict.violations.is_empty() != expected {
        return Err(about(format!("all orders {expected}: {verdict:?}")));
    }
    if by_zones {
        let searched = judge_by_search(history, Budget::default());
        if searched.map(|verdict| verdict.outcome) != Ok(verdict.outcome) {
            return Err(about(format!("{verdict:?}, not by search")));
        }
    }
    Ok((!expected, by_zones))
}

/// Every way in which operations can precede each other, those of unknown outcome nothing: for each
/// when the operations are invoked and complete.
fn orders(operations: usize, unknown: u32) -> Vec<Vec<(Time, Time)>> {
    let moments = operations as Time;
    let mut all: Vec<Vec<(Time, Time)>> = vec![Vec::new()];
    for at in 0..operations {
        let one = |from| {
            let open = unknown >> at & 1 == 1;
            let to = if open {
                moments..=moments
            } else {
                from..=moments - 1
            };
            to.map(move |to| (from, to))
        };
        let intervals: Vec<_> = (0..moments).flat_map(one).collect();
        let longer = |order: &Vec<(Time, Time)>| {
            let with = |interval| order.iter().copied().chain([interval]).collect();
            intervals.iter().copied().map(with).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    let mut known = BTreeSet::new();
    all.retain(|order| {
        let mut precede = 0_u32;
        for (one, (_, over)) in order.iter().enumerate() {
            for (other, (invoked, _)) in order.iter().enumerate() {
                precede |= u32::from(over < invoked) << (one * operations + other);
            }
        }
        known.insert(precede)
    });
    all
}

/// Of up to three operations in every order of the list, of four in one.
fn enumerate(scope: &Scope, operations: usize) {
    let mut total = [0; 3];
    for operations in 1..=operations {
        let lists = if operations < 4 {
            Lists::Every
        } else {
            Lists::One
        };
        let counts = scope.judge_all(operations, lists);
        let counts = counts.unwrap_or_else(|what| panic!("{}: {what}", scope.name));
        total = [0, 1, 2].map(|at| total[at] + counts[at]);
    }
    let [histories, violated, by_zones] = total;
    println!(
        "{histories} histories of up to {operations} operations of {}, {violated} violated, \
         {by_zones} by zones; 0 disagreements",
        scope.name
    );
    assert!(violated > 0 && violated < histories && by_zones < histories);
}

fn scopes(others: usize) -> [Scope; 3] {
    let texts = |letters: &[&str]| letters.iter().map(|text| json!(text)).collect::<Vec<_>>();
    [
        Scope::values("values", others),
        Scope::texts(
            "texts, absent at first",
            &Json::Null,
            &[json!(null), json!("a")],
        ),
        Scope::texts("texts, empty at first", &json!(""), &texts(&["", "ab"])),
    ]
}

#[test]
fn orders_in_time_are_complete() {
    // The labelled interval orders.
    let counts = [1, 2, 3, 4].map(|operations| orders(operations, 0).len());
    assert_eq!(counts, [1, 3, 19, 207]);
    // One that never ends may come after the others or not.
    assert_eq!(orders(2, 0b01).len(), 2);
    assert_eq!(orders(2, 0b11).len(), 1);
}

#[test]
fn up_to_two_operations_and_three_of_two_values() {
    for scope in scopes(3) {
        enumerate(&scope, 2);
    }
    enumerate(&Scope::values("two values", 1), 3);
}

#[test]
#[ignore = "takes seconds; the head of this file has the command"]
fn up_to_three_operations() {
    for scope in scopes(3) {
        enumerate(&scope, 3);
    }
}

#[test]
#[ignore = "takes minutes; the head of this file has the command"]
fn up_to_four_operations() {
    for scope in scopes(3) {
        enumerate(&scope, 4);
    }
}
