//! The tables of a plan: its keys and values, which steps name by position.

use std::collections::BTreeSet;

use compact_str::format_compact;
use serde_json::Value as Json;

use crate::stores::Key;

use super::{Act, Plan};

impl Act {
    /// The position of the value that it writes, if it writes one.
    pub const fn value(self) -> Option<u32> {
        match self {
            Self::Write { value, .. } | Self::Resolve { value } => Some(value),
            Self::Read | Self::Delete { .. } => None,
        }
    }

    fn value_mut(&mut self) -> Option<&mut u32> {
        match self {
            Self::Write { value, .. } | Self::Resolve { value } => Some(value),
            Self::Read | Self::Delete { .. } => None,
        }
    }
}

/// The plain key at a position: `k1` at 0.
pub(super) fn plain_key(position: usize) -> Key {
    format_compact!("k{}", position + 1).into()
}

/// The plain text at a position, for programs: `v1` at 0.
pub(super) fn plain_text(position: usize) -> Json {
    format!("v{}", position + 1).into()
}

impl Plan {
    /// The plain value at a position: a number, or a text for programs, some of which take nothing
    /// else.
    pub(super) fn plain_value(&self, position: usize) -> Json {
        if self.program.is_some() {
            plain_text(position)
        } else {
            (position + 1).into()
        }
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
            self.keys.push(plain_key(0));
        }
    }

    /// Drops the values that no step uses.
    pub(super) fn drop_unused_values(&mut self) {
        let steps = self.clients.iter().flatten();
        let used: BTreeSet<u32> = steps.filter_map(|step| step.act.value()).collect();
        let moves = kept(&mut self.values, &used);
        for step in self.clients.iter_mut().flatten() {
            if let Some(value) = step.act.value_mut() {
                *value = moves(*value);
            }
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
    use super::*;
    use crate::stores::StoreName;

    #[test]
    fn what_is_not_used_is_dropped_and_the_rest_keeps_its_meaning() {
        let shape = Shape::new(StoreName::Dotted);
        let mut plan = generate(&shape, &mut SeededChoices::new(1), String::new());
        plan.keys = vec!["a".into(), "b".into(), "c".into()];
        plan.values = vec![json!(0), json!([1]), json!("2"), json!(null)];
        plan.clients.truncate(1);
        plan.clients[0].truncate(2);
        plan.clients[0][0].key = 1;
        plan.clients[0][0].act = Act::Resolve { value: 3 };
        plan.clients[0][1].key = 2;
        plan.clients[0][1].act = Act::Resolve { value: 1 };
        plan.drop_unused_keys();
        plan.drop_unused_values();
        assert_eq!(plan.keys, ["b", "c"]);
        assert_eq!(plan.values, [json!([1]), json!(null)]);
        let [first, second] = [0, 1].map(|at| plan.clients[0][at].clone());
        assert_eq!((first.key, first.act), (0, Act::Resolve { value: 1 }));
        assert_eq!((second.key, second.act), (1, Act::Resolve { value: 0 }));
        plan.clients.clear();
        plan.drop_unused_keys();
        assert_eq!(plan.keys, ["k1"]);
    }
}
