//! Operations in the plain form in which they are written, read without detours.
//!
//! Most lines are as [`write_history`](super::write_history) makes them: without spaces and
//! escapes, with fields of the right types. These are read here, straight into an [`Operation`].
//! Whatever is not as plain, right or wrong, is left to the definition in `lines.rs`, which also
//! tells what is wrong with it: everything here returns `None` when in doubt.

use std::{hash::Hasher as _, ops::Range};

use rustc_hash::FxHasher;

use super::lines::version;
use crate::{
    history::{
        Action, ClockPool, Content, Data, Name, OpId, Operation, Read, ReportedClock, Sibling,
        Siblings, Sources, Status, Value, Version, Write,
    },
    interned::Interned,
};

/// How many clocks are remembered.
const CLOCKS: usize = 1 << 12;

/// How many answers are remembered.
const ANSWERS: usize = 1 << 12;

/// What is kept from line to line: what may come again, and room to read into.
pub(super) struct Kept {
    clocks: ClockPool,
    names: Vec<Range<usize>>,
    counters: Vec<u64>,
    answers: Answers,
    siblings: Vec<Sibling>,
    sources: Vec<OpId>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            clocks: ClockPool::remembering(CLOCKS),
            names: Vec::new(),
            counters: Vec::new(),
            answers: Answers(vec![Siblings::NONE; ANSWERS]),
            siblings: Vec::new(),
            sources: Vec::new(),
        }
    }
}

/// Reads a line that holds the operation `expected`.
pub(super) fn operation(
    text: &[u8],
    expected: u64,
    names: &mut Interned,
    kept: &mut Kept,
) -> Option<Operation> {
    let mut text = Plain { text, at: 0 };
    let (mut op, mut client, mut node, mut key) = (None, None, None, None);
    let (mut invoked, mut completed, mut status, mut action) = (None, None, None, None);
    text.object(|text, first| match first {
        b'o' if text.field(b"op\":") => once(&mut op, text.number()?),
        b'c' if text.field(b"client\":") => once(&mut client, text.string()?),
        b'c' if text.field(b"completed_ns\":") => once(&mut completed, text.number()?),
        b'n' if text.field(b"node\":") => once(&mut node, text.string()?),
        b'k' if text.field(b"key\":") => once(&mut key, text.string()?),
        b'i' if text.field(b"invoked_ns\":") => once(&mut invoked, text.number()?),
        b's' if text.field(b"status\":") => once(&mut status, text.status()?),
        b'w' if text.field(b"write\":") => once(&mut action, text.write(false, kept)?),
        b'd' if text.field(b"delete\":") => once(&mut action, text.write(true, kept)?),
        b'r' if text.field(b"read\":") => once(&mut action, text.read(kept)?),
        _ => None,
    })?;
    if text.at != text.text.len() || op? != expected {
        return None;
    }
    let (client, node, key) = (client?, node?, key?);
    let (invoked, status, action) = (invoked?, status?, action?);
    Some(Operation {
        client: names.clients.number(client),
        node: names.nodes.number(node),
        key: names.keys.number(key),
        invoked,
        completed,
        status,
        action,
    })
}

/// Fills a field, unless it was given before.
fn once<T>(field: &mut Option<T>, value: T) -> Option<()> {
    field.is_none().then(|| *field = Some(value))
}

