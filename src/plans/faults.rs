//! How faults are drawn for a plan.

use std::ops::Range;

use crate::{
    choices::Choices,
    simulation::{Fault, FaultKind, FaultName, Nanos, PartitionShape, Purpose},
    stores::{StoreName, faulty::Basis},
};

use super::{Shape, Time, generate::narrow};

/// Draws the faults of a plan whose operations take about so long.
pub(super) fn faults(
    shape: &Shape,
    nodes: u32,
    length: Nanos,
    choices: &mut impl Choices,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for &name in &shape.faults {
        if name.needs_peers() && nodes < 2 {
            continue;
        }
        // The swarm: about half of the kinds in each plan, some of them several times. What happens
        // now and then only, by timers, needs more of them, and longer ones.
        let (latest, shortest) = match shape.period {
            None => (length.0, length.0 / 20),
            Some(_) => (length.0 / 2, length.0 / 5),
        };
        let rare = shape.time == Time::Virtual || name == FaultName::Leave;
        let counts = if rare {
            [0, 1, 1, 1, 2]
        } else {
            [0, 0, 1, 1, 2]
        };
        for _ in 0..counts[usize::try_from(choices.below(Purpose::Faults, 5)).unwrap_or(0)] {
            let begin = choices.below(Purpose::Faults, latest);
            let span = choices.between(Purpose::Faults, shortest, length.0 / 2);
            let span = Nanos(begin)..Nanos(begin.saturating_add(span));
            if name == FaultName::Crash && several_may_crash(shape) && nodes > 1 {
                crashes(&mut faults, span, (nodes, length), shape, choices);
                continue;
            }
            if name == FaultName::PowerLoss {
                power_losses(&mut faults, span, (nodes, length), choices);
                continue;
            }
            faults.push(Fault {
                what: fault(name, (nodes, length), shape, choices),
                begin_ns: span.start,
                end_ns: span.end,
            });
        }
    }
    faults
}

/// Whether several nodes may crash at once or in turn. Nodes that are all replicas of each other, and keep
/// nothing beside that, have nothing that this could bring out.
fn several_may_crash(shape: &Shape) -> bool {
    let inside = shape.store.map(StoreName::basis);
    shape.program.is_some() || inside == Some(Basis::Dynamo)
}

/// Draws a crash of one node, or crashes of several: what nodes agree on is only lost in those.
fn crashes(
    faults: &mut Vec<Fault>,
    span: Range<Nanos>,
    (nodes, length): (u32, Nanos),
    shape: &Shape,
    choices: &mut impl Choices,
) {
    let mut push = |what, span: Range<Nanos>| {
        faults.push(Fault {
            what,
            begin_ns: span.start,
            end_ns: span.end,
        });
    };
    match choices.below(Purpose::Faults, 4) {
        0 | 1 => push(
            fault(FaultName::Crash, (nodes, length), shape, choices),
            span,
        ),
        // The power fails: all nodes go down at one moment, and start again one after the other.
        2 => {
            for node in 0..nodes {
                let late = choices.below(Purpose::Faults, (length.0 / 20).max(1));
                push(
                    FaultKind::Crash { node },
                    span.start..span.end + Nanos(late),
                );
            }
        }
        // Nodes fail one after the other, each for less time than the others take to notice; in half of the
        // plans while one of them is down.
        _ => {
            let node =
                |choices: &mut _| narrow(Choices::below(choices, Purpose::Faults, nodes.into()));
            if choices.percent(Purpose::Faults, 50) {
                push(
                    FaultKind::Crash {
                        node: node(choices),
                    },
                    span.clone(),
                );
            }
            let longest = shape.period.unwrap_or(Nanos(length.0 / 4)).0 / 20;
            let count = crashes_in_turn(nodes, shape, choices);
            let gap = 2 * (span.end.0 - span.start.0) / count;
            let mut at = span.start;
            for _ in 0..count {
                at = at + Nanos(choices.below(Purpose::Faults, gap.max(1)));
                let down = choices.between(Purpose::Faults, 1, longest.max(1));
                push(
                    FaultKind::Crash {
                        node: node(choices),
                    },
                    at..at + Nanos(down),
                );
            }
        }
    }
}

/// Draws a loss of power of one node, half of the time when it is about to change a file, or of all nodes at
/// one moment: what a majority has not synced is only lost in those.
fn power_losses(
    faults: &mut Vec<Fault>,
    span: Range<Nanos>,
    (nodes, length): (u32, Nanos),
    choices: &mut impl Choices,
) {
    let keeps_names = choices.percent(Purpose::Faults, 50);
    let mut push = |node, deeds, late| {
        faults.push(Fault {
            what: FaultKind::PowerLoss {
                node,
                deeds,
                keeps_names,
            },
            begin_ns: span.start,
            end_ns: span.end + Nanos(late),
        });
    };
    if nodes > 1 && choices.percent(Purpose::Faults, 50) {
        for node in 0..nodes {
            let late = choices.below(Purpose::Faults, (length.0 / 20).max(1));
            push(node, None, late);
        }
        return;
    }
    let node = narrow(choices.below(Purpose::Faults, nodes.into()));
    let at_a_deed = choices.percent(Purpose::Faults, 50);
    let deeds = at_a_deed.then(|| narrow(choices.between(Purpose::Faults, 1, MOST_DEEDS)));
    push(node, deeds, 0);
}

