//! A node of the Dynamo-style store among hostile peers.

#![cfg_attr(fuzzing, no_main)]

#[macro_use]
mod shim;

target!(sibcheck::fuzzing::dynamo_messages::run);
