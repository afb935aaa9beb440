//! A zone with a little of everything, asked for with Knot's kdig over both transports and both families.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use common::daemon::{Daemon, Home, data};
use common::dns::{Query, Reply, ask_tcp, client, connect, exchange};
use common::{loopback, program};

fn profile(name: &str, target: &str) -> String {
    format!(
        "[[profile]]\nname = '{name}'\nmethod = 'weighted'\nttl = 20\nmonitor = {{ protocol = 'none' }}\n\
         [[profile.endpoint]]\nname = 'here'\ntarget = {target}\n"
    )
}

/// A daemon that listens on IPv4 and IPv6, with the zone `rich.zone` and more lines of it.
fn daemon(more: &str) -> Daemon {
    let profiles = [
        profile("app.gtm.example.", "['192.0.2.10', '2001:db8::10']"),
        profile("gtm.example.", "'192.0.2.11'"),
        profile("*.apps.gtm.example.", "'192.0.2.12'"),
        profile("v4.gtm.example.", "'192.0.2.13'"),
    ];
    let zone = "[[zone]]\nname = 'gtm.example.'\nfile = 'rich.zone'\n".to_owned();
    let home = Home::new(&(zone + &profiles.concat()));
    home.write("rich.zone", &(fs::read_to_string(data("rich.zone")).unwrap() + more));
    home.listen(&[&format!("{}:0", loopback()), "[::1]:0"]).start()
}

