use std::fmt;
use std::str::FromStr;

use super::{Grouping, Region, RegionError};

/// A part of the world that an endpoint serves: one step of the hierarchy WORLD, grouping, country, subdivision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GeoCode {
    /// `WORLD`: every client, and the only one that matches clients of no known region.
    World,
    /// A grouping of countries, such as `GEO-EU`.
    Grouping(Grouping),
    /// A country, such as `DE`, or a subdivision, such as `US-WA`.
    Region(Region),
}

/// Why a text is no [`GeoCode`]. The messages say what is wrong; what to write instead is said by who asked for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GeoCodeError {
    /// It has the form of a grouping's code, but there is none.
    #[error("no grouping has the code \"{0}\", there are {all}", all = groupings())]
    Grouping(String),
    /// It is a grouping without `GEO-`, or a code in small letters.
    #[error("perhaps \"{0}\" is meant")]
    Mistaken(GeoCode),
    /// It is no region either.
    #[error(transparent)]
    Region(#[from] RegionError),
}

fn groupings() -> String {
    Grouping::ALL.map(Grouping::code).join(", ")
}

impl GeoCode {
    /// How narrow it is: 0 for `WORLD`, 1 for a grouping, 2 for a country, 3 for a subdivision.
    pub const fn narrowness(self) -> u8 {
        match self {
            Self::World => 0,
            Self::Grouping(_) => 1,
            Self::Region(region) if region.is_subdivision() => 3,
            Self::Region(_) => 2,
        }
    }

    /// Whether clients of this region are in it. A client of a country whose subdivision is not known is in none of the
    /// country's subdivisions; one of no known region is in `WORLD` alone.
    pub fn contains(self, region: Option<Region>) -> bool {
        match (self, region) {
            (Self::World, _) => true,
            (_, None) => false,
            (Self::Grouping(grouping), Some(region)) => region.country().grouping() == grouping,
            (Self::Region(own), Some(region)) => own == region || own == region.whole_country(),
        }
    }

    /// Every code that contains clients of this region, from the narrowest to `WORLD`: at most four.
    pub fn chain(region: Option<Region>) -> impl Iterator<Item = Self> {
        let subdivision = region.filter(|it| it.is_subdivision());
        let country = region.map(Region::whole_country);
        let grouping = region.map(|it| Self::Grouping(it.country().grouping()));
        let codes = [subdivision.map(Self::Region), country.map(Self::Region), grouping];
        codes.into_iter().flatten().chain([Self::World])
    }
}

impl FromStr for GeoCode {
    type Err = GeoCodeError;

    /// Reads `WORLD`, a grouping's code such as `GEO-EU`, or a [`Region`], in capitals.
    fn from_str(text: &str) -> Result<Self, GeoCodeError> {
        if let Some(code) = wide(text) {
            return Ok(code);
        }
        let capitals = text.to_ascii_uppercase();
        if let Some(meant) = wide(&capitals) {
            return Err(GeoCodeError::Mistaken(meant));
        }
        if capitals.starts_with("GEO-") {
            return Err(GeoCodeError::Grouping(text.to_owned()));
        }
        match text.parse() {
            Ok(region) => Ok(Self::Region(region)),
            Err(error) => match wide(&format!("GEO-{capitals}")) {
                Some(meant) => Err(GeoCodeError::Mistaken(meant)),
                None => Err(error.into()),
            },
        }
    }
}

/// The code of the world or a grouping.
fn wide(text: &str) -> Option<GeoCode> {
    if text == "WORLD" {
        return Some(GeoCode::World);
    }
    Grouping::ALL.into_iter().find(|it| it.code() == text).map(GeoCode::Grouping)
}

impl From<Region> for GeoCode {
    fn from(region: Region) -> Self {
        Self::Region(region)
    }
}

