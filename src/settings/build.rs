//! From the merged tree to the model, and what holds between its parts.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::str::FromStr;
use std::sync::Arc;

use http::Uri;

use super::anchors::AnchorFiles;
use super::doubts;
use super::files::Library;
use super::geo::Surroundings;
use super::location::location;
use super::monitor::Draft;
use super::nesting;
use super::problem::{Log, Place, Problem, twice};
use super::profile::{World, guardrails};
use super::reader::{Section, ident, text};
use super::resolve::Resolver;
use super::secret::Secrets;
use super::targets;
use super::zone::ZoneDraft;
use crate::model::{Geography, Ident, Model, Name, Profile, RequestsQuery, Site, Zone, suffixes};

/// Reads zones, sites, monitors and profiles. Only to be used if the log has no error afterwards.
pub(super) fn model(
    root: &Section<'_>,
    complete: bool,
    library: &Library<'_>,
    secrets: Secrets<'_>,
    in_force: Option<&Geography>,
    log: &Log,
) -> Model {
    let zones = zones(root, complete, library, log);
    let (all_sites, site_places) = sites(root);
    let (sites_read, places) = (&*all_sites, &site_places);
    let surroundings = Surroundings { library, log, sites: sites_read, places, complete, in_force };
    let geography = Arc::new(surroundings.geography(root));
    let anchors = AnchorFiles::new(library);
    let resolver = Resolver::new(library, log);
    let monitors = monitors(root, &anchors, &secrets, &resolver, log);
    let (sites, guardrails) = (site_places, guardrails(root));
    let world = World { log, anchors, secrets, resolver, sites, guardrails, monitors, complete };

    let sections = root.tables("profile");
    unique::<Name>(&sections);
    let mut homes = Homes::of(&zones);
    let profiles: Vec<(&Section<'_>, Option<usize>, Option<Profile>)> = sections
        .iter()
        .map(|section| {
            let home = homes.claim(section, complete);
            let zone = home.and_then(|it| zones.get(it)).map(|it| &it.name);
            (section, home, world.profile(section, zone))
        })
        .collect();
    nesting::check(&sections, complete);
    if complete {
        let known = profiles.iter().filter_map(|(section, _, it)| Some((*section, it.as_ref()?)));
        doubts::warn(&known.collect::<Vec<_>>(), &geography, log);
    }
    let zones = finish(&zones, homes, &profiles, log);
    let profiles = profiles.into_iter().filter_map(|(_, _, profile)| profile.map(Arc::new));
    Model { zones, sites: all_sites, profiles: profiles.collect(), geography }
}

fn zones<'a>(
    root: &Section<'a>,
    complete: bool,
    library: &Library<'_>,
    log: &Log,
) -> Vec<ZoneDraft<'a>> {
    let sections = root.tables("zone");
    if complete && root.find("zone").is_none() {
        root.wrong("zone", "is missing; add a `[[zone]]` with `name` and `nameservers`");
    }
    unique::<Name>(&sections);
    sections.into_iter().filter_map(|it| ZoneDraft::read(it, library, log)).collect()
}

fn sites(root: &Section<'_>) -> (Vec<Site>, HashMap<Ident, Place>) {
    let sections = root.tables("site");
    unique::<Ident>(&sections);
    let site = |section: &Section<'_>| {
        section.require("name");
        let location = section.table("location").and_then(|it| location(&it));
        let requests = section.table("requests").and_then(|it| requests(&it));
        let site = Site { name: section.parse("name", ident)?, location, requests };
        Some((site, section.place.clone()))
    };
    let sites: Vec<(Site, Place)> = sections.iter().filter_map(site).collect();
    let places = sites.iter().map(|(site, place)| (site.name.clone(), place.clone())).collect();
    (sites.into_iter().map(|it| it.0).collect(), places)
}

fn requests(section: &Section<'_>) -> Option<RequestsQuery> {
    section.require("prometheus");
    section.require("query");
    let url = |text: &str| {
        let url: Result<Uri, _> = text.parse();
        let is_whole = |it: &Uri| {
            matches!(it.scheme_str(), Some("http" | "https")) && it.authority().is_some()
        };
        url.ok()
            .filter(|it| is_whole(it) && it.query().is_none())
            .map(|_| text.to_owned())
            .ok_or("")
    };
    let query = |text: &str| match text.trim() {
        "" => Err("is empty"),
        _ => Ok(text.to_owned()),
    };
    let quiet = if section.find("quiet").is_some() { section.number("quiet")? } else { 0.0 };
    let (prometheus, query) = (section.parse("prometheus", url), section.parse("query", query));
    Some(RequestsQuery { prometheus: prometheus?, query: query?, quiet })
}

