//! A node of the Dynamo-style store among hostile peers.
//!
//! Peers send whatever has the form of a message: sets with any rows, views of strangers, answers to what was
//! never asked. Such peers can make a node lose what they claim to supersede. They must not make it
//! panic, answer a request twice, send anything to nobody, go by a view that names strangers, or give out a dot
//! twice, in whichever of its lives.

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::{
    clocks::{Actor, Dot, DottedVersionVector, DvvSet, VectorClock},
    simulation::{Disk, Nanos},
    stores::{
        Change, Effect, EffectsOf, Key, MaybeTombstone, RequestId, Setting, SiblingAnswer,
        SiblingRequest, StoreName, StoreNode,
        dynamo::{Body, Dynamo, Message, OpId, Outcome, Part, Place, Record, View, Write},
    },
};

/// A value; 0 is a tombstone.
#[derive(Clone, Copy, Debug, PartialEq, Arbitrary)]
struct Value(u8);

impl MaybeTombstone for Value {
    fn is_tombstone(&self) -> bool {
        self.0 == 0
    }
}

const NODES: u32 = 4;

/// Runs a node through what the bytes say.
///
/// # Panics
///
/// When the node breaks one of the laws above.
pub fn run(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let stores = ["dynamo", "dynamo:3-1-1-sloppy", "dynamo:2-2-1-background"];
    let store = bytes.choose(&stores).copied().unwrap_or("dynamo");
    let mut node = Among::new(store.parse().expect("it is one"));
    while !bytes.is_empty() {
        if node.step(&mut bytes).is_err() {
            return;
        }
    }
}

/// The node, and what is known of it.
struct Among {
    store: StoreName,
    node: Dynamo<Value>,
    disk: Disk<Place, Record<Value>>,
    /// The requests that are not answered yet, each with its key if it is a write.
    asked: BTreeMap<RequestId, Option<Key>>,
    requests: RequestId,
    dots: BTreeSet<(Key, Dot)>,
}

fn setting() -> Setting {
    Setting {
        position: 0,
        cluster: (1..=NODES).map(|node| format!("n{node}").into()).collect(),
        anti_entropy: Nanos::from_millis(8),
    }
}

impl Among {
    fn new(store: StoreName) -> Self {
        let mut among = Self {
            store,
            node: Dynamo::new(store, setting()),
            disk: Disk::default(),
            asked: BTreeMap::new(),
            requests: 0,
            dots: BTreeSet::new(),
        };
        among.start();
        among
    }

    fn start(&mut self) {
        self.node = Dynamo::new(self.store, setting());
        self.asked.clear();
        let mut effects = Vec::new();
        let found = self.disk.recover();
        let found: Vec<_> = found
            .map(|(place, record)| (place.clone(), record.clone()))
            .collect();
        self.node.start(&mut found.into_iter(), &mut effects);
        self.carry_out(effects);
    }

    fn step(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        let mut effects = Vec::new();
        match bytes.int_in_range(0..=15u8)? {
            0 => {
                // A part of what was not synced may survive.
                self.disk.crash(bytes.int_in_range(0..=5)?);
                self.start();
            }
            1 | 2 => self.node.timer(0, &mut effects),
            3 => {
                let change = if bool::arbitrary(bytes)? {
                    Change::Join
                } else {
                    Change::Leave
                };
                self.node.change_members(change, &mut effects);
            }
            4..=6 => {
                self.requests += 1;
                let key = key(bytes)?;
                let (asked, request) = if bool::arbitrary(bytes)? {
                    (None, SiblingRequest::Get { key })
                } else {
                    let put = SiblingRequest::Put {
                        client: "c".into(),
                        key: key.clone(),
                        parents: vec![clock(bytes)?],
                        value: Value::arbitrary(bytes)?,
                    };
                    (Some(key), put)
                };
                self.asked.insert(self.requests, asked);
                let id = self.requests;
                self.node.request(id, request, &mut || 0, &mut effects);
            }
            _ => {
                let from = bytes.int_in_range(1..=NODES - 1)?;
                let message = Message {
                    life: bytes.int_in_range(0..=3)?,
                    view: bytes.int_in_range(0..=6)?,
                    body: body(bytes)?,
                };
                self.node.message(from, &message, &mut effects);
            }
        }
        self.carry_out(effects);
        Ok(())
    }

    fn carry_out(&mut self, effects: EffectsOf<Dynamo<Value>>) {
        for effect in effects {
            match effect {
                Effect::Persist(place, record) => {
                    if let Record::Membership(view, _) = &record {
                        assert!(
                            view.is_of(NODES as usize),
                            "a view names strangers: {view:?}"
                        );
                    }
                    self.disk.write(place, record);
                }
                Effect::Remove(place) => self.disk.remove(place),
                Effect::Sync => self.disk.sync(),
                Effect::Send(to, _) => {
                    assert!((1..NODES).contains(&to), "a message goes to {to}");
                }
                Effect::Reply(id, answer) => {
                    let asked = self.asked.remove(&id).expect("nothing is answered twice");
                    if let (Some(key), SiblingAnswer::Written { stamp, .. }) = (asked, answer) {
                        let dot = stamp.dot().clone();
                        // Another node may say that it gave any dot to what was forwarded to it.
                        if dot.actor().as_str().starts_with("n1") {
                            let told = format!("{dot:?} of {key:?} was given out twice");
                            assert!(self.dots.insert((key, dot)), "{told}");
                        }
                    }
                }
                Effect::SetTimer(..) => {}
            }
        }
    }
}

fn key(bytes: &mut Unstructured<'_>) -> Result<Key> {
    let keys = ["a", "b", "c", "d"];
    bytes.choose(&keys).map(|key| (*key).into())
}

