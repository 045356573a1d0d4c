//! ARCHITECTURE.md is true: its code map names every source file, and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic fails the test"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    iter::Peekable,
    path::{Path, PathBuf},
    str::Chars,
};

use sibcheck::{
    demo::COMMANDS, reports::FORMATS, simulation::FaultName, stores::StoreName, workloads::Dialect,
};
use sibcheck_checkers::Claim;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every path that the code map names: the first word of each line in its block, below the folder
/// that stands above it at a smaller indent.
fn mapped() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, map) = text.split_once("## Code map").unwrap();
    let block = map.split("```").nth(1).unwrap();
    let mut folders: Vec<(usize, String)> = Vec::new();
    let mut paths = BTreeSet::new();
    for line in block.lines().skip(1).filter(|line| !line.trim().is_empty()) {
        let indent = line.len() - line.trim_start().len();
        let Some(name) = line.split_whitespace().next() else {
            continue;
        };
        folders.retain(|(above, _)| *above < indent);
        let prefix: String = folders.iter().map(|(_, folder)| folder.as_str()).collect();
        if name.ends_with('/') {
            folders.push((indent, name.to_owned()));
        }
        paths.insert(format!("{prefix}{name}"));
    }
    paths
}

fn collect(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        }
        let relative = path.strip_prefix(root()).unwrap().to_str().unwrap();
        if path.is_dir() {
            found.insert(format!("{relative}/"));
        } else if path.extension() == Some("rs".as_ref()) {
            found.insert(relative.to_owned());
        }
    }
}

#[test]
fn the_code_map_is_the_tree() {
    let mut tree = BTreeSet::new();
    for folder in [
        "src",
        "checkers/src",
        "oracles/src",
        "fuzz/fuzz_targets",
        "tests",
        "benches",
    ] {
        collect(&root().join(folder), &mut tree);
    }
    let mapped = mapped();
    let unmapped: Vec<_> = tree.difference(&mapped).collect();
    assert!(
        unmapped.is_empty(),
        "ARCHITECTURE.md does not name {unmapped:#?}"
    );
    let gone: Vec<_> = mapped
        .iter()
        .filter(|path| !root().join(path).exists())
        .collect();
    assert!(
        gone.is_empty(),
        "ARCHITECTURE.md names what is not there: {gone:#?}"
    );
}

/// The architecture's invariants that a search can check.
#[test]
fn what_must_not_be_there_is_not_there() {
    let forbidden = [
        (
            "checkers/src",
            &["sibcheck::", "rand", "std::fs", "std::net"][..],
        ),
        (
            "src/clocks",
            &["std::fs", "std::time", "crate::simulation", "rand_chacha"],
        ),
        (
            "src/stores",
            &["std::fs", "std::time", "std::io", "rand_chacha"],
        ),
        (
            "src/simulation",
            &["crate::stores", "crate::nodes", "std::time::"],
        ),
        ("fuzz/fuzz_targets", &["arbitrary", "proptest", "assert"]),
    ];
    for (folder, words) in forbidden {
        let mut files = BTreeSet::new();
        collect(&root().join(folder), &mut files);
        for file in files.iter().filter(|file| !file.ends_with('/')) {
            let text = fs::read_to_string(root().join(file)).unwrap();
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                for word in words {
                    let found = line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
                    let uses = |part: &str| part == *word || part.starts_with(&format!("{word}::"));
                    assert!(!found.clone().any(uses), "{file} uses {word}: {line}");
                }
            }
        }
    }
}

/// The layers of the library: each uses only those before it. What is not named serves all.
const LAYERS: [&str; 17] = [
    "clocks",
    "simulation",
    "choices",
    "stores",
    "protocol",
    "workloads",
    "plans",
    "nodes",
    "runner",
    "campaign",
    "program_under_test",
    "cases",
    "reports",
    "demo",
    "fuzzing",
    "corpus",
    "cli",
];

