//! Who is asked for a key, and when enough have answered.

use std::{fmt::Debug, sync::Arc};

use crate::stores::{Key, MaybeTombstone};

use super::{Dynamo, Quorums, Ring, rules::Views};

/// In whose place a node is asked, on the ring of the members and on the one after a pending change; an owner
/// is asked in its own.
pub(super) type InPlaceOf = [Option<u32>; 2];

impl<V: Clone + Debug + PartialEq + MaybeTombstone> Dynamo<V> {
    /// The nodes to be asked for a key, each with the owner in whose place it is. Where others may stand in,
    /// they do so for owners that seem to have failed, in the order of the preference list.
    pub(super) fn asked(&self, key: &Key) -> Vec<(u32, InPlaceOf)> {
        let sloppy = self.quorums.sloppy;
        let mut asked: Vec<(u32, InPlaceOf)> = Vec::new();
        for (ring, number) in self.rings().zip(0..) {
            let mut preference = ring.preference(key.as_str().as_bytes());
            let owners = self.quorums.among(ring.nodes()).owners;
            let owners: Vec<u32> = preference.by_ref().take(owners.into()).collect();
            let mut stand_ins = preference.filter(|node| sloppy && !self.suspected.contains(node));
            for owner in owners {
                let failed = self.suspected.contains(&owner);
                let stand_in = if failed { stand_ins.next() } else { None };
                let node = stand_in.unwrap_or(owner);
                let place = asked.iter().position(|(other, _)| *other == node);
                let place = place.unwrap_or_else(|| {
                    asked.push((node, InPlaceOf::default()));
                    asked.len() - 1
                });
                let places: &mut InPlaceOf = &mut asked[place].1;
                places[number] = Some(owner);
            }
        }
        asked
    }

    /// The ring of the members, and the one after the pending change.
    fn rings(&self) -> impl Iterator<Item = &Ring> {
        let ring = match (&self.next_ring, self.rules.views) {
            (Some(next), Views::Disagreeing) => next,
            _ => &self.ring,
        };
        let next = self.next_ring.iter();
        let next = next.filter(|_| self.rules.views == Views::Agreed);
        std::iter::once(ring).chain(next).map(Arc::as_ref)
    }

    /// How many nodes are enough on each ring.
    pub(super) fn enough(&self, wanted: impl Fn(Quorums) -> u8) -> [u8; 2] {
        let mut enough = [0; 2];
        for (enough, ring) in enough.iter_mut().zip(self.rings()) {
            *enough = wanted(self.quorums.among(ring.nodes()));
        }
        enough
    }

    /// The same where another node has taken this owner for failed, and asked this node in its place.
    pub(super) fn asked_instead_of(
        &self,
        key: &Key,
        instead_of: Option<u32>,
    ) -> Vec<(u32, InPlaceOf)> {
        let mut nodes = self.asked(key);
        if nodes.iter().all(|(node, _)| *node != self.position)
            && let Some(place) = nodes
                .iter_mut()
                .find(|(_, places)| instead_of.is_some() && places.contains(&instead_of))
        {
            place.0 = self.position;
        }
        nodes
    }
}

/// The owners in whose place a node is asked, itself left out.
pub(super) fn others(node: u32, places: InPlaceOf) -> impl Iterator<Item = u32> {
    let [now, next] = places;
    let next = next.filter(|_| next != now);
    now.into_iter()
        .chain(next)
        .filter(move |owner| *owner != node)
}

/// Whether those who have answered are enough on each ring.
pub(super) fn are_enough<'p>(
    answered: impl Iterator<Item = &'p InPlaceOf>,
    enough: [u8; 2],
) -> bool {
    let mut count = [0; 2];
    for places in answered {
        for (count, place) in count.iter_mut().zip(places) {
            *count += u8::from(place.is_some());
        }
    }
    count
        .iter()
        .zip(enough)
        .all(|(count, enough)| *count >= enough)
}
