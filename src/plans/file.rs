//! Plans as files: versioned JSON.

use std::io;

use serde::Deserialize;

use super::{Act, PLAN_VERSION, Plan};

/// Why a file is not a plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The file could not be read.
    #[error("failed to read it: {0}")]
    Io(#[from] io::Error),
    /// It is not JSON, is cut short, or does not have a plan's fields.
    #[error("line {line}, column {column}: {what}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// It is a plan of another version.
    #[error(
        "it has plan version {found}, and this build reads version {PLAN_VERSION}: use a build of sibcheck that wrote version {found}, or save the plan anew"
    )]
    Version {
        /// The version in the file.
        found: u64,
    },
    /// A value that the format allows but no run can have.
    #[error("{place} is {value}, but {rule}")]
    Range {
        /// Where in the plan.
        place: String,
        /// What stands there.
        value: u64,
        /// What should.
        rule: String,
    },
    /// The dialect of the program has no words for a step.
    #[error("{place} is a delete, and the dialect {dialect} has no words for it: drop the step")]
    Inexpressible {
        /// Where in the plan.
        place: String,
        /// The dialect.
        dialect: String,
    },
}

/// More nodes, keys or operations than this make a run that no machine finishes.
const MOST_NODES: u32 = 100;
const MOST_KEYS: u32 = 10_000;
/// An hour of virtual time: a longer wait than this can only be a slip.
const LONGEST_NS: u64 = 3_600_000_000_000;
/// More frequent anti-entropy than this would be nearly all that a run does.
const SHORTEST_ANTI_ENTROPY_NS: u64 = 100_000;

/// Reads and validates a plan.
///
/// # Errors
///
/// With line and column for malformed text, with the place in the plan for impossible values.
pub fn read_plan(text: &str) -> Result<Plan, PlanError> {
    #[derive(Deserialize)]
    struct Version {
        sibcheck_plan: u64,
    }
    // The version first: a later format may have fields that this one does not know.
    let syntax = |error: serde_json::Error| PlanError::Syntax {
        line: error.line(),
        column: error.column(),
        what: without_place(&error),
    };
    let version: Version = serde_json::from_str(text).map_err(syntax)?;
    if version.sibcheck_plan != u64::from(PLAN_VERSION) {
        return Err(PlanError::Version {
            found: version.sibcheck_plan,
        });
    }
    let plan: Plan = serde_json::from_str(text).map_err(syntax)?;
    validate(&plan)?;
    Ok(plan)
}

/// What a JSON error says, without its own place at the end.
fn without_place(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message,
    }
}

/// The plan as text that [`read_plan`] reads.
///
/// # Errors
///
/// When the writer fails.
pub fn write_plan(plan: &Plan, mut writer: impl io::Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut writer, plan)?;
    writer.write_all(b"\n")
}

fn validate(plan: &Plan) -> Result<(), PlanError> {
    fn check(place: String, value: u64, low: u64, high: u64) -> Result<(), PlanError> {
        if (low..=high).contains(&value) {
            return Ok(());
        }
        Err(PlanError::Range {
            place,
            value,
            rule: format!("must be between {low} and {high}"),
        })
    }
    check("nodes".into(), plan.nodes.into(), 1, MOST_NODES.into())?;
    check("keys".into(), plan.keys.into(), 1, MOST_KEYS.into())?;
    let last_node = u64::from(plan.nodes) - 1;
    check("timeout_ns".into(), plan.timeout_ns.0, 1, LONGEST_NS)?;
    check(
        "anti_entropy_ns".into(),
        plan.anti_entropy_ns.0,
        SHORTEST_ANTI_ENTROPY_NS,
        LONGEST_NS,
    )?;
    check("settle_ns".into(), plan.settle_ns.0, 0, LONGEST_NS)?;
    check(
        "network's longest latency".into(),
        plan.network.longest().0,
        0,
        LONGEST_NS,
    )?;
    for (index, link) in plan.network.links.iter().enumerate() {
        for node in [link.from, link.to] {
            let place = format!("network.links[{index}]");
            check(place, node.into(), 0, last_node)?;
        }
    }
    for (number, steps) in plan.clients.iter().enumerate() {
        for (index, step) in steps.iter().enumerate() {
            let place = |field| format!("clients[{number}][{index}].{field}");
            check(place("node"), step.node.into(), 0, last_node)?;
            check(place("key"), step.key.into(), 0, u64::from(plan.keys) - 1)?;
            if let (Act::Delete { .. }, Some(dialect)) = (step.act, &plan.program)
                && dialect.wording().delete.is_none()
            {
                return Err(PlanError::Inexpressible {
                    place: place("act"),
                    dialect: dialect.to_string(),
                });
            }
            check(place("think_ns"), step.think_ns.0, 0, LONGEST_NS)?;
        }
    }
    for (index, fault) in plan.faults.iter().enumerate() {
        let place = |field| format!("faults[{index}].{field}");
        check(place("begin_ns"), fault.begin_ns.0, 0, LONGEST_NS)?;
        check(
            place("end_ns"),
            fault.end_ns.0,
            fault.begin_ns.0,
            LONGEST_NS,
        )?;
        for node in fault.what.nodes() {
            check(place("what"), node.into(), 0, last_node)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{SeededChoices, Shape, generate};
    use super::*;
    use crate::nodes::StoreName;

    fn text() -> String {
        let shape = Shape::new(StoreName::Dotted);
        let plan = generate(&shape, &mut SeededChoices::new(5), "a test".into());
        let mut bytes = Vec::new();
        write_plan(&plan, &mut bytes).unwrap();
        assert_eq!(
            read_plan(std::str::from_utf8(&bytes).unwrap()).unwrap(),
            plan
        );
        String::from_utf8(bytes).unwrap()
    }

    fn message(text: &str) -> String {
        read_plan(text).unwrap_err().to_string()
    }

    #[test]
    fn faults_in_files_are_told_with_their_place() {
        let good = text();
        let cut: String = good.lines().take(9).collect::<Vec<_>>().join("\n");
        assert!(
            message(&cut).starts_with("line 9, column"),
            "{}",
            message(&cut)
        );
        assert!(message("").starts_with("line 1"), "{}", message(""));
        let newer = good.replacen("\"sibcheck_plan\": 1", "\"sibcheck_plan\": 7", 1);
        assert!(message(&newer).contains("version 7"), "{}", message(&newer));
        let far = good.replacen("\"nodes\": 3", "\"nodes\": 0", 1);
        assert_eq!(message(&far), "nodes is 0, but must be between 1 and 100");
        let store = good.replacen("\"store\": \"dotted\"", "\"store\": \"dooted\"", 1);
        assert!(message(&store).contains("dooted"), "{}", message(&store));
        let fault = "\"what\": {\"crash\": {\"node\": 3}}, \"begin_ns\": 0, \"end_ns\": 1";
        let stray = good.replacen("\"faults\": [", &format!("\"faults\": [{{{fault}}},"), 1);
        assert_eq!(
            message(&stray),
            "faults[0].what is 3, but must be between 0 and 2"
        );
        let program = "\"store\": \"dotted\", \"program\": \"dvv\"";
        let wordless = good.replacen("\"store\": \"dotted\"", program, 1);
        assert!(
            message(&wordless)
                .ends_with("is a delete, and the dialect dvv has no words for it: drop the step"),
            "{}",
            message(&wordless)
        );
        let odd = good.replacen("\"keys\"", "\"kees\"", 1);
        assert!(message(&odd).contains("kees"), "{}", message(&odd));
    }
}
