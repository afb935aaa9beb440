//! Server cookies (RFC 7873, RFC 9018): who shows one that was made here for its address can be reached there, so nobody else
//! has sent the query.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;
use subtle::ConstantTimeEq;

use crate::metrics::CookieStanding;
use crate::settings::CookieSecret;

/// The octets that a client makes.
const CLIENT: usize = 8;
/// The octets that are made here: a version, three that are 0, the time, and the hash (RFC 9018 4).
const SERVER: usize = 16;
/// What is hashed of the latter.
const STAMP: usize = 8;
/// Both parts: the data of the option in an answer.
pub(super) const COOKIE: usize = CLIENT + SERVER;
/// The server parts that there may be, in octets (RFC 7873 4).
const SERVER_PARTS: std::ops::RangeInclusive<usize> = 8..=32;
const VERSION: u8 = 1;
/// Seconds for which a cookie is good, and after which it is made anew (RFC 9018 4.3).
const GOOD: i32 = 3600;
const FRESH: i32 = 1800;
/// Seconds that the clocks of instances may be apart.
const AHEAD: i32 = 300;

/// A COOKIE option as a query has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cookie {
    client: [u8; CLIENT],
    server: ServerPart,
}

#[derive(Clone, Copy, Debug)]
enum ServerPart {
    None,
    /// It may have been made here.
    Ours([u8; SERVER]),
    /// It has another length than ours.
    Foreign,
}

impl Cookie {
    /// Reads an option's data; none when its length is not one that cookies have (RFC 7873 5.2.2).
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let (client, server) = data.split_first_chunk()?;
        let server = match (server.len(), server.try_into()) {
            (0, _) => ServerPart::None,
            (_, Ok(octets)) => ServerPart::Ours(octets),
            (length, Err(_)) if SERVER_PARTS.contains(&length) => ServerPart::Foreign,
            _ => return None,
        };
        Some(Self { client: *client, server })
    }
}

/// What cookies are signed with.
#[derive(Clone, Debug)]
pub struct CookieSecrets {
    /// Signs.
    current: CookieSecret,
    /// Are believed too: those that other instances sign with, before or after this one.
    others: Box<[CookieSecret]>,
}

impl CookieSecrets {
    /// The first of `secrets` signs, and all of them are believed; `own` is there for where there is none.
    pub fn new(secrets: &[CookieSecret], own: CookieSecret) -> Self {
        let (current, others) = secrets.split_first().unwrap_or((&own, &[]));
        Self { current: *current, others: others.into() }
    }

    /// What a cookie from this address is worth now, in seconds since 1970, and the one to answer with.
    pub(super) fn check(
        &self,
        cookie: &Cookie,
        address: IpAddr,
        now: u32,
    ) -> (CookieStanding, [u8; COOKIE]) {
        let standing = match &cookie.server {
            ServerPart::None => CookieStanding::None,
            ServerPart::Foreign => CookieStanding::Bad,
            ServerPart::Ours(part) => {
                let [version, _, _, _, time @ .., _, _, _, _, _, _, _, _] = *part;
                // Times of cookies are compared as serial numbers are (RFC 1982).
                let age = now.wrapping_sub(u32::from_be_bytes(time)).cast_signed();
                let signed_by = |it: &CookieSecret| sign(it, cookie, part, address).ct_eq(part);
                let is_good = version == VERSION && (-AHEAD..=GOOD).contains(&age);
                if is_good && age <= FRESH && bool::from(signed_by(&self.current)) {
                    return (CookieStanding::Valid, joined(cookie, part));
                }
                let mut all = std::iter::once(&self.current).chain(&self.others);
                match is_good && all.any(|it| signed_by(it).into()) {
                    true => CookieStanding::Valid,
                    false => CookieStanding::Bad,
                }
            }
        };
        let mut part = [0; SERVER];
        part[0] = VERSION;
        part[4..STAMP].copy_from_slice(&now.to_be_bytes());
        (standing, joined(cookie, &sign(&self.current, cookie, &part, address)))
    }
}

/// This part with the hash that belongs to it (RFC 9018 4.4).
fn sign(
    secret: &CookieSecret,
    cookie: &Cookie,
    part: &[u8; SERVER],
    address: IpAddr,
) -> [u8; SERVER] {
    let mut hasher = SipHasher24::new_with_key(&secret.0);
    let mut signed = *part;
    let (stamp, hash) = signed.split_at_mut(STAMP);
    hasher.write(&cookie.client);
    hasher.write(stamp);
    match address {
        IpAddr::V4(it) => hasher.write(&it.octets()),
        IpAddr::V6(it) => hasher.write(&it.octets()),
    }
    hash.copy_from_slice(&hasher.finish().to_le_bytes());
    signed
}

