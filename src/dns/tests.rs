//! The responder, bytes in and bytes out. Answers are read by another parser than the one that is tested.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use domain::base::Message;
use domain::base::iana::Rtype;
use proptest::prelude::*;

use super::cookies::CookieSecrets;
use super::query::HEADER;
use super::responder::{Identity, Path as Way, Policy, Responder};
use crate::metrics::{COUNTED_RCODES, DnsCounters};
use crate::model::{Model, Name, Now, Profile, Verdict, Zone};
use crate::settings::{CookieSecret, load_text};
use crate::snapshot::{
    AnswerCounters, EndpointFacts, Given, Live, ProfileTable, Reader, Snapshot, Worker,
    WorkerCounters, ZoneTable, Zones,
};

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

const CONFIG: &str = r#"
[[zone]]
name = "z."
nameservers = ["ns1.elsewhere."]
file = "z.zone"
[monitor.none]
protocol = "none"
[[profile]]
name = "app.z."
method = "priority"
ttl = 30
monitor = "none"
endpoint = [{ name = "a", target = ["192.0.2.1", "192.0.2.2", "2001:db8::1"] }]
[[profile]]
name = "z."
method = "priority"
monitor = "none"
endpoint = [{ name = "a", target = "192.0.2.9" }]
[[profile]]
name = "*.wild.z."
method = "priority"
monitor = "none"
endpoint = [{ name = "a", target = "192.0.2.8" }]
"#;

const ZONE: &str = r#"
$TTL 600
txt     TXT "one" "two"
big     TXT ( "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
              "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" )
huge    A 192.0.2.1
alias   CNAME App.z.
chain   CNAME alias
loop    CNAME pool
pool    CNAME loop
out     CNAME www.elsewhere.
nowhere CNAME missing.z.
dn      DNAME target
x.target TXT "redirected"
sub     NS ns.sub
        NS ns.elsewhere.
ns.sub  A 192.0.2.53
a.ent   TXT "below an empty non-terminal"
svc     HTTPS 1 . alpn=h2
odd     TYPE65400 \# 3 010203
"#;

fn model(zone: &str) -> Model {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("z.zone"), zone).unwrap();
    load_text(&dir.path().join("farol.toml"), CONFIG).unwrap().model
}

fn responder_for(zone: &str) -> Responder {
    responder_and_counters(zone).0
}

/// With what it counts.
pub(super) fn responder_and_counters(zone: &str) -> (Responder, Arc<DnsCounters>) {
    responder_over(&model(zone), |_| Verdict::Unknown)
}

/// Answers p.z. by a profile of two endpoints, of which so many are down.
fn unhealthy_responder(rule: &str, threshold: u8, down: usize) -> Responder {
    let text = format!(
        r#"
        [[zone]]
        name = "z."
        nameservers = ["ns1.elsewhere."]
        [[profile]]
        name = "p.z."
        method = "weighted"
        when_none_healthy = "{rule}"
        panic_threshold = {threshold}
        endpoint = [{{ name = "a", target = "192.0.2.1" }}, {{ name = "b", target = "192.0.2.2" }}]
        "#
    );
    let model = load_text(Path::new("farol.toml"), &text).unwrap().model;
    let verdict = |at| if at < down { Verdict::Degraded } else { Verdict::Online };
    responder_over(&model, verdict).0
}

fn responder_over(
    model: &Model,
    verdict: impl Fn(usize) -> Verdict,
) -> (Responder, Arc<DnsCounters>) {
    let identity = Identity { version: Some("farol".to_owned()), id: None };
    responder_with(model, verdict, Policy { identity, ..policy() })
}

fn policy() -> Policy {
    let secret = CookieSecret([7; 16]);
    Policy {
        identity: Identity::default(),
        ecs_trusted: None,
        cookie_secrets: CookieSecrets::new(&[], secret),
        require_server_cookie: false,
        udp_size: 1232,
        rate_limit: None,
    }
}

