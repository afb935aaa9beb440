use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::altered::Tree;
use super::kinds::{Kind, Tables};
use crate::model::{
    Adjacent, ClientNetwork, Country, GeoCode, Geography, Grouping, Overlapping, Ranges,
    RangesBuilder, Region, Subnet,
};
use crate::routing::Client;

/// Clients of whom no table knows anything, or no more than matters.
const ELSEWHERE: &str = "elsewhere";

/// What clients that can't be told apart are called.
pub(super) struct Named {
    /// By what they have in common with others, who may get something else.
    pub(super) common: Option<String>,
    /// By their first network.
    pub(super) own: String,
    /// How many networks they are.
    pub(super) networks: usize,
}

/// Tells every kind of client that a profile tells apart, now or then, with one of them.
pub(super) fn audiences(
    before: &Tree<'_>,
    after: &Tree<'_>,
    mut tell: impl FnMut(Named, &Client<'_>),
) {
    let tables = Tables::of(before, after);
    let geography = tables.geography;
    if tables.are_none() {
        let all = Named { common: None, own: "all clients".to_owned(), networks: 1 };
        return tell(all, &Client::unknown(geography));
    }
    let codes = if tables.by_region { codes(before) } else { HashSet::new() };
    let (mut met, mut outside) = (HashSet::new(), None);
    for kind in tables.kinds() {
        if !kind.is_known {
            outside = Some(kind.first);
            continue;
        }
        met.extend(narrowest(region(geography, kind.first), &codes));
        tell(named(&tables, &kind, &codes), &Client::new(kind.first, geography));
    }
    // Regions that no table has a network of are told as well: a client there is in no table.
    let Some(address) = outside else { return };
    let mut missing: Vec<GeoCode> = codes.difference(&met).copied().collect();
    missing.sort_unstable();
    for code in missing {
        let Some(region) = region_in(code, &codes) else { continue };
        let here = Geography { networks: Arc::new(all_in(region)), ..geography.clone() };
        let own = format!("{code} (no known network)");
        tell(Named { common: None, own, networks: 1 }, &Client::new(address, &here));
    }
    let elsewhere = Named { common: Some(ELSEWHERE.into()), own: ELSEWHERE.into(), networks: 1 };
    tell(elsewhere, &Client::new(address, geography));
}

fn named(tables: &Tables<'_>, kind: &Kind, codes: &HashSet<GeoCode>) -> Named {
    let (geography, first) = (tables.geography, kind.first);
    let is_located = tables.by_region || tables.by_place;
    let network = geography.networks.find(first).0.filter(|_| is_located);
    let region = region(geography, first).filter(|_| is_located);
    let is_own = tables.subnets.iter().any(|it| it.find(first).0.is_some())
        || (tables.by_place && (network.is_some() || geography.latencies.find(first).0.is_some()));
    let common = match region {
        _ if is_own => None,
        // A network has coordinates too, which the code of its region has not.
        Some(region) if tables.by_place => Some(format!("networks in {region}")),
        None if tables.by_place => None,
        _ => Some(narrowest(region, codes).map_or(ELSEWHERE.to_owned(), |it| it.to_string())),
    };
    let site = network.and_then(|it| it.site.as_ref()).filter(|_| tables.by_place);
    let place = [region.map(|it| it.to_string()), site.map(|it| format!("site {it}"))];
    let place = place.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let place = if place.is_empty() { place } else { format!(" ({place})") };
    let range = Subnet::new(first, kind.last).map_or(first.to_string(), |it| it.to_string());
    Named { common, own: format!("{range}{place}"), networks: kind.networks }
}

/// Where a client counts as being, as `geographic` has it.
fn region(geography: &Geography, client: IpAddr) -> Option<Region> {
    let network = geography.networks.find(client).0.and_then(|it| it.region);
    network.or_else(|| geography.database.find(client).0?.region)
}

/// The codes that clients are told apart by.
fn codes(tree: &Tree<'_>) -> HashSet<GeoCode> {
    let codes = tree.endpoints.iter().flat_map(|it| it.endpoint.geo.iter().copied());
    codes.filter(|it| *it != GeoCode::World).collect()
}

fn narrowest(region: Option<Region>, codes: &HashSet<GeoCode>) -> Option<GeoCode> {
    GeoCode::chain(region).find(|it| codes.contains(it))
}

/// A region that this code is the narrowest of `codes` for; none where others have all of it.
fn region_in(code: GeoCode, codes: &HashSet<GeoCode>) -> Option<Region> {
    let is_narrowest = |region: &Region| narrowest(Some(*region), codes) == Some(code);
    match code {
        GeoCode::Region(region) => Some(region),
        GeoCode::Grouping(grouping) => of_grouping(grouping).find(is_narrowest),
        GeoCode::World => None,
    }
}

fn of_grouping(grouping: Grouping) -> impl Iterator<Item = Region> {
    Country::all().filter(move |it| it.grouping() == grouping).map(Region::from)
}

/// Client networks that have every client in this region.
fn all_in(region: Region) -> Ranges<ClientNetwork> {
    let mut ranges = RangesBuilder::new();
    for everywhere in ["0.0.0.0/0", "::/0"].into_iter().filter_map(|it| it.parse().ok()) {
        // Two rows are not too many.
        let _ = ranges.add_network(everywhere, ClientNetwork { region: Some(region), site: None });
    }
    ranges.build(Overlapping::Refused, Adjacent::Joined).unwrap_or_default()
}
