//! Reads and writes.

use std::{collections::BTreeMap, fmt::Debug};

use crate::{
    clocks::{Causality, Dot, DottedVersionVector, DvvSet, VectorClock},
    stores::{
        DottedStore, Effect, Key, MaybeTombstone, RequestId, Sibling, SiblingAnswer, SiblingStore,
        StoreError,
    },
};

use super::{
    Dynamo, OpId, Outcome,
    asked::{InPlaceOf, are_enough, others},
    message::{Body, Write},
    node::Effects,
    rules::Durable,
};

/// Rounds after which nobody waits for an answer any more: longer than an answer takes over a slow link, or a
/// node behind one would be suspected for ever.
const LATE: u64 = 5;

/// Rounds for which forwarded writes are remembered: longer than any message is under way.
const REMEMBERED: u64 = 512;

/// Something that a node has begun, and in which round.
#[derive(Clone, Debug)]
pub(super) struct Pending<V> {
    pub(super) task: Task<V>,
    pub(super) round: u64,
}

/// What a node waits for.
#[derive(Clone, Debug)]
pub(super) enum Task<V> {
    /// Nodes that are to have a write on storage.
    Write {
        waiter: Waiter,
        key: Key,
        stamp: DottedVersionVector,
        /// Who was asked, in whose place, and whether it has said that it is durable there.
        asked: BTreeMap<u32, (InPlaceOf, bool)>,
        acknowledged: bool,
    },
    /// Nodes that are to say what they know of a key.
    Read {
        id: RequestId,
        key: Key,
        /// Who was asked, in whose place, and what it answered.
        asked: BTreeMap<u32, (InPlaceOf, Option<DvvSet<V>>)>,
        answered: bool,
    },
    /// The coordinator of a forwarded write.
    Forward { id: RequestId, key: Key, to: u32 },
    /// An owner that is told of what it missed.
    HandOff {
        to: u32,
        sets: Vec<(Key, DvvSet<V>)>,
    },
}

/// Who waits for a write.
#[derive(Clone, Copy, Debug)]
pub(super) enum Waiter {
    /// A client.
    Client(RequestId),
    /// A node that forwarded it.
    Node(u32, OpId),
}

/// All siblings of a set, as they are answered.
fn siblings<V: Clone>(set: &DvvSet<V>) -> crate::stores::Siblings<V, DottedVersionVector> {
    let version = |dot| DottedVersionVector::new(dot, VectorClock::new()).ok();
    let sibling = |(dot, value): (_, &V)| {
        Some(Sibling {
            value: value.clone(),
            stamp: version(dot)?,
        })
    };
    set.values().filter_map(sibling).collect::<Vec<_>>().into()
}

impl<V: Clone + Debug + PartialEq + MaybeTombstone> Dynamo<V> {
    /// A client reads.
    pub(super) fn read(&mut self, id: RequestId, key: &Key, effects: &mut Effects<V>) {
        let op = self.begin(Task::Read {
            id,
            key: key.clone(),
            asked: BTreeMap::new(),
            answered: false,
        });
        self.ask_readers(op, effects);
    }

    /// Asks all who should know of the key of a read.
    fn ask_readers(&mut self, op: OpId, effects: &mut Effects<V>) {
        let Some(Pending {
            task: Task::Read { key, .. },
            ..
        }) = self.pending.get(&op)
        else {
            return;
        };
        let key = key.clone();
        let nodes = self.asked(&key);
        let own = self.set(&key);
        let own = |node: u32| (node == self.position).then(|| own.clone());
        let all = nodes
            .iter()
            .map(|(node, places)| (*node, (*places, own(*node))));
        let all: BTreeMap<_, _> = all.collect();
        if let Some(Pending {
            task: Task::Read { asked, .. },
            ..
        }) = self.pending.get_mut(&op)
        {
            *asked = all;
        }
        for (node, _) in nodes {
            if node != self.position {
                let key = key.clone();
                self.send(node, Body::Fetch { op, key }, effects);
            }
        }
        self.go_on_reading(op, effects);
    }

    /// A node says what it knows of a key.
    pub(super) fn fetched(
        &mut self,
        from: u32,
        op: OpId,
        set: &DvvSet<V>,
        effects: &mut Effects<V>,
    ) {
        let Some(Pending {
            task: Task::Read { asked, .. },
            ..
        }) = self.pending.get_mut(&op)
        else {
            return;
        };
        if let Some((_, answer)) = asked.get_mut(&from) {
            *answer = Some(set.clone());
            self.go_on_reading(op, effects);
        }
    }