fn responder_with(
    model: &Model,
    verdict: impl Fn(usize) -> Verdict,
    policy: Policy,
) -> (Responder, Arc<DnsCounters>) {
    let profiles: Vec<(u32, &Profile)> = (0..).zip(model.profiles.iter().map(|it| &**it)).collect();
    let table = |profile: &Arc<Profile>| {
        let facts = |at| EndpointFacts { verdict: verdict(at), ..EndpointFacts::default() };
        let endpoints = profile.endpoints.len();
        let counters = Arc::new(AnswerCounters::new(1, vec![0; endpoints + 1].into(), 1));
        let facts = (0..endpoints).map(facts).collect();
        let given =
            Given { previous: None, enabled: None, geography: &model.geography, now: Now::at(0) };
        ProfileTable::new(profile.clone(), facts, counters, given)
    };
    let counted = Arc::new(WorkerCounters::new(1, COUNTED_RCODES));
    let zone = |it: &Arc<Zone>| ZoneTable::new(it.clone(), profiles.clone(), counted.clone());
    let snapshot = Snapshot {
        generation: 1,
        zones: Arc::new(Zones::new(model.zones.iter().map(zone))),
        profiles: model.profiles.iter().map(table).collect(),
        geography: model.geography.clone(),
        ..Snapshot::default()
    };
    let live = Arc::new(Live::new(Arc::new(snapshot), 1));
    let counters = Arc::new(DnsCounters::new(1));
    let reader = Reader::new(live, Worker(0));
    (Responder::new(reader, counters.clone(), Arc::new(ArcSwap::from_pointee(policy))), counters)
}

#[path = "cookies_tests.rs"]
mod cookies;
#[path = "ecs_tests.rs"]
mod ecs;
#[path = "edns_tests.rs"]
mod edns;
#[path = "limiting_tests.rs"]
mod limiting;
#[path = "padding_tests.rs"]
mod padding;

/// A query: header with these flags and counts, one question, and whatever follows.
fn query(name: &str, record_type: u16, flags: u8, additional: &[&[u8]]) -> Vec<u8> {
    let mut packet = vec![0xab, 0xcd, flags, 0, 0, 1, 0, 0, 0, 0, 0, additional.len() as u8];
    packet.extend(name.parse::<Name>().unwrap().as_wire());
    packet.extend(record_type.to_be_bytes());
    packet.extend([0, 1]);
    additional.iter().for_each(|it| packet.extend(*it));
    packet
}

fn opt(size: u16, version: u8, flags: u8, options: &[u8]) -> Vec<u8> {
    let mut record = vec![0, 0, 41];
    record.extend(size.to_be_bytes());
    record.extend([0, version, flags, 0]);
    record.extend((options.len() as u16).to_be_bytes());
    record.extend(options);
    record
}

fn ask(responder: &mut Responder, packet: &[u8], way: Way) -> Vec<u8> {
    let mut answer = vec![0; 65_535];
    let length = responder.enter().respond(packet, CLIENT, way, &mut answer);
    answer.truncate(length);
    answer
}

/// An answer in words: rcode, flags, then every record but OPT by section.
fn shown(answer: &[u8]) -> String {
    let message = Message::from_octets(answer).unwrap();
    let header = message.header();
    let flags =
        [(header.aa(), "aa"), (header.tc(), "tc"), (header.rd(), "rd"), (header.ra(), "ra")];
    let mut text = header.rcode().to_string();
    flags.iter().filter(|(set, _)| *set).for_each(|(_, flag)| text += &format!(" {flag}"));
    let sections = [message.answer(), message.authority(), message.additional()];
    for (section, prefix) in sections.into_iter().zip([" | ", " ? ", " + "]) {
        for record in section.unwrap() {
            let record = record.unwrap();
            if record.rtype() != Rtype::OPT {
                let ttl = record.ttl().as_secs();
                text += &format!("{prefix}{} {ttl} {}", record.owner(), record.rtype());
            }
        }
    }
    text
}

