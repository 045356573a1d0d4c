//! Names of a history, numbered while it is put together.

use std::hash::Hasher as _;

use hashbrown::{HashTable, hash_table::Entry};
use rustc_hash::FxHasher;

use crate::{history::Name, index};

/// The names that operations refer to, by number.
#[derive(Debug, Default)]
pub(crate) struct Interned {
    pub(crate) clients: NameTable,
    pub(crate) nodes: NameTable,
    pub(crate) keys: NameTable,
}

/// Names, numbered in the order in which they come up.
#[derive(Debug, Default)]
pub(crate) struct NameTable {
    pub(crate) names: Vec<Name>,
    numbers: HashTable<u32>,
}

impl NameTable {
    /// The name of a number that was given.
    pub(crate) fn name(&self, number: u32) -> &Name {
        &self.names[number as usize]
    }

    /// The number of a name, a new one when it has none yet.
    pub(crate) fn number(&mut self, name: &str) -> u32 {
        let hash = |name: &str| {
            let mut hasher = FxHasher::default();
            hasher.write(name.as_bytes());
            hasher.finish()
        };
        let names = &self.names;
        let same = |number: &u32| names[*number as usize] == name;
        let hashed = |number: &u32| hash(names[*number as usize].as_str());
        match self.numbers.entry(hash(name), same, hashed) {
            Entry::Occupied(number) => *number.get(),
            Entry::Vacant(free) => {
                let number = index::number(self.names.len());
                free.insert(number);
                self.names.push(Name::from(name));
                number
            }
        }
    }
}
