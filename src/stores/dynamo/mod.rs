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
//! - `node.rs`: the node; `coordinate.rs`: its reads and writes; `repair.rs`: hints and anti-entropy;
//!   `deeds.rs`: how often each mechanism was at work.
//!
//! Ownership follows from the names of the cluster's nodes and never from who seems to be alive.

mod coordinate;
mod deeds;
mod message;
mod node;
mod quorums;
mod record;
mod repair;
pub mod ring;

pub use message::{Message, OpId, Outcome};
pub use node::{Durable, Dynamo, Hints, Rules};
pub use quorums::{Quorums, UnknownQuorums};
pub use record::{Place, Record};
pub use ring::Ring;
