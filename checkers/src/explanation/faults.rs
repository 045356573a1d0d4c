//! Faults told in sentences.

use std::collections::{BTreeMap, BTreeSet};

use super::{Teller, time, timeline::Within};
use crate::history::{AffectedMessage, Fault, FaultKind, NAMELESS, Name, Party};
use crate::object::Object;

/// So many messages of a fault are named.
const NAMED: usize = 3;

impl<A: Object> Teller<'_, A> {
    /// What a fault did during a span, with the time.
    pub(super) fn fault(&self, within: &Within<'_>) -> String {
        let fault = within.fault;
        let (messages, known) = within.messages();
        let many = counted(messages, "message");
        let lasted = match fault.ended {
            Some(ended) => format!("from {} to {}", time(fault.began), time(ended)),
            None => format!("from {} on", time(fault.began)),
        };
        match &fault.kind {
            FaultKind::Loss | FaultKind::ClientLoss => self.messages("was lost", messages, known),
            FaultKind::Duplicate => self.messages("arrived a second time", messages, known),
            FaultKind::Reorder => self.messages("arrived after a later one", messages, known),
            FaultKind::Partition(cut) => {
                format!("{lasted} {}: {many} cut off", self.links(cut))
            }
            FaultKind::Pause(node) => {
                format!(
                    "{lasted} {} stood still: {many} held back",
                    self.node(*node)
                )
            }
            FaultKind::Crash(node) => {
                let lost = match fault.unsynced {
                    Some(0) => String::new(),
                    Some(records) => {
                        let records = counted(records, "record");
                        format!(" and lost what it had not synced ({records})")
                    }
                    None => " with what it had not made durable".to_owned(),
                };
                let died = if fault.unsynced.is_some() {
                    "crashed"
                } else {
                    "was killed"
                };
                let back = back(fault, messages);
                format!(
                    "at {} {} {died}{lost}; {back}",
                    time(fault.began),
                    self.node(*node)
                )
            }
            FaultKind::PowerLoss(node) => {
                let lost = match fault.unsynced {
                    Some(0) => ", and had synced all that it had written to files".to_owned(),
                    Some(files) => {
                        let files = counted(files, "file");
                        format!(" and what it had not synced ({files} set back)")
                    }
                    None => " with what it had not synced".to_owned(),
                };
                let back = back(fault, messages);
                format!(
                    "at {} {} lost power{lost}; {back}",
                    time(fault.began),
                    self.node(*node)
                )
            }
            FaultKind::Clock {
                node,
                jump_ns,
                drift_ppm,
            } => {
                let wrong = clock(*jump_ns, *drift_ppm);
                format!("{lasted} the clock of {} {wrong}", self.node(*node))
            }
            FaultKind::Leave(node) => {
                format!("{lasted} {} was no member of the cluster", self.node(*node))
            }
            FaultKind::Stop(node) => {
                let back = back(fault, messages);
                format!(
                    "at {} {} was ended in good order; {back}",
                    time(fault.began),
                    self.node(*node)
                )
            }
        }
    }

    /// `at 14 ms a message from n1 to n2 was lost`
    fn messages(&self, what: &str, number: u64, known: &[AffectedMessage]) -> String {
        let told = known.iter().take(NAMED);
        let told: Vec<String> = told
            .map(|message| format!("at {} {} {what}", time(message.at), self.message(message)))
            .collect();
        match number.saturating_sub(told.len() as u64) {
            0 => told.join(", "),
            more => format!("{} and {more} more", told.join(", ")),
        }
    }

    fn message(&self, message: &AffectedMessage) -> String {
        let name = |party: Party| match party {
            Party::Client(client) => self.0.clients.get(client as usize),
            Party::Node(node) => self.0.nodes.get(node as usize),
        };
        let name = |party| name(party).unwrap_or(&NAMELESS);
        let (from, to) = (name(message.from), name(message.to));
        match (message.from, message.to) {
            (Party::Client(_), _) => format!("the request of {from} to {to}"),
            (_, Party::Client(_)) => format!("the answer of {from} to {to}"),
            _ => format!("a message from {from} to {to}"),
        }
    }

    fn node(&self, node: u32) -> &Name {
        self.0.nodes.get(node as usize).unwrap_or(&NAMELESS)
    }

    /// Who does not hear whom: groups that are cut off from each other, and links that are cut in
    /// one direction. O(links · log).
    fn links(&self, cut: &[(u32, u32)]) -> String {
        let cut: BTreeSet<(u32, u32)> = cut.iter().copied().collect();
        let names = |nodes: &BTreeSet<u32>| {
            let names = nodes.iter().map(|node| self.node(*node).to_string());
            let names: Vec<String> = names.collect();
            match names.split_last() {
                Some((last, [])) => last.clone(),
                Some((last, others)) => format!("{} and {last}", others.join(", ")),
                None => String::new(),
            }
        };
        let mutual = |&(from, to): &(u32, u32)| cut.contains(&(to, from));
        let both = groups(cut.iter().copied().filter(mutual));
        let one_way = groups(cut.iter().copied().filter(|link| !mutual(link)));
        let mut told = Vec::new();
        for group in both.iter().chain(&one_way) {
            let (deaf, unheard) = group;
            let other_way = both
                .iter()
                .any(|(ones, others)| ones == unheard && others == deaf);
            if !other_way {
                told.push(format!("{} did not hear {}", names(deaf), names(unheard)));
            } else if deaf.first() > unheard.first() {
                // It was told the other way round.
            } else if deaf.len() == 1 && unheard.len() == 1 {
                let (one, other) = (names(deaf), names(unheard));
                told.push(format!("{one} and {other} did not hear each other"));
            } else {
                let were = if deaf.len() == 1 { "was" } else { "were" };
                told.push(format!(
                    "{} {were} cut off from {}",
                    names(deaf),
                    names(unheard)
                ));
            }
        }
        told.join("; ")
    }
}

