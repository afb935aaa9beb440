//! Who sends wrong tokens has to wait, longer and longer, so that nobody finds one by trying.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::model::Moment;

/// Wrong tokens that cost nothing: people mistype, and programs hold on to what was revoked.
const FREE: u32 = 5;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// After so long without another wrong token all is forgotten.
const MEMORY: Duration = Duration::from_secs(600);
/// Networks that are kept in mind; the one that has been silent for longest makes room.
const MOST: usize = 4096;

/// The wrong tokens of the last while, by where they came from.
#[derive(Debug, Default)]
pub(super) struct Backoff(HashMap<IpAddr, Failures>);

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Moment,
}

impl Failures {
    /// Until when nothing is listened to.
    fn until(self) -> Moment {
        match self.count.checked_sub(FREE) {
            None => self.last,
            Some(more) => self.last + (SHORTEST * 2_u32.pow(more.min(16))).min(LONGEST),
        }
    }
}

impl Backoff {
    /// How long an address still has to wait.
    pub(super) fn wait(&self, address: IpAddr, now: Moment) -> Option<Duration> {
        let wait = self.0.get(&network(address))?.until().since(now);
        (!wait.is_zero()).then_some(wait)
    }

    /// Notes a wrong token. Tells whether the address has to wait from now on that didn't have to before.
    pub(super) fn failed(&mut self, address: IpAddr, now: Moment) -> bool {
        let network = network(address);
        if !self.0.contains_key(&network) && self.0.len() >= MOST {
            self.make_room(now);
        }
        let failures = self.0.entry(network).or_insert(Failures { count: 0, last: now });
        if now.since(failures.last) >= MEMORY {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        failures.count == FREE
    }

    fn make_room(&mut self, now: Moment) {
        self.0.retain(|_, it| now.since(it.last) < MEMORY);
        if self.0.len() >= MOST {
            let oldest = self.0.iter().min_by_key(|(_, it)| it.last).map(|(network, _)| *network);
            oldest.map(|it| self.0.remove(&it));
        }
    }
}

/// What one client has for itself: of IPv6, a network of 64 bits (RFC 6177).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn waits_grow_from_the_fifth_wrong_token_on_and_fade() {
        let (mut backoff, client) = (Backoff::default(), ip("192.0.2.1"));
        let mut now = 0;
        for _ in 1..FREE {
            assert!(!backoff.failed(client, at(now)));
            assert_eq!(backoff.wait(client, at(now)), None);
        }
        let mut begins = Vec::new();
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            begins.push(backoff.failed(client, at(now)));
            assert_eq!(backoff.wait(client, at(now)), Some(Duration::from_secs(seconds)));
            assert_eq!(backoff.wait(ip("192.0.2.2"), at(now)), None, "another one is let in");
            now += seconds;
            assert_eq!(backoff.wait(client, at(now)), None);
        }
        assert_eq!(begins.iter().filter(|it| **it).count(), 1, "once a burst");
        assert!(begins[0]);
        now += MEMORY.as_secs();
        for _ in 1..FREE {
            assert!(!backoff.failed(client, at(now)));
        }
        assert_eq!(backoff.wait(client, at(now)), None, "forgotten");
        assert!(backoff.failed(client, at(now)), "another burst");
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_network() {
        let mut backoff = Backoff::default();
        for _ in 0..FREE {
            backoff.failed(ip("2001:db8:0:1::1"), at(0));
            backoff.failed(ip("::ffff:192.0.2.1"), at(0));
        }
        for (address, waits) in [
            ("2001:db8:0:1:2:3:4:5", true),
            ("2001:db8:0:2::1", false),
            ("192.0.2.1", true),
            ("192.0.2.2", false),
            ("::ffff:192.0.2.2", false),
        ] {
            assert_eq!(backoff.wait(ip(address), at(0)).is_some(), waits, "{address}");
        }
    }

    #[test]
    fn the_table_is_bounded() {
        let mut backoff = Backoff::default();
        for number in 0..2 * MOST as u32 {
            let address = IpAddr::from(number.to_be_bytes());
            backoff.failed(address, at(u64::from(number) / 100));
        }
        assert_eq!(backoff.0.len(), MOST);
        assert!(backoff.0.contains_key(&IpAddr::from((2 * MOST as u32 - 1).to_be_bytes())));
        backoff.failed(ip("192.0.2.1"), at(100_000));
        assert_eq!(backoff.0.len(), 1, "what is forgotten goes first");
    }
}
