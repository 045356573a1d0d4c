//! Relations: what binds the operations of a violation's evidence together, as data.
//!
//! A proof rests on an order of its operations. Each link of it is one of four kinds, which reports
//! show beside the sentence, and the JSON beside the evidence:
//!
//! - *visibility*: a read returned a write;
//! - *context*: a write's context was made of an answer;
//! - *program order*: a client had the answer of one operation when it invoked another;
//! - *real time*: an operation had completed when another client invoked its own.
//!
//! Visibility and contexts are told of all evidence; the other two where the finding rests on them.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    history::{Action, Actions, History, OpId, Operation, Sibling, Status, Write},
    object_model::ObjectModel,
    verdict::{Finding, Judgeable, Violation},
};

/// Why one operation comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// The second is a read that returned the first.
    Visibility,
    /// The second is a write whose context was made of the first one's answer.
    Context,
    /// One client had the first one's answer when it invoked the second.
    ProgramOrder,
    /// The first had completed when another client invoked the second.
    RealTime,
}

/// One link of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Link {
    /// The operation that comes first.
    pub from: OpId,
    /// The operation that comes after it.
    pub to: OpId,
    /// Why.
    pub relation: Relation,
}

/// Of so many operations the links are told; of more evidence the first and the last are.
pub(crate) const MOST_OPERATIONS: usize = 30;

impl<A: Judgeable> Violation<A> {
    /// The evidence that is told one by one: all, or the first and the last where it is much.
    pub(crate) fn told_evidence(&self) -> Vec<OpId> {
        let few = MOST_OPERATIONS / 2;
        match self.evidence.len() {
            0..=MOST_OPERATIONS => self.evidence.clone(),
            many => [&self.evidence[..few], &self.evidence[many - few..]].concat(),
        }
    }
}

/// The links of a proof about siblings.
pub(crate) fn links(violation: &Violation, history: &History) -> Vec<Link> {
    let mut links = BTreeSet::new();
    let mut link = |from: OpId, to: OpId, relation| {
        links.insert((to, from, relation));
    };
    let evidence = violation.told_evidence();
    for &to in &evidence {
        for &from in &evidence {
            if let Some(relation) = direct(history, from, to) {
                link(from, to, relation);
            }
        }
    }
    for (from, to) in violation.rests_on(history) {
        if direct(history, from, to).is_none()
            && let Some(relation) = precedes(history, from, to)
        {
            link(from, to, relation);
        }
    }
    let link = |(to, from, relation)| Link { from, to, relation };
    links.into_iter().map(link).collect()
}

impl Violation {
    /// Pairs of operations whose order in time the finding rests on.
    fn rests_on(&self, history: &History) -> Vec<(OpId, OpId)> {
        match self.finding {
            Finding::SiblingDropped {
                read,
                write,
                seen_by,
                ..
            }
            | Finding::UpdateLost {
                read,
                write,
                seen_by,
                ..
            } => {
                let mut pairs = vec![(seen_by.unwrap_or(write), read)];
                if history.header.model == ObjectModel::Replica {
                    pairs.extend(self.evidence.iter().map(|other| (*other, write)));
                }
                pairs
            }
            Finding::Resurrected { read, seen_by, .. } => vec![(seen_by, read)],
            Finding::FalseDominance { lower, upper } => match history.header.model {
                ObjectModel::Replica => vec![(upper, lower)],
                ObjectModel::Context => Vec::new(),
            },
            Finding::CounterNotGrown { earlier, later } => vec![(earlier, later)],
            Finding::WriteMissed { read, write, .. } => vec![(write, read)],
            Finding::ContextShrank { earlier, read }
            | Finding::ReadWentBack { earlier, read, .. } => vec![(earlier, read)],
            Finding::WritesReordered { missed, saw, .. } => vec![(missed, saw)],
            Finding::ReadNotFollowed { seen_by, saw, .. } => vec![(seen_by, saw)],
            Finding::CauseMissed { ref chain, .. } | Finding::CausalCycle { ref chain, .. } => {
                chain.windows(2).map(|pair| (pair[0], pair[1])).collect()
            }
            Finding::RegisterWentBack {
                read,
                first_done,
                begun,
                done,
                ..
            } => {
                let first = first_done.map(|first| (first, begun));
                first.into_iter().chain([(done, read)]).collect()
            }
            Finding::ThinAir { .. }
            | Finding::Duplicate { .. }
            | Finding::Dominated { .. }
            | Finding::TooManySiblings { .. }
            | Finding::Diverged { .. }
            | Finding::ClockNotAbove { .. }
            | Finding::NotAdvanced { .. }
            | Finding::SharedVersion { .. }
            | Finding::VersionChanged { .. }
            | Finding::OrderedAnswer { .. }
            | Finding::ContextOmitsDot { .. }
            | Finding::DotInOwnPast { .. }
            | Finding::ReadsCross { .. }
            | Finding::RegisterSplit { .. }
            | Finding::RegisterCircle { .. } => Vec::new(),
        }
    }
}

/// What the operations themselves say.
fn direct(history: &History, from: OpId, to: OpId) -> Option<Relation> {
    let (first, second) = (operation(history, from), operation(history, to));
    match (&first.action, &second.action) {
        (_, Action::Write(write)) if write.sources.contains(&from) => {
            (history.header.model == ObjectModel::Context).then_some(Relation::Context)
        }
        (Action::Write(write), Action::Read(read)) if first.key == second.key => {
            let returned = |sibling: &Sibling| is_of(sibling, write);
            let explained = first.status != Status::Fail && first.invoked <= completed(second);
            let returned = explained && read.siblings.iter().any(returned);
            returned.then_some(Relation::Visibility)
        }
        _ => None,
    }
}

fn is_of(sibling: &Sibling, write: &Write) -> bool {
    sibling.tombstone == write.tombstone
        && sibling.value.tag == write.value.tag
        && (write.tombstone || sibling.value.data == write.value.data)
}

/// How one operation comes before another in time, if it does.
pub(crate) fn precedes<A: Actions>(history: &History<A>, from: OpId, to: OpId) -> Option<Relation> {
    let (first, second) = (operation(history, from), operation(history, to));
    let one_client = first.client == second.client;
    let at_once = one_client && from < to;
    let done = first.completed.filter(|_| first.status == Status::Ok)?;
    let before = done < second.invoked || at_once && done == second.invoked;
    before.then_some(if one_client {
        Relation::ProgramOrder
    } else {
        Relation::RealTime
    })
}

fn completed(op: &Operation) -> u64 {
    op.completed.unwrap_or(u64::MAX)
}

fn operation<A: Actions>(history: &History<A>, op: OpId) -> &Operation<A> {
    &history.operations[op as usize]
}
