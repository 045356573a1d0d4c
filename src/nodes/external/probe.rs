//! Finding out which kinds of keys and values a program takes, on throw-away processes.
//!
//! For each kind all its shapes are written, one after the other, and read back. A kind of which one
//! is refused, is not answered, or comes back as something else is not taken: what becomes of it is
//! no concern of a test for siblings, and would hide what is. Whether two keys or values are taken for
//! one is *not* tried here, since that is a violation.
//!
//! One process serves for all kinds as long as it lives, answers, and still takes what is plain; so
//! the outcome is the same for every process of a program that is deterministic. Costs two requests a
//! shape, about two hundred in all, and the start of one process more for each that was lost.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::{Map, Value as Json, json};
use sibcheck_checkers::{import::make_numbers_exact, shown};

use crate::{
    nodes::process::{ExternalError, Idle, Line, Process, now},
    plans::{Kind, Table},
    stores::Key,
    workloads::{Request, Speaker, Workload, with_words},
};

use super::{INITIATOR, Program, intake::Intake, speech};

/// What has to be known of a request to understand its answer.
type Question<'p, W> = <<W as Workload>::Speaker<'p> as Speaker<'p, W>>::Question;

/// A kind of keys or values that a program does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// The kind.
    pub kind: Kind,
    /// What became of it, in a few words.
    pub how: String,
}

/// When so many processes have died, hung or been spoiled, no more kinds are tried.
const MOST_PROCESSES: u32 = 5;

/// How long all this may take; what is left then is not tried.
const BUDGET: Duration = Duration::from_secs(20);

/// How long a program that never rests is waited for after each line that it wrote.
const RESTLESS_TURN: Duration = Duration::from_millis(1);

/// The plain keys from here on are used for values, each once.
const OWN_KEYS: usize = 1_000;

/// The client that asks.
const CLIENT: &str = "c1";

/// The kinds of keys and values that a program does not take, in the order of [`Kind::ALL`]. They are
/// all of them where it does not take even plain ones on one node alone. `go_on` is asked between
/// kinds.
pub fn kinds_not_taken(program: &Program, go_on: impl Fn() -> bool) -> Vec<NotTaken> {
    let program = Program {
        folder: program.folder.join("probe"),
        ..program.clone()
    };
    let not_taken = with_words!(program.dialect.words(), W, words => {
        not_taken_of::<W>(&program, words, go_on)
    });
    // What is left behind tells about a failure only, and none here is one.
    let _ = fs::remove_dir_all(&program.folder);
    not_taken
}

fn not_taken_of<W: Workload>(
    program: &Program,
    words: &W::Words,
    go_on: impl Fn() -> bool,
) -> Vec<NotTaken> {
    let shapes = Kind::ALL.into_iter().flat_map(shapes);
    let mut values = vec![W::plain_value(0, true)];
    values.extend(shapes.filter_map(|(table, shape)| (table == Table::Values).then_some(shape)));
    let mut probe: Probe<'_, W> = Probe {
        program,
        words,
        values: &values,
        began: now(),
        processes: 0,
        talk: None,
    };
    let mut not_taken = Vec::new();
    let mut given_up = None;
    for kind in Kind::ALL {
        if given_up.is_none() && (probe.began.elapsed() > BUDGET || !go_on()) {
            given_up = Some("not tried for want of time".to_owned());
        }
        let tried = match &given_up {
            Some(why) => Err(Failed::GaveUp(why.clone())),
            None => probe.try_kind(kind),
        };
        let how = match tried {
            Ok(()) => continue,
            Err(Failed::Changed(how) | Failed::Lost(how)) => how,
            Err(Failed::GaveUp(why)) => given_up.insert(why).clone(),
        };
        not_taken.push(NotTaken { kind, how });
    }
    not_taken
}

fn shapes(kind: Kind) -> impl Iterator<Item = (Table, Json)> {
    (0..kind.shapes()).filter_map(move |at| Some((kind.table(), kind.member(at)?)))
}

struct Probe<'p, W: Workload> {
    program: &'p Program,
    words: &'p W::Words,
    /// All values that are written.
    values: &'p [Json],
    began: Instant,
    /// How many processes were started.
    processes: u32,
    talk: Option<Talk<'p, W>>,
}

