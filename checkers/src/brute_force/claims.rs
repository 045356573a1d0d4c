//! Sessions, quorums and causality by comparing every operation with every other.

use super::{Naive, Relation};
use crate::{
    history::{History, Status},
    verdict::Invariant,
};

/// Whether what a claim adds holds for a key.
pub(super) fn keeps(naive: &Naive<'_>, hb: &Relation, invariant: Invariant) -> bool {
    let sound = naive.sound();
    let client = |op: usize| naive.op(op).client;
    let node = |op: usize| naive.op(op).node;
    match invariant {
        Invariant::ReadYourWrites => sound.iter().all(|read| {
            let own = |w: &usize| client(*w) == client(*read) && naive.precedes(*w, *read);
            sees_all(naive, *read, naive.acknowledged().into_iter().filter(own))
        }),
        Invariant::MonotonicReads => never_backwards(naive, client),
        Invariant::ReplicaMonotonicity => never_backwards(naive, node),
        Invariant::MonotonicWrites => sound.iter().all(|read| {
            naive.returned(*read).into_iter().all(|saw| {
                let before = |w: &usize| client(*w) == client(saw) && naive.precedes(*w, saw);
                sees_all(
                    naive,
                    *read,
                    naive.acknowledged().into_iter().filter(before),
                )
            })
        }),
        Invariant::WritesFollowReads => sound.iter().all(|read| {
            naive.returned(*read).into_iter().all(|saw| {
                let before = |r: &&usize| client(**r) == client(saw) && naive.precedes(**r, saw);
                let mut before = sound.iter().filter(before);
                before.all(|earlier| sees_all(naive, *read, visible(naive, *earlier)))
            })
        }),
        Invariant::RegularReads => sound.iter().all(|read| {
            let before = |w: &usize| naive.precedes(*w, *read);
            sees_all(
                naive,
                *read,
                naive.acknowledged().into_iter().filter(before),
            )
        }),
        Invariant::Causality => sound.iter().all(|read| {
            let before = |w: &usize| hb[*w][*read];
            let circular = naive.returned(*read).into_iter().any(|w| hb[*read][w]);
            !circular && sees_all(naive, *read, naive.applied().into_iter().filter(before))
        }),
        _ => true,
    }
}

fn never_backwards(naive: &Naive<'_>, session: impl Fn(usize) -> u32) -> bool {
    let sound = naive.sound();
    sound.iter().all(|read| {
        let before = |r: &&usize| session(**r) == session(*read) && naive.precedes(**r, *read);
        let mut before = sound.iter().filter(before);
        before.all(|earlier| sees_all(naive, *read, visible(naive, *earlier)))
    })
}

/// What the replica that answered certainly held.
fn visible(naive: &Naive<'_>, read: usize) -> impl Iterator<Item = usize> {
    let held = move |write: &usize| naive.must[read][*write];
    naive.applied().into_iter().filter(held)
}

fn sees_all(naive: &Naive<'_>, read: usize, mut writes: impl Iterator<Item = usize>) -> bool {
    writes.all(|write| naive.in_time[read][write])
}

/// `hb[a][b]`: `a` happened before `b`, over all keys.
pub(super) fn happens_before(history: &History, keys: &[Naive<'_>]) -> Relation {
    let size = history.operations.len();
    let mut hb = vec![vec![false; size]; size];
    let Some(any) = keys.first() else { return hb };
    let matters = |op: usize| {
        keys.iter()
            .any(|naive| naive.applied().contains(&op) || naive.answered().contains(&op))
    };
    for a in (0..size).filter(|a| matters(*a)) {
        for b in (0..size).filter(|b| matters(*b)) {
            let one_client = any.op(a).client == any.op(b).client;
            hb[a][b] = one_client && any.op(a).status == Status::Ok && any.precedes(a, b);
        }
    }
    for naive in keys {
        for read in naive.sound() {
            for write in naive.returned(read) {
                hb[write][read] = true;
            }
        }
    }
    for through in 0..size {
        for a in 0..size {
            for b in 0..size {
                hb[a][b] |= hb[a][through] && hb[through][b];
            }
        }
    }
    hb
}
