//! A geo database in MaxMind's format, made into ranges once.

use std::collections::HashMap;
use std::sync::Arc;

use maxminddb::{MaxMindDbError, PathElement, Reader, WithinOptions};
use serde::Deserialize;

use crate::model::{
    Adjacent, Overlapping, Point, Ranges, RangesBuilder, Region, Spot, Timestamp, network_around,
};

type Lookup<'a> = maxminddb::LookupResult<'a, Vec<u8>>;

/// What a database says, and since when.
pub(super) struct Database {
    pub(super) spots: Arc<Ranges<Spot>>,
    pub(super) built: Timestamp,
}

/// Reads a whole database.
///
/// # Errors
/// A phrase that says why it can't be used.
pub(super) fn read(content: Vec<u8>) -> Result<Database, String> {
    let damaged = |error: MaxMindDbError| {
        format!("it is damaged, or no database in MaxMind's format: {error}")
    };
    let reader = Reader::from_source(content).map_err(damaged)?;
    let metadata = reader.metadata();
    let built = i64::try_from(metadata.build_epoch).ok().and_then(|it| it.checked_mul(1000));
    let built = Timestamp(built.ok_or("its metadata has no time of building that could be")?);
    // A tree has no more ends than nodes and one; a damaged one may lead in circles.
    let most = u64::from(metadata.node_count) + 1;
    let mut builder = RangesBuilder::new();
    // Most networks share their records with others.
    let mut known: HashMap<usize, Option<Spot>> = HashMap::new();
    for (found, count) in reader.networks(WithinOptions::default()).map_err(damaged)?.zip(0..) {
        if count >= most {
            return Err("it is damaged: its tree leads in circles".to_owned());
        }
        let found = found.map_err(damaged)?;
        let Some(offset) = found.offset() else { continue };
        let spot = match known.get(&offset) {
            Some(spot) => *spot,
            None => {
                let spot = spot(&found).map_err(damaged)?;
                known.insert(offset, spot);
                spot
            }
        };
        let Some(spot) = spot else { continue };
        let network = found.network().map_err(damaged)?;
        if is_alias(network.ip()) {
            continue;
        }
        let network = network_around(network.network(), network.prefix());
        builder.add_network(network, spot).map_err(|it| it.to_string())?;
    }
    let spots = builder.build(Overlapping::NarrowestWins, Adjacent::Apart);
    let spots = spots
        .map_err(|it| it.first().map_or_else(String::new, |it| format!("it is damaged: {it}")))?;
    if spots.is_empty() {
        let kind = &reader.metadata().database_type;
        return Err(format!(
            "it has neither countries nor coordinates in it ({kind:?}); take one of cities or countries"
        ));
    }
    Ok(Database { spots: Arc::new(spots), built })
}

/// Whether an address stands for an IPv4 address, of which the database has a word of its own. The reader leaves out only
/// what leads to the very same nodes.
fn is_alias(address: std::net::IpAddr) -> bool {
    match address {
        std::net::IpAddr::V4(_) => false,
        // 2002::/16 is 6to4 (RFC 3056).
        std::net::IpAddr::V6(it) => it.to_ipv4_mapped().is_some() || it.segments()[0] == 0x2002,
    }
}

/// What a record says. MaxMind's have tables in each other, others are flat.
fn spot(record: &Lookup<'_>) -> Result<Option<Spot>, MaxMindDbError> {
    use PathElement::{Index, Key};
    let text = |path: &[PathElement<'_>]| value::<&str>(record, path);
    let number = |path: &[PathElement<'_>]| value::<f64>(record, path);
    let first = |paths: &[&[PathElement<'_>]]| {
        paths.iter().map(|it| text(it)).find(|it| !matches!(it, Ok(None))).unwrap_or(Ok(None))
    };
    let country = first(&[
        &[Key("country"), Key("iso_code")],
        &[Key("registered_country"), Key("iso_code")],
        &[Key("country_code")],
    ])?;
    let subdivision =
        first(&[&[Key("subdivisions"), Index(0), Key("iso_code")], &[Key("state1")]])?;
    let latitude = number(&[Key("location"), Key("latitude")])?.or(number(&[Key("latitude")])?);
    let longitude = number(&[Key("location"), Key("longitude")])?.or(number(&[Key("longitude")])?);
    let spot = Spot {
        region: country.and_then(|country| {
            let narrow =
                subdivision.and_then(|it| format!("{country}-{it}").parse::<Region>().ok());
            narrow.or_else(|| country.parse().ok())
        }),
        point: latitude.zip(longitude).and_then(|(latitude, longitude)| point(latitude, longitude)),
    };
    Ok((spot.region.is_some() || spot.point.is_some()).then_some(spot))
}

/// Some databases write 0 and 0 for what they don't know; nobody lives there.
fn point(latitude: f64, longitude: f64) -> Option<Point> {
    if latitude == 0.0 && longitude == 0.0 { None } else { Point::new(latitude, longitude) }
}

/// A value of a record; what is of another kind is not there.
fn value<'a, T: Deserialize<'a>>(
    record: &Lookup<'a>,
    path: &[PathElement<'_>],
) -> Result<Option<T>, MaxMindDbError> {
    match record.decode_path(path) {
        Err(MaxMindDbError::Decoding { .. }) => Ok(None),
        other => other,
    }
}
