//! Zones and their static records: what is answered beside profiles.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Extension, Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::access::{Author, forbid_unseen_zone};
use super::etag::{Tagged, etag, unless_known};
use super::look::aside;
use super::names::no_zone;
use super::openapi::{BadTags, Guarded};
use super::reading::{Sent, digits, name, parsed, read_query, text};
use super::{Api, FromPath, Refused, view};
use crate::control::Version;
use crate::model::{Name, RecordSet, RecordType, Scopes, Zone};
use crate::settings::presentation;
use crate::snapshot::{Snapshot, ZoneTable, Zones};

/// The most records of a page, and those where nobody says otherwise.
const MOST: u32 = 1000;
const SOME: u32 = 100;
/// A page ends after so many octets of data: there may be much in one record.
const LONGEST: usize = 1 << 20;

/// Every zone, with what is known of it
///
/// Also those without a file, of which all records are made. Who is limited to profiles sees the zones that they are in.
#[utoipa::path(
    get, path = "/v1/zones", tag = "look",
    params(("If-None-Match" = Option<String>, Header, description = "ETags that are known")),
    responses(
        (status = 200, description = "In the order of their names", body = view::Zones, headers(("ETag" = String, description = "Of all zones, and the names of their profiles"))),
        BadTags, Guarded,
    ),
)]
pub(super) async fn zones(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    headers: HeaderMap,
) -> Refused<Response> {
    let permit = api.readers.clone().acquire_owned().await;
    aside(move || {
        let _permit = permit;
        let snapshot = api.live.load();
        let all = api.whole.zones.of(&snapshot);
        if let Some(known) = unless_known(&headers, all.version)? {
            return Ok(known);
        }
        let zones = all.zones.iter().filter_map(|it| zone(it, &author.scopes)).collect();
        Ok(Tagged { version: Some(all.version), body: view::Zones { zones } }.into_response())
    })
    .await
}

/// Static records of a zone
///
/// Those of its file and those that are made, SOA and NS; what profiles answer is told by `/v1/profiles`. In pages. Who is limited
/// to profiles sees the records at names that they could have.
#[utoipa::path(
    get, path = "/v1/zones/{zone}/records", tag = "look",
    params(
        ("zone" = String, Path, description = "The zone's name; the dot at the end may be left out", example = "gtm.example."),
        ("name" = Option<String>, Query, description = "Only those at exactly this name", example = "www.gtm.example."),
        ("type" = Option<String>, Query, description = "Only those of this type", example = "TXT"),
        ("after" = Option<String>, Query, description = "Only those after this one: `next` of the page before"),
        ("limit" = Option<u32>, Query, description = "1–1000; 100 when it is left out. Pages with very much data are shorter", minimum = 1, maximum = 1000),
        ("If-None-Match" = Option<String>, Header, description = "ETags that are known"),
    ),
    responses(
        (status = 200, description = "By name and type", body = view::Records, headers(("ETag" = String, description = "Of the zone"))),
        (status = 404, description = "No zone is called so", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        BadTags, Guarded,
    ),
)]
pub(super) async fn records(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    path: FromPath<String>,
    query: Sent,
    headers: HeaderMap,
) -> Refused<Response> {
    let Path(text) = path?;
    let wanted = read_query(query, |fields| {
        Some(Wanted {
            name: fields.optional("name", name),
            record_type: fields.optional("type", parsed),
            after: fields.optional("after", place),
            limit: fields.optional("limit", digits(1..=MOST)).unwrap_or(SOME) as usize,
        })
    })?;
    let permit = api.readers.clone().acquire_owned().await;
    aside(move || {
        let _permit = permit;
        let snapshot = api.live.load();
        let apex: Option<Name> = text.parse().ok();
        if let Some(apex) = &apex {
            forbid_unseen_zone(&api, &author, apex)?;
        }
        let all = api.whole.zones.of(&snapshot);
        let known = all.zones.iter().find(|it| Some(it.table.zone.name()) == apex.as_ref());
        let known = known.ok_or_else(|| no_zone(&snapshot, &text))?;
        if let Some(same) = unless_known(&headers, known.version)? {
            return Ok(same);
        }
        let body = wanted.page(&known.table.zone, &author.scopes);
        Ok(Tagged { version: Some(known.version), body }.into_response())
    })
    .await
}

/// Which records are wanted.
struct Wanted {
    name: Option<Name>,
    record_type: Option<RecordType>,
    after: Option<Place>,
    limit: usize,
}

/// Where a record is among those of its zone.
struct Place {
    name: Name,
    record_type: RecordType,
    /// Among those of its name and type, from 0.
    index: usize,
}

/// "www.gtm.example. A 0".
fn place(value: &Value) -> Result<Place, String> {
    let mut words = text(value)?.split(' ');
    let mut place = || {
        let (name, record_type) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let index = words.next()?.parse().ok()?;
        words.next().is_none().then_some(Place { name, record_type, index })
    };
    place().ok_or_else(|| "send `next` of the page before".to_owned())
}

impl Wanted {
    fn page(&self, zone: &Zone, scopes: &Scopes) -> view::Records {
        let (mut records, mut octets) = (Vec::new(), 0);
        let mut last = None;
        for (place, set, data) in self.all(zone, scopes) {
            if records.len() == self.limit || octets > LONGEST {
                return view::Records { records, next: last };
            }
            let (name, record_type) = (place.name.to_string(), place.record_type.to_string());
            last = Some(format!("{name} {record_type} {}", place.index));
            let data = presentation(place.record_type, data);
            octets += data.len();
            records.push(view::Record { name, record_type, ttl: set.ttl, data });
        }
        view::Records { records, next: None }
    }

