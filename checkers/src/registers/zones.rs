//! Registers whose values are unique, in O(n log n): zones.
//!
//! **What took effect.** Where every observed value was written once, an observation tells which
//! operation's result it saw. An operation *counts* if it was acknowledged, or if one that counts
//! observed its result; nothing else does. By induction over that, whatever counts takes effect in
//! every order that explains the answers: so an unknown compare-and-set that a read shows counts,
//! with it the one that wrote what it expected, and so on down the chain; and where nothing wrote
//! what one that counts expected, there is no order. Conversely what does not count is of unknown
//! outcome and seen by nothing that counts: an order of the others is an order of all.
//!
//! **Blocks.** A *state* is what a write, a compare-and-set or an append that counts left behind, or
//! what the register held at first. With unique values it is left behind at one moment, and the
//! compare-and-set that expects it, or the append whose result was seen on it, comes directly after
//! its reads: two of them are a violation, as are some that wait for each other in a circle. So a
//! write, the reads of its value, what replaced that value, the reads of the new one, and so on,
//! follow each other with nothing that counts between: a *block*. It begins with a write, an append
//! whose result nothing saw (as good as a write of a value that nothing reads), or the register's
//! first value, taken for a write before all time.
//!
//! **The criterion.** The register is linearizable iff
//!
//! 1. within each block nothing that comes later in it completes before something earlier in it is
//!    invoked, and
//! 2. no two blocks precede each other, where `A` precedes `B` if something in `A` completes before
//!    something in `B` is invoked: if `f(A) < l(B)` for the first completion `f` of the one and the
//!    last invocation `l` of the other.
//!
//! Both are necessary, as a block stays together in every order. They suffice if the blocks can be
//! put in an order that agrees with 2, for then that order of blocks, each in its own order, agrees
//! with real time. They can: on a shortest circle `B1`, `B2`, … of three or more, each preceding
//! the next, let `B1` be that with the least `f`. Then `f(B1) ≤ f(B2) < l(B3)`, so `B1` precedes `B3`
//! and the circle was not the shortest.
//!
//! **Zones.** A block's zone reaches from `f` to `l`. If `f < l` it is *forward*: the register held
//! the block's values throughout. Else it is *backward*: a moment between the two suffices. So 2
//! says that no two forward zones overlap and that no backward one lies inside a forward one; two
//! backward ones cannot precede each other. Gibbons and Korach (1997, §4) have this for blocks of
//! one write and its reads.
//!
//! **Refused compare-and-sets.** One whose expectation nothing can have written, and which the
//! register did not hold at first, is refused in every state. It can be added to any order of the
//! others that agrees with real time, because real time is transitive. Any other leaves the key to
//! the search: it says that the register held one of many states.
//!
//! **Appends.** What is written and added are strings of which none is the beginning of another, so
//! that a string that was read can be cut in one way only (`appends.rs`): every piece counts, and
//! each append replaced the state before it as a compare-and-set does that expects it.
//!
//! Nothing above depends on the order in which the operations are listed.

use super::{
    appends,
    history::{Action, History, Status, Time},
    observed::{Counted, Local, NONE, Obstacle, Proof, Register},
    verdict::Finding,
};

/// Decides one key, whose operations are those at `ops`, all of which count.
///
/// # Errors
///
/// When the values are not unique, or the key is not linearizable.
pub(super) fn check(history: &History, ops: &[Counted]) -> Result<(), Obstacle> {
    let mut register = Register {
        history,
        ops,
        observes: vec![NONE; ops.len()],
        applied: Vec::with_capacity(ops.len()),
        shown_by: Vec::new(),
    };
    register.applied.extend(
        ops.iter()
            .map(|(_, operation)| operation.status == Status::Ok),
    );
    let appends = |(_, operation): &Counted| matches!(operation.action, Action::Append(_));
    if ops.iter().any(appends) {
        appends::resolve(&mut register)?;
    } else if let Err(obstacle) = resolve(&mut register) {
        return Err(match (obstacle, register.unwritten()) {
            (Obstacle::NotUnique, Some(proof)) => proof.into(),
            (obstacle, _) => obstacle,
        });
    }
    Blocks::new(&register)?.check()
}