#[track_caller]
fn check(responder: &mut Responder, name: &str, record_type: &str, expected: &str) {
    let record_type: crate::model::RecordType = record_type.parse().unwrap();
    let packet = query(name, record_type.0, 1, &[]);
    let answer = ask(responder, &packet, Way::Udp);
    assert_eq!(shown(&answer), expected, "{name} {record_type}");
    let question = packet.len();
    assert_eq!(answer[HEADER..question], packet[HEADER..], "the question is repeated as it was");
}

#[test]
fn questions_get_their_answers() {
    let mut responder = responder_for(ZONE);
    for (name, record_type, expected) in [
        ("app.z.", "A", "NOERROR aa rd | app.z 30 A | app.z 30 A"),
        ("app.z.", "AAAA", "NOERROR aa rd | app.z 30 AAAA"),
        ("app.z.", "TXT", "NOERROR aa rd ? z 30 SOA"),
        ("z.", "A", "NOERROR aa rd | z 30 A"),
        ("z.", "AAAA", "NOERROR aa rd ? z 30 SOA"),
        ("z.", "SOA", "NOERROR aa rd | z 3600 SOA"),
        ("z.", "NS", "NOERROR aa rd | z 3600 NS"),
        ("a.b.wild.z.", "A", "NOERROR aa rd | a.b.wild.z 30 A"),
        ("wild.z.", "A", "NOERROR aa rd ? z 60 SOA"),
        ("missing.z.", "A", "NXDOMAIN aa rd ? z 60 SOA"),
        ("ent.z.", "A", "NOERROR aa rd ? z 60 SOA"),
        ("alias.z.", "A", "NOERROR aa rd | alias.z 600 CNAME | App.z 30 A | App.z 30 A"),
        (
            "chain.z.",
            "AAAA",
            "NOERROR aa rd | chain.z 600 CNAME | alias.z 600 CNAME | App.z 30 AAAA",
        ),
        ("alias.z.", "CNAME", "NOERROR aa rd | alias.z 600 CNAME"),
        ("out.z.", "A", "NOERROR aa rd | out.z 600 CNAME"),
        ("nowhere.z.", "A", "NXDOMAIN aa rd | nowhere.z 600 CNAME ? z 60 SOA"),
        (
            "x.dn.z.",
            "TXT",
            "NOERROR aa rd | dn.z 600 DNAME | x.dn.z 600 CNAME | x.target.z 600 TXT",
        ),
        ("dn.z.", "A", "NOERROR aa rd ? z 60 SOA"),
        ("www.sub.z.", "A", "NOERROR rd ? sub.z 600 NS ? sub.z 600 NS + ns.sub.z 600 A"),
        ("sub.z.", "DS", "NOERROR aa rd ? z 60 SOA"),
        ("svc.z.", "HTTPS", "NOERROR aa rd | svc.z 600 HTTPS"),
        ("odd.z.", "TYPE65400", "NOERROR aa rd | odd.z 600 TYPE65400"),
        ("txt.z.", "ANY", "NOERROR aa rd | txt.z 3600 HINFO"),
        ("app.z.", "ANY", "NOERROR aa rd | app.z 3600 HINFO"),
        ("alias.z.", "ANY", "NOERROR aa rd | alias.z 600 CNAME"),
        ("ent.z.", "ANY", "NOERROR aa rd ? z 60 SOA"),
        ("elsewhere.", "A", "REFUSED rd"),
        ("z.", "AXFR", "REFUSED rd"),
        ("z.", "IXFR", "REFUSED rd"),
        ("z.", "TYPE128", "FORMERR rd"),
        ("z.", "OPT", "FORMERR rd"),
        ("z.", "TYPE254", "NOTIMP rd"),
    ] {
        check(&mut responder, name, record_type, expected);
    }
}

