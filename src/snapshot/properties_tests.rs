//! What holds of every profile, whatever happens to its endpoints.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::testbed::Bed;
use crate::model::{EndpointStatus, Family, Point};
use crate::routing::{Draw, Standing};

const GEO: &str =
    "site x 10,10\nsite y 20,20\nspot 10.0.0.0/8 US-WA at=10,10\nclient 11.0.0.0/8 DE site=y";

/// The first address and the length of a network in 10.0.0.0/8.
fn net((inside, bits): (u32, u32)) -> (u32, u32) {
    ((10 << 24) | inside >> (32 - bits) << (32 - bits), bits)
}

fn method() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "priority",
        "weighted",
        "performance",
        "geographic",
        "subnet",
        "multivalue",
    ])
}

/// What happens to one endpoint.
fn event() -> impl Strategy<Value = &'static str> {
    let words = [
        "up",
        "down",
        "new",
        "drained",
        "undrained",
        "off",
        "on",
        "forced-up",
        "forced-down",
        "unforced",
        "w=0",
        "w=5",
    ];
    prop::sample::select(words.to_vec())
}

fn events() -> impl Strategy<Value = Vec<(char, &'static str)>> {
    prop::collection::vec((prop::sample::select(vec!['a', 'b', 'c', 'd']), event()), 0..20)
}

/// A client network of 10.0.0.0/8, by number.
fn network(number: u32) -> IpAddr {
    Ipv4Addr::from_bits((10 << 24) | (number << 8) | 7).into()
}

