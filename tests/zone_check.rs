//! What Farol says of doubtful zones, beside named-checkzone. Where the two differ, the row says why.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::program;
use farol::settings::{Inputs, load};

/// What comes before each row's lines.
const APEX: &str =
    "$TTL 300\n@ SOA ns hostmaster 1 3600 600 604800 60\n@ NS ns\nns A 192.0.2.1\nb A 192.0.2.2\n";
const DIGEST: &str = "0102030405060708091011121314151617181920212223242526272829303132";

/// What one of the two makes of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Fine,
    Warns,
    Refuses,
}
use Says::{Fine, Refuses, Warns};

/// Lines, what Farol says and a part of how, what named-checkzone says, and why they differ.
type Row = (&'static str, Says, &'static str, Says, &'static str);

const UNREAD: &str = "BIND leaves such data out and goes on; an operator who wrote it wants it";
const PROFILES: &str =
    "another zone or a profile may have it tomorrow; a zone that answered yesterday goes on";
const HIDDEN: &str = "it is never answered, as NSD and Knot say too";
const UNTOLD: &str = "BIND says nothing of what it drops, or that nobody will see";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("", Fine, "", Fine, ""),
    // Syntax.
    ("a A 192.0.2.256", Refuses, "IPv4", Refuses, ""),
    ("a BOGUS x", Refuses, "record type", Refuses, ""),
    ("a TXT \"open", Refuses, "quote is open", Refuses, ""),
    ("a TXT ( open", Refuses, "parenthesis is open", Refuses, ""),
    ("a TXT closed )", Refuses, "not opened", Refuses, ""),
    ("a CH TXT x", Refuses, "only class IN", Refuses, ""),
    ("a 1h30 A 192.0.2.1", Refuses, "TTL", Refuses, ""),
    ("a 2147483648 A 192.0.2.1", Refuses, "at most 2147483647", Warns, "BIND takes 0 instead, which nobody has meant"),
    ("a A 192.0.2.1 192.0.2.2", Refuses, "more than this type's data", Refuses, ""),
    ("a..b A 192.0.2.1", Refuses, "empty label", Refuses, ""),
    ("a DS 1 8 2 0102", Refuses, "32 octets", Refuses, ""),
    ("a MX \\# 4 000ac000", Refuses, "no data of MX", Refuses, ""),
    ("a TYPE255 \\# 0", Refuses, "only questions have", Refuses, ""),
    ("$INCLUDE missing", Refuses, "can't be read", Refuses, ""),
    ("$GENERATE 1-300 a$ A 192.0.2.$", Refuses, "256", Refuses, ""),
    ("$GENERATE 1-9 a$ A 192.0.2.$", Fine, "", Fine, ""),
    // What stands where.
    ("a.y. A 192.0.2.1", Refuses, "outside zone", Warns, UNREAD),
    ("@ CNAME b", Refuses, "CNAME and", Refuses, ""),
    ("a CNAME b\na A 192.0.2.1", Refuses, "CNAME and A", Refuses, ""),
    ("a CNAME b\na CNAME ns", Refuses, "several CNAME", Refuses, ""),
    ("a CNAME b\na RRSIG CNAME 8 2 300 20300101000000 20200101000000 1 z. AQID", Fine, "", Fine, ""),
    ("a CNAME b\na KEY 256 3 8 AQID", Refuses, "CNAME and KEY", Fine, "RFC 4034 allows RRSIG and NSEC alone, and so do NSD and Knot"),
    ("@ SOA ns h 2 2 3 4 5", Refuses, "2 SOA records", Refuses, ""),
    ("a SOA ns h 2 2 3 4 5", Refuses, "only the apex", Refuses, ""),
    ("@ DS 1 8 2 DIGEST", Refuses, "DS at the apex", Refuses, ""),
    ("* NS ns", Refuses, "wildcard with NS", Refuses, ""),
    ("a DNAME b\na DNAME c", Refuses, "several DNAME", Refuses, ""),
    ("a DNAME b\nx.a A 192.0.2.1", Refuses, "below the DNAME", Fine, HIDDEN),
    ("@ DNAME y.", Refuses, "below the DNAME", Refuses, ""),
    ("*.a DNAME b", Fine, "", Fine, ""),
    // Nameservers and delegations.
    ("@ NS missing", Warns, "no address", Refuses, PROFILES),
    ("@ NS alias\nalias CNAME b", Refuses, "is a CNAME", Refuses, ""),
    ("@ NS 192.0.2.1.", Warns, "written like an address", Warns, ""),
    ("@ NS ns.elsewhere.", Fine, "", Fine, ""),
    ("s NS b", Fine, "", Fine, ""),
    ("s NS missing", Warns, "has no address", Warns, ""),
    ("s NS alias\nalias CNAME b", Warns, "is a CNAME", Warns, ""),
    ("s NS ns.s", Warns, "only this zone can tell", Warns, ""),
    ("s NS ns.s\nns.s A 192.0.2.1", Fine, "", Fine, ""),
    ("s NS ns.s\nns.s CNAME b", Warns, "only this zone can tell", Warns, ""),
    ("s NS ns.t\nt NS ns.elsewhere.", Warns, "only this zone can tell", Warns, ""),
    ("s NS b\nx.s TXT hidden", Warns, "never answered", Fine, UNTOLD),
    ("s NS b\ns TXT hidden", Warns, "never answered", Fine, UNTOLD),
    ("s NS b\ns DS 1 8 2 DIGEST", Fine, "", Fine, ""),
    ("s DS 1 8 2 DIGEST", Warns, "has DS but no NS", Fine, UNTOLD),
    // What records lead to.
    ("@ MX 10 b", Fine, "", Fine, ""),
    ("@ MX 0 .", Fine, "", Fine, ""),
    ("@ MX 10 missing", Warns, "has no address", Warns, ""),
    ("@ MX 10 mx.elsewhere.", Fine, "", Fine, ""),
    ("@ MX 10 alias\nalias CNAME b", Warns, "is a CNAME", Warns, ""),
    ("@ MX 10 192.0.2.1", Warns, "written like an address", Warns, ""),
    ("@ MX 10 192.0.2.1.", Warns, "written like an address", Warns, ""),
    ("@ MX 10 a.w\n*.w A 192.0.2.1", Fine, "", Fine, ""),
    ("@ MX 10 e\nx.e A 192.0.2.1", Warns, "has no address", Warns, ""),
    ("_s._tcp SRV 1 1 1 b", Fine, "", Fine, ""),
    ("_s._tcp SRV 1 1 1 missing", Warns, "has no address", Warns, ""),
    ("_s._tcp SRV 1 1 1 alias\nalias CNAME b", Warns, "is a CNAME", Warns, ""),
    ("_s._tcp SRV 0 0 0 .", Fine, "", Fine, ""),
    ("a CNAME missing", Fine, "", Fine, ""),
    // Names.
    ("a_b A 192.0.2.1", Warns, "no host's name", Warns, ""),
    ("-a AAAA 2001:db8::1", Warns, "no host's name", Warns, ""),
    ("*.w A 192.0.2.1", Fine, "", Fine, ""),
    ("a.*.w TXT x", Warns, "not its first label", Warns, ""),
    ("a_b TXT x", Fine, "", Fine, ""),
    ("@ MX 10 a_b.y.", Warns, "no host's name", Warns, ""),
    ("_s SRV 1 1 1 a_b.y.", Warns, "no host's name", Warns, ""),
    // Sets.
    ("b 60 A 192.0.2.3", Warns, "different TTLs; all get the lowest, 60", Warns, ""),
    ("b A 192.0.2.2", Warns, "written twice", Fine, UNTOLD),
    ("a SPF \"v=spf1 -all\"", Warns, "nobody reads", Warns, ""),
    ("a SPF \"v=spf1 -all\"\na TXT \"v=spf1 -all\"", Fine, "", Fine, ""),
];

