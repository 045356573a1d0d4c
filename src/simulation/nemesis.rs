//! The nemesis: the faults of a plan while it runs, and what each of them affected.
//!
//! A fault that is under way need not affect anything: no message may travel while links are cut.
//! So every effect is charged to the faults that could be its cause, at the moment it shows: a
//! message that is lost, swallowed by a cut link, overtaken, delivered twice, held back by a pause
//! or sent in vain to a dead node; a record that a crash forgets; a use of a clock that is wrong. Where several faults of a kind
//! are active at once each is charged.
//!
//! Some effects show later than their cause acts: a message is overtaken when it arrives, by one
//! that was sent while a fault was active. Messages therefore carry the *epoch* in which they were
//! sent: a new one begins whenever a fault begins or ends, so that a fault was active in an epoch
//! or was not.
//!
//! An effect costs O(faults), and nothing is done where there is none.

use super::{
    Address,
    faults::{Death, Fault, FaultKind, FaultName},
    time::Nanos,
};

/// What one fault of a plan did in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultRecord {
    /// When it really began; `None` when the run was over before.
    pub began: Option<Nanos>,
    /// When it really ended; `None` when it never began, or the run was broken off before.
    pub ended: Option<Nanos>,
    /// How many messages it affected: lost, swallowed, overtaken, delivered a second time, held
    /// back, or sent to a node that was down.
    pub messages: u64,
    /// The first of these messages, at most [`FaultRecord::SHOWN`].
    pub first: Vec<AffectedMessage>,
    /// A node was made to die at a deed of its own.
    pub fell: bool,
    /// A node used its clock while it was wrong.
    pub clock_used: bool,
    /// A node was told to leave.
    pub told: bool,
    /// How many records a crash forgot, or how many files a loss of power set back, because they were not
    /// synced; `None` where that is not known, and for other faults.
    pub unsynced: Option<u64>,
}

impl FaultRecord {
    /// How many messages are kept of each fault.
    pub const SHOWN: usize = 100;

    /// How often it affected something: none means that it was not exercised, however long it
    /// lasted.
    pub fn affected(&self) -> u64 {
        let others = u64::from(self.fell) + u64::from(self.clock_used) + u64::from(self.told);
        self.messages + self.unsynced.unwrap_or(0) + others
    }
}

/// A message that a fault affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AffectedMessage {
    /// When the effect showed: at sending for what was lost, else at arrival.
    pub at: Nanos,
    /// Who sent it.
    pub from: Address,
    /// Who should receive it.
    pub to: Address,
}

/// A span of the run in which the same faults are active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Epoch(u32);

/// All faults of a run.
#[derive(Debug)]
pub(super) struct Nemesis {
    faults: Vec<Tracked>,
    /// The present one.
    epoch: Epoch,
}

#[derive(Debug)]
struct Tracked {
    fault: Fault,
    /// The first epoch in which it is active, and the first in which it is no longer.
    active: std::ops::Range<Epoch>,
    record: FaultRecord,
}

const NEVER: Epoch = Epoch(u32::MAX);

impl Nemesis {
    /// None of the faults has begun.
    pub(super) fn new(faults: &[Fault]) -> Self {
        let tracked = faults.iter().map(|fault| Tracked {
            fault: fault.clone(),
            active: NEVER..NEVER,
            record: FaultRecord::default(),
        });
        Self {
            faults: tracked.collect(),
            epoch: Epoch::default(),
        }
    }

    /// The present epoch. O(1).
    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The positions of the faults that are active. O(faults).
    pub(super) fn active(&self) -> impl Iterator<Item = usize> {
        let active = |(index, tracked): (usize, &Tracked)| {
            tracked.active.contains(&self.epoch).then_some(index)
        };
        self.faults.iter().enumerate().filter_map(active)
    }

    /// Begins or ends a fault, and returns it; `None` when it had begun or ended before. O(1).
    pub(super) fn switch(&mut self, index: usize, begins: bool, now: Nanos) -> Option<&FaultKind> {
        let tracked = &mut self.faults[index];
        if tracked.active.contains(&self.epoch) == begins {
            return None;
        }
        self.epoch.0 += 1;
        if begins {
            tracked.active = self.epoch..NEVER;
            tracked.record.began = Some(now);
        } else {
            tracked.active.end = self.epoch;
            tracked.record.ended = Some(now);
        }
        Some(&tracked.fault.what)
    }

    /// A node has died because of a fault, which had begun before. Returns how.
    pub(super) fn fell(&mut self, index: usize, now: Nanos) -> Option<Death> {
        let Tracked { fault, record, .. } = &mut self.faults[index];
        record.began = Some(now);
        record.fell = true;
        fault.what.death()
    }

