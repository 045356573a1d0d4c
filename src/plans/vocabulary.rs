//! Keys and values that break stores, kind by kind.
//!
//! Each [`Kind`] is a family of keys or of values that careless stores confuse with each other or
//! change: text that begins or ends alike, that looks like numbers, that Unicode has two forms of,
//! JSON that languages round. Its first members ([`Kind::shapes`]) show all that is peculiar to the
//! kind; further ones repeat that with other numbers. A plan draws a few kinds, in the manner of a
//! swarm, and takes several members of each, since it is their likeness that breaks stores.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde_json::{Value as Json, json};

use crate::{
    simulation::Purpose,
    workloads::{Workload, with_workload},
};

use super::{Choices, Plan, strata::STRATA};

macro_rules! kinds {
    ($($variant:ident, $table:ident, $name:literal;)*) => {
        /// A kind of key or value that breaks stores.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = $name] $variant,)*
        }

        impl Kind {
            /// Every kind: of keys first, then of values.
            pub const ALL: [Self; [$(Self::$variant),*].len()] = [$(Self::$variant),*];

            /// The name on the command line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What it is a kind of.
            pub const fn table(self) -> Table {
                match self {
                    $(Self::$variant => Table::$table,)*
                }
            }
        }
    };
}

/// A table of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Of keys.
    Keys,
    /// Of values.
    Values,
}

kinds! {
    AffixedKeys, Keys, "affixed-keys";
    PrefixKeys, Keys, "prefix-keys";
    DigitKeys, Keys, "digit-keys";
    CasedKeys, Keys, "cased-keys";
    PathKeys, Keys, "path-keys";
    SpacedKeys, Keys, "spaced-keys";
    UnicodeKeys, Keys, "unicode-keys";
    ReservedKeys, Keys, "reserved-keys";
    EmptyKeys, Keys, "empty-keys";
    LongKeys, Keys, "long-keys";
    Nulls, Values, "nulls";
    Booleans, Values, "booleans";
    Integers, Values, "integers";
    BigIntegers, Values, "big-integers";
    Fractions, Values, "fractions";
    WholeFloats, Values, "whole-floats";
    Arrays, Values, "arrays";
    Objects, Values, "objects";
    NumberTexts, Values, "number-texts";
    PrefixTexts, Values, "prefix-texts";
    CasedTexts, Values, "cased-texts";
    SpacedTexts, Values, "spaced-texts";
    UnicodeTexts, Values, "unicode-texts";
    EmptyTexts, Values, "empty-texts";
    LongTexts, Values, "long-texts";
}

/// Keys that name files are often longer than file systems allow.
const LONG_KEY: usize = 300;
/// More than one buffer of some line readers, and than most columns.
const LONG_TEXT: usize = 5_000;

/// Letters in two forms each, and some that are only folded into others.
const TWINS: [&str; 8] = [
    "caf\u{e9}",
    "cafe\u{301}",
    "\u{212b}",
    "\u{c5}",
    "\u{fb01}n",
    "fin",
    "stra\u{df}e",
    "\u{1f600}",
];

/// Texts that some language takes for something else.
const RESERVED: [&str; 8] = [
    "__proto__",
    "constructor",
    "toString",
    "null",
    "undefined",
    "None",
    "nil",
    "${key}",
];

/// Texts that look like numbers, or like other JSON.
const NUMBERS: [&str; 10] = [
    "1", "1.0", "01", "1e0", "0", "-0", "0x1", "NaN", "true", "null",
];

/// Texts that differ in white space alone.
const SPACED: [&str; 7] = ["a b", "ab", "a b ", " a b", "a  b", "a\tb", "a\nb"];

/// Texts that differ in their paths alone.
const PATHS: [&str; 7] = ["a/b", "a", "a/", "/a", "a//b", "a/./b", "../a"];

