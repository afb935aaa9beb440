#[path = "../../../tests/common/mmdb.rs"]
mod mmdb;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::settings::{Inputs, load, load_text};
use mmdb::database;

const SITES: &str = "[[zone]]\nname = 'z.'\nnameservers = 'ns.b.'\n\
    [[site]]\nname = 'seattle'\nlocation = { latitude = 47.6, longitude = -122.3 }\n[[site]]\nname = 'orlando'\n";

fn geography(text: &str) -> Result<Arc<Geography>, String> {
    geography_at(Path::new("farol.toml"), text)
}

fn geography_at(file: &Path, text: &str) -> Result<Arc<Geography>, String> {
    let settings = load_text(file, &format!("{SITES}{text}"));
    settings.map(|it| it.model.geography).map_err(|it| it.to_string())
}

#[test]
fn client_networks_have_a_region_a_site_or_both() {
    let text = "[[client_network]]\ncidr = '10.0.0.0/8'\nregion = 'US'\n\
        [[client_network]]\ncidr = ['10.20.0.0/16', '2001:db8::/32']\nregion = 'US-WA'\nsite = 'seattle'\n\
        [[client_network]]\ncidr = '192.0.2.0/24'\nsite = 'orlando'\n";
    let geography = geography(text).unwrap();
    for (address, expected, scope) in [
        ("10.1.1.1", Some((Some("US"), None)), 12),
        ("10.20.3.4", Some((Some("US-WA"), Some("seattle"))), 16),
        ("2001:db8:7::1", Some((Some("US-WA"), Some("seattle"))), 32),
        ("192.0.2.9", Some((None, Some("orlando"))), 24),
        ("192.0.3.9", None, 24),
    ] {
        let (found, length) = geography.networks.find(address.parse().unwrap());
        let shown = found.map(|it| {
            (it.region.map(|it| it.to_string()), it.site.as_ref().map(ToString::to_string))
        });
        let expected = expected.map(|(a, b): (Option<&str>, Option<&str>)| {
            (a.map(str::to_owned), b.map(str::to_owned))
        });
        assert_eq!((shown, length), (expected, scope), "{address}");
    }
}

#[test]
fn what_is_wrong_with_client_networks_and_geo_is_said() {
    let network = |text: &str| format!("[[client_network]]\n{text}\n");
    let geo = |text: &str| format!("[geo]\n{text}\n");
    for (text, why) in [
        (network("region = 'US'"), "client_network[#1].cidr: is missing; write a network such as"),
        (
            network("cidr = '10.0.0.0/8'"),
            "client_network[#1]: says nothing of the network; write `region`, `site` or both",
        ),
        (
            network("cidr = '10.0.0.1/8'\nregion = 'US'"),
            "has bits set after its prefix, perhaps 10.0.0.0/8 is meant; write a network",
        ),
        (
            network("cidr = '10.0.0.0/8'\nregion = 'usa'"),
            "client_network[#1].region: found \"usa\"",
        ),
        (
            network("cidr = '10.0.0.0/8'\nsite = 'seatle'"),
            "no such site; did you mean \"seattle\"?",
        ),
        (
            network(
                "cidr = '10.0.0.0/8'\nregion = 'US'\n[[client_network]]\nregion = 'CA'\ncidr = ['::/0', '10.0.0.0/8']",
            ),
            "farol.toml:14: client_network[#2].cidr: found the network 10.0.0.0-10.255.255.255; is written twice, the first time at farol.toml:10; keep one of them",
        ),
        (
            geo("location_default = 'seatle'"),
            "geo.location_default: found \"seatle\"; no such site; did you mean \"seattle\"?",
        ),
        (
            geo("location_default = 'orlando'"),
            "the site at farol.toml:7 has no location; add a `[site.location]`",
        ),
        (geo("location_default = 7"), "write the name of a site that has a location, or a table"),
        (
            geo("location_default = { latitude = 91, longitude = 0 }"),
            "write a number from -90 to 90",
        ),
        (geo("location_default = { latitude = 9 }"), "geo.location_default.longitude: is missing"),
        (
            geo("latency_table = 'missing.csv'"),
            "geo.latency_table: found \"missing.csv\"; \"missing.csv\" can't be read",
        ),
        (geo("datebase = 'x'"), "no such key; did you mean `database`?"),
    ] {
        let problems = geography(&text).unwrap_err();
        assert!(problems.contains(why), "{problems}\ninstead of {why}");
    }
    let default = |text: &str| geography(&geo(text)).unwrap().location_default.clone();
    assert_eq!(
        default("location_default = 'seattle'"),
        "seattle".parse().ok().map(DefaultLocation::Site)
    );
    let point = Point::new(1.0, 2.0).map(DefaultLocation::Point);
    assert_eq!(default("location_default = { latitude = 1, longitude = 2 }"), point);
}

