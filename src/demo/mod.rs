//! The Dynamo-style store to be played with: commands, what comes of them, and a scripted play.
//!
//! - `play.rs`: the cluster, as a plan that grows and is run up to the present; `refusal.rs`: why something cannot
//!   be played.
//! - `command.rs`: what can be typed; `session.rs`: what is done then, and answered.
//! - `told.rs`: operations, rings and siblings in words.
//! - `script.rs`: the scripted play, made of the same commands.

mod command;
mod play;
mod refusal;
mod script;
mod session;
mod told;

pub use command::{COMMANDS, Command, NoCommand, Usage};
pub use play::{Asked, MOST_NODES, Operation, Play, What};
pub use refusal::Refusal;
pub use script::play_script;
pub use session::{Answer, Session, Wrong};
