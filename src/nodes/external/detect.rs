//! Finding out which dialect a program speaks.

use std::{
    collections::BTreeSet,
    fmt::{self, Write},
    fs,
};

use serde_json::{Map, Value as Json, json};

use crate::{
    protocol::{SERVICES, Workload, workload_probes},
    workloads::{Dialect, Wording as _, with_words},
};

use super::{FailureKind, INITIATOR, NodeFailure, Program, conversation::hear, deviations};

/// Why no dialect was found out.
#[derive(Debug)]
pub enum Undetected {
    /// The node failed before it was asked anything, or whatever it was asked.
    Failed(NodeFailure),
    /// It does what it should, which is not judged yet.
    NotJudged(NotJudged),
}

/// A healthy node that cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotJudged {
    /// The workload that it speaks, if it was recognised, or the ones of which it is.
    workloads: Vec<Workload>,
    /// The services that it wrote to.
    services: BTreeSet<&'static str>,
}

/// What is judged, for those that speak something else.
const JUDGED: &str = "judged are stores of siblings, in the dialects vc, vv, dvv, kv, mv, and of registers, in \
     the dialect lin-kv, or in one that a file describes (docs/custom-dialects.md)";

impl fmt::Display for NotJudged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services = told_services(&self.services);
        let workloads: Vec<String> = self.workloads.iter().map(ToString::to_string).collect();
        let workloads = workloads.join(" or ");
        if workloads.is_empty() {
            return write!(
                f,
                "this program writes to Maelstrom's service {}, and there are no services yet: a node \
                 is on its own here with its peers; {JUDGED}",
                services.unwrap_or_default()
            );
        }
        write!(
            f,
            "this program speaks Maelstrom's workload {workloads}, which is not judged yet"
        )?;
        if let Some(services) = services {
            write!(
                f,
                " (nor are there services such as {services}, to which it writes)"
            )?;
        }
        write!(f, "; {JUDGED}")
    }
}

fn told_services(services: &BTreeSet<&'static str>) -> Option<String> {
    let all: Vec<_> = services.iter().copied().collect();
    (!all.is_empty()).then(|| all.join(" and "))
}

/// Finds out which dialect a program speaks, by asking a throw-away process for each: about half of
/// all programs die of a request that they do not know. One that speaks none is asked for the
/// workloads of Maelstrom, to tell a healthy node from one that is broken.
///
/// # Errors
///
/// When it fails before it is asked anything, speaks something that is not judged, or answers the
/// read of no dialect; with what came of each.
pub fn detect(program: &Program) -> Result<Dialect, Undetected> {
    let probe = Program {
        folder: program.folder.join("probe"),
        ..program.clone()
    };
    let found = ask_for_dialect(&probe);
    if !matches!(found, Err(Undetected::Failed(_))) {
        // What is left behind tells about a failure only.
        let _ = fs::remove_dir_all(&probe.folder);
    }
    if found.is_err() {
        // Only when nothing is in it.
        let _ = fs::remove_dir(&program.folder);
    }
    found
}

/// What a throw-away node answered to one request after its `init`.
struct Answered {
    /// The bodies for the client.
    bodies: Vec<Json>,
    initialised: bool,
    services: BTreeSet<&'static str>,
    failure: Option<NodeFailure>,
}

/// Starts a node and sends it these bodies.
fn ask(program: &Program, bodies: impl IntoIterator<Item = Map<String, Json>>) -> Answered {
    let name = program.names.of(0);
    let line =
        |client: &str, body: &Json| json!({"src": client, "dest": name, "body": body}).to_string();
    let init = json!({"type": "init", "msg_id": 1, "node_id": name, "node_ids": [name]});
    let mut input = vec![line(INITIATOR, &init)];
    for (id, mut body) in (2..).zip(bodies) {
        body.insert("msg_id".into(), id.into());
        input.push(line("c1", &Json::Object(body)));
    }
    let heard = hear(program, &input, input.len(), program.patience);
    let mut answered = Answered {
        bodies: Vec::new(),
        initialised: false,
        services: BTreeSet::new(),
        failure: heard.failure,
    };
    for mut message in heard.messages {
        let to = message["dest"].as_str().unwrap_or_default();
        let service = SERVICES.into_iter().find(|service| *service == to);
        answered.services.extend(service);
        answered.initialised |= to == INITIATOR || message["body"]["type"] == "init_ok";
        if to == "c1" {
            answered.bodies.push(message["body"].take());
        }
    }
    answered
}