/// What kdig shows, in the form of `rich.cases`.
fn kdig(server: SocketAddr, options: &str) -> String {
    let mut command = Command::new("kdig");
    command.arg(format!("@{}", server.ip())).arg("-p").arg(server.port().to_string());
    command.args(["+norecurse", "+timeout=20", "+retry=0"]).args(options.split(' '));
    let output = program::run(&mut command, "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !text.contains("WARNING"), "{options}: {text}");
    let field = |before: &str| text.split_once(before).unwrap().1.split(';').next().unwrap().trim();
    let flags: Vec<&str> = field(";; Flags:").split(' ').filter(|it| *it != "qr").collect();
    let mut lines = vec![format!("{} {}", field("status:"), flags.join(" ")).trim().to_owned()];
    let sections = [("=", "ANSWER"), ("~", "AUTHORITY"), ("+", "ADDITIONAL")];
    for (mark, section) in sections {
        let Some((_, rest)) = text.split_once(&format!(";; {section} SECTION:\n")) else {
            continue;
        };
        let records = rest.lines().take_while(|it| !it.is_empty());
        let words = |it: &str| it.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let records: Vec<String> = records
            .map(words)
            .map(|it| format!("{mark} {} {} {}", it[0], it[1], it[3..].join(" ")))
            .collect();
        lines.extend(records);
    }
    lines.join("\n")
}

#[test]
fn a_rich_zone_is_answered_as_the_cases_say() {
    let daemon = daemon("");
    let text = fs::read_to_string(data("rich.cases")).unwrap();
    let lines: Vec<&str> = text.lines().filter(|it| !it.starts_with('#')).collect();
    let text = lines.join("\n");
    let cases: Vec<&str> = text.split("? ").map(str::trim).filter(|it| !it.is_empty()).collect();
    assert!(cases.len() > 60, "{}", cases.len());
    let [v4, v6] = daemon.dns[..] else { panic!("two addresses") };
    let mut wrong = Vec::new();
    for (number, case) in cases.into_iter().enumerate() {
        let (question, expected) = case.split_once('\n').unwrap_or((case, ""));
        // Every transport and family gets a part of the cases.
        let (server, transport) =
            [(v4, "+notcp"), (v6, "+notcp"), (v4, "+tcp"), (v6, "+tcp +edns")][number % 4];
        let seen = kdig(server, &format!("{transport} {question}"));
        if seen != expected.trim() {
            wrong.push(format!("{question}\nexpected {expected}\nseen {seen}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_round_of_dnames_ends() {
    let daemon = daemon("");
    let query = Query::new("x.round.gtm.example.", "A");
    let reply = ask_tcp(&mut connect(daemon.dns[0]), &query).unwrap();
    let dnames = reply.answer.iter().filter(|it| it.contains(" DNAME ")).count();
    assert_eq!((reply.head(), dnames), ("NOERROR aa".to_owned(), 1), "{reply:?}");
    assert!(reply.answer.len() <= 20, "{reply:?}");
}

#[test]
fn a_dname_that_makes_a_name_too_long_is_yxdomain() {
    let daemon = daemon(&format!("grow DNAME {}.grow\n", "g".repeat(40)));
    let labels = ["x".repeat(60), "y".repeat(60), "z".repeat(60), "w".repeat(20)];
    let reply = daemon.ask(&Query::new(&format!("{}.grow.gtm.example.", labels.join(".")), "A"));
    assert_eq!(reply.head(), "YXDOMAIN aa");
    assert_eq!(reply.data(), [format!("{}.grow.gtm.example.", "g".repeat(40))]);
}

#[test]
fn what_does_not_fit_is_truncated_and_whole_over_tcp() {
    let long: String = (0..100).map(|it| format!("long A 198.51.100.{it}\n")).collect();
    let daemon = daemon(&long);
    for (size, expected) in [(None, 512), (Some(0), 512), (Some(600), 600), (Some(4096), 1232)] {
        let query = Query::new("long.gtm.example.", "A");
        let query = size.iter().fold(query, |query, size| query.size(*size));
        let reply = daemon.ask(&query);
        assert_eq!((reply.head(), reply.answer.len()), ("NOERROR aa tc".to_owned(), 0));
        assert_eq!((reply.question.len(), reply.opt.is_some()), (1, size.is_some()));
        assert!(reply.length <= expected, "{}", reply.length);
    }
    let whole = ask_tcp(&mut connect(daemon.dns[0]), &Query::new("long.gtm.example.", "A"));
    let whole = whole.unwrap();
    assert_eq!((whole.head(), whole.answer.len()), ("NOERROR aa".to_owned(), 100));
}

#[test]
fn names_of_255_octets_are_answered() {
    // With `.gtm.example.` and the lengths of the labels it is 255 octets.
    let labels = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(49)];
    let longest = labels.join(".");
    let daemon = daemon(&format!("{longest} A 192.0.2.99\n"));
    let reply = daemon.ask(&Query::new(&format!("{longest}.gtm.example."), "A"));
    assert_eq!(
        (reply.head(), reply.data()),
        ("NOERROR aa".to_owned(), vec!["192.0.2.99".to_owned()])
    );
}

#[test]
fn the_target_of_srv_is_not_compressed() {
    let daemon = daemon("");
    let query = Query::new("_sip._tcp.gtm.example.", "SRV").wire();
    let packet = exchange(&daemon.client(), &query).unwrap();
    let target = b"\x03www\x03gtm\x07example\x00";
    assert!(packet.windows(target.len()).any(|it| it == target), "{packet:02x?}");
}

#[test]
fn answers_leave_from_the_address_that_was_asked() {
    let home = Home::new("[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns.example.'\n");
    let daemon = home.listen(&["0.0.0.0:0", "[::]:0"]).start();
    let [v4, v6] = daemon.dns[..] else { panic!("two addresses") };
    let hosts = (0..4).map(|_| SocketAddr::new(loopback(), v4.port()));
    for asked in hosts.chain([SocketAddr::new("::1".parse().unwrap(), v6.port())]) {
        // A connected socket drops what comes from elsewhere.
        let query = Query::new("gtm.example.", "NS");
        let reply = Reply::read(&exchange(&client(asked), &query.wire()).unwrap());
        assert_eq!(reply.data(), ["ns.example."], "{asked}");
    }
}
