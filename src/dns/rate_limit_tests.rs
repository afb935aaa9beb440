//! Accounts over simulated time.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const KEY: [u8; 16] = [7; 16];

fn settings() -> RateLimit {
    RateLimit {
        responses_per_second: 5,
        nxdomains_per_second: 2,
        errors_per_second: 1,
        window: Duration::from_secs(15),
        slip: 2,
        ipv4_prefix: 24,
        ipv6_prefix: 56,
        exempt: Box::default(),
    }
}

fn account(name: &[u8], class: AnswerClass) -> Account<'_> {
    Account { network: IpAddr::from([192, 0, 2, 0]), class, name }
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// So many answers at each of these times: `.` is sent, `-` dropped, `s` slipped.
#[track_caller]
fn check(settings: &RateLimit, class: AnswerClass, times: &[(u64, usize)], expected: &str) {
    let (limits, mut limiter) = (RateLimits::new(settings), Limiter::new(KEY));
    let mut seen = String::new();
    for (at, count) in times {
        seen.extend((0..*count).map(|_| {
            match limiter.note(&limits, account(b"\x01z\x00", class), ms(*at)) {
                None => '.',
                Some(Limited::Dropped) => '-',
                Some(Limited::Slipped) => 's',
            }
        }));
        seen.push(' ');
    }
    assert_eq!(seen.trim_end(), expected, "{times:?}");
}

#[test]
fn a_second_has_its_answers_at_once_and_each_further_one_has_its_time() {
    use AnswerClass::{Error, NxDomain, Positive, Referral, Synthesized};
    for (class, times, expected) in [
        (Positive, &[(0, 7)][..], ".....-s"),
        (Referral, &[(0, 6)], ".....-"),
        (Synthesized, &[(0, 6)], ".....-"),
        (NxDomain, &[(0, 4)], "..-s"),
        (Error, &[(0, 4)], ".-s-"),
        // Whoever keeps to the limit is never limited.
        (Positive, &[(0, 5), (200, 1), (400, 1), (1400, 5), (2400, 5)], "..... . . ..... ....."),
        // What is not used is not saved up.
        (Positive, &[(0, 1), (60_000, 6)], ". .....-"),
        (Error, &[(0, 1), (999, 1)], ". -"),
        (Error, &[(0, 1), (1000, 1)], ". ."),
        // What is refused is owed too: one beyond the limit, and the time for two passes until the next.
        (Error, &[(0, 2), (1000, 1)], ".- s"),
        (Error, &[(0, 2), (2000, 1)], ".- ."),
    ] {
        check(&settings(), class, times, expected);
    }
}

#[test]
fn debt_lasts_for_the_window() {
    let settings = RateLimit { window: Duration::from_secs(3), slip: 0, ..settings() };
    let flood = |quiet: u64| [(0, 1000), (500, 1000), (1000, 1000), (1000 + quiet, 1)];
    // A second is its own, and the next answer has its time: 200 ms here.
    for (quiet, last) in [(3000, "-"), (3199, "-"), (3200, "."), (60_000, ".")] {
        let (first, rest) = (format!("{}{}", ".".repeat(5), "-".repeat(995)), "-".repeat(1000));
        let expected = format!("{first} {rest} {rest} {last}");
        check(&settings, AnswerClass::Positive, &flood(quiet), &expected);
    }
}

#[test]
fn every_so_many_slip() {
    for (slip, expected) in [
        (0, ".--------------------"),
        (1, ".ssssssssssssssssssss"),
        (2, ".-s-s-s-s-s-s-s-s-s-s"),
        (3, ".--s--s--s--s--s--s--"),
        (10, ".---------s---------s"),
    ] {
        let settings = RateLimit { slip, ..settings() };
        check(&settings, AnswerClass::Error, &[(0, 21)], expected);
    }
}

#[test]
fn a_reload_counts_on_with_the_new_limits() {
    let mut limiter = Limiter::new(KEY);
    let mut notes = |limits: &RateLimit, at, count: usize| {
        let limits = RateLimits::new(limits);
        let one = account(b"", AnswerClass::Error);
        (0..count).filter(|_| limiter.note(&limits, one, ms(at)).is_none()).count()
    };
    let strict = settings();
    let generous = RateLimit { errors_per_second: 1000, window: ms(1000), ..settings() };
    assert_eq!(notes(&strict, 0, 1000), 1);
    // The debt is cut to the shorter window.
    assert_eq!(notes(&generous, 0, 1), 0);
    assert_eq!(notes(&generous, 1000, 1), 0);
    assert_eq!(notes(&generous, 3000, 1001), 1000);
    assert_eq!(notes(&strict, 3000, 1), 0);
}