fn table(text: &str) -> Result<Arc<Geography>, String> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("latency.csv"), text).unwrap();
    let read = geography_at(
        &directory.path().join("farol.toml"),
        "[geo]\nlatency_table = 'latency.csv'\n",
    );
    read.map_err(|it| it.replace(&format!("{}/", directory.path().display()), ""))
}

#[test]
fn a_latency_table_is_rows_of_milliseconds() {
    let text = "\u{feff}# measured in May\r\nnetwork, orlando ,seattle\r\n\r\n10.0.0.0/8,70,12.5\r\n# here too\r\n10.1.0.0/16,,3\r\n2001:db8::/32,,\r\n";
    let geography = table(text).unwrap();
    let cells = |address: &str| {
        let row = geography.latencies.find(address.parse().unwrap()).0?;
        let cell = |it: &(u16, f32)| (row.sites()[usize::from(it.0)].to_string(), it.1);
        Some(row.cells().iter().map(cell).collect::<Vec<_>>())
    };
    let cell = |site: &str, it| (site.to_owned(), it);
    assert_eq!(cells("10.9.9.9"), Some(vec![cell("seattle", 12.5), cell("orlando", 70.0)]));
    assert_eq!(cells("10.1.9.9"), Some(vec![cell("seattle", 3.0)]));
    assert_eq!(cells("2001:db8::1"), Some(vec![]));
    assert_eq!(cells("192.0.2.1"), None);
}

#[test]
fn every_bad_row_is_told_with_its_line() {
    for (text, why) in [
        ("", "latency.csv:1: write a first row such as `network,seattle,orlando`"),
        ("# only\n", "write a first row"),
        ("net,seattle\n", "latency.csv:1: write a first row"),
        ("network\n10.0.0.0/8\n", "write a first row"),
        ("network,seatle\n", "latency.csv:1: seatle: no such site; did you mean \"seattle\"?"),
        ("network,seattle,seattle\n", "latency.csv:1: seattle: has two columns; keep one of them"),
        ("network,Seattle!\n", "as a site's name, "),
        (
            "#\nnetwork,seattle\n#\n\n10.0.0.1/8,1\n",
            "latency.csv:5: network: found \"10.0.0.1/8\"; it has bits set after its prefix, perhaps 10.0.0.0/8 is meant; write a network",
        ),
        (
            "network,seattle\r\n10.0.0.0/8,1\r\n10.0.0.0/33,1\r\n",
            "latency.csv:3: network: found \"10.0.0.0/33\"; its prefix is 0 to 32",
        ),
        (
            "network,seattle\n10.0.0.0/8,-1\n",
            "latency.csv:2: seattle: found \"-1\"; write milliseconds such as 12.5, or nothing",
        ),
        ("network,seattle\n10.0.0.0/8,NaN\n", "found \"NaN\"; write milliseconds"),
        ("network,seattle\n10.0.0.0/8,1e400\n", "found \"1e400\"; write milliseconds"),
        (
            "network,seattle\n10.0.0.0/8\n",
            "latency.csv:2: found \"10.0.0.0/8\"; has 1 cells; write 2",
        ),
        ("network,seattle\n10.0.0.0/8,1,2\n", "has 3 cells; write 2"),
        (
            "network,seattle\n10.0.0.0/8,1\n::/0,1\n10.0.0.0/8,2\n",
            "latency.csv:4: network: found the network of 10.0.0.0-10.255.255.255; is written twice, the first time at latency.csv:2; keep one of them",
        ),
    ] {
        let problems = table(text).unwrap_err();
        assert!(problems.contains(why), "{problems}\ninstead of {why}");
    }
    let mut text = "network,seattle\n".to_owned();
    (0..25).for_each(|it| text.push_str(&format!("10.0.{it}.0/24,x\n")));
    let problems = table(&text).unwrap_err();
    assert_eq!(problems.lines().count(), 21);
    assert!(problems.ends_with("latency.csv:22: and 5 more mistakes from here on"), "{problems}");
    assert!(table("network,seattle\n\u{feff}10.0.0.0/8,1\n").is_err());
}

