//! Every invariant has a smallest history on which it fires, and a near miss on which it does not.

use std::collections::BTreeSet;

use sibcheck_checkers::{Claim, Invariant, ObjectModel, Outcome, Promise, strongest};

use crate::support::{history, verdict, violated};
use Invariant::{
    AnswerAntichain, BoundedSiblings, Causality, ClockAdvance, ClockIdentity, ClockPrecision,
    ClockSoundness, ContextCovers, Convergence, Dominance, DotDiscipline, Linearizability,
    MonotonicReads, MonotonicWrites, NoDuplicateSibling, NoLostUpdate, NoResurrection, NoThinAir,
    ReadYourWrites, RegularReads, ReplicaMonotonicity, SiblingPreservation, WritesFollowReads,
};

/// A history and exactly what it violates.
struct Control {
    name: &'static str,
    claim: Claim,
    history: &'static str,
    violates: &'static [Invariant],
}

const fn eventual(
    name: &'static str,
    history: &'static str,
    violates: &'static [Invariant],
) -> Control {
    Control {
        name,
        claim: Claim::Eventual,
        history,
        violates,
    }
}

const fn linearizable(
    name: &'static str,
    history: &'static str,
    violates: &'static [Invariant],
) -> Control {
    Control {
        name,
        claim: Claim::Linearizable,
        history,
        violates,
    }
}

const fn claimed(
    claim: Claim,
    name: &'static str,
    history: &'static str,
    violates: &'static [Invariant],
) -> Control {
    Control {
        name,
        claim,
        history,
        violates,
    }
}

