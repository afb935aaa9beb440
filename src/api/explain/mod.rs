//! `GET /v1/explain`: the decision that a query gets, in words.

mod why;

use std::net::{IpAddr, Ipv4Addr};

use super::reading::Wrong;
use super::render::percent;
use super::view;
use crate::model::{
    Endpoint, Family, Geography, Ident, Method, Name, NetworkError, RecordType, WhenNoneHealthy,
    canonical_network, network_around, parse_network,
};
use crate::routing::{Basis, Draw, Located, Pick, Relation, Standing, Table};
use crate::snapshot::{Choice, Explained, Level, Query, Snapshot, Weighed, explain};

/// Whose query is asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking {
    /// The client's address, or its network's first.
    pub(super) address: IpAddr,
    /// The network's length, where one was given.
    length: Option<u8>,
    /// Whether anything was given.
    given: bool,
}

impl Asking {
    /// Nobody that anything is known of.
    pub(super) const UNKNOWN: Self =
        Self { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), length: None, given: false };

    /// Reads an address or a network.
    pub(super) fn read(text: &str) -> Result<Self, Wrong> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { address: address.to_canonical(), length: None, given: true });
        }
        let network = parse_network(text).map_err(|error| {
            let told = format!(
                "{error}; write an address or a network, such as 10.20.0.1 or 10.20.0.0/16"
            );
            match error {
                NetworkError::Form => Wrong::Form(told),
                NetworkError::Length { .. } | NetworkError::HostBits(_) => Wrong::Sense(told),
            }
        })?;
        let network = canonical_network(network);
        Ok(Self { address: network.network(), length: Some(network.prefix_len()), given: true })
    }

    fn view(self) -> view::ExplainedClient {
        let length = self.length.map(|it| format!("/{it}")).unwrap_or_default();
        let from = if self.given { "query" } else { "default" };
        view::ExplainedClient {
            network: format!("{}{length}", self.address),
            from: from.to_owned(),
        }
    }
}

/// Reads a draw as it is written in explanations.
pub(super) fn read_draw(text: &str) -> Result<Draw, String> {
    let numbers = text.split_once(':').and_then(|(seed, sequence)| {
        Some(Draw { seed: seed.parse().ok()?, sequence: sequence.parse().ok()? })
    });
    numbers.ok_or_else(|| {
        "write SEED:SEQUENCE as an explanation shows it, such as 573422:0".to_owned()
    })
}

fn draw_text(draw: Draw) -> String {
    format!("{}:{}", draw.seed, draw.sequence)
}

/// Explains a query with this draw.
pub(super) fn render(
    snapshot: &Snapshot,
    name: &Name,
    record_type: RecordType,
    asking: Asking,
    draw: Draw,
) -> view::Explanation {
    let explanation = explain(snapshot, Query { name, record_type, client: asking.address, draw });
    let mut view = view::Explanation {
        name: name.to_string(),
        record_type: record_type.to_string(),
        client: asking.view(),
        generation: snapshot.generation,
        zone: explanation.zone.map(|it| it.to_string()),
        outcome: String::new(),
        alias: None,
        answers: Vec::new(),
        draw: None,
        ttl: None,
        ttl_reason: None,
        scope: None,
        scope_reason: None,
        profiles: Vec::new(),
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
        Explained::Profile { levels, family, ttl, scope } => {
            view.draw = Some(draw_text(draw));
            view.ttl = Some(ttl);
            view.ttl_reason = Some(ttl_reason(&levels, ttl));
            view.scope = Some(scope);
            view.scope_reason = Some(scope_reason(snapshot, &levels, asking, scope));
            view.alias = levels.last().and_then(alias).map(ToString::to_string);
            view.answers = levels.last().map(|it| answers(it, family)).unwrap_or_default();
            let client = asking.address;
            view.profiles =
                levels.iter().map(|it| profile(it, record_type, family, client)).collect();
            whole(&levels, record_type)
        }
    };
    view
}

