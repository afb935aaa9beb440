use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::world::Changes;
use super::*;
use crate::health::Belief;
use crate::model::{
    Change as Field, EndpointChange, EndpointKey, EndpointStatus, Forced, Model, Name, Now,
    Overrides, Stamp, Timestamp, Verdict,
};
use crate::probe::VerdictChange;
use crate::settings::load_text;
use crate::snapshot::Snapshot;

pub(super) const CONFIG: &str = r#"
[[zone]]
name = "z."
nameservers = ["ns.elsewhere."]
[[site]]
name = "sea"
[monitor.tcp]
protocol = "tcp"
port = 9
[[profile]]
name = "app.z."
method = "weighted"
monitor = "tcp"
endpoint = [{ name = "a", site = "sea", target = "127.0.0.1" }, { name = "b", target = "127.0.0.2" }]
[[profile]]
name = "www.z."
method = "priority"
monitor = "tcp"
endpoint = [{ name = "a", site = "sea", target = "127.0.0.1" }]
"#;

pub(super) fn model(text: &str) -> Model {
    load_text(Path::new("farol.toml"), text).unwrap().model
}

pub(super) fn world() -> World {
    World::new(&model(CONFIG), Overrides::default(), Recall::default(), 1, 7, Now::at(0))
}

pub(super) fn stamp() -> Stamp {
    Stamp { by: "ann".to_owned(), reason: None, at: Timestamp(0), expires: None }
}

pub(super) fn key(profile: &str, endpoint: &str) -> EndpointKey {
    EndpointKey { profile: profile.parse().unwrap(), endpoint: endpoint.parse().unwrap() }
}

pub(super) fn drain(drained: bool) -> Change {
    Change::Site { name: "sea".parse().unwrap(), drained, ramp: None }
}

/// The statuses of a profile's endpoints, by initial.
pub(super) fn statuses(snapshot: &Snapshot, profile: &str) -> String {
    let table = snapshot.profile(&profile.parse().unwrap()).unwrap();
    table.endpoints.iter().map(|it| it.status.label().chars().next().unwrap()).collect()
}

/// What the prober would say of an endpoint.
pub(super) fn verdict(
    world: &World,
    profile: &str,
    endpoint: &str,
    verdict: Verdict,
) -> VerdictChange {
    let key = key(profile, endpoint);
    let table = world.snapshot().profile(&key.profile).unwrap();
    let at = table.position(&key.endpoint).unwrap();
    let probed = table.endpoints[at].facts.probed.clone();
    VerdictChange { key, verdict, doubt: None, at: Timestamp(0), reason: None, probed }
}

#[test]
fn verdicts_are_published_together_and_touch_only_their_profile() {
    let mut world = world();
    let before = world.snapshot().clone();
    world.observe(&verdict(&world, "app.z.", "a", Verdict::Degraded));
    world.observe(&verdict(&world, "app.z.", "b", Verdict::Online));
    assert!(world.is_edited());
    let transitions = world.publish(Now::at(5)).transitions;
    let after = world.snapshot();
    assert_eq!((before.generation, after.generation), (1, 2));
    assert_eq!(
        (statuses(&before, "app.z."), statuses(after, "app.z.")),
        ("CC".into(), "DO".into())
    );
    assert_eq!(transitions.len(), 2);
    assert_eq!(
        (transitions[0].from, transitions[0].to),
        (EndpointStatus::CheckingEndpoint, EndpointStatus::Degraded)
    );
    assert!(Arc::ptr_eq(&before.zones, &after.zones));
    let www = |it: &Snapshot| it.profile(&"www.z.".parse().unwrap()).unwrap().clone();
    assert!(Arc::ptr_eq(&www(&before), &www(after)));
}

#[test]
fn a_drain_moves_every_endpoint_of_its_site() {
    let mut world = world();
    for (drained, app, www) in [(true, "DC", "D"), (false, "CC", "C")] {
        let mut overrides = world.overrides().clone();
        world.plan(&mut overrides, &drain(drained), &stamp()).unwrap();
        world.override_with(overrides);
        world.publish(Now::at(1));
        assert_eq!(statuses(world.snapshot(), "app.z."), app);
        assert_eq!(statuses(world.snapshot(), "www.z."), www);
        assert_eq!(world.snapshot().sites[0].drained.is_some(), drained);
    }
}

