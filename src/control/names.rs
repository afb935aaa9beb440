//! What tells the addresses of endpoints that have none of their own, as far as they are of use: names, and clusters. What is known
//! of each, and whom it concerns.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::recall::Recall;
use super::world::{World, key};
use crate::health::{Probed, Resolved};
use crate::model::{Endpoint, EndpointKey, Locator, Model, Moment, Name, Verdict};
use crate::snapshot::{EndpointFacts, Host};

/// What tells the addresses of a model.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(HashMap<Locator, Named>);

#[derive(Clone, Debug, Default)]
struct Named {
    record: Arc<Resolved>,
    /// The profiles that answer with its addresses.
    slots: BTreeSet<u32>,
}

impl Names {
    /// Those of a model. What was known of them before is known still.
    pub(super) fn of(model: &Model, before: &Self, recall: &Recall) -> Self {
        let mut names: HashMap<Locator, Named> = HashMap::new();
        for (slot, profile) in (0..).zip(&model.profiles) {
            for endpoint in &profile.endpoints {
                let Some(locator) = endpoint.locator(&profile.name) else { continue };
                let known = before.0.get(&locator).map(|it| it.record.clone());
                let record = known.unwrap_or_else(|| recall.resolved(&locator));
                let named = names
                    .entry(locator)
                    .or_insert_with(|| Named { record, slots: BTreeSet::new() });
                if endpoint.is_located() {
                    named.slots.insert(slot);
                }
            }
        }
        Self(names)
    }

    /// What is known by now.
    pub(super) fn host(&self, locator: &Locator) -> Option<Host> {
        Some(Host::in_record(self.0.get(locator)?.record.clone()))
    }
}

impl World {
    /// The names that are to be resolved, with where to write down what comes of it.
    pub fn names(&self) -> Vec<(Name, Arc<Resolved>)> {
        let all = self.names.0.iter();
        all.filter_map(|(locator, it)| match locator {
            Locator::Name(name) => Some((name.clone(), it.record.clone())),
            Locator::Cluster(_) => None,
        })
        .collect()
    }

    /// The endpoints whose addresses are to be discovered, with where to write down what comes of it.
    pub fn discovered(&self) -> Vec<(EndpointKey, Arc<Resolved>)> {
        let all = self.names.0.iter();
        all.filter_map(|(locator, it)| match locator {
            Locator::Cluster(key) => Some((key.clone(), it.record.clone())),
            Locator::Name(_) => None,
        })
        .collect()
    }

