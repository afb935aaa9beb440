//! What is allowed in a profile, and hardly meant.

use std::collections::HashMap;

use super::problem::{Log, Problem};
use super::reader::Section;
use crate::model::{Endpoint, Family, Geography, Method, Name, Profile, Target};

/// Warns of it. `profiles` are all of them, and complete.
pub(super) fn warn(profiles: &[(&Section<'_>, &Profile)], geography: &Geography, log: &Log) {
    let by_name: HashMap<&Name, &Profile> =
        profiles.iter().map(|(_, profile)| (&profile.name, *profile)).collect();
    for (section, profile) in profiles {
        warn_of_nothing_to_go_by(section, profile, geography, log);
        let endpoints = section.tables("endpoint");
        warn_of_clients_that_are_not_looked_at(&endpoints, profile.method, log);
        for (section, endpoint) in endpoints.iter().zip(&profile.endpoints) {
            let Some((child, min)) = endpoint.child() else { continue };
            let Some(child) = by_name.get(child) else { continue };
            for (key, min, family) in [
                ("min_child_endpoints", min.any, None),
                ("min_child_endpoints_ipv4", min.v4, Some(Family::V4)),
                ("min_child_endpoints_ipv6", min.v6, Some(Family::V6)),
            ] {
                warn_of_too_few_children(section, key, min, child, family, log);
            }
        }
    }
}

/// Of a method that can't tell any client from another, for want of what it goes by.
fn warn_of_nothing_to_go_by(
    section: &Section<'_>,
    profile: &Profile,
    geography: &Geography,
    log: &Log,
) {
    let columns = geography.latencies.iter().next().map(|(_, _, row)| row.sites());
    let is_placed = |it: &Endpoint| {
        let site = it.site.as_ref();
        let has_column = || columns.zip(site).is_some_and(|(all, site)| all.contains(site));
        it.location.is_some()
            || site.is_some_and(|it| geography.sites.contains_key(it))
            || has_column()
    };
    let missing = match profile.method {
        Method::Performance if !profile.endpoints.iter().any(is_placed) => {
            "no endpoint has a location, nor a site with one or with a column of `geo.latency_table`; add `[site.location]`"
        }
        Method::Subnet if profile.endpoints.iter().all(|it| it.subnets.is_empty()) => {
            "no endpoint has `subnets`; add them"
        }
        _ => return,
    };
    let message = format!(
        "can't tell clients apart, and all endpoints share by weight: {missing}, or take method = \"weighted\""
    );
    log.warning(Problem::at(section.place_of("method"), section.key("method"), message));
}

/// Of keys that say which clients endpoints serve, and that only another method looks at.
fn warn_of_clients_that_are_not_looked_at(endpoints: &[Section<'_>], method: Method, log: &Log) {
    for (key, of) in [("geo", Method::Geographic), ("subnets", Method::Subnet)] {
        let mut having = endpoints.iter().filter(|it| it.find(key).is_some() && method != of);
        let Some(first) = having.next() else { continue };
        let others = match having.count() {
            0 => String::new(),
            others => format!(", here and at {others} more"),
        };
        let (own, of) = (method.label(), of.label());
        let message = format!(
            "is not looked at with method = \"{own}\", only with \"{of}\"; remove it{others}, or write the other method"
        );
        log.warning(Problem::at(first.place_of(key), first.key(key), message));
    }
}

/// Of a nested profile that can't have as many healthy endpoints as are asked for.
fn warn_of_too_few_children(
    section: &Section<'_>,
    key: &str,
    min: u16,
    child: &Profile,
    family: Option<Family>,
    log: &Log,
) {
    let may_have = |it: &&Endpoint| match (&it.target, family) {
        (Target::Addresses(addresses), Some(family)) => addresses.has(family),
        _ => true,
    };
    let count = child.endpoints.iter().filter(may_have).count();
    if usize::from(min) <= count {
        return;
    }
    let kind = match family {
        None => "",
        Some(Family::V4) => " with IPv4",
        Some(Family::V6) => " with IPv6",
    };
    let (noun, name) = (if count == 1 { "endpoint" } else { "endpoints" }, &child.name);
    let write = if count == 0 { "remove it".to_owned() } else { format!("write at most {count}") };
    let message = format!(
        "asks for {min}, and `{name}` has {count} {noun}{kind}, so this endpoint is Degraded at all times; {write}, or add endpoints to that profile"
    );
    log.warning(Problem::at(section.place_of(key), section.key(key), message));
}
