//! What no schema says: what refers to what, and what excludes each other. It looks at the document, not at the types, so that
//! all of it is told though something else is wrong, too; what the schema complains about is passed over here.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::settings::{At, Problem, nearest, parse_duration, show_duration};

/// What the monitoring is called among the apps.
pub const MONITORING: &str = "farol-monitoring";
const DAY: Duration = Duration::from_secs(86_400);
const SECOND: Duration = Duration::from_secs(1);

/// Everything that is wrong in a description beyond its schema.
pub(super) fn problems(root: &At<'_>) -> Vec<Problem> {
    let list = |key: &str| root.get(key).map(|it| it.items()).unwrap_or_default();
    let (sites, apps) = (list("sites"), list("apps"));
    let mut check = Check { sites: names(&sites), problems: Vec::new() };
    if root.get("resources").is_some() {
        check.alone(root);
    }
    check.unique(&sites, "name");
    check.unique(&apps, "name");
    check.clusters(&sites);
    check.endpoints(&sites);
    apps.iter().for_each(|it| check.app(it));
    if let Some(release) = root.at(&["monitoring", "release"]) {
        check.chart(&release);
    }
    if let Some(rollout) = root.get("rollout") {
        check.rollout(&rollout);
    }
    check.problems
}

fn names<'a>(items: &[At<'a>]) -> Vec<&'a str> {
    items.iter().filter_map(|it| it.get("name")?.text()).collect()
}

