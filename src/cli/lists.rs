//! Names in help texts, from where they are defined.

use sibcheck_checkers::Claim;

use crate::{simulation::FaultName, workloads::Dialect};

fn list<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// What `--claim` takes; `what` says what it is for, and `usual` what is taken where there is none.
pub(super) fn claims(what: &str, usual: &str) -> String {
    let claims = list(Claim::ALL.iter().map(|claim| claim.name()));
    format!("{what}: one of {claims} [default: {usual}]")
}

/// What `--dialect` takes.
pub(super) fn dialects() -> String {
    let dialects = list(Dialect::BUILT_IN.iter().map(Dialect::name));
    format!(
        "How the program words reads and writes: {dialects}, or a file that describes it \
         (docs/custom-dialects.md) [default: found out by asking]"
    )
}

/// What `--faults` takes.
pub(super) fn faults() -> String {
    let names = |on_request: bool| {
        let kinds = FaultName::ALL.into_iter();
        let kinds = kinds.filter(|kind| kind.is_on_request() == on_request);
        list(kinds.map(FaultName::name))
    };
    format!(
        "Kinds of fault that may occur, separated by commas: {}, all of these, {}, or none [default: all; \
         for a program reorder and partition]. A program meets them one after the other: none, then \
         each in addition",
        names(false),
        names(true)
    )
}