fn spots(records: &[(&str, Value)]) -> Database {
    database::read(database("Test-City", 1_767_225_600, records)).unwrap()
}

#[test]
fn a_database_says_where_networks_are() {
    let records = [
        (
            "192.0.2.0/24",
            json!({ "country": { "iso_code": "US" }, "registered_country": { "iso_code": "DE" }, "subdivisions": [{ "iso_code": "WA" }, { "iso_code": "X" }], "location": { "latitude": 47.6, "longitude": -122.3 } }),
        ),
        ("198.51.100.0/25", json!({ "registered_country": { "iso_code": "DE" } })),
        (
            "198.51.100.128/25",
            json!({ "country_code": "FR", "state1": "Bretagne", "latitude": 48.5, "longitude": -2.5 }),
        ),
        (
            "203.0.113.0/25",
            json!({ "location": { "latitude": 0.0, "longitude": 0.0 }, "country": "somewhere" }),
        ),
        (
            "203.0.113.128/25",
            json!({ "country_code": "US", "state1": "OR", "location": { "latitude": 95.5, "longitude": 1.5 } }),
        ),
        (
            "2001:db8::/32",
            json!({ "country": { "iso_code": "JP" }, "location": { "latitude": 35.5 } }),
        ),
    ];
    let read = spots(&records);
    assert_eq!(read.built, crate::model::Timestamp(1_767_225_600_000));
    for (address, region, point, scope) in [
        ("192.0.2.1", Some("US-WA"), Point::new(47.6, -122.3), 24),
        ("198.51.100.1", Some("DE"), None, 25),
        ("198.51.100.200", Some("FR"), Point::new(48.5, -2.5), 25),
        ("203.0.113.1", None, None, 25),
        ("203.0.113.200", Some("US-OR"), None, 25),
        ("2001:db8::1", Some("JP"), None, 32),
        ("::ffff:192.0.2.1", Some("US-WA"), Point::new(47.6, -122.3), 120),
        ("2002:c000:201::", None, None, 3),
    ] {
        let (spot, length) = read.spots.find(address.parse().unwrap());
        let found =
            (spot.and_then(|it| it.region).map(|it| it.to_string()), spot.and_then(|it| it.point));
        assert_eq!(found, (region.map(str::to_owned), point), "{address}");
        assert!(length == scope || scope == 3, "{address}/{length}");
    }
    assert_eq!(read.spots.len(), 5, "aliases of IPv4 are left out, and what says nothing");
}

#[test]
fn a_database_that_cannot_be_used_is_told_and_nothing_else_fails() {
    let good = database("Test-City", 1, &[("192.0.2.0/24", json!({ "country_code": "US" }))]);
    let asn =
        database("Test-ASN", 1, &[("192.0.2.0/24", json!({ "autonomous_system_number": 64500 }))]);
    let mut circle = good.clone();
    circle[..4].copy_from_slice(&[0; 4]);
    let half = good[..good.len() / 2].to_vec();
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("farol.toml");
    for (content, why) in [
        (Some(good), None),
        (
            Some(half),
            Some("geo.mmdb\" can't be used: it is damaged, or no database in MaxMind's format"),
        ),
        (Some(circle), Some("it is damaged")),
        (Some(asn), Some("it has neither countries nor coordinates in it (\"Test-ASN\")")),
        (Some(Vec::new()), Some("it is damaged")),
        (None, Some("can't be read")),
    ] {
        let _ = fs::remove_file(directory.path().join("geo.mmdb"));
        if let Some(content) = content {
            fs::write(directory.path().join("geo.mmdb"), content).unwrap();
        }
        let geography =
            geography_at(&config, "[geo]\ndatabase = 'geo.mmdb'\nlocation_default = 'seattle'\n")
                .unwrap();
        let file = geography.database_file.as_ref().unwrap();
        assert!(geography.location_default.is_some());
        match (why, &file.error) {
            (None, None) => {
                assert_eq!((file.built.map(|it| it.0), geography.database.len()), (Some(1000), 1))
            }
            (Some(why), Some(error)) => {
                let both = "[geo]\ndatabase = 'geo.mmdb'\nlocation_default = 7\n";
                let problems = geography_at(&config, both).unwrap_err();
                assert_eq!(problems.lines().count(), 2, "{problems}");
                assert!(problems.contains(error), "{problems}");
                assert!(error.contains(why), "{error}");
                assert!(error.contains("farol.toml:10: geo.database: "), "{error}");
                assert!(geography.database.is_empty() && file.built.is_none());
            }
            (why, error) => panic!("{error:?} instead of {why:?}"),
        }
    }
}

