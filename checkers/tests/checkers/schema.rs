//! The JSON Schema of history files accepts every saved history, and refuses what the reader does; that
//! of verdicts accepts every verdict.

use std::{fs, path::Path};

use serde_json::{Value as Json, json};
use sibcheck_checkers::{
    Claim, Invariant, Outcome,
    format::{Recorded, read_any, read_history},
    import::import,
    judge,
    registers::{self, Budget},
    verdict::{Reason, Unknown},
};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn schema() -> Json {
    schema_in("history-format.schema.json")
}

fn schema_in(file: &str) -> Json {
    let text = fs::read_to_string(root().join("docs").join(file)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The keywords that the schema uses; another one fails the test.
fn accepts(root: &Json, schema: &Json, value: &Json) -> bool {
    if let Some(all) = schema.as_bool() {
        return all;
    }
    let fields = value.as_object();
    let matching = |schemas: &Json| {
        let schemas = schemas.as_array().unwrap();
        schemas
            .iter()
            .filter(|one| accepts(root, one, value))
            .count()
    };
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("type {other}"),
    };
    schema
        .as_object()
        .unwrap()
        .iter()
        .all(|(keyword, demand)| match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => true,
            "$ref" => {
                let name = demand.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                accepts(root, &root["$defs"][name], value)
            }
            "type" => match demand {
                Json::Array(names) => names.iter().any(|name| is(name.as_str().unwrap())),
                name => is(name.as_str().unwrap()),
            },
            "const" => value == demand,
            "enum" => demand.as_array().unwrap().contains(value),
            "minimum" => value
                .as_i64()
                .is_none_or(|value| value >= demand.as_i64().unwrap()),
            "oneOf" => matching(demand) == 1,
            "anyOf" => matching(demand) >= 1,
            "required" => fields.is_none_or(|fields| {
                let names = demand.as_array().unwrap();
                names
                    .iter()
                    .all(|name| fields.contains_key(name.as_str().unwrap()))
            }),
            "properties" => fields.is_none_or(|fields| {
                let known = demand.as_object().unwrap();
                fields.iter().all(|(name, value)| {
                    known
                        .get(name)
                        .is_none_or(|schema| accepts(root, schema, value))
                })
            }),
            "additionalProperties" => fields.is_none_or(|fields| {
                let mut others = fields
                    .iter()
                    .filter(|(name, _)| schema["properties"].get(name).is_none());
                others.all(|(_, value)| accepts(root, demand, value))
            }),
            "items" => value
                .as_array()
                .is_none_or(|items| items.iter().all(|item| accepts(root, demand, item))),
            "prefixItems" => value.as_array().is_none_or(|items| {
                let pairs = demand.as_array().unwrap().iter().zip(items);
                pairs
                    .into_iter()
                    .all(|(schema, item)| accepts(root, schema, item))
            }),
            "minItems" => value
                .as_array()
                .is_none_or(|items| items.len() as u64 >= demand.as_u64().unwrap()),
            "maxItems" => value
                .as_array()
                .is_none_or(|items| items.len() as u64 <= demand.as_u64().unwrap()),
            other => panic!("keyword {other}"),
        })
}

#[test]
fn saved_histories_satisfy_the_schema() {
    let schema = schema();
    let mut lines = 0;
    for folder in ["corpora/histories", "checkers/tests/checkers/samples"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_none_or(|extension| extension != "jsonl")
            {
                continue;
            }
            for line in fs::read_to_string(&path).unwrap().lines() {
                let json: Json = serde_json::from_str(line).unwrap();
                assert!(
                    accepts(&schema, &schema, &json),
                    "{}: {line}",
                    path.display()
                );
                lines += 1;
            }
        }
    }
    assert!(lines > 300, "{lines}");
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let schema = schema();
    let header =
        json!({"sibcheck_history": 1, "origin": "x", "tombstones": "shown", "operations": 1});
    let operation = json!({"op": 0, "client": "c", "node": "n", "key": "k", "invoked_ns": 0, "completed_ns": 1, "status": "ok", "write": {"value": 1}});
    assert!(read(&header, &operation) && accepts(&schema, &schema, &operation));
    let change = |path: &str, value: Json| {
        let mut changed = operation.clone();
        match path.split_once('/') {
            Some((outer, inner)) => changed[outer][inner] = value,
            None => changed[path] = value,
        }
        changed
    };
    let mut nothing = operation.clone();
    nothing.as_object_mut().unwrap().remove("write");
    for wrong in [
        change("status", json!("perhaps")),
        change("op", json!(-1)),
        change("invoked_ns", json!("soon")),
        change("colour", json!("red")),
        change("read", json!({"siblings": []})),
        change("write/clock", json!({"n1": "one"})),
        change("write/dot", json!(["n1", 0])),
        change("write/dot", json!(["n1"])),
        change("write/whatever", json!(1)),
        change("client", json!(7)),
        nothing,
    ] {
        assert!(!read(&header, &wrong), "the reader takes {wrong}");
        assert!(
            !accepts(&schema, &schema, &wrong),
            "the schema takes {wrong}"
        );
    }
    let fault = json!({"fault": 0, "kind": "crash", "node": "n", "began_ns": 1, "ended_ns": 2, "affected": 1, "unsynced": 3, "messages": [{"ns": 1, "from": "n", "to": "m"}]});
    let header = json!({"sibcheck_history": 2, "origin": "x", "tombstones": "shown", "operations": 0, "faults": 1});
    assert!(accepts(&schema, &schema, &header));
    assert!(read(&header, &fault) && accepts(&schema, &schema, &fault));
    let change = |field: &str, value: Json| {
        let mut changed = fault.clone();
        changed[field] = value;
        changed
    };
    for wrong in [
        change("kind", json!("fire")),
        change("kind", json!("loss")),
        change("kind", json!("stop")),
        change("kind", json!("partition")),
        change("links", json!([["n", "m"]])),
        change("began_ns", json!("soon")),
        change("colour", json!("red")),
        change("messages", json!([{"ns": 1, "from": "n"}])),
        change(
            "messages",
            json!([{"ns": 1, "client": "c", "from": "n", "to": "m"}]),
        ),
    ] {
        assert!(!read(&header, &wrong), "the reader takes {wrong}");
        assert!(
            !accepts(&schema, &schema, &wrong),
            "the schema takes {wrong}"
        );
    }
    for wrong in [
        json!({"type": "begin", "client": "c1"}),
        json!({"type": "ok"}),
        json!({"sibcheck_events": 2}),
    ] {
        assert!(
            import(wrong.to_string().as_bytes(), "x").is_err(),
            "{wrong}"
        );
        assert!(!accepts(&schema, &schema, &wrong), "{wrong}");
    }
}

