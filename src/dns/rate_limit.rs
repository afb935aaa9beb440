//! How many answers a network of clients may have. Whoever forges a query has its answer sent to somebody else: so a network
//! gets only so many of one kind, as in BIND, NSD and Knot. Pure: time comes in as a number.

use std::hash::Hasher;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;
use siphasher::sip::SipHasher13;

use crate::metrics::{AnswerClass, Limited};
use crate::settings::RateLimit;

/// Accounts that one hash leads to.
const WAYS: usize = 8;
/// The table has two to the power of so many sets: 131,072 accounts in 2 MiB, for each worker.
const SET_BITS: u32 = 14;
/// The bits of an account's first word that count towards the next truncated answer.
const SLIPS: u64 = 0xff;
/// What may be asked for at once, in nanoseconds: the answers of a second.
const BURST: u64 = 1_000_000_000;

/// The limits that are configured, ready for use.
#[derive(Clone, Debug)]
pub struct RateLimits {
    /// What an answer of each class costs, in nanoseconds.
    positive: u64,
    nxdomain: u64,
    error: u64,
    /// The most that can be owed beyond what may be asked for at once, in nanoseconds.
    window: u64,
    slip: u8,
    ipv4_prefix: u8,
    ipv6_prefix: u8,
    ipv4_mask: u32,
    ipv6_mask: u128,
    /// In order, and none inside another.
    exempt: Box<[IpNet]>,
}

impl RateLimits {
    /// Makes limits ready.
    pub fn new(settings: &RateLimit) -> Self {
        let cost = |per_second: u32| BURST / u64::from(per_second.max(1));
        let mut exempt = settings.exempt.to_vec();
        exempt.sort_unstable();
        exempt.dedup_by(|inner, outer| outer.contains(&*inner));
        Self {
            positive: cost(settings.responses_per_second),
            nxdomain: cost(settings.nxdomains_per_second),
            error: cost(settings.errors_per_second),
            window: nanoseconds(settings.window),
            slip: settings.slip,
            ipv4_prefix: settings.ipv4_prefix,
            ipv6_prefix: settings.ipv6_prefix,
            ipv4_mask: u32::MAX
                .checked_shl(32_u32.saturating_sub(settings.ipv4_prefix.into()))
                .unwrap_or(0),
            ipv6_mask: u128::MAX
                .checked_shl(128_u32.saturating_sub(settings.ipv6_prefix.into()))
                .unwrap_or(0),
            exempt: exempt.into(),
        }
    }

    /// Whether this client is never limited.
    pub(super) fn exempts(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        let behind = self.exempt.partition_point(|it| it.network() <= client);
        let nearest = behind.checked_sub(1).and_then(|it| self.exempt.get(it));
        nearest.is_some_and(|it| it.contains(&client))
    }

    /// The network that a client is counted with: its first address, and its prefix's length.
    pub(super) fn network(&self, client: IpAddr) -> (IpAddr, u8) {
        match client.to_canonical() {
            IpAddr::V4(it) => {
                (Ipv4Addr::from(u32::from(it) & self.ipv4_mask).into(), self.ipv4_prefix)
            }
            IpAddr::V6(it) => {
                (Ipv6Addr::from(u128::from(it) & self.ipv6_mask).into(), self.ipv6_prefix)
            }
        }
    }

    fn cost(&self, class: AnswerClass) -> u64 {
        match class {
            AnswerClass::Positive | AnswerClass::Synthesized | AnswerClass::Referral => {
                self.positive
            }
            AnswerClass::NxDomain => self.nxdomain,
            AnswerClass::Error => self.error,
        }
    }
}

/// What is counted together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account<'n> {
    /// The first address of the clients' network.
    pub(super) network: IpAddr,
    pub(super) class: AnswerClass,
    /// The name that the answer is for, in wire format and lower case; empty where only the class counts.
    pub(super) name: &'n [u8],
}

/// What is known of an account: the hash that it is told by, of which the lowest octet gives way to the number of limited
/// answers since one was truncated; and when it will be out of debt. An account that is out of debt is as good as none.
type Known = [u64; 2];

/// The accounts of one worker.
///
/// Each answer costs time, a second divided by the limit. An account that owes more than a second is over its limit, and
/// goes deeper into debt with every further query, down to the window: so a flood stays cut off until it ends, and not much
/// longer. Among the accounts that a hash leads to the newest takes the place of the one that owes least. The longest unused
/// would not do: a flood by ever other networks would wash out those that are over their limit.
pub(super) struct Limiter {
    key: [u8; 16],
    sets: Vec<[Known; WAYS]>,
}

impl Limiter {
    /// An empty table. Who doesn't know the key can't choose networks and names whose accounts meet.
    pub(super) fn new(key: [u8; 16]) -> Self {
        // All zero, so that memory that is never used is never taken.
        Self { key, sets: vec![[[0; 2]; WAYS]; 1 << SET_BITS] }
    }

    /// Notes an answer at `now`, the time since any moment that stays the same. Tells what becomes of it where it is one too
    /// many.
    pub(super) fn note(
        &mut self,
        limits: &RateLimits,
        account: Account<'_>,
        now: Duration,
    ) -> Option<Limited> {
        let (hash, now) = (self.hash(account), nanoseconds(now));
        let set = self.sets.get_mut((hash >> (u64::BITS - SET_BITS)) as usize)?;
        let tag = hash & !SLIPS;
        let owes_least = |set: &[Known; WAYS]| (0..WAYS).min_by_key(|it| set[*it][1]);
        let at = set.iter().position(|it| it[0] & !SLIPS == tag).or_else(|| owes_least(set))?;
        let [known, until] = &mut set[at];
        if *known & !SLIPS != tag {
            (*known, *until) = (tag, 0);
        }
        *until = (*until).max(now).saturating_add(limits.cost(account.class));
        let most = now.saturating_add(BURST);
        if *until <= most {
            return None;
        }
        *until = (*until).min(most.saturating_add(limits.window));
        let slips = (*known & SLIPS) + 1;
        let slipped = limits.slip > 0 && slips >= limits.slip.into();
        *known = tag | if slipped { 0 } else { slips.min(SLIPS) };
        Some(if slipped { Limited::Slipped } else { Limited::Dropped })
    }

    fn hash(&self, account: Account<'_>) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        // What comes before the name is as long for all of a family.
        match account.network {
            IpAddr::V4(it) => {
                hasher.write(&[4, account.class as u8]);
                hasher.write(&it.octets());
            }
            IpAddr::V6(it) => {
                hasher.write(&[6, account.class as u8]);
                hasher.write(&it.octets());
            }
        }
        hasher.write(account.name);
        hasher.finish()
    }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "rate_limit_tests.rs"]
mod tests;
