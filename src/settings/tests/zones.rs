//! Zones: made records, zone files, and how profiles fit in.

use super::*;

/// A zone of this name beside the base's, with these keys.
fn zone(keys: &str) -> String {
    format!("{BASE}[[zone]]\nname = 'y.'\n{keys}\n")
}

fn made(keys: &str) -> Zone {
    (*good(&zone(&format!("nameservers = ['ns.example.', 'ns.y.']\n{keys}"))).model.zones[1])
        .clone()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

#[test]
fn the_apex_is_made_from_nameservers() {
    let zone = made("ttl = 77\nsoa = { serial = 5 }");
    let soa = zone.find(&name("y."), RecordType::SOA).unwrap();
    let mut data = b"\x02ns\x07example\x00\x0ahostmaster\x01y\x00".to_vec();
    for number in [5_u32, 3600, 600, 604_800, 60] {
        data.extend(number.to_be_bytes());
    }
    assert_eq!((soa.ttl, soa.first().unwrap()), (77, &*data));
    let ns = zone.find(&name("y."), RecordType::NS).unwrap();
    assert_eq!((ns.ttl, ns.data().count()), (77, 2));
    assert_eq!(made("").find(&name("y."), RecordType::NS).unwrap().ttl, 3600);

    let zone = made(
        "soa = { mname = 'M.', rname = 'r.', serial = 5, refresh = 1, retry = 2, expire = 3, minimum = 4 }",
    );
    let mut data = b"\x01m\x00\x01r\x00".to_vec();
    for number in [5_u32, 1, 2, 3, 4] {
        data.extend(number.to_be_bytes());
    }
    assert_eq!(zone.find(&name("y."), RecordType::SOA).unwrap().first(), Some(&*data));
}

#[test]
fn the_serial_follows_what_the_zone_says_and_nothing_else() {
    let serial = |keys: &str| made(keys).soa().serial;
    let same = serial("");
    assert_ne!(same, 0);
    assert_eq!(serial("\n\n# a comment"), same);
    assert_eq!(serial(&format!("{PROFILE}{ENDPOINT}")), same, "a profile of another zone");
    let profile =
        |method: &str| format!("[[profile]]\nname = 'p.y.'\nmethod = '{method}'\n{ENDPOINT}");
    let others = [
        serial("ttl = 60"),
        serial("soa = { minimum = 61 }"),
        serial("file = 'static.zone'"),
        serial(&profile("weighted")),
    ];
    for (index, other) in others.iter().enumerate() {
        assert!(*other != same && !others[..index].contains(other), "{index}: {others:?}");
    }
    assert_eq!(serial(&profile("priority")), others[3], "only names count");
    assert_eq!(serial("soa = { serial = 4294967295 }"), u32::MAX);
}

#[test]
fn zone_files_add_to_the_apex_or_bring_it() {
    let settings = good(&zone("file = 'own.zone'"));
    assert_eq!(settings.model.zones[1].soa(), Soa { serial: 7, negative_ttl: 30 });
    assert_eq!(settings.files, [Path::new("conf/own.zone")]);
    assert_eq!(settings.warnings, []);
    let marked = good(&zone("file = 'marked.zone'"));
    let shown = |it: &Settings| format!("{:?}", it.model.zones[1]);
    let own = shown(&settings);
    assert_eq!(shown(&marked).replace("marked", "own"), own, "a byte order mark says nothing");

    let zone = made("file = 'static.zone'");
    let text = zone.find(&name("txt.y."), RecordType::TXT).unwrap();
    assert_eq!((text.ttl, text.first().unwrap()), (3600, &b"\x05hello"[..]));
    assert!(zone.find(&name("ns.y."), RecordType::A).is_some());
}

#[test]
fn zones_are_checked() {
    for (keys, expected) in [
        ("", "conf/a.toml:13: zone[y.].nameservers: is missing; write a domain name, or a list"),
        ("nameservers = []", "found a list of 0; write a domain name"),
        ("nameservers = ['a', 'b..c']", "found \"b..c\"; has an empty label"),
        ("nameservers = ['a', 7]", "nameservers: found 7; write a domain name"),
        ("nameservers = 'a'\nttl = -1", "zone[y.].ttl: found -1; write a whole number from 0 to"),
        ("nameservers = 'a'\nsoa = { serial = 4294967296 }", "soa.serial: found 4294967296"),
        (
            "nameservers = 'a'\nsoa = { rname = 'me@y' }",
            "found \"me@y\"; a dot takes the place of the @",
        ),
        (
            "nameservers = 'a'\nsoa = { minimun = 1 }",
            "zone[y.].soa.minimun: no such key; did you mean `minimum`?",
        ),
        (
            "nameservers = 'a'\nfile = 'none.zone'",
            "zone[y.].file: found \"none.zone\"; \"conf/none.zone\" can't be read",
        ),
        ("nameservers = 'a'\nfile = 'latin.zone'", "\"conf/latin.zone\" is not UTF-8"),
        ("nameservers = 'a'\nfile = 7", "zone[y.].file: found 7; write the path of a zone file"),
        (
            "file = 'own.zone'\nsoa = { serial = 1 }",
            "zone[y.].soa: found a table; goes with `nameservers`",
        ),
        ("file = 'own.zone'\nttl = 1", "zone[y.].ttl: found 1; goes with `nameservers`"),
        (
            "nameservers = 'a'\nfile = 'bad.zone'",
            "conf/bad.zone:3: zone[y.]: found \"b A nonsense\"; ",
        ),
        (
            "nameserver = 'a'\nfile = 'own.zone'",
            "zone[y.].nameserver: no such key; did you mean `nameservers`?",
        ),
    ] {
        refused(&[&zone(keys)], &[expected]);
    }
    refused(
        &[&zone("file = 'static.zone'")],
        &["conf/static.zone: zone[y.]: no NS record", "no SOA record at the apex"],
    );
    refused(
        &[&zone("nameservers = 'a'\nfile = 'own.zone'")],
        &[
            "conf/own.zone:1: zone[y.]: this SOA record and `nameservers` at conf/a.toml:15 exclude each other",
            "conf/own.zone:2: zone[y.]: this NS record and `nameservers`",
        ],
    );
    refused(
        &[&zone("nameservers = 'a'\nfile = 'conflict.zone'")],
        &["conf/conflict.zone:3: zone[y.]: `other.example.` lies outside zone `y.`"],
    );
    refused(&["[[zone]]\nnameservers = 'a'"], &["zone[#1].name: is missing; write a domain name"]);
    let long = [vec!["a".repeat(62); 3].join("."), "b".repeat(60)].join(".");
    refused(
        &[&format!("[[zone]]\nname = '{long}'\nnameservers = 'a'")],
        &["hostmaster below it is longer than 255 octets; write `soa.rname`"],
    );
}

#[test]
fn profiles_live_in_the_deepest_zone_and_own_their_name() {
    let inner = "[[zone]]\nname = 'sub.z.'\nnameservers = 'ns.example.'\n";
    let profile = "[[profile]]\nname = 'x.sub.z.'\nmethod = 'weighted'\n";
    let serials =
        |text: &str| good(text).model.zones.iter().map(|it| it.soa().serial).collect::<Vec<_>>();
    let before = serials(&format!("{BASE}{inner}"));
    let after = serials(&format!("{BASE}{inner}{profile}{ENDPOINT}"));
    assert_eq!(before[0], after[0]);
    assert_ne!(before[1], after[1]);

    let y = "[[profile]]\nname = 'ns.y.'\nmethod = 'weighted'\n";
    let text = zone(&format!("nameservers = 'ns.example.'\nfile = 'static.zone'\n{y}{ENDPOINT}"));
    refused(
        &[&text],
        &[
            "conf/a.toml:18: profile[ns.y.].name: found \"ns.y.\"; profile `ns.y.` owns A and AAAA at its name",
        ],
    );
}

#[test]
fn nameservers_in_the_zone_should_have_addresses() {
    let warnings = good(&zone("nameservers = ['ns.example.', 'ns.y.']")).warnings;
    assert_eq!(warnings.len(), 1);
    let expected =
        "conf/a.toml:15: zone[y.].nameservers: nameserver `ns.y.` has no address in its own zone";
    assert!(warnings[0].to_string().starts_with(expected), "{}", warnings[0]);
    let profile = "[[profile]]\nname = 'ns.y.'\nmethod = 'weighted'\n";
    assert_eq!(good(&zone(&format!("nameservers = 'ns.y.'\n{profile}{ENDPOINT}"))).warnings, []);
    assert_eq!(good(&zone("nameservers = 'ns.y.'\nfile = 'static.zone'")).warnings, []);
}