#[test]
fn what_does_not_exist_cannot_be_changed() {
    let world = world();
    let change =
        |profile, endpoint| Change::Endpoint(key(profile, endpoint), EndpointChange::default());
    let mut overrides = Overrides::default();
    let mut refused =
        |change: Change| world.plan(&mut overrides, &change, &stamp()).unwrap_err().to_string();
    assert_eq!(refused(change("no.z.", "a")), "no profile is called `no.z.`");
    assert_eq!(refused(change("app.z.", "c")), "profile `app.z.` has no endpoint `c`");
    let site = Change::Site { name: "sae".parse().unwrap(), drained: true, ramp: None };
    assert_eq!(refused(site), "no site is called `sae`");
    assert_eq!(overrides, Overrides::default());
}

#[test]
fn an_override_of_what_is_gone_is_shown_and_can_be_cleared() {
    let mut world = world();
    let change = |weight| {
        let change = EndpointChange { weight, ..EndpointChange::default() };
        Change::Endpoint(key("app.z.", "b"), change)
    };
    let mut overrides = Overrides::default();
    for change in [change(Field::Set(9)), drain(true)] {
        world.plan(&mut overrides, &change, &stamp()).unwrap();
    }
    world.override_with(overrides);
    let text = CONFIG
        .replace("[[site]]\nname = \"sea\"", "")
        .replace("site = \"sea\", ", "")
        .replace(", { name = \"b\", target = \"127.0.0.2\" }", "");
    let (diff, _) = world.reload(&model(&text), Now::at(1));
    assert_eq!(diff.unmatched, ["app.z. b", "sea"]);
    assert_eq!(diff.overridden, Vec::<String>::new());
    assert_eq!(*world.snapshot().unmatched_overrides, *diff.unmatched);

    let mut overrides = world.overrides().clone();
    assert!(world.plan(&mut overrides, &change(Field::Set(1)), &stamp()).is_err());
    assert!(world.plan(&mut overrides, &drain(true), &stamp()).is_err());
    world.plan(&mut overrides, &change(Field::Clear), &stamp()).unwrap();
    world.plan(&mut overrides, &drain(false), &stamp()).unwrap();
    world.override_with(overrides);
    world.publish(Now::at(2));
    assert!(world.snapshot().unmatched_overrides.is_empty());
    assert_eq!(*world.overrides(), Overrides::default());
}

#[test]
fn a_reload_tells_what_overrides_beat_and_nothing_else() {
    let mut world = world();
    let mut overrides = Overrides::default();
    let change = EndpointChange {
        weight: Field::Set(9),
        priority: Field::Set(7),
        enabled: Field::Set(true),
        forced: Field::Set(Forced::Down),
    };
    let same = EndpointChange { enabled: Field::Set(true), ..EndpointChange::default() };
    for change in [
        Change::Endpoint(key("app.z.", "b"), change),
        Change::Endpoint(key("app.z.", "a"), same),
        drain(true),
    ] {
        world.plan(&mut overrides, &change, &stamp()).unwrap();
    }
    world.override_with(overrides);
    let b = "app.z. b: weight 9 over 1, priority 7 over 2, forced down";
    let (diff, _) = world.reload(&model(CONFIG), Now::at(1));
    assert_eq!(diff.overridden, [b, "sea: drained"]);
    let text = CONFIG.replace("{ name = \"b\",", "{ name = \"b\", weight = 9, enabled = false,");
    let (diff, _) = world.reload(&model(&text), Now::at(1));
    let b = "app.z. b: priority 7 over 2, enabled true over false, forced down";
    assert_eq!(diff.overridden, [b, "sea: drained"]);
}

#[test]
fn the_edges_of_failing_open_are_told() {
    let mut world = world();
    let mut edges = Vec::new();
    for say in [Verdict::Online, Verdict::Degraded, Verdict::Degraded, Verdict::Online] {
        world.observe(&verdict(&world, "www.z.", "a", say));
        edges.extend(world.publish(Now::at(1)).fail_open);
    }
    let www: Name = "www.z.".parse().unwrap();
    assert_eq!(edges, [(www.clone(), true), (www, false)]);
}