const CONTROLS: &[Control] = &[
    claimed(
        Claim::ReadYourWrites,
        "a client's write is not seen by it",
        "c1@n1 write a\nc1@n2 read",
        &[ReadYourWrites],
    ),
    claimed(
        Claim::ReadYourWrites,
        "a client's write has an unknown outcome",
        "c1@n1 write a info\nc1@n2 read",
        &[],
    ),
    claimed(
        Claim::ReadYourWrites,
        "another client's write is not seen",
        "c1@n1 write a\nc1@n1 read a\nc2@n2 read",
        &[],
    ),
    claimed(
        Claim::ReadYourWrites,
        "a client's write was superseded",
        "c1@n1 write a\nc2@n1 write b after 0\nc1@n1 read b",
        &[],
    ),
    claimed(
        Claim::ReadYourWrites,
        "a read that overlaps the client's write",
        "c1@n1 [0..20] write a\nc1@n1 [10..30] read",
        &[],
    ),
    claimed(
        Claim::ReadYourWrites,
        "replicas: a client's write may have been replaced",
        "replica\nc1@n1 write a\nc2@n1 write b\nc1@n2 read b",
        &[],
    ),
    claimed(
        Claim::ReadYourWrites,
        "replicas: a client's write was not there yet",
        "replica\nc2@n1 write b\nc1@n1 write a\nc1@n2 read b",
        &[ReadYourWrites],
    ),
    claimed(
        Claim::MonotonicReads,
        "a client reads a write and then does not",
        "c1@n1 write a\nc2@n1 read a\nc2@n2 read",
        &[MonotonicReads],
    ),
    claimed(
        Claim::MonotonicReads,
        "two clients do",
        "c1@n1 write a\nc2@n1 read a\nc2@n1 read a\nc3@n2 read",
        &[],
    ),
    claimed(
        Claim::MonotonicReads,
        "an unacknowledged write that a client has read",
        "c1@n1 write a info\nc2@n1 read a\nc2@n2 read",
        &[MonotonicReads],
    ),
    claimed(
        Claim::MonotonicReads,
        "a hidden delete may have come between",
        "hidden\nc1@n1 write a\nc2@n1 read a\nc3@n1 delete after 0 info\nc2@n2 read",
        &[],
    ),
    claimed(
        Claim::MonotonicWrites,
        "a second write beside what the first had superseded",
        "c2@n1 write x\nc1@n1 write a after 0\nc1@n1 write b\nc3@n2 read x b",
        &[MonotonicWrites],
    ),
    claimed(
        Claim::MonotonicWrites,
        "a second write alone: it may have superseded the first",
        "c1@n1 write a\nc1@n1 write b\nc3@n2 read b",
        &[],
    ),
    claimed(
        Claim::MonotonicWrites,
        "the first has an unknown outcome",
        "c2@n1 write x\nc1@n1 write a after 0 info\nc1@n1 write b\nc3@n2 read x b",
        &[],
    ),
    claimed(
        Claim::WritesFollowReads,
        "a write without what its client had read",
        "c1@n1 write a\nc2@n1 read a\nc2@n1 write b\nc3@n2 read b",
        &[WritesFollowReads],
    ),
    claimed(
        Claim::WritesFollowReads,
        "a write with what its client had read, and one that superseded it",
        "c1@n1 write a\nc2@n1 read a\nc2@n1 write b\nc3@n2 read a b\nc2@n1 write c after 1\nc3@n1 read b c",
        &[],
    ),
    claimed(
        Claim::Session,
        "all four fail",
        "c2@n1 write x\nc1@n1 write a after 0\nc1@n1 write b\nc3@n2 read x b\nc3@n2 write d\n\
         c3@n1 read d\nc2@n2 read",
        &[
            ReadYourWrites,
            MonotonicReads,
            MonotonicWrites,
            WritesFollowReads,
        ],
    ),
    claimed(
        Claim::Causal,
        "an effect without its cause",
        "c1@n1 key=x write a\nc1@n1 key=y write b\nc2@n2 key=y read b\nc2@n2 key=x read",
        &[Causality],
    ),
    claimed(
        Claim::Causal,
        "a cause of unknown outcome",
        "c1@n1 key=x write a info\nc1@n1 key=y write b\nc2@n2 key=y read b\nc2@n2 key=x read",
        &[],
    ),
    claimed(
        Claim::Causal,
        "a cause of unknown outcome that was seen on the way",
        "c1@n1 key=x write a info\nc2@n1 key=x read a\nc2@n1 key=y write b\nc3@n2 key=y read b\nc3@n2 key=x read",
        &[Causality],
    ),
    claimed(
        Claim::Causal,
        "two writes under way together cause nothing",
        "c1@n1 [0..20] key=x write a\nc1@n1 [10..30] key=y write b\nc2@n2 key=y read b\nc2@n2 key=x read",
        &[],
    ),
    claimed(
        Claim::Causal,
        "a cause that was seen, and what superseded one",
        "c1@n1 key=x write a\nc3@n1 key=x write c after 0\nc1@n1 key=y write b\nc2@n2 key=y read b\n\
         c2@n2 key=x read c",
        &[],
    ),
    claimed(
        Claim::Causal,
        "answers that cause each other at one instant",
        "c1@n1 [0..5] key=x read a\nc2@n2 [0..5] key=y read b\nc1@n1 [5..5] key=y write b\n\
         c2@n2 [5..5] key=x write a",
        &[Causality],
    ),
    claimed(
        Claim::Quorum,
        "an acknowledged write is missed",
        "c1@n1 write a\nc2@n2 read",
        &[RegularReads],
    ),
    claimed(
        Claim::Quorum,
        "a write under way is seen, and then not",
        "c3@n1 [0..1] write z\nc1@n1 [2..50] write a\nc2@n1 [11..20] read z a\nc2@n2 [21..30] read z",
        &[],
    ),
    claimed(
        Claim::Quorum,
        "a write with an unknown outcome",
        "c1@n1 write a info\nc2@n2 read",
        &[],
    ),
    claimed(
        Claim::Quorum,
        "a client reads its unanswered write as another does, and writes again at once",
        "c1@n1 [0..] write a info\nc2@n1 [1..3] read a\nc1@n1 [2..3] read a\nc1@n1 [3..3] write b\n\
         c2@n2 [4..5] read a",
        &[RegularReads],
    ),
    claimed(
        Claim::Quorum,
        "a delete that waits for another read of the moment may be hidden",
        "hidden\nc1@n1 [0..1] write a\nc3@n1 [2..3] read\nc2@n1 [2..3] read a\n\
         c2@n1 [3..4] delete after 2",
        &[],
    ),
    claimed(
        Claim::Quorum,
        "a client's delete after its read cannot have been hidden in it",
        "hidden\nc1@n1 [0..1] write a\nc2@n1 [2..3] read\nc2@n1 [3..4] delete",
        &[RegularReads],
    ),
    claimed(
        Claim::Quorum,
        "another client reads an unanswered write when its client writes again",
        "c1@n1 [0..] write a info\nc2@n1 [1..3] read a\nc1@n1 [3..3] write b\nc2@n2 [4..5] read a",
        &[],
    ),
    eventual(
        "a value from nowhere",
        "c1@n1 write a\nc2@n1 read q",
        &[NoThinAir],
    ),
    eventual(
        "a value of another key",
        "c1@n1 key=y write a\nc2@n1 read a",
        &[NoThinAir],
    ),
    eventual(
        "a tagged value of another key",
        "c1@n1 key=y tag=1 write a\nc2@n1 read a~1",
        &[NoThinAir],
    ),
    eventual(
        "an altered value",
        "c1@n1 tag=1 write a\nc2@n1 read b~1",
        &[NoThinAir],
    ),
    eventual(
        "a refused write",
        "c1@n1 write a fail\nc2@n1 read a",
        &[NoThinAir],
    ),
    eventual(
        "a value from the future",
        "c2@n1 read a\nc1@n1 write a",
        &[NoThinAir],
    ),
    eventual(
        "a value whose context is that very read's",
        "c2@n1 [0..5] read a\nc1@n1 [5..6] write a after 0",
        &[NoThinAir],
    ),
    eventual(
        "a write that overlaps its read",
        "c2@n1 [0..20] read a\nc1@n1 [10..30] write a",
        &[],
    ),
    eventual(
        "an unknown write that shows",
        "c1@n1 write a info\nc2@n1 read a",
        &[],
    ),
    eventual(
        "a sibling twice",
        "c1@n1 write a\nc2@n1 read a a",
        &[NoDuplicateSibling],
    ),
    eventual(
        "equal values of two writers",
        "c1@n1 tag=1 write a\nc2@n1 tag=2 write a\nc2@n1 final a~1 a~2",
        &[],
    ),
    eventual(
        "equal values merged",
        "c1@n1 tag=1 write a\nc2@n1 tag=2 write a\nc2@n1 final a~2",
        &[SiblingPreservation, NoLostUpdate],
    ),
    eventual(
        "a superseded sibling beside its successor",
        "c1@n1 write a\nc1@n1 read a\nc2@n1 write b after 1\nc3@n1 read a b",
        &[Dominance],
    ),
    eventual(
        "concurrent siblings",
        "c1@n1 write a\nc2@n1 write b\nc3@n1 final a b",
        &[],
    ),
    eventual(
        "superseded through two writes",
        "c1@n1 write a\nc2@n1 write b after 0\nc3@n1 write c after 1\nc4@n1 read c a",
        &[Dominance],
    ),
    eventual(
        "sibling explosion: one client, one chain",
        "c1@n1 write a\nc1@n1 write b after 0\nc2@n1 read a b",
        &[Dominance, BoundedSiblings],
    ),
    eventual(
        "two chains, two siblings",
        "c1@n1 write a\nc1@n1 write b after 0\nc2@n1 write c\nc2@n1 final b c",
        &[],
    ),
    eventual(
        "last writer wins",
        "c1@n1 write a\nc2@n2 write b\nc3@n1 final b",
        &[SiblingPreservation, NoLostUpdate],
    ),
    eventual(
        "an unacknowledged write that was seen, overwritten by a concurrent one",
        "c1@n1 write a info\nc2@n1 read a\nc3@n2 write b\nc3@n2 final b",
        &[SiblingPreservation],
    ),
    eventual(
        "an unacknowledged write that was never seen",
        "c1@n1 write a info\nc3@n2 write b\nc3@n2 final b",
        &[],
    ),
    eventual(
        "an unacknowledged write that was seen and vanished",
        "c1@n1 write a info\nc2@n1 read a\nc3@n2 final",
        &[NoLostUpdate],
    ),
    eventual(
        "a stale final read",
        "c1@n1 write a\nc1@n1 write b after 0\nc2@n1 final a",
        &[NoLostUpdate],
    ),
    eventual(
        "everything gone",
        "c1@n1 write a\nc2@n1 final",
        &[NoLostUpdate],
    ),
    eventual(
        "client-id clocks may replace a client's own blind write",
        "c1@n1 write a\nc1@n1 write b\nc2@n1 final b",
        &[],
    ),
    eventual(
        "a delete that was ignored",
        "hidden\nc1@n1 write a\nc2@n1 delete after 0\nc3@n1 final a",
        &[NoLostUpdate],
    ),
    eventual(
        "a hidden tombstone",
        "hidden\nc1@n1 write a\nc2@n1 delete after 0\nc3@n1 final",
        &[],
    ),
    eventual(
        "a hidden tombstone that never saw the write",
        "hidden\nc1@n1 write a\nc2@n1 delete\nc3@n1 final",
        &[NoLostUpdate],
    ),
    eventual(
        "a shown tombstone",
        "c1@n1 write a\nc2@n1 tag=7 delete after 0\nc3@n1 final †~7",
        &[],
    ),
    eventual(
        "a doomstone: the delete covers a re-created value",
        "hidden\nc1@n1 write a\nc2@n1 delete after 0\nc1@n1 write b\nc3@n1 final",
        &[NoLostUpdate],
    ),
    eventual(
        "an unacknowledged write supersedes, and what it superseded returns",
        "c1@n1 write a\nc2@n1 write b after 0 info\nc3@n1 read b\nc3@n2 final a",
        &[NoLostUpdate, NoResurrection],
    ),
    eventual(
        "the older value before the newer",
        "c1@n1 write a\nc2@n1 write b after 0\nc3@n2 read a\nc3@n1 final b",
        &[],
    ),
    eventual(
        "nodes that disagree about a write with an unknown outcome",
        "c1@n1 write a info\nc2@n1 [10..20] final a\nc3@n2 [11..21] final",
        &[Convergence],
    ),
    eventual(
        "nodes that disagree about a context",
        "c1@n1 write a -> n1.1/{}\nc2@n1 [20..30] final a=n1.1 context {n1:1}\n\
         c3@n2 [21..31] final a=n1.1 context {n1:1,n2:1}",
        &[Convergence],
    ),
    eventual(
        "nodes that agree",
        "c1@n1 write a -> n1.1/{}\nc2@n1 final a=n1.1 context {n1:1}\nc3@n2 final a=n1.1 context {n1:1}",
        &[],
    ),
    eventual(
        "a successor with a concurrent clock",
        "c1@n1 write a -> {n1:1}\nc2@n2 read a={n1:1}\nc2@n2 write b after 1 -> {n2:1}",
        &[ClockSoundness],
    ),
    eventual(
        "a successor's dot with a past that lacks its predecessor",
        "c1@n1 write a -> n1.1/{}\nc2@n2 write b after 0 -> n2.1/{}",
        &[ClockSoundness],
    ),
    eventual(
        "a successor with a larger clock",
        "c1@n1 write a -> {n1:1}\nc2@n2 read a={n1:1}\nc2@n2 write b after 1 with {n1:1} -> {n1:1,n2:1}",
        &[],
    ),
    eventual(
        "a blind write that dominates",
        "c1@n1 write a -> {n1:1}\nc2@n1 write b -> {n1:2}",
        &[ClockPrecision],
    ),
    eventual(
        "a dot whose past holds what its writer never saw",
        "c1@n1 write a -> n1.1/{}\nc2@n1 write b -> n1.2/{n1:1}",
        &[ClockPrecision],
    ),
    eventual(
        "a client's own blind write may be dominated",
        "c1@n1 write a -> {c1:1}\nc1@n1 write b -> {c1:2}",
        &[],
    ),
    eventual(
        "dots of concurrent writes",
        "c1@n1 write a -> n1.1/{}\nc2@n1 write b -> n1.2/{}",
        &[],
    ),
    eventual(
        "a clock that stands still",
        "c1@n1 write a with {n1:1} -> {n1:1}",
        &[ClockAdvance],
    ),
    eventual(
        "a dot within the context",
        "c1@n1 write a with {n1:3} -> n1.2/{n1:3}",
        &[ClockAdvance, DotDiscipline],
    ),
    eventual(
        "a past that forgets the context",
        "c1@n1 write a with {n1:1,n2:1} -> n1.2/{n1:1}",
        &[ClockAdvance],
    ),
    eventual(
        "a clock that advances",
        "c1@n1 write a with {n1:1} -> {n1:1,n2:1}",
        &[],
    ),
    eventual(
        "one clock for two writes",
        "c1@n1 write a -> {n1:1}\nc2@n1 write b -> {n1:1}",
        &[ClockIdentity],
    ),
    eventual(
        "one dot for two writes under way together",
        "c1@n1 [0..9] write a -> n1.1/{}\nc2@n1 [1..8] write b -> n1.1/{}",
        &[ClockIdentity],
    ),
    eventual(
        "a value that changes its clock",
        "c1@n1 write a -> {n1:1}\nc2@n1 read a={n1:2}",
        &[ClockIdentity],
    ),
    eventual(
        "a value that keeps its clock",
        "c1@n1 write a -> {n1:1}\nc2@n1 read a={n1:1}",
        &[],
    ),
    eventual(
        "an answer with ordered clocks",
        "c1@n1 write a\nc2@n1 write b\nc3@n1 read a={n1:1} b={n1:2}",
        &[ClockPrecision, AnswerAntichain],
    ),
    eventual(
        "an answer with ordered clocks of a client's own",
        "c1@n1 write a -> {c1:1}\nc1@n1 write b -> {c1:2}\nc3@n1 read a={c1:1} b={c1:2}",
        &[AnswerAntichain],
    ),
    eventual(
        "an answer with concurrent clocks",
        "c1@n1 write a\nc2@n1 write b\nc3@n1 read a={n1:1} b={n2:1}",
        &[],
    ),
    eventual(
        "a context that omits a returned dot",
        "c1@n1 write a -> n1.1/{}\nc2@n1 read a=n1.1 context {}",
        &[ContextCovers],
    ),
    eventual(
        "a context that shrinks",
        "c1@n1 write a -> n1.1/{}\nc2@n1 read a=n1.1 context {n1:1,n2:1}\nc2@n1 final a=n1.1 context {n1:1}",
        &[ContextCovers],
    ),
    eventual(
        "a context that covers",
        "c1@n1 write a -> n1.1/{}\nc2@n1 read a=n1.1 context {n1:1}\nc2@n1 final a=n1.1 context {n1:1}",
        &[],
    ),
    eventual(
        "a context that shrinks after a delete that reads show",
        "c1@n1 write a -> n1.1/{}\nc2@n1 tag=7 delete after 0 with {n1:1} -> n1.2/{n1:1}\nc3@n1 read †~7=n1.2 context {n1:2}\nc3@n1 write b after 2 with {n1:2} -> n2.1/{n1:2}\nc4@n1 final b=n2.1 context {n2:1}",
        &[ContextCovers],
    ),
    eventual(
        "a reaped key starts anew",
        "hidden\nc1@n1 write a -> n1.1/{}\nc2@n1 read a=n1.1 context {n1:1}\nc2@n1 delete after 1 with {n1:1} -> n1.2/{n1:1}\nc3@n1 write b -> n2.1/{}\nc4@n1 final b=n2.1 context {n2:1}",
        &[],
    ),
    eventual(
        "contexts that differ after a delete that reads show",
        "c1@n1 write a -> n1.1/{}\nc2@n1 tag=7 delete after 0 with {n1:1} -> n1.2/{n1:1}\nc3@n1 write b after 1 with {n1:2} -> n2.1/{n1:2}\nc4@n1 [50..55] final b=n2.1 context {n2:1}\nc5@n2 [51..56] final b=n2.1 context {n1:2,n2:1}",
        &[Convergence],
    ),
    eventual(
        "one node has reaped and another has not",
        "hidden\nc1@n1 write a -> n1.1/{}\nc2@n1 tag=7 delete after 0 with {n1:1} -> n1.2/{n1:1}\nc3@n1 write b -> n2.1/{}\nc4@n1 [50..55] final b=n2.1 context {n2:1}\nc5@n2 [51..56] final b=n2.1 context {n1:2,n2:1}",
        &[],
    ),
    eventual(
        "a write with an unknown outcome that comes after its client's next",
        "c2@n1 write z -> {c2:1}\nc1@n1 write a info\nc1@n1 write b -> {c1:1}\nc3@n1 final z={c2:1} a={c1:2}",
        &[],
    ),
    eventual(
        "a write with an unknown outcome that was seen before its client's next",
        "c1@n1 write a info\nc2@n1 read a\nc1@n1 write b\nc3@n1 final a",
        &[NoLostUpdate],
    ),
    eventual(
        "a clock above the next of its client, though seen before that",
        "c1@n1 write a -> {c1:2} info\nc2@n1 read a={c1:2}\nc1@n1 write b -> {c1:1}\nc3@n1 final a={c1:2} b={c1:1}",
        &[ClockPrecision, AnswerAntichain],
    ),
    eventual(
        "a client's next write cannot excuse what would have superseded a sibling",
        "c2@n1 write a\nc1@n1 write d after 0\nc1@n1 write w\nc3@n1 final a w",
        &[NoLostUpdate],
    ),
    eventual(
        "a blind delete cannot excuse what would have superseded a sibling",
        "hidden\nc2@n1 write a\nc1@n1 delete after 0\nc1@n1 delete\nc3@n1 final a",
        &[NoLostUpdate],
    ),
    eventual(
        "a dot in its own past",
        "c1@n1 write a -> n1.1/{n1:1}",
        &[DotDiscipline],
    ),
    eventual(
        "a counter that restarts",
        "c1@n1 write a -> n1.2/{}\nc2@n1 write b -> n1.1/{}",
        &[DotDiscipline],
    ),
    eventual(
        "counters of writes under way together",
        "c1@n1 [0..9] write a -> n1.2/{}\nc2@n1 [1..8] write b -> n1.1/{}",
        &[],
    ),
    eventual(
        "replicas: what came later was lost",
        "replica\nc1@n1 write a\nc2@n2 write b\nc3@n1 final a",
        &[NoLostUpdate],
    ),
    eventual(
        "replicas: what came earlier may have been replaced",
        "replica\nc1@n1 write a\nc2@n2 write b\nc3@n1 final b",
        &[],
    ),
    eventual(
        "replicas: overlapping writes may replace each other",
        "replica\nc1@n1 [0..20] write a\nc2@n1 [10..30] write b\nc3@n1 final a",
        &[],
    ),
    eventual(
        "replicas: a write with an unknown outcome may replace whatever comes",
        "replica\nc1@n1 write a info\nc2@n1 write b\nc3@n1 final a",
        &[],
    ),
    eventual(
        "replicas: clocks say that nothing replaced it",
        "replica\nc1@n1 write a -> {n1:1}\nc2@n2 write b -> {n2:1}\nc3@n1 final b={n2:1}",
        &[NoLostUpdate],
    ),
    eventual(
        "replicas: clocks say that it was replaced",
        "replica\nc1@n1 write a -> {n1:1}\nc2@n2 write b -> {n1:1,n2:1}\nc3@n1 final b={n1:1,n2:1}",
        &[],
    ),
    eventual(
        "replicas: one clock is missing, so time decides",
        "replica\nc1@n1 write a\nc2@n2 write b -> {n2:1}\nc3@n1 final b={n2:1}",
        &[],
    ),
    eventual(
        "replicas: a write that was seen, and then was gone",
        "replica\nc1@n1 write a info\nc2@n1 read a\nc3@n2 final",
        &[NoLostUpdate],
    ),
    eventual(
        "replicas: the final reader itself saw a write at the moment at which another did",
        "replica\nc1@n1 [0..] write a info\nc2@n1 [1..3] read a\nc3@n1 [2..3] final a\n\
         c3@n1 [3..3] final",
        &[NoLostUpdate, Convergence],
    ),
    eventual(
        "replicas: a client's delete after its read cannot have been hidden in it",
        "replica\nhidden\nc1@n1 [0..1] write a\nc2@n1 [2..3] final\nc2@n1 [3..4] delete",
        &[NoLostUpdate],
    ),
    eventual(
        "replicas: another client's delete of that moment may have been",
        "replica\nhidden\nc1@n1 [0..1] write a\nc2@n1 [2..3] final\nc1@n1 [3..4] delete",
        &[],
    ),
    eventual(
        "replicas: a hidden delete may stand beside what it did not meet",
        "replica\nhidden\nc1@n1 write a\nc2@n2 delete\nc3@n1 final a",
        &[],
    ),
    eventual(
        "replicas: a hidden delete explains the silence",
        "replica\nhidden\nc1@n1 write a\nc2@n1 delete\nc3@n1 final",
        &[],
    ),
    eventual(
        "replicas: a clock above one that came later",
        "replica\nc1@n1 write a -> {n1:2}\nc2@n2 write b -> {n1:1}\nc3@n1 final a={n1:2} b={n1:1}",
        &[ClockPrecision, AnswerAntichain],
    ),
    eventual(
        "replicas: a clock above one that came before",
        "replica\nc1@n1 write a -> {n1:1}\nc2@n1 write b -> {n1:2}\nc3@n1 final b={n1:2}",
        &[],
    ),
    eventual(
        "replicas: one clock for two writes",
        "replica\nc1@n1 [0..9] write a -> {n1:1}\nc2@n1 [1..8] write b -> {n1:1}",
        &[ClockIdentity],
    ),
    eventual(
        "replicas: contexts and sources say nothing",
        "replica\nc1@n1 write a -> {n1:1}\nc2@n2 write b after 0 with {n1:1} -> {n2:1}\nc3@n1 final a={n1:1} b={n2:1}",
        &[],
    ),
    eventual(
        "replicas: nodes that disagree",
        "replica\nc1@n1 write a info\nc2@n1 [10..20] final a\nc3@n2 [11..21] final",
        &[Convergence],
    ),
    eventual(
        "replicas: a counter that restarts",
        "replica\nc1@n1 write a -> n1.2/{}\nc2@n1 write b -> n1.1/{}",
        &[DotDiscipline],
    ),
    linearizable(
        "a write that nobody saw and whose outcome is unknown may never have happened",
        "c1@n1 [0..10] write a\nc1@n1 [20..30] write b after 0 info\nc1@n1 [40..50] write c\nc2@n1 [60..70] read c\nc3@n1 [80..90] write d\nc2@n1 [100..110] read a c d",
        &[],
    ),
    linearizable(
        "a register returns one value",
        "replica\nc1@n1 [0..9] write a\nc2@n1 [1..8] write b\nc3@n1 read a b",
        &[Linearizability],
    ),
    linearizable(
        "a register returns the last value",
        "replica\nc1@n1 write a\nc2@n1 write b\nc3@n1 read a",
        &[Linearizability],
    ),
    linearizable(
        "a register returns either of two overlapping writes",
        "replica\nc1@n1 [0..9] write a\nc2@n1 [1..8] write b\nc3@n1 read a",
        &[],
    ),
    linearizable(
        "a register does not change back",
        "replica\nc1@n1 [0..9] write a\nc2@n1 [1..8] write b\nc3@n1 read a\nc3@n1 read b\nc3@n1 read a",
        &[Linearizability],
    ),
    linearizable(
        "a register is not empty after a write",
        "replica\nc1@n1 write a\nc2@n1 read",
        &[Linearizability],
    ),
    linearizable(
        "a register is empty before a write ends",
        "replica\nc1@n1 [0..9] write a\nc2@n1 [1..8] read",
        &[],
    ),
    linearizable(
        "an acknowledged write that a later read misses",
        "c1@n1 write a\nc2@n1 read",
        &[Linearizability],
    ),
    linearizable(
        "a write that overlaps the read that misses it",
        "c1@n1 [0..9] write a\nc2@n1 [1..8] read",
        &[],
    ),
    linearizable(
        "reads that each miss what the other saw",
        "c1@n1 [0..99] write a\nc2@n1 [1..99] write b\nc3@n1 [2..98] read a\nc4@n1 [3..98] read b",
        &[Linearizability],
    ),
    linearizable(
        "reads that nest",
        "c1@n1 [0..99] write a\nc2@n1 [1..99] write b\nc3@n1 [2..98] read a\nc4@n1 [3..98] read a b",
        &[],
    ),
    linearizable(
        "a read that goes back",
        "c1@n1 [0..99] write a\nc2@n1 [1..8] read a\nc3@n1 [10..20] read",
        &[Linearizability],
    ),
    linearizable(
        "a write seen without the one acknowledged before it",
        "c1@n1 [0..1] write a\nc2@n1 [2..9] write b\nc3@n1 [3..5] read b",
        &[Linearizability],
    ),
    linearizable(
        "a write with an unknown outcome that comes after its client's next",
        "c1@n1 write a info\nc1@n1 write b\nc2@n1 read a",
        &[],
    ),
    linearizable(
        "the same, seen before the next",
        "c1@n1 write a info\nc2@n1 read a\nc1@n1 write b\nc2@n1 read a",
        &[Linearizability],
    ),
    linearizable(
        "a client reads its unanswered write as another does, writes at once, and reads nothing",
        "c1@n1 [0..] write a info\nc2@n1 [1..3] read a\nc1@n1 [2..3] read a\nc1@n1 [3..] write b info\n\
         c1@n1 [3..4] read",
        &[Linearizability],
    ),
    linearizable(
        "another client reads an unanswered write when its client reads nothing",
        "c1@n1 [0..] write a info\nc2@n1 [1..3] read a\nc1@n1 [3..] write b info\nc1@n1 [3..4] read",
        &[],
    ),
    linearizable(
        "a client's next write cannot excuse what would have superseded a sibling",
        "c2@n1 write a\nc1@n1 write d after 0\nc1@n1 write w\nc3@n1 read a w",
        &[Linearizability],
    ),
];

