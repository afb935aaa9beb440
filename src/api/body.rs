//! What several requests have in common.

use super::reading::{Fields, flag, one_of, whole};
use crate::model::{Change, EndpointChange, Forced};

const FORCED: [(&str, Forced); 2] = [("up", Forced::Up), ("down", Forced::Down)];

/// What an endpoint gets; null clears an override.
pub(super) fn endpoint_change(fields: &mut Fields<'_>) -> EndpointChange {
    EndpointChange {
        weight: fields.change("weight", whole(0..=u16::MAX)),
        priority: fields.change("priority", whole(1..=u16::MAX)),
        enabled: fields.change("enabled", flag),
        forced: fields.change("forced", one_of(FORCED)),
    }
}

/// What an endpoint would get; there is nothing that null could clear.
pub(super) fn endpoint_setting(fields: &mut Fields<'_>) -> EndpointChange {
    fn set<T>(value: Option<T>) -> Change<T> {
        value.map_or(Change::Keep, Change::Set)
    }
    EndpointChange {
        weight: set(fields.present("weight", whole(0..=u16::MAX))),
        priority: set(fields.present("priority", whole(1..=u16::MAX))),
        enabled: set(fields.present("enabled", flag)),
        forced: set(fields.present("forced", one_of(FORCED))),
    }
}
