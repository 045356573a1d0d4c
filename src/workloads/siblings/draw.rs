//! How likely each act on siblings is in one plan.

use sibcheck_checkers::Claim;

use super::{Act, ContextChoice, Contexts, Siblings, Wording};
use crate::{
    choices::Choices,
    simulation::Purpose,
    workloads::{Drawing, Habit, Values},
};

/// How likely each kind of operation is in one plan.
#[derive(Clone, Debug)]
pub struct Mix {
    read: u64,
    resolve: u64,
    delete: u64,
    write: u64,
    /// In the order of [`CONTEXTS`].
    contexts: [u64; 5],
    /// In how many of a hundred writes the value is one that other clients write too.
    equal_values_percent: u64,
    /// Clients pass the clock of one sibling back where others would join two reads.
    clocks_apart: bool,
}

const CONTEXTS: [ContextChoice; 5] = [
    ContextChoice::Blind,
    ContextChoice::LastRead,
    ContextChoice::LastWrite,
    ContextChoice::Stale(0),
    ContextChoice::TwoReads,
];

/// True where a program can delete, and its claim can be decided all the same.
fn deletes(wording: &Wording, claim: Claim) -> bool {
    let undecided = wording.tombstones().may_be_left_out() && claim == Claim::Linearizable;
    wording.delete.is_some() && !undecided
}

impl Drawing<Siblings> for Mix {
    fn draw(choices: &mut impl Choices) -> Self {
        let mut weight = |low, high| choices.between(Purpose::Shape, low, high);
        Self {
            read: weight(2, 8),
            write: weight(2, 8),
            resolve: weight(0, 4),
            delete: weight(0, 2),
            contexts: [
                weight(1, 4),
                weight(1, 6),
                weight(0, 3),
                weight(0, 3),
                weight(0, 2),
            ],
            equal_values_percent: weight(0, 30),
            clocks_apart: false,
        }
    }

    /// Where a habit would change nothing: taking contexts to other nodes where writes carry none, and
    /// deletes where there are no words for them or where they would leave linearizability undecided.
    fn suits(habit: Habit, words: Option<&Wording>, claim: Claim) -> bool {
        match habit {
            Habit::Outrunning => words.is_none_or(|words| words.contexts() != Contexts::Absent),
            Habit::Alike => true,
            Habit::Deleting | Habit::Emptying => words.is_none_or(|words| deletes(words, claim)),
        }
    }

    fn lay_down(&mut self, habit: Habit) {
        match habit {
            Habit::Outrunning => {}
            Habit::Alike => self.equal_values_percent = 60,
            Habit::Deleting => {
                self.delete = self.write.div_ceil(2);
                // In the order of [`CONTEXTS`].
                self.contexts = [1, 1, 5, 2, 0];
            }
            Habit::Emptying => {
                self.delete = self.write;
                self.contexts = [1, 8, 1, 0, 0];
            }
        }
    }

    fn leave_out(&mut self, wording: &Wording, claim: Claim) {
        // Only its value tells whose write it is.
        self.equal_values_percent = 0;
        if wording.delete.is_none() {
            self.delete = 0;
        } else if wording.tombstones().may_be_left_out() && claim == Claim::Linearizable {
            // Whether keys with deletes are linearizable often cannot be told then: leave most alone.
            self.delete = self.delete.saturating_sub(1);
        }
        let [_, _, _, _, two_reads] = &mut self.contexts;
        match wording.contexts() {
            Contexts::Absent => {
                self.contexts = [1, 0, 0, 0, 0];
                self.resolve = 0;
            }
            Contexts::Carried if wording.has_clocks_apart() => {
                self.clocks_apart = true;
                *two_reads = (*two_reads).max(1) * 3;
            }
            Contexts::Carried if wording.is_opaque() => *two_reads = 0,
            Contexts::Carried | Contexts::Made => {}
        }
    }

    fn act(&self, client: u32, left: u32, values: &mut Values, choices: &mut impl Choices) -> Act {
        let resolve = if left >= 2 { self.resolve } else { 0 };
        let weights = [self.read, self.write, resolve, self.delete];
        match choices.weighted(Purpose::Operations, &weights) {
            0 => Act::Read,
            1 => Act::Write {
                value: values.position(self.value(client, choices)),
                context: self.context(choices),
            },
            2 => Act::Resolve {
                value: values.position(self.value(client, choices)),
            },
            _ => Act::Delete {
                context: self.context(choices),
            },
        }
    }

    fn passed_on(&self, act: Act, value: u32) -> Option<Act> {
        let context = match act {
            Act::Read => ContextChoice::LastRead,
            Act::Write { .. } | Act::Resolve { .. } => ContextChoice::LastWrite,
            Act::Delete { .. } => return None,
        };
        Some(Act::Write { value, context })
    }
}

impl Mix {
    /// Values below ten are shared by all clients; the others tell who wrote them.
    fn value(&self, client: u32, choices: &mut impl Choices) -> u64 {
        if choices.percent(Purpose::Operations, self.equal_values_percent) {
            choices.below(Purpose::Operations, 3)
        } else {
            u64::from(client + 1) * 1_000 + choices.below(Purpose::Operations, 1_000)
        }
    }

    fn context(&self, choices: &mut impl Choices) -> ContextChoice {
        let chosen = CONTEXTS[choices.weighted(Purpose::Operations, &self.contexts)];
        let mut small = |low, high| {
            let drawn = choices.between(Purpose::Operations, low, high);
            u32::try_from(drawn).unwrap_or(u32::MAX)
        };
        match chosen {
            ContextChoice::Stale(_) => ContextChoice::Stale(small(1, 4)),
            ContextChoice::TwoReads if self.clocks_apart => ContextChoice::OneSibling(small(0, 3)),
            other => other,
        }
    }
}
