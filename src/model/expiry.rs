use std::fmt;

use super::{
    EndpointKey, EndpointOverrides, Ident, Name, Overrides, Pending, Settled, Stamp, Stamped,
    Timestamp,
};

/// An operator's change that was undone because its time was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// What it was on.
    pub subject: Subject,
    /// Who made it, when and why, and when it ended.
    pub stamp: Stamp,
}

/// What an operator's change is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One value of an endpoint.
    Endpoint {
        /// Which endpoint.
        key: EndpointKey,
        /// The value that was overridden: "weight 20".
        value: String,
    },
    /// Whether a profile is in service.
    Profile {
        /// Its name.
        name: Name,
        /// The value that was overridden.
        enabled: bool,
    },
    /// A site's drain.
    Site(Ident),
    /// A site's way back to its full share.
    Ramp(Ident),
    /// Changes that waited for their confirmation or were watched.
    Pending {
        /// Their number.
        number: u64,
        /// What they were.
        pending: Box<Pending>,
        /// What became of them.
        how: Settled,
    },
}

impl fmt::Display for Expired {
    /// "app.example. seattle: weight 20", "site seattle: drained" or "change 7 (site seattle: drained): kept, as nothing got worse".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Subject::Endpoint { key, value } => write!(f, "{key}: {value}"),
            Subject::Profile { name, enabled } => write!(f, "{name}: enabled {enabled}"),
            Subject::Site(site) => write!(f, "site {site}: drained"),
            Subject::Ramp(site) => write!(f, "site {site}: ramp"),
            Subject::Pending { number, pending, how } => {
                write!(f, "change {number} ({}): {how}", pending.changes.join(", "))
            }
        }
    }
}

impl Stamp {
    fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|it| it <= now)
    }
}

impl Overrides {
    /// The earliest time at which one of them ends.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        let endpoints = self.endpoints.values().flat_map(EndpointOverrides::expiries);
        let profiles = self.profiles.values().map(|it| &it.stamp);
        let returning = self.returning_sites.values().map(|it| &it.stamp);
        let stamps = profiles.chain(self.drained_sites.values()).chain(returning);
        let pending = self.pending.values().map(|it| it.until);
        endpoints.chain(stamps.filter_map(|it| it.expires)).chain(pending).min()
    }

    /// Takes out those whose time is over at `now`, and tells them.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Expired> {
        let mut expired = self.settle_due(now);
        self.endpoints.retain(|key, overrides| {
            let values = overrides.expire(now).into_iter().map(|(value, stamp)| Expired {
                subject: Subject::Endpoint { key: key.clone(), value },
                stamp,
            });
            expired.extend(values);
            !overrides.is_empty()
        });
        let mut end = |stamp: &Stamp, subject: &dyn Fn() -> Subject| {
            if stamp.is_over(now) {
                expired.push(Expired { subject: subject(), stamp: stamp.clone() });
            }
            !stamp.is_over(now)
        };
        self.profiles.retain(|name, it| {
            end(&it.stamp, &|| Subject::Profile { name: name.clone(), enabled: it.value })
        });
        self.drained_sites.retain(|site, stamp| end(stamp, &|| Subject::Site(site.clone())));
        self.returning_sites.retain(|site, it| end(&it.stamp, &|| Subject::Ramp(site.clone())));
        expired
    }
}

impl EndpointOverrides {
    fn expiries(&self) -> impl Iterator<Item = Timestamp> {
        self.fields().filter_map(|(_, stamp)| stamp.expires)
    }

    fn expire(&mut self, now: Timestamp) -> Vec<(String, Stamp)> {
        fn clear<T>(field: &mut Option<Stamped<T>>, now: Timestamp) {
            field.take_if(|it| it.stamp.is_over(now));
        }
        let over = self.fields().filter(|(_, stamp)| stamp.is_over(now));
        let over = over.map(|(it, stamp)| (it.to_string(), stamp.clone())).collect();
        clear(&mut self.weight, now);
        clear(&mut self.priority, now);
        clear(&mut self.enabled, now);
        clear(&mut self.forced, now);
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Forced;

    fn stamp(expires: Option<i64>) -> Stamp {
        let expires = expires.map(Timestamp);
        Stamp { by: "ann".to_owned(), reason: None, at: Timestamp(0), expires }
    }

    fn stamped<T>(value: T, expires: Option<i64>) -> Option<Stamped<T>> {
        Some(Stamped { value, stamp: stamp(expires) })
    }

    fn overrides() -> Overrides {
        let mut overrides = Overrides::default();
        let key = |endpoint: &str| EndpointKey {
            profile: "app.z.".parse().unwrap(),
            endpoint: endpoint.parse().unwrap(),
        };
        let both = EndpointOverrides {
            weight: stamped(20, Some(300)),
            priority: stamped(2, None),
            ..EndpointOverrides::default()
        };
        let forced = stamped(Forced::Down, Some(200));
        let only = EndpointOverrides { forced, ..EndpointOverrides::default() };
        overrides.endpoints.insert(key("both"), both);
        overrides.endpoints.insert(key("only"), only);
        overrides.drained_sites.insert("sea".parse().unwrap(), stamp(Some(100)));
        overrides.drained_sites.insert("orl".parse().unwrap(), stamp(None));
        overrides
    }

    #[test]
    fn each_ends_at_its_own_time_and_no_earlier() {
        let mut overrides = overrides();
        let mut seen = Vec::new();
        for now in [99, 100, 199, 200, 299, 300, 301] {
            for it in overrides.expire(Timestamp(now)) {
                seen.push((now, it.to_string()));
            }
        }
        let expected = [
            (100, "site sea: drained"),
            (200, "app.z. only: forced down"),
            (300, "app.z. both: weight 20"),
        ];
        assert_eq!(seen, expected.map(|(now, text)| (now, text.to_owned())));
        assert_eq!((overrides.endpoints.len(), overrides.drained_sites.len()), (1, 1));
        assert_eq!(overrides.next_expiry(), None, "what has no end stays");
    }

    #[test]
    fn a_jump_of_the_clock_ends_all_that_is_past_at_once() {
        let mut overrides = overrides();
        assert_eq!(overrides.next_expiry(), Some(Timestamp(100)));
        assert_eq!(overrides.expire(Timestamp(250)).len(), 2);
        assert_eq!(overrides.next_expiry(), Some(Timestamp(300)));
        assert_eq!(overrides.expire(Timestamp(-1000)), [], "a clock set back ends nothing");
        assert_eq!(overrides.next_expiry(), Some(Timestamp(300)), "and lengthens nothing");
    }
}
