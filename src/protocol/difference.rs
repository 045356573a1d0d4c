//! Expected lines against those that came: for each destination, line by line, as JSON.
//!
//! The lines for one destination are aligned by the longest common subsequence, so that one line too
//! many or too few shows as that, and not as a difference in all that follow. O(expected × got) for
//! each destination.

use std::{collections::BTreeMap, fmt};

use serde_json::Value as Json;
use sibcheck_checkers::outside::Outside;

/// Expected lines against those that came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Difference {
    /// By destination, in the order of their names.
    pub destinations: Vec<(String, Vec<Compared>)>,
}

/// One line, or two that stand for each other.
#[derive(Clone, Debug, PartialEq)]
pub enum Compared {
    /// It came as expected.
    Same(Json),
    /// Another came in its place.
    Other {
        /// What was expected.
        expected: Json,
        /// What came.
        got: Json,
        /// Where they differ.
        fields: Vec<Field>,
    },
    /// It never came.
    Missing(Json),
    /// It came before a line that was expected then.
    Unexpected(Json),
}

/// A place at which two lines differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// A JSON pointer (RFC 6901).
    pub pointer: String,
    /// What should stand there; nothing if `None`.
    pub expected: Option<Json>,
    /// What stands there; nothing if `None`.
    pub got: Option<Json>,
}

impl Difference {
    /// Compares. An expected error that leaves its text out allows any.
    pub fn new(expected: &[Json], got: &[Json]) -> Self {
        let mut lines: BTreeMap<String, (Vec<&Json>, Vec<&Json>)> = BTreeMap::new();
        for line in expected {
            lines.entry(destination(line)).or_default().0.push(line);
        }
        for line in got {
            // What goes to others is the program's own affair.
            if let Some((_, got)) = lines.get_mut(&destination(line)) {
                got.push(line);
            }
        }
        let destinations = lines
            .into_iter()
            .map(|(destination, (expected, got))| (destination, align(&expected, &got)))
            .collect();
        Self { destinations }
    }

    /// Whether all came as expected.
    pub fn is_none(&self) -> bool {
        self.first().is_none()
    }

    /// How many lines came as expected.
    pub fn same(&self) -> usize {
        self.lines()
            .filter(|(_, line)| matches!(line, Compared::Same(_)))
            .count()
    }

    /// How many lines did not.
    pub fn wrong(&self) -> usize {
        self.lines().count() - self.same()
    }

    fn lines(&self) -> impl Iterator<Item = (&str, &Compared)> {
        self.destinations
            .iter()
            .flat_map(|(name, lines)| lines.iter().map(move |line| (name.as_str(), line)))
    }

    fn first(&self) -> Option<(&str, &Compared)> {
        self.lines()
            .find(|(_, line)| !matches!(line, Compared::Same(_)))
    }
}

/// The first difference, in a sentence.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.first().map(|(to, line)| (Outside(to), line));
        match first {
            None | Some((_, Compared::Same(_))) => write!(f, "no difference"),
            Some((to, Compared::Other { expected, got, .. })) => {
                let (expected, got) = (Outside(expected), Outside(got));
                write!(f, "to {to}: expected {expected}, and {got} came")
            }
            Some((to, Compared::Missing(expected))) => {
                let expected = Outside(expected);
                write!(f, "to {to}: expected {expected}, and nothing came for it")
            }
            Some((to, Compared::Unexpected(got))) => {
                write!(f, "to {to}: {} came before what was expected", Outside(got))
            }
        }
    }
}

fn destination(line: &Json) -> String {
    match line.get("dest") {
        Some(Json::String(name)) => name.clone(),
        Some(other) => other.to_string(),
        None => "nobody".to_owned(),
    }
}

/// True when a line is the expected one.
fn agrees(expected: &Json, got: &Json) -> bool {
    let any_text = expected["body"]["type"] == "error" && expected["body"].get("text").is_none();
    if !any_text {
        return expected == got;
    }
    let mut got = got.clone();
    if let Some(body) = got.get_mut("body").and_then(Json::as_object_mut) {
        body.remove("text");
    }
    *expected == got
}

