//! A whole simulated run of a correct store, judged.

#![cfg_attr(fuzzing, no_main)]

#[macro_use]
mod shim;

target!(sibcheck::fuzzing::cluster_plan::run);
