use std::fmt;
use std::str::FromStr;

/// An ISO 3166-1 country such as `US`, or an ISO 3166-2 subdivision of one such as `US-WA`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Region {
    country: [u8; 2],
    /// Filled up with zeros; all zero for a whole country.
    subdivision: [u8; 3],
}

/// A text that is no [`Region`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write an ISO 3166 code such as \"US\" or \"US-WA\"")]
pub struct RegionError;

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, RegionError> {
        let (country, code) = text.split_once('-').map_or((text, None), |(a, b)| (a, Some(b)));
        let country: [u8; 2] = country.as_bytes().try_into().map_err(|_| RegionError)?;
        let mut subdivision = [0; 3];
        if let Some(code) = code {
            let place = subdivision.get_mut(..code.len()).filter(|it| !it.is_empty());
            place.ok_or(RegionError)?.copy_from_slice(code.as_bytes());
        }
        let is_code = |it: &u8| it.is_ascii_uppercase() || it.is_ascii_digit();
        let fits = country.iter().all(u8::is_ascii_uppercase)
            && subdivision.iter().filter(|it| **it != 0).all(is_code);
        if fits { Ok(Self { country, subdivision }) } else { Err(RegionError) }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b] = self.country.map(char::from);
        write!(f, "{a}{b}")?;
        let code = self.subdivision.iter().filter(|it| **it != 0);
        code.enumerate().try_for_each(|(index, it)| {
            let dash = if index == 0 { "-" } else { "" };
            write!(f, "{dash}{}", char::from(*it))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_a_country_or_its_subdivision() {
        for text in ["US", "US-WA", "FR-75C", "RU-AL", "DE-BY", "JP-13"] {
            assert_eq!(text.parse::<Region>().unwrap().to_string(), text);
        }
        for text in ["", "us", "USA", "US-", "US-ABCD", "US-wa", "1A", "ÄÖ", "U\0"] {
            assert_eq!(text.parse::<Region>(), Err(RegionError), "{text}");
        }
    }
}
