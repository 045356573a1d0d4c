//! The graph of linearizability itself, for keys whose clients do not wait for answers.
//!
//! Quadratic in the operations of the key. What is larger than is affordable is taken to be cyclic.

use super::Considered;
use crate::{causality::KeyView, history::OpId, write_set::WriteSet};

/// Larger graphs are not built.
const MOST_OPERATIONS: usize = 4_000;

/// True when all operations that have to be in the order can be put into one: each after those that
/// were over before it was invoked, and after its sources; a read after what it returned and before
/// what it cannot have seen.
pub(super) fn is_acyclic(view: &KeyView<'_>, reads: &[Considered<'_, '_>]) -> bool {
    let returned = reads.iter().flat_map(|read| read.read.returned.iter());
    let returned: WriteSet = returned.collect();
    let numbers = 0..view.writes.len();
    let placed = |write: &usize| view.writes[*write].acknowledged() || returned.contains(*write);
    let writes: Vec<_> = numbers.filter(placed).collect();
    let many = writes.len() + reads.len();
    if many > MOST_OPERATIONS {
        return false;
    }
    let id = |node: usize| match node.checked_sub(writes.len()) {
        None => view.writes[writes[node]].id,
        Some(read) => reads[read].read.id,
    };
    let is_source = |source: OpId, node: usize| {
        let write = writes.get(node).map(|write| &view.writes[*write]);
        write.is_some_and(|write| write.sources.contains(&source))
    };
    let must_precede = |first: usize, second: usize| {
        view.precedes(id(first), id(second))
            || is_source(id(first), second)
            || match (
                first.checked_sub(writes.len()),
                second.checked_sub(writes.len()),
            ) {
                (None, Some(read)) => reads[read].read.returned.contains(writes[first]),
                (Some(read), None) => !reads[read].read.visible_may.contains(writes[second]),
                _ => false,
            }
    };
    let before = |node: usize| (0..many).filter(|other| must_precede(*other, node)).count();
    let mut before: Vec<_> = (0..many).map(before).collect();
    let mut free: Vec<_> = (0..many).filter(|node| before[*node] == 0).collect();
    let mut ordered = 0;
    while let Some(first) = free.pop() {
        ordered += 1;
        for (second, before) in before.iter_mut().enumerate() {
            if must_precede(first, second) {
                *before -= 1;
                if *before == 0 {
                    free.push(second);
                }
            }
        }
    }
    ordered == many
}
