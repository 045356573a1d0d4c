//! Whether values are pairs of a key and a value, as `jepsen.independent` has them, or values.
//!
//! One register that holds pairs, and many registers, look alike in part, and taking one for the
//! other makes a correct store look wrong. So all events of clients are asked:
//!
//! - for keys: a tag that says so, or a read that was invoked with a key and nothing, `[k nil]`;
//! - against: a write or an answer that is no pair, a compare-and-set `[from to]` whose second is no
//!   pair, a read that was invoked with nothing and answered, a field for keys.
//!
//! Where nothing is against, pairs are keyed. Where both are found, it is not clear, and whoever has
//! the file has to say. Operations that certainly took no effect, and reads that were not answered,
//! weigh little: a client may have failed before it knew its key.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    Fault, ImportError,
    events::{Event, Function, Kind},
};
use crate::history::Name;

/// What came of placing events at their keys.
pub(super) struct Placed {
    /// The events, with their keys.
    pub(super) events: Vec<Event>,
    /// Whether values were pairs.
    pub(super) keyed: bool,
    /// Operations without a key that tell nothing, which were left out.
    pub(super) unplaced: u64,
    /// The first operation without a key that does.
    pub(super) fault: Option<Fault>,
}

/// An event of an operation.
struct Of {
    /// The position of the invocation.
    invocation: usize,
    /// How the operation ended.
    end: Kind,
}

/// Takes keys out of values, where these are pairs or `chosen` says that they are; `tagged` says
/// that a tag did. O(n log n).
///
/// # Errors
///
/// When it is not clear what values are.
pub(super) fn place(
    events: Vec<Event>,
    tagged: bool,
    chosen: Option<bool>,
) -> Result<Placed, ImportError> {
    let operations = operations(&events);
    let keyed = match chosen {
        Some(keyed) => keyed,
        None => Evidence::of(&events, &operations, tagged).keyed()?,
    };
    let mut placed = Placed {
        events: Vec::with_capacity(events.len()),
        keyed,
        unplaced: 0,
        fault: None,
    };
    if !keyed {
        placed.events = events;
        return Ok(placed);
    }
    // By the position of its invocation: the key of an operation.
    let mut keys: Vec<Option<Name>> = vec![None; events.len()];
    let functions: Vec<_> = events.iter().map(|event| event.function).collect();
    for (mut event, (at, of)) in events.into_iter().zip((0..).zip(&operations)) {
        let function = functions[of.invocation];
        let given = event.value.is_some();
        let (key, value) = event.value.as_mut().and_then(split).unzip();
        if event.kind == Kind::Invoke {
            if key.is_none() && tells_nothing(function, of.end) {
                placed.unplaced += 1;
                continue;
            }
            if key.is_none() {
                placed.fault = Some(no_pair(event.line));
                return Ok(placed);
            }
            keys[at].clone_from(&key);
        } else if of.invocation != at {
            let Some(asked) = &keys[of.invocation] else {
                continue;
            };
            let answers = event.kind == Kind::Ok && function == Some(Function::Read);
            if answers && given && key.as_ref() != Some(asked) {
                placed.fault = Some(Fault {
                    line: event.line,
                    problem: format!("expected an answer about the key {asked} that was asked for"),
                    remedy: "record each answer as the pair of its key and what was found",
                });
                return Ok(placed);
            }
        }
        (event.key, event.value) = (key, value);
        placed.events.push(event);
    }
    Ok(placed)
}

fn no_pair(line: u64) -> Fault {
    Fault {
        line,
        problem: "expected the pair of a key and a value, as other operations have".to_owned(),
        remedy: "give every operation its key, or say --keyed no",
    }
}

/// True of an operation that had no effect and observed nothing.
fn tells_nothing(function: Option<Function>, end: Kind) -> bool {
    end == Kind::Fail || (function == Some(Function::Read) && end != Kind::Ok)
}

