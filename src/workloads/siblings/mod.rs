//! Siblings: clients read all of a key's siblings, and write with the context of what they saw.

mod act;
mod ask;
mod clients;
mod custom;
mod demands;
mod draw;
mod glossary;
mod reports;
mod speaker;
mod speech;
mod wire;
pub(crate) mod words;

pub use act::{Act, ContextChoice};
pub use ask::{Ask, ClientBehaviour, Context, Reply, TaggedValue};
pub use clients::{CONTEXTS_AHEAD, Clients};
pub use draw::Mix;
pub use speaker::{Question, Speaker};
pub use wire::ClientRequest;
pub use words::{ContextForm, Contexts, ReadWords, Wording, WriteWords};

pub(crate) use reports::{RecordedValues, Reports, reported};
pub(crate) use wire::{dvv_siblings, dvv_written, vc_siblings, vc_written};

use compact_str::format_compact;
use serde_json::Value as Json;
use sibcheck_checkers::{Claim, Situation, history::Action};

use super::{Script, Workload};
use crate::stores::Key;

/// The workload of sibling stores.
#[derive(Clone, Copy, Debug)]
pub struct Siblings;

impl Workload for Siblings {
    type Object = Action;
    type Act = Act;
    type Ask = Ask;
    type Reply = Reply;
    type Behaviour = ClientBehaviour;
    type Words = Wording;
    type Clients = Clients;
    type Drawing = Mix;
    type Speaker<'p> = Speaker<'p>;

    /// One node alone promises to be linearizable.
    fn claims(nodes: u32) -> Vec<Claim> {
        let usual = if nodes == 1 {
            Claim::Linearizable
        } else {
            Claim::Eventual
        };
        let others = Claim::ALL.into_iter().filter(|claim| *claim != usual);
        std::iter::once(usual).chain(others).collect()
    }

    fn plain_key(at: usize) -> Key {
        format_compact!("k{}", at + 1).into()
    }

    /// A number, or a text for programs, some of which take nothing else.
    fn plain_value(at: usize, of_program: bool) -> Json {
        if of_program {
            format!("v{}", at + 1).into()
        } else {
            (at + 1).into()
        }
    }

    fn wanted(words: Option<&Wording>, nodes: u32) -> Vec<(&'static str, &'static str)> {
        if words.is_some_and(|words| words.contexts() == Contexts::Absent) {
            return Vec::new();
        }
        let concurrent = (
            Situation::ConcurrentWrites.name(),
            "no two writes of a key were concurrent",
        );
        let ahead = (CONTEXTS_AHEAD, "no context was ahead of its coordinator");
        let several = (nodes > 1).then_some(ahead);
        std::iter::once(concurrent).chain(several).collect()
    }

    fn demands(words: &Wording, _nodes: u32) -> Vec<(&'static str, Script<Act>)> {
        demands::demands(words)
    }
}
