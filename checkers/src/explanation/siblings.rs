//! Siblings as an object: how they are judged and how their findings are told.

use std::io::{self, Write};

use super::Teller;
use crate::{
    claim::Promise,
    history::{Action, History, OpId},
    object::{Numbers, Object},
    provenance::HistoryFault,
    relations::Link,
    scarcity::Scarcity,
    situations::Situation,
    verdict::{Invariant, Verdict, Violation},
};

impl Object for Action {
    type Fault = HistoryFault;

    const NAME: &'static str = "siblings";

    const INVARIANTS: &'static [Invariant] = &Invariant::ALL;

    fn judge(history: &History, promise: Promise) -> Result<Verdict, HistoryFault> {
        crate::judge(history, promise)
    }

    fn is_write(&self) -> bool {
        matches!(self, Self::Write(_))
    }

    fn sources(&self) -> &[OpId] {
        match self {
            Self::Write(write) => &write.sources,
            Self::Read(_) => &[],
        }
    }

    fn sentence(history: &History, violation: &Violation) -> String {
        Teller(history).finding(&violation.finding)
    }

    fn told(history: &History, op: OpId) -> String {
        match history.operations[op as usize].action {
            Self::Write(_) => Teller(history).known_write(op, None),
            Self::Read(_) => Teller(history).read(op),
        }
    }

    fn step(history: &History, op: OpId, numbers: Numbers<'_>) -> String {
        Teller(history).asked_and_answered(op, numbers)
    }

    fn links(history: &History, violation: &Violation) -> Vec<Link> {
        crate::relations::links(violation, history)
    }

    fn why_nothing_was_tested(history: &History) -> &'static str {
        Scarcity::of(history).told()
    }

    fn situations(_history: &History, verdict: &Verdict) -> Vec<(&'static str, u64)> {
        let count = |situation: Situation| (situation.name(), verdict.figures.count(situation));
        Situation::ALL.map(count).to_vec()
    }

    fn write_history(history: &History, writer: &mut dyn Write) -> io::Result<()> {
        crate::format::write_history(history, writer)
    }
}
