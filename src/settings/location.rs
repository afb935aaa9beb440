use super::reader::Section;
use crate::model::{Location, Region};

/// Reads the place of a site or an endpoint. Which keys there are is up to the section's schema.
pub(super) fn location(section: &Section<'_>) -> Option<Location> {
    section.require("latitude");
    section.require("longitude");
    let region = section.parse("region", str::parse::<Region>);
    Some(Location {
        latitude: section.number("latitude")?,
        longitude: section.number("longitude")?,
        region,
    })
}
