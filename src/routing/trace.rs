use super::Client;
use super::group::Group;
use crate::model::{DefaultLocation, GeoCode, Ident, Point, Region};

/// Which table said where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The client networks of the configuration.
    ClientNetwork,
    /// The latency table.
    LatencyTable,
    /// The geo database.
    Database,
    /// None did; it counts as being where `location_default` says.
    LocationDefault,
    /// None did.
    None,
}

/// What a method learned of where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    pub(super) table: Table,
    /// The length of the prefix around the client that the table's answer holds for.
    pub(super) prefix: u8,
}

impl Sighting {
    pub(super) const NONE: Self = Self { table: Table::None, prefix: 0 };
}

/// Where a client is, as far as that was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// Who said so.
    pub table: Table,
    /// The length of the prefix around the client that it holds for; 0 where no table said anything.
    pub prefix: u8,
    /// The country or its subdivision.
    pub region: Option<Region>,
    /// The site that is nearest, as configured.
    pub site: Option<Ident>,
    /// The coordinates that distances were measured from.
    pub point: Option<Point>,
}

impl Located {
    /// Reads again what was found, of which the choice needed only a part.
    pub(super) fn new(client: &Client<'_>, sighting: Sighting) -> Self {
        let Sighting { table, prefix } = sighting;
        let mut located = Self { table, prefix, region: None, site: None, point: None };
        let (geography, address) = (client.geography, client.network());
        match table {
            Table::ClientNetwork => {
                let network = geography.networks.find(address).0;
                located.region = network.and_then(|it| it.region);
                located.site = network.and_then(|it| it.site.clone());
            }
            Table::Database => {
                let spot = geography.database.find(address).0;
                located.region = spot.and_then(|it| it.region);
                located.point = spot.and_then(|it| it.point);
            }
            Table::LocationDefault => match &geography.location_default {
                Some(DefaultLocation::Site(site)) => located.site = Some(site.clone()),
                Some(DefaultLocation::Point(point)) => located.point = Some(*point),
                None => {}
            },
            Table::LatencyTable | Table::None => {}
        }
        let site = located.site.as_ref();
        located.point =
            located.point.or_else(|| site.and_then(|it| geography.sites.get(it)).copied());
        located
    }
}

/// What a member is to a client, to a method that looks at clients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Relation {
    /// It is in the site that is nearest.
    NearestSite,
    /// The latency table has so many milliseconds.
    Milliseconds(f32),
    /// It is so far away.
    Kilometres(f64),
    /// It serves this part of the world, where the client is.
    Region(GeoCode),
    /// It serves the client's network.
    Network,
    /// It serves those whose network no other serves.
    EveryoneElse,
}

/// Who comes before whom for one client.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Where the client is; none where the method did not ask.
    pub located: Option<Located>,
    /// Members that are equally preferred, in the order in which they are asked. Those who are in none don't serve the client.
    pub tiers: Vec<Vec<usize>>,
    /// What members are to the client, where that is known.
    pub relations: Vec<(usize, Relation)>,
}

impl Trace {
    /// Notes the next tier, of one group.
    pub(super) fn add(&mut self, group: &Group, relation: Option<Relation>) {
        self.tiers.push(group.members().collect());
        self.relations
            .extend(relation.into_iter().flat_map(|it| group.members().map(move |at| (at, it))));
    }

    /// Which tier a member is in; the first is 0.
    pub fn tier(&self, member: usize) -> Option<usize> {
        self.tiers.iter().position(|it| it.contains(&member))
    }

    /// What a member is to the client.
    pub fn relation(&self, member: usize) -> Option<Relation> {
        self.relations.iter().find(|it| it.0 == member).map(|it| it.1)
    }
}
