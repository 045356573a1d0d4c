//! Edits of what clients do, and where.

use std::collections::BTreeSet;

use super::super::{Act, Plan};
use super::script::{Line, Script};

/// One way to ask less of clients, or something plainer. Operations are counted by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OperationEdit {
    /// Leave some out.
    Drop { from: usize, count: usize },
    /// Leave two out.
    DropTwo { one: usize, other: usize },
    /// Leave out all of a client.
    DropClient(usize),
    /// Do something else instead.
    Replace { line: usize, act: Act },
    /// The writes and deletes alone, each without a context and by a client of its own.
    Scatter,
    /// One client does what two did.
    MergeClients { from: usize, into: usize },
    /// A client stays at one node.
    Stay { client: usize, node: u32 },
    /// One operation goes to another node.
    Move { line: usize, node: u32 },
    /// One node does what two did, and the cluster has one less.
    MergeNodes { from: u32, into: u32 },
    /// One key is used in place of two, or the first one that is free.
    MergeKeys { from: u32, into: u32 },
    /// One operation is about another key.
    ChangeKey { line: usize, key: u32 },
    /// A write in place of a delete.
    WriteInstead { line: usize },
    /// Writes of one value in place of all deletes.
    WriteEverywhere,
    /// The key at this position, or all of them, plainly named.
    PlainKeys(Option<u32>),
    /// The value at this position, or all of them, plain.
    PlainValues(Option<u32>),
}

/// Every chunk of `0..length`, halves first, then quarters, down to single items.
pub(super) fn chunks(length: usize) -> impl Iterator<Item = (usize, usize)> {
    std::iter::successors(Some(length), |size| (*size > 1).then(|| size.div_ceil(2)))
        .filter(|size| *size > 0)
        .flat_map(move |size| {
            (0..length)
                .step_by(size)
                .map(move |from| (from, size.min(length - from)))
        })
}

/// The clients that do something, in order.
fn clients(script: &Script) -> Vec<usize> {
    let mut clients: Vec<usize> = script.lines.iter().map(|line| line.client).collect();
    clients.sort_unstable();
    clients.dedup();
    clients
}

/// Whole clients first, then stretches of time, the longest first.
pub(super) fn cuts(script: &Script) -> Vec<OperationEdit> {
    let clients = clients(script).into_iter().map(OperationEdit::DropClient);
    let stretches =
        chunks(script.lines.len()).map(|(from, count)| OperationEdit::Drop { from, count });
    clients.chain(stretches).collect()
}

/// More operations, keys or values than this are not looked at by twos, or one by one.
const FEW: usize = 12;

/// Two operations at a time: where each needs the other, neither goes alone.
pub(super) fn pairs(script: &Script) -> Vec<OperationEdit> {
    let lines = script.lines.len();
    if lines > FEW {
        return Vec::new();
    }
    (0..lines)
        .flat_map(|one| (one + 1..lines).map(move |other| OperationEdit::DropTwo { one, other }))
        .collect()
}

/// Plainer acts in place of what is done.
pub(super) fn plainer_acts(script: &Script) -> Vec<OperationEdit> {
    let plainer = |(line, act): (usize, Act)| {
        act.plainer()
            .into_iter()
            .map(move |act| OperationEdit::Replace { line, act })
    };
    let acts = || script.lines.iter().map(|line| line.step.act).enumerate();
    let deletes = || acts().filter(|(_, act)| act.written_instead(0).is_some());
    let mut edits = Vec::new();
    // Values tell the writes to programs apart.
    if script.plan.program.is_none() && deletes().next().is_some() {
        edits.push(OperationEdit::WriteEverywhere);
    }
    if script.lines.len() <= FEW {
        edits.push(OperationEdit::Scatter);
    }
    edits.extend(deletes().map(|(line, _)| OperationEdit::WriteInstead { line }));
    edits.extend(acts().flat_map(plainer));
    edits
}

/// Plain keys and values: all at once, then one by one.
pub(super) fn plainer_names(script: &Script) -> Vec<OperationEdit> {
    let Plan { keys, values, .. } = &script.plan;
    let each = |length: usize| {
        let few = if length > FEW { 0 } else { length };
        let positions = 0..u32::try_from(few).unwrap_or(0);
        std::iter::once(None).chain(positions.map(Some))
    };
    let keys = each(keys.len()).map(OperationEdit::PlainKeys);
    let values = each(values.len()).map(OperationEdit::PlainValues);
    keys.chain(values).collect()
}

/// Fewer nodes, keys and clients.
pub(super) fn plainer_places(script: &Script) -> Vec<OperationEdit> {
    let nodes = script.plan.nodes;
    let keys = u32::try_from(script.plan.keys.len()).unwrap_or(u32::MAX);
    let mut edits = Vec::new();
    for from in (1..nodes).rev() {
        edits.extend((0..from).map(|into| OperationEdit::MergeNodes { from, into }));
    }
    for from in (1..keys).rev() {
        edits.extend((0..from).map(|into| OperationEdit::MergeKeys { from, into }));
    }
    let clients = clients(script);
    for (position, &from) in clients.iter().enumerate().rev() {
        let into = clients[..position].iter();
        edits.extend(into.map(|&into| OperationEdit::MergeClients { from, into }));
    }
    for &client in &clients {
        edits.extend((0..nodes).map(|node| OperationEdit::Stay { client, node }));
    }
    for (line, at) in script.lines.iter().enumerate() {
        if at.step.key > 0 {
            edits.push(OperationEdit::ChangeKey { line, key: 0 });
        }
        if at.step.node > 0 {
            edits.push(OperationEdit::Move { line, node: 0 });
        }
    }
    edits
}

