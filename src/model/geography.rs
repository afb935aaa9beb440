use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use super::{Ident, Location, Ranges, Region, Timestamp};

/// What is known of where clients are. Its tables are shared, so that copies are cheap. Two are equal that were read from the
/// same configuration and files, which is compared without looking at every row.
#[derive(Clone, Debug, Default)]
pub struct Geography {
    /// The networks that the configuration names; narrowest wins. They come before the database.
    pub networks: Arc<Ranges<ClientNetwork>>,
    /// What the geo database says.
    pub database: Arc<Ranges<Spot>>,
    /// The latency table.
    pub latencies: Arc<Ranges<Latencies>>,
    /// A digest of the path and content of the file that it was read from.
    pub latencies_digest: Option<u64>,
    /// Where the sites are of which that is known.
    pub sites: Arc<BTreeMap<Ident, Point>>,
    /// Where clients count as being of whom nothing else is known.
    pub location_default: Option<DefaultLocation>,
    /// The file of the geo database; none if none is configured.
    pub database_file: Option<DatabaseFile>,
}

impl Geography {
    /// What its files were and said when they were read: what is the same there reads the same.
    pub fn files(&self) -> impl PartialEq + Hash + '_ {
        let database = self.database_file.as_ref().map(|it| (&it.path, it.digest));
        (database, self.latencies_digest)
    }
}

impl PartialEq for Geography {
    fn eq(&self, other: &Self) -> bool {
        self.networks == other.networks
            && self.sites == other.sites
            && self.location_default == other.location_default
            && self.files() == other.files()
    }
}

/// The file of a geo database, which may be unreadable while an earlier state of it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseFile {
    /// Where it is.
    pub path: PathBuf,
    /// A digest of the path and content that what is in force was read from. None while nothing is in force.
    pub digest: Option<u64>,
    /// When what is in force was built, as its maker says. None while nothing is in force.
    pub built: Option<Timestamp>,
    /// Since when it has been in force here.
    pub loaded: Option<Timestamp>,
    /// Why the file could not be read when it was read last.
    pub error: Option<String>,
}

/// A network of clients, as configured; says one thing at least.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientNetwork {
    /// Where it is.
    pub region: Option<Region>,
    /// The site that is nearest.
    pub site: Option<Ident>,
}

/// What a geo database says of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spot {
    /// The country, or its subdivision.
    pub region: Option<Region>,
    /// Where it is; none where the database has no coordinates, or such that can't be.
    pub point: Option<Point>,
}

/// Where clients count as being of whom nothing is known.
#[derive(Clone, Debug, PartialEq)]
pub enum DefaultLocation {
    /// Where this site is, which has a location.
    Site(Ident),
    /// There.
    Point(Point),
}

/// A place on Earth as a vector of length 1 from its centre: comparing distances takes three multiplications. It is only made
/// of a place that is known: there is none that stands for nowhere.
#[derive(Clone, Copy, Debug)]
pub struct Point([f32; 3]);

/// Earth's mean radius (IUGG's R₁).
const RADIUS_KM: f64 = 6371.0088;

impl Point {
    /// The place at these degrees north and east. None if they are not between -90 and 90, and -180 and 180.
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let is_on_earth = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        is_on_earth.then(|| Self::at(latitude, longitude))
    }

    fn at(latitude: f64, longitude: f64) -> Self {
        let (north, east) = (latitude.to_radians(), longitude.to_radians());
        let vector = [north.cos() * east.cos(), north.cos() * east.sin(), north.sin()];
        Self(vector.map(|it| it as f32))
    }

    /// The square of the distance through Earth, of which the radius is 1: it grows with the distance on it.
    pub fn chord(&self, other: &Self) -> f32 {
        self.0.into_iter().zip(other.0).map(|(a, b)| (a - b) * (a - b)).sum()
    }

    /// The distance along a great circle, in kilometres, within 10 m.
    pub fn distance_km(&self, other: &Self) -> f64 {
        let pairs = self.0.into_iter().zip(other.0);
        let (near, far) = pairs.fold((0.0, 0.0), |(near, far), (a, b)| {
            let (a, b) = (f64::from(a), f64::from(b));
            (near + (a - b) * (a - b), far + (a + b) * (a + b))
        });
        // Half the angle, by its tangent, which is exact for near and for opposite places.
        2.0 * near.sqrt().atan2(far.sqrt()) * RADIUS_KM
    }

    /// Degrees north and east, to about a hundred thousandth.
    pub fn degrees(&self) -> (f64, f64) {
        let [x, y, z] = self.0.map(f64::from);
        (z.atan2(x.hypot(y)).to_degrees(), y.atan2(x).to_degrees())
    }

    /// What makes it another place.
    pub fn bits(&self) -> [u32; 3] {
        self.0.map(f32::to_bits)
    }
}

impl From<&Location> for Point {
    fn from(location: &Location) -> Self {
        Self::at(location.latitude, location.longitude)
    }
}

