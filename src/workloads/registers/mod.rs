//! Registers: clients read, write, compare-and-set and delete keys that hold one value each. The words are
//! those of Maelstrom's `lin-kv`, and others that a file describes.

mod act;
mod clients;
mod demands;
mod draw;
mod speaker;
pub(crate) mod words;

pub use act::{Act, Expectation};
pub use clients::{Clients, Reply};
pub use draw::Mix;
pub use speaker::{Question, Speaker};
pub use words::{CasWords, KeyForm, ReadWords, Wording, WriteWords};

use compact_str::format_compact;
use serde_json::Value as Json;
use sibcheck_checkers::{
    Claim,
    registers::{history::Action, situations},
};

use super::{Script, Workload};
use crate::stores::Key;

/// The workload of linearizable registers.
#[derive(Clone, Copy, Debug)]
pub struct Registers;

/// What a client asks of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// The value of the key.
    Read,
    /// Write a value.
    Write(Json),
    /// Write a value if the key holds another one.
    CompareAndSet {
        /// What it has to hold.
        from: Json,
        /// What it holds afterwards.
        to: Json,
    },
    /// Delete the key.
    Delete,
}

impl Workload for Registers {
    type Object = Action;
    type Act = Act;
    type Ask = Ask;
    type Reply = Reply;
    type Behaviour = ();
    type Words = Wording;
    type Clients = Clients;
    type Drawing = Mix;
    type Speaker<'p> = Speaker<'p>;

    /// Some languages take `true`, `1` and `1.0` for equal, and JSON takes the last two for one number.
    const COMPARES_VALUES: bool = true;

    const AGREES_FIRST: bool = true;

    /// However many nodes there are.
    fn claims(_nodes: u32) -> Vec<Claim> {
        vec![Claim::Linearizable]
    }

    /// Maelstrom's keys are numbers from 0.
    fn plain_key(at: usize) -> Key {
        format_compact!("{at}").into()
    }

    /// Maelstrom's values are whole numbers.
    fn plain_value(at: usize, _of_program: bool) -> Json {
        (at + 1).into()
    }

    fn wanted(words: Option<&Wording>, nodes: u32) -> Vec<(&'static str, &'static str)> {
        let mut wanted = vec![
            (situations::RETURNED, "no read returned a value"),
            (situations::WRITTEN, "no write was acknowledged"),
            (
                situations::CONCURRENT,
                "no operation had a concurrent write of its key beside it",
            ),
        ];
        if words.is_none_or(|words| words.cas.is_some()) {
            wanted.extend([
                (situations::SWAPPED, "no compare-and-set succeeded"),
                (situations::REFUSED, "no compare-and-set was refused"),
            ]);
        }
        if nodes > 1 {
            wanted.push((
                situations::ELSEWHERE,
                "nothing was read at another node than it was written at",
            ));
        }
        wanted
    }

    fn demands(words: &Wording, nodes: u32) -> Vec<(&'static str, Script<Act>)> {
        demands::demands(words, nodes)
    }
}
