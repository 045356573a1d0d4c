//! What a node keeps, on a disk or a simulated one, and how its effects are carried out.
//!
//! Writes and removals collect in a batch until the next sync makes them durable together. A crash loses
//! an open batch; a storage may say that a prefix of it survives.

use std::convert::Infallible;

use crate::simulation::{Disk, Nanos};

use super::{Effect, EffectsOf, RequestId, StoreNode};

/// Records with their places, as a node finds them when it starts.
pub type Found<'a, P, R> = dyn Iterator<Item = (P, R)> + 'a;

/// Records by the places where they stand.
pub trait Storage<P, R> {
    /// Why it failed. Nothing may be acknowledged after that.
    type Error;

    /// Writes a record, in place of the one that stood there.
    ///
    /// # Errors
    ///
    /// When the record cannot be written.
    fn write(&mut self, place: P, record: R) -> Result<(), Self::Error>;

    /// Removes a record, if there is one.
    ///
    /// # Errors
    ///
    /// When the place cannot be named.
    fn remove(&mut self, place: P) -> Result<(), Self::Error>;

    /// Makes all writes and removals since the last sync durable, before it returns.
    ///
    /// # Errors
    ///
    /// When they may not be durable. They may be all the same.
    fn sync(&mut self) -> Result<(), Self::Error>;

    /// Hands all durable records to `start`, in an order that depends on them alone. O(records), one at a
    /// time in memory.
    ///
    /// # Errors
    ///
    /// When a record cannot be read. `start` has got those before it then.
    fn recover(&mut self, start: &mut dyn FnMut(&mut Found<'_, P, R>)) -> Result<(), Self::Error>;
}

/// What leaves a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing<A, M> {
    /// An answer to a request.
    Reply(RequestId, A),
    /// A message to the peer at this position.
    Send(u32, M),
    /// After this span [`StoreNode::timer`] is to be called with this number.
    SetTimer(Nanos, u32),
}

/// What leaves a node of this type.
pub type OutgoingOf<N> = Outgoing<<N as StoreNode>::Answer, <N as StoreNode>::Message>;

/// Carries out what a node wants done, in order, and hands what leaves it to `out`: after the sync that
/// precedes it among the effects has returned.
///
/// # Errors
///
/// When the storage fails. What comes after the failure among the effects is dropped.
pub fn carry_out<N: StoreNode, S: Storage<N::Place, N::Record>>(
    effects: &mut EffectsOf<N>,
    storage: &mut S,
    out: &mut dyn FnMut(OutgoingOf<N>),
) -> Result<(), S::Error> {
    for effect in effects.drain(..) {
        match effect {
            Effect::Persist(place, record) => storage.write(place, record)?,
            Effect::Remove(place) => storage.remove(place)?,
            Effect::Sync => storage.sync()?,
            Effect::Reply(request, answer) => out(Outgoing::Reply(request, answer)),
            Effect::Send(peer, message) => out(Outgoing::Send(peer, message)),
            Effect::SetTimer(after, timer) => out(Outgoing::SetTimer(after, timer)),
        }
    }
    Ok(())
}

impl<P: Ord + Clone, R: Clone> Storage<P, R> for Disk<P, R> {
    type Error = Infallible;

    fn write(&mut self, place: P, record: R) -> Result<(), Infallible> {
        Self::write(self, place, record);
        Ok(())
    }