fn profile(
    level: &Level,
    record_type: RecordType,
    family: Family,
    client: IpAddr,
) -> view::ExplainedProfile {
    let profile = &level.table.profile;
    let states = profile.endpoints.iter().zip(&level.table.endpoints).zip(&level.endpoints);
    let endpoints = states.map(|((endpoint, state), weighed)| view::ExplainedEndpoint {
        name: endpoint.name.to_string(),
        site: endpoint.site.as_ref().map(Ident::to_string),
        status: state.status.label().to_owned(),
        weight: state.weight,
        priority: state.priority,
        candidate: why::may_answer(weighed),
        why: why::why(level, endpoint, state, weighed, family, client),
        share: percent(weighed.share),
        milliseconds: match weighed.relation {
            Some(Relation::Milliseconds(it)) => Some(rounded(it.into(), 3)),
            _ => None,
        },
        kilometres: match weighed.relation {
            Some(Relation::Kilometres(it)) => Some(it.round()),
            _ => None,
        },
        ramp: state.ramp.map(|it| percent(it.part.into())),
    });
    view::ExplainedProfile {
        name: profile.name.to_string(),
        method: profile.method.label().to_owned(),
        outcome: outcome(level, record_type),
        ttl: level.table.ttl,
        draw: draw_text(level.draw),
        picked: chosen(level).map(|it| it.name.to_string()).collect(),
        location: level.located.as_ref().map(|it| location(it, client)),
        endpoints: endpoints.collect(),
    }
}

fn location(located: &Located, client: IpAddr) -> view::ExplainedLocation {
    let is_told = !matches!(located.table, Table::LocationDefault | Table::None);
    let degrees = located.point.map(|it| it.degrees());
    view::ExplainedLocation {
        table: table(located.table).to_owned(),
        range: is_told.then(|| network_around(client, located.prefix).to_string()),
        region: located.region.map(|it| it.to_string()),
        site: located.site.as_ref().map(Ident::to_string),
        latitude: degrees.map(|it| rounded(it.0, 4)),
        longitude: degrees.map(|it| rounded(it.1, 4)),
    }
}

fn table(table: Table) -> &'static str {
    match table {
        Table::ClientNetwork => "client_network",
        Table::LatencyTable => "latency_table",
        Table::Database => "database",
        Table::LocationDefault => "location_default",
        Table::None => "none",
    }
}

fn rounded(number: f64, digits: i32) -> f64 {
    let factor = 10_f64.powi(digits);
    (number * factor).round() / factor
}

/// The endpoints that a profile chose.
fn chosen(level: &Level) -> impl Iterator<Item = &Endpoint> {
    let pick = match &level.choice {
        Choice::Endpoints(pick) => Some(pick),
        Choice::Fallback | Choice::NoData | Choice::ServFail => None,
    };
    let members = pick.into_iter().flat_map(Pick::members);
    members.filter_map(|it| level.table.profile.endpoints.get(it))
}

fn answers(level: &Level, family: Family) -> Vec<IpAddr> {
    match (&level.choice, &level.table.profile.when_none_healthy) {
        (Choice::Fallback, WhenNoneHealthy::Fallback(addresses)) => addresses.of(family).collect(),
        (Choice::Endpoints(pick), _) => {
            let (endpoints, states) = (&level.table.profile.endpoints, &level.table.endpoints);
            let chosen = pick.members().filter_map(|it| endpoints.get(it).zip(states.get(it)));
            chosen.flat_map(|(endpoint, state)| state.addresses(endpoint).of(family)).collect()
        }
        _ => Vec::new(),
    }
}

/// The name that the choice is answered with, by CNAME.
fn alias(level: &Level) -> Option<&Name> {
    chosen(level).find_map(Endpoint::alias)
}

/// What the query gets in the end, and what every profile on the way did that is out of the ordinary.
fn whole(levels: &[Level], record_type: RecordType) -> String {
    let Some((last, above)) = levels.split_last() else { return String::new() };
    let unheeded = above.iter().filter_map(|it| {
        let health = unhealth(it.basis)?;
        Some(format!("{}: {health}; ", it.table.profile.name))
    });
    let through: Vec<String> =
        levels.iter().skip(1).map(|it| it.table.profile.name.to_string()).collect();
    let through = match through.as_slice() {
        [] => String::new(),
        some => format!(", through {}", some.join(", then ")),
    };
    format!("{}{}{through}", unheeded.collect::<String>(), outcome(last, record_type))
}

/// Why health is not heeded.
fn unhealth(basis: Basis) -> Option<&'static str> {
    match basis {
        Basis::Healthy => None,
        Basis::Panic => {
            Some("too few endpoints are healthy (panic_threshold), so all are treated as healthy")
        }
        Basis::NoneHealthy => Some("no endpoint is healthy"),
        Basis::NoneInService => Some("no endpoint is in service"),
    }
}

