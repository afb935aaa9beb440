//! Wildcards as RFC 4592 has them, zones in zones, chains of aliases, and what delegations hide.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use common::daemon::{Daemon, Home};
use common::dns::{Query, ask_tcp, connect};

const APEX: &str = "$TTL 3600\n@ SOA ns.example.com. h 1 2 3 4 5\n@ NS ns.example.com.\n";

/// A daemon with these zones and their lines below the apex.
fn daemon(zones: &[(&str, &str)]) -> Daemon {
    let table =
        |(name, _): &(&str, &str)| format!("[[zone]]\nname = '{name}'\nfile = '{name}zone'\n");
    let home = Home::new(&zones.iter().map(table).collect::<String>());
    for (name, lines) in zones {
        home.write(&format!("{name}zone"), &format!("{APEX}{lines}"));
    }
    home.start()
}

/// Asks `name type`; expects status and flags, then of each record owner, type and data: `=` answer, `~` authority, `+` additional.
#[track_caller]
fn check(daemon: &Daemon, rows: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (question, expected) in rows {
        let (name, record_type) = question.split_once(' ').unwrap();
        let query = Query::new(name, record_type);
        let reply = ask_tcp(&mut connect(daemon.dns[0]), &query).unwrap();
        let mut seen = reply.head();
        for (mark, records) in
            [("=", &reply.answer), ("~", &reply.authority), ("+", &reply.additional)]
        {
            for record in records {
                let mut words = record.splitn(4, ' ');
                let (owner, record_type) = (words.next().unwrap(), words.nth(1).unwrap());
                let data = words.next().unwrap();
                // Of a SOA it counts whose it is.
                let data = if record_type == "SOA" { "" } else { data };
                seen.push_str(format!(" {mark} {owner} {record_type} {data}").trim_end());
            }
        }
        if seen != *expected {
            wrong.push(format!("{question}\nexpected {expected}\nseen     {seen}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The zone of RFC 4592 2.2.1.
const WILDCARDS: &str = r#"
@                    NS  ns.example.net.
*                    TXT "this is a wildcard"
*                    MX  10 host1.example.
sub.*                TXT "this is not a wildcard"
host1                A   192.0.2.1
_ssh._tcp.host1      SRV 0 0 22 host1
_ssh._tcp.host2      SRV 0 0 22 host1
subdel               NS  ns.example.com.
subdel               NS  ns.example.net.
"#;

#[test]
fn wildcards_stand_for_what_rfc_4592_says() {
    let daemon = daemon(&[("example.", WILDCARDS)]);
    check(
        &daemon,
        &[
            // "The following responses would be synthesized from one of the wildcards in the zone"
            ("host3.example. MX", "NOERROR aa = host3.example. MX 10 host1.example."),
            ("host3.example. A", "NOERROR aa ~ example. SOA"),
            ("foo.bar.example. TXT", "NOERROR aa = foo.bar.example. TXT \"this is a wildcard\""),
            // "The following responses would not be synthesized from any of the wildcards in the zone"
            ("host1.example. MX", "NOERROR aa ~ example. SOA"),
            ("sub.*.example. MX", "NOERROR aa ~ example. SOA"),
            ("_telnet._tcp.host1.example. SRV", "NXDOMAIN aa ~ example. SOA"),
            (
                "host.subdel.example. A",
                "NOERROR ~ subdel.example. NS ns.example.com. ~ subdel.example. NS ns.example.net.",
            ),
            ("ghost.*.example. MX", "NXDOMAIN aa ~ example. SOA"),
            // The wildcard itself, and names that exist only for others below them.
            ("*.example. TXT", "NOERROR aa = *.example. TXT \"this is a wildcard\""),
            ("*.example. A", "NOERROR aa ~ example. SOA"),
            ("host2.example. MX", "NOERROR aa ~ example. SOA"),
            ("_tcp.host2.example. TXT", "NOERROR aa ~ example. SOA"),
            ("_telnet._tcp.host2.example. SRV", "NXDOMAIN aa ~ example. SOA"),
            ("subdel.example. DS", "NOERROR aa ~ example. SOA"),
        ],
    );
}

#[test]
fn the_deepest_zone_answers_and_its_parent_has_its_ds() {
    let ds = format!("7 8 2 {}", "0a".repeat(32));
    let parent = format!(
        "in NS ns.in\nns.in A 192.0.2.1\nin DS {ds}\nhidden.in TXT hidden\nto-in CNAME www.in\n*.in TXT hidden\ndeep.un.in NS ns.in\n"
    );
    let daemon = daemon(&[("out.", &parent), ("in.out.", "www A 192.0.2.2\n"), ("b.a.out.", "")]);
    check(
        &daemon,
        &[
            ("www.in.out. A", "NOERROR aa = www.in.out. A 192.0.2.2"),
            ("hidden.in.out. TXT", "NXDOMAIN aa ~ in.out. SOA"),
            ("x.in.out. TXT", "NXDOMAIN aa ~ in.out. SOA"),
            ("in.out. NS", "NOERROR aa = in.out. NS ns.example.com."),
            ("in.out. DS", &format!("NOERROR aa = in.out. DS {ds}")),
            ("www.in.out. DS", "NOERROR aa ~ in.out. SOA"),
            // An alias is followed within its zone.
            ("to-in.out. A", "NOERROR aa = to-in.out. CNAME www.in.out."),
            // Its parent doesn't know this zone, and must not say that it doesn't exist.
            ("b.a.out. DS", "NOERROR aa ~ b.a.out. SOA"),
            ("b.a.out. SOA", "NOERROR aa = b.a.out. SOA"),
            // Nor that of a name above it, which strict resolvers ask for on their way.
            ("a.out. A", "NOERROR aa ~ out. SOA"),
            ("c.a.out. A", "NXDOMAIN aa ~ out. SOA"),
            ("out. DS", "NOERROR aa ~ out. SOA"),
        ],
    );
}

#[test]
fn delegations_hide_what_is_below_and_aliases_may_be_signed() {
    let daemon = daemon(&[(
        "z.",
        "s NS ns.s\nns.s A 192.0.2.1\nx.s TXT hidden\ns TXT hidden\n*.s A 192.0.2.9\nt.s NS ns.elsewhere.\nto-s CNAME x.s\n\
         alias CNAME b\nalias RRSIG CNAME 8 2 300 20300101000000 20200101000000 1 z. AQID\nb A 192.0.2.2\n",
    )]);
    let referral = "~ s.z. NS ns.s.z. + ns.s.z. A 192.0.2.1";
    check(
        &daemon,
        &[
            ("x.s.z. TXT", &format!("NOERROR {referral}")),
            ("s.z. TXT", &format!("NOERROR {referral}")),
            ("a.s.z. A", &format!("NOERROR {referral}")),
            ("ns.s.z. A", &format!("NOERROR {referral}")),
            ("a.t.s.z. DS", &format!("NOERROR {referral}")),
            ("to-s.z. A", &format!("NOERROR aa = to-s.z. CNAME x.s.z. {referral}")),
            ("alias.z. A", "NOERROR aa = alias.z. CNAME b.z. = b.z. A 192.0.2.2"),
            (
                "alias.z. RRSIG",
                "NOERROR aa = alias.z. RRSIG CNAME 8 2 300 1893456000 1577836800 1 z. AQID",
            ),
        ],
    );
}

#[test]
fn chains_of_aliases_are_cut() {
    let chain: String = (0..30).map(|it| format!("c{it} CNAME c{}\n", it + 1)).collect();
    let daemon = daemon(&[(
        "z.",
        &format!(
            "{chain}c30 A 192.0.2.1\nl0 CNAME l1\nl1 CNAME l2\nl2 CNAME l0\nself CNAME self\n"
        ),
    )]);
    for (name, links, has_end) in [
        ("c29", 1, true),
        ("c15", 15, true),
        ("c14", 16, false),
        ("c0", 16, false),
        ("l1", 3, false),
        ("self", 1, false),
    ] {
        let query = Query::new(&format!("{name}.z."), "A");
        let reply = ask_tcp(&mut connect(daemon.dns[0]), &query).unwrap();
        let count = |what: &str| reply.answer.iter().filter(|it| it.contains(what)).count();
        let seen = (reply.head(), count(" CNAME "), count(" A "));
        assert_eq!(seen, ("NOERROR aa".to_owned(), links, usize::from(has_end)), "{name}");
    }
}
