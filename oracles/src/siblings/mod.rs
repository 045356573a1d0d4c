//! Oracles for histories of siblings.

pub mod brute_force;
pub mod generate;
