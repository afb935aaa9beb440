//! The scope of an answer: whoever is inside it has the same candidates, and so, by the same draw, the same answer.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::testbed::Bed;
use crate::model::Family;
use crate::routing::Draw;

/// A prefix among few, so that tables have holes and networks lie in each other: in 16.0.0.0/8, 2001:db8::/32 or anywhere.
fn network() -> impl Strategy<Value = String> {
    let v4 = (4_u8..=14, 0_u32..1 << 14).prop_map(|(length, bits)| {
        let address = (16 << 24) | (bits << 10 >> (14 - length) << (14 - length));
        let address = address & (u32::MAX << (32 - 8 - length));
        format!("{}/{}", Ipv4Addr::from_bits(address), 8 + length)
    });
    let v6 = (2_u32..=16, 0_u128..1 << 16).prop_map(|(length, bits)| {
        let address = (0x2001_0db8 << 96) | (bits << 80);
        let address = address & (u128::MAX << (96 - length));
        format!("{}/{}", Ipv6Addr::from_bits(address), 32 + length)
    });
    let wide = prop::sample::select(vec!["0.0.0.0/1", "16.0.0.0/5", "::/3", "2000::/16"]);
    prop_oneof![6 => v4, 3 => v6, 1 => wide.prop_map(str::to_owned)]
}

pub(super) fn client() -> impl Strategy<Value = IpAddr> {
    let v4 = (0_u32..1 << 24).prop_map(|it| Ipv4Addr::from_bits((16 << 24) | it).into());
    let v6 =
        any::<u128>().prop_map(|it| Ipv6Addr::from_bits((0x2001_0db8 << 96) | it >> 32).into());
    let mapped = any::<u16>().prop_map(|it| {
        Ipv4Addr::from_bits((16 << 24) | u32::from(it) << 8).to_ipv6_mapped().into()
    });
    let any = any::<u32>().prop_map(|it| Ipv4Addr::from_bits(it).into());
    prop_oneof![6 => v4, 3 => v6, 1 => mapped, 1 => any]
}

/// Lines of a geography over random networks, each once.
fn lines(kind: &'static str, values: &'static [&'static str]) -> impl Strategy<Value = String> {
    let rows = prop::collection::btree_map(network(), prop::sample::select(values), 0..7);
    rows.prop_map(move |rows| {
        rows.into_iter().map(|(network, value)| format!("{kind} {network} {value}\n")).collect()
    })
}

pub(super) fn geography() -> impl Strategy<Value = String> {
    let sites = "site x 10,10\nsite y 50,50\nsite z 50,50\ntable x y z\n";
    let clients = &["US-WA", "US-WA site=x", "DE site=y", "site=elsewhere", "site=z"];
    let spots = &["US at=11,11", "US-WA", "DE at=49,49", "FR", "at=30,30", "JP at=-50,-120"];
    let rows = &["1 2 3", "2 1 1", "- 5 5", "- - -", "9 - -"];
    let default = prop::sample::select(vec!["", "default x", "default 49,49"]);
    (lines("client", clients), lines("spot", spots), lines("ms", rows), default)
        .prop_map(move |(a, b, c, d)| format!("{sites}{a}{b}{c}{d}"))
}

/// Subnets of two endpoints; some lie in others.
pub(super) fn subnets() -> impl Strategy<Value = [String; 2]> {
    prop::collection::btree_map((0_u8..16, 0_u8..6), any::<bool>(), 2..12).prop_map(|slots| {
        let mut owners =
            BTreeMap::from([("17.0.0.0/24".to_owned(), 0), ("17.0.1.0/24".to_owned(), 1)]);
        for ((slot, kind), is_second) in slots {
            let subnet = match kind {
                0 => format!("16.{}.0.0/16", slot * 4),
                1 => format!("16.{0}.9.3-16.{0}.77.1", slot * 4),
                2 => format!("16.{}.32.0/20", slot * 4),
                3 => format!("16.{}.0.0/12", slot / 4 * 16),
                4 => format!("2001:db8:{slot}::/48"),
                _ => format!("2001:db8:{slot}:100::/56"),
            };
            owners.insert(subnet, usize::from(is_second));
        }
        [0, 1].map(|owner| {
            let own = owners.iter().filter(|it| *it.1 == owner).map(|it| it.0.as_str());
            own.collect::<Vec<_>>().join(",")
        })
    })
}

pub(super) fn rule() -> impl Strategy<Value = &'static str> {
    let rules = ["", "", "affinity=24/56", "affinity=20/40", "affinity=9/33", "affinity=32/128"];
    prop::sample::select(rules.to_vec())
}

