//! Small files as people who test stores have them: each is judged as what it is, or not at all.

use std::{fs, io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};
use sibcheck_checkers::{
    Claim, Outcome,
    history::Tombstones,
    import::{Content, Import, ImportError, Note, Options, import, import_as, write_registers},
    judge,
    registers::{self, Budget},
};

fn folder() -> &'static Path {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/checkers/samples/outside"
    ))
}

/// What is right for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Right {
    Judged(Outcome),
    /// Judged up to a fault in this line.
    Fault(Outcome, u64),
    /// Of another object, for this `f` in this line.
    OtherObject(&'static str, u64),
    /// Keyed or not, as this line contradicts others.
    Unclear(u64),
    /// Known, and no history.
    NoHistory,
    Unreadable(String),
}

const VALID: Right = Right::Judged(Outcome::Valid);
const VIOLATED: Right = Right::Judged(Outcome::Violated);

const TABLE: [(&str, Right); 31] = [
    ("bank.edn", Right::OtherObject("transfer", 3)),
    ("bank.json", Right::OtherObject("transfer", 4)),
    ("byte-order-mark.edn", VALID),
    ("counter.edn", Right::OtherObject("add", 3)),
    ("delete-against-edit.jsonl", VALID),
    ("delete-then-empty.jsonl", VALID),
    ("equal-values-with-tags.jsonl", VIOLATED),
    ("etcd-operations.json", Right::NoHistory),
    ("events-array.json", VALID),
    ("float-int.edn", VIOLATED),
    ("float-int.jsonl", VALID),
    ("jepsen-console.log", VALID),
    ("jepsen-history-with-errors.txt", VALID),
    ("jepsen-keyed-history-with-errors.txt", VALID),
    ("jepsen-log-stale-read.log", VIOLATED),
    ("keyed-by-tag.edn", VALID),
    ("keyed-cas-only-bad.edn", VIOLATED),
    ("keyed-cas-only.edn", VALID),
    ("keyed-or-not.edn", Right::Unclear(5)),
    ("keyed-with-a-failed-unkeyed-read.edn", VALID),
    ("keyed.json", VALID),
    ("missing-read-value.edn", Right::Fault(Outcome::Unknown, 4)),
    (
        "missing-read-value.jsonl",
        Right::Fault(Outcome::Unknown, 4),
    ),
    ("pretty-stale-read.json", VIOLATED),
    ("refused-cas-echoes.jsonl", VALID),
    ("refused-cas-shows-unwritten-value.jsonl", VIOLATED),
    ("register-delete.jsonl", VALID),
    ("register-of-pairs.edn", VALID),
    ("results.edn", Right::NoHistory),
    ("set.jsonl", Right::OtherObject("add", 3)),
    ("tombstones-shown.jsonl", VALID),
];

fn outcome(import: &Import) -> Outcome {
    match &import.content {
        Content::Registers(history) => {
            let verdict = registers::judge(history, Budget::default());
            verdict.unwrap().outcome
        }
        Content::Siblings(history) => judge(history, Claim::Eventual).unwrap().outcome,
    }
}

fn found(bytes: &[u8], options: Options) -> Right {
    match import_as(bytes, "sample", options) {
        Ok(import) => match &import.fault {
            Some(fault) => Right::Fault(outcome(&import), fault.line),
            None => Right::Judged(outcome(&import)),
        },
        Err(ImportError::OtherObject { line, function }) => {
            let known = ["transfer", "add", "txn", "dequeue"];
            let named = known.into_iter().find(|name| *name == function);
            Right::OtherObject(named.unwrap_or("?"), line)
        }
        Err(ImportError::Unclear { line }) => Right::Unclear(line),
        Err(ImportError::NoHistory { .. }) => Right::NoHistory,
        Err(error) => Right::Unreadable(error.to_string()),
    }
}

fn sample(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap()
}

#[test]
fn every_file_is_judged_as_what_it_is() {
    let mut names: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        TABLE.map(|(name, _)| name),
        "each has a right verdict"
    );
    let wrong: Vec<_> = TABLE
        .into_iter()
        .map(|(name, right)| (name, found(&sample(name), Options::default()), right))
        .filter(|(_, found, right)| found != right)
        .collect();
    assert!(wrong.is_empty(), "found, and right: {wrong:#?}");
}

#[test]
fn the_same_in_other_encodings_and_with_other_line_ends() {
    for (name, right) in TABLE {
        let text = String::from_utf8(sample(name)).unwrap();
        let text = text.trim_start_matches('\u{feff}');
        let marked = format!("\u{feff}{text}");
        let units = || marked.encode_utf16();
        let returns = text.replace('\n', "\r\n");
        for (how, bytes) in [
            ("UTF-8", marked.clone().into_bytes()),
            (
                "little-endian",
                units().flat_map(u16::to_le_bytes).collect(),
            ),
            ("big-endian", units().flat_map(u16::to_be_bytes).collect()),
            ("line ends", returns.into_bytes()),
        ] {
            let found = found(&bytes, Options::default());
            assert_eq!(found, right, "{name}, {how}");
        }
    }
}

