//! Edits of what goes wrong.

use crate::simulation::{Fault, FaultKind, Nanos};

use super::operations::chunks;
use super::script::Script;

/// One way to let less go wrong, or something gentler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultEdit {
    /// Leave some out.
    Drop { from: usize, count: usize },
    /// Cut fewer links.
    DropLinks {
        fault: usize,
        from: usize,
        count: usize,
    },
    /// A node keeps what it had not synced, or only stands still.
    Gentler(usize),
    /// A node loses power at the begin, whatever it is about to do.
    AtOnce(usize),
    /// A clock is less wrong.
    Clock {
        fault: usize,
        jump_ns: i64,
        drift_ppm: i32,
    },
    /// What happened with some probability happens surely, while one operation is under way.
    Surely { fault: usize, line: usize },
    /// It lasts for another span.
    Span {
        fault: usize,
        begin: Nanos,
        end: Nanos,
    },
}

/// Fewer faults: halves first, then quarters, down to single ones.
pub(super) fn cuts(script: &Script) -> Vec<FaultEdit> {
    chunks(script.plan.faults.len())
        .map(|(from, count)| FaultEdit::Drop { from, count })
        .collect()
}

/// The share of a fault's span below which it is not shortened any more in one edit.
const FINEST: usize = 16;

/// The faults that are left, made gentler, more certain and shorter.
pub(super) fn gentler(script: &Script) -> Vec<FaultEdit> {
    let moments = script.moments();
    let mut edits = Vec::new();
    for (fault, held) in script.plan.faults.iter().enumerate() {
        match &held.what {
            FaultKind::Crash { .. } | FaultKind::CrashAtDeed { .. } | FaultKind::Stop { .. } => {
                edits.push(FaultEdit::Gentler(fault));
            }
            FaultKind::PowerLoss { deeds, .. } => {
                edits.extend(deeds.map(|_| FaultEdit::AtOnce(fault)));
                edits.push(FaultEdit::Gentler(fault));
            }
            FaultKind::Clock {
                jump_ns, drift_ppm, ..
            } => edits.extend(
                less_wrong(*jump_ns, *drift_ppm).map(|(jump_ns, drift_ppm)| FaultEdit::Clock {
                    fault,
                    jump_ns,
                    drift_ppm,
                }),
            ),
            FaultKind::Partition { cut, .. } => {
                let parts = chunks(cut.len()).skip(1);
                edits.extend(parts.map(|(from, count)| FaultEdit::DropLinks {
                    fault,
                    from,
                    count,
                }));
            }
            what if probability(&mut what.clone()).is_some_and(|ppm| *ppm < CERTAIN) => {
                let lines = 0..script.lines.len();
                edits.extend(lines.map(|line| FaultEdit::Surely { fault, line }));
            }
            _ => {}
        }
        edits.extend(spans(&moments, held).map(|(begin, end)| FaultEdit::Span {
            fault,
            begin,
            end,
        }));
    }
    edits
}

/// Jumps and drifts of a clock that is less wrong: without drift, without a jump, or with half of it.
fn less_wrong(jump_ns: i64, drift_ppm: i32) -> impl Iterator<Item = (i64, i32)> {
    let far = jump_ns.unsigned_abs() > SHORTEST_JUMP_NS;
    [
        (drift_ppm != 0 && jump_ns != 0).then_some((jump_ns, 0)),
        (drift_ppm != 0 && jump_ns != 0).then_some((0, drift_ppm)),
        far.then_some((jump_ns / 2, drift_ppm)),
    ]
    .into_iter()
    .flatten()
}

/// Spans within that of a fault, from one moment to another: the whole of it first, then ever
/// smaller parts, then all but the first or last.
fn spans(moments: &[Nanos], fault: &Fault) -> impl Iterator<Item = (Nanos, Nanos)> {
    let first = moments.partition_point(|moment| *moment < fault.begin_ns);
    let last = moments
        .partition_point(|moment| *moment <= fault.end_ns)
        .saturating_sub(1);
    let moments = moments.to_vec();
    let length = last.saturating_sub(first);
    let parts = chunks(length).filter(move |(_, count)| count * FINEST >= length);
    let sides = (length > 2).then(|| [(1, length - 1), (0, length - 1)]);
    parts
        .chain(sides.into_iter().flatten())
        .map(move |(from, count)| (moments[first + from], moments[first + from + count]))
}

/// Clocks that jump no farther than this are not made to jump less far, in nanoseconds.
const SHORTEST_JUMP_NS: u64 = 1_000_000;

/// Parts per million.
pub(super) const CERTAIN: u32 = 1_000_000;

/// How probable it is that a message is hit, where that is not certain by kind.
pub(super) fn probability(what: &mut FaultKind) -> Option<&mut u32> {
    match what {
        FaultKind::Loss { probability_ppm }
        | FaultKind::ClientLoss { probability_ppm }
        | FaultKind::Duplication { probability_ppm } => Some(probability_ppm),
        _ => None,
    }
}

impl FaultEdit {
    /// Edits a script; `None` when that changes nothing.
    pub(super) fn apply(self, script: &mut Script) -> Option<()> {
        match self {
            Self::Drop { from, count } => {
                let faults = &mut script.plan.faults;
                faults.drain(from..(from + count).min(faults.len()));
            }
            Self::DropLinks { fault, from, count } => {
                let FaultKind::Partition { cut, .. } = &mut script.plan.faults.get_mut(fault)?.what
                else {
                    return None;
                };
                cut.drain(from..(from + count).min(cut.len()));
            }
            Self::Gentler(fault) => {
                let what = &mut script.plan.faults.get_mut(fault)?.what;
                *what = match *what {
                    FaultKind::CrashAtDeed { node, .. } => FaultKind::Crash { node },
                    FaultKind::PowerLoss { node, deeds, .. } => match deeds {
                        Some(deeds) => FaultKind::CrashAtDeed { node, deeds },
                        None => FaultKind::Crash { node },
                    },
                    FaultKind::Crash { node } => FaultKind::Stop { node },
                    FaultKind::Stop { node } => FaultKind::Pause { node },
                    _ => return None,
                };
            }
            Self::AtOnce(fault) => match &mut script.plan.faults.get_mut(fault)?.what {
                FaultKind::PowerLoss { deeds, .. } => *deeds = None,
                _ => return None,
            },
            Self::Clock {
                fault,
                jump_ns,
                drift_ppm,
            } => match &mut script.plan.faults.get_mut(fault)?.what {
                FaultKind::Clock {
                    jump_ns: jump,
                    drift_ppm: drift,
                    ..
                } => (*jump, *drift) = (jump_ns, drift_ppm),
                _ => return None,
            },
            Self::Surely { fault, line } => {
                let line = script.lines.get(line)?;
                let fault = script.plan.faults.get_mut(fault)?;
                (fault.begin_ns, fault.end_ns) = (line.at, line.at + line.took.times(2));
                *probability(&mut fault.what)? = CERTAIN;
            }
            Self::Span { fault, begin, end } => {
                let fault = script.plan.faults.get_mut(fault)?;
                (fault.begin_ns, fault.end_ns) = (begin, end);
            }
        }
        Some(())
    }
}