fn actor(bytes: &mut Unstructured<'_>) -> Result<Actor> {
    let actors = ["n1", "n2", "n3", "n2+1", "n1+1", ""];
    bytes.choose(&actors).map(|actor| (*actor).into())
}

fn counter(bytes: &mut Unstructured<'_>) -> Result<u64> {
    Ok(match bytes.int_in_range(0..=20u64)? {
        20 => u64::MAX,
        counter => counter,
    })
}

fn clock(bytes: &mut Unstructured<'_>) -> Result<VectorClock> {
    let mut clock = VectorClock::new();
    for _ in 0..bytes.int_in_range(0..=3)? {
        clock = clock.with_entry(&actor(bytes)?, counter(bytes)?);
    }
    Ok(clock)
}

fn set(bytes: &mut Unstructured<'_>) -> Result<DvvSet<Value>> {
    let mut set = DvvSet::empty();
    for _ in 0..bytes.int_in_range(0..=3)? {
        let row = (
            actor(bytes)?,
            counter(bytes)?,
            <Vec<Value>>::arbitrary(bytes)?,
        );
        if let Ok(row) = DvvSet::from_rows([row]) {
            set = set.sync(&row);
        }
    }
    Ok(set)
}

fn op(bytes: &mut Unstructured<'_>) -> Result<OpId> {
    Ok(OpId {
        life: bytes.int_in_range(0..=3)?,
        number: bytes.int_in_range(0..=30)?,
    })
}

fn several<T>(
    bytes: &mut Unstructured<'_>,
    one: impl Fn(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    (0..bytes.int_in_range(0..=3)?)
        .map(|_| one(bytes))
        .collect()
}

fn node(bytes: &mut Unstructured<'_>) -> Result<u32> {
    bytes.int_in_range(0..=NODES + 1)
}

fn view(bytes: &mut Unstructured<'_>) -> Result<View> {
    let nodes = |bytes: &mut Unstructured<'_>| -> Result<BTreeSet<u32>> {
        Ok(several(bytes, node)?.into_iter().collect())
    };
    Ok(View {
        version: bytes.int_in_range(0..=8)?,
        claimant: node(bytes)?,
        members: nodes(bytes)?,
        next: if bool::arbitrary(bytes)? {
            Some(nodes(bytes)?)
        } else {
            None
        },
        leaving: nodes(bytes)?,
        reaped: several(bytes, |bytes| Ok((key(bytes)?, clock(bytes)?)))?,
    })
}

fn part(bytes: &mut Unstructured<'_>) -> Result<Part> {
    Ok(Part {
        range: bytes.int_in_range(0..=300)?,
        bits: u8::arbitrary(bytes)?,
        prefix: u64::arbitrary(bytes)?,
    })
}

fn body(bytes: &mut Unstructured<'_>) -> Result<Body<Value>> {
    let keyed = |bytes: &mut Unstructured<'_>| Ok((key(bytes)?, set(bytes)?));
    Ok(match bytes.int_in_range(0..=16u8)? {
        0 => Body::Store {
            op: op(bytes)?,
            key: key(bytes)?,
            set: set(bytes)?,
            instead_of: several(bytes, node)?,
        },
        1 => Body::HandOff {
            op: op(bytes)?,
            sets: several(bytes, keyed)?,
        },
        2 => Body::Stored { op: op(bytes)? },
        3 => Body::Fetch {
            op: op(bytes)?,
            key: key(bytes)?,
        },
        4 => Body::Fetched {
            op: op(bytes)?,
            set: set(bytes)?,
        },
        5 => Body::Forward {
            op: op(bytes)?,
            to_life: bytes.int_in_range(0..=3)?,
            write: Write {
                key: key(bytes)?,
                context: clock(bytes)?,
                value: Value::arbitrary(bytes)?,
            },
            instead_of: Some(node(bytes)?),
        },
        6 => Body::Forwarded {
            op: op(bytes)?,
            outcome: outcome(bytes)?,
        },
        7 => Body::CompareAll {
            hash: u64::arbitrary(bytes)?,
        },
        8 => Body::Compare {
            parts: several(bytes, |bytes| Ok((part(bytes)?, u64::arbitrary(bytes)?)))?,
        },
        9 => Body::CompareKeys {
            part: Part::whole(bytes.int_in_range(0..=300)?),
            keys: several(bytes, |bytes| Ok((key(bytes)?, u64::arbitrary(bytes)?)))?,
        },
        10 => Body::Differ {
            sets: several(bytes, keyed)?,
            wanted: several(bytes, key)?,
        },
        11 | 12 => Body::View(view(bytes)?),
        13 => Body::Wish {
            change: if bool::arbitrary(bytes)? {
                Change::Join
            } else {
                Change::Leave
            },
        },
        14 => Body::WishReaping,
        15 => Body::Empty,
        _ => Body::Ready {
            tombstones: several(bytes, |bytes| {
                Ok((key(bytes)?, u64::arbitrary(bytes)?, clock(bytes)?))
            })?,
            held: several(bytes, key)?,
        },
    })
}

fn outcome(bytes: &mut Unstructured<'_>) -> Result<Outcome> {
    Ok(match bytes.int_in_range(0..=2u8)? {
        0 => Outcome::Unknown,
        1 => Outcome::Refused("why not".to_owned()),
        _ => {
            let dot = Dot::new("n2".into(), bytes.int_in_range(1..=9)?).expect("it counts");
            let stamp = DottedVersionVector::new(dot, VectorClock::new());
            Outcome::Written(stamp.expect("nothing is covered"))
        }
    })
}
