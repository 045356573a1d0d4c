//! Words, numbers and lines, as reports write them.

use anstyle::{AnsiColor, Style};
use sibcheck_checkers::Outcome;

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

/// Text filled to a width, with an indent for its first line and one for the others.
pub(super) fn wrapped(text: &str, first: &str, others: &str, width: usize) -> String {
    let options = textwrap::Options::new(width)
        .initial_indent(first)
        .subsequent_indent(others)
        .break_words(false);
    textwrap::fill(text, options)
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

/// `1 node`, `3 nodes`, `1,000 nodes`.
pub(super) fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", thousands(number))
}

/// `1234567` as `1,234,567`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ];
        for (number, text) in cases {
            assert_eq!(thousands(number), text);
        }
        assert_eq!(count(1, "node"), "1 node");
        assert_eq!(count(2_000, "node"), "2,000 nodes");
    }

    #[test]
    fn lines_are_counted_as_a_terminal_shows_them_and_cut() {
        assert_eq!(height("one\ntwo three\n\nfour", 5), 5);
        assert_eq!(first_lines("a b\nc d\ne", 3, 9), "a b\nc d\ne");
        assert_eq!(first_lines("a b\nc d\ne", 2, 9), "a b\nc d …");
        assert_eq!(first_lines("a b\nc d\ne", 2, 4), "a b\nc …");
    }
}
