//! Whether a change would leave less than it must: what is there before it is compared with what would be there.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::{Change, World};
use crate::model::{Guardrail, Guardrails, Ident, Method, Name, Now, Overrides};
use crate::snapshot::{EndpointState, ProfileTable, Snapshot};

/// A guardrail that a change would break, or would worsen though it is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The profile that it guards.
    pub profile: Name,
    /// The endpoint, where it guards each.
    pub endpoint: Option<Ident>,
    /// Which one.
    pub guardrail: Guardrail,
    /// What is there: endpoints, sites, percent, or the weight.
    pub now: u64,
    /// What would be.
    pub then: u64,
    /// What is asked for.
    pub limit: u64,
}

impl fmt::Display for Breach {
    /// "app.example.: min_sites = 2, and 1 of now 2 would be left".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { profile, guardrail, now, then, limit, .. } = self;
        let unit = if *guardrail == Guardrail::Capacity { " %" } else { "" };
        match &self.endpoint {
            Some(endpoint) => {
                write!(
                    f,
                    "{profile}: {guardrail} = {limit}, and {endpoint} would go from {now} to {then}"
                )
            }
            None => write!(
                f,
                "{profile}: {guardrail} = {limit}, and {then}{unit} would be left of now {now}{unit}"
            ),
        }
    }
}

impl World {
    /// Whether changes could break one: of the profiles that they are about, and those that these are nested in.
    pub(super) fn are_guarded(&self, changes: &[Change]) -> bool {
        let touched = changes.iter().flat_map(|it| self.touched(it)).collect();
        let slots = self.with_ancestors(touched);
        let table = |it| self.snapshot.profiles.get(it);
        slots.into_iter().filter_map(table).any(|it| !it.profile.guardrails.are_off())
    }

    /// The snapshot that there would be with other overrides, after these changes.
    pub(super) fn preview(
        &self,
        overrides: &Overrides,
        changes: &[Change],
        now: Now,
    ) -> Arc<Snapshot> {
        let mut world = self.clone();
        world.override_with(overrides.clone());
        for change in changes {
            if let Change::FailBack(profile) = change {
                world.fail_back(profile);
            }
        }
        world.publish(now);
        world.snapshot
    }
}

/// Every guardrail that a change from `before` to `after` would break or worsen.
pub(super) fn breaches(before: &Snapshot, after: &Snapshot) -> Vec<Breach> {
    let pairs = before.profiles.iter().zip(after.profiles.iter());
    let touched = pairs.filter(|(before, after)| !Arc::ptr_eq(before, after));
    touched.flat_map(|(before, after)| worsened(before, after)).collect()
}

fn worsened(before: &ProfileTable, after: &ProfileTable) -> Vec<Breach> {
    let rules: Guardrails = after.profile.guardrails;
    if rules.are_off() {
        return Vec::new();
    }
    let (now, then) = (Left::of(before), Left::of(after));
    let floors = [
        (Guardrail::HealthyEndpoints, rules.min_healthy_endpoints, now.endpoints, then.endpoints),
        (Guardrail::Sites, rules.min_sites, now.sites, then.sites),
        (Guardrail::Capacity, rules.min_capacity.map(u16::from), now.capacity, then.capacity),
    ];
    let breach = |guardrail, endpoint, now, then, limit| Breach {
        profile: after.profile.name.clone(),
        endpoint,
        guardrail,
        now,
        then,
        limit,
    };
    let floors = floors.into_iter().filter_map(|(guardrail, limit, now, then)| {
        let limit = u64::from(limit?);
        (then < limit && then < now).then(|| breach(guardrail, None, now, then, limit))
    });
    let weights = after.profile.endpoints.iter().zip(before.endpoints.iter().zip(&after.endpoints));
    let steps = weights.filter_map(|(endpoint, (now, then))| {
        let limit = rules.max_weight_step?;
        let is_back = then.weight == endpoint.weight;
        (now.weight.abs_diff(then.weight) > limit && !is_back).then(|| {
            let name = Some(endpoint.name.clone());
            let (now, then) = (now.weight.into(), then.weight.into());
            breach(Guardrail::WeightStep, name, now, then, limit.into())
        })
    });
    floors.chain(steps).collect()
}

/// What is healthy and in service.
struct Left {
    endpoints: u64,
    sites: u64,
    /// Percent of all, rounded down.
    capacity: u64,
}

