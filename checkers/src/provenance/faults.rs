//! Histories that contradict themselves.

use crate::history::{History, OpId, Operation, Status, TimeNs};

/// A history contradicts itself: no store's answers are to blame, but whatever recorded or edited
/// it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryFault {
    /// More operations than can be numbered.
    #[error("the history has {operations} operations, and operation numbers end at {}; split it by key", OpId::MAX - 1)]
    TooLong {
        /// How many there are.
        operations: usize,
    },
    /// Operations are not ordered by invocation.
    #[error("operation {op} was invoked before operation {}; sort the operations by invocation time", .op - 1)]
    NotSorted {
        /// The later one.
        op: OpId,
    },
    /// An index has no name.
    #[error("operation {op} refers to {what} number {index}, and the history names only {names}")]
    NoSuchName {
        /// The operation.
        op: OpId,
        /// `client`, `node` or `key`.
        what: &'static str,
        /// The index.
        index: u32,
        /// How many names there are.
        names: usize,
    },
    /// Completed before it was invoked.
    #[error("operation {op} completed before it was invoked")]
    CompletedTooEarly {
        /// The operation.
        op: OpId,
    },
    /// Acknowledged or refused, but never completed.
    #[error("operation {op} has an outcome but no completion time; give it one, or make it info")]
    NeverCompleted {
        /// The operation.
        op: OpId,
    },
    /// Two writes have one tag.
    #[error(
        "operations {first} and {op} wrote values with one tag, {tag}; a tag tells writes apart"
    )]
    TagUsedTwice {
        /// The later write.
        op: OpId,
        /// The earlier write.
        first: OpId,
        /// The tag.
        tag: u64,
    },
    /// Two writes of a key have one value and no tags.
    #[error(
        "operations {first} and {op} wrote one value to one key without tags; make the values unique or tag them"
    )]
    ValueUsedTwice {
        /// The later write.
        op: OpId,
        /// The earlier write.
        first: OpId,
    },
    /// A context comes from an operation that is not an earlier one.
    #[error(
        "the context of operation {op} comes from operation {source_op}, which is not an earlier one"
    )]
    SourceNotEarlier {
        /// The write.
        op: OpId,
        /// The source.
        source_op: OpId,
    },
    /// A context comes from another key.
    #[error(
        "the context of operation {op} comes from operation {source_op}, which is about another key"
    )]
    SourceOfOtherKey {
        /// The write.
        op: OpId,
        /// The source.
        source_op: OpId,
    },
    /// A context comes from an operation that was not answered.
    #[error(
        "the context of operation {op} comes from operation {source_op}, which had no ok answer"
    )]
    SourceWithoutAnswer {
        /// The write.
        op: OpId,
        /// The source.
        source_op: OpId,
    },
    /// A context comes from an answer that came later.
    #[error(
        "the context of operation {op} comes from operation {source_op}, which completed only after {op} was invoked"
    )]
    SourceTooLate {
        /// The write.
        op: OpId,
        /// The source.
        source_op: OpId,
    },
}

/// Whether an operation can stand where it does: after one that was invoked `now`.
pub(super) fn validate(
    history: &History,
    op: OpId,
    operation: &Operation,
    now: TimeNs,
) -> Result<(), HistoryFault> {
    if operation.invoked < now {
        return Err(HistoryFault::NotSorted { op });
    }
    let are_named = (operation.client as usize) < history.clients.len()
        && (operation.node as usize) < history.nodes.len()
        && (operation.key as usize) < history.keys.len();
    if !are_named {
        return Err(no_such_name(history, op, operation));
    }
    match (operation.completed, operation.status) {
        (Some(completed), _) if completed < operation.invoked => {
            return Err(HistoryFault::CompletedTooEarly { op });
        }
        (None, Status::Ok | Status::Fail) => return Err(HistoryFault::NeverCompleted { op }),
        _ => {}
    }
    Ok(())
}

fn no_such_name(history: &History, op: OpId, operation: &Operation) -> HistoryFault {
    let indexed = [
        ("client", operation.client, history.clients.len()),
        ("node", operation.node, history.nodes.len()),
        ("key", operation.key, history.keys.len()),
    ];
    let unnamed = indexed
        .into_iter()
        .find(|(_, index, names)| *index as usize >= *names);
    let (what, index, names) = unnamed.unwrap_or(indexed[0]);
    HistoryFault::NoSuchName {
        op,
        what,
        index,
        names,
    }
}

pub(super) fn validate_source(
    history: &History,
    op: OpId,
    write: &Operation,
    source_op: OpId,
) -> Result<(), HistoryFault> {
    if source_op >= op {
        return Err(HistoryFault::SourceNotEarlier { op, source_op });
    }
    let source = &history.operations[source_op as usize];
    if source.key != write.key {
        return Err(HistoryFault::SourceOfOtherKey { op, source_op });
    }
    if source.status != Status::Ok {
        return Err(HistoryFault::SourceWithoutAnswer { op, source_op });
    }
    if source.completed > Some(write.invoked) {
        return Err(HistoryFault::SourceTooLate { op, source_op });
    }
    Ok(())
}
