//! Objects: the kinds of replicated data that are judged, each by its own definitions.
//!
//! An object is named by the type of its actions. It says what its actions are, how a history of them
//! is judged, and how it tells of an operation and of what is wrong; everything else (names, times,
//! faults, verdicts, timelines, JSON) is the same for all objects and written once.

use std::{
    error::Error,
    io::{self, Write},
};

use serde_json::Value as Json;

use crate::{
    claim::Promise,
    history::{Clock, History, OpId},
    invariant::Invariant,
    relations::Link,
    verdict::{Judgeable, Verdict, Violation},
};

/// How operations that a proof has numbered are named within each other: `2` for the second.
pub type Numbers<'n> = &'n dyn Fn(OpId) -> Option<usize>;

/// A kind of replicated data, named by the type of its actions.
pub trait Object: Judgeable {
    /// Why a history cannot be judged.
    type Fault: Error + Send + Sync + 'static;

    /// The name in files and reports.
    const NAME: &'static str;

    /// What its histories are tested for, whatever is promised; all others say nothing of them.
    const INVARIANTS: &'static [Invariant];

    /// Tests everything that is promised on every key.
    ///
    /// # Errors
    ///
    /// When the history contradicts itself.
    fn judge(history: &History<Self>, promise: Promise) -> Result<Verdict<Self>, Self::Fault>;

    /// What the times of a history mean.
    fn clock(_history: &History<Self>) -> Clock {
        Clock::Nanoseconds
    }

    /// True when it may change what is stored.
    fn is_write(&self) -> bool;

    /// The earlier operations whose answers it was made of.
    fn sources(&self) -> &[OpId] {
        &[]
    }

    /// What is wrong, in a sentence.
    fn sentence(history: &History<Self>, violation: &Violation<Self>) -> String;

    /// An operation within a sentence: `"a", written by c1 at n2 and acknowledged at 5 ns`.
    fn told(history: &History<Self>, op: OpId) -> String;

    /// What an operation asked and was answered: `read → ok ["a"]`.
    fn step(history: &History<Self>, op: OpId, numbers: Numbers<'_>) -> String;

    /// What is to be known of an operation's part in a proof; empty for most.
    fn part(_violation: &Violation<Self>, _history: &History<Self>, _op: OpId) -> &'static str {
        ""
    }

    /// What binds the operations of a proof together.
    fn links(history: &History<Self>, violation: &Violation<Self>) -> Vec<Link>;

    /// Why a history without a violation shows nothing either.
    fn why_nothing_was_tested(history: &History<Self>) -> &'static str;

    /// How often a history got into interesting situations, by their names and in one order.
    fn situations(history: &History<Self>, verdict: &Verdict<Self>) -> Vec<(&'static str, u64)>;

    /// How a verdict was reached, in a few words, where that is worth telling.
    fn how_decided(_verdict: &Verdict<Self>) -> Option<String> {
        None
    }

    /// Writes a history as a file.
    ///
    /// # Errors
    ///
    /// When the writer fails.
    fn write_history(history: &History<Self>, writer: &mut dyn Write) -> io::Result<()>;

    /// The figures by name, where the verdict's JSON has them.
    fn figures_as_json(_figures: &Self::Figures) -> Option<Json> {
        None
    }
}
