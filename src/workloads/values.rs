//! The values of a plan while it is drawn.

use serde_json::Value as Json;

/// The position of each number; looked up only.
#[expect(
    clippy::disallowed_types,
    reason = "nothing iterates it, so its order decides nothing"
)]
type Positions = std::collections::HashMap<u64, u32>;

/// The values of a plan while it is drawn.
#[derive(Debug)]
pub struct Values {
    /// Where each number stands, looked up but never listed; none where every write has a value of
    /// its own.
    positions: Option<Positions>,
    plain: fn(usize) -> Json,
    table: Vec<Json>,
}

impl Values {
    /// Values that are numbers, equal ones where the same is drawn.
    pub fn shared() -> Self {
        Self {
            positions: Some(Positions::default()),
            plain: Json::from,
            table: Vec::new(),
        }
    }

    /// A value of its own for each write, plain by its position.
    pub const fn unique(plain: fn(usize) -> Json) -> Self {
        Self {
            positions: None,
            plain,
            table: Vec::new(),
        }
    }

    /// The position of a value that stands for a number that was drawn.
    pub fn position(&mut self, number: u64) -> u32 {
        let next = u32::try_from(self.table.len()).unwrap_or(u32::MAX);
        if let Some(positions) = &mut self.positions {
            let position = *positions.entry(number).or_insert(next);
            if position == next {
                self.table.push(number.into());
            }
            return position;
        }
        self.table.push((self.plain)(next as usize));
        next
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The values, by position.
    pub fn into_table(self) -> Vec<Json> {
        self.table
    }
}