// No part is ever NaN, so bits are equal where numbers are, but for the two zeros, which are as good as different.
impl PartialEq for Point {
    fn eq(&self, other: &Self) -> bool {
        self.bits() == other.bits()
    }
}

impl Eq for Point {}

impl Hash for Point {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits().hash(state);
    }
}

/// One row of a latency table: how far the sites are from a network, the nearest first.
#[derive(Clone, Debug)]
pub struct Latencies {
    sites: Arc<[Ident]>,
    /// Ascending by milliseconds, then by column.
    cells: Box<[(u16, f32)]>,
}

impl Latencies {
    /// A row of the table with these sites as columns; its cells in their order, each milliseconds or unknown. None if a
    /// cell is negative, infinite or NaN, or cells and sites are not equally many or more than 65,536.
    pub fn new(sites: Arc<[Ident]>, cells: &[Option<f32>]) -> Option<Self> {
        let is_latency = |it: &f32| it.is_finite() && !it.is_sign_negative();
        let fits = cells.len() == sites.len()
            && sites.len() <= 1 << 16
            && cells.iter().flatten().all(is_latency);
        let known = (0..=u16::MAX).zip(cells).filter_map(|(column, cell)| Some((column, (*cell)?)));
        let mut cells: Box<[(u16, f32)]> = known.collect();
        cells.sort_by(|a, b| a.1.total_cmp(&b.1));
        fits.then_some(Self { sites, cells })
    }

    /// The sites that the table has columns for.
    pub fn sites(&self) -> &Arc<[Ident]> {
        &self.sites
    }

    /// The columns that are known, by their place in [`sites`](Self::sites), with their milliseconds: ascending, equals in
    /// the order of the columns.
    pub fn cells(&self) -> &[(u16, f32)] {
        &self.cells
    }

    fn bits(&self) -> impl Iterator<Item = (u16, u32)> {
        self.cells.iter().map(|it| (it.0, it.1.to_bits()))
    }
}

impl PartialEq for Latencies {
    fn eq(&self, other: &Self) -> bool {
        let same_sites = Arc::ptr_eq(&self.sites, &other.sites) || self.sites == other.sites;
        same_sites && self.bits().eq(other.bits())
    }
}

impl Eq for Latencies {}

impl Hash for Latencies {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Rows of different tables rarely meet, so the sites need not tell them apart.
        self.bits().for_each(|it| it.hash(state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_on_the_globe() {
        let point = |latitude, longitude| Point::new(latitude, longitude).unwrap();
        let (seattle, orlando) = (point(47.6, -122.3), point(28.5, -81.4));
        for (a, b, expected) in [
            (seattle, orlando, 4_096.9),
            (seattle, seattle, 0.0),
            (point(0.0, 0.0), point(0.0, 180.0), 20_015.1),
            (point(90.0, 0.0), point(-90.0, 77.0), 20_015.1),
            (point(0.0, 179.5), point(0.0, -179.5), 111.2),
            (point(52.0, 13.0), point(52.000_9, 13.0), 0.1),
        ] {
            let distance = a.distance_km(&b);
            assert!(
                (distance - expected).abs() < 1.0_f64.min(expected + 0.01),
                "{distance} for {expected}"
            );
            assert_eq!(distance, b.distance_km(&a));
        }
        let berlin = point(52.5, 13.4);
        let (north, east) = berlin.degrees();
        assert!((north - 52.5).abs() < 1e-4 && (east - 13.4).abs() < 1e-4, "{north} {east}");
        assert!(seattle.chord(&orlando) < seattle.chord(&berlin));
        assert!(seattle.chord(&seattle) == 0.0);
    }

    #[test]
    fn no_point_stands_for_nowhere() {
        for (latitude, longitude) in [
            (90.1, 0.0),
            (-91.0, 0.0),
            (0.0, 180.1),
            (0.0, -181.0),
            (f64::NAN, 0.0),
            (0.0, f64::NAN),
            (f64::INFINITY, 0.0),
        ] {
            assert_eq!(Point::new(latitude, longitude), None);
        }
        assert!(Point::new(90.0, -180.0).is_some());
    }

    #[test]
    fn a_row_has_its_nearest_site_first() {
        let sites: Arc<[Ident]> =
            ["a", "b", "c", "d"].iter().map(|it| it.parse().unwrap()).collect();
        let row = |cells: [Option<f32>; 4]| Latencies::new(sites.clone(), &cells);
        let known = row([Some(20.5), None, Some(0.0), Some(20.5)]).unwrap();
        assert_eq!(known.cells(), [(2, 0.0), (0, 20.5), (3, 20.5)]);
        assert_eq!(row([None; 4]).unwrap().cells(), []);
        for wrong in [-1.0, -0.0, f32::NAN, f32::INFINITY] {
            assert_eq!(row([Some(wrong), None, None, None]), None, "{wrong}");
        }
        assert_eq!(Latencies::new(sites.clone(), &[None; 3]), None);
        assert_eq!(Some(known), row([Some(20.5), None, Some(0.0), Some(20.5)]));
    }
}
