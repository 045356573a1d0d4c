//! Reports and errors of hostile files.

#![cfg_attr(fuzzing, no_main)]

#[macro_use]
mod shim;

target!(sibcheck::fuzzing::reports::run);
