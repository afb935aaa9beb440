//! Where clients are, and how far sites are from them: `[[client_network]]` and `[geo]`.

mod database;
mod latency;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{Library, ZONE_FILE_MOST, decode};
use super::keys::PLACE;
use super::problem::{Log, Place, Problem, twice};
use super::reader::{Section, ident, text};
use super::tree::{Node, Value};
use crate::model::{
    Adjacent, ClientNetwork, DatabaseFile, DefaultLocation, Geography, Ident, Latencies,
    Overlapping, Point, Ranges, RangesBuilder, Site, parse_network,
};
use database::Database;
use latency::no_such_site;

/// Networks of one `[[client_network]]`.
const MAX_NETWORKS: usize = 10_000;

/// What is read beside the tables.
pub(super) struct Surroundings<'a> {
    pub(super) library: &'a Library<'a>,
    pub(super) log: &'a Log,
    pub(super) sites: &'a [Site],
    pub(super) places: &'a HashMap<Ident, Place>,
    /// Whether all sites are known; a file that can't be parsed may have more.
    pub(super) complete: bool,
    /// What is in force: tables of it are taken over whose files say the same, since it takes seconds to read a large one.
    pub(super) in_force: Option<&'a Geography>,
}

impl Surroundings<'_> {
    /// Reads everything about clients' networks. Only to be used if the log has no error afterwards.
    pub(super) fn geography(&self, root: &Section<'_>) -> Geography {
        let networks = Arc::new(self.networks(root));
        let point = |it: &Site| Some((it.name.clone(), it.location.as_ref()?.into()));
        let sites = Arc::new(self.sites.iter().filter_map(point).collect());
        let Some(section) = root.find("geo").and_then(|_| root.table("geo")) else {
            return Geography { networks, sites, ..Geography::default() };
        };
        let (latencies, latencies_digest) = self.latencies(&section).unwrap_or_default();
        let location_default = self.location_default(&section);
        let (database, database_file) = self.database(&section);
        Geography {
            networks,
            database,
            latencies,
            latencies_digest,
            sites,
            location_default,
            database_file,
        }
    }

    fn networks(&self, root: &Section<'_>) -> Ranges<ClientNetwork> {
        let mut builder = RangesBuilder::new();
        let mut written: Vec<(&Place, String)> = Vec::new();
        for section in &root.tables("client_network") {
            section.require("cidr");
            let region = section.parse("region", str::parse);
            let site = section.parse("site", ident).filter(|it| self.is_site(section, "site", it));
            if section.find("region").is_none() && section.find("site").is_none() {
                let message = "says nothing of the network; write `region`, `site` or both";
                self.log.error(Problem::at(section.place, section.path.as_str(), message));
            }
            let network = |node| match text(node).map(parse_network) {
                Some(Ok(network)) => Ok((network, place_of(node))),
                Some(Err(error)) => Err(error.to_string()),
                None => Err(String::new()),
            };
            for (network, place) in section.right("cidr", MAX_NETWORKS, network) {
                let value = ClientNetwork { region, site: site.clone() };
                match builder.add_network(network, value) {
                    Ok(()) => written.push((place, section.key("cidr"))),
                    Err(error) => section.wrong("cidr", error),
                }
            }
        }
        builder.build(Overlapping::NarrowestWins, Adjacent::Apart).unwrap_or_else(|overlaps| {
            for it in overlaps {
                let both = written.get(it.first.index).zip(written.get(it.second.index));
                if let Some(((first, _), (second, key))) = both {
                    let found = format!("the network {}", it.second);
                    self.log.error(Problem::at(second, key.as_str(), twice(first)).found(found));
                }
            }
            Ranges::default()
        })
    }

    /// Whether there is such a site, as far as is known.
    fn is_site(&self, section: &Section<'_>, key: &str, site: &Ident) -> bool {
        let is_known = self.places.contains_key(site);
        if !is_known && self.complete {
            section.wrong(key, no_such_site(site, self.places));
        }
        is_known
    }

    fn location_default(&self, section: &Section<'_>) -> Option<DefaultLocation> {
        const KEY: &str = "location_default";
        match &section.find(KEY)?.value {
            Value::Table(_) => {
                let place = section.table_of(KEY, &PLACE)?;
                place.require("latitude");
                place.require("longitude");
                let point = Point::new(place.number("latitude")?, place.number("longitude")?);
                point.map(DefaultLocation::Point)
            }
            _ => {
                let name = section.parse(KEY, ident).filter(|it| self.is_site(section, KEY, it))?;
                let site = self.sites.iter().find(|it| it.name == name)?;
                if site.location.is_none() {
                    let place = self.places.get(&name).map(ToString::to_string).unwrap_or_default();
                    section.wrong(
                        KEY,
                        format_args!(
                            "the site at {place} has no location; add a `[site.location]` to it"
                        ),
                    );
                }
                Some(DefaultLocation::Site(name))
            }
        }
    }

    fn latencies(&self, section: &Section<'_>) -> Option<(Arc<Ranges<Latencies>>, Option<u64>)> {
        const KEY: &str = "latency_table";
        let path = path(section, KEY)?;
        let content = self.library.read(&path, ZONE_FILE_MOST);
        let content = content
            .map_err(|why| section.wrong(KEY, format_args!("{why}; name a CSV file")))
            .ok()?;
        let digest = Some(digest(&path, &content));
        if let Some(known) = self.latencies_in_force(digest) {
            return Some((known, digest));
        }
        let text = decode(content).map_err(|error| {
            let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
            let line = before.filter(|it| **it == b'\n').count() + 1;
            let place = Place { file: path.as_path().into(), line: Some(line) };
            self.log.error(Problem::at(&place, "", "is not UTF-8 from here on; save it as UTF-8"));
        });
        let sites = self.complete.then_some(self.places);
        Some((Arc::new(latency::read(&path, &text.ok()?, sites, self.log)), digest))
    }

    /// The table that is in force, if it is the same one and every site that it names is still there.
    fn latencies_in_force(&self, digest: Option<u64>) -> Option<Arc<Ranges<Latencies>>> {
        let in_force = self.in_force.filter(|it| it.latencies_digest == digest)?;
        let (_, _, row) = in_force.latencies.iter().next()?;
        let is_there = row.sites().iter().all(|it| self.places.contains_key(it));
        is_there.then(|| in_force.latencies.clone())
    }

    /// A database that can't be used is no error: what was in force before can go on.
    fn database(
        &self,
        section: &Section<'_>,
    ) -> (Arc<Ranges<crate::model::Spot>>, Option<DatabaseFile>) {
        const KEY: &str = "database";
        let Some(path) = path(section, KEY) else { return Default::default() };
        let content = self.library.read(&path, ZONE_FILE_MOST);
        let read = content.and_then(|content| {
            let digest = digest(&path, &content);
            let read = || database::read(content);
            let read = self.database_in_force(digest).map_or_else(read, Ok);
            let database = read.map_err(|why| format!("{path:?} can't be used: {why}"))?;
            Ok((database, digest))
        });
        let mut file = DatabaseFile { path, digest: None, built: None, loaded: None, error: None };
        match read {
            Ok((Database { spots, built }, digest)) => {
                (file.digest, file.built) = (Some(digest), Some(built));
                (spots, Some(file))
            }
            Err(why) => {
                let message = format!("{why}; name a City or Country database in MaxMind's format");
                let problem = Problem::at(section.place_of(KEY), section.key(KEY), message);
                file.error = Some(problem.to_string());
                self.log.aside(problem);
                (Arc::default(), Some(file))
            }
        }
    }

    /// The database that is in force, if it is the same one.
    fn database_in_force(&self, digest: u64) -> Option<Database> {
        let in_force = self.in_force?;
        let file = in_force.database_file.as_ref().filter(|it| it.digest == Some(digest))?;
        Some(Database { spots: in_force.database.clone(), built: file.built? })
    }
}

/// A digest of a file.
fn digest(path: &Path, content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (path, content).hash(&mut hasher);
    hasher.finish()
}

fn place_of(node: &Node) -> &Place {
    &node.place
}

fn path(section: &Section<'_>, key: &str) -> Option<PathBuf> {
    section.read(key, |node, _| match text(node) {
        Some(path) if !path.is_empty() => Ok(node.place.resolve(path)),
        _ => Err(""),
    })
}
