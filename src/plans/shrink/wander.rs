//! Wandering: where no single edit helps any more, several at once may.
//!
//! What is left often fails only because two or three things fit: a crash between two operations
//! of different clients, say. So changes are drawn that make a plan neither larger nor smaller,
//! and plans that still fail become the place to go on from; now and then an operation can then be
//! left out. The draws are seeded by the plan's own network, so the same plan wanders the same way.

use crate::simulation::{FaultKind, Purpose};

use super::super::{Choices, SeededChoices};
use super::faults::{CERTAIN, probability};
use super::script::{Line, Script, Spacing};

/// An act has so many variations.
const VARIATIONS: u32 = 3;

/// Draws variations.
#[derive(Clone, Debug)]
pub(super) struct Wanderer {
    choices: SeededChoices,
}

/// How many changes a variation has at most.
const MOST_CHANGES: usize = 3;

impl Wanderer {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            choices: SeededChoices::new(seed),
        }
    }

    /// A number below a bound.
    fn below(&mut self, bound: usize) -> usize {
        let drawn = self.choices.below(Purpose::Shape, bound as u64);
        usize::try_from(drawn).unwrap_or(0)
    }

    /// A node or a key out of so many.
    fn position(&mut self, count: u32) -> u32 {
        let drawn = self.choices.below(Purpose::Shape, count.into());
        u32::try_from(drawn).unwrap_or(0)
    }

    /// One of several things.
    fn pick<T: Copy>(&mut self, things: &[T]) -> Option<T> {
        self.choices.pick(Purpose::Shape, things).copied()
    }

    /// A variation of a script, with no more operations or faults.
    pub(super) fn vary(&mut self, script: &Script) -> Script {
        let mut varied = script.clone();
        if varied.lines.len() > 1 && self.below(2) == 0 {
            let line = self.below(varied.lines.len());
            varied.lines.remove(line);
        }
        for _ in 0..=self.below(MOST_CHANGES) {
            if varied.plan.faults.is_empty() || self.below(5) < 3 {
                self.vary_line(&mut varied);
            } else {
                self.vary_fault(&mut varied);
            }
        }
        varied.lines.sort_by_key(|line| line.at);
        if self.below(3) == 0
            && let Some(spacing) = self.pick(&Spacing::ALL)
        {
            varied.respace(spacing);
        }
        varied
    }

    /// One operation comes at another time, from another client, or does something else.
    fn vary_line(&mut self, script: &mut Script) -> Option<()> {
        let chosen = self.below(script.lines.len());
        let other = self.below(script.lines.len());
        let Line {
            at,
            client,
            ref step,
            ..
        } = *script.lines.get(other)?;
        let key = step.key;
        match self.below(6) {
            0 => script.lines.get_mut(chosen)?.at = self.pick(&script.moments())?,
            1 => {
                let line = script.lines.get_mut(chosen)?;
                let moved = line.at;
                line.at = at;
                script.lines.get_mut(other)?.at = moved;
            }
            2 => {
                let fresh = script.lines.iter().map(|line| line.client + 1).max()?;
                let clients = [client, client, client, fresh];
                script.lines.get_mut(chosen)?.client = self.pick(&clients)?;
            }
            3 => script.lines.get_mut(chosen)?.step.node = self.position(script.plan.nodes),
            4 => script.lines.get_mut(chosen)?.step.key = key,
            _ => {
                let drawn = self.position(VARIATIONS);
                let act = &mut script.lines.get_mut(chosen)?.step.act;
                *act = act.varied(drawn);
            }
        }
        Some(())
    }

    /// One fault comes at another time, or hits something else.
    fn vary_fault(&mut self, script: &mut Script) -> Option<()> {
        let moments = script.moments();
        let (one, other) = (self.pick(&moments)?, self.pick(&moments)?);
        let chosen = self.below(script.plan.faults.len());
        let nodes = script.plan.nodes;
        let node = self.position(nodes);
        let fault = script.plan.faults.get_mut(chosen)?;
        match self.below(4) {
            0 => (fault.begin_ns, fault.end_ns) = (one.min(other), one.max(other)),
            1 => fault.begin_ns = one.min(fault.end_ns),
            2 => fault.end_ns = one.max(fault.begin_ns),
            _ => match &mut fault.what {
                FaultKind::Crash { node: at }
                | FaultKind::CrashAtDeed { node: at, .. }
                | FaultKind::PowerLoss { node: at, .. }
                | FaultKind::Stop { node: at }
                | FaultKind::Pause { node: at }
                | FaultKind::Leave { node: at }
                | FaultKind::Clock { node: at, .. } => *at = node,
                FaultKind::Partition { cut, .. } => {
                    let to = (node + 1 + self.position(nodes.saturating_sub(1))) % nodes;
                    *cut = vec![(node, to)];
                }
                what => match probability(what) {
                    Some(probability) if *probability < CERTAIN => *probability = CERTAIN,
                    // Other messages are hit, or overtake each other.
                    _ => script.plan.network.seed = self.choices.below(Purpose::Shape, u64::MAX),
                },
            },
        }
        Some(())
    }
}
