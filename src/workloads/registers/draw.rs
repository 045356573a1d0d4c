//! How likely each act on registers is in one plan.

use sibcheck_checkers::Claim;

use super::{Act, Expectation, Registers, Wording};
use crate::{
    choices::Choices,
    simulation::Purpose,
    workloads::{Drawing, Habit, Values},
};

/// How likely each kind of operation is in one plan.
#[derive(Clone, Debug)]
pub struct Mix {
    read: u64,
    write: u64,
    cas: u64,
    update: u64,
    delete: u64,
    /// Of what a compare-and-set expects: what was last seen, what was seen before, what some client
    /// writes.
    expectations: [u64; 3],
    /// In how many of a hundred writes the value is one that was written before: what comes back looks as
    /// if it had never been away.
    again_percent: u64,
}

/// How far back an expectation may be.
const MOST_STALE: u64 = 3;

/// Of so many values that were drawn last one is expected, or written again.
const RECENT: u64 = 6;

impl Drawing<Registers> for Mix {
    fn draw(choices: &mut impl Choices) -> Self {
        let mut weight = |low, high| choices.between(Purpose::Shape, low, high);
        Self {
            read: weight(2, 8),
            write: weight(1, 5),
            cas: weight(1, 6),
            update: weight(0, 4),
            delete: weight(0, 2),
            expectations: [weight(2, 6), weight(0, 3), weight(0, 4)],
            again_percent: [0, 0, 0, 30][usize::try_from(weight(0, 3)).unwrap_or(0)],
        }
    }

    /// Deletes where there are words for them.
    fn suits(habit: Habit, words: Option<&Wording>, _claim: Claim) -> bool {
        match habit {
            Habit::Outrunning | Habit::Alike => true,
            Habit::Deleting | Habit::Emptying => words.is_some_and(|words| words.delete.is_some()),
        }
    }

    fn lay_down(&mut self, habit: Habit) {
        match habit {
            Habit::Outrunning => {}
            Habit::Alike => self.again_percent = 40,
            Habit::Deleting | Habit::Emptying => self.delete = self.write.div_ceil(2),
        }
    }

    fn leave_out(&mut self, words: &Wording, _claim: Claim) {
        if words.delete.is_none() {
            self.delete = 0;
        }
        if words.cas.is_none() {
            (self.cas, self.update) = (0, 0);
        }
    }

    fn act(&self, client: u32, left: u32, values: &mut Values, choices: &mut impl Choices) -> Act {
        let update = if left >= 2 { self.update } else { 0 };
        let weights = [self.read, self.write, self.cas, update, self.delete];
        match choices.weighted(Purpose::Operations, &weights) {
            0 => Act::Read,
            1 => Act::Write {
                value: self.value(client, values, choices),
            },
            2 => {
                // What is expected was there before what is written.
                let from = self.expectation(values, choices);
                let value = self.value(client, values, choices);
                Act::Cas { from, value }
            }
            3 => Act::Update {
                value: self.value(client, values, choices),
            },
            _ => Act::Delete,
        }
    }

    /// What was read is replaced elsewhere; what was written is read there.
    fn passed_on(&self, act: Act, value: u32) -> Option<Act> {
        Some(match act {
            Act::Read if self.cas > 0 => Act::Cas {
                from: Expectation::LastSeen,
                value,
            },
            Act::Read => Act::Write { value },
            Act::Write { .. } | Act::Cas { .. } | Act::Update { .. } | Act::Delete => Act::Read,
        })
    }
}

impl Mix {
    fn value(&self, client: u32, values: &mut Values, choices: &mut impl Choices) -> u32 {
        if choices.percent(Purpose::Operations, self.again_percent)
            && let Some(recent) = recent(values, choices)
        {
            return recent;
        }
        let number = u64::from(client + 1) * 1_000 + choices.below(Purpose::Operations, 1_000);
        values.position(number)
    }

    fn expectation(&self, values: &Values, choices: &mut impl Choices) -> Expectation {
        match choices.weighted(Purpose::Operations, &self.expectations) {
            0 => Expectation::LastSeen,
            1 => {
                let back = choices.between(Purpose::Operations, 1, MOST_STALE);
                Expectation::Stale(u32::try_from(back).unwrap_or(1))
            }
            _ => recent(values, choices).map_or(Expectation::LastSeen, Expectation::Value),
        }
    }
}

/// One of the values that were drawn last.
fn recent(values: &Values, choices: &mut impl Choices) -> Option<u32> {
    let back = choices.below(Purpose::Operations, RECENT.min(values.len() as u64));
    let last = values.len().checked_sub(1)?;
    u32::try_from(last.saturating_sub(usize::try_from(back).ok()?)).ok()
}