    /// Answers a read when enough nodes have, and ends it when all have.
    fn go_on_reading(&mut self, op: OpId, effects: &mut Effects<V>) {
        let enough = self.enough(|quorums| quorums.reads);
        let Some(Pending {
            task:
                Task::Read {
                    id,
                    asked,
                    answered,
                    ..
                },
            ..
        }) = self.pending.get_mut(&op)
        else {
            return;
        };
        let known = asked.values().filter(|(_, answer)| answer.is_some());
        let all = known.clone().count() == asked.len();
        if are_enough(known.map(|(places, _)| places), enough) && !*answered {
            *answered = true;
            let merged = merged(asked);
            let context = merged.join();
            let answer = SiblingAnswer::Siblings {
                siblings: siblings(&merged),
                context: vec![context.clone()],
                told: Some(context),
            };
            effects.push(Effect::Reply(*id, answer));
        }
        if !all {
            return;
        }
        if let Some(Pending {
            task: Task::Read { key, asked, .. },
            ..
        }) = self.pending.remove(&op)
        {
            self.repair(&key, asked, effects);
        }
    }

    /// Tells nodes that have answered a read what they lacked.
    fn repair(
        &mut self,
        key: &Key,
        asked: BTreeMap<u32, (InPlaceOf, Option<DvvSet<V>>)>,
        effects: &mut Effects<V>,
    ) {
        if self.quorums.background {
            return;
        }
        let merged = merged(&asked);
        for (node, (_, answer)) in asked {
            let behind = answer.is_some_and(|set| set.compare(&merged) != Causality::Equal);
            if behind && self.owns(node, key) {
                self.deeds.repaired += 1;
                self.tell(node, key, &merged, effects);
            }
        }
    }

    /// A client writes.
    pub(super) fn write(&mut self, id: RequestId, write: Write<V>, effects: &mut Effects<V>) {
        let nodes = self.asked(&write.key);
        if nodes.iter().any(|(node, _)| *node == self.position) {
            self.coordinate(Waiter::Client(id), write, None, effects);
            return;
        }
        let healthy = nodes
            .iter()
            .find(|(node, _)| !self.suspected.contains(node));
        if let Some(&asked) = healthy.or(nodes.first()) {
            self.forward(id, asked, write, effects);
        }
    }

    /// Lets another node coordinate a write. Nobody else is asked when it does not answer: it may have
    /// done it, and the same value under a second dot would be a sibling of itself.
    fn forward(
        &mut self,
        id: RequestId,
        (to, places): (u32, InPlaceOf),
        write: Write<V>,
        effects: &mut Effects<V>,
    ) {
        self.deeds.forwarded += 1;
        let op = self.begin(Task::Forward {
            id,
            key: write.key.clone(),
            to,
        });
        let to_life = self.lives.get(&to).copied().unwrap_or(1);
        let body = Body::Forward {
            op,
            to_life,
            write,
            instead_of: others(to, places).next(),
        };
        self.send(to, body, effects);
    }

    /// Coordinates a write for another node, unless it may have done so before.
    pub(super) fn take_forwarded(
        &mut self,
        from: u32,
        op: OpId,
        to_life: u64,
        write: &Write<V>,
        instead_of: Option<u32>,
        effects: &mut Effects<V>,
    ) {
        if to_life != self.identity.life {
            // In its former life it may have done it.
            let outcome = Outcome::Unknown;
            self.send(from, Body::Forwarded { op, outcome }, effects);
        } else if self.forwarded.insert((from, op), self.round).is_none() {
            self.coordinate(Waiter::Node(from, op), write.clone(), instead_of, effects);
        }
    }

    /// What came of a write that was forwarded.
    pub(super) fn forwarded(&mut self, op: OpId, outcome: &Outcome, effects: &mut Effects<V>) {
        let Some(Pending {
            task: Task::Forward { id, key, .. },
            ..
        }) = self.pending.remove(&op)
        else {
            return;
        };
        answer(id, key, outcome.clone(), effects);
    }

