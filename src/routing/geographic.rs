//! The endpoint whose regions match the client's most narrowly serves.

use super::chooser::Order;
use super::group::Group;
use super::pool::Pool;
use super::{Client, Member};
use crate::model::{GeoCode, Profile, Region};

/// The regions that candidates serve.
#[derive(Clone, Debug)]
pub(super) struct Regions {
    /// Which group serves a region; by code.
    codes: Box<[(GeoCode, u16)]>,
    groups: Box<[Group]>,
}

/// Notes each candidate's regions. No region is two endpoints'.
pub(super) fn order(pool: &Pool, members: &[Member], profile: &Profile) -> Option<Order> {
    let (mut codes, mut groups) = (Vec::new(), Vec::new());
    for member in pool.candidates() {
        let geo = profile.endpoints.get(member).map(|it| &*it.geo).unwrap_or_default();
        let at = u16::try_from(groups.len()).ok()?;
        codes.extend(geo.iter().map(|it| (*it, at)));
        groups.push(Group::new(&[member], members, false)?);
    }
    codes.sort_unstable();
    (!groups.is_empty())
        .then(|| Order::Regions(Regions { codes: codes.into(), groups: groups.into() }))
}

impl Regions {
    /// Offers the groups, the narrowest match first, until one is taken. Gives the length of the prefix that this holds for.
    pub(super) fn visit<'s>(
        &'s self,
        client: &Client<'_>,
        take: &mut impl FnMut(&'s Group) -> bool,
    ) -> u8 {
        let mut scope = 0;
        let everyone_is_equal = self.codes.iter().all(|it| it.0 == GeoCode::World);
        let region = if everyone_is_equal { None } else { region(client, &mut scope) };
        for code in GeoCode::chain(region) {
            let at = self.codes.binary_search_by_key(&code, |it| it.0).ok();
            let group = at.and_then(|it| self.groups.get(usize::from(self.codes.get(it)?.1)));
            if group.is_some_and(&mut *take) {
                break;
            }
        }
        scope
    }
}

/// Where a client is: what the configuration says of its network, or else the database.
pub(super) fn region(client: &Client<'_>, scope: &mut u8) -> Option<Region> {
    let geography = client.geography;
    if !geography.networks.is_empty() {
        let (network, found) = geography.networks.find(client.network());
        *scope = found.max(*scope);
        if let Some(region) = network.and_then(|it| it.region) {
            return Some(region);
        }
    }
    if geography.database.is_empty() {
        return None;
    }
    let (spot, found) = geography.database.find(client.network());
    *scope = found.max(*scope);
    spot.and_then(|it| it.region)
}
