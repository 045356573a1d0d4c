//! Words, numbers and lines, as reports write them.

use anstyle::{AnsiColor, Style};
use sibcheck_checkers::Outcome;

pub(super) use crate::reports::words::{count, thousands, wrapped};

pub(super) const BOLD: Style = Style::new().bold();

pub(super) fn color(outcome: Outcome) -> Style {
    let color = match outcome {
        Outcome::Valid => AnsiColor::Green,
        Outcome::Violated => AnsiColor::Red,
        Outcome::Unknown => AnsiColor::Yellow,
    };
    BOLD.fg_color(Some(color.into()))
}

/// The outcome as it stands in reports.
pub(super) fn verdict_word(outcome: Outcome) -> String {
    let style = color(outcome);
    format!("{style}{}{style:#}", outcome.name().to_uppercase())
}

/// What begins with a name and goes on beside it, line by line.
pub(super) fn row(name: &str, text: &str, width: usize) -> String {
    const INDENT: &str = "              ";
    wrapped(text, &format!("  {name:<12}"), INDENT, width)
}

/// The first lines of a text. Where there are more, the last of them ends in `…`.
pub(super) fn first_lines(text: &str, lines: usize, width: usize) -> String {
    let kept: Vec<&str> = text.lines().take(lines).collect();
    let mut kept_text = kept.join("\n");
    if text.lines().nth(lines).is_some() {
        let last = kept.last().copied().unwrap_or_default();
        if textwrap::core::display_width(last) + 2 > width
            && let Some(space) = kept_text.rfind(' ')
        {
            kept_text.truncate(space);
        }
        kept_text += " …";
    }
    kept_text
}

/// How many lines a terminal of this width shows for a text.
pub(super) fn height(text: &str, width: usize) -> usize {
    let shown = |line: &str| textwrap::core::display_width(line).div_ceil(width.max(1));
    text.lines().map(|line| shown(line).max(1)).sum()
}

/// Text of several lines, each behind an indent.
pub(super) fn indented(text: &str, indent: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("{indent}{line}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_as_a_terminal_shows_them_and_cut() {
        assert_eq!(height("one\ntwo three\n\nfour", 5), 5);
        assert_eq!(first_lines("a b\nc d\ne", 3, 9), "a b\nc d\ne");
        assert_eq!(first_lines("a b\nc d\ne", 2, 9), "a b\nc d …");
        assert_eq!(first_lines("a b\nc d\ne", 2, 4), "a b\nc …");
    }
}
