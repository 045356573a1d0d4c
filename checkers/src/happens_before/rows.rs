//! What one client knows of all the others: a row of counters, in pieces that rows share.
//!
//! A row is a tree of two levels. Clients are numbered as they come, so that those at work at one
//! time stand together: from one answer to the next few pieces change, and what is told of clients
//! that are gone is soon one piece for all. Pieces are compared by where they are before they are
//! looked into.

use std::rc::Rc;

/// The entries of a piece, and the pieces of a branch.
const WIDTH: usize = 16;

type Piece = [u32; WIDTH];
type Branch = [Option<Rc<Piece>>; WIDTH];

/// How many acknowledged operations of each client are known. Zero where nothing is told.
#[derive(Clone, Default)]
pub(super) struct Row(Vec<Option<Rc<Branch>>>);

impl Row {
    /// True when nothing is known.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is known of a client.
    pub(super) fn at(&self, client: u32) -> u32 {
        let (branch, piece, entry) = place(client);
        let piece = self.0.get(branch).and_then(|branch| {
            let branch = branch.as_ref()?;
            branch[piece].as_ref()
        });
        piece.map_or(0, |piece| piece[entry])
    }

    /// Adds that so many operations of a client are known; tells how many pieces were made.
    pub(super) fn learn(&mut self, client: u32, many: u32) -> usize {
        if self.at(client) >= many {
            return 0;
        }
        let (branch, piece, entry) = place(client);
        if branch >= self.0.len() {
            self.0.resize(branch + 1, None);
        }
        let branch = Rc::make_mut(self.0[branch].get_or_insert_default());
        let piece = branch[piece].get_or_insert_default();
        let made = usize::from(Rc::strong_count(piece) > 1);
        Rc::make_mut(piece)[entry] = many;
        made
    }

    /// Adds all that another row tells; tells how many pieces were made.
    pub(super) fn learn_row(&mut self, other: &Self) -> usize {
        if other.0.len() > self.0.len() {
            self.0.resize(other.0.len(), None);
        }
        let mut made = 0;
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            match (mine, theirs) {
                (_, None) => {}
                (mine @ None, Some(theirs)) => *mine = Some(Rc::clone(theirs)),
                (Some(mine), Some(theirs)) if Rc::ptr_eq(mine, theirs) => {}
                (Some(mine), Some(theirs)) => made += join(mine, theirs),
            }
        }
        made
    }

    /// The part of the memory of all rows that is this one's: pieces, each divided among those who
    /// share it.
    pub(super) fn pieces(&self) -> f64 {
        let part = |sharing: usize| 1.0 / f64::from(crate::index::number(sharing));
        let branches = self.0.iter().flatten().map(|branch| {
            let pieces = branch.iter().flatten();
            let pieces = pieces.map(|piece| part(Rc::strong_count(piece)));
            (1.0 + pieces.sum::<f64>()) * part(Rc::strong_count(branch))
        });
        branches.sum()
    }
}

/// The branch, the piece and the entry of a client.
const fn place(client: u32) -> (usize, usize, usize) {
    let client = client as usize;
    (
        client / (WIDTH * WIDTH),
        client / WIDTH % WIDTH,
        client % WIDTH,
    )
}

/// Adds what one branch tells to another.
fn join(mine: &mut Rc<Branch>, theirs: &Rc<Branch>) -> usize {
    let (mut made, mut all_theirs) = (0, true);
    for (at, theirs) in theirs.iter().enumerate() {
        let piece = match (&mine[at], theirs) {
            (None, None) => continue,
            (Some(_), None) => {
                all_theirs = false;
                continue;
            }
            (Some(mine), Some(theirs)) if Rc::ptr_eq(mine, theirs) => continue,
            (None, Some(theirs)) => Rc::clone(theirs),
            (Some(mine), Some(theirs)) => {
                let both: Piece = std::array::from_fn(|at| mine[at].max(theirs[at]));
                if both == **theirs {
                    Rc::clone(theirs)
                } else {
                    all_theirs = false;
                    if both == **mine {
                        continue;
                    }
                    made += 1;
                    Rc::new(both)
                }
            }
        };
        Rc::make_mut(mine)[at] = Some(piece);
    }
    if all_theirs {
        *mine = Rc::clone(theirs);
    }
    made
}