/// Who serves each of many client networks.
fn assigned(weights: &[(char, u16)]) -> Vec<String> {
    let endpoint = |(name, weight): &(char, u16)| format!("\n{name} w={weight}");
    let endpoints: String = weights.iter().map(endpoint).collect();
    let bed = Bed::new("", &[&format!("p weighted affinity=24/56{endpoints}")]);
    let draw = Draw { seed: 0, sequence: 0 };
    (0..300).map(|it| bed.ask("p", Family::V4, network(it), draw).places.remove(0)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_unhealthy_endpoint_beside_a_healthy_candidate_and_no_drained_one_unless_all_are(
        method in method(), rule in prop::sample::select(vec!["", "affinity=24/56", "none=last_healthy", "manual"]),
        events in events(), seed: u64,
    ) {
        let text = format!("p {method} {rule}
            a w=1 p=1 site=x geo=US-WA net=10.0.0.0/9 slow=20
            b w=2 p=1 site=x geo=US net=10.128.0.0/9
            c w=0 p=2 site=y geo=GEO-EU
            d w=7 p=3 geo=WORLD");
        let mut bed = Bed::new(GEO, &[&text]);
        for (at, (name, word)) in (1..).zip(events) {
            bed.after(7 * at, &format!("p/{name} {word}"));
            let table = bed.table("p");
            let status: BTreeMap<String, EndpointStatus> = table.profile.endpoints.iter()
                .zip(&table.endpoints).map(|(it, state)| (it.name.to_string(), state.status)).collect();
            let any_healthy = status.values().any(|it| it.is_healthy());
            let all_drained = status.values().filter(|it| it.is_in_service()).all(|it| *it == EndpointStatus::Drained);
            for sequence in 0..8 {
                let client = ["10.1.1.1", "10.200.1.1", "11.1.1.1", "9.9.9.9"][sequence as usize % 4];
                let answered = bed.ask("p", Family::V4, client.parse().unwrap(), Draw { seed, sequence });
                for place in answered.places.iter().filter(|it| *it != "nodata") {
                    let status = status[place];
                    prop_assert!(status.is_in_service());
                    prop_assert!(!any_healthy || status.is_healthy(), "{} is {:?}", place, status);
                    prop_assert!(all_drained || status != EndpointStatus::Drained);
                    let at = usize::from(place.as_bytes()[0] - b'a');
                    let standing = table.standing(Family::V4, at).unwrap();
                    let ramps = table.endpoints.iter().any(|it| it.ramp.is_some());
                    prop_assert!(standing == Standing::Candidate || ramps, "{} is {:?}", place, standing);
                }
                // Only these two may have nothing for a client while something is in service.
                let may_miss = ["geographic", "subnet"].contains(&method);
                let serves = any_healthy || table.endpoints.iter().any(|it| it.status.is_in_service());
                prop_assert!(answered.places != ["nodata"] || may_miss || !serves);
            }
        }
    }

    #[test]
    fn shares_converge_to_weights_under_any_sequence_of_health_changes(
        weights in prop::collection::vec(1_u16..200, 3), changes in prop::collection::vec((0_usize..3, 1_u64..400), 1..8), seed: u64,
    ) {
        let [a, b, c] = weights[..] else { unreachable!() };
        let mut bed = Bed::new("", &[&format!("p weighted\n a w={a}\n b w={b}\n c w={c}")]);
        let (mut up, mut sequence) = ([true; 3], 0);
        let (mut expected, mut seen) = ([0.0; 3], [0.0; 3]);
        for (at, (turned, queries)) in (1..).zip(&changes) {
            up[*turned] ^= true;
            let word = if up[*turned] { "up" } else { "down" };
            bed.after(at, &format!("p/{} {word}", ["a", "b", "c"][*turned]));
            let serving = if up.contains(&true) { up } else { [true; 3] };
            let total: f64 = (0..3).filter(|it| serving[*it]).map(|it| f64::from(weights[it])).sum();
            for it in (0..3).filter(|it| serving[*it]) {
                expected[it] += *queries as f64 * f64::from(weights[it]) / total;
            }
            for _ in 0..*queries {
                let draw = Draw { seed, sequence };
                sequence += 1;
                let place = bed.ask("p", Family::V4, network(0), draw).places.remove(0);
                seen[usize::from(place.as_bytes()[0] - b'a')] += 1.0;
            }
        }
        for it in 0..3 {
            let off: f64 = seen[it] - expected[it];
            prop_assert!(off.abs() < 12.0 * changes.len() as f64, "{:?}, not {:?}", seen, expected);
        }
    }

    #[test]
    fn distance_lookups_equal_a_naive_scan(
        points in prop::collection::vec((-80_i32..80, -170_i32..170), 2..9), client in (-80_i32..80, -170_i32..170),
        down in 0_usize..9,
    ) {
        let endpoint = |(at, (north, east)): (usize, &(i32, i32))| format!("\ne{at} w=1 at={north},{east}");
        let text: String = points.iter().enumerate().map(endpoint).collect();
        let geo = format!("spot 10.0.0.0/8 at={},{}", client.0, client.1);
        let mut bed = Bed::new(&geo, &[&format!("p performance{text}")]);
        if down < points.len() {
            bed.after(1, &format!("p/e{down} down"));
        }
        let point = |it: (i32, i32)| Point::new(it.0.into(), it.1.into()).unwrap();
        let far = |at: usize| point(points[at]).distance_km(&point(client));
        let least = (0..points.len()).filter(|it| *it != down).map(far).fold(f64::INFINITY, f64::min);
        let place = bed.ask("p", Family::V4, network(1), Draw { seed: 3, sequence: 0 }).places.remove(0);
        let chosen: usize = place[1..].parse().unwrap();
        prop_assert!(chosen != down && far(chosen) <= least + 1.0, "{} at {} km, not {}", place, far(chosen), least);
    }

    #[test]
    fn the_narrowest_subnet_equals_a_naive_scan(
        nets in prop::collection::btree_map((0_u32..1 << 24, 8_u32..=32).prop_map(net), 0_usize..4, 0..20), down in 0_usize..5,
        near in any::<prop::sample::Index>(), off in prop::sample::select(vec![0, 1, 200, 70_000]), asked in 0_u32..1 << 24,
    ) {
        let mut text = String::from("s subnet");
        for owner in 0..4 {
            let own = nets.iter().filter(|it| *it.1 == owner);
            let own: Vec<String> = own.map(|((first, bits), _)| format!("{}/{bits}", Ipv4Addr::from_bits(*first))).collect();
            if !own.is_empty() {
                text += &format!("\ne{owner} net={}", own.join(","));
            }
        }
        let mut bed = Bed::new("", &[&format!("{text}\nrest")]);
        if nets.values().any(|it| *it == down) {
            bed.after(1, &format!("s/e{down} down"));
        }
        // By chance alone a client would hardly ever be in a narrow network, or close to it.
        let starts: Vec<u32> = nets.keys().map(|it| it.0 & 0xff_ffff).collect();
        let asked = if starts.is_empty() { asked } else { (starts[near.index(starts.len())] + off) & 0xff_ffff };
        let client = (10 << 24) | asked;
        let around = nets.iter().filter(|(it, owner)| **owner != down && net((client, it.1)) == **it);
        let expected = around.max_by_key(|it| it.0.1).map_or("rest".to_owned(), |it| format!("e{}", it.1));
        let asked = bed.ask("s", Family::V4, Ipv4Addr::from_bits(client).into(), Draw { seed: 3, sequence: 0 });
        prop_assert_eq!(&asked.places, &[expected]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nested_weights_equal_those_that_are_flattened_by_hand(
        outer in prop::collection::vec(1_u16..9, 2), inner in prop::collection::vec(1_u16..9, 4),
        states in prop::collection::vec(prop::sample::select(vec!["up", "up", "down", "drained", "drained down", "off"]), 4),
    ) {
        let [x, y] = outer[..] else { unreachable!() };
        let [a, b, c, d] = inner[..] else { unreachable!() };
        let nested = [format!("x weighted\n a w={a}\n b w={b}"), format!("y weighted\n a w={c}\n b w={d}"), format!("p weighted\n x w={x} child=x\n y w={y} child=y")];
        let mut bed = Bed::new("", &[&nested[0], &nested[1], &nested[2]]);
        let leaves = [("x", "a", x, a), ("x", "b", x, b), ("y", "a", y, c), ("y", "b", y, d)];
        let changes: Vec<String> = leaves.iter().zip(&states).map(|(it, state)| format!("{}/{} {state}", it.0, it.1)).collect();
        bed.after(1, &changes.join("\n"));
        // Who serves: the best there are.
        let rank = |state: &str| ["up", "down", "drained", "drained down"].iter().position(|it| *it == state);
        let best = states.iter().filter_map(|it| rank(it)).min();
        let serving = leaves.iter().zip(&states).filter(|it| best.is_some() && rank(it.1) == best).map(|it| *it.0);
        let leaves: Vec<_> = serving.collect();
        let total: u16 = [("x", x), ("y", y)].iter().filter(|it| leaves.iter().any(|leaf| leaf.0 == it.0)).map(|it| it.1).sum();
        let shares = bed.shares("p", Family::V4, "9.9.9.9");
        prop_assert_eq!(shares.contains_key("nodata"), leaves.is_empty());
        for (child, leaf, own, weight) in &leaves {
            let siblings: u16 = leaves.iter().filter(|it| it.0 == *child).map(|it| it.3).sum();
            let expected = 100.0 * f64::from(*own) / f64::from(total) * f64::from(*weight) / f64::from(siblings);
            let seen = shares.get(&format!("{child}/{leaf}")).copied().unwrap_or_default();
            prop_assert!((seen - expected).abs() < 4.0, "{} {}: {} not {}", child, leaf, seen, expected);
        }
    }

    /// Of one member that is gone, new or of another weight, no client moves between two others.
    #[test]
    fn affinity_moves_only_what_it_must(
        weights in prop::collection::vec(1_u16..100, 2..8), changed in any::<prop::sample::Index>(), weight in 0_u16..200,
    ) {
        let before: Vec<(char, u16)> = ('a'..).zip(weights).collect();
        let (name, old) = before[changed.index(before.len())];
        let mut after = before.clone();
        match weight {
            0 => after.retain(|it| it.0 != name),
            _ => after.iter_mut().filter(|it| it.0 == name).for_each(|it| it.1 = weight),
        }
        let name = name.to_string();
        for (was, is) in assigned(&before).into_iter().zip(assigned(&after)) {
            let may = if weight < old { was == name } else { is == name };
            prop_assert!(was == is || may, "a client moved from {} to {} for {}", was, is, name);
        }
    }
}

/// Affinity among places that are equally near moves no client between two that stay.
#[test]
fn affinity_moves_only_what_it_must_between_equally_near_places() {
    let text = "p performance affinity=24/56\n a site=a at=1,1\n b site=b at=1,1\n c site=c at=1,1\n far at=60,60";
    let mut bed = Bed::new("spot 10.0.0.0/8 at=1,1", &[text]);
    let ask = |bed: &Bed| -> Vec<String> {
        let asked = |it| bed.ask("p", Family::V4, network(it), Draw { seed: 0, sequence: 0 });
        (0..600).map(|it| asked(it).places.remove(0)).collect()
    };
    let before = ask(&bed);
    let after = ask(bed.after(1, "p/b down"));
    let moved = before.iter().zip(&after).filter(|(was, is)| was != is);
    assert!(moved.clone().all(|(was, _)| was == "b") && (150..250).contains(&moved.count()));
}
