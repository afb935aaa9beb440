//! Targets that are names, and who resolves them.

use super::*;
use crate::model::{Discovered, ProbeHost, Target};

const ZONE: &str = "[[zone]]\nname = 'z.'\nnameservers = 'ns.example.'\nfile = 'z.zone'\n";

/// A profile of these endpoints, each `target = …` or `profile = …` with whatever follows.
fn profile(name: &str, keys: &str, endpoints: &[&str]) -> String {
    let mut text = format!("[[profile]]\nname = '{name}'\n{keys}\n");
    if !keys.contains("method") {
        text += "method = 'weighted'\n";
    }
    for (number, endpoint) in endpoints.iter().enumerate() {
        text += &format!("[[profile.endpoint]]\nname = 'e{number}'\n{endpoint}\n");
    }
    text
}

fn load_zoned(records: &str, profiles: &str) -> Result<Settings, Problems> {
    let text = format!("{ZONE}{profiles}");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("z.zone"), records).unwrap();
    load_text(&dir.path().join("farol.toml"), &text)
}

#[test]
fn a_target_may_be_a_name() {
    let read = |keys, endpoint| {
        let settings = load_zoned("", &profile("a.z.", keys, &[endpoint])).unwrap();
        settings.model.profiles[0].endpoints[0].clone()
    };
    let name: Name = "www.example.net.".parse().unwrap();
    let plain = read("", "target = 'WWW.example.net'");
    assert_eq!(plain.target, Target::Name(name.clone()));
    assert_eq!((plain.host(), plain.alias()), (Some(&name), Some(&name)));
    let host = ProbeHost { name: name.clone(), port: 80 };
    assert_eq!((plain.probe.host.as_deref(), plain.probe.addresses.len()), (Some(&host), 0));
    let flat = read("flatten = true", "target = 'www.example.net.'");
    assert_eq!(flat.target, Target::Resolved(name.clone()));
    assert_eq!((flat.host(), flat.alias()), (Some(&name), None));
    let elsewhere = read("", "target = 'www.example.net.'\naddress = '192.0.2.1:81'");
    assert_eq!(elsewhere.probe.host, None);
    assert_eq!(*elsewhere.probe.addresses, ["192.0.2.1:81".parse().unwrap()]);
    let mixed = ["target = 'www.example.net.'", "target = '192.0.2.1'"];
    load_zoned("", &profile("a.z.", "flatten = true", &mixed)).unwrap();
    load_zoned("", &profile("z.", "flatten = true", &mixed[..1])).unwrap();
}

#[test]
fn names_stand_where_they_may() {
    for (name, keys, endpoints, expected) in [
        ("a.z.", "", &["target = '*.example.net.'"][..], "a wildcard is no name to lead to"),
        ("a.z.", "", &["target = 'www'"], "names are written in full"),
        ("a.z.", "", &["target = 'a b.example.net'"], "write an IP address, a list of 1 to 64"),
        ("a.z.", "", &["target = '192.0.2.300'"], "write an IP address, a list of 1 to 64"),
        ("a.z.", "", &["target = '192.0.2.0/24'"], "write an IP address, a list of 1 to 64"),
        ("a.z.", "", &["target = ['www.example.net.']"], "a name stands for itself, not in a list"),
        ("a.z.", "", &["target = 'A.z'"], "is the profile's own name"),
        ("z.", "", &["target = 'www.example.net.'"], "at its zone's apex"),
        (
            "a.z.",
            "method = 'multivalue'",
            &["target = 'www.example.net.'"],
            "answers with the addresses of several endpoints; write addresses",
        ),
        (
            "a.z.",
            "method = 'multivalue'\nflatten = true",
            &["target = 'www.example.net.'"],
            "answers with the addresses of several endpoints; write addresses",
        ),
        (
            "a.z.",
            "",
            &["target = '192.0.2.1'", "target = 'www.example.net.'"],
            "is a name, and the profile has addresses too, at ",
        ),
        ("a.z.", "flatten = true", &["target = '192.0.2.1'"], "of no use without a target"),
        ("a.z.", "flatten = 1", &["target = '192.0.2.1'"], "write true or false"),
        (
            "a.z.",
            "monitor = { protocol = 'tcp' }",
            &["target = 'www.example.net.'"],
            "write the port to probe",
        ),
    ] {
        expect(load_zoned("", &profile(name, keys, endpoints)), &[expected]);
    }
}