/// Why a key or a value is not taken.
enum Failed {
    /// What was answered instead.
    Changed(String),
    /// The process is of no more use.
    Lost(String),
    /// No process is.
    GaveUp(String),
}

impl<'p, W: Workload> Probe<'p, W> {
    /// Writes and reads all shapes of a kind.
    fn try_kind(&mut self, kind: Kind) -> Result<(), Failed> {
        let mut talk = match self.talk.take() {
            Some(talk) => talk,
            None => self.start()?,
        };
        let tried = shapes(kind).try_for_each(|(table, shape)| match (table, &shape) {
            (Table::Keys, Json::String(key)) => talk.round_trip(&key.as_str().into(), 0),
            (Table::Keys, _) => Ok(()),
            (Table::Values, value) => {
                let position = self.values.iter().position(|other| other == value);
                talk.round_trip_alone(position.unwrap_or(0))
            }
        });
        // What it does not take may have spoiled it for what comes next.
        let of_use = match &tried {
            Ok(()) => true,
            Err(Failed::Changed(_)) => talk.round_trip_alone(0).is_ok(),
            Err(Failed::Lost(_) | Failed::GaveUp(_)) => false,
        };
        self.talk = of_use.then_some(talk);
        tried
    }

    /// A process that takes what is plain.
    fn start(&mut self) -> Result<Talk<'p, W>, Failed> {
        if self.processes == MOST_PROCESSES {
            let why = format!("not tried after {MOST_PROCESSES} processes were lost");
            return Err(Failed::GaveUp(why));
        }
        self.processes += 1;
        let started = Talk::start(self.program, self.words, self.values, self.processes);
        let plain = started.and_then(|mut talk| {
            talk.round_trip_alone(0)?;
            Ok(talk)
        });
        plain.map_err(|failed| match failed {
            Failed::Changed(how) | Failed::Lost(how) | Failed::GaveUp(how) => Failed::GaveUp(
                format!("not tried, as a plain value on one node alone {how}"),
            ),
        })
    }
}

/// A conversation with a process.
struct Talk<'p, W: Workload> {
    program: &'p Program,
    values: &'p [Json],
    speaker: W::Speaker<'p>,
    process: Process,
    intake: Intake,
    node: Key,
    /// How many requests it got.
    asked: u32,
    restless: bool,
}

impl<'p, W: Workload> Talk<'p, W> {
    fn start(
        program: &'p Program,
        words: &'p W::Words,
        values: &'p [Json],
        number: u32,
    ) -> Result<Self, Failed> {
        let node = program.names.of(0);
        let folder = program.folder.join(number.to_string());
        let stderr = folder.join("stderr");
        let launch = program.launch(node.as_str(), folder, stderr);
        let mut process = Process::spawn(&launch).map_err(|error| lost(&error))?;
        process.set_patience(program.busy_patience);
        let names = [node.clone()];
        let mut talk = Self {
            program,
            values,
            speaker: W::Speaker::new(words, &names, 1, Some(values)),
            process,
            intake: Intake::default(),
            node,
            asked: 0,
            restless: false,
        };
        let init = json!({"type": "init", "node_id": talk.node, "node_ids": [talk.node]});
        let Json::Object(init) = init else {
            return Err(Failed::Lost("got no init".to_owned()));
        };
        talk.say(INITIATOR, init, program.start_patience)?;
        Ok(talk)
    }

    /// Writes a value to a key of its own and reads it back.
    fn round_trip_alone(&mut self, position: usize) -> Result<(), Failed> {
        self.round_trip(&W::plain_key(OWN_KEYS + self.asked as usize), position)
    }

    /// Writes a value to a key and reads it back.
    fn round_trip(&mut self, key: &Key, position: usize) -> Result<(), Failed> {
        let value = &self.values[position];
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        for (what, ask) in self.speaker.trial(position, self.asked.into()) {
            let returned = self.try_one(what, key.clone(), ask)?;
            if what == "read" {
                returns::<W>(&returned, value)?;
            }
        }
        Ok(())
    }

