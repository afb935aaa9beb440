//! Azure Traffic Manager's profiles.

mod documents;
mod endpoint;
mod fields;
mod monitor;
mod profile;
mod regions;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde_json::Value;

use super::draft::{Draft, Site, absolute, ident};
use super::report::Report;
use super::{DEFAULT_ZONE, Document, ImportError, Options, remark, valid, zone};
use documents::Found;
use fields::Fields;

const SOURCE: &str = "Azure Traffic Manager";

pub(super) fn import(
    documents: &[Document],
    options: &Options,
) -> Result<(Draft, Report), ImportError> {
    let mut report = Report::new(SOURCE);
    let zone = zone(options, DEFAULT_ZONE)?;
    let found = documents::profiles(documents, &options.parameters, &mut report)?;
    let mut known = Known::default();
    let mut names = Vec::new();
    for it in &found {
        names.push(known.add(it, &zone.name)?);
    }
    let mut draft = Draft { zones: vec![zone.clone()], ..Draft::default() };
    let mut reading = Reading {
        zone: &zone.name,
        known: &known,
        options,
        report: &mut report,
        sites: Vec::new(),
    };
    for (it, name) in found.iter().zip(names) {
        draft.profiles.extend(profile::profile(it, name, &mut reading));
    }
    reading.tell_unused_targets(&draft);
    draft.sites = reading.sites;
    if options.zone.is_none() {
        report.differs(
            DEFAULT_ZONE,
            "names under trafficmanager.net → names under gtm.example.",
            "trafficmanager.net is Microsoft's, and no other zone was named",
            "name your zone: --zone ZONE, then point your own CNAMEs at the new names",
        );
    } else {
        report.differs(
            &zone.name,
            "names under trafficmanager.net → names in this zone",
            "trafficmanager.net is Microsoft's",
            "point your own CNAMEs at the new names when you switch",
        );
    }
    remark(&mut draft, &mut report, options, SOURCE);
    Ok((draft, report))
}

/// What is shared while profiles are read.
struct Reading<'r> {
    /// The zone's name.
    zone: &'r str,
    known: &'r Known,
    options: &'r Options,
    report: &'r mut Report,
    sites: Vec<Site>,
}

impl Reading<'_> {
    /// The target that was given for an endpoint.
    fn target(&self, profile: &str, endpoint: &str) -> Option<&str> {
        let both = format!("{profile}/{endpoint}");
        let is_it = |it: &&(String, String)| {
            it.0.eq_ignore_ascii_case(&both) || it.0.eq_ignore_ascii_case(endpoint)
        };
        self.options.targets.iter().rev().find(is_it).map(|it| it.1.as_str())
    }

    /// Tells of targets that were given for endpoints that are nowhere.
    fn tell_unused_targets(&mut self, draft: &Draft) {
        for (name, _) in &self.options.targets {
            let (_, own) = name.rsplit_once('/').unwrap_or(("", name));
            let own = ident(own, &mut Default::default());
            let is_there = draft
                .profiles
                .iter()
                .flat_map(|it| &it.endpoints)
                .any(|it| it.name == own || it.name.starts_with(&format!("{own}-")));
            if !is_there {
                self.report.unsupported(
                    name,
                    "a target for an endpoint that is not there",
                    "no profile has an endpoint of this name",
                    "write --target PROFILE/ENDPOINT=VALUE with the names of Azure",
                );
            }
        }
    }

    /// The site at an Azure region.
    fn site(&mut self, region: &str) -> Option<String> {
        let region = regions::find(region)?;
        if self.sites.iter().all(|it| it.name != region.name) {
            self.sites.push(Site {
                name: region.name.to_owned(),
                place: Some(region.place),
                region: Some(region.region),
            });
        }
        Some(region.name.to_owned())
    }
}

/// The imported profiles by what others call them, in small letters.
#[derive(Default)]
struct Known {
    by_id: HashMap<String, String>,
    /// None where two have it.
    by_name: HashMap<String, Option<String>>,
    by_fqdn: HashMap<String, String>,
}

impl Known {
    /// Takes a profile in, and gives it its name in Farol.
    fn add(&mut self, found: &Found, zone: &str) -> Result<String, ImportError> {
        let mut silent = Report::default();
        let fields = Fields::new(String::new(), &found.object);
        let resource = fields.text("name", &mut silent).map(str::to_ascii_lowercase);
        let dns = fields.table("dnsConfig", &mut silent);
        let dns_text = |key: &str| {
            let text = dns.as_ref()?.text(key, &mut Report::default());
            text.map(str::to_ascii_lowercase)
        };
        let fqdn = dns_text("fqdn");
        let first_label = fqdn.as_deref().and_then(|it| it.split('.').next()).map(str::to_owned);
        let relative = dns_text("relativeName").or(first_label);
        let own = relative.or_else(|| {
            let resource = resource.as_deref()?;
            Some(ident(resource, &mut Default::default()))
        });
        let Some(own) = own else {
            return Err(ImportError::Form {
                file: found.place.clone(),
                found: "a profile without `dnsConfig.relativeName` and without `name`".to_owned(),
                expected: "one of the two, from which the profile's name in Farol comes",
            });
        };
        let name = valid(&format!("{own}.{zone}"))?;
        if let Some(resource) = resource {
            let clash = self.by_name.insert(resource.clone(), Some(name.clone()));
            if clash.flatten().is_some_and(|it| it != name) {
                self.by_name.insert(resource, None);
            }
        }
        if let Some(id) = fields.text("id", &mut silent) {
            self.by_id.insert(id.to_ascii_lowercase(), name.clone());
        }
        self.by_fqdn.insert(format!("{own}.trafficmanager.net"), name.clone());
        self.by_fqdn.extend(fqdn.map(|it| (it, name.clone())));
        Ok(name)
    }

    /// The profile that a nested endpoint stands for, or a name that none has.
    fn child(&self, id: Option<&str>, target: Option<&str>, zone: &str) -> Option<String> {
        let id = id.map(str::to_ascii_lowercase);
        let target = target.map(|it| it.trim_end_matches('.').to_ascii_lowercase());
        let resource = id.as_deref().and_then(|it| it.rsplit('/').next());
        let by_id = id.as_ref().and_then(|it| self.by_id.get(it));
        let by_fqdn = target.as_ref().and_then(|it| self.by_fqdn.get(it));
        let by_name = resource.and_then(|it| self.by_name.get(it)?.as_ref());
        if let Some(found) = by_id.or(by_fqdn).or(by_name) {
            return Some(found.clone());
        }
        let own = target.as_deref().and_then(|it| it.split('.').next()).or(resource)?;
        Some(absolute(&format!("{own}.{zone}")))
    }
}

/// `Enabled` and the like in a word of Azure's.
fn is_word(value: Option<&Value>, word: &str) -> bool {
    value.and_then(Value::as_str).is_some_and(|it| it.eq_ignore_ascii_case(word))
}