fn align(expected: &[&Json], got: &[&Json]) -> Vec<Compared> {
    // common[i][j]: the length of the longest common subsequence of expected[i..] and got[j..].
    let mut common = vec![vec![0_usize; got.len() + 1]; expected.len() + 1];
    for i in (0..expected.len()).rev() {
        for j in (0..got.len()).rev() {
            common[i][j] = if agrees(expected[i], got[j]) {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let mut lines = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < expected.len() {
        if j < got.len() && agrees(expected[i], got[j]) {
            lines.push(Compared::Same(expected[i].clone()));
            (i, j) = (i + 1, j + 1);
        } else if j < got.len() && common[i + 1][j + 1] == common[i][j] {
            let (expected, got) = (expected[i].clone(), got[j].clone());
            let mut fields = Vec::new();
            compare(Some(&expected), Some(&got), String::new(), &mut fields);
            lines.push(Compared::Other {
                expected,
                got,
                fields,
            });
            (i, j) = (i + 1, j + 1);
        } else if j < got.len() && common[i][j + 1] == common[i][j] {
            lines.push(Compared::Unexpected(got[j].clone()));
            j += 1;
        } else {
            lines.push(Compared::Missing(expected[i].clone()));
            i += 1;
        }
    }
    lines
}

fn compare(expected: Option<&Json>, got: Option<&Json>, pointer: String, fields: &mut Vec<Field>) {
    match (expected, got) {
        (Some(Json::Object(should)), Some(Json::Object(is))) => {
            let also = is.keys().filter(|name| !should.contains_key(*name));
            for name in should.keys().chain(also) {
                let step = name.replace('~', "~0").replace('/', "~1");
                let pointer = format!("{pointer}/{step}");
                compare(should.get(name), is.get(name), pointer, fields);
            }
        }
        (Some(Json::Array(should)), Some(Json::Array(is))) => {
            for index in 0..should.len().max(is.len()) {
                let pointer = format!("{pointer}/{index}");
                compare(should.get(index), is.get(index), pointer, fields);
            }
        }
        (expected, got) if expected != got => fields.push(Field {
            pointer,
            expected: expected.cloned(),
            got: got.cloned(),
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn to(dest: &str, n: u32) -> Json {
        json!({"dest": dest, "body": {"n": n}})
    }

    fn kinds(expected: &[Json], got: &[Json]) -> String {
        Difference::new(expected, got)
            .lines()
            .map(|(_, line)| match line {
                Compared::Same(_) => '=',
                Compared::Other { .. } => '~',
                Compared::Missing(_) => '-',
                Compared::Unexpected(_) => '+',
            })
            .collect()
    }

    #[test]
    fn order_counts_for_each_destination_and_more_output_is_allowed() {
        let expected = [to("c1", 1), to("c2", 2)];
        let got = [to("c2", 2), to("n2", 9), to("c1", 1), to("c1", 5)];
        assert_eq!(kinds(&expected, &got), "==");
        let in_order = [to("c1", 1), to("c1", 2), to("c1", 3)];
        let lines = |numbers: &[u32]| numbers.iter().map(|n| to("c1", *n)).collect::<Vec<_>>();
        for (numbers, shown) in [
            (&[1, 2, 3, 3][..], "==="),
            (&[1, 7, 3], "=~="),
            (&[1, 3], "=-="),
            (&[1, 9, 2, 3], "=+=="),
            (&[], "---"),
            (&[3], "--="),
        ] {
            assert_eq!(kinds(&in_order, &lines(numbers)), shown, "{numbers:?}");
        }
        // Nothing is lost from the wrong order.
        assert!(kinds(&in_order, &lines(&[2, 1, 3])).contains('='));
        assert!(!Difference::new(&in_order, &lines(&[2, 1, 3])).is_none());
    }

    #[test]
    fn differing_fields_are_pointed_at() {
        let expected = [json!({"dest": "c1", "body": {"a/b": [1, {"x": 1}], "same": 0}})];
        let got = [json!({"dest": "c1", "body": {"a/b": [2, {}], "same": 0, "new": null}})];
        let difference = Difference::new(&expected, &got);
        let Some((_, Compared::Other { fields, .. })) = difference.first() else {
            panic!("{difference}");
        };
        let told: Vec<_> = fields
            .iter()
            .map(|field| (field.pointer.as_str(), &field.expected, &field.got))
            .collect();
        let expected = [
            ("/body/a~1b/0", &Some(json!(1)), &Some(json!(2))),
            ("/body/a~1b/1/x", &Some(json!(1)), &None),
            ("/body/new", &None, &Some(json!(null))),
        ];
        assert_eq!(told, expected);
        assert_eq!((difference.same(), difference.wrong()), (0, 1));
    }

    #[test]
    fn texts_of_errors_may_be_left_open() {
        let error = [json!({"dest": "c1", "body": {"type": "error", "code": 12}})];
        let mut told = error.clone();
        told[0]["body"]["text"] = "why".into();
        assert!(Difference::new(&error, &told).is_none());
        assert!(!Difference::new(&told, &error).is_none());
    }
}
