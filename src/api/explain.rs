//! `GET /v1/explain`: the decision that a query gets, in words.

use std::net::{IpAddr, Ipv4Addr};

use super::render::percent;
use super::view;
use crate::model::{Endpoint, Family, Ident, Name, RecordType, WhenNoneHealthy};
use crate::routing::{Basis, Draw, Pick, Standing};
use crate::snapshot::{Choice, Explained, Level, Query, Snapshot, explain};

/// Explains a query with this draw.
pub(super) fn render(
    snapshot: &Snapshot,
    name: &Name,
    record_type: RecordType,
    client: Option<IpAddr>,
    draw: Draw,
) -> view::Explanation {
    let asker = client.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    let explanation = explain(snapshot, Query { name, record_type, client: asker, draw });
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
        alias: None,
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
        Explained::Profile { levels, family, ttl, scope: _ } => {
            view.ttl = Some(ttl);
            let (Some(first), Some(last)) = (levels.first(), levels.last()) else { return view };
            describe(&mut view, first);
            let name = chosen(last).find_map(Endpoint::alias);
            view.alias = name.map(ToString::to_string);
            view.answers = answers(last, family);
            outcome(first, if name.is_some() { RecordType::CNAME } else { family.record_type() })
        }
    };
    view
}

fn describe(view: &mut view::Explanation, level: &Level) {
    let profile = &level.table.profile;
    view.profile = Some(profile.name.to_string());
    view.method = Some(profile.method.label().to_owned());
    view.picked = chosen(level).next().map(|it| it.name.to_string());
    let states = profile.endpoints.iter().zip(&level.table.endpoints).zip(&level.endpoints);
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

/// The endpoints that a profile chose.
fn chosen(level: &Level) -> impl Iterator<Item = &Endpoint> {
    let pick = match level.choice {
        Choice::Endpoints(pick) => Some(pick),
        Choice::Fallback | Choice::NoData | Choice::ServFail => None,
    };
    let members = pick.into_iter().flat_map(Pick::members);
    members.filter_map(|it| level.table.profile.endpoints.get(it))
}

fn answers(level: &Level, family: Family) -> Vec<IpAddr> {
    match (&level.choice, &level.table.profile.when_none_healthy) {
        (Choice::Fallback, WhenNoneHealthy::Fallback(addresses)) => addresses.of(family).collect(),
        _ => {
            let states = level.table.profile.endpoints.iter().zip(&level.table.endpoints);
            let chosen = chosen(level).filter_map(|it| {
                let (_, state) = states.clone().find(|(endpoint, _)| endpoint.name == it.name)?;
                Some(state.addresses(it).of(family))
            });
            chosen.flatten().collect()
        }
    }
}

fn outcome(level: &Level, record_type: RecordType) -> String {
    let Level { table, basis, choice, .. } = level;
    let profile = &table.profile;
    let health = match basis {
        Basis::Healthy => "",
        Basis::Panic => {
            "too few endpoints are healthy (panic_threshold), so all are treated as healthy; "
        }
        Basis::NoneHealthy => "no endpoint is healthy; ",
        Basis::NoneInService => "no endpoint is in service; ",
    };
    let answer = match choice {
        Choice::Endpoints(_) if *basis == Basis::NoneHealthy => {
            let rule = profile.when_none_healthy.label();
            format!("{record_type} all the same (when_none_healthy = {rule})")
        }
        Choice::Endpoints(_) => format!("{record_type} by {}", profile.method.label()),
        Choice::Fallback => "the fallback addresses".to_owned(),
        Choice::NoData => format!("NODATA: the choice has no {record_type} record"),
        Choice::ServFail => "SERVFAIL (when_none_healthy = servfail)".to_owned(),
    };
    format!("{health}{answer}")
}

fn why(standing: Standing) -> &'static str {
    match standing {
        Standing::Candidate => "answers",
        Standing::Disabled => "disabled",
        Standing::Stopped => "the profile that it stands for has nothing in service",
        Standing::AwaitsFailback => "has recovered, and waits for an operator's failback",
        Standing::Drained => "drained",
        Standing::Degraded => "degraded",
        Standing::NotLastHealthy => "was not among the last healthy ones",
        Standing::NoAddress => "has no address of this type",
        Standing::ZeroWeight => "has weight 0, and others have more",
        Standing::LowerPriority => "a lower priority number has a candidate",
        Standing::NotAsked => "none is healthy, and when_none_healthy answers without endpoints",
    }
}
