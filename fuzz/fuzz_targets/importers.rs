//! Importers of every form of file, cut off and damaged.

#![cfg_attr(fuzzing, no_main)]

#[macro_use]
mod shim;

target!(sibcheck::fuzzing::importers::run);
