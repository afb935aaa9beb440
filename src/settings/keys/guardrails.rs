//! What operators' changes must leave.

use super::super::schema::Accepts::Integer;
use super::super::schema::{Key, Schema};

const MOST: i64 = 65_535;

pub(super) static GUARDRAILS: Schema = Schema {
    heading: "[guardrails]",
    meaning: "What operators' changes must leave of each profile; one that leaves less than there was, and less than this, is \
         refused. Each is off until it is set. Profiles may have others.",
    keys: &KEYS,
};

pub(super) static OWN_GUARDRAILS: Schema = Schema {
    heading: "[profile.guardrails]",
    meaning: "What operators' changes must leave of this profile; what is left out is as in `[guardrails]`.",
    keys: &KEYS,
};

static KEYS: [Key; 4] = [
    Key::derived(
        "min_healthy_endpoints",
        Integer(1, MOST),
        "off",
        "1",
        "So many endpoints that are healthy and in service.",
    ),
    Key::derived(
        "min_sites",
        Integer(1, MOST),
        "off",
        "1",
        "So many sites that have one of those.",
    ),
    Key::derived(
        "min_capacity",
        Integer(1, 100),
        "off",
        "50",
        "So many percent of the endpoints' `capacity`.",
    ),
    Key::derived(
        "max_weight_step",
        Integer(1, MOST),
        "off",
        "20",
        "A weight may go up or down by no more than this at once; back to what is configured always.",
    ),
];
