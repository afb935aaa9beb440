//! The countries of ISO 3166-1, and which grouping each lies in.

use std::fmt;

use super::Grouping::{
    self, Africa, Antarctica, Asia, AustraliaPacific, Europe, MiddleEast, NorthAmerica,
    SouthAmerica,
};

/// A country, territory or area with a code of its own in ISO 3166-1, or Kosovo. It carries its grouping, so that no
/// query has to look it up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country {
    code: [u8; 2],
    grouping: Grouping,
}

impl Country {
    /// Every country by code: the 249 of ISO 3166-1 and `XK`.
    pub fn all() -> impl Iterator<Item = Self> {
        COUNTRIES.iter().filter_map(|(code, ..)| Self::find(code))
    }

    /// The country with this alpha-2 code, in capitals.
    pub(super) fn find(code: &str) -> Option<Self> {
        let at = COUNTRIES.binary_search_by_key(&code, |it| it.0).ok()?;
        let grouping = COUNTRIES.get(at)?.1;
        Some(Self { code: code.as_bytes().try_into().ok()?, grouping })
    }

    /// The code of the country that someone may mean by a text that is no code.
    pub(super) fn meant_by(text: &str) -> Option<&'static str> {
        if let Some((_, code)) = OFTEN_MEANT.iter().find(|it| it.0 == text) {
            return Some(code);
        }
        let (code, ..) = COUNTRIES.iter().find(|(.., name)| name.eq_ignore_ascii_case(text))?;
        Some(code)
    }

    /// Two capital letters.
    pub fn code(&self) -> &str {
        // The letters come from the table.
        str::from_utf8(&self.code).unwrap_or_default()
    }

    /// The short English name.
    pub fn name(self) -> &'static str {
        let at = COUNTRIES.binary_search_by_key(&self.code(), |it| it.0).ok();
        at.and_then(|it| COUNTRIES.get(it)).map_or("", |it| it.2)
    }

    /// The one grouping that it lies in.
    pub const fn grouping(self) -> Grouping {
        self.grouping
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Country({self})")
    }
}

/// Texts that are written in place of codes, and Azure's own codes.
const OFTEN_MEANT: [(&str, &str); 7] = [
    ("EL", "GR"),
    ("EN", "GB"),
    ("UK", "GB"),
    ("USA", "US"),
    ("XE", "BQ"),
    ("XJ", "SJ"),
    ("XS", "BQ"),
];