#[test]
fn a_reload_keeps_what_is_known_of_what_stays() {
    let mut world = world();
    let mut overrides = Overrides::default();
    let weight = EndpointChange { weight: Field::Set(9), ..EndpointChange::default() };
    world.plan(&mut overrides, &Change::Endpoint(key("app.z.", "b"), weight), &stamp()).unwrap();
    world.override_with(overrides);
    for (endpoint, say) in [("a", Verdict::Degraded), ("b", Verdict::Degraded)] {
        world.observe(&verdict(&world, "app.z.", endpoint, say));
    }
    let table = |world: &World, name: &str| {
        world.snapshot().profile(&name.parse().unwrap()).unwrap().clone()
    };
    world.publish(Now::at(1));
    let before = table(&world, "app.z.");
    before.counters.count(crate::snapshot::Worker(0), 1);

    // b comes first, a goes elsewhere, c is new, www.z. is gone.
    let text = CONFIG
        .split("[[profile]]\nname = \"www.z.\"").next().unwrap()
        .replace("endpoint = [{ name = \"a\", site = \"sea\", target = \"127.0.0.1\" }, { name = \"b\", target = \"127.0.0.2\" }]",
            "endpoint = [{ name = \"b\", target = \"127.0.0.2\" }, { name = \"a\", target = \"127.0.0.9\" }, { name = \"c\", target = \"127.0.0.3\" }]");
    let (diff, _) = world.reload(&model(&text), Now::at(2));
    let after = table(&world, "app.z.");
    assert_eq!(statuses(world.snapshot(), "app.z."), "DCC");
    assert_eq!((after.endpoints[0].since, after.endpoints[0].weight), (Timestamp(1), 9));
    assert_eq!(after.counters.answers(0), 1, "answers are counted on");
    assert!(Arc::ptr_eq(&after.endpoints[0].facts.probed, &before.endpoints[1].facts.probed));
    assert!(!Arc::ptr_eq(&after.endpoints[1].facts.probed, &before.endpoints[0].facts.probed));
    assert_eq!(diff.changed, ["app.z.".parse().unwrap()]);
    assert_eq!((diff.added.len(), diff.removed.clone()), (0, vec!["www.z.".parse().unwrap()]));
    assert_eq!(diff.overridden, ["app.z. b: weight 9 over 1"]);
    assert!(diff.zones_or_sites, "the serial follows the configuration");

    // A late word on the place where a was says nothing about where it is now.
    let late = VerdictChange {
        key: key("app.z.", "a"),
        verdict: Verdict::Online,
        doubt: None,
        at: Timestamp(0),
        reason: None,
        probed: before.endpoints[0].facts.probed.clone(),
    };
    world.observe(&late);
    world.publish(Now::at(3));
    assert_eq!(statuses(world.snapshot(), "app.z."), "DCC");
}

#[test]
fn probing_otherwise_at_the_same_place_keeps_the_verdict() {
    let mut world = world();
    world.observe(&verdict(&world, "www.z.", "a", Verdict::Degraded));
    let record =
        |world: &World| world.snapshot().profiles.get(1).unwrap().endpoints[0].facts.probed.clone();
    let before = record(&world);
    world.reload(&model(&CONFIG.replace("port = 9", "port = 9\ninterval = \"1m\"")), Now::at(1));
    assert_eq!(statuses(world.snapshot(), "www.z."), "D");
    let watch = world.watches().into_iter().find(|it| it.key == key("www.z.", "a")).unwrap();
    assert_eq!(
        (watch.belief, watch.target.monitor.interval),
        (Belief::fresh(Verdict::Degraded), Duration::from_secs(60))
    );
    assert!(Arc::ptr_eq(&watch.probed, &before), "by which the prober knows what it knew");
}

#[test]
fn what_is_known_of_addresses_is_known_in_any_order() {
    use Verdict::{Degraded, Online};
    let endpoint = |target: &str| CONFIG.replace("\"127.0.0.2\" }", &format!("{target} }}"));
    let two = "[\"127.0.0.2\", \"127.0.0.3\"]";
    for (before, after, say, expected) in [
        (two, "[\"127.0.0.3\", \"127.0.0.2\"]", Degraded, 'D'),
        (two, "[\"127.0.0.3\", \"127.0.0.2\"]", Online, 'O'),
        (two, "\"127.0.0.3\"", Degraded, 'D'),
        (two, "\"127.0.0.3\"", Online, 'C'),
        ("\"127.0.0.2\"", two, Degraded, 'D'),
        ("\"127.0.0.2\"", two, Online, 'C'),
        ("\"127.0.0.2\"", "\"127.0.0.3\"", Degraded, 'C'),
    ] {
        let none = Overrides::default();
        let before = model(&endpoint(before));
        let mut world = World::new(&before, none, Recall::default(), 1, 7, Now::at(0));
        world.observe(&verdict(&world, "app.z.", "b", say));
        world.reload(&model(&endpoint(after)), Now::at(1));
        assert_eq!(statuses(world.snapshot(), "app.z.").chars().nth(1), Some(expected), "{after}");
    }
}

/// The overrides after `change`, which ends at `expires`.
pub(super) fn until(expires: i64, change: &Change) -> Overrides {
    let stamp = Stamp { expires: Some(Timestamp(expires)), ..stamp() };
    let mut overrides = Overrides::default();
    world().plan(&mut overrides, change, &stamp).unwrap();
    overrides
}