    /// Gives a value a dot of its own, and sends it to all owners of the key. Who asked for it may have taken
    /// an owner for failed, in whose place it is done.
    fn coordinate(
        &mut self,
        waiter: Waiter,
        write: Write<V>,
        instead_of: Option<u32>,
        effects: &mut Effects<V>,
    ) {
        let Write {
            key,
            context,
            value,
        } = write;
        let nodes = self.asked_instead_of(&key, instead_of);
        if nodes.iter().all(|(node, _)| *node != self.position) {
            let why = "this node does not own the key any more, or does not yet; try again";
            self.answer(waiter, key, Outcome::Refused(why.to_owned()), effects);
            return;
        }
        let name = self.identity.actor(&self.name);
        let kept = self.kept.entry(key.clone()).or_default();
        let actor = kept.actor.clone().unwrap_or(name);
        let written = kept.set.event(&actor, value, &context);
        let stamp = written.and_then(|set| {
            let dot = Dot::new(actor.clone(), set.count(&actor))?;
            let stamp = DottedVersionVector::new(dot, context)?;
            Ok((set, stamp))
        });
        let (set, stamp) = match stamp {
            Ok(made) => made,
            Err(error) => {
                self.answer(waiter, key, Outcome::Refused(error.to_string()), effects);
                return;
            }
        };
        kept.set = set.clone();
        kept.actor = Some(actor);
        // Who coordinates and is no owner keeps the write for the one in whose place it is.
        let own = nodes.iter().filter(|(node, _)| *node == self.position);
        kept.hints
            .extend(own.flat_map(|(node, places)| others(*node, *places)));
        self.persist(&key, effects);
        if self.rules.durable == Durable::First {
            effects.push(Effect::Sync);
        }
        let op = self.begin(Task::Write {
            waiter,
            key,
            stamp,
            asked: BTreeMap::new(),
            acknowledged: false,
        });
        self.send_write(op, nodes, effects);
    }

    /// Sends what it knows of the key of a write to all who are to have it.
    fn send_write(&mut self, op: OpId, nodes: Vec<(u32, InPlaceOf)>, effects: &mut Effects<V>) {
        let own = self.position;
        let Some(Pending {
            task: Task::Write { key, asked, .. },
            ..
        }) = self.pending.get_mut(&op)
        else {
            return;
        };
        *asked = nodes
            .iter()
            .map(|&(node, places)| (node, (places, node == own)))
            .collect();
        let key = key.clone();
        let set = self.set(&key);
        for (node, places) in nodes {
            let instead_of: Vec<u32> = others(node, places).collect();
            self.deeds.stood_in += u64::from(!instead_of.is_empty());
            if node != own {
                let body = Body::Store {
                    op,
                    key: key.clone(),
                    set: set.clone(),
                    instead_of,
                };
                self.send(node, body, effects);
            }
        }
        self.go_on_writing(op, effects);
    }

    /// Others count from now on: asks them, for all that is not answered yet. What was answered under another
    /// view counts no more.
    pub(super) fn ask_again(&mut self, effects: &mut Effects<V>) {
        let ops: Vec<OpId> = self.pending.keys().copied().collect();
        for op in ops {
            match self.pending.get(&op).map(|pending| &pending.task) {
                Some(Task::Read { answered, .. }) => {
                    if *answered {
                        self.pending.remove(&op);
                    } else {
                        self.ask_readers(op, effects);
                    }
                }
                Some(Task::Write {
                    key,
                    acknowledged,
                    asked,
                    ..
                }) => {
                    let key = key.clone();
                    if *acknowledged {
                        let missed = missed(asked);
                        self.pending.remove(&op);
                        self.remember(&key, missed.into_iter(), effects);
                    } else {
                        let nodes = self.asked(&key);
                        self.send_write(op, nodes, effects);
                    }
                }
                Some(Task::HandOff { .. }) => {
                    self.pending.remove(&op);
                }
                Some(Task::Forward { .. }) | None => {}
            }
        }
    }

    /// A node has something on storage.
    pub(super) fn stored(&mut self, from: u32, op: OpId, effects: &mut Effects<V>) {
        match self.pending.get_mut(&op) {
            Some(Pending {
                task: Task::Write { asked, .. },
                ..
            }) => {
                if let Some((_, durable)) = asked.get_mut(&from) {
                    *durable = true;
                }
                self.go_on_writing(op, effects);
            }
            Some(Pending {
                task: Task::HandOff { .. },
                ..
            }) => self.handed_off(op, effects),
            _ => {}
        }
    }

