//! What is played, in words: operations, rings, and siblings with their dots.

use std::fmt::Write as _;

use sibcheck_checkers::{
    history::{Action, Name, Read, ReportedClock, Sibling, Status, Version, Write},
    shown,
};

use crate::{
    nodes::node_name,
    reports::words::{count, wrapped},
    simulation::Nanos,
    stores::dynamo::Inspected,
    workloads::siblings::TaggedValue,
};

use super::{
    command::COMMANDS,
    play::{Asked, Operation, Play},
};

const INDENT: &str = "  ";
const DEEPER: &str = "      ";

/// A line of an answer, wrapped.
pub(super) fn line(text: &str, width: usize) -> String {
    wrapped(text, INDENT, DEEPER, width) + "\n"
}

/// `n1, n2 and n3`.
pub(super) fn listed(nodes: impl IntoIterator<Item = u32>) -> String {
    let names: Vec<String> = nodes
        .into_iter()
        .map(|node| node_name(node).to_string())
        .collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
        None => "none".to_owned(),
    }
}

/// What a client asked and was answered, a line for each operation.
pub(super) fn asked(play: &Play, asked: &Asked, width: usize) -> String {
    let operations = asked.operations.iter();
    let mut text: String = operations
        .map(|operation| line(&operation_told(play, asked, operation), width))
        .collect();
    let last = asked.operations.last();
    if last.is_some_and(|operation| operation.status == Status::Info) {
        let client = &asked.client;
        let unsure = format!(
            "{client} cannot know whether it was done, and goes on with nothing remembered"
        );
        text += &line(&unsure, width);
    }
    text
}

fn operation_told(play: &Play, asked: &Asked, operation: &Operation) -> String {
    let (client, node) = (&asked.client, node_name(asked.node));
    let (what, answer) = match &operation.action {
        Action::Write(write) => (
            write_told(write),
            written(play, asked, operation.status, write),
        ),
        Action::Read(read) => ("get".to_owned(), found(play, asked, operation.status, read)),
    };
    let answered = operation
        .completed
        .filter(|_| operation.status == Status::Ok);
    let took = answered.map(|answered| {
        let took = Nanos(answered).since(Nanos(operation.invoked));
        format!("in {took}: ")
    });
    let took = took.unwrap_or_default();
    format!("{client} at {node}: {what} → {took}{answer}")
}

fn write_told(write: &Write) -> String {
    let what = if write.tombstone {
        "delete".to_owned()
    } else {
        format!("put {}", data(&write.value.data))
    };
    match &write.context {
        Some(context) if !write.sources.is_empty() => {
            format!("{what} in place of {}", clock(context))
        }
        _ => format!("{what} in place of nothing"),
    }
}

/// What became of a write.
fn written(play: &Play, asked: &Asked, status: Status, write: &Write) -> String {
    let wanted = play.quorums().writes;
    match (status, &write.version) {
        (Status::Ok, Some(Version::Dotted { actor, counter, .. })) => {
            format!("ok, dot ({actor},{counter})")
        }
        (Status::Ok, _) => "ok".to_owned(),
        (Status::Fail, _) => "refused".to_owned(),
        (Status::Info, _) if asked.down => format!(
            "no answer within {}: {} is down",
            play.patience(),
            node_name(asked.node)
        ),
        (Status::Info, _) => format!(
            "unknown: fewer than {} said in time that they have it on storage. It is not undone, and may \
             be read later",
            count(wanted.into(), "node")
        ),
    }
}

/// What a read returned.
fn found(play: &Play, asked: &Asked, status: Status, read: &Read) -> String {
    if status != Status::Ok {
        if asked.down {
            let node = node_name(asked.node);
            return format!("no answer within {}: {node} is down", play.patience());
        }
        let wanted = play.quorums().reads;
        return format!(
            "failed: fewer than {} answered in time",
            count(wanted.into(), "node")
        );
    }
    let context = read.context.as_ref().map(clock).unwrap_or_default();
    let siblings: Vec<String> = read.siblings.iter().map(sibling).collect();
    match siblings.as_slice() {
        [] => "nothing".to_owned(),
        [one] => format!("{one}; context {context}"),
        several => format!(
            "{} siblings: {}; context {context}",
            several.len(),
            several.join(", ")
        ),
    }
}

fn sibling(sibling: &Sibling) -> String {
    let value = if sibling.tombstone {
        "a tombstone".to_owned()
    } else {
        data(&sibling.value.data)
    };
    match &sibling.version {
        Some(Version::Dotted { actor, counter, .. }) => format!("{value} ({actor},{counter})"),
        _ => value,
    }
}

fn data(data: &sibcheck_checkers::history::Data) -> String {
    match data.to_json() {
        serde_json::Value::String(text) => shown::key(&text).into_owned(),
        other => shown::value(&other),
    }
}

