//! When a program rests: seen from outside, without asking it.
//!
//! **Definition.** A program rests at an instant when every thread of its process and of all its
//! descendants sleeps at that instant, and its input is read. From then on nothing happens in it
//! until something from outside wakes it.
//!
//! **How one instant is proved by looking at threads one after the other.** For each thread two
//! moments are kept: one at which it was *off* its processor (`syscall` says so), its run counts
//! (`schedstat`) having been read just before; and the latest look that found, in this order, its
//! state asleep and its run counts unchanged. In between it cannot have run, for that changes the
//! counts, and had it been woken, it could not be asleep at the look without having run: so it
//! slept through all of the span between the two moments. When the latest first moment of any
//! thread lies before the earliest look at any thread, the spans have an instant in common. Threads
//! that did not run since the last delivery keep their first moments, and cost one look.
//!
//! The state alone would not do: the kernel sets it before a thread leaves the processor, and
//! within `wait4` it can stand for long while the thread runs. A trial with states and run counts
//! alone took 71 of 4,000 deliveries to a shell with background jobs for done that were not.
//!
//! **How no thread is missed.** Every birth takes a number, and the last one taken is known
//! ([`LastNumber`]). While it stays, the known threads are all there are. When it has moved, each number
//! in between is looked up while all known threads sleep (so that none is in the middle of
//! `clone`); then the known threads are looked at again, and the last number must not have moved
//! meanwhile. If it has, what was looked up need not be looked up again, in order of numbers: who was
//! not there any more can only have left children with higher ones. So births elsewhere, however
//! many, only delay the end by their lookups. A thread is the program's when it is of its process group, of a known process, a child
//! of a known process, or a process that inherited its data folder's variable: so children that
//! were orphaned or lead a group of their own are found. Where the last number cannot be had (some
//! containers present another `/proc/loadavg`), all of `/proc` is listed instead, each time.
//!
//! A process that ends tells its parent only after it is shown as a zombie; so the same proof is
//! demanded of zombies before they are forgotten.
//!
//! **What remains.** A descendant that leaves the group, is orphaned and cleans its environment,
//! all between two looks, is missed. Where `syscall` is hidden (another user's process, a
//! program that guards its memory, `kernel.yama.ptrace_scope` of 2 or more), a thread is taken for
//! off its processor when its run counts stood still for [`STEADY`]: slow, and blind to a thread
//! that was preempted just before it fell asleep.

use std::{
    collections::BTreeSet,
    io,
    sync::OnceLock,
    time::{Duration, Instant},
};

use super::{
    now,
    threads::{self, Kinship, LastNumber, Place, Runs, State, Thread},
};

/// Looks at a set of threads before it is called busy: threads that run again and again.
const PASSES: usize = 4;
/// Searches for new threads before the program is called busy.
const ROUNDS: usize = 4;
/// Above so many new numbers, listing all processes is cheaper than looking up each.
const MAX_LOOKUPS: u32 = 256;

/// Longer than two ticks of the slowest clock (100 a second): the run counts of a thread that runs
/// change at every tick.
const STEADY: Duration = Duration::from_millis(25);

/// Whether rest can be seen here: needs a `/proc` that shows states and counts runs.
///
/// Without it [`Process::deliver`](super::Process::deliver) returns
/// [`Unsettled::Unobservable`](super::Unsettled::Unobservable) and programs are to be judged in
/// real time.
pub fn supported() -> bool {
    static SHOWN: OnceLock<bool> = OnceLock::new();
    *SHOWN.get_or_init(threads::are_shown)
}

/// What a look at a program found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// There was an instant, after the last [`Watch::stir`], at which all slept.
    Asleep,
    /// Not so, or it cannot be said yet.
    Busy,
    /// The program itself has ended.
    Dead,
}

/// A moment: moments are counted, not measured.
type Moment = u64;

