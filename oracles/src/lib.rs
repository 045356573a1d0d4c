//! Oracles: what the checkers are tested against and measured with.
//!
//! There are two kinds, for histories of siblings ([`siblings`]) and of registers ([`registers`]).
//! *Brute force* answers the checkers' questions from the definitions alone, by trying every
//! possibility, so it serves for small histories only. *Generators* simulate a store and so give
//! histories of any size whose verdict is known.
//!
//! Nothing that judges uses this crate. Tests, fuzz targets, benchmarks and `sibcheck generate` do.

#![forbid(unsafe_code)]

pub mod registers;
pub mod siblings;

/// Narrows a count. Generated histories have at most `u32::MAX` operations, clients and keys.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