/// Receivers with the senders whom none of them hears.
type Group = (BTreeSet<u32>, BTreeSet<u32>);

/// Receivers are grouped where the same senders are unheard.
fn groups(cut: impl Iterator<Item = (u32, u32)>) -> Vec<Group> {
    let mut unheard: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for (from, to) in cut {
        unheard.entry(to).or_default().insert(from);
    }
    let mut deaf: BTreeMap<BTreeSet<u32>, BTreeSet<u32>> = BTreeMap::new();
    for (to, from) in unheard {
        deaf.entry(from).or_default().insert(to);
    }
    deaf.into_iter()
        .map(|(unheard, deaf)| (deaf, unheard))
        .collect()
}

/// How a clock was wrong.
fn clock(jump_ns: i64, drift_ppm: i32) -> String {
    let jump = match jump_ns {
        0 => None,
        ns if ns < 0 => Some(format!("stood {} back", time(ns.unsigned_abs()))),
        ns => Some(format!("stood {} ahead", time(ns.unsigned_abs()))),
    };
    let percent = f64::from(drift_ppm.unsigned_abs()) / 10_000.0;
    let drift = match drift_ppm {
        0 => None,
        ppm if ppm < 0 => Some(format!("ran {percent} % too slow")),
        _ => Some(format!("ran {percent} % too fast")),
    };
    let told: Vec<String> = [jump, drift].into_iter().flatten().collect();
    if told.is_empty() {
        return "was right".to_owned();
    }
    told.join(" and ")
}

/// When a node that was down came back, and what it missed.
fn back(fault: &Fault, messages: u64) -> String {
    let back = match fault.ended {
        Some(ended) => format!("it was back at {}", time(ended)),
        None => "it did not come back".to_owned(),
    };
    match messages {
        0 => back,
        _ => format!("{back}, too late for {}", counted(messages, "message")),
    }
}

fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