#[test]
fn nested_profiles_lead_to_names_alone_or_to_addresses_alone() {
    let leaf = |name, keys, target| profile(name, keys, &[target]);
    let names = leaf("names.z.", "", "target = 'www.example.net.'");
    let plain = leaf("plain.z.", "", "target = '192.0.2.1'");
    let flat = leaf("flat.z.", "flatten = true", "target = 'www.example.net.'");
    let middle = leaf("middle.z.", "", "profile = 'names.z.'");
    let all = format!("{names}{plain}{flat}{middle}");
    let parent = |name, keys, children: &[&str]| format!("{all}{}", profile(name, keys, children));
    let (middle, plain, flat) =
        ("profile = 'middle.z.'", "profile = 'plain.z.'", "profile = 'flat.z.'");
    load_zoned("", &parent("top.z.", "", &[plain, flat, "target = '192.0.2.2'"])).unwrap();
    load_zoned("", &parent("top.z.", "", &[middle, "target = 'b.example.net.'"])).unwrap();
    expect(
        load_zoned("", &parent("top.z.", "", &[plain, middle])),
        &[
            "leads to a name by `top.z. e1 → middle.z. e0 → names.z. e0` and to addresses by `top.z. e0 → plain.z. e0`",
        ],
    );
    expect(
        load_zoned("", &parent("z.", "", &[middle])),
        &["is its zone's apex, where no CNAME can be"],
    );
}

#[test]
fn an_alias_owns_everything_at_its_name() {
    let alias = profile("a.z.", "", &["target = 'www.example.net.'"]);
    let owns = "answers with CNAME, which owns everything at its name, and the zone has TXT there";
    expect(load_zoned("a 60 TXT x\n", &alias), &[owns]);
    expect(load_zoned("a 60 A 192.0.2.1\n", &alias), &["owns A and AAAA at its name"]);
    let parent = format!("{alias}{}", profile("b.z.", "", &["profile = 'a.z.'"]));
    expect(load_zoned("b 60 TXT x\n", &parent), &[owns]);
    let flat = profile("a.z.", "flatten = true", &["target = 'www.example.net.'"]);
    load_zoned("a 60 TXT x\n", &flat).unwrap();
}

#[test]
fn resolvers_are_read() {
    let read = |keys: &str| good(&format!("{BASE}[resolver]\n{keys}")).resolver;
    let all = read("");
    assert_eq!((all.servers.len(), all.timeout), (0, Duration::from_secs(2)));
    let own = read("servers = ['192.0.2.53', '[2001:db8::53]:5353']\ntimeout = '500ms'");
    let servers = ["192.0.2.53:53".parse().unwrap(), "[2001:db8::53]:5353".parse().unwrap()];
    assert_eq!((own.servers, own.timeout), (servers.into(), Duration::from_millis(500)));
    for (keys, expected) in [
        ("servers = 'dns.example.'", "write an IP address, with a port if need be"),
        ("servers = []", "a list of 1 to 16"),
        ("servers = ['192.0.2.53', '192.0.2.53:53']", "192.0.2.53:53 is in the list twice"),
        ("timeout = '1m'", "a duration from \"100ms\" to \"30s\""),
    ] {
        bad(&format!("[resolver]\n{keys}"), &[expected]);
    }
}

#[test]
fn a_discovered_endpoint_is_nothing_else_and_is_in_a_site() {
    let site = "[[site]]\nname = 'sea'\n[fleet]\nfile = 'z.zone'\n";
    let read = |keys: &str, target: &str| {
        let endpoint = format!("discovered = true{target}");
        load_zoned("", &format!("{site}{}", profile("a.z.", keys, &[&endpoint])))
    };
    let settings = read("", "\nsite = 'sea'").unwrap();
    let port = |it: &Settings| it.model.profiles[0].endpoints[0].target.clone();
    assert_eq!(port(&settings), Target::Discovered(Discovered { port: Some(80) }));
    let elsewhere = read("", "\nsite = 'sea'\naddress = '192.0.2.9'").unwrap();
    assert_eq!(port(&elsewhere), Target::Discovered(Discovered { port: None }));
    expect(read("", ""), &["write the site whose cluster tells the addresses"]);
    expect(
        read("", "\nsite = 'sea'\ntarget = '192.0.2.1'"),
        &["and `discovered` exclude each other; remove `target`, or `discovered`"],
    );
    expect(
        read("method = 'multivalue'", "\nsite = 'sea'"),
        &["is of no use with method = \"multivalue\""],
    );
}
