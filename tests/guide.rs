//! The guide is true: its table comes from the code, its output is what the program prints, and its
//! command lines are understood.
//!
//! `SIBCHECK_REGENERATE=1 cargo test --test guide` writes the blocks anew.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use sibcheck::{nodes::external::Deviation, simulation::FaultName};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn guide() -> PathBuf {
    root().join("docs/check-your-node.md")
}

fn sibcheck(folder: &Path, arguments: &[String]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sibcheck"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// Compares the block below a mark with what it should be.
fn block(mark: &str, should: &str) -> Result<(), String> {
    let text = fs::read_to_string(guide()).unwrap();
    let begin = format!("<!-- {mark} -->\n");
    let from = text.find(&begin).unwrap() + begin.len();
    let to = from + text[from..].find("<!-- end -->").unwrap();
    if text[from..to] == *should {
        return Ok(());
    }
    if env::var_os("SIBCHECK_REGENERATE").is_some() {
        let text = format!("{}{should}{}", &text[..from], &text[to..]);
        fs::write(guide(), text).unwrap();
        return Ok(());
    }
    Err(format!("the block {mark:?} should be:\n{should}"))
}

#[test]
fn every_fault_stands_in_the_guide_and_in_the_help() {
    let guide = fs::read_to_string(guide()).unwrap();
    let help = sibcheck(root(), &["check".to_owned(), "--help".to_owned()]);
    let help = String::from_utf8(help.stdout).unwrap();
    for fault in FaultName::ALL {
        let name = fault.name();
        assert!(
            guide.contains(&format!("| `{name}` |")),
            "the guide lacks {name}"
        );
        let words = help.split([' ', ',', '\n']);
        assert!(
            words.into_iter().any(|word| word == name),
            "the help lacks {name}"
        );
    }
}

#[test]
fn the_table_of_what_is_tolerated_is_the_codes() {
    let mut table =
        "| what a program does | what to do | under `--strict` |\n| --- | --- | --- |\n".to_owned();
    for deviation in Deviation::ALL {
        let strict = if deviation.fails_when_strict() {
            "fails"
        } else {
            "counted"
        };
        table += &[
            "| ",
            deviation.name(),
            " | ",
            &deviation.remedy().replace('|', "\\|"),
            " | ",
            strict,
            " |\n",
        ]
        .concat();
    }
    block("deviations", &table).unwrap();
}

/// A folder in which the guide's commands find what they name.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("guide-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for name in ["examples", "corpora"] {
        std::os::unix::fs::symlink(root().join(name), folder.join(name)).unwrap();
    }
    folder
}

/// Every command is understood: with a flag that does not exist behind it, it is that flag that is
/// complained of.
#[test]
fn the_commands_in_the_guide_are_understood() {
    let text = fs::read_to_string(guide()).unwrap();
    let folder = folder("commands");
    let commands: Vec<&str> = text
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .flat_map(str::lines)
        .filter_map(|line| line.strip_prefix("sibcheck "))
        .collect();
    assert!(commands.len() >= 8, "{commands:#?}");
    for command in commands {
        let mut words = shell_words::split(command).unwrap();
        for file in words.iter().filter(|word| word.starts_with("corpora/")) {
            assert!(root().join(file).exists(), "{file}");
        }
        words.push("--no-such-flag".to_owned());
        let output = sibcheck(&folder, &words);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{command}: {told}");
        let complaint = "unexpected argument '--no-such-flag'";
        assert!(told.contains(complaint), "{command}: {told}");
        words.pop();
        // A flag is refused before an unknown one is noticed, or not at all.
        words.push("--help".to_owned());
        assert!(sibcheck(&folder, &words).status.success(), "{command}");
    }
}
