//! One look at everything.

use std::collections::BTreeMap;

use super::sites::{Looking, drain};
use super::{certificate, overrides, own_overrides, pending};
use crate::api::view;
use crate::clock::rfc3339;
use crate::control::Refusal;
use crate::model::{EndpointStatus, Geography, Now, Timestamp};
use crate::snapshot::Snapshot;
use crate::store::{Report, StateFile};
use crate::traffic::Traffic;

fn state(report: &Report) -> view::State {
    let files = StateFile::ALL.into_iter().zip(&report.writes).map(|(file, it)| view::StateFile {
        file: file.label().to_owned(),
        written: it.succeeded.map(rfc3339),
        failures: it.failures,
        error: it.error.clone(),
    });
    view::State {
        well: report.is_well(),
        files: files.collect(),
        set_aside: report.set_aside.iter().map(|it| it.display().to_string()).collect(),
    }
}

/// One look at everything.
pub(in crate::api) fn status(
    snapshot: &Snapshot,
    report: &Report,
    traffic: &Traffic,
    started: Timestamp,
    ready: bool,
    refused: Option<Refusal>,
    now: Now,
) -> view::Status {
    let mut status = view::Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: rfc3339(started),
        ready,
        generation: snapshot.generation,
        zones: snapshot.zones.iter().map(|it| it.zone.name().to_string()).collect(),
        profiles: snapshot.profiles.len(),
        endpoints: BTreeMap::new(),
        failing_open: Vec::new(),
        awaiting_failback: Vec::new(),
        degraded: Vec::new(),
        stale: Vec::new(),
        certificates: Vec::new(),
        drained_sites: Vec::new(),
        drains: BTreeMap::new(),
        overridden: Vec::new(),
        pending: snapshot.pending.iter().map(|it| pending(it.0, &it.1)).collect(),
        unmatched_overrides: snapshot.unmatched_overrides.to_vec(),
        refused_reload: refused.map(|it| view::RefusedReload { at: rfc3339(it.at), why: it.why }),
        state: state(report),
        geo_database: geo_database(&snapshot.geography),
    };
    status.zones.sort();
    let looking = Looking { snapshot, traffic, now };
    for table in snapshot.profiles.iter() {
        let profile = table.profile.name.to_string();
        if table.is_fail_open() {
            status.failing_open.push(profile.clone());
        }
        if table.awaits_failback() {
            status.awaiting_failback.push(profile.clone());
        }
        let own = own_overrides(table);
        if !own.is_empty() {
            let profile = profile.clone();
            status.overridden.push(view::Overridden { profile, endpoint: None, overrides: own });
        }
        for (endpoint, state) in table.profile.endpoints.iter().zip(&table.endpoints) {
            *status.endpoints.entry(state.status.label().to_owned()).or_default() += 1;
            let name = |reason| view::EndpointRef {
                profile: profile.clone(),
                endpoint: endpoint.name.to_string(),
                reason,
            };
            if state.status == EndpointStatus::Degraded {
                let forced = state.forced().map(|_| "forced down".to_owned());
                let probed = || state.facts.probed.last()?.reason.as_deref().map(str::to_owned);
                status.degraded.push(name(forced.or_else(probed)));
            }
            if state.is_stale(endpoint, now.moment) {
                let why = state.facts.probed.void_reason();
                status.stale.push(name(why.as_deref().map(str::to_owned)));
            }
            let expiring = certificate(endpoint, state, now).filter(|it| it.expires_soon);
            if let Some(certificate) = expiring {
                let why = format!("its certificate expires {}", certificate.expires);
                status.certificates.push(name(Some(why)));
            }
            let overrides = overrides(state.facts.overrides.fields());
            if !overrides.is_empty() {
                let view::EndpointRef { profile, endpoint, .. } = name(None);
                let endpoint = Some(endpoint);
                status.overridden.push(view::Overridden { profile, endpoint, overrides });
            }
        }
    }
    for site in snapshot.sites.iter() {
        if let Some(stamp) = &site.drained {
            status.drained_sites.push(site.site.name.to_string());
            let drain = drain(&site.site, stamp, &looking);
            status.drains.insert(site.site.name.to_string(), drain);
        }
    }
    status
}

fn geo_database(geography: &Geography) -> Option<view::GeoDatabase> {
    let file = geography.database_file.as_ref()?;
    Some(view::GeoDatabase {
        path: file.path.display().to_string(),
        built: file.built.map(rfc3339),
        loaded: file.loaded.map(rfc3339),
        networks: geography.database.len(),
        error: file.error.clone(),
    })
}