fn read(header: &Json, operation: &Json) -> bool {
    read_history(format!("{header}\n{operation}\n").as_bytes()).is_ok()
}

/// The examples of the document are read and judged.
#[test]
fn the_documents_examples_are_true() {
    let text = fs::read_to_string(root().join("docs/history-format.md")).unwrap();
    let blocks = |language: &str| -> Vec<String> {
        let start = format!("```{language}\n");
        let parts = text.split(&start).skip(1);
        parts
            .map(|part| part.split("```").next().unwrap().to_owned())
            .collect()
    };
    let schema = schema();
    let json = blocks("json");
    assert_eq!(json.len(), 6);
    for line in json.iter().flat_map(|block| block.lines()) {
        let value: Json = serde_json::from_str(line).unwrap();
        assert!(accepts(&schema, &schema, &value), "{line}");
    }
    let history = read_history(json[0].as_bytes()).unwrap();
    let verdict = sibcheck_checkers::judge(&history, Claim::Eventual).unwrap();
    assert_ne!(verdict.outcome, Outcome::Violated);
    assert_eq!(read_history(json[1].as_bytes()).unwrap().faults.len(), 2);
    let Ok(Recorded::Registers(history)) = read_any(json[2].as_bytes()) else {
        panic!("the third example is of registers");
    };
    let verdict = registers::judge(&history, Budget::default()).unwrap();
    assert_eq!(verdict.outcome, Outcome::Valid);
    let others = [&json[3], &json[5], &blocks("clojure")[0]];
    for block in others.into_iter().chain(blocks("text").last()) {
        let import = import(block.as_bytes(), "an example").unwrap();
        assert_eq!(import.fault, None, "{block}");
    }
}

#[test]
fn verdicts_satisfy_their_schema() {
    let schema = schema_in("verdict.schema.json");
    let satisfies = |json: &Json| assert!(accepts(&schema, &schema, json), "{json:#}");
    let mut violated = 0;
    for entry in fs::read_dir(root().join("corpora/histories")).unwrap() {
        let text = fs::read(entry.unwrap().path()).unwrap();
        let history = match read_any(text.as_slice()).unwrap() {
            Recorded::Siblings(history) => history,
            Recorded::Registers(history) => {
                let verdict = registers::judge(&history, Budget::default()).unwrap();
                satisfies(&verdict.to_json(&history));
                continue;
            }
        };
        for claim in Claim::ALL {
            // Some histories are not of the model that a claim speaks of.
            let Ok(verdict) = judge(&history, claim) else {
                continue;
            };
            violated += usize::from(verdict.outcome == Outcome::Violated);
            satisfies(&verdict.to_json(&history));
        }
    }
    assert!(violated > 50, "{violated}");
}

/// The reason that comes after this one; a new one must be put here.
fn next(reason: &Reason) -> Option<Reason> {
    Some(match reason {
        Reason::NothingTested => Reason::NoFinalRead {
            write: 0,
            left_out: Some(1),
        },
        Reason::NoFinalRead { .. } => Reason::HiddenTombstones,
        Reason::HiddenTombstones => Reason::TooManyOperations,
        Reason::TooManyOperations => Reason::NotExercised {
            invariant: Invariant::ALL[0],
        },
        Reason::NotExercised { .. } => Reason::TooManyClients,
        Reason::TooManyClients => Reason::Steps { steps: 7 },
        Reason::Steps { .. } => Reason::Memory { bytes: 7 },
        Reason::Memory { .. } => Reason::CutShort { events: 7 },
        Reason::CutShort { .. } => return None,
    })
}

#[test]
fn verdicts_of_every_unknown_satisfy_their_schema() {
    let schema = schema_in("verdict.schema.json");
    let file = root().join("corpora/histories/lost-update-after-stale-handoff.jsonl");
    let history = read_history(fs::read(file).unwrap().as_slice()).unwrap();
    let mut verdict = judge(&history, Claim::Eventual).unwrap();
    let mut reason = Some(Reason::NothingTested);
    let mut seen = 0;
    while let Some(this) = reason {
        reason = next(&this);
        verdict.unknown = vec![Unknown {
            key: (seen % 2 == 0).then_some(0),
            reason: this,
        }];
        let mut json = verdict.to_json(&history);
        assert!(accepts(&schema, &schema, &json), "{json:#}");
        let told = json["unknown"][0]["reason"].take();
        json["unknown"][0]["reason"] = json!({"another": told});
        assert!(!accepts(&schema, &schema, &json), "{json:#}");
        seen += 1;
    }
    assert_eq!(seen, 9);
}