    /// Takes in what was found. Only who answers with these addresses is made anew, and only if they are others. Gives the endpoints
    /// that are probed elsewhere by that: of them nothing is known, unless what failed is still there.
    pub fn resolved(&mut self, locator: &Locator, now: Moment) -> Vec<EndpointKey> {
        let slots = self.names.0.get(locator).map(|it| it.slots.clone()).unwrap_or_default();
        let mut moved = Vec::new();
        for slot in slots {
            let Some(table) = self.snapshot.profiles.get(slot).cloned() else { continue };
            let Some(host) = self.names.host(locator) else { continue };
            let ttl = |it: &Host| it.ttl.min(table.profile.ttl);
            let differs = |facts: &EndpointFacts| {
                facts
                    .host
                    .as_ref()
                    .is_none_or(|it| it.addresses != host.addresses || ttl(it) != ttl(&host))
            };
            let profile = &table.profile;
            let answers = |it: &Endpoint| it.locator(&profile.name).as_ref() == Some(locator);
            let endpoints: Vec<(&Endpoint, bool)> =
                profile.endpoints.iter().map(|it| (it, answers(it))).collect();
            let mut known = endpoints.iter().zip(&table.endpoints);
            if !known.any(|((_, is_it), it)| *is_it && differs(&it.facts)) {
                continue;
            }
            let facts = self.facts_mut(slot).into_iter().flatten();
            for ((endpoint, _), facts) in endpoints.iter().zip(facts).filter(|it| it.0.1) {
                let before = facts.probe(endpoint).into_owned();
                facts.host = Some(host.clone());
                let after = facts.probe(endpoint);
                if before != *after {
                    moved.push(key(profile, endpoint));
                }
                if !before.tells_of(&after, facts.verdict) {
                    (facts.verdict, facts.doubt, facts.remembered) = (Verdict::Unknown, None, None);
                    facts.probed = Arc::new(Probed::since(now));
                }
            }
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{model, statuses};
    use super::*;
    use crate::health::Resolution;
    use crate::model::{Addresses, Moment, Now, Overrides, RecordType, Timestamp};
    use crate::probe::VerdictChange;
    use crate::snapshot::{ProfileTable, Snapshot};

    const CONFIG: &str = "
        [[zone]]
        name = 'z.'
        nameservers = 'ns.elsewhere.'
        [[profile]]
        name = 'flat.z.'
        method = 'priority'
        flatten = true
        endpoint = [{ name = 'a', target = 'a.example.' }]
        [[profile]]
        name = 'alias.z.'
        method = 'priority'
        endpoint = [{ name = 'a', target = 'a.example.' }]
    ";

    #[test]
    fn a_name_is_resolved_only_where_its_addresses_are_of_use() {
        let zone = "[[zone]]\nname = 'z.'\nnameservers = 'ns.elsewhere.'";
        let token = "0123456789abcdef0123456789abcdef";
        let pushed = format!("monitor = {{ protocol = 'push', push = {{ token = '{token}' }} }}");
        for (keys, endpoint, expected) in [
            ("", "", 1),
            ("monitor = { protocol = 'none' }", "", 0),
            (&*pushed, "", 0),
            ("", ", address = '192.0.2.1'", 0),
            ("flatten = true\nmonitor = { protocol = 'none' }", "", 1),
        ] {
            let endpoint =
                format!("endpoint = [{{ name = 'a', target = 'a.example.'{endpoint} }}]");
            let profile =
                format!("[[profile]]\nname = 'a.z.'\nmethod = 'priority'\n{keys}\n{endpoint}");
            let model = model(&format!("{zone}\n{profile}"));
            let names = Names::of(&model, &Names::default(), &Recall::default());
            assert_eq!(names.0.len(), expected, "{keys} {endpoint}");
        }
    }

    fn resolution(address: &str, ttl: u32) -> Resolution {
        let addresses = Arc::new(Addresses::from_iter([address.parse().unwrap()]));
        let at = Some((Timestamp(0), Moment::default()));
        Resolution { addresses, ttl, at, ..Resolution::default() }
    }

    fn answers(world: &World) -> String {
        let table: &ProfileTable = world.snapshot().profiles.get(0).unwrap();
        let mut draw = crate::routing::Draw { seed: 1, sequence: 0 };
        let client = [192, 0, 2, 77].into();
        let decision = world.snapshot().decide(table, RecordType::A, client, &mut draw);
        let addresses: Vec<String> = decision
            .answers()
            .flat_map(|it| it.wire.chunks(it.record_length.max(1)))
            .map(|it| it.last().unwrap().to_string())
            .collect();
        format!("{} for {}", addresses.join(","), decision.ttl)
    }

    #[test]
    fn only_other_addresses_make_a_profile_anew_and_only_where_they_are_answered() {
        let config = model(CONFIG);
        let name = Locator::Name("a.example.".parse().unwrap());
        let mut world =
            World::new(&config, Overrides::default(), Recall::default(), 1, 7, Now::at(0));
        assert_eq!(answers(&world), " for 30");
        let names = world.names();
        let [(_, record)] = &names[..] else { panic!("both share the name") };
        let mut tell = |address, ttl| {
            record.record(resolution(address, ttl));
            assert!(world.resolved(&name, Moment::default()).is_empty(), "health goes on");
            let edited = world.is_edited();
            let before = world.snapshot().clone();
            world.publish(Now::at(1));
            let alias = |it: &Snapshot| Arc::as_ptr(it.profiles.get(1).unwrap());
            assert_eq!(alias(&before), alias(world.snapshot()), "a CNAME is as it was");
            (edited, answers(&world))
        };
        assert_eq!(tell("192.0.2.1", 20), (true, "1 for 20".to_owned()));
        assert_eq!(tell("192.0.2.1", 20), (false, "1 for 20".to_owned()));
        assert_eq!(tell("192.0.2.2", 60), (true, "2 for 30".to_owned()));
        assert_eq!(tell("192.0.2.2", 90), (false, "2 for 30".to_owned()));
        world.reload(&config, Now::at(2));
        assert_eq!(answers(&world), "2 for 30", "what is known stays over a reload");
        assert!(Arc::ptr_eq(record, &world.names()[0].1));
    }

    #[test]
    fn a_discovered_endpoint_that_is_elsewhere_starts_as_checking() {
        let config = "
            [fleet]
            file = 'Cargo.toml'
            [[zone]]
            name = 'z.'
            nameservers = 'ns.elsewhere.'
            [[site]]
            name = 'sea'
            [[profile]]
            name = 'app.z.'
            method = 'priority'
            endpoint = [{ name = 'a', site = 'sea', discovered = true }]
        ";
        let config = model(config);
        let mut world =
            World::new(&config, Overrides::default(), Recall::default(), 1, 7, Now::at(0));
        assert_eq!((answers(&world), world.watches().len()), (" for 30".to_owned(), 0));
        let (key, record) = world.discovered().remove(0);
        let locator = Locator::Cluster(key.clone());
        let mut tell = |address| {
            record.record(resolution(address, u32::MAX));
            let moved = world.resolved(&locator, Moment::default());
            world.publish(Now::at(1));
            let [watch] = &world.watches()[..] else { panic!("it is probed") };
            let probed = watch.target.addresses[0].to_string();
            let change = VerdictChange {
                key: key.clone(),
                probed: watch.probed.clone(),
                verdict: Verdict::Online,
                doubt: None,
                at: Timestamp(1),
                reason: None,
            };
            let before = statuses(world.snapshot(), "app.z.");
            world.observe(&change);
            world.publish(Now::at(2));
            (moved.len(), probed, before, answers(&world))
        };
        let at = |probed: &str, moved, before: &str, answers: &str| {
            (moved, probed.to_owned(), before.to_owned(), answers.to_owned())
        };
        assert_eq!(tell("192.0.2.1"), at("192.0.2.1:80", 1, "C", "1 for 30"));
        assert_eq!(tell("192.0.2.1"), at("192.0.2.1:80", 0, "O", "1 for 30"));
        assert_eq!(tell("192.0.2.2"), at("192.0.2.2:80", 1, "C", "2 for 30"));
        world.reload(&config, Now::at(3));
        assert_eq!(answers(&world), "2 for 30");
        assert_eq!(statuses(world.snapshot(), "app.z."), "O", "a reload is no move");
    }
}