#[test]
fn networks_classes_and_names_count_apart() {
    let one = RateLimit {
        responses_per_second: 1,
        nxdomains_per_second: 1,
        errors_per_second: 1,
        ..settings()
    };
    let (limits, mut limiter) = (RateLimits::new(&one), Limiter::new(KEY));
    let mut is_new = |client: &str, class, name: &[u8]| {
        let (network, _) = limits.network(client.parse().unwrap());
        limiter.note(&limits, Account { network, class, name }, ms(0)).is_none()
    };
    use AnswerClass::{Error, NxDomain, Referral};
    for (client, class, name, expected) in [
        ("192.0.2.1", Error, &b""[..], true),
        ("192.0.2.255", Error, b"", false),
        ("::ffff:192.0.2.9", Error, b"", false),
        ("192.0.3.1", Error, b"", true),
        ("2001:db8:0:1::1", Error, b"", true),
        ("2001:db8:0:ff:ffff::1", Error, b"", false),
        ("2001:db8:0:100::1", Error, b"", true),
        // An IPv6 network that has the octets of an IPv4 one, and names that go on where others end.
        ("c000:200::", Error, b"", true),
        ("192.0.2.1", Error, b"\x01a\x00", true),
        ("192.0.2.1", Error, b"\x01b\x00", true),
        ("192.0.2.1", Error, b"\x01a\x00", false),
        ("192.0.2.1", NxDomain, b"\x01a\x00", true),
        ("192.0.2.1", Referral, b"\x01a\x00", true),
    ] {
        assert_eq!(is_new(client, class, name), expected, "{client} {class:?} {name:?}");
    }
}

#[test]
fn prefixes_may_have_any_length() {
    for (ipv4_prefix, ipv6_prefix, client, network) in [
        (24, 56, "192.0.2.77", "192.0.2.0/24"),
        (32, 56, "192.0.2.77", "192.0.2.77/32"),
        (1, 56, "192.0.2.77", "128.0.0.0/1"),
        (24, 128, "2001:db8::77", "2001:db8::77/128"),
        (24, 1, "8001:db8::77", "8000::/1"),
        (24, 56, "::ffff:192.0.2.77", "192.0.2.0/24"),
    ] {
        let limits = RateLimits::new(&RateLimit { ipv4_prefix, ipv6_prefix, ..settings() });
        let (first, length) = limits.network(client.parse().unwrap());
        assert_eq!(format!("{first}/{length}"), network);
    }
}

#[test]
fn networks_are_exempt_wherever_they_stand_in_the_list() {
    let networks = "10.9.0.0/16 192.0.2.7/32 10.0.0.0/8 10.9.8.0/24 2001:db8::/32 192.0.2.7/32 2001:db8:1::/48";
    let exempt = networks.split(' ').map(|it| it.parse().unwrap()).collect();
    let limits = RateLimits::new(&RateLimit { exempt, ..settings() });
    for (client, expected) in [
        ("10.0.0.0", true),
        ("10.9.8.7", true),
        ("10.10.0.1", true),
        ("10.255.255.255", true),
        ("9.255.255.255", false),
        ("11.0.0.0", false),
        ("192.0.2.6", false),
        ("192.0.2.7", true),
        ("::ffff:192.0.2.7", true),
        ("192.0.2.8", false),
        ("2001:db8:1:1::1", true),
        ("2001:db8:ffff::", true),
        ("2001:db9::", false),
        ("::", false),
    ] {
        assert_eq!(limits.exempts(client.parse().unwrap()), expected, "{client}");
    }
    assert!(!RateLimits::new(&settings()).exempts("::1".parse().unwrap()));
}

#[test]
fn a_flood_of_networks_washes_nobody_out_who_is_over_the_limit() {
    let (limits, mut limiter) = (RateLimits::new(&settings()), Limiter::new(KEY));
    let victim = account(b"\x01z\x00", AnswerClass::Positive);
    let noted = (0..100).filter(|_| limiter.note(&limits, victim, ms(0)).is_none()).count();
    assert_eq!(noted, 5);
    // Three times as many as there is room for, none of which asks twice.
    let others = (3 * WAYS as u32) << SET_BITS;
    let limited = (0..others)
        .filter(|it| {
            let network = Ipv4Addr::from(0x0a00_0000 | it).into();
            limiter.note(&limits, Account { network, ..victim }, ms(0)).is_some()
        })
        .count();
    assert_eq!(limited, 0, "whoever asks once is answered, also where there is no room");
    assert!(limiter.note(&limits, victim, ms(0)).is_some());
}