#[test]
fn each_control_violates_exactly_what_it_should() {
    for control in CONTROLS {
        let history = history(control.history);
        let verdict = verdict(&history, control.claim);
        let expected: BTreeSet<_> = control.violates.iter().copied().collect();
        let told: Vec<_> = verdict
            .violations
            .iter()
            .map(|v| v.sentence(&history))
            .collect();
        assert_eq!(violated(&verdict), expected, "{}: {told:#?}", control.name);
    }
}

#[test]
fn nodes_are_held_to_their_own_answers_only_when_asked() {
    let backwards = history("c1@n1 write a\nc2@n1 read a\nc3@n1 read");
    let elsewhere = history("c1@n1 write a\nc2@n1 read a\nc3@n1 read a\nc3@n2 read");
    for claim in Claim::ALL {
        let asked = Promise {
            claim,
            replica_monotonic: true,
        };
        assert!(violated(&verdict(&backwards, asked)).contains(&ReplicaMonotonicity));
        assert!(!violated(&verdict(&backwards, claim)).contains(&ReplicaMonotonicity));
        let kept = verdict(&elsewhere, asked);
        assert!(!violated(&kept).contains(&ReplicaMonotonicity));
        assert_eq!(kept.exercised.count(ReplicaMonotonicity), 1);
    }
}