#[test]
fn alias_loops_end() {
    let answer = ask(&mut responder_for(ZONE), &query("loop.z.", 1, 0, &[]), Way::Udp);
    assert_eq!(shown(&answer), "NOERROR aa | loop.z 600 CNAME | pool.z 600 CNAME", "each once");
}

#[test]
fn a_redirected_name_that_grows_too_long_is_yxdomain() {
    let zone = format!("dn 60 DNAME {}.z.\n", ["a".repeat(63).as_str(); 3].join("."));
    let long = format!("{}.dn.z.", "b".repeat(63));
    let answer = ask(&mut responder_for(&zone), &query(&long, 1, 0, &[]), Way::Udp);
    assert_eq!(shown(&answer), "YXDOMAIN aa | dn.z 60 DNAME");
}

#[test]
fn only_packets_that_are_queries_are_answered() {
    let mut responder = responder_for(ZONE);
    let good = query("app.z.", 1, 0, &[]);
    for length in 0..HEADER {
        assert!(ask(&mut responder, &good[..length], Way::Udp).is_empty(), "{length} octets");
    }
    let answer = query("app.z.", 1, 0x80, &[]);
    assert!(ask(&mut responder, &answer, Way::Udp).is_empty());
}

#[test]
fn malformed_queries_are_formerr() {
    let mut responder = responder_for(ZONE);
    let with_counts = |counts: [u8; 8], rest: &[u8]| {
        let mut packet = vec![1, 2, 0, 0];
        packet.extend(counts);
        packet.extend(rest);
        packet
    };
    let one = [0, 1, 0, 0, 0, 0, 0, 0];
    let good = query("app.z.", 1, 0, &[]);
    let mut trailing = good.clone();
    trailing.push(0);
    let mut false_count = good.clone();
    false_count[11] = 1;
    let mut two_questions = good.clone();
    two_questions[5] = 2;
    two_questions.extend(&good[HEADER..]);
    let mut answer_opt = query("app.z.", 1, 0, &[&opt(1232, 0, 0, &[])]);
    answer_opt.swap(7, 11);
    let mut long_name = Vec::new();
    (0..5).for_each(|_| long_name.extend(std::iter::once(63).chain([b'a'; 63])));
    long_name.extend([0, 0, 1, 0, 1]);
    let forward = [0xc0, 60, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0];
    for (what, packet) in [
        ("pointer to itself", with_counts(one, &[0xc0, 12, 0, 1, 0, 1])),
        ("pointer to the header", with_counts(one, &[0xc0, 0, 0, 1, 0, 1])),
        ("label type 0x40", with_counts(one, &[0x41, 0, 0, 1, 0, 1])),
        ("label type 0x80", with_counts(one, &[0x81, 0, 0, 1, 0, 1])),
        ("name over 255 octets", with_counts(one, &long_name)),
        ("cut off", good[..good.len() - 1].to_vec()),
        ("no question", with_counts([0; 8], &[])),
        ("two questions", two_questions),
        ("trailing octets", trailing),
        ("false count", false_count),
        ("two OPT records", query("app.z.", 1, 0, &[&opt(1232, 0, 0, &[]), &opt(1232, 0, 0, &[])])),
        ("OPT in the answer section", answer_opt),
        (
            "OPT not at the root",
            query("app.z.", 1, 0, &[&[&[1, b'a'], &opt(1232, 0, 0, &[])[..]].concat()]),
        ),
        ("option cut off", query("app.z.", 1, 0, &[&opt(1232, 0, 0, &[0, 10, 0, 9, 1])])),
        ("forward pointer", query("app.z.", 1, 0, &[&forward])),
    ] {
        let answer = ask(&mut responder, &packet, Way::Udp);
        assert_eq!(answer.get(3).map(|it| it & 0x0f), Some(1), "{what}");
        assert_eq!(answer[..2], packet[..2], "{what}");
    }
}