#[test]
fn geographies_are_equal_when_what_they_were_read_from_is() {
    let directory = tempfile::tempdir().unwrap();
    let (config, csv) = (directory.path().join("farol.toml"), directory.path().join("latency.csv"));
    let read = |text: &str| geography_at(&config, text).unwrap();
    const TABLE: &str = "[geo]\nlatency_table = 'latency.csv'\n";
    fs::write(&csv, "network,seattle\n10.0.0.0/8,1\n").unwrap();
    let first = read(TABLE);
    assert_eq!(first, read(TABLE));
    let network = "[[client_network]]\ncidr = '10.0.0.0/8'\nregion = 'US'\n";
    assert_ne!(first, read(&format!("{TABLE}{network}")));
    assert_ne!(first, read(&format!("{TABLE}location_default = 'seattle'\n")));
    fs::write(&csv, "network,seattle\n10.0.0.0/8,2\n").unwrap();
    assert_ne!(first, read(TABLE));
}

#[test]
fn tables_in_force_are_taken_over_whose_files_say_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let read = |text: &str, in_force: &Arc<Geography>| {
        fs::write(at("farol.toml"), text).unwrap();
        let (files, in_force) = (vec![at("farol.toml")], Some(in_force.clone()));
        let settings = load(&Inputs { files, in_force, ..Inputs::default() });
        settings.map(|it| it.model.geography).map_err(|it| it.to_string())
    };
    let build = |second| {
        let record = [("192.0.2.0/24", json!({ "country_code": "US" }))];
        fs::write(at("geo.mmdb"), database("Test-Country", second, &record)).unwrap();
    };
    let measure = |text| fs::write(at("latency.csv"), text).unwrap();
    let config = format!("{SITES}[geo]\nlatency_table = 'latency.csv'\ndatabase = 'geo.mmdb'\n");
    build(1);
    measure("network,orlando\n10.0.0.0/8,1\n");
    let first = read(&config, &Arc::default()).unwrap();
    let kept = |it: &Geography, before: &Geography| {
        let (database, table) = (&before.database, &before.latencies);
        (Arc::ptr_eq(&it.database, database), Arc::ptr_eq(&it.latencies, table))
    };
    let other = read(&format!("{config}location_default = 'seattle'\n"), &first).unwrap();
    assert_eq!(kept(&other, &first), (true, true));
    assert_eq!(other.database_file, first.database_file);
    assert_ne!(other, first);
    measure("network,orlando\n10.0.0.0/8,2\n");
    let measured = read(&config, &first).unwrap();
    assert_eq!(kept(&measured, &first), (true, false));
    build(2);
    let built = read(&config, &measured).unwrap();
    assert_eq!(kept(&built, &measured), (false, true));
    assert_eq!(built.database_file.as_ref().unwrap().built.map(|it| it.0), Some(2000));
    let without = read(&config.replace("'orlando'", "'olando'"), &built).unwrap_err();
    assert!(without.contains("orlando: no such site; did you mean \"olando\"?"), "{without}");
    fs::write(at("geo.mmdb"), "").unwrap();
    let damaged = read(&config, &built).unwrap();
    assert!(damaged.database_file.as_ref().unwrap().error.is_some());
    let again = read(&config, &damaged).unwrap();
    assert!(again.database_file.as_ref().unwrap().error.is_some(), "it is told each time");
}
