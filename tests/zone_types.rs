//! A zone with every record type, asked for beside the servers whose files Farol reads: the same data in all of them.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use common::daemon::{Home, data};
use common::program;
use common::servers::{self, Start};
use farol::model::RecordType;

/// The records of these files, below `z.`.
fn zone(files: &[&str]) -> String {
    let files: Vec<String> = files.iter().map(|it| fs::read_to_string(data(it)).unwrap()).collect();
    format!("$ORIGIN z.\n$TTL 3600\n{}", files.concat())
}

/// Each owner and type of a zone, as words for kdig.
fn questions(zone: &str) -> BTreeSet<[String; 2]> {
    let lines = zone.lines().filter(|it| !it.starts_with([';', '$']) && !it.is_empty());
    let question = |line: &str| {
        let mut words = line.split_whitespace();
        let (owner, record_type) = (words.next().unwrap(), words.next().unwrap());
        let owner = if owner == "@" { "z.".to_owned() } else { format!("{owner}.z.") };
        let record_type: RecordType = record_type.parse().unwrap();
        [owner, format!("TYPE{}", record_type.0)]
    };
    lines.map(question).collect()
}

/// What a server answers to all the questions: records with their data in hexadecimal.
fn answers(server: SocketAddr, questions: &BTreeSet<[String; 2]>) -> BTreeSet<String> {
    let mut command = Command::new("kdig");
    command.arg(format!("@{}", server.ip())).arg("-p").arg(server.port().to_string());
    command.args(["+tcp", "+timeout=20", "+retry=0", "+noall", "+answer", "+generic"]);
    command.args(questions.iter().flatten());
    let output = program::run(&mut command, "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !text.contains("WARNING"), "{text}");
    let words = |it: &str| it.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(words).filter(|it| !it.is_empty() && !it.starts_with(';')).collect()
}

/// Loads the same files here and there, asks both for everything, and compares.
fn compare(files: &[&str], other: Start) {
    let zone = zone(files);
    let home = Home::new("[[zone]]\nname = 'z.'\nfile = 'z.zone'\n");
    home.write("z.zone", &zone);
    let (daemon, there) = (home.start(), servers::free());
    let zones = [("z.".to_owned(), daemon.home.path("z.zone"))];
    let _program = other(&[there], &daemon.home.path("other"), &zones);
    servers::wait_for_zones(there, &zones);
    let apex = BTreeSet::from([["z.".to_owned(), "TYPE6".to_owned()]]);
    assert_eq!(answers(daemon.dns[0], &apex), answers(there, &apex));
    let questions = questions(&zone);
    let (here, there) = (answers(daemon.dns[0], &questions), answers(there, &questions));
    // All but the delegation, which is no answer.
    assert!(here.len() >= questions.len() - 1, "{} of {}", here.len(), questions.len());
    let differing: Vec<&String> = here.symmetric_difference(&there).collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

#[test]
fn knot_answers_the_same() {
    compare(&["types.zone"], servers::knot);
}

#[test]
fn nsd_answers_the_same() {
    compare(&["types.zone", "types.nsd.zone"], servers::nsd);
}

#[test]
fn bind_answers_the_same() {
    compare(&["types.zone", "types.nsd.zone", "types.bind.zone"], servers::bind);
}
