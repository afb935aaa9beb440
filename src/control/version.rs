//! Versions of what operators see and change, for those who change only what they have seen.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use ring::digest::{SHA256, digest};

use super::{Change, ChangeError, World};
use crate::model::{
    EndpointKey, EndpointOverrides, Name, Overrides, Profile, Site, Stamp, Stamped, Zone,
};
use crate::snapshot::{EndpointState, ProfileTable, SiteState, Snapshot};

/// The configuration and the overrides of something, digested. Health is no part of it, so a version is another one exactly
/// when somebody has changed something. Of certificate authorities it has the file's name, not what is in it, and of
/// secrets only what they refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version([u8; 16]);

/// What a change expects to find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    #[default]
    None,
    /// That it changes something that the configuration has.
    Exists,
    /// One of these versions: of the profile for a change to an endpoint, of all sites for a drain.
    OneOf(Vec<Version>),
}

impl Version {
    /// The version of a profile and its endpoints. A drain of a site is a change to the profiles that have endpoints in it.
    pub fn of_profile(table: &ProfileTable) -> Self {
        fn parts(it: &EndpointState) -> (&EndpointOverrides, bool) {
            (&it.facts.overrides, it.facts.drained)
        }
        let enabled = table.enabled_by.as_ref();
        profile_version(&table.profile, enabled, table.endpoints.iter().map(parts))
    }

    /// The version of all sites.
    pub fn of_sites(sites: &[SiteState]) -> Self {
        sites_version(sites.iter().map(|it| (&it.site, it.drained.as_ref())))
    }

    /// The version of every profile.
    pub fn of_profiles(snapshot: &Snapshot) -> Self {
        Self::of_versions(snapshot.profiles.iter().map(|it| Self::of_profile(it)))
    }

    /// The version of a zone's records and the names of its profiles.
    pub fn of_zone(zone: &Zone, profiles: &[Name]) -> Self {
        let mut octets = Octets::default();
        (zone, zone.file(), profiles).hash(&mut octets);
        octets.version()
    }

    /// The version of several things.
    pub fn of_versions(versions: impl IntoIterator<Item = Self>) -> Self {
        let mut octets = Octets::default();
        versions.into_iter().for_each(|it| it.0.hash(&mut octets));
        octets.version()
    }

    /// The version of everything.
    pub fn of_all(snapshot: &Snapshot) -> Self {
        let mut octets = Octets::default();
        let mut zones: Vec<_> = snapshot.zones.iter().map(|it| it.zone.name()).collect();
        zones.sort_by_key(|it| it.as_wire());
        zones.hash(&mut octets);
        Self::of_profiles(snapshot).0.hash(&mut octets);
        Self::of_sites(&snapshot.sites).0.hash(&mut octets);
        snapshot.unmatched_overrides.hash(&mut octets);
        snapshot.pending.iter().for_each(|it| it.0.hash(&mut octets));
        octets.version()
    }
}

impl fmt::Display for Version {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|it| write!(f, "{it:02x}"))
    }
}

/// A text that is no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a version is 32 hexadecimal digits in lower case")]
pub struct NoVersion;

impl FromStr for Version {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let number = u128::from_str_radix(text, 16).map_err(|_| NoVersion)?;
        let version = Self(number.to_be_bytes());
        // What else the standard library takes for a number is none of ours.
        if version.to_string() == text { Ok(version) } else { Err(NoVersion) }
    }
}

impl World {
    /// Checks what a change expects, with `overrides` as they are before it.
    ///
    /// # Errors
    /// When it is another version; before that, whatever refuses the change itself.
    pub(super) fn heed(
        &self,
        condition: &Condition,
        overrides: &Overrides,
        change: &Change,
        stamp: &Stamp,
    ) -> Result<(), ChangeError> {
        let now = match condition {
            Condition::None => return Ok(()),
            Condition::Exists | Condition::OneOf(_) => self.version(overrides, change),
        };
        match (condition, now) {
            (Condition::Exists, Some(_)) => Ok(()),
            (Condition::OneOf(expected), Some(now)) if expected.contains(&now) => Ok(()),
            _ => {
                self.plan(&mut overrides.clone(), change, stamp)?;
                Err(ChangeError::Changed(now))
            }
        }
    }

