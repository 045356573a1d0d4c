//! Sessions, quorums and causality by comparing every operation with every other.

use super::{Relation, Set, naive::Naive};
use sibcheck_checkers::{
    history::{History, Status},
    verdict::Invariant,
};

/// Whether an invariant of sessions, quorums or causality holds for a key.
pub(super) fn keeps(naive: &Naive<'_>, before: &Relation, invariant: Invariant) -> bool {
    let client = |op: usize| naive.op(op).client;
    let node = |op: usize| naive.op(op).node;
    let mut reads = naive.sound.into_iter();
    match invariant {
        Invariant::ReadYourWrites => reads.all(|read| {
            let own = |w: usize| client(w) == client(read) && naive.precedes(w, read);
            sees_all(naive, read, naive.acknowledged.that(own))
        }),
        Invariant::MonotonicReads => never_backwards(naive, client),
        Invariant::ReplicaMonotonicity => never_backwards(naive, node),
        Invariant::MonotonicWrites => reads.all(|read| {
            naive.returned[read].into_iter().all(|saw| {
                let earlier = |w: usize| client(w) == client(saw) && naive.precedes(w, saw);
                sees_all(naive, read, naive.acknowledged.that(earlier))
            })
        }),
        Invariant::WritesFollowReads => reads.all(|read| {
            naive.returned[read].into_iter().all(|saw| {
                let earlier = |r: usize| client(r) == client(saw) && naive.precedes(r, saw);
                let mut earlier = naive.sound.that(earlier).into_iter();
                earlier.all(|earlier| sees_all(naive, read, visible(naive, earlier)))
            })
        }),
        Invariant::RegularReads => reads.all(|read| {
            let earlier = |w: usize| naive.precedes(w, read);
            sees_all(naive, read, naive.acknowledged.that(earlier))
        }),
        Invariant::Causality => reads.all(|read| {
            let happened_before = |w: usize| before[w].contains(read);
            let circular = !before[read].common(naive.returned[read]).is_empty();
            !circular && sees_all(naive, read, naive.applied.that(happened_before))
        }),
        _ => true,
    }
}

fn never_backwards(naive: &Naive<'_>, session: impl Fn(usize) -> u32) -> bool {
    naive.sound.into_iter().all(|read| {
        let earlier = |r: usize| session(r) == session(read) && naive.precedes(r, read);
        let mut earlier = naive.sound.that(earlier).into_iter();
        earlier.all(|earlier| sees_all(naive, read, visible(naive, earlier)))
    })
}

/// What the replica that answered certainly held.
fn visible(naive: &Naive<'_>, read: usize) -> Set {
    naive.applied.common(naive.must[read])
}

fn sees_all(naive: &Naive<'_>, read: usize, writes: Set) -> bool {
    writes.is_within(naive.in_time[read])
}

/// `before[a]` holds `b`: `a` happened before `b`, over all keys.
pub(super) fn happens_before(history: &History, keys: &[Naive<'_>]) -> Relation {
    let size = history.operations.len();
    let mut before = vec![Set::default(); size];
    let Some(any) = keys.first() else {
        return before;
    };
    let matters: Set = keys
        .iter()
        .flat_map(|naive| naive.applied | naive.answered)
        .collect();
    for a in matters.that(|a| any.op(a).status == Status::Ok) {
        before[a] = matters.that(|b| any.op(a).client == any.op(b).client && any.precedes(a, b));
    }
    for naive in keys {
        for read in naive.sound {
            for write in naive.returned[read] {
                before[write].insert(read);
            }
        }
    }
    for through in 0..size {
        let after = before[through];
        for before in before.iter_mut().filter(|before| before.contains(through)) {
            *before |= after;
        }
    }
    before
}
