use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::model::{
    Addresses, Endpoint, EndpointStatus, Failback, Family, FamilyRule, Flap, Forced, Geography,
    Method, Monitor, Now, ProbeTarget, Profile, ProfileStatus, Protocol, RecordType, Records,
    Sources, Stamped, Target, Timestamp, Verdict, WhenNoneHealthy, Zone,
};
use crate::routing::{Basis, Draw};

const DRAW: Draw = Draw { seed: 1, sequence: 0 };

pub(super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Makes a zone ready: "owner TYPE" gives a record of that type with data of no interest.
pub(super) fn zone(apex: &str, records: &[&str], profiles: &[(u32, &Profile)]) -> ZoneTable {
    let mut written = Records::default();
    let apex_records = [format!("{apex} SOA"), format!("{apex} NS")];
    for text in apex_records.iter().map(String::as_str).chain(records.iter().copied()) {
        let (owner, record_type) = text.split_once(' ').unwrap();
        let data =
            if record_type == "SOA" { vec![0; 22] } else { name("target.").as_wire().to_vec() };
        written.add(&name(owner), record_type.parse().unwrap(), 60, &data);
    }
    let zone = Zone::new(name(apex), written.iter()).unwrap();
    let counters = Arc::new(WorkerCounters::new(1, 16));
    ZoneTable::new(Arc::new(zone), profiles.iter().copied(), counters)
}

pub(super) fn profile(addresses: &[&[&str]], when_none_healthy: WhenNoneHealthy) -> Profile {
    let flap =
        Flap { count: 0, window: Duration::ZERO, hold_down: Duration::ZERO, max: Duration::ZERO };
    let monitor = Arc::new(Monitor {
        protocol: Protocol::Tcp,
        source: Sources::default(),
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        fast_interval: Duration::from_secs(5),
        tolerated_failures: 3,
        required_successes: 2,
        watch_connection: false,
        flap,
    });
    let endpoint = |(number, addresses): (usize, &&[&str])| Endpoint {
        name: format!("e{number}").parse().unwrap(),
        site: None,
        target: Target::Addresses(addresses.iter().map(|it| it.parse().unwrap()).collect()),
        enabled: true,
        weight: 1,
        priority: number as u16 + 1,
        geo: Box::default(),
        subnets: Box::default(),
        location: None,
        capacity: 1,
        slow_start: Duration::ZERO,
        probe: ProbeTarget { addresses: Arc::new([]), host: None, monitor: monitor.clone() },
    };
    Profile {
        name: name("app.z."),
        enabled: true,
        method: Method::Priority,
        ttl: 30,
        ttl_min: None,
        family: FamilyRule::ByMethod,
        max_return: 2,
        affinity: None,
        failback: Failback::Automatic,
        geo_failover: true,
        when_none_healthy,
        panic_threshold: 0,
        guardrails: crate::model::Guardrails::default(),
        endpoints: addresses.iter().enumerate().map(endpoint).collect(),
    }
}

pub(super) fn facts(verdict: Verdict) -> EndpointFacts {
    EndpointFacts { verdict, ..EndpointFacts::default() }
}

pub(super) fn table(
    profile: &Profile,
    facts: &[EndpointFacts],
    before: Option<&ProfileTable>,
    at: i64,
) -> ProfileTable {
    let counters = Arc::new(AnswerCounters::new(1, vec![0; facts.len() + 1].into(), 1));
    let geography = Geography::default();
    let given = Given { previous: before, enabled: None, geography: &geography, now: Now::at(at) };
    ProfileTable::new(Arc::new(profile.clone()), facts.to_vec(), counters, given)
}

/// The endpoints that are chosen, or what is done instead.
fn chosen(table: &ProfileTable, family: Family) -> Result<Vec<usize>, Choice> {
    let (snapshot, client) = (Snapshot::default(), [192, 0, 2, 77].into());
    match snapshot.decide(table, family.record_type(), client, &mut DRAW.clone()).choice {
        Choice::Endpoints(pick) => Ok(pick.members().collect()),
        other => Err(other),
    }
}

#[test]
fn names_are_found_by_the_rules_of_wildcards_and_cuts() {
    let records = [
        "www.z. A",
        "a.b.ent.z. TXT",
        "*.wild.z. TXT",
        "host.wild.z. A",
        "deep.host.wild.z. A",
        "sub.z. NS",
        "ns.sub.z. A",
        "old.z. DNAME",
        "old.z. TXT",
        "*.z. MX",
    ];
    let zone = zone("z.", &records, &[]);
    for (query, record_type, expected) in [
        ("z.", "SOA", "node SOA"),
        ("www.z.", "A", "node A"),
        ("ent.z.", "A", "node "),
        ("b.ent.z.", "A", "node "),
        ("a.b.ent.z.", "A", "node TXT"),
        ("x.ent.z.", "A", "nothing"),
        ("any.wild.z.", "A", "node TXT"),
        ("a.b.wild.z.", "A", "node TXT"),
        ("*.wild.z.", "TXT", "node TXT"),
        ("host.wild.z.", "TXT", "node A"),
        ("x.host.wild.z.", "TXT", "nothing"),
        ("wild.z.", "TXT", "node "),
        ("else.z.", "A", "node MX"),
        ("x.www.z.", "A", "nothing"),
        ("sub.z.", "A", "cut 7"),
        ("sub.z.", "NS", "cut 7"),
        ("sub.z.", "DS", "node NS"),
        ("ns.sub.z.", "A", "cut 7"),
        ("x.y.sub.z.", "DS", "cut 7"),
        ("old.z.", "TXT", "node TXT"),
        ("x.old.z.", "A", "dname 7"),
    ] {
        let found = match zone.find(name(query).as_wire(), record_type.parse().unwrap()) {
            Found::Node(node) => {
                let wanted = record_type.parse().unwrap();
                let shown = node.find(wanted).or(node.sets.iter().next()).map(|it| it.record_type);
                format!("node {}", shown.map(|it| it.to_string()).unwrap_or_default())
            }
            Found::Cut { suffix, .. } => format!("cut {suffix}"),
            Found::Dname { suffix, .. } => format!("dname {suffix}"),
            Found::Nothing => "nothing".to_owned(),
        };
        assert_eq!(found, expected, "{query} {record_type}");
    }
}

#[test]
fn the_deepest_zone_answers() {
    let zones = Zones::new([zone("z.", &[], &[]), zone("sub.z.", &[], &[])]);
    let found =
        |query: &str| zones.find(name(query).as_wire()).map(|it| it.zone.name().to_string());
    assert_eq!(found("a.b.c.d.sub.z."), Some("sub.z.".to_owned()));
    assert_eq!(found("sub.z."), Some("sub.z.".to_owned()));
    assert_eq!(found("xsub.z."), Some("z.".to_owned()));
    assert_eq!(found("y."), None);
    assert_eq!(found("."), None);
    assert!(Zones::new([zone(".", &[], &[])]).find(name("a.b.").as_wire()).is_some());
}

#[test]
fn the_parent_answers_for_the_signer_of_a_child_that_is_ours_too() {
    let zones = Zones::new([zone("z.", &["sub.z. NS"], &[]), zone("sub.z.", &[], &[])]);
    for (query, record_type, apex) in [
        ("sub.z.", RecordType::DS, "z."),
        ("sub.z.", RecordType::SOA, "sub.z."),
        ("x.sub.z.", RecordType::DS, "sub.z."),
        ("z.", RecordType::DS, "z."),
    ] {
        let found = zones.find_for(name(query).as_wire(), record_type).unwrap();
        assert_eq!(*found.zone.name(), name(apex), "{query} {record_type}");
    }
}

#[test]
fn names_of_255_octets_are_looked_up() {
    let zone = zone("z.", &["*.z. TXT"], &[]);
    let long = format!("{}z.", "a.".repeat(126));
    assert_eq!(name(&long).as_wire().len(), 255);
    assert!(matches!(zone.find(name(&long).as_wire(), RecordType::TXT), Found::Node(_)));
}

#[test]
fn answers_are_ready_to_send() {
    let addresses: Addresses =
        ["192.0.2.1", "2001:db8::1", "192.0.2.2"].iter().map(|it| it.parse().unwrap()).collect();
    let answer = Answer::new(&addresses, Family::V4, 30);
    let expected = b"\xc0\x0c\0\x01\0\x01\0\0\0\x1e\0\x04\xc0\0\x02\x01\xc0\x0c\0\x01\0\x01\0\0\0\x1e\0\x04\xc0\0\x02\x02";
    assert_eq!((answer.count, &*answer.wire, answer.record_length), (2, &expected[..], 16));
    let answer = Answer::new(&addresses, Family::V6, 30);
    assert_eq!((answer.count, answer.wire.len(), answer.record_length), (1, 28, 28));
}

#[test]
fn a_place_without_an_address_of_the_type_is_nodata() {
    let profile =
        profile(&[&["192.0.2.1"], &["192.0.2.2", "2001:db8::2"]], WhenNoneHealthy::ServeAll);
    let table = table(&profile, &[facts(Verdict::Online), facts(Verdict::Online)], None, 0);
    assert_eq!(chosen(&table, Family::V4), Ok(vec![0]));
    assert_eq!(chosen(&table, Family::V6), Err(Choice::NoData));
}

#[test]
fn fallback_answers_only_the_families_that_it_has() {
    let fallback: Addresses = ["203.0.113.9".parse().unwrap()].into_iter().collect();
    let profile = profile(&[&["192.0.2.1", "2001:db8::1"]], WhenNoneHealthy::Fallback(fallback));
    let table = table(&profile, &[facts(Verdict::Degraded)], None, 0);
    assert_eq!(chosen(&table, Family::V4), Err(Choice::Fallback));
    assert_eq!(chosen(&table, Family::V6), Err(Choice::NoData));
    assert!(table.is_fail_open());
    assert_eq!(table.basis(Family::V4), Basis::NoneHealthy);
}

#[test]
fn overrides_beat_the_configuration() {
    let profile = profile(&[&["192.0.2.1"], &["192.0.2.2"]], WhenNoneHealthy::ServeAll);
    let stamp = Stamp { by: "ann".to_owned(), reason: None, at: Timestamp(0), expires: None };
    let mut first = facts(Verdict::Degraded);
    first.overrides.weight = Some(Stamped { value: 7, stamp: stamp.clone() });
    first.overrides.priority = Some(Stamped { value: 9, stamp: stamp.clone() });
    first.overrides.forced = Some(Stamped { value: Forced::Up, stamp: stamp.clone() });
    let mut second = facts(Verdict::Online);
    second.overrides.enabled = Some(Stamped { value: false, stamp });
    let table = table(&profile, &[first, second], None, 0);
    let [first, second] = &*table.endpoints else { panic!() };
    assert_eq!((first.weight, first.priority, first.status), (7, 9, EndpointStatus::Online));
    assert_eq!((second.enabled, second.status), (false, EndpointStatus::Disabled));
    assert_eq!(table.status, ProfileStatus::Online);
}

#[test]
fn transitions_are_dated_and_counted_once() {
    let profile = profile(&[&["192.0.2.1"]], WhenNoneHealthy::ServeAll);
    let mut before: Option<ProfileTable> = None;
    for (at, verdict, since, degraded) in [
        (1, Verdict::Unknown, 1, 0),
        (2, Verdict::Online, 2, 0),
        (3, Verdict::Online, 2, 0),
        (4, Verdict::Degraded, 4, 1),
        (5, Verdict::Degraded, 4, 1),
    ] {
        let next = table(&profile, &[facts(verdict)], before.as_ref(), at);
        assert_eq!(next.endpoints[0].since, Timestamp(since), "at {at}");
        assert_eq!(next.endpoints[0].transitions[7], degraded, "at {at}");
        before = Some(next);
    }
}

#[test]
fn the_last_healthy_endpoints_are_remembered() {
    let profile = profile(&[&["192.0.2.1"], &["192.0.2.2"]], WhenNoneHealthy::LastHealthy);
    let states = |first, second| [facts(first), facts(second)];
    use Verdict::{Degraded, Online};
    let both = table(&profile, &states(Online, Online), None, 1);
    let second = table(&profile, &states(Degraded, Online), Some(&both), 2);
    let none = table(&profile, &states(Degraded, Degraded), Some(&second), 3);
    assert_eq!(chosen(&none, Family::V4), Ok(vec![1]));
    let still = table(&profile, &states(Degraded, Degraded), Some(&none), 4);
    assert_eq!(chosen(&still, Family::V4), Ok(vec![1]));
}

#[test]
fn explaining_is_the_same_decision() {
    let profile = profile(&[&["192.0.2.1"], &["192.0.2.2"]], WhenNoneHealthy::ServeAll);
    let records = ["alias.z. CNAME", "txt.z. TXT", "sub.z. NS", "d.z. DNAME"];
    let snapshot = Snapshot {
        zones: Arc::new(Zones::new([zone("z.", &records, &[(0, &profile)])])),
        profiles: [table(&profile, &[facts(Verdict::Degraded), facts(Verdict::Online)], None, 0)]
            .into_iter()
            .collect(),
        ..Snapshot::default()
    };
    let explained = |query, record_type| {
        let client = [192, 0, 2, 77].into();
        explain(&snapshot, Query { name: &name(query), record_type, client, draw: DRAW }).found
    };
    let Explained::Profile { levels, ttl: 30, scope: 0, .. } = explained("app.z.", RecordType::A)
    else {
        panic!("a profile answers")
    };
    let [level] = &levels[..] else { panic!("there is nothing nested") };
    assert_eq!(level.endpoints[1].share, 1.0);
    assert_eq!(chosen(&level.table, Family::V4), Ok(vec![1]));
    assert!(matches!(explained("app.z.", RecordType::ANY), Explained::Any));
    assert!(matches!(explained("z.", RecordType::AXFR), Explained::Transfer));
    assert!(matches!(explained("z.", RecordType::OPT), Explained::Meta));
    assert!(matches!(explained("app.z.", RecordType::TXT), Explained::NoData));
    assert!(matches!(explained("txt.z.", RecordType::TXT), Explained::Static));
    assert!(
        matches!(explained("alias.z.", RecordType::A), Explained::Alias(to) if to == name("target."))
    );
    assert!(matches!(explained("x.sub.z.", RecordType::A), Explained::Delegated));
    assert!(matches!(explained("x.d.z.", RecordType::A), Explained::Redirected));
    assert!(matches!(explained("no.z.", RecordType::A), Explained::NoSuchName));
    assert!(matches!(explained("y.", RecordType::A), Explained::NotOurs));
    assert_eq!(snapshot.slot(&name("app.z.")), Some(0));
    assert!(snapshot.profile(&name("txt.z.")).is_none());
}