fn joined(cookie: &Cookie, part: &[u8; SERVER]) -> [u8; COOKIE] {
    let mut whole = [0; COOKIE];
    let (client, server) = whole.split_at_mut(CLIENT);
    client.copy_from_slice(&cookie.client);
    server.copy_from_slice(part);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "dd3bdf9344b678b185a6f5cb60fca715";
    const NEW: &str = "445536bcd2513298075a5d379663c962";
    const IPV6: &str = "2001:db8:220:1:59de:d0f4:8769:82b8";
    const CLIENT_PART: &str = "22681ab97d52c298";

    fn octets(text: &str) -> Vec<u8> {
        let pairs = text.as_bytes().chunks(2).map(|it| std::str::from_utf8(it).unwrap());
        pairs.map(|it| u8::from_str_radix(it, 16).unwrap()).collect()
    }

    fn secrets(texts: &[&str]) -> CookieSecrets {
        let all: Vec<CookieSecret> =
            texts.iter().map(|it| CookieSecret(octets(it).try_into().unwrap())).collect();
        CookieSecrets::new(&all, CookieSecret([0; 16]))
    }

    #[track_caller]
    fn check(
        secrets: &CookieSecrets,
        cookie: &str,
        address: &str,
        now: u32,
    ) -> (CookieStanding, String) {
        let cookie = Cookie::read(&octets(cookie)).unwrap();
        let (standing, answer) = secrets.check(&cookie, address.parse().unwrap(), now);
        (standing, answer.iter().map(|it| format!("{it:02x}")).collect())
    }

    #[test]
    fn cookies_are_those_of_rfc_9018() {
        const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
        use CookieStanding::{Bad, None, Valid};
        for (keys, address, cookie, now, standing, answer) in [
            // Appendix A.1 to A.4.
            (
                &[SECRET][..],
                "198.51.100.100",
                "2464c4abcf10c957",
                1_559_731_985,
                None,
                "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
            ),
            (
                &[SECRET],
                "198.51.100.100",
                "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
                1_559_734_385,
                Valid,
                "2464c4abcf10c957010000005cf7a871d4a564a1442aca77",
            ),
            // Older than an hour, whatever the RFC calls it; what is reserved is signed too.
            (
                &[SECRET],
                "203.0.113.203",
                "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
                1_559_734_700,
                Bad,
                "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e",
            ),
            (
                &[NEW, OLD],
                IPV6,
                "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
                1_559_741_961,
                Valid,
                "22681ab97d52c298010000005cf7c609a6bb79d16625507a",
            ),
        ] {
            let seen = check(&secrets(keys), cookie, address, now);
            assert_eq!(seen, (standing, answer.to_owned()), "{cookie}");
        }
        let reserved = "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5";
        let seen = check(&secrets(&[SECRET]), reserved, "203.0.113.203", 1_559_727_985 + 3600);
        assert_eq!(seen.0, Valid, "what is reserved may be anything");
    }

    #[test]
    fn a_cookie_is_good_for_an_hour_and_renewed_after_half() {
        use CookieStanding::{Bad, Valid};
        let all = secrets(&[NEW, OLD]);
        // Times go round after 2^32 seconds.
        for made in [1_559_741_961, u32::MAX - 100, 50] {
            let cookie = check(&all, CLIENT_PART, IPV6, made).1;
            for (age, standing, same) in [
                (0, Valid, true),
                (1800, Valid, true),
                (1801, Valid, false),
                (3600, Valid, false),
                (3601, Bad, false),
                (i32::MAX, Bad, false),
                (i32::MIN, Bad, false),
                (-300, Valid, true),
                (-301, Bad, false),
            ] {
                let now = made.wrapping_add_signed(age);
                let (seen, answer) = check(&all, &cookie, IPV6, now);
                assert_eq!((seen, answer == cookie), (standing, same), "{made} {age}");
                assert_eq!(
                    check(&all, &answer, IPV6, now),
                    (Valid, answer),
                    "what is given is good"
                );
            }
        }
    }

    #[test]
    fn secrets_are_changed_one_after_the_other() {
        use CookieStanding::{Bad, Valid};
        let now = 1_559_741_961;
        let of_old = check(&secrets(&[OLD]), CLIENT_PART, IPV6, now).1;
        let of_new = check(&secrets(&[NEW]), CLIENT_PART, IPV6, now).1;
        for (keys, cookie, standing, answer) in [
            (&[OLD, NEW][..], &of_old, Valid, &of_old),
            (&[OLD, NEW], &of_new, Valid, &of_old),
            (&[NEW, OLD], &of_old, Valid, &of_new),
            (&[NEW], &of_old, Bad, &of_new),
            (&[], &of_old, Bad, &check(&secrets(&[]), CLIENT_PART, IPV6, now).1),
        ] {
            let seen = check(&secrets(keys), cookie, IPV6, now);
            assert_eq!(seen, (standing, answer.clone()), "{keys:?}");
        }
    }

    #[test]
    fn what_was_not_made_here_for_this_client_is_bad() {
        let (all, now) = (secrets(&[NEW]), 1_559_741_961);
        let good = octets(&check(&all, CLIENT_PART, IPV6, now).1);
        for at in 0..COOKIE {
            for bit in 0..8 {
                let mut other = good.clone();
                other[at] ^= 1 << bit;
                let cookie = Cookie::read(&other).unwrap();
                let seen = all.check(&cookie, IPV6.parse().unwrap(), now).0;
                assert_eq!(seen, CookieStanding::Bad, "octet {at}, bit {bit}");
            }
        }
        for address in ["2001:db8:220:1:59de:d0f4:8769:82b9", "192.0.2.1"] {
            let cookie = Cookie::read(&good).unwrap();
            let seen = all.check(&cookie, address.parse().unwrap(), now).0;
            assert_eq!(seen, CookieStanding::Bad, "{address}");
        }
    }

    #[test]
    fn cookies_have_their_lengths() {
        for length in 0..60 {
            let is_one = length == 8 || (16..=40).contains(&length);
            assert_eq!(Cookie::read(&vec![1; length]).is_some(), is_one, "{length}");
        }
    }
}
