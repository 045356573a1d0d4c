//! Oracles for histories of registers.

pub mod brute_force;
pub mod generate;
