//! What a register can hold, as far as any operation can tell.
//!
//! Values that no operation observes are one state. With appends a string matters as long as it is
//! the beginning of one that is observed; it is held as a length of that one, so that a long log
//! costs no more than its longest reading.

use std::{cmp::Ordering, collections::BTreeMap};

use serde_json::Value as Json;

use super::history::{Action, History, ValueId};

/// A state of a register, by number.
pub(super) type State = u32;

/// All that no operation can observe.
pub(super) const UNSEEN: State = 0;

/// The states that the operations of one key can tell apart.
pub(super) enum States<'h> {
    /// Without appends: the observed values, sorted; a state is a position in it, from 1.
    Values(Vec<ValueId>),
    /// With appends.
    Texts(Texts<'h>),
}

pub(super) struct Texts<'h> {
    history: &'h History,
    /// Observed values that are no strings, and the absent one; their states come first.
    others: Vec<ValueId>,
    /// Observed strings, sorted.
    observed: Vec<&'h str>,
    /// A string: the first of the observed ones that begins with it, and its length.
    numbers: BTreeMap<(usize, usize), State>,
    prefixes: Vec<(usize, usize)>,
}

/// What an operation demands of the register and does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effect {
    /// The register holds this.
    See(State),
    /// The register holds anything but this.
    SeeOther(State),
    /// It holds this afterwards.
    Set(State),
    /// It holds the first before and the second afterwards.
    Swap(State, State),
    /// A string is added.
    Append(ValueId),
}

impl Effect {
    /// True where nothing changes.
    pub(super) const fn observes_only(self) -> bool {
        match self {
            Self::See(_) | Self::SeeOther(_) => true,
            Self::Swap(from, to) => from == to,
            Self::Set(_) | Self::Append(_) => false,
        }
    }
}

impl<'h> States<'h> {
    /// The states that these actions can tell apart.
    pub(super) fn of(
        history: &'h History,
        actions: &(impl Iterator<Item = Action> + Clone),
    ) -> Self {
        let mut observed: Vec<ValueId> = actions
            .clone()
            .filter_map(|action| match action {
                Action::Read(value) => value,
                Action::CompareAndSet { expected, .. } => Some(expected),
                Action::Write(_) | Action::Append(_) => None,
            })
            .collect();
        observed.sort_unstable();
        observed.dedup();
        let appends = actions
            .clone()
            .any(|action| matches!(action, Action::Append(_)));
        if !appends {
            return Self::Values(observed);
        }
        let is_text = |value: &ValueId| history.value(*value).is_string();
        let (texts, mut others): (Vec<_>, Vec<_>) = observed.into_iter().partition(is_text);
        // An append to what is absent makes a string, so absence matters even if nothing sees it.
        let null = history.tables.values.iter().position(Json::is_null);
        others.extend(null.map(crate::index::number));
        others.sort_unstable();
        others.dedup();
        let mut observed: Vec<&str> = texts
            .into_iter()
            .filter_map(|value| history.value(value).as_str())
            .collect();
        observed.sort_unstable();
        Self::Texts(Texts {
            history,
            others,
            observed,
            numbers: BTreeMap::new(),
            prefixes: Vec::new(),
        })
    }

    /// The state of a register that holds this value.
    pub(super) fn state(&mut self, value: ValueId) -> State {
        match self {
            Self::Values(observed) => position(observed, value).map_or(UNSEEN, |at| at + 1),
            Self::Texts(texts) => match texts.history.value(value) {
                Json::String(text) => texts.number(text, ""),
                _ => position(&texts.others, value).map_or(UNSEEN, |at| at + 1),
            },
        }
    }

    /// The effect of an action.
    pub(super) fn effect(&mut self, action: Action) -> Option<Effect> {
        Some(match action {
            Action::Read(value) => Effect::See(self.state(value?)),
            Action::Write(value) => Effect::Set(self.state(value)),
            Action::CompareAndSet {
                expected,
                swapped: false,
                ..
            } => Effect::SeeOther(self.state(expected)),
            Action::CompareAndSet { expected, new, .. } => {
                Effect::Swap(self.state(expected), self.state(new))
            }
            Action::Append(value) => Effect::Append(value),
        })
    }

    /// What comes of an operation in a state; `None` where it cannot take place there.
    pub(super) fn after(&mut self, state: State, effect: Effect) -> Option<State> {
        match effect {
            Effect::See(seen) => (state == seen).then_some(state),
            Effect::SeeOther(other) => (state != other).then_some(state),
            Effect::Set(to) => Some(to),
            Effect::Swap(from, to) => (state == from).then_some(to),
            Effect::Append(added) => Some(match self {
                Self::Values(_) => UNSEEN,
                Self::Texts(texts) => texts.append(state, added),
            }),
        }
    }

    /// Every state in which a register may have been found at the start of these operations.
    pub(super) fn anything(&mut self) -> Vec<State> {
        let known = match self {
            Self::Values(observed) => observed.len(),
            Self::Texts(texts) => {
                for at in 0..texts.observed.len() {
                    let text = texts.observed[at];
                    for (end, _) in text.char_indices().chain([(text.len(), ' ')]) {
                        texts.number(&text[..end], "");
                    }
                }
                texts.others.len() + texts.prefixes.len()
            }
        };
        (UNSEEN..=crate::index::number(known)).collect()
    }
}

fn position(sorted: &[ValueId], value: ValueId) -> Option<State> {
    sorted.binary_search(&value).ok().map(crate::index::number)
}

impl Texts<'_> {
    /// The state of a string with another at its end.
    fn number(&mut self, text: &str, added: &str) -> State {
        let compare = |observed: &&str| -> Ordering {
            observed.bytes().cmp(text.bytes().chain(added.bytes()))
        };
        let at = self
            .observed
            .partition_point(|observed| compare(observed) == Ordering::Less);
        let begins = self.observed.get(at).is_some_and(|observed| {
            observed
                .strip_prefix(text)
                .is_some_and(|rest| rest.starts_with(added))
        });
        if !begins {
            return UNSEEN;
        }
        let next = self.others.len() + self.prefixes.len() + 1;
        let prefix = (at, text.len() + added.len());
        let state = *self
            .numbers
            .entry(prefix)
            .or_insert(crate::index::number(next));
        if state as usize == next {
            self.prefixes.push(prefix);
        }
        state
    }

    fn append(&mut self, state: State, added: ValueId) -> State {
        let Some(added) = self.history.value(added).as_str() else {
            return UNSEEN;
        };
        let Some(at) = (state as usize).checked_sub(1) else {
            return UNSEEN;
        };
        if let Some(other) = self.others.get(at) {
            if self.history.value(*other).is_null() {
                return self.number("", added);
            }
            return UNSEEN;
        }
        let Some(&(observed, length)) = self.prefixes.get(at - self.others.len()) else {
            return UNSEEN;
        };
        let text = &self.observed[observed][..length];
        self.number(text, added)
    }
}
