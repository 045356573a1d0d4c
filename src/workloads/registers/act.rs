//! What a client does with registers in one step.

use serde::{Deserialize, Serialize};

use crate::workloads::Acts;

/// What a client does in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// Read the key.
    Read,
    /// Write a value.
    Write {
        /// The value, by position from 0.
        value: u32,
    },
    /// Write a value if the key holds what is expected. A client that has seen nothing which it could
    /// expect reads instead.
    Cas {
        /// What the key has to hold.
        from: Expectation,
        /// The value, by position from 0.
        value: u32,
    },
    /// Read the key, and at once compare-and-set it from what was read; write it where it is absent.
    Update {
        /// The value, by position from 0.
        value: u32,
    },
    /// Delete the key.
    Delete,
}

/// What a compare-and-set expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// What its client last saw there or put there.
    LastSeen,
    /// What its client saw or put there so many answers before.
    Stale(u32),
    /// A value of the plan, by position, whoever writes it.
    Value(u32),
}

impl Acts for Act {
    /// An update is a read and a compare-and-set.
    fn operations(self) -> u32 {
        match self {
            Self::Update { .. } => 2,
            Self::Read | Self::Write { .. } | Self::Cas { .. } | Self::Delete => 1,
        }
    }

    fn values(self) -> Vec<u32> {
        match self {
            Self::Cas {
                from: Expectation::Value(from),
                value,
            } => vec![value, from],
            Self::Write { value } | Self::Cas { value, .. } | Self::Update { value } => vec![value],
            Self::Read | Self::Delete => Vec::new(),
        }
    }

    fn with_values(mut self, moved: &dyn Fn(u32) -> u32) -> Self {
        match &mut self {
            Self::Cas { from, value } => {
                *value = moved(*value);
                if let Expectation::Value(from) = from {
                    *from = moved(*from);
                }
            }
            Self::Write { value } | Self::Update { value } => *value = moved(*value),
            Self::Read | Self::Delete => {}
        }
        self
    }

    fn plainer(self) -> Vec<Self> {
        let read = Self::Read;
        match self {
            Self::Read => Vec::new(),
            Self::Write { .. } | Self::Delete => vec![read],
            Self::Cas { from, value } => {
                let mut plainer = vec![read, Self::Write { value }];
                if from != Expectation::LastSeen {
                    plainer.push(Self::Cas {
                        from: Expectation::LastSeen,
                        value,
                    });
                }
                plainer
            }
            Self::Update { value } => vec![
                read,
                Self::Write { value },
                Self::Cas {
                    from: Expectation::LastSeen,
                    value,
                },
            ],
        }
    }

    fn alone(self) -> Option<Self> {
        match self {
            Self::Read => None,
            Self::Delete
            | Self::Cas {
                from: Expectation::Value(_),
                ..
            } => Some(self),
            Self::Write { value } | Self::Cas { value, .. } | Self::Update { value } => {
                Some(Self::Write { value })
            }
        }
    }

    fn written_instead(self, value: u32) -> Option<Self> {
        (self == Self::Delete).then_some(Self::Write { value })
    }

    fn varied(self, drawn: u32) -> Self {
        match self {
            Self::Read | Self::Delete => self,
            Self::Write { value } | Self::Cas { value, .. } | Self::Update { value } => {
                match drawn % 3 {
                    0 => Self::Write { value },
                    1 => Self::Update { value },
                    _ => Self::Cas {
                        from: Expectation::LastSeen,
                        value,
                    },
                }
            }
        }
    }
}