#[derive(Debug)]
struct Known {
    thread: Thread,
    runs: Option<Runs>,
    /// What they were at [`Watch::begin`].
    first_runs: Option<Runs>,
    /// When it was off its processor, with these run counts.
    off: Option<Moment>,
    /// It slept from `off` to here. 0: not seen asleep since.
    asleep_until: Moment,
    /// Since when the run counts are these; only kept where nothing else tells.
    steady_since: Option<Instant>,
}

/// The threads of one program and its descendants.
#[derive(Debug)]
pub(super) struct Watch {
    root: u32,
    /// `NAME=value`, inherited by descendants.
    variable: Vec<u8>,
    /// The one that ran last stands first.
    known: Vec<Known>,
    last_number: Option<LastNumber>,
    /// All threads born up to this number are known.
    complete_to: Option<u32>,
    /// Numbers up to this one were looked up then, and nobody new was found.
    looked_up: Option<(u32, Moment)>,
    /// Those above `complete_to` that were seen to have ended, though nobody has waited for them.
    buried: BTreeSet<u32>,
    moment: Moment,
    stirred: Moment,
    /// All births are told ([`Watch::learn`]).
    told: bool,
}

/// Taken before a program starts.
#[derive(Debug)]
pub(super) struct Before {
    last_number: Option<(LastNumber, u32)>,
}

impl Before {
    pub(super) fn now() -> Self {
        let last_number = LastNumber::open().and_then(|last| {
            let number = last.read()?;
            Some((last, number))
        });
        Self { last_number }
    }
}

impl Watch {
    /// Watches process `root`, which leads its own group and was started after `before`; without that all
    /// births will be told.
    pub(super) fn new(root: u32, variable: Vec<u8>, before: Option<Before>) -> io::Result<Self> {
        let told = before.is_none();
        // The program's own birth shows whether the last number is what we take it for.
        let before = before.and_then(|before| before.last_number);
        let trusted = before.and_then(|(last, start)| {
            let end = last.read()?;
            let fits = if start <= end {
                start < root && root <= end
            } else {
                root > start || root <= end
            };
            fits.then_some((last, start))
        });
        let (last_number, complete_to) = trusted.unzip();
        let mut watch = Self {
            root,
            variable,
            known: Vec::new(),
            last_number,
            complete_to,
            looked_up: None,
            buried: BTreeSet::new(),
            moment: 0,
            stirred: 0,
            told,
        };
        watch.add(root, root)?;
        Ok(watch)
    }

    /// A new wait for its rest begins.
    pub(super) fn begin(&mut self) {
        for known in &mut self.known {
            known.first_runs = known.runs;
        }
        self.stir();
    }

    /// How long, since [`Watch::begin`], its threads would have run if the machine had let them: the
    /// longest of any thread.
    pub(super) fn held_up(&self) -> Duration {
        let waited = |runs: Option<Runs>| runs.map_or(Duration::ZERO, |runs| runs.waited());
        let threads = self.known.iter();
        let waits = threads.map(|known| {
            let runs = known.thread.runs().ok().flatten();
            waited(runs).saturating_sub(waited(known.first_runs))
        });
        waits.max().unwrap_or_default()
    }

    /// How long its threads have run in their lives, all together.
    pub(super) fn computed(&self) -> Duration {
        let threads = self.known.iter();
        let runs = threads.filter_map(|known| known.thread.runs().ok().flatten());
        runs.map(|runs| runs.computed()).sum()
    }

    /// Something was done to the program: what was seen of its rest is void.
    pub(super) fn stir(&mut self) {
        self.moment += 1;
        self.stirred = self.moment;
        self.looked_up = None;
    }

    /// A thread was born: for one who sees all births, and the ends of all that were told.
    pub(super) fn learn(&mut self, process: u32, number: u32) -> io::Result<()> {
        if self.knows_thread(number) {
            return Ok(());
        }
        self.add(process, number)
    }