    /// A node was told to leave because of a fault.
    pub(super) fn told(&mut self, index: usize) {
        self.faults[index].record.told = true;
    }

    /// A fault has ended, and had no occasion to begin.
    pub(super) fn had_no_occasion(&mut self, index: usize) {
        let record = &mut self.faults[index].record;
        (record.began, record.ended) = (None, None);
    }

    /// Charges what happened to a message to the faults that could have caused it, of those that
    /// were active in an epoch. O(faults).
    pub(super) fn charge(
        &mut self,
        epoch: Epoch,
        message: AffectedMessage,
        could_cause: impl Fn(&FaultKind) -> bool,
    ) {
        for Tracked {
            fault,
            active,
            record,
        } in &mut self.faults
        {
            if active.contains(&epoch) && could_cause(&fault.what) {
                record.messages += 1;
                if record.first.len() < FaultRecord::SHOWN {
                    record.first.push(message);
                }
            }
        }
    }

    /// Charges what a node had not synced to the deaths of this kind that made it forget. O(faults).
    pub(super) fn charge_unsynced(&mut self, node: u32, by: FaultName, records: u64) {
        for tracked in &mut self.faults {
            let what = &tracked.fault.what;
            let kills = what.name() == by && what.takes_down(Address::Node(node));
            if tracked.active.contains(&self.epoch) && kills {
                *tracked.record.unsynced.get_or_insert(0) += records;
            }
        }
    }

    /// Charges a node's use of its clock to the faults that make it wrong. O(faults).
    pub(super) fn charge_clock(&mut self, used_by: u32) {
        for tracked in &mut self.faults {
            let wrong = matches!(tracked.fault.what, FaultKind::Clock { node, jump_ns, drift_ppm }
                    if node == used_by && (jump_ns, drift_ppm) != (0, 0));
            if wrong && tracked.active.contains(&self.epoch) {
                tracked.record.clock_used = true;
            }
        }
    }

