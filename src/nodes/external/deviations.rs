//! What programs in the wild do that the protocol does not allow.
//!
//! What can be understood without guessing is tolerated, counted and told in the report with its
//! first instance; `--strict` makes a failure of it. What cannot be understood is a failure of the
//! node at once: no line is ever dropped in silence.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use sibcheck_checkers::outside::Outside;

/// Lines are cut to this length when they are shown, in characters.
const SHOWN: usize = 200;

/// A line as it is shown: on one line, and cut.
pub(super) fn cut(text: &str) -> String {
    let text = text.trim();
    let shown: String = text.chars().take(SHOWN).collect();
    let left = text.chars().count() - shown.chars().count();
    let shown = Outside(shown);
    if left == 0 {
        shown.to_string()
    } else {
        format!("{shown}… ({left} more characters)")
    }
}

macro_rules! deviations {
    ($($(#[$doc:meta])* $deviation:ident: $name:literal, $remedy:literal;)*) => {
        /// What programs do that the protocol does not allow, and that can be understood all the
        /// same.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Deviation {
            $($(#[$doc])* $deviation,)*
        }

        impl Deviation {
            /// Every kind, in the order of reports.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$deviation),*];

            /// What it is called in reports.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$deviation => $name,)*
                }
            }

            /// What to do about it.
            pub const fn remedy(self) -> &'static str {
                match self {
                    $(Self::$deviation => $remedy,)*
                }
            }
        }
    };
}

deviations! {
    /// Two messages stood on one line.
    MergedLines: "several messages on one line",
        "write a message and its line feed under one lock";
    /// A message was spread over lines.
    SplitLines: "one message over several lines",
        "write JSON without line feeds in it, no pretty printing";
    /// A message that no line feed ended.
    NoLineEnd: "messages without a line feed behind them",
        "end every message with a line feed, the last one too";
    /// An answer without a sender and receiver around it, or addressed to nobody.
    NoEnvelope: "answers without an envelope or without a dest",
        "wrap each answer: {\"src\":…,\"dest\":…,\"body\":{…}}";
    /// An answer did not say what it answers, or said 0.
    NoReplyTo: "answers without in_reply_to",
        "copy the msg_id of the request into in_reply_to";
    /// An id was text, or a number with a fraction.
    LooseId: "ids that are not whole numbers",
        "write in_reply_to as the number that msg_id was";
    /// An answer's type was missing or empty.
    NoType: "answers without a type",
        "name the type of each answer, such as vc_read_ok";
    /// Null stood for a list or a map.
    NullForEmpty: "null for an empty list or map",
        "write [] and {}: Go and Java programs do so after initialising the field";
    /// An error's code was missing or no number.
    LooseErrorCode: "errors without a numeric code",
        "give one of the protocol's codes; without one the outcome counts as unknown";
    /// A line named somebody else as its sender.
    ForeignSender: "messages whose src is not the node that wrote them",
        "put the node_id of init into src, and see --node-names if a name is built in";
    /// A message to somebody who does not exist.
    NoReceiver: "messages to somebody who does not exist",
        "take names from node_ids and from src; if they are built in, see --node-names";
    /// An answer to nothing that this client asked.
    Unasked: "answers that nobody waited for",
        "answer requests only, with the msg_id of the request";
    /// A second answer to one request.
    Repeated: "requests answered more than once",
        "answer each request once";
    /// Something was said to peers too early.
    EarlyTalk: "messages to peers before init_ok",
        "answer init before anything else is sent";
    /// A node went on running after its input had ended, and had to be killed.
    StaysAlive: "nodes that did not end with their input",
        "end when stdin does: each is waited for and then killed";
    /// A request stayed without any answer.
    Silence: "requests that got no answer in time",
        "answer every request, if only with an error, and flush stdout; a program that waits with \
         select and reads with a buffered reader sees a line only when the next one comes";
}

impl Deviation {
    /// Whether `--strict` makes a failure of it. A store may leave a request unanswered, as one does
    /// that cannot reach its peers; all else is wrong whatever the network did.
    pub const fn fails_when_strict(self) -> bool {
        !matches!(self, Self::Silence)
    }
}

/// What the runs of a program have shown so far.
#[derive(Debug, Default)]
pub struct Tolerated {
    /// An earlier run showed that nodes have to be killed.
    stays_alive: bool,
    counts: [AtomicU64; Deviation::ALL.len()],
    first: Mutex<[Option<String>; Deviation::ALL.len()]>,
    /// Some request of a client was answered.
    pub(super) answers: AtomicBool,
    /// Real time was given to its timers in full, and nothing came.
    pub(super) no_timers: AtomicBool,
}

impl Tolerated {
    /// Notes one; of the first of a kind it is kept where it was.
    pub(super) fn note(&self, deviation: Deviation, place: impl FnOnce() -> String) {
        if self.counts[deviation as usize].fetch_add(1, Ordering::Relaxed) == 0 {
            let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
            first[deviation as usize].get_or_insert_with(place);
        }
    }

    /// What a run may know of those before it: nothing is counted in it yet.
    pub(crate) fn known(&self) -> Self {
        let copy = |flag: &AtomicBool| AtomicBool::new(flag.load(Ordering::Relaxed));
        Self {
            stays_alive: self.stay_alive(),
            answers: copy(&self.answers),
            no_timers: copy(&self.no_timers),
            ..Self::default()
        }
    }

    /// Adds what a later run has shown.
    pub(crate) fn absorb(&self, run: &Self) {
        for (deviation, count, first) in run.iter() {
            self.note(deviation, || first);
            self.counts[deviation as usize].fetch_add(count - 1, Ordering::Relaxed);
        }
        for (flag, shown) in [
            (&self.answers, &run.answers),
            (&self.no_timers, &run.no_timers),
        ] {
            flag.fetch_or(shown.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Nodes did not end with their input.
    pub(super) fn stay_alive(&self) -> bool {
        self.stays_alive || self.count(Deviation::StaysAlive) > 0
    }

    /// How often one was noted.
    pub fn count(&self, deviation: Deviation) -> u64 {
        self.counts[deviation as usize].load(Ordering::Relaxed)
    }

    /// Every kind that occurred, with its count and its first instance.
    pub fn iter(&self) -> impl Iterator<Item = (Deviation, u64, String)> + '_ {
        Deviation::ALL.into_iter().filter_map(|deviation| {
            let count = self.count(deviation);
            let first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
            (count > 0).then(|| {
                (
                    deviation,
                    count,
                    first[deviation as usize].clone().unwrap_or_default(),
                )
            })
        })
    }

    /// Forgets that the program seemed to have no timers: the next wait for them is a full one.
    pub fn expect_timers(&self) {
        self.no_timers.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_on_a_character_and_say_so() {
        assert_eq!(cut(" a\tb\r"), "a\\tb");
        let long = "ä".repeat(SHOWN + 7);
        assert!(cut(&long).ends_with("ä… (7 more characters)"));
        assert!(cut(&long).starts_with(&"ä".repeat(SHOWN)));
    }

    #[test]
    fn the_first_of_a_kind_is_kept() {
        let tolerated = Tolerated::default();
        for number in [4, 9] {
            tolerated.note(Deviation::MergedLines, || format!("n1 line {number}"));
        }
        let told: Vec<_> = tolerated.iter().collect();
        assert_eq!(told, [(Deviation::MergedLines, 2, "n1 line 4".to_owned())]);
    }
}
