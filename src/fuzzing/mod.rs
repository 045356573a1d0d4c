//! What the fuzz targets do: generators and oracles that `cargo test` runs too.
//!
//! Each target is a function of bytes that panics when a law is broken; a target under `fuzz/` only
//! calls it. The seeds and past findings under `corpora/fuzz/<target>/` are replayed through the
//! same functions on stable Rust.

#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a panic is how a fuzz target reports; generators state what they guarantee"
)]

pub mod clock_merge;
pub mod cluster_plan;
pub mod dynamo_messages;
pub mod histories;
pub mod importers;
pub mod protocol_decode;
pub mod reports;

/// A fuzz target: panics when a law is broken.
pub type Target = fn(&[u8]);

/// Every target by the name it has under `fuzz/fuzz_targets/` and `corpora/fuzz/`.
pub const TARGETS: [(&str, Target); 7] = [
    ("clock_merge", clock_merge::run),
    ("cluster_plan", cluster_plan::run),
    ("dynamo_messages", dynamo_messages::run),
    ("histories", histories::run),
    ("importers", importers::run),
    ("protocol_decode", protocol_decode::run),
    ("reports", reports::run),
];
