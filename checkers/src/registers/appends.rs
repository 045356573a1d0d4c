//! What each observation saw of a register with appends, where what is added is unique.
//!
//! A string that was read is cut into what was written and added: a write, a compare-and-set or the
//! initial value, and then appends. With every piece unique and none the beginning of another,
//! there is at most one way to cut, and the operation of the last piece produced the state that
//! was read. An append that is seen so replaced the state before it, as a compare-and-set would.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    history::{Action, ValueId},
    observed::{Local, NONE, Obstacle, Proof, Register},
    verdict::Finding,
};

/// The pieces of one key.
struct Pieces<'h> {
    /// What was written or added, sorted, with the operation.
    texts: Vec<(&'h str, Local)>,
    /// The state at the start, and its text where it is one.
    initial: (Local, &'h str),
}

/// Finds out what each observation saw, and what each append that was seen replaced.
pub(super) fn resolve(register: &mut Register<'_>) -> Result<(), Obstacle> {
    let pieces = Pieces::of(register).ok_or(Obstacle::NotUnique)?;
    let mut known: BTreeMap<ValueId, Local> = BTreeMap::new();
    let mut to_resolve = Vec::new();
    for local in register.locals() {
        to_resolve.push(local);
        while let Some(local) = to_resolve.pop() {
            if !register.applied[local as usize] {
                continue;
            }
            let observed = match register.op(local).action {
                Action::Read(Some(value)) => value,
                Action::CompareAndSet {
                    expected, swapped, ..
                } if swapped => expected,
                Action::CompareAndSet { .. } => return Err(Obstacle::NotUnique),
                Action::Read(None) | Action::Write(_) | Action::Append(_) => continue,
            };
            let state = if let Some(&state) = known.get(&observed) {
                state
            } else {
                let chain = pieces.cut(register, local, observed)?;
                let mut before = NONE;
                for state in chain {
                    let appended = (state as usize) < register.ops.len()
                        && matches!(register.op(state).action, Action::Append(_));
                    if appended && before != NONE {
                        let first = register.note(state, local);
                        let replaced = &mut register.observes[state as usize];
                        if *replaced != NONE && *replaced != before {
                            return Err(garbled(register, local, Some(first)).into());
                        }
                        *replaced = before;
                    }
                    if register.show(state, local) {
                        to_resolve.push(state);
                    }
                    before = state;
                }
                known.insert(observed, before);
                before
            };
            register.observes[local as usize] = state;
        }
    }
    Ok(())
}

fn garbled(register: &Register<'_>, local: Local, against: Option<Local>) -> Proof {
    let id = |local: Local| register.id(local);
    let finding = Finding::Garbled {
        op: id(local),
        against: against.map(id),
    };
    register.proof([local].into_iter().chain(against), finding)
}

impl<'h> Pieces<'h> {
    /// `None` where there is more than one way to cut.
    fn of(register: &Register<'h>) -> Option<Self> {
        let history = register.history;
        let initial = match history.value(history.tables.initial) {
            Json::Null => "",
            Json::String(text) => text,
            _ => return None,
        };
        let mut pieces = Vec::new();
        for local in register.locals() {
            let written = match register.op(local).action {
                Action::Write(value) | Action::Append(value) => value,
                Action::CompareAndSet {
                    new, swapped: true, ..
                } => new,
                Action::Read(_) | Action::CompareAndSet { swapped: false, .. } => continue,
            };
            pieces.push((history.value(written).as_str()?, local));
        }
        pieces.sort_unstable();
        let clear = pieces.first().is_none_or(|(text, _)| !text.is_empty())
            && pieces
                .windows(2)
                .all(|pair| !pair[1].0.starts_with(pair[0].0))
            && (initial.is_empty()
                || !pieces
                    .iter()
                    .any(|(text, _)| text.starts_with(initial) || initial.starts_with(text)));
        clear.then_some(Self {
            texts: pieces,
            initial: (register.initial(), initial),
        })
    }

    /// The piece that a text begins with.
    fn first(&self, text: &str) -> Option<(&'h str, Local)> {
        let after = self.texts.partition_point(|(piece, _)| *piece <= text);
        let candidate = after.checked_sub(1).map(|at| self.texts[at]);
        candidate.filter(|(piece, _)| text.starts_with(piece))
    }

    /// The states that led to an observed value, in order.
    fn cut(
        &self,
        register: &Register<'_>,
        observer: Local,
        value: ValueId,
    ) -> Result<Vec<Local>, Obstacle> {
        let history = register.history;
        let whole = match history.value(value) {
            Json::String(text) => text.as_str(),
            _ if value == history.tables.initial => return Ok(vec![self.initial.0]),
            _ => return Err(register.never_written(observer, value).into()),
        };
        // Whether an absent value reads as the empty string is left to the search.
        if whole.is_empty() && value != history.tables.initial {
            return Err(Obstacle::NotUnique);
        }
        let appended = |state: Local| matches!(register.op(state).action, Action::Append(_));
        let mut chain = Vec::new();
        let mut rest = whole;
        match self.first(whole) {
            Some((piece, state)) if !appended(state) => {
                chain.push(state);
                rest = &rest[piece.len()..];
            }
            _ => {
                let Some(added) = whole.strip_prefix(self.initial.1) else {
                    return Err(register.never_written(observer, value).into());
                };
                chain.push(self.initial.0);
                rest = added;
            }
        }
        while !rest.is_empty() {
            let Some((piece, state)) = self.first(rest).filter(|(_, state)| appended(*state))
            else {
                return Err(garbled(register, observer, None).into());
            };
            if chain.len() > register.ops.len() {
                return Err(garbled(register, observer, None).into());
            }
            chain.push(state);
            rest = &rest[piece.len()..];
        }
        let mut once = chain.clone();
        once.sort_unstable();
        if once.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(garbled(register, observer, None).into());
        }
        Ok(chain)
    }
}