impl Kind {
    /// How many members show all that is peculiar to the kind: the first ones.
    pub const fn shapes(self) -> usize {
        match self {
            Self::EmptyKeys | Self::EmptyTexts | Self::Nulls => 1,
            Self::AffixedKeys
            | Self::LongKeys
            | Self::LongTexts
            | Self::Booleans
            | Self::BigIntegers
            | Self::Fractions
            | Self::WholeFloats => 2,
            Self::PrefixKeys | Self::PrefixTexts => 3,
            Self::Integers | Self::Arrays | Self::Objects | Self::CasedKeys | Self::CasedTexts => 4,
            Self::DigitKeys => 6,
            Self::PathKeys => PATHS.len(),
            Self::SpacedKeys | Self::SpacedTexts => SPACED.len(),
            Self::UnicodeKeys | Self::UnicodeTexts => TWINS.len(),
            Self::ReservedKeys => RESERVED.len(),
            Self::NumberTexts => NUMBERS.len(),
        }
    }

    /// The member at a position; `None` where the kind has no more. All members differ.
    pub fn member(self, at: usize) -> Option<Json> {
        let number = at as u64;
        Some(match self {
            Self::AffixedKeys => format!("user:{at}:name").into(),
            Self::PrefixKeys | Self::PrefixTexts if at < 64 => "p".repeat(at + 1).into(),
            Self::DigitKeys | Self::NumberTexts => listed(&NUMBERS, at, "", ".0"),
            Self::CasedKeys | Self::CasedTexts => cased(at)?.into(),
            Self::PathKeys => listed(&PATHS, at, "a/", "/"),
            Self::SpacedKeys | Self::SpacedTexts => listed(&SPACED, at, "a ", " "),
            Self::UnicodeKeys | Self::UnicodeTexts => match TWINS.get(at) {
                Some(text) => Json::from(*text),
                // Each number in two forms.
                None => format!("{}{}", TWINS[at % 2], at / 2).into(),
            },
            Self::ReservedKeys => Json::from(*RESERVED.get(at)?),
            Self::EmptyKeys | Self::EmptyTexts if at == 0 => "".into(),
            Self::LongKeys => format!("{}{at}", "k".repeat(LONG_KEY)).into(),
            Self::LongTexts => format!("{}{at}", "x".repeat(LONG_TEXT)).into(),
            Self::Nulls if at == 0 => Json::Null,
            Self::Booleans if at < 2 => (at == 0).into(),
            Self::Integers if at.is_multiple_of(2) => number.into(),
            Self::Integers => json!(-i64::from(u32::try_from(at).ok()?)),
            // Neighbours that a double cannot hold apart.
            Self::BigIntegers => json!((1_u64 << 53) + 1 + number),
            Self::Fractions => json!(f64::from(u32::try_from(at).ok()?) + 0.5),
            Self::WholeFloats => json!(f64::from(u32::try_from(at).ok()?)),
            Self::Arrays => match at % 4 {
                0 if at == 0 => json!([]),
                0 => json!([null, at]),
                1 => json!([at]),
                2 => json!([[at]]),
                _ => json!([at.to_string(), {"a": []}]),
            },
            Self::Objects => match at % 4 {
                0 if at == 0 => json!({}),
                0 => json!({"": at}),
                1 => json!({"b": {"a": at}, "a": null}),
                // As an answer of a store looks.
                2 => json!({"value": at, "vc": {"n1": 1}, "tombstone": true}),
                _ => json!({"type": "error", "code": at}),
            },
            Self::PrefixKeys
            | Self::PrefixTexts
            | Self::EmptyKeys
            | Self::EmptyTexts
            | Self::Nulls
            | Self::Booleans => return None,
        })
    }
}

/// One of a list; further ones are numbers after a text, each without and with an ending.
fn listed(list: &[&str], at: usize, before: &str, ending: &str) -> Json {
    let number = at / 2 * 11;
    let ending = if at % 2 == 1 { ending } else { "" };
    list.get(at).map_or_else(
        || format!("{before}{number}{ending}").into(),
        |text| Json::from(*text),
    )
}