    /// The version of what a change is about.
    fn version(&self, overrides: &Overrides, change: &Change) -> Option<Version> {
        match change {
            Change::Endpoint(key, _) => {
                let profile = &self.snapshot.profile(&key.profile)?.profile;
                profile.endpoints.iter().find(|it| it.name == key.endpoint)?;
                Some(profile_version_with(profile, overrides))
            }
            Change::Confirm(_) | Change::Undo(_) => None,
            Change::FailBack(name) | Change::Profile { name, .. } => {
                Some(profile_version_with(&self.snapshot.profile(name)?.profile, overrides))
            }
            Change::Site { name, .. } => {
                self.snapshot.site(name)?;
                let sites = self.snapshot.sites.iter().map(|it| &it.site);
                Some(sites_version(sites.map(|it| (it, overrides.drained_sites.get(&it.name)))))
            }
        }
    }
}

fn profile_version_with(profile: &Profile, overrides: &Overrides) -> Version {
    let none = EndpointOverrides::default();
    let states = profile.endpoints.iter().map(|it| {
        let key = EndpointKey { profile: profile.name.clone(), endpoint: it.name.clone() };
        let drained = it.site.as_ref().map(|it| overrides.drained_sites.get(it));
        (overrides.endpoints.get(&key).unwrap_or(&none), drained.flatten().is_some())
    });
    profile_version(profile, overrides.profiles.get(&profile.name), states)
}

fn profile_version<'a>(
    profile: &Profile,
    enabled: Option<&Stamped<bool>>,
    states: impl Iterator<Item = (&'a EndpointOverrides, bool)>,
) -> Version {
    let mut octets = Octets::default();
    profile.hash(&mut octets);
    enabled.hash(&mut octets);
    states.for_each(|it| it.hash(&mut octets));
    octets.version()
}

fn sites_version<'a>(sites: impl Iterator<Item = (&'a Site, Option<&'a Stamp>)>) -> Version {
    let mut octets = Octets::default();
    sites.for_each(|it| it.hash(&mut octets));
    octets.version()
}

/// Everything that hashing says of a value, end to end.
#[derive(Default)]
struct Octets(Vec<u8>);

impl Octets {
    fn version(&self) -> Version {
        let mut version = [0; 16];
        version
            .iter_mut()
            .zip(digest(&SHA256, &self.0).as_ref())
            .for_each(|(it, from)| *it = *from);
        Version(version)
    }
}

impl Hasher for Octets {
    fn write(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
    }

