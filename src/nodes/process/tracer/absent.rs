//! Where there is no tracer: on other systems and processors.

use std::{io, path::Path, process::Command};

use super::{Leaks, Tracing};
use crate::simulation::NodeClock;

/// There is none of these.
#[derive(Debug)]
pub(in crate::nodes::process) enum Tracer {}

/// The program itself, which is not going to be traced.
pub(in crate::nodes::process) fn command(program: &Path) -> Command {
    Command::new(program)
}

impl Tracer {
    pub(in crate::nodes::process) fn seize(
        _: u32,
        _: Tracing,
        _: &Path,
        _: &Path,
    ) -> io::Result<Self> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the clocks of programs can be taken over on Linux on x86-64 only",
        ))
    }

    pub(in crate::nodes::process) fn now(&self) -> u64 {
        match *self {}
    }

    pub(in crate::nodes::process) fn pass_to(&mut self, _: u64) {
        match *self {}
    }

    pub(in crate::nodes::process) fn set_clock(&mut self, _: NodeClock) {
        match *self {}
    }

    pub(in crate::nodes::process) fn clock_was_used(&mut self) -> bool {
        match *self {}
    }

    pub(in crate::nodes::process) fn status(&self) -> Option<i32> {
        match *self {}
    }

    pub(in crate::nodes::process) fn doom(&mut self, _: Option<u32>) {
        match *self {}
    }

    pub(in crate::nodes::process) fn fell(&self) -> bool {
        match *self {}
    }

    pub(in crate::nodes::process) fn lose_power(&mut self, _: bool) -> io::Result<Option<u64>> {
        match *self {}
    }

    pub(in crate::nodes::process) fn leaks(&self) -> &Leaks {
        match *self {}
    }

    pub(in crate::nodes::process) fn take_births(&mut self) -> Vec<(u32, u32)> {
        match *self {}
    }

    pub(in crate::nodes::process) fn is_held(&self, _: u32) -> bool {
        match *self {}
    }

    pub(in crate::nodes::process) fn rested(&mut self) {
        match *self {}
    }

    pub(in crate::nodes::process) fn kill(&self) {
        match *self {}
    }

    pub(in crate::nodes::process) fn is_over(&self) -> bool {
        match *self {}
    }

    pub(in crate::nodes::process) fn creep(&mut self, _: u64) -> io::Result<()> {
        match *self {}
    }

    pub(in crate::nodes::process) fn due(&self) -> Option<u64> {
        match *self {}
    }

    pub(in crate::nodes::process) fn fire(&mut self) -> io::Result<bool> {
        match *self {}
    }

    pub(in crate::nodes::process) fn pump(&mut self) -> io::Result<bool> {
        match *self {}
    }
}