    fn remove(&mut self, place: P) -> Result<(), Infallible> {
        Self::remove(self, place);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Infallible> {
        Self::sync(self);
        Ok(())
    }

    fn recover(&mut self, start: &mut dyn FnMut(&mut Found<'_, P, R>)) -> Result<(), Infallible> {
        start(&mut Self::recover(self).map(|(place, record)| (place.clone(), record.clone())));
        Ok(())
    }
}

/// None: nothing is kept, and a node begins anew in each life.
impl<P, R, S: Storage<P, R>> Storage<P, R> for Option<S> {
    type Error = S::Error;

    fn write(&mut self, place: P, record: R) -> Result<(), S::Error> {
        self.as_mut()
            .map_or(Ok(()), |storage| storage.write(place, record))
    }

    fn remove(&mut self, place: P) -> Result<(), S::Error> {
        self.as_mut()
            .map_or(Ok(()), |storage| storage.remove(place))
    }

    fn sync(&mut self) -> Result<(), S::Error> {
        self.as_mut().map_or(Ok(()), Storage::sync)
    }

    fn recover(&mut self, start: &mut dyn FnMut(&mut Found<'_, P, R>)) -> Result<(), S::Error> {
        if let Some(storage) = self {
            return storage.recover(start);
        }
        start(&mut std::iter::empty());
        Ok(())
    }
}

/// A storage whose syncs are put off until somebody settles them, so that several share one (group
/// commit). What left a node meanwhile is to be held back until then.
#[derive(Debug)]
pub struct Deferred<S> {
    storage: S,
    owed: bool,
}

impl<S> Deferred<S> {
    /// The same storage, in which nothing is owed yet.
    pub const fn new(storage: S) -> Self {
        Self {
            storage,
            owed: false,
        }
    }

    /// Makes durable what was to be since it was last settled, with one sync, or none where none was wanted.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    pub fn settle<P, R>(&mut self) -> Result<(), S::Error>
    where
        S: Storage<P, R>,
    {
        if std::mem::take(&mut self.owed) {
            self.storage.sync()?;
        }
        Ok(())
    }
}

impl<P, R, S: Storage<P, R>> Storage<P, R> for Deferred<S> {
    type Error = S::Error;

    fn write(&mut self, place: P, record: R) -> Result<(), S::Error> {
        self.storage.write(place, record)
    }

    fn remove(&mut self, place: P) -> Result<(), S::Error> {
        self.storage.remove(place)
    }

    fn sync(&mut self) -> Result<(), S::Error> {
        self.owed = true;
        Ok(())
    }

    fn recover(&mut self, start: &mut dyn FnMut(&mut Found<'_, P, R>)) -> Result<(), S::Error> {
        self.storage.recover(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::{DottedStore, Replica};

    /// Tells what is done to it, and fails at a chosen sync.
    #[derive(Default)]
    struct Watched {
        done: Vec<&'static str>,
        fails: bool,
    }

    type Node = Replica<DottedStore<u32>>;
    type Place = <Node as StoreNode>::Place;
    type Record = <Node as StoreNode>::Record;

    impl Storage<Place, Record> for Watched {
        type Error = &'static str;

        fn write(&mut self, _: Place, _: Record) -> Result<(), Self::Error> {
            self.done.push("write");
            Ok(())
        }

        fn remove(&mut self, _: Place) -> Result<(), Self::Error> {
            self.done.push("remove");
            Ok(())
        }

        fn sync(&mut self) -> Result<(), Self::Error> {
            self.done.push("sync");
            if self.fails { Err("full") } else { Ok(()) }
        }

        fn recover(
            &mut self,
            _: &mut dyn FnMut(&mut Found<'_, Place, Record>),
        ) -> Result<(), Self::Error> {
            Ok(())
        }
    }

    fn effects() -> EffectsOf<Node> {
        vec![
            Effect::SetTimer(Nanos(5), 3),
            Effect::Persist("a".into(), Vec::new().into()),
            Effect::Sync,
            Effect::Reply(1, crate::stores::SiblingAnswer::Unknown),
            Effect::Remove("b".into()),
            Effect::Sync,
            Effect::Reply(2, crate::stores::SiblingAnswer::Unknown),
        ]
    }

    fn replies(
        storage: &mut impl Storage<Place, Record, Error = &'static str>,
    ) -> (Vec<u64>, bool) {
        let mut replies = Vec::new();
        let done = carry_out::<Node, _>(&mut effects(), storage, &mut |out| match out {
            Outgoing::Reply(id, _) => replies.push(id),
            Outgoing::SetTimer(after, timer) => assert_eq!((after, timer), (Nanos(5), 3)),
            Outgoing::Send(..) => unreachable!(),
        });
        (replies, done.is_ok())
    }

    #[test]
    fn effects_are_carried_out_in_order_and_nothing_leaves_after_a_failure() {
        let mut storage = Watched::default();
        assert_eq!(replies(&mut storage), (vec![1, 2], true));
        assert_eq!(storage.done, ["write", "sync", "remove", "sync"]);
        let mut storage = Watched {
            fails: true,
            ..Watched::default()
        };
        assert_eq!(replies(&mut storage), (vec![], false));
        assert_eq!(storage.done, ["write", "sync"]);
    }

    #[test]
    fn syncs_that_are_put_off_become_one() {
        let mut storage = Deferred::new(Watched::default());
        assert_eq!(storage.settle(), Ok(()));
        replies(&mut storage);
        replies(&mut storage);
        assert_eq!(
            storage.storage.done,
            ["write", "remove", "write", "remove"],
            "nothing is synced yet"
        );
        assert_eq!(storage.settle(), Ok(()));
        assert_eq!(storage.settle(), Ok(()));
        assert_eq!(storage.storage.done[4..], ["sync"]);
        storage.storage.fails = true;
        replies(&mut storage);
        assert_eq!(storage.settle(), Err("full"));
    }

    #[test]
    fn a_simulated_disk_gives_back_what_was_synced() {
        let mut disk: Disk<&str, u32> = Disk::default();
        Storage::write(&mut disk, "b", 1).unwrap();
        Storage::write(&mut disk, "a", 2).unwrap();
        Storage::sync(&mut disk).unwrap();
        Storage::remove(&mut disk, "b").unwrap();
        let mut found = Vec::new();
        Storage::recover(&mut disk, &mut |records| found.extend(records)).unwrap();
        assert_eq!(found, [("a", 2), ("b", 1)]);
    }
}
