//! A reader of EDN, as far as histories need it: the notation in which Jepsen writes them.
//!
//! <https://github.com/edn-format/edn>. Values become JSON: keywords and symbols become strings (a
//! keyword keeps its colon), lists, vectors and sets become arrays, maps become arrays of pairs
//! unless all keys are keywords or strings, tags are dropped; that one was there which says that a
//! vector is a key and a value is remembered.

use serde_json::{Map, Number, Value as Json};

/// A form nested deeper than this is refused: recursion must end, and a line of JSON has to hold what
/// becomes of it: twice as deep, of maps as pairs, where `serde_json` reads no more than 127.
const DEEPEST: usize = 60;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EdnFault {
    pub(super) line: u64,
    pub(super) problem: String,
}

/// Reads one form after another; brackets around a whole file may be looked through.
pub(super) struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    line: u64,
    /// Whether a tag said that a vector is a key and a value.
    tuples: bool,
}

/// The tag of a key and a value.
const TUPLE: &str = "jepsen.independent/tuple";

/// A value and the line that it begins in.
pub(super) type Placed = (u64, Json);

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self {
            text,
            at: 0,
            line: 1,
            tuples: false,
        }
    }

    /// Whether a tag has said so far that a vector is a key and a value.
    pub(super) const fn saw_tuples(&self) -> bool {
        self.tuples
    }

    /// The next map; vectors and lists at the top are looked through.
    pub(super) fn next_map(&mut self) -> Result<Option<Placed>, EdnFault> {
        loop {
            self.skip_blanks()?;
            match self.peek() {
                None => return Ok(None),
                Some(b'[' | b']' | b'(' | b')') => self.advance(),
                // A tag, of a map or of all of them.
                Some(b'#')
                    if self
                        .text
                        .get(self.at + 1)
                        .is_some_and(u8::is_ascii_alphabetic) =>
                {
                    self.token();
                }
                Some(_) => {
                    let line = self.line;
                    return Ok(Some((line, self.form(0)?)));
                }
            }
        }
    }

    /// The next form, whatever follows it; `None` where there is none.
    pub(super) fn next_form(&mut self) -> Result<Option<Json>, EdnFault> {
        self.skip_blanks()?;
        self.peek().map(|_| self.form(0)).transpose()
    }

    /// Whether the text ends in the middle of what was read last, or may do so: behind a number, a
    /// keyword or a symbol, which only what follows would end.
    pub(super) fn may_be_cut_off(&self) -> bool {
        let ends_itself = |byte: &u8| b"\"]})".contains(byte) || byte.is_ascii_whitespace();
        self.at >= self.text.len() && !self.text.last().is_none_or(ends_itself)
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn advance(&mut self) {
        if self.peek() == Some(b'\n') {
            self.line += 1;
        }
        self.at += 1;
    }

    fn fault(&self, problem: impl Into<String>) -> EdnFault {
        EdnFault {
            line: self.line,
            problem: problem.into(),
        }
    }

    /// White space, commas, comments and discarded forms.
    fn skip_blanks(&mut self) -> Result<(), EdnFault> {
        while let Some(byte) = self.peek() {
            match byte {
                b',' => self.advance(),
                b';' => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.advance();
                    }
                }
                b'#' if self.text.get(self.at + 1) == Some(&b'_') => {
                    self.at += 2;
                    self.skip_one(0)?;
                }
                _ if byte.is_ascii_whitespace() => self.advance(),
                _ => break,
            }
        }
        Ok(())
    }

    /// A discarded form, in which others may be discarded.
    fn skip_one(&mut self, depth: usize) -> Result<(), EdnFault> {
        if depth > DEEPEST {
            return Err(self.fault("expected forms nested less deeply"));
        }
        while self
            .peek()
            .is_some_and(|byte| byte.is_ascii_whitespace() || byte == b',')
        {
            self.advance();
        }
        if self.text[self.at.min(self.text.len())..].starts_with(b"#_") {
            self.at += 2;
            self.skip_one(depth + 1)?;
            return self.skip_one(depth + 1);
        }
        self.form(depth).map(drop)
    }

    fn form(&mut self, depth: usize) -> Result<Json, EdnFault> {
        if depth > DEEPEST {
            return Err(self.fault("expected forms nested less deeply"));
        }
        match self.peek() {
            None => Err(self.fault("expected a value, and the file ends; it was cut off")),
            Some(b'"') => self.string(),
            Some(b'{') => self.map(depth),
            Some(b'[') => self.sequence(b']', depth).map(Json::Array),
            Some(b'(') => self.sequence(b')', depth).map(Json::Array),
            Some(b'#') => self.dispatch(depth),
            Some(b'\\') => {
                self.advance();
                let from = self.at;
                self.advance();
                self.token();
                Ok(self.text_from(from).into())
            }
            Some(byte @ (b'}' | b']' | b')')) => {
                let found = char::from(byte);
                Err(self.fault(format!("expected a value, found {found}")))
            }
            Some(_) => self.atom(),
        }
    }

    fn sequence(&mut self, end: u8, depth: usize) -> Result<Vec<Json>, EdnFault> {
        self.advance();
        let mut items = Vec::new();
        loop {
            self.skip_blanks()?;
            if self.peek() == Some(end) {
                self.advance();
                return Ok(items);
            }
            items.push(self.form(depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Json, EdnFault> {
        let line = self.line;
        let items = self.sequence(b'}', depth)?;
        if items.len() % 2 == 1 {
            return Err(EdnFault {
                line,
                problem: "expected a value for every key of a map".to_owned(),
            });
        }
        let named = items.iter().step_by(2).all(Json::is_string);
        let mut fields = Map::new();
        let mut pairs = Vec::new();
        let mut items = items.into_iter();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            match key {
                Json::String(name) if named => {
                    fields.insert(name, value);
                }
                key => pairs.push(Json::Array(vec![key, value])),
            }
        }
        Ok(if named { fields.into() } else { pairs.into() })
    }

    /// What begins with `#`: a set, or a tag, which is dropped.
    fn dispatch(&mut self, depth: usize) -> Result<Json, EdnFault> {
        self.advance();
        match self.peek() {
            Some(b'{') => self.sequence(b'}', depth).map(Json::Array),
            Some(b'#') => {
                self.advance();
                Ok(self.token().into())
            }
            _ => {
                self.tuples |= self.token() == TUPLE;
                self.skip_blanks()?;
                self.form(depth + 1)
            }
        }
    }

    fn string(&mut self) -> Result<Json, EdnFault> {
        let from = self.line;
        self.advance();
        let mut bytes = Vec::new();
        loop {
            let Some(byte) = self.peek() else {
                return Err(EdnFault {
                    line: from,
                    problem: "expected the end of this string; the file was cut off".to_owned(),
                });
            };
            self.advance();
            match byte {
                b'"' => break,
                b'\\' => {
                    let escaped = self.peek().unwrap_or(b'\\');
                    self.advance();
                    match escaped {
                        b'n' => bytes.push(b'\n'),
                        b't' => bytes.push(b'\t'),
                        b'r' => bytes.push(b'\r'),
                        b'u' => {
                            let digits = self.text.get(self.at..self.at + 4).unwrap_or(&[]);
                            let code = std::str::from_utf8(digits)
                                .ok()
                                .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                                .ok_or_else(|| self.fault("expected four digits after \\u"))?;
                            self.at += 4;
                            let char = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                            bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                        }
                        other => bytes.push(other),
                    }
                }
                other => bytes.push(other),
            }
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned().into())
    }

    /// The characters up to a delimiter.
    fn token(&mut self) -> String {
        let from = self.at;
        while self
            .peek()
            .is_some_and(|byte| !byte.is_ascii_whitespace() && !b"\"{}[](),;".contains(&byte))
        {
            self.at += 1;
        }
        self.text_from(from)
    }

    fn text_from(&self, from: usize) -> String {
        let text = self.text.get(from..self.at.min(self.text.len()));
        String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
    }

    fn atom(&mut self) -> Result<Json, EdnFault> {
        let token = self.token();
        let begins_as_number = token
            .trim_start_matches(['+', '-'])
            .starts_with(|c: char| c.is_ascii_digit());
        match token.as_str() {
            "nil" => Ok(Json::Null),
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            "" => Err(self.fault("expected a value")),
            _ if begins_as_number => self.number(&token),
            _ => Ok(token.into()),
        }
    }

    fn number(&self, token: &str) -> Result<Json, EdnFault> {
        let digits = token.trim_start_matches('+').trim_end_matches(['N', 'M']);
        if let Ok(integer) = digits.parse::<i64>() {
            return Ok(integer.into());
        }
        if let Ok(integer) = digits.parse::<u64>() {
            return Ok(integer.into());
        }
        // Ratios and what is too large for a number stay what they look like.
        let exact = digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"-/".contains(&byte));
        let float = digits.parse().ok().filter(|_| !exact);
        match float.and_then(Number::from_f64) {
            Some(float) => Ok(float.into()),
            None if exact => Ok(digits.into()),
            None => Err(self.fault(format!("expected a number, found {token:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_notation_becomes_a_value() {
        let read = |text: &str| Reader::new(text.as_bytes()).next_form().unwrap().unwrap();
        assert_eq!(read("nil"), json!(null));
        assert_eq!(read("-12"), json!(-12));
        assert_eq!(read("7N"), json!(7));
        assert_eq!(read("1.5"), json!(1.5));
        assert_eq!(read("1/3"), json!("1/3"));
        assert_eq!(read(":read"), json!(":read"));
        assert_eq!(read(r#""a\n\u0041\"""#), json!("a\nA\""));
        assert_eq!(read("[1, (2 3) #{4}]"), json!([1, [2, 3], [4]]));
        assert_eq!(read("{:a 1, \"b\" nil}"), json!({":a": 1, "b": null}));
        assert_eq!(read("{1 2}"), json!([[1, 2]]));
        assert_eq!(read("#jepsen.Op{:a #_ 1 2} ; more"), json!({":a": 2}));
        assert_eq!(read("#inst \"2020\""), json!("2020"));
        assert_eq!(read("[\\a]"), json!(["a"]));
    }

    #[test]
    fn faults_name_their_line() {
        let fault = |text: &str| Reader::new(text.as_bytes()).next_form().unwrap_err();
        assert_eq!(fault("[1\n 2").line, 2);
        assert_eq!(fault("{:a\n\n}").line, 1);
        assert!(fault("{:a}").problem.contains("every key"));
        assert!(fault("\"abc").problem.contains("cut off"));
        assert!(fault(&"[".repeat(100_000)).problem.contains("nested"));
        assert!(fault(&"#_".repeat(100_000)).problem.contains("nested"));
    }

    proptest! {
        #![proptest_config(crate::property_tests::drawing(256))]

        #[test]
        fn nothing_panics(text in "[\\[\\](){}#_:;,\"\\\\0-9a-z \n]{0,40}") {
            let mut reader = Reader::new(text.as_bytes());
            while let Ok(Some(_)) = reader.next_map() {}
        }
    }
}