struct Check<'a> {
    /// The names of the sites.
    sites: Vec<&'a str>,
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    fn say(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Complains about what custom resources say where there are some. That `sites` does too, the schema says.
    fn alone(&mut self, root: &At<'a>) {
        for (key, kind) in [("apps", "FleetApp"), ("rollout", "Rollout")] {
            if let Some(at) = root.get(key) {
                self.say(at.problem(format!(
                    "and `resources` exclude each other; make a {kind} of it in the cluster, or remove `resources`"
                )));
            }
        }
    }

    /// Complains about the second of two items with the same text under a key.
    fn unique(&mut self, items: &[At<'a>], key: &str) {
        let mut first: HashMap<&str, At<'a>> = HashMap::new();
        for at in items.iter().filter_map(|it| it.get(key)) {
            let Some(text) = at.text() else { continue };
            match first.get(text) {
                Some(first) => {
                    let place = first.place();
                    self.say(at.found(format!(
                        "is written twice, the first time at {place}; keep one of them"
                    )));
                }
                None => drop(first.insert(text, at)),
            }
        }
    }

    /// Complains about a cluster that two sites claim.
    fn clusters(&mut self, sites: &[At<'a>]) {
        let clusters: Vec<At<'a>> = sites.iter().filter_map(|it| it.get("cluster")).collect();
        self.unique(&clusters, "uid");
        let mut known: HashMap<(&str, Option<&str>), &str> = HashMap::new();
        for site in sites {
            let Some(at) = site.at(&["cluster", "kubeconfig"]) else { continue };
            let path = at.text().or_else(|| at.get("path")?.text());
            let context = at.get("context").and_then(|it| it.text());
            let name = site.get("name").and_then(|it| it.text()).unwrap_or_default();
            let Some(path) = path else { continue };
            if let Some(other) = known.insert((path, context), name) {
                self.say(at.problem(format!(
                    "is the cluster of site \"{other}\"; name a file or context of this site's own"
                )));
            }
        }
    }

    /// Complains about an endpoint that two sites claim.
    fn endpoints(&mut self, sites: &[At<'a>]) {
        let mut known: HashMap<(String, &str), &str> = HashMap::new();
        for site in sites {
            let text = |key: &str| site.at(&["endpoint", key]).and_then(|it| it.text());
            let (Some(profile), Some(name)) = (text("profile"), text("name")) else { continue };
            // Domain names that differ in case, or in the last dot, are the same.
            let profile = profile.trim_end_matches('.').to_ascii_lowercase();
            let site_name = site.get("name").and_then(|it| it.text()).unwrap_or_default();
            let claimed = known.insert((profile, name), site_name);
            if let (Some(other), Some(at)) = (claimed, site.at(&["endpoint", "name"])) {
                self.say(at.found(format!("is the endpoint of site \"{other}\"; name another")));
            }
        }
    }

    fn app(&mut self, app: &At<'a>) {
        if let Some(name) = app.get("name").filter(|it| it.text() == Some(MONITORING)) {
            self.say(
                name.found("is what the monitoring is called among the apps; take another name"),
            );
        }
        let on = app.get("sites").map(|it| it.items());
        on.iter().flatten().for_each(|it| self.site(it));
        self.each_once(on.as_deref().unwrap_or_default());
        let on: Option<Vec<&str>> = on.map(|it| it.iter().filter_map(At::text).collect());
        let helm = app.at(&["source", "helm"]);
        let has_source = app.get("source").is_some();
        let autoscaled = self.autoscale(app);
        let overrides = app.get("overrides").map(|it| it.entries()).unwrap_or_default();
        for (site, at) in overrides {
            if let Some(message) = self.no_site(site) {
                self.say(at.problem(message));
            } else if on.as_ref().is_some_and(|it| !it.contains(&site)) {
                self.say(at.problem(
                    "the application doesn't run on this site; add it to `sites`, or remove this",
                ));
            }
            if let Some(values) = at.get("values") {
                self.strange(&values);
                if has_source && helm.is_none() {
                    self.say(values.problem("goes with `source.helm`; remove it"));
                }
            }
            let replicas = at.get("replicas").map(|it| it.entries()).unwrap_or_default();
            for (name, at) in replicas.into_iter().filter(|it| autoscaled.contains(it.0)) {
                let message = format!(
                    "`autoscale` sets the replicas of {}; remove one of the two",
                    name.escape_debug()
                );
                self.say(at.problem(message));
            }
        }
        if let Some(from) = app.get("valuesFrom").filter(|_| has_source && helm.is_none()) {
            self.say(from.problem("goes with `source.helm`; remove it"));
        }
        if let Some(helm) = helm {
            self.chart(&helm);
        }
    }

    /// Checks what is scaled, and gives its names.
    fn autoscale(&mut self, app: &At<'a>) -> HashSet<&'a str> {
        let items = app.get("autoscale").map(|it| it.items()).unwrap_or_default();
        self.unique(&items, "target");
        for item in &items {
            let number = |key: &str| item.get(key).and_then(|it| it.integer());
            if let (Some(min), Some(max), Some(at)) =
                (number("min"), number("max"), item.get("min"))
                && min > max
            {
                self.say(
                    at.found(format!("is more than `max`; write a whole number from 1 to {max}")),
                );
            }
            let Some(at) = item.get("target") else { continue };
            let kind = at.text().and_then(|it| it.split_once('/')).map(|it| it.0);
            if kind.is_some_and(|it| it != "Deployment" && it != "StatefulSet") {
                self.say(at.found("can't be scaled; write a Deployment or a StatefulSet"));
            }
        }
        let name = |it: &At<'a>| Some(it.get("target")?.text()?.split_once('/')?.1);
        items.iter().filter_map(name).collect()
    }

    fn chart(&mut self, helm: &At<'a>) {
        if let Some(values) = helm.get("values") {
            self.strange(&values);
        }
        let is_registry =
            helm.get("chart").and_then(|it| it.text()).is_some_and(|it| it.starts_with("oci://"));
        let repo = helm.get("repo");
        if let Some(at) = repo.as_ref().filter(|_| is_registry) {
            self.say(at.problem("is of no use with `oci://`; remove it"));
        }
        if (is_registry || repo.is_some())
            && helm.get("version").is_none()
            && helm.get("digest").is_none()
        {
            let message = "is missing; write the chart's version, or its `digest`, so that all sites get the same";
            self.say(helm.lacks("version", message));
        }
    }

    /// Complains about values of a chart that would become something else than what is written.
    fn strange(&mut self, values: &At<'a>) {
        for at in values.strange() {
            self.say(at.problem(
                "is no text, number or boolean by YAML 1.2, or is too large; write it in quotes",
            ));
        }
    }

    fn rollout(&mut self, rollout: &At<'a>) {
        self.waves(rollout);
        self.ramp(rollout);
        for (keys, least) in [
            (&["drain", "timeout"][..], SECOND),
            (&["verify", "timeout"], SECOND),
            (&["step"], Duration::ZERO),
            (&["soak"], Duration::ZERO),
        ] {
            let Some(at) = rollout.at(keys) else { continue };
            let span = at.text().and_then(parse_duration);
            if span.is_some_and(|it| !(least..=DAY).contains(&it)) {
                let (least, most) = (show_duration(least), show_duration(DAY));
                self.say(at.found(format!("write a duration from \"{least}\" to \"{most}\"")));
            }
        }
        let count = i64::try_from(self.sites.len()).unwrap_or(i64::MAX);
        if let Some(at) = rollout.get("min_healthy_sites")
            && at.integer().is_some_and(|it| it >= count && it > 1)
        {
            let message = format!(
                "leaves no site that can be drained, as there are {count}; write less than that"
            );
            self.say(at.found(message));
        }
    }

    fn waves(&mut self, rollout: &At<'a>) {
        let Some(waves) = rollout.get("waves") else { return };
        let named: Vec<At<'a>> = waves.items().iter().flat_map(At::items).collect();
        named.iter().for_each(|it| self.site(it));
        self.each_once(&named);
        let missing: Vec<&str> = self
            .sites
            .iter()
            .copied()
            .filter(|site| named.iter().all(|it| it.text() != Some(site)))
            .collect();
        if !named.is_empty() && !missing.is_empty() {
            self.say(
                waves.problem(format!("lacks {}; each site is in one wave", missing.join(", "))),
            );
        }
    }

    fn ramp(&mut self, rollout: &At<'a>) {
        let Some(ramp) = rollout.get("ramp") else { return };
        let steps: Vec<(At<'a>, i64)> = ramp
            .items()
            .into_iter()
            .filter_map(|it| it.integer().map(|number| (it, number)))
            .collect();
        for pair in steps.windows(2) {
            if let [(_, before), (at, share)] = pair
                && share <= before
            {
                self.say(
                    at.found(format!("isn't more than {before} before it; write shares that rise")),
                );
            }
        }
        if let Some((at, share)) = steps.last()
            && *share < 100
        {
            self.say(at.found("is the last share, and not all of the weight; end with 100"));
        }
    }

    /// Complains about a name that no site has.
    fn site(&mut self, at: &At<'a>) {
        if let Some(message) = at.text().and_then(|it| self.no_site(it)) {
            self.say(at.found(message));
        }
    }

    fn no_site(&self, name: &str) -> Option<String> {
        if self.sites.contains(&name) {
            return None;
        }
        Some(match nearest(name, self.sites.iter().copied()) {
            Some(near) => format!("no such site; did you mean \"{near}\"?"),
            None => "no such site; add it to `sites`, or name another".to_owned(),
        })
    }

    /// Complains about texts that come again.
    fn each_once(&mut self, items: &[At<'a>]) {
        let mut known = HashSet::new();
        for at in items {
            if at.text().is_some_and(|it| !known.insert(it)) {
                self.say(at.found("is named twice; remove one"));
            }
        }
    }
}
