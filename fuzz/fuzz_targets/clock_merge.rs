//! The laws of merge and comparison of every clock, against causal histories.

#![cfg_attr(fuzzing, no_main)]

#[macro_use]
mod shim;

target!(sibcheck::fuzzing::clock_merge::run);