impl Register<'_> {
    /// An observation of what nothing can have written, however often other values were.
    fn unwritten(&self) -> Option<Proof> {
        let mut written: Vec<u32> = self
            .locals()
            .filter_map(|local| match self.op(local).action {
                Action::Write(value)
                | Action::CompareAndSet {
                    new: value,
                    swapped: true,
                    ..
                } => Some(value),
                Action::Read(_)
                | Action::CompareAndSet { swapped: false, .. }
                | Action::Append(_) => None,
            })
            .chain([self.history.tables.initial])
            .collect();
        written.sort_unstable();
        self.locals().find_map(|local| {
            let observed = match self.op(local).action {
                Action::Read(value) => value?,
                Action::CompareAndSet {
                    expected,
                    swapped: true,
                    ..
                } => expected,
                Action::Write(_)
                | Action::CompareAndSet { swapped: false, .. }
                | Action::Append(_) => return None,
            };
            let nowhere = written.binary_search(&observed).is_err();
            let certain = self.op(local).status == Status::Ok;
            (certain && nowhere).then(|| self.never_written(local, observed))
        })
    }
}

/// Finds out what each observation saw, for a key without appends.
fn resolve(register: &mut Register<'_>) -> Result<(), Obstacle> {
    let mut writers: Vec<(u32, Local)> = Vec::new();
    for local in register.locals() {
        match register.op(local).action {
            Action::Write(value)
            | Action::CompareAndSet {
                new: value,
                swapped: true,
                ..
            } => writers.push((value, local)),
            Action::Read(_) | Action::CompareAndSet { swapped: false, .. } | Action::Append(_) => {}
        }
    }
    writers.sort_unstable();
    let initial = (register.history.tables.initial, register.initial());
    // The one operation that can have written a value.
    let writer = |value: u32| -> Result<Option<Local>, Obstacle> {
        let from = writers.partition_point(|(written, _)| *written < value);
        let mut found = writers[from..]
            .iter()
            .take_while(|(written, _)| *written == value)
            .map(|(_, local)| *local)
            .chain((initial.0 == value).then_some(initial.1));
        let first = found.next();
        match found.next() {
            Some(_) => Err(Obstacle::NotUnique),
            None => Ok(first),
        }
    };
    let mut to_resolve = Vec::new();
    for local in register.locals() {
        to_resolve.push(local);
        while let Some(local) = to_resolve.pop() {
            let operation = register.op(local);
            if !register.applied[local as usize] {
                continue;
            }
            let observed = match operation.action {
                Action::Read(Some(value)) => value,
                Action::CompareAndSet {
                    expected, swapped, ..
                } => {
                    if !swapped {
                        match writer(expected) {
                            Ok(None) => continue,
                            _ => return Err(Obstacle::NotUnique),
                        }
                    }
                    expected
                }
                Action::Read(None) | Action::Write(_) | Action::Append(_) => continue,
            };
            let Some(state) = writer(observed)? else {
                return Err(register.never_written(local, observed).into());
            };
            register.observes[local as usize] = state;
            // What is shown only now may have been passed by.
            if register.show(state, local) {
                to_resolve.push(state);
            }
        }
    }
    Ok(())
}

/// A moment on the time line, after which everything else follows: 0 is before all.
type Moment = u64;

fn moment(time: Time) -> Moment {
    time.saturating_add(1)
}

/// From the first completion of a block to its last invocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Zone {
    first_completion: Moment,
    last_invocation: Moment,
    /// The state that the block begins with.
    base: Local,
}

/// States, what replaced each, and who read it.
struct Blocks<'r, 'h> {
    register: &'r Register<'h>,
    /// For each state, and the initial one last, what replaced it.
    next: Vec<Local>,
    /// For each state the read of it that completed first.
    first: Vec<Local>,
    /// For each state the read of it that was invoked last.
    last: Vec<Local>,
}

/// One state of a block.
#[derive(Clone, Copy)]
struct Phase {
    /// What produced it; the initial state's number for that.
    state: Local,
    first: Local,
    last: Local,
}