/// A place in a line.
struct Plain<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Plain<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    #[inline]
    fn word<const N: usize>(&mut self, word: &[u8; N]) -> Option<()> {
        let there = self.text.get(self.at..)?.first_chunk::<N>()? == word;
        there.then(|| self.at += N)
    }

    /// Takes the rest of a field's name, its quote and colon, if they stand here.
    #[inline]
    fn field<const N: usize>(&mut self, name: &[u8; N]) -> bool {
        self.word(name).is_some()
    }

    /// An object, whose fields `read` takes one by one, from the first letter of their names on.
    #[inline]
    fn object(&mut self, mut read: impl FnMut(&mut Self, u8) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            self.take(b'"')?;
            let first = self.peek()?;
            read(self, first)?;
            if self.take(b',').is_none() {
                return self.take(b'}');
            }
        }
    }

    /// An array, whose items `read` takes one by one.
    #[inline]
    fn array(&mut self, mut read: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(b'[')?;
        if self.take(b']').is_some() {
            return Some(());
        }
        loop {
            read(self)?;
            if self.take(b',').is_none() {
                return self.take(b']');
            }
        }
    }

    /// Where there is something between quotes, without escapes.
    #[inline]
    fn quoted(&mut self) -> Option<Range<usize>> {
        self.take(b'"')?;
        let rest = self.text.get(self.at..)?;
        let special = |byte: &u8| *byte == b'"' || *byte == b'\\' || *byte < b' ';
        let end = self.at + rest.iter().position(special)?;
        let quoted = self.at..end;
        self.at = end;
        self.take(b'"')?;
        Some(quoted)
    }

    fn string(&mut self) -> Option<&'t str> {
        let quoted = self.quoted()?;
        std::str::from_utf8(&self.text[quoted]).ok()
    }

    /// A whole number that is not negative, of up to 19 digits: more may be too many.
    #[inline]
    fn number(&mut self) -> Option<u64> {
        let rest = self.text.get(self.at..)?;
        let mut number = 0_u64;
        let mut digits = 0;
        for byte in rest.iter().take(20) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            number = number.wrapping_mul(10).wrapping_add(digit.into());
            digits += 1;
        }
        let leading_zero = digits > 1 && rest[0] == b'0';
        let ends = matches!(rest.get(digits)?, b',' | b'}' | b']');
        self.at += digits;
        (ends && (1..20).contains(&digits) && !leading_zero).then_some(number)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.peek()? {
            b't' => self.word(b"true").map(|()| true),
            _ => self.word(b"false").map(|()| false),
        }
    }

    fn status(&mut self) -> Option<Status> {
        let quoted = self.quoted()?;
        match &self.text[quoted] {
            b"ok" => Some(Status::Ok),
            b"fail" => Some(Status::Fail),
            b"info" => Some(Status::Info),
            _ => None,
        }
    }

    /// A value that is a string or a whole number.
    fn value(&mut self) -> Option<Data> {
        match self.peek()? {
            b'"' => self.string().map(Data::from),
            _ => self.number().map(Data::from),
        }
    }

    fn write(&mut self, tombstone: bool, kept: &mut Kept) -> Option<Action> {
        let (mut value, mut tag, mut sources, mut context) = (None, None, None, None);
        let mut reported = Reported::default();
        self.object(|text, first| match first {
            b'v' if !tombstone && text.field(b"value\":") => once(&mut value, text.value()?),
            b't' if text.field(b"tag\":") => once(&mut tag, text.number()?),
            b's' if text.field(b"sources\":") => once(&mut sources, text.sources(kept)?),
            b'c' if text.field(b"context\":") => once(&mut context, text.clock(kept)?),
            first => reported.field(text, first, kept),
        })?;
        let data = if tombstone { Data::NULL } else { value? };
        Some(Action::Write(Box::new(Write {
            value: Value { tag, data },
            tombstone,
            sources: sources.unwrap_or_default(),
            context,
            version: reported.version()?,
        })))
    }

    fn sources(&mut self, kept: &mut Kept) -> Option<Sources> {
        kept.sources.clear();
        self.array(|text| {
            kept.sources.push(OpId::try_from(text.number()?).ok()?);
            Some(())
        })?;
        Some(kept.sources.as_slice().into())
    }

    fn read(&mut self, kept: &mut Kept) -> Option<Action> {
        let (mut siblings, mut context, mut last) = (None, None, None);
        self.object(|text, first| match first {
            b's' if text.field(b"siblings\":") => once(&mut siblings, text.siblings(kept)?),
            b'c' if text.field(b"context\":") => once(&mut context, text.clock(kept)?),
            b'f' if text.field(b"final\":") => once(&mut last, text.flag()?),
            _ => None,
        })?;
        Some(Action::Read(Read {
            siblings: siblings.unwrap_or_default(),
            context,
            last: last.unwrap_or(false),
        }))
    }

    fn siblings(&mut self, kept: &mut Kept) -> Option<Siblings> {
        kept.siblings.clear();
        self.array(|text| {
            let sibling = text.sibling(kept)?;
            kept.siblings.push(sibling);
            Some(())
        })?;
        Some(kept.answers.siblings(&mut kept.siblings))
    }

    fn sibling(&mut self, kept: &mut Kept) -> Option<Sibling> {
        let (mut value, mut tombstone, mut tag) = (None, None, None);
        let mut reported = Reported::default();
        self.object(|text, first| match first {
            b'v' if text.field(b"value\":") => once(&mut value, text.value()?),
            b't' if text.field(b"tombstone\":") => once(&mut tombstone, text.flag()?),
            b't' if text.field(b"tag\":") => once(&mut tag, text.number()?),
            first => reported.field(text, first, kept),
        })?;
        let tombstone = tombstone.unwrap_or(false);
        let data = if tombstone {
            value.unwrap_or(Data::NULL)
        } else {
            value?
        };
        Some(Sibling {
            value: Value { tag, data },
            tombstone,
            version: reported.version()?,
        })
    }

    /// A clock with sorted entries.
    fn clock(&mut self, kept: &mut Kept) -> Option<ReportedClock> {
        kept.names.clear();
        kept.counters.clear();
        self.take(b'{')?;
        if self.take(b'}').is_none() {
            loop {
                kept.names.push(self.quoted()?);
                self.take(b':')?;
                kept.counters.push(self.number()?);
                if self.take(b',').is_none() {
                    self.take(b'}')?;
                    break;
                }
            }
        }
        let names = kept.names.iter().map(|name| &self.text[name.clone()]);
        kept.clocks.clock(names, &kept.counters)
    }

    fn dot(&mut self) -> Option<(Name, u64)> {
        self.take(b'[')?;
        let actor = Name::from(self.string()?);
        self.take(b',')?;
        let counter = self.number()?;
        self.take(b']')?;
        Some((actor, counter))
    }
}

