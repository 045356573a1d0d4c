//! Maelstrom's standard workloads: recognised, so that a healthy node is not blamed, and not judged
//! yet.

use std::fmt;

use serde_json::{Value as Json, json};

/// A workload of Maelstrom's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// `echo`.
    Echo,
    /// `generate`.
    UniqueIds,
    /// `broadcast`, `read`, `topology`.
    Broadcast,
    /// `add` an element, `read` a list.
    GSet,
    /// `add` a number, `read` a number that only grows or may shrink.
    Counter,
    /// `read`, `write`, `cas` of keys.
    LinKv,
    /// `send`, `poll`, `commit_offsets`, `list_committed_offsets`.
    Kafka,
    /// `txn` of `r` and `append`.
    TxnListAppend,
    /// `txn` of `r` and `w`.
    TxnRwRegister,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Echo => "echo",
            Self::UniqueIds => "unique-ids",
            Self::Broadcast => "broadcast",
            Self::GSet => "g-set",
            Self::Counter => "g-counter or pn-counter",
            Self::LinKv => "lin-kv",
            Self::Kafka => "kafka",
            Self::TxnListAppend => "txn-list-append",
            Self::TxnRwRegister => "txn-rw-register",
        })
    }
}

/// The services that Maelstrom offers to nodes under these names.
pub const SERVICES: [&str; 4] = ["lin-kv", "seq-kv", "lww-kv", "lin-tso"];

/// Requests to a throw-away node, and what its answers tell.
#[derive(Clone, Debug)]
pub struct WorkloadProbe {
    /// The bodies, without their ids, one after the other.
    pub requests: Vec<Json>,
    /// The type of the answer that tells.
    answer: &'static str,
    /// The workloads that have these requests.
    candidates: &'static [Workload],
    tells: fn(&[&Json]) -> Workload,
}

impl WorkloadProbe {
    /// The workload that a node speaks which answered so: bodies, in their order.
    pub fn recognise(&self, answers: &[&Json]) -> Option<Workload> {
        let told = answers.iter().any(|body| body["type"] == self.answer);
        told.then(|| (self.tells)(answers))
    }

    /// The workloads that a node may speak which did not answer, but knew what was asked.
    pub const fn candidates(&self) -> &'static [Workload] {
        self.candidates
    }
}

/// What is asked, each on a process of its own. A node that knows a request answers with its type
/// and `_ok`; those that know it in two workloads are told apart by what it then returns.
pub fn workload_probes() -> Vec<WorkloadProbe> {
    use Workload::{
        Broadcast, Counter, Echo, GSet, Kafka, LinKv, TxnListAppend, TxnRwRegister, UniqueIds,
    };
    let probe = |requests, answer, candidates, tells| WorkloadProbe {
        requests,
        answer,
        candidates,
        tells,
    };
    vec![
        probe(
            vec![json!({"type": "echo", "echo": "sibcheck"})],
            "echo_ok",
            &[Echo],
            |_| Echo,
        ),
        probe(
            vec![json!({"type": "generate"})],
            "generate_ok",
            &[UniqueIds],
            |_| UniqueIds,
        ),
        probe(
            vec![
                json!({"type": "topology", "topology": {}}),
                json!({"type": "broadcast", "message": 1}),
            ],
            "broadcast_ok",
            &[Broadcast],
            |_| Broadcast,
        ),
        probe(
            vec![
                json!({"type": "add", "element": 1, "delta": 1}),
                json!({"type": "read"}),
            ],
            "add_ok",
            &[GSet, Counter],
            |answers| {
                let read = answers.iter().find(|body| body["type"] == "read_ok");
                let number = read.is_some_and(|read| {
                    read["value"].is_number() || read["value"].as_str().is_some()
                });
                if number { Counter } else { GSet }
            },
        ),
        probe(
            vec![json!({"type": "write", "key": 0, "value": 1})],
            "write_ok",
            &[LinKv],
            |_| LinKv,
        ),
        probe(
            vec![json!({"type": "send", "key": "k1", "msg": 1})],
            "send_ok",
            &[Kafka],
            |_| Kafka,
        ),
        probe(
            vec![json!({"type": "txn", "txn": [["append", 1, 1], ["r", 1, null]]})],
            "txn_ok",
            &[TxnListAppend, TxnRwRegister],
            |answers| {
                let is_list = |body: &&&Json| body["txn"][1][2].is_array();
                if answers.iter().any(|body| is_list(&body)) {
                    TxnListAppend
                } else {
                    TxnRwRegister
                }
            },
        ),
        probe(
            vec![json!({"type": "txn", "txn": [["w", 1, 1], ["r", 1, null]]})],
            "txn_ok",
            &[TxnRwRegister],
            |_| TxnRwRegister,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognised(answers: &[Json]) -> Vec<String> {
        let answers: Vec<&Json> = answers.iter().collect();
        let probes = workload_probes();
        let found = probes.iter().filter_map(|probe| probe.recognise(&answers));
        found.map(|workload| workload.to_string()).collect()
    }

    #[test]
    fn answers_tell_the_workload() {
        let add = json!({"type": "add_ok"});
        let read = |value: Json| json!({"type": "read_ok", "value": value});
        assert_eq!(recognised(&[add.clone(), read(json!([1]))]), ["g-set"]);
        let counter = "g-counter or pn-counter";
        assert_eq!(recognised(&[add.clone(), read(json!(1))]), [counter]);
        assert_eq!(recognised(&[json!({"type": "echo_ok"})]), ["echo"]);
        assert_eq!(recognised(&[json!({"type": "error", "code": 10})]), [""; 0]);
        let txn = |read: Json| json!({"type": "txn_ok", "txn": [["append", 1, 1], ["r", 1, read]]});
        assert_eq!(recognised(&[txn(json!([1]))])[0], "txn-list-append");
        assert_eq!(recognised(&[txn(json!(1))])[0], "txn-rw-register");
    }
}
