//! The `sibcheck` program: parse, dispatch, exit code. See `sibcheck --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sibcheck::cli::main().into()
}
