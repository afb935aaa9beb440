use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a change left behind, and the generation by which every worker answers.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Changed<T> {
    /// The generation of the snapshot that has the change.
    pub generation: u64,
    /// Whether nothing was changed: what follows is what would be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// How it may be undone by itself yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<super::PendingChange>,
    /// What was changed, as it is now; nothing when the configuration doesn't have it.
    #[serde(flatten)]
    pub now: T,
}

/// What a reload changed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Reloaded {
    /// The generation of the snapshot that has it all.
    pub generation: u64,
    /// Profiles that are new.
    pub added: Vec<String>,
    /// Profiles that are gone.
    pub removed: Vec<String>,
    /// Profiles that read otherwise now.
    pub changed: Vec<String>,
    /// Whether zones or sites changed.
    pub zones_or_sites_changed: bool,
    /// Keys that belong to none of these and have other values, now in force: "server.listen".
    #[serde(default)]
    pub settings: Vec<String>,
    /// Overrides that stay in force over the configuration: "profile endpoint: weight 9 over 1" or "site: drained".
    pub overridden: Vec<String>,
    /// Overrides of what the configuration doesn't have.
    #[serde(default)]
    pub unmatched_overrides: Vec<String>,
    /// Keys that were changed and are read at the start only.
    #[serde(default)]
    pub needs_restart: Vec<String>,
    /// What should be looked after, though the reload was taken: a geo database that can't be read, of which the one before stays
    /// in force, and what is allowed in the configuration and hardly meant.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The body of a change to an endpoint. A key that is left out is left alone; null clears the override.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema, PartialEq)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"weight": 20, "forced": null, "reason": "less load while we upgrade"}))]
pub struct EndpointPatch {
    /// 0–65535.
    #[serde(default, with = "patch", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 65535)]
    pub weight: Option<Option<i64>>,
    /// 1–65535.
    #[serde(default, with = "patch", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 65535)]
    pub priority: Option<Option<i64>>,
    /// Whether it is in service.
    #[serde(default, with = "patch", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<bool>)]
    pub enabled: Option<Option<bool>>,
    /// `up`, `down`, or null.
    #[serde(default, with = "patch", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub forced: Option<Option<String>>,
    /// Why, for those who come after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
    /// When what it sets is undone by itself: a time in RFC 3339, or how long from now on ("30m").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "30m")]
    pub expires: Option<String>,
    /// How long there is to confirm it, before it is undone by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "5m")]
    pub confirm_within: Option<String>,
    /// Whether it is undone as soon as health gets worse: until it is confirmed, or for 10 minutes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo_if_worse: bool,
    /// Only tell what would come of it; nothing is changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Why guardrails are to be passed over; for admins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub override_guardrail: Option<String>,
}

/// The body of a batch: changes that are made all together or not at all.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema, PartialEq)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"changes": [{"profile": "app.gtm.example.", "endpoint": "seattle", "weight": 20}, {"site": "orlando", "drained": true}], "reason": "new firewall"}))]
pub struct BatchRequest {
    /// Made in this order; 1–100.
    #[schema(min_items = 1, max_items = 100)]
    pub changes: Vec<BatchChange>,
    /// Why, for those who come after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
    /// When what they set is undone by itself: a time in RFC 3339, or how long from now on ("30m").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "30m")]
    pub expires: Option<String>,
    /// How long there is to confirm them, before they are undone by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "5m")]
    pub confirm_within: Option<String>,
    /// Whether they are undone as soon as health gets worse: until they are confirmed, or for 10 minutes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo_if_worse: bool,
    /// Only tell what would come of it; nothing is changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Why guardrails are to be passed over; for admins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub override_guardrail: Option<String>,
}

/// One change of a batch: to an endpoint (`profile`, `endpoint`, and what it gets), to a profile (`profile`, `enabled`), to a site
/// (`site`, `drained`), or a profile's failback (`profile`, `failback`).
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct BatchChange {
    /// The profile's name; the dot at the end may be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The endpoint's name in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// 0–65535; null clears the override.
    #[serde(default, with = "patch", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 65535)]
    pub weight: Option<Option<i64>>,
    /// 1–65535; null clears the override.
    #[serde(default, with = "patch", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 65535)]
    pub priority: Option<Option<i64>>,
    /// Whether it is in service; null clears the override.
    #[serde(default, with = "patch", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<bool>)]
    pub enabled: Option<Option<bool>>,
    /// `up`, `down`, or null.
    #[serde(default, with = "patch", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub forced: Option<Option<String>>,
    /// The site's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Whether the site is to be drained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained: Option<bool>,
    /// How long the site takes on its way back to its full share, where it is undrained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "5m")]
    pub ramp: Option<String>,
    /// True lets the profile's lowest priority serve again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failback: bool,
}