#[test]
fn an_override_ends_at_its_time_and_not_before() {
    let mut world = world();
    world.override_with(until(1000, &drain(true)));
    world.publish(Now::at(0));
    assert_eq!(world.next_expiry(), Some(Timestamp(1000)));
    assert!(world.expire(Timestamp(999)).is_empty() && !world.is_edited());
    let expired: Vec<_> = world.expire(Timestamp(1000)).iter().map(ToString::to_string).collect();
    assert_eq!(expired, ["site sea: drained"]);
    let transitions = world.publish(Now::at(1000)).transitions;
    assert_eq!((transitions.len(), statuses(world.snapshot(), "app.z.")), (2, "CC".into()));
    assert!(world.snapshot().sites[0].drained.is_none());
    assert_eq!((world.next_expiry(), world.overrides()), (None, &Overrides::default()));
}

#[test]
fn what_ended_before_the_start_never_comes_into_force() {
    let overrides = until(1000, &drain(true));
    let start = |now| {
        let recall = Recall::default();
        World::new(&model(CONFIG), overrides.clone(), recall, 1, 7, Now::at(now))
    };
    assert_eq!(statuses(start(999).snapshot(), "www.z."), "D");
    let mut late = start(1000);
    assert_eq!(statuses(late.snapshot(), "www.z."), "C");
    assert_eq!((late.expire(Timestamp(1000)).len(), late.expire(Timestamp(1000)).len()), (1, 0));
}

#[test]
fn a_doubt_alone_shortens_the_ttl_and_is_no_news() {
    let config = CONFIG.replace("\"weighted\"", "\"weighted\"\nttl = 300\nttl_min = 5");
    let none = Overrides::default();
    let mut world = World::new(&model(&config), none, Recall::default(), 1, 7, Now::at(0));
    let watches = world.watches();
    let wanted = |name: &str| watches.iter().find(|it| it.key == key(name, "a")).unwrap().doubt;
    assert_eq!((wanted("app.z."), wanted("www.z.")), (Some(None), None));
    let ttl = |world: &World| world.snapshot().profile(&key("app.z.", "a").profile).unwrap().ttl;
    let online = verdict(&world, "app.z.", "a", Verdict::Online);
    assert!(world.observe(&online));
    world.publish(Now::at(1));
    for (doubt, expected) in [(Some(3), 15), (Some(2), 10), (Some(1), 5), (None, 300)] {
        let change = VerdictChange { doubt, ..online.clone() };
        assert!(!world.observe(&change), "nothing that people should hear of");
        assert!(world.is_edited());
        assert_eq!(world.publish(Now::at(2)), Changes::default());
        assert_eq!(ttl(&world), expected, "{doubt:?}");
        assert_eq!(world.watches()[0].doubt, Some(doubt), "another prober goes on from it");
    }
}

#[test]
fn a_reload_makes_only_those_zones_anew_that_changed() {
    let zone = |name: &str, ttl: u32| {
        format!("[[zone]]\nname = '{name}'\nnameservers = 'ns.elsewhere.'\nttl = {ttl}\n")
    };
    let profile = "[[profile]]\nname = 'new.y.'\nmethod = 'weighted'\nmonitor = 'tcp'\nendpoint = [{ name = 'a', target = '127.0.0.1' }]\n";
    let text =
        |y: u32, x: u32, more: &str| format!("{CONFIG}{}{}{more}", zone("y.", y), zone("x.", x));
    let mut world = world();
    world.reload(&model(&text(60, 60, "")), Now::at(1));
    for (again, kept) in [
        (text(60, 60, ""), ["z.", "y.", "x."].as_slice()),
        (text(61, 60, ""), &["z.", "x."]),
        (text(61, 61, ""), &["z.", "y."]),
        (text(61, 61, profile), &["z.", "x."]),
        // The profiles of z. move up.
        (
            text(61, 61, "").replacen(
                "[[profile]]\nname = \"app.z.\"",
                &format!("{profile}[[profile]]\nname = \"app.z.\""),
                1,
            ),
            &["x."],
        ),
        (CONFIG.to_owned(), &[]),
        (CONFIG.to_owned(), &["z."]),
    ] {
        let before = world.snapshot().zones.clone();
        world.reload(&model(&again), Now::at(2));
        let is_same = |name: &&&str| {
            let name = name.parse().unwrap();
            let after = world.snapshot().zones.get(&name);
            after.zip(before.get(&name)).is_some_and(|(after, before)| Arc::ptr_eq(after, before))
        };
        let same: Vec<&str> = ["z.", "y.", "x."].iter().filter(is_same).copied().collect();
        assert_eq!(same, kept, "{again}");
    }
}
