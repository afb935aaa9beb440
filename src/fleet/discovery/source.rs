//! Which endpoint's addresses come from where: the fleet's description and the configuration held against each other.

use super::exposure::shown;
use super::watcher::Subject;
use crate::fleet::spec::{self, Backing, Described, From};
use crate::model::{Endpoint, EndpointKey, Model, Profile};
use crate::settings::{At, Problem, Problems};

/// Where an endpoint's addresses come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The endpoint.
    pub key: EndpointKey,
    /// Its site, with the way to the cluster.
    pub site: spec::Site,
    /// The object there.
    pub from: From,
    /// The pods behind it, where the cluster is asked for them.
    pub workload: Option<Backing>,
}

impl Source {
    /// In words: `service ingress-nginx/controller of seattle, port 80`.
    pub fn shown(&self) -> String {
        format!("{} of {}, port {}", shown(&self.from.object), self.site.name, self.from.port)
    }

    /// What is watched of it.
    pub(super) fn subjects(&self) -> impl Iterator<Item = Subject> {
        let pods = self.workload.as_ref().map(|it| Subject::Pods(it.service.clone()));
        [Some(Subject::Addresses), pods].into_iter().flatten()
    }

    /// What is watched of it, in words.
    pub(super) fn shown_of(&self, subject: &Subject) -> String {
        match subject {
            Subject::Addresses => self.shown(),
            Subject::Pods(service) => format!("the pods of {service} of {}", self.site.name),
        }
    }
}

/// Where the addresses of all discovered endpoints come from.
///
/// # Errors
/// Everything in the fleet's description that doesn't fit the configuration.
pub fn sources(model: &Model, described: &Described) -> Result<Vec<Source>, Problems> {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for (at, site) in described.sites() {
        let Some(endpoint) = site.endpoint.clone() else { continue };
        let key = EndpointKey { profile: endpoint.profile, endpoint: endpoint.name };
        match misfit(model, &key, site) {
            Some((keys, why)) => problems.extend(at.at(keys).map(|it| it.found(why))),
            None => {
                let (site, from, workload) = (site.clone(), endpoint.from, endpoint.workload);
                found.push(Source { key, site, from, workload });
            }
        }
    }
    if problems.is_empty() {
        problems.extend(undescribed(model, &found, &described.root()));
    }
    if problems.is_empty() { Ok(found) } else { Err(Problems::of(problems)) }
}

/// What of a site's endpoint doesn't fit the configuration: by which keys, and why.
fn misfit(
    model: &Model,
    key: &EndpointKey,
    site: &spec::Site,
) -> Option<(&'static [&'static str], String)> {
    let EndpointKey { profile, endpoint } = key;
    let Some(profile) = model.profiles.iter().find(|it| it.name == *profile) else {
        let why = "the configuration has no such profile; add it there, or name another";
        return Some((&["endpoint", "profile"], why.to_owned()));
    };
    let Some(configured) = profile.endpoints.iter().find(|it| it.name == *endpoint) else {
        let why = format!("{} has no such endpoint; add it there, or name another", profile.name);
        return Some((&["endpoint", "name"], why));
    };
    if !configured.is_discovered() {
        let why = "has addresses in the configuration; write `discovered = true` there in place of `target`, or remove `endpoint` here";
        return Some((&["endpoint", "name"], why.to_owned()));
    }
    let configured = configured.site.as_ref().filter(|it| **it != site.name)?;
    let why = format!("is in site {configured} by the configuration, not in {}", site.name);
    Some((&["endpoint", "name"], format!("{why}; write the same in both")))
}

