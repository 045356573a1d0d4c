//! Dominance and bounded siblings: an answer holds nothing that is superseded.
//!
//! **Dominance.** The siblings of one answer are an antichain under `must`: no sibling is returned
//! together with a write whose context covers it. Sound and complete for any read, since a replica
//! that holds a write holds everything that the write supersedes as superseded.
//!
//! ```text
//! c1  write "a" ─ ok
//! c1                  read ─ ok ["a"]   write "b" (context of that read) ─ ok
//! c2                                                                           read ─ ok ["a", "b"]
//! ```
//!
//! **Bounded siblings.** Each client's writes of the key fall into chains, in each of which every
//! write must supersede the one before; a write joins the first chain of its client that it
//! extends. No read returns more siblings than there are chains with a write invoked before it
//! completed. A client that always writes with the context that it just read, or with that of its
//! own last write, has one chain: then siblings are bounded by the number of clients. Blind writes
//! each begin a chain, so without chains of two nothing is bounded and nothing is tested. By the
//! pigeonhole principle a read over the bound breaks dominance too: this invariant names the
//! sibling explosion behind it.
//!
//! ```text
//! c1  write "a" ─ ok   write "b" (context of "a") ─ ok     one client, one chain
//! c2                                                      read ─ ok ["a", "b"]
//! ```
//!
//! Dominance costs, for each sibling that some write superseded before the last of an answer was
//! invoked, O(siblings) an answer: healthy answers have next to none. Bounded siblings cost a write
//! what it covers more, or less, than its client's write before ([`WriteChains`]).
//! Sources: Parker et al. 1983; Preguiça et al. 2010; sibling explosion: Riak `kv#746`.

use std::collections::BTreeMap;

use super::{Found, Subject};
use crate::{verdict::Finding, write_chains::WriteChains};

pub(super) fn dominance(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    for read in view.sound_reads() {
        if read.returned.len() != read.visible_must.len() {
            found.tested();
        }
        if read.siblings.len() < 2 {
            continue;
        }
        let open = view.may_be_superseded(&read.returned);
        for by in read.returned.iter().filter(|_| !open.is_empty()) {
            for &superseded in &open {
                if view.writes[by].covers_must.contains(superseded) {
                    found.tested();
                    found.violated(|| {
                        let mut evidence = view.proof(superseded, by);
                        evidence.push(read.id);
                        let finding = Finding::Dominated {
                            read: read.id,
                            superseded: view.writes[superseded].id,
                            by: view.writes[by].id,
                        };
                        (evidence, finding)
                    });
                }
            }
        }
    }
}

pub(super) fn bounded_siblings(subject: &Subject<'_, '_>, found: &mut Found) {
    let view = subject.view;
    let mut chains: BTreeMap<u32, WriteChains> = BTreeMap::new();
    // When each chain begins.
    let mut begun = Vec::new();
    let mut extended_from = None;
    for (number, write) in view.writes.iter().enumerate() {
        let own = chains.entry(write.client).or_default();
        if own.extend(Some(number), &write.covers_must) {
            extended_from.get_or_insert(write.invoked);
        } else {
            begun.push(write.invoked);
        }
    }
    let Some(extended_from) = extended_from else {
        return;
    };
    for read in view.sound_reads() {
        let completed = read.completed;
        if completed < extended_from {
            continue;
        }
        found.tested();
        let chains = begun.partition_point(|begun| *begun <= completed);
        if read.siblings.len() > chains {
            found.violated(|| {
                let mut evidence: Vec<_> = view.ids(&read.returned).collect();
                evidence.push(read.id);
                (
                    evidence,
                    Finding::TooManySiblings {
                        read: read.id,
                        chains,
                    },
                )
            });
        }
    }
}
