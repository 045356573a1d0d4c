//! What every store has to do, and conformance cases, told to people and to programs: with what was
//! said, or a diff, for each that fails.

use std::fmt::{self, Write};

use anstyle::{AnsiColor, Style};
use serde_json::{Value as Json, json};
use sibcheck_checkers::{
    History, Outcome,
    outside::{Outside, OutsideLines},
    told_operations,
};

use crate::{
    campaign::Judged,
    cli::Exit,
    plans::{Demand, Denied},
    protocol::{Compared, Difference},
};

use super::{
    SCHEMA_VERSION,
    proof::{Others, write_violations},
    text::{color, count, indented, wrapped as filled},
};

/// What `sibcheck conform` found.
#[derive(Debug, Default)]
pub struct Report {
    /// The dialect that was spoken, unless cases were given.
    pub dialect: Option<String>,
    /// How many nodes there were; 0 where cases were given.
    pub nodes: u32,
    /// What was asked, in its order.
    pub cases: Vec<Conformed>,
    /// What is different from the published samples and not demanded: a sentence each.
    pub notes: Vec<String>,
    /// A node did nothing wrong but to need a service that there is not.
    pub service_missing: bool,
}

/// A demand or a case, and what came of it.
#[derive(Debug)]
pub struct Conformed {
    /// What is demanded, a sample's name, or a file's path.
    pub name: String,
    /// What came of it.
    pub came: Came,
}

/// What came of a demand or a case.
#[derive(Debug)]
pub enum Came {
    /// A demand's operations were run and judged.
    Run(Box<Ran>),
    /// The lines of a case were compared with those expected.
    Lines(Difference),
    /// The node failed, and how.
    Failed(String),
}

/// A demand's run.
#[derive(Debug)]
pub struct Ran {
    judged: Judged,
    denied: Option<Denied>,
    /// How many writes were refused, of how many.
    refused: (usize, usize),
    /// What clients and nodes said to each other: who, to whom, and the body.
    said: Vec<(String, String, Json)>,
    /// How many messages nodes sent to each other.
    among_nodes: usize,
}

impl Ran {
    /// A demand's run, with what became of every message.
    pub fn new(demand: &Demand, judged: Judged, trace: &str) -> Self {
        let history = &judged.run.history;
        let writes = history
            .operations
            .iter()
            .filter(|operation| operation.is_write());
        Self {
            denied: demand.denied(history),
            refused: (Demand::refused(history), writes.count()),
            said: trace.lines().filter_map(said).collect(),
            among_nodes: trace
                .lines()
                .filter(|line| is_among_nodes(line, history))
                .count(),
            judged,
        }
    }

    fn is_met(&self) -> bool {
        self.denied.is_none() && self.judged.verdict.outcome != Outcome::Violated
    }

    /// Why it is not met.
    fn fault(&self) -> String {
        let history = &self.judged.run.history;
        let (op, what) = match (self.denied, self.judged.verdict.violations.first()) {
            (None, Some(violation)) => return violation.invariant.to_string(),
            (None, None) => return String::new(),
            (Some(Denied::Refused(op)), _) => (op, "was refused"),
            (Some(Denied::Unanswered(op)), _) => (op, "got no answer that tells what happened"),
        };
        let told = told_operations(history, &[op]);
        let told = told.first().map_or("", |step| step.text.as_str());
        format!("an operation {what}: {told}")
    }
}

/// A message of a client or for one, from a line of the trace.
fn said(line: &str) -> Option<(String, String, Json)> {
    let mut event: Json = serde_json::from_str(line).ok()?;
    let text = |field: &str| Some(event.get(field)?.as_str()?.to_owned());
    let (from, to) = (text("from")?, text("to")?);
    let mut message = event.get_mut("message")?.take();
    let of_client = message.get("dest").is_none() || from.starts_with('c');
    let body = message.get_mut("body")?.take();
    (event["event"] == "delivered" && of_client).then_some((from, to, body))
}

/// True of the line of the trace that tells of a message which one node sent to another.
fn is_among_nodes(line: &str, history: &History) -> bool {
    let event: Json = serde_json::from_str(line).unwrap_or_default();
    let is_node = |field: &str| {
        let mut nodes = history.nodes.iter();
        nodes.any(|node| event[field] == node.as_str())
    };
    event["event"] == "sent" && is_node("from") && is_node("to")
}

impl Came {
    fn is_met(&self) -> bool {
        match self {
            Self::Run(ran) => ran.is_met(),
            Self::Lines(difference) => difference.is_none(),
            Self::Failed(_) => false,
        }
    }
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_met(&self) -> bool {
        self.cases.iter().all(|case| case.came.is_met())
    }

