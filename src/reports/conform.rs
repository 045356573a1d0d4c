//! What every store has to do, and conformance cases: what came of each.

use serde_json::Value as Json;
use sibcheck_checkers::{Outcome, history::Name};

use crate::{
    campaign::JudgedRun,
    exit::Exit,
    plans::{Demand, Denied},
    protocol::{Compared, Difference},
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
    pub(super) judged: JudgedRun,
    denied: Option<Denied>,
    /// How many writes were refused, of how many.
    pub(super) refused: (usize, usize),
    /// What clients and nodes said to each other: who, to whom, and the body.
    pub(super) said: Vec<(String, String, Json)>,
    /// How many messages nodes sent to each other.
    among_nodes: usize,
}

impl Ran {
    /// A demand's run, with what became of every message.
    pub fn new(demand: &Demand, judged: JudgedRun, trace: &str) -> Self {
        let told = &*judged.told;
        Self {
            denied: demand.denied(told),
            refused: Demand::refused(told),
            said: trace.lines().filter_map(said).collect(),
            among_nodes: trace
                .lines()
                .filter(|line| is_among_nodes(line, told.nodes()))
                .count(),
            judged,
        }
    }

    pub(super) fn is_met(&self) -> bool {
        self.denied.is_none() && self.judged.told.outcome() != Outcome::Violated
    }

    /// Why it is not met.
    pub(super) fn fault(&self) -> String {
        let violations = self.judged.told.violations();
        let (op, what) = match (self.denied, violations.first()) {
            (None, Some(violation)) => return violation.invariant.to_string(),
            (None, None) => return String::new(),
            (Some(Denied::Refused(op)), _) => (op, "was refused"),
            (Some(Denied::Unanswered(op)), _) => (op, "got no answer that tells what happened"),
        };
        let told = self.judged.told.told(&[op]);
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
fn is_among_nodes(line: &str, nodes: &[Name]) -> bool {
    let event: Json = serde_json::from_str(line).unwrap_or_default();
    let is_node = |field: &str| {
        let mut nodes = nodes.iter();
        nodes.any(|node| event[field] == node.as_str())
    };
    event["event"] == "sent" && is_node("from") && is_node("to")
}

impl Came {
    pub(super) fn is_met(&self) -> bool {
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
    pub(super) fn silent_nodes(&self) -> Option<u32> {
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

/// What explains that nothing reached another node.
pub(super) fn silence(nodes: u32) -> String {
    format!(
        "the cause may be that no node sent a message to its peers, though there were {nodes} nodes \
         and init names them all: what one is told cannot reach the others"
    )
}
