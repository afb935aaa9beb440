use std::fmt;
use std::str::FromStr;

use super::Country;

/// A country, or one of its subdivisions: where a site is, or a client's network. Six octets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region {
    country: Country,
    /// Padded with zeros at the end; all zeros for the country as a whole.
    subdivision: [u8; 3],
}

/// Why a text is no [`Region`]. The messages say what is wrong; what to write instead is said by who asked for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegionError {
    /// It has not the form of a code.
    #[error("")]
    Form,
    /// It is a code but for its case.
    #[error("codes are in capitals: \"{0}\"")]
    Case(String),
    /// ISO 3166-1 has no such country, but another may be meant.
    #[error("no country has the code \"{0}\", perhaps \"{1}\" is meant")]
    Mistaken(String, String),
    /// ISO 3166-1 has no such country.
    #[error("no country has the code \"{0}\"")]
    Country(String),
    /// ISO 3166-2 has no such subdivision of a country whose subdivisions are all known here.
    #[error("{0} has no subdivision \"{1}\", perhaps \"{2}\" is meant")]
    Subdivision(&'static str, String, String),
}

impl Region {
    /// The country, or that of the subdivision.
    pub const fn country(self) -> Country {
        self.country
    }

    /// The country without its subdivision.
    pub const fn whole_country(self) -> Self {
        Self { subdivision: [0; 3], ..self }
    }

    /// Whether it is a subdivision of a country.
    pub const fn is_subdivision(self) -> bool {
        self.subdivision[0] != 0
    }
}

impl From<Country> for Region {
    fn from(country: Country) -> Self {
        Self { country, subdivision: [0; 3] }
    }
}

impl FromStr for Region {
    type Err = RegionError;

    /// Reads an ISO 3166-1 alpha-2 code such as `US`, or an ISO 3166-2 code such as `US-WA`, in capitals.
    ///
    /// The country must exist. The subdivision must have the form of one: up to three letters and digits. Only those of
    /// Australia, Canada and the United States are compared with the list, because others change every year and
    /// databases of addresses follow at different times.
    fn from_str(text: &str) -> Result<Self, RegionError> {
        let capitals = text.to_ascii_uppercase();
        if text != capitals && Self::from_str(&capitals).is_ok() {
            return Err(RegionError::Case(capitals));
        }
        let (country, subdivision) = match text.split_once('-') {
            Some((country, subdivision)) => (country, Some(subdivision)),
            None => (text, None),
        };
        let country = Country::find(country).ok_or_else(|| no_country(country, subdivision))?;
        match subdivision {
            None => Ok(country.into()),
            Some(code) => Ok(Self { country, subdivision: self::subdivision(country, code)? }),
        }
    }
}

fn no_country(code: &str, subdivision: Option<&str>) -> RegionError {
    let formed = code.len() == 2 && code.bytes().all(|it| it.is_ascii_uppercase());
    match Country::meant_by(code) {
        Some(meant) => {
            let rest = subdivision.map(|it| format!("-{it}")).unwrap_or_default();
            RegionError::Mistaken(code.to_owned(), format!("{meant}{rest}"))
        }
        None if formed => RegionError::Country(code.to_owned()),
        None => RegionError::Form,
    }
}

fn subdivision(country: Country, code: &str) -> Result<[u8; 3], RegionError> {
    let allowed = |it: u8| it.is_ascii_uppercase() || it.is_ascii_digit();
    if !(1..=3).contains(&code.len()) || !code.bytes().all(allowed) {
        return Err(RegionError::Form);
    }
    if let Some((_, known)) = SUBDIVISIONS.iter().find(|it| it.0 == country.code())
        && !known.contains(&code)
    {
        let near = known.iter().min_by_key(|it| strsim::osa_distance(code, it));
        let near = near.map(|it| format!("{country}-{it}")).unwrap_or_default();
        return Err(RegionError::Subdivision(country.name(), code.to_owned(), near));
    }
    let mut padded = [0; 3];
    padded.iter_mut().zip(code.bytes()).for_each(|(to, from)| *to = from);
    Ok(padded)
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subdivision = str::from_utf8(&self.subdivision).unwrap_or_default();
        match subdivision.trim_end_matches('\0') {
            "" => write!(f, "{}", self.country),
            subdivision => write!(f, "{}-{subdivision}", self.country),
        }
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({self})")
    }
}

