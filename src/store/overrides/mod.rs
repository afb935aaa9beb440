//! The overrides as JSON. These types are the file's; nothing outside knows them.

mod pending;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::pending::PendingEntry;
use super::envelope::Damage;
use super::time::Time;
use crate::model::{
    EndpointKey, EndpointOverrides, Forced, Ident, Name, Overrides, Stamp, Stamped,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    endpoints: Vec<EndpointEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    profiles: Vec<ProfileEntry>,
    drained_sites: Vec<SiteEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    returning_sites: Vec<ReturningEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pending: Vec<PendingEntry>,
    /// The number of the last change that was pending.
    #[serde(default, skip_serializing_if = "is_none_yet")]
    numbered: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    serving: Vec<ServingEntry>,
    /// Lines of the audit log that tell of the last changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    audit: Vec<String>,
}

/// What is in the state file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) overrides: Overrides,
    /// Lines of the audit log that a crash may have kept out of it.
    pub(super) audit: Vec<String>,
}

/// The endpoints that a profile with manual failback answers A and AAAA with.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServingEntry {
    profile: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    a: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aaaa: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointEntry {
    profile: String,
    endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<Entry<u16>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Entry<u16>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<Entry<bool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forced: Option<Entry<ForcedWord>>,
}

/// What is overridden of an endpoint.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldsEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<Entry<u16>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Entry<u16>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<Entry<bool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forced: Option<Entry<ForcedWord>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileEntry {
    profile: String,
    enabled: Entry<bool>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SiteEntry {
    site: String,
    stamp: StampEntry,
}

