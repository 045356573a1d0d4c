//! A dialect on the command line: a name, or a file that describes it.

use std::{fmt, path::Path, str::FromStr};

use sibcheck_checkers::outside::Outside;

use crate::{files, workloads::Dialect};

/// A dialect, and how it was named.
#[derive(Clone, Debug)]
pub(super) struct GivenDialect {
    pub(super) dialect: Dialect,
    given: String,
}

/// As it is to be given again, to a shell.
impl fmt::Display for GivenDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shell_words::quote(&self.given))
    }
}

impl FromStr for GivenDialect {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let path = Path::new(given);
        let names_a_file = path.extension().is_some() || path.components().count() > 1;
        let dialect = if names_a_file {
            let text = files::read_text(path, files::Kind::Dialect)
                .map_err(|error| format!("failed to read {}: {error}", Outside(given)))?;
            let name = Outside(given);
            Dialect::from_toml(&text).map_err(|error| format!("{name}: {error}"))?
        } else {
            given.parse().map_err(|error| format!("{error}"))?
        };
        Ok(Self {
            dialect,
            given: given.to_owned(),
        })
    }
}
