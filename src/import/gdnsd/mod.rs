//! gdnsd's resources, by the names that its zone files give them.

mod geoip;
mod groups;
mod meta;
mod places;
mod resource;
mod service;
#[cfg(test)]
mod tests;
mod vscf;
mod zone_file;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::draft::{Draft, Profile, Site, ident};
use super::report::Report;
use super::{DEFAULT_ZONE, Document, ImportError, Options, ReadFiles, remark, valid, zone};
use resource::{Scope, Wanted};
use service::Services;
use vscf::Node;
use zone_file::Dynamic;

const SOURCE: &str = "gdnsd";
/// Resources that stand for resources.
const MOST_DEPTH: usize = 9;
/// Plugins whose resources this import knows.
const KNOWN: [&str; 6] = ["weighted", "multifo", "simplefo", "metafo", "geoip", "static"];

pub(super) fn import(
    configuration: &Document,
    zone_files: &[Document],
    options: &Options,
    read: ReadFiles<'_>,
) -> Result<(Draft, Report), ImportError> {
    let mut report = Report::new(SOURCE);
    let root = vscf::parse(configuration, read)?;
    let services = Services::read(&root, &mut report);
    tell_rest(&root, &mut report);
    let directory = Path::new(&configuration.name).parent().unwrap_or(Path::new(""));
    let mut reading = Reading {
        plugins: root.get("plugins"),
        services: &services,
        report: &mut report,
        read,
        directory,
        ttl: 30,
        profiles: Vec::new(),
        sites: HashMap::new(),
    };
    let mut draft = Draft::default();
    if zone_files.is_empty() {
        let zone = zone(options, DEFAULT_ZONE)?;
        reading.all_resources(&zone.name)?;
        draft.zones.push(zone);
    }
    for file in zone_files {
        let name = options.zone.as_deref().map_or_else(|| Ok(zone_file::zone_of(file)), valid)?;
        let names = zone_file::read(file, &name)?;
        let mut zone = zone(options, &name)?;
        if options.nameservers.is_empty() && !names.nameservers.is_empty() {
            zone.nameservers =
                names.nameservers.iter().map(|it| valid(it)).collect::<Result<_, _>>()?;
        }
        for it in &names.dynamic {
            reading.dynamic(it, &file.name)?;
        }
        if names.others > 0 {
            reading.report.unsupported(
                &file.name,
                format!("static records: {}", names.others),
                "this import takes over dynamic names alone",
                "take the DYNA and DYNC lines out of the zone file, and name it: [[zone]] file = \"…\"; with SOA and NS in it, remove nameservers",
            );
        }
        draft.zones.retain(|it| it.name != zone.name);
        draft.zones.push(zone);
    }
    draft.profiles = reading.profiles;
    draft.sites = reading.sites.into_values().collect();
    draft.sites.sort_by(|a, b| a.name.cmp(&b.name));
    let nameservers_are_known = zone_files.iter().any(|_| true);
    let told = Options { nameservers: vec![String::new()], ..Options::default() };
    remark(&mut draft, &mut report, if nameservers_are_known { &told } else { options }, SOURCE);
    Ok((draft, report))
}

/// What is neither a service type nor a resource.
fn tell_rest(root: &Node, report: &mut Report) {
    for (key, node) in root.hash().into_iter().flatten() {
        if key == "options" {
            for (key, _) in node.hash().into_iter().flatten() {
                report.unsupported(
                    &format!("options: {key}"),
                    "options of the server itself",
                    "they are about sockets and threads of gdnsd's",
                    "look through [server] in config/reference.toml",
                );
            }
        } else if key != "service_types" && key != "plugins" {
            report.unsupported(key, "a table that this import doesn't know", "", "");
        }
    }
    for (plugin, _) in root.get("plugins").and_then(Node::hash).into_iter().flatten() {
        if !KNOWN.contains(&plugin.as_str()) {
            report.unsupported(
                &format!("plugins: {plugin}"),
                format!("the plugin {plugin}"),
                match plugin.as_str() {
                    "null" => "it answers with an address that nobody has",
                    "reflect" => "it answers with the address that asks",
                    "extmon" | "extfile" | "http_status" | "tcp_connect" => {
                        "these are settings of the plugin itself"
                    }
                    _ => "this import doesn't know it",
                },
                "",
            );
        }
    }
}

