use std::sync::Arc;
use std::time::Duration;

use super::tests::{CONFIG, drain, key, model, stamp, statuses, verdict, world};
use super::*;
use crate::health::Cause;
use crate::model::{Change as Field, EndpointChange, Moment, Name, Now, Overrides, Stamp, Verdict};
use crate::snapshot::ProfileTable;

/// A profile in which the usual one is nested.
const PARENT: &str = r#"
[[profile]]
name = "world.z."
method = "priority"
endpoint = [{ name = "app", profile = "app.z." }, { name = "here", target = "127.0.0.9", monitor = { protocol = "none" } }]
"#;

fn nested() -> World {
    let text = format!("{CONFIG}{PARENT}");
    World::new(&model(&text), Overrides::default(), Recall::default(), 1, 7, Now::at(0))
}

fn app() -> Name {
    "app.z.".parse().unwrap()
}

fn weigh(profile: &str, endpoint: &str, weight: u16) -> Change {
    let change = EndpointChange { weight: Field::Set(weight), ..EndpointChange::default() };
    Change::Endpoint(key(profile, endpoint), change)
}

fn hold(until: i64, needs_confirmation: bool, undo_if_worse: bool) -> Option<Hold> {
    Some(Hold { until: Timestamp(until), needs_confirmation, undo_if_worse })
}

/// Makes changes as the control task does, without the disk.
fn make(world: &mut World, changes: Vec<Change>, hold: Option<Hold>, now: i64) -> Option<u64> {
    let stamp = Stamp { at: Timestamp(now), ..stamp() };
    let request = Request { changes, hold, ..Request::new(drain(true), stamp) };
    let before = world.overrides().clone();
    let mut then = before.clone();
    for change in &request.changes {
        world.plan(&mut then, change, &request.stamp).unwrap();
    }
    let number = pending::hold(&request, &before, &mut then).unwrap();
    world.override_with(then);
    world.publish(Now::at(now));
    number
}

fn table(world: &World) -> Arc<ProfileTable> {
    world.snapshot().profile(&app()).unwrap().clone()
}

/// What the probes find of an endpoint, and which pending changes are to be undone for it.
fn find(world: &mut World, profile: &str, endpoint: &str, says: Verdict) -> Vec<(u64, String)> {
    world.observe(&verdict(world, profile, endpoint, says));
    let changes = world.publish(Now::at(5));
    let probe = || Cause::Probe { phase: None, reason: Some("connect: refused".to_owned()) };
    let caused: Vec<_> = changes.transitions.iter().map(|it| (it, probe())).collect();
    world.worsened(&caused)
}

#[test]
fn what_nobody_confirms_is_undone_and_what_somebody_does_stays() {
    for (settle, weights) in
        [(None, [1, 1]), (Some(Change::Confirm(1)), [20, 30]), (Some(Change::Undo(1)), [1, 1])]
    {
        let mut world = world();
        let changes = vec![weigh("app.z.", "a", 20), weigh("app.z.", "b", 30)];
        assert_eq!(make(&mut world, changes, hold(100, true, false), 1), Some(1));
        assert_eq!(world.snapshot().pending[0].1.changes.len(), 2);
        assert_eq!(world.next_expiry(), Some(Timestamp(100)));
        if let Some(change) = settle {
            make(&mut world, vec![change], None, 2);
        }
        world.expire(Timestamp(100));
        world.publish(Now::at(100));
        assert_eq!(table(&world).endpoints.iter().map(|it| it.weight).collect::<Vec<_>>(), weights);
        assert!(world.snapshot().pending.is_empty());
    }
}

#[test]
fn only_worse_health_where_changes_are_about_undoes_them() {
    for (change, profile, endpoint, says, undoes) in [
        (weigh("app.z.", "a", 20), "app.z.", "b", Verdict::Degraded, true),
        (weigh("app.z.", "a", 20), "app.z.", "b", Verdict::Online, false),
        (weigh("app.z.", "a", 20), "www.z.", "a", Verdict::Degraded, false),
        (weigh("world.z.", "here", 20), "app.z.", "b", Verdict::Degraded, true),
        (
            Change::Profile { name: app(), enabled: Some(true) },
            "app.z.",
            "b",
            Verdict::Degraded,
            true,
        ),
        (drain(true), "app.z.", "b", Verdict::Degraded, true),
        // What is drained may go down.
        (drain(true), "app.z.", "a", Verdict::Degraded, false),
    ] {
        let mut world = nested();
        make(&mut world, vec![change.clone()], hold(100, false, true), 1);
        let worse = find(&mut world, profile, endpoint, says);
        let expected = (1, format!("{profile} {endpoint} is Degraded: connect: refused"));
        assert_eq!(worse, if undoes { vec![expected] } else { vec![] }, "{change} {endpoint}");
    }
    let mut world = world();
    make(&mut world, vec![weigh("app.z.", "a", 20)], hold(100, true, false), 1);
    assert!(find(&mut world, "app.z.", "b", Verdict::Degraded).is_empty(), "nobody asked for it");
}

#[test]
fn worse_health_counts_where_the_traffic_may_have_gone() {
    let above = PARENT.replace(
        "{ name = \"here\"",
        "{ name = \"www\", profile = \"www.z.\" }, { name = \"here\"",
    );
    for (text, undoes) in [(above.as_str(), true), (PARENT, false)] {
        let text = format!("{CONFIG}{text}");
        let model = model(&text);
        let mut world =
            World::new(&model, Overrides::default(), Recall::default(), 1, 7, Now::at(0));
        make(&mut world, vec![weigh("www.z.", "a", 20)], hold(100, false, true), 1);
        let worse = find(&mut world, "app.z.", "b", Verdict::Degraded);
        assert_eq!(!worse.is_empty(), undoes, "only where both are nested in one profile");
    }
}