/// ISO 3166-1 as of 2026 by code, with groupings as Azure Traffic Manager has them. Its list lacks `EH`, which lies in
/// Africa here, and splits `SJ` and `BQ` into codes of its own (XJ, XE, XS), which are no codes here. Kosovo has no code
/// in ISO 3166-1; `XK` is what geographic databases, the European Union and Azure use.
static COUNTRIES: [(&str, Grouping, &str); 250] = [
    ("AD", Europe, "Andorra"),
    ("AE", MiddleEast, "United Arab Emirates"),
    ("AF", Asia, "Afghanistan"),
    ("AG", NorthAmerica, "Antigua and Barbuda"),
    ("AI", NorthAmerica, "Anguilla"),
    ("AL", Europe, "Albania"),
    ("AM", Asia, "Armenia"),
    ("AO", Africa, "Angola"),
    ("AQ", Antarctica, "Antarctica"),
    ("AR", SouthAmerica, "Argentina"),
    ("AS", AustraliaPacific, "American Samoa"),
    ("AT", Europe, "Austria"),
    ("AU", AustraliaPacific, "Australia"),
    ("AW", NorthAmerica, "Aruba"),
    ("AX", Europe, "Åland Islands"),
    ("AZ", Asia, "Azerbaijan"),
    ("BA", Europe, "Bosnia and Herzegovina"),
    ("BB", NorthAmerica, "Barbados"),
    ("BD", Asia, "Bangladesh"),
    ("BE", Europe, "Belgium"),
    ("BF", Africa, "Burkina Faso"),
    ("BG", Europe, "Bulgaria"),
    ("BH", MiddleEast, "Bahrain"),
    ("BI", Africa, "Burundi"),
    ("BJ", Africa, "Benin"),
    ("BL", NorthAmerica, "Saint Barthélemy"),
    ("BM", NorthAmerica, "Bermuda"),
    ("BN", Asia, "Brunei"),
    ("BO", SouthAmerica, "Bolivia"),
    ("BQ", NorthAmerica, "Bonaire, Sint Eustatius and Saba"),
    ("BR", SouthAmerica, "Brazil"),
    ("BS", NorthAmerica, "Bahamas"),
    ("BT", Asia, "Bhutan"),
    ("BV", Africa, "Bouvet Island"),
    ("BW", Africa, "Botswana"),
    ("BY", Europe, "Belarus"),
    ("BZ", NorthAmerica, "Belize"),
    ("CA", NorthAmerica, "Canada"),
    ("CC", Asia, "Cocos (Keeling) Islands"),
    ("CD", Africa, "Congo (Democratic Republic)"),
    ("CF", Africa, "Central African Republic"),
    ("CG", Africa, "Congo (Republic)"),
    ("CH", Europe, "Switzerland"),
    ("CI", Africa, "Côte d'Ivoire"),
    ("CK", AustraliaPacific, "Cook Islands"),
    ("CL", SouthAmerica, "Chile"),
    ("CM", Africa, "Cameroon"),
    ("CN", Asia, "China"),
    ("CO", SouthAmerica, "Colombia"),
    ("CR", NorthAmerica, "Costa Rica"),
    ("CU", NorthAmerica, "Cuba"),
    ("CV", Africa, "Cabo Verde"),
    ("CW", NorthAmerica, "Curaçao"),
    ("CX", Asia, "Christmas Island"),
    ("CY", Europe, "Cyprus"),
    ("CZ", Europe, "Czechia"),
    ("DE", Europe, "Germany"),
    ("DJ", Africa, "Djibouti"),
    ("DK", Europe, "Denmark"),
    ("DM", NorthAmerica, "Dominica"),
    ("DO", NorthAmerica, "Dominican Republic"),
    ("DZ", Africa, "Algeria"),
    ("EC", SouthAmerica, "Ecuador"),
    ("EE", Europe, "Estonia"),
    ("EG", Africa, "Egypt"),
    ("EH", Africa, "Western Sahara"),
    ("ER", Africa, "Eritrea"),
    ("ES", Europe, "Spain"),
    ("ET", Africa, "Ethiopia"),
    ("FI", Europe, "Finland"),
    ("FJ", AustraliaPacific, "Fiji"),
    ("FK", SouthAmerica, "Falkland Islands"),
    ("FM", AustraliaPacific, "Micronesia"),
    ("FO", Europe, "Faroe Islands"),
    ("FR", Europe, "France"),
    ("GA", Africa, "Gabon"),
    ("GB", Europe, "United Kingdom"),
    ("GD", NorthAmerica, "Grenada"),
    ("GE", Asia, "Georgia"),
    ("GF", SouthAmerica, "French Guiana"),
    ("GG", Europe, "Guernsey"),
    ("GH", Africa, "Ghana"),
    ("GI", Europe, "Gibraltar"),
    ("GL", NorthAmerica, "Greenland"),
    ("GM", Africa, "Gambia"),
    ("GN", Africa, "Guinea"),
    ("GP", NorthAmerica, "Guadeloupe"),
    ("GQ", Africa, "Equatorial Guinea"),
    ("GR", Europe, "Greece"),
    ("GS", SouthAmerica, "South Georgia and the South Sandwich Islands"),
    ("GT", NorthAmerica, "Guatemala"),
    ("GU", AustraliaPacific, "Guam"),
    ("GW", Africa, "Guinea-Bissau"),
    ("GY", SouthAmerica, "Guyana"),
    ("HK", Asia, "Hong Kong"),
    ("HM", AustraliaPacific, "Heard Island and McDonald Islands"),
    ("HN", NorthAmerica, "Honduras"),
    ("HR", Europe, "Croatia"),
    ("HT", NorthAmerica, "Haiti"),
    ("HU", Europe, "Hungary"),
    ("ID", Asia, "Indonesia"),
    ("IE", Europe, "Ireland"),
    ("IL", MiddleEast, "Israel"),
    ("IM", Europe, "Isle of Man"),
    ("IN", Asia, "India"),
    ("IO", Asia, "British Indian Ocean Territory"),
    ("IQ", MiddleEast, "Iraq"),
    ("IR", MiddleEast, "Iran"),
    ("IS", Europe, "Iceland"),
    ("IT", Europe, "Italy"),
    ("JE", Europe, "Jersey"),
    ("JM", NorthAmerica, "Jamaica"),
    ("JO", MiddleEast, "Jordan"),
    ("JP", Asia, "Japan"),
    ("KE", Africa, "Kenya"),
    ("KG", Asia, "Kyrgyzstan"),
    ("KH", Asia, "Cambodia"),
    ("KI", AustraliaPacific, "Kiribati"),
    ("KM", Africa, "Comoros"),
    ("KN", NorthAmerica, "Saint Kitts and Nevis"),
    ("KP", Asia, "North Korea"),
    ("KR", Asia, "South Korea"),
    ("KW", MiddleEast, "Kuwait"),
    ("KY", NorthAmerica, "Cayman Islands"),
    ("KZ", Asia, "Kazakhstan"),
    ("LA", Asia, "Laos"),
    ("LB", MiddleEast, "Lebanon"),
    ("LC", NorthAmerica, "Saint Lucia"),
    ("LI", Europe, "Liechtenstein"),
    ("LK", Asia, "Sri Lanka"),
    ("LR", Africa, "Liberia"),
    ("LS", Africa, "Lesotho"),
    ("LT", Europe, "Lithuania"),
    ("LU", Europe, "Luxembourg"),
    ("LV", Europe, "Latvia"),
    ("LY", Africa, "Libya"),
    ("MA", Africa, "Morocco"),
    ("MC", Europe, "Monaco"),
    ("MD", Europe, "Moldova"),
    ("ME", Europe, "Montenegro"),
    ("MF", NorthAmerica, "Saint Martin (French part)"),
    ("MG", Africa, "Madagascar"),
    ("MH", AustraliaPacific, "Marshall Islands"),
    ("MK", Europe, "North Macedonia"),
    ("ML", Africa, "Mali"),
    ("MM", Asia, "Myanmar"),
    ("MN", Asia, "Mongolia"),
    ("MO", Asia, "Macao"),
    ("MP", AustraliaPacific, "Northern Mariana Islands"),
    ("MQ", NorthAmerica, "Martinique"),
    ("MR", Africa, "Mauritania"),
    ("MS", NorthAmerica, "Montserrat"),
    ("MT", Europe, "Malta"),
    ("MU", Africa, "Mauritius"),
    ("MV", Asia, "Maldives"),
    ("MW", Africa, "Malawi"),
    ("MX", NorthAmerica, "Mexico"),
    ("MY", Asia, "Malaysia"),
    ("MZ", Africa, "Mozambique"),
    ("NA", Africa, "Namibia"),
    ("NC", AustraliaPacific, "New Caledonia"),
    ("NE", Africa, "Niger"),
    ("NF", AustraliaPacific, "Norfolk Island"),
    ("NG", Africa, "Nigeria"),
    ("NI", NorthAmerica, "Nicaragua"),
    ("NL", Europe, "Netherlands"),
    ("NO", Europe, "Norway"),
    ("NP", Asia, "Nepal"),
    ("NR", AustraliaPacific, "Nauru"),
    ("NU", AustraliaPacific, "Niue"),
    ("NZ", AustraliaPacific, "New Zealand"),
    ("OM", MiddleEast, "Oman"),
    ("PA", NorthAmerica, "Panama"),
    ("PE", SouthAmerica, "Peru"),
    ("PF", AustraliaPacific, "French Polynesia"),
    ("PG", AustraliaPacific, "Papua New Guinea"),
    ("PH", Asia, "Philippines"),
    ("PK", Asia, "Pakistan"),
    ("PL", Europe, "Poland"),
    ("PM", NorthAmerica, "Saint Pierre and Miquelon"),
    ("PN", AustraliaPacific, "Pitcairn"),
    ("PR", NorthAmerica, "Puerto Rico"),
    ("PS", MiddleEast, "Palestine"),
    ("PT", Europe, "Portugal"),
    ("PW", AustraliaPacific, "Palau"),
    ("PY", SouthAmerica, "Paraguay"),
    ("QA", MiddleEast, "Qatar"),
    ("RE", Africa, "Réunion"),
    ("RO", Europe, "Romania"),
    ("RS", Europe, "Serbia"),
    ("RU", Europe, "Russia"),
    ("RW", Africa, "Rwanda"),
    ("SA", MiddleEast, "Saudi Arabia"),
    ("SB", AustraliaPacific, "Solomon Islands"),
    ("SC", Africa, "Seychelles"),
    ("SD", Africa, "Sudan"),
    ("SE", Europe, "Sweden"),
    ("SG", Asia, "Singapore"),
    ("SH", Africa, "Saint Helena, Ascension and Tristan da Cunha"),
    ("SI", Europe, "Slovenia"),
    ("SJ", Europe, "Svalbard and Jan Mayen"),
    ("SK", Europe, "Slovakia"),
    ("SL", Africa, "Sierra Leone"),
    ("SM", Europe, "San Marino"),
    ("SN", Africa, "Senegal"),
    ("SO", Africa, "Somalia"),
    ("SR", SouthAmerica, "Suriname"),
    ("SS", Africa, "South Sudan"),
    ("ST", Africa, "Sao Tome and Principe"),
    ("SV", NorthAmerica, "El Salvador"),
    ("SX", NorthAmerica, "Sint Maarten (Dutch part)"),
    ("SY", MiddleEast, "Syria"),
    ("SZ", Africa, "Eswatini"),
    ("TC", NorthAmerica, "Turks and Caicos Islands"),
    ("TD", Africa, "Chad"),
    ("TF", Africa, "French Southern Territories"),
    ("TG", Africa, "Togo"),
    ("TH", Asia, "Thailand"),
    ("TJ", Asia, "Tajikistan"),
    ("TK", AustraliaPacific, "Tokelau"),
    ("TL", Asia, "Timor-Leste"),
    ("TM", Asia, "Turkmenistan"),
    ("TN", Africa, "Tunisia"),
    ("TO", AustraliaPacific, "Tonga"),
    ("TR", MiddleEast, "Türkiye"),
    ("TT", NorthAmerica, "Trinidad and Tobago"),
    ("TV", AustraliaPacific, "Tuvalu"),
    ("TW", Asia, "Taiwan"),
    ("TZ", Africa, "Tanzania"),
    ("UA", Europe, "Ukraine"),
    ("UG", Africa, "Uganda"),
    ("UM", NorthAmerica, "U.S. Minor Outlying Islands"),
    ("US", NorthAmerica, "United States"),
    ("UY", SouthAmerica, "Uruguay"),
    ("UZ", Asia, "Uzbekistan"),
    ("VA", Europe, "Vatican City"),
    ("VC", NorthAmerica, "Saint Vincent and the Grenadines"),
    ("VE", SouthAmerica, "Venezuela"),
    ("VG", NorthAmerica, "British Virgin Islands"),
    ("VI", NorthAmerica, "U.S. Virgin Islands"),
    ("VN", Asia, "Vietnam"),
    ("VU", AustraliaPacific, "Vanuatu"),
    ("WF", AustraliaPacific, "Wallis and Futuna"),
    ("WS", AustraliaPacific, "Samoa"),
    ("XK", Europe, "Kosovo"),
    ("YE", MiddleEast, "Yemen"),
    ("YT", Africa, "Mayotte"),
    ("ZA", Africa, "South Africa"),
    ("ZM", Africa, "Zambia"),
    ("ZW", Africa, "Zimbabwe"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_iso_3166_1_and_kosovo() {
        assert_eq!(COUNTRIES.iter().filter(|it| it.0 != "XK").count(), 249);
        assert!(COUNTRIES.is_sorted_by(|a, b| a.0 < b.0), "sorted, each once");
        for (code, _, name) in &COUNTRIES {
            assert!(code.len() == 2 && code.bytes().all(|it| it.is_ascii_uppercase()), "{code}");
            assert!(!name.is_empty());
        }
        assert_eq!(Country::all().count(), 250);
        for (country, (code, grouping, name)) in Country::all().zip(&COUNTRIES) {
            assert_eq!((country.code(), country.name()), (*code, *name));
            assert_eq!(country.grouping(), *grouping);
        }
    }

    /// Countries on borders between groupings, and territories far from their states.
    #[test]
    fn groupings_are_those_of_azure_traffic_manager() {
        for (grouping, codes) in [
            (Africa, "EG RE YT SH BV TF EH"),
            (Antarctica, "AQ"),
            (AustraliaPacific, "AU NZ GU AS NC PF HM MP"),
            (Asia, "GE AM AZ KZ AF IO CC CX TL"),
            (Europe, "RU CY GI IM JE GG FO SJ XK AX"),
            (MiddleEast, "TR IR IL SA YE"),
            (NorthAmerica, "US CA MX GL BM GP MQ PM PR UM BQ AW CW TT"),
            (SouthAmerica, "BR GF FK GS"),
        ] {
            for code in codes.split(' ') {
                assert_eq!(Country::find(code).unwrap().grouping(), grouping, "{code}");
            }
        }
        let count = |it| Country::all().filter(|country| country.grouping() == it).count();
        assert_eq!(Grouping::ALL.map(count), [60, 1, 26, 38, 53, 15, 42, 15]);
        assert!(Grouping::ALL.is_sorted_by_key(|it| it.code()));
    }

    #[test]
    fn what_is_meant_is_a_code() {
        for (text, code) in OFTEN_MEANT {
            assert_eq!(Country::find(text), None, "{text}");
            assert!(Country::find(code).is_some(), "{code}");
        }
        assert_eq!(Country::meant_by("germany"), Some("DE"));
        assert_eq!(Country::meant_by("UK"), Some("GB"));
        assert_eq!(Country::meant_by("QQ"), None);
    }
}