impl<'r, 'h> Blocks<'r, 'h> {
    fn new(register: &'r Register<'h>) -> Result<Self, Obstacle> {
        let states = register.ops.len() + 1;
        let mut blocks = Self {
            register,
            next: vec![NONE; states],
            first: vec![NONE; states],
            last: vec![NONE; states],
        };
        for local in register.locals() {
            let state = register.observes[local as usize];
            let Some(at) = (state != NONE).then_some(state as usize) else {
                continue;
            };
            if register.produces(local) {
                let other = std::mem::replace(&mut blocks.next[at], local);
                if other != NONE {
                    let ops = [other, local].map(|local| register.id(local));
                    let finding = Finding::ReplacedTwice { ops };
                    let proof = register.proof([other, local, state], finding);
                    return Err(proof.into());
                }
            } else if register.applied[local as usize] {
                let first = blocks.first[at];
                if first == NONE || blocks.completed(local) < blocks.completed(first) {
                    blocks.first[at] = local;
                }
                let last = blocks.last[at];
                if last == NONE || blocks.invoked(local) > blocks.invoked(last) {
                    blocks.last[at] = local;
                }
            }
        }
        Ok(blocks)
    }

    /// When a state, or what read it, was certainly there.
    fn completed(&self, local: Local) -> Moment {
        if local == self.register.initial() {
            return 0;
        }
        moment(self.register.op(local).effective_by())
    }

    fn invoked(&self, local: Local) -> Moment {
        if local == self.register.initial() {
            return 0;
        }
        moment(self.register.op(local).invoked)
    }

