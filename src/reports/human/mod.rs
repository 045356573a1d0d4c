//! Reports for people.

mod check;
mod conform;
mod figures;
mod proof;
mod replay;
mod strongest;
mod text;
mod verify;

use sibcheck_checkers::AnyJudged;

use super::format::{Page, Told, Writer};

/// A verdict and its evidence.
pub fn verdict(judged: &dyn AnyJudged, width: usize) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = verify::write_judged(&mut text, judged, width);
    text
}

/// Text for people.
pub(super) struct Human(pub(super) Page);

impl Writer for Human {
    fn tell(&mut self, told: Told<'_>) -> String {
        let Page { width, verbose } = self.0;
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = match told {
            Told::Check(report) => check::write_check(&mut text, report, verbose, width),
            Told::Conform(report) => conform::write_conform(&mut text, report, width.max(20)),
            Told::Replay(replayed) => replay::write_replay(&mut text, &replayed.judged, width),
            Told::Verify(verified) => verify::write_verified(&mut text, verified, width),
            // People read it on standard error.
            Told::Failure(_) => Ok(()),
        };
        text
    }

    fn end(&mut self) -> String {
        String::new()
    }
}
