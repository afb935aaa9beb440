use super::*;
use crate::model::{Pending, Timestamp, Undo};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

fn stamp() -> impl Strategy<Value = Stamp> {
    let expires = option::of(any::<i64>().prop_map(Timestamp));
    (any::<String>(), option::of(any::<String>()), any::<i64>(), expires)
        .prop_map(|(by, reason, at, expires)| Stamp { by, reason, at: Timestamp(at), expires })
}

fn stamped<T: std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<Stamped<T>>> {
    option::of((value, stamp()).prop_map(|(value, stamp)| Stamped { value, stamp }))
}

fn ident() -> impl Strategy<Value = Ident> {
    "[a-z0-9-]{1,63}".prop_map(|it| it.parse().unwrap())
}

/// Names of any octets at all, wildcards and the root among them.
fn dns_name() -> impl Strategy<Value = Name> {
    vec(vec(any::<u8>(), 1..20), 0..5).prop_map(|labels| {
        let mut wire = Vec::new();
        for label in labels {
            wire.push(u8::try_from(label.len()).unwrap());
            wire.extend(label);
        }
        wire.push(0);
        Name::from_wire(&wire).unwrap()
    })
}

pub(in crate::store) fn any_overrides() -> impl Strategy<Value = Overrides> {
    let key =
        (dns_name(), ident()).prop_map(|(profile, endpoint)| EndpointKey { profile, endpoint });
    let forced = prop_oneof![Just(Forced::Up), Just(Forced::Down)];
    let changes =
        (stamped(any::<u16>()), stamped(1..=u16::MAX), stamped(any::<bool>()), stamped(forced))
            .prop_map(|(weight, priority, enabled, forced)| EndpointOverrides {
                weight,
                priority,
                enabled,
                forced,
            })
            .prop_filter("overrides something", |it| !it.is_empty());
    let serving = btree_map(dns_name(), [btree_set(ident(), 0..3), btree_set(ident(), 0..3)], 0..3);
    let sites = (btree_map(ident(), stamp(), 0..4), returning());
    let profiles =
        btree_map(dns_name(), stamped(any::<bool>()).prop_filter_map("set", |it| it), 0..3);
    let pending = btree_map(1..9_u64, pending(), 0..3);
    (btree_map(key, changes, 0..6), sites, serving, profiles, pending).prop_map(
        |(endpoints, (drained_sites, returning_sites), serving, profiles, pending)| Overrides {
            endpoints,
            profiles,
            drained_sites,
            returning_sites,
            serving,
            pending,
            numbered: 9,
        },
    )
}

fn returning() -> impl Strategy<Value = BTreeMap<Ident, Stamped<Duration>>> {
    let over = (any::<u32>(), stamp())
        .prop_map(|(value, stamp)| Stamped { value: Duration::from_millis(value.into()), stamp });
    btree_map(ident(), over, 0..3)
}

fn pending() -> impl Strategy<Value = Pending> {
    let endpoint = (dns_name(), ident(), stamped(any::<u16>()), stamped(1..=u16::MAX)).prop_map(
        |(profile, endpoint, weight, priority)| Undo::Endpoint {
            key: EndpointKey { profile, endpoint },
            before: Box::new(EndpointOverrides { weight, ..EndpointOverrides::default() }),
            left: Box::new(EndpointOverrides { priority, ..EndpointOverrides::default() }),
        },
    );
    let profile = (dns_name(), stamped(any::<bool>()), stamped(any::<bool>()))
        .prop_map(|(name, before, left)| Undo::Profile { name, before, left });
    let site = (ident(), option::of(stamp()), option::of(stamp()))
        .prop_map(|(name, before, left)| Undo::Site { name, before, left });
    let undo = vec(prop_oneof![endpoint, profile, site], 0..3);
    (stamp(), vec(any::<String>(), 0..3), any::<i64>(), any::<[bool; 2]>(), undo).prop_map(
        |(stamp, changes, until, [needs_confirmation, undo_if_worse], undo)| Pending {
            stamp,
            changes,
            until: Timestamp(until),
            needs_confirmation,
            undo_if_worse,
            undo,
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(overrides in any_overrides(), audit in vec(any::<String>(), 0..3)) {
        let json = to_json(&overrides, &audit).unwrap();
        prop_assert_eq!(from_json(&json).unwrap(), Stored { overrides, audit });
    }

    #[test]
    fn no_payload_is_too_odd_to_be_refused(payload in any::<String>()) {
        prop_assert!(from_json(&payload).is_err());
    }
}

/// One endpoint entry, and what is wrong with it.
#[track_caller]
fn check(endpoint: &str, complaint: &str) {
    let json = format!(r#"{{"endpoints": [{endpoint}], "drained_sites": []}}"#);
    let damage = from_json(&json).unwrap_err().to_string();
    assert!(damage.contains(complaint), "{damage}");
}

#[test]
fn values_that_can_not_be_are_damage() {
    let stamp = r#""stamp": {"by": "ann", "at": "2026-01-02T03:04:05Z"}"#;
    let entry = |name: &str, field: &str| {
        format!(r#"{{"profile": "app.example.", "endpoint": "{name}", {field}}}"#)
    };
    let weight = format!(r#""weight": {{"value": 1, {stamp}}}"#);
    check(&entry("Bad Name", &weight), "the endpoint `Bad Name` is no name");
    check(&entry("a", &weight.replace('1', "70000")), "70000");
    check(&entry("a", &weight.replace("weight", "wieght")), "unknown field `wieght`");
    check(&entry("a", &weight.replace("2026-01-02T", "yesterday ")), "no RFC 3339 time");
    check(&entry("a", &format!(r#""priority": {{"value": 0, {stamp}}}"#)), "a priority is 0");
    check(&entry("a", r#""weight": null"#), "`a` overrides nothing");
    let twice = entry("a", &weight);
    check(&format!("{twice}, {twice}"), "`a` is there twice");
}

#[test]
fn the_file_reads_well() {
    let stamp =
        Stamp { by: "ann".into(), reason: None, at: Timestamp(1_767_323_045_250), expires: None };
    let mut overrides = Overrides::default();
    overrides.drained_sites.insert("seattle".parse().unwrap(), stamp);
    let json = to_json(&overrides, &[]).unwrap();
    assert!(json.contains(r#""at": "2026-01-02T03:04:05.25Z""#), "{json}");
}
