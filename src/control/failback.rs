//! Manual failback. Who serves after a failover is for an operator to say, so it is kept on the disk like what
//! operators said.

use std::collections::BTreeMap;

use super::{ChangeError, World};
use crate::model::{Name, Overrides, Serving};
use crate::snapshot::ProfileTable;

impl World {
    /// Takes out of `overrides` that another priority than the first serves.
    ///
    /// # Errors
    /// When there is no such profile, or it fails back by itself.
    pub(super) fn plan_failback(
        &self,
        overrides: &mut Overrides,
        profile: &Name,
    ) -> Result<(), ChangeError> {
        match self.snapshot.profile(profile) {
            None => Err(ChangeError::NoProfile(profile.clone())),
            Some(table) if !table.profile.fails_back_by_hand() => {
                Err(ChangeError::FailsBackByItself(profile.clone()))
            }
            Some(_) => {
                overrides.serving.remove(profile);
                Ok(())
            }
        }
    }

    /// Has the lowest priority that has a candidate serve, from the next publication on.
    pub(super) fn fail_back(&mut self, profile: &Name) {
        let slot = self.snapshot.slot(profile);
        if let Some(slot) = slot.filter(|it| self.facts_mut(*it).is_some()) {
            self.failing_back.insert(slot);
        }
    }

    /// Whether those who serve have become others since this was asked last.
    pub(super) fn take_serving_changed(&mut self) -> bool {
        std::mem::take(&mut self.serving_changed)
    }

    /// Notes who serves in every profile.
    pub(super) fn note_all_serving(&mut self) {
        let tables = self.snapshot.profiles.iter();
        let serving =
            tables.filter_map(|it| Some((it.profile.name.clone(), it.serving()?))).collect();
        self.serving_changed |= self.overrides.serving != serving;
        self.overrides.serving = serving;
    }
}