/// `{n1:2, n2:1}`.
fn clock(clock: &ReportedClock) -> String {
    let entries = clock.entries();
    let entries = entries.iter().map(|(name, counter)| entry(name, *counter));
    format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
}

fn entry(name: &Name, counter: u64) -> String {
    format!("{name}:{counter}")
}

/// Who owns a key.
pub(super) fn owners(play: &Play, key: &str) -> String {
    let (owners, quorums) = (play.owners(key), play.quorums());
    format!(
        "{} is owned by {}: a read waits for {} of them, a write for {}",
        shown::key(key),
        listed(owners),
        quorums.reads,
        quorums.writes
    )
}

/// How the nodes are.
pub(super) fn nodes(play: &Play, width: usize) -> String {
    let mut text = String::new();
    let newest = play.newest("");
    for (node, found) in (0..).zip(play.inspected("")) {
        let mut how = vec![if found.is_some() { "up" } else { "down" }.to_owned()];
        let members = newest.as_ref().map(|newest| &newest.members);
        if members.is_some_and(|members| !members.contains(&node)) {
            how.push("no member".to_owned());
        }
        let alone = |group: &&Vec<u32>| group.contains(&node);
        if let Some(group) = play.groups().iter().find(alone) {
            let others: Vec<u32> = group
                .iter()
                .copied()
                .filter(|other| *other != node)
                .collect();
            how.push(format!("hears {}", listed(others)));
        }
        let suspected = found.map(|found| found.suspected).unwrap_or_default();
        if !suspected.is_empty() {
            how.push(format!("takes {} for failed", listed(suspected)));
        }
        text += &row(&node_name(node).to_string(), &how.join(", "), width);
    }
    if newest.is_some_and(|newest| newest.changes) {
        text += &line("a change of the members is pending", width);
    }
    text
}

/// What each node has of a key.
pub(super) fn siblings(play: &Play, key: &str, width: usize) -> String {
    let owners = play.owners(key);
    let mut text = line(&format!("{} on each node:", shown::key(key)), width);
    let mut without = Vec::new();
    for (node, found) in (0..).zip(play.inspected(key)) {
        let owner = owners.contains(&node);
        let role = if owner { ", an owner" } else { "" };
        let has = match found {
            None => "down".to_owned(),
            Some(found) if found.context.entries().is_empty() && !owner => {
                without.push(node);
                continue;
            }
            Some(found) => has(play, &found),
        };
        text += &row(&format!("{}{role}", node_name(node)), &has, width);
    }
    if !without.is_empty() {
        let nodes = listed(without);
        text += &row(&nodes, "nothing (no owner)", width);
    }
    text
}

fn has(play: &Play, found: &Inspected<TaggedValue>) -> String {
    let value = |value| {
        play.shown(value)
            .unwrap_or_else(|| "a tombstone".to_owned())
    };
    let siblings = found.siblings.iter();
    let siblings: Vec<String> = siblings
        .map(|(dot, tagged)| format!("{} {dot}", value(*tagged)))
        .collect();
    if found.context.entries().is_empty() {
        return "nothing".to_owned();
    }
    let mut has = format!("{}; knows {}", siblings.join(", "), found.context);
    if !found.hints.is_empty() {
        let _ = write!(
            has,
            "; keeps a hint for {}",
            listed(found.hints.iter().copied())
        );
    }
    has
}

/// `  n1, an owner   …`.
fn row(name: &str, text: &str, width: usize) -> String {
    wrapped(text, &format!("  {name:<13} "), "                ", width) + "\n"
}

/// What the mechanisms of the nodes have done since.
pub(super) fn meanwhile(
    before: &[(&'static str, u64)],
    after: &[(&'static str, u64)],
    width: usize,
) -> String {
    let done = before.iter().zip(after);
    let done: Vec<String> = done
        .filter(|((_, before), (_, after))| before < after)
        .map(|((_, before), (name, after))| format!("{name} ({})", after - before))
        .collect();
    if done.is_empty() {
        return String::new();
    }
    line(&format!("meanwhile: {}", done.join(", ")), width)
}

/// Every command.
pub(super) fn help(width: usize) -> String {
    const NARROW: usize = 64;
    let mut text = String::new();
    for usage in &COMMANDS {
        if width < NARROW {
            text += &line(usage.form, width);
            text += &(wrapped(usage.about, DEEPER, DEEPER, width) + "\n");
        } else {
            let form = format!("  {:<24}", usage.form);
            text += &(wrapped(usage.about, &form, &" ".repeat(26), width) + "\n");
        }
    }
    text += &line(
        "Behind what a client asks may stand via NODE (else the first owner that is up is asked) and \
         as NAME. Quotes go around what has spaces.",
        width,
    );
    text
}
