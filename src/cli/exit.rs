//! Exit codes: the one place that knows them.

use std::process::ExitCode;

use sibcheck_checkers::Outcome;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: everything that was checked holds.
    Holds,
    /// 1: an invariant is violated, or a saved case did not get its verdict.
    Violation,
    /// 2: the command line or a file given on it makes no sense.
    Usage,
    /// 3: inconclusive: nothing of interest was exercised, or not everything could be tested.
    Inconclusive,
    /// 4: the node under test broke the protocol, died or never answered.
    Node,
    /// 5: our own fault, or the machine's: a file that cannot be read or written.
    Machine,
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
        }
    }

    /// Of two ends the one that counts: 1, then 4, 5, 2, 3 and 0.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        const ORDER: [Exit; 6] = [
            Exit::Violation,
            Exit::Node,
            Exit::Machine,
            Exit::Usage,
            Exit::Inconclusive,
            Exit::Holds,
        ];
        ORDER
            .into_iter()
            .find(|exit| [self, other].contains(exit))
            .unwrap_or(self)
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
    }
}