#[test]
fn what_an_operator_forces_down_is_no_worse_health() {
    let mut world = world();
    let forced = EndpointChange {
        forced: Field::Set(crate::model::Forced::Down),
        ..EndpointChange::default()
    };
    make(&mut world, vec![weigh("app.z.", "a", 20)], hold(100, false, true), 1);
    let mut then = world.overrides().clone();
    world.plan(&mut then, &Change::Endpoint(key("app.z.", "b"), forced), &stamp()).unwrap();
    world.override_with(then);
    let changes = world.publish(Now::at(5));
    let by = || Cause::Change { change: String::new(), by: "ann".to_owned(), reason: None };
    let caused: Vec<_> = changes.transitions.iter().map(|it| (it, by())).collect();
    assert!(!caused.is_empty() && world.worsened(&caused).is_empty());
}

#[test]
fn what_can_not_be_undone_can_not_be_pending() {
    let overrides = Overrides::default();
    for change in [Change::FailBack(app()), Change::Confirm(1), Change::Undo(1)] {
        let request = Request { hold: hold(9, true, true), ..Request::new(change, stamp()) };
        let refused = pending::hold(&request, &overrides, &mut overrides.clone()).unwrap_err();
        assert!(refused.to_string().contains("can't be undone"), "{refused}");
    }
    let gone = world().plan(&mut overrides.clone(), &Change::Undo(7), &stamp()).unwrap_err();
    assert!(gone.to_string().starts_with("no change 7 is pending"), "{gone}");
}

#[test]
fn a_profile_is_taken_out_of_service_and_brought_back() {
    let mut world = nested();
    let set = |enabled| vec![Change::Profile { name: app(), enabled }];
    for (enabled, app_is, world_is) in
        [(Some(false), "II", "SU"), (Some(true), "CC", "CU"), (None, "CC", "CU")]
    {
        make(&mut world, set(enabled), None, 1);
        let snapshot = world.snapshot();
        assert_eq!(statuses(snapshot, "app.z."), app_is, "{enabled:?}");
        assert_eq!(statuses(snapshot, "world.z."), world_is, "{enabled:?}");
        assert_eq!(table(&world).is_enabled(), enabled != Some(false));
    }
    make(&mut world, set(Some(false)), None, 1);
    let (diff, _) = world.reload(&model(CONFIG), Now::at(2));
    assert_eq!(diff.overridden, ["app.z.: enabled false over true"]);
    assert_eq!(statuses(world.snapshot(), "app.z."), "II", "a reload changes nothing of it");
    let without = CONFIG.replace("app.z.", "other.z.");
    assert_eq!(world.reload(&model(&without), Now::at(3)).0.unmatched, ["app.z."]);
}

#[test]
fn an_undrained_site_takes_its_share_back_little_by_little_also_over_a_restart() {
    let mut world = world();
    let undrain = |ramp| {
        vec![Change::Site {
            name: "sea".parse().unwrap(),
            drained: false,
            ramp: Some(Duration::from_secs(ramp)),
        }]
    };
    let part = |world: &World| (table(world).endpoints[0].part() * 1000.0).round();
    make(&mut world, undrain(100), None, 0);
    assert_eq!(part(&world), 1000.0, "what was not drained has no way back");
    make(&mut world, vec![drain(true)], None, 0);
    make(&mut world, undrain(100), None, 10_000);
    assert_eq!(part(&world), 100.0);
    world.step_ramps();
    world.publish(Now::at(60_000));
    assert_eq!(part(&world), 550.0);
    // A restart has its own moments; the time of day goes on.
    let overrides = world.overrides().clone();
    let now = Now { moment: Moment(Duration::ZERO), time: Timestamp(85_000) };
    let mut restarted = World::new(&model(CONFIG), overrides, Recall::default(), 1, 7, now);
    assert_eq!(part(&restarted), 775.0);
    assert!(restarted.is_ramping());
    assert_eq!(restarted.expire(Timestamp(110_000))[0].to_string(), "site sea: ramp");
    let now = Now { moment: Moment(Duration::from_secs(25)), time: Timestamp(110_000) };
    restarted.publish(now);
    assert_eq!((part(&restarted), restarted.is_ramping()), (1000.0, false));
    make(&mut world, vec![drain(true)], None, 61_000);
    assert!(world.overrides().returning_sites.is_empty(), "a drain ends it");
}

#[test]
fn what_a_reload_takes_from_a_drained_site_is_waited_for_all_the_same() {
    let mut world = world();
    make(&mut world, vec![drain(true)], None, 10_000);
    let elsewhere = CONFIG.replace("site = \"sea\", ", "");
    world.reload(&model(&elsewhere), Now::at(20_000));
    let left = world.snapshot().sites[0].left_behind.unwrap();
    let times = (left.given_until.time, left.held_until.time);
    // www.z. has nothing else, so it was answered with until the reload; 30 s of TTL, and one more.
    assert_eq!(times, (Timestamp(20_000), Timestamp(51_000)));
    world.reload(&model(&elsewhere), Now::at(60_000));
    assert_eq!(world.snapshot().sites[0].left_behind, None);
}

#[test]
fn what_is_left_if_nobody_confirms_is_known() {
    let mut world = world();
    assert!(pending::unconfirmed(world.overrides()).is_none());
    make(&mut world, vec![drain(true)], None, 1);
    let undrain = Change::Site { name: "sea".parse().unwrap(), drained: false, ramp: None };
    make(&mut world, vec![undrain], hold(100, true, false), 2);
    assert!(world.overrides().drained_sites.is_empty());
    let left = pending::unconfirmed(world.overrides()).unwrap();
    assert_eq!(left.drained_sites.len(), 1, "the undrain will have been undone");
}
