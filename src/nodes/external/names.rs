//! What nodes are called: `n1`, … unless the program wants it otherwise.

use std::{fmt, str::FromStr};

use sibcheck_checkers::outside;

use crate::clocks::Actor;

/// The names of the nodes: numbered from a first one, or listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeNames {
    /// A prefix, and the number of the first node.
    Numbered(String, u32),
    /// One by one.
    Listed(Vec<String>),
}

impl Default for NodeNames {
    fn default() -> Self {
        Self::Numbered("n".to_owned(), 1)
    }
}

/// What was given are no names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given:?} names no nodes: {why}; give the first name, as in n0 or n1, a prefix such as node, \
     or a name for each node, as in a,b,c"
)]
pub struct BadNames {
    given: String,
    why: &'static str,
}

impl FromStr for NodeNames {
    type Err = BadNames;

    fn from_str(given: &str) -> Result<Self, BadNames> {
        let bad = |why| BadNames {
            given: given.to_owned(),
            why,
        };
        let names: Vec<&str> = given.split(',').map(str::trim).collect();
        for (index, name) in names.iter().enumerate() {
            if name.is_empty() {
                return Err(bad("a name is empty"));
            }
            if name.contains(|c: char| c.is_whitespace() || outside::acts(c)) {
                return Err(bad("a name has a space in it"));
            }
            if name.contains('/') || name.starts_with('.') {
                return Err(bad("a name is also the name of its node's folder"));
            }
            if names[..index].contains(name) {
                return Err(bad("two are equal"));
            }
            let after_c = name.strip_prefix('c').unwrap_or("-");
            if after_c.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(bad("c and c1, c2, … are the clients"));
            }
        }
        if names.len() > 1 {
            return Ok(Self::Listed(
                names.iter().map(ToString::to_string).collect(),
            ));
        }
        let prefix = given.trim().trim_end_matches(|c: char| c.is_ascii_digit());
        let number = &given.trim()[prefix.len()..];
        if number.len() > 1 && number.starts_with('0') {
            return Err(bad("a number begins with 0"));
        }
        let first = if number.is_empty() {
            Some(1)
        } else {
            number.parse().ok().filter(|first| *first < 1_000_000)
        };
        let first = first.ok_or_else(|| bad("the number is too large"))?;
        Ok(Self::Numbered(prefix.to_owned(), first))
    }
}

impl fmt::Display for NodeNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numbered(prefix, first) => write!(f, "{prefix}{first}"),
            Self::Listed(names) => f.write_str(&names.join(",")),
        }
    }
}

impl NodeNames {
    /// The name of the node at a position, from 0. Nodes beyond a list are called `n1`, ….
    pub fn of(&self, position: u32) -> Actor {
        match self {
            Self::Numbered(prefix, first) => format!("{prefix}{}", first + position).into(),
            Self::Listed(names) => names.get(position as usize).map_or_else(
                || crate::nodes::node_name(position),
                |name| name.as_str().into(),
            ),
        }
    }

    /// How many nodes these names are for; `None` for any number.
    pub fn count(&self) -> Option<usize> {
        match self {
            Self::Numbered(..) => None,
            Self::Listed(names) => Some(names.len()),
        }
    }

    /// The flag that asks for these names; empty for the usual ones.
    pub fn flag(&self) -> String {
        if *self == Self::default() {
            String::new()
        } else {
            format!(" --node-names {}", shell_words::quote(&self.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbered_from_the_first_or_listed() {
        let names = |given: &str| {
            let names: NodeNames = given.parse().unwrap();
            assert_eq!(names.to_string().parse(), Ok(names.clone()));
            [names.of(0), names.of(1), names.of(10)].map(|name| name.to_string())
        };
        assert_eq!(names("n0"), ["n0", "n1", "n10"]);
        assert_eq!(names("n1"), ["n1", "n2", "n11"]);
        assert_eq!(names("node"), ["node1", "node2", "node11"]);
        assert_eq!(names("7"), ["7", "8", "17"]);
        assert_eq!(names("a,b"), ["a", "b", "n11"]);
        assert_eq!(NodeNames::default(), "n1".parse().unwrap());
    }

    #[test]
    fn names_that_would_be_mistaken_are_refused() {
        for (given, why) in [
            ("", "empty"),
            ("a,", "empty"),
            ("a b", "space"),
            ("a,a", "equal"),
            ("c", "clients"),
            ("c1", "clients"),
            ("n01", "begins with 0"),
            ("n99999999999", "too large"),
            ("../n", "folder"),
        ] {
            let error = given.parse::<NodeNames>().unwrap_err().to_string();
            assert!(error.contains(why), "{given}: {error}");
        }
    }
}
