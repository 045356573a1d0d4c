//! Workloads: what clients may do, how that is drawn, worded, recorded and judged.
//!
//! A workload is a folder here and a row in the list of `workloads!`. It says
//!
//! - what a client may do in one step ([`Acts`]), how that is drawn ([`Drawing`]) and made simpler;
//! - what clients remember and record, and what they ask next ([`Clients`]);
//! - how requests and answers are worded ([`Wording`], [`Speaker`]): its dialects;
//! - what every store of it is asked first ([`Workload::demands`]), and which claims it can be held to;
//! - which object its histories are of, and with that which checker judges them.
//!
//! Plans, the runner, nodes, campaigns, corpora and reports know none of this.

mod dialect;
mod glossary;
pub mod registers;
mod samples;
mod script;
pub mod siblings;
mod values;

pub use dialect::{Dialect, DialectError, UnknownDialect};
pub use glossary::{Field, glossary};
pub use registers::Registers;
pub use samples::{SAMPLES, Sample, samples_of};
pub use script::{Line, Script};
pub use siblings::Siblings;
pub use values::Values;

use std::fmt::Debug;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Map, Value as Json};
use sibcheck_checkers::{
    Claim, Invariant, Object,
    history::{Actions, Header, Name, OpId, Operation, Status},
};

use crate::{choices::Choices, clocks::Actor, simulation::Nanos, stores::Key};

/// What clients may do with a store, and all that follows from it.
pub trait Workload: Copy + Debug + 'static {
    /// What its histories are of.
    type Object: Object;
    /// What a client does in one step of a plan.
    type Act: Acts + Into<Act> + TryFrom<Act>;
    /// What a client asks of a node.
    type Ask: Clone + Debug;
    /// What a node answered.
    type Reply: Debug;
    /// What is peculiar to the clients of some nodes.
    type Behaviour: Copy + Debug + Default;
    /// The words of a dialect.
    type Words: Wording<Self::Act>;
    /// The clients of one run.
    type Clients: Clients<Self>;
    /// How acts are drawn for one plan.
    type Drawing: Drawing<Self>;
    /// Speaks one dialect with the nodes of one run.
    type Speaker<'p>: Speaker<'p, Self>;

    /// Stores compare values with each other, so that what some languages take for equal is not written.
    const COMPARES_VALUES: bool = false;

    /// Stores agree with each other before they answer, so that a network as slow as their time-outs
    /// leaves clients without any answer.
    const AGREES_FIRST: bool = false;

    /// The claims that it can be judged by, the usual one for so many nodes first.
    fn claims(nodes: u32) -> Vec<Claim>;

    /// The plain key at a position.
    fn plain_key(at: usize) -> Key;

    /// The plain value at a position, of programs or of stores in this process.
    fn plain_value(at: usize, of_program: bool) -> Json;

    /// The situations that a store is only tested in earnest if they arose, by their names, and what is
    /// said where one did not: of programs with these words, or of stores in this process.
    fn wanted(words: Option<&Self::Words>, nodes: u32) -> Vec<(&'static str, &'static str)>;

    /// What every store of a dialect is asked first, on so many nodes.
    fn demands(words: &Self::Words, nodes: u32) -> Vec<(&'static str, Script<Self::Act>)>;
}

/// What a client does in one step.
pub trait Acts: Copy + Debug + Eq + Serialize + DeserializeOwned {
    /// How many operations it comes to, one after the other.
    fn operations(self) -> u32 {
        1
    }

    /// The positions of the values that it names, what it writes first.
    fn values(self) -> Vec<u32>;

    /// The same with other positions of its values.
    #[must_use]
    fn with_values(self, moved: &dyn Fn(u32) -> u32) -> Self;

    /// Plainer acts that may show the same, the plainest first.
    fn plainer(self) -> Vec<Self>;

    /// The same by a client that has seen nothing; `None` for what changes nothing.
    fn alone(self) -> Option<Self>;

    /// A write of this value in its place, where it is a delete.
    fn written_instead(self, value: u32) -> Option<Self>;

    /// Another one of its kind, by a number that was drawn.
    #[must_use]
    fn varied(self, drawn: u32) -> Self;
}

/// How acts are drawn for one plan.
pub trait Drawing<W: Workload> {
    /// Draws how likely each kind of act is.
    fn draw(choices: &mut impl Choices) -> Self;