    /// Why stores that do not replicate meet no demand on several nodes: how many nodes there were, of
    /// which none ever sent a message to another.
    fn silent_nodes(&self) -> Option<u32> {
        let runs = self.cases.iter().filter_map(|case| match &case.came {
            Came::Run(ran) => Some(ran),
            Came::Lines(_) | Came::Failed(_) => None,
        });
        let among_nodes: usize = runs.map(|ran| ran.among_nodes).sum();
        (self.nodes > 1 && among_nodes == 0 && !self.is_met()).then_some(self.nodes)
    }

    /// How the process should exit.
    pub fn exit(&self) -> Exit {
        let exits = self.cases.iter().map(|case| match &case.came {
            came if came.is_met() => Exit::Holds,
            Came::Failed(_) if self.service_missing => Exit::Usage,
            Came::Failed(_) => Exit::Node,
            Came::Run(_) | Came::Lines(_) => Exit::Violation,
        });
        exits.fold(Exit::Holds, Exit::and)
    }

    /// Notes what is different from a published sample.
    pub fn note(&mut self, sample: &str, came: &Came) {
        let difference = match came {
            Came::Lines(difference) if !difference.is_none() => difference,
            Came::Failed(how) => {
                let how = how.lines().next().unwrap_or_default();
                return self.notes.push(format!("{sample}: {how}"));
            }
            Came::Lines(_) | Came::Run(_) => return,
        };
        let mut pointers: Vec<String> = Vec::new();
        for (_, lines) in &difference.destinations {
            for line in lines {
                match line {
                    Compared::Other { fields, .. } => {
                        pointers.extend(fields.iter().map(|field| field.pointer.clone()));
                    }
                    Compared::Missing(_) => pointers.push("a line that did not come".to_owned()),
                    Compared::Unexpected(_) => pointers.push("a line more".to_owned()),
                    Compared::Same(_) => {}
                }
            }
        }
        pointers.sort();
        pointers.dedup();
        self.notes
            .push(format!("{sample}: {}", pointers.join(", ")));
    }
}

/// For people, at most `width` columns wide.
pub fn human(report: &Report, width: usize) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_report(&mut text, report, width.max(20));
    text
}

fn write_report(out: &mut String, report: &Report, width: usize) -> fmt::Result {
    if let Some(dialect) = &report.dialect {
        writeln!(out, "dialect {}", Outside(dialect))?;
    }
    let mut first = true;
    for Conformed { name, came } in &report.cases {
        let (outcome, mark) = if came.is_met() {
            (Outcome::Valid, "ok")
        } else {
            (Outcome::Violated, "FAIL")
        };
        let what = match came {
            Came::Run(ran) if ran.is_met() => match ran.refused {
                (0, _) => String::new(),
                (refused, writes) => format!(" ({refused} of {writes} writes refused)"),
            },
            Came::Run(ran) => format!(": {}", ran.fault()),
            Came::Lines(difference) if difference.is_none() => {
                format!(": {}", count(difference.same() as u64, "line"))
            }
            Came::Lines(difference) => {
                let wrong = count(difference.wrong() as u64, "line");
                let same = difference.same();
                format!(": {wrong} not as expected, {same} as expected")
            }
            Came::Failed(how) => {
                let how = OutsideLines(how).to_string();
                format!(": the node failed\n{}", indented(&how, "  "))
            }
        };
        let style = color(outcome);
        let name = Outside(name);
        writeln!(out, "{style}{mark:4}{style:#}  {name}{what}")?;
        match came {
            // Those after it mostly have the same cause.
            Came::Run(ran) if !ran.is_met() && std::mem::take(&mut first) => {
                if let Some(nodes) = report.silent_nodes() {
                    writeln!(out, "{}", filled(&silence(nodes), "  ", "    ", width))?;
                }
                write_ran(out, ran, width)?;
            }
            Came::Lines(difference) if !difference.is_none() => {
                write_difference(out, difference, width)?;
            }
            _ => {}
        }
    }
    if !report.notes.is_empty() {
        let what = "not demanded, but different from the published samples (--strict demands it):";
        writeln!(out, "{}", filled(what, "note  ", "      ", width))?;
        for note in &report.notes {
            let note = Outside(note).to_string();
            writeln!(out, "{}", filled(&note, "      ", "        ", width))?;
        }
    }
    let met = report
        .cases
        .iter()
        .filter(|case| case.came.is_met())
        .count();
    let run = count(report.cases.len() as u64, "case");
    writeln!(out, "{run} run, {met} passed")
}

/// What explains that nothing reached another node.
fn silence(nodes: u32) -> String {
    format!(
        "the cause may be that no node sent a message to its peers, though there were {nodes} nodes \
         and init names them all: what one is told cannot reach the others"
    )
}

