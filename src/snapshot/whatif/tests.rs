//! What is told of every client, against the decisions that clients get.

use std::net::IpAddr;

use proptest::prelude::*;

use super::kinds::Tables;
use super::*;
use crate::routing::Draw;
use crate::snapshot::scope_tests::{client, geography, method, rule, subnets};
use crate::snapshot::testbed::Bed;

fn tree<'b>(bed: &'b Bed, profile: &str) -> Tree<'b> {
    Tree::of(&bed.snapshot, u32::try_from(bed.slot(profile)).unwrap())
}

fn word(leaf: &Leaf) -> &str {
    match leaf {
        Leaf::Endpoint(path) => path,
        Leaf::Fallback => "fallback",
        Leaf::NoData => "nodata",
        Leaf::ServFail => "servfail",
    }
}

/// Holds the rows of the last profile against "CLIENTS: ANSWER PERCENT …".
#[track_caller]
fn check(geography: &str, profiles: &[&str], expected: &[&str]) {
    let bed = Bed::new(geography, profiles);
    let tree = tree(&bed, profiles.last().unwrap().split_once(' ').unwrap().0);
    let row = |row: Row| {
        let shares = row.now.0.iter().map(|it| format!(" {} {:.0}", word(&it.0), it.1 * 100.0));
        format!("{}:{}", row.clients.join(", "), shares.collect::<String>())
    };
    let rows: Vec<String> = compare(&tree, &tree, Family::V4).into_iter().map(row).collect();
    assert_eq!(rows, expected);
}

#[test]
fn a_range_that_another_lies_in_is_told_in_pieces() {
    let inner = "in subnet\n a net=10.0.0.0/16\n b";
    let outer = "p subnet\n a net=10.0.0.0/8 child=in\n b";
    let rows = ["10.0.0.0/16: a/a 100", "10.1.0.0-10.255.255.255: a/b 100", "elsewhere: b 100"];
    check("", &[inner, outer], &rows);
    let near = "site x 1,1\nsite y 50,50\nspot 20.0.0.0/8 US at=50,50\nclient 20.0.0.0/24 site=x";
    let rows = ["20.0.0.0/24 (US, site x): a 100", "networks in US: b 100", "elsewhere: a 50 b 50"];
    check(near, &["p performance\n a site=x\n b site=y"], &rows);
}

#[test]
fn elsewhere_is_where_no_table_reaches() {
    let rows = ["0.0.0.0/0: a 100", "elsewhere: b 100"];
    check("", &["p subnet\n a net=0.0.0.0/0\n b"], &rows);
    check("", &["p subnet\n a net=0.0.0.0/0,::/0\n b"], &["0.0.0.0/0, ::/0: a 100"]);
    let inside = "p subnet\n a net=10.0.0.0-255.255.255.255\n b";
    check("", &[inside], &["10.0.0.0-255.255.255.255: a 100", "elsewhere: b 100"]);
}

#[test]
fn a_region_is_told_by_its_networks() {
    let places = "site x 1,1\nsite y 50,50\ndefault x\n";
    let child = "in performance\n x site=x\n y site=y";
    let outer = "p geographic\n us child=in geo=US,CA\n rest geo=WORLD";
    let us = "spot 20.1.0.0/16 US-WA at=50,50\nspot 20.2.0.0/16 FR at=1,1";
    let rows = [
        "networks in FR, elsewhere: rest 100",
        "networks in US-WA: us/y 100",
        "CA (no known network): us/x 100",
    ];
    check(&format!("{places}{us}"), &[child, outer], &rows);
    let two = "spot 20.1.0.0/16 US at=50,50\nspot 20.2.0.0/16 US at=1,1";
    let rows = [
        "20.2.0.0/16 (US), CA (no known network): us/x 100",
        "20.1.0.0/16 (US): us/y 100",
        "elsewhere: rest 100",
    ];
    check(&format!("{places}{two}"), &[child, outer], &rows);
    let alone = "p geographic\n us geo=US\n eu geo=GEO-EU\n rest geo=WORLD";
    let rows = ["US: us 100", "elsewhere: rest 100", "GEO-EU (no known network): eu 100"];
    check("spot 20.1.0.0/16 US-WA\nspot 20.2.0.0/16 US\nspot 20.3.0.0/16 BR", &[alone], &rows);
}

/// What each table has for a client, looked for from its first row to its last.
fn values(tables: &Tables<'_>, client: IpAddr) -> Vec<Option<usize>> {
    let client = client.to_canonical();
    let value =
        |mut it: kinds::Segments<'_>| it.find(|it| it.0 <= client && client <= it.1).map(|it| it.2);
    tables.segments().into_iter().map(value).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_client_gets_what_its_row_tells(
        geography in geography(),
        [first, second] in subnets(),
        [third, fourth] in subnets(),
        (outer, outer_rule) in (method(), rule()),
        (inner, inner_rule) in (method(), rule()),
        changes in prop::sample::select(vec!["", "in/a down", "in/c down\nin/a down", "out/a down", "out/b down"]),
        ramps in prop::bool::weighted(0.1),
        clients in prop::collection::vec(client(), 8),
        seed: u64,
    ) {
        let slow = if ramps { "slow=90" } else { "" };
        let endpoints = |first: &str, second: &str, c: &str| format!(
            "\na w=2 p=1 site=x geo=US-WA net={first} {slow}\nb w=1 p=1 site=y geo=GEO-EU,US net={second}\nc w=3 p=2 site=z geo=WORLD {c}"
        );
        let outer = if outer == "multivalue" { "weighted" } else { outer };
        let inner = format!("in {inner} {inner_rule}{}", endpoints(&first, &second, ""));
        let outer = format!("out {outer} {outer_rule}{}", endpoints(&third, &fourth, "child=in"));
        let mut bed = Bed::new(&geography, &[&inner, &outer]);
        bed.after(1, "in/a down\nout/a down").after(2, "in/a up\nout/a up").after(30, changes);
        let tree = tree(&bed, "out");
        let tables = Tables::of(&tree, &tree);
        let (kinds, rows) = (tables.kinds(), compare(&tree, &tree, Family::V4));
        for address in clients {
            let own = values(&tables, address);
            let kind = kinds.iter().find(|it| values(&tables, it.first) == own);
            let first = kind.map(|it| it.first);
            prop_assert!(first.is_some(), "nothing is told of {}", address);
            let outcome = |address| {
                let client = Client::new(address, &bed.snapshot.geography);
                let to = To { family: Family::V4, client: &client, alone: false };
                Outcome::of(&bed.snapshot, tree.slot, to)
            };
            let told = outcome(first.unwrap());
            prop_assert!(rows.iter().any(|it| it.now.key() == told.key()));
            prop_assert_eq!(&told, &outcome(address), "{}", address);
            for sequence in 0..40 {
                let answered = bed.ask("out", Family::V4, address, Draw { seed, sequence });
                for place in answered.places {
                    let is_it = |it: &str| it == place || place.ends_with(&format!("/{it}"));
                    prop_assert!(told.0.iter().any(|it| is_it(word(&it.0))), "{} gets {}", address, place);
                }
            }
        }
    }
}
