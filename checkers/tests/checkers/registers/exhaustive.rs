//! Small scopes, completely: every history of a few operations of a register, with every action and
//! outcome, in every order in time, listed in every order, judged by zones and search as all orders
//! say.
//!
//! Of histories that differ in the names of values only one is judged. So it is with times: of those
//! that let the same operations precede each other, one is, with as many equal times as can be and
//! in turn with none. Operations that failed and reads that were not answered are left out, as they
//! are by every checker before anything else.
//!
//! The larger scopes take a while:
//! `cargo test --release -p sibcheck-checkers --test checkers registers::exhaustive -- --ignored --nocapture`

use std::collections::BTreeSet;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde_json::{Value as Json, json};
use sibcheck_checkers::registers::{
    Budget, History, brute_force,
    history::{Action, Clock, Interner, Operation, Status, Time},
    judge, judge_by_search,
};

use super::{asking::agree, notation::text};

/// What is enumerated.
struct Scope {
    name: &'static str,
    /// What the register holds at first, and what each operation may do and come to.
    template: History,
    choices: Vec<(Action, Status)>,
    /// For each choice the names of values in it, which are used in their order.
    names: Vec<Vec<char>>,
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
        let letters = |action: &Action| -> String {
            let value = |id| template.value(id).to_string();
            match *action {
                Action::Read(returned) => returned.map(value).unwrap_or_default(),
                Action::Write(id) | Action::Append(id) => value(id),
                Action::CompareAndSet { expected, new, .. } => value(expected) + &value(new),
            }
        };
        // Null has letters too.
        let names = |(action, _): &(Action, Status)| {
            let text = letters(action).replace("null", "");
            text.chars().filter(|c| "123ab".contains(*c)).collect()
        };
        let names = choices.iter().map(names).collect();
        Self {
            name,
            template,
            choices,
            names,
        }
    }

    /// The last name in use after these choices; `None` where names are not used in their order.
    fn last_name(&self, choices: &[usize]) -> Option<usize> {
        let order = |name: char| "123ab".find(name).map_or(0, |at| at % 3);
        let mut used = 0;
        for name in choices.iter().flat_map(|choice| &self.names[*choice]) {
            let at = order(*name);
            if at > used {
                return None;
            }
            used = used.max(at + 1);
        }
        Some(used)
    }

    /// Judges every history of so many operations; returns how many there are, and how many of them
    /// are violated.
    fn judge_all(&self, operations: usize) -> Result<[u64; 3], String> {
        let all = 0..self.choices.len();
        let orders: Vec<_> = (0..1_u32 << operations)
            .map(|unknown| orders(operations, unknown))
            .collect();
        let begun: Vec<Vec<usize>> = if operations == 1 {
            all.map(|one| vec![one]).collect()
        } else {
            all.clone()
                .flat_map(|one| all.clone().map(move |two| vec![one, two]))
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
        orders: &[Vec<Vec<(Time, Time)>>],
        counts: &mut [u64; 3],
    ) -> Result<(), String> {
        if self.last_name(choices).is_none() {
            return Ok(());
        }
        if choices.len() < operations {
            for choice in 0..self.choices.len() {
                choices.push(choice);
                self.extend(choices, operations, orders, counts)?;
                choices.pop();
            }
            return Ok(());
        }
        let unknown = |(at, choice): (usize, &usize)| {
            u32::from(self.choices[*choice].1 == Status::Info) << at
        };
        let unknown: u32 = choices.iter().enumerate().map(unknown).sum();
        let mut history = self.template.clone();
        for order in &orders[unknown as usize] {
            // Touching times become times apart in every other history.
            let apart = counts[0] % 2;
            history.operations.clear();
            for (choice, (from, to)) in choices.iter().zip(order) {
                let (action, status) = self.choices[*choice];
                history.operations.push(Operation {
                    client: 0,
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

fn enumerate(scope: &Scope, operations: usize) {
    let mut total = [0; 3];
    for operations in 1..=operations {
        let counts = scope.judge_all(operations);
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
#[ignore = "takes a long while; the head of this file has the command"]
fn up_to_four_operations() {
    for scope in scopes(3) {
        enumerate(&scope, 4);
    }
}
