//! What the control task says in the log. Each event has a stable name and fields (docs/OPERATING.md), and a sentence.

use super::reload::Diff;
use super::world::{Changes, Transition};
use super::{Change, ReloadError};
use crate::health::Cause;
use crate::model::{
    EndpointKey, EndpointStatus, Expired, Geography, Ident, Stamp, Subject, Verdict,
};

/// An operator's change that is on the disk.
pub(super) fn changed(change: &Change, stamp: &Stamp) {
    let (by, reason) = (&stamp.by, stamp.reason.as_deref().unwrap_or_default());
    let because = because(reason);
    tracing::info!(event = "change", by, %change, reason, "{by} changed {change}{because}");
}

/// An operator's change that was undone because its time was over.
pub(super) fn expired(expired: &Expired) {
    if let Subject::Pending { number, how, .. } = &expired.subject {
        return settled(*number, expired, how.is_undone());
    }
    let (by, reason) = (&expired.stamp.by, expired.stamp.reason.as_deref().unwrap_or_default());
    let because = because(reason);
    tracing::info!(event = "override_expired", by, change = %expired, reason, "the time of {by}'s change is over: {expired}{because}");
}

fn settled(number: u64, expired: &Expired, is_undone: bool) {
    let by = &expired.stamp.by;
    if is_undone {
        tracing::warn!(event = "change_undone", number, by, change = %expired, "{expired}");
    } else {
        tracing::info!(event = "change_kept", number, by, change = %expired, "{expired}");
    }
}

/// Changes that were refused.
pub(super) fn store_failed(error: &str) {
    tracing::error!(event = "store_failed", error, "changes were refused: they can't be stored");
}

/// Changes that have ended, and are on the disk still, or a failover that is not.
pub(super) fn expiry_unwritten(error: &str) {
    tracing::error!(
        event = "expiry_unwritten",
        error,
        "changes have ended, another priority serves where failback is manual, or something is to be noted in the audit log, which could not be stored; it will be tried again"
    );
}

/// What a publication changed, with the causes of its transitions.
pub(super) fn published(changes: &Changes, caused: &[(&Transition, Cause)]) {
    for (it, cause) in caused {
        transition(it, &cause.in_words().unwrap_or_default());
    }
    for (profile, fails_open) in &changes.fail_open {
        if *fails_open {
            tracing::warn!(event = "fail_open", %profile, "{profile}: none or too few endpoints are healthy; when_none_healthy or panic_threshold decides");
        } else {
            tracing::info!(event = "fail_open_ended", %profile, "{profile} is answered by health again");
        }
    }
    for (profile, is_awaited) in &changes.failback {
        if *is_awaited {
            tracing::warn!(event = "failback_awaited", %profile, "{profile}: a higher priority has recovered, and waits until an operator says `farol profile failback {profile}`");
        } else {
            tracing::info!(event = "failback_ended", %profile, "{profile}: no higher priority waits for a failback any more");
        }
    }
}

fn transition(transition: &Transition, reason: &str) {
    let Transition { key, site, from, to, .. } = transition;
    let (profile, endpoint) = (&key.profile, &key.endpoint);
    let site = site.as_ref().map(Ident::as_str).unwrap_or_default();
    let (because, was, is) = (because(reason), from.label(), to.label());
    // The first good word of every endpoint after a start is no news.
    if (*from, *to) == (EndpointStatus::CheckingEndpoint, EndpointStatus::Online) {
        tracing::debug!(event = "transition", %profile, %endpoint, site, from = was, to = is, reason, "{key} is {is} (was {was})");
    } else {
        tracing::info!(event = "transition", %profile, %endpoint, site, from = was, to = is, reason, "{key} is {is} (was {was}){because}");
    }
}

/// Probes that changed their mind about an endpoint whose status is an operator's word.
pub(super) fn verdict(key: &EndpointKey, verdict: Verdict, reason: &str) {
    let (profile, endpoint) = (&key.profile, &key.endpoint);
    tracing::info!(event = "verdict", %profile, %endpoint, ?verdict, reason, "probes of {key} say {verdict:?}, and its status stays");
}

/// Names that one line of the log has, at most, of each kind.
const NAMES: usize = 10;

/// A reload that was taken.
pub(super) fn reloaded(diff: &Diff) {
    let (added, removed, changed) = (diff.added.len(), diff.removed.len(), diff.changed.len());
    let (added_profiles, removed_profiles) = (some(&diff.added), some(&diff.removed));
    let (changed_profiles, overridden) = (some(&diff.changed), some(&diff.overridden));
    let settings = diff.settings.join(", ");
    tracing::info!(
        event = "reloaded",
        generation = diff.generation,
        added,
        removed,
        changed,
        added_profiles,
        removed_profiles,
        changed_profiles,
        zones_or_sites = diff.zones_or_sites,
        settings,
        overridden,
        "the configuration was reloaded: {added} profiles added, {removed} removed, {changed} changed; zones or sites changed: {}; settings changed: {}; overrides stay in force on: {}",
        if diff.zones_or_sites { "yes" } else { "no" },
        if settings.is_empty() { "none" } else { &settings },
        if overridden.is_empty() { "nothing" } else { &overridden },
    );
    if !diff.needs_restart.is_empty() {
        let keys = diff.needs_restart.join(", ");
        tracing::warn!(
            event = "needs_restart",
            keys,
            "changed, but read at the start only, so restart for them: {keys}"
        );
    }
    unmatched(&diff.unmatched);
}

/// A reload that was refused.
pub(super) fn reload_refused(error: &ReloadError) {
    let problem = match error {
        ReloadError::Invalid(_) => "the configuration has errors",
        ReloadError::Impossible(_) => "the configuration asks for what can't be had",
        ReloadError::Broken => "reading the configuration panicked",
        ReloadError::Stopping => "the daemon is stopping",
    };
    tracing::error!(event = "reload_refused", "{problem}, so what runs is kept:\n{error}");
}

/// A geo database that could not be read. Gives what was said of it.
pub(super) fn geo_database(geography: &Geography) -> Option<String> {
    let file = geography.database_file.as_ref()?;
    let error = file.error.as_ref()?;
    let instead = match file.built {
        Some(_) => "the one before stays in force",
        None => "none is in force, and clients that only it knows are nowhere",
    };
    let path = file.path.display();
    let said = format!("the geo database can't be read, so {instead}: {error}");
    tracing::error!(event = "geo_database_unreadable", %path, error, "{said}");
    Some(said)
}

/// Overrides of what the configuration doesn't have.
pub(super) fn unmatched(names: &[String]) {
    for name in names {
        tracing::warn!(
            event = "override_unmatched",
            name,
            "an override is kept for {name}, which the configuration doesn't have: it comes back into force with it; clear it if it is not wanted"
        );
    }
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

fn some(names: &[impl ToString]) -> String {
    let mut shown: Vec<String> = names.iter().take(NAMES).map(ToString::to_string).collect();
    if let Some(more @ 1..) = names.len().checked_sub(NAMES) {
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}
