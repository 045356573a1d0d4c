//! What sibling stores report, as histories hold it.

use serde_json::Value as Json;
use sibcheck_checkers::history::{
    ClockPool, Data, ReportedClock, Sibling as RecordedSibling, Value, Version as RecordedVersion,
};

use super::TaggedValue;
use crate::{
    clocks::VectorClock,
    stores::{Stamp, Version},
};

/// The values of a plan as they stand in histories.
#[derive(Debug)]
pub(crate) struct RecordedValues(Vec<Data>);

impl RecordedValues {
    pub(crate) fn of(values: &[Json]) -> Self {
        Self(values.iter().cloned().map(Data::from).collect())
    }

    pub(crate) fn recorded(&self, value: TaggedValue) -> Value {
        let data = value.position.and_then(|at| self.0.get(at as usize));
        Value {
            tag: Some(value.tag),
            data: data.cloned().unwrap_or(Data::NULL),
        }
    }
}

/// A clock as a history holds it.
pub(crate) fn reported(clock: &VectorClock) -> ReportedClock {
    ReportedClock::from_sorted(clock.entries())
}

/// What was reported, as a history holds it: equal clocks share their entries.
#[derive(Debug)]
pub(crate) struct Reports {
    clocks: ClockPool,
    /// Room for the counters of one clock.
    counters: Vec<u64>,
}

/// How many clocks of a run are remembered: about as many as are current at a time.
const REMEMBERED: usize = 1 << 6;

impl Default for Reports {
    fn default() -> Self {
        Self {
            clocks: ClockPool::remembering(REMEMBERED),
            counters: Vec::new(),
        }
    }
}

impl Reports {
    pub(crate) fn clock(&mut self, clock: &VectorClock) -> ReportedClock {
        let entries = clock.entries();
        self.counters.clear();
        self.counters
            .extend(entries.iter().map(|(_, counter)| *counter));
        let names = entries.iter().map(|(name, _)| name.as_str().as_bytes());
        let pooled = self.clocks.clock(names, &self.counters);
        pooled.unwrap_or_else(|| reported(clock))
    }

    /// A version. Reads of dotted stores leave the past of a dot out.
    pub(crate) fn version(&mut self, version: &Version, with_past: bool) -> RecordedVersion {
        match version {
            Version::Clock(clock) => RecordedVersion::Clock(self.clock(clock)),
            Version::Dotted(dotted) => RecordedVersion::Dotted {
                actor: dotted.dot().actor().clone(),
                counter: dotted.dot().counter(),
                past: with_past.then(|| self.clock(dotted.past())),
            },
        }
    }

    pub(crate) fn sibling<S: Stamp>(
        &mut self,
        sibling: &crate::stores::Sibling<TaggedValue, S>,
        values: &RecordedValues,
    ) -> RecordedSibling {
        RecordedSibling {
            value: values.recorded(sibling.value),
            tombstone: sibling.value.position.is_none(),
            version: Some(self.version(&sibling.stamp.version(), false)),
        }
    }
}
