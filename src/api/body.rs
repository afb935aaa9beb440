//! What several requests have in common.

use super::reading::{Fields, flag, one_of, whole};
use crate::model::{Change, EndpointChange, Forced};

/// What an endpoint gets; null clears an override.
pub(super) fn endpoint_change(fields: &mut Fields<'_>) -> EndpointChange {
    EndpointChange {
        weight: fields.change("weight", whole(0..=u16::MAX)),
        priority: fields.change("priority", whole(1..=u16::MAX)),
        enabled: fields.change("enabled", flag),
        forced: fields.change("forced", one_of(FORCED)),
    }
}

/// What an endpoint would get; null is as if the key were left out.
pub(super) fn endpoint_setting(fields: &mut Fields<'_>) -> EndpointChange {
    fn set<T>(change: Change<T>) -> Change<T> {
        match change {
            Change::Clear => Change::Keep,
            change => change,
        }
    }
    let EndpointChange { weight, priority, enabled, forced } = endpoint_change(fields);
    EndpointChange {
        weight: set(weight),
        priority: set(priority),
        enabled: set(enabled),
        forced: set(forced),
    }
}

const FORCED: [(&str, Forced); 2] = [("up", Forced::Up), ("down", Forced::Down)];