    /// The states of the block that begins with this one.
    fn phases(&self, base: Local) -> impl Iterator<Item = Phase> + '_ {
        let phase = |state: Local| Phase {
            state,
            first: self.first[state as usize],
            last: self.last[state as usize],
        };
        let next = |phase: &Phase| {
            let next = self.next[phase.state as usize];
            (next != NONE).then_some(next)
        };
        std::iter::successors(Some(phase(base)), move |last| next(last).map(phase))
    }

    fn check(&self) -> Result<(), Obstacle> {
        let register = self.register;
        let (mut forward, mut backward) = (Vec::new(), Vec::new());
        let (mut produced, mut reached) = (0_usize, 0_usize);
        for base in register.locals().chain([register.initial()]) {
            if base != register.initial() {
                if !register.produces(base) {
                    continue;
                }
                produced += 1;
                if register.observes[base as usize] != NONE {
                    continue;
                }
            }
            let (zone, phases) = self.zone(base)?;
            reached += phases;
            if zone.first_completion < zone.last_invocation {
                forward.push(zone);
            } else {
                backward.push(zone);
            }
        }
        if reached <= produced {
            return Err(self.circle().into());
        }
        forward.sort_unstable();
        for pair in forward.windows(2) {
            if pair[1].first_completion < pair[0].last_invocation {
                return Err(self.conflict(pair[0], pair[1]).into());
            }
        }
        for zone in backward {
            let before = forward
                .partition_point(|other| other.first_completion < zone.last_invocation)
                .checked_sub(1);
            let around = before.map(|at| forward[at]);
            if let Some(around) =
                around.filter(|around| zone.first_completion < around.last_invocation)
            {
                return Err(self.conflict(around, zone).into());
            }
        }
        Ok(())
    }

    /// The zone of a block, and how many states it has.
    fn zone(&self, base: Local) -> Result<(Zone, usize), Obstacle> {
        let (mut first_completion, mut last_invocation) = (Moment::MAX, 0);
        let mut states = 0;
        for phase in self.phases(base) {
            states += 1;
            for (completes, invoked) in [(phase.state, phase.state), (phase.first, phase.last)] {
                if completes == NONE {
                    continue;
                }
                let completed = self.completed(completes);
                if completed < last_invocation {
                    return Err(self.disorder(base, states - 1, completes).into());
                }
                first_completion = first_completion.min(completed);
                last_invocation = last_invocation.max(self.invoked(invoked));
            }
        }
        let zone = Zone {
            first_completion,
            last_invocation,
            base,
        };
        Ok((zone, states))
    }

    /// `early`, in the phase `at` of its block, completed before something that has to come before
    /// it was invoked.
    fn disorder(&self, base: Local, at: usize, early: Local) -> Proof {
        let register = self.register;
        let phases: Vec<Phase> = self.phases(base).take(at + 1).collect();
        let completed = self.completed(early);
        // The nearest, so that the proof is short.
        let mut late = (0, NONE);
        for (number, phase) in phases.iter().enumerate() {
            for candidate in [phase.state, phase.last] {
                let before = number < at || (candidate == phase.state && early != phase.state);
                if candidate != NONE && before && self.invoked(candidate) > completed {
                    late = (number, candidate);
                }
            }
        }
        let (from, late) = late;
        let finding = if late == phases[from].state {
            Finding::BeforeItsWrite {
                op: register.id(early),
                write: register.id(late),
            }
        } else {
            Finding::Stale {
                op: register.id(late),
                gone_by: register.id(early),
            }
        };
        let states = phases[from..].iter().map(|phase| phase.state);
        register.proof(states.chain([early, late]), finding)
    }

    /// Some operations wait for each other: there is no state that their block begins with.
    fn circle(&self) -> Proof {
        let register = self.register;
        let mut reached = vec![false; register.ops.len() + 1];
        for base in register.locals().chain([register.initial()]) {
            if base == register.initial()
                || register.produces(base) && register.observes[base as usize] == NONE
            {
                for phase in self.phases(base) {
                    reached[phase.state as usize] = true;
                }
            }
        }
        let mut waiting = register.locals();
        let waiting = waiting.find(|op| register.produces(*op) && !reached[*op as usize]);
        let mut circle: Vec<Local> = waiting.into_iter().collect();
        while let Some(&at) = circle.last() {
            let before = register.observes[at as usize];
            if before == circle[0] || before as usize >= register.ops.len() {
                break;
            }
            circle.push(before);
        }
        let op = circle.first().map_or(0, |op| register.id(*op));
        register.proof(circle, Finding::Circle { op })
    }

    /// Two blocks each have to come before the other.
    fn conflict(&self, outer: Zone, inner: Zone) -> Proof {
        let around = self.span(outer.base, inner.last_invocation, inner.first_completion);
        let within = self.span(
            inner.base,
            self.invoked(around.after),
            self.completed(around.before),
        );
        // The initial value is told of as the one that came back.
        let (around, within) = if within.before == self.register.initial() {
            (within, around)
        } else {
            (around, within)
        };
        let register = self.register;
        let id = |local: Local| register.id(local);
        let finding = Finding::CameBack {
            before: (around.before != register.initial()).then(|| id(around.before)),
            after: id(around.after),
            between: [id(within.after), id(within.before)],
        };
        let ends = [around.before, around.after, within.before, within.after];
        let locals = around.states.into_iter().chain(within.states).chain(ends);
        register.proof(locals, finding)
    }

    /// The shortest part of a block that reaches from before `invoked` until after `completed`.
    fn span(&self, base: Local, invoked: Moment, completed: Moment) -> Span {
        let mut best: Option<(usize, Span)> = None;
        let (mut before, mut after) = (None, None);
        let mut states = Vec::new();
        for (at, phase) in self.phases(base).enumerate() {
            states.push(phase.state);
            let mut early = [phase.state, phase.first].into_iter();
            if let Some(op) = early.find(|op| *op != NONE && self.completed(*op) < invoked) {
                before = Some((at, op));
            }
            let mut late = [phase.state, phase.last].into_iter();
            if let Some(op) = late.find(|op| *op != NONE && self.invoked(*op) > completed) {
                after = Some((at, op));
            }
            if let (Some((from, before)), Some((to, after))) = (before, after) {
                let reads = [(from, before), (to, after)];
                let reads = reads.iter().filter(|(at, op)| states[*at] != *op).count();
                let cost =
                    2 * from.abs_diff(to) + reads - usize::from(reads == 2 && before == after);
                if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                    let states = states[from.min(to)..=from.max(to)].to_vec();
                    best = Some((
                        cost,
                        Span {
                            before,
                            after,
                            states,
                        },
                    ));
                }
            }
        }
        best.map_or_else(
            || Span {
                before: base,
                after: base,
                states: vec![base],
            },
            |(_, span)| span,
        )
    }
}

/// A part of a block.
struct Span {
    /// Completed before the other block's part began.
    before: Local,
    /// Invoked after the other block's part ended.
    after: Local,
    /// What produced the states in between.
    states: Vec<Local>,
}
