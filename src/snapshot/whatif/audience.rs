use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::altered::Tree;
use crate::model::{
    Adjacent, ClientNetwork, Country, GeoCode, Geography, Grouping, Method, Overlapping, Ranges,
    RangesBuilder, Region, Subnet,
};
use crate::routing::Client;

/// Tells every kind of client that a profile tells apart, now or then: what it is called, how many networks or regions are of
/// that kind, and one of them.
pub(super) fn audiences(
    before: &Tree<'_>,
    after: &Tree<'_>,
    mut tell: impl FnMut(String, usize, &Client<'_>),
) {
    let geography = &*before.snapshot.geography;
    let tables = || before.tables().chain(after.tables());
    let has = |method: Method| tables().any(|it| it.profile.method == method);
    let nowhere = Geography {
        networks: Arc::default(),
        database: Arc::default(),
        latencies: Arc::default(),
        ..geography.clone()
    };
    let unknown = Client::unknown(&nowhere);
    if !Method::ALL.into_iter().any(|it| it.looks_at_clients() && has(it)) {
        return tell("all clients".to_owned(), 1, &unknown);
    }
    if has(Method::Geographic) {
        let mut codes: Vec<GeoCode> = before
            .endpoints
            .iter()
            .flat_map(|it| it.endpoint.geo.iter().copied())
            .filter(|it| *it != GeoCode::World)
            .collect();
        codes.sort_unstable();
        codes.dedup();
        for code in &codes {
            let Some(region) = region_in(*code, &codes) else { continue };
            let here = Geography { networks: Arc::new(all_in(region)), ..nowhere.clone() };
            tell(code.to_string(), 1, &Client::unknown(&here));
        }
    }
    if has(Method::Subnet) {
        let subnets = before.endpoints.iter().flat_map(|it| it.endpoint.subnets.iter());
        let mut subnets: Vec<Subnet> = subnets.copied().collect();
        subnets.sort_unstable();
        subnets.dedup();
        for subnet in &subnets {
            tell(subnet.to_string(), 1, &Client::new(subnet.first(), geography));
        }
    }
    if has(Method::Performance) {
        near_places(geography, &mut tell);
    }
    tell("elsewhere".to_owned(), 1, &unknown);
}

/// Tells one network for each thing that the tables say of where clients are.
fn near_places(geography: &Geography, tell: &mut impl FnMut(String, usize, &Client<'_>)) {
    for (first, last, network) in geography.networks.iter() {
        let site = network.site.as_ref().map(|it| format!("site {it}"));
        let place = [network.region.map(|it| it.to_string()), site];
        let place = place.into_iter().flatten().collect::<Vec<_>>().join(", ");
        tell(format!("{} ({place})", range(first, last)), 1, &Client::new(first, geography));
    }
    let is_told = |it: IpAddr| geography.networks.find(it).0.is_some();
    for (label, networks, first) in distinct(&geography.latencies, is_told, |_, label| label) {
        tell(label, networks, &Client::new(first, geography));
    }
    let is_told = |it: IpAddr| is_told(it) || geography.latencies.find(it).0.is_some();
    // A network has coordinates too, which the code of its region has not.
    let by_region = |spot: &crate::model::Spot, label| {
        spot.region.map_or(label, |it| format!("networks in {it}"))
    };
    for (label, networks, first) in distinct(&geography.database, is_told, by_region) {
        tell(label, networks, &Client::new(first, geography));
    }
}

/// Each value of a table that no earlier one hides, with its name, how many networks have it, and the first address of one.
fn distinct<T>(
    ranges: &Ranges<T>,
    is_told: impl Fn(IpAddr) -> bool,
    name: impl Fn(&T, String) -> String,
) -> Vec<(String, usize, IpAddr)> {
    let (mut found, mut known) = (Vec::new(), HashMap::new());
    for (first, last, value) in ranges.iter().filter(|it| !is_told(it.0)) {
        // A table has each value once.
        let at = *known.entry(std::ptr::from_ref(value)).or_insert(found.len());
        match found.get_mut(at) {
            Some((_, networks, _)) => *networks += 1,
            None => found.push((name(value, range(first, last)), 1, first)),
        }
    }
    found
}

fn range(first: IpAddr, last: IpAddr) -> String {
    Subnet::new(first, last).map_or_else(|_| first.to_string(), |it| it.to_string())
}

/// A region that this code is the narrowest of `codes` for; none where others have all of it.
fn region_in(code: GeoCode, codes: &[GeoCode]) -> Option<Region> {
    let is_narrowest =
        |region: &Region| GeoCode::chain(Some(*region)).find(|it| codes.contains(it)) == Some(code);
    match code {
        GeoCode::Region(region) => Some(region),
        GeoCode::Grouping(grouping) => of_grouping(grouping).find(is_narrowest),
        GeoCode::World => None,
    }
}

fn of_grouping(grouping: Grouping) -> impl Iterator<Item = Region> {
    Country::all().filter(move |it| it.grouping() == grouping).map(Region::from)
}

/// Client networks that have every IPv4 client in this region.
fn all_in(region: Region) -> Ranges<ClientNetwork> {
    let mut ranges = RangesBuilder::new();
    let everywhere = "0.0.0.0/0".parse();
    let network = ClientNetwork { region: Some(region), site: None };
    let added = everywhere.ok().and_then(|it| ranges.add_network(it, network).ok());
    added
        .and_then(|()| ranges.build(Overlapping::Refused, Adjacent::Joined).ok())
        .unwrap_or_default()
}