/// What is shared while resources are read.
struct Reading<'r> {
    plugins: Option<&'r Node>,
    services: &'r Services,
    report: &'r mut Report,
    read: ReadFiles<'r>,
    /// That of the configuration.
    directory: &'r Path,
    /// Of the name that is read for.
    ttl: u32,
    profiles: Vec<Profile>,
    sites: HashMap<String, Site>,
}

impl Reading<'_> {
    /// Every resource under a name of its own.
    fn all_resources(&mut self, zone: &str) -> Result<(), ImportError> {
        let mut taken = HashSet::new();
        for plugin in KNOWN {
            let Some(node) = self.plugins.and_then(|it| it.get(plugin)) else { continue };
            let table = if plugin == "metafo" || plugin == "geoip" {
                node.get("resources")
            } else {
                Some(node)
            };
            for (resource, _) in table.and_then(Node::hash).into_iter().flatten() {
                if resource::is_setting(resource) {
                    continue;
                }
                let name = valid(&format!("{}.{zone}", ident(resource, &mut taken)))?;
                self.name(name, plugin, resource, (None, None));
            }
        }
        if !self.profiles.is_empty() {
            self.report.differs(
                zone,
                "names by resources",
                "no zone file says by which names they are asked for, nor with which TTL",
                "import with --zone-file FILE",
            );
        }
        Ok(())
    }

    fn dynamic(&mut self, it: &Dynamic, file: &str) -> Result<(), ImportError> {
        let name = valid(&it.name)?;
        if !KNOWN.contains(&it.plugin.as_str()) {
            self.report.unsupported(
                &format!("{name} ({file}:{})", it.line),
                format!("names by the plugin {}", it.plugin),
                "this import doesn't know the plugin, so they are left out",
                "write profiles of these names by hand",
            );
            return Ok(());
        }
        self.name(name, &it.plugin, &it.resource, (it.ttl, it.ttl_min));
        Ok(())
    }

    /// A resource as the profile of this name.
    fn name(
        &mut self,
        name: String,
        plugin: &str,
        resource: &str,
        ttl: (Option<u32>, Option<u32>),
    ) {
        self.ttl = ttl.0.unwrap_or(30);
        let from = format!("{plugin}!{resource}");
        let wanted = Wanted { name: &name, place: &from, depth: 0 };
        let Some(mut profile) = self.refer(plugin, resource, &wanted) else { return };
        profile.ttl_min = ttl.1.filter(|it| *it < self.ttl);
        match ttl {
            (None, _) => self.report.differs(
                &from,
                "no TTL → ttl = 30",
                "gdnsd's default of a day is shortened by what it watches; Farol's TTL is what is written",
                "set ttl",
            ),
            (Some(_), Some(_)) => self.report.same(&from, "the TTL MAX/MIN → ttl and ttl_min"),
            _ => self.report.differs(
                &from,
                "the TTL MAX → ttl",
                "gdnsd answers with less, down to half of it, as a change comes nearer",
                "set ttl_min for that",
            ),
        }
        self.profiles.push(profile);
    }

    /// What `plugin!resource` stands for.
    fn refer(&mut self, plugin: &str, resource: &str, wanted: &Wanted<'_>) -> Option<Profile> {
        let place = wanted.place;
        if wanted.depth > MOST_DEPTH {
            self.report.unsupported(
                place,
                "resources that stand for each other",
                "they go in circles, or too deep",
                "",
            );
            return None;
        }
        let found = self.plugins.and_then(|it| it.get(plugin));
        let settings = found.map(Scope::of_plugin).unwrap_or_default();
        let is_meta = plugin == "metafo" || plugin == "geoip";
        let table = if is_meta { found.and_then(|it| it.get("resources")) } else { found };
        let (own, datacenter) = match resource.split_once('/') {
            Some((own, datacenter)) if is_meta => (own, Some(datacenter)),
            _ => (resource, None),
        };
        let Some(node) = table.and_then(|it| it.get(own)) else {
            self.report.unsupported(
                place,
                format!("{plugin}!{resource}"),
                "the configuration has no such resource, so it is left out",
                "correct it, and import again",
            );
            return None;
        };
        self.resource(plugin, node, &settings, datacenter, wanted)
    }
}
