//! Everything that parses, and a served store that must not forget.

#![cfg_attr(fuzzing, no_main)]

#[macro_use]
mod shim;

target!(sibcheck::fuzzing::protocol_decode::run);