impl fmt::Display for GeoCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World => f.write_str("WORLD"),
            Self::Grouping(grouping) => write!(f, "{grouping}"),
            Self::Region(region) => write!(f, "{region}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Country;

    fn code(text: &str) -> GeoCode {
        text.parse().unwrap()
    }

    fn region(text: &str) -> Option<Region> {
        (text != "unknown").then(|| text.parse().unwrap())
    }

    #[test]
    fn codes_are_written_as_they_are_read() {
        let all = Grouping::ALL.map(Grouping::code);
        for text in ["WORLD", "DE", "US-WA", "XK"].into_iter().chain(all) {
            assert_eq!(code(text).to_string(), text);
        }
        // Africa is not Afghanistan, and the Middle East is not Montenegro.
        for (grouping, country) in [("GEO-AF", "AF"), ("GEO-ME", "ME"), ("GEO-SA", "SA")] {
            assert_ne!(code(grouping), code(country));
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let all = "GEO-AF, GEO-AN, GEO-AP, GEO-AS, GEO-EU, GEO-ME, GEO-NA, GEO-SA";
        for (text, expected) in [
            ("world", "perhaps \"WORLD\" is meant".to_owned()),
            ("geo-eu", "perhaps \"GEO-EU\" is meant".to_owned()),
            ("EU", "perhaps \"GEO-EU\" is meant".to_owned()),
            ("ap", "perhaps \"GEO-AP\" is meant".to_owned()),
            ("GEO-OC", format!("no grouping has the code \"GEO-OC\", there are {all}")),
            ("UK", "no country has the code \"UK\", perhaps \"GB\" is meant".to_owned()),
            ("us-wa", "codes are in capitals: \"US-WA\"".to_owned()),
            ("*", String::new()),
        ] {
            assert_eq!(text.parse::<GeoCode>().unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn codes_contain_what_lies_in_them() {
        for (wide, narrow, expected) in [
            ("WORLD", "unknown", true),
            ("WORLD", "US-WA", true),
            ("GEO-NA", "US-WA", true),
            ("GEO-NA", "US", true),
            ("GEO-EU", "US", false),
            ("GEO-EU", "unknown", false),
            ("US", "US-WA", true),
            ("US", "US", true),
            ("US", "CA", false),
            ("US", "unknown", false),
            ("US-WA", "US-WA", true),
            ("US-WA", "US-OR", false),
            ("US-WA", "US", false),
            ("US-WA", "AU-WA", false),
            ("FR", "RE", false),
            ("GEO-AF", "RE", true),
            ("GEO-AF", "EH", true),
            ("GEO-EU", "XK", true),
        ] {
            assert_eq!(code(wide).contains(region(narrow)), expected, "{wide} {narrow}");
        }
    }

    #[test]
    fn a_chain_goes_from_the_narrowest_to_the_world() {
        for (narrow, expected) in [
            ("US-WA", "US-WA US GEO-NA WORLD"),
            ("DE", "DE GEO-EU WORLD"),
            ("AQ", "AQ GEO-AN WORLD"),
            ("unknown", "WORLD"),
        ] {
            let chain: Vec<String> =
                GeoCode::chain(region(narrow)).map(|it| it.to_string()).collect();
            assert_eq!(chain.join(" "), expected);
        }
    }

    /// Of all codes there are, those in a region's chain contain it and no others, each narrower than the next.
    #[test]
    fn a_chain_is_what_contains() {
        let divided = ["US-WA", "US-OR", "AU-WA", "DE-BY"].map(|it| region(it).unwrap());
        let regions: Vec<Region> = Country::all().map(Region::from).chain(divided).collect();
        let all: Vec<GeoCode> = regions.iter().copied().map(GeoCode::from).collect();
        let groupings = Grouping::ALL.map(GeoCode::Grouping);
        for region in regions.into_iter().map(Some).chain([None]) {
            let mut containing: Vec<GeoCode> =
                all.iter().chain(&groupings).chain(&[GeoCode::World]).copied().collect();
            containing.retain(|it| it.contains(region));
            containing.sort_by_key(|it| std::cmp::Reverse(it.narrowness()));
            let chain: Vec<GeoCode> = GeoCode::chain(region).collect();
            assert_eq!(chain, containing, "{region:?}");
            assert!(chain.is_sorted_by(|a, b| a.narrowness() > b.narrowness()));
        }
    }
}
