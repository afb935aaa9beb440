use std::collections::HashSet;
use std::sync::Arc;

use crate::clock::{Clock, rfc3339};
use crate::health::ProbeResult;
use crate::model::{EndpointKey, Monitor, Timestamp};

const DAY_MILLISECONDS: i64 = 86_400_000;
/// Whoever has more certificates than this that expire soon knows by then. An endpoint that shows a new one to every probe
/// gets no further either.
const MOST: usize = 10_000;

/// The certificates that were warned of today. One is known by the host that it was shown for and the time when it expires:
/// thousands of endpoints may show the same.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    day: i64,
    told: HashSet<(Arc<str>, Timestamp)>,
}

impl Certificates {
    /// Warns once a day (of UTC) of a certificate that has fewer days left than the monitor demands.
    pub(super) fn note(
        &mut self,
        endpoint: Option<&EndpointKey>,
        monitor: &Monitor,
        result: &ProbeResult,
    ) {
        let (Some(host), Some(check)) = (monitor.protocol.host(), monitor.protocol.tls()) else {
            return;
        };
        let (now, expires) = (Clock::time_of_day(), result.certificate_expires);
        let Some(expires) = expires.filter(|it| check.warns_from(*it).is_some_and(|it| it < now))
        else {
            return;
        };
        if !self.is_news(host, expires, now) {
            return;
        }
        let days = (expires.0 - now.0).max(0) / DAY_MILLISECONDS;
        let endpoint = endpoint.map(ToString::to_string).unwrap_or_default();
        let least = check.min_days_left;
        tracing::warn!(
            event = "certificate_expires",
            endpoint,
            host = %host,
            expires = rfc3339(expires),
            days,
            "the certificate that {endpoint} shows for {host} has {days} days left, fewer than {least}; renew it"
        );
    }

    fn is_news(&mut self, host: &Arc<str>, expires: Timestamp, now: Timestamp) -> bool {
        let today = now.0.div_euclid(DAY_MILLISECONDS);
        if std::mem::replace(&mut self.day, today) != today {
            self.told.clear();
        }
        self.told.len() < MOST && self.told.insert((Arc::clone(host), expires))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_told_of_once_a_day() {
        let mut certificates = Certificates::default();
        let at = |hours: i64| Timestamp(hours * DAY_MILLISECONDS / 24);
        let mut told = |host: &str, expires, now| certificates.is_news(&host.into(), expires, now);
        assert!(told("a.example", at(99), at(0)));
        assert!(!told("a.example", at(99), at(23)));
        assert!(told("b.example", at(99), at(23)), "another name's certificate");
        assert!(told("a.example", at(98), at(23)), "another certificate");
        assert!(told("a.example", at(99), at(24)), "another day");
        assert!(!told("a.example", at(99), at(47)));
    }

    #[test]
    fn what_is_kept_of_a_day_is_bounded() {
        let mut certificates = Certificates::default();
        let told = (0..2 * MOST as i64)
            .filter(|it| certificates.is_news(&"a.example".into(), Timestamp(*it), Timestamp(0)));
        assert_eq!(told.count(), MOST);
    }
}
