//! Exit codes: the one place that knows them.
//!
//! Where several would do, the first of these counts: 1 (a violation), 130 or 143 (interrupted), 4
//! (the node failed), 5 (the machine), 2 (usage), 3 (inconclusive), 0. So what was found is never
//! hidden by what came after it, and nothing that was cut short is ever 0.

use std::{
    io::{self, ErrorKind},
    process::ExitCode,
};

use sibcheck_checkers::Outcome;

use crate::interrupt::EndSignal;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: everything that was checked holds.
    Holds,
    /// 1: an invariant is violated, or a saved case did not get its verdict.
    Violation,
    /// 2: the command line or a file given on it makes no sense, or the file is not there.
    Usage,
    /// 3: inconclusive: nothing of interest was exercised, or not everything could be tested.
    Inconclusive,
    /// 4: the node under test broke the protocol, died or never answered.
    Node,
    /// 5: our own fault, or the machine's: a file that cannot be read or written.
    Machine,
    /// 130 after Ctrl-C, 143 after SIGTERM, as shells say it: what was asked for was not finished.
    Interrupted(EndSignal),
}

impl Exit {
    /// The number that the process exits with.
    pub const fn code(self) -> u8 {
        match self {
            Self::Holds => 0,
            Self::Violation => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::Node => 4,
            Self::Machine => 5,
            Self::Interrupted(signal) => 128 + signal.number(),
        }
    }

    /// The less, the more it counts.
    const fn rank(self) -> u8 {
        match self {
            Self::Violation => 0,
            Self::Interrupted(_) => 1,
            Self::Node => 2,
            Self::Machine => 3,
            Self::Usage => 4,
            Self::Inconclusive => 5,
            Self::Holds => 6,
        }
    }

    /// Of two ends the one that counts; the head of this file has the order.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if other.rank() < self.rank() {
            other
        } else {
            self
        }
    }
}

impl From<Outcome> for Exit {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Valid => Self::Holds,
            Outcome::Violated => Self::Violation,
            Outcome::Unknown => Self::Inconclusive,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// What went wrong, told to the person at the terminal, with the code to exit with.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    /// What went wrong, where, and what to do.
    pub message: String,
}

impl Failure {
    /// The command line or a given file makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.into(),
        }
    }

    /// A file could not be read: because it is not there, of what it holds or how long it is, or because
    /// of the machine.
    pub fn reading(error: &io::Error, message: String) -> Self {
        match error.kind() {
            ErrorKind::InvalidData
            | ErrorKind::InvalidInput
            | ErrorKind::UnexpectedEof
            | ErrorKind::FileTooLarge
            | ErrorKind::NotFound
            | ErrorKind::IsADirectory => Self::usage(message),
            _ => Self::machine(message),
        }
    }

    /// The machine refused something.
    pub fn machine(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Machine,
            message: message.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_outweighs_all_and_holding_nothing() {
        assert_eq!(Exit::Holds.and(Exit::Inconclusive), Exit::Inconclusive);
        assert_eq!(Exit::Violation.and(Exit::Node), Exit::Violation);
        assert_eq!(Exit::Machine.and(Exit::Node), Exit::Node);
        assert_eq!(Exit::Inconclusive.and(Exit::Machine), Exit::Machine);
        assert_eq!(Exit::Holds.and(Exit::Holds), Exit::Holds);
        let interrupted = Exit::Interrupted(EndSignal::Terminate);
        assert_eq!(interrupted.and(Exit::Node), interrupted);
        assert_eq!(interrupted.and(Exit::Violation), Exit::Violation);
        assert_eq!(interrupted.code(), 143);
        assert_eq!(Exit::Interrupted(EndSignal::Interrupt).code(), 130);
    }
}
