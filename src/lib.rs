//! sibcheck: tells whether a replicated store really keeps what was written to it.
//!
//! It runs concurrent clients against stores that keep concurrent writes as *siblings*, tracked by
//! vector clocks or dotted version vectors, under simulated faults, and judges the recorded
//! histories. One straight line: a [`plans::Plan`] is run by [`runner::run`] in the
//! [`simulation`] on [`nodes`], which gives a history; `sibcheck_checkers::judge` gives a verdict;
//! [`reports`] renders it. `ARCHITECTURE.md` has the map.

pub mod campaign;
pub mod cases;
pub mod choices;
pub mod cli;
pub mod clocks;
pub mod corpus;
pub mod demo;
pub mod exit;
pub mod files;
pub mod fuzzing;
pub mod interrupt;
pub mod nodes;
pub mod plans;
pub mod program_under_test;
#[cfg(test)]
#[path = "../checkers/src/property_tests.rs"]
mod property_tests;
pub mod protocol;
pub mod reports;
pub mod runner;
pub mod simulation;
pub mod stopwatch;
pub mod stores;
pub mod workloads;