/// The same rules over a map, in whole answers rather than in time.
#[derive(Default)]
struct Plain(HashMap<(u8, u8), (i64, u64, u8)>);

impl Plain {
    /// A balance in thousandths of an answer, at a millisecond; each has a credit of `rate` thousandths.
    fn note(&mut self, rate: i64, window_s: i64, slip: u8, key: (u8, u8), at: u64) -> char {
        let (balance, last, slips) = self.0.entry(key).or_insert((rate * 1000, at, 0));
        *balance = (*balance + (at - *last) as i64 * rate).min(rate * 1000) - 1000;
        *last = at;
        if *balance >= 0 {
            return '.';
        }
        *balance = (*balance).max(-window_s * rate * 1000);
        *slips += 1;
        if slip > 0 && *slips >= slip {
            *slips = 0;
            return 's';
        }
        '-'
    }
}

const CLASSES: [AnswerClass; 3] =
    [AnswerClass::Positive, AnswerClass::NxDomain, AnswerClass::Error];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn it_decides_as_plain_accounts_do(
        // Rates that divide a second into whole nanoseconds, so that both count exactly.
        rate in prop::sample::select(vec![1_u32, 2, 4, 5, 8, 10, 20, 100]),
        (window, slip) in (1_u64..20, 0_u8..=10),
        key in any::<[u8; 16]>(),
        notes in prop::collection::vec((0_u8..2, 0_u8..3, prop_oneof![3 => 0_u64..5, 1 => 0_u64..3000]), 1..200),
    ) {
        let settings = RateLimit {
            responses_per_second: rate,
            nxdomains_per_second: rate,
            errors_per_second: rate,
            window: Duration::from_secs(window),
            slip,
            ..settings()
        };
        let (limits, mut limiter) = (RateLimits::new(&settings), Limiter::new(key));
        let (mut plain, mut at) = (Plain::default(), 1);
        for (name, class, pause) in notes {
            at += pause;
            let name_octets = [name];
            let seen = match limiter.note(&limits, account(&name_octets, CLASSES[usize::from(class)]), ms(at)) {
                None => '.',
                Some(Limited::Dropped) => '-',
                Some(Limited::Slipped) => 's',
            };
            let expected = plain.note(rate.into(), window as i64, slip, (name, class), at);
            prop_assert_eq!(seen, expected, "at {} ms", at);
        }
    }

    #[test]
    fn nobody_gets_more_than_the_limit_and_who_keeps_to_it_gets_all(
        rate in 1_u32..3000,
        window in 1_u64..100,
        pauses in prop::collection::vec(0_u64..2_000_000_000, 1..300),
        crowd in prop::collection::vec(any::<u32>(), 0..50),
    ) {
        let settings = RateLimit { responses_per_second: rate, window: Duration::from_secs(window), ..settings() };
        let (limits, mut limiter) = (RateLimits::new(&settings), Limiter::new(KEY));
        let (greedy, modest) = (account(b"\x01g\x00", AnswerClass::Positive), account(b"\x01m\x00", AnswerClass::Positive));
        let (mut now, mut sent, mut modest_at) = (Duration::ZERO, 0_u64, Duration::ZERO);
        for (at, pause) in pauses.into_iter().enumerate() {
            now += Duration::from_nanos(pause / 16);
            sent += u64::from(limiter.note(&limits, greedy, now).is_none());
            let most = (now.as_secs_f64() + 1.0) * f64::from(rate) * 1.000_01;
            prop_assert!(sent as f64 <= most + 1.0, "{} in {:?}", sent, now);
            if now >= modest_at {
                prop_assert_eq!(limiter.note(&limits, modest, now), None);
                modest_at = now + Duration::from_nanos(BURST / u64::from(rate));
            }
            if let Some(other) = crowd.get(at % crowd.len().max(1)) {
                let network = Ipv4Addr::from(*other).into();
                let _ = limiter.note(&limits, Account { network, ..greedy }, now);
            }
        }
    }
}
