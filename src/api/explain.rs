//! `GET /v1/explain`: the decision that a query gets, in words.

use std::net::IpAddr;
use std::sync::Arc;

use super::render::percent;
use super::view;
use crate::model::{Family, Ident, Name, RecordType, WhenNoneHealthy};
use crate::routing::{Basis, Draw, Standing};
use crate::snapshot::{Explained, Picked, ProfileTable, Snapshot, explain};

/// Explains a query with this draw.
pub(super) fn render(
    snapshot: &Snapshot,
    name: &Name,
    record_type: RecordType,
    client: Option<IpAddr>,
    draw: Draw,
) -> view::Explanation {
    let explanation = explain(snapshot, name, record_type, draw);
    let mut view = view::Explanation {
        name: name.to_string(),
        record_type: record_type.to_string(),
        client,
        generation: snapshot.generation,
        zone: explanation.zone.map(|it| it.to_string()),
        outcome: String::new(),
        profile: None,
        method: None,
        ttl: None,
        picked: None,
        answers: Vec::new(),
        endpoints: Vec::new(),
    };
    view.outcome = match explanation.found {
        Explained::NotOurs => "REFUSED: the name is in none of this server's zones".to_owned(),
        Explained::NoSuchName => "NXDOMAIN: the name does not exist".to_owned(),
        Explained::Delegated => "referral: the name is delegated to other nameservers".to_owned(),
        Explained::Redirected => "alias: a DNAME above the name redirects it".to_owned(),
        Explained::Transfer => "REFUSED: zones are not transferred".to_owned(),
        Explained::Meta => format!("an error: no name has records of type {record_type}"),
        Explained::Any => "HINFO \"RFC8482\": ask for one type".to_owned(),
        Explained::Static => "static records from the zone".to_owned(),
        Explained::Alias(target) => format!("alias for {target}: ask about that name"),
        Explained::NoData => format!("NODATA: the name exists, and has no {record_type} record"),
        Explained::Profile { table, family, basis, picked, endpoints } => {
            describe(&mut view, &table, family, picked, &endpoints);
            outcome(&table, family, basis, picked)
        }
    };
    view
}

fn describe(
    view: &mut view::Explanation,
    table: &ProfileTable,
    family: Family,
    picked: Picked,
    endpoints: &[(Standing, f64)],
) {
    let profile = &table.profile;
    view.profile = Some(profile.name.to_string());
    view.method = Some(profile.method.label().to_owned());
    view.ttl = Some(profile.ttl);
    let chosen = match picked {
        Picked::Endpoint(at) => profile.endpoints.get(at),
        Picked::Fallback | Picked::NoData | Picked::ServFail => None,
    };
    view.picked = chosen.map(|it| it.name.to_string());
    view.answers = match (chosen, &profile.when_none_healthy) {
        (Some(endpoint), _) => endpoint.addresses.of(family).collect(),
        (None, WhenNoneHealthy::Fallback(addresses)) if picked == Picked::Fallback => {
            addresses.of(family).collect()
        }
        (None, _) => Vec::new(),
    };
    let states = profile.endpoints.iter().zip(&table.endpoints).zip(endpoints);
    let explained = states.map(|((endpoint, state), (standing, share))| view::ExplainedEndpoint {
        name: endpoint.name.to_string(),
        site: endpoint.site.as_ref().map(Ident::to_string),
        status: state.status.label().to_owned(),
        weight: state.weight,
        priority: state.priority,
        candidate: *standing == Standing::Candidate,
        why: why(*standing).to_owned(),
        share: percent(*share),
    });
    view.endpoints = explained.collect();
}

fn outcome(table: &Arc<ProfileTable>, family: Family, basis: Basis, picked: Picked) -> String {
    let profile = &table.profile;
    let record_type = family.record_type();
    let health = match basis {
        Basis::Healthy => "",
        Basis::Panic => {
            "too few endpoints are healthy (panic_threshold), so all are treated as healthy; "
        }
        Basis::NoneHealthy => "no endpoint is healthy; ",
        Basis::NoneInService => "no endpoint is in service; ",
    };
    let answer = match picked {
        Picked::Endpoint(_) if basis == Basis::NoneHealthy => {
            let rule = profile.when_none_healthy.label();
            format!("{record_type} all the same (when_none_healthy = {rule})")
        }
        Picked::Endpoint(_) => format!("{record_type} by {}", profile.method.label()),
        Picked::Fallback => "the fallback addresses".to_owned(),
        Picked::NoData => format!("NODATA: the choice has no {record_type} record"),
        Picked::ServFail => "SERVFAIL (when_none_healthy = servfail)".to_owned(),
    };
    format!("{health}{answer}")
}

fn why(standing: Standing) -> &'static str {
    match standing {
        Standing::Candidate => "answers",
        Standing::Disabled => "disabled",
        Standing::Drained => "drained",
        Standing::Degraded => "degraded",
        Standing::NotLastHealthy => "was not among the last healthy ones",
        Standing::NoAddress => "has no address of this type",
        Standing::ZeroWeight => "has weight 0, and others have more",
        Standing::LowerPriority => "a lower priority number has a candidate",
        Standing::NotAsked => "none is healthy, and when_none_healthy answers without endpoints",
    }
}
