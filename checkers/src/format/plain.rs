//! Operations in the plain form in which they are written, read without detours.
//!
//! Most lines are as [`write_history`](super::write_history) makes them: without spaces and
//! escapes, with fields of the right types. These are read here, straight into an [`Operation`].
//! Whatever is not as plain, right or wrong, is left to the definition in `lines.rs`, which also
//! tells what is wrong with it: everything here returns `None` when in doubt.

use std::{hash::Hasher as _, sync::Arc};

use memchr::memchr;
use rustc_hash::FxHasher;
use serde_json::Value as Json;

use super::{
    lines::{Problem, version},
    reader::Interned,
};
use crate::history::{
    Action, Name, OpId, Operation, Read, ReportedClock, Sibling, Status, Value, Version, Write,
};

/// Reads a line that holds the operation `expected`.
pub(super) fn operation(
    text: &[u8],
    expected: u64,
    names: &mut Interned,
    clocks: &mut Clocks,
) -> Option<Operation> {
    let mut text = Plain { text, at: 0 };
    let (mut op, mut client, mut node, mut key) = (None, None, None, None);
    let (mut invoked, mut completed, mut status, mut action) = (None, None, None, None);
    text.object(|text, field| match field {
        b"op" => once(&mut op, text.number()?),
        b"client" => once(&mut client, text.string()?),
        b"node" => once(&mut node, text.string()?),
        b"key" => once(&mut key, text.string()?),
        b"invoked_ns" => once(&mut invoked, text.number()?),
        b"completed_ns" => once(&mut completed, text.number()?),
        b"status" => once(&mut status, text.status()?),
        b"write" => once(&mut action, text.write(false, clocks)?),
        b"delete" => once(&mut action, text.write(true, clocks)?),
        b"read" => once(&mut action, text.read(clocks)?),
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

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.text[self.at..]
            .starts_with(word)
            .then(|| self.at += word.len())
    }

    /// An object, whose fields `read` takes one by one.
    fn object(&mut self, mut read: impl FnMut(&mut Self, &'t [u8]) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            let field = self.bytes()?;
            self.take(b':')?;
            read(self, field)?;
            if self.take(b',').is_none() {
                return self.take(b'}');
            }
        }
    }

    /// An array, whose items `read` takes one by one.
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

    /// What stands between quotes, without escapes.
    fn bytes(&mut self) -> Option<&'t [u8]> {
        self.take(b'"')?;
        let rest = &self.text[self.at..];
        let special = |byte: &u8| *byte == b'"' || *byte == b'\\' || *byte < b' ';
        let end = rest.iter().position(special)?;
        if rest[end] != b'"' {
            return None;
        }
        self.at += end + 1;
        Some(&rest[..end])
    }

    fn string(&mut self) -> Option<&'t str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// A whole number that is not negative.
    fn number(&mut self) -> Option<u64> {
        let first = self.peek().filter(u8::is_ascii_digit)?;
        let mut number = 0_u64;
        let start = self.at;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            number = number
                .checked_mul(10)?
                .checked_add(u64::from(digit - b'0'))?;
            self.at += 1;
        }
        let long = self.at - start > 1;
        let ends = matches!(self.peek(), Some(b',' | b'}' | b']'));
        (ends && !(long && first == b'0')).then_some(number)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.peek()? {
            b't' => self.word(b"true").map(|()| true),
            _ => self.word(b"false").map(|()| false),
        }
    }

    fn status(&mut self) -> Option<Status> {
        match self.bytes()? {
            b"ok" => Some(Status::Ok),
            b"fail" => Some(Status::Fail),
            b"info" => Some(Status::Info),
            _ => None,
        }
    }

    /// A value that is a string or a whole number.
    fn value(&mut self) -> Option<Json> {
        match self.peek()? {
            b'"' => self.string().map(Json::from),
            _ => self.number().map(Json::from),
        }
    }

    fn write(&mut self, tombstone: bool, clocks: &mut Clocks) -> Option<Action> {
        let (mut value, mut tag, mut sources, mut context) = (None, None, None, None);
        let mut reported = Reported::default();
        self.object(|text, field| match field {
            b"value" if !tombstone => once(&mut value, text.value()?),
            b"tag" => once(&mut tag, text.number()?),
            b"sources" => once(&mut sources, text.sources()?),
            b"context" => once(&mut context, text.clock(clocks)?),
            _ => reported.field(text, field, clocks),
        })?;
        let data = if tombstone { Json::Null } else { value? };
        Some(Action::Write(Write {
            value: Value { tag, data },
            tombstone,
            sources: sources.unwrap_or_default(),
            context,
            version: reported.version().ok()?,
        }))
    }

    fn sources(&mut self) -> Option<Vec<OpId>> {
        let mut sources = Vec::new();
        self.array(|text| {
            sources.push(OpId::try_from(text.number()?).ok()?);
            Some(())
        })?;
        sources.shrink_to_fit();
        Some(sources)
    }

    fn read(&mut self, clocks: &mut Clocks) -> Option<Action> {
        let (mut siblings, mut context, mut last) = (None, None, None);
        self.object(|text, field| match field {
            b"siblings" => once(&mut siblings, text.siblings(clocks)?),
            b"context" => once(&mut context, text.clock(clocks)?),
            b"final" => once(&mut last, text.flag()?),
            _ => None,
        })?;
        Some(Action::Read(Read {
            siblings: siblings.unwrap_or_default(),
            context,
            last: last.unwrap_or(false),
        }))
    }

    fn siblings(&mut self, clocks: &mut Clocks) -> Option<Vec<Sibling>> {
        let mut siblings = Vec::new();
        self.array(|text| {
            let sibling = text.sibling(clocks)?;
            if siblings.is_empty() {
                siblings.reserve_exact(1);
            }
            siblings.push(sibling);
            Some(())
        })?;
        siblings.shrink_to_fit();
        Some(siblings)
    }

    fn sibling(&mut self, clocks: &mut Clocks) -> Option<Sibling> {
        let (mut value, mut tombstone, mut tag) = (None, None, None);
        let mut reported = Reported::default();
        self.object(|text, field| match field {
            b"value" => once(&mut value, text.value()?),
            b"tombstone" => once(&mut tombstone, text.flag()?),
            b"tag" => once(&mut tag, text.number()?),
            _ => reported.field(text, field, clocks),
        })?;
        let tombstone = tombstone.unwrap_or(false);
        let data = if tombstone {
            value.unwrap_or(Json::Null)
        } else {
            value?
        };
        Some(Sibling {
            value: Value { tag, data },
            tombstone,
            version: reported.version().ok()?,
        })
    }

    /// A clock with sorted entries.
    fn clock(&mut self, clocks: &mut Clocks) -> Option<ReportedClock> {
        let rest = &self.text[self.at..];
        let text = &rest[..=memchr(b'}', rest)?];
        let recent = clocks.recent(text);
        if recent.text == text {
            self.at += text.len();
        } else {
            let begun = self.at;
            recent.clock = self.new_clock()?;
            recent.text.clear();
            recent.text.extend_from_slice(&self.text[begun..self.at]);
        }
        Some(recent.clock.clone())
    }

    fn new_clock(&mut self) -> Option<ReportedClock> {
        let mut entries: Vec<(Name, u64)> = Vec::with_capacity(8);
        self.object(|text, name| {
            let name = Name::from(std::str::from_utf8(name).ok()?);
            let counter = text.number().filter(|counter| *counter > 0)?;
            if entries.last().is_some_and(|(last, _)| *last >= name) {
                return None;
            }
            entries.push((name, counter));
            Some(())
        })?;
        Some(ReportedClock::from_sorted(Arc::from(entries)))
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
    fn field(&mut self, text: &mut Plain<'_>, field: &[u8], clocks: &mut Clocks) -> Option<()> {
        match field {
            b"clock" => once(&mut self.clock, text.clock(clocks)?),
            b"dot" => once(&mut self.dot, text.dot()?),
            b"past" => once(&mut self.past, text.clock(clocks)?),
            _ => None,
        }
    }

    fn version(self) -> Result<Option<Version>, Problem> {
        version(self.clock, self.dot, self.past)
    }
}

/// How many clocks are remembered.
const REMEMBERED: usize = 1 << 14;

/// Clocks that came up lately, so that equal ones share their entries: a clock is mostly reported
/// several times, by its write, by reads and as a context.
#[derive(Default)]
pub(super) struct Clocks(Vec<Recent>);

/// A clock and the text that it was read from.
#[derive(Clone, Default)]
struct Recent {
    text: Vec<u8>,
    clock: ReportedClock,
}

impl Clocks {
    /// What is remembered in the place of this text: its clock, or another.
    fn recent(&mut self, text: &[u8]) -> &mut Recent {
        if self.0.is_empty() {
            self.0 = vec![Recent::default(); REMEMBERED];
        }
        let mut hasher = FxHasher::default();
        hasher.write(text);
        let place = usize::try_from(hasher.finish() >> 32).unwrap_or(0) % REMEMBERED;
        &mut self.0[place]
    }
}
