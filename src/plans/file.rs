//! Plans as files: versioned JSON.

use std::{collections::BTreeMap, io};

use serde::Deserialize;
use sibcheck_checkers::{Claim, outside};

use crate::{
    simulation::FaultKind,
    workloads::{Act, Dialect, Workload, with_workload},
};

use super::{PLAN_VERSION, Plan, Step, WorkloadName, version_1, workload_of};

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
        "it has plan version {found}, and this build reads versions 1 to {PLAN_VERSION}: use a build of sibcheck that wrote version {found}, or save the plan anew"
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
    /// A key or a value that no plan can have.
    #[error("{place} {what}")]
    Table {
        /// Where in the plan.
        place: String,
        /// What is wrong with it, and what should be done.
        what: String,
    },
    /// It says neither what store nor what program it is for.
    #[error("it is for no store and for no program: give \"store\" or \"program\"")]
    Subject,
    /// A claim by which the workload is not judged.
    #[error("claim is {claim}, but a {object} is judged by {known}")]
    Claim {
        /// The claim.
        claim: Claim,
        /// What the workload's histories are of.
        object: &'static str,
        /// The claims that it can be judged by.
        known: String,
    },
    /// The dialect of the program has no words for a step.
    #[error("{place} is {what}, and the dialect {dialect} has no words for it: drop the step")]
    Inexpressible {
        /// Where in the plan.
        place: String,
        /// What the step is.
        what: &'static str,
        /// The dialect.
        dialect: String,
    },
}

/// More nodes, keys or operations than this make a run that no machine finishes.
const MOST_NODES: u32 = 100;
pub(super) const MOST_KEYS: u32 = 10_000;
/// Bytes of a key, and of the JSON text of a value: a longer one is more than one line of a program
/// should have to hold.
const LONGEST_KEY: usize = 10_000;
const LONGEST_VALUE: usize = 1_000_000;
/// An hour of virtual time: a longer wait than this can only be a slip.
const LONGEST_NS: u64 = 3_600_000_000_000;

/// How much too fast or too slow a clock may run, in parts per million.
const MOST_DRIFT_PPM: u64 = 500_000;
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
    #[derive(Deserialize)]
    struct Program {
        #[serde(default)]
        program: Option<Dialect>,
    }
    // The version first: a later format may have fields that this one does not know. Then whose acts
    // they are.
    let syntax = |error: serde_json::Error| PlanError::Syntax {
        line: error.line(),
        column: error.column(),
        what: outside::said(&error),
    };
    let version: Version = serde_json::from_str(text).map_err(syntax)?;
    let plan = match version.sibcheck_plan {
        1 => version_1::upgraded(serde_json::from_str(text).map_err(syntax)?)?,
        found if found == u64::from(PLAN_VERSION) => {
            let Program { program } = serde_json::from_str(text).map_err(syntax)?;
            with_workload!(workload_of(program.as_ref()), W => {
                let plan: Plan<<W as Workload>::Act> = serde_json::from_str(text).map_err(syntax)?;
                of_any(plan)
            })
        }
        found => return Err(PlanError::Version { found }),
    };
    validate(&plan)?;
    Ok(plan)
}

