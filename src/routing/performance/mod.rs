//! The lowest latency to the client's network serves: by the latency table, or else by distance. Those that the table doesn't
//! know come after those that it does. Endpoints that are equally near share by weight.

mod listener;

use std::array;
use std::ops::Range;

use super::chooser::{Order, Rank};
use super::group::{Chance, Group};
use super::pool::Pool;
use super::trace::{Located, Relation, Sighting, Table, Trace};
use super::{Client, Member};
use crate::model::{DefaultLocation, Geography, Ident, Latencies, Point, Profile};
use listener::{Lead, Listener, Offer, Places, Reach, Tiers};

/// How many distances are remembered while they are compared.
const FEW: usize = 16;

/// The places where candidates are.
#[derive(Debug)]
pub(super) struct Nearest {
    places: Box<[Place]>,
    /// The candidates of all places, for clients of whom nothing is known.
    everyone: Group,
    /// The places in each site; by name.
    sites: Box<[(Ident, Range<u16>)]>,
    /// Whether a candidate may leave a query to those that follow.
    is_ramping: bool,
    /// The places by the latency table's columns.
    columns: Box<[Range<u16>]>,
}

/// Candidates that no client can be nearer to one of than to the others.
#[derive(Debug)]
struct Place {
    point: Option<Point>,
    group: Group,
}

/// What tells which place is nearest to a client.
struct Ranking<'g> {
    /// Those in the sites that come first in a row of the latency table, before all that it doesn't know.
    row: Option<&'g Latencies>,
    /// What ranks the others.
    origin: Origin,
}

/// Where a client is thought to be.
enum Origin {
    /// In the site at these places: they are the nearest, and the others follow by their distance to it.
    Site(Range<u16>, Option<Point>),
    /// Here: what is least far away is nearest.
    Point(Point),
    /// Nobody knows.
    Unknown,
}

impl Ranking<'_> {
    fn knows_nothing(&self) -> bool {
        self.row.is_none() && matches!(self.origin, Origin::Unknown)
    }
}

/// Puts the candidates together that are at one place.
pub(super) fn order(
    pool: &Pool,
    members: &[Member],
    profile: &Profile,
    geography: &Geography,
) -> Option<Order> {
    let site = |member: usize| profile.endpoints.get(member)?.site.as_ref();
    let point = |member: usize| {
        let own = profile.endpoints.get(member)?.location.as_ref().map(Point::from);
        own.or_else(|| geography.sites.get(site(member)?).copied())
    };
    let mut candidates: Vec<usize> = pool.candidates().collect();
    let everyone = Group::new(&candidates, members, profile.affinity.is_some())?;
    candidates.sort_by_key(|it| (site(*it), point(*it).map(|it| it.bits()), *it));
    let (mut places, mut sites) = (Vec::new(), Vec::<(Ident, Range<u16>)>::new());
    for here in candidates.chunk_by(|a, b| site(*a) == site(*b) && point(*a) == point(*b)) {
        let Some(first) = here.first().copied() else { continue };
        let at = u16::try_from(places.len()).ok()?;
        places.push(Place { point: point(first), group: Group::new(here, members, true)? });
        match (site(first), sites.last_mut()) {
            (Some(name), Some((last, range))) if last == name => range.end = at + 1,
            (Some(name), _) => sites.push((name.clone(), at..at + 1)),
            (None, _) => {}
        }
    }
    let in_site = |it: &Ident| {
        let at = sites.binary_search_by(|(name, _)| name.cmp(it)).ok()?;
        sites.get(at).map(|it| it.1.clone())
    };
    let table = geography.latencies.iter().next().map(|(_, _, row)| row.sites());
    let columns = table.into_iter().flat_map(|it| it.iter());
    let columns = columns.map(|it| in_site(it).unwrap_or_default()).collect();
    let is_ramping = places.iter().any(|it: &Place| it.group.is_ramping());
    let nearest =
        Nearest { places: places.into(), everyone, is_ramping, sites: sites.into(), columns };
    Some(Order::Nearest(Box::new(nearest)))
}

impl Nearest {
    /// Offers the groups, the nearest first, until one is taken. Gives the length of the prefix that this holds for.
    pub(super) fn visit<'s>(
        &'s self,
        client: &Client<'_>,
        chance: Chance,
        take: &mut impl FnMut(&'s Group, Rank) -> bool,
    ) -> u8 {
        if let [only] = &*self.places {
            take(&only.group, Rank::Sure);
            return 0;
        }
        let mut scope = 0;
        let (ranking, _) = self.ranking(client, &mut scope);
        if ranking.knows_nothing() {
            take(&self.everyone, Rank::Sure);
        } else {
            self.walk(&ranking, &mut Offer { chance, take });
        }
        scope
    }