/// A site that takes its share back little by little.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReturningEntry {
    site: String,
    over_milliseconds: u64,
    stamp: StampEntry,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<T> {
    value: T,
    stamp: StampEntry,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StampEntry {
    by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Time>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ForcedWord {
    Up,
    Down,
}

/// Writes the payload of the state file.
pub(super) fn to_json(overrides: &Overrides, audit: &[String]) -> serde_json::Result<String> {
    let endpoints = overrides.endpoints.iter().map(|(key, it)| {
        let FieldsEntry { weight, priority, enabled, forced } = FieldsEntry::of(it);
        let (profile, endpoint) = (key.profile.to_string(), key.endpoint.to_string());
        EndpointEntry { profile, endpoint, weight, priority, enabled, forced }
    });
    let profiles = overrides.profiles.iter();
    let profiles = profiles
        .map(|(profile, it)| ProfileEntry { profile: profile.to_string(), enabled: Entry::of(it) });
    let returning_sites = overrides.returning_sites.iter();
    let returning_sites = returning_sites.map(|(site, it)| ReturningEntry {
        site: site.to_string(),
        over_milliseconds: u64::try_from(it.value.as_millis()).unwrap_or(u64::MAX),
        stamp: StampEntry::of(&it.stamp),
    });
    let pending = overrides.pending.iter().map(|(number, it)| PendingEntry::of(*number, it));
    let drained_sites = overrides
        .drained_sites
        .iter()
        .map(|(site, stamp)| SiteEntry { site: site.to_string(), stamp: StampEntry::of(stamp) });
    let serving = overrides.serving.iter();
    let serving = serving.map(|(profile, [a, aaaa])| ServingEntry {
        profile: profile.to_string(),
        a: a.iter().map(ToString::to_string).collect(),
        aaaa: aaaa.iter().map(ToString::to_string).collect(),
    });
    let document = Document {
        endpoints: endpoints.collect(),
        profiles: profiles.collect(),
        drained_sites: drained_sites.collect(),
        returning_sites: returning_sites.collect(),
        pending: pending.collect(),
        numbered: overrides.numbered,
        serving: serving.collect(),
        audit: audit.to_vec(),
    };
    serde_json::to_string_pretty(&document)
}

/// Reads the payload; what this Farol would not have written is damage.
pub(super) fn from_json(payload: &str) -> Result<Stored, Damage> {
    let document: Document = serde_json::from_str(payload)?;
    let mut overrides = Overrides::default();
    for entry in document.endpoints {
        let key = EndpointKey {
            profile: name("profile", &entry.profile)?,
            endpoint: name("endpoint", &entry.endpoint)?,
        };
        let EndpointEntry { weight, priority, enabled, forced, .. } = entry;
        let changes = FieldsEntry { weight, priority, enabled, forced }.overrides()?;
        if changes.is_empty() {
            return Err(Damage::Value(format!("endpoint `{}` overrides nothing", entry.endpoint)));
        }
        unique(&mut overrides.endpoints, key, changes, &entry.endpoint)?;
    }
    for entry in document.profiles {
        let profile: Name = name("profile", &entry.profile)?;
        unique(&mut overrides.profiles, profile, entry.enabled.stamped()?, &entry.profile)?;
    }
    for entry in document.returning_sites {
        let site = name("site", &entry.site)?;
        let value = Duration::from_millis(entry.over_milliseconds);
        let over = Stamped { value, stamp: entry.stamp.stamp()? };
        unique(&mut overrides.returning_sites, site, over, &entry.site)?;
    }
    overrides.numbered = document.numbered;
    for entry in document.pending {
        let (number, pending) = entry.pending()?;
        overrides.numbered = overrides.numbered.max(number);
        unique(&mut overrides.pending, number, pending, &format!("change {number}"))?;
    }
    for entry in document.drained_sites {
        let site = name("site", &entry.site)?;
        unique(&mut overrides.drained_sites, site, entry.stamp.stamp()?, &entry.site)?;
    }
    for entry in document.serving {
        let profile: Name = name("profile", &entry.profile)?;
        let serving = [names(&entry.a)?, names(&entry.aaaa)?];
        unique(&mut overrides.serving, profile, serving, &entry.profile)?;
    }
    Ok(Stored { overrides, audit: document.audit })
}

pub(super) fn name<T: FromStr<Err: std::fmt::Display>>(
    what: &str,
    text: &str,
) -> Result<T, Damage> {
    text.parse().map_err(|error| Damage::Value(format!("the {what} `{text}` is no name: {error}")))
}

fn names(texts: &[String]) -> Result<BTreeSet<Ident>, Damage> {
    texts.iter().map(|it| name("endpoint", it)).collect()
}

fn unique<K: Ord, V>(
    map: &mut BTreeMap<K, V>,
    key: K,
    value: V,
    called: &str,
) -> Result<(), Damage> {
    match map.insert(key, value) {
        None => Ok(()),
        Some(_) => Err(Damage::Value(format!("`{called}` is there twice"))),
    }
}

fn is_none_yet(number: &u64) -> bool {
    *number == 0
}

impl FieldsEntry {
    fn of(overrides: &EndpointOverrides) -> Self {
        Self {
            weight: overrides.weight.as_ref().map(Entry::of),
            priority: overrides.priority.as_ref().map(Entry::of),
            enabled: overrides.enabled.as_ref().map(Entry::of),
            forced: overrides.forced.as_ref().map(Entry::of),
        }
    }

    fn overrides(self) -> Result<EndpointOverrides, Damage> {
        let priority = self.priority.map(Entry::stamped::<u16>).transpose()?;
        if priority.as_ref().is_some_and(|it| it.value == 0) {
            return Err(Damage::Value("a priority is 0, which is below the least of 1".to_owned()));
        }
        Ok(EndpointOverrides {
            weight: self.weight.map(Entry::stamped).transpose()?,
            priority,
            enabled: self.enabled.map(Entry::stamped).transpose()?,
            forced: self.forced.map(Entry::stamped).transpose()?,
        })
    }
}

impl<T> Entry<T> {
    fn of<M: Copy + Into<T>>(stamped: &Stamped<M>) -> Self {
        Self { value: stamped.value.into(), stamp: StampEntry::of(&stamped.stamp) }
    }

    fn stamped<M: From<T>>(self) -> Result<Stamped<M>, Damage> {
        Ok(Stamped { value: self.value.into(), stamp: self.stamp.stamp()? })
    }
}

impl StampEntry {
    fn of(stamp: &Stamp) -> Self {
        let expires = stamp.expires.map(Time::of);
        Self { by: stamp.by.clone(), reason: stamp.reason.clone(), at: Time::of(stamp.at), expires }
    }

    fn stamp(self) -> Result<Stamp, Damage> {
        let expires = self.expires.map(|it| it.timestamp()).transpose()?;
        Ok(Stamp { by: self.by, reason: self.reason, at: self.at.timestamp()?, expires })
    }
}

impl From<Forced> for ForcedWord {
    fn from(forced: Forced) -> Self {
        match forced {
            Forced::Up => Self::Up,
            Forced::Down => Self::Down,
        }
    }
}

impl From<ForcedWord> for Forced {
    fn from(word: ForcedWord) -> Self {
        match word {
            ForcedWord::Up => Self::Up,
            ForcedWord::Down => Self::Down,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
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
        let serving =
            btree_map(dns_name(), [btree_set(ident(), 0..3), btree_set(ident(), 0..3)], 0..3);
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
        let over = (any::<u32>(), stamp()).prop_map(|(value, stamp)| Stamped {
            value: Duration::from_millis(value.into()),
            stamp,
        });
        btree_map(ident(), over, 0..3)
    }

    fn pending() -> impl Strategy<Value = Pending> {
        let endpoint = (dns_name(), ident(), stamped(any::<u16>()), stamped(1..=u16::MAX))
            .prop_map(|(profile, endpoint, weight, priority)| Undo::Endpoint {
                key: EndpointKey { profile, endpoint },
                before: Box::new(EndpointOverrides { weight, ..EndpointOverrides::default() }),
                left: Box::new(EndpointOverrides { priority, ..EndpointOverrides::default() }),
            });
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
        let stamp = Stamp {
            by: "ann".into(),
            reason: None,
            at: Timestamp(1_767_323_045_250),
            expires: None,
        };
        let mut overrides = Overrides::default();
        overrides.drained_sites.insert("seattle".parse().unwrap(), stamp);
        let json = to_json(&overrides, &[]).unwrap();
        assert!(json.contains(r#""at": "2026-01-02T03:04:05.25Z""#), "{json}");
    }
}
