//! Why an endpoint is in or out.

use std::cmp::Reverse;
use std::net::IpAddr;

use crate::health::Workload;
use crate::model::{Endpoint, EndpointStatus, Family, GeoCode, Method};
use crate::routing::{Relation, Standing, Table};
use crate::snapshot::{EndpointState, Level, Weighed};

/// Whether an answer to this client may name it.
pub(super) fn may_answer(weighed: &Weighed) -> bool {
    weighed.share > 0.0 || (weighed.standing == Standing::Candidate && weighed.tier == Some(0))
}

/// In a few words.
pub(super) fn why(
    level: &Level,
    endpoint: &Endpoint,
    state: &EndpointState,
    weighed: &Weighed,
    family: Family,
    client: IpAddr,
) -> String {
    if weighed.standing != Standing::Candidate && weighed.share == 0.0 {
        return out(endpoint, state, weighed.standing);
    }
    let relation = weighed.relation.map(|it| related(it, endpoint, client));
    if !may_answer(weighed) {
        return passed_over(level, weighed, relation);
    }
    let mut words = match weighed {
        Weighed { tier: Some(0), share, .. } if *share == 0.0 => {
            "would answer, but affinity keeps this client at another".to_owned()
        }
        Weighed { tier: Some(0), .. } => "answers".to_owned(),
        _ => "answers while those before it start slowly".to_owned(),
    };
    if let Some(relation) = relation {
        words = format!("{words}, {relation}");
    }
    if let Some(ramp) = state.ramp {
        words = format!("{words}, ramping at {:.0} %", ramp.part * 100.0);
    }
    if state.status == EndpointStatus::Degraded {
        words = format!("{words}, although {}", degraded(endpoint, state));
    } else if let Some(shortage) = workload(state).and_then(|it| it.shortage()) {
        words = format!("{words}, although {shortage}");
    }
    let fails = state.facts.nested.is_some_and(|it| it.fails);
    match state.has(endpoint, family) {
        true => words,
        false if fails => format!("{words}; its profile has no address: SERVFAIL"),
        false => format!("{words}; it has no {} record: NODATA", family.record_type()),
    }
}

fn out(endpoint: &Endpoint, state: &EndpointState, standing: Standing) -> String {
    let site = endpoint.site.as_ref();
    match standing {
        Standing::Candidate => "answers".to_owned(),
        Standing::Disabled => "disabled".to_owned(),
        Standing::Stopped => "the profile that it stands for has nothing in service".to_owned(),
        Standing::AwaitsFailback => {
            "has recovered, and waits for an operator's failback".to_owned()
        }
        Standing::Drained if state.status == EndpointStatus::Stopped => {
            "all that its profile has in service is drained".to_owned()
        }
        Standing::Drained => {
            site.map_or_else(|| "drained".to_owned(), |it| format!("drained, with site {it}"))
        }
        Standing::Degraded => degraded(endpoint, state),
        Standing::Unresolved => "no address of it is known".to_owned(),
        Standing::NotLastHealthy => "was not among the last healthy ones".to_owned(),
        Standing::NoAddress => "has no address of this type".to_owned(),
        Standing::ZeroWeight => "has weight 0, and others have more".to_owned(),
        Standing::LowerPriority => "a lower priority number has a candidate".to_owned(),
        Standing::NotAsked => {
            "none is healthy, and when_none_healthy answers without endpoints".to_owned()
        }
    }
}

fn degraded(endpoint: &Endpoint, state: &EndpointState) -> String {
    if state.forced().is_some() {
        return "degraded: forced down".to_owned();
    }
    if endpoint.child().is_some() {
        return "degraded: too few endpoints of its profile are healthy".to_owned();
    }
    // While the site's cluster is against it, no probe can say anything else.
    let objection = workload(state).and_then(|it| it.objection());
    let last = || state.facts.probed.last().and_then(|it| it.reason.clone());
    match objection.or_else(last) {
        Some(reason) => format!("degraded: {reason}"),
        None => "degraded".to_owned(),
    }
}

/// The pods behind it, where its site's cluster is asked for them.
fn workload(state: &EndpointState) -> Option<Workload> {
    state.facts.host.as_ref().and_then(|it| it.record.latest().workload)
}

/// A candidate that this client never gets.
fn passed_over(level: &Level, weighed: &Weighed, relation: Option<String>) -> String {
    match (weighed.tier, relation, level.table.profile.method) {
        (Some(_), Some(relation), Method::Geographic) => wider(&relation),
        (Some(_), Some(relation), Method::Subnet)
            if weighed.relation == Some(Relation::Network) =>
        {
            wider(&relation)
        }
        (Some(_), Some(relation), Method::Performance) => format!("farther: {relation}"),
        (Some(_), Some(relation), _) => relation,
        (Some(_), None, _) => "others are nearer: nothing tells how far it is".to_owned(),
        (None, _, Method::Geographic) => match level.located.as_ref() {
            Some(located) if located.table == Table::None => {
                "only WORLD serves a client whose region is not known".to_owned()
            }
            Some(located) => {
                let region = located.region.map(|it| it.to_string()).unwrap_or_default();
                format!("does not serve the client's region, {region}")
            }
            None => "does not serve the client's region".to_owned(),
        },
        (None, _, Method::Subnet) => "does not serve the client's network".to_owned(),
        (None, ..) => "has weight 0, and others have more".to_owned(),
    }
}

fn wider(relation: &str) -> String {
    format!("{relation}, which is wider than another match")
}

fn related(relation: Relation, endpoint: &Endpoint, client: IpAddr) -> String {
    match relation {
        Relation::NearestSite => "in the site that is nearest by configuration".to_owned(),
        Relation::Milliseconds(it) => format!("{it} ms away"),
        Relation::Kilometres(it) => format!("{it:.0} km away"),
        Relation::Region(GeoCode::World) => "serves WORLD".to_owned(),
        Relation::Region(code) => format!("serves {code}"),
        Relation::Network => {
            let around = endpoint.subnets.iter().filter(|it| it.contains(client));
            // One of these lies in the other.
            match around.max_by_key(|it| (it.first(), Reverse(it.last()))) {
                Some(narrowest) => format!("serves {narrowest}"),
                None => "serves the client's network".to_owned(),
            }
        }
        Relation::EveryoneElse => "serves those whose network no other serves".to_owned(),
    }
}