fn farol(directory: &Path) -> (Says, String) {
    match load(&Inputs::from(vec![directory.join("farol.toml")])) {
        Err(problems) => (Refuses, problems.to_string()),
        Ok(settings) if settings.warnings.is_empty() => (Fine, String::new()),
        Ok(settings) => {
            let warnings: Vec<String> = settings.warnings.iter().map(ToString::to_string).collect();
            (Warns, warnings.join("\n"))
        }
    }
}

/// Without asking other servers for names outside the zone.
fn named(directory: &Path) -> (Says, String) {
    let mut command = Command::new("named-checkzone");
    command.args(["-i", "local", "z.", "z.zone"]).current_dir(directory);
    let output = program::run(&mut command, "");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let is_quiet = text.lines().all(|it| it == "OK" || it.contains("loaded serial"));
    match (output.status.success(), is_quiet) {
        (false, _) => (Refuses, text),
        (true, false) => (Warns, text),
        (true, true) => (Fine, text),
    }
}

#[test]
fn zones_are_checked_as_named_checkzone_does_or_it_is_said_why_not() {
    let directory = tempfile::tempdir().unwrap();
    let at = |file: &str| directory.path().join(file);
    fs::write(at("farol.toml"), "[[zone]]\nname = 'z.'\nfile = 'z.zone'\n").unwrap();
    let mut wrong = Vec::new();
    for (lines, here, how, there, why) in ROWS {
        assert_eq!(
            here == there,
            why.is_empty(),
            "{lines}: a difference, and no other, has a reason"
        );
        fs::write(at("z.zone"), format!("{APEX}{}\n", lines.replace("DIGEST", DIGEST))).unwrap();
        let (ours, theirs) = (farol(directory.path()), named(directory.path()));
        if (ours.0, theirs.0) != (*here, *there) || !ours.1.contains(how) {
            wrong.push(format!(
                "{lines}\nexpected {here:?} {how}, {there:?}\nseen {ours:?}\n{theirs:?}\n"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_warning_names_file_and_line() {
    let directory = tempfile::tempdir().unwrap();
    let at = |file: &str| directory.path().join(file);
    fs::write(at("farol.toml"), "[[zone]]\nname = 'z.'\nfile = 'z.zone'\n").unwrap();
    fs::write(at("z.zone"), format!("{APEX}$INCLUDE more\n@ MX 10 missing\n")).unwrap();
    fs::write(at("more"), "\nb A 192.0.2.2\nx A 192.0.2.300\n").unwrap();
    let (says, told) = farol(directory.path());
    assert!(
        says == Refuses
            && told.contains("more:3: zone[z.]: found \"x A 192.0.2.300\"; `192.0.2.300` stands"),
        "{told}"
    );
    fs::write(at("more"), "\nb A 192.0.2.2\n").unwrap();
    let (says, told) = farol(directory.path());
    assert!(
        says == Warns && told.contains("z.zone:7: zone[z.]: MX of `z.` leads to `missing.z.`"),
        "{told}"
    );
    assert!(told.contains("more:2: zone[z.]: this A of `b.z.` is written twice"), "{told}");
    let many: String = (0..150).map(|it| format!("a_{it} A 192.0.2.1\n")).collect();
    fs::write(at("more"), many).unwrap();
    let (_, told) = farol(directory.path());
    assert_eq!(told.lines().count(), 101, "{told}");
    assert!(told.ends_with("and 51 warnings more"), "{told}");
}