/// The modules of this crate that a source file uses, its tests left out.
fn used(text: &str) -> BTreeSet<String> {
    let (code, _) = text.split_once("#[cfg(test)]").unwrap_or((text, ""));
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let (mut depth, mut taken) = (0, false);
        let mut word = String::new();
        // The word behind it, or the first of each item in its braces.
        for letter in code[at + "crate::".len()..].chars() {
            if matches!(letter, 'a'..='z' | '_') {
                if !taken && depth < 2 {
                    word.push(letter);
                }
                continue;
            }
            if !word.is_empty() {
                used.insert(std::mem::take(&mut word));
                taken = true;
            }
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => taken = false,
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    used
}

#[test]
fn nothing_is_used_from_a_later_layer() {
    let mut files = BTreeSet::new();
    collect(&root().join("src"), &mut files);
    let rank = |module: &str| LAYERS.iter().position(|layer| *layer == module);
    let mut ranked = 0;
    for file in files.iter().filter(|file| !file.ends_with('/')) {
        let module = file.split('/').nth(1).unwrap();
        let Some(layer) = rank(module.trim_end_matches(".rs")) else {
            continue;
        };
        for used in used(&fs::read_to_string(root().join(file)).unwrap()) {
            let Some(other) = rank(&used) else {
                continue;
            };
            ranked += 1;
            assert!(other <= layer, "{file} uses {used}, which is a later layer");
        }
    }
    assert!(ranked > 100, "{ranked} uses were looked at");
}

#[test]
fn uses_are_found_in_every_form() {
    let text = "use crate::{\n    a::{b, c::d},\n    e,\n    f::g,\n};\nuse crate::h;\ncrate::i::j();\n// crate::k\n#[cfg(test)]\nuse crate::l;";
    let found = used(text);
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(found, ["a", "e", "f", "h", "i"]);
}

/// What prints and what shows paths: one module each, so that nothing from outside gets past them.
#[test]
fn text_from_outside_is_printed_in_one_place() {
    let mut files = BTreeSet::new();
    for folder in ["src", "checkers/src", "oracles/src"] {
        collect(&root().join(folder), &mut files);
    }
    for (what, place) in [
        (".display()", "checkers/src/outside.rs"),
        ("anstream::", "src/cli/output.rs"),
        ("println!(", "src/cli/output.rs"),
    ] {
        for file in files
            .iter()
            .filter(|file| !file.ends_with('/') && !file.ends_with("tests.rs") && *file != place)
        {
            let text = fs::read_to_string(root().join(file)).unwrap();
            let (code, _tests) = text
                .split_once("#[cfg(test)]\nmod tests")
                .unwrap_or((&text, ""));
            let found = code.lines().find(|line| line.contains(what));
            // Whether there are colours is asked for where the command line is read.
            let found = found.filter(|line| !line.contains("anstream::ColorChoice"));
            assert_eq!(found, None, "{file} has {what}, which belongs in {place}");
        }
    }
}

/// The checkers' files by their modules; the path of the root is empty.
type Modules = BTreeMap<Vec<String>, String>;

/// The modules of a folder of sources, with their code but for comments and tests.
fn modules(folder: &str) -> Modules {
    let mut files = BTreeSet::new();
    collect(&root().join(folder), &mut files);
    let sources = files
        .iter()
        .filter(|file| !file.ends_with('/') && !file.ends_with("tests.rs"));
    let module = |file: &String| {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let (code, _) = text
            .split_once("#[cfg(test)]\nmod tests")
            .unwrap_or((&text, ""));
        let code = code
            .lines()
            .map(|line| line.split("//").next().unwrap_or(line));
        let path = file
            .trim_start_matches(folder)
            .trim_matches('/')
            .trim_end_matches(".rs");
        let path = path.trim_end_matches("/mod");
        let parts = path.split('/').filter(|part| *part != "lib");
        (
            parts.map(str::to_owned).collect(),
            code.collect::<Vec<_>>().join("\n"),
        )
    };
    sources.map(module).collect()
}

/// Reads a path, or a tree of them in braces, and adds each that it names.
fn add_paths(text: &mut Peekable<Chars<'_>>, before: &[String], paths: &mut Vec<Vec<String>>) {
    let skip =
        |text: &mut Peekable<Chars<'_>>| while text.next_if(|c| c.is_whitespace()).is_some() {};
    skip(text);
    if text.next_if_eq(&'{').is_some() {
        loop {
            skip(text);
            while text.next_if(|c| *c == ',' || c.is_whitespace()).is_some() {}
            if text.next_if_eq(&'}').is_some() || text.peek().is_none() {
                return;
            }
            add_paths(text, before, paths);
            // What it is called here does not matter.
            while text.next_if(|c| !matches!(c, ',' | '}')).is_some() {}
        }
    }
    let mut path = before.to_vec();
    let mut word = String::new();
    while let Some(letter) = text.next_if(|c| c.is_alphanumeric() || *c == '_') {
        word.push(letter);
    }
    path.push(word);
    let mut ahead = text.clone();
    if ahead.next() == Some(':') && ahead.next() == Some(':') {
        *text = ahead;
        return add_paths(text, &path, paths);
    }
    paths.push(path);
}

/// The modules that one uses, its own parts among them. What heads its folder is left out: a part may
/// use what it is a part of.
fn uses(modules: &Modules, module: &[String]) -> BTreeSet<Vec<String>> {
    let code = &modules[module];
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("::") {
        let is_of_word = |(_, letter): &(usize, char)| letter.is_alphanumeric() || *letter == '_';
        let word = code[..at].char_indices().rev().take_while(is_of_word);
        let begin = word.last().map_or(at, |(begin, _)| begin);
        let word = &code[begin..at];
        let part = [module, &[word.to_owned()]].concat();
        let begins = !code[..begin].ends_with(':') && !word.is_empty();
        if begins && (matches!(word, "crate" | "super" | "self") || modules.contains_key(&part)) {
            add_paths(&mut code[begin..].chars().peekable(), &[], &mut paths);
        }
    }
    let resolve = |path: &Vec<String>| {
        let mut at = module.to_vec();
        for word in path {
            match word.as_str() {
                "crate" => at.clear(),
                "super" => drop(at.pop()),
                "self" => {}
                _ => {
                    at.push(word.clone());
                    if !modules.contains_key(&at) {
                        at.pop();
                        break;
                    }
                }
            }
        }
        at
    };
    let heads = |used: &Vec<String>| !used.is_empty() && module.starts_with(used);
    let used = paths.iter().map(resolve);
    used.filter(|used| used != module && !heads(used)).collect()
}

/// The modules that stand in circles, or use what does.
fn circles(modules: &Modules) -> Vec<Vec<String>> {
    let mut left: BTreeMap<_, _> = modules
        .keys()
        .map(|module| (module, uses(modules, module)))
        .collect();
    loop {
        let done: Vec<_> = left
            .iter()
            .filter(|(_, used)| !used.iter().any(|used| left.contains_key(used)))
            .map(|(module, _)| *module)
            .collect();
        if done.is_empty() {
            return left.into_keys().cloned().collect();
        }
        left.retain(|module, _| !done.contains(module));
    }
}

#[test]
fn files_of_the_checkers_use_each_other_in_no_circle() {
    let modules = modules("checkers/src");
    let used: usize = modules
        .keys()
        .map(|module| uses(&modules, module).len())
        .sum();
    assert!(used > 300, "{used} uses were found");
    assert_eq!(circles(&modules), [[""; 0]; 0]);
}

#[test]
fn circles_are_found_however_they_are_written() {
    let module = |path: &str, code: &str| {
        let path = path.split('/').filter(|part| !part.is_empty());
        (path.map(str::to_owned).collect::<Vec<_>>(), code.to_owned())
    };
    let of = |c: &str| {
        let all = [
            module("", "mod a; mod b; mod c; pub use a::A;"),
            module("a", "mod part; use part::P; use crate::b::{self, B};"),
            module("a/part", "use super::A; use super::super::c::C;"),
            module(
                "b",
                "use crate::{c as d, c::C as D}; fn f() -> crate::c::C {}",
            ),
            module("c", c),
        ];
        circles(&all.into_iter().collect())
    };
    assert_eq!(of("pub struct C;"), [[""; 0]; 0]);
    assert_eq!(of("use crate::{\n    x,\n    b::B,\n};").len(), 5);
    assert_eq!(of("fn f() { crate::a::part::g(); }").len(), 5);
}

/// Files that are longer than [`LONGEST`], and why each is one.
const LONG: [(&str, &str); 8] = [
    (
        "src/nodes/process/running.rs",
        "one state: a running process, its pipes and its end",
    ),
    (
        "src/nodes/process/tracer/engine/mod.rs",
        "one state: what each traced thread is about",
    ),
    (
        "src/runner.rs",
        "one state: a run from the first request to the last read",
    ),
    (
        "src/simulation/mod.rs",
        "one state: time, network and faults of a run",
    ),
    (
        "src/nodes/serve.rs",
        "half of it is tests of lines that make no sense",
    ),
    (
        "src/nodes/process/idle.rs",
        "one proof, of rest, with its tests",
    ),
    (
        "checkers/src/explanation.rs",
        "the sentence of each finding",
    ),
    (
        "oracles/src/siblings/generate.rs",
        "one simulator, kept apart from that of the program",
    ),
];

/// Lines of a file that holds one idea.
const LONGEST: usize = 600;

#[test]
fn a_long_file_has_a_reason() {
    let mut files = BTreeSet::new();
    for folder in ["src", "checkers/src", "oracles/src", "ptrace/src"] {
        collect(&root().join(folder), &mut files);
    }
    for file in files.iter().filter(|file| !file.ends_with('/')) {
        let lines = fs::read_to_string(root().join(file))
            .unwrap()
            .lines()
            .count();
        let listed = LONG.iter().any(|(long, _)| long == file);
        assert_eq!(
            lines > LONGEST,
            listed,
            "{file} has {lines} lines: split it, or keep the list of long files true"
        );
    }
}

/// What can be named on the command line stands in the documents of whoever looks for it.
#[test]
fn what_has_a_name_is_documented() {
    let read = |file: &str| fs::read_to_string(root().join(file)).unwrap();
    let (readme, guide) = (read("README.md"), read("docs/check-your-node.md"));
    let dialects = read("docs/custom-dialects.md");
    let named = |text: &str, name: &str| text.contains(&format!("`{name}`"));
    for dialect in Dialect::BUILT_IN {
        let (name, object) = (dialect.name(), dialect.workload().object());
        assert!(
            named(&dialects, name),
            "the dialect {name} is not described"
        );
        assert!(
            dialects.contains(object),
            "no dialect of {object} is described"
        );
    }
    for fault in FaultName::ALL {
        let name = fault.name();
        assert!(
            named(&guide, name),
            "the guide does not name the fault {name}"
        );
    }
    let store = read("docs/reference-store.md");
    for command in COMMANDS {
        let begin = format!("`{}", command.name);
        assert!(store.contains(&begin), "{} is not described", command.form);
    }
    for store in StoreName::all() {
        assert!(
            readme.contains(&store.to_string()),
            "the README does not name {store}"
        );
    }
    for format in FORMATS {
        assert!(
            readme.contains(format.name),
            "the README does not name {}",
            format.name
        );
    }
    for claim in Claim::ALL {
        assert!(
            named(&readme, claim.name()),
            "the README does not name the claim {claim}"
        );
    }
}