fn monitors<'a>(
    root: &Section<'a>,
    anchors: &AnchorFiles<'_>,
    secrets: &Secrets<'_>,
    resolver: &Resolver<'_>,
    log: &Log,
) -> HashMap<&'a str, Draft> {
    let mut monitors = HashMap::new();
    for (name, section) in root.named("monitor") {
        if let Err(error) = name.parse::<Ident>() {
            let message = format!("as a monitor's name, {error}");
            log.error(Problem::at(section.place, section.path.as_str(), message));
        }
        monitors.insert(name, resolver.check(Draft::read(&section, 0, anchors, secrets, log)));
    }
    monitors
}

/// Complains about names that are taken. They are compared as what they mean: `A.Example` is `a.example.`.
fn unique<T: FromStr + Eq + Hash>(sections: &[Section<'_>]) {
    let mut first: HashMap<T, &Place> = HashMap::new();
    for section in sections {
        let name = section.find("name").and_then(text).and_then(|it| it.parse().ok());
        let Some(name) = name else { continue };
        match first.get(&name) {
            Some(first) => section.wrong("name", twice(first)),
            None => {
                first.insert(name, section.place_of("name"));
            }
        }
    }
}

/// Which zone each profile belongs to.
struct Homes {
    zones: HashMap<Name, usize>,
    /// The names of each zone's profiles.
    profiles: Vec<BTreeSet<Name>>,
}

impl Homes {
    fn of(zones: &[ZoneDraft<'_>]) -> Self {
        let profiles = vec![BTreeSet::new(); zones.len()];
        let zones = zones.iter().enumerate().map(|(index, it)| (it.name.clone(), index)).collect();
        Self { zones, profiles }
    }

    /// Finds the deepest zone around a profile, which needs no more than a readable name.
    fn claim(&mut self, section: &Section<'_>, complete: bool) -> Option<usize> {
        let name: Name = section.find("name").and_then(text)?.parse().ok()?;
        let zone = suffixes(name.as_wire()).find_map(|it| self.zones.get(it)).copied();
        match zone.and_then(|it| self.profiles.get_mut(it)) {
            Some(profiles) => {
                profiles.insert(name);
            }
            None if complete && !self.zones.is_empty() => section.wrong("name", self.outside()),
            None => {}
        }
        zone
    }

    fn outside(&self) -> String {
        const MOST: usize = 8;
        let mut zones: Vec<String> = self.zones.keys().map(|it| format!("`{it}`")).collect();
        zones.sort();
        let more = if zones.len() > MOST { " and others" } else { "" };
        zones.truncate(MOST);
        let zones = zones.join(", ");
        format!("lies outside every zone; write a name within one of {zones}{more}")
    }
}

/// Makes the zones, now that the names of their profiles are known, and checks the two against each other.
fn finish(
    drafts: &[ZoneDraft<'_>],
    homes: Homes,
    profiles: &[(&Section<'_>, Option<usize>, Option<Profile>)],
    log: &Log,
) -> Vec<Arc<Zone>> {
    let build = |(draft, names): (&ZoneDraft<'_>, &BTreeSet<Name>)| {
        draft.build(&names.iter().collect::<Vec<_>>(), log)
    };
    let zones: Vec<Option<Zone>> = drafts.iter().zip(&homes.profiles).map(build).collect();
    for (section, home, profile) in profiles {
        let zone = home.and_then(|it| zones.get(it)).and_then(Option::as_ref);
        if let (Some(zone), Some(profile)) = (zone, profile) {
            zone.conflicts(profile).iter().for_each(|error| section.wrong("name", error));
        }
    }
    let placed: Vec<targets::Placed<'_, '_>> = profiles
        .iter()
        .filter_map(|(section, home, profile)| {
            let zone = home.and_then(|it| zones.get(it)?.as_ref());
            Some((*section, zone, profile.as_ref()?))
        })
        .collect();
    targets::check_kinds(&placed, log);
    for ((draft, zone), profiles) in drafts.iter().zip(&zones).zip(&homes.profiles) {
        zone.iter().for_each(|it| draft.warn(it, profiles, log));
        for server in zone.iter().flat_map(|it| it.nameservers_without_address(profiles)) {
            let section = &draft.section;
            let message = format!(
                "nameserver `{server}` has no address in its own zone; add an A or AAAA record for it to the zone's `file`"
            );
            let place = section.place_of("nameservers");
            log.warning(Problem::at(place, section.key("nameservers"), message));
        }
    }
    zones.into_iter().flatten().map(Arc::new).collect()
}