impl OperationEdit {
    /// Edits a script; `None` when that changes nothing.
    pub(super) fn apply(self, script: &mut Script) -> Option<()> {
        let Script { plan, lines } = script;
        match self {
            Self::Drop { from, count } => {
                lines.drain(from..(from + count).min(lines.len()));
            }
            Self::DropTwo { one, other } => {
                lines.remove(other);
                lines.remove(one);
            }
            Self::DropClient(client) => lines.retain(|line| line.client != client),
            Self::Replace { line, act } => lines.get_mut(line)?.step.act = act,
            Self::Scatter => scatter(lines)?,
            Self::MergeClients { from, into } => {
                for line in lines.iter_mut().filter(|line| line.client == from) {
                    line.client = into;
                }
            }
            Self::Stay { client, node } => {
                let of_client = || lines.iter().filter(|line| line.client == client);
                let first = of_client().next()?.step.node;
                if of_client().all(|line| line.step.node == first) {
                    return None;
                }
                for line in lines.iter_mut().filter(|line| line.client == client) {
                    line.step.node = node;
                }
            }
            Self::Move { line, node } => lines.get_mut(line)?.step.node = node,
            Self::MergeNodes { from, into } => {
                let kept = |node: u32| match node {
                    node if node == from => into,
                    node => node - u32::from(node > from),
                };
                for line in &mut *lines {
                    line.step.node = kept(line.step.node);
                }
                plan.nodes -= 1;
                plan.network.links.retain_mut(|link| {
                    (link.from, link.to) = (kept(link.from), kept(link.to));
                    link.from != link.to
                });
                plan.faults.retain_mut(|fault| {
                    let what = fault.what.with_nodes(kept);
                    what.map(|what| fault.what = what).is_some()
                });
            }
            Self::MergeKeys { from, into } => {
                let mut moved = lines.iter_mut().filter(|line| line.step.key == from);
                let mut any = false;
                for line in &mut moved {
                    line.step.key = into;
                    any = true;
                }
                any.then_some(())?;
            }
            Self::ChangeKey { line, key } => lines.get_mut(line)?.step.key = key,
            Self::WriteInstead { line } => {
                let act = &mut lines.get_mut(line)?.step.act;
                act.written_instead(0)?;
                *act = act.written_instead(plan.add_plain_value())?;
            }
            Self::WriteEverywhere => {
                let value = plan.add_plain_value();
                for act in lines.iter_mut().map(|line| &mut line.step.act) {
                    *act = act.written_instead(value).unwrap_or(*act);
                }
            }
            Self::PlainKeys(which) => {
                let order = by_first_use(lines.iter().map(|line| line.step.key));
                let mut keys = std::mem::take(&mut plan.keys);
                let replaced = replace(&mut keys, &order, which, |rank| plan.plain_key(rank));
                plan.keys = keys;
                replaced?;
            }
            Self::PlainValues(which) => {
                let order = by_first_use(lines.iter().flat_map(|line| line.step.act.values()));
                let mut values = std::mem::take(&mut plan.values);
                replace(&mut values, &order, which, |rank| plan.plain_value(rank))?;
                plan.values = values;
            }
        }
        Some(())
    }
}

/// Leaves the writes and deletes, each without a context and by a client of its own; `None` where there
/// is nothing else.
fn scatter(lines: &mut Vec<Line>) -> Option<()> {
    let alone = |act: Act| act.alone() == Some(act);
    if lines.iter().all(|line| alone(line.step.act)) {
        return None;
    }
    lines.retain_mut(|line| match line.step.act.alone() {
        Some(act) => {
            line.step.act = act;
            true
        }
        None => false,
    });
    for (client, line) in lines.iter_mut().enumerate() {
        line.client = client;
    }
    Some(())
}

/// Positions in the order in which they first come. O(n log n).
fn by_first_use(positions: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut seen = BTreeSet::new();
    positions
        .filter(|position| seen.insert(*position))
        .collect()
}

/// Replaces one entry of a table, or all that are used, by plain ones in their order; `None` when
/// two would be equal. O(entries).
fn replace<T: PartialEq>(
    table: &mut [T],
    order: &[u32],
    which: Option<u32>,
    plain: impl Fn(usize) -> T,
) -> Option<()> {
    let Some(which) = which else {
        for (rank, &position) in order.iter().enumerate() {
            *table.get_mut(position as usize)? = plain(rank);
        }
        return Some(());
    };
    let plain = plain(order.iter().position(|&position| position == which)?);
    if table.contains(&plain) {
        return None;
    }
    *table.get_mut(which as usize)? = plain;
    Some(())
}