/// Draws how many crashes come one after the other. Each costs a program the start of a process, which
/// takes longer than all else in its run.
fn crashes_in_turn(nodes: u32, shape: &Shape, choices: &mut impl Choices) -> u64 {
    let nodes = u64::from(nodes);
    let most = if shape.program.is_some() {
        (2 * nodes).min(MOST_STARTS_IN_TURN).max(nodes)
    } else {
        4 * nodes
    };
    choices.between(Purpose::Faults, nodes, most)
}

/// How many processes crashes in turn start at most, unless there are more nodes.
const MOST_STARTS_IN_TURN: u64 = 6;

/// How many changes of files a crash may wait for.
const MOST_DEEDS: u64 = 5;

/// How much too fast or too slow clocks run at most, in parts per million. Several at once may add up.
const MOST_DRIFT_PPM: u64 = 200_000;

/// Draws a fault of this kind.
fn fault(
    name: FaultName,
    (nodes, length): (u32, Nanos),
    shape: &Shape,
    choices: &mut impl Choices,
) -> FaultKind {
    let mut probability_ppm =
        |low, high| narrow(choices.between(Purpose::Faults, low, high) * 10_000);
    match name {
        FaultName::Reorder => FaultKind::Reorder,
        FaultName::Loss => FaultKind::Loss {
            // Of few messages few are lost.
            probability_ppm: probability_ppm(shape.period.map_or(1, |_| 20), 50),
        },
        FaultName::ClientLoss => FaultKind::ClientLoss {
            probability_ppm: probability_ppm(1, 10),
        },
        FaultName::Duplicate => FaultKind::Duplication {
            probability_ppm: probability_ppm(5, 60),
        },
        FaultName::Partition => {
            let shape = *choices
                .pick(Purpose::Faults, &PartitionShape::ALL)
                .unwrap_or(&PartitionShape::Halves);
            let mut order: Vec<u32> = (0..nodes).collect();
            for last in (1..order.len()).rev() {
                let other = choices.below(Purpose::Faults, last as u64 + 1);
                order.swap(last, usize::try_from(other).unwrap_or(last));
            }
            FaultKind::Partition {
                shape,
                cut: shape.cut(&order),
            }
        }
        // Nodes whose clocks are ours can be made to die between an answer and what should have come
        // before it.
        FaultName::Crash if shape.time == Time::Virtual && choices.percent(Purpose::Faults, 75) => {
            FaultKind::CrashAtDeed {
                node: narrow(choices.below(Purpose::Faults, u64::from(nodes))),
                deeds: narrow(choices.between(Purpose::Faults, 1, MOST_DEEDS)),
            }
        }
        FaultName::Crash => FaultKind::Crash {
            node: narrow(choices.below(Purpose::Faults, u64::from(nodes))),
        },
        FaultName::PowerLoss => FaultKind::PowerLoss {
            node: narrow(choices.below(Purpose::Faults, u64::from(nodes))),
            deeds: None,
            keeps_names: false,
        },
        FaultName::Stop => FaultKind::Stop {
            node: narrow(choices.below(Purpose::Faults, u64::from(nodes))),
        },
        FaultName::Pause => FaultKind::Pause {
            node: narrow(choices.below(Purpose::Faults, u64::from(nodes))),
        },
        FaultName::Leave => FaultKind::Leave {
            node: narrow(choices.below(Purpose::Faults, u64::from(nodes))),
        },
        FaultName::Clock => {
            let node = narrow(choices.below(Purpose::Faults, u64::from(nodes)));
            let (shortest, longest) = (length.0 / 20, length.0 / 2);
            let jump = choices.between(Purpose::Faults, shortest, longest);
            let jump = i64::try_from(jump).unwrap_or(i64::MAX);
            let back = choices.percent(Purpose::Faults, 50);
            let drift = if choices.percent(Purpose::Faults, 50) {
                choices.between(Purpose::Faults, 0, 2 * MOST_DRIFT_PPM)
            } else {
                MOST_DRIFT_PPM
            };
            FaultKind::Clock {
                node,
                jump_ns: if back { -jump } else { jump },
                drift_ppm: narrow(drift).cast_signed() - narrow(MOST_DRIFT_PPM).cast_signed(),
            }
        }
    }
}