#[test]
fn other_opcodes_are_not_implemented() {
    let mut responder = responder_for(ZONE);
    for opcode in [1, 2, 3, 4, 5, 6, 15] {
        let answer =
            ask(&mut responder, &query("z.", 6, opcode << 3, &[&opt(1232, 0, 0, &[])]), Way::Udp);
        let message = Message::from_octets(&answer).unwrap();
        assert_eq!(message.header().rcode().to_string(), "NOTIMP", "{opcode}");
        assert_eq!(message.header().opcode().to_int(), opcode);
        assert!(message.opt().is_some());
    }
}

#[test]
fn edns_is_negotiated() {
    let mut responder = responder_for(ZONE);
    let unknown = [0xff, 0xf0, 0, 2, 1, 2].repeat(60);
    for (record, rcode) in [
        (opt(4096, 0, 0x80, &[]), "NOERROR"),
        (opt(1232, 0, 0, &unknown), "NOERROR"),
        (opt(1232, 1, 0, &[]), "BADVERS"),
        (opt(1232, 255, 0x80, &[9]), "BADVERS"),
    ] {
        for way in [Way::Udp, Way::Tcp { keepalive: 100 }] {
            let answer = ask(&mut responder, &query("app.z.", 1, 0, &[&record]), way);
            let message = Message::from_octets(&answer).unwrap();
            let answered = message.opt().unwrap();
            assert_eq!(answered.rcode(message.header()).to_string(), rcode);
            assert_eq!((answered.version(), answered.udp_payload_size()), (0, 1232));
            assert_eq!(answered.dnssec_ok(), record[7] & 0x80 != 0, "DO is copied");
            assert_eq!(answered.opt().iter::<domain::base::opt::AllOptData<_, _>>().count(), 0);
        }
    }
    let plain = ask(&mut responder, &query("app.z.", 1, 0, &[]), Way::Udp);
    assert!(Message::from_octets(&plain).unwrap().opt().is_none());
}

#[test]
fn refusals_say_why_to_who_understands() {
    let answer =
        ask(&mut responder_for(ZONE), &query("y.", 1, 0, &[&opt(1232, 0, 0, &[])]), Way::Udp);
    assert!(answer.ends_with(&[0, 15, 0, 2, 0, 20]), "extended error 20");
}

const NAMES: &str = r#"
[[zone]]
name = "z."
nameservers = ["ns1.elsewhere."]
file = "z.zone"
[[profile]]
name = "out.z."
method = "priority"
ttl = 20
endpoint = [{ name = "a", target = "a.example.net." }, { name = "b", target = "b.example.net." }]
[[profile]]
name = "in.z."
method = "weighted"
endpoint = [{ name = "a", target = "place.z." }]
[[profile]]
name = "spare.z."
method = "priority"
when_none_healthy = "fallback"
fallback = ["192.0.2.9"]
endpoint = [{ name = "a", target = "a.example.net." }]
"#;

#[test]
fn a_target_that_is_a_name_is_an_alias_for_every_type() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("z.zone"), "place 60 A 192.0.2.7\n").unwrap();
    let model = load_text(&dir.path().join("farol.toml"), NAMES).unwrap().model;
    // In each profile the first endpoint is down.
    let first_is_down = |at| if at == 0 { Verdict::Degraded } else { Verdict::Online };
    let mut responder = responder_over(&model, first_is_down).0;
    for record_type in ["A", "AAAA", "TXT", "CNAME", "MX", "HTTPS", "TYPE65400"] {
        check(&mut responder, "out.z.", record_type, "NOERROR aa rd | out.z 20 CNAME");
        let packet =
            query("out.z.", record_type.parse::<crate::model::RecordType>().unwrap().0, 0, &[]);
        let answer = ask(&mut responder, &packet, Way::Udp);
        let target = b"\x01b\x07example\x03net\x00";
        assert!(answer.ends_with(target), "{record_type} leads to the endpoint that is up");
    }
    for (name, record_type, expected) in [
        ("in.z.", "A", "NOERROR aa rd | in.z 30 CNAME | place.z 60 A"),
        ("in.z.", "TXT", "NOERROR aa rd | in.z 30 CNAME ? z 60 SOA"),
        ("in.z.", "CNAME", "NOERROR aa rd | in.z 30 CNAME"),
        ("in.z.", "ANY", "NOERROR aa rd | in.z 30 CNAME"),
        ("spare.z.", "A", "NOERROR aa rd | spare.z 30 A"),
        ("spare.z.", "AAAA", "NOERROR aa rd ? z 30 SOA"),
        ("spare.z.", "TXT", "NOERROR aa rd ? z 30 SOA"),
        ("spare.z.", "ANY", "NOERROR aa rd | spare.z 3600 HINFO"),
    ] {
        check(&mut responder, name, record_type, expected);
    }
}