#[test]
fn the_strongest_claims_are_told() {
    let names = |verdicts: Vec<&sibcheck_checkers::Verdict>| -> Vec<_> {
        verdicts.iter().map(|v| v.claim.name()).collect()
    };
    // Only c3 goes back.
    let text = "c1@n1 write a\nc1@n1 read a\nc3@n1 read a\nc3@n2 read\nc1@n1 write b after 1\n\
                c4@n1 final b\nc4@n2 final b";
    let told = strongest(&history(text)).expect("it makes sense");
    let held = [
        "read-your-writes",
        "monotonic-writes",
        "writes-follow-reads",
    ];
    assert_eq!(names(told.holding()), held);
    assert_eq!(names(told.failing()), ["monotonic-reads", "quorum"]);
    assert_eq!(names(told.undecided()), [""; 0]);
    assert_eq!(told.outcome(), Outcome::Valid);
    for (claim, selected) in Claim::ALL.into_iter().zip(told.verdicts()) {
        assert_eq!(verdict(&history(text), claim), *selected, "{claim}");
    }
    let json = told.to_json(&history(text));
    assert_eq!(json["holding"], serde_json::json!(held));
    let one_node = strongest(&history("c1@n1 write a\nc2@n1 write b\nc3@n1 read a b"));
    let one_node = one_node.expect("it makes sense");
    assert_eq!(names(one_node.holding()), ["linearizable"]);
    assert_eq!(names(one_node.undecided()), [""; 0]);
    assert_eq!(one_node.outcome(), Outcome::Valid);
    let nothing = strongest(&history("c1@n1 write a")).expect("it makes sense");
    assert_eq!(nothing.undecided().len(), Claim::ALL.len());
    assert_eq!(nothing.outcome(), Outcome::Unknown);
    let lost = strongest(&history("c1@n1 write a\nc2@n1 write b\nc4@n1 final b")).expect("sense");
    assert_eq!(names(lost.failing()), ["eventual"]);
    assert_eq!(lost.outcome(), Outcome::Violated);
}