/// The discovered endpoints of which the description says nothing.
fn undescribed(model: &Model, found: &[Source], root: &At<'_>) -> Vec<Problem> {
    let is_described = |(profile, endpoint): &(&Profile, &Endpoint)| {
        let mut keys = found.iter().map(|it| &it.key);
        keys.any(|it| it.profile == profile.name && it.endpoint == endpoint.name)
    };
    let problem = |(profile, endpoint): (&Profile, &Endpoint)| {
        let (profile, name) = (&profile.name, &endpoint.name);
        let site = endpoint.site.as_ref().map(|it| format!(" of {it}")).unwrap_or_default();
        let message = format!(
            "no site has the endpoint {profile} {name}, which is `discovered`; add `endpoint: {{ profile: {profile}, name: {name}, from: … }}` to the site{site}"
        );
        root.lacks("sites", message)
    };
    model.endpoints().filter(|it| it.1.is_discovered() && !is_described(it)).map(problem).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::fleet::spec::Description;
    use crate::settings::load_text;

    const CONFIG: &str = "
        [[zone]]
        name = 'z.'
        nameservers = 'ns.elsewhere.'
        [[site]]
        name = 'seattle'
        [[site]]
        name = 'orlando'
        [fleet]
        file = 'fleet.yaml'
        [[profile]]
        name = 'app.z.'
        method = 'priority'
        [[profile.endpoint]]
        name = 'sea'
        site = 'seattle'
        discovered = true
        [[profile.endpoint]]
        name = 'fixed'
        site = 'orlando'
        target = '192.0.2.1'
    ";

    /// What is said where the site `seattle` has this endpoint.
    #[track_caller]
    fn check(config: &str, site: &str, endpoint: &str, expected: &str) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("fleet.yaml");
        let fleet = format!(
            "sites:\n- name: {site}\n  cluster: {{ kubeconfig: a.kubeconfig }}\n{endpoint}\n"
        );
        std::fs::write(&file, &fleet).unwrap();
        let settings = load_text(&directory.path().join("farol.toml"), config).unwrap();
        let described = Description::parse(&file, &fleet).unwrap();
        let Description::Whole(described) = described else { panic!("{described:?}") };
        let said = match sources(&settings.model, &described) {
            Ok(found) => found.iter().map(Source::shown).collect::<Vec<_>>().join("\n"),
            Err(problems) => problems.to_string(),
        };
        assert_eq!(said.replace(&*directory.path().to_string_lossy(), ""), expected);
    }

    #[test]
    fn the_description_and_the_configuration_fit_each_other() {
        let endpoint = |profile: &str, name: &str| {
            format!(
                "  endpoint:\n    profile: {profile}\n    name: {name}\n    from: {{ service: edge/web, port: 80 }}"
            )
        };
        let right = endpoint("app.z.", "sea");
        check(CONFIG, "seattle", &right, "service edge/web of seattle, port 80");
        check(
            CONFIG,
            "seattle",
            &endpoint("apps.z.", "sea"),
            "/fleet.yaml:5: sites[seattle].endpoint.profile: found \"apps.z.\"; the configuration has no such profile; add it there, or name another",
        );
        check(
            CONFIG,
            "seattle",
            &endpoint("app.z.", "sia"),
            "/fleet.yaml:6: sites[seattle].endpoint.name: found \"sia\"; app.z. has no such endpoint; add it there, or name another",
        );
        check(
            CONFIG,
            "orlando",
            &endpoint("app.z.", "fixed"),
            "/fleet.yaml:6: sites[orlando].endpoint.name: found \"fixed\"; has addresses in the configuration; write `discovered = true` there in place of `target`, or remove `endpoint` here",
        );
        check(
            CONFIG,
            "orlando",
            &right,
            "/fleet.yaml:6: sites[orlando].endpoint.name: found \"sea\"; is in site seattle by the configuration, not in orlando; write the same in both",
        );
        check(
            CONFIG,
            "seattle",
            "",
            "/fleet.yaml: sites: no site has the endpoint app.z. sea, which is `discovered`; add `endpoint: { profile: app.z., name: sea, from: … }` to the site of seattle",
        );
        let undescribed = CONFIG.replace("[fleet]", "[probe]").replace("file = 'fleet.yaml'", "");
        let refused = load_text(Path::new("farol.toml"), &undescribed).unwrap_err().to_string();
        let missing = "fleet.file: is missing; write the description of the sites' clusters, as app.z. sea is `discovered`";
        assert!(refused.ends_with(missing), "{refused}");
    }
}
