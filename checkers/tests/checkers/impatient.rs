//! Keys whose clients do not wait for answers: what cannot be decided is left open.

use sibcheck_checkers::{Claim, History, Outcome, format::read_history, judge, verdict::Reason};

/// Reads on a key whose clients do not wait for answers, with so many more at the end.
fn impatient(reads: u64) -> History {
    let mut lines = vec![
        r#"{"op":0,"client":"c3","node":"n1","key":"x","invoked_ns":0,"completed_ns":1,"status":"ok","write":{"value":"z"}}"#.to_owned(),
        r#"{"op":1,"client":"c1","node":"n1","key":"x","invoked_ns":2,"completed_ns":3,"status":"ok","read":{"siblings":[{"value":"z"}]}}"#.to_owned(),
        r#"{"op":2,"client":"c3","node":"n1","key":"x","invoked_ns":4,"completed_ns":5,"status":"ok","write":{"value":"zz"}}"#.to_owned(),
        r#"{"op":3,"client":"c1","node":"n1","key":"x","invoked_ns":10,"completed_ns":100,"status":"ok","write":{"value":"a","sources":[1]}}"#.to_owned(),
        r#"{"op":4,"client":"c1","node":"n1","key":"x","invoked_ns":11,"completed_ns":12,"status":"ok","write":{"value":"b"}}"#.to_owned(),
        r#"{"op":5,"client":"c9","node":"n1","key":"x","invoked_ns":20,"completed_ns":21,"status":"ok","read":{"siblings":[{"value":"zz"},{"value":"b"}]}}"#.to_owned(),
        r#"{"op":6,"client":"c5","node":"n1","key":"x","invoked_ns":22,"completed_ns":23,"status":"ok","write":{"value":"y"}}"#.to_owned(),
        r#"{"op":7,"client":"c9","node":"n1","key":"x","invoked_ns":30,"completed_ns":31,"status":"ok","read":{"siblings":[{"value":"z"},{"value":"zz"},{"value":"b"},{"value":"y"}]}}"#.to_owned(),
    ];
    for read in 0..reads {
        let (op, begin) = (8 + read, 200 + 2 * read);
        lines.push(format!(
            r#"{{"op":{op},"client":"c9","node":"n1","key":"x","invoked_ns":{begin},"completed_ns":{},"status":"ok","read":{{"siblings":[{{"value":"zz"}},{{"value":"b"}},{{"value":"y"}},{{"value":"a"}}]}}}}"#,
            begin + 1
        ));
    }
    let header = format!(
        r#"{{"sibcheck_history":1,"origin":"a test","tombstones":"shown","operations":{}}}"#,
        lines.len()
    );
    let text = format!("{header}\n{}\n", lines.join("\n"));
    read_history(text.as_bytes()).unwrap()
}

/// It was once called violated with many reads and valid with few.
#[test]
fn what_is_too_large_for_the_graph_is_left_open_and_not_called_violated() {
    for (reads, outcome) in [
        (1, Outcome::Valid),
        (500, Outcome::Valid),
        (1_000, Outcome::Unknown),
    ] {
        let history = impatient(reads);
        let verdict = judge(&history, Claim::Linearizable).unwrap();
        assert_eq!(
            verdict.outcome, outcome,
            "{reads} reads: {:?}",
            verdict.violations
        );
    }
    let verdict = judge(&impatient(1_000), Claim::Linearizable).unwrap();
    assert_eq!(verdict.unknown[0].reason, Reason::TooManyOperations);
    assert!(
        judge(&impatient(1_000), Claim::Eventual)
            .unwrap()
            .unknown
            .iter()
            .all(|unknown| unknown.reason != Reason::TooManyOperations)
    );
}