#[test]
fn every_invariant_has_a_control_and_a_near_miss() {
    let by_claims = |invariant: &Invariant| *invariant != ReplicaMonotonicity;
    for invariant in Invariant::ALL.into_iter().filter(by_claims) {
        assert!(
            CONTROLS
                .iter()
                .any(|control| control.violates.contains(&invariant)),
            "{invariant}"
        );
        let near_miss = CONTROLS
            .iter()
            .filter(|control| control.violates.is_empty())
            .any(|control| {
                verdict(&history(control.history), control.claim)
                    .exercised
                    .count(invariant)
                    > 0
            });
        assert!(
            near_miss,
            "{invariant} is tested by no history that keeps it"
        );
    }
}

#[test]
fn unreadable_contexts_leave_provenance() {
    let healthy = "c1@n1 write a\nc2@n2 write b\nc3@n1 read a b\nc3@n1 write c after 2\n\
                   c4@n1 final c\nc4@n2 final c";
    for text in [healthy.to_owned(), format!("replica\n{healthy}")] {
        let verdict = verdict(&history(&text), Claim::Eventual);
        assert_eq!(verdict.outcome, Outcome::Valid);
        for invariant in [
            ClockSoundness,
            ClockPrecision,
            ClockAdvance,
            ClockIdentity,
            AnswerAntichain,
            ContextCovers,
            DotDiscipline,
        ] {
            assert_eq!(verdict.exercised.count(invariant), 0, "{invariant}");
        }
        assert!(verdict.exercised.count(NoLostUpdate) > 0);
    }
    let lossy = history("c1@n1 write a\nc2@n1 read a\nc2@n1 write b after 1\nc3@n1 final a b");
    let lossy = verdict(&lossy, Claim::Eventual);
    assert_eq!(violated(&lossy), BTreeSet::from([Dominance]));
}

