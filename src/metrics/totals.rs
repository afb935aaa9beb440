//! Numbers over all profiles and endpoints, which stay few however large the configuration is.

use super::geography;
use super::text::{Head, Kind, Text};
use crate::model::{EndpointStatus, Ident, Moment, ProfileStatus, Timestamp};
use crate::snapshot::{Host, ProfileTable, Snapshot};

const STATUSES: usize = EndpointStatus::ALL.len();
/// The kinds of overrides, as in `farol_override_active`.
const OVERRIDES: [&str; 4] = ["weight", "priority", "enabled", "forced"];

/// What was counted of the profiles so far.
#[derive(Debug)]
pub(super) struct Totals {
    profiles: [u64; ProfileStatus::ALL.len()],
    fail_open: u64,
    endpoints: [u64; STATUSES],
    stale: u64,
    unresolved: u64,
    overrides: [u64; OVERRIDES.len()],
    profiles_overridden: u64,
    earliest_expiry: Option<Timestamp>,
    earliest_warning: Option<Timestamp>,
    /// The endpoints by status of each of the snapshot's sites, in their order.
    sites: Vec<[u64; STATUSES]>,
}

impl Totals {
    pub(super) fn new(sites: usize) -> Self {
        Self {
            profiles: Default::default(),
            fail_open: 0,
            endpoints: Default::default(),
            stale: 0,
            unresolved: 0,
            overrides: Default::default(),
            profiles_overridden: 0,
            earliest_expiry: None,
            earliest_warning: None,
            sites: vec![Default::default(); sites],
        }
    }

    /// Counts one profile. `sites` tells where among the sites one is.
    pub(super) fn count(
        &mut self,
        table: &ProfileTable,
        sites: impl Fn(&Ident) -> Option<usize>,
        now: Moment,
    ) {
        bump(&mut self.profiles, ProfileStatus::ALL.iter().position(|it| *it == table.status));
        self.fail_open += u64::from(table.is_fail_open());
        self.profiles_overridden += u64::from(table.enabled_by.is_some());
        for (endpoint, state) in table.profile.endpoints.iter().zip(&table.endpoints) {
            let status = EndpointStatus::ALL.iter().position(|it| *it == state.status);
            bump(&mut self.endpoints, status);
            let site = endpoint.site.as_ref().and_then(&sites);
            if let Some(site) = site.and_then(|it| self.sites.get_mut(it)) {
                bump(site, status);
            }
            self.stale += u64::from(state.is_stale(endpoint, now));
            let is_unresolved = |it: &Host| !it.record.latest().is_resolved();
            let host = state.facts.host.as_ref().filter(|_| !endpoint.is_discovered());
            self.unresolved += u64::from(host.is_some_and(is_unresolved));
            for kind in state.facts.overrides.kinds() {
                bump(&mut self.overrides, OVERRIDES.iter().position(|it| *it == kind));
            }
            let expires = state.certificate_expires(&endpoint.probe.monitor);
            self.earliest_expiry = [self.earliest_expiry, expires].into_iter().flatten().min();
            let warns = state.certificate_warns_from(&endpoint.probe.monitor);
            self.earliest_warning = [self.earliest_warning, warns].into_iter().flatten().min();
        }
    }

    /// Writes everything down, once every profile was counted.
    pub(super) fn write(&self, snapshot: &Snapshot, out: &mut Text) {
        let mut profiles = out.family(gauge("farol_profiles", "Profiles by status."));
        for (status, count) in ProfileStatus::ALL.into_iter().zip(self.profiles) {
            profiles.add(&[("status", status.label())], count);
        }
        out.gauge(
            "farol_profiles_fail_open",
            "Profiles of which none or too few endpoints are healthy, so that when_none_healthy or panic_threshold decides.",
            self.fail_open,
        );
        let mut endpoints = out.family(gauge("farol_endpoints", "Endpoints by status."));
        for (status, count) in EndpointStatus::ALL.into_iter().zip(self.endpoints) {
            endpoints.add(&[("status", status.label())], count);
        }
        out.gauge(
            "farol_verdicts_stale",
            "Endpoints about which no probe has said anything for three of their intervals.",
            self.stale,
        );
        out.gauge(
            "farol_targets_unresolved",
            "Endpoints that stand for a name of which the last try to resolve it failed, or that has not been tried.",
            self.unresolved,
        );
        let mut overrides = out.family(gauge(
            "farol_overrides",
            "Operators' changes in force on endpoints, by what they change.",
        ));
        for (kind, count) in OVERRIDES.into_iter().zip(self.overrides) {
            overrides.add(&[("kind", kind)], count);
        }
        out.gauge(
            "farol_profiles_overridden",
            "Profiles that an operator has taken out of service, or brought in.",
            self.profiles_overridden,
        );
        out.gauge(
            "farol_changes_pending",
            "Operators' changes that may be undone by themselves yet.",
            snapshot.pending.len(),
        );
        out.gauge(
            "farol_overrides_unmatched",
            "Overrides that are kept for what the configuration doesn't have.",
            snapshot.unmatched_overrides.len(),
        );
        let mut earliest = out.family(gauge(
            "farol_probe_tls_expiry_earliest_seconds",
            "When the first of all certificates that endpoints last showed expires, in seconds since 1970.",
        ));
        if let Some(expires) = self.earliest_expiry {
            earliest.add(&[], expires.0 as f64 / 1000.0);
        }
        let mut earliest = out.family(gauge(
            "farol_probe_tls_warn_earliest_seconds",
            "From when on the first of all certificates has fewer days left than tls.min_days_left, in seconds since 1970.",
        ));
        if let Some(from) = self.earliest_warning {
            earliest.add(&[], from.0 as f64 / 1000.0);
        }
        let mut sites = out.family(gauge("farol_site_endpoints", "A site's endpoints by status."));
        for (site, counts) in snapshot.sites.iter().zip(&self.sites) {
            for (status, count) in EndpointStatus::ALL.into_iter().zip(counts) {
                let site = site.site.name.as_str();
                sites.add(&[("site", site), ("status", status.label())], count);
            }
        }
        let mut drained = out.family(gauge("farol_site_drained", "Whether a site is drained."));
        for site in snapshot.sites.iter() {
            drained.add(&[("site", site.site.name.as_str())], u8::from(site.drained.is_some()));
        }
        geography::write(&snapshot.geography, out);
        out.gauge(
            "farol_snapshot_generation",
            "How many snapshots have been published.",
            snapshot.generation,
        );
    }
}

fn gauge(name: &'static str, help: &'static str) -> Head {
    Head { name, kind: Kind::Gauge, help }
}

fn bump(counts: &mut [u64], at: Option<usize>) {
    if let Some(count) = at.and_then(|at| counts.get_mut(at)) {
        *count += 1;
    }
}
