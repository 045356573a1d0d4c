//! One line an operation, in the order of invocation:
//!
//! ```text
//! c1@n1 write a -> {n1:1}                       blind write, acknowledged with a clock
//! c1@n1 write b after 0 with {n1:1} -> {n1:2}   context from the answer of operation 0
//! c2@n2 delete after 0,1 -> n2.1/{n1:2}         acknowledged with a dot over its past
//! c3@n1 read a={n1:1} b=n1.2 context {n1:2}     siblings with their versions
//! c3@n1 final a~7 †~8                           final read; a value and a tombstone with tags
//! c1@n1 write c info                            or fail
//! ```
//!
//! The options `key=y`, `[from..to]` in milliseconds and `tag=7` stand before the verb. Without
//! times operation `i` takes from `10·i` to `10·i + 5` ms. `hidden` or `reaped` on a line of its own
//! says that reads hide tombstones, or that these may be removed; `replica` that writes supersede what
//! their node holds. `#` begins a comment.

use sibcheck_checkers::{
    ObjectModel,
    history::{
        Action, Data, Header, History, Name, Operation, Read, ReportedClock, Sibling, Sources,
        Status, Tombstones, Value, Version, Write,
    },
};

const MS: u64 = 1_000_000;

/// Reads the notation.
pub(crate) fn history(text: &str) -> History {
    let mut history = History {
        header: Header {
            origin: "a test".to_owned(),
            ..Header::default()
        },
        clients: Vec::new(),
        nodes: Vec::new(),
        keys: Vec::new(),
        operations: Vec::new(),
        faults: Vec::new(),
        tables: (),
    };
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<_> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            ["replica"] => history.header.model = ObjectModel::Replica,
            ["hidden"] => history.header.tombstones = Tombstones::Hidden,
            ["reaped"] => history.header.tombstones = Tombstones::Reaped,
            [who, rest @ ..] => operation(&mut history, who, rest),
        }
    }
    history
}

fn operation(history: &mut History, who: &str, mut words: &[&str]) {
    let (client, node) = who.split_once('@').expect("client@node");
    let start = history.operations.len() as u64 * 10;
    let (mut key, mut times, mut tag) = ("x", (start * MS, Some((start + 5) * MS)), None);
    let verb = loop {
        let [word, rest @ ..] = words else {
            panic!("a verb in {words:?}")
        };
        words = rest;
        if let Some(name) = word.strip_prefix("key=") {
            key = name;
        } else if let Some(number) = word.strip_prefix("tag=") {
            tag = Some(number.parse().expect("a tag"));
        } else if let Some(span) = word.strip_prefix('[') {
            let (from, to) = span
                .trim_end_matches(']')
                .split_once("..")
                .expect("[from..to]");
            times = (
                from.parse::<u64>().expect("a time") * MS,
                to.parse::<u64>().ok().map(|to| to * MS),
            );
        } else {
            break *word;
        }
    };
    let mut status = Status::Ok;
    let mut action = match verb {
        "write" => {
            let data = Data::from(words[0]);
            words = &words[1..];
            blind(Value { tag, data }, false)
        }
        "delete" => blind(
            Value {
                tag,
                data: Data::NULL,
            },
            true,
        ),
        "read" => Action::Read(Read::default()),
        "final" => Action::Read(Read {
            last: true,
            ..Read::default()
        }),
        other => panic!("no verb {other:?}"),
    };
    while let [word, rest @ ..] = words {
        words = rest;
        let mut argument = || {
            let [argument, rest @ ..] = words else {
                panic!("something after {word}")
            };
            words = rest;
            *argument
        };
        match (*word, &mut action) {
            ("info", _) => (status, times.1) = (Status::Info, None),
            ("fail", _) => status = Status::Fail,
            ("after", Action::Write(write)) => {
                let numbers = argument()
                    .split(',')
                    .map(|number| number.parse().expect("a number"));
                write.sources = numbers.collect();
            }
            ("with", Action::Write(write)) => write.context = Some(clock(argument())),
            ("->", Action::Write(write)) => write.version = Some(version(argument())),
            ("context", Action::Read(read)) => read.context = Some(clock(argument())),
            (shown, Action::Read(read)) => {
                let shown = [sibling(shown)];
                read.siblings = read.siblings.iter().cloned().chain(shown).collect();
            }
            (other, _) => panic!("what is {other:?}?"),
        }
    }
    let operation = Operation {
        client: number(&mut history.clients, client),
        node: number(&mut history.nodes, node),
        key: number(&mut history.keys, key),
        invoked: times.0,
        completed: times.1,
        status,
        action,
    };
    history.operations.push(operation);
}

fn blind(value: Value, tombstone: bool) -> Action {
    Action::Write(Box::new(Write {
        value,
        tombstone,
        sources: Sources::NONE,
        context: None,
        version: None,
    }))
}

fn number(names: &mut Vec<Name>, name: &str) -> u32 {
    let at = names
        .iter()
        .position(|known| known == name)
        .unwrap_or_else(|| {
            names.push(name.into());
            names.len() - 1
        });
    u32::try_from(at).expect("few names")
}

fn sibling(text: &str) -> Sibling {
    let (shown, reported) = text
        .split_once('=')
        .map_or((text, None), |(shown, v)| (shown, Some(v)));
    let (shown, tag) = shown
        .split_once('~')
        .map_or((shown, None), |(shown, tag)| (shown, Some(tag)));
    let tombstone = shown == "†";
    Sibling {
        value: Value {
            tag: tag.map(|tag| tag.parse().expect("a tag")),
            data: if tombstone { Data::NULL } else { shown.into() },
        },
        tombstone,
        version: reported.map(version),
    }
}

fn version(text: &str) -> Version {
    if text.starts_with('{') {
        return Version::Clock(clock(text));
    }
    let (dot, past) = text
        .split_once('/')
        .map_or((text, None), |(dot, past)| (dot, Some(past)));
    let (actor, counter) = dot.split_once('.').expect("actor.counter");
    Version::Dotted {
        actor: actor.into(),
        counter: counter.parse().expect("a counter"),
        past: past.map(clock),
    }
}

fn clock(text: &str) -> ReportedClock {
    let entries = text
        .trim_matches(['{', '}'])
        .split(',')
        .filter(|entry| !entry.is_empty());
    ReportedClock::from_entries(entries.map(|entry| {
        let (name, counter) = entry.split_once(':').expect("name:counter");
        (name.into(), counter.parse().expect("a counter"))
    }))
}
