//! Rows of counters, one for each operation with an entry for each client, in pieces that rows share.
//!
//! From one operation of a client to the next few entries change: those of the clients that are at
//! work. Clients that are gone cost a row a number for each piece, and no time where that number is
//! the same as before.

/// The entries of a piece.
pub(crate) const PIECE: usize = 16;

/// The most numbers that are kept, of four bytes each.
const MOST_NUMBERS: usize = 1 << 28;

/// A piece that nothing is known of yet: all zeros.
const ZEROS: u32 = 0;

/// A row for each operation, and one for each client that says what it knows now.
pub(super) struct Rows {
    /// The pieces of a row.
    width: usize,
    /// For each operation the numbers of its pieces.
    numbers: Vec<u32>,
    pieces: Vec<[u32; PIECE]>,
    /// For each client the numbers of its pieces, and whether it alone has them.
    known: Vec<(u32, bool)>,
}

impl Rows {
    /// `None` when there are more clients and operations than can be kept.
    pub(super) fn new(operations: usize, clients: usize) -> Option<Self> {
        let width = clients.div_ceil(PIECE);
        let many = operations.checked_add(clients)?.checked_mul(width)?;
        (many <= MOST_NUMBERS).then(|| Self {
            width,
            numbers: vec![ZEROS; operations * width],
            pieces: vec![[0; PIECE]],
            known: vec![(ZEROS, false); clients * width],
        })
    }

    /// True when more is kept than should be.
    pub(super) fn is_too_large(&self) -> bool {
        self.numbers.len() + self.pieces.len() * PIECE > MOST_NUMBERS
    }

    /// The number of a piece of an operation's row.
    pub(super) fn piece_of(&self, op: usize, piece: usize) -> u32 {
        self.numbers[op * self.width + piece]
    }

    /// The entries of a piece.
    pub(super) fn piece(&self, number: u32) -> &[u32; PIECE] {
        &self.pieces[number as usize]
    }

    /// An entry of an operation's row.
    pub(super) fn at(&self, op: usize, client: usize) -> u32 {
        self.piece(self.piece_of(op, client / PIECE))[client % PIECE]
    }

    /// Lets an operation's row be what its client knows.
    pub(super) fn keep(&mut self, op: usize, client: usize) {
        let known = &mut self.known[client * self.width..][..self.width];
        let row = &mut self.numbers[op * self.width..][..self.width];
        for (number, (known, own)) in row.iter_mut().zip(known) {
            *number = *known;
            *own = false;
        }
    }

    /// Lets a client know what is in an operation's row.
    pub(super) fn learn_row(&mut self, client: usize, op: usize) {
        for piece in 0..self.width {
            let theirs = self.piece_of(op, piece);
            let mine = self.known[client * self.width + piece].0;
            if theirs == mine {
                continue;
            }
            let (one, other) = (*self.piece(mine), *self.piece(theirs));
            let both = std::array::from_fn(|at| one[at].max(other[at]));
            if both == other {
                self.known[client * self.width + piece] = (theirs, false);
            } else if both != one {
                self.change(client, piece, both);
            }
        }
    }

    /// Lets a client know so many operations of another, or of itself.
    pub(super) fn learn(&mut self, client: usize, of: usize, many: u32) {
        let piece = of / PIECE;
        let mut entries = *self.piece(self.known[client * self.width + piece].0);
        if entries[of % PIECE] < many {
            entries[of % PIECE] = many;
            self.change(client, piece, entries);
        }
    }

    fn change(&mut self, client: usize, piece: usize, entries: [u32; PIECE]) {
        let (number, own) = &mut self.known[client * self.width + piece];
        if *own {
            self.pieces[*number as usize] = entries;
        } else {
            (*number, *own) = (crate::provenance::number(self.pieces.len()), true);
            self.pieces.push(entries);
        }
    }
}