/// One word with other letters in upper case each time.
fn cased(at: usize) -> Option<String> {
    const WORD: &str = "basket";
    if at >= 1 << WORD.len() {
        return None;
    }
    let letters = WORD.chars().enumerate();
    Some(
        letters
            .map(|(bit, letter)| {
                if at >> bit & 1 == 1 {
                    letter.to_ascii_uppercase()
                } else {
                    letter
                }
            })
            .collect(),
    )
}

impl fmt::Display for Kind {
    /// In words: `empty keys`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name().replace('-', " "))
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u32);

/// A name was that of no kind of key or value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no kind {name:?} of keys or values; the kinds are {}, all and none",
    known()
)]
pub struct UnknownKind {
    name: String,
}

fn known() -> String {
    Kind::ALL.map(Kind::name).join(", ")
}

impl Kinds {
    /// No kind.
    pub const NONE: Self = Self(0);
    /// Every kind.
    pub const ALL: Self = Self((1 << Kind::ALL.len()) - 1);

    /// Adds one.
    pub const fn insert(&mut self, kind: Kind) {
        self.0 |= 1 << kind as u32;
    }

    /// Whether it is one of them.
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 >> kind as u32 & 1 == 1
    }

    /// Those of a table that are not in the set.
    fn others_of(self, table: Table) -> Vec<Kind> {
        let others = Kind::ALL.into_iter();
        others
            .filter(|kind| kind.table() == table && !self.contains(*kind))
            .collect()
    }
}

impl fmt::Display for Kinds {
    /// As on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NONE => f.write_str("none"),
            Self::ALL => f.write_str("all"),
            _ => {
                let kinds = Kind::ALL.into_iter().filter(|kind| self.contains(*kind));
                let names: Vec<_> = kinds.map(Kind::name).collect();
                f.write_str(&names.join(","))
            }
        }
    }
}

impl FromStr for Kinds {
    type Err = UnknownKind;

    /// Names separated by commas, `all` or `none`.
    fn from_str(names: &str) -> Result<Self, Self::Err> {
        match names {
            "none" => return Ok(Self::NONE),
            "all" => return Ok(Self::ALL),
            _ => {}
        }
        let mut kinds = Self::NONE;
        for name in names.split(',') {
            let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
            kinds.insert(found.ok_or_else(|| UnknownKind {
                name: name.to_owned(),
            })?);
        }
        Ok(kinds)
    }
}

/// In how many of so many plans the keys, or the values, are not all plain. Coprime with each other
/// and with the number of strata, so that everything meets everything.
const WILD_KEYS: (u64, u64) = (2, 5);
const WILD_VALUES: (u64, u64) = (3, 7);

/// In how many of a hundred values of such a plan one is not plain.
const WILD_VALUE_PERCENT: u64 = 75;

/// The most kinds that one table of a plan draws from.
const MOST_KINDS: u64 = 3;

/// Puts other keys and values in place of the plain ones of a plan that is just drawn, or leaves
/// them. `always` draws other ones in every plan. With consecutive seeds the kinds take turns, so that
/// few runs meet many. O(values · log values).
pub(super) fn draw(plan: &mut Plan, left_out: Kinds, always: bool, choices: &mut impl Choices) {
    let mut left_out = left_out;
    if with_workload!(plan.workload(), W => W::COMPARES_VALUES) {
        // What some languages take for equal.
        left_out.insert(Kind::Booleans);
        left_out.insert(Kind::WholeFloats);
    }
    let mut keys = Deck::draw(&left_out.others_of(Table::Keys), WILD_KEYS, always, choices);
    let kinds = left_out.others_of(Table::Values);
    let mut values = Deck::draw(&kinds, WILD_VALUES, always, choices);
    if !keys.is_empty() {
        let mut taken: BTreeSet<String> = plan
            .keys
            .iter()
            .map(|key| key.as_str().to_owned())
            .collect();
        for key in &mut plan.keys {
            if let Some(Json::String(text)) = keys.next(choices)
                && taken.insert(text.clone())
            {
                *key = text.into();
            }
        }
    }
    if !values.is_empty() {
        let mut taken: BTreeSet<String> = plan.values.iter().map(ToString::to_string).collect();
        for at in by_time(plan) {
            let value = &mut plan.values[at];
            if choices.percent(Purpose::Names, WILD_VALUE_PERCENT)
                && let Some(json) = values.next(choices)
                && taken.insert(json.to_string())
            {
                *value = json;
            }
        }
    }
}

