//! Why a history in which nothing is violated shows nothing either.

use crate::history::{Action, History, Status};

/// What a history lacks that any test needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scarcity {
    /// There is no write.
    NoWrite,
    /// Every write was refused.
    EveryWriteRefused,
    /// No write was acknowledged, and not all were refused.
    NoWriteAcknowledged,
    /// No read was answered.
    NoReadAnswered,
    /// No key has two writes and an answered read after them.
    NoReadAfterTwoWrites,
}

impl Scarcity {
    /// What a history that tells nothing lacks most. O(operations).
    pub fn of(history: &History) -> Self {
        let (mut writes, mut refused, mut acknowledged, mut answered) = (0_u64, 0, 0_u64, 0_u64);
        for operation in &history.operations {
            match (&operation.action, operation.status) {
                (Action::Write(_), status) => {
                    writes += 1;
                    refused += u64::from(status == Status::Fail);
                    acknowledged += u64::from(status == Status::Ok);
                }
                (Action::Read(_), Status::Ok) => answered += 1,
                (Action::Read(_), _) => {}
            }
        }
        if writes == 0 {
            Self::NoWrite
        } else if refused == writes {
            Self::EveryWriteRefused
        } else if answered == 0 {
            Self::NoReadAnswered
        } else if acknowledged == 0 {
            Self::NoWriteAcknowledged
        } else {
            Self::NoReadAfterTwoWrites
        }
    }

    /// In a sentence without its beginning and end.
    pub const fn told(self) -> &'static str {
        match self {
            Self::NoWrite => "nothing was written, so nothing could be lost",
            Self::EveryWriteRefused => "every write was refused, so nothing could be lost",
            Self::NoWriteAcknowledged => "no write was acknowledged, so nothing had to be kept",
            Self::NoReadAnswered => "no read was answered, so a loss could not be seen",
            Self::NoReadAfterTwoWrites => {
                "no key has two writes and an answered read after them, so hardly anything could be lost"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::read_history;

    fn of(statuses: &[(&str, bool)]) -> Scarcity {
        let mut text = format!(
            "{{\"sibcheck_history\":1,\"origin\":\"test\",\"tombstones\":\"shown\",\"operations\":{}}}\n",
            statuses.len()
        );
        for (op, (status, write)) in statuses.iter().enumerate() {
            let what = if *write {
                format!("\"write\":{{\"value\":{op}}}")
            } else {
                "\"read\":{\"siblings\":[]}".to_owned()
            };
            let completed = if *status == "info" {
                ""
            } else {
                "\"completed_ns\":9,"
            };
            let line = format!(
                "{{\"op\":{op},\"client\":\"c{op}\",\"node\":\"n\",\"key\":\"x\",\"invoked_ns\":{op},{completed}\"status\":\"{status}\",{what}}}\n"
            );
            text.push_str(&line);
        }
        Scarcity::of(&read_history(text.as_bytes()).unwrap())
    }

    #[test]
    fn what_is_lacking_most_is_told() {
        assert_eq!(of(&[("ok", false)]), Scarcity::NoWrite);
        let refused = [("fail", true), ("fail", true), ("ok", false)];
        assert_eq!(of(&refused), Scarcity::EveryWriteRefused);
        let unknown = [("info", true), ("fail", true), ("ok", false)];
        assert_eq!(of(&unknown), Scarcity::NoWriteAcknowledged);
        let unread = [("ok", true), ("ok", true), ("fail", false)];
        assert_eq!(of(&unread), Scarcity::NoReadAnswered);
        let little = [("ok", true), ("ok", false)];
        assert_eq!(of(&little), Scarcity::NoReadAfterTwoWrites);
    }
}
