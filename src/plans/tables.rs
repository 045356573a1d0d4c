//! The tables of a plan: its keys and values, which steps name by position.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::{
    stores::Key,
    workloads::{Workload, with_workload},
};

use super::Plan;

impl Plan {
    /// The plain key at a position.
    pub(super) fn plain_key(&self, position: usize) -> Key {
        with_workload!(self.workload(), W => W::plain_key(position))
    }

    /// The plain value at a position.
    pub(super) fn plain_value(&self, position: usize) -> Json {
        let of_program = self.program.is_some();
        with_workload!(self.workload(), W => W::plain_value(position, of_program))
    }

    /// The first plain value from a position on that no other one equals. O(values).
    fn free_value(&self, from: usize) -> Json {
        let mut plain = (from..).map(|at| self.plain_value(at));
        let free = plain.find(|value| !self.values.contains(value));
        free.unwrap_or(Json::Null)
    }

    /// Adds a plain value that no other one equals, and tells its position. O(values).
    pub(super) fn add_plain_value(&mut self) -> u32 {
        let position = self.values.len();
        let value = self.free_value(position);
        self.values.push(value);
        u32::try_from(position).unwrap_or(u32::MAX)
    }

    /// Drops the keys that no step uses, but for one if there is none left.
    pub(super) fn drop_unused_keys(&mut self) {
        let used: BTreeSet<u32> = self.clients.iter().flatten().map(|step| step.key).collect();
        let moves = kept(&mut self.keys, &used);
        for step in self.clients.iter_mut().flatten() {
            step.key = moves(step.key);
        }
        if self.keys.is_empty() {
            let plain = self.plain_key(0);
            self.keys.push(plain);
        }
    }

    /// Drops the values that no step uses.
    pub(super) fn drop_unused_values(&mut self) {
        let steps = self.clients.iter().flatten();
        let used: BTreeSet<u32> = steps.flat_map(|step| step.act.values()).collect();
        let moves = kept(&mut self.values, &used);
        for step in self.clients.iter_mut().flatten() {
            step.act = step.act.with_values(&moves);
        }
    }
}

/// Keeps what is used of a table, and tells where each entry has gone. O(entries · log used).
fn kept<T>(table: &mut Vec<T>, used: &BTreeSet<u32>) -> impl Fn(u32) -> u32 + use<T> {
    let mut position = 0;
    table.retain(|_| {
        position += 1;
        used.contains(&(position - 1))
    });
    let used: Vec<u32> = used.iter().copied().collect();
    move |old| {
        let new = used.binary_search(&old).unwrap_or(0);
        u32::try_from(new).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{SeededChoices, Shape, generate};
    use crate::{stores::StoreName, workloads::siblings::Act};

    #[test]
    fn what_is_not_used_is_dropped_and_the_rest_keeps_its_meaning() {
        let shape = Shape::new(StoreName::Dotted);
        let mut plan = generate(&shape, &mut SeededChoices::new(1), String::new());
        plan.keys = vec!["a".into(), "b".into(), "c".into()];
        plan.values = vec![json!(0), json!([1]), json!("2"), json!(null)];
        plan.clients.truncate(1);
        plan.clients[0].truncate(2);
        plan.clients[0][0].key = 1;
        plan.clients[0][0].act = Act::Resolve { value: 3 }.into();
        plan.clients[0][1].key = 2;
        plan.clients[0][1].act = Act::Resolve { value: 1 }.into();
        plan.drop_unused_keys();
        plan.drop_unused_values();
        assert_eq!(plan.keys, ["b", "c"]);
        assert_eq!(plan.values, [json!([1]), json!(null)]);
        let [first, second] = [0, 1].map(|at| plan.clients[0][at].clone());
        assert_eq!(
            (first.key, first.act),
            (0, Act::Resolve { value: 1 }.into())
        );
        assert_eq!(
            (second.key, second.act),
            (1, Act::Resolve { value: 0 }.into())
        );
        plan.clients.clear();
        plan.drop_unused_keys();
        assert_eq!(plan.keys, ["k1"]);
    }
}
