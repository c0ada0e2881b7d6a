//! Files a reader can hold in mind, with nothing left for later.

use crate::{none, tree};

const LONGEST_FILE: usize = 600;

fn written() -> Vec<(String, String)> {
    let folders = ["kit", "api", "services", "edge", "app", "bench", "sandbox", "tests", "docs"];
    folders.iter().flat_map(|folder| tree::files(folder, &[".rs", ".proto", ".sql", ".css", ".js", ".mjs", ".ts", ".md", ".toml"])).collect()
}

#[test]
fn no_file_is_too_long_to_read() {
    // A service's contract is one file, its table of contents, however many operations it has; so is a decision record.
    let code = written().into_iter().filter(|(path, _)| !path.ends_with(".proto") && !path.ends_with(".md"));
    let long = |(path, text): (String, String)| (text.lines().count() > LONGEST_FILE).then(|| format!("{path} has {} lines", text.lines().count()));
    none(&format!("files of more than {LONGEST_FILE} lines"), &code.filter_map(long).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_for_later() {
    // Put together, so that this file does not name them.
    let banned = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["XX", "X:"].concat(),
        ["unimple", "mented!("].concat(),
        ["to", "do!("].concat(),
        ["dbg", "!("].concat(),
    ];
    let mut sins = Vec::new();
    for (path, text) in written() {
        for (number, line) in text.lines().enumerate() {
            sins.extend(banned.iter().filter(|word| line.contains(word.as_str())).map(|word| format!("{path}:{}: {word}", number + 1)));
        }
    }
    none("promises in place of code", &sins);
}

#[test]
fn a_lint_is_waived_only_by_expect_with_a_reason() {
    let mut sins = Vec::new();
    for (path, text) in written().into_iter().filter(|(path, _)| path.ends_with(".rs")) {
        for (number, line) in text.lines().enumerate() {
            let attribute = line.trim_start();
            if attribute.starts_with("#[allow(") || attribute.starts_with("#![allow(") {
                sins.push(format!("{path}:{}: {attribute}", number + 1));
            }
        }
    }
    none("lints waived for good", &sins);
}

#[test]
fn a_file_named_for_nothing_has_not_found_its_concept() {
    let nameless =
        |path: &String| ["helpers.rs", "utils.rs", "util.rs", "common.rs", "misc.rs"].iter().any(|name| path.ends_with(&format!("/{name}")));
    let sins: Vec<String> = written().into_iter().map(|(path, _)| path).filter(nameless).collect();
    none("files without a concept", &sins);
}
