//! `--format`: how a report is written.

use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};

use crate::reports::{FORMATS, Format, Page, Told, Writer};

use super::{Failure, output};

/// The format on the command line.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct GivenFormat {
    /// How the report is written
    #[arg(long, value_name = "FORMAT", default_value = FORMATS[0].name, value_parser = parser())]
    format: &'static Format,
}

fn parser() -> impl TypedValueParser<Value = &'static Format> {
    let values = FORMATS
        .iter()
        .map(|format| PossibleValue::new(format.name).help(format.about));
    // Every possible value is one's name.
    PossibleValuesParser::new(values).map(|name| Format::named(&name).unwrap_or(&FORMATS[0]))
}

impl GivenFormat {
    /// Begins a report on standard output.
    pub(super) fn begin(self, verbose: bool) -> Reporter {
        Reporter((self.format.writer)(page(verbose)))
    }

    /// Prints the whole report.
    pub(super) fn print(self, verbose: bool, told: Told<'_>) -> Result<(), Failure> {
        output::print(&self.format.write(page(verbose), told))
    }
}

fn page(verbose: bool) -> Page {
    Page {
        width: output::width(),
        verbose,
    }
}

/// A report that is being printed.
pub(super) struct Reporter(Box<dyn Writer>);

impl Reporter {
    /// Prints what of this is to be printed at once.
    pub(super) fn tell(&mut self, told: Told<'_>) -> Result<(), Failure> {
        output::print(&self.0.tell(told))
    }

    /// Prints the rest.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        output::print(&self.0.end())
    }
}

/// Tells a failure in the format that the words of a command line ask for, if they do.
pub(super) fn tell_failure(words: &[String], failure: &Failure) {
    let pairs = words.windows(2).filter(|pair| pair[0] == "--format");
    let after = pairs.map(|pair| pair[1].as_str());
    let joined = words
        .iter()
        .filter_map(|word| word.strip_prefix("--format="));
    if let Some(format) = after.chain(joined).find_map(Format::named) {
        let format = GivenFormat { format };
        // Where stdout is closed, stderr still tells.
        let _ = format.print(false, Told::Failure(failure));
    }
}