/// The plan with acts that may be of any workload.
fn of_any<A: Into<Act>>(plan: Plan<A>) -> Plan {
    let step = |step: Step<A>| Step {
        think_ns: step.think_ns,
        node: step.node,
        key: step.key,
        act: step.act.into(),
    };
    let steps = |steps: Vec<Step<A>>| steps.into_iter().map(step).collect();
    Plan {
        clients: plan.clients.into_iter().map(steps).collect(),
        sibcheck_plan: plan.sibcheck_plan,
        origin: plan.origin,
        store: plan.store,
        program: plan.program,
        time: plan.time,
        claim: plan.claim,
        replica_monotonic: plan.replica_monotonic,
        nodes: plan.nodes,
        keys: plan.keys,
        values: plan.values,
        numbered_values: plan.numbered_values,
        network: plan.network,
        timeout_ns: plan.timeout_ns,
        anti_entropy_ns: plan.anti_entropy_ns,
        settle_ns: plan.settle_ns,
        faults: plan.faults,
        expect: plan.expect,
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

impl Plan {
    /// Whether [`read_plan`] would take it. O(plan).
    ///
    /// # Errors
    ///
    /// With the place in the plan of a value that no run can have.
    pub fn validated(&self) -> Result<(), PlanError> {
        validate(self)
    }
}

pub(super) fn check(place: String, value: u64, low: u64, high: u64) -> Result<(), PlanError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(PlanError::Range {
        place,
        value,
        rule: format!("must be between {low} and {high}"),
    })
}

/// Checks the table of keys or of values, each as a text.
fn check_table(
    name: &str,
    texts: impl IntoIterator<Item = String>,
    longest: usize,
) -> Result<(), PlanError> {
    let mut first = BTreeMap::new();
    for (index, text) in texts.into_iter().enumerate() {
        let wrong = |what| PlanError::Table {
            place: format!("{name}[{index}]"),
            what,
        };
        if text.len() > longest {
            let length = text.len();
            return Err(wrong(format!(
                "has {length} bytes, but may have {longest} at most: shorten it"
            )));
        }
        if let Some(same) = first.insert(text, index) {
            return Err(wrong(format!(
                "is {name}[{same}] again: drop one of them, and let steps name the other"
            )));
        }
    }
    Ok(())
}

/// Checks that programs are given no value twice for a key: only the value tells the write.
fn check_unique_values(plan: &Plan) -> Result<(), PlanError> {
    let mut writers = BTreeMap::new();
    for (number, steps) in plan.clients.iter().enumerate() {
        for (index, step) in steps.iter().enumerate() {
            let place = || format!("clients[{number}][{index}]");
            if let Some(value) = step.act.values().first().copied()
                && let Some(other) = writers.insert((step.key, value), place())
            {
                return Err(PlanError::Table {
                    place: place(),
                    what: format!(
                        "writes values[{value}] to keys[{key}] as {other} does, and only the value tells                          a program's writes apart: give one of them a value of its own",
                        key = step.key
                    ),
                });
            }
        }
    }
    Ok(())
}

fn check_claim(plan: &Plan) -> Result<(), PlanError> {
    let workload = plan.workload();
    let claims = with_workload!(workload, W => W::claims(plan.nodes));
    if claims.contains(&plan.claim) {
        return Ok(());
    }
    Err(PlanError::Claim {
        claim: plan.claim,
        object: workload.object(),
        known: claims
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    })
}

/// Checks that a run can have all values of a plan.
fn validate(plan: &Plan) -> Result<(), PlanError> {
    check("nodes".into(), plan.nodes.into(), 1, MOST_NODES.into())?;
    let keys = plan.keys.len() as u64;
    check("the number of keys".into(), keys, 1, MOST_KEYS.into())?;
    check_table(
        "keys",
        plan.keys.iter().map(|key| key.as_str().to_owned()),
        LONGEST_KEY,
    )?;
    check_table(
        "values",
        plan.values.iter().map(ToString::to_string),
        LONGEST_VALUE,
    )?;
    if plan.program.is_none() && plan.store.is_none() {
        return Err(PlanError::Subject);
    }
    let only_values_tell = plan.workload() == WorkloadName::Siblings;
    if plan.program.is_some() && only_values_tell && !plan.numbered_values {
        check_unique_values(plan)?;
    }
    check_claim(plan)?;
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
            check(place("key"), step.key.into(), 0, keys - 1)?;
            for value in step.act.values() {
                match plan.values.len() as u64 {
                    0 => {
                        return Err(PlanError::Table {
                            place: place("act"),
                            what: "names a value, but there are none in values: add it there"
                                .to_owned(),
                        });
                    }
                    values => check(place("act.value"), value.into(), 0, values - 1)?,
                }
            }
            if let Some(dialect) = &plan.program
                && let Some(what) = dialect.lacks(step.act)
            {
                return Err(PlanError::Inexpressible {
                    place: place("act"),
                    what,
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
        if let FaultKind::Clock {
            jump_ns, drift_ppm, ..
        } = fault.what
        {
            check(place("what.jump_ns"), jump_ns.unsigned_abs(), 0, LONGEST_NS)?;
            let drift = drift_ppm.unsigned_abs().into();
            check(place("what.drift_ppm"), drift, 0, MOST_DRIFT_PPM)?;
        }
        for node in fault.what.nodes() {
            check(place("what"), node.into(), 0, last_node)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::super::{SeededChoices, Shape, generate};
    use super::*;
    use crate::{stores::StoreName, workloads::siblings};

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
        let newer = good.replacen("\"sibcheck_plan\": 2", "\"sibcheck_plan\": 7", 1);
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
        let stopped = stray.replacen(
            "{\"crash\": {\"node\": 3}}",
            "{\"clock\": {\"node\": 1, \"jump_ns\": -5, \"drift_ppm\": -1000000}}",
            1,
        );
        assert_eq!(
            message(&stopped),
            "faults[0].what.drift_ppm is 1000000, but must be between 0 and 500000"
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

    #[test]
    fn faults_in_tables_are_told_with_their_place_and_what_to_do() {
        let read = |edit: &dyn Fn(&mut Plan)| {
            let mut plan = read_plan(&text()).unwrap();
            edit(&mut plan);
            let mut bytes = Vec::new();
            write_plan(&plan, &mut bytes).unwrap();
            read_plan(std::str::from_utf8(&bytes).unwrap())
        };
        let message = |edit: &dyn Fn(&mut Plan)| read(edit).unwrap_err().to_string();
        assert_eq!(
            message(&|plan| plan.keys.clear()),
            "the number of keys is 0, but must be between 1 and 10000"
        );
        assert_eq!(
            message(&|plan| plan.keys[2] = plan.keys[0].clone()),
            "keys[2] is keys[0] again: drop one of them, and let steps name the other"
        );
        assert_eq!(
            message(&|plan| plan.keys[1] = "x".repeat(10_001).into()),
            "keys[1] has 10001 bytes, but may have 10000 at most: shorten it"
        );
        assert_eq!(
            message(&|plan| plan.values[3] = plan.values[1].clone()),
            "values[3] is values[1] again: drop one of them, and let steps name the other"
        );
        let last = message(&|plan| plan.values.truncate(1));
        assert!(last.starts_with("clients["), "{last}");
        assert!(last.ends_with("but must be between 0 and 0"), "{last}");
        let none = message(&|plan| plan.values.clear());
        assert!(
            none.ends_with("there are none in values: add it there"),
            "{none}"
        );
        let far = message(&|plan| plan.clients[0][0].key = 3);
        assert_eq!(far, "clients[0][0].key is 3, but must be between 0 and 2");
        let write = |plan: &mut Plan| {
            plan.program = Some(Dialect::Kv);
            for client in 0..2 {
                plan.clients[client].truncate(1);
                plan.clients[client][0].key = 0;
                plan.clients[client][0].act = siblings::Act::Resolve { value: 1 }.into();
            }
            plan.clients.truncate(2);
        };
        let twice = message(&write);
        assert!(
            twice.starts_with("clients[1][0] writes values[1] to keys[0] as clients[0][0] does"),
            "{twice}"
        );
        assert!(
            read(&|plan| {
                write(plan);
                plan.clients[1][0].key = 1;
            })
            .is_ok()
        );
        // One and 1.0 are two values, and so are texts that look alike.
        let twins = [
            "1",
            "1.0",
            "\"1\"",
            "\"\u{e9}\"",
            "\"e\u{301}\"",
            "null",
            "\"\"",
        ];
        let twins: Vec<Json> = twins.iter().map(|text| text.parse().unwrap()).collect();
        let same = read(&|plan| plan.values.extend(twins.clone())).unwrap();
        assert!(same.values.ends_with(&twins));
    }
}
