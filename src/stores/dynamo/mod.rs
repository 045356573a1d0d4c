//! A partitioned, replicated store that is always writable, in the manner of Dynamo (DeCandia et al. 2007),
//! Riak and Cassandra.
//!
//! A key has N owners, the first nodes of its preference list on a [`Ring`]. Any node takes a request. A
//! write is *coordinated* by an owner: it gives the value a dot of its own, makes it durable, sends the
//! key's whole set to the other owners, and answers when W of them have it on storage. A read asks all
//! owners, merges the first R answers, and repairs those that were behind. What an owner missed while
//! it could not be reached is kept for it as a *hint* and handed off; what hints miss, anti-entropy finds.
//!
//! - `ring.rs`: which nodes own a key.
//! - `quorums.rs`: N, R and W, and the claim that they earn.
//! - `record.rs`: what a node keeps of a key, and whose dots it may still give out.
//! - `message.rs`: what nodes tell each other.
//! - `node.rs`: the node; `coordinate.rs`: its reads and writes; `asked.rs`: who is asked; `rules.rs`: the steps that a planted bug may
//!   replace; `deeds.rs`: how often each mechanism was at work.
//! - `inspected.rs`: what can be seen of a node from outside.
//! - `handoff.rs`: hints for owners that missed something.
//! - `anti_entropy.rs`: comparisons of owners, by the Merkle trees of `tree.rs`.
//! - `members.rs`: who joins and leaves, in the versions of `view.rs`, and which tombstones are reaped.
//!
//! Ownership follows from the names of the members and never from who seems to be alive.

mod anti_entropy;
mod asked;
mod coordinate;
mod deeds;
mod handoff;
mod inspected;
mod members;
mod message;
mod node;
mod quorums;
mod record;
pub mod ring;
mod rules;
mod tree;
mod view;

pub use inspected::Inspected;
pub use message::{Body, Message, OpId, Outcome, Write};
pub use node::Dynamo;
pub use quorums::{Quorums, UnknownQuorums};
pub use record::{Place, Record};
pub use ring::Ring;
pub use rules::{Durable, Hints, Reaping, Rules, Trees, Views};
pub use tree::Part;
pub use view::View;
