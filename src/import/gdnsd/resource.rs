//! Resources of the plugins that answer with addresses or names of their own: static, simplefo, multifo and weighted.

use super::Reading;
use super::groups::{Family, families};
use super::service::Service;
use super::vscf::Node;
use crate::import::draft::{Endpoint, Monitor, Probe, Profile, Target, ident};
use crate::model::Method;

/// Keys of plugins and resources that are no labels.
const SETTINGS: [&str; 5] = ["service_types", "up_thresh", "multi", "ignore_health", "plugin"];
/// gdnsd's default.
const UP_THRESH: f64 = 0.5;
/// Where Farol's largest answer ends.
const MOST_RETURN: usize = 16;

/// Whether a key is a setting, not a label of somebody's.
pub(super) fn is_setting(key: &str) -> bool {
    SETTINGS.contains(&key)
}

/// What a resource is to become.
pub(super) struct Wanted<'w> {
    /// The profile's name.
    pub(super) name: &'w str,
    /// What the report calls it.
    pub(super) place: &'w str,
    /// How many resources stand for it.
    pub(super) depth: usize,
}

/// Settings that are handed down from plugins to resources to families.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) service_types: Option<Vec<String>>,
    pub(super) up_thresh: Option<f64>,
    pub(super) multi: Option<bool>,
    pub(super) ignore_health: Option<bool>,
    pub(super) plugin: Option<String>,
}

impl Scope {
    pub(super) fn of_plugin(node: &Node) -> Self {
        Self::default().under(node)
    }

    /// These, but for what a table below says itself.
    pub(super) fn under(&self, node: &Node) -> Self {
        let text = |key: &str| node.get(key).and_then(Node::text);
        let flag = |key: &str| text(key).map(|it| it == "true");
        let types = node.get("service_types").map(Node::texts);
        Self {
            service_types: types
                .map(|it| it.into_iter().map(str::to_owned).collect())
                .or_else(|| self.service_types.clone()),
            up_thresh: text("up_thresh").and_then(|it| it.parse().ok()).or(self.up_thresh),
            multi: flag("multi").or(self.multi),
            ignore_health: flag("ignore_health").or(self.ignore_health),
            plugin: text("plugin").map(str::to_owned).or_else(|| self.plugin.clone()),
        }
    }

    /// Percent.
    pub(super) fn threshold(&self) -> u8 {
        let share = self.up_thresh.filter(|it| *it > 0.0 && *it <= 1.0).unwrap_or(UP_THRESH);
        // Of what lies between two whole percents the next is a threshold as high at least.
        (1..=100).find(|percent| f64::from(*percent) >= share * 100.0 - 1e-9).unwrap_or(100)
    }

    pub(super) fn service_types(&self) -> &[String] {
        self.service_types.as_deref().unwrap_or_default()
    }
}

