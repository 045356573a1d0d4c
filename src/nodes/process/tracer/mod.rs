//! The tracer: an unmodified program whose clock, waits and randomness are ours.
//!
//! The program runs under ptrace(2) with a filter that stops it in calls that read the clock, wait for a
//! time, or ask for randomness. Clocks answer what the node's clock ([`NodeClock`](crate::simulation::NodeClock)) shows at the present
//! moment of the run. A thread that waits for a time waits in the kernel without a limit; timers of a
//! process are kept here. Nothing happens by itself: whoever owns the run asks when the first of them is
//! due ([`Tracer::due`]), and lets it go off ([`Tracer::fire`]) when all nodes rest. So timers, messages
//! and faults come in one order, and a second costs what is done in it.
//!
//! # What it has to know
//!
//! - Only the thread that seized a program may act on it and wait for it, and it waits for known
//!   numbers only: a wait for any child would take what others wait for.
//! - What has to be put right at the end of a call stops the thread there again.
//! - A stop that was not looked at holds its thread for ever. All stops are looked at while the program
//!   is waited for; between two waits it rests.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod engine;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
#[path = "absent.rs"]
mod engine;

use std::collections::BTreeSet;

use crate::simulation::NodeClock;

pub(super) use engine::{Tracer, command};

/// Where a program's randomness comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracing {
    /// The seed.
    pub seed: u64,
    /// Which of the streams under that seed; no two lives of nodes share one.
    pub stream: u64,
    /// What its clocks show.
    pub clock: NodeClock,
    /// Whether the program can be made to crash before it changes a file ([`Process::doom`]), which
    /// costs a stop at each change.
    ///
    /// [`Process::doom`]: super::Process::doom
    pub deeds: bool,
    /// Whether its machine can lose power ([`Process::lose_power`]), which costs a copy of each file
    /// that is synced, and of all of its folder at the begin.
    ///
    /// [`Process::lose_power`]: super::Process::lose_power
    pub storage: bool,
}

/// What could not be held to virtual time, or be seen, of one program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaks {
    /// Calls that wait in real time, by name.
    pub calls: BTreeSet<&'static str>,
    /// How far time moved on because a thread computed for long, in nanoseconds: in one life of one
    /// program, at most.
    pub crept: u64,
    /// Why it is not known what of its files is on storage, so that a loss of power takes nothing.
    pub storage: BTreeSet<String>,
}

impl Leaks {
    /// Those of another program, too.
    pub fn add(&mut self, other: &Self) {
        self.calls.extend(&other.calls);
        self.crept = self.crept.max(other.crept);
        self.storage.extend(other.storage.iter().cloned());
    }
}
