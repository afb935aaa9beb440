//! A zone with every record type, asked for beside the servers whose files Farol reads: the same data in all of them.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use common::daemon::{Home, data};
use common::program::Program;
use common::{program, wait_until};
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
fn compare(files: &[&str], other: impl FnOnce(SocketAddr, &Path, &Path) -> Program) {
    let zone = zone(files);
    let home = Home::new("[[zone]]\nname = 'z.'\nfile = 'z.zone'\n");
    home.write("z.zone", &zone);
    let directory = home.path("other");
    fs::create_dir(&directory).unwrap();
    // Of the loopback addresses, BIND takes only those that an interface has.
    let there = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _program = other(there, &directory, &home.path("z.zone"));
    let daemon = home.start();
    let apex = BTreeSet::from([["z.".to_owned(), "TYPE6".to_owned()]]);
    let mut probe = Command::new("kdig");
    probe.arg(format!("@{}", there.ip())).arg("-p").arg(there.port().to_string());
    probe.args(["+retry=0", "+timeout=1", "+short", "z.", "SOA"]);
    wait_until("answer of the other server", || {
        String::from_utf8(program::run(&mut probe, "").stdout).unwrap().starts_with("ns.z.")
    });
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
    compare(&["types.zone"], |address, directory, zone| {
        let config = format!(
            "server:\n  rundir: \"{0}\"\n  listen: {1}@{2}\nlog:\n- target: stderr\n  any: info\ndatabase:\n  storage: \"{0}\"\n\
             template:\n- id: default\n  semantic-checks: off\n  journal-content: none\n  zonefile-sync: -1\n\
             zone:\n- domain: z.\n  file: \"{3}\"\n",
            directory.display(),
            address.ip(),
            address.port(),
            zone.display(),
        );
        let file = directory.join("knot.conf");
        fs::write(&file, config).unwrap();
        Program::start(Command::new("knotd").arg("-c").arg(file), &directory.join("log"))
    });
}

#[test]
fn nsd_answers_the_same() {
    compare(&["types.zone", "types.nsd.zone"], |address, directory, zone| {
        let config = format!(
            "server:\n ip-address: {1}@{2}\n username: \"\"\n chroot: \"\"\n zonesdir: \"\"\n database: \"\"\n pidfile: \"\"\n \
             xfrdfile: \"\"\n xfrdir: \"{0}\"\n zonelistfile: \"{0}/zones\"\n cookie-secret-file: \"{0}/cookies\"\n \
             server-count: 1\nremote-control:\n control-enable: no\nzone:\n name: z.\n zonefile: \"{3}\"\n",
            directory.display(),
            address.ip(),
            address.port(),
            zone.display(),
        );
        let file = directory.join("nsd.conf");
        fs::write(&file, config).unwrap();
        Program::start(Command::new("nsd").args(["-d", "-c"]).arg(file), &directory.join("log"))
    });
}

#[test]
fn bind_answers_the_same() {
    compare(&["types.zone", "types.nsd.zone", "types.bind.zone"], |address, directory, zone| {
        let config = format!(
            "options {{ directory \"{0}\"; listen-on port {2} {{ {1}; }}; listen-on-v6 {{ none; }}; pid-file none; \
             session-keyfile none; recursion no; dnssec-validation no; check-names primary ignore; check-integrity no; }};\n\
             controls {{ }};\nzone \"z.\" {{ type primary; file \"{3}\"; }};\n",
            directory.display(),
            address.ip(),
            address.port(),
            zone.display(),
        );
        let file = directory.join("named.conf");
        fs::write(&file, config).unwrap();
        Program::start(Command::new("named").args(["-g", "-c"]).arg(file), &directory.join("log"))
    });
}
