//! The keys about where clients are.

use super::super::schema::Accepts::{Number, Text, Texts};
use super::super::schema::{Key, Schema};
use super::NAME;

pub(super) static CLIENT_NETWORK: Schema = Schema {
    heading: "[[client_network]]",
    meaning: "Networks of clients that no database knows, or knows wrongly. The narrowest around a client has precedence, and \
         all of them before the database.",
    keys: &[
        Key::required(
            "cidr",
            Texts(
                "a network such as \"10.20.0.0/16\" or \"2001:db8::/32\", or a list of 1 to 10000 of them",
            ),
            "\"10.20.0.0/16\"",
            "The networks. None may be written twice; one may lie in another.",
        ),
        Key::required(
            "region",
            Text("an ISO 3166 code such as \"US\" or \"US-WA\""),
            "\"US-WA\"",
            "Where they are. Left out where `site` says enough.",
        ),
        Key::derived(
            "site",
            Text(NAME),
            "none",
            "\"seattle\"",
            "The site that is nearest to them.",
        ),
    ],
};

pub(super) static GEO: Schema = Schema {
    heading: "[geo]",
    meaning: "How clients are located.",
    keys: &[
        Key::derived(
            "database",
            Text("the path of a database in MaxMind's format"),
            "none",
            "\"GeoLite2-City.mmdb\"",
            "Where networks are. A relative path starts at this file's directory. While it can't be read, the one before stays in \
             force.",
        ),
        Key::derived(
            "latency_table",
            Text("the path of a CSV file"),
            "none",
            "\"latency.csv\"",
            "How many milliseconds sites are from networks: the first row is `network` and the names of sites, each further one a \
             network and its milliseconds.",
        ),
        Key::derived(
            "location_default",
            Text(
                "the name of a site that has a location, or a table such as { latitude = 47.6, longitude = -122.3 }",
            ),
            "none, such clients are nowhere",
            "\"seattle\"",
            "Where clients count as being whose location is not known.",
        ),
    ],
};

pub(super) static ECS: Schema = Schema {
    heading: "[ecs]",
    meaning: "Resolvers that say for which network they ask (EDNS client subnet, RFC 7871).",
    keys: &[Key::derived(
        "trusted",
        Texts(
            "a network such as \"192.0.2.0/24\" or \"2001:db8::/32\", or a list of 0 to 10000 of them",
        ),
        "all are believed",
        r#"["192.0.2.0/24"]"#,
        "Whose word is taken; with [] nobody's. Of the others' queries the resolver's own address decides.",
    )],
};

/// A place that a key may have instead of a name.
pub(in super::super) static PLACE: Schema = Schema {
    heading: "{ latitude, longitude }",
    meaning: "A place on Earth.",
    keys: &[
        Key::required("latitude", Number(-90.0, 90.0), "47.6", "Degrees north."),
        Key::required("longitude", Number(-180.0, 180.0), "-122.3", "Degrees east."),
    ],
};