pub(super) fn method() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "priority",
        "weighted",
        "performance",
        "geographic",
        "subnet",
        "multivalue",
    ])
}

fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(it) => (it.to_bits().into(), 32),
        IpAddr::V6(it) => (it.to_bits(), 128),
    }
}

/// Another address that has the first bits in common.
fn inside(address: IpAddr, scope: u8, others: u128) -> IpAddr {
    let (bits, width) = bits(address);
    let host = u128::MAX.checked_shr(128 - width + u32::from(scope)).unwrap_or(0);
    let bits = bits & !host | others & host;
    match width {
        32 => Ipv4Addr::from_bits(u32::try_from(bits).unwrap()).into(),
        _ => Ipv6Addr::from_bits(bits).into(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_client_inside_the_scope_gets_the_same(
        geography in geography(),
        [first, second] in subnets(),
        (outer, outer_rule) in (method(), rule()),
        (inner, inner_rule) in (method(), rule()),
        (other, other_rule) in (method(), rule()),
        changes in prop::sample::select(vec!["", "in/a down", "in/b down", "in/c down\nin/a down", "out/a down", "out/b down"]),
        ramps: bool,
        client in client(),
        others in prop::collection::vec(any::<u128>(), 16),
        seed: u64,
    ) {
        let slow = if ramps { "slow=90" } else { "" };
        let endpoints = |b: &str, c: &str| format!(
            "\na w=2 p=1 site=x geo=US-WA net={first} {slow}\nb w=1 p=1 site=y geo=GEO-EU,US net={second} {b}\nc w=3 p=2 site=z geo=WORLD {c}"
        );
        let outer = if outer == "multivalue" { "weighted" } else { outer };
        let inner = format!("in {inner} {inner_rule}{}", endpoints("", ""));
        let other = format!("other {other} {other_rule}{}", endpoints("", "child=in"));
        let outer = format!("out {outer} {outer_rule}{}", endpoints("child=other", "child=in"));
        let mut bed = Bed::new(&geography, &[&inner, &other, &outer]);
        bed.after(1, "in/a down\nout/a down").after(2, "in/a up\nout/a up").after(30, changes);
        for name in ["in", "out"] {
            let ask = |client, sequence| bed.ask(name, Family::V4, client, Draw { seed, sequence });
            let scope = ask(client, 0).scope;
            prop_assert!(u32::from(scope) <= bits(client).1);
            for sequence in 0..12 {
                // A resolver keeps any of these for all of them.
                let mine = ask(client, sequence);
                prop_assert_eq!(mine.scope, scope);
                for other in &others {
                    let other = inside(client, scope, *other);
                    prop_assert_eq!(&mine, &ask(other, sequence), "{} and {}", client, other);
                }
            }
        }
    }
}

/// Where clients do not matter, the answer holds for everyone.
#[test]
fn the_scope_is_0_when_the_client_does_not_matter() {
    let geo = "site x 1,1\nclient 16.0.0.0/8 US site=x\nspot 16.0.0.0/8 US at=1,1";
    for profile in [
        "p priority\n a\n b",
        "p weighted\n a\n b",
        "p multivalue\n a\n b",
        "p performance\n a site=x",
        "p geographic\n a geo=WORLD",
        "p subnet\n a\n b",
        "p weighted affinity=24/56\n a",
    ] {
        let bed = Bed::new(geo, &[profile]);
        let scope =
            bed.ask("p", Family::V4, [16, 1, 1, 1].into(), Draw { seed: 1, sequence: 0 }).scope;
        assert_eq!(scope, 0, "{profile}");
    }
}

/// Whatever chance might have chosen counts, but nothing else.
#[test]
fn the_scope_is_of_all_that_chance_may_lead_to() {
    let geo = "spot 16.0.0.0/8 US";
    let mut bed = Bed::new(
        geo,
        &[
            "ns subnet\n a net=10.0.0.0/8",
            "ng geographic\n a geo=US\n b geo=WORLD",
            "w weighted\n s child=ns\n o",
            "deep weighted\n w child=w\n o",
            "p priority\n o p=1 slow=90\n s p=2 child=ns\n g p=3 child=ng",
            "half priority\n o p=1 slow=90\n x p=1\n s p=2 child=ns",
            "zero weighted\n s w=0 child=ns\n o",
            "kept weighted affinity=4/4\n s child=ns\n o",
        ],
    );
    let ask = |bed: &Bed, name: &str, client: &str| {
        let ask = |sequence| {
            bed.ask(name, Family::V4, client.parse().unwrap(), Draw { seed: 1, sequence }).scope
        };
        let first = ask(0);
        assert!((1..64).all(|it| ask(it) == first), "{name} {client}");
        first
    };
    for (name, client, expected) in [
        ("w", "11.0.0.1", 8),
        ("w", "10.0.0.1", 8),
        ("w", "200.0.0.1", 1),
        ("deep", "11.0.0.1", 8),
        ("p", "11.0.0.1", 0),
        ("half", "11.0.0.1", 0),
        ("zero", "11.0.0.1", 0),
    ] {
        assert_eq!(ask(&bed, name, client), expected, "{name} {client}");
    }
    let kept: Vec<u8> =
        (0..16).map(|it| ask(&bed, "kept", &format!("{}.0.0.1", 16 * it))).collect();
    assert!(kept.contains(&4) && kept.iter().all(|it| [4, 5].contains(it)), "{kept:?}");
    // While it starts slowly, `p` may leave a client to the next.
    bed.after(1, "p/o down\nhalf/o down").after(2, "p/o up\nhalf/o up");
    assert_eq!((ask(&bed, "p", "11.0.0.1"), ask(&bed, "half", "11.0.0.1")), (8, 0));
}

/// Where an IPv4 address that is written as IPv6 matters at all, so does it that it is one.
#[test]
fn the_scope_of_ipv4_that_is_written_as_ipv6_is_counted_in_ipv6() {
    let bed = Bed::new(
        "spot 16.0.0.0/8 US",
        &[
            "s subnet\n a net=0.0.0.0/0\n b",
            "t subnet\n a net=10.0.0.0/8\n b",
            "g geographic\n a geo=US\n b geo=WORLD",
            "f weighted affinity=20/56\n a\n b",
            "w weighted\n a\n b",
        ],
    );
    for (name, client, expected) in [
        ("s", "10.0.0.0", 0),
        ("s", "::ffff:10.0.0.0", 96),
        ("s", "2001:db8::", 3),
        ("t", "10.0.0.0", 8),
        ("t", "::ffff:10.0.0.0", 104),
        ("g", "::ffff:16.0.0.0", 104),
        ("f", "::ffff:10.0.0.0", 116),
        ("w", "::ffff:10.0.0.0", 0),
    ] {
        let draw = Draw { seed: 1, sequence: 0 };
        let scope = bed.ask(name, Family::V4, client.parse().unwrap(), draw).scope;
        assert_eq!(scope, expected, "{name} {client}");
    }
}

/// The widest prefix for `subnet` and `affinity`, the table's own range for the others, the narrowest of nested levels.
#[test]
fn the_scope_is_as_wide_as_what_was_looked_at() {
    let geo = "site x 1,1\nsite y 50,50\nclient 16.1.0.0/16 US site=x\nspot 16.0.0.0/8 DE at=50,50";
    let geographic = "g geographic\n a geo=US\n b geo=WORLD";
    let bed = Bed::new(
        geo,
        &[
            geographic,
            "p performance\n a site=x\n b site=y",
            "s subnet\n a net=16.0.0.0/9,16.128.0.0/10\n b",
            "t subnet\n a net=16.0.0.0/8,16.1.0.0/16\n b net=16.1.2.0/24",
            "f weighted affinity=20/56\n a\n b",
            "n weighted affinity=12/56\n a child=g\n b child=g",
        ],
    );
    for (name, client, expected) in [
        ("g", "16.1.2.3", 16),
        ("g", "16.2.2.3", 15),
        ("g", "17.2.2.3", 8),
        ("p", "16.1.2.3", 16),
        ("s", "16.1.2.3", 9),
        ("s", "16.130.2.3", 10),
        ("s", "16.200.2.3", 10),
        ("s", "17.2.2.3", 8),
        ("t", "16.2.2.3", 15),
        ("t", "16.1.2.3", 24),
        ("t", "16.1.3.3", 24),
        ("t", "16.1.4.3", 22),
        ("f", "9.9.9.9", 20),
        ("f", "2001:db8::1", 56),
        ("n", "16.1.2.3", 16),
        ("n", "17.2.2.3", 12),
    ] {
        let scope =
            bed.ask(name, Family::V4, client.parse().unwrap(), Draw { seed: 1, sequence: 0 }).scope;
        assert_eq!(scope, expected, "{name} {client}");
    }
}