/// The positions of values in about the order in which they are written, so that twins are written at
/// about the same time by different clients.
fn by_time(plan: &Plan) -> Vec<usize> {
    let mut seen = vec![false; plan.values.len()];
    let longest = plan.clients.iter().map(Vec::len).max().unwrap_or(0);
    let steps = (0..longest).flat_map(|at| plan.clients.iter().filter_map(move |all| all.get(at)));
    let mut order = Vec::with_capacity(seen.len());
    for value in steps.flat_map(|step| step.act.values()) {
        let at = value as usize;
        if !std::mem::replace(&mut seen[at], true) {
            order.push(at);
        }
    }
    order
}

/// The kinds that one table of a plan draws from, each with the members that it has given.
#[derive(Default)]
struct Deck(Vec<(Kind, usize, usize)>);

impl Deck {
    /// The kinds of one table of a plan: none in all but some of so many plans.
    fn draw(
        kinds: &[Kind],
        (some, of_all): (u64, u64),
        always: bool,
        choices: &mut impl Choices,
    ) -> Self {
        let mut deck = Self::default();
        let count = kinds.len() as u64;
        let first = match choices.seed() {
            _ if count == 0 => None,
            Some(seed) if always => Some(seed / STRATA % count),
            Some(seed) => {
                let (round, turn) = (seed / of_all, seed % of_all);
                (turn < some).then(|| (round % count * some + turn) % count)
            }
            None => choices
                .percent(Purpose::Names, some * 100 / of_all)
                .then(|| choices.below(Purpose::Names, count)),
        };
        let Some(first) = first else {
            return deck;
        };
        deck.add(kinds, first, choices);
        for _ in 0..choices.below(Purpose::Names, MOST_KINDS) {
            let another = choices.below(Purpose::Names, count);
            deck.add(kinds, another, choices);
        }
        deck
    }

