//! Short scripts of what clients do, one step after the other.

/// What clients do, in order.
#[derive(Clone, Debug)]
pub struct Script<A> {
    /// The steps.
    pub lines: Vec<Line<A>>,
    /// How many values they name.
    pub values: u32,
    /// The next step begins together with the last.
    next_at_once: bool,
}

/// One step of a script.
#[derive(Clone, Copy, Debug)]
pub struct Line<A> {
    /// Whose it is.
    pub client: u32,
    /// The key, by position.
    pub key: u32,
    /// What is done.
    pub act: A,
    /// It begins together with the step before, not after it.
    pub at_once: bool,
}

impl<A> Default for Script<A> {
    fn default() -> Self {
        Self {
            lines: Vec::new(),
            values: 0,
            next_at_once: false,
        }
    }
}

impl<A> Script<A> {
    /// A client does something with a key, after all that came before.
    #[must_use]
    pub fn act(mut self, client: u32, key: u32, act: A) -> Self {
        self.lines.push(Line {
            client,
            key,
            act,
            at_once: self.next_at_once,
        });
        self.next_at_once = false;
        self
    }

    /// The next step begins together with the last one, not after it.
    #[must_use]
    pub const fn at_once(mut self) -> Self {
        self.next_at_once = true;
        self
    }

    /// The position of a value that no other step names.
    pub fn value(&mut self) -> u32 {
        self.values += 1;
        self.values - 1
    }
}
