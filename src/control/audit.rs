//! What the audit log says of changes.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::{Asker, Change};
use crate::model::{
    EndpointKey, EndpointOverrides, Expired, Override, Overrides, Stamp, Subject, Timestamp,
};
use crate::store::{Record, Values};

/// Who asks for a change.
#[derive(Clone, Debug)]
pub(super) struct Asking<'a> {
    pub(super) stamp: &'a Stamp,
    pub(super) from: Option<IpAddr>,
}

impl Asking<'_> {
    /// A change that was made, or that would have been, had it not been refused, with what was in force before it and after.
    pub(super) fn record(&self, change: &Change, before: Values, after: Values) -> Record {
        let mut record = Record::own(action(change), self.stamp.at);
        record.by.clone_from(&self.stamp.by);
        record.from = self.from;
        record.reason.clone_from(&self.stamp.reason);
        record.expires = self.stamp.expires.filter(|_| change.sets());
        (record.before, record.after) = differing(before, after);
        match change {
            Change::Endpoint(key, _) => name_endpoint(&mut record, key),
            Change::Site { name, .. } => record.site = Some(name.to_string()),
            Change::FailBack(profile) | Change::Profile { name: profile, .. } => {
                record.profile = Some(profile.to_string());
            }
            Change::Confirm(number) | Change::Undo(number) => record.change = Some(*number),
        }
        record
    }
}

/// What operators have put in force of what a change is about.
pub(super) fn in_force(change: &Change, overrides: &Overrides) -> Values {
    match change {
        Change::Endpoint(key, _) => overrides.endpoints.get(key).map(values).unwrap_or_default(),
        Change::Profile { name, .. } => {
            let enabled = overrides.profiles.get(name);
            enabled.map(|it| enabled_is(it.value)).unwrap_or_default()
        }
        Change::Site { name, .. } => drained(overrides.drained_sites.contains_key(name)),
        Change::FailBack(_) | Change::Confirm(_) | Change::Undo(_) => Values::new(),
    }
}

/// A change that was undone because its time was over.
pub(super) fn expired(expired: &Expired, now: Timestamp) -> Record {
    let mut record = Record::own("expire", now);
    let made_by = format!("it was made by {}", expired.stamp.by);
    record.reason = Some(match &expired.stamp.reason {
        Some(reason) => format!("{made_by}: {reason}"),
        None => made_by,
    });
    match &expired.subject {
        Subject::Endpoint { key, value } => {
            name_endpoint(&mut record, key);
            let (field, value) = value.split_once(' ').unwrap_or((value, ""));
            // Numbers and booleans are written as such.
            let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
            record.before.insert(field.to_owned(), value);
            record.after.insert(field.to_owned(), Value::Null);
        }
        Subject::Profile { name, enabled } => {
            record.profile = Some(name.to_string());
            record.before = enabled_is(*enabled);
            record.after.insert("enabled".to_owned(), Value::Null);
        }
        Subject::Site(site) => {
            record.site = Some(site.to_string());
            (record.before, record.after) = (drained(true), drained(false));
        }
        Subject::Ramp(site) => record.site = Some(site.to_string()),
        Subject::Pending { number, how, .. } => {
            "settle".clone_into(&mut record.action);
            record.change = Some(*number);
            record.outcome = how.to_string();
        }
    }
    record
}

/// A configuration that was read anew, or why it was not taken.
pub(super) fn reloaded(
    by: Option<Asker>,
    generation: Result<u64, String>,
    now: Timestamp,
) -> Record {
    let mut record = Record::own("reload", now);
    if let Some(Asker { name, from }) = by {
        (record.by, record.from) = (name, Some(from));
    }
    match generation {
        Ok(generation) => {
            record.after.insert("generation".to_owned(), generation.into());
        }
        Err(why) => record.outcome = format!("refused: {why}"),
    }
    record
}

fn action(change: &Change) -> &'static str {
    match change {
        Change::Endpoint(_, change) if change.only_clears() => "clear",
        Change::Profile { enabled: None, .. } => "clear",
        Change::Endpoint(..) | Change::Profile { .. } => "set",
        Change::Site { drained: true, .. } => "drain",
        Change::Site { drained: false, .. } => "undrain",
        Change::FailBack(_) => "failback",
        Change::Confirm(_) => "confirm",
        Change::Undo(_) => "undo",
    }
}

fn name_endpoint(record: &mut Record, key: &EndpointKey) {
    record.profile = Some(key.profile.to_string());
    record.endpoint = Some(key.endpoint.to_string());
}

fn enabled_is(enabled: bool) -> Values {
    Values::from_iter([("enabled".to_owned(), enabled.into())])
}

fn drained(is: bool) -> Values {
    Values::from_iter([("drained".to_owned(), is.into())])
}

/// The fields that are overridden.
fn values(overrides: &EndpointOverrides) -> Values {
    let value = |it: Override| match it {
        Override::Weight(it) | Override::Priority(it) => json!(it),
        Override::Enabled(it) => json!(it),
        Override::Forced(it) => json!(it.label()),
    };
    overrides.fields().map(|(it, _)| (it.kind().to_owned(), value(it))).collect()
}

/// Of two sets of fields those that differ; what one lacks is null there.
fn differing(before: Values, after: Values) -> (Values, Values) {
    let mut fields: Vec<&String> = before.keys().chain(after.keys()).collect();
    fields.sort();
    fields.dedup();
    fields.retain(|it| before.get(*it) != after.get(*it));
    let of = |values: &Values| -> Values {
        let value = |field: &&String| values.get(*field).cloned().unwrap_or_default();
        fields.iter().map(|it| ((*it).clone(), value(it))).collect()
    };
    (of(&before), of(&after))
}