    fn add(&mut self, kinds: &[Kind], at: u64, choices: &mut impl Choices) {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        if let Some(&kind) = kinds.get(at)
            && self.0.iter().all(|(other, ..)| *other != kind)
        {
            let first = choices.below(Purpose::Names, kind.shapes() as u64);
            self.0.push((kind, usize::try_from(first).unwrap_or(0), 0));
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next member of one of the kinds; none where that has no more.
    fn next(&mut self, choices: &mut impl Choices) -> Option<Json> {
        // Mostly the first: it is likeness that breaks stores.
        let others = if choices.below(Purpose::Names, 3) < 2 {
            1
        } else {
            self.0.len() as u64
        };
        let which = choices.below(Purpose::Names, others);
        let (kind, first, given) = self.0.get_mut(usize::try_from(which).ok()?)?;
        let (at, shapes) = (*given, kind.shapes());
        *given += 1;
        kind.member(if at < shapes {
            (*first + at) % shapes
        } else {
            at
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SeededChoices, Shape, generate};
    use super::*;
    use crate::{stores::StoreName, workloads::Dialect};

    #[test]
    fn the_members_of_a_kind_all_differ_and_are_of_their_table() {
        for kind in Kind::ALL {
            let members: Vec<Json> = (0..100).map_while(|at| kind.member(at)).collect();
            assert!(members.len() >= kind.shapes(), "{kind}");
            let texts: BTreeSet<String> = members.iter().map(ToString::to_string).collect();
            assert_eq!(texts.len(), members.len(), "{kind}: {members:?}");
            let texts_only = members.iter().all(Json::is_string);
            assert!(texts_only || kind.table() == Table::Values, "{kind}");
        }
        let bytes = |text: &str| text.to_owned().into_bytes();
        let twins = [0, 1].map(|at| Kind::UnicodeKeys.member(at).unwrap());
        assert_eq!(twins[0].as_str().map(bytes), Some(bytes("caf\u{e9}")));
        assert_eq!(twins[1].as_str().map(bytes), Some(bytes("cafe\u{301}")));
    }

    #[test]
    fn sets_of_kinds_are_told_as_they_are_read() {
        for text in ["none", "all", "empty-keys", "affixed-keys,nulls,long-texts"] {
            assert_eq!(text.parse::<Kinds>().unwrap().to_string(), text);
        }
        let odd = "empty-keys,odd".parse::<Kinds>().unwrap_err().to_string();
        assert!(odd.starts_with("there is no kind \"odd\""), "{odd}");
    }

    fn plans(shape: &Shape, runs: u64) -> impl Iterator<Item = Plan> + '_ {
        (0..runs).map(|seed| generate(shape, &mut SeededChoices::new(seed), String::new()))
    }

    /// Its keys and values, each with its table.
    fn entries(plan: &Plan) -> BTreeSet<(bool, String)> {
        let keys = plan.keys.iter().map(|key| (true, Json::from(key.as_str())));
        let values = plan.values.iter().map(|value| (false, value.clone()));
        keys.chain(values)
            .map(|(is_key, json)| (is_key, json.to_string()))
            .collect()
    }

    #[test]
    fn every_kind_is_drawn_and_a_good_share_of_plans_is_plain() {
        const RUNS: u64 = 1_000;
        let mut shape = Shape::new(StoreName::Dotted);
        for program in [None, Some(Dialect::Vc)] {
            shape.program = program;
            let all_plain = Shape {
                left_out: Kinds::ALL,
                ..shape.clone()
            };
            let (mut drawn, mut plain) = (BTreeSet::new(), 0_u64);
            for (wild, tame) in plans(&shape, RUNS).zip(plans(&all_plain, RUNS)) {
                // Nothing else depends on them.
                assert_eq!((&wild.clients, &wild.faults), (&tame.clients, &tame.faults));
                plain += u64::from((&wild.keys, &wild.values) == (&tame.keys, &tame.values));
                drawn.append(&mut entries(&wild));
            }
            assert!((RUNS / 4..RUNS / 2).contains(&plain), "{plain}");
            for kind in Kind::ALL {
                for at in 0..kind.shapes() {
                    let member = kind.member(at).unwrap().to_string();
                    let is_key = kind.table() == Table::Keys;
                    assert!(drawn.contains(&(is_key, member)), "{kind}: {at}");
                }
            }
        }
    }

    #[test]
    fn what_is_left_out_is_not_drawn() {
        for kind in Kind::ALL {
            let mut left_out = Kinds::ALL;
            left_out.0 ^= 1 << kind as u32;
            let shape = Shape {
                left_out,
                ..Shape::new(StoreName::Dotted)
            };
            let all_plain = Shape {
                left_out: Kinds::ALL,
                ..shape.clone()
            };
            let members: BTreeSet<(bool, String)> = (0..200)
                .map_while(|at| kind.member(at))
                .map(|member| (kind.table() == Table::Keys, member.to_string()))
                .collect();
            for (wild, tame) in plans(&shape, 20).zip(plans(&all_plain, 20)) {
                for entry in entries(&wild).difference(&entries(&tame)) {
                    assert!(members.contains(entry), "{kind}: {entry:?}");
                }
            }
        }
    }
}