/// For each event the operation that it is of.
fn operations(events: &[Event]) -> Vec<Of> {
    let mut open: BTreeMap<&Name, usize> = BTreeMap::new();
    let mut operations: Vec<Of> = Vec::with_capacity(events.len());
    for (at, event) in events.iter().enumerate() {
        let invocation = if event.kind == Kind::Invoke {
            open.insert(&event.client, at);
            at
        } else {
            // A completion without an invocation is reported when operations are put together.
            let invocation = open.remove(&event.client).unwrap_or(at);
            if let Some(of) = operations.get_mut(invocation) {
                of.end = event.kind;
            }
            invocation
        };
        let end = Kind::Info;
        operations.push(Of { invocation, end });
    }
    operations
}

/// What speaks for keys in values, and the first lines that speak against them.
#[derive(Default)]
struct Evidence {
    /// What a tag says, or, against it, a field for keys.
    said: Option<bool>,
    /// Some values could be pairs.
    pairs: bool,
    /// A read was invoked with a key and nothing.
    keyed: bool,
    unkeyed: Option<u64>,
    /// Speaks against, though it may only have failed early.
    doubtful: Option<u64>,
}

impl Evidence {
    fn of(events: &[Event], operations: &[Of], tagged: bool) -> Self {
        let mut evidence = Self {
            said: tagged.then_some(true),
            ..Self::default()
        };
        for (event, of) in events.iter().zip(operations) {
            if event.key.is_some() {
                evidence.said = Some(false);
            }
            let function = events[of.invocation].function;
            let tells_nothing = tells_nothing(function, of.end);
            evidence.add(event, function, tells_nothing);
        }
        evidence
    }

    fn add(&mut self, event: &Event, function: Option<Function>, tells_nothing: bool) {
        let value = event.value.as_ref();
        let pair = value.and_then(pair);
        let reads = function == Some(Function::Read);
        let is_keyed = match (event.kind, function) {
            (Kind::Invoke, Some(Function::CompareAndSet)) => {
                pair.is_some_and(|(_, second)| self::pair(second).is_some())
            }
            (Kind::Invoke, _) => pair.is_some(),
            (Kind::Ok, _) if reads && value.is_some() => pair.is_some(),
            _ => return,
        };
        self.pairs |= is_keyed;
        let asks_of_key = pair.is_some_and(|(_, second)| second.is_null());
        self.keyed |= reads && event.kind == Kind::Invoke && asks_of_key;
        if !is_keyed {
            let doubtful = event.kind == Kind::Invoke && tells_nothing;
            let place = if doubtful {
                &mut self.doubtful
            } else {
                &mut self.unkeyed
            };
            place.get_or_insert(event.line);
        }
    }

    fn keyed(&self) -> Result<bool, ImportError> {
        if let Some(keyed) = self.said {
            return Ok(keyed);
        }
        match (self.keyed, self.unkeyed, self.doubtful) {
            (true, Some(line), _) => Err(ImportError::Unclear { line }),
            (true, None, _) => Ok(true),
            (false, Some(_), _) => Ok(false),
            (false, None, Some(line)) if self.pairs => Err(ImportError::Unclear { line }),
            (false, None, _) => Ok(self.pairs),
        }
    }
}

fn pair(value: &Json) -> Option<(&Json, &Json)> {
    match value.as_array().map(Vec::as_slice) {
        Some([first, second]) => Some((first, second)),
        _ => None,
    }
}

/// The key and the value of a pair.
fn split(value: &mut Json) -> Option<(Name, Json)> {
    match value.as_array_mut().map(Vec::as_mut_slice) {
        Some([first, second]) => Some((name(first), second.take())),
        _ => None,
    }
}

/// A name or number as a name: a keyword without its colon.
pub(super) fn name(value: &Json) -> Name {
    match value {
        Json::String(name) => Name::from(name.trim_start_matches(':')),
        other => Name::from(other.to_string()),
    }
}