    /// Every record that is wanted, in order.
    fn all<'z>(
        &self,
        zone: &'z Zone,
        scopes: &Scopes,
    ) -> impl Iterator<Item = (Place, RecordSet<'z>, &'z [u8])> {
        let after = self.after.as_ref().map(|it| zone.place(it.name.borrowed()));
        let (first, end) = match &self.name {
            Some(name) => {
                let first = zone.place(name.borrowed());
                (first, first + 1)
            }
            None => (0, zone.owners()),
        };
        let owners = (first.max(after.unwrap_or(0))..end).filter_map(|it| zone.owner(it));
        let owners = owners.map(|(owner, sets)| (owner.to_name(), sets));
        let owners = owners.filter(|(owner, _)| {
            self.name.as_ref().is_none_or(|it| it == owner) && scopes.hold(owner)
        });
        owners.flat_map(move |(owner, sets)| {
            let wanted =
                sets.iter().filter(|it| self.record_type.is_none_or(|is| it.record_type == is));
            let records: Vec<_> = wanted
                .flat_map(|set| set.data().enumerate().map(move |(index, data)| (set, index, data)))
                .filter(|(set, index, _)| self.is_behind(&owner, set.record_type, *index))
                .map(|(set, index, data)| {
                    let (name, record_type) = (owner.clone(), set.record_type);
                    (Place { name, record_type, index }, set, data)
                })
                .collect();
            records
        })
    }

    /// Whether a record comes after the page before.
    fn is_behind(&self, owner: &Name, record_type: RecordType, index: usize) -> bool {
        self.after
            .as_ref()
            .is_none_or(|it| it.name != *owner || (it.record_type, it.index) < (record_type, index))
    }
}

/// Zones as they are told, with their versions, which take long to make: kept until the zones are others.
#[derive(Debug, Default)]
pub(super) struct KnownZones(Mutex<Option<Arc<AllZones>>>);

/// All zones of a snapshot.
#[derive(Debug)]
pub(super) struct AllZones {
    /// Whose zones these are.
    of: Arc<Zones>,
    /// Of all of them.
    version: Version,
    /// By name.
    zones: Vec<KnownZone>,
}

/// A zone, its profiles and the version of both.
#[derive(Debug)]
struct KnownZone {
    table: Arc<ZoneTable>,
    profiles: Vec<Name>,
    version: Version,
}

impl KnownZones {
    fn of(&self, snapshot: &Snapshot) -> Arc<AllZones> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A profile that comes or goes makes its zone anew, so these are the profiles' names too.
        if let Some(known) = known.filter(|it| Arc::ptr_eq(&it.of, &snapshot.zones)) {
            return known;
        }
        let all = Arc::new(AllZones::new(snapshot));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(all.clone());
        all
    }
}

impl AllZones {
    fn new(snapshot: &Snapshot) -> Self {
        let of = snapshot.zones.clone();
        let mut zones: Vec<KnownZone> = of.iter().map(|it| KnownZone::new(it, snapshot)).collect();
        zones.sort_by_cached_key(|it| {
            let labels: Vec<Vec<u8>> = it.table.zone.name().labels().map(<[u8]>::to_vec).collect();
            labels.into_iter().rev().collect::<Vec<_>>()
        });
        let version = Version::of_versions(zones.iter().map(|it| it.version));
        Self { of, version, zones }
    }
}

impl KnownZone {
    fn new(table: &Arc<ZoneTable>, snapshot: &Snapshot) -> Self {
        let names = snapshot.profiles.iter().map(|it| &it.profile.name);
        let is_here =
            |it: &&Name| snapshot.zones.find(it.as_wire()).is_some_and(|it| Arc::ptr_eq(it, table));
        let profiles: Vec<Name> = names.filter(is_here).cloned().collect();
        let version = Version::of_zone(&table.zone, &profiles);
        Self { table: table.clone(), profiles, version }
    }
}

/// A zone as somebody sees it who sees these profiles; none if none is in it.
fn zone(known: &KnownZone, scopes: &Scopes) -> Option<view::Zone> {
    let profiles = known.profiles.iter().filter(|it| scopes.hold(it)).count();
    if scopes.are_limited() && profiles == 0 {
        return None;
    }
    let zone = &known.table.zone;
    let servers = zone.find(zone.name(), RecordType::NS);
    let names = |set: RecordSet<'_>| {
        set.data().filter_map(|it| Name::from_wire(it).ok()).map(|it| it.to_string()).collect()
    };
    Some(view::Zone {
        name: zone.name().to_string(),
        etag: etag(known.version),
        serial: zone.soa().serial,
        file: zone.file().map(|it| it.display().to_string()),
        nameservers: servers.map(names).unwrap_or_default(),
        ttl: servers.map(|it| it.ttl).unwrap_or_default(),
        soa: zone.find(zone.name(), RecordType::SOA).and_then(soa).unwrap_or_default(),
        names: zone.owners(),
        records: zone.records(),
        profiles,
    })
}

/// What the words of a SOA record say: two names and five numbers.
fn soa(set: RecordSet<'_>) -> Option<view::Soa> {
    let text = presentation(RecordType::SOA, set.first()?);
    let mut words = text.split(' ');
    let (mname, rname) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut number = || words.next()?.parse().ok();
    let [_serial, refresh, retry, expire, minimum] =
        [number()?, number()?, number()?, number()?, number()?];
    Some(view::Soa { mname, rname, refresh, retry, expire, minimum, ttl: set.ttl })
}
