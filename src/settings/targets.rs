//! What endpoints are answered with: addresses, or a name; and which profiles may have names.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::http;
use super::monitor::reachable;
use super::problem::Log;
use super::reader::{Section, text};
use super::tree::{Node, Value};
use crate::model::{Addresses, Method, Misfit, Model, Name, Profile, Zone};

/// Addresses of one endpoint, and of a fallback: what fits an answer with room to spare.
const MAX_ADDRESSES: usize = 64;

/// What a target says.
pub(super) enum Written {
    Addresses(Addresses),
    Name(Name),
    Discovered,
}

/// An endpoint's target.
pub(super) fn target(section: &Section<'_>) -> Option<Written> {
    const KEY: &str = "target";
    let node = section.find(KEY)?;
    match text(node).filter(|it| is_meant_as_name(it)) {
        Some(_) => section.parse(KEY, name).map(Written::Name),
        None => addresses(section, KEY).map(Written::Addresses),
    }
}

/// An address or a list of them.
pub(super) fn addresses(section: &Section<'_>, key: &str) -> Option<Addresses> {
    let address = |node: &Node| match text(node).map(str::parse::<IpAddr>) {
        Some(Ok(address)) => reachable(address),
        _ if matches!(section.find(key).map(|it| &it.value), Some(Value::List(_)))
            && text(node).is_some_and(is_meant_as_name) =>
        {
            Err("a name stands for itself, not in a list")
        }
        _ => Err(""),
    };
    section.list(key, MAX_ADDRESSES, address).map(Addresses::from_iter)
}

/// Whether a text is no attempt at an address: no top-level domain is a number (RFC 3696 2), and no name has a colon or a slash.
fn is_meant_as_name(text: &str) -> bool {
    let last = text.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    text.parse::<IpAddr>().is_err()
        && last.contains(|it: char| !it.is_ascii_digit())
        && !text.contains([':', '/'])
}

fn name(text: &str) -> Result<Name, String> {
    if text.starts_with("*.") {
        return Err("a wildcard is no name to lead to".to_owned());
    }
    if !text.contains('.') {
        return Err(format!("names are written in full; \"{text}.\" would be a top-level domain"));
    }
    match http::host(text).map(|_| text.parse::<Name>()) {
        Ok(Ok(name)) => Ok(name),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(String::new()),
    }
}