    /// Nobody asks: the digest is of all octets.
    fn finish(&self) -> u64 {
        self.0.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{CONFIG, drain, key, model, stamp, until};
    use super::*;
    use crate::control::Recall;
    use crate::model::{Change as Field, EndpointChange, Now};

    fn world(text: &str, overrides: Overrides) -> World {
        World::new(&model(text), overrides, Recall::default(), 1, 7, Now::at(0))
    }

    /// A change of an endpoint's weight.
    fn weigh(endpoint: &str, weight: Field<u16>) -> Change {
        Change::Endpoint(
            key("app.z.", endpoint),
            EndpointChange { weight, ..EndpointChange::default() },
        )
    }

    #[test]
    fn whatever_somebody_changes_makes_another_version_of_everything() {
        let zone = |name: &str| format!("[[zone]]\nname = '{name}'\nnameservers = 'ns.example.'\n");
        let of = |text: &str, change: Option<&Change>| {
            let overrides = change.map(|it| until(9, it)).unwrap_or_default();
            Version::of_all(world(text, overrides).snapshot())
        };
        let at =
            |place: &str| CONFIG.replace("\"sea\"\n", &format!("\"sea\"\nlocation = {place}\n"));
        let without_sea = CONFIG.replace("[[site]]\nname = \"sea\"", "");
        let without_sea = without_sea.replace("site = \"sea\", ", "");
        let versions = [
            of(CONFIG, None),
            of(&(zone("x.") + CONFIG), None),
            of(&CONFIG.replace("port = 9", "port = 10"), None),
            of(&at("{ latitude = 1, longitude = 2 }"), None),
            of(&at("{ latitude = 1, longitude = 3 }"), None),
            of(CONFIG, Some(&drain(true))),
            of(CONFIG, Some(&weigh("b", Field::Set(9)))),
            of(&without_sea, None),
            of(&without_sea, Some(&drain(true))),
        ];
        for (at, version) in versions.iter().enumerate() {
            assert_eq!(versions.iter().position(|it| it == version), Some(at));
        }
        // The order of zones is nothing that anybody sees.
        let many = || (0..20).map(|it| zone(&format!("z{it}.")));
        let (ahead, back): (String, String) = (many().collect(), many().rev().collect());
        assert_eq!(of(&(ahead + CONFIG), None), of(&(back + CONFIG), None));
    }

    #[test]
    fn a_change_is_made_to_what_it_expects_and_else_told_what_is_there() {
        let undrained = world(CONFIG, Overrides::default());
        let drained = world(CONFIG, until(9, &drain(true)));
        let of = |it: &World| {
            Version::of_profile(it.snapshot().profile(&key("app.z.", "a").profile).unwrap())
        };
        let (before, now) = (of(&undrained), of(&drained));
        assert_ne!(before, now, "a drain is a change to the profile");
        let sites = |it: &World| Version::of_sites(&it.snapshot().sites);
        let one_of = |it: &[Version]| Condition::OneOf(it.to_vec());
        let (set, clear) = (weigh("a", Field::Set(1)), weigh("gone", Field::Clear));
        let missing = weigh("missing", Field::Set(1));
        let nowhere = Change::Site { name: "nowhere".parse().unwrap(), drained: true, ramp: None };
        let gone = Change::Site { name: "gone".parse().unwrap(), drained: false, ramp: None };
        // What is configured no more can be cleared, but has no version.
        let mut overrides = drained.overrides().clone();
        overrides.endpoints.insert(key("app.z.", "gone"), EndpointOverrides::default());
        overrides.drained_sites.insert("gone".parse().unwrap(), stamp());
        for (condition, change, expected) in [
            (Condition::None, &set, "made"),
            (Condition::Exists, &set, "made"),
            (one_of(&[before, now]), &set, "made"),
            (one_of(&[before]), &set, &format!("changed {now}")),
            (one_of(&[]), &set, &format!("changed {now}")),
            (Condition::Exists, &clear, "changed"),
            (one_of(&[now]), &clear, "changed"),
            (Condition::Exists, &missing, "missing"),
            (one_of(&[now]), &missing, "missing"),
            (Condition::Exists, &drain(false), "made"),
            (one_of(&[sites(&drained)]), &nowhere, "missing"),
            (one_of(&[sites(&undrained)]), &drain(false), &format!("changed {}", sites(&drained))),
            (Condition::Exists, &gone, "changed"),
        ] {
            let told = match drained.heed(&condition, &overrides, change, &stamp()) {
                Ok(()) => "made".to_owned(),
                Err(ChangeError::Changed(Some(it))) => format!("changed {it}"),
                Err(ChangeError::Changed(None)) => "changed".to_owned(),
                Err(_) => "missing".to_owned(),
            };
            assert_eq!(told, expected, "{condition:?} {change}");
        }
    }

    #[test]
    fn a_version_is_read_as_it_is_written() {
        let version = Version([0x0a; 16]);
        assert_eq!(version.to_string(), "0a".repeat(16));
        assert_eq!(version.to_string().parse(), Ok(version));
        for wrong in ["", "0a", &"0A".repeat(16), &format!("+{}", "0".repeat(31)), "xyz"] {
            assert_eq!(wrong.parse::<Version>(), Err(NoVersion), "{wrong}");
        }
    }
}
