//! What README and the guides show is what is printed, and the tables of dialects are the program's
//! own words.
//!
//! `SIBCHECK_REGENERATE=1 cargo test --test documents` writes the blocks anew.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

mod support;

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use sibcheck::workloads::glossary;

use support::{Said, have, of_each, sibcheck};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README and the guides.
fn documents() -> Vec<PathBuf> {
    let mut all = vec![root().join("README.md")];
    let docs = fs::read_dir(root().join("docs")).unwrap();
    all.extend(docs.map(|entry| entry.unwrap().path()));
    all.sort();
    all
}

/// What stands between a mark and the end of its block.
fn block<'t>(text: &'t str, mark: &str) -> &'t str {
    let begin = format!("<!-- {mark} -->\n");
    let (_, rest) = text.split_once(&begin).unwrap();
    rest.split_once("<!-- end -->").unwrap().0
}

/// Compares a block with what it should be, by a reading of both; or writes it anew.
fn compare(path: &Path, mark: &str, should: &str, read: impl Fn(&str, &str) -> bool) {
    let text = fs::read_to_string(path).unwrap();
    let is = block(&text, mark);
    if read(is, should) {
        return;
    }
    let name = path.display();
    assert!(
        env::var_os("SIBCHECK_REGENERATE").is_some(),
        "the block {mark:?} of {name} is stale. It should be:\n{should}"
    );
    let begin = format!("<!-- {mark} -->\n");
    let written = text.replace(&format!("{begin}{is}"), &format!("{begin}{should}"));
    fs::write(path, written).unwrap();
}

/// A folder in which a command finds what it names.
fn folder(number: usize) -> PathBuf {
    let folder = support::empty_folder(&format!("documents-{number}"));
    for name in ["examples", "corpora", "tests"] {
        symlink(root().join(name), folder.join(name)).unwrap();
    }
    // A dialect with a mistake in it.
    let dialect = fs::read_to_string(root().join("examples/dialects/vc.toml")).unwrap();
    fs::write(
        folder.join("mine.toml"),
        dialect.replacen("clock = ", "clok = ", 1),
    )
    .unwrap();
    folder
}

/// The number of operations that a violation was shrunk to.
fn shrunk_to(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("shrunk from ")?;
    rest.split_once(" to ")?.1.split(' ').next()
}

/// Whether two outputs are the same but for what the speed of a machine decides: how many runs
/// shrinking took, and, where it was cut short, how far it came.
fn alike(shown: &str, printed: &str) -> bool {
    let without_tries = |text: &str| {
        let lines = text.lines().map(|line| match line.split_once(" in ") {
            Some((shrunk, _)) if line.contains("shrunk from") => shrunk.to_owned(),
            _ => line.to_owned(),
        });
        lines.collect::<Vec<_>>()
    };
    let cut_short = shrunk_to(shown) != shrunk_to(printed) && !shown.is_empty();
    let found = |text: &str| text.split("\nVIOLATED: ").next().map(str::to_owned);
    if cut_short {
        return found(shown) == found(printed);
    }
    without_tries(shown) == without_tries(printed)
}

/// The output that a mark asks for; `None` for a mark of something else.
fn printed(mark: &str, number: usize) -> Option<String> {
    let (command, to_stderr) = match mark.split_once(": ")? {
        ("output", command) => (command, false),
        ("error", command) => (command, true),
        _ => return None,
    };
    if command.contains("python3") && !have("python3") {
        return None;
    }
    let words = shell_words::split(command).unwrap();
    let said = Said::by(sibcheck(&folder(number), &[]).args(words));
    Some(if to_stderr { said.stderr } else { said.stdout })
}

#[test]
fn outputs_are_what_is_printed() {
    let mut marks: Vec<(usize, PathBuf, String, OnceLock<Option<String>>)> = Vec::new();
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        let found = text.split("<!-- ").skip(1);
        for mark in found.filter_map(|rest| Some(rest.split_once(" -->")?.0)) {
            let number = marks.len();
            marks.push((number, path.clone(), mark.to_owned(), OnceLock::new()));
        }
    }
    of_each(&marks, |(number, _, mark, output)| {
        output.get_or_init(|| printed(mark, *number));
    });
    let mut compared = 0;
    for (_, path, mark, output) in &marks {
        let Some(printed) = output.get().and_then(Option::as_ref) else {
            continue;
        };
        let should = format!("```text\n{}\n```\n", printed.trim_end());
        compare(path, mark, &should, alike);
        compared += 1;
    }
    assert!(compared >= 2, "{compared} outputs");
}