impl Left {
    fn of(table: &ProfileTable) -> Self {
        let all = || table.profile.endpoints.iter().zip(&table.endpoints);
        // By weight, 0 serves only where all others have 0 too.
        let draws = matches!(table.profile.method, Method::Weighted | Method::Multivalue);
        let has_weight = all().any(|it| it.1.status.is_healthy() && it.1.weight > 0);
        let serves = |state: &EndpointState| {
            state.status.is_healthy() && (!draws || !has_weight || state.weight > 0)
        };
        let healthy = || all().filter(|it| serves(it.1)).map(|it| it.0);
        let sites: BTreeSet<&Ident> = healthy().filter_map(|it| it.site.as_ref()).collect();
        let whole: u64 = all().map(|it| u64::from(it.0.capacity)).sum();
        let left: u64 = healthy().map(|it| u64::from(it.capacity)).sum();
        Self {
            endpoints: healthy().count() as u64,
            sites: sites.len() as u64,
            capacity: (left * 100).checked_div(whole).unwrap_or(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{key, model, stamp};
    use super::*;
    use crate::control::Recall;
    use crate::model::{Change as Field, EndpointChange, Forced};

    const CONFIG: &str = r#"
        [guardrails]
        min_sites = 2
        [[zone]]
        name = "z."
        nameservers = ["ns.elsewhere."]
        [[site]]
        name = "sea"
        [[site]]
        name = "orl"
        [[profile]]
        name = "app.z."
        method = "weighted"
        monitor = { protocol = "none" }
        guardrails = { min_healthy_endpoints = 2, min_capacity = 50, max_weight_step = 20 }
        endpoint = [
            { name = "a", site = "sea", target = "127.0.0.1", weight = 50, capacity = 10 },
            { name = "b", site = "orl", target = "127.0.0.2", weight = 50, capacity = 30 },
            { name = "c", site = "orl", target = "127.0.0.3", weight = 50, capacity = 60 },
        ]
        [[profile]]
        name = "www.z."
        method = "weighted"
        monitor = { protocol = "none" }
        endpoint = [{ name = "a", site = "sea", target = "127.0.0.1" }]
    "#;

    fn drain(site: &str, drained: bool) -> Change {
        Change::Site { name: site.parse().unwrap(), drained, ramp: None }
    }

    fn force(endpoint: &str, forced: Field<Forced>) -> Change {
        let change = EndpointChange { forced, ..EndpointChange::default() };
        Change::Endpoint(key("app.z.", endpoint), change)
    }

    fn weigh(endpoint: &str, weight: Field<u16>) -> Change {
        let change = EndpointChange { weight, ..EndpointChange::default() };
        Change::Endpoint(key("app.z.", endpoint), change)
    }

    /// What guardrails say of changes after others were made.
    fn said(before: &[Change], changes: &[Change]) -> Vec<String> {
        let world =
            World::new(&model(CONFIG), Overrides::default(), Recall::default(), 1, 7, Now::at(0));
        let mut overrides = Overrides::default();
        before.iter().for_each(|it| world.plan(&mut overrides, it, &stamp()).unwrap());
        let was = world.preview(&overrides, before, Now::at(1));
        changes.iter().for_each(|it| world.plan(&mut overrides, it, &stamp()).unwrap());
        let is = world.preview(&overrides, changes, Now::at(1));
        breaches(&was, &is).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_would_leave_too_little_is_told_by_each_guardrail_that_it_breaks() {
        let down = |it| force(it, Field::Set(Forced::Down));
        for (before, changes, expected) in [
            (vec![], vec![down("a")], vec!["app.z.: min_sites = 2, and 1 would be left of now 2"]),
            (vec![], vec![down("b")], vec![]),
            (
                vec![],
                vec![down("c")],
                vec!["app.z.: min_capacity = 50, and 40 % would be left of now 100 %"],
            ),
            // Two that are harmless alone.
            (
                vec![],
                vec![down("a"), down("b")],
                vec![
                    "app.z.: min_healthy_endpoints = 2, and 1 would be left of now 3",
                    "app.z.: min_sites = 2, and 1 would be left of now 2",
                ],
            ),
            (
                vec![],
                vec![drain("sea", true)],
                vec![
                    "app.z.: min_sites = 2, and 1 would be left of now 2",
                    "www.z.: min_sites = 2, and 0 would be left of now 1",
                ],
            ),
            (
                vec![],
                vec![
                    weigh("a", Field::Set(40)),
                    weigh("b", Field::Set(31)),
                    weigh("c", Field::Set(31)),
                ],
                vec![],
            ),
            (
                vec![weigh("a", Field::Set(0))],
                vec![weigh("b", Field::Set(0))],
                vec![
                    "app.z.: min_healthy_endpoints = 2, and 1 would be left of now 2",
                    "app.z.: max_weight_step = 20, and b would go from 50 to 0",
                ],
            ),
            // One at another's expense, all in one.
            (vec![drain("sea", true)], vec![drain("sea", false), down("b")], vec![]),
        ] {
            assert_eq!(said(&before, &changes), expected, "{before:?} {changes:?}");
        }
    }

    #[test]
    fn what_repairs_or_changes_nothing_for_the_worse_is_allowed_though_a_guardrail_is_broken() {
        let down = |it| force(it, Field::Set(Forced::Down));
        let broken = [down("a"), down("b")];
        for change in [
            force("a", Field::Clear),
            force("b", Field::Clear),
            weigh("c", Field::Set(40)),
            drain("sea", true),
        ] {
            let said = said(&broken, std::slice::from_ref(&change));
            let is_about_app = said.iter().any(|it| it.starts_with("app.z."));
            assert!(!is_about_app, "{change}: {said:?}");
        }
        assert_eq!(said(&broken, &[down("c")]).len(), 3, "it is worse still");
    }

    #[test]
    fn weights_go_step_by_step_and_back_at_once() {
        let set = |it| weigh("a", Field::Set(it));
        assert_eq!(
            said(&[], &[set(71)]),
            ["app.z.: max_weight_step = 20, and a would go from 50 to 71"]
        );
        assert_eq!(said(&[], &[set(29)]).len(), 1);
        assert_eq!(said(&[], &[set(70)]), [] as [String; 0]);
        assert_eq!(said(&[set(70)], &[set(90)]), [] as [String; 0]);
        assert_eq!(said(&[set(90)], &[weigh("a", Field::Clear)]), [] as [String; 0]);
        assert_eq!(said(&[set(90)], &[set(50)]), [] as [String; 0], "that is what is configured");
        assert_eq!(said(&[set(90)], &[set(51)]).len(), 1);
    }
}