#[test]
fn answers_that_do_not_heed_health_say_so() {
    for (rule, threshold, expected) in [
        ("serve_all", 0, "no endpoint is healthy: answering all the same"),
        ("nodata", 0, "no endpoint is healthy"),
        ("servfail", 0, "no endpoint is healthy"),
        ("serve_all", 60, "too few endpoints are healthy: all are treated as healthy"),
    ] {
        let down = if threshold == 0 { 2 } else { 1 };
        let mut responder = unhealthy_responder(rule, threshold, down);
        let answer = ask(&mut responder, &query("p.z.", 1, 0, &[&opt(1232, 0, 0, &[])]), Way::Udp);
        assert!(answer.ends_with(expected.as_bytes()), "{rule} {threshold}");
    }
}

#[test]
fn keepalive_is_told_over_tcp_to_who_asks() {
    let mut responder = responder_for(ZONE);
    let packet = query("app.z.", 1, 0, &[&opt(1232, 0, 0, &[0, 11, 0, 0])]);
    let answer = ask(&mut responder, &packet, Way::Tcp { keepalive: 100 });
    assert!(answer.ends_with(&[0, 11, 0, 2, 0, 100]));
    let answer = ask(&mut responder, &packet, Way::Udp);
    assert!(answer.ends_with(&[0, 0]), "no option over UDP");
}

#[test]
fn what_is_too_big_is_cut_by_whole_sets() {
    let many: String = (0..90).map(|it| format!("many A 192.0.2.{it}\n")).collect();
    let mut responder = responder_for(&format!("$TTL 60\n{many}"));
    let limits =
        [(None, 512), (Some(100), 512), (Some(512), 512), (Some(1000), 1000), (Some(4096), 1232)];
    for (size, limit) in limits {
        let record = size.map(|it| opt(it, 0, 0, &[]));
        let additional: Vec<&[u8]> = record.iter().map(Vec::as_slice).collect();
        let packet = query("many.z.", 1, 0, &additional);
        let answer = ask(&mut responder, &packet, Way::Udp);
        assert_eq!(shown(&answer), "NOERROR aa tc", "{size:?}");
        assert!(answer.len() <= limit);
        let message = Message::from_octets(&answer).unwrap();
        assert_eq!(
            (message.header_counts().qdcount(), message.opt().is_some()),
            (1, size.is_some())
        );
        let whole = ask(&mut responder, &packet, Way::Tcp { keepalive: 100 });
        assert_eq!(Message::from_octets(&whole).unwrap().header_counts().ancount(), 90);
    }
}

#[test]
fn records_beyond_the_reach_of_pointers_are_written_out() {
    let servers: String =
        (0..900).map(|it| format!("sub NS n{it}.sub\nn{it}.sub A 192.0.2.1\n")).collect();
    let mut responder = responder_for(&format!("$TTL 60\n{servers}"));
    let answer = ask(&mut responder, &query("x.sub.z.", 1, 0, &[]), Way::Tcp { keepalive: 100 });
    assert!(answer.len() > 0x4000);
    let shown = shown(&answer);
    assert_eq!((shown.matches(" ? sub.z").count(), shown.matches(" + n").count()), (900, 900));
}

