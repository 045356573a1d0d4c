//! The formats in which reports are written: a file each, and a row here.

use crate::exit::Failure;

use super::{
    Replayed, Report, Verified, conform, human::Human, json::JsonReport, junit::JunitReport,
};

/// What a command has to tell.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// What `sibcheck check` found.
    Check(&'a Report),
    /// What `sibcheck conform` found.
    Conform(&'a conform::Report),
    /// What `sibcheck replay` found.
    Replay(&'a Replayed),
    /// What `sibcheck verify` found in one file.
    Verify(&'a Verified),
    /// Why a command could not do what it was told to.
    Failure(&'a Failure),
}

/// A report that is being written.
pub trait Writer {
    /// Takes in what there is to tell, and returns what of it is to be printed at once.
    fn tell(&mut self, told: Told<'_>) -> String;

    /// Returns what is to be printed when all was told.
    fn end(&mut self) -> String;
}

/// What a report is written on.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// How many columns it has, where text can be wrapped.
    pub width: usize,
    /// Whether every count and sentence is told.
    pub verbose: bool,
}

/// A format of reports.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// The name on the command line.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// Begins a report.
    pub writer: fn(Page) -> Box<dyn Writer>,
}

impl Format {
    /// The whole report of one thing.
    pub fn write(&self, page: Page, told: Told<'_>) -> String {
        let mut writer = (self.writer)(page);
        let mut text = writer.tell(told);
        text += &writer.end();
        text
    }

    /// The format of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }
}

/// Every format, the usual one first.
pub const FORMATS: &[Format] = &[
    Format {
        name: "human",
        about: "Text for people",
        writer: |page| Box::new(Human(page)),
    },
    Format {
        name: "json",
        about: "One JSON object with a version of its schema",
        writer: |_| Box::<JsonReport>::default(),
    },
    Format {
        name: "junit",
        about: "JUnit XML, which CI servers show: a test case for each invariant, file or case",
        writer: |_| Box::<JunitReport>::default(),
    },
];