/// What is wrong with the run of a demand, and what was said.
fn write_ran(out: &mut String, ran: &Ran, width: usize) -> fmt::Result {
    let history = &ran.judged.run.history;
    write_violations(out, history, &ran.judged.verdict, Others::Names, width)?;
    writeln!(out, "  what was said")?;
    for (from, to, body) in &ran.said {
        let line = Outside(format!("{from} → {to}  {body}")).to_string();
        for (first, part) in wrapped(&line, width.saturating_sub(8)) {
            let indent = if first { "    " } else { "        " };
            writeln!(out, "{indent}{part}")?;
        }
    }
    Ok(())
}

const EXPECTED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
const GOT: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));

fn write_difference(out: &mut String, difference: &Difference, width: usize) -> fmt::Result {
    writeln!(out, "  - expected, + got")?;
    for (destination, lines) in &difference.destinations {
        if lines.iter().all(|line| matches!(line, Compared::Same(_))) {
            continue;
        }
        writeln!(out, "  to {}", Outside(destination))?;
        let mut show = |style: Style, mark: char, line: &Json| {
            let line = Outside(line).to_string();
            for (first, part) in wrapped(&line, width.saturating_sub(6)) {
                let mark = if first { mark } else { ' ' };
                writeln!(out, "    {style}{mark} {part}{style:#}")?;
            }
            Ok(())
        };
        for line in lines {
            match line {
                Compared::Same(line) => show(Style::new(), ' ', line)?,
                Compared::Missing(line) => show(EXPECTED, '-', line)?,
                Compared::Unexpected(line) => show(GOT, '+', line)?,
                Compared::Other { expected, got, .. } => {
                    show(EXPECTED, '-', expected)?;
                    show(GOT, '+', got)?;
                }
            }
        }
        for line in lines {
            let Compared::Other { fields, .. } = line else {
                continue;
            };
            for field in fields {
                let told = |json: &Option<Json>| {
                    json.as_ref()
                        .map_or_else(|| "nothing".to_owned(), |json| Outside(json).to_string())
                };
                let (expected, got) = (told(&field.expected), told(&field.got));
                let text = format!(
                    "at {}: expected {expected}, got {got}",
                    Outside(&field.pointer)
                );
                for (first, part) in wrapped(&text, width.saturating_sub(8)) {
                    let indent = if first { "      " } else { "        " };
                    writeln!(out, "{indent}{part}")?;
                }
            }
        }
    }
    Ok(())
}

/// Cuts a long line into parts; true for the first of them. JSON has few spaces, so words are
/// broken.
fn wrapped(text: &str, width: usize) -> Vec<(bool, String)> {
    textwrap::wrap(text, textwrap::Options::new(width.max(10)))
        .into_iter()
        .enumerate()
        .map(|(number, part)| (number == 0, part.into_owned()))
        .collect()
}

/// For programs.
pub fn json(report: &Report) -> String {
    let told = |case: &Conformed| {
        let outcome = match &case.came {
            Came::Failed(_) => "node failed",
            came if came.is_met() => "passed",
            _ => "failed",
        };
        let mut told = json!({"name": case.name, "outcome": outcome});
        match &case.came {
            Came::Run(ran) => {
                let said = ran.said.iter();
                let said =
                    said.map(|(from, to, body)| json!({"from": from, "to": to, "body": body}));
                told["refused"] = ran.refused.0.into();
                told["fault"] = (!ran.is_met()).then(|| ran.fault()).into();
                told["verdict"] = ran.judged.verdict.to_json(&ran.judged.run.history);
                told["said"] = said.collect();
            }
            Came::Lines(difference) => {
                told["same"] = difference.same().into();
                told["wrong"] = difference.wrong().into();
                told["destinations"] = destinations(difference).into();
            }
            Came::Failed(how) => told["failure"] = how.as_str().into(),
        }
        told
    };
    let report = json!({
        "schema_version": SCHEMA_VERSION,
        "exit_code": report.exit().code(),
        "dialect": report.dialect,
        "notes": report.notes,
        "cause": report.silent_nodes().map(silence),
        "cases": report.cases.iter().map(told).collect::<Vec<_>>(),
    });
    super::json::line(&report)
}

fn destinations(difference: &Difference) -> Vec<Json> {
    let line = |line: &Compared| match line {
        Compared::Same(line) => json!({"same": line}),
        Compared::Missing(line) => json!({"missing": line}),
        Compared::Unexpected(line) => json!({"unexpected": line}),
        Compared::Other {
            expected,
            got,
            fields,
        } => {
            let fields: Vec<Json> = fields
                .iter()
                .map(|field| {
                    json!({
                        "pointer": field.pointer,
                        "expected": field.expected,
                        "got": field.got,
                    })
                })
                .collect();
            json!({"expected": expected, "got": got, "fields": fields})
        }
    };
    difference
        .destinations
        .iter()
        .map(|(to, lines)| json!({"to": to, "lines": lines.iter().map(line).collect::<Vec<_>>()}))
        .collect()
}
