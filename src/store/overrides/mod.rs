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
pub(super) mod tests;