    /// Whether a habit changes anything for programs with these words.
    fn suits(habit: Habit, words: Option<&W::Words>, claim: Claim) -> bool;

    /// Lays down a habit.
    fn lay_down(&mut self, habit: Habit);

    /// Leaves out what the words of a program's dialect cannot say, or its claim not decide.
    fn leave_out(&mut self, words: &W::Words, claim: Claim);

    /// The next act of a client that has room for so many operations more.
    fn act(
        &self,
        client: u32,
        left: u32,
        values: &mut Values,
        choices: &mut impl Choices,
    ) -> W::Act;

    /// The act that passes on what an act was told, at another node, and writes this value; `None` where
    /// it is told nothing that could be.
    fn passed_on(&self, act: W::Act, value: u32) -> Option<W::Act>;
}

/// What may be laid down for all clients of a plan, so that it is not left to luck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Clients get an answer at one node and at once pass on what it told at another, where it may
    /// not have arrived yet.
    Outrunning,
    /// Values are alike: many equal ones, where writes can be told apart all the same.
    Alike,
    /// Deletes are frequent, by clients that have not seen everything.
    Deleting,
    /// Deletes are frequent, by clients that have just read: so keys are often deleted for good.
    Emptying,
}

/// The words of a dialect.
pub trait Wording<A>: Clone + Debug + Eq + Serialize + DeserializeOwned {
    /// What it is called in reports.
    fn name(&self) -> &str;

    /// The type of a read.
    fn read_type(&self) -> &str;

    /// The type of a write.
    fn write_type(&self) -> &str;

    /// Makes sure that what a file says goes together.
    ///
    /// # Errors
    ///
    /// With the place, and what should stand there.
    fn validate(&self) -> Result<(), DialectError>;

    /// The claim by which what every store has to do is judged on so many nodes: the usual one, where it
    /// can be decided.
    fn demanded(&self, nodes: u32) -> Claim;

    /// The bodies that tell whether a fresh node speaks it, without their ids.
    fn probe(&self) -> Vec<Map<String, Json>>;

    /// Whether the answer to one of these tells that a node speaks it.
    fn is_spoken(&self, answer: &Json) -> bool;

    /// Its messages, each with its fields: for people.
    fn messages(&self) -> Vec<(String, Vec<Field>)>;

    /// What an act is called that there are no words for.
    fn lacks(&self, act: A) -> Option<&'static str>;

    /// Whether tests of an invariant can never fail in this dialect, whatever a store does.
    fn cannot_break(&self, _invariant: Invariant) -> bool {
        false
    }

    /// What cannot be tried in this dialect on so many nodes, or says nothing, and why: a sentence
    /// each. Contexts may have turned out to be opaque.
    fn not_exercised(&self, nodes: u32, opaque_seen: bool) -> Vec<String>;
}

/// Who takes part in a run, and with what.
#[derive(Clone, Copy, Debug)]
pub struct Cast<'p> {
    /// How many nodes there are.
    pub nodes: u32,
    /// The values of the plan.
    pub values: &'p [Json],
    /// Each value that is written is named after its operation, whatever `values` holds.
    pub numbered_values: bool,
    /// How many operations there will be at least.
    pub operations: usize,
}

/// Who asks for an operation, of what.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The client, by its position in the run.
    pub client: usize,
    /// The key, by its position.
    pub key: u32,
    /// The number that the operation will have.
    pub op: OpId,
}

/// An operation that a client begins: what is recorded of it, and what is asked.
#[derive(Debug)]
pub struct Begun<W: Workload> {
    /// What is recorded until it is answered.
    pub action: W::Object,
    /// What is asked.
    pub ask: W::Ask,
}

/// What a node can know of the others, as far as messages reached it.
pub trait Heard {
    /// The latest moment of another node of which a node may have heard.
    fn heard_of(&self, node: u32, other: u32) -> Option<Nanos>;

    /// The present moment.
    fn now(&self) -> Nanos;
}

