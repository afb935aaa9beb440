//! The lowest latency to the client's network serves: by the latency table, or else by distance. Endpoints that are equally
//! near share by weight.

use std::ops::Range;

use super::chooser::{Order, Rank};
use super::group::{Chance, Group};
use super::pool::Pool;
use super::{Client, Member};
use crate::model::{DefaultLocation, Geography, Ident, Latencies, Point, Profile};

/// The places where candidates are.
#[derive(Debug)]
pub(super) struct Nearest {
    places: Box<[Place]>,
    /// The candidates of all places, for clients of whom nothing is known.
    everyone: Group,
    /// The places in each site; by name.
    sites: Box<[(Ident, Range<u16>)]>,
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
enum Ranking<'g> {
    /// Those in the site at these places are; the others follow by their distance to it.
    Site(Range<u16>, Option<Point>),
    /// Those in the sites that come first in a row of the latency table.
    Row(&'g Latencies),
    /// Those that are least far away.
    Point(Point),
    /// Nothing does.
    Unknown,
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
    let nearest = Nearest { places: places.into(), everyone, sites: sites.into(), columns };
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
        let ranking = self.ranking(client, &mut scope);
        match ranking {
            Ranking::Row(row) => self.by_row(row, chance, take),
            Ranking::Site(site, point) => {
                let score = |place: usize| match (site.contains(&(place as u16)), point) {
                    (true, _) => -1.0,
                    (false, Some(point)) => self.distance(place, &point),
                    (false, None) => f32::INFINITY,
                };
                self.by_score(score, chance, take);
            }
            Ranking::Point(point) => {
                self.by_score(|place| self.distance(place, &point), chance, take);
            }
            Ranking::Unknown => {
                take(&self.everyone, Rank::Sure);
            }
        }
        scope
    }

    fn ranking<'g>(&self, client: &Client<'g>, scope: &mut u8) -> Ranking<'g> {
        let (geography, address) = (client.geography, client.network());
        let mut widest = |found: u8| *scope = found.max(*scope);
        if !geography.networks.is_empty() {
            let (network, found) = geography.networks.find(address);
            widest(found);
            if let Some(ranking) =
                network.and_then(|it| self.near_site(it.site.as_ref()?, geography))
            {
                return ranking;
            }
        }
        if !geography.latencies.is_empty() {
            let (row, found) = geography.latencies.find(address);
            widest(found);
            if let Some(row) =
                row.filter(|it| it.cells().iter().any(|it| !self.in_column(it.0).is_empty()))
            {
                return Ranking::Row(row);
            }
        }
        if !geography.database.is_empty() {
            let (spot, found) = geography.database.find(address);
            widest(found);
            if let Some(point) = spot.and_then(|it| it.point) {
                return Ranking::Point(point);
            }
        }
        match &geography.location_default {
            Some(DefaultLocation::Site(site)) => self.near_site(site, geography),
            Some(DefaultLocation::Point(point)) => Some(Ranking::Point(*point)),
            None => None,
        }
        .unwrap_or(Ranking::Unknown)
    }

    /// None where neither the site's candidates nor its location are known.
    fn near_site<'g>(&self, site: &Ident, geography: &Geography) -> Option<Ranking<'g>> {
        let at = self.sites.binary_search_by(|(name, _)| name.cmp(site)).ok();
        let places = at.and_then(|it| self.sites.get(it)).map(|it| it.1.clone());
        let point = geography.sites.get(site).copied();
        (places.is_some() || point.is_some())
            .then(|| Ranking::Site(places.unwrap_or_default(), point))
    }

    fn in_column(&self, column: u16) -> Range<u16> {
        self.columns.get(usize::from(column)).cloned().unwrap_or_default()
    }

    fn distance(&self, place: usize, from: &Point) -> f32 {
        let point = self.places.get(place).and_then(|it| it.point);
        point.map_or(f32::INFINITY, |it| it.chord(from))
    }

    /// Offers one score after the other, the lowest first.
    fn by_score<'s>(
        &'s self,
        score: impl Fn(usize) -> f32,
        chance: Chance,
        take: &mut impl FnMut(&'s Group, Rank) -> bool,
    ) {
        let mut last = f32::NEG_INFINITY;
        loop {
            let scores = (0..self.places.len()).map(&score).filter(|it| *it > last);
            match scores.min_by(f32::total_cmp) {
                Some(lowest) if !self.offer(chance, |it| score(it) == lowest, take) => {
                    last = lowest
                }
                _ => return,
            }
        }
    }

    /// Offers the cells of a row, those with the same latency together, and then the places that it knows nothing of.
    fn by_row<'s>(
        &'s self,
        row: &Latencies,
        chance: Chance,
        take: &mut impl FnMut(&'s Group, Rank) -> bool,
    ) {
        for equal in row.cells().chunk_by(|a, b| a.1 == b.1) {
            let here = |place: usize| {
                equal.iter().any(|it| self.in_column(it.0).contains(&(place as u16)))
            };
            if self.offer(chance, here, take) {
                return;
            }
        }
        let known = |place: usize| {
            row.cells().iter().any(|it| self.in_column(it.0).contains(&(place as u16)))
        };
        self.offer(chance, |place| !known(place), take);
    }

    /// Offers the groups at these places, which share by weight.
    fn offer<'s>(
        &'s self,
        chance: Chance,
        here: impl Fn(usize) -> bool,
        take: &mut impl FnMut(&'s Group, Rank) -> bool,
    ) -> bool {
        let near = || {
            let places = self.places.iter().enumerate();
            places.filter(|(at, _)| here(*at)).map(|(_, it)| &it.group)
        };
        let any_weight = near().any(Group::has_weight);
        let groups = || near().filter(|it| it.has_weight() || !any_weight);
        let mut several = groups();
        let (Some(first), second) = (several.next(), several.next()) else { return false };
        if second.is_none() {
            return take(first, Rank::Sure);
        }
        let mut last = f64::NEG_INFINITY;
        loop {
            let turns = groups().map(|it| (it.turn(chance), it)).filter(|it| it.0 > last);
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