    /// Asks for something, and returns the values that the answer holds.
    fn try_one(&mut self, what: &str, key: Key, ask: W::Ask) -> Result<Vec<Json>, Failed> {
        let (question, body) = self.ask(key, ask)?;
        let reply = self.speaker.understand(&question, &body);
        let reply =
            reply.map_err(|why| Failed::Changed(format!("got an answer without sense: {why}")))?;
        W::Speaker::came(reply).ok_or_else(|| refused(what, &body))
    }

    fn ask(
        &mut self,
        key: Key,
        ask: W::Ask,
    ) -> Result<(Question<'p, W>, Map<String, Json>), Failed> {
        let request = Request {
            id: self.asked,
            client: CLIENT.into(),
            identity: 0,
            node: 0,
            key,
            ask,
        };
        let (body, question) = self.speaker.ask(&request);
        let answer = self.say(CLIENT, body, self.program.patience)?;
        Ok((question, answer))
    }

    /// Sends a message, and waits for its answer.
    fn say(
        &mut self,
        client: &str,
        mut body: Map<String, Json>,
        patience: Duration,
    ) -> Result<Map<String, Json>, Failed> {
        self.asked += 1;
        let id = u64::from(self.asked);
        body.insert("msg_id".into(), id.into());
        let line = json!({"src": client, "dest": self.node, "body": body}).to_string();
        let mut lines = Vec::new();
        self.process
            .send(&line, &mut lines)
            .map_err(|error| lost(&error))?;
        if !self.restless {
            let rests = self.process.settle(&mut lines);
            if let Idle::Never(_) = rests.map_err(|error| lost(&error))? {
                self.restless = true;
                self.process.set_patience(RESTLESS_TURN);
            }
        }
        let deadline = now() + patience;
        loop {
            if let Some(answer) = self.answer(client, id, &lines)? {
                return Ok(answer);
            }
            lines.clear();
            let left = deadline.saturating_duration_since(now());
            if left.is_zero() {
                return Err(Failed::Lost(format!("got no answer in {patience:?}")));
            }
            self.process
                .wait(left, &mut lines)
                .map_err(|error| lost(&error))?;
        }
    }

    /// The answer to a request on these lines.
    fn answer(
        &mut self,
        client: &str,
        id: u64,
        lines: &[Line],
    ) -> Result<Option<Map<String, Json>>, Failed> {
        let mut answer = None;
        for line in lines {
            let taken = self.intake.push(line);
            let taken = taken.map_err(|garbage| {
                Failed::Lost(format!("made it write what is no message: {}", garbage.why))
            })?;
            for mut message in taken.into_iter().flat_map(|taken| taken.objects) {
                let to_client = message.get("dest").is_some_and(|dest| dest == client);
                if let Some(Json::Object(body)) = message.remove("body")
                    && to_client
                    && speech::id(&body, "in_reply_to").is_none_or(|of| of == id)
                {
                    answer = Some(body);
                }
            }
        }
        Ok(answer)
    }
}

/// Whether a read returned what was written.
fn returns<W: Workload>(returned: &[Json], value: &Json) -> Result<(), Failed> {
    match returned {
        [one] if same::<W>(one, value) => Ok(()),
        [] => Err(Failed::Changed("was not returned".to_owned())),
        [one] => Err(Failed::Changed(format!(
            "returned {} as {}",
            shown::value(value),
            shown::value(one)
        ))),
        several => Err(Failed::Changed(format!(
            "returned {} as {} siblings",
            shown::value(value),
            several.len()
        ))),
    }
}

/// As texts: one is not 1.0, and 0.0 is not -0.0; but where values are compared, equal numbers are one.
fn same<W: Workload>(one: &Json, other: &Json) -> bool {
    let [one, other] = [one, other].map(|value| {
        let mut value = value.clone();
        if W::COMPARES_VALUES {
            make_numbers_exact(&mut value);
        }
        value.to_string()
    });
    one == other
}

fn lost(error: &ExternalError) -> Failed {
    Failed::Lost(match error {
        ExternalError::Died { .. } => "died of it".to_owned(),
        other => other.to_string(),
    })
}

fn refused(what: &str, body: &Map<String, Json>) -> Failed {
    let code = body.get("code").filter(|code| code.is_number());
    Failed::Changed(match code {
        Some(code) => format!("{what}: error {code}"),
        None => format!("{what} refused"),
    })
}