#[test]
fn glue_that_cannot_be_had_elsewhere_sets_tc() {
    let servers: String =
        (0..40).map(|it| format!("sub NS n{it}.sub\nn{it}.sub AAAA 2001:db8::{it}\n")).collect();
    let mut responder = responder_for(&format!("$TTL 60\n{servers}"));
    let answer = ask(&mut responder, &query("x.sub.z.", 1, 0, &[&opt(1232, 0, 0, &[])]), Way::Udp);
    assert!(shown(&answer).starts_with("NOERROR tc ? sub.z"));
}

#[test]
fn chaos_questions_are_told_what_is_configured() {
    let mut responder = responder_for(ZONE);
    for (name, expected) in [
        ("version.bind.", "NOERROR aa | version.bind 0 TXT"),
        ("version.server.", "NOERROR aa | version.server 0 TXT"),
        ("id.server.", "REFUSED"),
        ("app.z.", "REFUSED"),
    ] {
        let mut packet = query(name, 16, 0, &[]);
        let class = packet.len() - 1;
        packet[class] = 3;
        assert_eq!(shown(&ask(&mut responder, &packet, Way::Udp)), expected, "{name}");
    }
}

#[test]
fn the_question_keeps_its_case() {
    let mut packet = query("app.z.", 1, 0, &[]);
    packet[13] = b'P';
    packet[14] = b'p';
    packet[17] = b'Z';
    let answer = ask(&mut responder_for(ZONE), &packet, Way::Udp);
    assert_eq!(answer[HEADER..packet.len()], packet[HEADER..]);
    assert!(answer.len() > packet.len(), "and the lookup does not mind");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_comes_in_what_goes_out_is_an_answer(
        seed in prop::sample::select(vec!["app.z.", "x.dn.z.", "www.sub.z.", "chain.z.", "no.z."]),
        record_type in prop::sample::select(vec![1_u16, 2, 5, 6, 28, 255, 252, 43]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
        size in any::<u16>(),
        tcp: bool,
    ) {
        thread_local! {
            static RESPONDER: std::cell::RefCell<Responder> = std::cell::RefCell::new(responder_for(ZONE));
        }
        let mut packet = query(seed, record_type, 1, &[&opt(size, 0, 0, &[0, 11, 0, 0])]);
        for (at, octet) in changes {
            let at = at.index(packet.len());
            packet[at] = octet;
        }
        if let Some(cut) = cut {
            packet.truncate(cut.index(packet.len() + 1));
        }
        let way = if tcp { Way::Tcp { keepalive: 1 } } else { Way::Udp };
        let answer = RESPONDER.with(|it| ask(&mut it.borrow_mut(), &packet, way));
        if !answer.is_empty() {
            prop_assert!(packet.len() >= HEADER && packet[2] & 0x80 == 0);
            prop_assert_eq!(&answer[..2], &packet[..2]);
            prop_assert!(answer[2] & 0x80 != 0);
            prop_assert!(tcp || answer.len() <= 1232);
            let message = Message::from_octets(&answer).unwrap();
            for section in [message.answer(), message.authority(), message.additional()] {
                for record in section.unwrap() {
                    record.unwrap();
                }
            }
        }
    }
}

#[test]
fn only_queries_are_counted_as_queries() {
    let (mut responder, counters) = responder_and_counters(ZONE);
    let good = query("txt.z.", 16, 0, &[]);
    let faulty = good[..good.len() - 1].to_vec();
    let answer = query("txt.z.", 16, 0x80, &[]);
    for (packet, counted) in [(good, 1), (faulty, 2), (answer, 2), (vec![0; 11], 2), (vec![], 2)] {
        ask(&mut responder, &packet, Way::Udp);
        assert_eq!(counters.count_queries(), counted, "{packet:?}");
    }
}
