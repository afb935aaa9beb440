//! The fuzz targets, with the inputs that were worth keeping: what once was wrong, or leads somewhere of its own.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "the fuzz targets see it from outside")]
mod fuzz;

use std::fs;
use std::path::Path;

/// Fewer than these, and a part of the corpus is missing.
const FEWEST: usize = 10;

#[track_caller]
fn replay(target: &str, run: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut inputs: Vec<_> =
        fs::read_dir(directory).unwrap().map(|it| it.unwrap().path()).collect();
    inputs.sort();
    assert!(inputs.len() >= FEWEST, "{} inputs", inputs.len());
    for input in inputs {
        let data = fs::read(&input).unwrap();
        let outcome = std::panic::catch_unwind(|| run(&data));
        assert!(outcome.is_ok(), "{}", input.display());
    }
}

#[test]
fn packets_are_answered_or_ignored() {
    replay("packet", fuzz::packet);
}

#[test]
fn questions_are_answered() {
    replay("responder", fuzz::responder);
}

#[test]
fn zone_files_are_read_or_refused() {
    replay("zone", fuzz::zone);
}

#[test]
fn configurations_are_read_or_refused() {
    replay("configuration", fuzz::configuration);
}
