//! Explanations and thoughts against the decisions that queries get.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::tests::{facts, name, profile, table, zone};
use super::*;
use crate::model::{
    Adjacent, Affinity, Change, EndpointChange, GeoCode, Method, Misfit, Now, Overlapping, Point,
    Profile, RangesBuilder, RecordType, Spot, Target, Verdict, WhenNoneHealthy,
};
use crate::routing::{Draw, Relation, Standing, Table};
use proptest::prelude::*;

/// Four places: what each of them is to clients.
const PLACES: [(&str, &str, f64, f64); 4] = [
    ("WORLD", "", 0.0, 0.0),
    ("US", "10.1.0.0/16", 40.0, -100.0),
    ("GEO-EU", "10.2.0.0/16", 50.0, 10.0),
    ("FR", "", 50.0, 10.0),
];

/// A profile of so many of the places, and what is known of them.
fn made(method: Method, weights: &[u16], up: &[bool]) -> (Profile, Vec<EndpointFacts>) {
    let addresses: Vec<Vec<String>> =
        (0..weights.len()).map(|it| vec![format!("192.0.2.{it}")]).collect();
    let addresses: Vec<Vec<&str>> =
        addresses.iter().map(|it| it.iter().map(String::as_str).collect()).collect();
    let slices: Vec<&[&str]> = addresses.iter().map(Vec::as_slice).collect();
    let mut profile = profile(&slices, WhenNoneHealthy::ServeAll);
    profile.method = method;
    let places = profile.endpoints.iter_mut().zip(weights).zip(PLACES);
    for ((endpoint, weight), (geo, subnet, latitude, longitude)) in places {
        endpoint.weight = *weight;
        endpoint.priority = 1 + weight % 2;
        endpoint.geo = [geo.parse::<GeoCode>().unwrap()].into();
        endpoint.subnets = subnet.parse().into_iter().collect();
        endpoint.location = Some(crate::model::Location { latitude, longitude, region: None });
    }
    let verdict = |up: &bool| if *up { Verdict::Online } else { Verdict::Degraded };
    (profile, up.iter().map(verdict).map(facts).collect())
}

/// A database that has two countries.
fn geography() -> Geography {
    let mut spots = RangesBuilder::new();
    for (network, region, latitude, longitude) in
        [("10.1.0.0/16", "US-WA", 47.0, -122.0), ("10.2.0.0/15", "FR", 48.0, 2.0)]
    {
        let spot = Spot { region: region.parse().ok(), point: Point::new(latitude, longitude) };
        spots.add_network(network.parse().unwrap(), spot).unwrap();
    }
    let database = spots.build(Overlapping::NarrowestWins, Adjacent::Apart).unwrap();
    Geography { database: Arc::new(database), ..Geography::default() }
}

fn snapshot(profile: &Profile, facts: &[EndpointFacts], before: Option<&ProfileTable>) -> Snapshot {
    let geography = geography();
    let counters = Arc::new(AnswerCounters::new(1, vec![0; facts.len() + 1].into(), 1));
    let given =
        Given { previous: before, enabled: None, geography: &geography, now: Now::at(30_000) };
    let table = ProfileTable::new(Arc::new(profile.clone()), facts.to_vec(), counters, given);
    Snapshot {
        zones: Arc::new(Zones::new([zone("z.", &[], &[(0, profile)])])),
        profiles: [table].into_iter().collect(),
        geography: Arc::new(geography),
        ..Snapshot::default()
    }
}

fn level(snapshot: &Snapshot, client: IpAddr) -> Level {
    let draw = Draw { seed: 3, sequence: 0 };
    let query = Query { name: &name("app.z."), record_type: RecordType::A, client, draw };
    match explain(snapshot, query).found {
        Explained::Profile { mut levels, .. } => levels.remove(0),
        other => panic!("{other:?}"),
    }
}

/// How often decisions name each endpoint.
fn frequencies(snapshot: &Snapshot, client: IpAddr) -> Vec<f64> {
    const DRAWS: u64 = 3000;
    let table = snapshot.profiles.get(0).unwrap();
    let mut counts = vec![0.0; table.endpoints.len()];
    for sequence in 0..DRAWS {
        let draw = &mut Draw { seed: 77, sequence };
        if let Choice::Endpoints(pick) = snapshot.decide(table, RecordType::A, client, draw).choice
        {
            pick.members().for_each(|it| counts[it] += 1.0 / DRAWS as f64);
        }
    }
    counts
}

