use std::fmt;

use Grouping::{
    Africa, Antarctica, Asia, AustraliaPacific, Europe, MiddleEast, NorthAmerica, SouthAmerica,
};

/// A part of the world with countries in it: the level below the world in Azure Traffic Manager's geographic hierarchy
/// (<https://learn.microsoft.com/azure/traffic-manager/traffic-manager-geographic-regions>), with its codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grouping {
    /// `GEO-AF`: with the islands around it in both oceans.
    Africa,
    /// `GEO-AN`.
    Antarctica,
    /// `GEO-AP`: Oceania.
    AustraliaPacific,
    /// `GEO-AS`: without the Middle East; with the Caucasus.
    Asia,
    /// `GEO-EU`: with Cyprus and the whole of Russia; without Türkiye.
    Europe,
    /// `GEO-ME`: with Türkiye and Iran; without Egypt.
    MiddleEast,
    /// `GEO-NA`: with Central America, the Caribbean and Greenland.
    NorthAmerica,
    /// `GEO-SA`.
    SouthAmerica,
}

impl Grouping {
    /// All of them, by code.
    pub const ALL: [Self; 8] = [
        Africa,
        Antarctica,
        AustraliaPacific,
        Asia,
        Europe,
        MiddleEast,
        NorthAmerica,
        SouthAmerica,
    ];

    /// The code in the configuration.
    pub const fn code(self) -> &'static str {
        match self {
            Africa => "GEO-AF",
            Antarctica => "GEO-AN",
            AustraliaPacific => "GEO-AP",
            Asia => "GEO-AS",
            Europe => "GEO-EU",
            MiddleEast => "GEO-ME",
            NorthAmerica => "GEO-NA",
            SouthAmerica => "GEO-SA",
        }
    }

    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Africa => "Africa",
            Antarctica => "Antarctica",
            AustraliaPacific => "Australia / Pacific",
            Asia => "Asia",
            Europe => "Europe",
            MiddleEast => "Middle East",
            NorthAmerica => "North America / Central America / Caribbean",
            SouthAmerica => "South America",
        }
    }
}

impl fmt::Display for Grouping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Country;

    #[test]
    fn the_documented_table_is_what_holds() {
        let documented = include_str!("../../docs/BEHAVIOUR.md");
        for grouping in Grouping::ALL {
            let countries: Vec<String> = Country::all()
                .filter(|it| it.grouping() == grouping)
                .map(|it| it.to_string())
                .collect();
            let row = format!("| `{grouping}` | {} | {} |\n", grouping.name(), countries.join(" "));
            assert!(documented.contains(&row), "docs/BEHAVIOUR.md lacks: {row}");
        }
    }
}