/// The clients of one run: what they ask, what they remember, and what is recorded.
pub trait Clients<W: Workload> {
    /// Clients that have seen nothing.
    fn new(cast: Cast<'_>, behaviour: W::Behaviour) -> Self;

    /// Completes what the history says about itself.
    fn describe(&self, header: &mut Header);

    /// What the actions refer to by number, when the run is over.
    fn tables(&mut self) -> <W::Object as Actions>::Tables;

    /// A client begins a step.
    fn begin(&mut self, call: Call, act: W::Act, log: &[Operation<W::Object>]) -> Begun<W>;

    /// A client reads a key, last of all.
    fn final_read(&mut self, call: Call) -> Begun<W>;

    /// These were no final reads after all.
    fn take_back(&self, final_reads: &mut [Operation<W::Object>]);

    /// What an answered final read showed, in a form that equal answers share.
    fn shown(&self, action: &W::Object) -> String;

    /// The request of an operation reaches its node.
    fn arrived(&mut self, _op: OpId, _log: &[Operation<W::Object>], _heard: &impl Heard) {}

    /// A client is told the answer to its operation: what became of it, and what it learnt. Of a reply
    /// that leaves the outcome open `None`.
    fn answered(&mut self, call: Call, reply: W::Reply, action: &mut W::Object) -> Option<Status>;

    /// What a client does at once after an operation has ended, if the step goes on.
    fn go_on(
        &mut self,
        call: Call,
        status: Status,
        log: &[Operation<W::Object>],
    ) -> Option<Begun<W>>;

    /// A client will never know what became of its operation. True when it goes on under another name,
    /// with nothing remembered.
    fn left_open(&mut self, call: Call, action: &W::Object) -> bool;

    /// How often the clients got into situations that no history tells, by their names.
    fn situations(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

/// What a client asks of a node.
#[derive(Clone, Debug)]
pub struct Request<W: Workload = Siblings> {
    /// Unique in the run; the answer repeats it.
    pub id: u32,
    /// The client's name.
    pub client: Name,
    /// The number under which messages for it are addressed.
    pub identity: u32,
    /// The position of the node that is asked.
    pub node: u32,
    /// The key.
    pub key: Key,
    /// What is asked.
    pub ask: W::Ask,
}

/// Speaks one dialect with the nodes of one run: requests to bodies, answers to replies.
pub trait Speaker<'p, W: Workload>: Sized {
    /// What has to be known of a request to understand its answer.
    type Question;

    /// Speaks to `nodes`, which so many clients ask. Without `values` each is named after its
    /// operation.
    fn new(
        words: &'p W::Words,
        nodes: &[Actor],
        clients: usize,
        values: Option<&'p [Json]>,
    ) -> Self;

    /// What is peculiar to clients that speak this dialect.
    fn behaviour(&self) -> W::Behaviour;

    /// The type of a request, for messages.
    fn kind(&self, question: &Self::Question) -> &str;

    /// The body of a request, without its id, and what has to be remembered for its answer.
    fn ask(&mut self, request: &Request<W>) -> (Map<String, Json>, Self::Question);

    /// Reads the answer to a question.
    ///
    /// # Errors
    ///
    /// With what cannot be understood, and where it stands.
    fn understand(
        &mut self,
        question: &Self::Question,
        body: &Map<String, Json>,
    ) -> Result<W::Reply, String>;

    /// True when a clock or a context came that cannot be read.
    fn heard_opaque(&self) -> bool {
        false
    }

    /// The field of an answer that holds a value, null for none, where there is one.
    fn value_field(&self) -> Option<&str> {
        None
    }

    /// What is asked one after the other to try whether a program takes the value at a position, each with
    /// its name: a plain write, a `read`, and what else can fail.
    fn trial(&self, position: u32, tag: u64) -> Vec<(&'static str, W::Ask)>;

    /// What came of a trial: of a write nothing, of a read the values that it returned. `None` when it
    /// was refused.
    fn came(reply: W::Reply) -> Option<Vec<Json>>;
}

/// Makes of one row for each workload what plans, nodes and campaigns need to name one of them. `$d` is a
/// dollar sign, for the macros that are made.
macro_rules! workloads {
    ($d:tt $($variant:ident: $object:literal;)*) => {
        /// The name of a workload.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum WorkloadName {
            $(#[doc = $object] $variant,)*
        }

        /// What a client does in one step, of any workload.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Act {
            $(#[doc = $object] $variant(<$variant as Workload>::Act),)*
        }

        /// The words of a dialect, of any workload.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Words {
            $(#[doc = $object] $variant(Box<<$variant as Workload>::Words>),)*
        }

        $(
            impl From<<$variant as Workload>::Act> for Act {
                fn from(act: <$variant as Workload>::Act) -> Self {
                    Self::$variant(act)
                }
            }

            impl TryFrom<Act> for <$variant as Workload>::Act {
                type Error = OfAnotherWorkload;

                fn try_from(act: Act) -> Result<Self, OfAnotherWorkload> {
                    match act {
                        Act::$variant(act) => Ok(act),
                        #[allow(unreachable_patterns, reason = "there may be one workload only")]
                        _ => Err(OfAnotherWorkload),
                    }
                }
            }
        )*

        /// Written as the workload has it: which one it is of follows from the plan.
        impl Serialize for Act {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$variant(act) => act.serialize(serializer),)*
                }
            }
        }

        /// Does the same for the workload of this name, as `$workload`.
        macro_rules! with_workload {
            ($d name:expr, $d workload:ident => $d body:expr) => {
                match $d name {
                    $($d crate::workloads::WorkloadName::$variant => {
                        type $d workload = $d crate::workloads::$variant;
                        $d body
                    })*
                }
            };
        }

        /// Does the same for these words, whatever their workload, as `$workload`.
        macro_rules! with_words {
            ($d words:expr, $d workload:ident, $d of:ident => $d body:expr) => {
                match $d words {
                    $($d crate::workloads::Words::$variant($d of) => {
                        #[allow(dead_code, reason = "not every use needs the name")]
                        type $d workload = $d crate::workloads::$variant;
                        $d body
                    })*
                }
            };
        }

        /// Does the same with this act, whatever its workload.
        macro_rules! with_act {
            ($d act:expr, $d of:ident => $d body:expr) => {
                match $d act {
                    $($d crate::workloads::Act::$variant($d of) => $d body,)*
                }
            };
        }

        impl WorkloadName {
            /// Every workload.
            pub const ALL: [Self; [$(Self::$variant),*].len()] = [$(Self::$variant),*];

            /// What its histories are of, as dialect files have it.
            pub const fn object(self) -> &'static str {
                match self {
                    $(Self::$variant => $object,)*
                }
            }
        }

