//! Which kinds of fault the command line asks for.

use crate::{plans::Shape, simulation::FaultName, stores::StoreName};

use super::Failure;

/// The kinds of fault that were asked for, or all that make sense.
///
/// # Errors
///
/// For names that are none, and for faults that these nodes, or those of this store where it is known, cannot
/// have.
pub(super) fn faults(
    asked: &[String],
    store: Option<StoreName>,
    nodes: u32,
) -> Result<Vec<FaultName>, Failure> {
    let mut faults = Vec::new();
    for name in asked {
        match name.as_str() {
            "all" | "none" if asked.len() > 1 => {
                return Err(Failure::usage(format!(
                    "--faults {name} cannot be combined with other kinds of fault"
                )));
            }
            "none" => return Ok(faults),
            "all" => {}
            name => {
                let known = FaultName::ALL
                    .into_iter()
                    .find(|fault| fault.name() == name);
                let Some(fault) = known else {
                    let names = FaultName::ALL.map(FaultName::name).join(", ");
                    return Err(Failure::usage(format!(
                        "there is no fault {name:?}; the kinds are {names}, all and none"
                    )));
                };
                if fault.needs_peers() && nodes < 2 {
                    return Err(Failure::usage(format!(
                        "--faults {name} needs at least two nodes, and there is one; add --nodes 3 or drop it"
                    )));
                }
                if fault.is_of_programs() && store.is_some() {
                    return Err(Failure::usage(format!(
                        "--faults {name} is for programs (--bin): a reference store loses what it has not \
                         synced in every crash; name crash instead"
                    )));
                }
                if fault == FaultName::Leave && store.is_some_and(|store| !store.members_change()) {
                    return Err(Failure::usage(
                        "--faults leave needs a store whose nodes can leave and join; drop it",
                    ));
                }
                if !faults.contains(&fault) {
                    faults.push(fault);
                }
            }
        }
    }
    if faults.is_empty() {
        return Ok(Shape::usual_faults(store, nodes));
    }
    // The order on the command line must not change the plans.
    faults.sort_unstable();
    Ok(faults)
}

/// The kinds of fault that are named on the command line, `all` and `none` left out.
pub(super) fn asked_by_name(asked: &[String]) -> Vec<FaultName> {
    let named = |fault: &FaultName| asked.iter().any(|name| name == fault.name());
    FaultName::ALL.into_iter().filter(named).collect()
}

/// Programs cannot be told to leave their cluster.
///
/// # Errors
///
/// When they are to.
pub(super) fn refuse_leaving(asked: &[String]) -> Result<(), Failure> {
    if asked_by_name(asked).contains(&FaultName::Leave) {
        return Err(Failure::usage(
            "--faults leave needs a store of this program, as there is no message that tells a program to leave; drop it",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named_once_in_a_fixed_order() {
        let decided = |line: &str, nodes| {
            let line = line.trim_start_matches("--faults ");
            let asked: Vec<String> = line.split(',').map(str::to_owned).collect();
            let asked = if line.is_empty() { Vec::new() } else { asked };
            faults(&asked, None, nodes)
        };
        let two = [FaultName::Partition, FaultName::Crash];
        for line in ["--faults crash,partition", "--faults partition,crash,crash"] {
            assert_eq!(decided(line, 3).unwrap(), two);
        }
        assert_eq!(decided("--faults none", 3).unwrap(), []);
        let on_request = FaultName::ALL
            .into_iter()
            .filter(|fault| fault.is_on_request());
        let others = FaultName::ALL.len() - on_request.count();
        assert_eq!(decided("", 3).unwrap().len(), others);
        assert!(
            decided("", 1)
                .unwrap()
                .iter()
                .all(|fault| !fault.needs_peers())
        );
        for (line, nodes, word) in [
            ("--faults none,loss", 3, "combined"),
            ("--faults fire", 3, "\"fire\""),
            ("--faults partition", 1, "--nodes"),
        ] {
            let message = decided(line, nodes).unwrap_err().message;
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn only_a_store_whose_members_change_can_be_left() {
        let decided = |store: &str| faults(&["leave".to_owned()], store.parse().ok(), 3);
        assert_eq!(decided("dynamo").unwrap(), [FaultName::Leave]);
        assert!(decided("dotted").unwrap_err().message.contains("leave"));
    }
}
