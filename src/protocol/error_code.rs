//! The protocol's error codes, and what each says about the operation.

use serde_json::{Map, Value as Json};
use sibcheck_checkers::import::make_numbers_exact;

/// Why a node refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The operation did not finish in time.
    Timeout,
    /// The node that was asked for does not exist.
    NodeNotFound,
    /// The node does not know this request.
    NotSupported,
    /// The node cannot serve the request now.
    TemporarilyUnavailable,
    /// The request is not of the form it should have.
    MalformedRequest,
    /// The node crashed while it served the request.
    Crash,
    /// The operation was given up.
    Abort,
    /// The key does not exist.
    KeyDoesNotExist,
    /// The key exists already.
    KeyAlreadyExists,
    /// A condition of the request did not hold.
    PreconditionFailed,
    /// The transaction conflicted with another one.
    TxnConflict,
    /// A code that the protocol does not list.
    Other(i64),
}

impl ErrorCode {
    /// The error that an answer's body tells of; `None` without a code, or with one that is no whole
    /// number. Lua writes 20.0.
    pub fn of(body: &Map<String, Json>) -> Option<Self> {
        let mut code = body.get("code")?.clone();
        make_numbers_exact(&mut code);
        code.as_i64().map(Self::from_number)
    }

    /// The codes of the protocol.
    pub const LISTED: [(i64, Self); 11] = [
        (0, Self::Timeout),
        (1, Self::NodeNotFound),
        (10, Self::NotSupported),
        (11, Self::TemporarilyUnavailable),
        (12, Self::MalformedRequest),
        (13, Self::Crash),
        (14, Self::Abort),
        (20, Self::KeyDoesNotExist),
        (21, Self::KeyAlreadyExists),
        (22, Self::PreconditionFailed),
        (30, Self::TxnConflict),
    ];

    /// The error of a number.
    pub fn from_number(number: i64) -> Self {
        Self::LISTED
            .iter()
            .find(|(listed, _)| *listed == number)
            .map_or(Self::Other(number), |(_, code)| *code)
    }

    /// Its number on the wire.
    pub fn number(self) -> i64 {
        match self {
            Self::Other(number) => number,
            listed => Self::LISTED
                .iter()
                .find(|(_, code)| *code == listed)
                .map_or(13, |(number, _)| *number),
        }
    }

    /// True when the operation certainly did not happen and will not. After any other error it may
    /// still take effect.
    pub fn is_definite(self) -> bool {
        !matches!(self, Self::Timeout | Self::Crash | Self::Other(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip_and_only_listed_codes_are_definite() {
        for number in -1..40 {
            assert_eq!(ErrorCode::from_number(number).number(), number);
        }
        let definite: Vec<i64> = (-1..40)
            .filter(|&number| ErrorCode::from_number(number).is_definite())
            .collect();
        assert_eq!(definite, [1, 10, 11, 12, 14, 20, 21, 22, 30]);
    }
}