fn outcome(level: &Level, record_type: RecordType) -> String {
    let Level { table, basis, choice, .. } = level;
    let profile = &table.profile;
    let is_fallback = matches!(profile.when_none_healthy, WhenNoneHealthy::Fallback(_));
    let record_type = if alias(level).is_some() { RecordType::CNAME } else { record_type };
    let health = unhealth(*basis).map(|it| format!("{it}; ")).unwrap_or_default();
    let answer = match choice {
        Choice::Endpoints(_) if *basis == Basis::NoneHealthy => {
            format!("{record_type} all the same ({})", table.unhealthy_rule())
        }
        Choice::Endpoints(_) => format!("{record_type} by {}", profile.method.label()),
        Choice::Fallback => "the fallback addresses".to_owned(),
        Choice::NoData if *basis == Basis::NoneHealthy && is_fallback => {
            format!("NODATA: the fallback has no {record_type} record")
        }
        Choice::NoData if level.endpoints.iter().all(|it| it.tier.is_none()) => {
            "NODATA: no endpoint serves this client".to_owned()
        }
        Choice::NoData => format!("NODATA: the choice has no {record_type} record"),
        Choice::ServFail => "SERVFAIL (when_none_healthy = servfail)".to_owned(),
    };
    format!("{health}{answer}")
}

fn ttl_reason(levels: &[Level], ttl: u32) -> String {
    let Some(level) = levels.iter().find(|it| it.table.ttl == ttl) else {
        let names: Vec<String> = levels
            .last()
            .into_iter()
            .flat_map(chosen)
            .filter_map(Endpoint::host)
            .map(Name::to_string)
            .collect();
        return format!("that of the records found for {}", names.join(", "));
    };
    let table = &level.table;
    let doubtful = table.in_doubt().and_then(|it| table.profile.endpoints.get(it));
    let reason = match doubtful {
        Some(endpoint) => format!("until the verdict on {} may change (ttl_min)", endpoint.name),
        None => "the profile's".to_owned(),
    };
    match levels {
        [_] => reason,
        _ if doubtful.is_none() => format!("the least of these profiles, {}", table.profile.name),
        _ => format!("the least of these profiles, {}: {reason}", table.profile.name),
    }
}

fn scope_reason(snapshot: &Snapshot, levels: &[Level], asking: Asking, scope: u8) -> String {
    if scope == 0 && levels.iter().any(|it| is_looked_up(it, &snapshot.geography)) {
        let family = if asking.address.is_ipv4() { "IPv4" } else { "IPv6" };
        return format!("every {family} client is told the same");
    }
    if scope == 0 {
        return "the client does not matter".to_owned();
    }
    let located = levels.iter().filter_map(|it| it.located.as_ref());
    let told = located.clone().find(|it| it.prefix == scope && it.table != Table::None);
    let sticks = levels
        .iter()
        .filter_map(|it| it.table.profile.affinity)
        .any(|it| scope == if asking.address.is_ipv4() { it.prefix4 } else { it.prefix6 });
    let drawn = levels.iter().map(|it| match it.choice {
        Choice::Endpoints(pick) => pick.scope,
        Choice::Fallback | Choice::NoData | Choice::ServFail => scope,
    });
    let by_chance = drawn.max().is_some_and(|it| it < scope);
    let by_subnet = levels.iter().any(|it| it.table.profile.method == Method::Subnet);
    let reason = match told {
        _ if by_chance => "by another draw the client would matter so far".to_owned(),
        Some(told) => format!("the range of the {} around the client", words(told.table)),
        None if sticks => "affinity keeps its clients at one endpoint".to_owned(),
        None if by_subnet => "the same subnets match in all of it".to_owned(),
        None => "the tables that were asked say the same in all of it".to_owned(),
    };
    match asking.length {
        Some(length) if length < scope => {
            let network = network_around(asking.address, scope);
            format!(
                "{reason}; this is for {network}, the others in /{length} may get something else"
            )
        }
        _ => reason,
    }
}

/// Whether the client's address was looked up in something, where those of the other family may be told apart.
fn is_looked_up(level: &Level, geography: &Geography) -> bool {
    let profile = &level.table.profile;
    let serves = |(endpoint, weighed): (&Endpoint, &Weighed)| {
        weighed.standing == Standing::Candidate && !endpoint.subnets.is_empty()
    };
    match profile.method {
        Method::Subnet => profile.endpoints.iter().zip(&level.endpoints).any(serves),
        method => {
            let Geography { networks, latencies, database, .. } = geography;
            let has_rows = method == Method::Performance && !latencies.is_empty();
            level.located.is_some() && (has_rows || !networks.is_empty() || !database.is_empty())
        }
    }
}

fn words(table: Table) -> &'static str {
    match table {
        Table::ClientNetwork => "client networks",
        Table::LatencyTable => "latency table",
        Table::Database => "database",
        Table::LocationDefault | Table::None => "tables",
    }
}
