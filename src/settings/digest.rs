//! A number by which instances show whether they have the same configuration.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::Ecs;
use crate::model::{DefaultLocation, Geography, Model, Monitor, Site, TrustAnchors};

/// Digests what a configuration says about names and places, to 52 bits, which a 64-bit float holds exactly. How it is written
/// does not count, the order of zones, sites and profiles does. Of secrets it has what they refer to and never a value, which could be
/// guessed by it, and may well differ between instances. Another release of Farol may come to another number.
pub(super) fn digest(model: &Model, ecs: &Ecs) -> u64 {
    // Every field is named here, so that none is forgotten.
    let Model { zones, sites, profiles, geography } = model;
    let mut hasher = DefaultHasher::new();
    zones.hash(&mut hasher);
    for Site { name, location, requests } in sites {
        let location = location.as_ref();
        let place = location.map(|it| (it.latitude.to_bits(), it.longitude.to_bits(), &it.region));
        (name, place, requests).hash(&mut hasher);
    }
    profiles.hash(&mut hasher);
    // By themselves trust anchors are hashed by their file's name.
    let monitors = profiles.iter().flat_map(|it| &it.endpoints).map(|it| &it.probe.monitor);
    let anchors: BTreeMap<_, _> =
        monitors.filter_map(|it| anchors(it)).map(|it| (&it.file, &it.certificates)).collect();
    anchors.hash(&mut hasher);
    places(geography, &mut hasher);
    ecs.hash(&mut hasher);
    hasher.finish() >> 12
}

/// Hashes what is known of where clients are; of files only the digests that were made when they were read.
fn places(geography: &Geography, hasher: &mut DefaultHasher) {
    geography.networks.iter().for_each(|it| it.hash(hasher));
    match &geography.location_default {
        Some(DefaultLocation::Site(site)) => site.hash(hasher),
        Some(DefaultLocation::Point(point)) => point.hash(hasher),
        None => {}
    }
    geography.files().hash(hasher);
}

fn anchors(monitor: &Monitor) -> Option<&TrustAnchors> {
    monitor.protocol.tls()?.anchors.as_ref()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use crate::settings::load_text;

    const CONFIG: &str = "
        [[zone]]
        name = 'z.'
        nameservers = 'ns.example.'
        [[site]]
        name = 'west'
        location = { latitude = 1.5, longitude = 2.0 }
        [[profile]]
        name = 'a.z.'
        method = 'weighted'
        monitor = { protocol = 'https', tls = { ca_file = 'ca.pem' } }
        endpoint = [{ name = 'e', site = 'west', target = '192.0.2.1', weight = 5 }]
    ";

    #[test]
    fn secrets_are_no_part_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let digest = |monitor: &str, secret: &str| {
            fs::write(directory.path().join("one"), secret).unwrap();
            fs::write(directory.path().join("two"), secret).unwrap();
            let monitor = format!("monitor = {{ {monitor} }}");
            let from = "monitor = { protocol = 'https', tls = { ca_file = 'ca.pem' } }";
            let text = CONFIG.replace(from, &monitor);
            load_text(&directory.path().join("farol.toml"), &text).unwrap().digest
        };
        let (one, other) = ("0123456789abcdef", "fedcba9876543210");
        let header = |value: &str| format!("headers = {{ Authorization = '{value}' }}");
        let push = |token: &str| format!("protocol = 'push', push = {{ token = '{token}' }}");
        for keys in [&header as &dyn Fn(&str) -> String, &push] {
            assert_eq!(digest(&keys(one), ""), digest(&keys(other), ""));
            let first = digest(&keys("${file:one}"), one);
            assert_eq!(digest(&keys("${file:one}"), other), first);
            assert_ne!(digest(&keys("${file:two}"), one), first, "who reads it elsewhere differs");
        }
        let other_name = header(one).replace("Authorization", "X-Key");
        assert_ne!(digest(&other_name, one), digest(&header(one), one));
    }

    #[test]
    fn it_differs_with_what_is_configured_and_not_with_how_it_is_written_or_where_it_listens() {
        let directory = tempfile::tempdir().unwrap();
        let authority = |name: &str| {
            let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
            fs::write(directory.path().join("ca.pem"), made.cert.pem()).unwrap();
        };
        let digest = |text: &str| {
            load_text(&directory.path().join(Path::new("farol.toml")), text).unwrap().digest
        };
        authority("one");
        let first = digest(CONFIG);
        assert!(first < 1 << 53);
        let elsewhere = "# Another machine\n[server]\nlisten = '127.0.0.1:1'\nid = 'b'\n\
             cookie_secrets = '0123456789abcdef0123456789abcdef'\n";
        assert_eq!(digest(&format!("{elsewhere}{CONFIG}")), first);
        assert_eq!(digest(&CONFIG.replace("'weighted'", "\"weighted\" # as ever")), first);
        for (from, to) in [
            ("ns.example.", "ns2.example."),
            ("weight = 5", "weight = 6"),
            ("a.z.", "b.z."),
            ("'west'", "'east'"),
            ("latitude = 1.5", "latitude = 1.25"),
            ("'https'", "'https', interval = '7s'"),
        ] {
            assert_ne!(digest(&CONFIG.replace(from, to)), first, "{to}");
        }
        fs::write(directory.path().join("l.csv"), "network,west\n192.0.2.0/24,7\n").unwrap();
        let places = [
            "[[client_network]]\ncidr = '10.0.0.0/8'\nregion = 'US'\n",
            "[[client_network]]\ncidr = '10.0.0.0/8'\nregion = 'CA'\n",
            "[geo]\nlocation_default = 'west'\n",
            "[geo]\nlocation_default = { latitude = 1, longitude = 2 }\n",
            "[geo]\nlatency_table = 'l.csv'\n",
            "[ecs]\ntrusted = []\n",
            "[ecs]\ntrusted = '192.0.2.0/24'\n",
        ];
        let mut digests: Vec<u64> =
            places.iter().map(|it| digest(&format!("{it}{CONFIG}"))).collect();
        digests.push(first);
        fs::write(directory.path().join("l.csv"), "network,west\n192.0.2.0/24,8\n").unwrap();
        digests.push(digest(&format!("{}{CONFIG}", places[4])));
        let different: BTreeSet<u64> = digests.iter().copied().collect();
        assert_eq!(different.len(), digests.len(), "{digests:?}");
        authority("two");
        assert_ne!(digest(CONFIG), first);
    }
}