#[test]
fn registers_keep_their_verdict_by_being_written() {
    let mut written = 0;
    for (name, right) in TABLE {
        let Ok(first) = import(sample(name).as_slice(), name) else {
            continue;
        };
        if let Content::Registers(history) = &first.content {
            let mut bytes = Vec::new();
            write_registers(history, &mut bytes).unwrap();
            let again = import(bytes.as_slice(), name).unwrap();
            assert_eq!(outcome(&again), outcome(&first), "{name}, {right:?}");
            written += 1;
        }
    }
    assert!(written > 15, "{written}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[test]
fn what_gzip_packed_is_read() {
    for name in [
        "float-int.edn",
        "events-array.json",
        "delete-against-edit.jsonl",
    ] {
        let plain = fs::read(folder().join(name)).unwrap();
        let right = import(plain.as_slice(), name).unwrap();
        let packed = gzip(&plain);
        assert_eq!(import(packed.as_slice(), name).unwrap(), right);
        // Members one after another are one file, also where the first ends within a line.
        let (one, other) = plain.split_at(plain.len() / 2);
        let members = [gzip(one), gzip(other)].concat();
        assert_eq!(import(members.as_slice(), name).unwrap(), right);
        let cut = import(&packed[..packed.len() / 2], name).unwrap_err();
        assert!(cut.to_string().contains("reading failed"), "{cut}");
    }
}

#[test]
fn packed_files_are_named() {
    for (bytes, name) in [
        (&gzip(&gzip(b"twice"))[..], "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"PK\x03\x04", "zip"),
    ] {
        let error = import(bytes, "packed").unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("unpack"), "{error}");
    }
}

#[test]
fn whoever_has_the_file_decides_what_is_in_doubt() {
    let keyed = |keyed| Options {
        keyed: Some(keyed),
        ..Options::default()
    };
    let nothing = Right::Judged(Outcome::Unknown);
    let doubtful = sample("keyed-or-not.edn");
    assert_eq!(found(&doubtful, keyed(true)), nothing);
    assert_eq!(found(&doubtful, keyed(false)), nothing);
    // Two keys, or one register whose first value is lost.
    let array = sample("keyed.json");
    assert_eq!(found(&array, keyed(true)), VALID);
    assert_eq!(found(&array, keyed(false)), VIOLATED);
    let pairs = sample("register-of-pairs.edn");
    let fault = Right::Fault(Outcome::Violated, 5);
    assert_eq!(found(&pairs, keyed(true)), fault);
}

#[test]
fn tombstones_are_hidden_unless_it_is_said_that_they_are_shown() {
    let delete = sample("delete-then-empty.jsonl");
    let assumed = import(delete.as_slice(), "delete").unwrap();
    assert!(assumed.notes.contains(&Note::Tombstones));
    for tombstones in Tombstones::ALL {
        let right = match tombstones {
            Tombstones::Shown => VIOLATED,
            Tombstones::Hidden | Tombstones::Reaped => VALID,
        };
        let options = Options {
            tombstones: Some(tombstones),
            ..Options::default()
        };
        assert_eq!(found(&delete, options), right, "{tombstones:?}");
        let told = import_as(delete.as_slice(), "delete", options).unwrap();
        assert!(!told.notes.contains(&Note::Tombstones));
    }
}

#[test]
fn another_object_is_noticed_wherever_it_shows() {
    // After a fault too: what came before would be judged as registers.
    for text in [
        "{:process 0, :type :invoke, :f :read, :value nil}\n{:process 0}\n{:process 1, :type :invoke, :f :txn}\n",
        "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n{\"process\":0}\n{\"process\":1,\"type\":\"info\",\"f\":\"txn\"}\n",
        "0\t:invoke\t:read\tnil\n0\t:ok\t:read\t[\n1\t:invoke\t:txn\t[]\n",
    ] {
        let found = found(text.as_bytes(), Options::default());
        assert_eq!(found, Right::OtherObject("txn", 3), "{text}");
    }
    // What a nemesis does is not asked of the store.
    let nemesis = ":nemesis\t:info\t:kill\tnil\n0\t:invoke\t:read\tnil\n0\t:ok\t:read\tnil\n";
    assert_eq!(found(nemesis.as_bytes(), Options::default()), VALID);
}

#[test]
fn faults_in_what_spans_lines_name_their_line() {
    let broken = "[{\"type\":\"invoke\",\"client\":\"a\",\n\"f\":\"read\"},\n{\"type\":\"ok\",\n\"client\":[]}]";
    let right = Right::Fault(Outcome::Unknown, 4);
    assert_eq!(found(broken.as_bytes(), Options::default()), right);
}

#[test]
fn events_of_others_are_no_events() {
    let text = "INFO [date] n1 stderr - store.main 0\t:ok\t:read\t99\n\
        2023-01-10 10:06:45,020{GMT}\tINFO\t[jepsen worker 0] jepsen.util: 0\t:invoke\t:write\t1\n\
        2023-01-10 10:06:45,020{GMT}\tINFO\t[n0 stderr] maelstrom.process: 0\t:ok\t:read\t99\n\
        2023-01-10 10:06:45,020{GMT}\tINFO\t[jepsen worker 0] jepsen.util: 0\t:ok\t:write\t1\n";
    let import = import(text.as_bytes(), "log").unwrap();
    assert_eq!(import.fault, None);
    assert!(import.notes.contains(&Note::Skipped { events: 2 }));
}
