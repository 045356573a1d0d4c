//! Whether a program does something by itself, and how often: found out on a throw-away node whose
//! clock is ours.
//!
//! The node gets its `init` and one write, and is then left alone for [`LEFT_ALONE`] of virtual time;
//! what it sends to its peers reaches nobody. Threads of a runtime that only wait do not count: what
//! counts is what it writes. Costs the start of one process, and what the program does in that time.

use std::{fs, time::Duration};

use serde_json::json;

use crate::{
    nodes::process::{ExternalError, Idle, Launch, Line, Process, Tracing, nanos, now},
    simulation::{Nanos, NodeClock},
    workloads::{Request, Speaker, Workload, with_words},
};

use super::{INITIATOR, Program};

/// How long a program is left alone, on its own clock.
const LEFT_ALONE: Duration = Duration::from_secs(30);

/// How long that may take.
const BUDGET: Duration = Duration::from_secs(5);

/// The shortest and longest times between two deeds that plans are made for.
pub const PERIODS: [Nanos; 2] = [Nanos::from_millis(1), Nanos::from_millis(30_000)];

/// Why the clock of some programs cannot be taken over.
const RESTLESS: &str = "a node on a clock of ours did not come to rest; it may compute all the time, or \
                        forbid others to look at it (PR_SET_DUMPABLE)";

/// How often a program does something by itself, in a cluster of so many nodes: the median time between
/// two moments at which it does; `None` for one that only acts when it is spoken to.
///
/// # Errors
///
/// With a sentence, where its clock cannot be taken over.
pub fn period(program: &Program, nodes: u32) -> Result<Option<Nanos>, String> {
    let folder = program.folder.join("timers");
    let found = watch(program, nodes, &folder);
    // What is left behind tells about a failure only, and none here is one.
    let _ = fs::remove_dir_all(&folder);
    match found {
        Ok(Some(moments)) => Ok(median_gap(&moments)),
        Ok(None) => Err(RESTLESS.to_owned()),
        Err(ExternalError::System {
            action: Process::TRACE,
            source,
            remedy,
            ..
        }) => Err(format!("{source}; {remedy}")),
        // A run will tell what is wrong with it.
        Err(_) => Ok(None),
    }
}

/// When the program wrote something by itself, after the moment at which it was left alone; `None` when it
/// did not come to rest.
fn watch(
    program: &Program,
    nodes: u32,
    folder: &std::path::Path,
) -> Result<Option<Vec<Duration>>, ExternalError> {
    let names: Vec<_> = (0..nodes).map(|node| program.names.of(node)).collect();
    let Some(node) = names.first() else {
        return Ok(Some(Vec::new()));
    };
    let launch = Launch {
        tracing: Some(Tracing {
            seed: 0,
            stream: 0,
            clock: NodeClock::default(),
            deeds: false,
            storage: false,
        }),
        ..program.launch(node.as_str(), folder.join("data"), folder.join("stderr"))
    };
    let mut process = Process::spawn(&launch)?;
    process.set_patience(program.start_patience);
    let mut written = with_words!(program.dialect.words(), W, words => {
        let values = [W::plain_value(0, true)];
        let mut speaker = <W as Workload>::Speaker::new(words, &names, 1, Some(&values));
        let Some((_, ask)) = speaker.trial(0, 0).into_iter().next() else {
            return Ok(None);
        };
        let write: Request<W> = Request {
            id: 1,
            client: "c1".into(),
            identity: 0,
            node: 0,
            key: W::plain_key(0),
            ask,
        };
        speaker.ask(&write).0
    });
    written.insert("msg_id".into(), 2.into());
    let init = json!({"type": "init", "msg_id": 1, "node_id": node, "node_ids": names});
    let mut lines: Vec<Line> = Vec::new();
    for (client, body) in [(INITIATOR, init), ("c1", written.into())] {
        let line = json!({"src": client, "dest": node, "body": body}).to_string();
        lines.clear();
        if let Idle::Never(_) = process.deliver(&line, &mut lines)? {
            return Ok(None);
        }
        // Whatever it waits for before it answers.
        let end = process.time().unwrap_or_default() + LEFT_ALONE;
        while lines.is_empty() {
            match act(&mut process, end, &mut lines)? {
                Acted::At(_) => {}
                Acted::Nothing => break,
                Acted::Restless => return Ok(None),
            }
        }
    }
    let began = now();
    let alone_since = process.time().unwrap_or_default();
    let mut moments = vec![alone_since];
    lines.clear();
    loop {
        let moment = match act(&mut process, alone_since + LEFT_ALONE, &mut lines)? {
            Acted::At(moment) => moment,
            Acted::Nothing => break,
            Acted::Restless => return Ok(None),
        };
        if !lines.is_empty() && moments.last() != Some(&moment) {
            moments.push(moment);
        }
        lines.clear();
        if now() - began > BUDGET {
            break;
        }
    }
    Ok(Some(moments))
}

/// What a program did by itself.
enum Acted {
    /// The next thing, at this moment.
    At(Duration),
    /// There is nothing that it does before the end.
    Nothing,
    /// It did not come to rest afterwards.
    Restless,
}

/// Lets the program do the next thing that it does by itself before `end`.
fn act(
    process: &mut Process,
    end: Duration,
    lines: &mut Vec<Line>,
) -> Result<Acted, ExternalError> {
    let Some(due) = process.due().filter(|due| *due <= end) else {
        return Ok(Acted::Nothing);
    };
    process.pass_to(due);
    process.fire()?;
    match process.settle(lines)? {
        Idle::Reached => Ok(Acted::At(due)),
        // Nobody pauses it.
        Idle::Paused => Ok(Acted::Nothing),
        Idle::Never(_) => Ok(Acted::Restless),
    }
}

/// The median time between two moments.
fn median_gap(moments: &[Duration]) -> Option<Nanos> {
    let pairs = moments.windows(2);
    let mut gaps: Vec<Duration> = pairs.map(|pair| pair[1].saturating_sub(pair[0])).collect();
    gaps.sort_unstable();
    let median = *gaps.get(gaps.len() / 2)?;
    let [shortest, longest] = PERIODS;
    let median = Nanos(nanos(median));
    Some(rounded(median.clamp(shortest, longest)))
}

/// To two digits: it is told to people, and no timer is that exact.
fn rounded(Nanos(nanos): Nanos) -> Nanos {
    let mut unit = 1;
    while nanos / unit >= 100 {
        unit *= 10;
    }
    Nanos((nanos + unit / 2) / unit * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_period_is_the_usual_time_between_two_deeds() {
        let moments = |millis: &[u64]| -> Vec<Duration> {
            millis.iter().copied().map(Duration::from_millis).collect()
        };
        assert_eq!(median_gap(&moments(&[7])), None);
        assert_eq!(
            median_gap(&moments(&[0, 200, 400, 900, 1_100])),
            Some(Nanos::from_millis(200))
        );
        assert_eq!(
            median_gap(&[Duration::ZERO, Duration::from_nanos(5)]),
            Some(PERIODS[0])
        );
        assert_eq!(
            median_gap(&[Duration::ZERO, Duration::from_nanos(281_497_261)]),
            Some(Nanos::from_millis(280))
        );
    }
}