/// The fields that report a version.
#[derive(Default)]
struct Reported {
    clock: Option<ReportedClock>,
    dot: Option<(Name, u64)>,
    past: Option<ReportedClock>,
}

impl Reported {
    #[inline]
    fn field(&mut self, text: &mut Plain<'_>, first: u8, kept: &mut Kept) -> Option<()> {
        match first {
            b'c' if text.field(b"clock\":") => once(&mut self.clock, text.clock(kept)?),
            b'd' if text.field(b"dot\":") => once(&mut self.dot, text.dot()?),
            b'p' if text.field(b"past\":") => once(&mut self.past, text.clock(kept)?),
            _ => None,
        }
    }

    /// What they report, nothing too; `None` when they contradict each other.
    #[expect(
        clippy::option_option,
        reason = "no version is one that can be reported"
    )]
    fn version(self) -> Option<Option<Version>> {
        version(self.clock, self.dot, self.past).ok()
    }
}

/// Answers that came up lately, so that equal ones share their siblings: mostly several reads
/// return the same ones.
struct Answers(Vec<Siblings>);

impl Answers {
    /// Takes the siblings of an answer in plain form: equality is that of the text.
    fn siblings(&mut self, taken: &mut Vec<Sibling>) -> Siblings {
        let Some(first) = taken.first() else {
            return Siblings::NONE;
        };
        let mut hasher = FxHasher::default();
        match first.value.data.content() {
            Content::Text(text) => hasher.write(text),
            Content::Whole(number) => hasher.write_u64(number),
            _ => hasher.write_u64(first.value.tag.unwrap_or(0)),
        }
        hasher.write_usize(taken.len());
        let place = usize::try_from(hasher.finish() >> 32).unwrap_or(0) % ANSWERS;
        let recent = &mut self.0[place];
        if **recent != **taken {
            *recent = taken.drain(..).collect();
        }
        recent.clone()
    }
}
