//! Answers from a configuration in memory, without a process and a socket. The fuzz targets use this too.

#![allow(dead_code, reason = "not everybody uses all of it")]

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use farol::dns::{Answerer, CookieSecrets, Identity, Policy};
use farol::metrics::COUNTED_RCODES;
use farol::model::{Model, Now, Profile, Verdict};
use farol::settings::{CookieSecret, Inputs, Problems, Settings, load_with};
use farol::snapshot::{
    AnswerCounters, EndpointFacts, Given, Live, ProfileTable, Snapshot, WorkerCounters, ZoneTable,
    Zones,
};

/// Who asks.
pub(crate) const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// The most octets of an answer over UDP.
pub(crate) const UDP_SIZE: u16 = 1232;
/// What the server is called, for who asks.
pub(crate) const ID: &str = "here";

/// Reads a configuration whose files are in memory; the first of them is the one that is named.
///
/// # Errors
/// Everything that is wrong.
pub(crate) fn load(files: &[(&str, &[u8])]) -> Result<Settings, Problems> {
    let named = files.iter().take(1).map(|(name, _)| PathBuf::from(name)).collect();
    let inputs = Inputs { files: named, ..Inputs::default() };
    let read = |path: &Path, _| {
        let found = files.iter().find(|(name, _)| path.file_name().is_some_and(|it| it == *name));
        found.map(|(_, content)| content.to_vec()).ok_or(io::ErrorKind::NotFound.into())
    };
    load_with(&inputs, &read)
}

/// Answers from a configuration, with every endpoint up.
pub(crate) fn answerer(model: &Model) -> Answerer {
    let profiles: Vec<(u32, &Profile)> = (0..).zip(model.profiles.iter().map(|it| &**it)).collect();
    let table = |profile: &Arc<Profile>| {
        let endpoints = profile.endpoints.len();
        let up = EndpointFacts { verdict: Verdict::Online, ..EndpointFacts::default() };
        let counters = Arc::new(AnswerCounters::new(1, vec![0; endpoints + 1].into(), 1));
        let given = Given {
            previous: None,
            enabled: None,
            geography: &model.geography,
            now: Now::default(),
        };
        ProfileTable::new(profile.clone(), vec![up; endpoints], counters, given)
    };
    let counted = Arc::new(WorkerCounters::new(1, COUNTED_RCODES));
    // A profile belongs to the deepest zone that holds it.
    let zone_of = |profile: &Profile| {
        let holding = model.zones.iter().filter(|it| profile.name.is_within(it.name()));
        holding.map(|it| it.name()).max_by_key(|it| it.labels().count())
    };
    let zones = model.zones.iter().map(|it| {
        let own = profiles.iter().filter(|(_, profile)| zone_of(profile) == Some(it.name()));
        ZoneTable::new(it.clone(), own.copied(), counted.clone())
    });
    let snapshot = Snapshot {
        generation: 1,
        zones: Arc::new(Zones::new(zones)),
        profiles: model.profiles.iter().map(table).collect(),
        geography: model.geography.clone(),
        ..Snapshot::default()
    };
    let policy = Policy {
        rate_limit: None,
        identity: Identity { version: None, id: Some(ID.to_owned()) },
        ecs_trusted: None,
        cookie_secrets: CookieSecrets::new(&[], CookieSecret([7; 16])),
        require_server_cookie: false,
        udp_size: UDP_SIZE,
    };
    Answerer::new(Arc::new(Live::new(Arc::new(snapshot), 1)), policy)
}
