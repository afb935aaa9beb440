//! The last verdicts and timelines as JSON, by profile, so that a name stands there once. These types are the file's;
//! nothing outside knows them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::envelope::Damage;
use super::overrides::name;
use super::time::Time;
use crate::health::{Cause, Phase, Timeline, Turn};
use crate::model::{Addresses, EndpointKey, EndpointStatus, Name, ProbeHost, Timestamp, Verdict};

/// What is kept of the endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// When it was written.
    pub written: Timestamp,
    /// By profile; those of which nothing is known are left out.
    pub endpoints: Vec<Kept>,
}

/// What is kept of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Which endpoint.
    pub key: EndpointKey,
    /// What its probes found last.
    pub known: Option<Known>,
    /// The addresses that were discovered for it last.
    pub discovered: Option<KeptAddresses>,
    /// When it came into another status, and why.
    pub timeline: Arc<Timeline>,
}

/// Addresses that were discovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAddresses {
    /// The addresses; at least one.
    pub addresses: Arc<Addresses>,
    /// Since when they were so.
    pub at: Timestamp,
}

/// What the probes of an endpoint found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Online or Degraded.
    pub verdict: Verdict,
    /// When a probe last bore it out, to the second.
    pub as_of: Timestamp,
    /// Where the probes went.
    pub probed: Arc<[SocketAddr]>,
    /// The name whose addresses they went to instead.
    pub host: Option<Arc<ProbeHost>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    written: Time,
    profiles: Vec<ProfileEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileEntry {
    profile: String,
    endpoints: Vec<EndpointEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointEntry {
    endpoint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    known: Option<KnownEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    discovered: Option<AddressesEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    timeline: Vec<TurnEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddressesEntry {
    addresses: Vec<IpAddr>,
    at: Time,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownEntry {
    verdict: VerdictWord,
    /// Seconds from when it was true to when the file was written.
    age: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    probed: Vec<SocketAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<HostEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HostEntry {
    name: String,
    port: u16,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum VerdictWord {
    Online,
    Degraded,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TurnEntry {
    at: Time,
    from: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Time>,
    to: String,
    cause: CauseEntry,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum CauseEntry {
    Probe {
        #[serde(skip_serializing_if = "Option::is_none")]
        phase: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    Profile {
        profile: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    Change {
        change: String,
        by: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    Expiry {
        change: String,
        by: String,
    },
    Reload,
    Start,
}

/// Writes the payload of the file.
pub(super) fn to_json(memory: &Memory) -> serde_json::Result<String> {
    let mut profiles: Vec<ProfileEntry> = Vec::new();
    let mut last: Option<&Name> = None;
    for kept in &memory.endpoints {
        if last != Some(&kept.key.profile) {
            let profile = kept.key.profile.to_string();
            profiles.push(ProfileEntry { profile, endpoints: Vec::new() });
            last = Some(&kept.key.profile);
        }
        if let Some(profile) = profiles.last_mut() {
            profile.endpoints.push(EndpointEntry::of(kept, memory.written));
        }
    }
    serde_json::to_string(&Document { written: Time::of(memory.written), profiles })
}

/// Reads the payload; what this Farol would not have written is damage.
pub(super) fn from_json(payload: &str) -> Result<Memory, Damage> {
    let document: Document = serde_json::from_str(payload)?;
    let mut memory = Memory { written: document.written.timestamp()?, endpoints: Vec::new() };
    for entry in document.profiles {
        let profile: Name = name("profile", &entry.profile)?;
        for endpoint in entry.endpoints {
            memory.endpoints.push(endpoint.kept(&profile, memory.written)?);
        }
    }
    Ok(memory)
}

impl EndpointEntry {
    fn of(kept: &Kept, written: Timestamp) -> Self {
        Self {
            endpoint: kept.key.endpoint.to_string(),
            known: kept.known.as_ref().and_then(|it| KnownEntry::of(it, written)),
            discovered: kept.discovered.as_ref().map(|it| AddressesEntry {
                addresses: it.addresses.iter().collect(),
                at: Time::of(it.at),
            }),
            timeline: kept.timeline.iter().map(TurnEntry::of).collect(),
        }
    }

    fn kept(self, profile: &Name, written: Timestamp) -> Result<Kept, Damage> {
        let endpoint = name("endpoint", &self.endpoint)?;
        let timeline: Result<Timeline, Damage> =
            self.timeline.into_iter().map(TurnEntry::turn).collect();
        Ok(Kept {
            key: EndpointKey { profile: profile.clone(), endpoint },
            known: self.known.map(|it| it.known(written)).transpose()?,
            discovered: self.discovered.map(AddressesEntry::kept).transpose()?,
            timeline: Arc::new(timeline?),
        })
    }
}

impl AddressesEntry {
    fn kept(self) -> Result<KeptAddresses, Damage> {
        let addresses: Addresses = self.addresses.into_iter().collect();
        if addresses.iter().next().is_none() {
            return Err(Damage::Value("discovered addresses are none".to_owned()));
        }
        Ok(KeptAddresses { addresses: addresses.into(), at: self.at.timestamp()? })
    }
}

impl KnownEntry {
    fn of(known: &Known, written: Timestamp) -> Option<Self> {
        let verdict = match known.verdict {
            Verdict::Unknown => return None,
            Verdict::Online => VerdictWord::Online,
            Verdict::Degraded => VerdictWord::Degraded,
        };
        let age = written.0.saturating_sub(known.as_of.0).div_euclid(1000);
        let host = known.host.as_ref();
        let host = host.map(|it| HostEntry { name: it.name.to_string(), port: it.port });
        Some(Self { verdict, age, probed: known.probed.to_vec(), host })
    }

    fn known(self, written: Timestamp) -> Result<Known, Damage> {
        let verdict = match self.verdict {
            VerdictWord::Online => Verdict::Online,
            VerdictWord::Degraded => Verdict::Degraded,
        };
        let as_of = Timestamp(written.0.saturating_sub(self.age.saturating_mul(1000)));
        let host = self.host.map(|it| -> Result<_, Damage> {
            Ok(Arc::new(ProbeHost { name: name("host", &it.name)?, port: it.port }))
        });
        Ok(Known { verdict, as_of, probed: self.probed.into(), host: host.transpose()? })
    }
}

impl TurnEntry {
    fn of(turn: &Turn) -> Self {
        let (from, to) = (turn.from.label().to_owned(), turn.to.label().to_owned());
        let (at, since) = (Time::of(turn.at), turn.since.map(Time::of));
        Self { at, from, since, to, cause: CauseEntry::of(&turn.cause) }
    }

    fn turn(self) -> Result<Turn, Damage> {
        let (from, to) = (status(&self.from)?, status(&self.to)?);
        let since = self.since.map(|it| it.timestamp()).transpose()?;
        Ok(Turn { at: self.at.timestamp()?, from, since, to, cause: self.cause.cause()? })
    }
}

fn status(word: &str) -> Result<EndpointStatus, Damage> {
    let found = EndpointStatus::ALL.into_iter().find(|it| it.label() == word);
    found.ok_or_else(|| Damage::Value(format!("`{word}` is no status")))
}

impl CauseEntry {
    fn of(cause: &Cause) -> Self {
        match cause.clone() {
            Cause::Probe { phase, reason } => {
                Self::Probe { phase: phase.map(|it| it.label().to_owned()), reason }
            }
            Cause::Profile { profile, reason } => Self::Profile { profile, reason },
            Cause::Change { change, by, reason } => Self::Change { change, by, reason },
            Cause::Expiry { change, by } => Self::Expiry { change, by },
            Cause::Reload => Self::Reload,
            Cause::Start => Self::Start,
        }
    }

    fn cause(self) -> Result<Cause, Damage> {
        let phase = |word: String| {
            let found = Phase::ALL.into_iter().find(|it| it.label() == word);
            found.ok_or_else(|| Damage::Value(format!("`{word}` is no phase of a probe")))
        };
        Ok(match self {
            Self::Probe { phase: word, reason } => {
                Cause::Probe { phase: word.map(phase).transpose()?, reason }
            }
            Self::Profile { profile, reason } => Cause::Profile { profile, reason },
            Self::Change { change, by, reason } => Cause::Change { change, by, reason },
            Self::Expiry { change, by } => Cause::Expiry { change, by },
            Self::Reload => Cause::Reload,
            Self::Start => Cause::Start,
        })
    }
}

#[cfg(test)]
#[path = "verdicts_tests.rs"]
pub(super) mod tests;