    /// What each fault did, by its position in the plan.
    pub(super) fn records(&self) -> Vec<FaultRecord> {
        let records = self.faults.iter().map(|tracked| tracked.record.clone());
        records.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::{Event, Latency, NetworkPlan, PartitionShape, Simulation};

    const CERTAIN: u32 = 1_000_000;
    const N1: Address = Address::Node(0);
    const N2: Address = Address::Node(1);
    const CLIENT: Address = Address::Client(0);

    /// Two nodes; a message takes from 10 ns to `longest`.
    fn simulation(longest: u64, faults: &[(FaultKind, u64, u64)]) -> Simulation<u32> {
        let latency = Latency::Uniform {
            min_ns: Nanos(10),
            max_ns: Nanos(longest),
        };
        let plan = NetworkPlan {
            seed: 1,
            client_latency: latency,
            node_latency: latency,
            links: Vec::new(),
            together_ns: Nanos::ZERO,
        };
        let fault = |(what, begin, end): &(FaultKind, u64, u64)| Fault {
            what: what.clone(),
            begin_ns: Nanos(*begin),
            end_ns: Nanos(*end),
        };
        Simulation::new(2, &plan, &faults.iter().map(fault).collect::<Vec<_>>())
    }

    /// Sends a message at each of these times, and lets everything happen.
    fn run(simulation: &mut Simulation<u32>, sends: &[(u64, Address, Address)]) -> Vec<u32> {
        for (index, (at, ..)) in (0..).zip(sends) {
            simulation.set_alarm(Nanos(*at), index);
        }
        let mut delivered = Vec::new();
        while let Some(event) = simulation.next_event() {
            match event {
                Event::Alarm(index) => {
                    let index = u32::try_from(index).unwrap();
                    let (_, from, to) = sends[index as usize];
                    simulation.send(from, to, index);
                }
                Event::Deliver { message, .. } => delivered.push(message),
                _ => {}
            }
        }
        delivered
    }

    /// How many messages each fault affected.
    fn affected(simulation: &Simulation<u32>) -> Vec<u64> {
        let records = simulation.fault_records();
        records.iter().map(FaultRecord::affected).collect()
    }

    fn cut() -> FaultKind {
        FaultKind::Partition {
            shape: PartitionShape::OneWay,
            cut: vec![(0, 1)],
        }
    }

    fn loss() -> FaultKind {
        FaultKind::Loss {
            probability_ppm: CERTAIN,
        }
    }

    #[test]
    fn what_lasts_without_a_message_affects_nothing() {
        let duplication = FaultKind::Duplication {
            probability_ppm: CERTAIN,
        };
        let kinds = [
            cut(),
            loss(),
            FaultKind::Reorder,
            duplication,
            FaultKind::Crash { node: 1 },
            FaultKind::Stop { node: 1 },
            FaultKind::Pause { node: 1 },
            FaultKind::Clock {
                node: 1,
                jump_ns: -5,
                drift_ppm: 10,
            },
            FaultKind::PowerLoss {
                node: 1,
                deeds: None,
                keeps_names: false,
            },
        ];
        let faults = kinds.map(|kind| (kind, 20, 400));
        let mut simulation = simulation(10, &faults);
        let sends = [(0, N1, N2), (100, N2, CLIENT), (500, N1, N2)];
        assert_eq!(run(&mut simulation, &sends), [0, 1, 2]);
        assert_eq!(affected(&simulation), [0; 9]);
        let record = &simulation.fault_records()[0];
        assert_eq!(record.began, Some(Nanos(20)));
        assert_eq!(record.ended, Some(Nanos(400)));
    }

    #[test]
    fn a_message_is_charged_to_every_active_fault_that_could_be_the_cause() {
        let faults = [
            (cut(), 20, 100),
            (cut(), 60, 200),
            (loss(), 20, 100),
            (loss(), 60, 300),
        ];
        let mut simulation = simulation(10, &faults);
        let sends = [
            (15, N1, N2),
            (30, N1, N2),
            (70, N1, N2),
            (70, N2, N1),
            (250, N1, N2),
            (350, N1, N2),
        ];
        assert_eq!(run(&mut simulation, &sends), [5]);
        assert_eq!(affected(&simulation), [3, 1, 1, 2]);
        let first = &simulation.fault_records()[0].first;
        let times: Vec<u64> = first.iter().map(|message| message.at.0).collect();
        assert_eq!(
            times,
            [25, 30, 70],
            "one was on its way when the link was cut"
        );
        assert_eq!((first[0].from, first[0].to), (N1, N2));
    }

    #[test]
    fn loss_is_charged_for_the_links_that_it_may_touch() {
        let client_loss = FaultKind::ClientLoss {
            probability_ppm: CERTAIN,
        };
        let mut simulation = simulation(10, &[(client_loss, 0, 100), (loss(), 0, 100)]);
        let sends = [(5, CLIENT, N1), (5, N2, CLIENT), (5, N1, N2)];
        assert_eq!(run(&mut simulation, &sends), [0u32; 0]);
        assert_eq!(affected(&simulation), [2, 1]);
    }

    #[test]
    fn overtaken_is_what_arrives_after_a_later_message_of_its_link() {
        let sends: Vec<_> = (1..=50).map(|at| (at, N1, N2)).collect();
        let faults = [(FaultKind::Reorder, 0, 60), (FaultKind::Reorder, 600, 700)];
        let mut reordered = simulation(500, &faults);
        let order = run(&mut reordered, &sends);
        let overtaken = (0..order.len())
            .filter(|&place| order[..place].iter().any(|&before| before > order[place]))
            .count() as u64;
        assert!(overtaken > 10);
        // Most arrive after the first one ended, and were overtaken because of it all the same.
        assert_eq!(affected(&reordered), [overtaken, 0]);
        assert_eq!(reordered.traffic().reordered, overtaken);
        // On links of their own messages overtake nobody.
        let sends: Vec<_> = (0..50u32)
            .map(|client| (1, Address::Client(client), N2))
            .collect();
        let mut apart = simulation(500, &faults);
        assert!(!run(&mut apart, &sends).is_sorted());
        assert_eq!(affected(&apart), [0, 0]);
    }

    #[test]
    fn nothing_is_overtaken_that_never_arrives() {
        // Whatever is overtaken comes to a link that is cut by then.
        let faults = [(FaultKind::Reorder, 0, 60), (cut(), 61, 5_000)];
        let mut simulation = simulation(4_000, &faults);
        let sends: Vec<_> = (1..=50).map(|at| (at, N1, N2)).collect();
        assert!(run(&mut simulation, &sends).is_sorted());
        assert_eq!(affected(&simulation)[0], 0);
        assert!(affected(&simulation)[1] > 40);
    }

    #[test]
    fn a_message_counts_as_doubled_when_it_was_delivered_twice() {
        let duplication = FaultKind::Duplication {
            probability_ppm: CERTAIN,
        };
        let mut twice = simulation(10, &[(duplication.clone(), 0, 3)]);
        assert_eq!(run(&mut twice, &[(1, N1, N2), (5, N1, N2)]), [0, 0, 1]);
        assert_eq!(affected(&twice), [1]);
        assert_eq!(twice.traffic().duplicated, 1);
        // Both copies are cut off.
        let mut cut_off = simulation(10, &[(duplication, 0, 3), (cut(), 4, 50)]);
        assert_eq!(run(&mut cut_off, &[(1, N1, N2)]), [0u32; 0]);
        assert_eq!(affected(&cut_off), [0, 2]);
        assert_eq!(cut_off.traffic().duplicated, 0);
    }

    #[test]
    fn a_node_that_is_down_or_paused_is_affected_by_what_comes_for_it() {
        let crash = (FaultKind::Crash { node: 1 }, 20, 100);
        let stop = (FaultKind::Stop { node: 0 }, 20, 100);
        let mut down = simulation(10, &[crash, stop]);
        let sends = [(15, CLIENT, N2), (30, N1, N2), (30, N2, N1), (30, N1, N2)];
        assert_eq!(run(&mut down, &sends), [0u32; 0]);
        assert_eq!(affected(&down), [3, 1]);
        let pause = (FaultKind::Pause { node: 1 }, 20, 100);
        let crash = (FaultKind::Crash { node: 1 }, 50, 70);
        let mut paused = simulation(10, &[pause, crash]);
        // One is held back and dies with the node, one finds it dead, and one is held back.
        let sends = [(15, N1, N2), (45, N1, N2), (80, N1, N2)];
        assert_eq!(run(&mut paused, &sends), [2]);
        assert_eq!(affected(&paused), [2, 2]);
        assert_eq!(paused.traffic().at_dead_node, 2);
    }

    #[test]
    fn what_was_not_synced_is_charged_to_the_crash_that_lost_it() {
        let faults = [
            (FaultKind::Crash { node: 1 }, 20, 100),
            (FaultKind::Crash { node: 0 }, 20, 100),
            (FaultKind::Crash { node: 1 }, 200, 300),
        ];
        let mut simulation = simulation(10, &faults);
        while !matches!(simulation.next_event(), Some(Event::Crash(1))) {}
        simulation.note_unsynced(1, FaultName::Crash, 2);
        let unsynced = simulation.fault_records();
        assert_eq!(unsynced[0].unsynced, Some(2));
        assert_eq!(unsynced[1].unsynced, None);
        assert_eq!(affected(&simulation), [2, 0, 0]);
    }

    #[test]
    fn files_that_were_set_back_are_charged_to_the_loss_of_power() {
        let power_loss = |deeds| FaultKind::PowerLoss {
            node: 1,
            deeds,
            keeps_names: true,
        };
        let faults = [
            (FaultKind::CrashAtDeed { node: 1, deeds: 9 }, 10, 500),
            (power_loss(None), 20, 100),
            (power_loss(Some(2)), 200, 300),
        ];
        let mut simulation = simulation(10, &faults);
        let happens = |event: &Option<Event<u32>>| {
            matches!(
                event,
                Some(Event::PowerLoss {
                    node: 1,
                    keeps_names: true
                })
            )
        };
        while !happens(&simulation.next_event()) {}
        simulation.note_unsynced(1, FaultName::PowerLoss, 3);
        assert_eq!(affected(&simulation), [0, 3, 0]);
        // It is to die by the first of the two that wait for a deed.
        simulation.fall(1);
        simulation.note_unsynced(1, FaultName::Crash, 1);
        assert_eq!(affected(&simulation), [2, 3, 0]);
    }

    #[test]
    fn what_never_began_has_no_times_and_what_heals_ends_early() {
        let mut simulation = simulation(10, &[(loss(), 5, 90), (loss(), 50, 60)]);
        simulation.set_alarm(Nanos(30), 0);
        assert!(matches!(simulation.next_event(), Some(Event::Alarm(0))));
        simulation.heal();
        while simulation.next_event().is_some() {}
        let records = simulation.fault_records();
        assert_eq!(records[0].began, Some(Nanos(5)));
        assert_eq!(records[0].ended, Some(Nanos(30)));
        assert_eq!(records[1], FaultRecord::default());
    }

    #[test]
    fn messages_are_kept_up_to_a_limit_and_counted_beyond() {
        let mut simulation = simulation(10, &[(loss(), 0, 1_000)]);
        let sends: Vec<_> = (1..=300).map(|at| (at, N1, N2)).collect();
        run(&mut simulation, &sends);
        let record = &simulation.fault_records()[0];
        assert_eq!(record.messages, 300);
        assert_eq!(record.first.len(), FaultRecord::SHOWN);
    }
}