    /// Tells the groups that a client may be left to. Gives the same as [`visit`](Self::visit).
    pub(super) fn reach<'s>(&'s self, client: &Client<'_>, tell: &mut impl FnMut(&'s Group)) -> u8 {
        if let [only] = &*self.places {
            tell(&only.group);
            return 0;
        }
        let mut scope = 0;
        let (ranking, _) = self.ranking(client, &mut scope);
        if ranking.knows_nothing() {
            tell(&self.everyone);
        } else {
            self.walk(&ranking, &mut Reach(tell));
        }
        scope
    }

    pub(super) fn tells_clients_apart(&self) -> bool {
        self.places.len() > 1
    }

    /// The groups at the nearest places, one of which is drawn by weight.
    pub(super) fn lead(&self, client: &Client<'_>) -> Vec<&Group> {
        if let [only] = &*self.places {
            return vec![&only.group];
        }
        let (ranking, _) = self.ranking(client, &mut 0);
        if ranking.knows_nothing() {
            return vec![&self.everyone];
        }
        let mut lead = Lead(Vec::new());
        self.walk(&ranking, &mut lead);
        lead.0
    }

    /// The same for people: who comes before whom, and how far away each is.
    pub(super) fn trace(&self, client: &Client<'_>) -> Trace {
        let mut trace = Trace::default();
        if let [only] = &*self.places {
            trace.add(&only.group, None);
            return trace;
        }
        let (mut ranking, sighting) = self.ranking(client, &mut 0);
        if ranking.row.is_some() {
            ranking.origin = self.origin(client, &mut 0).0;
        }
        trace.located = Some(Located::new(client, sighting));
        let mut tiers = Tiers(Vec::new());
        self.walk(&ranking, &mut tiers);
        for tier in tiers.0 {
            let places = || tier.iter().filter_map(|at| Some((*at, self.places.get(*at)?)));
            for (at, place) in places() {
                let relation = self.relation(&ranking, at, place);
                let members = place.group.members();
                trace.relations.extend(members.filter_map(|it| Some((it, relation?))));
            }
            trace.tiers.push(places().flat_map(|(_, it)| it.group.members()).collect());
        }
        trace
    }

    fn relation(&self, ranking: &Ranking<'_>, at: usize, place: &Place) -> Option<Relation> {
        let away = |from: &Point| Some(Relation::Kilometres(place.point?.distance_km(from)));
        if let Some(cell) = ranking.row.and_then(|it| self.cell(it, at)) {
            return Some(Relation::Milliseconds(cell));
        }
        match &ranking.origin {
            Origin::Site(site, _) if site.contains(&(at as u16)) => Some(Relation::NearestSite),
            Origin::Site(_, point) => away(point.as_ref()?),
            Origin::Point(point) => away(point),
            Origin::Unknown => None,
        }
    }

    /// Tells the places, the nearest first and equally near ones together, until it is enough.
    fn walk<'s>(&'s self, ranking: &Ranking<'_>, listener: &mut impl Listener<'s>) {
        let Ranking { row, origin } = ranking;
        if row.is_some_and(|it| self.by_row(it, listener)) {
            return;
        }
        let is_told = |place: usize| row.is_some_and(|it| self.cell(it, place).is_some());
        let score = |place: usize| match origin {
            _ if is_told(place) => f32::NEG_INFINITY,
            Origin::Site(site, _) if site.contains(&(place as u16)) => -1.0,
            Origin::Site(_, Some(point)) | Origin::Point(point) => self.distance(place, point),
            Origin::Site(_, None) | Origin::Unknown => f32::INFINITY,
        };
        self.by_score(score, listener);
    }

    /// What ranks the places, and which table it is from.
    fn ranking<'g>(&self, client: &Client<'g>, scope: &mut u8) -> (Ranking<'g>, Sighting) {
        let (geography, address) = (client.geography, client.network());
        let mut widest = |found: u8| *scope = found.max(*scope);
        if !geography.networks.is_empty() {
            let (network, found) = geography.networks.find(address);
            widest(found);
            if let Some(origin) =
                network.and_then(|it| self.near_site(it.site.as_ref()?, geography))
            {
                let sighting = Sighting { table: Table::ClientNetwork, prefix: found };
                return (Ranking { row: None, origin }, sighting);
            }
        }
        if !geography.latencies.is_empty() {
            let (row, found) = geography.latencies.find(address);
            widest(found);
            if let Some(row) =
                row.filter(|it| it.cells().iter().any(|it| !self.in_column(it.0).is_empty()))
            {
                let sighting = Sighting { table: Table::LatencyTable, prefix: found };
                // Only who may come to those that the row doesn't know has to be placed.
                let ends = !self.is_ramping || self.by_row(row, &mut Reach(&mut |_: &Group| {}));
                let origin = if ends { Origin::Unknown } else { self.origin(client, scope).0 };
                return (Ranking { row: Some(row), origin }, sighting);
            }
        }
        let (origin, sighting) = self.origin(client, scope);
        (Ranking { row: None, origin }, sighting)
    }

    /// Where the client is by the database, or else by default.
    fn origin(&self, client: &Client<'_>, scope: &mut u8) -> (Origin, Sighting) {
        let geography = client.geography;
        if !geography.database.is_empty() {
            let (spot, found) = geography.database.find(client.network());
            *scope = found.max(*scope);
            if let Some(point) = spot.and_then(|it| it.point) {
                return (Origin::Point(point), Sighting { table: Table::Database, prefix: found });
            }
        }
        let default = match &geography.location_default {
            Some(DefaultLocation::Site(site)) => self.near_site(site, geography),
            Some(DefaultLocation::Point(point)) => Some(Origin::Point(*point)),
            None => None,
        };
        match default {
            Some(origin) => (origin, Sighting { table: Table::LocationDefault, prefix: 0 }),
            None => (Origin::Unknown, Sighting::NONE),
        }
    }

    /// None where neither the site's candidates nor its location are known.
    fn near_site(&self, site: &Ident, geography: &Geography) -> Option<Origin> {
        let at = self.sites.binary_search_by(|(name, _)| name.cmp(site)).ok();
        let places = at.and_then(|it| self.sites.get(it)).map(|it| it.1.clone());
        let point = geography.sites.get(site).copied();
        (places.is_some() || point.is_some())
            .then(|| Origin::Site(places.unwrap_or_default(), point))
    }

    fn in_column(&self, column: u16) -> Range<u16> {
        self.columns.get(usize::from(column)).cloned().unwrap_or_default()
    }

    /// The milliseconds to a place, where the row knows them.
    fn cell(&self, row: &Latencies, place: usize) -> Option<f32> {
        let here = |it: &&(u16, f32)| self.in_column(it.0).contains(&(place as u16));
        row.cells().iter().find(here).map(|it| it.1)
    }

    fn distance(&self, place: usize, from: &Point) -> f32 {
        let point = self.places.get(place).and_then(|it| it.point);
        point.map_or(f32::INFINITY, |it| it.chord(from))
    }

    /// Tells one score after the other, the lowest first.
    fn by_score<'s>(&'s self, score: impl Fn(usize) -> f32, listener: &mut impl Listener<'s>) {
        let all = 0..self.places.len();
        // Of few places, as there are mostly, no distance is worked out twice.
        let first: [f32; FEW] =
            array::from_fn(|it| if it < all.end { score(it) } else { f32::INFINITY });
        let score = |it: usize| first.get(it).copied().unwrap_or_else(|| score(it));
        let mut last = f32::NEG_INFINITY;
        loop {
            let scores = all.clone().map(score).filter(|it| *it > last);
            let Some(lowest) = scores.min_by(f32::total_cmp) else { return };
            if listener.hear(self, all.clone().filter(|it| score(*it) == lowest)) {
                return;
            }
            last = lowest;
        }
    }

    /// Tells the cells of a row, those with the same latency together. Gives whether it is enough.
    fn by_row<'s>(&'s self, row: &Latencies, listener: &mut impl Listener<'s>) -> bool {
        row.cells().chunk_by(|a, b| a.1 == b.1).any(|equal| {
            let places = equal.iter().flat_map(|it| self.in_column(it.0)).map(usize::from);
            listener.hear(self, places)
        })
    }

    /// The groups at these places, of which those without weight are left out unless none has any.
    fn at(&self, places: impl Places) -> impl Iterator<Item = &Group> {
        let near = places.filter_map(|it| self.places.get(it)).map(|it| &it.group);
        let any_weight = near.clone().any(Group::has_weight);
        near.filter(move |it| it.has_weight() || !any_weight)
    }

    /// Offers the groups at these places, which share by weight.
    fn offer<'s>(
        &'s self,
        chance: Chance,
        places: impl Places,
        take: &mut impl FnMut(&'s Group, Rank) -> bool,
    ) -> bool {
        let mut several = self.at(places.clone());
        let (Some(first), second) = (several.next(), several.next()) else { return false };
        if second.is_none() {
            return take(first, Rank::Sure);
        }
        let mut last = f64::NEG_INFINITY;
        loop {
            let turns =
                self.at(places.clone()).map(|it| (it.turn(chance), it)).filter(|it| it.0 > last);
            let Some((turn, group)) = turns.min_by(|a, b| a.0.total_cmp(&b.0)) else {
                return false;
            };
            if take(group, Rank::Drawn) {
                return true;
            }
            last = turn;
        }
    }
}

/// What groups that are equally preferred weigh against each other: as much as their members, or as many where none has any
/// weight.
pub(super) fn weighing<'s>(mut groups: impl Iterator<Item = &'s Group>) -> impl Fn(&Group) -> f64 {
    let all_zero = groups.all(|it| it.weight() == 0);
    move |it| if all_zero { it.len() as f64 } else { it.weight() as f64 }
}
