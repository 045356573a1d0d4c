//! Histories of registers with their verdicts: what zones and the search could get wrong.

use serde_json::{Value as Json, json};

use super::{asking::agree, notation::register};

/// Asks everything of the history; true where it is linearizable.
fn linearizable(initial: &Json, text: &str) -> bool {
    let verdict = agree(&register(initial, text)).unwrap_or_else(|what| panic!("{what}"));
    verdict.violations.is_empty()
}

/// The operations listed in every order, and each time invoked in that order if they may be.
fn in_every_order(initial: &Json, text: &str, expected: bool) {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let lines: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    let mut orders: Vec<Vec<&str>> = vec![Vec::new()];
    for line in lines {
        orders = orders
            .iter()
            .flat_map(|order| {
                (0..=order.len()).map(|at| {
                    let mut order = order.clone();
                    order.insert(at, line);
                    order
                })
            })
            .collect();
    }
    for order in orders {
        let text = order.join("\n");
        let found = linearizable(initial, &text);
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn a_chain_of_unknown_swaps_that_begins_with_what_nothing_wrote() {
    let chain = "1..? cas 9 2\n 2..? cas 2 3\n 1..5 read 3";
    in_every_order(&Json::Null, chain, false);
    let longer = "1..? cas 9 2\n 1..? cas 2 3\n 1..? cas 3 4\n 2..5 read 4";
    in_every_order(&Json::Null, longer, false);
    in_every_order(&json!(9), longer, true);
    let written = "1..? write 9\n 1..? cas 9 2\n 1..? cas 2 3\n 1..5 read 3";
    in_every_order(&Json::Null, written, true);
}

#[test]
fn the_histories_of_a_fuzzer() {
    let circle = "4..4 cas null \"ab\"
         0..0 refused \"abc\" null
         0..? cas \"abcab\" null
         0..? cas null \"abcab\"";
    in_every_order(&json!(""), circle, false);
    let history = "2..? read
         2..? cas \"abca\" \"abc\"
         1..? cas \"abcab\" \"abca\"
         1..2 read \"abc\"
         1..5 read \"abc\"
         10..? write \"ab\"
         14..? read";
    assert!(!linearizable(&json!(""), history));
}

#[test]
fn a_chain_of_unknown_outcomes_takes_effect_after_its_first() {
    // The chain begins only after 2 was read.
    let late = "6..? write 1\n 1..? cas 1 2\n 2..5 read 2";
    in_every_order(&Json::Null, late, false);
    // Whatever replaced the value is shown by a read of what replaced that again.
    let replaced = "1..2 write 1\n 3..? cas 1 2\n 3..? cas 2 3\n 4..5 read 3\n 6..7 read 1";
    in_every_order(&Json::Null, replaced, false);
    let both = "1..2 write 1\n 3..? cas 1 2\n 3..? cas 1 3\n 4..5 read 2\n 6..7 read 3";
    in_every_order(&Json::Null, both, false);
    let unseen = "1..2 write 1\n 3..? cas 1 2\n 3..? cas 2 3\n 4..5 read 1\n 6..7 read 1";
    in_every_order(&Json::Null, unseen, true);
}

#[test]
fn unknown_swaps_that_wait_for_each_other() {
    let circle = "1..? cas 1 2\n 1..? cas 2 1\n 1..5 read 1";
    in_every_order(&Json::Null, circle, false);
    in_every_order(&json!(2), circle, true);
    let itself = "1..? cas 1 1\n 1..5 read 1";
    in_every_order(&Json::Null, itself, false);
    in_every_order(&json!(1), itself, true);
}

#[test]
fn refused_swaps() {
    // Nothing can have written 9, so that it was refused says nothing.
    let never = "1..2 write 1\n 3..4 refused 9 2\n 5..6 read 1";
    in_every_order(&Json::Null, never, true);
    in_every_order(&json!(9), never, true);
    let held = "1..2 write 1\n 3..4 refused 1 2\n 5..6 read 1";
    in_every_order(&Json::Null, held, false);
    let between = "1..2 write 1\n 3..? cas 1 2\n 3..4 refused 1 3\n 5..6 read 2";
    in_every_order(&Json::Null, between, true);
    let chain = "1..2 write 1\n 3..? cas 9 2\n 3..4 refused 1 3\n 5..6 read 1";
    in_every_order(&Json::Null, chain, false);
    // Refused because of a write that nothing read.
    let unseen = "1..2 write 1\n 3..? write 7\n 3..4 refused 1 3";
    in_every_order(&Json::Null, unseen, true);
}

#[test]
fn appends_of_unknown_outcome() {
    let seen = "1..? append \"a\"\n 1..? append \"b\"\n 2..3 read \"ba\"\n 4..5 read \"ba\"";
    in_every_order(&Json::Null, seen, true);
    let other = "1..? append \"a\"\n 1..? append \"b\"\n 2..3 read \"b\"\n 4..5 read \"ab\"";
    in_every_order(&Json::Null, other, false);
    let late = "3..? append \"a\"\n 1..2 append \"b\"\n 4..5 read \"ab\"";
    in_every_order(&json!(""), late, false);
    let swapped = "1..? cas \"x\" \"a\"\n 1..? append \"b\"\n 2..3 read \"ab\"";
    in_every_order(&Json::Null, swapped, false);
    in_every_order(&json!("x"), swapped, true);
    let chain = "1..? cas \"xb\" \"a\"\n 1..? append \"b\"\n 2..3 read \"a\"\n 4..5 read \"ab\"";
    in_every_order(&json!("x"), chain, false);
}

#[test]
fn appends_to_what_is_absent_empty_or_repeated() {
    let empty = "1..2 append \"\"\n 3..4 read \"\"";
    in_every_order(&Json::Null, empty, true);
    let absent = "1..2 append \"\"\n 3..4 read null";
    in_every_order(&Json::Null, absent, false);
    in_every_order(&json!(""), "1..4 read null", false);
    in_every_order(&Json::Null, "1..4 read \"\"", false);
    let twice = "1..2 append \"a\"\n 3..? append \"a\"\n 4..5 read \"aa\"";
    in_every_order(&Json::Null, twice, true);
    let thrice = "1..2 append \"a\"\n 3..? append \"a\"\n 4..5 read \"aaa\"";
    in_every_order(&Json::Null, thrice, false);
    let to_number = "1..2 write 1\n 3..4 append \"a\"\n 5..6 read \"1a\"";
    in_every_order(&Json::Null, to_number, false);
    let removed = "1..2 write \"b\"\n 3..4 write null\n 5..6 append \"a\"\n 7..8 read \"a\"";
    in_every_order(&Json::Null, removed, true);
}

#[test]
fn equal_times_order_nothing() {
    let touching = "1..2 write 1\n 2..2 write 2\n 2..3 read 1";
    in_every_order(&Json::Null, touching, true);
    let gone = "1..2 write 1\n 3..3 write 2\n 4..4 read 1";
    in_every_order(&Json::Null, gone, false);
    let at_once = "0..0 write 1\n 0..0 read null\n 0..0 read 1\n 0..0 cas 1 2";
    in_every_order(&Json::Null, at_once, true);
    let after = "0..0 write 1\n 1..1 read null";
    in_every_order(&Json::Null, after, false);
}

#[test]
fn the_first_value_written_again() {
    let again = "1..2 write 1\n 3..4 write 0\n 5..6 read 0";
    in_every_order(&json!(0), again, true);
    let expected = "1..? write 0\n 1..? cas 0 1\n 2..? cas 0 2\n 3..4 read 1\n 5..6 read 2";
    in_every_order(&json!(0), expected, true);
    let once = "1..? cas 0 1\n 2..? cas 0 2\n 3..4 read 1\n 5..6 read 2";
    in_every_order(&json!(0), once, false);
}

#[test]
fn values_that_are_nearly_equal() {
    in_every_order(&json!(1), "1..2 read 1.0", false);
    in_every_order(&json!(0.0), "1..2 read -0.0", true);
    in_every_order(&json!([-0.0]), "1..2 write 1\n 3..4 read [0.0]", false);
    in_every_order(&json!(0.0), "1..2 read 0", false);
    let fractions = "1..2 write 0.1\n 3..4 write 0.10000000000000002\n 5..6 read 0.1";
    in_every_order(&Json::Null, fractions, false);
}