#[test]
fn the_tables_of_dialects_are_the_programs_own_words() {
    let path = root().join("docs/custom-dialects.md");
    let should = glossary();
    for word in [
        "`kv_resolve_ok`",
        "| `vc_read_ok` | `values` | list |",
        "values[].dot",
    ] {
        assert!(should.contains(word), "{word}");
    }
    compare(&path, "dialects", &should, |is, should| is == should);
}

#[test]
fn the_shim_finds_what_its_store_loses() {
    if !have("python3") {
        return;
    }
    let shim = "python3 examples/shims/http_shim.py examples/shims/http_store.py";
    let dialect = "examples/dialects/shim.toml";
    let brief =
        "--seed 1 --runs 1 --leave-out all --shrink-for 1s --no-ladder --faults none --ops 40";
    of_each(&[("", 0), (" --last-writer-wins", 1)], |(store, code)| {
        let bin = format!("{shim}{store}");
        let results = support::empty_folder(&format!("documents-shim-{code}"));
        let results = results.to_str().unwrap();
        let check = [
            "check",
            "--bin",
            &bin,
            "--dialect",
            dialect,
            "--results",
            results,
        ];
        let arguments: Vec<&str> = check.into_iter().chain(brief.split(' ')).collect();
        Said::by(&mut sibcheck(root(), &arguments)).expect(*code, &[]);
    });
}

/// A store that answers every request, and never with what the shim can read.
const NONSENSE: &str = r#"
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "8")
        self.end_headers()
        self.wfile.write(b"nonsense")
    do_GET = do_PUT = answer
    def log_message(self, *words): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1] + ".new", "w") as file: file.write(str(server.server_port))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
"#;

#[test]
fn the_shim_answers_whatever_goes_wrong_in_it() {
    if !have("python3") {
        return;
    }
    let folder = support::empty_folder("documents-nonsense");
    fs::write(folder.join("store.py"), NONSENSE).unwrap();
    let shim = root().join("examples/shims/http_shim.py");
    let bin = format!("python3 {} store.py", shim.display());
    let dialect = root().join("examples/dialects/shim.toml");
    let conform = ["conform", "--bin", &bin, "--dialect"];
    let said = Said::by(sibcheck(&folder, &conform).arg(dialect));
    let told = "got no answer that tells what happened";
    let said = said.expect(1, &[told, "JSONDecodeError"]);
    assert!(!said.stdout.contains("node failed"), "{}", said.stdout);
}

#[test]
fn the_shim_before_a_redis_shows_what_it_keeps() {
    if !have("python3") || !have("redis-server") {
        return;
    }
    let dialect = ["--dialect", "examples/dialects/register.toml"];
    let shim = "python3 examples/shims/redis_shim.py";
    let durable = format!("{shim} --appendonly yes --appendfsync always");
    let conform = [&["conform", "--bin", shim], &dialect[..]].concat();
    Said::by(&mut sibcheck(root(), &conform)).expect(0, &["5 cases run, 5 passed"]);
    let brief =
        "--seed 1 --runs 8 --ops 40 --leave-out all --shrink-for 1s --faults crash --results";
    let brief: Vec<&str> = brief.split(' ').collect();
    let told = ["ms n1 was ", "; it was back at "];
    of_each(&[(shim, 1), (&durable, 0)], |(bin, code)| {
        let results = support::empty_folder(&format!("documents-redis-{code}"));
        let check = [&["check", "--bin", bin], &dialect[..], &brief].concat();
        let said = Said::by(sibcheck(root(), &check).arg(results));
        let words = if *code == 1 { &told[..] } else { &[] };
        said.expect(*code, words);
    });
}
