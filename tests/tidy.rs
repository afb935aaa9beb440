//! Rules of the house that no compiler holds: who may name whom, how long a file may be, where unsafe code may stand.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

/// A module names only modules of earlier rows (docs/ARCHITECTURE.md), so a cycle cannot be written.
const ROWS: [&[&str]; 10] = [
    &["model"],
    &["health", "routing"],
    &["snapshot"],
    &["clock", "metrics", "program", "settings", "supervision", "tls"],
    &["dns", "import", "probe", "resolve", "store", "traffic"],
    &["control"],
    &["fleet"],
    &["api"],
    &["cli"],
    &["lib", "main"],
];

/// The pure core: no I/O, no clock, no runtime, no serialization.
const CORE: [&str; 4] = ["model", "health", "routing", "snapshot"];
const FORBIDDEN_IN_CORE: [&str; 12] = [
    "tokio::",
    "hyper::",
    "hickory",
    "serde",
    "axum::",
    "tracing::",
    "getrandom",
    "Instant::now",
    "SystemTime",
    "std::fs",
    "UdpSocket",
    "TcpStream",
];

/// Lines of a file that tells one story; tests may run on for longer.
const LONGEST: usize = 400;
const LONGEST_TEST: usize = 600;

struct File {
    path: String,
    text: String,
}

impl File {
    fn module(&self) -> &str {
        first_word(self.path.trim_start_matches("src/"))
    }

    fn is_test(&self) -> bool {
        self.path.contains("tests") || self.path.contains("testbed")
    }

    /// The text without a test module at its end.
    fn code(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod ").next().unwrap()
    }
}

fn rust_files(dir: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut dirs = vec![root.join(dir)];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.push(File { path, text });
            }
        }
    }
    assert!(!files.is_empty());
    files
}

fn first_word(text: &str) -> &str {
    text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_').next().unwrap()
}

/// The modules that a text names by `crate::`, also in lists (`use crate::{model, health}` is not written here).
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split("crate::").skip(1).map(first_word)
}

#[test]
fn modules_name_only_earlier_rows() {
    let row = |module: &str| ROWS.iter().position(|row| row.contains(&module));
    for file in rust_files("src") {
        let own = row(file.module()).unwrap_or_else(|| panic!("{} is in no row", file.path));
        for used in named(&file.text) {
            let used_row = row(used)
                .unwrap_or_else(|| panic!("{} names crate::{used}, which is in no row", file.path));
            assert!(used == file.module() || used_row < own, "{} names crate::{used}", file.path);
        }
    }
}

#[test]
fn the_core_has_no_world_of_its_own() {
    for file in rust_files("src").iter().filter(|it| CORE.contains(&it.module())) {
        for word in FORBIDDEN_IN_CORE {
            assert!(!file.code().contains(word), "{} names {word}", file.path);
        }
    }
}

#[test]
fn libraries_have_their_places() {
    let places = [
        ("csv::", "settings"),
        ("h3::", "dns"),
        ("h3_quinn::", "dns"),
        ("hickory", "resolve"),
        ("axum::", "api"),
        ("clap::", "cli"),
        ("k8s_openapi::", "fleet"),
        ("kube::", "fleet"),
        ("maxminddb::", "settings"),
        ("quinn::", "dns"),
        ("ratatui::", "cli"),
        ("reqwest::", "cli traffic"),
    ];
    for file in rust_files("src").iter().filter(|it| !it.is_test()) {
        for (library, module) in places {
            let names_it = file
                .code()
                .lines()
                .any(|it| !it.trim_start().starts_with("//") && it.contains(library));
            let has_place = module.split(' ').any(|it| it == file.module());
            assert!(!names_it || has_place, "{} names {library}", file.path);
        }
    }
}

#[test]
fn files_are_short() {
    for file in rust_files("src").iter().chain(&rust_files("tests")) {
        let is_test = file.is_test() || file.path.starts_with("tests");
        let (lines, longest) =
            (file.text.lines().count(), if is_test { LONGEST_TEST } else { LONGEST });
        assert!(lines <= longest, "{} has {lines} lines: find its second subject", file.path);
    }
}

#[test]
fn unsafe_code_stands_in_one_file() {
    for file in rust_files("src") {
        let has = file.text.lines().any(|it| {
            let code = it.split("//").next().unwrap();
            code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl")
        });
        assert!(!has || file.path == "src/dns/sys.rs", "{} has unsafe code", file.path);
    }
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let mut in_dependencies = false;
    let mut reason = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]");
        } else if in_dependencies && line.starts_with('#') {
            reason = true;
        } else if in_dependencies && line.contains('=') {
            // serde_json goes with serde, tracing-subscriber with tracing.
            let with_the_line_above =
                ["serde_json", "tracing-subscriber"].contains(&line.split(' ').next().unwrap());
            assert!(reason || with_the_line_above, "{line} has no reason");
            reason = false;
        }
    }
}

#[test]
fn one_crypto_provider_is_in_the_tree() {
    let lock =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    let has = |name: &str| lock.contains(&format!("name = \"{name}\"\n"));
    assert!(has("ring"));
    for other in ["aws-lc-rs", "openssl", "boring", "native-tls"] {
        assert!(!has(other), "{other} is in the tree beside ring");
    }
}