#[test]
fn replicas_promise_nothing_that_needs_provenance() {
    let text = "replica\nc1@n1 write a -> {n1:1}\nc1@n1 read a={n1:1}\n\
                c1@n1 write b after 1 with {n1:1} -> {n1:2}\nc3@n1 final b={n1:2}\nc4@n1 final b={n1:2}";
    let verdict = verdict(&history(text), Claim::Linearizable);
    assert_eq!(verdict.outcome, Outcome::Valid);
    for invariant in Invariant::ALL {
        let promised = verdict.exercised.count(invariant) > 0;
        assert!(
            ObjectModel::Replica.has(invariant) || !promised,
            "{invariant}"
        );
    }
}

#[test]
fn nothing_tested_is_never_valid() {
    for (claim, text) in [
        (Claim::Eventual, ""),
        (Claim::Eventual, "c1@n1 write a\nc2@n1 final a"),
        (
            Claim::Eventual,
            "c1@n1 write a\nc2@n1 write b\nc3@n1 read a b",
        ),
        (
            Claim::Eventual,
            "c1@n1 write a\nc2@n1 write b\nc3@n1 final fail",
        ),
        (Claim::Linearizable, "c1@n1 write a\nc2@n1 read a"),
        (
            Claim::Linearizable,
            "c1@n1 write a info\nc1@n1 write b\nc2@n1 read a",
        ),
        (
            Claim::Linearizable,
            "hidden\nc1@n1 write a\nc2@n1 [10..25] delete after 0\nc3@n1 read",
        ),
    ] {
        let history = history(text);
        let verdict = verdict(&history, claim);
        assert_eq!(verdict.outcome, Outcome::Unknown, "{text}");
        assert!(
            verdict
                .unknown
                .iter()
                .all(|unknown| !unknown.sentence(&history).is_empty())
        );
    }
    let tested = history("c1@n1 write a\nc2@n1 write b\nc3@n1 final a b");
    assert_eq!(verdict(&tested, Claim::Eventual).outcome, Outcome::Valid);
}