/// ISO 3166-2's subdivisions of the countries that Azure Traffic Manager divides too; they are stable.
static SUBDIVISIONS: [(&str, &[&str]); 3] = [
    ("AU", &["ACT", "NSW", "NT", "QLD", "SA", "TAS", "VIC", "WA"]),
    ("CA", &["AB", "BC", "MB", "NB", "NL", "NS", "NT", "NU", "ON", "PE", "QC", "SK", "YT"]),
    (
        "US",
        &[
            "AK", "AL", "AR", "AS", "AZ", "CA", "CO", "CT", "DC", "DE", "FL", "GA", "GU", "HI",
            "IA", "ID", "IL", "IN", "KS", "KY", "LA", "MA", "MD", "ME", "MI", "MN", "MO", "MP",
            "MS", "MT", "NC", "ND", "NE", "NH", "NJ", "NM", "NV", "NY", "OH", "OK", "OR", "PA",
            "PR", "RI", "SC", "SD", "TN", "TX", "UM", "UT", "VA", "VI", "VT", "WA", "WI", "WV",
            "WY",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_written_as_they_are_read() {
        for text in ["US", "US-WA", "DE-BY", "AT-9", "AU-NSW", "FR-75C", "NO-39", "GB-ENG", "XK"] {
            assert_eq!(text.parse::<Region>().unwrap().to_string(), text);
        }
        for country in Country::all() {
            let region: Region = country.code().parse().unwrap();
            assert_eq!((region.to_string().as_str(), region.country()), (country.code(), country));
            assert_eq!(region, Region::from(country));
        }
        assert_eq!(size_of::<Option<Region>>(), 6);
    }

    #[test]
    fn a_subdivision_knows_its_country() {
        let region = |text: &str| text.parse::<Region>().unwrap();
        assert_eq!(region("US-WA").whole_country(), region("US"));
        assert_eq!(region("US").whole_country(), region("US"));
        assert!(region("AT-9").is_subdivision());
        assert!(!region("AT").is_subdivision());
        assert_ne!(region("AU-WA"), region("US-WA"));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, expected) in [
            ("", ""),
            ("U", ""),
            ("USAA", ""),
            ("U1", ""),
            ("US-", ""),
            ("US-WA-X", ""),
            ("US_WA", ""),
            ("DE-ABCD", ""),
            ("DE-Ä", ""),
            ("Ä", ""),
            ("us-wa", "codes are in capitals: \"US-WA\""),
            ("De", "codes are in capitals: \"DE\""),
            ("QQ", "no country has the code \"QQ\""),
            ("UK", "no country has the code \"UK\", perhaps \"GB\" is meant"),
            ("UK-ENG", "no country has the code \"UK\", perhaps \"GB-ENG\" is meant"),
            ("Germany", "no country has the code \"Germany\", perhaps \"DE\" is meant"),
            ("US-WS", "United States has no subdivision \"WS\", perhaps \"US-AS\" is meant"),
            ("CA-QU", "Canada has no subdivision \"QU\", perhaps \"CA-NU\" is meant"),
            ("AU-NSV", "Australia has no subdivision \"NSV\", perhaps \"AU-NSW\" is meant"),
        ] {
            assert_eq!(text.parse::<Region>().unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn lists_of_subdivisions_are_sorted_and_whole() {
        let counts = SUBDIVISIONS.map(|(country, known)| {
            assert!(known.is_sorted_by(|a, b| a < b), "{country}");
            (country, known.len())
        });
        assert_eq!(counts, [("AU", 8), ("CA", 13), ("US", 57)]);
    }
}
