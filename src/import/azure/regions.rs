//! Where Azure's regions are, for `performance` to measure distances from.

/// A region: its name, degrees north and east, and its country or subdivision.
pub(super) struct AzureRegion {
    pub(super) name: &'static str,
    pub(super) place: (f64, f64),
    pub(super) region: &'static str,
}

/// The region that is meant by a name such as `northeurope`, or `North Europe` as people see it.
pub(super) fn find(text: &str) -> Option<AzureRegion> {
    let name: String =
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let (name, north, east, region) = REGIONS.iter().find(|it| it.0 == name)?;
    Some(AzureRegion { name, place: (*north, *east), region })
}

/// The public cloud's regions by name, as near as a city is: a tenth of a degree is some 10 km.
static REGIONS: [(&str, f64, f64, &str); 64] = [
    ("australiacentral", -35.3, 149.1, "AU-ACT"),
    ("australiacentral2", -35.3, 149.1, "AU-ACT"),
    ("australiaeast", -33.9, 151.2, "AU-NSW"),
    ("australiasoutheast", -37.8, 145.0, "AU-VIC"),
    ("austriaeast", 48.2, 16.4, "AT"),
    ("belgiumcentral", 50.8, 4.4, "BE"),
    ("brazilsouth", -23.6, -46.6, "BR"),
    ("brazilsoutheast", -22.9, -43.2, "BR"),
    ("canadacentral", 43.7, -79.4, "CA-ON"),
    ("canadaeast", 46.8, -71.2, "CA-QC"),
    ("centralindia", 18.6, 73.9, "IN"),
    ("centralus", 41.6, -93.6, "US-IA"),
    ("chilecentral", -33.4, -70.7, "CL"),
    ("chinaeast", 31.2, 121.5, "CN"),
    ("chinaeast2", 31.2, 121.5, "CN"),
    ("chinanorth", 39.9, 116.4, "CN"),
    ("chinanorth2", 39.9, 116.4, "CN"),
    ("eastasia", 22.3, 114.2, "HK"),
    ("eastus", 37.4, -79.8, "US-VA"),
    ("eastus2", 36.7, -78.4, "US-VA"),
    ("francecentral", 48.9, 2.4, "FR"),
    ("francesouth", 43.3, 5.4, "FR"),
    ("germanynorth", 53.1, 8.8, "DE"),
    ("germanywestcentral", 50.1, 8.7, "DE"),
    ("indonesiacentral", -6.2, 106.8, "ID"),
    ("israelcentral", 31.3, 34.8, "IL"),
    ("italynorth", 45.5, 9.2, "IT"),
    ("japaneast", 35.7, 139.8, "JP"),
    ("japanwest", 34.7, 135.5, "JP"),
    ("jioindiacentral", 21.1, 79.1, "IN"),
    ("jioindiawest", 22.5, 70.1, "IN"),
    ("koreacentral", 37.6, 127.0, "KR"),
    ("koreasouth", 35.2, 129.1, "KR"),
    ("malaysiawest", 3.1, 101.7, "MY"),
    ("mexicocentral", 20.6, -100.4, "MX"),
    ("newzealandnorth", -36.8, 174.8, "NZ"),
    ("northcentralus", 41.9, -87.6, "US-IL"),
    ("northeurope", 53.3, -6.3, "IE"),
    ("norwayeast", 59.9, 10.8, "NO"),
    ("norwaywest", 59.0, 5.7, "NO"),
    ("polandcentral", 52.2, 21.0, "PL"),
    ("qatarcentral", 25.6, 51.4, "QA"),
    ("southafricanorth", -25.7, 28.2, "ZA"),
    ("southafricawest", -34.1, 18.8, "ZA"),
    ("southcentralus", 29.4, -98.5, "US-TX"),
    ("southeastasia", 1.3, 103.8, "SG"),
    ("southindia", 13.0, 80.2, "IN"),
    ("spaincentral", 40.4, -3.7, "ES"),
    ("swedencentral", 60.7, 17.1, "SE"),
    ("swedensouth", 55.6, 13.0, "SE"),
    ("switzerlandnorth", 47.5, 8.6, "CH"),
    ("switzerlandwest", 46.2, 6.1, "CH"),
    ("uaecentral", 24.5, 54.4, "AE"),
    ("uaenorth", 25.3, 55.3, "AE"),
    ("uksouth", 51.5, -0.1, "GB"),
    ("ukwest", 51.5, -3.2, "GB"),
    ("usgovtexas", 29.4, -98.5, "US-TX"),
    ("usgovvirginia", 37.4, -78.7, "US-VA"),
    ("westcentralus", 40.9, -110.2, "US-WY"),
    ("westeurope", 52.4, 4.9, "NL"),
    ("westindia", 19.1, 72.9, "IN"),
    ("westus", 37.8, -122.4, "US-CA"),
    ("westus2", 47.2, -119.9, "US-WA"),
    ("westus3", 33.4, -112.1, "US-AZ"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Ident, Region};

    #[test]
    fn regions_are_found_by_both_their_names() {
        for text in ["North Europe", "northeurope", "NorthEurope", "(Europe) North Europe"] {
            let found = find(text.trim_start_matches("(Europe) ")).unwrap();
            assert_eq!((found.name, found.region), ("northeurope", "IE"), "{text}");
        }
        assert!(find("Atlantis").is_none());
        assert!(find("").is_none());
    }

    #[test]
    fn every_region_is_one_of_farols() {
        assert!(REGIONS.is_sorted_by_key(|it| it.0));
        for (name, north, east, region) in REGIONS {
            assert!(name.parse::<Ident>().is_ok() && region.parse::<Region>().is_ok(), "{name}");
            assert!(north.abs() <= 90.0 && east.abs() <= 180.0, "{name}");
        }
    }
}