    /// Looks whether the program rests. Cheap when it does not: the thread that ran last is asked
    /// first. Where births are told, a thread that was stopped rests only if it is `held`.
    pub(super) fn look(&mut self, held: &dyn Fn(u32) -> bool) -> io::Result<Rest> {
        for _ in 0..ROUNDS {
            match self.look_at_known(held)? {
                Rest::Asleep => {}
                other => return Ok(other),
            }
            if self.told {
                return Ok(Rest::Asleep);
            }
            let last = self.last_number.as_ref().map_or(Some(0), LastNumber::read);
            let Some(last) = last else {
                self.last_number = None;
                self.complete_to = None;
                continue;
            };
            if self.complete_to == Some(last) {
                return Ok(Rest::Asleep);
            }
            if let Some((to, then)) = self.looked_up
                && self.latest_off() <= then
            {
                if self.last_number.is_some() {
                    self.complete_to = Some(to);
                    self.buried.retain(|number| *number > to);
                }
                if to == last {
                    return Ok(Rest::Asleep);
                }
            }
            self.moment += 1;
            let then = self.moment;
            if self.look_for_new(last)? {
                self.looked_up = None;
                return Ok(Rest::Busy);
            }
            self.looked_up = Some((last, then));
        }
        Ok(Rest::Busy)
    }