    /// Acknowledges a write when enough nodes have it on storage, and ends it when all have.
    fn go_on_writing(&mut self, op: OpId, effects: &mut Effects<V>) {
        let enough = self.enough(|quorums| (self.rules.enough)(quorums.writes));
        let Some(Pending {
            task:
                Task::Write {
                    waiter,
                    key,
                    stamp,
                    asked,
                    acknowledged,
                },
            ..
        }) = self.pending.get_mut(&op)
        else {
            return;
        };
        let durable = asked.values().filter(|(_, durable)| *durable);
        let all = durable.clone().count() == asked.len();
        if are_enough(durable.map(|(places, _)| places), enough) && !*acknowledged {
            *acknowledged = true;
            let (waiter, key) = (*waiter, key.clone());
            let outcome = Outcome::Written(stamp.clone());
            self.reap_early(&key, effects);
            self.answer(waiter, key, outcome, effects);
        }
        if all {
            self.pending.remove(&op);
        }
    }

    /// Says what came of a write.
    fn answer(&self, waiter: Waiter, key: Key, outcome: Outcome, effects: &mut Effects<V>) {
        match waiter {
            Waiter::Client(id) => answer(id, key, outcome, effects),
            Waiter::Node(node, op) => self.send(node, Body::Forwarded { op, outcome }, effects),
        }
    }

    /// Gives up what has taken too long. Nodes that did not answer are suspected, and owners among them
    /// are told later of what they missed.
    pub(super) fn give_up_late(&mut self, effects: &mut Effects<V>) {
        let round = self.round;
        self.forwarded
            .retain(|_, came| round.saturating_sub(*came) < REMEMBERED);
        let late = |pending: &Pending<V>| round.saturating_sub(pending.round) >= LATE;
        let late: Vec<OpId> = self
            .pending
            .iter()
            .filter(|(_, pending)| late(pending))
            .map(|(op, _)| *op)
            .collect();
        for op in late {
            match self.pending.remove(&op).map(|pending| pending.task) {
                Some(Task::Read {
                    id,
                    key,
                    asked,
                    answered,
                }) => {
                    let silent = asked.iter().filter(|(_, (_, answer))| answer.is_none());
                    self.suspected.extend(silent.map(|(node, _)| *node));
                    if !answered {
                        effects.push(Effect::Reply(id, SiblingAnswer::Unknown));
                    }
                    self.repair(&key, asked, effects);
                }
                Some(Task::Write {
                    waiter,
                    key,
                    asked,
                    acknowledged,
                    ..
                }) => {
                    if !acknowledged {
                        self.answer(waiter, key.clone(), Outcome::Unknown, effects);
                    }
                    let silent = asked.iter().filter(|(_, (_, durable))| !durable);
                    self.suspected.extend(silent.map(|(node, _)| *node));
                    let missed = missed(&asked);
                    self.remember(&key, missed.into_iter(), effects);
                }
                Some(Task::Forward { id, key, to }) => {
                    self.suspected.insert(to);
                    answer(id, key, Outcome::Unknown, effects);
                }
                Some(Task::HandOff { to, .. }) => {
                    self.told.remove(&to);
                    self.suspected.insert(to);
                }
                None => {}
            }
        }
    }
}

/// The owners that have not said that they have a write, or in whose place nobody has.
fn missed(asked: &BTreeMap<u32, (InPlaceOf, bool)>) -> Vec<u32> {
    let silent = asked.values().filter(|(_, durable)| !durable);
    silent
        .flat_map(|(places, _)| places.iter().flatten().copied())
        .collect()
}

/// All that is known together.
fn merged<V: Clone>(asked: &BTreeMap<u32, (InPlaceOf, Option<DvvSet<V>>)>) -> DvvSet<V> {
    let answers = asked.values().filter_map(|(_, answer)| answer.as_ref());
    answers.fold(DvvSet::empty(), |merged, set| merged.sync(set))
}

/// Answers a client's write.
fn answer<V: Clone + Debug + PartialEq + MaybeTombstone>(
    id: RequestId,
    key: Key,
    outcome: Outcome,
    effects: &mut Effects<V>,
) {
    let answer = match outcome {
        Outcome::Written(stamp) => SiblingAnswer::Written {
            key,
            context: DottedStore::<()>::write_context(&stamp),
            stamp,
        },
        Outcome::Refused(why) => SiblingAnswer::Refused(StoreError::Coordinator(why)),
        Outcome::Unknown => SiblingAnswer::Unknown,
    };
    effects.push(Effect::Reply(id, answer));
}
