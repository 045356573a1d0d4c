//! Tests of the checkers from outside, in one program.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests state what must be"
)]

mod agreement;
mod big_histories;
mod evidence;
mod exhaustive;
mod files;
mod goldens;
mod impatient;
mod imports;
mod labelled;
mod outside;
mod positive_controls;
#[path = "../../src/property_tests.rs"]
mod property_tests;
mod reaped;
mod registers;
mod schema;
mod screening;
mod support;
mod timeline;