        /// Written as the workload has them: which one they are of is told by what they are of.
        impl Serialize for Words {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$variant(words) => words.serialize(serializer),)*
                }
            }
        }

        impl Words {
            /// The words of this workload.
            fn read<'de, D: Deserializer<'de>>(
                name: WorkloadName,
                deserializer: D,
            ) -> Result<Self, D::Error> {
                match name {
                    $(WorkloadName::$variant => {
                        Box::deserialize(deserializer).map(Self::$variant)
                    })*
                }
            }

            /// The workload that they are of.
            pub const fn workload(&self) -> WorkloadName {
                match self {
                    $(Self::$variant(_) => WorkloadName::$variant,)*
                }
            }
        }
    };
}

workloads! { $
    Siblings: "siblings";
    Registers: "register";
}

pub(crate) use {with_words, with_workload};

/// An act was not of the workload that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the act is of another workload")]
pub struct OfAnotherWorkload;

impl Act {
    /// How many operations it comes to, one after the other.
    pub fn operations(self) -> u32 {
        with_act!(self, act => act.operations())
    }

    /// The positions of the values that it names.
    pub fn values(self) -> Vec<u32> {
        with_act!(self, act => act.values())
    }

    /// The same with other positions of its values.
    #[must_use]
    pub fn with_values(self, moved: &dyn Fn(u32) -> u32) -> Self {
        with_act!(self, act => act.with_values(moved).into())
    }

    /// Plainer acts that may show the same, the plainest first.
    pub fn plainer(self) -> Vec<Self> {
        with_act!(self, act => act.plainer().into_iter().map(Into::into).collect())
    }

    /// The same by a client that has seen nothing; `None` for what changes nothing.
    pub fn alone(self) -> Option<Self> {
        with_act!(self, act => act.alone().map(Into::into))
    }

    /// A write of this value in its place, where it is a delete.
    pub fn written_instead(self, value: u32) -> Option<Self> {
        with_act!(self, act => act.written_instead(value).map(Into::into))
    }

    /// Another one of its kind, by a number that was drawn.
    #[must_use]
    pub fn varied(self, drawn: u32) -> Self {
        with_act!(self, act => act.varied(drawn).into())
    }
}

impl Words {
    /// What the dialect is called in reports.
    pub fn name(&self) -> &str {
        with_words!(self, W, words => words.name())
    }
}
