//! Saved cases and what became of them.

use std::fmt::{self, Write};

use sibcheck_checkers::{
    Outcome,
    outside::{self, Outside},
};

use crate::cases::{Judged, Saved};

use super::{
    proof::{Others, write_violations},
    text::{color, count},
    verify::write_unknown,
};

/// A table of judged cases, and how many got the verdict that they should. The evidence is shown
/// for those that did not, and for a single case.
pub(super) fn write_replay(
    out: &mut String,
    cases: &[(Saved, Judged)],
    width: usize,
) -> fmt::Result {
    let path = |case: &Saved| outside::path(&case.path).to_string();
    let widest = cases
        .iter()
        .map(|(case, _)| path(case).chars().count())
        .max();
    let widest = widest.unwrap_or(0);
    for (case, judged) in cases {
        let (outcome, mark) = match (&judged.expected, judged.as_expected) {
            (_, true) => (Outcome::Valid, "ok"),
            (Some(_), false) => (Outcome::Violated, "FAIL"),
            (None, false) => (judged.outcome, "BAD"),
        };
        let style = color(outcome);
        let (kind, path, found) = (case.kind, path(case), Outside(&judged.found));
        write!(
            out,
            "{style}{mark:4}{style:#}  {kind:<15}  {path:<widest$}  {found}"
        )?;
        match &judged.expected {
            Some(expected) if !judged.as_expected => {
                writeln!(out, "; expected: {}", Outside(expected))?;
            }
            _ => writeln!(out)?,
        }
        if let Some(evidence) = &judged.evidence
            && (!judged.as_expected || cases.len() == 1)
        {
            write_violations(out, &**evidence, Others::Sentences, width)?;
            write_unknown(out, &**evidence, width)?;
        }
    }
    let good = cases
        .iter()
        .filter(|(_, judged)| judged.as_expected)
        .count();
    let cases = count(cases.len() as u64, "case");
    writeln!(out, "{cases} judged, {good} as expected")
}
