//! Which versions may be below another, without comparing each with each.

use super::{ClockTable, Ranks};
use crate::write_set::BITS;

/// The writes that may be below a version, for one version after another.
///
/// Each write stands for one entry: its dot, or the entry of its clock that fewest others have so
/// large. Only versions with that entry can be above it. Where entries are the counters of those
/// who write, as they should be, only they are, and going from one version to the next costs what
/// is below one of them alone. What stands for nothing, such as an empty clock, may be below all.
pub(crate) struct Candidates<'t, 'h> {
    clocks: &'t ClockTable<'h>,
    /// For each write the entry that it stands for, and its counter, which is zero of nothing.
    standing: Vec<Option<(u32, u32)>>,
    /// For each entry the counters of the writes that stand for it.
    standing_at: Vec<Ranks>,
    /// Those that stand for nothing.
    below_all: Vec<usize>,
    /// For each entry the writes that stand for it, by counter. Empty until needed.
    by_entry: Vec<Vec<(u32, usize)>>,
    /// For each entry its counter now, and how many of its writes have no larger one.
    now: Vec<(u32, usize)>,
    /// The version that was asked for last.
    last: Option<usize>,
    words: Vec<u64>,
    /// After the last word that is not empty.
    end: usize,
}

impl<'t, 'h> Candidates<'t, 'h> {
    pub(crate) fn new(clocks: &'t ClockTable<'h>) -> Self {
        let known = || clocks.known.iter().enumerate();
        let of_clocks = || known().filter(|(_, known)| known.is_some_and(|k| k.dot.is_none()));
        let many = of_clocks().count();
        let counters = of_clocks().flat_map(|(write, _)| clocks.row(write).counters());
        let ranks = Ranks::of_each(clocks.width, counters);
        let rarest = |write: usize| {
            let counters = clocks.row(write).counters();
            let smaller = counters.map(|(entry, counter)| {
                let all = &ranks[entry as usize];
                (many - all.len() + all.below(counter), entry, counter)
            });
            smaller
                .max()
                .map_or((0, 0), |(_, entry, counter)| (entry, counter))
        };
        let standing: Vec<_> = known()
            .map(|(write, known)| Some(known.as_ref()?.dot.unwrap_or_else(|| rarest(write))))
            .collect();
        let for_entries = standing.iter().flatten().copied();
        let standing_at = Ranks::of_each(
            clocks.width,
            for_entries.filter(|(_, counter)| *counter > 0),
        );
        let for_nothing = |(_, standing): &(usize, &Option<(u32, u32)>)| {
            standing.is_some_and(|(_, counter)| counter == 0)
        };
        let below_all = standing.iter().enumerate().filter(for_nothing);
        let below_all = below_all.map(|(write, _)| write).collect();
        Self {
            clocks,
            standing,
            standing_at,
            below_all,
            by_entry: Vec::new(),
            now: Vec::new(),
            last: None,
            words: Vec::new(),
            end: 0,
        }
    }

    /// How many other writes may be below the version of `upper`.
    pub(crate) fn count_below(&self, upper: usize) -> usize {
        let row = self.clocks.row(upper);
        let entries = row.counters();
        let up_to = |(entry, counter)| self.standing_at[entry as usize].up_to(counter);
        let all = self.below_all.len() + entries.map(up_to).sum::<usize>();
        let itself = self.standing[upper].is_some_and(|(entry, counter)| row.get(entry) >= counter);
        all - usize::from(itself)
    }

    /// Those that may be below the version of `upper`, as bits.
    pub(crate) fn below(&mut self, upper: usize) -> &[u64] {
        if self.words.is_empty() {
            self.begin();
        }
        let row = self.clocks.row(upper);
        if let Some(last) = self.last.replace(upper) {
            for (entry, _) in self.clocks.row(last).counters() {
                if row.get(entry) == 0 {
                    self.move_to(entry, 0);
                }
            }
        }
        for (entry, counter) in row.counters() {
            if self.now[entry as usize].0 != counter {
                self.move_to(entry, counter);
            }
        }
        while self.end > 0 && self.words[self.end - 1] == 0 {
            self.end -= 1;
        }
        &self.words[..self.end]
    }

    fn begin(&mut self) {
        self.by_entry = vec![Vec::new(); self.clocks.width];
        for (write, standing) in self.standing.iter().enumerate() {
            if let Some((entry, counter)) = standing.filter(|(_, counter)| *counter > 0) {
                self.by_entry[entry as usize].push((counter, write));
            }
        }
        for writes in &mut self.by_entry {
            writes.sort_unstable();
        }
        self.now = vec![(0, 0); self.clocks.width];
        self.words = vec![0; self.clocks.known.len().div_ceil(BITS)];
        for write in &self.below_all {
            self.words[write / BITS] |= 1 << (write % BITS);
            self.end = self.end.max(write / BITS + 1);
        }
    }

    fn move_to(&mut self, entry: u32, counter: u32) {
        let entry = entry as usize;
        let writes = &self.by_entry[entry];
        let (_, before) = self.now[entry];
        let after = writes.partition_point(|(known, _)| *known <= counter);
        for (_, write) in &writes[before.min(after)..before.max(after)] {
            self.words[write / BITS] ^= 1 << (write % BITS);
            self.end = self.end.max(write / BITS + 1);
        }
        self.now[entry] = (counter, after);
    }
}
