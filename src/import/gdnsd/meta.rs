//! metafo: the first of several datacenters that has something up.

use std::collections::HashSet;

use super::Reading;
use super::resource::{Scope, Wanted, profile};
use super::vscf::{Node, Value};
use crate::import::draft::{Endpoint, MinChildren, Monitor, Profile, Site, Target, ident};
use crate::model::Method;

impl Reading<'_> {
    pub(super) fn metafo(
        &mut self,
        node: &Node,
        settings: &Scope,
        datacenter: Option<&str>,
        wanted: &Wanted<'_>,
    ) -> Option<Profile> {
        let scope = settings.under(node);
        let order: Vec<&str> = node.get("datacenters").map(Node::texts).unwrap_or_default();
        if order.is_empty() {
            self.report.unsupported(
                wanted.place,
                "metafo without datacenters",
                "it is left out",
                "",
            );
            return None;
        }
        if let Some(one) = datacenter {
            return self.one_datacenter(node, one, &scope, wanted);
        }
        let skip = skips(node, order.len());
        if skip > 0 {
            self.report.same(wanted.place, "skip_first: the first datacenter is left out");
        }
        let mut profile = profile(wanted, Method::Priority);
        let mut taken = HashSet::new();
        for name in order.into_iter().skip(skip) {
            profile.endpoints.extend(self.datacenter(node, name, &scope, wanted, &mut taken));
        }
        in_order(&mut profile.endpoints);
        self.report.same(
            wanted.place,
            "metafo → method = \"priority\" over nested profiles, in the order of datacenters",
        );
        Some(profile)
    }

    /// A datacenter without the others: `resource/datacenter`.
    pub(super) fn one_datacenter(
        &mut self,
        node: &Node,
        name: &str,
        scope: &Scope,
        wanted: &Wanted<'_>,
    ) -> Option<Profile> {
        let mut profile = profile(wanted, Method::Priority);
        profile.endpoints.extend(self.datacenter(node, name, scope, wanted, &mut HashSet::new()));
        self.report.same(wanted.place, "resource/datacenter → that datacenter alone");
        Some(profile)
    }

    /// An endpoint for what a datacenter stands for, which a profile below may answer.
    pub(super) fn datacenter(
        &mut self,
        node: &Node,
        name: &str,
        scope: &Scope,
        wanted: &Wanted<'_>,
        taken: &mut HashSet<String>,
    ) -> Option<Endpoint> {
        let Some(found) = node.get("dcmap").and_then(|it| it.get(name)) else {
            self.report.unsupported(
                wanted.place,
                format!("the datacenter {name}"),
                "dcmap has nothing for it, so it is left out",
                "",
            );
            return None;
        };
        let label = ident(name, taken);
        let child_name = format!("_{label}.{}", wanted.name.trim_start_matches("*."));
        let place = format!("{}/{name}", wanted.place);
        let below = Wanted { name: &child_name, place: &place, depth: wanted.depth + 1 };
        let child = match &found.value {
            Value::Text(text) => match text.strip_prefix('%').map(|it| it.split_once('!')) {
                Some(Some((plugin, resource))) => self.refer(plugin, resource, &below),
                _ => match text.strip_prefix('!') {
                    Some(resource) => {
                        let plugin = scope.plugin.as_deref().unwrap_or("multifo").to_owned();
                        self.refer(&plugin, resource, &below)
                    }
                    None => Some(self.single(text, scope, &below)),
                },
            },
            Value::Array(_) => self.resource("multifo", found, scope, None, &below),
            Value::Hash(_) => {
                let plugin = scope.under(found).plugin.unwrap_or_else(|| "multifo".to_owned());
                self.resource(&plugin, found, scope, None, &below)
            }
        }?;
        self.sites.entry(label.clone()).or_insert_with(|| Site {
            name: label.clone(),
            place: None,
            region: None,
        });
        let mut endpoint = self.standing_for(child, label.clone(), &place);
        endpoint.site = Some(label);
        Some(endpoint)
    }

    /// A datacenter that is one address, or one name.
    fn single(&mut self, text: &str, scope: &Scope, wanted: &Wanted<'_>) -> Profile {
        let mut profile = profile(wanted, Method::Priority);
        let target = Target::of(text);
        let endpoint = match target {
            Target::Name(_) => {
                let mut endpoint = Endpoint::new("name".to_owned(), target);
                endpoint.monitor = Some(Monitor::none());
                endpoint
            }
            _ => self.endpoint("address".to_owned(), target, scope, wanted.place),
        };
        profile.endpoints.push(endpoint);
        profile
    }

    /// An endpoint for a profile: itself, where it has but one place to lead to.
    fn standing_for(&mut self, mut child: Profile, label: String, place: &str) -> Endpoint {
        if let [only] = &child.endpoints[..]
            && !matches!(only.target, Target::Profile { .. })
        {
            let mut endpoint = only.clone();
            endpoint.monitor = endpoint.monitor.or(child.monitor);
            (endpoint.name, endpoint.weight, endpoint.priority) = (label, None, None);
            return endpoint;
        }
        let needed = |it: usize| (it * usize::from(child.panic_threshold)).div_ceil(100).max(1);
        let has = |v4: bool| {
            let is_it = |it: &&Endpoint| match &it.target {
                Target::Addresses(of) => of.iter().any(|it| it.is_ipv4() == v4),
                _ => false,
            };
            child.endpoints.iter().filter(is_it).count()
        };
        let (v4, v6) = (has(true), has(false));
        let (mut v4_min, mut v6_min) = (0, 0);
        if v4 > 0 && v6 > 0 && child.method != Method::Priority {
            (v4_min, v6_min) = (needed(v4), needed(v6));
        }
        let any = needed(child.endpoints.len()).max(v4_min + v6_min);
        let count = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        let min = MinChildren { any: count(any), v4: count(v4_min), v6: count(v6_min) };
        let weights: HashSet<Option<u32>> = child.endpoints.iter().map(|it| it.weight).collect();
        if child.panic_threshold > 0 {
            self.report.same(place, "up_thresh of a datacenter → min_child_endpoints");
            if weights.len() > 1 {
                self.report.differs(
                    place,
                    "up_thresh of a datacenter with weights → min_child_endpoints",
                    "gdnsd counts weights, Farol endpoints",
                    "check min_child_endpoints",
                );
            }
        }
        let name = child.name.clone();
        child.ttl = self.ttl;
        self.profiles.push(child);
        Endpoint::new(label, Target::Profile { name, min })
    }
}

/// How many datacenters are skipped: the first, if the resource says so and it isn't the only one.
pub(super) fn skips(node: &Node, datacenters: usize) -> usize {
    let wanted = node.get("skip_first").and_then(Node::text) == Some("true");
    usize::from(wanted && datacenters > 1)
}

/// Priorities in the order of writing.
pub(super) fn in_order(endpoints: &mut [Endpoint]) {
    for (priority, endpoint) in (1..).zip(endpoints) {
        endpoint.priority = Some(priority);
    }
}