/// Notes who serves in one profile. Tells whether they are others than before.
pub(super) fn note_serving(all: &mut BTreeMap<Name, Serving>, table: &ProfileTable) -> bool {
    let name = &table.profile.name;
    match table.serving() {
        None => all.remove(name).is_some(),
        Some(serving) if all.get(name) == Some(&serving) => false,
        Some(serving) => {
            all.insert(name.clone(), serving);
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{model, stamp, verdict};
    use super::super::{Change, Recall};
    use super::*;
    use crate::model::Change::Set;
    use crate::model::{EndpointChange, EndpointKey, Family, Now, Verdict};
    use crate::routing::Standing;

    const CONFIG: &str = r#"
        [[zone]]
        name = "z."
        nameservers = ["ns.elsewhere."]
        [[profile]]
        name = "app.z."
        method = "priority"
        failback = "manual"
        monitor = { protocol = "tcp", port = 9 }
        endpoint = [{ name = "a", target = "127.0.0.1" }, { name = "b", target = "127.0.0.2" }]
        [[profile]]
        name = "www.z."
        method = "priority"
        monitor = { protocol = "tcp", port = 9 }
        endpoint = [{ name = "a", target = "127.0.0.1" }]
    "#;

    const NOTHING: [bool; 0] = [];

    fn world(overrides: Overrides) -> World {
        World::new(&model(CONFIG), overrides, Recall::default(), 1, 7, Now::at(0))
    }

    fn app() -> Name {
        "app.z.".parse().unwrap()
    }

    /// What the probes say of an endpoint, and whose waiting for a failback began or ended by it.
    fn say(world: &mut World, endpoint: &str, say: Verdict) -> Vec<bool> {
        let change = verdict(world, "app.z.", endpoint, say);
        world.observe(&change);
        world.publish(Now::at(1)).failback.into_iter().map(|it| it.1).collect()
    }

    /// The priority that serves, who serves, and whether an operator's word is awaited.
    fn seen(world: &World) -> (Option<u16>, Vec<usize>, bool) {
        let table = world.snapshot().profile(&app()).unwrap();
        let serves = |it: &usize| table.standing(Family::V4, *it) == Some(Standing::Candidate);
        let active = table.active_priority(Family::V4);
        (active, (0..2).filter(serves).collect(), table.awaits_failback())
    }

    /// A world that has failed over and whose first endpoint has recovered.
    fn failed_over() -> World {
        let mut world = world(Overrides::default());
        assert_eq!(seen(&world), (Some(1), vec![0], false));
        assert!(world.take_serving_changed());
        assert_eq!(say(&mut world, "b", Verdict::Online), NOTHING);
        assert!(!world.take_serving_changed());
        assert_eq!(say(&mut world, "a", Verdict::Degraded), NOTHING);
        assert_eq!(seen(&world), (Some(2), vec![1], false));
        assert!(world.take_serving_changed(), "a failover is to be kept");
        assert_eq!(say(&mut world, "a", Verdict::Online), [true]);
        world
    }

    #[test]
    fn what_has_recovered_waits_for_an_operators_word() {
        let mut world = failed_over();
        assert_eq!(seen(&world), (Some(2), vec![1], true));
        let mut planned = world.overrides().clone();
        world.plan(&mut planned, &Change::FailBack(app()), &stamp()).unwrap();
        assert!(planned.serving.is_empty() && !world.overrides().serving.is_empty());
        world.override_with(planned);
        assert!(!world.overrides().serving.is_empty(), "who serves follows from the snapshot");
        world.fail_back(&app());
        assert_eq!(world.publish(Now::at(2)).failback, [(app(), false)]);
        assert_eq!(seen(&world), (Some(1), vec![0], false));
        assert_eq!(say(&mut world, "a", Verdict::Degraded), NOTHING, "the word was for once");
        assert_eq!(say(&mut world, "a", Verdict::Online), [true]);
    }

    #[test]
    fn waiting_ends_by_itself_when_what_serves_fails() {
        let mut world = failed_over();
        assert_eq!(say(&mut world, "b", Verdict::Degraded), [false]);
        assert_eq!(seen(&world), (Some(1), vec![0], false));
    }

    #[test]
    fn neither_restarts_nor_reloads_fail_back() {
        let mut before = failed_over();
        before.reload(&model(&CONFIG.replace("port = 9", "port = 10")), Now::at(3));
        assert_eq!(seen(&before), (Some(2), vec![1], true));
        let mut after = world(before.overrides().clone());
        assert_eq!(seen(&after), (Some(2), vec![1], true));
        assert!(!after.take_serving_changed(), "it is on the disk already");
        after.reload(&model(&CONFIG.replace("failback = \"manual\"", "")), Now::at(3));
        assert_eq!(seen(&after), (Some(1), vec![0], false));
        assert!(after.overrides().serving.is_empty());
    }

    /// What an edit leaves of those who serve goes on: it is their names that count.
    #[test]
    fn neither_edits_nor_priorities_that_change_fail_back() {
        let endpoints = |names: &str| -> String {
            let entry = |words: &str| {
                let (name, keys) = words.split_once(' ').unwrap_or((words, ""));
                let last = name.as_bytes()[0] - b'a' + 1;
                format!("{{ name = \"{name}\", target = \"127.0.0.{last}\"{keys} }}")
            };
            let all: Vec<String> = names.split(';').map(entry).collect();
            let known = CONFIG.lines().find(|it| it.contains("\"b\"")).unwrap();
            CONFIG.replace(known, &format!("endpoint = [{}]", all.join(", ")))
        };
        let serves = |world: &World| -> (Vec<String>, bool) {
            let table = world.snapshot().profile(&app()).unwrap();
            let serves = |at: usize| table.standing(Family::V6, at) == Some(Standing::Candidate);
            let all = table.profile.endpoints.iter().enumerate().filter(|it| serves(it.0));
            (all.map(|it| it.1.name.to_string()).collect(), table.awaits_failback())
        };
        let start = |names: &str, overrides| {
            World::new(&model(&endpoints(names)), overrides, Recall::default(), 1, 7, Now::at(0))
        };
        let failed_over = || {
            let mut world = start("a;b;c", Overrides::default());
            say(&mut world, "a", Verdict::Degraded);
            say(&mut world, "a", Verdict::Online);
            assert_eq!(serves(&world), (vec!["b".to_owned()], true));
            world
        };
        for (edited, serving, waits) in [
            ("n , enabled = false;a;b;c", &["b"][..], true),
            ("n;a;b;c", &["b"], true),
            ("b;c", &["b"], false),
            ("c;a;b", &["b"], true),
            ("a;b , priority = 9;c , priority = 9", &["b", "c"], true),
            ("a;c", &["a"], false),
            ("b , enabled = false;a;c", &["a"], false),
        ] {
            let mut reloaded = failed_over();
            let restarted = start(edited, reloaded.overrides().clone());
            reloaded.reload(&model(&endpoints(edited)), Now::at(3));
            for world in [reloaded, restarted] {
                let expected = serving.iter().map(ToString::to_string).collect();
                assert_eq!(serves(&world), (expected, waits), "{edited}");
            }
        }
        for (endpoint, priority, serving) in
            [("b", 5, &["b"][..]), ("a", 9, &["b"]), ("c", 1, &["b"]), ("c", 2, &["b", "c"])]
        {
            let mut world = failed_over();
            let key = EndpointKey { profile: app(), endpoint: endpoint.parse().unwrap() };
            let change = EndpointChange { priority: Set(priority), ..EndpointChange::default() };
            let mut overrides = world.overrides().clone();
            world.plan(&mut overrides, &Change::Endpoint(key, change), &stamp()).unwrap();
            world.override_with(overrides);
            world.publish(Now::at(2));
            assert_eq!(serves(&world).0, serving, "{endpoint} {priority}");
        }
    }

    #[test]
    fn what_fails_back_by_itself_needs_no_word() {
        let world = world(Overrides::default());
        let refused = |name: &str| {
            let change = Change::FailBack(name.parse().unwrap());
            world.plan(&mut Overrides::default(), &change, &stamp()).unwrap_err().to_string()
        };
        assert!(refused("www.z.").contains("fails back by itself"), "{}", refused("www.z."));
        assert_eq!(refused("no.z."), "no profile is called `no.z.`");
    }
}
