//! What every sibling store is asked first.

use super::{Act, ContextChoice, Contexts, Wording};
use crate::workloads::Script;

/// A demand that is being written down: all of it on one key, unless another is named.
#[derive(Default)]
struct Demand(Script<Act>);

impl Demand {
    fn act(self, client: u32, key: u32, act: Act) -> Self {
        Self(self.0.act(client, key, act))
    }

    fn at_once(self) -> Self {
        Self(self.0.at_once())
    }

    fn read(self, client: u32) -> Self {
        self.act(client, 0, Act::Read)
    }

    fn write(self, client: u32, context: ContextChoice) -> Self {
        self.write_to(client, 0, context)
    }

    fn write_to(mut self, client: u32, key: u32, context: ContextChoice) -> Self {
        let value = self.0.value();
        self.act(client, key, Act::Write { value, context })
    }

    fn resolve(mut self, client: u32) -> Self {
        let value = self.0.value();
        self.act(client, 0, Act::Resolve { value })
    }

    fn delete(self, client: u32, context: ContextChoice) -> Self {
        self.act(client, 0, Act::Delete { context })
    }
}

/// What every store of a dialect is asked.
pub(super) fn demands(wording: &Wording) -> Vec<(&'static str, Script<Act>)> {
    use ContextChoice::{Blind, LastRead, LastWrite, OneSibling};
    let script = Demand::default;
    let two = || script().write(0, Blind).at_once().write(1, Blind);
    let five = || {
        (2..5).fold(two(), |script, client| {
            script.at_once().write(client, Blind)
        })
    };
    let mut scripts = vec![
        ("a key that nobody wrote has no values", script().read(0)),
        (
            "what was written is read back",
            script().write(0, Blind).read(0).read(1),
        ),
        (
            "keys have nothing to do with each other",
            script()
                .write_to(0, 0, Blind)
                .write_to(1, 1, Blind)
                .read(1)
                .act(0, 1, Act::Read),
        ),
    ];
    if wording.contexts() == Contexts::Absent {
        scripts.extend([
            (
                "a write replaces what its node holds",
                script().write(0, Blind).read(0).write(0, Blind).read(0),
            ),
            ("no write of several clients is lost", five().read(0)),
        ]);
    } else {
        scripts.extend([
            (
                "of two writes without a context both values stay",
                two().read(2),
            ),
            (
                "of five writes without a context all values stay",
                five().read(0),
            ),
            (
                "a write with the context of a read replaces what was read",
                script().write(0, Blind).read(1).write(1, LastRead).read(2),
            ),
            (
                "a write with the context of the read before it resolves siblings",
                two().resolve(2).read(0),
            ),
            (
                "a write with an old context leaves what came after that context",
                script()
                    .write(0, Blind)
                    .read(1)
                    .write(0, LastWrite)
                    .write(1, LastRead)
                    .read(2),
            ),
        ]);
    }
    if wording.has_clocks_apart() {
        scripts.push((
            "a write in place of one sibling leaves the others",
            two().read(2).write(2, OneSibling(0)).read(0),
        ));
    }
    if wording.has_clocks_apart() && wording.delete.is_some() {
        scripts.push((
            "a delete of one sibling leaves the others",
            two().read(2).delete(2, OneSibling(0)).read(0),
        ));
    }
    if wording.delete.is_some() {
        scripts.extend(deletes(&script));
    }
    let scripts = scripts.into_iter();
    scripts
        .map(|(what, Demand(script))| (what, script))
        .collect()
}

/// The same of deletes.
fn deletes(script: &impl Fn() -> Demand) -> [(&'static str, Demand); 3] {
    use ContextChoice::{Blind, LastRead, LastWrite};
    [
        (
            "a delete with the context of a read deletes what was read",
            script().write(0, Blind).read(1).delete(1, LastRead).read(2),
        ),
        (
            "a delete with an old context leaves what came after that context",
            script()
                .write(0, Blind)
                .read(1)
                .write(0, LastWrite)
                .delete(1, LastRead)
                .read(2),
        ),
        (
            "a deleted key can be written again",
            script()
                .write(0, Blind)
                .read(0)
                .delete(0, LastRead)
                .read(1)
                .write(1, LastRead)
                .read(2),
        ),
    ]
}
