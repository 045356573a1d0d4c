//! What a client does with siblings in one step.

use serde::{Deserialize, Serialize};

use crate::workloads::Acts;

/// What a client does in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// Read all siblings.
    Read,
    /// Write a value.
    Write {
        /// The value, by position from 0. Equal values from different writers are wanted, where the
        /// store is in this process.
        value: u32,
        /// The context to pass.
        context: ContextChoice,
    },
    /// Delete the key.
    Delete {
        /// The context to pass.
        context: ContextChoice,
    },
    /// Read all siblings and at once write one value in their place.
    Resolve {
        /// The value, by position from 0.
        value: u32,
    },
}

/// Which context a client passes with a write. Where it has nothing of the kind yet (or, with
/// dotted version vectors, none that claims no more than it saw) the write is blind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContextChoice {
    /// None.
    Blind,
    /// That of its last read of the key.
    LastRead,
    /// That of its last acknowledged write of the key.
    LastWrite,
    /// That of an answer for this key which is this many answers older than its last one.
    Stale(u32),
    /// Those of its last two reads of the key, merged.
    TwoReads,
    /// That of one of the siblings of its last read of the key, by position and round again, where each
    /// has a clock that only the store can read: what replaces that one and leaves the others.
    OneSibling(u32),
}

/// Contexts from plain to complicated: for each, those that are plainer.
fn plainer_contexts(context: ContextChoice) -> &'static [ContextChoice] {
    match context {
        ContextChoice::Blind => &[],
        ContextChoice::LastRead | ContextChoice::OneSibling(0) => &[ContextChoice::Blind],
        ContextChoice::LastWrite => &[ContextChoice::Blind, ContextChoice::LastRead],
        ContextChoice::OneSibling(_) => &[ContextChoice::Blind, ContextChoice::OneSibling(0)],
        ContextChoice::Stale(_) | ContextChoice::TwoReads => &[
            ContextChoice::Blind,
            ContextChoice::LastRead,
            ContextChoice::LastWrite,
        ],
    }
}

impl Acts for Act {
    /// Resolving is a read and a write.
    fn operations(self) -> u32 {
        match self {
            Self::Resolve { .. } => 2,
            Self::Read | Self::Write { .. } | Self::Delete { .. } => 1,
        }
    }

    fn values(self) -> Vec<u32> {
        match self {
            Self::Write { value, .. } | Self::Resolve { value } => vec![value],
            Self::Read | Self::Delete { .. } => Vec::new(),
        }
    }

    fn with_values(mut self, moved: &dyn Fn(u32) -> u32) -> Self {
        match &mut self {
            Self::Write { value, .. } | Self::Resolve { value } => *value = moved(*value),
            Self::Read | Self::Delete { .. } => {}
        }
        self
    }

    fn plainer(self) -> Vec<Self> {
        match self {
            Self::Read => Vec::new(),
            Self::Resolve { value } => {
                let write = |context| Self::Write { value, context };
                vec![
                    Self::Read,
                    write(ContextChoice::Blind),
                    write(ContextChoice::LastRead),
                    write(ContextChoice::LastWrite),
                ]
            }
            Self::Delete { context } => {
                let contexts = plainer_contexts(context).iter();
                contexts.map(|&context| Self::Delete { context }).collect()
            }
            Self::Write { value, context } => plainer_contexts(context)
                .iter()
                .map(|&context| Self::Write { value, context })
                .collect(),
        }
    }

    fn alone(self) -> Option<Self> {
        let context = ContextChoice::Blind;
        match self {
            Self::Read => None,
            Self::Write { value, .. } | Self::Resolve { value } => {
                Some(Self::Write { value, context })
            }
            Self::Delete { .. } => Some(Self::Delete { context }),
        }
    }

    fn written_instead(self, value: u32) -> Option<Self> {
        match self {
            Self::Delete { context } => Some(Self::Write { value, context }),
            Self::Read | Self::Write { .. } | Self::Resolve { .. } => None,
        }
    }

    fn varied(self, drawn: u32) -> Self {
        const CONTEXTS: [ContextChoice; 3] = [
            ContextChoice::Blind,
            ContextChoice::LastRead,
            ContextChoice::LastWrite,
        ];
        let context = CONTEXTS[drawn as usize % CONTEXTS.len()];
        match self {
            Self::Read => self,
            Self::Delete { .. } => Self::Delete { context },
            Self::Write { value, .. } | Self::Resolve { value } => Self::Write { value, context },
        }
    }
}
