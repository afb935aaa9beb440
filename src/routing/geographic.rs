//! The endpoint whose regions match the client's most narrowly serves.

use super::chooser::{Order, Rank};
use super::group::Group;
use super::pool::Pool;
use super::territories::Territories;
use super::trace::{Located, Relation, Sighting, Table, Trace};
use super::{Client, Member};
use crate::model::{Profile, Region};

/// The regions that candidates serve.
#[derive(Debug)]
pub(super) struct Regions {
    territories: Territories,
    /// One for each of the territories' endpoints.
    groups: Box<[Group]>,
}

/// Notes each candidate's regions.
pub(super) fn order(pool: &Pool, members: &[Member], profile: &Profile) -> Option<Order> {
    let candidates: Vec<usize> = pool.candidates().collect();
    let keyed = profile.affinity.is_some();
    let groups = candidates.iter().map(|it| Group::new(&[*it], members, keyed));
    let codes = candidates.iter().filter_map(|it| profile.endpoints.get(*it)).map(|it| &*it.geo);
    let regions =
        Regions { territories: Territories::new(codes), groups: groups.collect::<Option<_>>()? };
    (!candidates.is_empty()).then_some(Order::Regions(regions))
}

impl Regions {
    /// Offers the groups, the narrowest match first, until one is taken. Gives the length of the prefix that this holds for.
    pub(super) fn visit<'s>(
        &'s self,
        client: &Client<'_>,
        take: &mut impl FnMut(&'s Group, Rank) -> bool,
    ) -> u8 {
        let mut scope = 0;
        let tells_apart = self.territories.tell_clients_apart();
        let region = if tells_apart { region(client, &mut scope).0 } else { None };
        let mut groups = self.territories.serving(region).filter_map(|it| self.groups.get(it.0));
        let _ = groups.any(|it| take(it, Rank::Sure));
        scope
    }

    pub(super) fn tells_clients_apart(&self) -> bool {
        self.territories.tell_clients_apart()
    }

    /// The same for people: who comes before whom, and by which code.
    pub(super) fn trace(&self, client: &Client<'_>) -> Trace {
        let tells_apart = self.territories.tell_clients_apart();
        let (region, sighting) =
            if tells_apart { region(client, &mut 0) } else { (None, Sighting::NONE) };
        let located = tells_apart.then(|| Located::new(client, sighting));
        let mut trace = Trace { located, ..Trace::default() };
        for (at, code) in self.territories.serving(region) {
            let group = self.groups.get(at);
            group.into_iter().for_each(|it| trace.add(it, Some(Relation::Region(code))));
        }
        trace
    }
}

/// Where a client is, and which table says so: what the configuration says of its network, or else the database.
fn region(client: &Client<'_>, scope: &mut u8) -> (Option<Region>, Sighting) {
    let geography = client.geography;
    if !geography.networks.is_empty() {
        let (network, found) = geography.networks.find(client.network());
        *scope = found.max(*scope);
        if let Some(region) = network.and_then(|it| it.region) {
            return (Some(region), Sighting { table: Table::ClientNetwork, prefix: found });
        }
    }
    if geography.database.is_empty() {
        return (None, Sighting::NONE);
    }
    let (spot, found) = geography.database.find(client.network());
    *scope = found.max(*scope);
    match spot.and_then(|it| it.region) {
        Some(region) => (Some(region), Sighting { table: Table::Database, prefix: found }),
        None => (None, Sighting::NONE),
    }
}
