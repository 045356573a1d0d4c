//! Object models: what a write supersedes.
//!
//! Two models exist and are never mixed in one history.
//!
//! **Context** (Dynamo, Riak): a write supersedes what its client's context covers, and nothing
//! else. Where each context came from is recorded, so causality is known from provenance.
//!
//! **Replica** (Burckhardt, Gotsman, Yang, Zawirski 2014): writes carry no context, and a write
//! supersedes everything visible at the replica that takes it. What was visible there is hidden
//! from clients, so nothing *must* supersede anything. `w` *may* supersede `s`
//!
//! - unless `s` was invoked after `w` completed, for then it was certainly not there yet (a write
//!   with an unknown outcome never completes, and may supersede anything);
//! - and, where the store reported clocks of both, only if `clock(s) < clock(w)`: a store that says
//!   that `w` did not replace `s`, and returns `w` without `s`, has lost `s`.
//!
//! Sources and contexts that a history names nevertheless are not looked at. A read certainly holds
//! what it returned; it may hold also what that may supersede.
//!
//! What is promised under each model:
//!
//! | invariant | context | replica |
//! | --- | --- | --- |
//! | no thin air | yes | the same |
//! | no duplicate sibling | yes | the same |
//! | dominance | yes | no: needs provenance |
//! | sibling preservation | yes | no: without clocks no two writes are known to be concurrent; with them it is a lost update |
//! | no lost update | yes | a due write is in every final read, or something returned there may supersede it |
//! | no resurrection | yes | no: needs provenance |
//! | convergence | yes | the same |
//! | clock soundness | yes | no: needs provenance |
//! | clock precision | yes | `clock(s) < clock(w)` only if `s` was invoked before `w` completed |
//! | clock advance | yes | no: writes carry no context |
//! | clock identity | yes | the same |
//! | answer is an antichain of clocks | yes | the same |
//! | context covers | yes | the same: it compares answers only |
//! | dot discipline | yes | the same |
//! | bounded siblings | yes | no: needs provenance |
//! | linearizability | multi-value register | atomic register: every write supersedes all before it |
//!
//! What is not promised is neither reported nor counted as exercised.

use crate::invariant::Invariant;

/// What a write supersedes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ObjectModel {
    /// What its client's context covers.
    #[default]
    Context,
    /// Everything visible at the replica that takes it.
    Replica,
}

impl ObjectModel {
    /// Whether the invariant says anything about stores of this model.
    pub const fn has(self, invariant: Invariant) -> bool {
        match self {
            Self::Context => true,
            Self::Replica => !matches!(
                invariant,
                Invariant::Dominance
                    | Invariant::SiblingPreservation
                    | Invariant::NoResurrection
                    | Invariant::ClockSoundness
                    | Invariant::ClockAdvance
                    | Invariant::BoundedSiblings
            ),
        }
    }
}