fn thought(snapshot: &Snapshot, client: Option<IpAddr>, changes: Vec<Thought>) -> WhatIf {
    let question = Question { profile: name("app.z."), family: None, client, changes };
    what_if(snapshot, &question, Now::at(30_000)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn explained_and_imagined_shares_are_how_often_decisions_name_endpoints(
        method in prop::sample::select(Method::ALL.to_vec()),
        weights in prop::collection::vec(0_u16..6, 4),
        up in prop::collection::vec(any::<bool>(), 4),
        slow in any::<bool>(),
        sticky in any::<bool>(),
        client in prop::sample::select(vec!["10.1.2.3", "10.2.3.4", "10.3.4.5", "192.0.2.7"]),
    ) {
        let (mut profile, facts) = made(method, &weights, &up);
        profile.affinity = sticky.then_some(Affinity { prefix4: 24, prefix6: 56 });
        if slow {
            profile.endpoints[0].slow_start = Duration::from_secs(60);
        }
        // All were down: whoever is up has recovered, and may start slowly.
        let (_, down) = made(method, &weights, &[false; 4]);
        let before = table(&profile, &down, None, 1);
        let snapshot = snapshot(&profile, &facts, Some(&before));
        let client: IpAddr = client.parse().unwrap();
        let found = frequencies(&snapshot, client);
        let explained = level(&snapshot, client);
        let near = |a: f64, b: f64| (a - b).abs() < 0.04;
        for (weighed, found) in explained.endpoints.iter().zip(&found) {
            prop_assert!(near(weighed.share, *found), "{explained:?} {found:?}");
            prop_assert!(weighed.share == 0.0 || weighed.tier.is_some());
        }
        let imagined = thought(&snapshot, Some(client), Vec::new());
        prop_assert_eq!(&imagined.rows[0].now, &imagined.rows[0].then);
        for (at, found) in found.iter().enumerate() {
            let leaf = Leaf::Endpoint(format!("e{at}"));
            let part = imagined.rows[0].now.0.iter().find(|it| it.0 == leaf).map_or(0.0, |it| it.1);
            prop_assert!(near(part, *found), "{imagined:?} {found:?}");
        }
    }

    #[test]
    fn what_is_imagined_is_what_a_change_makes(
        method in prop::sample::select(Method::ALL.to_vec()),
        other in prop::sample::select(Method::ALL.to_vec()),
        weights in prop::collection::vec(0_u16..6, 4),
        up in prop::collection::vec(any::<bool>(), 4),
        failed in 0_usize..4,
        drained in 0_usize..4,
    ) {
        let (mut profile, mut facts) = made(method, &weights, &up);
        let now = snapshot(&profile, &facts, None);
        let path = |at: usize| vec![profile.endpoints[at].name.clone()];
        let changes = vec![
            Thought::Endpoint(path(failed), Fate::Fail),
            Thought::Endpoint(path(drained), Fate::Drain),
            Thought::Method(other),
        ];
        let imagined = thought(&now, None, changes);
        facts[failed].verdict = Verdict::Degraded;
        facts[drained].drained = true;
        profile.method = other;
        let then = snapshot(&profile, &facts, Some(now.profiles.get(0).unwrap()));
        let after = thought(&then, None, Vec::new());
        for (compared, state) in imagined.endpoints.iter().zip(&then.profiles.get(0).unwrap().endpoints) {
            prop_assert_eq!(compared.then, state.status);
        }
        // A client that is told apart now and then has the same outcome both ways.
        for row in &after.rows {
            let same = |it: &&Row| it.clients.iter().any(|it| row.clients.contains(it));
            for imagined in imagined.rows.iter().filter(same) {
                prop_assert_eq!(&imagined.then, &row.now);
            }
        }
    }
}

#[test]
fn each_method_says_what_an_endpoint_is_to_a_client() {
    let client = "10.1.2.3".parse().unwrap();
    let of = |method| level(&snapshot_of(method), client);
    let geographic = of(Method::Geographic);
    let located = geographic.located.as_ref().unwrap();
    assert_eq!((located.table, located.prefix), (Table::Database, 16));
    let tiers: Vec<_> = geographic.endpoints.iter().map(|it| it.tier).collect();
    assert_eq!(tiers, [Some(1), Some(0), None, None]);
    assert_eq!(geographic.endpoints[1].relation, Some(Relation::Region("US".parse().unwrap())));
    let subnet = of(Method::Subnet);
    assert_eq!(subnet.located, None);
    let relations: Vec<_> = subnet.endpoints.iter().map(|it| it.relation).collect();
    let (own, others) = (Some(Relation::Network), Some(Relation::EveryoneElse));
    assert_eq!(relations, [others, own, None, others]);
    let near = of(Method::Performance);
    let tiers: Vec<_> = near.endpoints.iter().map(|it| it.tier).collect();
    assert_eq!(tiers, [Some(2), Some(0), Some(1), Some(1)], "equally far ones are one tier");
    let Some(Relation::Kilometres(away)) = near.endpoints[1].relation else { panic!("{near:?}") };
    assert!((1900.0..2000.0).contains(&away), "{away}");
    let weighted = of(Method::Weighted);
    assert!(weighted.endpoints.iter().all(|it| it.tier == Some(0) && it.relation.is_none()));
    assert_eq!(of(Method::Priority).endpoints[0].standing, Standing::LowerPriority);
}

fn snapshot_of(method: Method) -> Snapshot {
    let (profile, facts) = made(method, &[1, 2, 2, 2], &[true; 4]);
    snapshot(&profile, &facts, None)
}

#[test]
fn warnings_name_what_an_operator_would_not_expect() {
    let now = snapshot_of(Method::Weighted);
    let all = |it: &str| Thought::Endpoint(vec![it.parse().unwrap()], Fate::Fail);
    let three = thought(&now, None, ["e0", "e1", "e2"].map(all).to_vec());
    assert_eq!(three.warnings, []);
    assert_eq!(three.rows[0].then, Outcome(vec![(Leaf::Endpoint("e3".to_owned()), 1.0)]));
    let four = thought(&now, None, ["e0", "e1", "e2", "e3"].map(all).to_vec());
    let [Warning::Unheeded { already: false, .. }] = &four.warnings[..] else {
        panic!("{:?}", four.warnings)
    };
    let question = Question {
        profile: name("app.z."),
        family: None,
        client: None,
        changes: vec![Thought::Site("nowhere".parse().unwrap(), Fate::Drain)],
    };
    let error = what_if(&now, &question, Now::at(0)).unwrap_err().to_string();
    assert_eq!(error, "profile `app.z.` has no endpoint in site `nowhere`");
    let missing = Question { profile: name("no.z."), ..question };
    assert!(matches!(what_if(&now, &missing, Now::at(0)), Err(WhatIfError::NoProfile(_))));
}

#[test]
fn a_method_that_no_configuration_may_have_is_refused() {
    let (mut profile, facts) = made(Method::Weighted, &[1, 1, 1, 1], &[true; 4]);
    profile.endpoints[2].geo = [].into();
    let shared = profile.endpoints[1].target.clone();
    profile.endpoints[3].target = shared;
    let now = snapshot(&profile, &facts, None);
    let refusal = |method| {
        let changes = vec![Thought::Method(method)];
        let question = Question { profile: name("app.z."), family: None, client: None, changes };
        what_if(&now, &question, Now::at(0)).err().map(|it| it.to_string()).unwrap_or_default()
    };
    let missing = "profile[app.z.].endpoint[e2].geo: is missing; write the parts of the world";
    assert!(refusal(Method::Geographic).starts_with(missing), "{}", refusal(Method::Geographic));
    let twice =
        "profile[app.z.].endpoint[e3].target: has 192.0.2.1, which the endpoint `e1` has too";
    assert!(refusal(Method::Multivalue).starts_with(twice), "{}", refusal(Method::Multivalue));
    for method in [Method::Priority, Method::Weighted, Method::Performance, Method::Subnet] {
        assert_eq!(refusal(method), "");
    }
    profile.endpoints[3].target = Target::Name(name("www.example."));
    let now = snapshot(&profile, &facts, None);
    let why = now.profiles.get(0).unwrap().profile.misfit(Method::Multivalue).unwrap().1;
    assert_eq!(why, Misfit::Name);
}

#[test]
fn a_change_of_nothing_changes_no_share_while_somebody_starts_slowly() {
    let (mut profile, facts) = made(Method::Weighted, &[1, 1, 1, 1], &[true; 4]);
    profile.endpoints[0].slow_start = Duration::from_secs(60);
    let (_, down) = made(Method::Weighted, &[1; 4], &[false; 4]);
    let now = snapshot(&profile, &facts, Some(&table(&profile, &down, None, 1)));
    let same = EndpointChange { weight: Change::Set(1), ..EndpointChange::default() };
    let changes = vec![Thought::Endpoint(vec!["e0".parse().unwrap()], Fate::Set(same))];
    let question = Question { profile: name("app.z."), family: None, client: None, changes };
    for later in [30_000, 45_000, 80_000, 100_000] {
        let row = what_if(&now, &question, Now::at(later)).unwrap().rows.remove(0);
        assert_eq!(row.now, row.then, "{later}");
    }
}

#[test]
fn the_share_of_whoever_gets_nothing_is_no_less_than_nothing() {
    let (profile, facts) = made(Method::Subnet, &[1, 1], &[true; 2]);
    let endpoints = profile.endpoints.into_iter().skip(1).collect();
    let profile = Profile { endpoints, ..profile };
    let now = snapshot(&profile, &facts[1..], None);
    let weighed = &level(&now, "192.0.2.1".parse().unwrap()).endpoints[0];
    assert!(weighed.share == 0.0 && weighed.share.is_sign_positive(), "{}", weighed.share);
}
