//! Programs outside, and the real binary from outside, wherever it waits for them: in one test program, so
//! that what waits in one test overlaps with what is computed in another.
//!
//! A test whose interpreter is missing says so and passes; continuous integration installs it.

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod conform;
mod dialects;
mod evidence;
mod files;
mod first_hour;
mod formats;
mod library;
mod lockstep;
mod outside;
mod power;
mod real_time;
mod registers;
mod strata;
mod time;
mod vocabulary;
mod wild;
