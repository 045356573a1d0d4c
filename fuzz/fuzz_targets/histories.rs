//! Importers of foreign histories, and the judges of what they read.

#![cfg_attr(fuzzing, no_main)]

#[macro_use]
mod shim;

target!(sibcheck::fuzzing::histories::run);