fn ask_for_dialect(program: &Program) -> Result<Dialect, Undetected> {
    let mut tried: Vec<(String, Vec<String>)> = Vec::new();
    let mut services = BTreeSet::new();
    for dialect in Dialect::BUILT_IN {
        let (probe, kind) = with_words!(dialect.words(), W, words => {
            let probe = words.probe();
            let kind = probe.first().and_then(|body| body.get("type")?.as_str());
            let kind = kind.unwrap_or_default().to_owned();
            (probe, kind)
        });
        let answered = ask(program, probe);
        let understood =
            |body: &Json| with_words!(dialect.words(), W, words => words.is_spoken(body));
        if answered.bodies.iter().any(understood) {
            return Ok(dialect);
        }
        let came = match (answered.bodies.first(), answered.failure) {
            // It fails whatever it is asked: that is the cause, and is told once.
            (None, Some(failure)) if !answered.initialised => {
                return Err(Undetected::Failed(failure));
            }
            (_, Some(failure)) if failure.kind() == FailureKind::Interrupted => {
                return Err(Undetected::Failed(failure));
            }
            (Some(answer), _) => deviations::cut(&answer.to_string()).replace(&kind, "…"),
            (None, Some(failure)) => failure.to_string().replace(&kind, "…"),
            (None, None) => format!("no answer in {:?}", program.patience),
        };
        services.extend(answered.services);
        match tried.iter_mut().find(|(before, _)| *before == came) {
            Some((_, kinds)) => kinds.push(kind),
            None => tried.push((came, vec![kind])),
        }
    }
    let not_judged = ask_for_workload(program, services).map_err(Undetected::Failed)?;
    if let Some(not_judged) = not_judged {
        return Err(Undetected::NotJudged(not_judged));
    }
    let mut told = String::new();
    for (came, kinds) in tried {
        let came = came.trim_end().replace('\n', "\n    ");
        // Writing to a string cannot fail.
        let _ = write!(told, "\n  {}: {came}", kinds.join(", "));
    }
    Err(Undetected::Failed(NodeFailure::new(
        FailureKind::Output,
        program.names.of(0).as_str(),
        "it answers the read of no dialect that is known here",
        &format!(
            "give --dialect NAME if it speaks one of them all the same, or describe its own in a \
             file (docs/custom-dialects.md) and give --dialect FILE. What came of each:{told}"
        ),
    )))
}

/// Asks for Maelstrom's workloads. A node may write to a service before it answers, or instead of it:
/// then what it was asked tells the workload, unless it writes there whatever it is asked.
fn ask_for_workload(
    program: &Program,
    mut services: BTreeSet<&'static str>,
) -> Result<Option<NotJudged>, NodeFailure> {
    let always = !services.is_empty();
    let mut workloads: &[Workload] = &[];
    for probe in workload_probes() {
        let bodies = probe.requests.iter().filter_map(Json::as_object).cloned();
        let answered = ask(program, bodies);
        match answered.failure {
            Some(failure) if failure.kind() == FailureKind::Interrupted => return Err(failure),
            _ => {}
        }
        let asks_a_service = !answered.services.is_empty() && !always;
        services.extend(answered.services);
        let bodies: Vec<&Json> = answered.bodies.iter().collect();
        let all_answered = bodies.len() >= probe.requests.len();
        if let Some(workload) = probe.recognise(&bodies) {
            let workloads = if asks_a_service && !all_answered {
                probe.candidates().to_vec()
            } else {
                vec![workload]
            };
            return Ok(Some(NotJudged {
                workloads,
                services,
            }));
        }
        if asks_a_service && workloads.is_empty() {
            workloads = probe.candidates();
        }
    }
    let workloads = workloads.to_vec();
    Ok((!services.is_empty()).then_some(NotJudged {
        workloads,
        services,
    }))
}