    /// Whether every thread of the program itself, children left out, is stopped or dead.
    pub(super) fn is_stopped(&mut self) -> io::Result<bool> {
        self.refresh()?;
        for known in &self.known {
            if known.thread.process == self.root
                && matches!(known.thread.state()?, Some(State::Asleep | State::Busy))
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Looks for new threads and processes whatever the known ones do. Returns whether there were any.
    pub(super) fn refresh(&mut self) -> io::Result<bool> {
        let last = self.last_number.as_ref().and_then(LastNumber::read);
        if self.told || (last.is_some() && self.complete_to == last) {
            return Ok(false);
        }
        self.look_for_new(last.unwrap_or(0))
    }

    /// The processes that are still there, each once; the program itself left out.
    pub(super) fn descendants(&self) -> Vec<&Thread> {
        let mut seen = BTreeSet::from([self.root]);
        let mut processes = Vec::new();
        for known in &self.known {
            if seen.insert(known.thread.process) {
                processes.push(&known.thread);
            }
        }
        processes
    }

    fn latest_off(&self) -> Moment {
        self.known
            .iter()
            .filter_map(|known| known.off)
            .max()
            .unwrap_or(0)
    }

    /// Tries to find an instant, after all that voids earlier ones, at which all known threads
    /// slept.
    fn look_at_known(&mut self, held: &dyn Fn(u32) -> bool) -> io::Result<Rest> {
        let told = self.told;
        let looked_up = self.looked_up.map_or(0, |(_, then)| then);
        let mut after = self.latest_off().max(self.stirred).max(looked_up);
        // The first has most likely run: find out without a look that would be in vain.
        if let Some(first) = self.known.first_mut()
            && first.asleep_until < self.stirred
        {
            first.notice_runs()?;
        }
        for _ in 0..PASSES {
            let mut common = true;
            let mut index = 0;
            while let Some(known) = self.known.get_mut(index) {
                if known.asleep_until >= after {
                    index += 1;
                    continue;
                }
                let had_run = known.off.is_none();
                let stopped = if told {
                    Stopped::Told(held(known.thread.number))
                } else {
                    Stopped::Rests
                };
                let mut look = known.look(&mut self.moment, stopped)?;
                if look == Look::Ran {
                    // By now it may be blocked.
                    look = known.look(&mut self.moment, stopped)?;
                }
                if let Some(off) = known.off
                    && off > after
                {
                    // Those before it were looked at too early.
                    after = off;
                    common &= index == 0;
                }
                match look {
                    Look::Asleep => {
                        if had_run {
                            self.known[..=index].rotate_right(1);
                        }
                        index += 1;
                    }
                    Look::Ran | Look::Busy => {
                        self.known[..=index].rotate_right(1);
                        return Ok(Rest::Busy);
                    }
                    Look::Ended if known.thread.number == self.root => return Ok(Rest::Dead),
                    Look::Ended => {
                        // Its last deed may have been to wake one that was already looked at.
                        self.moment += 1;
                        after = self.moment;
                        common = false;
                        let ended = self.known.remove(index);
                        self.buried.insert(ended.thread.number);
                    }
                }
            }
            if common {
                return Ok(Rest::Asleep);
            }
        }
        Ok(Rest::Busy)
    }

    /// Looks up all numbers given since the known threads were complete.
    fn look_for_new(&mut self, last: u32) -> io::Result<bool> {
        let mut found = false;
        match self.complete_to {
            Some(complete) if complete <= last && last - complete <= MAX_LOOKUPS => {
                for number in complete + 1..=last {
                    if self.knows_thread(number) {
                        continue;
                    }
                    if let Some(kinship) = Kinship::of(number)
                        && self.is_ours(number, kinship)
                        && !self.is_buried(number, kinship)
                    {
                        self.add(kinship.process, number)?;
                        found = true;
                    }
                }
            }
            // The numbers started again from the lowest, or too many were given.
            _ => {
                for process in threads::numbers("/proc")? {
                    let Some(kinship) = Kinship::of(process) else {
                        continue;
                    };
                    if !self.is_ours(process, kinship) || self.is_buried(process, kinship) {
                        continue;
                    }
                    for number in threads::numbers(&format!("/proc/{process}/task"))? {
                        if !self.knows_thread(number) {
                            self.add(process, number)?;
                            found = true;
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    fn is_ours(&self, number: u32, kinship: Kinship) -> bool {
        kinship.group == self.root
            || self.known.iter().any(|known| {
                known.thread.process == kinship.process || known.thread.process == kinship.parent
            })
            || (number == kinship.process && threads::has_variable(number, &self.variable))
    }

    fn knows_thread(&self, number: u32) -> bool {
        self.known.iter().any(|known| known.thread.number == number)
    }

    fn is_buried(&self, number: u32, kinship: Kinship) -> bool {
        kinship.zombie && self.buried.contains(&number)
    }

    fn add(&mut self, process: u32, number: u32) -> io::Result<()> {
        if let Some(thread) = Thread::open(process, number)? {
            self.known.push(Known {
                thread,
                runs: None,
                first_runs: None,
                off: None,
                asleep_until: 0,
                steady_since: None,
            });
        }
        Ok(())
    }
}

/// What it means that a thread is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopped {
    Rests,
    /// It waits for its tracer, unless that holds it.
    Told(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Asleep,
    /// Its run counts changed.
    Ran,
    Busy,
    Ended,
}

impl Known {
    fn look(&mut self, moment: &mut Moment, stopped: Stopped) -> io::Result<Look> {
        if self.off.is_none() && !self.is_off(moment)? {
            return Ok(Look::Busy);
        }
        *moment += 1;
        let looked = *moment;
        let state = self.thread.state()?;
        match (state, stopped) {
            (Some(State::Stuck | State::Stopped), Stopped::Told(true)) => {}
            (Some(State::Busy | State::Stuck), _)
            | (Some(State::Stopped), Stopped::Told(false)) => return Ok(Look::Busy),
            _ => {}
        }
        if self.notice_runs()? {
            return Ok(Look::Ran);
        }
        match state {
            Some(State::Dead) | None => Ok(Look::Ended),
            Some(_) => {
                self.asleep_until = looked;
                Ok(Look::Asleep)
            }
        }
    }

    /// Compares the run counts with those kept, and keeps them.
    fn notice_runs(&mut self) -> io::Result<bool> {
        let runs = self.thread.runs()?;
        // One that is gone has told its parent long before.
        let ran = runs.is_some() && runs != self.runs;
        if ran {
            self.runs = runs;
            self.off = None;
            self.asleep_until = 0;
            self.steady_since = None;
        }
        Ok(ran)
    }

    fn is_off(&mut self, moment: &mut Moment) -> io::Result<bool> {
        if self.runs.is_none() {
            self.notice_runs()?;
        }
        let off = match self.thread.place() {
            Place::Off => true,
            Place::On => false,
            Place::Hidden => {
                let since = *self.steady_since.get_or_insert_with(now);
                // Whether they are still the same, the look that follows will tell.
                since.elapsed() >= STEADY
            }
        };
        if off {
            *moment += 1;
            self.off = Some(*moment);
        }
        Ok(off)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        os::unix::process::CommandExt,
        process::{Child, Command, Stdio},
        sync::atomic::{AtomicBool, Ordering},
        thread::{self, sleep},
    };

    use super::*;

    /// Burns 50 ms for each line, in a child of its own, before it answers.
    const SLOW: &str = "while read x; do
        sh -c 'i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done'; echo $x; done";

    fn start() -> Option<(Child, Watch)> {
        if !supported() {
            eprintln!("skipped: this system does not show threads");
            return None;
        }
        let before = Before::now();
        let child = Command::new("sh")
            .args(["-c", SLOW])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("start");
        let watch = Watch::new(child.id(), b"NO=1".to_vec(), Some(before)).expect("watch");
        assert!(
            watch.last_number.is_some(),
            "the last number is not to be trusted"
        );
        Some((child, watch))
    }

    /// Each line must be answered before rest is reported.
    fn run(child: &mut Child, watch: &mut Watch, adjust: fn(&mut Watch)) {
        let mut stdin = child.stdin.take().expect("stdin");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout"));
        for number in 0..10 {
            writeln!(stdin, "{number}").expect("write");
            while rustix::io::ioctl_fionread(&stdin).expect("ask") > 0 {}
            watch.stir();
            loop {
                adjust(watch);
                match watch.look(&|_| false).expect("look") {
                    Rest::Asleep => break,
                    Rest::Busy => sleep(Duration::from_micros(50)),
                    Rest::Dead => panic!("dead"),
                }
            }
            let waiting = rustix::io::ioctl_fionread(stdout.get_ref()).expect("ask");
            assert_eq!(waiting, 2, "rest before the answer to {number}");
            stdout.read_line(&mut String::new()).expect("read");
        }
        drop(stdin);
        child.wait().expect("wait");
        watch.stir();
        assert_eq!(watch.look(&|_| false).expect("look"), Rest::Dead);
    }

    #[test]
    fn rest_is_found() {
        let Some((mut child, mut watch)) = start() else {
            return;
        };
        run(&mut child, &mut watch, |_| ());
    }

    #[test]
    fn rest_is_found_where_calls_are_hidden() {
        let Some((mut child, mut watch)) = start() else {
            return;
        };
        run(&mut child, &mut watch, |watch| {
            watch.known.iter_mut().for_each(|known| known.thread.hide());
        });
    }

    #[test]
    fn rest_is_found_where_the_last_number_is_not_to_be_trusted() {
        let Some((mut child, mut watch)) = start() else {
            return;
        };
        watch.last_number = None;
        watch.complete_to = None;
        run(&mut child, &mut watch, |_| ());
    }

    /// So many that the last number has moved whenever all of them were looked up.
    #[test]
    fn rest_is_found_among_births_without_end() {
        let Some((mut child, mut watch)) = start() else {
            return;
        };
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    thread::spawn(|| ()).join().expect("join");
                }
            });
            run(&mut child, &mut watch, |_| ());
            over.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn many_births_elsewhere_are_looked_through() {
        let Some((mut child, mut watch)) = start() else {
            return;
        };
        // As after a wrap, and as after very many births.
        watch.complete_to = Some(u32::MAX);
        run(&mut child, &mut watch, |watch| {
            watch.complete_to = Some(if watch.moment.is_multiple_of(2) {
                u32::MAX
            } else {
                0
            });
        });
    }
}
