//! What every store of registers is asked first.

use super::{Act, Expectation, Wording};
use crate::workloads::Script;

/// What every store of a dialect is asked: all of it on one key, but for what says that keys have nothing
/// to do with each other.
pub(super) fn demands(words: &Wording, nodes: u32) -> Vec<(&'static str, Script<Act>)> {
    let script = Script::default;
    let read = |script: Script<Act>, client| script.act(client, 0, Act::Read);
    let write = |mut script: Script<Act>, client, key| {
        let value = script.value();
        script.act(client, key, Act::Write { value })
    };
    let cas = |mut script: Script<Act>, client, from| {
        let value = script.value();
        script.act(client, 0, Act::Cas { from, value })
    };
    let written = || write(script(), 0, 0);
    let mut demands = vec![
        ("a key that nobody wrote is absent", read(script(), 0)),
        ("what was written is read back", read(read(written(), 0), 1)),
        (
            "a write replaces what was there",
            read(write(written(), 1, 0), 0),
        ),
        (
            "keys have nothing to do with each other",
            read(write(written(), 1, 1), 0),
        ),
    ];
    if words.cas.is_some() {
        let last_seen = Expectation::LastSeen;
        demands.extend([
            (
                "a compare-and-set from what is there replaces it",
                read(cas(written(), 0, last_seen), 1),
            ),
            (
                "a compare-and-set from something else changes nothing",
                // The other client has replaced what this one expects.
                read(cas(write(written(), 1, 0), 0, last_seen), 1),
            ),
            ("of two compare-and-sets from one value one is refused", {
                let script = read(read(written(), 1), 2);
                read(cas(cas(script, 1, last_seen).at_once(), 2, last_seen), 0)
            }),
        ]);
    }
    if words.delete.is_some() {
        demands.push((
            "a deleted key is absent",
            read(written().act(0, 0, Act::Delete), 1),
        ));
    }
    if nodes > 1 {
        demands.push((
            "what was written through one node is read through the others",
            (1..nodes).fold(written(), read),
        ));
    }
    demands
}