/// Complains about names among a profile's endpoints that its method, its zone or the other targets have no room for. `is_apex`
/// tells whether the profile is at its zone's apex.
pub(super) fn check(
    section: &Section<'_>,
    endpoints: &[Section<'_>],
    profile: &Name,
    is_apex: bool,
) {
    let flattens = section.boolean("flatten").unwrap_or(false);
    let method = section.find("method").and_then(text);
    let mut first_address = None;
    let mut first_name = None;
    for endpoint in endpoints {
        check_kind(endpoint);
        if endpoint.boolean("discovered") == Some(true) {
            if method == Some(Method::Multivalue.label()) {
                endpoint.wrong("discovered", Misfit::Discovered.to_string());
            }
            first_address.get_or_insert_with(|| endpoint.place_of("discovered").to_string());
            continue;
        }
        let Some(node) = endpoint.find("target") else { continue };
        if text(node).is_none_or(|it| !is_meant_as_name(it)) {
            first_address.get_or_insert_with(|| endpoint.place_of("target").to_string());
            continue;
        }
        let wrong = |why: &str| endpoint.wrong("target", why);
        if method == Some(Method::Multivalue.label()) {
            wrong(&Misfit::Name.to_string());
        }
        if text(node).and_then(|it| it.parse::<Name>().ok()).as_ref() == Some(profile) {
            wrong("is the profile's own name; write the name of a place that it leads to");
        }
        if !flattens && is_apex {
            wrong(
                "is a name, and the profile is at its zone's apex, where no CNAME can be (RFC 1034 3.6.2); write flatten = true in the profile, or addresses",
            );
        }
        first_name.get_or_insert((endpoint.place_of("target").to_string(), endpoint));
    }
    if let (Some((_, endpoint)), Some(address), false) = (&first_name, &first_address, flattens) {
        endpoint.wrong(
            "target",
            format!(
                "is a name, and the profile has addresses too, at {address}; without `flatten` all targets are names or all are addresses"
            ),
        );
    }
    if first_name.is_none() && flattens {
        section.wrong("flatten", "is of no use without a target that is a name; remove it");
    }
}

/// Complains about an endpoint that is discovered and something else too, or that is in no site.
fn check_kind(endpoint: &Section<'_>) {
    if endpoint.boolean("discovered") != Some(true) {
        return;
    }
    for key in ["target", "profile"].into_iter().filter(|it| endpoint.find(it).is_some()) {
        let message =
            format!("and `discovered` exclude each other; remove `{key}`, or `discovered`");
        endpoint.wrong(key, message);
    }
    if endpoint.find("site").is_none() {
        endpoint.wrong("site", "is missing; write the site whose cluster tells the addresses");
    }
}

/// Complains about endpoints that are discovered where nothing says how.
pub(super) fn check_discovered(root: &Section<'_>, model: &Model) {
    if root.table("fleet").is_some_and(|it| it.find("file").is_some()) {
        return;
    }
    if let Some((profile, endpoint)) = model.endpoints().find(|(_, it)| it.is_discovered()) {
        let message = format!(
            "is missing; write the description of the sites' clusters, as {} {} is `discovered`",
            profile.name, endpoint.name
        );
        root.wrong("fleet.file", message);
    }
}

/// A profile with its place, and the zone that it is in.
pub(super) type Placed<'p, 'a> = (&'p Section<'a>, Option<&'p Zone>, &'p Profile);

/// Complains about profiles that lead to addresses by one way and to a CNAME by another, and about what their zones have at names
/// that CNAMEs are at. Only of use when everything else is right: the profiles are complete, and none leads to itself.
pub(super) fn check_kinds(profiles: &[Placed<'_, '_>], log: &Log) {
    if log.errors() > 0 {
        return;
    }
    let by_name: HashMap<&Name, &Profile> =
        profiles.iter().map(|(_, _, it)| (&it.name, *it)).collect();
    let mut kinds = Kinds { by_name, known: HashMap::new() };
    let mut aliases = HashSet::new();
    for (_, _, profile) in profiles {
        if kinds.of(profile).alias.is_some() {
            aliases.insert(&profile.name);
        }
    }
    for (section, zone, profile) in profiles {
        if !aliases.contains(&profile.name) {
            continue;
        }
        if let Kind { alias: Some(alias), address: Some(address) } = kinds.of(profile) {
            section.wrong(
                "endpoint",
                format!(
                    "leads to a name by `{alias}` and to addresses by `{address}`; without `flatten` all targets are names or all are addresses, those of nested profiles too"
                ),
            );
        }
        let Some(zone) = zone else { continue };
        if *zone.name() == profile.name && !profile.has_alias() {
            section.wrong(
                "name",
                "is its zone's apex, where no CNAME can be (RFC 1034 3.6.2), and a nested profile answers with one; write flatten = true in that one",
            );
        }
        zone.conflicts_with_alias(profile).iter().for_each(|error| section.wrong("name", error));
    }
}

/// By which endpoints a profile leads to a CNAME, and to addresses: the first of each.
#[derive(Clone, Debug, Default)]
struct Kind {
    alias: Option<String>,
    address: Option<String>,
}

struct Kinds<'p> {
    by_name: HashMap<&'p Name, &'p Profile>,
    known: HashMap<&'p Name, Kind>,
}

impl<'p> Kinds<'p> {
    fn of(&mut self, profile: &'p Profile) -> Kind {
        if let Some(known) = self.known.get(&profile.name) {
            return known.clone();
        }
        let mut kind = Kind::default();
        for endpoint in &profile.endpoints {
            let way = |rest: &str| format!("{} {}{rest}", profile.name, endpoint.name);
            let child = endpoint.child().and_then(|(name, _)| self.by_name.get(name).copied());
            let (alias, address) = match child {
                Some(child) => {
                    let Kind { alias, address } = self.of(child);
                    let way = |it: String| way(&format!(" → {it}"));
                    (alias.map(way), address.map(way))
                }
                None if endpoint.alias().is_some() => (Some(way("")), None),
                None => (None, Some(way(""))),
            };
            kind.alias = kind.alias.or(alias);
            kind.address = kind.address.or(address);
        }
        self.known.insert(&profile.name, kind.clone());
        kind
    }
}