impl Reading<'_> {
    /// A resource as a profile; what it needs below it is pushed.
    pub(super) fn resource(
        &mut self,
        plugin: &str,
        node: &Node,
        settings: &Scope,
        datacenter: Option<&str>,
        wanted: &Wanted<'_>,
    ) -> Option<Profile> {
        let mut profile = match plugin {
            "static" => self.fixed(node, wanted),
            "simplefo" => self.simplefo(node, settings, wanted),
            "multifo" => self.multifo(node, settings, wanted),
            "weighted" => self.weighted(node, settings, wanted),
            "metafo" => self.metafo(node, settings, datacenter, wanted),
            "geoip" => self.geoip(node, settings, datacenter, wanted),
            _ => {
                self.report.unsupported(
                    wanted.place,
                    format!("the plugin {plugin}"),
                    "this import doesn't know it",
                    "",
                );
                None
            }
        }?;
        self.complete(&mut profile);
        Some(profile)
    }

    /// Gives a profile what all of them have.
    pub(super) fn complete(&self, profile: &mut Profile) {
        profile.ttl = self.ttl;
        if profile.notes.is_empty() {
            profile.notes.push(format!("gdnsd's {}", profile.from));
        }
        ask_for_a_host(profile);
        hoist(profile);
    }

    fn fixed(&mut self, node: &Node, wanted: &Wanted<'_>) -> Option<Profile> {
        let text = node.text()?;
        self.report.same(wanted.place, "static → one endpoint with protocol = \"none\"");
        let mut profile = profile(wanted, Method::Priority);
        let mut endpoint = Endpoint::new("static".to_owned(), Target::of(text));
        endpoint.monitor = Some(Monitor::none());
        profile.endpoints.push(endpoint);
        Some(profile)
    }

    fn simplefo(&mut self, node: &Node, settings: &Scope, wanted: &Wanted<'_>) -> Option<Profile> {
        let scope = settings.under(node);
        let mut profile = profile(wanted, Method::Priority);
        let mut taken = Default::default();
        for Family { node, scope, suffix } in families(node, &scope) {
            for (priority, key) in [(1, "primary"), (2, "secondary")] {
                let Some(text) = node.get(key).and_then(Node::text) else {
                    self.report.unsupported(
                        wanted.place,
                        format!("simplefo without {key}"),
                        "it is left out",
                        "",
                    );
                    continue;
                };
                let name = ident(&format!("{key}{suffix}"), &mut taken);
                let mut endpoint = self.endpoint(name, Target::of(text), &scope, wanted.place);
                endpoint.priority = Some(priority);
                profile.endpoints.push(endpoint);
            }
        }
        profile.any_family = profile.endpoints.len() > 2;
        self.report.same(wanted.place, "simplefo → method = \"priority\"");
        if profile.any_family {
            self.report.same(wanted.place, "IPv4 and IPv6 fail over apart → family = \"any\"");
            self.tell_families(wanted.place);
        }
        self.report.differs(
            wanted.place,
            "simplefo cuts the TTL in half while its primary is down",
            "Farol's ttl_min shortens it while an endpoint is in doubt, and not afterwards",
            "set ttl_min, if that matters",
        );
        Some(profile)
    }

    fn multifo(&mut self, node: &Node, settings: &Scope, wanted: &Wanted<'_>) -> Option<Profile> {
        let scope = settings.under(node);
        let mut profile = profile(wanted, Method::Multivalue);
        let (mut taken, mut thresholds) = (Default::default(), Vec::new());
        let mut most = 0;
        for Family { node, scope, suffix } in families(node, &scope) {
            let numbered = node.array().into_iter().flatten().enumerate();
            let numbered = numbered.map(|(at, it)| ((at + 1).to_string(), it));
            let labelled = node.hash().into_iter().flatten().map(|(key, it)| (key.clone(), it));
            let items: Vec<(String, &Node)> =
                numbered.chain(labelled.filter(|it| !is_setting(&it.0))).collect();
            most = most.max(items.len());
            thresholds.push(scope.threshold());
            for (label, it) in items {
                let Some(Target::Addresses(addresses)) = it.text().map(Target::of) else {
                    self.no_address(wanted.place, &label, it);
                    continue;
                };
                let name = ident(&format!("{label}{suffix}"), &mut taken);
                let target = Target::Addresses(addresses);
                let mut endpoint = self.endpoint(name, target, &scope, wanted.place);
                if scope.ignore_health == Some(true) {
                    endpoint.monitor = Some(Monitor::none());
                    self.report.same(wanted.place, "ignore_health → protocol = \"none\"");
                }
                profile.endpoints.push(endpoint);
            }
        }
        profile.max_return = u8::try_from(most.clamp(1, MOST_RETURN)).ok();
        self.report.same(
            wanted.place,
            "multifo → method = \"multivalue\" with max_return = all of a family",
        );
        if most > MOST_RETURN {
            self.report.differs(
                wanted.place,
                "more than 16 addresses in an answer",
                "Farol's answers name 16 endpoints at most, by turns",
                "",
            );
        }
        self.thresholds(&mut profile, &thresholds, wanted.place);
        Some(profile)
    }

    /// One endpoint that is watched as its scope says.
    pub(super) fn endpoint(
        &mut self,
        name: String,
        target: Target,
        scope: &Scope,
        place: &str,
    ) -> Endpoint {
        let mut endpoint = Endpoint::new(name, target);
        match self.services.join(scope.service_types(), place, self.report) {
            Service::Up => endpoint.monitor = Some(Monitor::none()),
            Service::Probed(monitor) => endpoint.monitor = Some(monitor),
            Service::Down => {
                endpoint.enabled = false;
                endpoint.monitor = Some(Monitor::none());
                self.report.differs(
                    place,
                    "what is always down → enabled = false",
                    "gdnsd answers with it when everything is down; Farol doesn't",
                    "",
                );
            }
        }
        endpoint
    }

    /// `up_thresh` of one family or two.
    pub(super) fn thresholds(&mut self, profile: &mut Profile, of: &[u8], place: &str) {
        profile.panic_threshold = of.iter().copied().max().unwrap_or_default();
        self.report.same(place, "up_thresh → panic_threshold, in percent");
        if of.len() > 1 {
            self.tell_families(place);
        }
        if of.iter().any(|it| *it != profile.panic_threshold) {
            self.report.differs(
                place,
                "up_thresh by family → the higher one",
                "a profile of Farol's has one panic_threshold",
                "",
            );
        }
    }

    fn tell_families(&mut self, place: &str) {
        self.report.differs(
            place,
            "IPv4 and IPv6 are counted together",
            "gdnsd decides for each family whether too little is up; Farol for the profile: while one family has a healthy endpoint, the other is no case of all being down",
            "make two profiles of it, if the families fail apart",
        );
    }

    pub(super) fn no_address(&mut self, place: &str, label: &str, it: &Node) {
        self.report.unsupported(
            place,
            format!("{label} is {}", it.kind()),
            "what is expected here is an address, or with weights [ADDRESS, WEIGHT]; it is left out",
            "",
        );
    }
}

/// A profile that says where it comes from.
pub(super) fn profile(wanted: &Wanted<'_>, method: Method) -> Profile {
    Profile::new(wanted.name.to_owned(), wanted.place.to_owned(), method)
}

/// Probes over HTTP ask for the profile's name; where that is a wildcard or one that the import made up, for the name above.
fn ask_for_a_host(profile: &mut Profile) {
    let labels = profile.name.split('.').skip_while(|it| *it == "*" || it.starts_with('_'));
    let above = labels.collect::<Vec<_>>().join(".");
    let above = above.trim_end_matches('.');
    if profile.name.starts_with(above) || above.is_empty() {
        return;
    }
    for monitor in profile.endpoints.iter_mut().filter_map(|it| it.monitor.as_mut()) {
        if monitor.protocol.is_some_and(Probe::is_http) {
            monitor.host.get_or_insert_with(|| above.to_owned());
        }
    }
}

/// What all endpoints are watched by is the profile's.
fn hoist(profile: &mut Profile) {
    let is_own = |it: &&mut Endpoint| !matches!(it.target, Target::Profile { .. });
    let mut own =
        profile.endpoints.iter().filter(|it| !matches!(it.target, Target::Profile { .. }));
    let first = own.next().and_then(|it| it.monitor.clone());
    if first.is_some() && own.all(|it| it.monitor == first) {
        profile.endpoints.iter_mut().filter(is_own).for_each(|it| it.monitor = None);
        profile.monitor = first;
    }
}