/// What a batch left behind.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Batch {
    /// The generation of the snapshot that has the changes.
    pub generation: u64,
    /// Whether nothing was changed: what follows is what would be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// How they may be undone by themselves yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<super::PendingChange>,
    /// The profiles that were changed, as they are now.
    pub profiles: Vec<super::Profile>,
    /// The sites that were changed, as they are now.
    pub sites: Vec<super::Site>,
}

/// The body of a drain; may be missing.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema, PartialEq)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "new firewall"}))]
pub struct DrainRequest {
    /// Why, for those who come after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
    /// When the drain ends by itself: a time in RFC 3339, or how long from now on ("30m").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "30m")]
    pub expires: Option<String>,
    /// How long there is to confirm it, before it is undone by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "5m")]
    pub confirm_within: Option<String>,
    /// Whether it is undone as soon as health gets worse: until it is confirmed, or for 10 minutes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo_if_worse: bool,
    /// Only tell what would come of it; nothing is changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Why guardrails are to be passed over; for admins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub override_guardrail: Option<String>,
}

/// The body of an undrain; may be missing.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema, PartialEq)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"ramp": "5m", "reason": "the firewall is in"}))]
pub struct UndrainRequest {
    /// How long the site takes on its way back to its full share, in the place of its endpoints' `slow_start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "5m")]
    pub ramp: Option<String>,
    /// Why, for those who come after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
    /// How long there is to confirm it, before it is undone by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "5m")]
    pub confirm_within: Option<String>,
    /// Whether it is undone as soon as health gets worse: until it is confirmed, or for 10 minutes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo_if_worse: bool,
    /// Only tell what would come of it; nothing is changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Why guardrails are to be passed over; for admins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub override_guardrail: Option<String>,
}

/// The body of a change to a profile.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema, PartialEq)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"enabled": false, "reason": "moved away"}))]
pub struct ProfilePatch {
    /// Whether it is in service; null clears the override.
    #[serde(with = "patch")]
    #[schema(value_type = Option<bool>)]
    pub enabled: Option<Option<bool>>,
    /// Why, for those who come after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
    /// When what it sets is undone by itself: a time in RFC 3339, or how long from now on ("30m").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "30m")]
    pub expires: Option<String>,
    /// How long there is to confirm it, before it is undone by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "5m")]
    pub confirm_within: Option<String>,
    /// Whether it is undone as soon as health gets worse: until it is confirmed, or for 10 minutes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo_if_worse: bool,
    /// Only tell what would come of it; nothing is changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Why guardrails are to be passed over; for admins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub override_guardrail: Option<String>,
}

/// The body of a report of a site.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"healthy": false, "reason": "no lease"}))]
pub struct ReportRequest {
    /// Whether the endpoint is well.
    pub healthy: bool,
    /// Why it is not, on one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub reason: Option<String>,
}

/// A report that was counted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Reported {
    /// What it said.
    pub healthy: bool,
}

/// The body of a failback; may be missing.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema, PartialEq)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "checked the database"}))]
pub struct FailbackRequest {
    /// Why, for those who come after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
    /// Only tell what would come of it; nothing is changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Why guardrails are to be passed over; for admins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub override_guardrail: Option<String>,
}

/// Tells a key that is left out from one that is null.
mod patch {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        value: &Option<Option<T>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().and_then(Option::as_ref).serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        Option::deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_tells_missing_from_null() {
        let patch: EndpointPatch =
            serde_json::from_str(r#"{"weight": 5, "forced": null}"#).unwrap();
        assert_eq!((patch.weight, patch.enabled), (Some(Some(5)), None));
        assert_eq!(patch.forced, Some(None));
        let back = serde_json::to_string(&patch).unwrap();
        assert_eq!(back, r#"{"weight":5,"forced":null}"#);
        assert!(serde_json::from_str::<EndpointPatch>(r#"{"wieght": 5}"#).is_err());
    }
}
