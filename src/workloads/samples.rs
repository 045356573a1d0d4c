//! The sample conformance cases of each dialect, compiled in from `corpora/conformance/`.

/// A sample case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The name of the dialect that it is in.
    pub dialect: &'static str,
    /// Its file's name, without the ending.
    pub name: &'static str,
    /// The case, as [`Case::parse`](crate::protocol::Case::parse) reads it.
    pub text: &'static str,
}

macro_rules! samples {
    ($($dialect:literal: $($name:literal),*;)*) => {
        /// Every sample, dialect by dialect.
        pub const SAMPLES: &[Sample] = &[$($(Sample {
            dialect: $dialect,
            name: $name,
            text: include_str!(concat!("../../corpora/conformance/", $name, ".txt")),
        },)*)*];
    };
}

samples! {
    "vc": "vc-write-read", "vc-read-missing";
    "vv": "vv-write-read", "vv-read-missing";
    "dvv": "dvv-update", "dvv-update-update-get";
    "kv": "kv-concurrent-puts";
    "mv": "mv-merge-keeps-both";
    "lin-kv": "lin-kv-write-read-cas", "lin-kv-missing-key";
}

/// The samples of the dialect of this name; none when there are none.
pub fn samples_of(dialect: &str) -> impl Iterator<Item = &'static Sample> {
    SAMPLES
        .iter()
        .filter(move |sample| sample.dialect == dialect)
}

#[cfg(test)]
mod tests {
    use crate::{protocol::Case, workloads::Dialect};

    use super::*;

    #[test]
    fn every_sample_is_a_case() {
        for sample in SAMPLES {
            let case = Case::parse(sample.text);
            assert!(case.is_ok(), "{}: {case:?}", sample.name);
        }
    }

    #[test]
    fn every_dialect_has_samples() {
        for dialect in Dialect::BUILT_IN {
            assert!(
                samples_of(&dialect.to_string()).next().is_some(),
                "{dialect}"
            );
        }
    }
}
