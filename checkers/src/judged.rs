//! A judged history, whatever its object: what campaigns, reports and corpora need of it.

use std::{
    any::Any,
    fmt::Debug,
    io::{self, Write},
    sync::Arc,
};

use serde_json::Value as Json;

use crate::{
    claim::Promise,
    explanation::{Timeline, told_operations},
    history::{self, Action, Fault, Header, History, Name, OpId, Status, TimeNs},
    object::Object,
    verdict::{Invariant, Outcome, Step, Unknown, Verdict},
};

/// A history and the verdict on it: of siblings, unless another object is named.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged<A: Object = Action> {
    /// What was judged.
    pub history: Arc<History<A>>,
    /// What came of it.
    pub verdict: Verdict<A>,
}

/// What is the same of an operation for all objects.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'j> {
    /// Index into [`AnyJudged::clients`].
    pub client: u32,
    /// Index into [`AnyJudged::nodes`].
    pub node: u32,
    /// Index into [`AnyJudged::keys`].
    pub key: u32,
    /// When it was asked.
    pub invoked: TimeNs,
    /// When it was answered.
    pub completed: Option<TimeNs>,
    /// What the client learnt.
    pub status: Status,
    /// It may change what is stored.
    pub is_write: bool,
    /// The earlier operations whose answers it was made of.
    pub sources: &'j [OpId],
}

/// A violated invariant of a judged history.
#[derive(Clone, Copy, Debug)]
pub struct Violated<'j> {
    of: &'j dyn AnyJudged,
    at: usize,
    /// Which invariant.
    pub invariant: Invariant,
    /// The key's name.
    pub key: &'j Name,
    /// The operations that prove it, in the order of their invocation.
    pub evidence: &'j [OpId],
}

impl Violated<'_> {
    /// One sentence: what is wrong.
    pub fn sentence(&self) -> String {
        self.of.sentence(self.at)
    }

    /// The proof in the order of time.
    pub fn timeline(&self) -> Timeline {
        self.of.timeline(self.at)
    }
}

/// A judged history of any object.
pub trait AnyJudged: Any + Debug + Send + Sync {
    /// What was judged, by the object's name.
    fn object(&self) -> &'static str;

    /// What came of it.
    fn outcome(&self) -> Outcome;

    /// What was promised.
    fn promise(&self) -> Promise;

    /// What histories of this object are tested for, each with how often there was something to test.
    fn exercised(&self) -> Vec<(Invariant, u64)>;

    /// The violations, the first of which leads.
    fn violations(&self) -> Vec<Violated<'_>>;

    /// The sentence of the violation at a position.
    fn sentence(&self, violation: usize) -> String;

    /// The proof of the violation at a position.
    fn timeline(&self, violation: usize) -> Timeline;

    /// What could not be tested.
    fn unknown(&self) -> &[Unknown];

    /// One sentence: what was not tested, and why.
    fn why(&self, unknown: &Unknown) -> String;

    /// The same without what differs from history to history.
    fn why_briefly(&self, unknown: &Unknown) -> String;

    /// The verdict with names, and the same content as its sentences.
    fn to_json(&self) -> Json;

    /// How often the history got into interesting situations, by their names; in the same order for
    /// every history of the object.
    fn situations(&self) -> Vec<(&'static str, u64)>;

    /// How it was decided, in a few words, where that is worth telling.
    fn how_decided(&self) -> Option<String>;

    /// What the history says about itself.
    fn header(&self) -> &Header;

    /// Client names.
    fn clients(&self) -> &[Name];

    /// Node names.
    fn nodes(&self) -> &[Name];

    /// Key names.
    fn keys(&self) -> &[Name];

    /// What went wrong meanwhile.
    fn faults(&self) -> &[Fault];

    /// How many operations there are.
    fn operations(&self) -> usize;

    /// What is the same for all objects of the operation with this number; there must be one.
    fn operation(&self, op: OpId) -> Operation<'_>;

    /// Operations as reports tell them, in the order in which they are given.
    fn told(&self, operations: &[OpId]) -> Vec<Step>;

    /// Writes the history as a file.
    ///
    /// # Errors
    ///
    /// When the writer fails.
    fn write_history(&self, writer: &mut dyn Write) -> io::Result<()>;

    /// Whether the other one is of the same history.
    fn has_history_of(&self, other: &dyn AnyJudged) -> bool;
}

impl dyn AnyJudged {
    /// The history and the verdict of this object, if they are of it.
    pub fn of<A: Object>(&self) -> Option<&Judged<A>> {
        (self as &dyn Any).downcast_ref()
    }
}

impl<A: Object> AnyJudged for Judged<A> {
    fn object(&self) -> &'static str {
        A::NAME
    }

    fn outcome(&self) -> Outcome {
        self.verdict.outcome
    }

    fn promise(&self) -> Promise {
        self.verdict.promise()
    }

    fn exercised(&self) -> Vec<(Invariant, u64)> {
        let times = |invariant: &Invariant| (*invariant, self.verdict.exercised.count(*invariant));
        A::INVARIANTS.iter().map(times).collect()
    }

    fn violations(&self) -> Vec<Violated<'_>> {
        let violations = self.verdict.violations.iter().enumerate();
        let violated = violations.map(|(at, violation)| Violated {
            of: self,
            at,
            invariant: violation.invariant,
            key: self.history.key_name(violation.key),
            evidence: &violation.evidence,
        });
        violated.collect()
    }

    fn sentence(&self, violation: usize) -> String {
        self.verdict.violations[violation].sentence(&self.history)
    }

    fn timeline(&self, violation: usize) -> Timeline {
        self.verdict.violations[violation].timeline(&self.history)
    }

    fn unknown(&self) -> &[Unknown] {
        &self.verdict.unknown
    }

    fn why(&self, unknown: &Unknown) -> String {
        unknown.sentence(&self.history)
    }

    fn why_briefly(&self, unknown: &Unknown) -> String {
        unknown
            .reason
            .briefly(A::why_nothing_was_tested(&self.history))
    }

    fn to_json(&self) -> Json {
        self.verdict.to_json(&self.history)
    }

    fn situations(&self) -> Vec<(&'static str, u64)> {
        A::situations(&self.history, &self.verdict)
    }

    fn how_decided(&self) -> Option<String> {
        A::how_decided(&self.verdict)
    }

    fn header(&self) -> &Header {
        &self.history.header
    }

    fn clients(&self) -> &[Name] {
        &self.history.clients
    }

    fn nodes(&self) -> &[Name] {
        &self.history.nodes
    }

    fn keys(&self) -> &[Name] {
        &self.history.keys
    }

    fn faults(&self) -> &[Fault] {
        &self.history.faults
    }

    fn operations(&self) -> usize {
        self.history.operations.len()
    }

    fn operation(&self, op: OpId) -> Operation<'_> {
        let history::Operation {
            client,
            node,
            key,
            invoked,
            completed,
            status,
            action,
        } = &self.history.operations[op as usize];
        Operation {
            client: *client,
            node: *node,
            key: *key,
            invoked: *invoked,
            completed: *completed,
            status: *status,
            is_write: action.is_write(),
            sources: action.sources(),
        }
    }

    fn told(&self, operations: &[OpId]) -> Vec<Step> {
        told_operations(&self.history, operations)
    }

    fn write_history(&self, writer: &mut dyn Write) -> io::Result<()> {
        A::write_history(&self.history, writer)
    }

    fn has_history_of(&self, other: &dyn AnyJudged) -> bool {
        let other = other.of::<A>();
        other.is_some_and(|other| other.history == self.history)
    }
}
