//! Which endpoints serve a region, by their codes: the narrowest first, then those of ever wider parts of the world, so
//! that who looks for one in service can climb.

use std::iter;

use crate::model::{GeoCode, Region};

/// The codes of a profile's endpoints, in an order for looking them up. Made once for a snapshot; a look-up neither
/// allocates nor walks over the endpoints.
#[derive(Debug)]
pub(super) struct Territories(Box<[(GeoCode, usize)]>);

impl Territories {
    /// Takes the codes of each endpoint, in the profile's order. A code belongs to one endpoint; should two have it, the
    /// first gets it.
    pub(super) fn new<'a>(endpoints: impl IntoIterator<Item = &'a [GeoCode]>) -> Self {
        let codes = endpoints.into_iter().enumerate();
        let mut codes: Vec<(GeoCode, usize)> =
            codes.flat_map(|(index, codes)| codes.iter().map(move |it| (*it, index))).collect();
        codes.sort_unstable();
        codes.dedup_by_key(|it| it.0);
        Self(codes.into())
    }

    /// The endpoints that serve clients of this region, each once and by its narrowest code: from the narrowest to the
    /// widest, at most four. They are numbers in the profile's order, with the code that matched.
    pub(super) fn serving(&self, region: Option<Region>) -> impl Iterator<Item = (usize, GeoCode)> {
        let mut chain = GeoCode::chain(region);
        let mut met = [None; 4];
        iter::from_fn(move || {
            loop {
                let code = chain.next()?;
                let Some(index) = self.owner(code) else { continue };
                // Four places are enough for a chain.
                if met.contains(&Some(index)) {
                    continue;
                }
                if let Some(free) = met.iter_mut().find(|it| it.is_none()) {
                    *free = Some(index);
                }
                return Some((index, code));
            }
        })
    }

    /// Whether it matters where a client is.
    pub(super) fn tell_clients_apart(&self) -> bool {
        self.0.iter().any(|it| it.0 != GeoCode::World)
    }

    fn owner(&self, code: GeoCode) -> Option<usize> {
        let at = self.0.binary_search_by_key(&code, |it| it.0).ok()?;
        self.0.get(at).map(|it| it.1)
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use super::*;
    use crate::model::{Country, Grouping};
    use proptest::prelude::*;

    fn territories(endpoints: &[&str]) -> Territories {
        let codes = |text: &&str| text.split_whitespace().map(|it| it.parse().unwrap()).collect();
        let codes: Vec<Vec<GeoCode>> = endpoints.iter().map(codes).collect();
        Territories::new(codes.iter().map(Vec::as_slice))
    }

    fn serving(endpoints: &[&str], region: &str) -> String {
        let region = (region != "unknown").then(|| region.parse().unwrap());
        let shown = |(index, code): (usize, GeoCode)| format!("{index}:{code}");
        let all: Vec<String> = territories(endpoints).serving(region).map(shown).collect();
        all.join(" ")
    }

    #[test]
    fn the_narrowest_comes_first() {
        let endpoints = ["WORLD", "GEO-EU GEO-NA", "US DE", "US-WA US-OR", ""];
        for (region, expected) in [
            ("US-WA", "3:US-WA 2:US 1:GEO-NA 0:WORLD"),
            ("US-CA", "2:US 1:GEO-NA 0:WORLD"),
            ("US", "2:US 1:GEO-NA 0:WORLD"),
            ("CA-QC", "1:GEO-NA 0:WORLD"),
            ("DE-BY", "2:DE 1:GEO-EU 0:WORLD"),
            ("AQ", "0:WORLD"),
            ("unknown", "0:WORLD"),
        ] {
            assert_eq!(serving(&endpoints, region), expected, "{region}");
        }
    }

    #[test]
    fn an_endpoint_comes_once_and_by_its_narrowest_code() {
        assert_eq!(serving(&["WORLD US US-WA", "GEO-NA"], "US-WA"), "0:US-WA 1:GEO-NA");
        assert_eq!(serving(&["US-WA", "WORLD GEO-NA US"], "US-WA"), "0:US-WA 1:US");
    }

    #[test]
    fn without_a_match_there_is_none() {
        assert_eq!(serving(&["US", "GEO-EU"], "FR-IDF"), "1:GEO-EU");
        assert_eq!(serving(&["US", "GEO-EU"], "JP"), "");
        assert_eq!(serving(&["US", "GEO-EU"], "unknown"), "");
        assert_eq!(serving(&[], "US"), "");
    }

    /// Few countries and subdivisions of a few groupings, so that codes often meet.
    fn region() -> impl Strategy<Value = Region> {
        let divided = ["US-WA", "US-OR", "US-TX", "DE-BY", "DE-BE", "AU-WA", "BR-SP"];
        let few: Vec<Region> = Country::all()
            .filter(|it| "US CA MX DE FR BR AU".contains(it.code()))
            .map(Region::from)
            .chain(divided.iter().map(|it| it.parse().unwrap()))
            .collect();
        prop::sample::select(few)
    }

    fn code() -> impl Strategy<Value = GeoCode> {
        prop_oneof![
            1 => Just(GeoCode::World),
            3 => prop::sample::select(Grouping::ALL.to_vec()).prop_map(GeoCode::Grouping),
            8 => region().prop_map(GeoCode::Region),
        ]
    }

    /// Every endpoint by the narrowest of its codes that contains the region.
    fn naive(endpoints: &[Vec<GeoCode>], region: Option<Region>) -> Vec<(usize, GeoCode)> {
        let mut all: Vec<(usize, GeoCode)> = Vec::new();
        for (index, codes) in endpoints.iter().enumerate() {
            let fitting = codes.iter().filter(|it| it.contains(region));
            let narrowest = fitting.max_by_key(|it| it.narrowness());
            all.extend(narrowest.map(|it| (index, *it)));
        }
        all.sort_by_key(|it| Reverse(it.1.narrowness()));
        all
    }

    proptest! {
        #[test]
        fn a_look_up_finds_what_a_scan_finds(
            codes in prop::collection::hash_map(code(), 0_usize..6, 0..20),
            region in prop::option::of(region()),
        ) {
            let mut endpoints = vec![Vec::new(); 6];
            for (code, endpoint) in codes {
                endpoints[endpoint].push(code);
            }
            let territories = Territories::new(endpoints.iter().map(Vec::as_slice));
            let found: Vec<_> = territories.serving(region).collect();
            prop_assert_eq!(found, naive(&endpoints, region));
        }
    }
}
