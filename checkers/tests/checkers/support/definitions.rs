//! The checkers beside the definitions.

use std::{collections::BTreeSet, fmt::Display};

use sibcheck_checkers::{
    Claim, History, Invariant, Promise, Verdict, Violation,
    format::write_history,
    judge, judge_in_full,
    strongest::{Strongest, strongest},
};
use sibcheck_oracles::siblings::brute_force::Answers;

use super::tally::verdicts;

pub(crate) fn lines(history: &History) -> String {
    let mut bytes = Vec::new();
    write_history(history, &mut bytes).expect("it can be written");
    String::from_utf8(bytes).expect("it is text")
}

/// A history under every claim, by the checkers and by the definitions.
pub(crate) struct Asked {
    pub(crate) judged: Strongest,
    answers: Answers,
}

/// Judges a history under every claim at once, and asks the definitions the same.
///
/// # Errors
///
/// Where they do not agree, with the history.
pub(crate) fn agree(history: &History) -> Result<Asked, String> {
    let judged = strongest(history).map_err(|fault| about(history, fault))?;
    let answers = Answers::of(history).map_err(|large| about(history, large))?;
    let asked = Asked { judged, answers };
    for verdict in verdicts(&asked.judged) {
        asked.compare(history, verdict)?;
    }
    let all = asked.judged.verdicts();
    let linearizable = all
        .iter()
        .filter(|verdict| verdict.claim == Claim::Linearizable)
        .all(|verdict| !verdict.violations.iter().any(refutes_order));
    let expected = asked.answers.linearizable();
    if expected != Ok(linearizable) {
        let what = format!("linearizable: the checkers say {linearizable}, not {expected:?}");
        return Err(about(history, what));
    }
    Ok(asked)
}

impl Asked {
    /// Judges by one promise alone, which must not differ from judging by all of them at once.
    ///
    /// # Errors
    ///
    /// Where it does, or the definitions say something else, with the history.
    pub(crate) fn alone(&self, history: &History, promise: Promise) -> Result<(), String> {
        let alone = judge(history, promise).map_err(|fault| about(history, fault))?;
        self.compare(history, &alone)?;
        let mut among = verdicts(&self.judged);
        match among.find(|verdict| verdict.promise() == promise) {
            Some(verdict) if *verdict != alone => {
                Err(about(history, format!("alone {alone:?}, not {verdict:?}")))
            }
            _ => Ok(()),
        }
    }

    fn compare(&self, history: &History, verdict: &Verdict) -> Result<(), String> {
        let expected = self.answers.violations(verdict.promise());
        let expected = expected.map_err(|large| about(history, large))?;
        let violations = verdict.violations.iter();
        let found: BTreeSet<_> = violations.map(|v| (v.key, v.invariant)).collect();
        if found == expected {
            return Ok(());
        }
        let claim = verdict.claim;
        let what = format!("{claim}: the checkers say {found:?}, the definitions {expected:?}");
        Err(about(history, what))
    }
}

/// Judges in short and in full, which must come to the same.
///
/// # Errors
///
/// Where it does not, with the history.
pub(crate) fn agree_in_full(history: &History, promise: Promise) -> Result<(), String> {
    let (short, full) = (judge(history, promise), judge_in_full(history, promise));
    if short == full {
        return Ok(());
    }
    Err(about(history, format!("in full {full:?}, not {short:?}")))
}

fn about(history: &History, what: impl Display) -> String {
    format!("{what}\n{}", lines(history))
}

/// Whether it leaves no order of operations that explains every answer.
fn refutes_order(violation: &Violation) -> bool {
    matches!(
        violation.invariant,
        Invariant::NoThinAir
            | Invariant::NoDuplicateSibling
            | Invariant::Dominance
            | Invariant::Linearizability
    )
}
