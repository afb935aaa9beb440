//! The names that endpoints stand for, as far as their addresses are of use: what is known of each, and whom it concerns.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::world::World;
use crate::health::Resolved;
use crate::model::{Endpoint, Model, Name, Target};
use crate::snapshot::{EndpointFacts, Host};

/// The names of a model.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(HashMap<Name, Named>);

#[derive(Clone, Debug, Default)]
struct Named {
    record: Arc<Resolved>,
    /// The profiles that answer with its addresses.
    slots: BTreeSet<u32>,
}

impl Names {
    /// The names of a model. What was known of them before is known still.
    pub(super) fn of(model: &Model, before: &Self) -> Self {
        let mut names: HashMap<Name, Named> = HashMap::new();
        for (slot, profile) in (0..).zip(&model.profiles) {
            for endpoint in &profile.endpoints {
                let Some(name) = endpoint.resolved() else { continue };
                let named = names.entry(name.clone()).or_insert_with(|| Named {
                    record: before.0.get(name).map(|it| it.record.clone()).unwrap_or_default(),
                    slots: BTreeSet::new(),
                });
                if matches!(endpoint.target, Target::Resolved(_)) {
                    named.slots.insert(slot);
                }
            }
        }
        Self(names)
    }

    /// What is known of a name by now.
    pub(super) fn host(&self, name: &Name) -> Option<Host> {
        Some(Host::in_record(self.0.get(name)?.record.clone()))
    }
}

impl World {
    /// The names that are to be resolved, with where to write down what comes of it.
    pub fn names(&self) -> Vec<(Name, Arc<Resolved>)> {
        self.names.0.iter().map(|(name, it)| (name.clone(), it.record.clone())).collect()
    }

    /// Takes in what was found of a name. Only who answers with its addresses is made anew, and only if they are others.
    pub fn resolved(&mut self, name: &Name) {
        let slots = self.names.0.get(name).map(|it| it.slots.clone()).unwrap_or_default();
        for slot in slots {
            let Some(table) = self.snapshot.profiles.get(slot).cloned() else { continue };
            let Some(host) = self.names.host(name) else { continue };
            let ttl = |it: &Host| it.ttl.min(table.profile.ttl);
            let differs = |facts: &EndpointFacts| {
                facts
                    .host
                    .as_ref()
                    .is_none_or(|it| it.addresses != host.addresses || ttl(it) != ttl(&host))
            };
            let answers = |it: &Endpoint| it.host() == Some(name);
            let endpoints = || table.profile.endpoints.iter().map(answers);
            if !endpoints().zip(&table.endpoints).any(|(is_it, it)| is_it && differs(&it.facts)) {
                continue;
            }
            let facts = self.facts_mut(slot).into_iter().flatten();
            for (_, facts) in endpoints().zip(facts).filter(|(is_it, _)| *is_it) {
                facts.host = Some(host.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Recall;
    use super::super::tests::model;
    use super::*;
    use crate::health::Resolution;
    use crate::model::{Addresses, Moment, Now, Overrides, RecordType, Timestamp};
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
            let names = Names::of(&model(&format!("{zone}\n{profile}")), &Names::default());
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
        let (config, name) = (model(CONFIG), "a.example.".parse().unwrap());
        let mut world =
            World::new(&config, Overrides::default(), Recall::default(), 1, 7, Now::at(0));
        assert_eq!(answers(&world), " for 30");
        let names = world.names();
        let [(_, record)] = &names[..] else { panic!("both share the name") };
        let mut tell = |address, ttl| {
            record.record(resolution(address, ttl));
            world.resolved(&name);
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
}
